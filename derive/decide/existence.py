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
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, product
from typing import Any

from sympy import QQ
from sympy.polys.matrices import DomainMatrix

from derive.decide.equality import counterexample_at, decide_equal, function_tables, sizes_with_sum
from derive.decide.solver import Law, time_left
from derive.decide.verdict import Counterexample, Proved, Refuted, Undecided, Verdict
from derive.errors import DeriveError, NotSupported, WrongInput
from derive.expr import Cond, Div, Expr, Sym, all_of, expressions, holds, lift, subst_cond
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
LONGEST = 12
SEARCH_SUM = 14
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
    """
    lengths = _own_lengths(left, right, unknown)
    parameters = sorted(({*left.sizes(), *right.sizes()} - lengths), key=lambda s: s.name)
    conds = (*hypotheses, *left.requires, *right.requires)
    checked = 0
    for total in range(SEARCH_SUM + 1):
        for sizes in sizes_with_sum(parameters, total):
            if time_left() <= 0:
                break
            answer = _solvable_with(
                left, right, unknown, sorted(lengths, key=str), sizes, conds, laws
            )
            if answer is None:
                continue
            checked += 1
            if not answer:
                return Refuted(Counterexample("existence", tuple(sizes.items()))), None
            if checked >= 400:
                break
    if not parameters and not lengths and checked:
        return Proved("exact algebra"), None  # nothing is left open: the equations are the question
    found = _guess(left, right, unknown, lengths, hypotheses, laws)
    if found is not None:
        return Proved(), found
    return Undecided(
        f"no formula for {unknown!r} was found", f"{checked} choices of sizes have such a kernel"
    ), None


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


def _solvable_with(
    left: Form,
    right: Form,
    unknown: str,
    lengths: Sequence[Sym],
    sizes: dict[str, int],
    conds: Sequence[Cond],
    laws: Sequence[Law],
) -> bool | None:
    """Some length of the kernel will do; None where the operators are never defined."""
    defined = False
    for choice in _choices(lengths, sizes):
        env = {**sizes, **choice}
        if holds(all_of(*conds), env):
            defined = True
            if solvable_at(left, right, unknown, env, laws):
                return True
    return False if defined else None


def _choices(lengths: Sequence[Sym], sizes: Mapping[str, int]) -> Iterator[dict[str, int]]:
    longest = min(LONGEST * 3, 2 * sum(abs(v) for v in sizes.values()) + 2)
    if not lengths:
        yield {}
    elif len(lengths) == 1:
        yield from ({lengths[0].name: v} for v in range(1, longest + 1))
    else:
        yield from ({s.name: v for s in lengths} for v in range(1, longest + 1))


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
                written = substitute(_with_sizes(target, values), unknown, kernel)
                rest = _with_sizes(other, values)
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


def _with_sizes(form: Form, values: Mapping[Sym, Expr]) -> Form:
    """The form with size symbols replaced by expressions."""
    return replace(
        form,
        shape=tuple(n.subst(values) for n in form.shape),
        terms=tuple(t.subst(values) for t in form.terms),
        tensors=tuple((t, tuple(n.subst(values) for n in s)) for t, s in form.tensors),
        requires=tuple(subst_cond(c, values) for c in form.requires),
        call=None,
    )


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
