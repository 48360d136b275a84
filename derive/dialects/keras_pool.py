"""Keras 3: pooling layers, and the functional forms of ``keras.ops``.

Sources: the documentation of ``keras.layers`` and ``keras.ops`` (3.x), ``keras/src/layers/pooling``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.keras import transpose_lengths
from derive.dialects.keras_common import (
    COMMON,
    keras_layout,
    named_padding,
    not_both,
    numbers,
    without_effect,
)
from derive.dialects.layer import Layer, Operand, Plan, Requirement, Shape, Step, step
from derive.dialects.registry import call
from derive.dialects.tensorflow import check_rank, depth_fits
from derive.dialects.tensorflow_common import (
    amounts,
    channels_first,
    correlation,
    depthwise,
    groups_of,
    kernel_axes,
    pooled,
    transposition,
)
from derive.expr import eq, lift


@call("Keras", "keras.layers.MaxPooling{d}D")
@call("Keras", "keras.layers.MaxPool{d}D")
@without_effect(COMMON)
def max_pooling(
    dims: int,
    pool_size: Any = 2,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Layer:
    """``keras.layers.MaxPooling1D`` … ``3D``; the strides are the pool size by default."""
    return pool_layer("max", dims, pool_size, strides, padding, data_format)


@call("Keras", "keras.layers.AveragePooling{d}D")
@call("Keras", "keras.layers.AvgPool{d}D")
@without_effect(COMMON)
def average_pooling(
    dims: int,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
) -> Layer:
    """``keras.layers.AveragePooling1D`` … ``3D``; padding is left out of the count."""
    return pool_layer("avg", dims, pool_size, strides, padding, data_format)


@call("Keras", "keras.ops.max_pool", dims=(2, 1, 3), tensors=("inputs",))
def max_pool(
    dims: int,
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
    name: Any = None,
) -> Layer:
    """``keras.ops.max_pool``."""
    return pool_layer("max", dims, pool_size, strides, padding, data_format)


@call("Keras", "keras.ops.average_pool", dims=(2, 1, 3), tensors=("inputs",))
def average_pool(
    dims: int,
    inputs: Any,
    pool_size: Any,
    strides: Any = None,
    padding: Any = "valid",
    data_format: Any = None,
    name: Any = None,
) -> Layer:
    """``keras.ops.average_pool``."""
    return pool_layer("avg", dims, pool_size, strides, padding, data_format)


def pool_layer(
    kind: str, dims: int, pool_size: Any, strides: Any, padding: Any, data_format: Any
) -> Layer:
    """The layer of a pooling."""
    k = numbers(pool_size, dims, "pool_size")
    s = k if strides is None else numbers(strides, dims, "strides", says="Stride must be > 0")
    mode, layout = named_padding(padding), keras_layout(data_format, dims)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        ones = tuple(lift(1) for _ in k)
        return Plan(pooled(kind, k, s, amounts(mode, layout, x[1:], k, s, ones, False), layout))

    return Layer(dims, layout, plan)


@call("Keras", "keras.layers.GlobalAveragePooling{d}D")
@call("Keras", "keras.layers.GlobalAvgPool{d}D")
@without_effect(COMMON)
def global_average(dims: int, data_format: Any = None, keepdims: Any = False) -> Layer:
    """``keras.layers.GlobalAveragePooling1D`` … ``3D``: (batch, channels) without ``keepdims``."""
    return global_layer("avg", dims, keras_layout(data_format, dims), keepdims)


@call("Keras", "keras.layers.GlobalMaxPooling{d}D")
@call("Keras", "keras.layers.GlobalMaxPool{d}D")
@without_effect(COMMON)
def global_max(dims: int, data_format: Any = None, keepdims: Any = False) -> Layer:
    """``keras.layers.GlobalMaxPooling1D`` … ``3D``."""
    return global_layer("max", dims, keras_layout(data_format, dims), keepdims)


def global_layer(kind: str, dims: int, layout: str, keepdims: Any) -> Layer:
    """One value for each channel."""

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        steps: tuple[Step, ...] = (step("global_avg_pool", dims=dims),)
        if kind == "max":
            ones, none = tuple(lift(1) for _ in x[1:]), tuple((lift(0), lift(0)) for _ in x[1:])
            steps = pooled("max", x[1:], ones, none, layout)
        dropped = () if keepdims else (step("select", axis=2, at=0),) * dims
        return Plan(steps + dropped)

    return Layer(dims, layout, plan, output=layout if keepdims else "NC")


@call("Keras", "keras.ops.conv", dims=(2, 1, 3), tensors=("inputs", "kernel"))
def conv(
    dims: int,
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
    name: Any = None,
) -> Layer:
    """``keras.ops.conv``: correlation with kernels (*k, in/groups, out)."""
    s = numbers(strides, dims, "strides", says="")
    d = numbers(dilation_rate, dims, "dilation_rate", says="")
    mode, layout = named_padding(padding), keras_layout(data_format, dims)
    not_both(s, d)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        shape = given["kernel"]
        check_rank("kernel", shape, dims)
        g, requires = groups_of(x[0], shape[dims], shape[dims + 1])
        steps = correlation("kernel", s, amounts(mode, layout, x[1:], shape[:dims], s, d), d, g)
        return Plan(steps, (Operand("kernel", kernel_axes(dims), shape, channels_first),), requires)

    return Layer(dims, layout, plan, tensors=("kernel",))


@call("Keras", "keras.ops.conv_transpose", dims=(2, 1, 3), tensors=("inputs", "kernel"))
def conv_transpose(
    dims: int,
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: Any = "valid",
    output_padding: Any = None,
    data_format: Any = None,
    dilation_rate: Any = 1,
    name: Any = None,
) -> Layer:
    """``keras.ops.conv_transpose``: kernels (*k, out, in)."""
    s = numbers(strides, dims, "strides", says="")
    d = numbers(dilation_rate, dims, "dilation_rate", says="")
    mode, layout = named_padding(padding), keras_layout(data_format, dims)
    r = None if output_padding is None else numbers(output_padding, dims, "output_padding", 0, "")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        shape = given["kernel"]
        check_rank("kernel", shape, dims)
        n = transpose_lengths(mode, x[1:], shape[:dims], s, d, r)
        axes = (x[1:], n, shape[:dims], s, d)
        steps, fits = transposition("kernel", mode, axes, layout, "output_padding")
        message = (
            f"the input has {x[0]} channels but the kernel reads {shape[dims + 1]}; kernels are "
            "(*k, out, in): give them in that order"
        )
        channels = Requirement(eq(x[0], shape[dims + 1]), message)
        operand = Operand("kernel", kernel_axes(dims, "OI"), shape, channels_first)
        return Plan(steps, (operand,), (channels, *fits))

    return Layer(dims, layout, plan, tensors=("kernel",))


@call("Keras", "keras.ops.depthwise_conv", dims=(2,), tensors=("inputs", "kernel"))
def depthwise_conv(
    dims: int,
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: Any = "valid",
    data_format: Any = None,
    dilation_rate: Any = 1,
    name: Any = None,
) -> Layer:
    """``keras.ops.depthwise_conv``: kernels (*k, in, multiplier)."""
    s = numbers(strides, dims, "strides", says="")
    d = numbers(dilation_rate, dims, "dilation_rate", says="")
    mode, layout = named_padding(padding), keras_layout(data_format, dims)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        shape = given["kernel"]
        check_rank("kernel", shape, dims)
        p = amounts(mode, layout, x[1:], shape[:dims], s, d)
        operand = Operand("kernel", kernel_axes(dims, "IM"), shape, depthwise)
        fits = depth_fits(x[0], shape[dims])
        return Plan(correlation("kernel", s, p, d, x[0]), (operand,), (fits,))

    return Layer(dims, layout, plan, tensors=("kernel",))
