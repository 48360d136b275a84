"""ONNX: pooling.

Sources: the operator documentation of ONNX, opset 22 (Operators.md), and by version Changelog.md:
``ceil_mode`` came with opset 10, the dilations with opset 10 (MaxPool), 18 (LpPool) and 19
(AveragePool), and only opset 22 says that a window which would start in the padding behind the input
is left out (as PyTorch does).  That is the rule here; onnxruntime follows it for all of them.  With
``auto_pad`` the ``ceil_mode`` changes nothing: the two formulas of the documentation are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.calls import show
from derive.dialects.layer import (
    CANONICAL,
    Layer,
    Plan,
    Requirement,
    Shape,
    Step,
    at_least,
    integer,
    step,
)
from derive.dialects.onnx_conv import (
    Pairs,
    check_auto_pad,
    explicit,
    ints,
    node_count,
    padding_of,
)
from derive.dialects.registry import call
from derive.errors import WrongInput
from derive.expr import Expr


def _windows(
    dims: int,
    kernel_shape: Any,
    auto_pad: Any,
    pads: Any,
    strides: Any,
    dilations: Any,
    ceil_mode: Any,
    steps: Any,
    why: str = "",
) -> Layer:
    if kernel_shape is None:
        raise WrongInput(
            "kernel_shape is required (Required attribute 'kernel_shape' is missing); give e.g. kernel_shape=[2, 2]"
        )
    auto = check_auto_pad(auto_pad, pads)
    k = ints(kernel_shape, dims, "kernel_shape", 1)
    s, d = ints(strides, dims, "strides", 1), ints(dilations, dims, "dilations", 1)
    p = explicit(pads, dims)
    if ceil_mode not in (0, 1):
        raise WrongInput(f"ceil_mode = {show(ceil_mode)}: 0 or 1 was expected; give one of them")
    limits = tuple(
        Requirement(
            a < ki,
            f"pads = {a} with kernel_shape = {ki}: onnxruntime refuses it (pads[dim] < "
            "kernel_shape[dim]); pad by hand with Pad",
        )
        for pair, ki in zip(p, k, strict=True)
        for a in pair
    )

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        amounts = padding_of(auto, pads, x[1:], k, s, d)
        up = bool(ceil_mode) and auto == "NOTSET"
        return Plan(steps(k, s, amounts, d, up), (), limits, "", why)

    return Layer(dims, CANONICAL[dims], plan)


@call("ONNX", "onnx.MaxPool", dims=(2, 1, 3), tensors=("X",), count=node_count)
def max_pool(
    dims: int,
    X: Any = None,
    auto_pad: Any = "NOTSET",
    ceil_mode: Any = 0,
    dilations: Any = None,
    kernel_shape: Any = None,
    pads: Any = None,
    storage_order: Any = 0,
    strides: Any = None,
) -> Layer:
    """ONNX ``MaxPool``: stride 1 by default, padding never wins."""

    def steps(
        k: Shape, s: tuple[Expr, ...], p: Pairs, d: tuple[Expr, ...], up: bool
    ) -> tuple[Step, ...]:
        return (step("max_pool", k=k, stride=s, padding=p, dilation=d, ceil_mode=up, dims=dims),)

    return _windows(dims, kernel_shape, auto_pad, pads, strides, dilations, ceil_mode, steps)


@call("ONNX", "onnx.AveragePool", dims=(2, 1, 3), tensors=("X",), count=node_count)
def average_pool(
    dims: int,
    X: Any = None,
    auto_pad: Any = "NOTSET",
    ceil_mode: Any = 0,
    count_include_pad: Any = 0,
    dilations: Any = None,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Layer:
    """ONNX ``AveragePool``: stride 1 and *without* the padding in the count by default."""
    if count_include_pad not in (0, 1):
        raise WrongInput(
            f"count_include_pad = {show(count_include_pad)}: 0 or 1 was expected; give one of them"
        )

    def steps(
        k: Shape, s: tuple[Expr, ...], p: Pairs, d: tuple[Expr, ...], up: bool
    ) -> tuple[Step, ...]:
        return (
            step(
                "avg_pool",
                k=k,
                stride=s,
                padding=p,
                dilation=d,
                ceil_mode=up,
                count_include_pad=bool(count_include_pad),
                dims=dims,
            ),
        )

    return _windows(dims, kernel_shape, auto_pad, pads, strides, dilations, ceil_mode, steps)


@call("ONNX", "onnx.LpPool", dims=(2, 1, 3), tensors=("X",), count=node_count)
def lp_pool(
    dims: int,
    X: Any = None,
    auto_pad: Any = "NOTSET",
    ceil_mode: Any = 0,
    dilations: Any = None,
    kernel_shape: Any = None,
    p: Any = 2,
    pads: Any = None,
    strides: Any = None,
) -> Layer:
    """ONNX ``LpPool``: its shape."""
    at_least(1, (integer(p, "p"),), "p")

    def steps(
        k: Shape, s: tuple[Expr, ...], p: Pairs, d: tuple[Expr, ...], up: bool
    ) -> tuple[Step, ...]:
        return (step("sum_pool", k=k, stride=s, padding=p, dilation=d, ceil_mode=up, dims=dims),)

    why = "LpPool is not linear"
    return _windows(dims, kernel_shape, auto_pad, pads, strides, dilations, ceil_mode, steps, why)


@call("ONNX", "onnx.GlobalAveragePool", tensors=("X",), dims=(2, 1, 3))
def global_average_pool(dims: int, X: Any = None) -> Layer:
    """ONNX ``GlobalAveragePool``."""
    return Layer(
        dims, CANONICAL[dims], lambda x, given: Plan((step("global_avg_pool", dims=dims),))
    )


@call("ONNX", "onnx.GlobalMaxPool", tensors=("X",), dims=(2, 1, 3))
def global_max_pool(dims: int, X: Any = None) -> Layer:
    """ONNX ``GlobalMaxPool``."""

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        return Plan((step("max_pool", k=x[1:], stride=(1,) * dims, dims=dims),))

    return Layer(dims, CANONICAL[dims], plan)
