"""Random configurations of the layers of Keras 3, legal and illegal."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from derive.dialects.registry import CALLS, bind
from derive.numeric.frameworks import Draw, Drawn, Ints, Known
from derive.numeric.frameworks.tensorflow_draws import laid, layout, lengths, odd, rates, taps
from derive.numeric.plan_runner import prepare

FORMATS = {True: "channels_first", False: "channels_last"}


def numbers(rng: Random, values: Ints, chance: float = 0.08) -> Any:
    """One number or a tuple; now and then something illegal."""
    if odd(rng, chance):
        return rng.choice([0, -1, (*values, 1), (0,) * len(values)])
    return values[0] if len(set(values)) == 1 and rng.random() < 0.7 else values


def padding(rng: Random, dims: int = 2) -> str:
    """A padding; ``causal`` is for one axis alone."""
    if odd(rng, 0.05):
        return rng.choice(["full", "causal", "SAME", "Valid"])
    known = ["valid", "same", "causal"] if dims == 1 else ["valid", "same"]
    return rng.choice(known)


def with_format(rng: Random, given: dict[str, Any], where: str) -> dict[str, Any]:
    """The arguments with the layout's ``data_format``."""
    if not where.endswith("C") or rng.random() < 0.1:
        given["data_format"] = FORMATS[not where.endswith("C")]
    if odd(rng, 0.02):
        given["data_format"] = "NHWC"
    return given


def dilated(rng: Random, given: dict[str, Any], dims: int, chance: float = 0.3) -> None:
    """Dilation, mostly without strides."""
    if rng.random() < chance:
        given["dilation_rate"] = numbers(rng, rates(rng, dims))
        if not odd(rng, 0.15):
            given["strides"] = 1


def conv(rng: Random, dims: int) -> Drawn:
    """``Conv1D`` … ``Conv3D``."""
    where, groups = layout(rng, dims, 0.06), rng.choice([1] * 9 + [2])
    given: dict[str, Any] = {
        "filters": groups * rng.randint(1, 2) + (1 if odd(rng, 0.05) else 0),
        "kernel_size": numbers(rng, taps(rng, dims)),
        "strides": numbers(rng, rates(rng, dims, 3 if dims < 3 else 2)),
        "padding": padding(rng, dims),
    }
    if groups > 1:
        given["groups"] = groups
    dilated(rng, given, dims, 0.3 if dims < 3 else 0.1)
    if rng.random() < 0.3:
        given["use_bias"] = False
    if rng.random() < 0.05:
        given["activation"] = "relu"
    c = groups * rng.randint(1, 2) + (1 if odd(rng, 0.05) else 0)
    x = laid(c, lengths(rng, dims), where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where), x)


def transpose(rng: Random, dims: int) -> Drawn:
    """``Conv1DTranspose`` … ``Conv3DTranspose``."""
    where, s = layout(rng, dims, 0.06), rates(rng, dims, 4 if dims < 3 else 2)
    given: dict[str, Any] = {
        "filters": rng.randint(1, 3),
        "kernel_size": numbers(rng, taps(rng, dims)),
        "strides": numbers(rng, s, 0.04),
        "padding": padding(rng),
    }
    if rng.random() < 0.4:
        r = tuple(rng.randint(0, si - 1) for si in s)
        given["output_padding"] = r if not odd(rng) else rng.choice([s, -1, s[0]])
    dilated(rng, given, dims, 0.1)
    if rng.random() < 0.3:
        given["use_bias"] = False
    m = tuple(min(a, 5) for a in lengths(rng, dims))
    x = laid(rng.randint(1, 3), m, where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where), x)


def depthwise(rng: Random, dims: int) -> Drawn:
    """``DepthwiseConv1D``, ``DepthwiseConv2D``."""
    where = layout(rng, dims, 0.06)
    given: dict[str, Any] = {
        "kernel_size": numbers(rng, taps(rng, dims)),
        "strides": numbers(rng, rates(rng, dims)),
        "padding": padding(rng),
    }
    if rng.random() < 0.5:
        given["depth_multiplier"] = rng.randint(1, 3) if not odd(rng) else 0
    dilated(rng, given, dims)
    if rng.random() < 0.3:
        given["use_bias"] = False
    x = laid(rng.randint(1, 3), lengths(rng, dims), where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where), x)


