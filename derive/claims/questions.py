"""What a claim asks about operators: gradients, shapes, counts, coverage, concatenation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from derive.claims.names import Names
from derive.claims.values import Count, Everywhere, Op, combined, turned
from derive.errors import CannotBe, WrongInput
from derive.expr import FALSE, Expr, all_of, eq, lift
from derive.form import Form, Ratio, Value, build, constant, vjp
from derive.operators.pool import selected
from derive.operators.registry import positive_axes


def _vjp(names: Names, f: Op, wrt: Op, g: Op | None = None) -> Op:
    """The gradient of ``⟨g, f⟩`` with respect to the tensor ``wrt`` (the VJP, the transpose)."""
    call = wrt.form.call
    if call is None or call.operator != "tensor":
        raise WrongInput("vjp: the second operand is the tensor to differentiate by; name one")
    name = str(dict(call.parameters)["name"])
    if f.selects and f.form.shape and f.relation is None and not _linear(f.form, name):
        raise CannotBe(f"vjp: the operator is not linear in {name!r}")
    if g is None:
        g = Op(names.tensor("g"), axes=names.axes.get("g", ""))
    if sorted(g.axes) == sorted(f.axes):
        g = turned(g, f.axes)
    # the gradient of a max pooling speaks of its selection, not of the maximum
    taps = f.selects or f.taps or g.selects or g.taps
    return Op(vjp(f.form, name, _cotangent(f.form, g.form)), taps=taps, axes=wrt.axes)


def _cotangent(f: Form, g: Form) -> Form:
    """The incoming gradient with the shape of the output as it is written there.

    Two formulas can be the same length; that they are becomes a requirement.
    """
    if g.shape == f.shape or g.rank != f.rank:
        return g
    same = tuple(eq(a, b) for a, b in zip(g.shape, f.shape, strict=True))
    return g if all_of(*same) == FALSE else build(f.shape, lambda *i: g[i], same)


def _mask(names: Names, f: Op) -> Op:
    """Ones where the windows of a max pooling, laid side by side, hold their maximum.

    Position ``j`` of an axis is 1 where window ``j // k`` selects the tap ``j % k``.
    """
    call = f.form.call
    if call is None or call.operator != "max_pool":
        raise WrongInput("mask: the operand is a max pooling; write mask(max_pool(x, k))")
    given = dict(call.parameters)
    dims: Any = given.get("dims")
    count: int = f.form.rank if dims is None else dims
    name, lead = str(given.get("selection", "σ")), f.form.rank - count
    k = positive_axes(cast(Any, given["k"]), count, "kernel length")
    shape = (*f.form.shape[:lead], *(a * m for a, m in zip(k, f.form.shape[lead:], strict=True)))

    def body(*j: Expr) -> Value:
        window = (*j[:lead], *(b // a for a, b in zip(k, j[lead:], strict=True)))
        taps = selected(name, count, window)
        held = (eq(t, b % a) for t, a, b in zip(taps, k, j[lead:], strict=True))
        return constant(1).where(*held)

    return Op(build(shape, body, f.form.requires), taps=True)


def _linear(form: Form, name: str) -> bool:
    return all(sum(r.tensor == name for r in t.reads) <= 1 for t in form.terms)


def _shape(names: Names, f: Op) -> tuple[Expr, ...]:
    """The output shape; ``shape(f)[0]`` is one length of it."""
    names.requires += f.form.requires
    return f.form.shape


def _length(names: Names, f: Op, axis: Expr | None = None) -> Expr:
    """The length of the output, or of one axis of it."""
    names.requires += f.form.requires
    at = -1 if axis is None else int(axis)
    if not -f.form.rank <= at < f.form.rank:
        raise WrongInput(
            f"length: axis {at} of an operator with {f.form.rank} axes; name one of them"
        )
    if axis is None and f.form.rank != 1:
        raise WrongInput(f"length: the output has {f.form.rank} axes; name one: length(f, 0)")
    return f.form.shape[at]


def _counted(f: Op, *tensors: Op) -> Form:
    """How many products of reads each output position adds up (or only those of given tensors)."""
    form = f.relation if f.selects and f.relation is not None else f.form

    def body(*i: Expr) -> Value:
        value = form[i]
        return Value(
            tuple(replace(t, coefficient=Ratio(), reads=()) for t in value.terms),
            (),
            value.requires,
        )

    return build(form.shape, body)


def _overlap(names: Names, f: Op) -> Count:
    """How many contributions meet at an output position: ``overlap(f) <= 2`` says it of all."""
    return Count(_counted(f), f.form)


def _entries(names: Names, f: Op) -> Count:
    """How many entries of the Jacobian are not zero in the row of an output."""
    return Count(_counted(Op(f.form)), f.form)


def _covered(names: Names, f: Op) -> Everywhere:
    """Does every output position get at least one contribution?"""
    return Everywhere(_counted(f), ">=", lift(1), names.known(), f.form)


def _disjoint(names: Names, f: Op) -> Everywhere:
    """Does no output position get more than one contribution?"""
    return Everywhere(_counted(f), "<=", lift(1), names.known(), f.form)


def _concat(names: Names, *parts: Op, axis: Expr = lift(0)) -> Op:
    """Operators side by side along an axis (0, the channels, by default)."""
    rank = parts[0].form.rank if parts else 0
    if not parts or any(p.form.rank != rank for p in parts):
        raise WrongInput("concat: operators with the same number of axes were expected")
    at = int(axis)
    if not -rank <= at < rank:
        raise WrongInput(f"concat: axis = {at}: the operators have {rank} axes; name one of them")
    return combined(lambda *forms: _concatenated(forms, at % rank), *parts)


def _concatenated(forms: Sequence[Form], at: int) -> Form:
    first = forms[0]
    same = []
    for f in forms[1:]:
        for j, (a, b) in enumerate(zip(f.shape, first.shape, strict=True)):
            same += [eq(a, b)] if j != at else []
    if all_of(*same) == FALSE:
        shown = " and ".join(f"({', '.join(map(str, f.shape))})" for f in forms)
        raise CannotBe(
            f"concat: the shapes {shown} differ in an axis that is not concatenated (axis {at} is); "
            "crop or pad first"
        )
    starts = [lift(0)]
    for f in forms:
        starts.append(starts[-1] + f.shape[at])
    shape = (*first.shape[:at], starts[-1], *first.shape[at + 1 :])

    def body(*i: Expr) -> Value:
        value = constant(0)
        for f, start in zip(forms, starts, strict=False):
            value = value + f[(*i[:at], i[at] - start, *i[at + 1 :])]
        return value

    return build(shape, body, same).named("concat", *forms, axis=at)


QUESTIONS: dict[str, Callable[..., Any]] = {
    "vjp": _vjp,
    "grad": _vjp,
    "transpose": _vjp,
    "shape": _shape,
    "length": _length,
    "overlap": _overlap,
    "row_entries": _entries,
    "mask": _mask,
    "covered": _covered,
    "disjoint": _disjoint,
    "concat": _concat,
}
