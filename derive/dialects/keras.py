"""Keras 3: the convolution layers.

Sources: the documentation of ``keras.layers`` (3.x) and ``keras/src/layers/convolutional``; the
lengths of transposed convolutions are those of ``keras/src/backend/common/backend_utils.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive import shapes
from derive.dialects.keras_common import (
    COMMON,
    KERNEL,
    count,
    keras_layout,
    named_padding,
    not_both,
    numbers,
    without_effect,
)
from derive.dialects.layer import Layer, Operand, Plan, Requirement, Shape
from derive.dialects.registry import call
from derive.dialects.tensorflow import pointwise
from derive.dialects.tensorflow_common import (
    Pairs,
    activated,
    bias_operand,
    channels_first,
    correlation,
    depthwise,
    kernel_axes,
    same,
    transposition,
)
from derive.errors import WrongInput
from derive.expr import Expr, divides, lift, maximum

LORA = {"lora_rank": None, "lora_alpha": None}


@call("Keras", "keras.layers.Conv{d}D")
@without_effect(KERNEL, COMMON, LORA)
def conv(
    dims: int,
    filters: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
    groups: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Layer:
    """``keras.layers.Conv1D``, ``Conv2D``, ``Conv3D``: correlation with kernels (*k, in/groups, out)."""
    made, g = count(filters, "filters"), count(groups, "groups")
    k, s = numbers(kernel_size, dims, "kernel_size"), numbers(strides, dims, "strides")
    d = numbers(dilation_rate, dims, "dilation_rate")
    known = ("valid", "same", "causal") if dims == 1 else ("valid", "same")
    mode = named_padding(padding, known)
    not_both(s, d)
    if made.constant is not None and g.constant is not None and made.constant % g.constant:
        raise WrongInput(
            f"filters = {made}, groups = {g}: Keras refuses it (The number of filters must be evenly "
            f"divisible by the number of groups); choose groups that divide {made}"
        )

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        groups_fit = Requirement(
            divides(g, x[0]),
            f"the input has {x[0]} channels, groups = {g}: Keras refuses it (The number of input "
            f"channels must be evenly divisible by the number of groups); choose groups that divide {x[0]}",
        )
        kernel = Operand("kernel", kernel_axes(dims), (*k, x[0] // g, made), channels_first)
        steps = correlation("kernel", s, _amounts(mode, x[1:], k, s, d), d, g)
        return Plan(
            steps,
            (kernel, *bias_operand(use_bias, made)),
            (groups_fit,),
            "bias" if use_bias else "",
            activated(activation),
        )

    return Layer(dims, keras_layout(data_format, dims), plan)


def _amounts(mode: str, n: Shape, k: Shape, s: Shape, d: Shape) -> Pairs:
    if mode == "SAME":
        return same(n, k, s, d, cropping=True)
    lead = mode == "CAUSAL"
    return tuple((di * (ki - 1) if lead else lift(0), lift(0)) for ki, di in zip(k, d, strict=True))


@call("Keras", "keras.layers.Conv{d}DTranspose", dims=(1, 2))
@without_effect(KERNEL, COMMON)
def conv_transpose(
    dims: int,
    filters: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    data_format: Any = None,
    dilation_rate: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Layer:
    """``keras.layers.Conv1DTranspose``, ``Conv2DTranspose``: kernels (*k, out, in)."""
    return _transposed(
        (dims, filters, kernel_size, strides, padding, output_padding),
        (data_format, dilation_rate, activation, use_bias),
    )


@call("Keras", "keras.layers.Conv{d}DTranspose", dims=(3,))
@without_effect(KERNEL, COMMON)
def conv_transpose_3d(
    dims: int,
    filters: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = None,
    output_padding: Any = None,
    dilation_rate: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Layer:
    """``keras.layers.Conv3DTranspose``, where ``data_format`` stands before ``output_padding``."""
    return _transposed(
        (dims, filters, kernel_size, strides, padding, output_padding),
        (data_format, dilation_rate, activation, use_bias),
    )


def _transposed(
    first: tuple[int, Any, Any, Any, Any, Any], second: tuple[Any, Any, Any, Any]
) -> Layer:
    dims, filters, kernel_size, strides, padding, output_padding = first
    data_format, dilation_rate, activation, use_bias = second
    made = count(filters, "filters")
    k, s = numbers(kernel_size, dims, "kernel_size"), numbers(strides, dims, "strides")
    d = numbers(dilation_rate, dims, "dilation_rate")
    mode, layout = named_padding(padding), keras_layout(data_format, dims)
    r = None if output_padding is None else numbers(output_padding, dims, "output_padding", 0)
    if r is not None:
        _below_stride(r, s)
    not_both(s, d)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        n = transpose_lengths(mode, x[1:], k, s, d, r)
        axes = (x[1:], n, k, s, d)
        steps, fits = transposition("kernel", mode, axes, layout, "output_padding")
        kernel = Operand("kernel", kernel_axes(dims, "OI"), (*k, made, x[0]), channels_first)
        return Plan(
            steps,
            (kernel, *bias_operand(use_bias, made)),
            fits,
            "bias" if use_bias else "",
            activated(activation),
        )

    return Layer(dims, layout, plan)


def _below_stride(r: Shape, s: Shape) -> None:
    for ri, si in zip(r, s, strict=True):
        if ri.constant is not None and si.constant is not None and ri.constant >= si.constant:
            raise WrongInput(
                f"output_padding = {ri}, strides = {si}: `output_padding` must be strictly less "
                f"than `strides`; give at most {si - 1}"
            )


def transpose_lengths(mode: str, m: Shape, k: Shape, s: Shape, d: Shape, r: Shape | None) -> Shape:
    """The output lengths of Keras' transposed convolution.

    VALID: ``s(m-1) + K + r`` with the dilated kernel length ``K``, by default ``r = max(K, s) - K``.
    SAME: ``s·m`` by default, else ``s(m-1) + (K mod 2) + r``.

    >>> one = (lift(1),)
    >>> transpose_lengths("SAME", (lift(5),), (lift(3),), (lift(2),), one, None) == (10,)
    True
    """
    found: list[Expr] = []
    for axis, (mi, ki, si, di) in enumerate(zip(m, k, s, d, strict=True)):
        reach = shapes.effective_length(ki, di)
        if mode == "VALID":
            extra = maximum(reach, si) - reach if r is None else r[axis]
            found.append(si * (mi - 1) + reach + extra)
        else:
            found.append(si * mi if r is None else si * (mi - 1) + reach % 2 + r[axis])
    return tuple(found)


DEPTHWISE = {
    "depthwise_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
    "depthwise_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "depthwise_constraint": None,
    "bias_constraint": None,
}
POINTWISE = {"pointwise_initializer": "glorot_uniform"}
POINTWISE_MORE = {"pointwise_regularizer": None, "pointwise_constraint": None}


@call("Keras", "keras.layers.DepthwiseConv{d}D", dims=(1, 2))
@without_effect(DEPTHWISE, COMMON)
def depthwise_conv(
    dims: int,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    depth_multiplier: Any = 1,
    data_format: Any = None,
    dilation_rate: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Layer:
    """``keras.layers.DepthwiseConv1D``, ``DepthwiseConv2D``: kernels (*k, in, multiplier)."""
    q = count(depth_multiplier, "depth_multiplier")
    k, s = numbers(kernel_size, dims, "kernel_size"), numbers(strides, dims, "strides")
    d, mode = numbers(dilation_rate, dims, "dilation_rate"), named_padding(padding)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = Operand("kernel", kernel_axes(dims, "IM"), (*k, x[0], q), depthwise)
        steps = correlation("kernel", s, _amounts(mode, x[1:], k, s, d), d, x[0])
        return Plan(
            steps,
            (kernel, *bias_operand(use_bias, x[0] * q)),
            (),
            "bias" if use_bias else "",
            activated(activation),
        )

    return Layer(dims, keras_layout(data_format, dims), plan)


@call("Keras", "keras.layers.SeparableConv{d}D", dims=(1, 2))
@without_effect(DEPTHWISE, POINTWISE, POINTWISE_MORE, COMMON)
def separable_conv(
    dims: int,
    filters: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
    depth_multiplier: Any = 1,
    activation: Any = None,
    use_bias: Any = True,
) -> Layer:
    """``keras.layers.SeparableConv1D``, ``SeparableConv2D``: depthwise, then pointwise."""
    made, q = count(filters, "filters"), count(depth_multiplier, "depth_multiplier")
    k, s = numbers(kernel_size, dims, "kernel_size"), numbers(strides, dims, "strides")
    d, mode = numbers(dilation_rate, dims, "dilation_rate"), named_padding(padding)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        ones = tuple(lift(1) for _ in k)
        operands = (
            Operand("depthwise_kernel", kernel_axes(dims, "IM"), (*k, x[0], q), depthwise),
            Operand("pointwise_kernel", kernel_axes(dims), (*ones, x[0] * q, made), channels_first),
            *bias_operand(use_bias, made),
        )
        steps = correlation("depthwise_kernel", s, _amounts(mode, x[1:], k, s, d), d, x[0])
        return Plan(
            steps + pointwise("pointwise_kernel", dims),
            operands,
            (),
            "bias" if use_bias else "",
            activated(activation),
        )

    return Layer(dims, keras_layout(data_format, dims), plan)


for _d in (1, 2, 3):  # the other names that Keras 3 gives
    call("Keras", f"keras.layers.Convolution{_d}DTranspose", dims=(_d,))(
        conv_transpose if _d < 3 else conv_transpose_3d
    )
for _d in (1, 2):
    call("Keras", f"keras.layers.SeparableConvolution{_d}D", dims=(_d,))(separable_conv)
