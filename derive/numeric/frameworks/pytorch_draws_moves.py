"""Draws for PyTorch's resizing, padding and the layers between."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from derive.numeric.frameworks import Drawn, Ints
from derive.numeric.frameworks.pytorch_draws_windows import batch, lengths, per_axis, spoil

MODES = {
    1: ("nearest", "nearest-exact", "linear", "area"),
    2: ("nearest", "nearest-exact", "bilinear", "area", "bicubic"),
    3: ("nearest", "nearest-exact", "trilinear", "area"),
}
SCALES = tuple(
    Fraction(v) for v in ("2", "3", "1", "1.5", "2.5", "0.5", "0.75", "1.25", "0.4", "1.3")
)


def _scale(rng: Random, dims: int) -> Any:
    draw = [rng.choice(SCALES) for _ in range(dims)]
    chosen = [int(v) if v.denominator == 1 else v for v in draw]
    return tuple(chosen) if rng.random() < 0.5 else chosen[0]


def _size_or_scale(rng: Random, dims: int) -> dict[str, Any]:
    if rng.random() < 0.5:
        return {"size": per_axis(rng, dims, 1, {1: 16, 2: 9, 3: 6}[dims])}
    return {"scale_factor": _scale(rng, dims)}


def _spoil_size(rng: Random, dims: int, arguments: dict[str, Any]) -> None:
    wrong = {"size": [0, -1, 3, (2,) * (dims + 1)], "scale_factor": [0, -1, 2, (2,) * (dims + 1)]}
    spoil(rng, arguments, wrong)


def _image(rng: Random, dims: int) -> Ints:
    # With one channel PyTorch takes a contiguous tensor for a channels-last one, and another path.
    return (rng.randint(1, 2), rng.randint(2, 3), *lengths(rng, dims))


def interpolate(rng: Random, dims: int) -> Drawn:
    """``nn.Upsample`` and ``F.interpolate``."""
    arguments = _size_or_scale(rng, dims)
    mode = rng.choice(MODES[dims])
    if mode != "nearest" or rng.random() < 0.5:
        arguments["mode"] = mode
    if mode.endswith(("linear", "bicubic")) and rng.random() < 0.6:
        arguments["align_corners"] = rng.random() < 0.6
    if rng.random() < 0.3:
        arguments["recompute_scale_factor"] = rng.random() < 0.8
    if rng.random() < 0.2 and "size" in arguments:
        arguments.pop("recompute_scale_factor", None)
    _spoil_size(rng, dims, arguments)
    if rng.random() < 0.06:
        arguments["mode"] = rng.choice(("linear", "bilinear", "trilinear", "cubic", "lanczos"))
    if rng.random() < 0.05:
        arguments["align_corners"] = rng.random() < 0.5
    return Drawn(arguments, _image(rng, dims))


def upsample(rng: Random, dims: int) -> Drawn:
    """``F.upsample``, which cannot recompute the scale."""
    drawn = interpolate(rng, dims)
    given = {k: v for k, v in drawn.arguments.items() if k != "recompute_scale_factor"}
    return Drawn(given, drawn.x)


def upsampling(rng: Random, dims: int) -> Drawn:
    """``nn.UpsamplingNearest2d`` and the like: a size or a scale alone."""
    arguments = _size_or_scale(rng, dims)
    _spoil_size(rng, dims, arguments)
    return Drawn(arguments, _image(rng, dims))


def pad_layer(rng: Random, dims: int) -> Drawn:
    """``nn.ZeroPad`` and the other layers."""
    if rng.random() < 0.3:
        padding: Any = rng.randint(-1, 4)
    else:
        padding = tuple(
            rng.randint(-2, 5) if rng.random() < 0.5 else rng.randint(0, 2) for _ in range(2 * dims)
        )
    if rng.random() < 0.06:
        padding = (1,) * (2 * dims + rng.choice((-1, 1, 2)))
    return Drawn({"padding": padding}, batch(rng, rng.randint(1, 2), lengths(rng, dims)))


def constant_pad(rng: Random, dims: int) -> Drawn:
    """``nn.ConstantPad``."""
    drawn = pad_layer(rng, dims)
    return Drawn({**drawn.arguments, "value": rng.choice((0, 0, 3, -2, Fraction(5, 2)))}, drawn.x)


def pad(rng: Random, dims: int) -> Drawn:
    """``F.pad``: amounts for any number of axes, in every mode."""
    mode = rng.choice(("constant", "constant", "reflect", "replicate", "circular"))
    axes = dims if mode != "constant" or rng.random() < 0.6 else rng.randint(0, dims + 2)
    amounts = tuple(rng.randint(-1, 3) for _ in range(2 * axes))
    arguments: dict[str, Any] = {"pad": amounts}
    if mode != "constant" or rng.random() < 0.3:
        arguments["mode"] = mode
    if mode == "constant" and rng.random() < 0.4:
        arguments["value"] = rng.choice((0, 3, Fraction(-3, 2)))
    wrong: dict[str, list[Any]] = {
        "pad": [amounts[1:], (1,) * (2 * dims + 6), 2],
        "mode": ["reflect101", "zeros"],
        "value": [4],
    }
    spoil(rng, arguments, wrong)
    return Drawn(arguments, (rng.randint(1, 2), rng.randint(1, 3), *lengths(rng, dims)))


def plain(rng: Random, dims: int) -> Drawn:
    """A layer without parameters."""
    return Drawn({}, (rng.randint(2, 3), rng.randint(1, 3), *lengths(rng, dims)))


def normalisation(rng: Random, dims: int) -> Drawn:
    """``nn.BatchNorm``: the number of channels may be wrong."""
    channels = rng.randint(1, 4)
    features = channels + (rng.random() < 0.2)
    n = tuple(v + 1 for v in lengths(rng, dims))
    return Drawn({"num_features": features}, (2, channels, *n))


def instance_norm(rng: Random, dims: int) -> Drawn:
    """``nn.InstanceNorm``."""
    drawn = normalisation(rng, dims)
    return Drawn({"num_features": drawn.x[1]}, drawn.x)


def group_norm(rng: Random, dims: int) -> Drawn:
    """``nn.GroupNorm``."""
    g, channels = rng.randint(1, 3), rng.randint(1, 6)
    if rng.random() < 0.7:
        channels = g * rng.randint(1, 2)
    given = channels + (rng.random() < 0.15)
    return Drawn({"num_groups": g, "num_channels": given}, (2, channels, *lengths(rng, dims)))


def linear(rng: Random, dims: int) -> Drawn:
    """``nn.Linear``."""
    features = rng.randint(1, 5)
    arguments: dict[str, Any] = {
        "in_features": features + (rng.random() < 0.1),
        "out_features": rng.randint(1, 4),
    }
    if rng.random() < 0.5:
        arguments["bias"] = rng.random() < 0.5
    return Drawn(arguments, (rng.randint(1, 3), *lengths(rng, dims), features))