def separable(rng: Random, dims: int) -> Drawn:
    """``SeparableConv1D``, ``SeparableConv2D``."""
    drawn = depthwise(rng, dims)
    given = {"filters": rng.randint(1, 3) if not odd(rng, 0.05) else 0, **drawn.arguments}
    return Drawn(given, drawn.x)


def pool(rng: Random, dims: int) -> Drawn:
    """``MaxPooling…``, ``AveragePooling…`` and the operations of ``keras.ops``."""
    where = layout(rng, dims, 0.15)
    given: dict[str, Any] = {
        "pool_size": numbers(rng, taps(rng, dims, 3)),
        "padding": padding(rng),
    }
    if rng.random() < 0.6:
        given["strides"] = numbers(rng, rates(rng, dims))
    x = laid(rng.randint(1, 2), lengths(rng, dims), where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where), x)


def whole(rng: Random, dims: int) -> Drawn:
    """``GlobalAveragePooling…``, ``GlobalMaxPooling…``."""
    where = layout(rng, dims, 0.3)
    given: dict[str, Any] = {"keepdims": True} if rng.random() < 0.5 else {}
    x = laid(rng.randint(1, 3), lengths(rng, dims), where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where), x)


def upsampling(rng: Random, dims: int) -> Drawn:
    """``UpSampling1D`` … ``UpSampling3D``."""
    where = layout(rng, dims, 0.2) if dims > 1 else "NWC"
    size = numbers(rng, rates(rng, dims, 4 if dims < 3 else 2))
    given: dict[str, Any] = {"size": size}
    if dims == 2 and rng.random() < 0.6:
        given["interpolation"] = rng.choice(["nearest", "bilinear", "bilinear", "bicubic"])
        if odd(rng, 0.05):
            given["interpolation"] = "linear"
    small = tuple(min(a, 5) for a in lengths(rng, dims))
    x = laid(rng.randint(1, 3), small, where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where) if dims > 1 else given, x)


def amounts(rng: Random, dims: int, most: int = 3) -> Any:
    """Amounts in front and behind: one for all, one for each axis, or pairs."""
    if odd(rng):
        return rng.choice([-1, (1,) * (dims + 2), ((1, 2, 3),) * dims, ((-1, 2),) * dims])
    pairs = tuple((rng.randint(0, most), rng.randint(0, most)) for _ in range(dims))
    if dims == 1:
        return rng.choice([pairs[0], pairs[0][0]])
    return rng.choice([pairs, tuple(p[0] for p in pairs), pairs[0][0]])


def zero_padding(rng: Random, dims: int) -> Drawn:
    """``ZeroPadding1D`` … ``ZeroPadding3D``."""
    where = layout(rng, dims, 0.2)
    given = {"padding": amounts(rng, dims)} if rng.random() < 0.95 else {}
    x = laid(rng.randint(1, 3), lengths(rng, dims), where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where), x)


def cropping(rng: Random, dims: int) -> Drawn:
    """``Cropping1D`` … ``Cropping3D``."""
    where = layout(rng, dims, 0.2) if dims > 1 else "NWC"
    given = {"cropping": amounts(rng, dims, 2)} if rng.random() < 0.95 else {}
    x = laid(rng.randint(1, 3), lengths(rng, dims, 2), where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where) if dims > 1 else given, x)


def adaptive(rng: Random, dims: int) -> Drawn:
    """``AdaptiveAveragePooling…``, ``AdaptiveMaxPooling…``."""
    where = layout(rng, dims, 0.3)
    given: dict[str, Any] = {"output_size": numbers(rng, rates(rng, dims, 6))}
    x = laid(rng.randint(1, 3), lengths(rng, dims), where, rng.randint(1, 2))
    return Drawn(with_format(rng, given, where), x)


def op_conv(rng: Random, dims: int) -> Drawn:
    """``keras.ops.conv``."""
    where, groups = layout(rng, dims, 0.06), rng.choice([1] * 9 + [2])
    read, made = rng.randint(1, 2), groups * rng.randint(1, 2)
    given: dict[str, Any] = {
        "strides": numbers(rng, rates(rng, dims)),
        "padding": padding(rng),
    }
    dilated(rng, given, dims, 0.2)
    c = groups * read + (1 if odd(rng, 0.05) else 0)
    x = laid(c, lengths(rng, dims), where, 1)
    return Drawn(with_format(rng, given, where), x, {"kernel": (*taps(rng, dims, 3), read, made)})


