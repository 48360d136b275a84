"""Truth samples: at many small sizes at once, do two forms agree?

The cells of both sides (:mod:`derive.decide.normal`) are evaluated with NumPy over many choices of
the sizes and all index tuples that can matter.  What is read from samples is only ever a *guess*: it
is used to find a condition, never to claim one.

>>> from derive.symbols import sizes
>>> from derive.form import tensor
>>> from derive.operators import decimate, nearest_upsample
>>> n, s = sizes("n s")
>>> x = tensor("x", n)
>>> both = Comparison(nearest_upsample(decimate(x, s), s), x)
>>> grid = {"n": np.array([4, 4, 4]), "s": np.array([1, 2, 3])}
>>> both.agree(grid).tolist()
[True, False, False]
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.decide.equality import counterexample_at, grouped, sizes_with_sum
from derive.decide.normal import Cell, canonical, cells, evidently_positive
from derive.decide.solver import Law, time_left
from derive.errors import NotSupported
from derive.evaluation import holds
from derive.expr import (
    TRUE,
    Apply,
    Cond,
    Eq,
    Expr,
    Sym,
    all_of,
    cond_symbols,
    conjuncts,
    eq,
    expressions,
    subst_cond,
)
from derive.form import Form

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Grid = dict[str, Ints]
Group = tuple[list[Cell], list[Cell]]

POINTS = 400_000  # index tuples that are evaluated at a time
WORK = 600_000  # index tuples that are evaluated in all
PER_SIZE = 8_000  # index tuples of one choice of sizes; larger ones are left out
SLOW_SAMPLES = 250  # where the cells cannot be used, each sample is evaluated by itself
EXACT = 1e-9  # coefficients are fractions of small integers: a smaller difference is none


def is_index(s: Sym) -> bool:
    """Is the symbol an output index or the index of a read, rather than a size?"""
    return "." in s.name or (s.name[0] == "i" and s.name[1:].isdigit())


def has_functions(conds: Sequence[Cond]) -> bool:
    """Do the conditions speak of unknown functions?"""
    return any(isinstance(a, Apply) for c in conds for e in expressions(c) for a in e.atoms())


def count(grid: Mapping[str, Ints]) -> int:
    """The number of samples in a grid."""
    return len(next(iter(grid.values()))) if grid else 0


def take(grid: Mapping[str, Ints], chosen: Any) -> Grid:
    """The chosen samples (a mask or an array of positions)."""
    return {name: values[chosen] for name, values in grid.items()}


def row(grid: Mapping[str, Ints], at: int) -> dict[str, int]:
    """One sample as numbers."""
    return {name: int(values[at]) for name, values in grid.items()}


def truth(cond: Cond, grid: Mapping[str, Any]) -> Bools:
    """Where a condition on sizes holds."""
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(holds(cond, grid), dtype=bool), (count(grid),)).copy()


def sample(
    parameters: Sequence[Sym], conds: Sequence[Cond], *, small: int = 1000, large: int = 500
) -> Grid:
    """Choices of the parameters that meet the conditions: all of the smallest, and random larger ones.

    A random choice is made so that coincidences happen: a size is often equal to another one, next
    to it, a multiple or a sum.  The numbers are the same in every run.
    """
    names = [p.name for p in parameters]
    rows: dict[tuple[int, ...], None] = {}
    for total in range(48):
        before = len(rows)
        if before >= 6 * small or time_left() <= 0:
            break
        for found in sizes_with_sum(parameters, total):
            rows[tuple(found[n] for n in names)] = None
        if before and truth(all_of(*conds), _grid(names, rows)).sum() >= small:
            break
    generator = random.Random(len(parameters))
    for _ in range(4 * large):
        rows[tuple(_random_row(parameters, generator))] = None
    grid = _grid(names, rows)
    kept = np.flatnonzero(truth(all_of(*conds), grid))
    return take(grid, kept[: small + large])


def _grid(names: Sequence[str], rows: Mapping[tuple[int, ...], None]) -> Grid:
    table = np.array(list(rows), dtype=np.int64).reshape(len(rows), len(names))
    return {name: table[:, i].copy() for i, name in enumerate(names)}


def _random_row(parameters: Sequence[Sym], generator: random.Random) -> list[int]:
    values: dict[str, int] = {}
    for p in generator.sample(list(parameters), len(parameters)):
        known = list(values.values()) or [generator.randint(1, 4)]
        a, b = generator.choice(known), generator.choice(known)
        choices = (
            generator.randint(0, 4),
            generator.randint(0, 12),
            a,
            a + generator.choice((-1, 1)),
            a * generator.randint(2, 4) + generator.choice((0, 0, 1, -1)),
            a + b,
            a - b,
            a * b + generator.choice((0, 0, 1)),
            a // 2,
        )
        value = generator.choice(choices)
        if p.minimum is None and generator.random() < 0.3:
            value = -value
        least = -24 if p.minimum is None else p.minimum
        values[p.name] = min(max(value, least), max(24, least))
    return [values[p.name] for p in parameters]


@dataclass(frozen=True)
class Solved:
    """A cell whose equations were solved: ``where`` is left to check, ``free`` to enumerate."""

    cell: Cell
    values: tuple[tuple[Sym, Expr], ...]
    free: tuple[Sym, ...]


class Comparison:
    """Two forms, prepared for comparing them at many sizes at once.

    ``positive`` is the judge of divisors that :func:`derive.decide.normal.cells` takes.  Where the
    forms have unknown functions, or a sum that cannot be eliminated, every sample is evaluated from
    the definition instead.
    """

    def __init__(
        self,
        left: Form,
        right: Form,
        positive: Callable[[Expr], bool] = evidently_positive,
        laws: Sequence[Law] = (),
    ) -> None:
        self.left, self.right, self.laws = left, right, tuple(laws)
        self.same_shape = all_of(*(eq(a, b) for a, b in zip(left.shape, right.shape, strict=True)))
        self.lengths: dict[Sym, Expr] = dict(zip(left.index, left.shape, strict=True))
        for name, shape in {**dict(left.tensors), **dict(right.tensors)}.items():
            for copy in range(4):
                self.lengths |= {canonical(name, copy, a): n for a, n in enumerate(shape)}
        self.functions = has_functions([c for f in (left, right) for t in f.terms for c in t.where])
        self.functions |= any(
            isinstance(a, Apply)
            for f in (left, right)
            for t in f.terms
            for r in t.reads
            for e in r.at
            for a in e.atoms()
        )
        self.groups: list[Group] | None
        try:
            self.groups = list(grouped(cells(left, positive), cells(right, positive)))
        except NotSupported:
            self.groups = None
        if self.functions:
            self.groups = None

    def agree(self, grid: Mapping[str, Ints]) -> Bools:
        """Where the two agree in shape and in every coefficient.

        The samples must be sizes at which both are defined.
        """
        if self.groups is None:
            return self._one_by_one(grid)
        result = truth(self.same_shape, grid)
        for group in self.groups:
            for cell in (*group[0], *group[1]):
                rest = np.flatnonzero(result)
                if len(rest):
                    result[rest] = ~self._differ(group, self.solve(cell), take(grid, rest))
        return result

    def measured(self, grid: Mapping[str, Ints]) -> Bools:
        """The samples that are small enough to be compared."""
        if self.groups is None:
            return np.arange(count(grid)) < SLOW_SAMPLES
        points = np.zeros(count(grid))
        for group in self.groups:
            for cell in (*group[0], *group[1]):
                lengths = self._extent(self.solve(cell).free, grid)
                points += np.prod(np.maximum(lengths, 0), axis=0, dtype=float)
        order = np.argsort(points, kind="stable")
        result = np.zeros(count(grid), dtype=bool)
        result[order[np.cumsum(points[order]) <= WORK]] = True
        return result & (points <= PER_SIZE)

    def solve(self, cell: Cell) -> Solved:
        """Solve the equations of a cell for one index each, as far as that goes."""
        where = list(cell.where)
        indices = {s for c in where for s in cond_symbols(c) if is_index(s)}
        values: list[tuple[Sym, Expr]] = []
        while True:
            found = next(_unit_solutions(where, indices - {v for v, _ in values}), None)
            if found is None:
                break
            v, value, used = found
            values = [(u, e.subst({v: value})) for u, e in values] + [(v, value)]
            left = all_of(*(subst_cond(c, {v: value}) for c in where if c is not used))
            where = [] if left == TRUE else list(conjuncts(left))
        free = sorted(indices - {v for v, _ in values}, key=lambda s: s.name)
        return Solved(cell, tuple(values), tuple(free))

    def _extent(self, free: Sequence[Sym], grid: Mapping[str, Ints]) -> Any:
        with np.errstate(all="ignore"):
            lengths = [np.broadcast_to(self.lengths[v].at(grid), (count(grid),)) for v in free]
        return np.array(lengths).reshape(len(free), count(grid))

    def _differ(self, group: Group, solved: Solved, grid: Mapping[str, Ints]) -> Bools:
        """Where some index tuple inside the cell shows a difference."""
        lengths = np.maximum(self._extent(solved.free, grid), 0).astype(np.int64)
        points = np.prod(lengths, axis=0, dtype=np.int64)
        result = np.zeros(count(grid), dtype=bool)
        part = np.cumsum(points) // POINTS
        for number in range(int(part[-1]) + 1):
            chosen = np.flatnonzero((part == number) & (points > 0))
            if not len(chosen):
                continue
            owner = np.repeat(chosen, points[chosen])
            # the index tuples of each sample are numbered; a number is read as one tuple
            left = np.arange(len(owner)) - np.repeat(
                np.cumsum(points[chosen]) - points[chosen], points[chosen]
            )
            env: dict[str, Any] = {name: v[owner] for name, v in grid.items()}
            for axis, v in enumerate(solved.free):
                left, env[v.name] = np.divmod(left, lengths[axis][owner])
            result[owner[self._gap_inside(group, solved, env)]] = True
        return result

    def _gap_inside(self, group: Group, solved: Solved, env: dict[str, Any]) -> Any:
        """The positions in ``env`` that lie in the cell and show a difference."""
        size = next(iter(env.values())).shape
        with np.errstate(all="ignore"):
            for v, value in solved.values:
                env[v.name] = np.broadcast_to(np.asarray(value.at(env)), size)
            inside = np.asarray(holds(all_of(*solved.cell.where), env), dtype=bool)
            inside = np.broadcast_to(inside, size)
            at = np.flatnonzero(inside)
            some = {name: v[at] for name, v in env.items()}
            return at[np.broadcast_to(np.abs(gap(group, some)) > EXACT, at.shape)]

    def _one_by_one(self, grid: Mapping[str, Ints]) -> Bools:
        result = np.zeros(count(grid), dtype=bool)
        for i in range(count(grid)):
            if time_left() <= 0:
                break
            result[i] = counterexample_at(self.left, self.right, row(grid, i), self.laws) is None
        return result


def gap(group: Group, env: Mapping[str, Any]) -> Any:
    """The sum of the left coefficients minus that of the right ones (as floating point numbers)."""
    total: Any = 0.0
    with np.errstate(all="ignore"):
        for sign, side in ((1.0, group[0]), (-1.0, group[1])):
            for cell in side:
                inside = np.asarray(holds(all_of(*cell.where), env), dtype=bool)
                num = np.asarray(cell.coefficient.num.at(env), dtype=float)
                den = np.asarray(cell.coefficient.den.at(env), dtype=float)
                total = total + np.where(inside, sign * num / np.where(den == 0, 1.0, den), 0.0)
    return total


def _unit_solutions(where: Sequence[Cond], indices: set[Sym]) -> Iterator[tuple[Sym, Expr, Cond]]:
    for c in where:
        if not isinstance(c, Eq):
            continue
        for v in sorted(indices & c.expr.symbols(), key=lambda s: s.name):
            split = c.expr.coefficient(v)
            if split and split[0] in (1, -1):
                yield v, -split[1] if split[0] == 1 else split[1], c
