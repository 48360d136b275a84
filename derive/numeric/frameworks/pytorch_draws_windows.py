"""Draws for PyTorch's calls with windows: convolution, pooling, unpooling, columns and shuffles.

Most draws are legal; about one in seven spoils one argument (a stride of zero, a padding that is too
large or negative, groups that do not divide, a wrong number of values), and small inputs make others
illegal by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

from derive.numeric.frameworks import Array, Drawn, Ints

LENGTHS = {0: (1, 1), 1: (2, 14), 2: (2, 8), 3: (2, 5)}
KERNELS = {0: (1, 1), 1: (1, 5), 2: (1, 4), 3: (1, 3)}
SPOILED = 0.15


def lengths(rng: Random, dims: int) -> Ints:
    """Spatial lengths of an input."""
    return tuple(rng.randint(*LENGTHS[dims]) for _ in range(dims))


def per_axis(rng: Random, dims: int, low: int, high: int) -> Any:
    """One value for all axes, or a tuple of them."""
    if rng.random() < 0.5:
        return rng.randint(low, high)
    return tuple(rng.randint(low, high) for _ in range(dims))


def values(value: Any, dims: int) -> Ints:
    """The values on each axis."""
    return tuple(value) if isinstance(value, tuple) else (value,) * dims


def some(rng: Random, **choices: Callable[[], Any]) -> dict[str, Any]:
    """Each argument with its draw, or left to its default."""
    return {name: draw() for name, draw in choices.items() if rng.random() < 0.6}


def batch(rng: Random, channels: int, n: Ints) -> Ints:
    """The input's shape; one in six has no batch axis."""
    return (channels, *n) if rng.random() < 0.16 else (rng.randint(1, 2), channels, *n)


def spoil(rng: Random, arguments: dict[str, Any], wrong: Mapping[str, list[Any]]) -> None:
    """Now and then replace one argument by one that is likely to be refused."""
    if rng.random() < SPOILED:
        name = rng.choice(sorted(wrong))
        arguments[name] = rng.choice(wrong[name])


def kernel(rng: Random, dims: int) -> Any:
    """A kernel size."""
    return per_axis(rng, dims, *KERNELS[dims])


def conv(rng: Random, dims: int) -> Drawn:
    """``nn.Conv``: all parameters."""
    g, a, b = rng.choice((1, 1, 2, 3)), rng.randint(1, 2), rng.randint(1, 2)
    arguments = {"in_channels": g * a, "out_channels": g * b, "kernel_size": kernel(rng, dims)}
    arguments |= some(
        rng,
        stride=lambda: per_axis(rng, dims, 1, 3),
        padding=lambda: rng.choice(("same", "valid", *[per_axis(rng, dims, 0, 3)] * 3)),
        dilation=lambda: per_axis(rng, dims, 1, 3),
        bias=lambda: rng.random() < 0.5,
        padding_mode=lambda: rng.choice(("zeros", "reflect", "replicate", "circular")),
    )
    if arguments.get("padding") == "same" and rng.random() < 0.7:
        arguments.pop("stride", None)
    if g > 1 or rng.random() < 0.3:
        arguments["groups"] = g
    spoil(rng, arguments, _wrong_conv(dims) | {"padding_mode": ["zero"]})
    channels = g * a + (rng.random() < 0.05)
    return Drawn(arguments, batch(rng, channels, lengths(rng, dims)))


def _wrong_conv(dims: int) -> dict[str, list[Any]]:
    return {
        "stride": [0, -1, (1,) * (dims + 1), (2,)],
        "padding": [-1, "full", (1,) * (dims + 2), (1,)],
        "dilation": [0, -2],
        "groups": [0, 4, 5],
        "kernel_size": [0, (2,)],
    }


def conv_functional(rng: Random, dims: int) -> Drawn:
    """``F.conv``: the weight's shape is the caller's."""
    drawn = conv(rng, dims)
    return _functional(drawn, dims, "OI")