def op_transpose(rng: Random, dims: int) -> Drawn:
    """``keras.ops.conv_transpose``."""
    drawn = transpose(rng, dims)
    given = {k: v for k, v in drawn.arguments.items() if k not in ("filters", "use_bias")}
    del given["kernel_size"]
    first = given.get("data_format") == "channels_first"
    c = drawn.x[1 if first else -1] + (1 if odd(rng, 0.05) else 0)
    return Drawn(given, drawn.x, {"kernel": (*taps(rng, dims, 3), rng.randint(1, 2), c)})


def op_depthwise(rng: Random, dims: int) -> Drawn:
    """``keras.ops.depthwise_conv``."""
    drawn = depthwise(rng, dims)
    given = {k: v for k, v in drawn.arguments.items() if k in OPTIONS}
    first = given.get("data_format") == "channels_first"
    c = drawn.x[1 if first else -1] + (1 if odd(rng, 0.05) else 0)
    return Drawn(given, drawn.x, {"kernel": (*taps(rng, dims, 3), c, rng.randint(1, 2))})


def flatten(rng: Random, dims: int) -> Drawn:
    """``Flatten``."""
    where = layout(rng, dims, 0.4) if dims else "NC"
    x = (
        (2, 5)
        if not dims
        else laid(rng.randint(1, 3), lengths(rng, dims), where, rng.randint(1, 2))
    )
    return Drawn(with_format(rng, {}, where), x)


def dense(rng: Random, dims: int) -> Drawn:
    """``Dense``."""
    given: dict[str, Any] = {"units": rng.randint(1, 4) if not odd(rng) else 0}
    if rng.random() < 0.4:
        given["use_bias"] = False
    n = tuple(rng.randint(1, 4) for _ in range(dims))
    return Drawn(given, (rng.randint(1, 2), *n, rng.randint(1, 4)))


OPTIONS = ("strides", "padding", "dilation_rate", "data_format")


def keeping(**arguments: Any) -> Draw:
    """A layer that keeps the shape."""

    def draw(rng: Random, dims: int) -> Drawn:
        given = {} if odd(rng, 0.1) and "rate" not in arguments else dict(arguments)
        if odd(rng):
            given["axes"] = 3
        n = lengths(rng, dims) if dims else ()
        return Drawn(given, (rng.randint(1, 2), *n, rng.randint(1, 4)), values=False)

    return draw


PLAIN: dict[str, dict[str, Any]] = {
    "ReLU": {"max_value": 6.0},
    "LeakyReLU": {"negative_slope": 0.2},
    "ELU": {},
    "PReLU": {},
    "Softmax": {},
    "BatchNormalization": {"momentum": 0.9},
    "LayerNormalization": {"epsilon": 0.1},
    "GroupNormalization": {"groups": 1},
    "Activation": {"activation": "tanh"},
    "Dropout": {"rate": 0.5},
    "GaussianNoise": {"stddev": 0.5},
}
BY_AXES: dict[str, Draw] = {
    "Conv{}D": conv,
    "Conv{}DTranspose": transpose,
    "Convolution{}DTranspose": transpose,
    "MaxPooling{}D": pool,
    "MaxPool{}D": pool,
    "AveragePooling{}D": pool,
    "AvgPool{}D": pool,
    "GlobalAveragePooling{}D": whole,
    "GlobalAvgPool{}D": whole,
    "GlobalMaxPooling{}D": whole,
    "GlobalMaxPool{}D": whole,
    "UpSampling{}D": upsampling,
    "ZeroPadding{}D": zero_padding,
    "Cropping{}D": cropping,
    "AdaptiveAveragePooling{}D": adaptive,
    "AdaptiveMaxPooling{}D": adaptive,
    "DepthwiseConv{}D": depthwise,
    "SeparableConv{}D": separable,
    "SeparableConvolution{}D": separable,
}
DRAWS: dict[str, Draw] = {
    **{f"keras.layers.{n.format(d)}": f for n, f in BY_AXES.items() for d in (1, 2, 3)},
    **{f"keras.layers.{n}": keeping(**a) for n, a in PLAIN.items()},
    **{f"keras.layers.SpatialDropout{d}D": keeping(rate=0.5) for d in (1, 2, 3)},
    "keras.layers.Flatten": flatten,
    "keras.layers.Dense": dense,
    "keras.ops.max_pool": pool,
    "keras.ops.average_pool": pool,
    "keras.ops.conv": op_conv,
    "keras.ops.conv_transpose": op_transpose,
    "keras.ops.depthwise_conv": op_depthwise,
}


