"""What the expressions of a claim stand for: operators, numbers, counts, and statements about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from derive.decide.solver import Law
from derive.expr import Cond, Expr
from derive.form import Form, Ratio


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
    """

    form: Form
    relation: Form | None = None
    selects: bool = False
    cut: Form | None = None
    taps: bool = False

    @property
    def values(self) -> Form | None:
        """The form in which maxima are values: itself where none takes part."""
        if self.taps:
            return None
        return self.cut if self.selects else self.form


def combined(make: Callable[..., Form], *parts: Op) -> Op:
    """The operator that ``make`` makes of forms, made of those with the maxima cut out as well."""
    selects, taps = any(o.selects for o in parts), any(o.taps for o in parts)
    cuts = [o.values for o in parts]
    cut = make(*cuts) if selects and all(c is not None for c in cuts) else None
    return Op(make(*(o.form for o in parts)), selects=selects, cut=cut, taps=taps)


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
