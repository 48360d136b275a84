"""TensorFlow: ``tf.nn`` convolutions.

Sources: the documentation of ``tf.nn`` (2.x and, for the older argument names, 1.x), and
``tensorflow/python/ops/nn_ops.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.layer import SPATIAL, Layer, Operand, Plan, Requirement, Shape
from derive.dialects.registry import call
from derive.dialects.tensorflow_common import (
    SAYS_DILATIONS,
    SAYS_RATE,
    STRIDED_AND_DILATED,
    amounts,
    channels_first,
    check_padding,
    correlation,
    depthwise,
    explicit,
    groups_of,
    kernel_axes,
    or_one,
    positive,
    spatial_values,
)
from derive.errors import WrongInput
from derive.expr import Expr, eq

OLD = {"filter": "filters", "value": "input"}  # the names of TensorFlow 1


def layout_of(data_format: Any, dims: int, also: tuple[str, ...] = ()) -> str:
    """The layout that a ``data_format`` names; ``None`` is channels last.

    >>> layout_of(None, 3), layout_of("NCW", 1)
    ('NDHWC', 'NCW')
    """
    last, first = f"N{SPATIAL[dims]}C", f"NC{SPATIAL[dims]}"
    if data_format is None or data_format == last:
        return last
    if data_format == first:
        return first
    if data_format in also:
        return first if str(data_format).startswith("NC") else last
    raise WrongInput(
        f"data_format = {data_format!r}: for {dims} spatial axes TensorFlow takes {last!r} and "
        f"{first!r}; choose one of them"
    )


def check_rank(name: str, shape: Shape, dims: int) -> None:
    """Refuse a filter with another number of axes than ``(*k, in, out)``."""
    if len(shape) != dims + 2:
        raise WrongInput(
            f"{name} has {len(shape)} axes; give {dims + 2}, in the order {kernel_axes(dims)}"
        )


@call("TensorFlow", "tf.nn.conv{d}d", dims=(2,), tensors=("input", "filters"), aliases=OLD)
def conv2d(
    dims: int,
    input: Any,  # noqa: A002  TensorFlow's own name
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: Any = "NHWC",
    dilations: Any = None,
    name: Any = None,
    use_cudnn_on_gpu: Any = True,
) -> Layer:
    """``tf.nn.conv2d``: correlation with filters (h, w, in/groups, out)."""
    layout = layout_of(data_format, dims)
    s = positive(spatial_values(strides, layout, "strides"), "strides")
    d = positive(
        spatial_values(or_one(dilations), layout, "dilations"), "dilations", SAYS_DILATIONS
    )
    return convolve(dims, layout, s, d, padding)


@call("TensorFlow", "tf.nn.conv{d}d", dims=(1,), tensors=("input", "filters"), aliases=OLD)
def conv1d(
    dims: int,
    input: Any,  # noqa: A002
    filters: Any,
    stride: Any,
    padding: Any,
    data_format: Any = "NWC",
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.conv1d``: correlation with filters (w, in/groups, out)."""
    layout = layout_of(data_format, dims, ("NHWC", "NCHW"))
    check_padding(padding, takes_amounts=False)
    s = positive(spatial_values(stride, layout, "stride"), "stride")
    d = positive(
        spatial_values(or_one(dilations), layout, "dilations"), "dilations", SAYS_DILATIONS
    )
    return convolve(dims, layout, s, d, padding)