def square(name: str) -> Callable[[Drawn], bool]:
    """Does a channels-first layer with a bias give a last axis as long as its channels?"""

    def applies(drawn: Drawn) -> bool:
        given = drawn.arguments
        if given.get("data_format") != "channels_first" or not given.get("use_bias", True):
            return False
        shape = prepare(bind(CALLS[name], (), given), drawn.x).shape
        return shape[1] == shape[-1]

    return applies


def unequal(drawn: Drawn) -> bool:
    """Are the strides for rows and columns different?"""
    strides = drawn.arguments.get("strides", 1)
    return isinstance(strides, tuple) and len(set(strides)) > 1


WITH_BIAS = (
    *(f"keras.layers.Conv{d}D" for d in (1, 2, 3)),
    *(f"keras.layers.Conv{d}DTranspose" for d in (1, 2, 3)),
    *(f"keras.layers.Convolution{d}DTranspose" for d in (1, 2, 3)),
    *(f"keras.layers.{kind}Conv{d}D" for kind in ("Depthwise", "Separable") for d in (1, 2)),
    *(f"keras.layers.SeparableConvolution{d}D" for d in (1, 2)),
)
SQUARE = (
    "keras.layers.Conv1D(filters=2, kernel_size=1, data_format='channels_first') on x: (1, 1, 2)"
)
KNOWN: tuple[Known, ...] = (
    *(
        Known(
            (name,),
            "value",
            square(name),
            "with channels first, keras.ops.add on TensorFlow adds the bias along the last axis where "
            "that is as long as the channels",
            SQUARE,
        )
        for name in WITH_BIAS
    ),
    Known(
        (
            "keras.layers.DepthwiseConv2D",
            "keras.layers.SeparableConv2D",
            "keras.layers.SeparableConvolution2D",
            "keras.ops.depthwise_conv",
        ),
        "accepted by us",
        unequal,
        "TensorFlow's kernel for the CPU takes one stride for rows and columns; Keras and its other "
        "backends take two",
        "keras.layers.DepthwiseConv2D(kernel_size=1, strides=(1, 2)) on x: (1, 1, 2, 1)",
    ),
    Known(
        ("keras.ops.depthwise_conv",),
        "refused by us",
        lambda drawn: isinstance(s := drawn.arguments.get("strides"), tuple) and len(s) > 2,
        "with dilation, a stride too many: TensorFlow does not read it, Keras documents one for each axis",
        "keras.ops.depthwise_conv(strides=(2, 2, 1), dilation_rate=2) on x: (1, 1, 1, 1), kernel: "
        "(1, 1, 1, 1)",
    ),
    Known(
        (
            "keras.layers.MaxPooling3D",
            "keras.layers.MaxPool3D",
            "keras.ops.max_pool",
        ),
        "gradient",
        lambda drawn: len(drawn.x) == 5,
        "the gradient of a 3-D max pooling in TensorFlow goes to every maximum of a window",
        "keras.layers.MaxPooling3D(strides=1) on x: (1, 2, 2, 2, 1) with two maxima",
    ),
    Known(
        tuple(f"keras.layers.GlobalMax{n}{d}D" for n in ("Pooling", "Pool") for d in (1, 2, 3)),
        "gradient",
        lambda drawn: True,
        "the gradient of a maximum over whole axes is shared by equal maxima in TensorFlow",
        "keras.layers.GlobalMaxPooling1D() on x: (1, 2, 1) with two maxima",
    ),
    Known(
        ("keras.layers.Conv3D", "keras.ops.conv"),
        "value",
        lambda drawn: len(drawn.x) == 5 and str(drawn.arguments.get("padding")).lower() == "same",
        "conv3d on the CPU starts inside of the input where SAME needs no padding (see tf.nn.conv3d)",
        "keras.layers.Conv3D(1, 1, strides=(1, 1, 3), padding='same') on x: (1, 1, 1, 3, 1)",
    ),
)
