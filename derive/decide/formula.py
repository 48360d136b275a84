"""The simplest formula that agrees with samples.

A formula is a disjunction of conjunctions of candidates (or, by the same search on the negations, a
conjunction of disjunctions); the cheapest in the sum of its candidates' costs is wanted.  Sets of
samples are bits of an integer; "which of these together cover all of those" is the one question.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from derive.decide.candidates import Literal
from derive.decide.samples import Bools
from derive.decide.solver import time_left
from derive.expr import Cond, all_of, any_of

LEARN = 260  # samples of each kind that the search looks at; all others are checked afterwards
CONSIDERED = 3000  # candidates that the search looks at
CLOSE = 300  # of them are chosen for what they say, not for how short they are
NODES = 2_000
PER_TERM = 0.1
PER_LITERAL = 0.3
CHEAP = 2 * (PER_TERM + PER_LITERAL + 1)  # what two terms cost at least

Matrix = npt.NDArray[np.bool_]
Term = tuple[int, ...]


@dataclass(frozen=True)
class Formula:
    """``clauses`` of literals: a disjunction of conjunctions, or with ``dual`` the other way round."""

    clauses: tuple[tuple[Literal, ...], ...]
    dual: bool = False

    @property
    def cost(self) -> float:
        """What it costs to read."""
        return sum(PER_TERM + sum(PER_LITERAL + c.cost for c in clause) for clause in self.clauses)

    def cond(self) -> Cond:
        """The formula as a condition."""
        inner, outer = (any_of, all_of) if self.dual else (all_of, any_of)
        return outer(*(inner(*(c.cond() for c in clause)) for clause in self.clauses))

    def truth(self) -> Bools:
        """Its truth at the samples."""
        inner, outer = (np.any, np.all) if self.dual else (np.all, np.any)
        parts = [inner([c.truth for c in clause], axis=0) for clause in self.clauses]
        return np.asarray(outer(parts, axis=0), dtype=bool)


def simplest(candidates: Sequence[Literal], target: Bools) -> Formula | None:
    """The simplest formula that is true exactly at the samples where ``target`` is; None if none
    of the considered ones is.

    It is learned from some of the samples; those that it gets wrong are added, and it is learned
    again.
    """
    positive, negative = np.flatnonzero(target), np.flatnonzero(~target)
    if not len(positive) or not len(negative):
        return None
    candidates = _likely(candidates, target)
    looked = [list(_spread(positive)), list(_spread(negative))]
    for _ in range(40):
        if time_left() <= 0:
            return None
        found = _learn(candidates, np.array(looked[0]), np.array(looked[1]))
        if found is None:
            return None
        wrong = np.flatnonzero(found.truth() != target)
        if not len(wrong):
            return found
        for i in wrong[:: max(1, len(wrong) // 40)]:
            looked[0 if target[i] else 1].append(i)
    return None


def _likely(candidates: Sequence[Literal], target: Bools) -> Sequence[Literal]:
    """The cheapest candidates, and of the others those that come closest to being necessary or
    sufficient.
    """
    cheap, others = candidates[: CONSIDERED - 2 * CLOSE], candidates[CONSIDERED - 2 * CLOSE :]
    if not others:
        return candidates
    table = np.array([c.truth for c in others])
    wrongly, missed = (table & ~target).sum(axis=1), (~table & target).sum(axis=1)
    chosen: dict[int, None] = {}
    for holds_, counts in ((missed == 0, wrongly), (wrongly == 0, missed)):
        at = np.flatnonzero(holds_)
        chosen |= dict.fromkeys(at[np.argsort(counts[at], kind="stable")][:CLOSE].tolist())
    return [*cheap, *(others[i] for i in sorted(chosen))]


def _spread(positions: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Some of the positions: the first ones (small sizes), and others evenly."""
    if len(positions) <= LEARN:
        return positions
    head = positions[: LEARN // 2]
    rest = positions[LEARN // 2 :]
    return np.concatenate([head, rest[:: max(1, len(rest) // (LEARN // 2))]])


def _learn(
    candidates: Sequence[Literal], positive: npt.NDArray[np.intp], negative: npt.NDArray[np.intp]
) -> Formula | None:
    best: Formula | None = None
    for dual in (False, True):
        if best is not None and best.cost <= CHEAP:
            break
        true, false = (negative, positive) if dual else (positive, negative)
        kept, at_true, at_false = _tables(candidates, true, false, dual)
        terms = _disjunction(at_true, at_false, [c.cost for c in kept])
        if terms is not None:
            found = Formula(tuple(tuple(kept[i] for i in t) for t in terms), dual)
            if best is None or found.cost < best.cost:
                best = found
    return best


def _tables(
    candidates: Sequence[Literal],
    true: npt.NDArray[np.intp],
    false: npt.NDArray[np.intp],
    dual: bool,
) -> tuple[list[Literal], Matrix, Matrix]:
    """The truth of the useful candidates at the samples, equal rows and useless ones left out."""
    kept: dict[bytes, Literal] = {}
    rows: list[tuple[Bools, Bools]] = []
    for c in candidates:
        t, f = c.truth[true] ^ dual, c.truth[false] ^ dual
        if not t.any() or f.all():
            continue
        key = t.tobytes() + f.tobytes()
        if key not in kept:
            kept[key] = c
            rows.append((t, f))
            if len(rows) >= CONSIDERED:
                break
    if not rows:
        return [], np.zeros((0, len(true)), bool), np.zeros((0, len(false)), bool)
    return list(kept.values()), np.array([t for t, _ in rows]), np.array([f for _, f in rows])


def _bits(table: Matrix) -> list[int]:
    packed = np.packbits(table, axis=1)
    return [int.from_bytes(r.tobytes(), "big") for r in packed]


def _all(number: int) -> int:
    return int.from_bytes(np.packbits(np.ones(number, dtype=bool)).tobytes(), "big")


@dataclass(frozen=True)
class _Problem:
    at_true: list[int]
    at_false: list[int]
    true: int
    false: int
    costs: Sequence[float]


def _disjunction(at_true: Matrix, at_false: Matrix, costs: Sequence[float]) -> list[Term] | None:
    """The cheapest set of terms that together are true at all of ``true`` and at none of ``false``."""
    if not len(at_true):
        return None
    problem = _Problem(
        _bits(at_true), _bits(at_false), _all(at_true.shape[1]), _all(at_false.shape[1]), costs
    )
    pool: dict[Term, int] = {}

    def put(terms: Iterable[Term]) -> None:
        for t in terms:
            mask = problem.true
            for i in t:
                mask &= problem.at_true[i]
            if mask:
                pool.setdefault(t, mask)

    put(_conjunctions(problem, problem.true))
    for t in pool:
        if _price(t, costs) <= CHEAP:
            return [t]
    short = _short_terms(at_true, at_false, costs)
    put(short)
    masks = sorted(
        {pool[t]: _price(t, costs) for t in reversed(short)}.items(), key=lambda mc: mc[1]
    )
    for mask, _ in masks[:24]:
        put(_conjunctions(problem, problem.true & ~mask))
    for (a, _), (b, _) in combinations(masks[:7], 2):
        put(_conjunctions(problem, problem.true & ~(a | b)))
    for i in range(min(40, len(costs))):
        put(_conjunctions(problem, problem.at_true[i]))
    sets = _undominated([(mask, _price(t, costs), t) for t, mask in pool.items()])
    chosen = cheapest_cover(problem.true, [(m, c) for m, c, _ in sets])
    if chosen is None:
        return None
    return sorted((sets[i][2] for i in chosen), key=lambda t: _price(t, costs))


def _price(term: Term, costs: Sequence[float]) -> float:
    return PER_TERM + sum(PER_LITERAL + costs[i] for i in term)


def _short_terms(at_true: Matrix, at_false: Matrix, costs: Sequence[float]) -> list[Term]:
    """Terms of one or two candidates that are true at none of ``false``."""
    clean = ~at_false.any(axis=1)
    terms: list[Term] = [(int(i),) for i in np.flatnonzero(clean)]
    open_ = np.flatnonzero(~clean)[:500]
    f = at_false[open_].astype(np.float32)
    t = at_true[open_].astype(np.float32)
    covered = t @ t.T
    useful = (f @ f.T == 0) & (covered > 0)
    pairs = [
        (int(open_[i]), int(open_[j])) for i, j in zip(*np.nonzero(np.triu(useful)), strict=True)
    ]
    pairs.sort(key=lambda p: costs[p[0]] + costs[p[1]])
    return [*terms, *pairs[:1500]]


def _conjunctions(problem: _Problem, wanted: int) -> list[Term]:
    """The cheapest conjunction that is true at all of ``wanted`` and at none of ``false``."""
    if not wanted:
        return []
    usable = [i for i, mask in enumerate(problem.at_true) if mask & wanted == wanted]
    killed: list[tuple[int, float, Term]] = [
        (problem.false & ~problem.at_false[i], PER_LITERAL + problem.costs[i], (i,)) for i in usable
    ]
    sets = _undominated(killed)
    chosen = cheapest_cover(problem.false, [(m, c) for m, c, _ in sets])
    return [] if chosen is None else [tuple(sorted(sets[i][2][0] for i in chosen))]


def _undominated(sets: list[tuple[int, float, Term]]) -> list[tuple[int, float, Term]]:
    kept: list[tuple[int, float, Term]] = []
    for mask, cost, term in sorted(sets, key=lambda s: (s[1], -s[0].bit_count(), s[2])):
        if mask and all(mask & ~other for other, _, _ in kept):
            kept.append((mask, cost, term))
        if len(kept) >= 250:
            break
    return kept


def cheapest_cover(
    universe: int, sets: Sequence[tuple[int, float]], depth: int = 5
) -> list[int] | None:
    """Positions of the sets ``(bits, cost)`` that together have all bits, at the least cost.

    The element in the fewest sets is covered first; branch and bound, up to ``depth`` sets and a
    number of steps.

    >>> cheapest_cover(0b111, [(0b110, 1.0), (0b011, 1.0), (0b111, 3.0)])
    [0, 1]
    """
    order = sorted(range(len(sets)), key=lambda i: sets[i][1])
    reach = 0
    for mask, _ in sets:
        reach |= mask
    if universe & ~reach:
        return None
    best: tuple[float, list[int]] = (float("inf"), [])
    nodes = 0

    def rarest(left: int) -> list[int]:
        probes = []
        rest = left
        for _ in range(12):
            bit = rest & -rest
            if not bit:
                break
            probes.append([i for i in order if sets[i][0] & bit])
            rest ^= bit
        return min(probes, key=len)

    def visit(left: int, cost: float, chosen: list[int]) -> None:
        nonlocal best, nodes
        nodes += NODES if nodes % 64 == 63 and time_left() <= 0 else 1
        if not left:
            best = min(best, (cost, sorted(chosen)))
            return
        if len(chosen) >= depth or nodes > NODES:
            return
        for i in rarest(left):
            if cost + sets[i][1] >= best[0]:
                break
            visit(left & ~sets[i][0], cost + sets[i][1], [*chosen, i])

    visit(universe, 0.0, [])
    return best[1] or None
