"""Flax (``flax.linen``): ``Conv`` and ``ConvTranspose``, which wrap the calls of ``jax.lax``.

Source: the documentation and ``flax/linen/linear.py``.  Inputs are (N, …, C); an integer
``kernel_size`` means one spatial axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive import shapes
from derive.dialects.calls import show
from derive.dialects.jax_arrays import padded
from derive.dialects.jax_lax import Pairs, amounts, pairs_of, transpose_amounts
from derive.dialects.layer import (
    SPATIAL,
    Layer,
    Operand,
    Plan,
    Requirement,
    Shape,
    at_least,
    axes,
    integer,
    ordered,
    step,
)
from derive.dialects.registry import call
from derive.errors import NotSupported, WrongInput
from derive.expr import Expr, divides, lift
from derive.form import Form
from derive.operators import flip

WRAPPED = {"CIRCULAR": "circular", "REFLECT": "reflect"}


def _count(given: Mapping[str, Any]) -> int | None:
    size = given["kernel_size"]
    return len(size) if isinstance(size, tuple) else 1


def _padding(value: Any, dims: int) -> Any:
    """A name, or a pair for each axis: one amount for all, or an amount or a pair an axis."""
    if isinstance(value, str):
        return value
    rows = value if isinstance(value, tuple) else (value,) * dims
    return pairs_of(tuple(r if isinstance(r, tuple) else (r, r) for r in rows), dims)


def _operands(
    dims: int, kernel_axes: str, k: Shape, read: Expr, made: Expr, use_bias: Any, turned: bool
) -> tuple[tuple[Operand, ...], str]:
    size_of = {"I": read, "O": made, **dict(zip(SPATIAL[dims], k, strict=True))}

    def canonical(w: Form) -> Form:
        found = ordered(w, kernel_axes, "OI" + SPATIAL[dims])
        return flip(found, dims=dims) if turned else found

    kernel = Operand("kernel", kernel_axes, tuple(size_of[a] for a in kernel_axes), canonical)
    if not use_bias:
        return (kernel,), ""
    return (kernel, Operand("bias", "O", (made,))), "bias"


@call("JAX", "linen.Conv", dims=(2, 1, 3), count=_count)
def conv(
    dims: int,
    features: Any,
    kernel_size: Any,
    strides: Any = 1,
    padding: Any = "SAME",
    input_dilation: Any = 1,
    kernel_dilation: Any = 1,
    feature_group_count: Any = 1,
    use_bias: Any = True,
) -> Layer:
    """``flax.linen.Conv``: correlation with weights (k, C/groups, features); SAME by default."""
    made = at_least(1, (integer(features, "features"),), "features")[0]
    k = at_least(1, axes(kernel_size, dims, "kernel_size"), "kernel_size")
    s, e, d = (
        at_least(1, axes(1 if v is None else v, dims, what), what)
        for v, what in (
            (strides, "strides"),
            (input_dilation, "input_dilation"),
            (kernel_dilation, "kernel_dilation"),
        )
    )
    g = at_least(1, (integer(feature_group_count, "feature_group_count"),), "feature_group_count")[
        0
    ]
    given = _padding(padding, dims)
    _check_name(given, dims, e)

    def plan(x: Shape, weights: Mapping[str, Shape]) -> Plan:
        steps, p = [], ((lift(0), lift(0)),) * dims
        if given in WRAPPED:
            full = [shapes.effective_length(a, b) for a, b in zip(k, d, strict=True)]
            around = tuple(((a - 1) // 2, a // 2) for a in full)
            steps.append(padded(around, x[1:], WRAPPED[given]))
        elif given == "CAUSAL":
            p = ((d[0] * (k[0] - 1), lift(0)),)
        else:
            p = amounts(given, x[1:], k, s, d)
        steps.append(
            step(
                "correlate",
                weight="kernel",
                stride=s,
                padding=p,
                dilation=d,
                base_dilation=e,
                groups=g,
                dims=dims,
            )
        )
        operands, bias = _operands(
            dims, f"{SPATIAL[dims]}IO", k, x[0] // g, made, use_bias, turned=False
        )
        conds = tuple(
            Requirement(
                divides(g, c),
                f"{c} {what} and feature_group_count = {g}: Flax refuses it; choose a divisor",
            )
            for c, what in ((x[0], "input channels"), (made, "features"))
        )
        return Plan(tuple(steps), operands, conds, bias)

    return Layer(dims, f"N{SPATIAL[dims]}C", plan, unbatched=True)


def _check_name(padding: Any, dims: int, e: tuple[Expr, ...]) -> None:
    if not isinstance(padding, str):
        return
    if padding == "CAUSAL" and dims > 1:
        raise WrongInput(
            "padding = 'CAUSAL': Flax refuses it for several axes (Causal padding is only implemented "
            "for 1D convolutions); give pairs"
        )
    if padding not in (*WRAPPED, "CAUSAL"):
        amounts(padding, *((lift(1),) * dims,) * 4)
    if any(a != 1 for a in e):
        raise WrongInput(
            f"padding = {show(padding)} with input_dilation: JAX refuses it (String padding is not "
            "implemented for transposed convolution using this op); give (low, high) pairs"
        )


@call("JAX", "linen.ConvTranspose", dims=(2, 1, 3), count=_count)
def conv_transpose(
    dims: int,
    features: Any,
    kernel_size: Any,
    strides: Any = None,
    padding: Any = "SAME",
    kernel_dilation: Any = None,
    use_bias: Any = True,
    transpose_kernel: Any = False,
) -> Layer:
    """``flax.linen.ConvTranspose``: ``lax.conv_transpose`` with weights (k, C, features), or with
    ``transpose_kernel`` (k, features, C).
    """
    made = at_least(1, (integer(features, "features"),), "features")[0]
    k = at_least(1, axes(kernel_size, dims, "kernel_size"), "kernel_size")
    s, d = (
        at_least(1, axes(1 if v is None else v, dims, what), what)
        for v, what in ((strides, "strides"), (kernel_dilation, "kernel_dilation"))
    )
    given = _padding(padding, dims)
    if given in WRAPPED:
        raise NotSupported(
            f"padding = {show(padding)}: the wrapped transposed convolution of Flax is not understood; "
            "give 'SAME', 'VALID' or pairs"
        )
    one: tuple[Expr, ...] = (lift(1),) * dims
    transpose_amounts(given, one, s, d, one, consistent=False)
    kernel_axes = SPATIAL[dims] + ("OI" if transpose_kernel else "IO")

    def plan(x: Shape, weights: Mapping[str, Shape]) -> Plan:
        p: Pairs = transpose_amounts(given, k, s, d, x[1:], consistent=False)
        made_step = step(
            "correlate",
            weight="kernel",
            stride=1,
            padding=p,
            dilation=d,
            base_dilation=s,
            dims=dims,
        )
        operands, bias = _operands(
            dims, kernel_axes, k, x[0], made, use_bias, turned=bool(transpose_kernel)
        )
        return Plan((made_step,), operands, (), bias)

    return Layer(dims, f"N{SPATIAL[dims]}C", plan, unbatched=True)
