"""TensorFlow: pooling.

An average under SAME leaves the padding out of the count, a maximum pads with -∞.  Sources as in
:mod:`derive.dialects.tensorflow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.layer import Layer, Plan, Requirement, Shape
from derive.dialects.registry import call, count_of
from derive.dialects.tensorflow import layout_of
from derive.dialects.tensorflow_common import (
    SAYS_RATE,
    STRIDED_AND_DILATED,
    amounts,
    check_padding,
    explicit,
    no_depth,
    one_of,
    pooled,
    positive,
    spatial_values,
)
from derive.errors import WrongInput
from derive.expr import Expr, lift

VALUE = {"value": "input"}  # the name of TensorFlow 1
POOLED_STRIDES = "all values of `strides` must be positive"
SAYS_KSIZE = {
    "max": "Sliding window ksize must be positive",
    "avg": "ksize must be a positive int32 value",
}


def pooling(kind: str, dims: int, ksize: Any, strides: Any, padding: Any, layout: str) -> Layer:
    """The layer of a pooling with windows ``ksize``; explicit amounts are for the maximum."""
    k = positive(spatial_values(_within(ksize, layout), layout, "ksize"), "ksize", SAYS_KSIZE[kind])
    s = positive(spatial_values(strides, layout, "strides"), "strides")
    takes_amounts = kind == "max" and dims < 3
    check_padding(padding, takes_amounts)
    if isinstance(padding, tuple):
        for (lo, hi), ki in zip(explicit(padding, layout), k, strict=True):
            for p in (lo, hi):
                _shorter(p, ki)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        no_depth(ksize, layout)
        one = tuple(lift(1) for _ in k)
        return Plan(pooled(kind, k, s, amounts(padding, layout, x[1:], k, s, one, False), layout))

    return Layer(dims, layout, plan)


def _within(ksize: Any, layout: str) -> Any:
    """The window without its length along the channels, which the plan refuses."""
    if not isinstance(ksize, tuple) or len(ksize) != len(layout):
        return ksize
    return tuple(1 if a == "C" else v for v, a in zip(ksize, layout, strict=True))


def _shorter(p: Expr, k: Expr) -> None:
    if p.constant is not None and k.constant is not None and p.constant >= k.constant:
        raise WrongInput(
            f"padding = {p}: TensorFlow refuses it (padding {p} needs to be smaller than the window "
            f"size {k}); give less than {k}"
        )


@call("TensorFlow", "tf.nn.max_pool{d}d", tensors=("input",), aliases=VALUE)
def max_pool_nd(
    dims: int,
    input: Any,  # noqa: A002  TensorFlow's own name
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.max_pool1d``, ``max_pool2d``, ``max_pool3d``."""
    return pooling("max", dims, ksize, strides, padding, layout_of(data_format, dims))


@call("TensorFlow", "tf.nn.avg_pool{d}d", tensors=("input",), aliases=VALUE)
def avg_pool_nd(
    dims: int,
    input: Any,  # noqa: A002
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.avg_pool1d``, ``avg_pool2d``, ``avg_pool3d``."""
    return pooling("avg", dims, ksize, strides, padding, layout_of(data_format, dims))


@call("TensorFlow", "tf.nn.max_pool", dims=(2, 1, 3), tensors=("input",), aliases=VALUE)
def max_pool(
    dims: int,
    input: Any,  # noqa: A002
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.max_pool``: the call for one, two or three spatial axes."""
    return pooling("max", dims, ksize, strides, padding, layout_of(data_format, dims))


@call("TensorFlow", "tf.nn.avg_pool", dims=(2, 1, 3), tensors=("input",), aliases=VALUE)
def avg_pool(
    dims: int,
    input: Any,  # noqa: A002
    ksize: Any,
    strides: Any,
    padding: Any,
    data_format: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.avg_pool``: the call for one, two or three spatial axes."""
    return pooling("avg", dims, ksize, strides, padding, layout_of(data_format, dims))


@call(
    "TensorFlow",
    "tf.nn.pool",
    dims=(2, 1, 3),
    tensors=("input",),
    count=count_of("window_shape"),
)
def pool(
    dims: int,
    input: Any,  # noqa: A002
    window_shape: Any,
    pooling_type: Any,
    strides: Any = None,
    padding: Any = "VALID",
    data_format: Any = None,
    dilations: Any = None,
    name: Any = None,
) -> Layer:
    """``tf.nn.pool``: stride 1 by default, and none longer than its window."""
    layout = layout_of(data_format, dims)
    kind = one_of(pooling_type, ("AVG", "MAX"), "pooling_type").lower()
    k = positive(spatial_values(window_shape, layout, "window_shape", "n"), "window_shape")
    s = positive(
        spatial_values(_or_ones(strides, dims), layout, "strides", "n"), "strides", POOLED_STRIDES
    )
    d = positive(
        spatial_values(_or_ones(dilations, dims), layout, "dilations", "n"), "dilations", SAYS_RATE
    )
    check_padding(padding, takes_amounts=False)
    dilated = any(a.constant != 1 for a in d)
    if dilated and any(a.constant is not None and a.constant > 1 for a in s):
        raise WrongInput(STRIDED_AND_DILATED)
    if dilated and padding == "SAME":
        raise WrongInput(
            "padding = 'SAME' with dilations > 1: TensorFlow refuses it (pooling with 'SAME' padding is "
            "not implemented for `dilation_rate` > 1); pad by hand and give 'VALID'"
        )
    wide = tuple(_not_wider(a, b) for a, b in zip(s, k, strict=True))

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        p = amounts(padding, layout, x[1:], k, s, d, False)
        return Plan(pooled(kind, k, s, p, layout, d), requires=wide)

    return Layer(dims, layout, plan)


def _not_wider(stride: Expr, window: Expr) -> Requirement:
    """``tf.nn.pool`` skips no samples."""
    return Requirement(
        stride <= window,
        f"strides = {stride}, window_shape = {window}: TensorFlow refuses it (`strides` > "
        "`window_shape` not supported due to inconsistency between CPU and GPU implementations); "
        "use tf.nn.max_pool or avg_pool",
    )


def _or_ones(value: Any, dims: int) -> Any:
    return (1,) * dims if value is None else value
