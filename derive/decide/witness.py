"""Witnesses: index tuples, written in the sizes, at which two forms differ.

That a condition is necessary says "wherever it fails, some index tuple shows a difference".  Here the
tuples are found: every cell's equations are solved for one index each, the free indices are put into
corners (where a condition begins or ceases to hold, the first and last positions, the ends of the
expressions in the forms), and of
these the fewest are kept that together show a difference at all failing samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from derive.decide.samples import EXACT, Bools, Comparison, Grid, Solved, count, gap, is_index, take
from derive.expr import Expr, Sym, cond_symbols, expressions, lift, subst_cond

LOOKED_AT = 220  # failing samples at which candidates are tried
TRIED = 1_600  # combinations of corners for each cell


@dataclass(frozen=True)
class Witness:
    """An index tuple in the sizes, the group of cells that it belongs to, and where it shows a
    difference among the samples that it was chosen for."""

    group: int
    at: tuple[tuple[str, Expr], ...]
    cost: int

    def values(self) -> dict[Sym, Expr]:
        """The index expressions by their canonical variables."""
        return {Sym(name): e for name, e in self.at}


def pool(both: Comparison, parameters: Sequence[Sym], seen: Sequence[Expr]) -> list[Witness]:
    """Candidate witnesses for every cell of both sides, the simplest first."""
    found: dict[tuple[int, tuple[tuple[str, Expr], ...]], int] = {}
    for number, group in enumerate(both.groups or []):
        names = {
            s for side in group for c in side for w in c.where for s in cond_symbols(w) if is_index(s)
        }
        for cell in (*group[0], *group[1]):
            for at, cost in _corners(both, both.solve(cell), parameters, seen):
                if {v for v, _ in at} >= names:
                    key = (number, tuple(sorted((v.name, e) for v, e in at)))
                    found[key] = min(cost, found.get(key, cost))
    every = [Witness(number, at, cost) for (number, at), cost in found.items()]
    return sorted(every, key=lambda w: (w.cost, w.group, str(w.at)))


def _corners(
    both: Comparison, solved: Solved, parameters: Sequence[Sym], seen: Sequence[Expr]
) -> list[tuple[list[tuple[Sym, Expr]], int]]:
    choices = [
        list(dict.fromkeys([*_edges(solved, v), *_positions(both.lengths[v], parameters, seen)]))
        for v in solved.free
    ]
    combos = sorted(
        product(*([(e, rank) for rank, e in enumerate(c)] for c in choices)),
        key=lambda combo: sum(rank for _, rank in combo),
    )
    result = []
    for combo in combos[:TRIED]:
        put = {v: e for v, (e, _) in zip(solved.free, combo, strict=True)}
        at = [*put.items(), *((v, e.subst(put)) for v, e in solved.values)]
        result.append((at, sum(rank for _, rank in combo)))
    return result


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


def _positions(length: Expr, parameters: Sequence[Sym], seen: Sequence[Expr]) -> list[Expr]:
    """Places on an axis, the likely ones first."""
    places: list[Expr] = [lift(0), length - 1, lift(1), length - 2]
    for p in parameters:
        e = Expr({(p,): 1})
        places += [e - 1, e]
    for p in parameters:
        e = Expr({(p,): 1})
        places += [length - e, e + 1, length - e - 1]
    short = sorted((e for e in seen if e.constant is None), key=lambda e: len(e.terms))[:8]
    for e in short:
        places += [e - 1, e]
    places += [length // 2, (length - 1) // 2]
    return list(dict.fromkeys(places))


def shown(both: Comparison, witnesses: Sequence[Witness], grid: Grid) -> Bools:
    """``[witness, sample]``: does the witness show a difference at the sample?"""
    result = np.zeros((len(witnesses), count(grid)), dtype=bool)
    known: dict[Expr, Any] = {}
    with np.errstate(all="ignore"):
        for w in witnesses:
            for _, e in w.at:
                if e not in known:
                    known[e] = np.broadcast_to(np.asarray(e.at(grid)), (count(grid),))
        for number, group in enumerate(both.groups or []):
            chosen = [i for i, w in enumerate(witnesses) if w.group == number]
            for start in range(0, len(chosen), 400):
                some = chosen[start : start + 400]
                env: dict[str, Any] = {name: v[None, :] for name, v in grid.items()}
                for name in {name for i in some for name, _ in witnesses[i].at}:
                    env[name] = np.array([known[dict(witnesses[i].at)[name]] for i in some])
                result[some] = np.abs(gap(group, env)) > EXACT
    return result


def choose(
    both: Comparison, candidates: Sequence[Witness], grid: Grid
) -> tuple[list[Witness], Grid]:
    """Few witnesses that together show a difference at the samples, and the samples left without.

    A set cover: greedily the one that shows the most, the simpler one where two show the same.
    """
    step = max(1, count(grid) // LOOKED_AT)
    looked = take(grid, np.arange(0, count(grid), step))
    table = shown(both, candidates, looked)
    left = np.ones(count(looked), dtype=bool)
    chosen: list[int] = []
    while left.any() and len(candidates):
        gain = (table & left).sum(axis=1)
        best = int(np.argmax(gain - np.arange(len(gain)) * 1e-6))
        if gain[best] == 0:
            break
        chosen.append(best)
        left &= ~table[best]
    for i in list(chosen):  # one that the later ones made superfluous
        others = [j for j in chosen if j != i]
        if others and (table[others].any(axis=0) == table[chosen].any(axis=0)).all():
            chosen = others
    return [candidates[i] for i in chosen], take(looked, left)
