"""Presburger arithmetic (ISL): the exact set of sizes at which a statement is true.

Once every size that multiplies another one (a stride, a dilation) has a fixed number, conditions on
sizes and indices are linear with floor quotients by numbers, and sets of integers given by such
conditions can be projected and complemented exactly.  "The two operators are equal" is then a set
of the remaining sizes: the complement of the projection of "there is an index tuple at which the
coefficients differ".  It is computed without a guess, and read back as a condition.

>>> from derive.expr import offset, size
>>> from derive.form import tensor
>>> from derive.operators import pad
>>> x, a, b = tensor("x", size("n")), offset("a"), offset("b")
>>> twice, once = pad(pad(x, (a, 0)), (b, 0)), pad(x, (a + b, 0))
>>> print(exact_condition(twice, once))
a >= 0 or b <= 0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm
from typing import Any

import islpy as isl

from derive.decide.equality import check_tensors, counterexample_at, grouped
from derive.decide.normal import Cell, cells
from derive.decide.verdict import Counterexample, Proved, Refuted, Undecided, Verdict
from derive.errors import CannotBe, NotSupported, WrongInput
from derive.expr import (
    FALSE,
    TRUE,
    All,
    Any_,
    Apply,
    Atom,
    Cond,
    Div,
    Eq,
    Expr,
    Ge,
    Max,
    Not,
    Sym,
    all_of,
    any_of,
    cond_symbols,
    conjuncts,
    divides,
    eq,
    expressions,
    holds,
    lift,
    negate,
    subst_cond,
)
from derive.form import Form, Ratio

CASES = 64
"""A factor of a product that takes at most this many values is written out case by case."""

Fixed = Mapping[str, int]


# -- conditions as sets --------------------------------------------------------------------------


@dataclass(frozen=True)
class Space:
    """Integer points with one coordinate for each symbol, in this order."""

    symbols: tuple[Sym, ...]

    @cached_property
    def isl(self) -> Any:
        """The ISL space."""
        names = [f"v{position}" for position in range(len(self.symbols))]
        return isl.Space.create_from_names(isl.DEFAULT_CONTEXT, set=names)

    @cached_property
    def everything(self) -> Any:
        """The set of all points."""
        return isl.Set.universe(self.isl)

    @cached_property
    def position(self) -> Mapping[str, int]:
        """The coordinate of each symbol."""
        return {s.name: i for i, s in enumerate(self.symbols)}

    def number(self, value: int) -> Any:
        """A constant as a piecewise quasi-affine function."""
        zero = isl.Aff.zero_on_domain(isl.LocalSpace.from_space(self.isl))
        return isl.PwAff.from_aff(zero.set_constant_val(isl.Val(value)))

    def expr(self, e: Expr) -> Any:
        """An expression as a piecewise quasi-affine function.

        Raises :class:`derive.errors.NotSupported` for a product of symbols and for an unknown
        function.
        """
        total = self.number(0)
        for monomial, c in e.terms:
            if len(monomial) > 1:
                raise _needs_numbers(e)
            part = self.atom(monomial[0]).scale_val(isl.Val(c)) if monomial else self.number(c)
            total = total.add(part)
        return total

    def atom(self, a: Atom) -> Any:
        """An atom as a piecewise quasi-affine function."""
        match a:
            case Sym(name):
                local = isl.LocalSpace.from_space(self.isl)
                place = self.position[name]
                return isl.PwAff.from_aff(isl.Aff.var_on_domain(local, isl.dim_type.set, place))
            case Div(num, den):
                if den.constant is None:
                    raise _needs_numbers(den)
                return self.expr(num).scale_down_val(isl.Val(den.constant)).floor()
            case Max(left, right):
                return self.expr(left).max(self.expr(right))
            case Apply(name):
                raise NotSupported(
                    f"exact conditions with the unknown function {name}: integer sets have none; "
                    "choose the function, or decide with the solver"
                )

    def cond(self, c: Cond) -> Any:
        """The set of points at which a condition holds."""
        match c:
            case Ge(e):
                return self.expr(e).nonneg_set()
            case Eq(e):
                return self.expr(e).zero_set()
            case Not(Eq(e)):
                return self.expr(e).non_zero_set()
            case All(parts):
                result = self.everything
                for p in parts:
                    result = result.intersect(self.cond(p))
                return result
            case Any_(parts):
                result = isl.Set.empty(self.isl)
                for p in parts:
                    result = result.union(self.cond(p))
                return result
        raise TypeError(f"not a condition: {c!r}")

    def conds(self, conds: Iterable[Cond]) -> Any:
        """The set of points at which all conditions hold, those of the symbols' minima included."""
        minima = (_expr(s) >= s.minimum for s in self.symbols if s.minimum is not None)
        return self.cond(all_of(*minima, *conds))


