"""JAX: ``lax.reduce_window``, and the poolings that Flax makes of it.

Sources: the documentation of ``jax.lax.reduce_window`` (0.10) and of ``flax.linen.pooling``.  Windows
speak of *all* axes of the array; those on which a window does nothing are batch and channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from derive.dialects.calls import Name, Sum, show
from derive.dialects.jax_lax import POSITIVE_DILATION, amounts, each, pairs_of
from derive.dialects.layer import SPATIAL, Layer, Plan, Shape, Step, step
from derive.dialects.registry import call, count_of
from derive.errors import WrongInput
from derive.expr import Expr, lift, maximum, minimum

INFINITY = ("inf", "infty", "Inf")
ZERO = (lift(0), lift(0))
POSITIVE = "must have every element be strictly positive"  # JAX, of all its window operations


def spread(idle: Sequence[bool]) -> str:
    """The letters of the axes of an array when the idle ones may be batch and channels.

    The first axis is the batch and the last (or else the second) the channels, where they are idle.

    >>> spread((True, False, False, True)), spread((True, True, False)), spread((False, False))
    ('NHWC', 'NCW', 'HW')
    """
    rank = len(idle)
    roles: dict[int, str] = {}
    if not all(idle):
        if rank > 1 and idle[0]:
            roles[0] = "N"
        channel = next((a for a in (rank - 1, 1) if a not in roles and rank > 1 and idle[a]), None)
        if channel is not None:
            roles[channel] = "C"
    letters = iter(SPATIAL[rank - len(roles)])
    return "".join(roles.get(a) or next(letters) for a in range(rank))


def spatial_only(values: Sequence[Any], layout: str) -> tuple[Any, ...]:
    """The values of the spatial axes, in the layout's order."""
    return tuple(v for v, a in zip(values, layout, strict=True) if a not in "NC")


@call(
    "JAX",
    "lax.reduce_window",
    dims=(4, 1, 2, 3, 5),
    tensors=("operand",),
    count=count_of("window_dimensions"),
)
def reduce_window(
    dims: int,
    operand: Any,
    init_value: Any,
    computation: Any,
    window_dimensions: Any,
    window_strides: Any = None,
    padding: Any = "VALID",
    base_dilation: Any = None,
    window_dilation: Any = None,
) -> Layer:
    """``jax.lax.reduce_window`` with ``lax.add`` (from 0) or ``lax.max`` (from minus infinity).

    ``dims`` is the rank of the array: ``window_dimensions`` speaks of all axes.
    """
    kind = _kind(init_value, computation)
    k = each(window_dimensions, dims, "window_dimensions", says=POSITIVE)
    s, d = (
        each(window_strides, dims, "window_strides", says=POSITIVE),
        each(window_dilation, dims, "window_dilation", says=POSITIVE_DILATION),
    )
    e = each(base_dilation, dims, "base_dilation", says=POSITIVE_DILATION)
    pairs = ((lift(0), lift(0)),) * dims
    if not isinstance(padding, str):
        pairs = pairs_of(padding, dims)
    else:
        amounts(padding, *((lift(1),) * dims,) * 4)
    named = isinstance(padding, str) and padding.upper() != "VALID"
    if named and window_strides is None:
        raise WrongInput(
            f"padding = {show(padding)} without window_strides: JAX refuses it (operands could not be "
            "broadcast together), as its rule for the padding takes the strides as they are given; "
            f"give window_strides=({', '.join(['1'] * dims)}{',' * (dims == 1)})"
        )
    ones = [all(a == 1 for a in axis) for axis in zip(k, s, d, e, strict=True)]
    layout = spread([one and (named or p == ZERO) for one, p in zip(ones, pairs, strict=True)])
    kk, ss, dd, ee, pp = (spatial_only(v, layout) for v in (k, s, d, e, pairs))
    count = len(kk)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        n = x[len(x) - count :]
        p = amounts(padding, n, kk, ss, dd) if isinstance(padding, str) else pp
        steps = window_steps(kind, kk, ss, p, dd, ee)
        why = ""
        if kind == "max" and any(a != 1 for a in ee):
            why = "a maximum over a dilated base reads minus infinity between the samples"
        return Plan(steps, shape_only=why)

    return Layer(count, layout, plan)


