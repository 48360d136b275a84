"""JAX: the convolutions of ``jax.lax``.

Sources: the documentation of ``jax.lax`` (0.10), and its ``lax/convolution.py`` where it is silent:
``SAME`` is XLA's for ``conv_general_dilated`` but another rule for ``conv_transpose``, whose pairs
pad the *zero-inserted* input unless ``use_consistent_padding`` is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from derive import shapes
from derive.dialects.calls import Call, show
from derive.dialects.layer import (
    SPATIAL,
    Layer,
    Operand,
    Plan,
    Requirement,
    Shape,
    Step,
    at_least,
    integer,
    ordered,
    step,
)
from derive.dialects.registry import call, count_of
from derive.errors import NotSupported, WrongInput
from derive.expr import FALSE, Expr, Integer, divides, eq, lift, maximum, minimum
from derive.form import Form
from derive.operators import flip
from derive.symbols import size

Pairs = tuple[tuple[Expr, Expr], ...]
NAMED = ("VALID", "SAME", "SAME_LOWER")


@dataclass(frozen=True)
class Numbers:
    """The order of the axes of the input, the kernel and the output, in the letters of a layer."""

    lhs: str
    rhs: str
    out: str


POSITIVE_WINDOW = "expects window to have positive stride"
POSITIVE_DILATION = "All dilations must be positive"
SAYS = {  # of a convolution, where lhs_dilation is that of the strides
    "window_strides": POSITIVE_WINDOW,
    "strides": POSITIVE_DILATION,
    "lhs_dilation": POSITIVE_DILATION,
    "rhs_dilation": POSITIVE_DILATION,
}
NO_GROUPS = "feature_group_count must be a positive integer"


def each(
    value: Any, dims: int, what: str, default: int = 1, says: str | None = None
) -> tuple[Expr, ...]:
    """One integer for each axis; JAX takes a sequence only.  None is the default for all."""
    if value is None:
        return (lift(default),) * dims
    if not isinstance(value, tuple):
        raise WrongInput(
            f"{what} = {show(value)}: JAX takes one number for each axis; "
            f"give ({', '.join([show(value)] * dims)}{',' if dims == 1 else ''})"
        )
    if len(value) != dims:
        raise WrongInput(
            f"{what} has {len(value)} values for {dims} axes; give one for each of the {dims}"
        )
    said = SAYS.get(what, "") if says is None else says
    return at_least(1, tuple(integer(v, what) for v in value), what, said)


def pairs_of(value: Any, dims: int, what: str = "padding") -> Pairs:
    """``(lo, hi)`` for each axis, as JAX takes them; negative amounts crop."""
    pairs = value if isinstance(value, tuple) else ()
    if len(pairs) != dims or not all(isinstance(p, tuple) and len(p) == 2 for p in pairs):
        raise WrongInput(
            f"{what} = {show(value)}: JAX takes {', '.join(map(repr, NAMED))} or a (low, high) pair "
            f"for each of the {dims} axes; give {(((0, 0),) * dims)!r} for none"
        )
    return tuple((integer(a, what), integer(b, what)) for a, b in pairs)


def amounts(
    padding: Any,
    n: tuple[Expr, ...],
    k: tuple[Expr, ...],
    s: tuple[Expr, ...],
    d: tuple[Expr, ...],
) -> Pairs:
    """The padding of a window operation: XLA's names (in any case) or pairs."""
    if not isinstance(padding, str):
        return pairs_of(padding, len(k))
    if padding.upper() not in NAMED:
        raise WrongInput(
            f"padding = {show(padding)}: JAX refuses it (Unrecognized padding type: expected 'VALID', "
            "'SAME', or 'SAME_LOWER'); give one of them or (low, high) pairs"
        )
    if padding.upper() == "VALID":
        return ((lift(0), lift(0)),) * len(k)
    same = [shapes.same_padding(*a) for a in zip(n, k, s, d, strict=True)]
    return tuple((b, a) if padding.upper() == "SAME_LOWER" else (a, b) for a, b in same)


