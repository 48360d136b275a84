"""Configurations of ONNX nodes, legal and illegal, drawn from a seed.

Most are legal; about one in seven spoils one attribute, and small inputs make others illegal by
themselves.  An output without any element is refused by us and counts as refused by onnxruntime.
"""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

from derive.numeric.frameworks import Draw, Drawn, Ints, Known

SPOILED = 0.15
LENGTHS = {1: (2, 12), 2: (2, 7), 3: (2, 4)}
KERNELS = {1: (1, 5), 2: (1, 4), 3: (1, 3)}
AUTO = ("SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET")
COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
SCALES = tuple(Fraction(a, b) for a, b in ((1, 1), (2, 1), (3, 1), (4, 1), (3, 2), (1, 2), (5, 2)))


def each(rng: Random, dims: int, low: int, high: int) -> Ints:
    """A value for each axis."""
    return tuple(rng.randint(low, high) for _ in range(dims))


def lengths(rng: Random, dims: int) -> Ints:
    """Spatial lengths."""
    return each(rng, dims, *LENGTHS[dims])


def spoil(rng: Random, arguments: dict[str, Any], wrong: dict[str, list[Any]]) -> None:
    """Now and then replace one attribute by one that is likely to be refused."""
    if rng.random() < SPOILED:
        name = rng.choice(sorted(wrong))
        arguments[name] = rng.choice(wrong[name])


def _wrong(dims: int) -> dict[str, list[Any]]:
    zero = (*(2,) * (dims - 1), 0)
    return {
        "strides": [zero, (1,) * (dims + 1)],
        "dilations": [zero, (1,) * (dims + 1)],
        "pads": [(1,) * (2 * dims + 1), (*(0,) * (2 * dims - 1), -1)],
        "auto_pad": ["SAME"],
        "kernel_shape": [(9,) * dims, (2,) * (dims + 1)],
    }


