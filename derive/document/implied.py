"""Does a condition follow from others?  Asked when a formula is printed, to leave out what follows.

Every product of symbols is taken for a variable of its own, which turns the question into linear
arithmetic over the reals: fast, complete for what it is, and always on the safe side (what follows
there follows for integers).  The products are tied together by what is true of them: ``a >= 1`` and
``lo <= b <= hi`` give ``a·lo <= a·b <= a·hi``, and a floor quotient lies within one of its quotient.
What linear arithmetic does not show is asked of the full solver, with a limit on its steps (not on
its time, so that a document does not depend on the speed of the machine).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import z3

from derive.decide.solver import Law, Translation
from derive.expr import All, Cond, Div, Eq, Expr, Ge, Monomial, Sym, conjuncts, negate

STEPS = 40_000  # the full solver's resource limit for one question
PRODUCTS = 160  # how many products of a size and an inequality are added


def implied(known: Sequence[Cond], c: Cond, laws: Sequence[Law] = ()) -> bool:
    """Is ``c`` true wherever all of ``known`` are?  False also means "could not tell".

    >>> from derive.symbols import sizes
    >>> n, s, i = sizes("n s i")
    >>> implied([n >= i + 1], s*n >= s*i + s), implied([n >= i], s*n >= s*i + s)
    (True, False)
    """
    facts = tuple(p for k in known for p in conjuncts(k))
    if c in facts:
        return True
    if isinstance(c, All):
        return all(implied(facts, p, laws) for p in c.parts)
    return _linear(facts, c) or _full(facts, c, laws)


def _linear(facts: Sequence[Cond], c: Cond) -> bool:
    if not isinstance(c, Ge):
        return False
    inequalities: list[Expr] = []
    for f in facts:
        if isinstance(f, Ge):
            inequalities.append(f.expr)
        elif isinstance(f, Eq):
            inequalities += [f.expr, -f.expr]
    every = tuple(dict.fromkeys([*inequalities, *_quotients([*inequalities, c.expr])]))
    wanted = {m for e in (*every, c.expr) for m, _ in e.terms if len(m) > 1}
    extra = list(_products(every, wanted))
    solver = z3.SolverFor("QF_LRA")
    solver.add([_nonnegative(e) for e in (*every, *extra, *_minima([*every, *extra, c.expr]))])
    solver.add(_term(c.expr) <= -1)
    return bool(solver.check() == z3.unsat)


@lru_cache(maxsize=65536)
def _nonnegative(e: Expr) -> Any:
    return _term(e) >= 0


@lru_cache(maxsize=65536)
def _term(e: Expr) -> Any:
    parts = [z3.RealVal(c) if not m else c * _variable(m) for m, c in e.terms]
    return z3.Sum(parts) if parts else z3.RealVal(0)


@lru_cache(maxsize=65536)
def _variable(m: Monomial) -> Any:
    return z3.Real(str(Expr({m: 1})))


def _quotients(expressions: Iterable[Expr]) -> Iterator[Expr]:
    """``den·q <= num <= den·q + den - 1`` for every floor quotient by something positive."""
    seen = {a: None for e in expressions for a in e.atoms() if isinstance(a, Div)}
    for a in seen:
        if _positive_product(a.den):
            rest = a.num - a.den * Expr({(a,): 1})
            yield rest
            yield a.den - 1 - rest


def _positive_product(e: Expr) -> bool:
    if e.constant is not None:
        return e.constant >= 1
    return len(e.terms) == 1 and e.terms[0][1] >= 1 and _positive(e.terms[0][0])


def _positive(m: Monomial) -> bool:
    return all(isinstance(a, Sym) and a.minimum is not None and a.minimum >= 1 for a in m)


def _products(inequalities: Sequence[Expr], wanted: set[Monomial]) -> Iterator[Expr]:
    """Inequalities multiplied by a size, where that gives products that are spoken of."""
    factors = {a for m in wanted for a in m if _positive((a,))}
    made = 0
    for e in inequalities:
        if e.constant is not None or len(e.terms) > 4:
            continue
        for a in sorted(factors, key=lambda a: a.key):
            product = e * Expr({(a,): 1})
            long = [m for m, _ in product.terms if len(m) > 1]
            if long and all(m in wanted for m in long) and made < PRODUCTS:
                made += 1
                yield product


def _minima(expressions: Sequence[Expr]) -> Iterator[Expr]:
    """Symbols are at least their minimum, products of sizes at least each of their factors."""
    for m in dict.fromkeys(m for e in expressions for m, _ in e.terms if m):
        if len(m) == 1:
            a = m[0]
            if isinstance(a, Sym) and a.minimum is not None:
                yield Expr({m: 1}) - a.minimum
        elif _positive(m):
            for position in range(len(m)):
                yield Expr({m: 1}) - Expr({m[:position] + m[position + 1 :]: 1})


def _full(facts: Sequence[Cond], c: Cond, laws: Sequence[Law]) -> bool:
    translation = Translation(laws)
    solver = z3.Solver(ctx=translation.context)
    solver.set("random_seed", 0)
    solver.set("rlimit", STEPS)
    solver.add([translation.cond(k) for k in facts])
    solver.add(translation.cond(negate(c)))
    solver.add(*translation.definitions)
    return bool(solver.check() == z3.unsat)
