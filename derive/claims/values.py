"""What the expressions of a claim stand for: operators, numbers, counts, and statements about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from derive.decide.solver import Law
from derive.expr import Cond, Expr
from derive.form import Form, Ratio
from derive.operators import permute

AXES = "NOCIMSTDHW"  # the canonical order: batch, channels, then spatial axes


@dataclass(frozen=True)
class Pool:
    """A max pooling among other operators: its output counts as a tensor ``name`` of its own.

    ``operand`` speaks of the tensors and of the outputs of the poolings before it; ``windows`` has
    (length, stride, dilation, padding in front) for each of the last axes.
    """

    name: str
    operand: Form
    shape: tuple[Expr, ...]
    windows: tuple[tuple[Expr, Expr, Expr, Expr], ...]


@dataclass(frozen=True)
class Op:
    """An operator applied to tensors.

    ``form`` is linear (a max pooling with an unknown selection).  ``relation`` says which inputs an
    output of compositions of max pools and rearrangements reads: two such compositions are equal
    for all inputs iff they read the same; None where that reading makes no sense.  ``selects`` is
    true when a max pooling takes part; then ``cut`` is the form with a tensor in the place of each
    max pooling's output (see :class:`Pool`).  ``taps`` is true when the selections themselves take
    part, as in the gradient of a max pooling; there is no ``cut`` then.

    ``axes`` has a letter for each axis where a framework's call says which is which (``"NHWC"``,
    kernels ``"OIHW"``), and is empty otherwise.  ``shape_only`` says why only the shape is known.
    """

    form: Form
    relation: Form | None = None
    selects: bool = False
    cut: Form | None = None
    taps: bool = False
    axes: str = ""
    shape_only: str = ""

    @property
    def values(self) -> Form | None:
        """The form in which maxima are values: itself where none takes part."""
        if self.taps:
            return None
        return self.cut if self.selects else self.form


def mapped(f: Op, change: Callable[[Form], Form], axes: str = "") -> Op:
    """The operator with the same change made to its form and to its other readings."""
    return replace(
        f,
        form=change(f.form),
        relation=None if f.relation is None else change(f.relation),
        cut=None if f.cut is None else change(f.cut),
        axes=axes,
    )


def turned(f: Op, wanted: str) -> Op:
    """The operator with its axes in another order."""
    if f.axes == wanted:
        return f
    order = tuple(f.axes.index(a) for a in wanted)
    return mapped(f, lambda form: once(permute(form, order)), wanted)


def once(form: Form) -> Form:
    """Two reorderings of axes as one, or as none where the second undoes the first.

    >>> from derive.form import tensor
    >>> x = tensor("x", 2, 3, 5)
    >>> once(permute(permute(x, (1, 2, 0)), (2, 0, 1))).call.operator
    'tensor'
    """
    outer = _order(form)
    inner = None if outer is None else _order(outer[0])
    if outer is None or inner is None:
        return form
    x, order = inner[0], tuple(inner[1][a] for a in outer[1])
    made = x if order == tuple(range(x.rank)) else permute(x, order)
    return made.requiring(*form.requires)


def _order(form: Form) -> tuple[Form, tuple[int, ...]] | None:
    """What a form reorders, and how; None where it is no reordering."""
    call = form.call
    if call is None or call.operator != "permute":
        return None
    order: Any = dict(call.parameters)["order"]
    return call.operands[0], tuple(order)


def canonical(f: Op) -> Op:
    """The operator with its axes in the order in which our own operators take them."""
    if not set(f.axes) <= set(AXES):  # of these only the order is known
        return replace(f, axes="")
    return turned(f, "".join(sorted(f.axes, key=AXES.index)))


def aligned(parts: tuple[Op, ...]) -> tuple[Op, ...]:
    """Operators with the same axes, in the order of the first whose axes are known."""
    axes = next((f.axes for f in parts if f.axes), "")
    return tuple(turned(f, axes) if sorted(f.axes) == sorted(axes) else f for f in parts)


def combined(make: Callable[..., Form], *parts: Op) -> Op:
    """The operator that ``make`` makes of forms, made of those with the maxima cut out as well."""
    parts = aligned(parts)
    axes = next((f.axes for f in parts if f.axes), "")
    selects, taps = any(o.selects for o in parts), any(o.taps for o in parts)
    cuts = [o.values for o in parts]
    cut = make(*cuts) if selects and all(c is not None for c in cuts) else None
    form = make(*(o.form for o in parts))
    shape_only = next((o.shape_only for o in parts if o.shape_only), "")
    axes = axes if form.rank == len(axes) else ""
    return Op(form, None, selects, cut, taps, axes, shape_only)


@dataclass(frozen=True)
class Count:
    """A number at every output position, such as how many contributions meet there."""

    form: Form  # without reads: the coefficient at an output index is the number
    of: Form | None = None  # the operator whose contributions are counted


@dataclass(frozen=True)
class Same:
    """Two operators are the same."""

    left: Form
    right: Form
    free_taps: bool = False  # poolings select apart from each other: only a proof is evidence
    reads_only: bool = False  # compare what is read (max, +), not how often
    laws: tuple[Law, ...] = ()  # for every selection that meets these
    values: tuple[Form, Form] | None = None  # both sides with the maxima as tensors of their own
    pools: tuple[Pool, ...] = ()  # these maxima, inner ones first


@dataclass(frozen=True)
class About:
    """A statement about sizes."""

    cond: Cond


@dataclass(frozen=True)
class Everywhere:
    """A comparison that holds at every output position of a count."""

    count: Form
    comparison: str
    bound: Expr
    laws: tuple[Law, ...] = ()
    of: Form | None = None  # the operator whose contributions are counted


@dataclass(frozen=True)
class Exists:
    """There are tensors ``names`` (fixed kernels, independent of ``x``) that make two operators the
    same, for every value of the other tensors and every selection.
    """

    names: tuple[str, ...]
    left: Form
    right: Form
    laws: tuple[Law, ...] = ()


@dataclass(frozen=True)
class Both:
    """Several statements at once."""

    parts: tuple[Statement, ...]


@dataclass(frozen=True)
class Negation:
    """The statement is false for all sizes that the hypotheses allow (two operators never agree)."""

    part: Statement


Statement: TypeAlias = Same | About | Everywhere | Exists | Both | Negation
Value: TypeAlias = "Op | Count | Expr | Ratio | Statement | str | bool | tuple[Value, ...] | None"
