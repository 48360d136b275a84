"""The coefficients of a form at given sizes: what its matrix, its numbers and its pictures read.

The work is done in NumPy over the index tuples that can be non-zero: equations are solved for one
index each before anything is enumerated, so a matrix costs what its non-zero entries cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from derive.decide.normal import canonical
from derive.errors import NotSupported, WrongInput
from derive.evaluation import holds
from derive.expr import (
    FALSE,
    TRUE,
    Cond,
    Eq,
    Expr,
    Sym,
    all_of,
    cond_symbols,
    conjuncts,
    divides,
    eq,
    lift,
    subst_cond,
)
from derive.form import Form, Term

LARGEST = 2_000_000
Sizes = Mapping[str, Any]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Entries:
    """The non-zero part of one term: for each entry the output index, the read indices, the value.

    ``output`` has shape ``(count, rank)``; ``reads`` pairs a tensor with an index array of that
    kind; ``num / den`` is the coefficient.
    """

    output: Ints
    reads: tuple[tuple[str, Ints], ...]
    num: npt.NDArray[Any]
    den: npt.NDArray[Any]


def concrete(e: Expr, sizes: Sizes) -> int:
    """The number that an expression is at the given sizes."""
    missing = sorted(s.name for s in e.symbols() if s.name not in sizes)
    if missing:
        raise WrongInput(f"evaluating {e}: no value for {', '.join(missing)}; give it a number")
    return int(e.at(sizes))


def shape_at(form: Form, sizes: Sizes) -> tuple[int, ...]:
    """The output shape at the given sizes."""
    return tuple(concrete(n, sizes) for n in form.shape)


def undefined_at(form: Form, sizes: Sizes) -> Cond | None:
    """The first requirement of the operator that fails at the given sizes, or None."""
    for c in form.requires:
        if not holds(c, sizes):
            return c
    return None


def entries(form: Form, sizes: Sizes) -> Iterator[Entries]:
    """The entries of every term at the given sizes.

    Functions (selections) are given in ``sizes`` under their name, as callables on index arrays.
    """
    numbers = {k: v for k, v in sizes.items() if not callable(v)}
    shapes = {t: tuple(concrete(n, sizes) for n in s) for t, s in form.tensors}
    outputs = shape_at(form, sizes)
    for term in form.terms:
        yield _entries(form, term, sizes, numbers, shapes, outputs)


def _entries(
    form: Form,
    term: Term,
    sizes: Sizes,
    numbers: Mapping[str, int],
    shapes: Mapping[str, tuple[int, ...]],
    outputs: tuple[int, ...],
) -> Entries:
    ranges: dict[Sym, int] = dict(zip(form.index, outputs, strict=True))
    for b, length in term.bound:
        ranges[b] = concrete(length, sizes)
    conds: list[Cond] = list(term.where)
    read_variables: list[tuple[str, list[Sym]]] = []
    for copy, r in enumerate(term.reads):
        variables = []
        for axis, e in enumerate(r.at):
            v = canonical(f"{r.tensor}#{copy}", 0, axis)
            ranges[v] = shapes[r.tensor][axis]
            conds.append(eq(Expr({(v,): 1}), e))
            variables.append(v)
        read_variables.append((r.tensor, variables))
    known = _given(term, conds, numbers)
    where, solved = _solve([subst_cond(c, known) for c in conds], ranges)
    if FALSE in where:  # the equations contradict each other: there is nothing to visit
        where, solved, ranges = [], [], dict.fromkeys(ranges, 0)
    env = _grid(ranges, solved, sizes)
    mask = _mask(where, solved, ranges, env)

    def column(variables: list[Sym]) -> Ints:
        columns = [np.broadcast_to(env[v.name], mask.shape)[mask] for v in variables]
        total = int(mask.sum())
        return np.stack(columns, axis=1) if columns else np.zeros((total, 0), dtype=np.int64)

    def coefficient(e: Expr) -> npt.NDArray[Any]:
        value = np.broadcast_to(np.asarray(e.at(env), dtype=object), mask.shape)
        return value[mask]

    return Entries(
        column(list(form.index)),
        tuple((t, column(v)) for t, v in read_variables),
        coefficient(term.coefficient.num),
        coefficient(term.coefficient.den),
    )


def _given(term: Term, conds: list[Cond], numbers: Mapping[str, int]) -> dict[Sym, Expr]:
    used = {s for c in conds for s in cond_symbols(c)}
    return {s: lift(numbers[s.name]) for s in used if s.name in numbers}


def _solve(
    conds: list[Cond], ranges: Mapping[Sym, int]
) -> tuple[list[Cond], list[tuple[Sym, Expr]]]:
    """Solve every equation that can be for one index, the one with the longest range first.

    ``c·v = e`` with ``c > 1`` gives ``v = e // c`` and leaves the condition that c divides e; units
    are preferred.
    """
    where = [p for c in conds for p in conjuncts(c)]
    solved: list[tuple[Sym, Expr]] = []
    free = set(ranges)
    splits: dict[Cond, list[_Split]] = {}
    while True:
        best: tuple[tuple[bool, int, str], _Split, Cond] | None = None
        for c in where:
            if c not in splits:
                splits[c] = _splits(c)
            for split in splits[c]:
                v, number, _ = split
                rank = (number == 1, ranges.get(v, 0), v.name)
                if v in free and (best is None or rank > best[0]):
                    best = (rank, split, c)
        if best is None:
            return where, solved
        _, (v, number, rest), used = best
        value = rest // number
        free.discard(v)
        solved = [(u, e.subst({v: value})) for u, e in solved] + [(v, value)]
        left = (
            subst_cond(c, {v: value}) if v in cond_symbols(c) else c for c in where if c is not used
        )
        kept = all_of(divides(number, rest), *left)
        where = [] if kept == TRUE else list(conjuncts(kept))


_Split: TypeAlias = "tuple[Sym, int, Expr]"


def _splits(c: Cond) -> list[_Split]:
    """``(v, number, rest)`` for every symbol for which an equation says ``number·v = rest``."""
    found: list[_Split] = []
    if isinstance(c, Eq):
        for v in c.expr.symbols():
            split = c.expr.coefficient(v)
            number = split[0].constant if split else None
            if split and number:
                found.append((v, abs(number), -split[1] if number > 0 else split[1]))
    return found


def _grid(
    ranges: Mapping[Sym, int], solved: list[tuple[Sym, Expr]], sizes: Sizes
) -> dict[str, Any]:
    done = {v for v, _ in solved}
    axes = sorted((v for v in ranges if v not in done), key=lambda v: v.name)
    shape = tuple(max(0, ranges[v]) for v in axes)
    total = 1
    for n in shape:
        total *= n
    if total > LARGEST:
        raise NotSupported(
            f"building the coefficients: {total} index tuples to visit, the limit is {LARGEST}; "
            "ask for smaller sizes"
        )
    env: dict[str, Any] = dict(sizes)
    for axis, v in enumerate(axes):
        view = [1] * len(shape)
        view[axis] = -1
        env[v.name] = np.arange(shape[axis], dtype=np.int64).reshape(view)
    env["~shape"] = shape
    for v, e in solved:
        env[v.name] = np.asarray(e.at(env), dtype=np.int64)
    return env


def _mask(
    where: list[Cond],
    solved: list[tuple[Sym, Expr]],
    ranges: Mapping[Sym, int],
    env: Mapping[str, Any],
) -> npt.NDArray[np.bool_]:
    mask = np.ones(env["~shape"], dtype=bool)
    for v, _ in solved:
        value = env[v.name]
        mask = mask & (value >= 0) & (value < ranges[v])
    for c in where:
        mask = mask & np.asarray(holds(c, env), dtype=bool)
    return mask


Key = tuple[tuple[int, ...], tuple[tuple[str, tuple[int, ...]], ...]]


def coefficients(form: Form, sizes: Sizes) -> dict[Key, Fraction]:
    """``(output index, reads) -> coefficient``, zeros left out; reads are sorted, so that a
    product of two reads of one tensor has one entry.
    """
    table: dict[Key, Fraction] = {}
    for part in entries(form, sizes):
        for row in range(len(part.num)):
            output = tuple(int(v) for v in part.output[row])
            reads = tuple(sorted((t, tuple(int(v) for v in a[row])) for t, a in part.reads))
            value = Fraction(int(part.num[row]), int(part.den[row]))
            table[output, reads] = table.get((output, reads), Fraction(0)) + value
    return {k: v for k, v in table.items() if v}


def evaluate(form: Form, sizes: Sizes, tensors: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The output array, exactly: Python integers and fractions in an object array.

    Raises :class:`derive.errors.WrongInput` for a missing tensor or one of the wrong shape.
    """
    for name, shape in form.tensors:
        wanted = tuple(concrete(n, sizes) for n in shape)
        if name not in tensors:
            raise WrongInput(
                f"evaluating: no array for the tensor {name!r}; give one of shape {wanted}"
            )
        if tensors[name].shape != wanted:
            raise WrongInput(
                f"evaluating: the tensor {name!r} has the shape {tensors[name].shape}; "
                f"give an array of shape {wanted}"
            )
    out = np.zeros(shape_at(form, sizes), dtype=object)
    for part in entries(form, sizes):
        value = part.num * np.array(
            [Fraction(1, int(d)) if d != 1 else 1 for d in part.den], dtype=object
        )
        for name, at in part.reads:
            value = value * tensors[name].astype(object)[tuple(at.T)]
        if out.shape:
            np.add.at(out, tuple(part.output.T), value)
        else:
            out[()] += sum(value)
    return out


def values(form: Form, **tensors: Sequence[Any]) -> list[Any]:
    """The output as nested lists, where every length of the form is a number.

    Args:
        form: an operator at concrete sizes.
        tensors: the values of each tensor that it reads, by name, as nested lists.

    Raises:
        WrongInput: for a missing tensor, one of the wrong shape, and for lengths that are symbols.

    >>> from derive.form import tensor
    >>> from derive.operators import correlate
    >>> values(correlate(tensor("x", 4), tensor("w", 2)), x=[1, 2, 4, 8], w=[3, 5])
    [13, 26, 52]
    """
    arrays = {name: np.array(given, dtype=object) for name, given in tensors.items()}
    out = evaluate(form, {}, arrays)
    for at, v in np.ndenumerate(out):
        out[at] = int(v) if v == int(v) else v
    found: list[Any] = out.tolist()
    return found
