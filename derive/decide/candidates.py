"""Candidate parts of a condition: small statements about sizes, with their truth at samples.

The expressions compared are the parameters, the lengths, floor quotients, remainders and products
that occur in the forms, and small sums and differences of these.  There is no table of answers: what
a statement's condition is made of is read from the statement.

>>> from derive.symbols import sizes
>>> n, s = sizes("n s")
>>> grid = {"n": np.array([4, 5, 6, 6, 8]), "s": np.array([2, 2, 3, 4, 3])}
>>> found = literals([v for e in (n, s) if (v := e.symbol)], [n // s], grid)
>>> whole = [True, False, True, False, False]
>>> print(*(c.cond() for c in found if c.truth.tolist() == whole))
n % s == 0
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np

from derive.decide.samples import Bools, Grid, Ints, count, is_index
from derive.expr import (
    Cond,
    Div,
    Expr,
    Ge,
    Indicator,
    Max,
    Sym,
    cond_symbols,
    conjuncts,
    divides,
    eq,
    expressions,
    lift,
    ne,
)
from derive.form import Form

BOUND = re.compile(r"b\d+|.*~.*")
MIXED = 2.5  # the cost of an equation between sizes that nothing ties
BASIC_LIMIT = 10  # how many expressions are put into sums of three
CONSTANTS = {0: 0.0, 1: 0.15, 2: 0.6, -1: 0.3, -2: 0.9, 3: 1.2}


@dataclass(frozen=True)
class Feature:
    """An expression in the sizes, its values at the samples, and how costly it is to read."""

    expr: Expr
    values: Ints
    cost: float
    basic: bool = False  # a parameter, or a product of parameters
    parameter: bool = False


@dataclass(frozen=True)
class Literal:
    """A candidate: its truth at the samples; the condition is made when it is wanted."""

    cost: float
    truth: Bools
    make: Callable[[], Cond]

    def cond(self) -> Cond:
        """The condition itself."""
        return self.make()


def spoken(*forms: Form) -> list[Expr]:
    """The expressions in sizes alone that forms are made of: lengths, bounds, requirements."""
    found: dict[Expr, None] = {}
    for form in forms:
        given = [*form.shape, *(n for _, shape in form.tensors for n in shape)]
        for t in form.terms:
            given += [n for _, n in t.bound]
            given += [e for r in t.reads for e in r.at]
            given += [t.coefficient.num, t.coefficient.den]
            given += [e for c in t.where for e in expressions(c)]
        given += [e for c in form.requires for e in expressions(c)]
        for e in given:
            for part in (e, *_inner(e)):
                if not any(is_index(s) or BOUND.fullmatch(s.name) for s in part.symbols()):
                    found[part] = None
    return list(found)


def spoken_in(cond: Cond) -> list[Expr]:
    """The expressions of a condition, and those inside its quotients."""
    return list(dict.fromkeys(p for e in expressions(cond) for p in (e, *_inner(e))))


def _inner(e: Expr) -> Iterator[Expr]:
    for a in e.atoms():
        match a:
            case Div():
                yield Expr({(a,): 1})
            case Max(left, right):
                yield from (side for side in (left, right) if side.constant is None)
            case Indicator(cond):
                yield from expressions(cond)


def literals(
    parameters: Sequence[Sym], seen: Sequence[Expr], grid: Grid, *, rich: bool = False
) -> list[Literal]:
    """Every candidate, the cheapest first; of those that agree at all samples only the cheapest.

    With ``rich`` also comparisons of remainders that the statement does not speak of.
    """
    features = _features(parameters, seen, grid)
    best: dict[bytes, Literal] = {}
    size = count(grid)
    more = _compared_remainders(parameters, features, grid) if rich else ()
    for literal in (
        *_comparisons(features),
        *_remainders(parameters, seen, features, grid),
        *more,
    ):
        true = int(literal.truth.sum())
        if 0 < true < size:
            key = literal.truth.tobytes()
            if key not in best or literal.cost < best[key].cost:
                best[key] = literal
    apart = _together(seen)
    ranked = [replace(c, cost=c.cost + _mixed(c.cond(), apart)) for c in best.values()]
    return sorted(ranked, key=lambda c: c.cost)


def _together(seen: Sequence[Expr]) -> dict[Sym, set[Sym]]:
    """For each size those that it is tied to: they occur in one expression, or in a chain of such.

    The lengths of two axes that nothing ties say their conditions apart (``h % 2 == 1 and w % 2 ==
    1``), though one equation may be shorter.
    """
    groups: dict[Sym, set[Sym]] = {}
    for e in seen:
        joined = set(e.symbols())
        for s in e.symbols():
            joined |= groups.get(s, set())
        groups |= dict.fromkeys(joined, joined)
    return groups


def independent(parameters: Sequence[Sym], seen: Sequence[Expr]) -> list[tuple[Sym, ...]]:
    """The parameters in groups that no expression ties: those of each axis by itself.

    >>> from derive.symbols import sizes
    >>> h, w, k = sizes("h w k")
    >>> [[s.name for s in g] for g in independent([v.symbol for v in (h, k, w)], [h - k, w + 1])]
    [['h', 'k'], ['w']]
    """
    tied = _together(seen)
    found: dict[tuple[Sym, ...], None] = {}
    for p in parameters:
        group = tied.get(p, {p})
        found[tuple(q for q in parameters if q in group)] = None
    return list(found)


def _mixed(cond: Cond, groups: dict[Sym, set[Sym]]) -> float:
    spoken_of = cond_symbols(cond)
    tied = any(spoken_of <= groups.get(s, {s}) for s in spoken_of)
    return 0.0 if tied or not spoken_of else MIXED


def _features(parameters: Sequence[Sym], seen: Sequence[Expr], grid: Grid) -> list[Feature]:
    found: dict[Expr, Feature] = {}

    def put(e: Expr, cost: float, basic: bool = False) -> None:
        e = -e if -e in found else e
        known = found.get(e)
        if e.constant is None and (known is None or cost < known.cost):
            basic = basic or (known is not None and known.basic)
            found[e] = Feature(e, _at(e, grid), cost, basic, e.symbol is not None)

    for p in parameters:
        put(_expr(p), 1.0, basic=True)
    for e, cost in _products(seen):
        put(e, cost, basic=True)
    for e, cost in _quotients(seen):
        put(e, cost)
    for e in sorted(seen, key=_cost):
        if not any(isinstance(a, Max | Indicator) for a in e.atoms()):
            put(e, _cost(e))
    return list(found.values())[:40]


def _atom(e: Expr) -> Any:
    return e.terms[0][0][0]


def _products(seen: Sequence[Expr]) -> Iterator[tuple[Expr, float]]:
    """``d*k`` where it occurs, and ``d*(k - 1)`` where ``d`` occurs beside it."""
    for e in seen:
        for monomial, _ in e.terms:
            if len(monomial) == 2 and all(isinstance(a, Sym) for a in monomial):
                one, other = (Expr({(v,): 1}) for v in monomial)
                yield one * other, 3.0
                for u, v in ((one, other), (other, one)):
                    if any(dict(x.terms).get((_atom(u),)) in (1, -1) for x in seen):
                        yield u * (v - 1), 1.9


def _quotients(seen: Sequence[Expr]) -> Iterator[tuple[Expr, float]]:
    """What is divided, the quotient, and the remainder.

    What a form divides is natural to speak of, however long it is.
    """
    for a in (a for e in seen for a in e.atoms()):
        if isinstance(a, Div):
            cost = min(_cost(a.num), 2.5 + 0.1 * len(a.num.terms))
            yield _without_constant(a.num), cost
            yield a.num, cost + 0.1
            if a.den.symbols():
                yield Expr({(a,): 1}), cost + 2.5
            yield a.num % a.den, cost + min(_cost(a.den), 2.0)


def _without_constant(e: Expr) -> Expr:
    return e - dict(e.terms).get((), 0)


def _expr(s: Sym) -> Expr:
    return Expr({(s,): 1})


def _at(e: Expr, grid: Grid) -> Ints:
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(e.at(grid), dtype=np.int64), (count(grid),))


def _cost(e: Expr) -> float:
    total = 0.0
    for monomial, c in e.terms:
        if not monomial:
            total += 0.3
        if len(monomial) > 1:
            total += 1.0
        for a in monomial:
            total += 1.0
            if isinstance(a, Div):
                total += 0.2 + _cost(a.num) + _cost(a.den)
            elif not isinstance(a, Sym):
                total += 3.0
        total += 0.3 if abs(c) not in (0, 1) and monomial else 0.0
    return total


def _combinations(features: Sequence[Feature]) -> Iterator[tuple[Expr, Ints, float, bool]]:
    """Sums and differences of up to three features: ``(expression, values, cost, single)``."""
    for f in features:
        yield f.expr, f.values, f.cost, True
        if f.parameter:
            yield 2 * f.expr, 2 * f.values, f.cost + 0.4, True
    for f, g in combinations(features, 2):
        cost = f.cost + g.cost
        yield f.expr - g.expr, f.values - g.values, cost, False
        if f.parameter or g.parameter:
            yield f.expr + g.expr, f.values + g.values, cost + 0.5, False
            yield f.expr - 2 * g.expr, f.values - 2 * g.values, cost + 0.5, False
            yield g.expr - 2 * f.expr, g.values - 2 * f.values, cost + 0.5, False
    basic = [f for f in features if f.basic][:BASIC_LIMIT]
    extra = [f for f in features if not f.basic][:4]
    for triple in (
        *combinations(basic, 3),
        *((a, b, c) for a, b in combinations(basic, 2) for c in extra),
    ):
        cost = sum(f.cost for f in triple) + 0.5
        for signs in ((1, 1, 1), (1, 1, -1), (1, -1, 1), (-1, 1, 1)):
            e, values = lift(0), np.zeros_like(triple[0].values)
            for sign, f in zip(signs, triple, strict=True):
                e, values = e + sign * f.expr, values + sign * f.values
            yield e, np.asarray(values), cost + 0.1 * (sum(signs) == 3), False


def _at_least(e: Expr, c: int) -> Cond:
    return e >= c


def _at_most(e: Expr, c: int) -> Cond:
    return e <= c


def _comparisons(features: Sequence[Feature]) -> Iterator[Literal]:
    for e, values, cost, single in _combinations(features):
        for c, extra in CONSTANTS.items():
            more = cost + extra
            yield Literal(more, values == c, partial(eq, e, c))
            yield Literal(more + 0.4, values >= c, partial(_at_least, e, c))
            yield Literal(more + 0.4, values <= c, partial(_at_most, e, c))
            if single or c == 0:
                yield Literal(more + 0.8, values != c, partial(ne, e, c))


def _remainders(
    parameters: Sequence[Sym], seen: Sequence[Expr], features: Sequence[Feature], grid: Grid
) -> Iterator[Literal]:
    for den, den_cost in _divisors(parameters, seen):
        bottom = _at(den, grid)
        if (bottom < 1).any():
            continue
        for num, num_cost in _numerators(features, den):
            if num.symbols() <= den.symbols() and len(num.terms) == 1 and num == den:
                continue
            rest = _at(num, grid) % bottom
            cost = num_cost + den_cost + 0.2
            top = num % den
            zero = num if sum(c for mono, c in num.terms if mono) >= 0 else -num
            yield Literal(cost, rest == 0, partial(divides, den, zero))
            for value in (0, 1):
                more = cost + 0.3 * value
                yield Literal(more, rest == value, partial(eq, top, value))
                yield Literal(more + 0.8, rest != value, partial(ne, top, value))
            yield Literal(cost + 0.5, rest <= 1, partial(_at_most, top, 1))


def _compared_remainders(
    parameters: Sequence[Sym], features: Sequence[Feature], grid: Grid
) -> Iterator[Literal]:
    """``(a - b) % c`` against a size, and ``(a - b) % c + d`` against ``c``."""
    sizes = [f for f in features if f.parameter]
    for den in sizes:
        least = next(p.minimum for p in parameters if _expr(p) == den.expr)
        if least is None or least < 1:
            continue
        for f, g in product([f for f in sizes if f is not den], repeat=2):
            if f is g:
                continue
            top = (f.expr - g.expr) % den.expr
            rest = (f.values - g.values) % den.values
            cost = f.cost + g.cost + den.cost + 0.4
            for h in sizes:
                yield from _both_ways(top - h.expr, rest - h.values, cost + h.cost)
                if h is not den:
                    e, values = top + h.expr - den.expr, rest + h.values - den.values
                    yield from _both_ways(e, values, cost + h.cost + den.cost)


def _both_ways(e: Expr, values: Ints, cost: float) -> Iterator[Literal]:
    for c in (0, 1, -1):
        more = cost + CONSTANTS[c]
        yield Literal(more, values >= c, partial(_at_least, e, c))
        yield Literal(more, values <= c, partial(_at_most, e, c))


def _divisors(parameters: Sequence[Sym], seen: Sequence[Expr]) -> list[tuple[Expr, float]]:
    found: dict[Expr, float] = {lift(2): 0.6}
    for e in seen:
        for a in e.atoms():
            if isinstance(a, Div):
                found.setdefault(a.den, _cost(a.den) + 0.1 * len(a.den.terms))
    for p in parameters:
        if p.minimum is not None and p.minimum >= 1:
            found.setdefault(_expr(p), 1.2)
    for e in seen:
        if e.symbol is None and any(isinstance(a, Div) for a in e.atoms()):
            found.setdefault(e, _cost(e) + 0.5)
    return list(found.items())


def _numerators(features: Sequence[Feature], den: Expr) -> Iterator[tuple[Expr, float]]:
    for f in features:
        if not any(isinstance(a, Div) and a.den == den for a in f.expr.atoms()):
            yield f.expr, f.cost
    parameters = [f for f in features if f.parameter]
    for f, g in combinations([f for f in features if f.basic][:BASIC_LIMIT], 2):
        yield f.expr + g.expr, f.cost + g.cost + 0.1
        yield f.expr - g.expr, f.cost + g.cost
    for (f, g), h in product(combinations(parameters, 2), parameters):
        if h is not f and h is not g:
            yield f.expr + g.expr - h.expr, f.cost + g.cost + h.cost + 0.5
    for f in parameters:
        yield f.expr - 1, f.cost + 0.5
        yield f.expr + 1, f.cost + 0.6


def weight(cond: Cond) -> float:
    """How much there is to read in a condition.

    >>> from derive.expr import divides
    >>> from derive.symbols import sizes
    >>> n, k, s = sizes("n k s")
    >>> weight(eq(k, s)) < weight(divides(s, n - k))
    True
    """
    return sum(_cost(e) + 0.4 * isinstance(p, Ge) for p in _atoms(cond) for e in expressions(p))


def _atoms(cond: Cond) -> Iterable[Cond]:
    parts = conjuncts(cond)
    if len(parts) == 1 and parts[0] is cond:
        inner = getattr(cond, "parts", None)
        return (a for p in inner for a in _atoms(p)) if inner is not None else (cond,)
    return (a for p in parts for a in _atoms(p))


def symbols_of(conds: Iterable[Cond]) -> list[Sym]:
    """The size parameters of conditions, in order of name."""
    found = {s for c in conds for s in cond_symbols(c) if not is_index(s)}
    return sorted(found, key=lambda s: s.name)
