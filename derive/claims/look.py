"""A first look at a claim: what it is at the smallest sizes, computed from the definitions.

Nothing here proves anything for all sizes.  It finds smallest counterexamples, and it is what can be
said of a claim that is not decided in time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from derive.claims.maxima import at_sizes, difference, solved
from derive.claims.reduce import COMPARE, support
from derive.claims.values import About, Both, Everywhere, Exists, Negation, Same, Statement
from derive.decide.equality import counterexample_at, sizes_with_sum
from derive.decide.solver import time_left
from derive.decide.verdict import Counterexample
from derive.errors import NotSupported
from derive.evaluation import holds
from derive.expr import TRUE, Cond, all_of, cond_symbols, eq, lift
from derive.form import Form
from derive.table import coefficients, shape_at

LARGEST_SUM = 14
LARGEST = 3_000  # entries of all outputs and tensors: larger sizes are left out
Truth: TypeAlias = "Counterexample | bool | None"
"""At given sizes: False (or an example) where it fails, True where it holds, None: not known."""


@dataclass(frozen=True)
class Look:
    """What was found: ``agreed`` choices of the sizes ``names`` (with a sum up to ``bound``) at which
    the claim is true, ``open_`` ones at which no input was found on which it fails, and the
    smallest counterexample.
    """

    names: tuple[str, ...]
    agreed: int = 0
    open_: int = 0
    bound: int = 0
    counterexample: Counterexample | None = None

    def __str__(self) -> str:
        number = self.agreed + self.open_
        if not number:
            return "nothing"
        listed = ", ".join(self.names)
        where = f"at all {number} choices of {listed} with a sum up to {self.bound}"
        if not self.names:
            where = "at these sizes"
        if not self.open_:
            return f"it holds {where}"
        return f"no input was found on which it fails {where}"


def look(
    statement: Statement,
    facts: Sequence[Cond] = (),
    condition: Cond | None = None,
    *,
    seconds: float = 0.1,
    most: int = 40,
    below: Mapping[str, int] | None = None,
    solver: bool = False,
    largest: int = LARGEST,
) -> Look:
    """Go through the smallest sizes until a counterexample, a number of choices, or the time is over.

    Args:
        statement: what is claimed.
        facts: conditions that the sizes meet; sizes at which an operator is not defined say nothing.
        condition: what stands after ``iff``: the statement must be true where it is and only there.
        seconds: the time that this may take.
        most: how many choices are enough.
        below: only sizes that come before these.
        solver: for maxima, ask the solver where no input shows a difference.
        largest: how many entries the outputs and tensors may have; larger sizes are left out.
    """
    needed = all_of(*facts, *(c for f in operators(statement) for c in f.requires))
    symbols = {s for f in operators(statement) for s in f.sizes()}
    symbols |= {
        s
        for c in (needed, *stated(statement), TRUE if condition is None else condition)
        for s in cond_symbols(c)
    }
    parameters = sorted(symbols, key=lambda s: s.name)
    names = tuple(p.name for p in parameters)
    if not _computable(statement):
        return Look(names)
    end = time.monotonic() + min(seconds, time_left())
    agreed = open_ = 0
    bound = 0
    for total in range(LARGEST_SUM + 1 if parameters else 1):
        for sizes in sizes_with_sum(parameters, total):
            if time.monotonic() > end or sizes == below:
                return Look(names, agreed, open_, bound)
            found = _at(statement, needed, sizes, solver, largest)
            example = _against(found, condition, sizes)
            if example is not None:
                return Look(names, agreed, open_, bound, example)
            agreed += found is not None and (found is True or isinstance(found, Counterexample))
            open_ += found is False
        bound = total
        if agreed + open_ >= most:
            break
    return Look(names, agreed, open_, bound)


def _computable(statement: Statement) -> bool:
    """Selections and kernels that exist are not gone through here."""
    match statement:
        case Same(free_taps=True):
            return statement.values is not None
        case Same() | Everywhere():
            return not statement.laws
        case Both(parts):
            return all(map(_computable, parts))
        case Negation(part):
            return _computable(part)
    return isinstance(statement, About)


def _against(
    found: Truth, condition: Cond | None, sizes: Mapping[str, int]
) -> Counterexample | None:
    """The example that contradicts the claim with its ``iff``."""
    wanted = condition is None or bool(holds(condition, sizes))
    if wanted and isinstance(found, Counterexample):
        return found
    if not wanted and found is True:
        return Counterexample("sizes", tuple(sizes.items()))
    return None


def _at(
    statement: Statement, needed: Cond, sizes: dict[str, int], solver: bool, largest: int
) -> Truth:
    """The truth at these sizes: False means that it is open, None that it says nothing there."""
    try:
        if not bool(holds(needed, sizes)) or _entries(statement, sizes) > largest:
            return None
        return truth_at(statement, sizes, solver)
    except (KeyError, ZeroDivisionError, NotSupported):
        return None


def truth_at(statement: Statement, sizes: dict[str, int], solver: bool = False) -> Truth:
    """Whether a statement is true at sizes at which it is defined.

    Returns a counterexample, True, False where it is open, or None where there is nothing to say.
    """
    match statement:
        case About(cond):
            return bool(holds(cond, sizes)) or Counterexample("sizes", tuple(sizes.items()))
        case Same(free_taps=True):
            return _maxima_at(statement, sizes, solver)
        case Same(left=left, right=right):
            sides = (_support(left), _support(right)) if statement.reads_only else (left, right)
            refuted = counterexample_at(*sides, sizes)
            return True if refuted is None else refuted.counterexample
        case Everywhere():
            return _count_at(statement, sizes)
        case Both(parts):
            return _both_at([truth_at(p, sizes, solver) for p in parts])
        case Negation(part):
            found = truth_at(part, sizes, solver)
            if isinstance(found, Counterexample):
                return True
            return Counterexample("sizes", tuple(sizes.items())) if found is True else found
    return None


def _both_at(found: Sequence[Truth]) -> Truth:
    for f in found:
        if isinstance(f, Counterexample):
            return f
    return None if None in found else all(f is True for f in found)


@lru_cache(maxsize=16)
def _support(form: Form) -> Form:
    return support(form)


def _maxima_at(statement: Same, sizes: dict[str, int], solver: bool) -> Truth:
    if statement.values is None:
        return None
    sized = at_sizes(statement, sizes)
    if sized is None:
        return None
    return difference(sized) or (solved(sized) if solver else False)


def _count_at(statement: Everywhere, sizes: dict[str, int]) -> Truth:
    table = coefficients(statement.count, sizes)
    shape = shape_at(statement.count, sizes)
    bound = lift(int(statement.bound.at(sizes)))
    for at in np.ndindex(*shape):
        number = table.get((at, ()), Fraction(0))
        if number.denominator != 1:
            return None
        if not bool(holds(COMPARE[statement.comparison](lift(int(number)), bound), {})):
            where = tuple(sizes.items())
            ours, theirs = Fraction(0), Fraction(1)  # of the indicator; the report tells the number
            return Counterexample("value", where, (), shape, shape, at, (), ours, theirs)
    return True


def operators(statement: Statement) -> Iterator[Form]:
    """The operators that a statement speaks of."""
    match statement:
        case Same(left=left, right=right, values=values):
            yield from values if values is not None and statement.free_taps else (left, right)
            yield from (p.operand for p in statement.pools if statement.free_taps)
            yield from (left, right)
        case Exists(left=left, right=right):
            yield from (left, right)
        case Everywhere(count=count):
            yield count
        case Both(parts):
            for p in parts:
                yield from operators(p)
        case Negation(part):
            yield from operators(part)


def stated(statement: Statement) -> Iterator[Cond]:
    """The conditions on sizes in a statement."""
    match statement:
        case About(cond):
            yield cond
        case Everywhere(bound=bound):
            yield eq(bound, 0)  # for its symbols
        case Both(parts):
            for p in parts:
                yield from stated(p)
        case Negation(part):
            yield from stated(part)


def _entries(statement: Statement, sizes: Mapping[str, Any]) -> int:
    """A measure of the work at these sizes: the largest product of an output and what it reads."""
    most = 0
    for form in operators(statement):
        lengths = [*form.shape, *(n for _, shape in form.tensors for n in shape)]
        number = 1
        for n in lengths:
            number *= max(1, int(n.at(sizes)))
        most = max(most, number)
    return most
