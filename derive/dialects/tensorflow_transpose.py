"""TensorFlow: the gradients of convolutions as calls of their own.

``conv2d_transpose`` is the gradient of a convolution by its input; ``output_shape`` is the shape of
that input.  ``conv2d_backprop_input`` is the same with its arguments in another order and the filter
of the convolution.  Sources as in :mod:`derive.dialects.tensorflow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive import shapes
from derive.dialects.layer import Layer, Operand, Plan, Requirement, Shape, step
from derive.dialects.registry import call
from derive.dialects.tensorflow import OLD, check_rank, layout_of
from derive.dialects.tensorflow_common import (
    amounts,
    by_letter,
    channels_first,
    check_padding,
    groups_of,
    kernel_axes,
    or_one,
    positive,
    sizes,
    spatial_values,
    transposition,
)
from derive.errors import NotSupported
from derive.expr import Expr, eq, lift
from derive.form import Form
from derive.operators import permute


@call(
    "TensorFlow", "tf.nn.conv{d}d_transpose", dims=(1, 2), tensors=("input", "filters"), aliases=OLD
)
def conv_transpose(
    dims: int,
    input: Any,  # noqa: A002  TensorFlow's own name
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: Any = None,
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.conv1d_transpose``, ``conv2d_transpose``: filters (*k, out, in)."""
    layout = layout_of(data_format, dims)
    s = positive(spatial_values(strides, layout, "strides"), "strides")
    d = positive(spatial_values(or_one(dilations), layout, "dilations"), "dilations")
    check_padding(padding, takes_amounts=dims == 2)
    return transposed(dims, layout, output_shape, s, d, padding)