def _expr(s: Sym) -> Expr:
    return Expr({(s,): 1})


def _needs_numbers(e: Expr) -> NotSupported:
    # indices cannot be given a number
    names = sorted({s.name for s in {*_nonlinear(e)} or e.symbols() if not is_index(s)})
    return NotSupported(
        f"integer sets for {e}: it is not linear; give numbers to enough of {', '.join(names)} "
        "(fixed) that no product or quotient of sizes is left"
    )


def is_index(s: Sym) -> bool:
    """Is the symbol an output index or the index of a read, rather than a size?"""
    return "." in s.name or "~" in s.name or (s.name[0] == "i" and s.name[1:].isdigit())


def _nonlinear(e: Expr) -> Iterator[Sym]:
    """Symbols that occur in products, or in the divisor of a quotient."""
    for monomial, _ in e.terms:
        for a in monomial:
            if len(monomial) > 1:
                yield from (s for s in Expr({(a,): 1}).symbols())
            match a:
                case Div(num, den):
                    yield from _nonlinear(num)
                    yield from den.symbols()
                case Max(left, right):
                    yield from _nonlinear(left)
                    yield from _nonlinear(right)


# -- sets as conditions --------------------------------------------------------------------------


def read_back(found: Any, space: Space) -> Cond:
    """An ISL set as a condition on the symbols of its space, in a deterministic order.

    Existential variables come back as the floor quotients that they are; an equation that only
    says that a quotient is whole comes back as a divisibility.
    """
    pieces = [_read_piece(b, space) for b in found.compute_divs().get_basic_sets()]
    return any_of(*sorted(pieces, key=_size_then_text))


def _size_then_text(c: Cond) -> tuple[int, str]:
    return _weight(c), str(c)


def _weight(c: Cond) -> int:
    return sum(1 + len(e.terms) for e in expressions(c))


def _read_piece(b: Any, space: Space) -> Cond:
    constraints = b.get_constraints()
    parts: list[Cond] = []
    for c in constraints:
        whole = _whole_quotient(c, space)
        e = _affine(c, space)
        plain = eq(e, 0) if c.is_equality() else e >= 0
        parts.append(plain if whole is None else whole)
    # what merely defines a quotient (c·q <= a < c·q + c) holds by itself
    kept = [p for p in parts if not _defines(p)]
    return all_of(*sorted(kept, key=_size_then_text))


def _affine(c: Any, space: Space) -> Expr:
    """The left side of a constraint ``e = 0`` or ``e >= 0``."""
    e = lift(int(c.get_constant_val().to_python()))
    for i, s in enumerate(space.symbols):
        e = e + _expr(s) * int(c.get_coefficient_val(isl.dim_type.set, i).to_python())
    for i in range(c.dim(isl.dim_type.div)):
        times = int(c.get_coefficient_val(isl.dim_type.div, i).to_python())
        if times:
            e = e + _quotient(c.get_div(i), space) * times
    return e


def _quotient(a: Any, space: Space) -> Expr:
    """The floor of a rational affine expression: what an integer division stands for."""
    num, den = _numerator(a, space)
    return num // den


def _numerator(a: Any, space: Space) -> tuple[Expr, int]:
    den = int(a.get_denominator_val().to_python())

    def scaled(v: Any) -> int:
        return int(Fraction(str(v)) * den)

    num = lift(scaled(a.get_constant_val()))
    for i, s in enumerate(space.symbols):
        num = num + _expr(s) * scaled(a.get_coefficient_val(isl.dim_type.in_, i))
    for i in range(a.dim(isl.dim_type.div)):
        times = scaled(a.get_coefficient_val(isl.dim_type.div, i))
        if times:
            num = num + _quotient(a.get_div(i), space) * times
    return num, den


def _whole_quotient(c: Any, space: Space) -> Cond | None:
    """``a = c·q`` with a quotient ``q`` that says nothing else: ``c`` divides ``a``."""
    if not c.is_equality():
        return None
    used = [
        (i, int(c.get_coefficient_val(isl.dim_type.div, i).to_python()))
        for i in range(c.dim(isl.dim_type.div))
    ]
    used = [(i, times) for i, times in used if times]
    if len(used) != 1:
        return None
    (i, times) = used[0]
    num, den = _numerator(c.get_div(i), space)
    rest = _affine(c, space) - _quotient(c.get_div(i), space) * times
    # with q = num // den the equation says rest = -times·q
    if (times, rest) not in ((-den, num), (den, -num)):
        return None
    return divides(den, _reduced(num, den))


