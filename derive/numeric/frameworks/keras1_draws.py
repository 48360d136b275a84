"""Random configurations of the layers of Keras 1, legal and illegal."""

from __future__ import annotations

from random import Random
from typing import Any

from derive.dialects.layer import SPATIAL
from derive.numeric.frameworks import Draw, Drawn, Ints, Known
from derive.numeric.frameworks.tensorflow_draws import laid, lengths, odd, rates, taps


def ordered(rng: Random, dims: int, given: dict[str, Any]) -> str:
    """A layout, with its ``dim_ordering`` among the arguments; sequences are channels last."""
    if dims == 1:
        return "NWC"
    kind = rng.choice(["default", "th", "tf"])
    if kind != "default" or rng.random() < 0.2:
        given["dim_ordering"] = kind if not odd(rng, 0.04) else "NCHW"
    return f"N{SPATIAL[dims]}C" if kind == "tf" else f"NC{SPATIAL[dims]}"


def border(rng: Random, given: dict[str, Any]) -> None:
    """A ``border_mode``."""
    if rng.random() < 0.8:
        given["border_mode"] = rng.choice(["valid", "same"]) if not odd(rng, 0.08) else "SAME"


def sized(rng: Random, values: Ints) -> Any:
    """A tuple; now and then something illegal."""
    return values if not odd(rng, 0.06) else rng.choice([(*values, 1), (0,) * len(values)])


def placed(rng: Random, dims: int, where: str, n: Ints | None = None) -> Ints:
    """The shape of an input."""
    return laid(rng.randint(1, 3), n or lengths(rng, dims), where, rng.randint(1, 2))


def conv(rng: Random, dims: int) -> Drawn:
    """``Convolution1D`` … ``3D``, ``AtrousConvolution…``, ``SeparableConvolution2D``."""
    k = taps(rng, dims)
    given: dict[str, Any] = {"nb_filter": rng.randint(1, 3) if not odd(rng, 0.04) else 0}
    names = {1: ("filter_length",), 2: ("nb_row", "nb_col")}
    given |= dict(
        zip(names.get(dims, ("kernel_dim1", "kernel_dim2", "kernel_dim3")), k, strict=True)
    )
    s = rates(rng, dims, 3 if dims < 3 else 2)
    if dims == 1:
        given["subsample_length"] = s[0] if not odd(rng, 0.06) else 0
    elif rng.random() < 0.6:
        given["subsample"] = sized(rng, s)
    if rng.random() < 0.3:
        given["bias"] = False
    border(rng, given)
    where = ordered(rng, dims, given)
    return Drawn(given, placed(rng, dims, where))


def atrous(rng: Random, dims: int) -> Drawn:
    """``AtrousConvolution1D``, ``AtrousConvolution2D``."""
    drawn, rate = conv(rng, dims), rng.randint(1, 3)
    given = dict(drawn.arguments)
    if not odd(rng):
        given.pop("subsample_length", None)
        given.pop("subsample", None)
    given["atrous_rate"] = rate if dims == 1 else (rate, rate if not odd(rng, 0.06) else rate + 1)
    return Drawn(given, drawn.x)


def deconvolution(rng: Random, dims: int) -> Drawn:
    """``Deconvolution2D``; ``output_shape`` does not matter."""
    drawn = conv(rng, dims)
    given = {**drawn.arguments, "output_shape": (None, rng.randint(1, 4), 3, rng.randint(1, 9))}
    n = tuple(min(a, 4) for a in drawn.x[1:])
    return Drawn(given, (drawn.x[0], *n))


def separable(rng: Random, dims: int) -> Drawn:
    """``SeparableConvolution2D``."""
    drawn, s = conv(rng, dims), rng.randint(1, 3)
    return Drawn(
        {**drawn.arguments, "depth_multiplier": rng.randint(1, 2), "subsample": (s, s)}, drawn.x
    )


def pool(rng: Random, dims: int) -> Drawn:
    """``MaxPooling…``, ``AveragePooling…``."""
    given: dict[str, Any] = {}
    size, stride = ("pool_length", "stride") if dims == 1 else ("pool_size", "strides")
    if rng.random() < 0.8:
        given[size] = taps(rng, 1, 3)[0] if dims == 1 else sized(rng, taps(rng, dims, 3))
    if rng.random() < 0.6:
        given[stride] = rng.randint(1, 3) if dims == 1 else sized(rng, rates(rng, dims))
    border(rng, given)
    where = ordered(rng, dims, given)
    return Drawn(given, placed(rng, dims, where))