def window_steps(
    kind: str,
    k: tuple[Expr, ...],
    s: tuple[Expr, ...],
    p: tuple[tuple[Expr, Expr], ...],
    d: tuple[Expr, ...],
    e: tuple[Expr, ...],
) -> tuple[Step, ...]:
    """Sums or maxima over windows; what is negative in the padding is cropped first."""
    count, steps = len(k), []
    if any(a != 1 for a in e):
        steps.append(step("zero_insert", s=e, dims=count))
    if kind == "add":
        if any(pair != ZERO for pair in p):
            steps.append(step("pad", padding=p, dims=count))
        return (*steps, step("sum_pool", k=k, stride=s, dilation=d, dims=count))
    if any(a.constant is not None and a.constant < 0 for pair in p for a in pair):
        low = tuple((minimum(a, 0), minimum(b, 0)) for a, b in p)
        steps.append(step("pad", padding=low, dims=count))
        p = tuple((maximum(a, 0), maximum(b, 0)) for a, b in p)
    return (*steps, step("max_pool", k=k, stride=s, padding=p, dilation=d, dims=count))


def _kind(init_value: Any, computation: Any) -> str:
    if not isinstance(computation, Name) or computation.name.rsplit(".", 1)[-1] not in (
        "add",
        "max",
    ):
        raise WrongInput(
            f"computation = {show(computation)}: only lax.add and lax.max are understood; "
            "give one of them"
        )
    kind = computation.name.rsplit(".", 1)[-1]
    if kind == "add" and not (isinstance(init_value, int) and init_value == 0):
        raise WrongInput(
            f"init_value = {show(init_value)} with lax.add: sums are understood from 0 only "
            "(padding would add the value once more for each position); give 0."
        )
    if kind == "max" and not _minus_infinity(init_value):
        raise WrongInput(
            f"init_value = {show(init_value)} with lax.max: maxima are understood from minus infinity "
            "only; give -jnp.inf"
        )
    return kind


def _minus_infinity(value: Any) -> bool:
    if not isinstance(value, Sum) or value.sign != "-" or value.left != 0:
        return False
    return isinstance(value.right, Name) and value.right.name.rsplit(".", 1)[-1] in INFINITY


@call("JAX", "linen.max_pool", dims=(2, 1, 3), tensors=("inputs",), count=count_of("window_shape"))
def max_pool(
    dims: int, inputs: Any, window_shape: Any, strides: Any = None, padding: Any = "VALID"
) -> Layer:
    """``flax.linen.max_pool``: (N, …, C), stride 1 by default, padding with minus infinity."""
    k = each(window_shape, dims, "window_shape", says=POSITIVE)
    s = each(strides, dims, "strides", says=POSITIVE)
    return _pool_layer(
        dims, k, s, padding, lambda p: window_steps("max", k, s, p, ones(dims), ones(dims))
    )


@call("JAX", "linen.avg_pool", dims=(2, 1, 3), tensors=("inputs",), count=count_of("window_shape"))
def avg_pool(
    dims: int,
    inputs: Any,
    window_shape: Any,
    strides: Any = None,
    padding: Any = "VALID",
    count_include_pad: Any = True,
) -> Layer:
    """``flax.linen.avg_pool``: (N, …, C), stride 1 by default."""
    k = each(window_shape, dims, "window_shape", says=POSITIVE)
    s = each(strides, dims, "strides", says=POSITIVE)

    def steps(p: tuple[tuple[Expr, Expr], ...]) -> tuple[Step, ...]:
        inside = bool(count_include_pad)
        return (step("avg_pool", k=k, stride=s, padding=p, count_include_pad=inside, dims=dims),)

    return _pool_layer(dims, k, s, padding, steps)


def ones(dims: int) -> tuple[Expr, ...]:
    """A one for each axis."""
    return (lift(1),) * dims


def _pool_layer(
    dims: int, k: tuple[Expr, ...], s: tuple[Expr, ...], padding: Any, steps: Any
) -> Layer:
    if isinstance(padding, str):
        amounts(padding, *(ones(dims),) * 4)
    else:
        pairs_of(padding, dims)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        return Plan(steps(amounts(padding, x[1:], k, s, ones(dims))))

    return Layer(dims, f"N{SPATIAL[dims]}C", plan)