def _windows(rng: Random, dims: int, k: Ints, high: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rng.random() < 0.7:
        found["strides"] = each(rng, dims, 1, 3)
    if rng.random() < 0.4:
        found["dilations"] = each(rng, dims, 1, 3)
    way = rng.random()
    if way < 0.35:
        found["auto_pad"] = rng.choice(AUTO)
        if found["auto_pad"] != "VALID" and rng.random() < 0.5:
            found.pop("dilations", None)
    elif way < 0.85:
        found["pads"] = tuple(rng.randint(0, high if high >= 0 else v - 1) for v in k * 2)
    return found


def conv(rng: Random, dims: int) -> Drawn:
    """``Conv``: all attributes."""
    g, per, out = rng.choice((1, 1, 2, 3)), rng.randint(1, 2), rng.randint(1, 2)
    k, n = each(rng, dims, *KERNELS[dims]), lengths(rng, dims)
    arguments = _windows(rng, dims, k, 3)
    if g > 1:
        arguments["group"] = g
    if rng.random() < 0.5:
        arguments["kernel_shape"] = k
    spoil(rng, arguments, _wrong(dims) | {"group": [0, 4]})
    weights: dict[str, Ints] = {"W": (g * out, per, *k)}
    if rng.random() < 0.4:
        weights["B"] = (g * out,)
    return Drawn(arguments, (rng.randint(1, 2), g * per + (rng.random() < 0.05), *n), weights)


def conv_transpose(rng: Random, dims: int) -> Drawn:
    """``ConvTranspose``: output padding, output shape and all automatic paddings."""
    g, per, out = rng.choice((1, 1, 2, 3)), rng.randint(1, 2), rng.randint(1, 2)
    k, n = each(rng, dims, *KERNELS[dims]), tuple(max(1, v // 2) for v in lengths(rng, dims))
    arguments = _windows(rng, dims, k, 2)
    s, d = arguments.get("strides", (1,) * dims), arguments.get("dilations", (1,) * dims)
    if rng.random() < 0.4:
        arguments["output_padding"] = tuple(
            rng.randint(0, max(a, b) - 1) for a, b in zip(s, d, strict=True)
        )
    if rng.random() < 0.3:
        full = (a * (b - 1) + c * (e - 1) + 1 for a, b, c, e in zip(s, n, d, k, strict=True))
        arguments["output_shape"] = tuple(max(1, v - rng.randint(-2, 3)) for v in full)
    if g > 1:
        arguments["group"] = g
    if rng.random() < 0.5:
        arguments["kernel_shape"] = k
    spoil(rng, arguments, _wrong(dims) | {"group": [0, 4], "output_padding": [(4,) * dims]})
    weights: dict[str, Ints] = {"W": (g * per, out, *k)}
    if rng.random() < 0.4:
        weights["B"] = (g * out,)
    return Drawn(arguments, (rng.randint(1, 2), g * per + (rng.random() < 0.05), *n), weights)


def pool(rng: Random, dims: int) -> Drawn:
    """``MaxPool``: all attributes."""
    k, n = each(rng, dims, *KERNELS[dims]), lengths(rng, dims)
    arguments = {"kernel_shape": k, **_windows(rng, dims, k, -1)}
    if rng.random() < 0.4:
        arguments["ceil_mode"] = rng.randint(0, 1)
    wrong = _wrong(dims) | {"kernel_shape": [(0,) * dims, (2,) * (dims + 1)]}
    spoil(rng, arguments, wrong | {"pads": [*wrong["pads"], (7,) * (2 * dims)]})
    return Drawn(arguments, (rng.randint(1, 2), rng.randint(1, 2), *n))


def average_pool(rng: Random, dims: int) -> Drawn:
    """``AveragePool``: with and without the padding in the count."""
    drawn = pool(rng, dims)
    arguments = dict(drawn.arguments)
    if rng.random() < 0.5:
        arguments["count_include_pad"] = rng.randint(0, 1)
    return Drawn(arguments, drawn.x)


def lp_pool(rng: Random, dims: int) -> Drawn:
    """``LpPool``: its shape."""
    drawn = pool(rng, dims)
    arguments = {**drawn.arguments, "p": rng.choice((1, 2, 3))}
    return Drawn(arguments, drawn.x, values=False)


def global_pool(rng: Random, dims: int) -> Drawn:
    """The global poolings, which have no attributes."""
    return Drawn({}, (rng.randint(1, 3), rng.randint(1, 3), *lengths(rng, dims)))


def pad(rng: Random, dims: int) -> Drawn:
    """``Pad``: all modes, crops, chosen axes."""
    shape = each(rng, dims, 1, 6)
    mode = rng.choice(("constant", "constant", "edge", "reflect", "wrap"))
    low = -1 if rng.random() < 0.3 else 0
    arguments: dict[str, Any] = {"pads": each(rng, 2 * dims, low, 3)}
    if mode != "constant" or rng.random() < 0.5:
        arguments["mode"] = mode
    if rng.random() < 0.3:
        axes = rng.sample(range(-dims, 0), rng.randint(1, dims))
        arguments |= {"axes": tuple(axes), "pads": each(rng, 2 * len(axes), low, 3)}
    spoil(rng, arguments, {"pads": [(1,) * (2 * dims + 1)], "mode": ["symmetric"]})
    return Drawn(arguments, shape)


def resize(rng: Random, dims: int) -> Drawn:
    """``Resize``: nearest and linear, by scales and to sizes."""
    shape = tuple(1 if a < dims - 2 else v for a, v in enumerate(each(rng, dims, 1, 6)))
    arguments: dict[str, Any] = {}
    if rng.random() < 0.5:
        arguments["scales"] = tuple(1 if v == 1 else rng.choice(SCALES) for v in shape)
        whole = zip(shape, arguments["scales"], strict=True)
        exact = all((n * q).denominator == 1 for n, q in whole)
    else:
        arguments["sizes"] = tuple(1 if v == 1 else rng.randint(1, 9) for v in shape)
        exact = True
    if rng.random() < 0.8:
        known = COORDINATES if exact else ("half_pixel", "asymmetric", "half_pixel_symmetric")
        arguments["coordinate_transformation_mode"] = rng.choice(known)
    if rng.random() < 0.5 and dims > 1:  # onnxruntime has no linear mode for one axis
        arguments["mode"] = "linear"
    elif rng.random() < 0.7:
        arguments |= {"mode": "nearest", "nearest_mode": rng.choice(ROUNDING)}
    wrong: dict[str, list[Any]] = {
        "coordinate_transformation_mode": ["corners"],
        "nearest_mode": ["even"],
    }
    for name in ("scales", "sizes"):
        if name in arguments:
            wrong[name] = [(*arguments[name], 1)]
    spoil(rng, arguments, wrong)
    return Drawn(arguments, shape)


def upsample(rng: Random, dims: int) -> Drawn:
    """``Upsample`` of opset 9."""
    shape = tuple(1 if a < dims - 2 else v for a, v in enumerate(each(rng, dims, 1, 6)))
    larger = [q for q in SCALES if q >= 1]
    scales = tuple(1 if v == 1 else rng.choice(larger) for v in shape)
    arguments: dict[str, Any] = {"scales": scales}
    if rng.random() < 0.4 and dims > 1:  # onnxruntime has no linear mode for one axis
        arguments["mode"] = rng.choice(("nearest", "linear"))
    spoil(rng, arguments, {"scales": [(*scales, 1), (Fraction(1, 2),) * dims], "mode": ["area"]})
    return Drawn(arguments, shape)


def depth_to_space(rng: Random, dims: int) -> Drawn:
    """``DepthToSpace``: both orders."""
    r = rng.randint(1, 3)
    arguments: dict[str, Any] = {"blocksize": r}
    if rng.random() < 0.7:
        arguments["mode"] = rng.choice(("DCR", "CRD"))
    spoil(rng, arguments, {"blocksize": [4, 5], "mode": ["RCD"]})
    return Drawn(arguments, (rng.randint(1, 2), rng.randint(1, 3) * r * r, *each(rng, 2, 1, 4)))


def space_to_depth(rng: Random, dims: int) -> Drawn:
    """``SpaceToDepth``."""
    r = rng.randint(1, 3)
    arguments: dict[str, Any] = {"blocksize": r}
    spoil(rng, arguments, {"blocksize": [4, 5]})
    n = tuple(r * v for v in each(rng, 2, 1, 3))
    return Drawn(arguments, (rng.randint(1, 2), rng.randint(1, 3), *n))


def col2im(rng: Random, dims: int) -> Drawn:
    """``Col2Im``: columns that fit, and some that do not."""
    n, k = lengths(rng, dims), each(rng, dims, *KERNELS[dims])
    arguments: dict[str, Any] = {"image_shape": n, "block_shape": k}
    if rng.random() < 0.5:
        arguments["strides"] = each(rng, dims, 1, 3)
    if rng.random() < 0.4:
        arguments["dilations"] = each(rng, dims, 1, 2)
    if rng.random() < 0.5:
        arguments["pads"] = each(rng, 2 * dims, 0, 2)
    s, d = arguments.get("strides", (1,) * dims), arguments.get("dilations", (1,) * dims)
    p = arguments.get("pads", (0,) * 2 * dims)
    m = [(n[a] + p[a] + p[a + dims] - d[a] * (k[a] - 1) - 1) // s[a] + 1 for a in range(dims)]
    columns = math.prod(max(1, v) for v in m) + (rng.random() < 0.06)
    taps = math.prod(k) * rng.randint(1, 2) + (rng.random() < 0.06)
    return Drawn(arguments, (rng.randint(1, 2), taps, columns))


def max_unpool(rng: Random, dims: int) -> Drawn:
    """``MaxUnpool``: its shape."""
    k, m = each(rng, dims, *KERNELS[dims]), lengths(rng, dims)
    arguments: dict[str, Any] = {"kernel_shape": k}
    if rng.random() < 0.7:
        arguments["strides"] = each(rng, dims, 1, 3)
    spoil(
        rng, arguments, {"strides": [(0,) * dims, (1,) * (dims + 1)], "kernel_shape": [(0,) * dims]}
    )
    shape = (1, rng.randint(1, 2), *m)
    places = np.zeros(shape, dtype=np.int64)  # the values are not compared
    return Drawn(arguments, shape, {}, {"I": places}, values=False)


DRAWS: dict[str, Draw] = {
    "onnx.Conv": conv,
    "onnx.ConvTranspose": conv_transpose,
    "onnx.MaxPool": pool,
    "onnx.AveragePool": average_pool,
    "onnx.LpPool": lp_pool,
    "onnx.GlobalAveragePool": global_pool,
    "onnx.GlobalMaxPool": global_pool,
    "onnx.Pad": pad,
    "onnx.Resize": resize,
    "onnx.Upsample": upsample,
    "onnx.DepthToSpace": depth_to_space,
    "onnx.SpaceToDepth": space_to_depth,
    "onnx.Col2Im": col2im,
    "onnx.MaxUnpool": max_unpool,
}
POOLS = ("onnx.MaxPool", "onnx.AveragePool", "onnx.LpPool")
SAME = ("SAME_UPPER", "SAME_LOWER")


def _axes(drawn: Drawn, k: Ints) -> list[tuple[int, int, int, int, int]]:
    """``(n, k, s, d, p_lo + p_hi)`` of each spatial axis, for legal attributes."""
    dims, given = len(k), drawn.arguments
    s, d = given.get("strides", (1,) * dims), given.get("dilations", (1,) * dims)
    p = given.get("pads", (0,) * 2 * dims)
    if not len(s) == len(d) == len(p) // 2 == dims:
        return []
    both = [p[a] + p[a + dims] for a in range(dims)]
    return list(zip(drawn.x[-dims:], k, s, d, both, strict=True))


def _window_axes(drawn: Drawn) -> list[tuple[int, int, int, int, int]]:
    return _axes(drawn, drawn.arguments["kernel_shape"])


def _same(drawn: Drawn) -> bool:
    return drawn.arguments.get("auto_pad") in SAME


def _same_dilated(drawn: Drawn) -> bool:
    return _same(drawn) and any(d > 1 for d in drawn.arguments.get("dilations", ()))


def _same_skips(drawn: Drawn) -> bool:
    """SAME where a stride is longer than the kernel, so that nothing is padded but skipped."""
    return _same(drawn) and any(
        (-(-n // s) - 1) * s + d * (k - 1) + 1 < n for n, k, s, d, _ in _window_axes(drawn)
    )


def _window_too_long(drawn: Drawn) -> bool:
    return not _same(drawn) and any(
        n + p < d * (k - 1) + 1 for n, k, s, d, p in _window_axes(drawn)
    )


def _valid_ceil(drawn: Drawn) -> bool:
    return drawn.arguments.get("auto_pad") == "VALID" and bool(drawn.arguments.get("ceil_mode"))


def _transpose_skips(drawn: Drawn) -> bool:
    """SAME of a transposed convolution that does not reach ``s·n``."""
    k = drawn.weights["W"][2:]
    r = drawn.arguments.get("output_padding", (0,) * len(k))
    return _same(drawn) and any(
        d * (a - 1) + 1 + e < s for (_, a, s, d, _), e in zip(_axes(drawn, k), r, strict=False)
    )


def _dilated_columns(drawn: Drawn) -> bool:
    k, d = drawn.arguments["block_shape"], drawn.arguments.get("dilations", (1,))
    if len(k) == 1:
        return bool(d[0] > 1 and k[0] > 1 and drawn.x[1] > k[0])
    return len(k) == 3 and any(a > 1 for a in d)


KNOWN: tuple[Known, ...] = (
    Known(
        ("onnx.Conv",),
        "accepted by us",
        _same_dilated,
        "onnxruntime does not implement SAME with dilations; the documentation and ONNX's reference "
        "evaluator do",
        "onnx.Conv(dilations=[2], auto_pad='SAME_UPPER') on x: (2, 3, 7), W: (4, 3, 2)",
    ),
    *(
        Known(
            POOLS,
            kind,
            _same_dilated,
            "onnxruntime leaves the dilations out of the padding of SAME, so that the length is not "
            "⌈n/s⌉ as the documentation says",
            "onnx.AveragePool(kernel_shape=[2], dilations=[3], auto_pad='SAME_LOWER') on x: (1, 1, 11): "
            "length 9",
        )
        for kind in ("shape", "value", "accepted by us")
    ),
    Known(
        POOLS,
        "accepted by us",
        _same_skips,
        "onnxruntime computes a negative padding for SAME where the stride skips samples, and refuses "
        "it",
        "onnx.MaxPool(kernel_shape=[1], strides=[3], auto_pad='SAME_UPPER') on x: (2, 1, 5)",
    ),
    *(
        Known(
            POOLS,
            kind,
            _window_too_long,
            "onnxruntime rounds (n + p - d(k-1) - 1)/s towards zero, not down, so that a window longer "
            "than the padded input gives one output",
            "onnx.AveragePool(kernel_shape=[5], strides=[2]) on x: (1, 1, 4): length 1",
        )
        for kind in ("refused by us", "shape")
    ),
    *(
        Known(
            POOLS,
            kind,
            _valid_ceil,
            "onnxruntime rounds up for VALID with ceil_mode; the documentation's formula for VALID and "
            "the reference evaluator do not",
            "onnx.MaxPool(kernel_shape=[2], strides=[3], auto_pad='VALID', ceil_mode=1) on x: (2, 1, 7): "
            "length 3",
        )
        for kind in ("shape", "refused by us")
    ),
    Known(
        ("onnx.ConvTranspose",),
        "shape",
        _transpose_skips,
        "onnxruntime gives less than s·n for SAME where the kernel is shorter than the stride; the "
        "documentation and the reference evaluator give s·n",
        "onnx.ConvTranspose(strides=[2], auto_pad='SAME_UPPER') on x: (1, 1, 4), W: (1, 1, 1): length 7",
    ),
    *(
        Known(
            ("onnx.Col2Im",),
            kind,
            _dilated_columns,
            "onnxruntime puts columns in wrong places where there is a dilation and one axis (those of "
            "the second and later channels) or three; the reference evaluator does not",
            "onnx.Col2Im(image_shape=[3], block_shape=[2], dilations=[2]) on [[[1], [2], [3], [4]]]: "
            "[[1, 0, 2], [4, 0, 0]], not [[1, 0, 2], [3, 0, 4]]",
        )
        for kind in ("value", "gradient")
    ),
)
