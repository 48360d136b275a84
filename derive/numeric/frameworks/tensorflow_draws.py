"""Random configurations of TensorFlow's calls, legal and illegal."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from derive.dialects.layer import SPATIAL
from derive.numeric.frameworks import Draw, Drawn, Ints, Known

LONGEST = {1: 12, 2: 7, 3: 5}
ODD = 0.12  # how often something illegal is drawn on purpose


def odd(rng: Random, chance: float = ODD) -> bool:
    """Whether to draw something illegal here."""
    return rng.random() < chance


def lengths(rng: Random, dims: int, least: int = 1) -> Ints:
    """A length for each spatial axis."""
    return tuple(rng.randint(least, LONGEST[dims]) for _ in range(dims))


def taps(rng: Random, dims: int, most: int = 4) -> Ints:
    """A kernel length for each spatial axis."""
    return tuple(rng.randint(1, most if dims < 3 else 2) for _ in range(dims))


def laid(channels: Any, spatial: Sequence[Any], layout: str, batch: Any) -> tuple[Any, ...]:
    """Values in the order of a layout."""
    inner = dict(zip(SPATIAL[len(spatial)], spatial, strict=True))
    return tuple({"N": batch, "C": channels, **inner}[a] for a in layout)


def layout(rng: Random, dims: int, first: float = 0.1) -> str:
    """A layout; channels first now and then."""
    spatial = SPATIAL[dims]
    return f"NC{spatial}" if rng.random() < first else f"N{spatial}C"


def spread(rng: Random, values: Ints, where: str, ways: str = "1 n n+2") -> Any:
    """Strides or dilations in one of the ways that TensorFlow takes them."""
    way = rng.choice(ways.split())
    if odd(rng):
        return rng.choice([0, -1, (1,) * (len(values) + 1), (2,) * (len(values) + 2)])
    if way == "1":
        return rng.choice([values[0], (values[0],)])
    if way == "n":
        return values
    return laid(1, values, where, 1)


def rates(rng: Random, dims: int, most: int = 3) -> Ints:
    """Strides or dilations: one for all axes, or one for each."""
    if rng.random() < 0.4:
        return (rng.randint(1, most),) * dims
    return tuple(rng.randint(1, most) for _ in range(dims))


def paddings(rng: Random, dims: int, where: str, amounts: float = 0.2, most: int = 3) -> Any:
    """A padding: a name or amounts."""
    if odd(rng, 0.05):
        return rng.choice(["same", "FULL", laid((0, 0), ((0, -1),) * dims, where, (0, 0))])
    if rng.random() < amounts:
        pairs = tuple((rng.randint(0, most), rng.randint(0, most)) for _ in range(dims))
        return laid((0, 0), pairs, where, (0, 0))
    return rng.choice(["SAME", "VALID"])


def channels(rng: Random) -> tuple[int, int, int]:
    """(input channels, channels that the filter reads, channels that it makes)."""
    groups = rng.choice([1, 1, 1, 1, 1, 1, 1, 1, 2])
    read = rng.randint(1, 3)
    made = groups * rng.randint(1, 2)
    if odd(rng, 0.06):
        return rng.randint(1, 4), read, made
    return groups * read, read, made


def conv(rng: Random, dims: int) -> Drawn:
    """``tf.nn.conv1d`` and ``conv2d``."""
    where, (c, read, made) = layout(rng, dims), channels(rng)
    given: dict[str, Any] = {
        "stride" if dims == 1 else "strides": spread(rng, rates(rng, dims), where),
        "padding": paddings(rng, dims, where, 0.2 if dims == 2 else 0.02),
    }
    if rng.random() < 0.3:
        given["dilations"] = spread(rng, rates(rng, dims, 2), where)
    if not where.endswith("C"):
        given["data_format"] = where
    x = laid(c, lengths(rng, dims), where, rng.randint(1, 2))
    return Drawn(given, x, {"filters": (*taps(rng, dims), read, made)})


def conv3d(rng: Random, dims: int) -> Drawn:
    """``tf.nn.conv3d``."""
    where, (c, read, made) = layout(rng, 3, 0.05), channels(rng)
    given = {
        "strides": spread(rng, rates(rng, 3, 2), where, "n+2"),
        "padding": paddings(rng, 3, where, 0.02),
    }
    if rng.random() < 0.15:
        given["dilations"] = spread(rng, rates(rng, 3, 2), where, "n+2")
    if not where.endswith("C"):
        given["data_format"] = where
    return Drawn(
        given, laid(c, lengths(rng, 3), where, 1), {"filters": (*taps(rng, 3), read, made)}
    )


def convolution(rng: Random, dims: int) -> Drawn:
    """``tf.nn.convolution``."""
    where, (c, read, made) = layout(rng, dims, 0.06), channels(rng)
    stride, dilation = rates(rng, dims), (1,) * dims
    if rng.random() < 0.3:
        stride, dilation = (1,) * dims if rng.random() < 0.8 else stride, rates(rng, dims)
    given = {"strides": spread(rng, stride, where), "padding": paddings(rng, dims, where, 0)}
    if rng.random() < 0.9:
        given["dilations"] = spread(rng, dilation, where)
    if not where.endswith("C"):
        given["data_format"] = where
    x = laid(c, lengths(rng, dims), where, 1)
    return Drawn(given, x, {"filters": (*taps(rng, dims, 3), read, made)})


def atrous(rng: Random, dims: int) -> Drawn:
    """``tf.nn.atrous_conv2d``."""
    read, made = rng.randint(1, 3), rng.randint(1, 3)
    rate = 0 if odd(rng) else rng.randint(1, 3)
    given = {"rate": rate, "padding": paddings(rng, dims, "NHWC", 0)}
    x = laid(read, lengths(rng, dims), "NHWC", rng.randint(1, 2))
    return Drawn(given, x, {"filters": (*taps(rng, dims, 3), read, made)})


def depthwise(rng: Random, dims: int) -> Drawn:
    """``tf.nn.depthwise_conv2d``."""
    c, given, x, k = _depthwise(rng, dims)
    return Drawn(given, x, {"filter": (*k, c, rng.randint(1, 3))})


def separable(rng: Random, dims: int) -> Drawn:
    """``tf.nn.separable_conv2d``."""
    c, given, x, k = _depthwise(rng, dims)
    q = rng.randint(1, 2)
    read = c * q if not odd(rng) else c * q + 1
    weights = {"depthwise_filter": (*k, c, q), "pointwise_filter": (1, 1, read, rng.randint(1, 3))}
    return Drawn(given, x, weights)


def _depthwise(rng: Random, dims: int) -> tuple[int, dict[str, Any], Ints, Ints]:
    where, c, s = layout(rng, dims, 0.05), rng.randint(1, 3), rng.randint(1, 3)
    stride = (s, s) if not odd(rng, 0.06) else (s, s + 1)
    given: dict[str, Any] = {
        "strides": spread(rng, stride, where, "n+2"),
        "padding": paddings(rng, dims, where, 0.15),
    }
    if rng.random() < 0.2:
        given["strides"] = (1, 1, 1, 1)
        given["dilations"] = spread(rng, rates(rng, dims), where, "n")
    if not where.endswith("C"):
        given["data_format"] = where
    seen = c if not odd(rng, 0.05) else c + 1
    return c, given, laid(seen, lengths(rng, dims), where, rng.randint(1, 2)), taps(rng, dims)


def inner_pairs(padding: Any, where: str) -> list[Ints]:
    """The amounts for the spatial axes; zeros for a padding with a name."""
    if isinstance(padding, str):
        return [(0, 0)] * (len(where) - 2)
    return [p for p, a in zip(padding, where, strict=True) if a not in "NC"]


def original(
    rng: Random, m: Ints, k: Ints, s: Ints, d: Ints, padding: Any, where: str
) -> tuple[int, ...]:
    """Lengths from which a convolution gives ``m``; now and then others."""
    pairs = inner_pairs(padding, where)
    found = []
    for mi, ki, si, di, (lo, hi) in zip(m, k, s, d, pairs, strict=True):
        same = padding == "SAME"
        least = si * (mi - 1) + 1 if same else si * (mi - 1) + di * (ki - 1) + 1 - lo - hi
        extra = rng.randint(0, max(si, 1) - 1)
        found.append(least + (extra if not odd(rng, 0.1) else rng.choice([-1, si, si + 1])))
    return tuple(found)


def _numbers(value: Any, where: str, dims: int) -> Ints:
    """The values for the spatial axes, as far as they can be read."""
    values = value if isinstance(value, tuple) else (value,)
    if len(values) == dims + 2:
        return tuple(v for v, a in zip(values, where, strict=True) if a not in "NC")
    return values * dims if len(values) == 1 else (values * dims)[:dims]


def transpose(rng: Random, dims: int, ways: str = "1 n n+2") -> Drawn:
    """``tf.nn.conv1d_transpose`` … and ``tf.nn.conv_transpose``."""
    where, read, made = layout(rng, dims, 0.06), rng.randint(1, 3), rng.randint(1, 3)
    strides, k = spread(rng, rates(rng, dims, 3 if dims < 3 else 2), where, ways), taps(rng, dims)
    padding = paddings(rng, dims, where, 0.15 if dims == 2 else 0.02, 1)
    m = lengths(rng, dims) if dims == 1 else tuple(min(a, 4) for a in lengths(rng, dims))
    dilations = spread(rng, rates(rng, dims, 2), where, ways) if rng.random() < 0.12 else 1
    s, d = _numbers(strides, where, dims), _numbers(dilations, where, dims)
    n = original(rng, m, k, s, d, padding, where)
    batch = rng.randint(1, 2)
    given = {"strides": strides, "padding": padding}
    given["output_shape"] = laid(made if not odd(rng, 0.04) else made + 1, n, where, batch)
    if dilations != 1:
        given["dilations"] = dilations
    if not where.endswith("C"):
        given["data_format"] = where
    seen = read if not odd(rng, 0.04) else read + 1
    return Drawn(given, laid(seen, m, where, batch), {"filters": (*k, made, read)})


def atrous_transpose(rng: Random, dims: int) -> Drawn:
    """``tf.nn.atrous_conv2d_transpose``."""
    read, made, rate = rng.randint(1, 3), rng.randint(1, 3), rng.randint(1, 3)
    k, padding = taps(rng, dims, 3), paddings(rng, dims, "NHWC", 0)
    m = tuple(min(a, 5) for a in lengths(rng, dims))
    n = original(rng, m, k, (1, 1), (rate, rate), padding, "NHWC")
    given = {"output_shape": (1, *n, made), "rate": rate, "padding": padding}
    return Drawn(given, (1, *m, read), {"filters": (*k, made, read)})


def backprop_input(rng: Random, dims: int) -> Drawn:
    """``conv2d_backprop_input``."""
    drawn = transpose(rng, dims, "n+2" if not odd(rng, 0.05) else "1")
    given = dict(drawn.arguments)
    given["input_sizes"] = given.pop("output_shape")
    return Drawn(given, drawn.x, drawn.weights)


def backprop_filter(rng: Random, dims: int) -> Drawn:
    """``conv2d_backprop_filter``."""
    where, c, made = layout(rng, dims, 0.05), rng.randint(1, 3), rng.randint(1, 3)
    k, stride = taps(rng, dims, 3), rates(rng, dims)
    padding, n = paddings(rng, dims, where, 0.15), lengths(rng, dims, 3)
    pairs = inner_pairs(padding, where)
    m = []
    for ni, ki, si, (lo, hi) in zip(n, k, stride, pairs, strict=True):
        right = -(-ni // si) if padding == "SAME" else (ni + lo + hi - ki) // si + 1
        m.append(max(1, right if not odd(rng, 0.08) else right + 1))
    batch = rng.randint(1, 2)
    given = {
        "filter_sizes": (*k, c, made),
        "strides": spread(rng, stride, where, "n+2"),
        "padding": padding,
    }
    if not where.endswith("C"):
        given["data_format"] = where
    out = made if not odd(rng, 0.05) else made + 1
    return Drawn(given, laid(c, n, where, batch), {"out_backprop": laid(out, m, where, batch)})


def pool(rng: Random, dims: int) -> Drawn:
    """``tf.nn.max_pool…`` and ``avg_pool…``."""
    where, k = layout(rng, dims, 0.05), taps(rng, dims, 3)
    given: dict[str, Any] = {
        "ksize": spread(rng, k, where) if not odd(rng, 0.03) else 0,
        "strides": spread(rng, rates(rng, dims), where),
        "padding": paddings(rng, dims, where, 0.15 if dims < 3 else 0.02, 1),
    }
    if not where.endswith("C"):
        given["data_format"] = where
    x = laid(rng.randint(1, 2), lengths(rng, dims), where, rng.randint(1, 2))
    return Drawn(given, x)


def any_pool(rng: Random, dims: int) -> Drawn:
    """``tf.nn.pool``."""
    k = taps(rng, dims, 3)
    given: dict[str, Any] = {
        "window_shape": k if not odd(rng, 0.05) else (*k, 1),
        "pooling_type": rng.choice(["AVG", "MAX"]) if not odd(rng, 0.04) else "SUM",
        "padding": paddings(rng, dims, "", 0) if rng.random() < 0.9 else "VALID",
    }
    if rng.random() < 0.4:
        given["dilations"] = rates(rng, dims, 2)
    if rng.random() < 0.6 and (odd(rng) or given.get("dilations", (1,) * dims) == (1,) * dims):
        given["strides"] = rates(rng, dims)
    where = layout(rng, dims, 0)
    return Drawn(given, laid(rng.randint(1, 2), lengths(rng, dims, 2), where, 1))


def depth_to_space(rng: Random, dims: int) -> Drawn:
    """``tf.nn.depth_to_space``."""
    r, where = rng.randint(2, 3), layout(rng, dims, 0.05)
    c = r * r * rng.randint(1, 3) + (1 if odd(rng) else 0)
    given: dict[str, Any] = {"block_size": r if not odd(rng) else rng.choice([0, 1, -2])}
    if not where.endswith("C"):
        given["data_format"] = where
    small = tuple(min(4, a) for a in lengths(rng, dims))
    return Drawn(given, laid(c, small, where, rng.randint(1, 2)))


def space_to_depth(rng: Random, dims: int) -> Drawn:
    """``tf.nn.space_to_depth``."""
    r, where = rng.randint(2, 3), layout(rng, dims, 0.05)
    n = tuple(r * rng.randint(1, 3) + (1 if odd(rng) else 0) for _ in range(dims))
    given: dict[str, Any] = {"block_size": r if not odd(rng) else rng.choice([0, 1, -2])}
    if not where.endswith("C"):
        given["data_format"] = where
    return Drawn(given, laid(rng.randint(1, 3), n, where, rng.randint(1, 2)))


def pad(rng: Random, dims: int) -> Drawn:
    """``tf.pad``."""
    mode, n = rng.choice(["CONSTANT", "REFLECT", "SYMMETRIC"]), lengths(rng, dims)
    mode = mode if not odd(rng, 0.05) else rng.choice(["reflect", "EDGE"])
    c, batch = rng.randint(1, 3), rng.randint(1, 2)
    reach = {"CONSTANT": 3}.get(mode, 0)

    def pair(length: int, inner: bool) -> Ints:
        most = reach or (length - (mode.upper() == "REFLECT")) if inner else 0
        if inner and odd(rng, 0.05):
            return (rng.choice([-1, length + 1]), 0)
        return (rng.randint(0, max(most, 0)), rng.randint(0, max(most, 0)))

    outer = mode == "CONSTANT" and rng.random() < 0.3
    given: dict[str, Any] = {
        "paddings": (pair(1, outer), *(pair(a, True) for a in n), pair(c, outer)),
        "mode": mode,
    }
    if odd(rng, 0.03):
        given["paddings"] = given["paddings"][1:]
    if rng.random() < 0.1:
        given["constant_values"] = 2
    return Drawn(given, (batch, *n, c))


def resize(rng: Random, dims: int) -> Drawn:
    """``tf.image.resize``."""
    method = rng.choice(["bilinear", "nearest"] * 4 + ["bicubic", "area"])
    m: Any = tuple(rng.randint(1, 9) for _ in range(dims))
    if odd(rng):
        m = rng.choice([(0, 3), (3,), (2, 3, 4), (-1, 2), 3])
    given: dict[str, Any] = {"size": m, "method": method if not odd(rng, 0.04) else "linear"}
    if rng.random() < 0.1:
        given["antialias"] = True
    x = (rng.randint(1, 2), *lengths(rng, dims), rng.randint(1, 2))
    return Drawn(given, x)


DRAWS: dict[str, Draw] = {
    "tf.nn.conv1d": conv,
    "tf.nn.conv2d": conv,
    "tf.nn.conv3d": conv3d,
    "tf.nn.convolution": convolution,
    "tf.nn.atrous_conv2d": atrous,
    "tf.nn.depthwise_conv2d": depthwise,
    "tf.nn.separable_conv2d": separable,
    "tf.nn.conv1d_transpose": transpose,
    "tf.nn.conv2d_transpose": transpose,
    "tf.nn.conv3d_transpose": transpose,
    "tf.nn.conv_transpose": transpose,
    "tf.nn.atrous_conv2d_transpose": atrous_transpose,
    "tf.nn.conv2d_backprop_input": backprop_input,
    "tf.nn.conv2d_backprop_filter": backprop_filter,
    "tf.nn.pool": any_pool,
    "tf.nn.depth_to_space": depth_to_space,
    "tf.nn.space_to_depth": space_to_depth,
    "tf.pad": pad,
    "tf.image.resize": resize,
    **{
        f"tf.nn.{kind}_pool{axes}": pool
        for kind in ("max", "avg")
        for axes in ("", "1d", "2d", "3d")
    },
}


def spatial(drawn: Drawn, dims: int) -> tuple[Ints, Ints, Ints, Ints]:
    """``(n, k, s, d)`` of a drawn convolution or pooling, as far as they are well formed."""
    given, where = drawn.arguments, str(drawn.arguments.get("data_format", ""))
    first = where.startswith("NC")
    where = f"NC{SPATIAL[dims]}" if first else f"N{SPATIAL[dims]}C"
    weight = next(iter(drawn.weights.values()), None)
    k = weight[:dims] if weight else given.get("ksize", given.get("window_shape", 1))
    s = given.get("strides", given.get("stride", 1))
    d = given.get("dilations", given.get("rate", 1))
    n = tuple(a for a, letter in zip(drawn.x, where, strict=True) if letter not in "NC")
    return n, _numbers(k, where, dims), _numbers(s, where, dims), _numbers(d, where, dims)


def shifted(drawn: Drawn) -> bool:
    """Would SAME padding be negative along an axis, were it not cut at 0?"""
    n, k, s, d = spatial(drawn, len(drawn.x) - 2)
    return drawn.arguments.get("padding") == "SAME" and any(
        (-(-ni // si) - 1) * si + di * (ki - 1) + 1 - ni < -1
        for ni, ki, si, di in zip(n, k, s, d, strict=True)
    )


def outer(drawn: Drawn) -> bool:
    """Does a window, a stride or a dilation reach over the batch or the channels?"""
    lists = [drawn.arguments.get(a) for a in ("ksize", "strides", "dilations")]
    full = [v for v in lists if isinstance(v, tuple) and len(v) == len(drawn.x)]
    first = str(drawn.arguments.get("data_format", "")).startswith("NC")
    return any(v[0] != 1 or v[1 if first else -1] != 1 for v in full)


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def negative(drawn: Drawn) -> bool:
    """Is an amount of padding below 0?"""
    padding = drawn.arguments.get("padding")
    return isinstance(padding, tuple) and any(a < 0 for pair in padding for a in pair)


POOLS = tuple(
    f"tf.nn.{kind}_pool{axes}" for kind in ("max", "avg") for axes in ("", "1d", "2d", "3d")
)
KNOWN: tuple[Known, ...] = (
    Known(
        POOLS,
        "refused by us",
        outer,
        "a window or a stride over the batch or the channels: out of scope here; avg_pool does not "
        "check them and gives a shape that its values do not fill",
        "tf.nn.avg_pool(ksize=(2, 2, 2, 2), strides=1, padding='SAME') on x: (2, 3, 6, 2)",
    ),
    Known(
        ("tf.nn.convolution",),
        "refused by us",
        outer,
        "dilations for the batch and the channels are ignored; where they are not 1 we refuse them",
        "tf.nn.convolution(dilations=(2, 2, 2)) on x: (1, 3, 1), filters: (2, 1, 1)",
    ),
    Known(
        POOLS,
        "accepted by us",
        lambda drawn: str(drawn.arguments.get("data_format")).startswith("NC"),
        "TensorFlow has no kernel for the CPU that pools channels first, and XLA none with explicit "
        "padding",
        "tf.nn.max_pool2d(ksize=2, strides=1, padding=((0, 0), (0, 0), (0, 1), (0, 0)), "
        "data_format='NCHW') on x: (1, 1, 2, 2)",
    ),
    Known(
        ("tf.nn.depthwise_conv2d", "tf.nn.separable_conv2d"),
        "refused by us",
        lambda drawn: set(_tuple(drawn.arguments.get("dilations"))) == {1},
        "dilations that are all 1 are not counted; where they are not one for each axis we refuse them",
        "tf.nn.depthwise_conv2d(strides=(1, 1, 1, 1), padding='SAME', dilations=(1, 1, 1)) "
        "on x: (1, 1, 1, 1), filter: (1, 1, 1, 1)",
    ),
    Known(
        ("tf.nn.convolution",),
        "refused by us",
        negative,
        "negative amounts crop the input of a dilated convolution; conv2d refuses them, and so do we",
        "tf.nn.convolution(padding=((0, 0), (0, -1), (0, 0), (0, 0)), dilations=2) on x: (1, 3, 3, 1), "
        "filters: (1, 1, 1, 1)",
    ),
    Known(
        ("tf.nn.max_pool3d", "tf.nn.max_pool", "tf.nn.pool"),
        "gradient",
        lambda drawn: len(drawn.x) == 5,
        "the gradient of a 3-D max pooling goes to every maximum of a window, in 1-D and 2-D to the "
        "first alone",
        "tf.nn.max_pool3d(ksize=2, strides=1, padding='VALID') on x: (1, 2, 2, 2, 1) with two maxima",
    ),
    Known(
        ("tf.nn.conv3d", "tf.nn.convolution"),
        "value",
        lambda drawn: len(drawn.x) == 5 and shifted(drawn),
        "conv3d on the CPU starts inside of the input where SAME needs no padding and the stride "
        "skips samples; compiled with XLA, and in 1-D and 2-D, it starts at the first sample, as "
        "documented",
        "tf.nn.conv3d(strides=(1, 1, 1, 3, 1), padding='SAME') on x: (1, 1, 1, 3, 1), "
        "filters: (1, 1, 1, 1, 1)",
    ),
)