def _reduced(e: Expr, modulus: int) -> Expr:
    """The simplest expression that ``modulus`` divides exactly where it divides ``e``.

    Coefficients are reduced, and the whole may be multiplied by a number without a common factor.
    """
    units = (u for u in range(1, max(modulus, 2)) if gcd(u, modulus) == 1)
    choices = (Expr({m: u * c % modulus for m, c in e.terms}) for u in units)

    def cost(x: Expr) -> tuple[int, int, str]:
        return sum(c for m, c in x.terms if m), sum(c for m, c in x.terms if not m), str(x)

    return min(choices, key=cost)


def _defines(c: Cond) -> bool:
    if not isinstance(c, Ge):
        return False
    for monomial, times in c.expr.terms:
        for a in monomial:
            if isinstance(a, Div) and len(monomial) == 1 and a.den.constant == abs(times):
                remainder = a.num - a.den * _expr_of(a)
                if c.expr in (remainder, a.den - 1 - remainder):
                    return True
    return False


def _expr_of(a: Atom) -> Expr:
    return Expr({(a,): 1})


# -- sizes that are fixed ------------------------------------------------------------------------


def at_fixed(form: Form, fixed: Fixed) -> Form:
    """The same form with numbers in the place of some sizes.

    >>> from derive.expr import sizes
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
    left: Form, right: Form, hypotheses: Sequence[Cond] = (), fixed: Fixed | None = None
) -> Comparison:
    """The sets of sizes of :class:`Comparison`, with numbers for the ``fixed`` ones.

    Raises :class:`derive.errors.NotSupported` when a size that is multiplied by another one has no
    number, and naming the sizes that need one.
    """
    numbers = fixed or {}
    check_tensors(left, right)
    a, b = at_fixed(left, numbers), at_fixed(right, numbers)
    assumed = _fix(hypotheses, numbers)
    space = Space(_ordered({*form_symbols(a), *form_symbols(b), *cond_symbols(assumed)}))
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
            return lift(value) if _expr_of(a) == factor else None

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
        candidates += [_expr_of(a) for m, _ in e.terms if len(m) > 1 for a in m]
    if not candidates:
        return None
    ranges = [(e, _range(space, where, e)) for e in dict.fromkeys(candidates)]
    bounded = [(r[1] - r[0], position, e, r) for position, (e, r) in enumerate(ranges) if r]
    if not bounded or min(bounded)[0] >= CASES:
        raise _needs_numbers(products[0] if products else den)
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

    >>> from derive.expr import sizes
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
        raise CannotBe(
            f"assuming {all_of(*hypotheses)}: no sizes meet this and let both operators be "
            "defined; drop or mend a hypothesis"
        )
    return simplest(c.equal, c.defined, c.space)


def simplest(found: Any, within: Any, space: Space) -> Cond:
    """A short condition that describes ``found`` among the points of ``within``.

    Either the set is read back or the complement of its complement, whichever is shorter.
    """
    if within.is_subset(found):
        return TRUE
    if found.is_empty():
        return FALSE
    inside = _tidy(found, within)
    outside = _tidy(within.subtract(found), within)
    direct, mirrored = read_back(inside, space), negate(read_back(outside, space))
    best = min(direct, mirrored, key=_weight)
    if not space.cond(best).intersect(within).is_equal(found.intersect(within)):
        raise AssertionError(f"the set {found} was read back as {best}, which is another set")
    return best


def _tidy(found: Any, within: Any) -> Any:
    return found.coalesce().gist(within).coalesce().detect_equalities().remove_redundancies()


def same_condition(
    a: Cond, b: Cond, hypotheses: Sequence[Cond] = (), fixed: Fixed | None = None
) -> bool:
    """Do two conditions say the same of all sizes that the hypotheses allow?

    >>> from derive.expr import divides, size
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


def smallest_point(found: Any, space: Space) -> dict[str, int]:
    """The point with the smallest sum of absolute values; then the first symbols as small as can
    be, positive before negative."""
    values = [space.expr(_expr(s)) for s in space.symbols]
    sizes = [v.max(v.neg()) for v in values]
    total = space.number(0)
    for v in sizes:
        total = total.add(v)
    order = [total]
    for v, magnitude in zip(values, sizes, strict=True):
        order += [magnitude, magnitude.sub(v)]
    ranked = isl.Map.from_pw_aff(order[0])
    for f in order[1:]:
        ranked = ranked.flat_range_product(isl.Map.from_pw_aff(f))
    point = ranked.reverse().intersect_range(found).domain().lexmin()
    best = ranked.intersect_domain(found).intersect_range(point).domain().sample_point()
    return {
        s.name: int(best.get_coordinate_val(isl.dim_type.set, i).to_python())
        for i, s in enumerate(space.symbols)
    }