@call("TensorFlow", "tf.nn.conv{d}d", dims=(3,), tensors=("input", "filters"), aliases=OLD)
def conv3d(
    dims: int,
    input: Any,  # noqa: A002
    filters: Any,
    strides: Any,
    padding: Any,
    data_format: Any = "NDHWC",
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.conv3d``: correlation with filters (d, h, w, in, out); strides are a list of five."""
    layout = layout_of(data_format, dims)
    check_padding(padding, takes_amounts=False)
    s = positive(spatial_values(strides, layout, "strides", "n+2"), "strides")
    given = (1, 1, 1, 1, 1) if dilations is None else dilations
    d = positive(spatial_values(given, layout, "dilations", "n+2"), "dilations", SAYS_DILATIONS)
    return convolve(dims, layout, s, d, padding)


@call("TensorFlow", "tf.nn.convolution", dims=(2, 1, 3), tensors=("input", "filters"), aliases=OLD)
def convolution(
    dims: int,
    input: Any,  # noqa: A002
    filters: Any,
    strides: Any = None,
    padding: Any = "VALID",
    data_format: Any = None,
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.convolution``: the call for one, two or three spatial axes."""
    layout = layout_of(data_format, dims)
    s = positive(spatial_values(or_one(strides), layout, "strides"), "strides")
    d = positive(spatial_values(or_one(dilations), layout, "dilations"), "dilations", SAYS_RATE)
    if any(_more(a) for a in s) and any(_more(a) for a in d):
        raise WrongInput(STRIDED_AND_DILATED)
    return convolve(dims, layout, s, d, padding)


@call("TensorFlow", "tf.nn.atrous_conv{d}d", dims=(2,), tensors=("value", "filters"))
def atrous(dims: int, value: Any, filters: Any, rate: Any, padding: Any, name: Any = None) -> Layer:
    """``tf.nn.atrous_conv2d``: stride 1 and the dilation ``rate``, channels last."""
    layout = layout_of(None, dims)
    d = positive(spatial_values(rate, layout, "rate", "1 n"), "rate", SAYS_RATE)
    s = spatial_values(1, layout, "strides")
    return convolve(dims, layout, s, d, padding)


def _more(value: Expr) -> bool:
    return value.constant is not None and value.constant > 1


def convolve(dims: int, layout: str, s: Shape, d: Shape, padding: Any) -> Layer:
    """The layer of a functional convolution with the tensor ``filters``."""
    check_padding(padding)
    if isinstance(padding, tuple):
        explicit(padding, layout)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = given["filters"]
        check_rank("filters", kernel, dims)
        k, read, made = kernel[:dims], kernel[dims], kernel[dims + 1]
        g, requires = groups_of(x[0], read, made)
        p = amounts(padding, layout, x[1:], k, s, d)
        operand = Operand("filters", kernel_axes(dims), kernel, channels_first)
        return Plan(correlation("filters", s, p, d, g), (operand,), requires)

    return Layer(dims, layout, plan, tensors=("filters",))


@call("TensorFlow", "tf.nn.depthwise_conv{d}d", dims=(2,), tensors=("input", "filter"))
def depthwise_conv2d(
    dims: int,
    input: Any,  # noqa: A002
    filter: Any,  # noqa: A002
    strides: Any,
    padding: Any,
    data_format: Any = None,
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.depthwise_conv2d``: each channel on its own, filter (h, w, in, multiplier)."""
    layout, s, d = depthwise_axes(dims, strides, padding, data_format, dilations)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = given["filter"]
        check_rank("filter", kernel, dims)
        p = amounts(padding, layout, x[1:], kernel[:dims], s, d)
        operand = Operand("filter", kernel_axes(dims, "IM"), kernel, depthwise)
        steps = correlation("filter", s, p, d, x[0])
        return Plan(steps, (operand,), (depth_fits(x[0], kernel[dims]),))

    return Layer(dims, layout, plan, tensors=("filter",))


def depth_fits(channels: Expr, read: Expr) -> Requirement:
    """The channels of the input are those that a depthwise filter reads."""
    return Requirement(
        eq(channels, read),
        f"the input has {channels} channels but the filter reads {read}; give {channels}",
    )


def depthwise_axes(
    dims: int, strides: Any, padding: Any, data_format: Any, dilations: Any
) -> tuple[str, Shape, Shape]:
    """The layout, strides and dilations of a depthwise convolution, as TensorFlow restricts them."""
    layout = layout_of(data_format, dims)
    check_padding(padding)
    if isinstance(padding, tuple):
        explicit(padding, layout)
    s = positive(spatial_values(strides, layout, "strides", "n+2"), "strides")
    d = positive(
        spatial_values(or_one(dilations), layout, "dilations", "1 n"), "dilations", SAYS_RATE
    )
    if len({a.constant for a in s}) > 1:
        raise WrongInput(
            f"strides = {', '.join(map(str, s))}: TensorFlow refuses it (Current implementation only "
            "supports equal length strides in the row and column dimensions); make them equal"
        )
    if any(_more(a) for a in s) and any(_more(a) for a in d):
        raise WrongInput(
            "strides and dilations: both are more than 1, where TensorFlow computes no strided dilated "
            "convolution (its documentation asks for strides of 1); make one of them 1"
        )
    return layout, s, d


@call(
    "TensorFlow",
    "tf.nn.separable_conv{d}d",
    dims=(2,),
    tensors=("input", "depthwise_filter", "pointwise_filter"),
)
def separable_conv2d(
    dims: int,
    input: Any,  # noqa: A002
    depthwise_filter: Any,
    pointwise_filter: Any,
    strides: Any,
    padding: Any,
    data_format: Any = None,
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.separable_conv2d``: a depthwise convolution, then one with a kernel of length 1."""
    layout, s, d = depthwise_axes(dims, strides, padding, data_format, dilations)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel, mixing = given["depthwise_filter"], given["pointwise_filter"]
        check_rank("depthwise_filter", kernel, dims)
        check_rank("pointwise_filter", mixing, dims)
        p = amounts(padding, layout, x[1:], kernel[:dims], s, d)
        operands = (
            Operand("depthwise_filter", kernel_axes(dims, "IM"), kernel, depthwise),
            Operand("pointwise_filter", kernel_axes(dims), mixing, channels_first),
        )
        made = kernel[dims] * kernel[dims + 1]
        points = Requirement(
            eq(mixing[dims], made),
            f"pointwise_filter reads {mixing[dims]} channels but the depthwise step makes {made}; "
            f"give {made}",
        )
        flat = tuple(
            Requirement(eq(a, 1), f"pointwise_filter has the length {a}; give 1")
            for a in mixing[:dims]
        )
        steps = correlation("depthwise_filter", s, p, d, x[0]) + pointwise("pointwise_filter", dims)
        return Plan(steps, operands, (depth_fits(x[0], kernel[dims]), points, *flat))

    return Layer(dims, layout, plan, tensors=("depthwise_filter", "pointwise_filter"))


def pointwise(weight: str, dims: int) -> tuple[Any, ...]:
    """The step of a convolution with a kernel of length 1."""
    one = spatial_values(1, "N" + SPATIAL[dims] + "C", "strides")
    return correlation(weight, one, tuple((a - a, a - a) for a in one), one)
