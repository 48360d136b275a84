"""Keras 1: pooling, upsampling, zero padding and cropping under their old names.

Defaults and sources as in :mod:`derive.dialects.keras1`; layers for sequences are channels last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.keras1 import (
    border,
    kernel,
    ordering,
    steps_of,
    tupled,
)
from derive.dialects.keras_common import COMMON, count, numbers, without_effect
from derive.dialects.keras_plain import cropped, padded, upsampled
from derive.dialects.keras_pool import global_layer, pool_layer
from derive.dialects.layer import SPATIAL, Layer, Operand, Plan, Shape
from derive.dialects.registry import call
from derive.dialects.tensorflow import pointwise
from derive.dialects.tensorflow_common import Pairs, activated, bias_operand, depthwise, kernel_axes
from derive.errors import WrongInput
from derive.expr import lift
from derive.form import Form, build

POOL_MODES = ("valid", "same")
SEPARABLE = {
    "depthwise_regularizer": None,
    "pointwise_regularizer": None,
    "b_regularizer": None,
    "depthwise_constraint": None,
    "pointwise_constraint": None,
    "b_constraint": None,
}


def _pool_1d(kind: str, pool_length: Any, stride: Any, border_mode: Any) -> Layer:
    k = numbers((pool_length,), 1, "pool_length")
    s = k if stride is None else numbers((stride,), 1, "stride")
    return pool_layer(kind, 1, k, s, border(border_mode, POOL_MODES), None)


@call("Keras 1", "keras1.MaxPooling1D", dims=(1,))
@without_effect(COMMON)
def max_pooling_1d(
    dims: int, pool_length: Any = 2, stride: Any = None, border_mode: Any = "valid"
) -> Layer:
    """``MaxPooling1D`` of Keras 1."""
    return _pool_1d("max", pool_length, stride, border_mode)


@call("Keras 1", "keras1.AveragePooling1D", dims=(1,))
@without_effect(COMMON)
def average_pooling_1d(
    dims: int, pool_length: Any = 2, stride: Any = None, border_mode: Any = "valid"
) -> Layer:
    """``AveragePooling1D`` of Keras 1."""
    return _pool_1d("avg", pool_length, stride, border_mode)


def _pool(
    kind: str, dims: int, pool_size: Any, strides: Any, border_mode: Any, dim_ordering: Any
) -> Layer:
    k = tupled(pool_size, dims, "pool_size")
    s = k if strides is None else tupled(strides, dims, "strides")
    return pool_layer(kind, dims, k, s, border(border_mode, POOL_MODES), _format(dim_ordering))


def _format(dim_ordering: Any) -> str:
    return "channels_first" if ordering(dim_ordering, 2).startswith("NC") else "channels_last"


def _twos(value: Any, dims: int) -> Any:
    return (2,) * dims if value is None else value


@call("Keras 1", "keras1.MaxPooling{d}D", dims=(2, 3))
@without_effect(COMMON)
def max_pooling(
    dims: int,
    pool_size: Any = None,
    strides: Any = None,
    border_mode: Any = "valid",
    dim_ordering: Any = "default",
) -> Layer:
    """``MaxPooling2D`` and ``MaxPooling3D`` of Keras 1; the pool size is 2 for each axis."""
    return _pool("max", dims, _twos(pool_size, dims), strides, border_mode, dim_ordering)


@call("Keras 1", "keras1.AveragePooling{d}D", dims=(2, 3))
@without_effect(COMMON)
def average_pooling(
    dims: int,
    pool_size: Any = None,
    strides: Any = None,
    border_mode: Any = "valid",
    dim_ordering: Any = "default",
) -> Layer:
    """``AveragePooling2D`` and ``AveragePooling3D`` of Keras 1."""
    return _pool("avg", dims, _twos(pool_size, dims), strides, border_mode, dim_ordering)


@call("Keras 1", "keras1.GlobalAveragePooling{d}D")
@without_effect(COMMON)
def global_average(dims: int, dim_ordering: Any = "default") -> Layer:
    """``GlobalAveragePooling1D`` … ``3D`` of Keras 1."""
    return global_layer("avg", dims, ordering("tf" if dims == 1 else dim_ordering, dims), False)


@call("Keras 1", "keras1.GlobalMaxPooling{d}D")
@without_effect(COMMON)
def global_max(dims: int, dim_ordering: Any = "default") -> Layer:
    """``GlobalMaxPooling1D`` … ``3D`` of Keras 1."""
    return global_layer("max", dims, ordering("tf" if dims == 1 else dim_ordering, dims), False)


@call("Keras 1", "keras1.UpSampling{d}D", dims=(1,))
@without_effect(COMMON)
def upsampling_1d(dims: int, length: Any = 2) -> Layer:
    """``UpSampling1D`` of Keras 1."""
    return upsampled(numbers((length,), 1, "length"), ordering("tf", dims))


@call("Keras 1", "keras1.UpSampling{d}D", dims=(2, 3))
@without_effect(COMMON)
def upsampling(dims: int, size: Any = None, dim_ordering: Any = "default") -> Layer:
    """``UpSampling2D`` and ``UpSampling3D`` of Keras 1: nearest neighbours."""
    factor = tupled(_twos(size, dims), dims, "size")
    return upsampled(factor, ordering(dim_ordering, dims))


@call("Keras 1", "keras1.ZeroPadding{d}D", dims=(1,))
@without_effect(COMMON)
def zero_padding_1d(dims: int, padding: Any = 1) -> Layer:
    """``ZeroPadding1D`` of Keras 1: one number or, later, (left, right)."""
    lo, hi = numbers(padding, 2, "padding", 0)
    return padded(((lo, hi),), ordering("tf", dims))


@call("Keras 1", "keras1.ZeroPadding{d}D", dims=(2, 3))
@without_effect(COMMON)
def zero_padding(dims: int, padding: Any = None, dim_ordering: Any = "default") -> Layer:
    """``ZeroPadding2D`` and ``ZeroPadding3D`` of Keras 1: one amount for each axis.

    In 2-D four numbers are (top, bottom, left, right).
    """
    given = (1,) * dims if padding is None else padding
    if dims == 2 and isinstance(given, tuple) and len(given) == 4:
        top, bottom, left, right = numbers(given, 4, "padding", 0)
        pairs: Pairs = ((top, bottom), (left, right))
    elif isinstance(given, tuple):
        pairs = tuple((p, p) for p in numbers(given, dims, "padding", 0))
    else:
        raise WrongInput(
            f"padding = {given}: Keras 1 takes a tuple of {dims}; "
            f"write ({', '.join([str(given)] * dims)})"
        )
    return padded(pairs, ordering(dim_ordering, dims))


@call("Keras 1", "keras1.Cropping{d}D", dims=(1,))
@without_effect(COMMON)
def cropping_1d(dims: int, cropping: Any = (1, 1)) -> Layer:
    """``Cropping1D`` of Keras 1."""
    lo, hi = tupled_pair(cropping)
    return cropped(((lo, hi),), ordering("tf", dims))


@call("Keras 1", "keras1.Cropping{d}D", dims=(2, 3))
@without_effect(COMMON)
def cropping(dims: int, cropping: Any = None, dim_ordering: Any = "default") -> Layer:
    """``Cropping2D`` and ``Cropping3D`` of Keras 1: (lo, hi) for each axis."""
    given = (((0, 0),) * 2 if dims == 2 else ((1, 1),) * 3) if cropping is None else cropping
    if not isinstance(given, tuple) or len(given) != dims:
        raise WrongInput(
            f"cropping: it must be a tuple of {dims} pairs; give (lo, hi) for each axis"
        )
    return cropped(tuple(tupled_pair(p) for p in given), ordering(dim_ordering, dims))


def tupled_pair(value: Any) -> tuple[Any, Any]:
    """``(lo, hi)``, neither below 0."""
    if not isinstance(value, tuple):
        raise WrongInput(f"cropping = {value}: it must be a tuple of two; write ({value}, {value})")
    lo, hi = numbers(value, 2, "cropping", 0)
    return lo, hi


@call("Keras 1", "keras1.SeparableConvolution2D", dims=(2,))
@without_effect(SEPARABLE, COMMON)
def separable(
    dims: int,
    nb_filter: Any,
    nb_row: Any,
    nb_col: Any,
    init: Any = "glorot_uniform",
    activation: Any = None,
    weights: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    depth_multiplier: Any = 1,
    dim_ordering: Any = "default",
    bias: Any = True,
) -> Layer:
    """``SeparableConvolution2D`` of Keras 1: depthwise, then pointwise."""
    made = count(nb_filter, "nb_filter")
    q = numbers((depth_multiplier,), 1, "depth_multiplier", says="")[0]
    k = (numbers((nb_row,), 1, "nb_row")[0], numbers((nb_col,), 1, "nb_col")[0])
    s, mode = tupled(subsample, dims, "subsample"), border(border_mode, POOL_MODES)
    layout = ordering(dim_ordering, dims)
    one = tuple(lift(1) for _ in k)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        if layout.startswith("NC"):
            first = Operand("depthwise_kernel", "MI" + SPATIAL[dims], (q, x[0], *k), _first)
        else:
            axes = kernel_axes(dims, "IM")
            first = Operand("depthwise_kernel", axes, (*k, x[0], q), depthwise)
        second = kernel("pointwise_kernel", dims, layout, one, x[0] * q, made)
        biases = tuple(Operand("b", o.axes, o.shape) for o in bias_operand(bias, made))
        (move,) = steps_of(mode, x, k, s, one, "depthwise_kernel")
        fields = {**dict(move.parameters), "groups": x[0]}
        deep = type(move)(move.operator, tuple(fields.items()), move.weight)
        return Plan(
            (deep, *pointwise("pointwise_kernel", dims)),
            (first, second, *biases),
            (),
            "b" if bias else "",
            activated(activation),
        )

    return Layer(dims, layout, plan)


def _first(w: Form) -> Form:
    """(q, c, *k) as (c·q, 1, *k)."""
    q, channels, *k = w.shape
    return build((channels * q, 1, *k), lambda o, i, *t: w[(o % q, o // q, *t)])
