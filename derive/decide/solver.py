"""Z3 as a judge of conditions: is a conclusion true for *every* value of its symbols?

Everything asked here is quantifier free.  A floor quotient ``a // c`` becomes two fresh integers
with ``c >= 1 → a = c·q + r ∧ 0 <= r < c``, which defines them (where ``c < 1`` nothing is said
about ``q``, so a proof can never rest on a division by zero).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from itertools import count, islice
from math import gcd, inf
from typing import Any

import z3

from derive.errors import WrongInput
from derive.expr import (
    All,
    Any_,
    Apply,
    Atom,
    Cond,
    Div,
    Eq,
    Expr,
    Ge,
    Indicator,
    Max,
    Not,
    Sym,
    cond_symbols,
    conjuncts,
    negate,
    subst_cond,
)

DEFAULT_SECONDS = 20.0
COUNTED = 7  # attempts, of two seeds, are made where only what takes few steps is wanted
STEPS = 2_000_000  # what one of many small questions about sizes may take there


class Answer(Enum):
    """What the solver says of a statement: true for all, false for some, or it does not know."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Law:
    """A hypothesis on an unknown function, for all its arguments: ``∀ parameters: cond``.

    It is used at every argument at which the function occurs.
    """

    function: str
    parameters: tuple[Sym, ...]
    cond: Cond


