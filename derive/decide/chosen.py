"""Unknown functions written out: a few functions that the laws allow, as expressions.

A statement about *every* selection of a max pooling can only be true where it is true for the
selection of the first tap of each window, and for that of the last.  With these put in the place of
the unknown function the statement speaks of sizes and indices alone.

>>> from derive.expr import apply
>>> from derive.symbols import sizes, symbol
>>> n, k = sizes("n k")
>>> i = Sym("i~0")
>>> tap = apply("σ", Expr({(i,): 1}))
>>> from derive.expr import all_of
>>> law = Law("σ", (i,), all_of(tap >= 0, tap <= k - 1))
>>> print(*(c["σ"] for c in choices([law], ())), sep=" | ")
0 | k - 1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from derive.decide.assume import map_form
from derive.decide.solver import Answer, Law, ask
from derive.expr import (
    All,
    Any_,
    Apply,
    Atom,
    Cond,
    Expr,
    Ge,
    Sym,
    map_cond,
    maximum,
)
from derive.form import Form

Choice = Mapping[str, Expr]
"""For each function its value in the parameters of its law."""


def choices(laws: Sequence[Law], facts: Sequence[Cond]) -> list[Choice]:
    """The functions that are everywhere the least that the laws allow, and the greatest.

    Left out is what was not proved to keep the laws at all sizes that the facts allow.
    """
    found: list[Choice] = []
    for side in (-1, 1):
        chosen = {law.function: e for law in laws if (e := _extreme(law, side, facts)) is not None}
        if chosen and all(law.function in chosen for law in laws) and chosen not in found:
            found.append(chosen)
    return found


def _extreme(law: Law, side: int, facts: Sequence[Cond]) -> Expr | None:
    """A bound that keeps the law: one of those that it states, or the narrowest of all together."""
    ends = _bounds(law, side)
    for e in (*ends, *([_outermost(ends, side)] if len(ends) > 1 else [])):
        kept = map_cond(law.cond, partial(written, choice={law.function: e}, laws=(law,)))
        if ask(facts, kept) is Answer.YES:
            return e
    return None


def _outermost(ends: Sequence[Expr], side: int) -> Expr:
    """The greatest lower bound, or the least upper one."""
    total = ends[0] * -side
    for e in ends[1:]:
        total = maximum(total, e * -side)
    return total * -side


def _bounds(law: Law, side: int) -> list[Expr]:
    """What the law says the function is at least (``side`` -1) or at most (1)."""
    found: dict[Expr, None] = {}
    for c in _inequalities(law.cond):
        for monomial, sign in c.expr.terms:
            match monomial:
                case (Apply(name, _) as tap,) if name == law.function and sign == -side:
                    rest = c.expr - Expr({(tap,): sign})
                    if tap not in rest.atoms():
                        found[rest * -sign] = None
    return list(found)


def _inequalities(cond: Cond) -> Iterator[Ge]:
    match cond:
        case Ge():
            yield cond
        case All(parts) | Any_(parts):
            for p in parts:
                yield from _inequalities(p)


def written(e: Expr, choice: Choice, laws: Sequence[Law]) -> Expr:
    """An expression with the chosen functions written out."""
    parameters: dict[str, tuple[Sym, ...]] = {law.function: law.parameters for law in laws}

    def change(a: Atom) -> Expr | None:
        if isinstance(a, Apply) and a.name in choice:
            return choice[a.name].subst(dict(zip(parameters[a.name], a.arguments, strict=True)))
        return None

    return e.map(change)


def write_out(form: Form, choice: Choice, laws: Sequence[Law]) -> Form:
    """A form with the chosen functions written out."""
    return map_form(form, lambda e: written(e, choice, laws))