def _functional(drawn: Drawn, dims: int, order: str) -> Drawn:
    given = dict(drawn.arguments)
    c_in, c_out = given.pop("in_channels"), given.pop("out_channels")
    k = (values(given.pop("kernel_size"), dims) * dims)[:dims]
    bias, g = given.pop("bias", True), given.get("groups", 1) or 1
    given.pop("padding_mode", None)
    weight = (c_out, max(1, c_in // g), *k) if order == "OI" else (c_in, max(1, c_out // g), *k)
    shapes: dict[str, Ints] = {"weight": weight}
    if bias:
        shapes["bias"] = (c_out,)
    return Drawn(given, drawn.x, shapes)


def conv_transpose(rng: Random, dims: int) -> Drawn:
    """``nn.ConvTranspose``, now and then with an ``output_size`` in the second call."""
    g, a, b = rng.choice((1, 1, 2, 3)), rng.randint(1, 2), rng.randint(1, 2)
    k, n = kernel(rng, dims), tuple(max(1, v // 2) for v in lengths(rng, dims))
    arguments = {"in_channels": g * a, "out_channels": g * b, "kernel_size": k}
    arguments |= some(
        rng,
        stride=lambda: per_axis(rng, dims, 1, 4),
        padding=lambda: per_axis(rng, dims, 0, 2),
        dilation=lambda: per_axis(rng, dims, 1, 3),
        bias=lambda: rng.random() < 0.5,
    )
    if rng.random() < 0.5:
        arguments["output_padding"] = per_axis(rng, dims, 0, 2)
    if g > 1:
        arguments["groups"] = g
    if rng.random() < 0.3:
        arguments["output_size"] = _target(rng, dims, n, arguments)
    spoil(
        rng,
        arguments,
        {
            **_wrong_conv(dims),
            "padding": [-1, "same", (1,) * (dims + 2)],
            "output_padding": [-1, 3, 4],
            "output_size": [7, (5,) * (dims + 1), (9,) * dims],
            "padding_mode": ["reflect"],
        },
    )
    return Drawn(arguments, batch(rng, g * a + (rng.random() < 0.05), n))


def _target(rng: Random, dims: int, n: Ints, arguments: Mapping[str, Any]) -> Ints:
    """An ``output_size`` in or just beyond the range."""
    s, p, d, k = (
        values(arguments.get(name, usual), dims)
        for name, usual in (("stride", 1), ("padding", 0), ("dilation", 1), ("kernel_size", 1))
    )
    least = [s[a] * (n[a] - 1) + d[a] * (k[a] - 1) + 1 - 2 * p[a] for a in range(dims)]
    size = tuple(
        v + rng.randint(0 if rng.random() < 0.8 else -1, s[a] - 1) for a, v in enumerate(least)
    )
    return (1, 1, *size) if rng.random() < 0.2 else size


def conv_transpose_functional(rng: Random, dims: int) -> Drawn:
    """``F.conv_transpose``."""
    drawn = _functional(conv_transpose(rng, dims), dims, "IO")
    return Drawn(
        {k: v for k, v in drawn.arguments.items() if k != "output_size"}, drawn.x, drawn.weights
    )


def _pooling(rng: Random, dims: int, dilated: bool) -> dict[str, Any]:
    k = kernel(rng, dims)
    half = [v // 2 for v in values(k, dims)]
    arguments: dict[str, Any] = {"kernel_size": k}
    arguments |= some(
        rng,
        stride=lambda: rng.choice((None, per_axis(rng, dims, 1, 4), per_axis(rng, dims, 1, 4))),
        padding=lambda: tuple(rng.randint(0, h) for h in half),
        ceil_mode=lambda: rng.random() < 0.7,
    )
    if dilated and rng.random() < 0.5:
        arguments["dilation"] = per_axis(rng, dims, 1, 3)
    spoil(
        rng,
        arguments,
        {
            "kernel_size": [0, (2,) * (dims + 1), (3,)],
            "stride": [0, -1, (1,) * (dims + 1), (2,)],
            "padding": [-1, 2, 3, 4, (0,) * (dims + 1), (1,)],
            **({"dilation": [0, -1]} if dilated else {}),
        },
    )
    return arguments


def max_pool(rng: Random, dims: int) -> Drawn:
    """``nn.MaxPool`` and ``F.max_pool``."""
    arguments = _pooling(rng, dims, True)
    if rng.random() < 0.2:
        arguments["return_indices"] = True
    return Drawn(arguments, batch(rng, rng.randint(1, 2), lengths(rng, dims)))


def avg_pool(rng: Random, dims: int) -> Drawn:
    """``nn.AvgPool`` and ``F.avg_pool``."""
    arguments = _pooling(rng, dims, False)
    if rng.random() < 0.5:
        arguments["count_include_pad"] = rng.random() < 0.3
    if dims > 1 and rng.random() < 0.3:
        arguments["divisor_override"] = rng.choice((1, 2, 3, 5, -2, 0))
    return Drawn(arguments, batch(rng, rng.randint(1, 2), lengths(rng, dims)))


def adaptive(rng: Random, dims: int) -> Drawn:
    """``AdaptiveAvgPool`` and ``AdaptiveMaxPool``."""
    size = per_axis(rng, dims, 1, 6)
    if rng.random() < 0.3:
        size = tuple(rng.choice((None, v)) for v in values(size, dims))
    if rng.random() < 0.1:
        size = rng.choice((-1, (2,) * (dims + 1), (3,), 0))
    return Drawn({"output_size": size}, batch(rng, rng.randint(1, 2), lengths(rng, dims)))


def lp_pool(rng: Random, dims: int) -> Drawn:
    """``LPPool``: the shape."""
    arguments = _pooling(rng, dims, False)
    arguments.pop("padding", None)
    if dims == 1 and isinstance(arguments["kernel_size"], tuple) and rng.random() < 0.8:
        arguments["kernel_size"] = arguments["kernel_size"][0]
    return Drawn({"norm_type": 2, **arguments}, batch(rng, rng.randint(1, 2), lengths(rng, dims)))


def fractional(rng: Random, dims: int) -> Drawn:
    """``FractionalMaxPool``: the shape."""
    arguments: dict[str, Any] = {"kernel_size": per_axis(rng, dims, 1, 3)}
    if rng.random() < 0.5:
        arguments["output_size"] = per_axis(rng, dims, 1, 5)
    else:
        ratios = [Fraction(rng.randint(2, 9), 10) for _ in range(dims)]
        arguments["output_ratio"] = tuple(ratios)
    spoil(
        rng,
        arguments,
        {"kernel_size": [9, (2,)], "output_size": [2, 9, (2,)], "output_ratio": [Fraction(1, 2)]},
    )
    n = tuple(v + 2 for v in lengths(rng, dims))
    return Drawn(arguments, batch(rng, rng.randint(1, 2), n))


def max_unpool(rng: Random, dims: int) -> Drawn:
    """``MaxUnpool`` with indices in windows that do not meet."""
    k = [rng.randint(*KERNELS[dims]) for _ in range(dims)]
    s = [v + rng.randint(0, 2) for v in k]
    p = [rng.randint(0, v // 2) if rng.random() < 0.3 else 0 for v in k]
    m = [rng.randint(1, 4 if dims < 3 else 3) for _ in range(dims)]
    usual = [(m[a] - 1) * s[a] + k[a] - 2 * p[a] for a in range(dims)]
    arguments: dict[str, Any] = {"kernel_size": tuple(k), "stride": tuple(s)}
    if any(p):
        arguments["padding"] = tuple(p)
    n = usual
    if rng.random() < 0.5:
        n = [v + rng.randint(0, s[a] - 1) for a, v in enumerate(usual)]
        arguments["output_size"] = tuple(n) if rng.random() < 0.8 else (1, 1, *n)
    shape = (rng.randint(1, 2), rng.randint(1, 2), *m)
    shape = shape[1:] if rng.random() < 0.16 else shape
    indices = _indices(rng, shape, (k, s, p, n), dims)
    if rng.random() < 0.12:
        arguments["output_size"] = tuple(v + rng.choice((-s[a], s[a])) for a, v in enumerate(usual))
    return Drawn(arguments, shape, data={"indices": indices})


def _indices(rng: Random, shape: Ints, geometry: tuple[list[int], ...], dims: int) -> Array:
    """A place in the window of each entry, as an index into the flat output."""
    k, s, p, n = geometry
    flat = np.zeros(shape, dtype=np.int64)
    for at in np.ndindex(*shape):
        place = 0
        for a, i in enumerate(at[len(shape) - dims :]):
            start = s[a] * i - p[a]
            low, high = max(0, start), min(max(n[a], 1), start + k[a]) - 1
            place = place * max(n[a], 1) + rng.randint(low, max(low, high))
        flat[at] = place
    return flat


def _windowed(rng: Random) -> dict[str, Any]:
    arguments: dict[str, Any] = {"kernel_size": kernel(rng, 2)}
    return arguments | some(
        rng,
        stride=lambda: per_axis(rng, 2, 1, 3),
        padding=lambda: per_axis(rng, 2, 0, 2),
        dilation=lambda: per_axis(rng, 2, 1, 2),
    )


WRONG_WINDOW: dict[str, list[Any]] = {
    "stride": [0, (1,)],
    "padding": [-1, (1, 1, 1)],
    "dilation": [0],
    "kernel_size": [0, (2,), 9],
}


def unfold(rng: Random, dims: int) -> Drawn:
    """``Unfold``."""
    arguments = _windowed(rng)
    spoil(rng, arguments, WRONG_WINDOW)
    return Drawn(arguments, batch(rng, rng.randint(1, 3), lengths(rng, 2)))


def fold(rng: Random, dims: int) -> Drawn:
    """``Fold`` with columns that fit, and some that do not."""
    arguments, n = _windowed(rng), per_axis(rng, 2, 3, 8)
    k, s, p, d = (
        values(arguments.get(name, usual), 2)
        for name, usual in (("kernel_size", 1), ("stride", 1), ("padding", 0), ("dilation", 1))
    )
    m = [(v + 2 * p[a] - d[a] * (k[a] - 1) - 1) // s[a] + 1 for a, v in enumerate(values(n, 2))]
    count = max(1, m[0]) * max(1, m[1]) + (rng.random() < 0.08)
    channels = k[0] * k[1] * rng.randint(1, 2) + (rng.random() < 0.08)
    arguments["output_size"] = n
    spoil(rng, arguments, WRONG_WINDOW | {"output_size": [(5,), 0]})
    return Drawn(arguments, batch(rng, channels, (count,)))


def pixel_shuffle(rng: Random, dims: int) -> Drawn:
    """``PixelShuffle``."""
    r = rng.randint(1, 3)
    channels = r * r * rng.randint(1, 2) + (rng.random() < 0.15)
    factor = rng.choice((0, -1)) if rng.random() < 0.1 else r
    return Drawn({"upscale_factor": factor}, batch(rng, channels, lengths(rng, 2)))


def pixel_unshuffle(rng: Random, dims: int) -> Drawn:
    """``PixelUnshuffle``."""
    r = rng.randint(1, 3)
    n = tuple(r * rng.randint(1, 3) + (rng.random() < 0.1) for _ in range(2))
    factor = rng.choice((0, -1)) if rng.random() < 0.1 else r
    return Drawn({"downscale_factor": factor}, batch(rng, rng.randint(1, 3), n))


def channel_shuffle(rng: Random, dims: int) -> Drawn:
    """``ChannelShuffle``."""
    g = rng.randint(1, 4)
    channels = g * rng.randint(1, 3) + (rng.random() < 0.15)
    shape = (rng.randint(1, 2), channels, *lengths(rng, dims))
    return Drawn({"groups": 0 if rng.random() < 0.08 else g}, shape)