def numbers(value: Any, dims: int, default: tuple[str, str, str]) -> Numbers:
    """``dimension_numbers``: three strings, or ``ConvDimensionNumbers`` with three permutations."""
    if value is None:
        return _letters(default, dims)
    if isinstance(value, Call):
        return _written(value, dims)
    if (
        not isinstance(value, tuple)
        or len(value) != 3
        or not all(isinstance(v, str) for v in value)
    ):
        raise WrongInput(
            f"dimension_numbers = {show(value)}: three texts were expected, for the input, the kernel "
            "and the output; give e.g. ('NHWC', 'HWIO', 'NHWC')"
        )
    for spec, pair in zip(value, ("NC", "OI", "NC"), strict=True):
        if len(spec) != dims + 2 or len(set(spec)) != len(spec) or not set(pair) <= set(spec):
            raise WrongInput(
                f"dimension_numbers = {show(value)}: {spec!r} needs {dims + 2} different letters, "
                f"among them {pair[0]} and {pair[1]}; give e.g. ('NHWC', 'HWIO', 'NHWC')"
            )
    lhs, rhs, out = (
        frozenset(s) - frozenset(p) for s, p in zip(value, ("NC", "OI", "NC"), strict=True)
    )
    if not lhs == rhs == out:
        raise WrongInput(
            f"dimension_numbers = {show(value)}: the three have different spatial letters; "
            "use the same ones in each"
        )
    return _letters(value, dims)


def _letters(specs: tuple[str, str, str], dims: int) -> Numbers:
    """JAX counts the spatial axes in the order of the kernel's letters."""
    spatial = [a for a in specs[1] if a not in "OI"]
    names = dict(zip(spatial, SPATIAL[dims], strict=True))
    kernel = "".join(a if a in "OI" else names[a] for a in specs[1])
    lhs, out = ("".join(a if a in "NC" else names[a] for a in specs[i]) for i in (0, 2))
    return Numbers(lhs, kernel, out)


def _written(value: Call, dims: int) -> Numbers:
    last = value.name.rsplit(".", 1)[-1]
    given = (*value.arguments, *(v for _, v in value.keywords))
    if last == "conv_dimension_numbers" and len(given) == 3:
        return numbers(given[2], dims, ("", "", ""))
    orders = [
        g
        for g in given
        if isinstance(g, tuple) and sorted(map(str, g)) == [*map(str, range(dims + 2))]
    ]
    if last != "ConvDimensionNumbers" or len(given) != 3 or len(orders) != 3:
        raise WrongInput(
            f"dimension_numbers = {value}: ConvDimensionNumbers(lhs_spec, rhs_spec, out_spec) with "
            f"three orders of 0…{dims + 1} was expected; give those or three texts"
        )
    found = []
    for order, pair in zip(orders, ("NC", "OI", "NC"), strict=True):
        at = {int(p): letter for p, letter in zip(order, pair + SPATIAL[dims], strict=True)}  # type: ignore[arg-type]
        found.append("".join(at[i] for i in range(dims + 2)))
    return Numbers(*found)


def channels_first(dims: int) -> tuple[str, str, str]:
    """The default of ``conv_general_dilated``."""
    s = SPATIAL[dims]
    return ("NC" + s, "OI" + s, "NC" + s)


def channels_last(dims: int) -> tuple[str, str, str]:
    """The default of ``conv_transpose``."""
    s = SPATIAL[dims]
    return (f"N{s}C", f"{s}IO", f"N{s}C")


def kernel_shape(given: Mapping[str, Shape], name: str, axes: str, read: Expr) -> Shape:
    """The kernel's shape as given, or sizes with the letters' names where it is not."""
    if name in given:
        if len(given[name]) != len(axes):
            raise WrongInput(
                f"{name} has {len(given[name])} axes; give {len(axes)}, in the order {axes}"
            )
        return given[name]
    return tuple(read if a == "I" else size("o" if a == "O" else f"k{a.lower()}") for a in axes)


def channels_fit(c: Expr, per_group: Expr, out: Expr, groups: Expr) -> tuple[Requirement, ...]:
    """What JAX demands of the channel counts."""
    says = (
        "feature_group_count must divide lhs feature dimension size"
        if divides(groups, c) == FALSE
        else "lhs feature dimension size divided by feature_group_count must equal the rhs input "
        "feature dimension size"
    )
    return (
        Requirement(
            eq(c, groups * per_group),
            f"the input has {c} channels but the kernel reads {per_group} for each of "
            f"feature_group_count = {groups} groups (JAX: {says}); give {groups * per_group} channels",
        ),
        Requirement(
            divides(groups, out),
            f"the kernel has {out} output channels and feature_group_count = {groups} (JAX: rhs output "
            "feature dimension size must be a multiple of feature_group_count); choose a multiple",
        ),
    )


