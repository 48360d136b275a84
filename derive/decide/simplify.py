"""Conditions taken apart and made shorter: cases, cases of failure, parts that follow from others."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from derive.decide.candidates import weight
from derive.decide.solver import Answer, Law, ask, counted_steps
from derive.expr import (
    FALSE,
    TRUE,
    All,
    Any_,
    Cond,
    Div,
    Eq,
    Ge,
    Not,
    all_of,
    any_of,
    negate,
)

CASES = 48


def asked(premises: Sequence[Cond], conclusion: Cond, laws: Sequence[Law]) -> Answer:
    """Do the premises imply the conclusion?  Given up after a number of steps."""
    with counted_steps():
        return ask(premises, conclusion, laws=laws)


def failures(cond: Cond) -> list[Cond]:
    """Cases that together say that a condition fails.

    Where a conjunction fails, one of its parts is the first to fail, so the parts before it may be
    assumed; and an equation fails on one side or the other.

    >>> from derive.expr import all_of, divides, eq
    >>> from derive.symbols import sizes
    >>> n, k, s = sizes("n k s")
    >>> print(*failures(all_of(eq(k, s), divides(s, n))), sep=" | ")
    k >= s + 1 | s >= k + 1 | k == s and n % s != 0
    """
    return [c for c in dict.fromkeys(_failures(ordered(cond))) if c != FALSE]


def _failures(cond: Cond) -> list[Cond]:
    match cond:
        case All(parts):
            return [all_of(*parts[:i], c) for i, p in enumerate(parts) for c in _failures(p)]
        case Any_(parts):
            options = [_failures(p) for p in parts]
            if prod(map(len, options)) > CASES:
                return [negate(cond)]
            return [all_of(*o) for o in product(*options)]
        case Eq(e) if not any(isinstance(a, Div) for a in e.atoms()):
            return [e >= 1, e <= -1]
    return [negate(cond)]


def disjuncts(cond: Cond) -> tuple[Cond, ...]:
    """The parts of a disjunction, a conjunction of disjunctions multiplied out where it is small."""
    if isinstance(cond, Any_):
        return cond.parts or (cond,)
    if isinstance(cond, All):
        options = [disjuncts(p) for p in cond.parts]
        if 1 < prod(map(len, options)) <= CASES:
            return tuple(dict.fromkeys(all_of(*o) for o in product(*options)))
    return (cond,)


def simplify(cond: Cond, hypotheses: Sequence[Cond] = (), *, laws: Sequence[Law] = ()) -> Cond:
    """The condition without the parts that follow from the hypotheses or from its other parts, in a
    readable order.

    >>> from derive.expr import all_of, eq
    >>> from derive.symbols import sizes
    >>> n, k = sizes("n k")
    >>> print(simplify(all_of(n >= k - 1, n >= k, k >= 1, eq(k, 1)), (n >= 2,)))
    k == 1
    """
    return ordered(reduced(cond, tuple(hypotheses), tuple(laws)))


def reduced(cond: Cond, known: tuple[Cond, ...], laws: tuple[Law, ...]) -> Cond:
    """The condition without the parts that follow from what is known or from its other parts."""
    if asked(known, cond, laws) is Answer.YES:
        return TRUE
    if asked((*known, cond), FALSE, laws) is Answer.YES:
        return FALSE
    if not isinstance(cond, All | Any_):
        return cond
    conjunction = isinstance(cond, All)
    combine = all_of if conjunction else any_of
    left = sorted(dict.fromkeys(cond.parts), key=weight, reverse=True)
    for part in list(left):
        others = [p for p in left if p is not part]
        rest = others if conjunction else [negate(p) for p in others]
        shorter = reduced(part, (*known, *rest), laws)
        if shorter == (TRUE if conjunction else FALSE):
            left = others
        else:
            left[left.index(part)] = shorter
    return combine(*left)


def ordered(cond: Cond) -> Cond:
    """Equations first, then divisibilities, then inequalities; short parts before long ones."""
    if isinstance(cond, All | Any_):
        parts = sorted(map(ordered, cond.parts), key=_rank)
        return all_of(*parts) if isinstance(cond, All) else any_of(*parts)
    return cond


def _rank(cond: Cond) -> tuple[int, float, str]:
    kind = 4
    if isinstance(cond, Eq):
        kind = 1 if any(isinstance(a, Div) for a in cond.expr.atoms()) else 0
    elif isinstance(cond, Ge | Not):
        kind = 2
    return kind, weight(cond), str(cond)
