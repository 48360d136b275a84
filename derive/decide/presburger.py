"""Presburger arithmetic (ISL): the exact set of sizes at which a statement is true.

Once every size that multiplies another one (a stride, a dilation) has a fixed number, conditions on
sizes and indices are linear with floor quotients by numbers, and sets of integers given by such
conditions can be projected and complemented exactly.  "The two operators are equal" is then a set
of the remaining sizes: the complement of the projection of "there is an index tuple at which the
coefficients differ".  It is computed without a guess, and read back as a condition.

>>> from derive.symbols import offset, size
>>> from derive.form import tensor
>>> from derive.operators import pad
>>> x, a, b = tensor("x", size("n")), offset("a"), offset("b")
>>> twice, once = pad(pad(x, (a, 0)), (b, 0)), pad(x, (a + b, 0))
>>> print(exact_condition(twice, once))
a >= 0 or b <= 0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import lcm
from typing import Any

import islpy as isl

from derive.decide.equality import check_tensors, counterexample_at, grouped
from derive.decide.integer_sets import Space, expr_of, needs_numbers, simplest, smallest_point
from derive.decide.normal import Cell, cells
from derive.decide.verdict import Counterexample, Proved, Refuted, Undecided, Verdict
from derive.errors import CannotBe, NotSupported, WrongInput
from derive.evaluation import holds
from derive.expr import (
    FALSE,
    TRUE,
    Atom,
    Cond,
    Expr,
    Sym,
    all_of,
    cond_symbols,
    conjuncts,
    eq,
    expressions,
    lift,
    subst_cond,
)
from derive.form import Form, Ratio

CASES = 64
"""A factor of a product that takes at most this many values is written out case by case."""

Fixed = Mapping[str, int]


# -- sizes that are fixed ------------------------------------------------------------------------


def at_fixed(form: Form, fixed: Fixed) -> Form:
    """The same form with numbers in the place of some sizes.

    >>> from derive.symbols import sizes
    >>> from derive.form import tensor
    >>> from derive.operators import nearest_upsample
    >>> n, s = sizes("n s")
    >>> print(at_fixed(nearest_upsample(tensor("x", n), s), {"s": 3}).shape[0])
    3*n
    """
    values = _values(form_symbols(form), fixed)

    def put(shape: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return tuple(e.subst(values) for e in shape)

    requires = all_of(*(subst_cond(c, values) for c in form.requires))
    terms = []
    for t in form.terms:
        u = t.subst(values)
        where = all_of(*u.where)
        if where != FALSE:
            terms.append(replace(u, where=() if where == TRUE else conjuncts(where)))
    return Form(
        put(form.shape),
        form.index,
        tuple(terms),
        tuple((name, put(shape)) for name, shape in form.tensors),
        () if requires == TRUE else conjuncts(requires),
    )


def form_symbols(form: Form) -> frozenset[Sym]:
    """The sizes that a form speaks of (its indices left out)."""
    found: set[Sym] = set()
    inner: set[Sym] = set(form.index)
    shapes = [form.shape, *(shape for _, shape in form.tensors)]
    for shape in shapes:
        for e in shape:
            found |= e.symbols()
    for c in form.requires:
        found |= cond_symbols(c)
    for t in form.terms:
        inner |= {b for b, _ in t.bound}
        spoken = [t.coefficient.num, t.coefficient.den, *(n for _, n in t.bound)]
        spoken += [e for r in t.reads for e in r.at]
        spoken += [e for c in t.where for e in expressions(c)]
        for e in spoken:
            found |= e.symbols()
    return frozenset(found - inner)


def _values(symbols: Iterable[Sym], fixed: Fixed) -> dict[Sym, Expr]:
    values: dict[Sym, Expr] = {}
    for s in symbols:
        if s.name in fixed:
            if s.minimum is not None and fixed[s.name] < s.minimum:
                raise WrongInput(
                    f"fixing {s.name} = {fixed[s.name]}: it is at least {s.minimum}; "
                    "give a value that its hypothesis allows"
                )
            values[s] = lift(fixed[s.name])
    return values


def _fix(conds: Iterable[Cond], fixed: Fixed) -> Cond:
    both = all_of(*conds)
    return subst_cond(both, _values(cond_symbols(both), fixed))


def _ordered(symbols: Iterable[Sym]) -> tuple[Sym, ...]:
    found: dict[str, Sym] = {}
    for s in symbols:
        if found.setdefault(s.name, s) != s:
            raise WrongInput(
                f"the symbol {s.name!r} was made twice with different hypotheses; "
                "make it once and use it on both sides"
            )
    return tuple(found[name] for name in sorted(found))


# -- where two forms are equal ---------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """Sets of sizes: where the hypotheses hold, where in addition both sides are defined, and where
    in addition they are equal.
    """

    space: Space
    allowed: Any
    defined: Any
    equal: Any


def compare(
    left: Form,
    right: Form,
    hypotheses: Sequence[Cond] = (),
    fixed: Fixed | None = None,
    extra: Iterable[Sym] = (),
) -> Comparison:
    """The sets of sizes of :class:`Comparison`, with numbers for the ``fixed`` ones.

    The space has a coordinate for every size that is spoken of and for those in ``extra``.

    Raises :class:`derive.errors.NotSupported` when a size that is multiplied by another one has no
    number, and naming the sizes that need one.
    """
    numbers = fixed or {}
    check_tensors(left, right)
    a, b = at_fixed(left, numbers), at_fixed(right, numbers)
    assumed = _fix(hypotheses, numbers)
    spoken = {*form_symbols(a), *form_symbols(b), *cond_symbols(assumed), *extra}
    space = Space(_ordered(spoken))
    allowed = space.conds([assumed])
    defined = allowed.intersect(space.cond(all_of(*a.requires, *b.requires)))
    if a.rank != b.rank:
        return Comparison(space, allowed, defined, isl.Set.empty(space.isl))
    same = space.cond(all_of(*(eq(m, n) for m, n in zip(a.shape, b.shape, strict=True))))
    equal = defined.intersect(same)
    for ours, theirs in grouped(cells(a), cells(b)):
        equal = equal.subtract(_differs(space, equal, ours, theirs)).coalesce()
    return Comparison(space, allowed, defined, equal)


def _differs(space: Space, within: Any, ours: Sequence[Cell], theirs: Sequence[Cell]) -> Any:
    """The sizes in ``within`` at which some index tuple shows a difference of two sums of cells."""
    every = (*ours, *theirs)
    spoken = {s for c in every for s in cond_symbols(all_of(*c.where))}
    spoken |= {s for c in every for s in c.coefficient.num.symbols() | c.coefficient.den.symbols()}
    known = len(space.symbols)
    whole = Space((*space.symbols, *_ordered(spoken - set(space.symbols))))
    extra = len(whole.symbols) - known
    domain = within.insert_dims(isl.dim_type.set, known, extra)
    domain = domain.reset_space(whole.isl)
    if len(ours) == len(theirs) == 1 and ours[0].coefficient == theirs[0].coefficient:
        inside = [domain.intersect(whole.cond(all_of(*c.where))) for c in every]
        bad = inside[0].subtract(inside[1]).union(inside[1].subtract(inside[0]))
        num = ours[0].coefficient.num
        if num.constant is None:
            parts = _pieces(whole, bad, Cell(Ratio(num), (), ()))
            bad = _nonzero(whole, parts)
    else:
        parts = []
        for cell, sign in [*((c, 1) for c in ours), *((c, -1) for c in theirs)]:
            inside = domain.intersect(whole.cond(all_of(*cell.where)))
            parts += [(w, f, sign * c) for w, f, c in _pieces(whole, inside, cell)]
        bad = _nonzero(whole, parts)
    return bad.project_out(isl.dim_type.set, known, extra).reset_space(space.isl)


Piece = tuple[Any, Any, Fraction]


def _nonzero(space: Space, parts: Sequence[Piece]) -> Any:
    """Where the sum of ``c·f`` over the pieces ``(set, f, c)`` around a point is not zero."""
    scale = lcm(*(c.denominator for _, _, c in parts)) if parts else 1
    total = space.number(0)
    for where, f, c in parts:
        weight = isl.Val(int(c * scale))
        inside = f.scale_val(weight).intersect_domain(where)
        total = total.add(inside.union_add(space.number(0))).coalesce()
    return total.non_zero_set()


def _pieces(space: Space, where: Any, cell: Cell) -> list[Piece]:
    """A cell as pieces with a linear numerator and a constant denominator.

    Where the denominator is not a number, or the numerator has a product, a factor that takes few
    values is written out case by case.
    """
    if where.is_empty():
        return []
    num, den = cell.coefficient.num, cell.coefficient.den
    split = _split_on(space, where, num, den)
    if split is None:
        bottom = den.constant
        if not bottom:
            raise CannotBe(f"a coefficient {num} over 0: the operator is not defined there")
        return [(where, space.expr(num), Fraction(1, bottom))]
    factor, low, high = split
    found: list[Piece] = []
    for value in range(low, high + 1):
        here = where.intersect(space.cond(eq(factor, value)))

        def put(a: Atom, value: int = value) -> Expr | None:
            return lift(value) if expr_of(a) == factor else None

        ratio = Ratio(lift(value), lift(1)) if num == factor else Ratio(num.map(put))
        bottom_expr = lift(value) if den == factor else den.map(put)
        found += _pieces(space, here, Cell(Ratio(ratio.num, bottom_expr), (), ()))
    return found


def _split_on(space: Space, where: Any, num: Expr, den: Expr) -> tuple[Expr, int, int] | None:
    """The expression to write out case by case, and its range; None if none has to be."""
    products = [e for e in (num, den) if any(len(m) > 1 for m, _ in e.terms)]
    candidates: list[Expr] = []
    if den.constant is None and den not in products:
        candidates.append(den)
    for e in products:
        candidates += [expr_of(a) for m, _ in e.terms if len(m) > 1 for a in m]
    if not candidates:
        return None
    ranges = [(e, _range(space, where, e)) for e in dict.fromkeys(candidates)]
    bounded = [(r[1] - r[0], position, e, r) for position, (e, r) in enumerate(ranges) if r]
    if not bounded or min(bounded)[0] >= CASES:
        raise needs_numbers(products[0] if products else den)
    _, _, e, (low, high) = min(bounded)
    return e, low, high


def _range(space: Space, where: Any, e: Expr) -> tuple[int, int] | None:
    """The smallest and the largest value of an expression on a set, or None if unbounded."""
    try:
        image = isl.Map.from_pw_aff(space.expr(e)).intersect_domain(where).range()
    except NotSupported:
        return None
    low, high = image.dim_min_val(0), image.dim_max_val(0)
    if not (low.is_int() and high.is_int()):
        return None
    return int(low.to_python()), int(high.to_python())


def exact_condition(
    left: Form, right: Form, hypotheses: Sequence[Cond] = (), fixed: Fixed | None = None
) -> Cond:
    """The condition under which two forms are equal (in shape and in every coefficient).

    It is exact among the sizes that the hypotheses (and the minima of the symbols) allow and for
    which both operators are defined; what those say already is left out of it.  ``TRUE`` means
    that the two are always equal, ``FALSE`` never.

    Raises :class:`derive.errors.NotSupported` when more sizes need a number, and
    :class:`derive.errors.CannotBe` when no sizes are left at all.

    >>> from derive.symbols import sizes
    >>> from derive.form import tensor
    >>> from derive.operators import decimate, shift
    >>> n, s = sizes("n s")
    >>> x = tensor("x", n)
    >>> late = decimate(x, 2, start=1)
    >>> print(exact_condition(decimate(shift(x, -1), 2), late, (n >= 2,)))
    n % 2 == 0
    """
    c = compare(left, right, hypotheses, fixed)
    if c.defined.is_empty():
        raise _nothing_left(hypotheses)
    return simplest(c.equal, c.defined, c.space)


def _nothing_left(hypotheses: Sequence[Cond]) -> CannotBe:
    return CannotBe(
        f"assuming {all_of(*hypotheses)}: no sizes meet this and let both operators be defined; "
        "drop or mend a hypothesis"
    )


def is_exact_condition(
    left: Form,
    right: Form,
    condition: Cond,
    hypotheses: Sequence[Cond] = (),
    fixed: Fixed | None = None,
) -> bool:
    """Are two forms equal exactly where ``condition`` holds, with numbers for the ``fixed`` sizes?

    Asked of all sizes that the hypotheses allow and for which both operators are defined.

    >>> from derive.symbols import sizes
    >>> from derive.form import tensor
    >>> from derive.operators import decimate
    >>> n, s = sizes("n s")
    >>> x = tensor("x", n)
    >>> is_exact_condition(decimate(x, s), x, n <= 1, (), {"s": 3})
    True
    >>> is_exact_condition(decimate(x, s), x, n <= 2, (), {"s": 3})
    False
    """
    wanted = _fix([condition], fixed or {})
    c = compare(left, right, hypotheses, fixed, cond_symbols(wanted))
    if c.defined.is_empty():
        raise _nothing_left(hypotheses)
    return bool(c.defined.intersect(c.space.cond(wanted)).is_equal(c.equal))


def same_condition(
    a: Cond, b: Cond, hypotheses: Sequence[Cond] = (), fixed: Fixed | None = None
) -> bool:
    """Do two conditions say the same of all sizes that the hypotheses allow?

    >>> from derive.expr import divides
    >>> from derive.symbols import size
    >>> n = size("n")
    >>> same_condition(divides(2, n), divides(4, n)), same_condition(n >= 2, ~(n <= 1))
    (False, True)
    """
    numbers = fixed or {}
    first, second = _fix([a], numbers), _fix([b], numbers)
    assumed = _fix(hypotheses, numbers)
    spoken = {s for c in (first, second, assumed) for s in cond_symbols(c)}
    space = Space(_ordered(spoken))
    within = space.conds([assumed])
    if within.is_empty():
        raise CannotBe(
            f"comparing two conditions where {all_of(*hypotheses)}: no sizes meet this; "
            "drop or mend a hypothesis"
        )
    one, other = (within.intersect(space.cond(c)) for c in (first, second))
    return bool(one.is_equal(other))


def decide_fixed(
    left: Form, right: Form, hypotheses: Sequence[Cond] = (), fixed: Fixed | None = None
) -> Verdict:
    """Decide ``left == right`` for all sizes that the hypotheses allow, some of them numbers.

    A refutation carries the smallest counterexample (the smallest sum of absolute values), which is
    computed again from the definition.
    """
    numbers = dict(fixed or {})
    c = compare(left, right, hypotheses, numbers)
    if c.allowed.is_empty():
        raise CannotBe(
            f"assuming {all_of(*hypotheses)}: no sizes meet these hypotheses, so anything would "
            "follow; drop or mend one of them"
        )
    undefined = c.allowed.subtract(c.defined)
    if not undefined.is_empty():
        found = {**smallest_point(undefined, c.space), **numbers}
        failed = [r for r in (*left.requires, *right.requires) if not holds(r, found)]
        return Refuted(Counterexample("undefined", _items(found), requirement=failed[0]))
    bad = c.defined.subtract(c.equal)
    if bad.is_empty():
        return Proved("presburger")
    found = {**smallest_point(bad, c.space), **numbers}
    refuted = counterexample_at(left, right, dict(_items(found)))
    return refuted or Undecided(f"a difference at {found} that evaluation does not show")


def _items(found: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(found.items()))