def correlation(
    order: Numbers,
    kernel: Shape,
    s: tuple[Expr, ...],
    p: Pairs,
    e: tuple[Expr, ...],
    d: tuple[Expr, ...],
    groups: Integer = 1,
) -> tuple[Step, Operand]:
    """The step and the operand of a convolution whose kernel is laid out as ``order`` says."""
    wanted = "OI" + "".join(a for a in order.rhs if a not in "OI")

    def canonical(w: Form) -> Form:
        return ordered(w, order.rhs, wanted)

    made = step(
        "correlate",
        weight="rhs",
        stride=s,
        padding=p,
        dilation=d,
        base_dilation=e,
        groups=groups,
        dims=len(s),
    )
    return made, Operand("rhs", order.rhs, kernel, canonical)


@call(
    "JAX",
    "lax.conv_general_dilated",
    dims=(2, 1, 3),
    tensors=("lhs", "rhs"),
    count=count_of("window_strides"),
)
def conv_general_dilated(
    dims: int,
    lhs: Any,
    rhs: Any,
    window_strides: Any,
    padding: Any,
    lhs_dilation: Any = None,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    feature_group_count: Any = 1,
    batch_group_count: Any = 1,
    precision: Any = None,
    preferred_element_type: Any = None,
    out_sharding: Any = None,
) -> Layer:
    """``jax.lax.conv_general_dilated``: correlation, (N, C, …) and (O, I, …) by default."""
    s, d = each(window_strides, dims, "window_strides"), each(rhs_dilation, dims, "rhs_dilation")
    e = each(lhs_dilation, dims, "lhs_dilation")
    groups = (integer(feature_group_count, "feature_group_count"),)
    g = at_least(1, groups, "feature_group_count", NO_GROUPS)[0]
    if integer(batch_group_count, "batch_group_count") != 1:
        raise NotSupported(
            f"lax.conv_general_dilated: batch_group_count = {batch_group_count}: only 1 is "
            "understood; split the batch and call it for each part"
        )
    if isinstance(padding, str) and any(a != 1 for a in e):
        raise WrongInput(
            f"padding = {show(padding)} with lhs_dilation: JAX refuses it (String padding is not "
            "implemented for transposed convolution using this op); give (low, high) pairs, or use "
            "lax.conv_transpose"
        )
    if not isinstance(padding, str):
        pairs_of(padding, dims)
    order = numbers(dimension_numbers, dims, channels_first(dims))

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = kernel_shape(given, "rhs", order.rhs, x[0] // g)
        size_of = dict(zip(order.rhs, kernel, strict=True))
        k = tuple(size_of[a] for a in order.rhs if a not in "OI")
        p = amounts(padding, x[1:], k, s, d)
        made, operand = correlation(order, kernel, s, p, e, d, g)
        return Plan((made,), (operand,), channels_fit(x[0], size_of["I"], size_of["O"], g))

    amounts(padding, *((lift(1),) * dims,) * 4) if isinstance(padding, str) else None
    return Layer(dims, order.lhs, plan, order.out, tensors=("rhs",))


@call("JAX", "lax.conv", dims=(2, 1, 3), tensors=("lhs", "rhs"), count=count_of("window_strides"))
def conv(
    dims: int,
    lhs: Any,
    rhs: Any,
    window_strides: Any,
    padding: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Layer:
    """``jax.lax.conv``: correlation with a named padding, (N, C, …) and (O, I, …)."""
    return conv_general_dilated(dims, lhs, rhs, window_strides, padding)


@call(
    "JAX",
    "lax.conv_with_general_padding",
    dims=(2, 1, 3),
    tensors=("lhs", "rhs"),
    count=count_of("window_strides"),
)
def conv_with_general_padding(
    dims: int,
    lhs: Any,
    rhs: Any,
    window_strides: Any,
    padding: Any,
    lhs_dilation: Any,
    rhs_dilation: Any,
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Layer:
    """``jax.lax.conv_with_general_padding``: as ``conv_general_dilated``, both dilations given."""
    return conv_general_dilated(dims, lhs, rhs, window_strides, padding, lhs_dilation, rhs_dilation)


@call(
    "JAX",
    "lax.conv_transpose",
    dims=(2, 1, 3),
    tensors=("lhs", "rhs"),
    count=count_of("strides"),
)
def conv_transpose(
    dims: int,
    lhs: Any,
    rhs: Any,
    strides: Any,
    padding: Any,
    rhs_dilation: Any = None,
    dimension_numbers: Any = None,
    transpose_kernel: Any = False,
    precision: Any = None,
    preferred_element_type: Any = None,
    use_consistent_padding: Any = False,
) -> Layer:
    """``jax.lax.conv_transpose``: zero insertion, padding, correlation *without* a flip.

    With ``transpose_kernel`` the kernel is flipped and its channel axes change places, which gives
    the gradient of a convolution.
    """
    s, d = each(strides, dims, "strides"), each(rhs_dilation, dims, "rhs_dilation")
    order = numbers(dimension_numbers, dims, channels_last(dims))
    if not isinstance(padding, str):
        pairs_of(padding, dims)
    one = (lift(1),) * dims
    transpose_amounts(padding, one, s, d, one, bool(use_consistent_padding))
    if transpose_kernel:
        swap = {"O": "I", "I": "O"}
        axes = "".join(swap.get(a, a) for a in order.rhs)
        order = Numbers(order.lhs, axes, order.out)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = kernel_shape(given, "rhs", order.rhs, x[0])
        size_of = dict(zip(order.rhs, kernel, strict=True))
        k = tuple(size_of[a] for a in order.rhs if a not in "OI")
        p = transpose_amounts(padding, k, s, d, x[1:], bool(use_consistent_padding))
        made, operand = correlation(order, kernel, one, p, s, d)
        if transpose_kernel:
            operand = flipped(operand, dims)
        return Plan((made,), (operand,), channels_fit(x[0], size_of["I"], size_of["O"], lift(1)))

    return Layer(dims, order.lhs, plan, order.out, tensors=("rhs",))


def flipped(operand: Operand, dims: int) -> Operand:
    """The operand with its spatial axes reversed."""
    return Operand(
        operand.name,
        operand.axes,
        operand.shape,
        lambda w: flip(operand.canonical(w), dims=dims),
    )


def transpose_amounts(
    padding: Any,
    k: tuple[Expr, ...],
    s: tuple[Expr, ...],
    d: tuple[Expr, ...],
    n: tuple[Expr, ...],
    consistent: bool,
) -> Pairs:
    """The padding of the zero-inserted input that ``conv_transpose`` takes.

    With ``K = d(k-1) + 1``: SAME pads ``K + s - 2`` in all, so that the length becomes ``s·n``, and
    ``min(K - 1, ⌈(K + s - 2)/2⌉)`` of it in front; VALID pads ``K - 1`` in front and
    ``max(K, s) - 1`` behind; pairs are those of the zero-inserted input, or with ``consistent`` of
    the convolution that is transposed.
    """
    full = [shapes.effective_length(ki, di) for ki, di in zip(k, d, strict=True)]
    if padding == "SAME":
        front = [minimum(K - 1, (K + si - 1) // 2) for K, si in zip(full, s, strict=True)]
        return tuple((a, K + si - 2 - a) for a, K, si in zip(front, full, s, strict=True))
    if padding == "VALID":
        return tuple((K - 1, maximum(K, si) - 1) for K, si in zip(full, s, strict=True))
    if consistent and isinstance(padding, str):
        raise WrongInput(
            f"padding = {show(padding)} with use_consistent_padding: JAX refuses it (Invalid padding "
            "mode); give 'SAME', 'VALID' or (low, high) pairs"
        )
    if isinstance(padding, str):
        if any(a != 1 for a in s):
            raise WrongInput(
                f"padding = {show(padding)}: lax.conv_transpose knows 'SAME' and 'VALID' (String padding is "
                "not implemented for transposed convolution); give one of them or (low, high) pairs"
            )
        return amounts(padding, n, k, s, d)
    given = pairs_of(padding, len(k))
    if not consistent:
        return given
    return tuple((K - 1 - a, K - 1 - b) for K, (a, b) in zip(full, given, strict=True))