def whole(rng: Random, dims: int) -> Drawn:
    """``GlobalAveragePooling…``, ``GlobalMaxPooling…``."""
    given: dict[str, Any] = {}
    where = ordered(rng, dims, given)
    return Drawn(given, placed(rng, dims, where))


def upsampling(rng: Random, dims: int) -> Drawn:
    """``UpSampling1D`` … ``3D``."""
    given: dict[str, Any] = {}
    if rng.random() < 0.9:
        s = rates(rng, dims, 4 if dims < 3 else 2)
        given["length" if dims == 1 else "size"] = s[0] if dims == 1 else sized(rng, s)
    where = ordered(rng, dims, given)
    return Drawn(given, placed(rng, dims, where, tuple(min(a, 5) for a in lengths(rng, dims))))


def zero_padding(rng: Random, dims: int) -> Drawn:
    """``ZeroPadding1D`` … ``3D``."""
    given: dict[str, Any] = {}
    p = tuple(rng.randint(0, 3) for _ in range(4))
    if rng.random() < 0.9:
        ways: dict[int, list[Any]] = {1: [p[0], p[:2]], 2: [p[:2], p], 3: [p[:3]]}
        given["padding"] = rng.choice(ways[dims]) if not odd(rng) else (-1,) * dims
        if dims == 1 and given["padding"] == (-1,):
            given["padding"] = -1
    where = ordered(rng, dims, given)
    return Drawn(given, placed(rng, dims, where))


def cropping(rng: Random, dims: int) -> Drawn:
    """``Cropping1D`` … ``3D``."""
    given: dict[str, Any] = {}
    pairs = tuple((rng.randint(0, 2), rng.randint(0, 2)) for _ in range(dims))
    if rng.random() < 0.9:
        given["cropping"] = pairs[0] if dims == 1 else pairs
    where = ordered(rng, dims, given)
    return Drawn(given, placed(rng, dims, where, lengths(rng, dims, 2)))


BY_AXES: dict[str, tuple[Draw, tuple[int, ...]]] = {
    "Convolution{}D": (conv, (1, 2, 3)),
    "AtrousConvolution{}D": (atrous, (1, 2)),
    "Deconvolution{}D": (deconvolution, (2,)),
    "SeparableConvolution{}D": (separable, (2,)),
    "MaxPooling{}D": (pool, (1, 2, 3)),
    "AveragePooling{}D": (pool, (1, 2, 3)),
    "GlobalAveragePooling{}D": (whole, (1, 2, 3)),
    "GlobalMaxPooling{}D": (whole, (1, 2, 3)),
    "UpSampling{}D": (upsampling, (1, 2, 3)),
    "ZeroPadding{}D": (zero_padding, (1, 2, 3)),
    "Cropping{}D": (cropping, (1, 2, 3)),
}
DRAWS: dict[str, Draw] = {
    f"keras1.{name.format(d)}": draw for name, (draw, axes) in BY_AXES.items() for d in axes
}


def even_same(drawn: Drawn) -> bool:
    """``same`` with a kernel of even length."""
    given = drawn.arguments
    return given.get("border_mode") == "same" and any(
        given[k] % 2 == 0 for k in ("nb_row", "nb_col")
    )


KNOWN: tuple[Known, ...] = (
    Known(
        ("keras1.Deconvolution2D",),
        "accepted by us",
        even_same,
        "for an even kernel and 'same' Keras 1.0 announces s(m-1), which Theano computes and "
        "TensorFlow refuses",
        "keras1.Deconvolution2D(1, 2, 2, (None, 1, 4, 4), border_mode='same') on x: (1, 1, 3, 3)",
    ),
    Known(
        ("keras1.MaxPooling3D",),
        "gradient",
        lambda drawn: True,
        "the gradient of a 3-D max pooling in TensorFlow goes to every maximum of a window",
        "keras1.MaxPooling3D(strides=(1, 1, 1)) on x: (1, 1, 2, 2, 2) with two maxima",
    ),
    Known(
        tuple(f"keras1.GlobalMaxPooling{d}D" for d in (1, 2, 3)),
        "gradient",
        lambda drawn: True,
        "the gradient of a maximum over whole axes is shared by equal maxima in TensorFlow",
        "keras1.GlobalMaxPooling1D() on x: (1, 2, 1) with two maxima",
    ),
    Known(
        ("keras1.Convolution3D",),
        "value",
        lambda drawn: drawn.arguments.get("border_mode") == "same",
        "conv3d on the CPU starts inside of the input where SAME needs no padding (see tf.nn.conv3d)",
        "keras1.Convolution3D(1, 1, 1, 1, border_mode='same', subsample=(1, 1, 3)) "
        "on x: (1, 1, 1, 1, 3)",
    ),
)
