"""Witnesses: index tuples, written in the sizes, at which two forms differ.

That a condition is necessary says "wherever it fails, some index tuple shows a difference".  Here the
tuples are found: every cell's equations are solved for one index each, the free indices are put into
corners (where a condition begins or ceases to hold, the first and last positions, the ends of the
expressions in the forms), and of these the fewest are kept that together show a difference at all
failing samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, islice, permutations, product
from typing import Any

import numpy as np

from derive.decide.samples import (
    EXACT,
    Bools,
    Comparison,
    Grid,
    Group,
    Ints,
    Solved,
    count,
    gap,
    is_index,
    take,
)
from derive.evaluation import holds
from derive.expr import Cond, Div, Expr, Sym, cond_symbols, expressions, lift, subst_cond

STAGES = ((80, 200, 1), (1_200, 120, 2), (12_000, 60, 9))
"""How many corners of each cell are tried, at how many samples, and how many witnesses are few."""
MANY = 2  # more witnesses than this ask for a look along each axis
ALONG = 3_000  # combinations that are tried along one axis by itself
FEW = 4  # of them are kept of each kind
BY_AXES = 6_000  # combinations that are put together from them


@dataclass(frozen=True)
class Witness:
    """An index tuple in the sizes, and the cells whose coefficients differ there."""

    group: Group
    at: tuple[tuple[Sym, Expr], ...]


@dataclass(frozen=True, eq=False)
class Corners:
    """The candidates from one cell: for each of its free indices the places to try, likely ones
    first.
    """

    group: Group
    solved: Solved
    places: tuple[tuple[Expr, ...], ...]

    @cached_property
    def order(self) -> Ints:
        """Combinations of places as positions in :attr:`places`, the likely ones first."""
        if not self.places:
            return np.zeros((1, 0), dtype=np.int64)
        most = STAGES[-1][0]
        reach = max(2, round((4 * most) ** (1 / len(self.places))))
        shape = [min(len(p), reach) for p in self.places]
        every = np.indices(shape).reshape(len(shape), -1).T
        found = every[np.argsort(every.sum(axis=1), kind="stable")][:most]
        return np.asarray(found, dtype=np.int64)

    def witness(self, row: Ints) -> Witness:
        """One combination (positions in :attr:`places`) as a witness."""
        chosen = [p[i] for p, i in zip(self.places, row, strict=True)]
        put = dict(zip(self.solved.free, chosen, strict=True))
        rest = ((v, e.subst(put)) for v, e in self.solved.values)
        return Witness(self.group, (*put.items(), *rest))

    def shown(self, order: Ints, grid: Grid) -> Bools:
        """``[combination, sample]``: does the combination show a difference at the sample?"""
        size = count(grid)
        result = np.zeros((len(order), size), dtype=bool)
        with np.errstate(all="ignore"):
            values = self._values(grid)
            for start in range(0, len(order), 2_000):
                some = order[start : start + 2_000]
                env: dict[str, Any] = {name: v[None, :] for name, v in grid.items()}
                for axis, v in enumerate(self.solved.free):
                    env[v.name] = values[axis][some[:, axis]]
                for v, e in self.solved.values:
                    env[v.name] = np.asarray(e.at(env))
                result[start : start + 2_000] = np.abs(gap(self.group, env)) > EXACT
        return result

    def _values(self, grid: Grid) -> list[Any]:
        """For each free index ``[place, sample]``."""
        size = (count(grid),)
        return [
            np.array([np.broadcast_to(np.asarray(e.at(grid)), size) for e in p])
            for p in self.places
        ]

    def by_axes(self, grid: Grid) -> Ints:
        """Combinations put together from those that count along each axis by itself.

        Along an axis a combination counts where it lies in a cell, in two cells, or in one and not
        in the other; the first few that do so at all samples are kept for each of these.  Empty
        where the indices do not fall into axes that nothing ties.
        """
        axes = self._axes()
        if len(axes) < 2:
            return np.zeros((0, len(self.places)), dtype=np.int64)
        kept = [self._along(axis, grid) for axis in axes]
        result = []
        for parts in islice(product(*kept), BY_AXES):
            row = [0] * len(self.places)
            for axis, part in zip(axes, parts, strict=True):
                for position, place in zip(axis, part, strict=True):
                    row[position] = place
            result.append(row)
        return np.array(result, dtype=np.int64).reshape(-1, len(self.places))

    def _axes(self) -> list[list[int]]:
        """Positions of the free indices that the conditions of the cells tie together."""
        groups = [{i} for i in range(len(self.places))]
        for c in self._conditions():
            joined = self._speaks_of(c)
            if joined:
                met = [g for g in groups if g & joined]
                groups = [g for g in groups if not g & joined] + [set().union(*met)]
        return sorted(sorted(g) for g in groups)

    def _conditions(self) -> list[Cond]:
        cells_ = (*self.group[0], *self.group[1])
        return list(dict.fromkeys(c for cell in cells_ for c in cell.where))

    def _speaks_of(self, cond: Cond) -> set[int]:
        """The free indices that a condition depends on, as positions."""
        values = dict(self.solved.values)
        spoken = set(cond_symbols(cond))
        spoken |= {s for v in spoken & values.keys() for s in values[v].symbols()}
        return {i for i, v in enumerate(self.solved.free) if v in spoken}

    def _along(self, axis: Sequence[int], grid: Grid) -> list[tuple[int, ...]]:
        """Places for the indices of one axis."""
        counts = [len(self.places[i]) for i in axis]
        every = np.indices(counts).reshape(len(axis), -1).T
        rows = every[np.argsort(every.sum(axis=1), kind="stable")][:ALONG]
        tables = self._inside(axis, rows, grid)
        patterns = [*tables, *(a & b for a, b in combinations(tables, 2))]
        patterns += [a & ~b for a, b in permutations(tables, 2)]
        chosen = dict.fromkeys(i for p in patterns for i in _few(p))
        return [tuple(map(int, rows[i])) for i in chosen]

    def _inside(self, axis: Sequence[int], rows: Ints, grid: Grid) -> list[Bools]:
        """``[combination, sample]`` for each cell: do the conditions on this axis hold?"""
        env: dict[str, Any] = {name: v[None, :] for name, v in grid.items()}
        shape = (len(rows), count(grid))
        own = set(axis)
        with np.errstate(all="ignore"):
            values = self._values(grid)
            for column, i in enumerate(axis):
                env[self.solved.free[i].name] = values[i][rows[:, column]]
            for v, e in self.solved.values:
                if all(s.name in env for s in e.symbols()):
                    env[v.name] = np.asarray(e.at(env))
            tables = []
            for cell in (*self.group[0], *self.group[1]):
                table = np.ones(shape, dtype=bool)
                for c in cell.where:
                    if self._speaks_of(c) & own:
                        table &= np.broadcast_to(np.asarray(holds(c, env), dtype=bool), shape)
                tables.append(table)
        return tables


def _few(table: Bools) -> list[int]:
    """The first rows that together are true wherever a row is, the one that is true most first."""
    left = table.any(axis=0)
    chosen: list[int] = []
    while left.any() and len(chosen) < FEW:
        best = int(np.argmax((table & left).sum(axis=1)))
        chosen.append(best)
        left &= ~table[best]
    return chosen


def corners(
    both: Comparison, parameters: Sequence[Sym], seen: Sequence[Expr]
) -> tuple[Corners, ...]:
    """The candidates from every cell of both sides."""
    found: list[Corners] = []
    for group in both.groups or []:
        names = {
            s
            for side in group
            for c in side
            for w in c.where
            for s in cond_symbols(w)
            if is_index(s)
        }
        for cell in (*group[0], *group[1]):
            solved = both.solve(cell)
            if names <= {*solved.free, *(v for v, _ in solved.values)}:
                places = tuple(
                    tuple(
                        dict.fromkeys(
                            [
                                *_edges(solved, v),
                                *_places(both.lengths[v], parameters, seen),
                                *_coincidences(group),
                            ]
                        )
                    )
                    for v in solved.free
                )
                found.append(Corners(group, solved, places))
    return tuple(found)


def _edges(solved: Solved, v: Sym) -> list[Expr]:
    """Where the conditions of a cell begin and cease to hold, as far as that is seen from ``v`` alone."""
    found: list[Expr] = []
    given = [subst_cond(c, dict(solved.values)) for c in solved.cell.where]
    for e in (e for c in given for e in expressions(c)):
        split = e.coefficient(v)
        if split is None or any(is_index(s) for part in split for s in part.symbols()):
            continue
        if split[0] in (1, -1):
            edge = -split[1] if split[0] == 1 else split[1]
            found += [edge, edge - 1, edge + 1]
    return found


def _coincidences(group: Group) -> list[Expr]:
    """Where two steps along an axis meet: the divisors in the cells, and products of two of them."""
    steps: dict[Expr, None] = {}
    for cell in (*group[0], *group[1]):
        given = [cell.coefficient.num, cell.coefficient.den]
        given += [e for c in cell.where for e in expressions(c)]
        for a in (a for e in given for a in e.atoms()):
            if isinstance(a, Div):
                steps[a.den] = None
    short = sorted(steps, key=lambda e: (len(e.terms), str(e)))[:4]
    return [*short, *(a * b for a, b in combinations(short, 2))]


def _places(length: Expr, parameters: Sequence[Sym], seen: Sequence[Expr]) -> list[Expr]:
    places: list[Expr] = [lift(0), length - 1, lift(1), length - 2]
    sizes = [Expr({(p,): 1}) for p in parameters]
    for e in sizes:
        places += [e - 1, e, e + 1]
    for e in sizes:
        places += [length - e, length - e - 1]
    short = sorted((e for e in seen if e.constant is None), key=lambda e: len(e.terms))[:8]
    for e in short:
        places += [e - 1, e]
    places += [length // 2, (length - 1) // 2]
    return places


def choose(candidates: Sequence[Corners], grid: Grid, around: Grid) -> list[Witness] | None:
    """Few witnesses that together show a difference at the samples; None where none is found.

    Greedily the one that shows the most; where two show the same, the one that shows more of the
    samples ``around``, then the likelier one.  More corners are tried while too many witnesses would
    be needed.
    """
    best: list[Witness] | None = None
    for tried, samples, few in STAGES if count(grid) > 1 else STAGES[-1:]:
        looked = take(grid, np.arange(0, count(grid), max(1, count(grid) // samples)))
        near = take(around, np.arange(0, count(around), max(1, count(around) // samples)))
        found = _cover(candidates, [c.order[:tried] for c in candidates], looked, near)
        if found is not None and (best is None or len(found) < len(best)):
            best = found
        if best is not None and len(best) <= few:
            break
    if best is None or len(best) > MANY:
        samples = STAGES[1][1]
        looked = take(grid, np.arange(0, count(grid), max(1, count(grid) // samples)))
        found = _cover(candidates, [c.by_axes(looked) for c in candidates], looked, around)
        if found is not None and (best is None or len(found) < len(best)):
            best = found
    return best


def _cover(
    candidates: Sequence[Corners], orders: Sequence[Ints], grid: Grid, around: Grid
) -> list[Witness] | None:
    tables = [c.shown(o, grid) for c, o in zip(candidates, orders, strict=True)]
    if not sum(map(len, tables)):
        return None
    owner = [(c, row) for c, o in zip(candidates, orders, strict=True) for row in o]
    rank = np.concatenate([np.arange(len(t)) for t in tables])
    table = np.concatenate(tables)
    wide = np.concatenate(
        [c.shown(o, around).sum(axis=1) for c, o in zip(candidates, orders, strict=True)]
    )
    left = np.ones(count(grid), dtype=bool)
    chosen: list[int] = []
    while left.any():
        gain = (table & left).sum(axis=1)
        best = int(np.argmax(gain + wide * 1e-3 - rank * 1e-8))
        if gain[best] == 0:
            return None
        chosen.append(best)
        left &= ~table[best]
    for i in list(chosen):  # one that the later ones made superfluous
        others = [j for j in chosen if j != i]
        if others and table[others].any(axis=0).all():
            chosen = others
    return [owner[i][0].witness(owner[i][1]) for i in chosen]