class Translation:
    """Integer expressions as solver terms, with the definitions that they need."""

    def __init__(self, laws: Sequence[Law] = ()) -> None:
        # In a context shared with what was asked before, the same question can take a hundred
        # times as long: a context of its own costs a millisecond and depends on nothing.
        self.context = z3.Context()
        self.laws = laws
        self.definitions: list[Any] = []
        self.symbols: dict[str, Sym] = {}
        self._atoms: dict[Atom, Any] = {}

    def cond(self, c: Cond) -> Any:
        """A condition as a solver term."""
        match c:
            case Ge(e):
                return self.expr(e) >= 0
            case Eq(e):
                return self.expr(e) == 0
            case Not(inner):
                return z3.Not(self.cond(inner))
            case All(parts):
                return z3.And(*(self.cond(p) for p in parts), z3.BoolVal(True, self.context))
            case Any_(parts):
                return z3.Or(*(self.cond(p) for p in parts), z3.BoolVal(False, self.context))
        raise TypeError(f"not a condition: {c!r}")

    def expr(self, e: Expr) -> Any:
        """An integer expression as a solver term."""
        total: list[Any] = []
        for monomial, c in e.terms:
            product: Any = z3.IntVal(c, self.context)
            for i, atom in enumerate(monomial):
                product = self.atom(atom) if i == 0 and c == 1 else product * self.atom(atom)
            total.append(product)
        if not total:
            return z3.IntVal(0, self.context)
        return total[0] if len(total) == 1 else z3.Sum(total)

    def atom(self, a: Atom) -> Any:
        """An atom as a solver term; what defines it joins ``definitions``."""
        if a not in self._atoms:
            self._atoms[a] = self._make(a)
        return self._atoms[a]

    def _make(self, a: Atom) -> Any:
        match a:
            case Sym(name, least):
                if self.symbols.setdefault(name, a) != a:
                    raise WrongInput(
                        f"the symbol {name!r} was made twice with different hypotheses; "
                        "make it once and use it on both sides"
                    )
                variable = z3.Int(name, self.context)
                if least is not None:
                    self.definitions.append(variable >= least)
                return variable
            case Div(num, den):
                if _negative(num) and _positive(den):  # ⌈a/c⌉ = (a - 1)//c + 1 for c >= 1
                    return -1 - self.expr((-num - 1) // den)
                top, bottom = self.expr(num), self.expr(den)
                number = len(self._atoms)
                q, r = (z3.Int(f"~{part}{number}", self.context) for part in "qr")
                exact = z3.And(top == bottom * q + r, r >= 0, r < bottom)
                known = den.constant is not None
                self.definitions.append(exact if known else z3.Implies(bottom >= 1, exact))
                return q
            case Max(left, right):
                x, y = self.expr(left), self.expr(right)
                return z3.If(x >= y, x, y)
            case Indicator(cond):
                return z3.If(
                    self.cond(cond), z3.IntVal(1, self.context), z3.IntVal(0, self.context)
                )
            case Apply(name, arguments):
                values = [self.expr(e) for e in arguments]
                function = z3.Function(name, *[z3.IntSort(self.context)] * (len(values) + 1))
                self._atoms[a] = function(*values)
                for law in self.laws:
                    if law.function == name:
                        bound = dict(zip(law.parameters, arguments, strict=True))
                        self.definitions.append(self.cond(subst_cond(law.cond, bound)))
                return self._atoms[a]


def _positive(den: Expr) -> bool:
    """Is a divisor a number or a symbol that is at least 1?"""
    least = den.constant if den.symbol is None else den.symbol.minimum
    return least is not None and least >= 1


def _negative(num: Expr) -> bool:
    """Is all taken away in a dividend?  Then the quotient is one that rounds up."""
    signs = [c < 0 for m, c in num.terms if m]
    return bool(signs) and all(signs)


def ask(
    premises: Iterable[Cond],
    conclusion: Cond,
    *,
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
) -> Answer:
    """Do the premises imply the conclusion, for every value of every symbol?

    A conjunction is asked part by part (a part that is a premise already costs nothing), which
    keeps each question small.
    """
    known = [p for c in premises for p in conjuncts(c)]
    worst = Answer.YES
    for part in conjuncts(conclusion):
        if part in known:
            continue
        answer = _ask_one(known, part, laws, seconds)
        if answer is Answer.NO:
            return answer
        if answer is Answer.UNKNOWN:
            worst = answer
    return worst


def _ask_one(known: Sequence[Cond], part: Cond, laws: Sequence[Law], seconds: float) -> Answer:
    near = _connected(known, part)
    if len(near) < len(known) and _check(near, part, laws, seconds) is Answer.YES:
        return Answer.YES  # what follows from some of the premises follows from all of them
    return _check(known, part, laws, seconds)


_answered: dict[Any, Answer] = {}
_REMEMBERED = 20_000


def _connected(known: Sequence[Cond], part: Cond) -> list[Cond]:
    """The premises that share symbols with a conclusion, directly or through other premises.

    The axes of an operator have no symbols in common; so a question about one axis is asked
    without the nonlinear arithmetic of the others.
    """
    reached = set(cond_symbols(part))
    near: dict[int, Cond] = {}
    while True:
        found = {i: c for i, c in enumerate(known) if i not in near and cond_symbols(c) & reached}
        if not found:
            return [near[i] for i in sorted(near)]
        near |= found
        reached.update(*map(cond_symbols, found.values()))


def _check(known: Sequence[Cond], part: Cond, laws: Sequence[Law], seconds: float) -> Answer:
    """Ask, or remember: the steps of a chain ask the same question several times.

    Only what was decided is remembered; giving up depends on the time that there was.
    """
    key = (frozenset(known), part, tuple(laws))
    if key not in _answered:
        answer = _search(known, part, laws, seconds)
        if answer is Answer.UNKNOWN:
            return answer
        if len(_answered) >= _REMEMBERED:
            _answered.clear()
        _answered[key] = answer
    return _answered[key]


@dataclass(frozen=True)
class Attempt:
    """One way to put a question to the solver, given up after so many of its own steps."""

    steps: int
    seed: int = 0
    simple: bool = False
    factored: bool = False
    relevancy: bool = True


def _attempts() -> Iterator[Attempt]:
    """The ways to put a question, the quickest first, without end.

    The time that nonlinear questions take has a heavy tail in the seed and in the memory that was
    used before: what takes one attempt a tenth of a second, another one does not find in a minute.
    So no attempt is given more than a few steps before all others had as many.  Four ways take
    turns: with and without the products by name (see :func:`_factored`), with and without the
    restriction to relevant terms; some questions of the catalogue are quick only with the names, some
    only with the restriction, and some only without it.
    First comes the solver without its preprocessing, which is quick on what needs no search.  Steps
    are counted (about four million a second), so that what is found does not depend on how busy the
    machine is.
    """
    yield Attempt(500_000, simple=True)
    for seed in count():
        for relevancy in (True, False):
            for factored in (False, True):
                steps = 2_000_000 << min(seed, 6)
                yield Attempt(steps, seed, factored=factored, relevancy=relevancy)


def _search(known: Sequence[Cond], part: Cond, laws: Sequence[Law], seconds: float) -> Answer:
    end = time.monotonic() + _at_most(seconds)
    conds = [*known, negate(part)]
    for attempt in islice(_attempts(), _attempt_limit.get()):
        left = end - time.monotonic()
        if left <= 0:
            break
        t = Translation(laws)
        solver = _solver(t, left, simple=attempt.simple)
        solver.set("random_seed", attempt.seed)
        solver.set("rlimit", attempt.steps)
        if not attempt.relevancy:
            solver.set("smt.relevancy", 0)
        if attempt.factored:
            solver.add(*_factored(conds, t))
        for c in conds:
            solver.add(t.cond(c))
        solver.add(*t.definitions)
        result = solver.check()
        if result == z3.unsat:
            return Answer.YES
        if result == z3.sat:
            return Answer.NO
    return Answer.UNKNOWN


def _factored(conds: Iterable[Cond], t: Translation) -> list[Any]:
    """The premises once more, with a name for what a symbol is multiplied by.

    In ``s·a - s·b + c = 0`` the solver sees the products ``s·a`` and ``s·b`` apart; told that
    ``v = a - b`` and ``s·v + c = 0``, it finds at once that ``-s < c < s`` leaves only ``a = b``.
    Only what holds is restated: the premises themselves, not the branches of a disjunction.
    """
    names: dict[Expr, Any] = {}
    found: list[Any] = []
    for c in dict.fromkeys(p for whole in conds for p in conjuncts(whole)):
        if not isinstance(c, (Eq, Ge)):
            continue
        for v in sorted(c.expr.symbols(), key=lambda s: s.name):
            split = c.expr.coefficient(v)
            terms = {m: q for m, q in split[0].terms if m} if split else {}
            if split is None or len(terms) < 2:
                continue
            content = gcd(*terms.values())
            factor = Expr({m: q // content for m, q in terms.items()})
            if factor not in names:
                names[factor] = z3.Int(f"~factor{len(names)}", t.context)
                found.append(names[factor] == t.expr(factor))
            constant = (split[0] - factor * content).constant or 0
            whole = t.atom(v) * (content * names[factor] + constant) + t.expr(split[1])
            found.append(whole == 0 if isinstance(c, Eq) else whole >= 0)
    return found


def satisfiable(
    conds: Iterable[Cond], *, laws: Sequence[Law] = (), seconds: float = DEFAULT_SECONDS
) -> Answer:
    """Is there any value of the symbols for which the conditions hold?"""
    t = Translation(laws)
    solver = _solver(t, seconds)
    for c in conds:
        solver.add(t.cond(c))
    solver.add(*t.definitions)
    result = solver.check()
    if result == z3.sat:
        return Answer.YES
    return Answer.NO if result == z3.unsat else Answer.UNKNOWN


def smallest(
    conds: Sequence[Cond],
    parameters: Sequence[Sym],
    *,
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
    limit: int = 40,
    search: Callable[[int], dict[str, int] | None] = lambda total: None,
) -> dict[str, int] | None:
    """The smallest values of the parameters for which the conditions can hold.

    Smallest first in the sum of absolute values, then in the order of ``parameters``; so the
    answer does not depend on which model the solver happens to find.  Where the solver gives up on
    a sum, ``search`` goes through the values with that sum one by one.  None if there is none with
    a sum up to ``limit``.
    """
    t = Translation(laws)
    solver = _solver(t, seconds)
    for c in conds:
        solver.add(t.cond(c))
    chosen = [t.atom(p) for p in parameters]
    solver.add(*t.definitions)
    cost = z3.Sum([z3.If(v >= 0, v, -v) for v in chosen]) if chosen else z3.IntVal(0, t.context)
    for total in range(limit + 1):
        if time_left() <= 0:
            return None
        solver.push()
        solver.add(cost == total)
        result = solver.check()
        if result == z3.sat:
            return _least(solver, parameters, chosen, total)
        if result == z3.unknown:
            found = search(total)
            if found is not None:
                return found
        solver.pop()
    return None


def _least(
    solver: Any, parameters: Sequence[Sym], chosen: Sequence[Any], total: int
) -> dict[str, int]:
    values: dict[str, int] = {}
    for p, v in zip(parameters, chosen, strict=True):
        for candidate in sorted(range(-total, total + 1), key=lambda c: (abs(c), -c)):
            solver.push()
            solver.add(v == candidate)
            if solver.check() == z3.sat:
                values[p.name] = candidate
                break
            solver.pop()
        else:  # the solver knew a model of the whole but gave up on a part of it
            model = solver.model() if solver.check() == z3.sat else None
            values[p.name] = int(str(model.eval(v))) if model is not None else 0
    return values


_deadline: ContextVar[float] = ContextVar("deadline", default=inf)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Everything that is asked inside must be answered within so many seconds in all; what is
    asked later is answered UNKNOWN.  Limits inside limits never extend the outer one.
    """
    token = _deadline.set(min(_deadline.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


_attempt_limit: ContextVar[int | None] = ContextVar("attempt_limit", default=None)


@contextmanager
def counted_steps(attempts: int = COUNTED) -> Iterator[None]:
    """What is asked inside is given up after a number of steps, the same on every machine; of time
    limits only that of :func:`time_limit` is left, as a guard.
    """
    token = _attempt_limit.set(min(attempts, _attempt_limit.get() or attempts))
    try:
        yield
    finally:
        _attempt_limit.reset(token)


def time_left() -> float:
    """The seconds that are left of the time limit (infinite outside of one)."""
    return _deadline.get() - time.monotonic()


def _solver(t: Translation, seconds: float, *, simple: bool = False) -> Any:
    solver = z3.SimpleSolver(ctx=t.context) if simple else z3.Solver(ctx=t.context)
    left = _at_most(seconds)
    if left < inf:
        solver.set("timeout", max(1, int(left * 1000)))
    if _attempt_limit.get() is not None:
        solver.set("rlimit", STEPS)
    solver.set("random_seed", 0)
    return solver


def _at_most(seconds: float) -> float:
    """The seconds that a question may take: where steps are counted, all that are left."""
    return time_left() if _attempt_limit.get() is not None else min(seconds, time_left())
