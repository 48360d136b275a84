"""Is there a kernel that makes two operators the same?  A linear question.

Both sides are compared coefficient by coefficient of the data (``x``, ``g``, ``y``); the unknown
kernel enters each equation linearly, and so do the known kernels.  At given sizes that is one
system of linear equations over the rationals, solved exactly: it has a solution for *every* value of
the known kernels iff it has one for each unit vector of them.  For all sizes the kernel is guessed
from a family built of the known kernels, and the guess is proved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, product
from math import prod
from typing import Any

from sympy import QQ
from sympy.polys.matrices import DomainMatrix

from derive.decide.equality import counterexample_at, decide_equal, function_tables, sizes_with_sum
from derive.decide.longer import last_length, with_sizes
from derive.decide.solver import Answer, Law, time_left
from derive.decide.verdict import Counterexample, Proved, Refuted, Undecided, Verdict
from derive.errors import DeriveError, NotSupported, WrongInput
from derive.evaluation import holds
from derive.expr import FALSE, Cond, Div, Expr, Sym, all_of, expressions, lift, subst_cond
from derive.form import Form, substitute, tensor
from derive.operators import (
    box,
    convolve,
    decimate,
    flip,
    nearest_upsample,
    pad,
    scale,
    zero_insert,
)
from derive.table import coefficients, shape_at

DATA = ("x", "g", "y")
LONGEST_BOX = 600  # lengths along all axes together that are tried at one choice of sizes
SEARCH_SUM = 14
CHECKED = 3_000  # choices of the sizes
FEW = 24  # of them with a solution, after which a formula is looked for
SOLVED = 400  # of them with a solution, after which no more are tried
EARLY = 12


@dataclass(frozen=True)
class Found:
    """A proof that the kernel exists: what it is, and the proof of the equality with it."""

    kernel: Form
    name: str


def solvable_at(
    left: Form, right: Form, unknown: str, sizes: dict[str, int], laws: Sequence[Law] = ()
) -> bool:
    """Is there, for every value of the known kernels, a value of the unknown one at these sizes?

    Where selections take part, one value must do for all of them at once.

    Raises :class:`derive.errors.NotSupported` where the unknown kernel is multiplied by a known one
    or by itself.
    """
    if shape_at(left, sizes) != shape_at(right, sizes):
        return False
    rows: dict[Any, dict[tuple[str, Any], Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    tables = [functions for functions, _ in function_tables(left, right, sizes, laws)]
    for chosen, (form, sign) in product(range(len(tables)), ((left, 1), (right, -1))):
        for (output, reads), value in coefficients(form, {**sizes, **tables[chosen]}).items():
            data = tuple(r for r in reads if r[0] in DATA)
            kernels = [r for r in reads if r[0] not in DATA]
            if sum(t == unknown for t, _ in kernels) > 1 or (
                len(kernels) > 1 and any(t == unknown for t, _ in kernels)
            ):
                raise NotSupported(
                    f"solving for {unknown!r}: it is multiplied by another kernel; "
                    "give the other kernel in numbers"
                )
            if len(kernels) > 1:
                key: tuple[str, Any] = ("~known", tuple(kernels))
            else:
                key = kernels[0] if kernels else ("~one", ())
            rows[chosen, output, data][key] += sign * value
    unknowns = sorted({k for r in rows.values() for k in r if k[0] == unknown})
    known = sorted({k for r in rows.values() for k in r if k[0] != unknown}, key=str)
    if not rows or not known:
        return True
    table = [
        [QQ(*_pair(r.get(k, Fraction(0)))) for k in (*unknowns, *known)] for r in rows.values()
    ]
    whole = DomainMatrix(table, (len(table), len(unknowns) + len(known)), QQ)
    part = whole[:, : len(unknowns)] if unknowns else None
    return bool(whole.rank() == (part.rank() if part is not None else 0))


def _pair(q: Fraction) -> tuple[int, int]:
    return q.numerator, q.denominator


def decide_exists(
    left: Form,
    right: Form,
    unknown: str,
    hypotheses: Sequence[Cond] = (),
    *,
    laws: Sequence[Law] = (),
) -> tuple[Verdict, Found | None]:
    """Decide whether for all sizes there is such a kernel, of any length where the length of the
    unknown tensor is a symbol of its own.

    A refutation is about all lengths: it is only given where :func:`derive.decide.longer.last_length`
    proves that longer kernels do nothing that the ones tried do not.
    """
    lengths = _own_lengths(left, right, unknown)
    parameters = sorted(({*left.sizes(), *right.sizes()} - lengths), key=lambda s: s.name)
    conds = (*hypotheses, *left.requires, *right.requires)
    order = tuple(sorted(lengths, key=lambda s: s.name))
    question = _Question(left, right, unknown, order, tuple(parameters), conds, tuple(laws))
    checked = 0
    found: Found | None = None
    for sizes in islice(_small(parameters), CHECKED):
        if checked == SOLVED or time_left() <= 0:
            break
        answer = _solvable_with(question, sizes)
        if answer is Answer.NO:
            return Refuted(Counterexample("existence", tuple(sizes.items()))), None
        if answer is Answer.UNKNOWN:
            return _not_found(unknown, sizes, checked), None
        checked += answer is Answer.YES
        if answer is Answer.YES and checked == FEW and parameters:
            found = _guess(left, right, unknown, lengths, hypotheses, laws)
            if found is not None:
                return Proved(), found
    if not parameters and checked:
        return Proved("exact algebra"), None  # nothing is left open: the equations are the question
    if checked < FEW:
        found = _guess(left, right, unknown, lengths, hypotheses, laws)
    if found is not None:
        return Proved(), found
    return Undecided(
        f"no formula for {unknown!r} was found", f"{checked} choices of sizes have such a kernel"
    ), None


def _not_found(unknown: str, sizes: Mapping[str, int], checked: int) -> Undecided:
    at = ", ".join(f"{name} = {v}" for name, v in sizes.items())
    at = f" at {at}" if at else ""
    if time_left() <= 0:
        reason = f"the time limit was reached in the search for {unknown!r}{at}"
    else:
        reason = f"no {unknown!r} was found{at}, and how long it may have to be is open"
    return Undecided(reason, f"{checked} choices of sizes have such a kernel")


def _own_lengths(left: Form, right: Form, unknown: str) -> set[Sym]:
    """The lengths of the unknown tensor that are free to choose: symbols that nothing else speaks
    of but the operator that the unknown tensor is an operand of.
    """
    shape = next(s for f in (left, right) for t, s in f.tensors if t == unknown)
    fixed: set[Sym] = set()
    for f in (left, right):
        if all(t != unknown for t, _ in f.tensors):
            fixed |= set(f.sizes())
        fixed |= {s for t, ns in f.tensors if t != unknown for n in ns for s in n.symbols()}
    return {n.symbol for n in shape if n.symbol is not None} - fixed


@dataclass(frozen=True)
class _Question:
    """Both sides, the unknown kernel, its free lengths, the other sizes, and what must hold."""

    left: Form
    right: Form
    unknown: str
    lengths: tuple[Sym, ...]
    parameters: tuple[Sym, ...]
    conds: tuple[Cond, ...]
    laws: tuple[Law, ...]

    def put(self, sizes: Mapping[str, int]) -> dict[Sym, Expr]:
        """The other sizes as numbers."""
        return {p: lift(sizes[p.name]) for p in self.parameters}


def _small(parameters: Sequence[Sym]) -> Iterator[dict[str, int]]:
    for total in range(SEARCH_SUM + 1):
        yield from sizes_with_sum(parameters, total)


def _solvable_with(question: _Question, sizes: dict[str, int]) -> Answer | None:
    """Some length of the kernel will do: yes, no (none of all lengths), or not known; None where
    the operators are never defined.
    """
    if all_of(*(subst_cond(c, question.put(sizes)) for c in question.conds)) == FALSE:
        return None
    defined = False
    tried: set[tuple[int, ...]] = set()
    for choice in _choices(question, sizes):
        if choice is None or time_left() <= 0:
            return Answer.UNKNOWN
        if choice in tried:
            continue
        tried.add(choice)
        at = {**sizes, **dict(zip((v.name for v in question.lengths), choice, strict=True))}
        if holds(all_of(*question.conds), at):
            defined = True
            if solvable_at(question.left, question.right, question.unknown, at, question.laws):
                return Answer.YES
    return Answer.NO if defined else None


def _choices(question: _Question, sizes: dict[str, int]) -> Iterator[tuple[int, ...] | None]:
    """Lengths of the kernel that together stand for all; None where it is not known which do.

    Short ones first, equal along all axes: they do where any does, most of the time.
    """
    count = len(question.lengths)
    if not count:
        yield ()
        return
    for n in range(1, 2 * sum(map(abs, sizes.values())) + 3):
        yield (n,) * count
    put = question.put(sizes)
    left, right = with_sizes(question.left, put), with_sizes(question.right, put)
    conds = [subst_cond(c, put) for c in question.conds]
    most: list[int] = []
    for v in question.lengths:
        last = last_length(left, right, question.unknown, v, conds, question.laws)
        if last is None:
            yield None
            return
        most.append(last)
    if prod(most) > LONGEST_BOX:
        yield None
        return
    yield from sorted(product(*(range(1, last + 1) for last in most)), key=sum)


def _guess(
    left: Form,
    right: Form,
    unknown: str,
    lengths: set[Sym],
    hypotheses: Sequence[Cond],
    laws: Sequence[Law],
) -> Found | None:
    for kernel, name in _family(left, right, unknown):
        for target, other in ((left, right), (right, left)):
            if all(t != unknown for t, _ in target.tensors):
                continue
            shape = target.tensor_shape(unknown)
            values = {
                n.symbol: m
                for n, m in zip(shape, kernel.shape, strict=False)
                if n.symbol is not None and n.symbol in lengths
            }
            try:
                written = substitute(with_sizes(target, values), unknown, kernel)
                rest = with_sizes(other, values)
                if any(t == unknown for t, _ in rest.tensors):
                    continue
                facts = (*hypotheses, *written.requires, *rest.requires)
                if _fails_early(written, rest, facts, laws):
                    continue
                equal = decide_equal(written, rest, facts, laws=laws, seconds=2.0)
                if isinstance(equal, Proved):
                    return Found(kernel, name)
            except DeriveError:
                continue
    return None


def _fails_early(left: Form, right: Form, facts: Sequence[Cond], laws: Sequence[Law]) -> bool:
    """Do the two differ at one of a few small sizes?  Then no proof need be tried."""
    order = sorted({*left.sizes(), *right.sizes()}, key=lambda s: s.name)
    small = (at for total in range(SEARCH_SUM) for at in sizes_with_sum(order, total))
    defined = (at for at in islice(small, 2000) if holds(all_of(*facts), at))
    return any(counterexample_at(left, right, at, laws) for at in islice(defined, EARLY))


def _family(left: Form, right: Form, unknown: str) -> Iterator[tuple[Form, str]]:
    """Kernels made of the known ones, simplest first."""
    known = {t: s for f in (left, right) for t, s in f.tensors if t not in DATA and t != unknown}
    symbols = sorted({*left.sizes(), *right.sizes()}, key=lambda s: s.name)
    factors = [Expr({(s,): 1}) for s in symbols if s.name[0] in "sdk"]
    numbers = {
        e.constant for f in (left, right) for t in f.terms for c in t.where for e in _parts(c)
    }
    factors += [lift(v) for v in sorted(n for n in numbers if n is not None and 2 <= n <= 8)]
    bases: list[tuple[Form, str]] = [(tensor(t, *s), t) for t, s in known.items() if len(s) == 1]
    if not bases:
        bases = [(box(1), "the unit impulse")]
        bases += [(box(f), f"box({f})") for f in factors]
        bases += [(scale(box(f), 1, f), f"box({f})/{f}") for f in factors]
    for kernel, name in bases:
        for once, said in _changes(kernel, name, factors):
            yield once, said
            if said == name:
                continue
            yield flip(once), f"flip({said})"


def _parts(cond: Cond) -> Iterator[Expr]:
    for e in expressions(cond):
        for a in e.atoms():
            if isinstance(a, Div):
                yield a.den
        for _, c in e.terms:
            yield lift(abs(c))


def _changes(kernel: Form, name: str, factors: Sequence[Expr]) -> Iterator[tuple[Form, str]]:
    yield kernel, name
    yield flip(kernel), f"flip({name})"
    for f in factors:
        yield convolve(kernel, box(f), padding=(f - 1, f - 1)), f"box({f}) * {name}"
        yield nearest_upsample(kernel, f), f"nearest_upsample({name}, {f})"
        yield zero_insert(kernel, f), f"zero_insert({name}, {f})"
        yield scale(kernel, 1, f), f"{name}/{f}"
        try:
            yield decimate(kernel, f), f"decimate({name}, {f})"
        except WrongInput:
            continue
    for lo, hi in ((1, 0), (0, 1)):
        yield pad(kernel, (lo, hi)), f"pad({name}, ({lo}, {hi}))"
