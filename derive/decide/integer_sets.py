"""Conditions as sets of integer points (ISL), and such sets read back as conditions.

Linear conditions with floor quotients by numbers are the Presburger arithmetic in which sets can be
projected, complemented and compared exactly.

>>> from derive.expr import divides
>>> from derive.symbols import size
>>> n = size("n")
>>> space = Space((n.symbol,))
>>> found = space.conds([divides(2, n), n <= 5])
>>> print(read_back(found, space))
n % 2 == 0 and n <= 5 and n >= 1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd
from typing import Any

import islpy as isl

from derive.errors import NotSupported
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
    divides,
    eq,
    expressions,
    lift,
    negate,
)

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
                raise needs_numbers(e)
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
                    raise needs_numbers(den)
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
        minima = (expr_of(s) >= s.minimum for s in self.symbols if s.minimum is not None)
        return self.cond(all_of(*minima, *conds))


def expr_of(a: Atom) -> Expr:
    """An atom as an expression."""
    return Expr({(a,): 1})


def needs_numbers(e: Expr) -> NotSupported:
    """The error for an expression that is not linear; it names the sizes that need a number."""
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
    """Symbols that are factors of products, or stand in the divisor of a quotient."""
    for monomial, _ in e.terms:
        factors = [a for a in monomial if isinstance(a, Sym)]
        if len(monomial) > 1:
            # numbers for the plain factors are enough; without any, for what is inside
            yield from factors or expr_of(monomial[0]).symbols()
        for a in monomial:
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
        e = e + expr_of(s) * int(c.get_coefficient_val(isl.dim_type.set, i).to_python())
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
        num = num + expr_of(s) * scaled(a.get_coefficient_val(isl.dim_type.in_, i))
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
                remainder = a.num - a.den * expr_of(a)
                if c.expr in (remainder, a.den - 1 - remainder):
                    return True
    return False


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


def smallest_point(found: Any, space: Space) -> dict[str, int]:
    """The point with the smallest sum of absolute values; then the first symbols as small as can
    be, positive before negative.
    """
    values = [space.expr(expr_of(s)) for s in space.symbols]
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