@call(
    "TensorFlow", "tf.nn.conv{d}d_transpose", dims=(3,), tensors=("input", "filters"), aliases=OLD
)
def conv3d_transpose(
    dims: int,
    input: Any,  # noqa: A002
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: Any = "NDHWC",
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.conv3d_transpose``: filters (d, h, w, out, in)."""
    layout = layout_of(data_format, dims)
    s = positive(spatial_values(strides, layout, "strides"), "strides")
    d = positive(spatial_values(or_one(dilations), layout, "dilations"), "dilations")
    check_padding(padding, takes_amounts=False)
    return transposed(dims, layout, output_shape, s, d, padding)


@call("TensorFlow", "tf.nn.conv_transpose", dims=(2, 1, 3), tensors=("input", "filters"))
def any_transpose(
    dims: int,
    input: Any,  # noqa: A002
    filters: Any,
    output_shape: Any,
    strides: Any,
    padding: Any = "SAME",
    data_format: Any = None,
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.conv_transpose``: the call for one, two or three spatial axes."""
    check_padding(padding, takes_amounts=dims == 2)
    layout = layout_of(data_format, dims)
    s = positive(spatial_values(strides, layout, "strides"), "strides")
    d = positive(spatial_values(or_one(dilations), layout, "dilations"), "dilations")
    return transposed(dims, layout, output_shape, s, d, padding)


@call("TensorFlow", "tf.nn.atrous_conv{d}d_transpose", dims=(2,), tensors=("value", "filters"))
def atrous_transpose(
    dims: int,
    value: Any,
    filters: Any,
    output_shape: Any,
    rate: Any,
    padding: Any,
    name: Any = None,
) -> Layer:
    """``tf.nn.atrous_conv2d_transpose``: stride 1 and the dilation ``rate``, channels last."""
    layout = layout_of(None, dims)
    check_padding(padding, takes_amounts=False)
    d = positive(spatial_values(rate, layout, "rate", "1"), "rate")
    s = spatial_values(1, layout, "strides")
    return transposed(dims, layout, output_shape, s, d, padding)


def transposed(
    dims: int, layout: str, output_shape: Any, s: Shape, d: Shape, padding: Any
) -> Layer:
    """The layer of a transposed convolution with the tensor ``filters`` (*k, out, in)."""
    check_padding(padding)
    made, n = by_letter(sizes(output_shape, layout, "output_shape"), layout)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = given["filters"]
        check_rank("filters", kernel, dims)
        g, channels = _output_channels(dims, made, kernel)
        axes = (x[1:], n, kernel[:dims], s, d)
        steps, fits = transposition("filters", padding, axes, layout, "output_shape", g)
        operand = Operand("filters", kernel_axes(dims, "OI"), kernel, channels_first)
        read = Requirement(
            eq(x[0], kernel[dims + 1]),
            f"the input has {x[0]} channels but the filter reads {kernel[dims + 1]}; filters are "
            "(*k, out, in): give them in that order",
        )
        return Plan(steps, (operand,), (read, *channels, *fits))

    return Layer(dims, layout, plan, tensors=("filters",))


def _output_channels(dims: int, made: Expr, kernel: Shape) -> tuple[Expr, tuple[Requirement, ...]]:
    """The groups that ``output_shape`` implies: a multiple of the filter's channels means several."""
    m, o = made.constant, kernel[dims].constant
    if dims < 3 and m is not None and o is not None and m != o and o and m % o == 0:
        return groups_of(made, kernel[dims], kernel[dims + 1])
    message = (
        f"output_shape asks for {made} channels but the filter makes {kernel[dims]}; filters are "
        "(*k, out, in): give them in that order"
    )
    return lift(1), (Requirement(eq(made, kernel[dims]), message),)


BACKPROP_INPUT = "tf.nn.conv{d}d_backprop_input"


@call("TensorFlow", BACKPROP_INPUT, dims=(2,), tensors=("out_backprop", "filters"), aliases=OLD)
def backprop_input(
    dims: int,
    input_sizes: Any,
    filters: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    use_cudnn_on_gpu: Any = True,
    data_format: Any = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: Any = None,
) -> Layer:
    """``tf.compat.v1.nn.conv2d_backprop_input``: the gradient of ``conv2d`` by its input, of the
    shape ``input_sizes``; ``filters`` (``filter``) are those of the convolution, (h, w, in, out).
    """
    layout = layout_of(data_format, dims)
    s = positive(spatial_values(strides, layout, "strides", "n+2"), "strides")
    d = positive(spatial_values(dilations, layout, "dilations", "n+2"), "dilations")
    check_padding(padding)
    channels, n = by_letter(sizes(input_sizes, layout, "input_sizes"), layout)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = given["filters"]
        check_rank("filters", kernel, dims)
        g, grouped = groups_of(channels, kernel[dims], kernel[dims + 1])
        axes = (x[1:], n, kernel[:dims], s, d)
        steps, fits = transposition("filters", padding, axes, layout, "input_sizes", g)
        operand = Operand("filters", kernel_axes(dims), kernel, channels_first)
        out = Requirement(
            eq(x[0], kernel[dims + 1]),
            f"out_backprop has {x[0]} channels but the filter makes {kernel[dims + 1]}; the filter "
            "is that of the convolution, (h, w, in, out)",
        )
        return Plan(steps, (operand,), (*grouped, out, *fits))

    return Layer(dims, layout, plan, tensors=("filters",))


@call(
    "TensorFlow",
    "tf.nn.conv{d}d_backprop_filter",
    dims=(2,),
    tensors=("input", "out_backprop"),
    aliases={"value": "input"},
)
def backprop_filter(
    dims: int,
    input: Any,  # noqa: A002
    filter_sizes: Any,
    out_backprop: Any,
    strides: Any,
    padding: Any,
    use_cudnn_on_gpu: Any = True,
    data_format: Any = "NHWC",
    dilations: Any = (1, 1, 1, 1),
    name: Any = None,
) -> Layer:
    """``tf.compat.v1.nn.conv2d_backprop_filter``: the gradient of ``conv2d`` by its filter.

    It is a correlation of the input by ``out_backprop``, the batch in the place of the channels,
    stride and dilation exchanged.
    """
    layout = layout_of(data_format, dims)
    s = positive(spatial_values(strides, layout, "strides"), "strides")
    d = positive(spatial_values(dilations, layout, "dilations"), "dilations")
    check_padding(padding)
    kernel = sizes(filter_sizes, kernel_axes(dims), "filter_sizes")
    k, read, made = kernel[:dims], kernel[dims], kernel[dims + 1]

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        out = given["out_backprop"]
        check_rank("out_backprop", out, dims)
        channels, m = by_letter(out, layout)
        p = amounts(padding, layout, x[1:], k, s, d)
        requires = list(_filter_fits(x[0], channels, read, made))
        cut = []
        for ni, mi, ki, si, di, (lo, hi) in zip(x[1:], m, k, s, d, p, strict=True):
            wanted = shapes.conv_length(ni, ki, si, di, 1, lo, hi)
            message = f"out_backprop has the length {mi} but the convolution gives {wanted}; give {wanted}"
            requires.append(Requirement(eq(mi, wanted), message))
            cut.append((lo, si * (mi - 1) + 1 + di * (ki - 1) - ni - lo))
        turned = step("permute", order=(1, 0, *range(2, dims + 2)))
        sums = step(
            "correlate",
            weight="out_backprop",
            stride=d,
            padding=tuple(cut),
            dilation=s,
            groups=lift(1),
            dims=dims,
        )
        operand = Operand("out_backprop", layout, out, lambda g: _batch_inside(g, layout))
        return Plan((turned, sums), (operand,), tuple(requires))

    output = layout_of(None, dims)[1:-1] + "NC"  # the input channels now stand first
    return Layer(dims, layout, plan, output=output, tensors=("out_backprop",))


def _batch_inside(g: Form, layout: str) -> Form:
    """A gradient as a kernel: channels, batch, spatial axes."""
    wanted = "CN" + "".join(a for a in layout if a not in "NC")
    return permute(g, tuple(layout.index(a) for a in wanted))


def _filter_fits(
    channels: Expr, out: Expr, read: Expr, made: Expr
) -> tuple[Requirement, Requirement]:
    c, i = channels.constant, read.constant
    if c is not None and i is not None and c != i and i and c % i == 0:
        raise NotSupported(
            f"filter_sizes reads {i} of {c} channels: groups are not read here; give {c}"
        )
    return (
        Requirement(
            eq(channels, read),
            f"the input has {channels} channels but filter_sizes reads {read}; give {channels}",
        ),
        Requirement(
            eq(out, made),
            f"out_backprop has {out} channels but filter_sizes makes {made}; give {out}",
        ),
    )
