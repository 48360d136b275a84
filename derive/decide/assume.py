"""Assumptions put to use: an equation between sizes removes a size, a decided maximum disappears.

"Equal wherever ``n % s == 0``" is a harder question for a solver than "equal for ``n = s·q``".  Each
step here keeps the statement: the substituted facts say no more and no less.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from derive.decide.samples import is_index
from derive.decide.solver import Answer, Law, ask, counted_steps
from derive.expr import (
    All,
    Any_,
    Atom,
    Cond,
    Div,
    Eq,
    Expr,
    Ge,
    Max,
    Sym,
    all_of,
    between,
    conjuncts,
    eq,
    map_cond,
    subst_cond,
)
from derive.form import Form, Ratio, Read

SIMPLE = 2  # attempts of the solver at what should be evident


@dataclass(frozen=True)
class Assumed:
    """Facts after substitution; ``values`` gives each removed size in the ones that are left."""

    facts: tuple[Cond, ...]
    values: Mapping[Sym, Expr]

    def form(self, form: Form) -> Form:
        """A form after the same substitution, maxima that the facts decide resolved."""
        return map_form(map_form(form, lambda e: e.subst(self.values)), _resolver(self.facts))

    def laws(self, laws: Sequence[Law]) -> tuple[Law, ...]:
        """Hypotheses on unknown functions after the same substitution."""
        return tuple(replace(law, cond=subst_cond(law.cond, self.values)) for law in laws)

    def sizes(self, found: Mapping[str, int]) -> dict[str, int]:
        """The sizes before the substitution, from those after it (those made up here left out)."""
        every = {name: v for name, v in found.items() if "~" not in name}
        return every | {s.name: int(e.at(found)) for s, e in self.values.items()}


def assume(facts: Sequence[Cond], cond: Cond) -> Assumed:
    """Facts and one more condition, whose equations are solved for one size each.

    >>> from derive.expr import divides
    >>> from derive.symbols import sizes
    >>> n, k, s = sizes("n k s")
    >>> found = assume((n >= k,), all_of(eq(k, s), divides(s, n)))
    >>> print(*(f"{a.name} = {e}" for a, e in found.values.items()), "|", *found.facts, sep="; ")
    s = k; n = k*q~0; |; k*q~0 >= k; k >= 1; k*q~0 >= 1
    """
    left = list(conjuncts(all_of(*facts, cond)))
    wanted = [c for c in conjuncts(cond) if isinstance(c, Eq)]
    values: dict[Sym, Expr] = {}
    names = (Sym(f"q~{i}") for i in count())
    while wanted:
        c = wanted.pop(0)
        solved = _solve(c, left, names)
        if solved is None:
            continue
        v, value, extra = solved
        put = {v: value}
        values = {u: e.subst(put) for u, e in values.items()} | put
        minimum = () if v.minimum is None else (value >= v.minimum,)
        rest = all_of(*(subst_cond(f, put) for f in left if f != c), *extra, *minimum)
        left = list(conjuncts(rest))
        wanted = [w for w in (subst_cond(f, put) for f in wanted) if isinstance(w, Eq)]
    return Assumed(tuple(left), values)


def _solve(
    c: Eq, facts: Sequence[Cond], names: Iterator[Sym]
) -> tuple[Sym, Expr, tuple[Cond, ...]] | None:
    """``(size, value, what else the equation says)``; quotients are named first."""
    e = c.expr
    extra: list[Cond] = []
    quotients = [a for a in e.atoms() if isinstance(a, Div)]
    if len(quotients) > 1:
        return None
    for a in quotients:
        if a.den.constant is None and not _evidently(facts, a.den >= 1):
            return None
        q = Expr({(next(names),): 1})
        e = e.map(lambda b, a=a, q=q: q if b == a else None)  # type: ignore[misc]
        extra.append(between(a.den * q, a.num, a.den * (q + 1)))
    for v in sorted(e.symbols(), key=lambda s: s.name, reverse=True):
        split = e.coefficient(v)
        if split and split[0] in (1, -1) and not is_index(v) and "~" not in v.name:
            value = -split[1] if split[0] == 1 else split[1]
            kept = (x for x in (subst_cond(x, {v: value}) for x in extra))
            parts = conjuncts(all_of(*kept))
            return v, value, tuple(p for p in parts if not _evident(p, facts, {v: value}))
    return None


def _evident(c: Cond, facts: Sequence[Cond], put: Mapping[Sym, Expr]) -> bool:
    known = [subst_cond(f, put) for f in facts if not isinstance(f, Eq)]
    return _evidently(known, c)


def _evidently(facts: Sequence[Cond], conclusion: Cond) -> bool:
    with counted_steps(SIMPLE):
        return ask(facts, conclusion) is Answer.YES


def cases(cond: Cond, facts: Sequence[Cond] = ()) -> list[Cond]:
    """A conjunction as cases in which remainders are known: ``n % m <= 1`` is 0 or 1 where the facts
    say that ``m >= 1``.

    >>> from derive.symbols import sizes
    >>> n, m = sizes("n m")
    >>> print(*cases(n % m <= 1), sep=" | ")
    n % m == 0 | n % m == 1
    """
    options: list[Cond] = [all_of()]
    for part in conjuncts(cond):
        split = _small_remainder(part, facts) or [part]
        options = [all_of(o, p) for o in options for p in split]
    return options


def _small_remainder(c: Cond, facts: Sequence[Cond]) -> list[Cond] | None:
    if isinstance(c, Ge):
        for a in c.expr.atoms():
            if isinstance(a, Div):
                rest = c.expr + (a.num - a.den * Expr({(a,): 1}))
                if rest.constant is None or not 0 <= rest.constant <= 2:
                    continue
                if _evidently(facts, a.den >= 1):
                    remainder = rest - c.expr
                    return [eq(remainder, v) for v in range(rest.constant + 1)]
    return None


def _resolver(facts: Sequence[Cond]) -> Callable[[Expr], Expr]:
    known: dict[Atom, Expr | None] = {}

    def decided(a: Atom) -> Expr | None:
        if isinstance(a, Max) and not any(
            is_index(s) or s.name[0] == "~" or _bound(s)
            for e in (a.left, a.right)
            for s in e.symbols()
        ):
            if a not in known:
                known[a] = None
                for one, other in ((a.left, a.right), (a.right, a.left)):
                    if _evidently(facts, one >= other):
                        known[a] = one
                        break
            return known[a]
        return None

    return lambda e: e.map(decided) if any(isinstance(a, Max) for a in e.atoms()) else e


def _bound(s: Sym) -> bool:
    return s.name[0] == "b" and s.name[1:].isdigit()


def map_form(form: Form, change: Callable[[Expr], Expr]) -> Form:
    """The form with every integer expression changed."""

    def conds(given: Sequence[Cond]) -> tuple[Cond, ...]:
        both = all_of(*(map_cond(c, change) for c in given))
        return () if both == All(()) else conjuncts(both)

    terms = tuple(
        replace(
            t,
            coefficient=Ratio(change(t.coefficient.num), change(t.coefficient.den)),
            bound=tuple((b, change(n)) for b, n in t.bound),
            where=conds(t.where),
            reads=tuple(Read(r.tensor, tuple(change(e) for e in r.at)) for r in t.reads),
        )
        for t in form.terms
    )
    return Form(
        tuple(change(n) for n in form.shape),
        form.index,
        tuple(t for t in terms if Any_(()) not in t.where),
        tuple((name, tuple(change(n) for n in shape)) for name, shape in form.tensors),
        conds(form.requires),
    )
