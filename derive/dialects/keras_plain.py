"""Keras 3: upsampling, zero padding, cropping, adaptive pooling, flattening, dense layers, and
layers that keep the shape.

Sources: the documentation of ``keras.layers`` (3.x), ``keras/src/layers/reshaping``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.keras import LORA
from derive.dialects.keras_common import (
    COMMON,
    KERNEL,
    count,
    keras_layout,
    numbers,
    without_effect,
)
from derive.dialects.layer import Layer, Operand, Plan, Requirement, Shape, Step, integer, step
from derive.dialects.registry import call
from derive.dialects.tensorflow_common import Pairs, activated, bias_operand, one_of, same_shape
from derive.dialects.tensorflow_plain import half_pixel
from derive.errors import WrongInput
from derive.expr import divides
from derive.form import Form, build

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


@call("Keras", "keras.layers.UpSampling{d}D", dims=(1,))
@without_effect(COMMON)
def upsampling_1d(dims: int, size: Any = 2) -> Layer:
    """``keras.layers.UpSampling1D``: each step is repeated."""
    if isinstance(size, tuple):
        raise WrongInput("size: UpSampling1D takes one integer; give it without a tuple")
    return upsampled(numbers(size, dims, "size"), keras_layout(None, dims))


@call("Keras", "keras.layers.UpSampling{d}D", dims=(2,))
@without_effect(COMMON)
def upsampling_2d(
    dims: int, size: Any = 2, data_format: Any = None, interpolation: Any = "nearest"
) -> Layer:
    """``keras.layers.UpSampling2D``: nearest and bilinear have values, the others shapes."""
    kind = one_of(str(interpolation).lower(), INTERPOLATIONS, "interpolation")
    factor = numbers(size, dims, "size")
    return upsampled(factor, keras_layout(data_format, dims), kind)


@call("Keras", "keras.layers.UpSampling{d}D", dims=(3,))
@without_effect(COMMON)
def upsampling_3d(dims: int, size: Any = 2, data_format: Any = None) -> Layer:
    """``keras.layers.UpSampling3D``: each voxel is repeated."""
    return upsampled(numbers(size, dims, "size"), keras_layout(data_format, dims))


def upsampled(factor: Shape, layout: str, kind: str = "nearest") -> Layer:
    """The layer of an upsampling by whole factors."""
    dims = len(factor)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        if kind == "nearest":
            return Plan((step("nearest_upsample", s=factor, dims=dims),))
        lengths = tuple(n * f for n, f in zip(x[1:], factor, strict=True))
        if kind == "bilinear":
            return Plan((step("bilinear_upsample", s=factor, dims=dims),))
        reason = f"interpolation={kind!r} is not among the operators here"
        return Plan((half_pixel(x[1:], lengths, True),), shape_only=reason)

    return Layer(dims, layout, plan)


@call("Keras", "keras.layers.ZeroPadding{d}D")
@without_effect(COMMON)
def zero_padding(dims: int, padding: Any = 1, data_format: Any = None) -> Layer:
    """``keras.layers.ZeroPadding1D`` … ``3D``."""
    return padded(_pairs(padding, dims, "padding"), keras_layout(data_format, dims))


def padded(amounts: Pairs, layout: str) -> Layer:
    """The layer of a zero padding."""
    dims = len(amounts)
    return Layer(dims, layout, lambda x, given: Plan((step("pad", padding=amounts, dims=dims),)))


@call("Keras", "keras.layers.Cropping{d}D", dims=(1,))
@without_effect(COMMON)
def cropping_1d(dims: int, cropping: Any = (1, 1)) -> Layer:
    """``keras.layers.Cropping1D``."""
    return cropped(_pairs(cropping, dims, "cropping"), keras_layout(None, dims))


@call("Keras", "keras.layers.Cropping{d}D", dims=(2,))
@without_effect(COMMON)
def cropping_2d(dims: int, cropping: Any = ((0, 0), (0, 0)), data_format: Any = None) -> Layer:
    """``keras.layers.Cropping2D``, which crops nothing by default."""
    return cropped(_pairs(cropping, dims, "cropping"), keras_layout(data_format, dims))


@call("Keras", "keras.layers.Cropping{d}D", dims=(3,))
@without_effect(COMMON)
def cropping_3d(dims: int, cropping: Any = 1, data_format: Any = None) -> Layer:
    """``keras.layers.Cropping3D``."""
    return cropped(_pairs(cropping, dims, "cropping"), keras_layout(data_format, dims))


def cropped(amounts: Pairs, layout: str) -> Layer:
    """The layer of a cropping, which leaves at least one sample."""
    dims = len(amounts)
    said = "be smaller than the " + (
        "input length" if dims == 1 else "corresponding spatial dimension of the input"
    )

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        requires = tuple(
            Requirement(
                lo + hi < n,
                f"cropping = ({lo}, {hi}) of an input of {n}: Keras refuses it ({said}); crop less",
            )
            for n, (lo, hi) in zip(x[1:], amounts, strict=True)
        )
        return Plan((step("crop", amount=amounts, dims=dims),), requires=requires)

    return Layer(dims, layout, plan)


def _pairs(value: Any, dims: int, what: str) -> Pairs:
    """``(lo, hi)`` for each axis: of one number for all, or of a number or a pair for each.

    In 1-D a pair is ``(lo, hi)``.
    """
    entries = (value,) if dims == 1 or not isinstance(value, tuple) else value
    if len(entries) == 1:
        entries = entries * dims
    if len(entries) != dims:
        raise WrongInput(
            f"{what} has {len(entries)} entries; Keras takes one number or a tuple of {dims}, each a "
            "number or (lo, hi)"
        )
    found = []
    for entry in entries:
        lo, hi = numbers(entry, 2, what, 0)
        found.append((lo, hi))
    return tuple(found)


@call("Keras", "keras.layers.AdaptiveAveragePooling{d}D")
@without_effect(COMMON)
def adaptive_average(dims: int, output_size: Any, data_format: Any = None) -> Layer:
    """``keras.layers.AdaptiveAveragePooling1D`` … ``3D``."""
    return _adaptive(dims, output_size, data_format, "")


@call("Keras", "keras.layers.AdaptiveMaxPooling{d}D")
@without_effect(COMMON)
def adaptive_max(dims: int, output_size: Any, data_format: Any = None) -> Layer:
    """``keras.layers.AdaptiveMaxPooling1D`` … ``3D``: the shape alone."""
    return _adaptive(dims, output_size, data_format, "its windows have different lengths")


def _adaptive(dims: int, output_size: Any, data_format: Any, reason: str) -> Layer:
    m = numbers(output_size, dims, "output_size")
    steps: tuple[Step, ...] = (step("adaptive_avg_pool", m=m, dims=dims),)
    return Layer(
        dims, keras_layout(data_format, dims), lambda x, given: Plan(steps, shape_only=reason)
    )


RANKS = (2, 1, 3, 0)
KEEPING: dict[str, dict[str, Any]] = {
    "ReLU": {"max_value": None, "negative_slope": 0, "threshold": 0},
    "LeakyReLU": {"negative_slope": 0.3},
    "ELU": {"alpha": 1},
    "PReLU": {"alpha_initializer": "Zeros", "shared_axes": None},
    "Softmax": {"axis": -1},
    "BatchNormalization": {"axis": -1, "momentum": 0.99, "epsilon": 0.001, "center": True},
    "LayerNormalization": {"axis": -1, "epsilon": 0.001, "center": True, "scale": True},
}


@call("Keras", "keras.layers.Activation", dims=RANKS)
@without_effect(COMMON)
def activation_layer(dims: int, activation: Any) -> Layer:
    """``keras.layers.Activation``: the shape is kept."""
    return Layer(dims, keras_layout(None, dims), same_shape(activated(activation)))


def _keeps(name: str, **arguments: Any) -> None:
    @call("Keras", f"keras.layers.{name}", dims=RANKS)
    @without_effect(arguments, COMMON)
    def keeping(dims: int) -> Layer:
        return Layer(
            dims, keras_layout(None, dims), same_shape(f"{name} is not one fixed linear map")
        )


for _name, _arguments in KEEPING.items():
    _keeps(_name, **_arguments)


@call("Keras", "keras.layers.GaussianNoise", dims=RANKS)
@without_effect({"seed": None}, COMMON)
def gaussian_noise(dims: int, stddev: Any) -> Layer:
    """``keras.layers.GaussianNoise``: the shape is kept."""
    return Layer(dims, keras_layout(None, dims), same_shape("GaussianNoise is random"))


@call("Keras", "keras.layers.GroupNormalization", dims=RANKS)
@without_effect({"axis": -1, "epsilon": 0.001, "center": True, "scale": True}, COMMON)
def group_normalization(dims: int, groups: Any = 32) -> Layer:
    """``keras.layers.GroupNormalization``: the shape is kept; -1 is one group for each channel."""
    g = integer(groups, "groups")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        message = f"groups = {g}: they do not divide the {x[0]} channels; choose ones that do"
        requires = () if g == -1 else (Requirement(divides(g, x[0]), message),)
        return Plan((), requires=requires, shape_only="it divides by statistics of its input")

    return Layer(dims, keras_layout(None, dims), plan)


@call("Keras", "keras.layers.Dropout", dims=RANKS)
@without_effect({"noise_shape": None, "seed": None}, COMMON)
def dropout(dims: int, rate: Any) -> Layer:
    """``keras.layers.Dropout``: the shape is kept."""
    return Layer(dims, keras_layout(None, dims), same_shape("dropout is random"))


@call("Keras", "keras.layers.SpatialDropout{d}D")
@without_effect({"data_format": None, "seed": None}, COMMON)
def spatial_dropout(dims: int, rate: Any) -> Layer:
    """``keras.layers.SpatialDropout1D`` … ``3D``: the shape is kept."""
    return dropout(dims, rate)


@call("Keras", "keras.layers.Flatten", dims=(2, 1, 3, 0))
@without_effect(COMMON)
def flatten(dims: int, data_format: Any = None) -> Layer:
    """``keras.layers.Flatten``: all axes but the first as one, in the order channels last."""
    layout = keras_layout(data_format, dims)
    turn = step("permute", order=(0, *range(2, dims + 2), 1))
    plan = Plan((turn, step("merge", axis=-dims - 1, count=dims + 1)))
    return Layer(dims, layout, lambda x, given: plan, output="NC")


@call("Keras", "keras.layers.Dense", dims=(0, 1, 2, 3))
@without_effect(KERNEL, COMMON, LORA)
def dense(dims: int, units: Any, activation: Any = None, use_bias: Any = True) -> Layer:
    """``keras.layers.Dense``: a product along the last axis, kernels (in, units)."""
    made, ones = count(units, "units"), (1,) * dims

    def canonical(w: Form) -> Form:
        return build((made, w.shape[0], *ones), lambda o, i, *t: w[i, o])

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        operand = Operand("kernel", "IO", (x[0], made), canonical)
        return Plan(
            (step("correlate", weight="kernel", dims=dims),),
            (operand, *bias_operand(use_bias, made)),
            bias="bias" if use_bias else "",
            shape_only=activated(activation),
        )

    return Layer(dims, keras_layout(None, dims), plan)
