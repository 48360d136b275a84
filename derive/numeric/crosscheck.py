"""Numeric evidence: a theorem at many configurations, computed by oracles that are not ours.

Sizes are drawn at random (seeded) among those that the hypotheses allow, preferring parameters that
differ from each other; data are integers without symmetry.  Both sides of the statement are run by
the naive loops (and by a framework, if asked for) and compared exactly with each other and with the
forms.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from derive.decide.equality import functions_of, small_sizes
from derive.decide.solver import Law
from derive.errors import NotSupported
from derive.evaluation import holds
from derive.expr import Apply, Cond, Expr, Sym, all_of, cond_symbols, expressions
from derive.form import Form
from derive.numeric.interpret import (
    Oracle,
    loop_oracle,
    random_tensors,
    run,
    tensors_of,
    torch_oracle,
)
from derive.table import concrete, evaluate, shape_at
from derive.theorems.model import EqualIff, Holds, Part, Theorem

CONFIGURATIONS = 20
LARGEST_TENSOR = 160
DRAWS = 60_000
SPARE = 4
ORACLES: dict[str, Oracle] = {"NumPy loops": loop_oracle}
FRAMEWORKS: dict[str, Oracle] = {"PyTorch": torch_oracle}


@dataclass(frozen=True)
class CheckRow:
    """One configuration: its sizes, and for each oracle whether the statement came out true there."""

    sizes: tuple[tuple[str, int], ...]
    results: tuple[tuple[str, bool], ...]

    @property
    def ok(self) -> bool:
        """Did every oracle agree?"""
        return all(r for _, r in self.results)


@dataclass(frozen=True)
class PartCheck:
    """The cross-check of one part of a theorem."""

    part: Part
    rows: tuple[CheckRow, ...]

    @property
    def ok(self) -> bool:
        """Were there configurations, and did all of them agree?"""
        return bool(self.rows) and all(r.ok for r in self.rows)


def cross_check(
    theorem: Theorem, configurations: int = CONFIGURATIONS, frameworks: Sequence[str] = ()
) -> tuple[PartCheck, ...]:
    """Check every part at ``configurations`` seeded configurations (fewer only where the
    hypotheses allow fewer).
    """
    oracles = {**ORACLES, **{f: FRAMEWORKS[f] for f in frameworks}}
    checks = []
    for index, part in enumerate(theorem.parts):
        rows: list[CheckRow] = []
        for seed, sizes in enumerate(
            configurations_of(part, SPARE * configurations, f"{theorem.id}/{index}")
        ):
            if len(rows) == configurations:
                break
            with suppress(NoSelection, NotSupported):  # these sizes are spared
                rows.append(_check(part, sizes, seed, oracles))
        checks.append(PartCheck(part, tuple(rows)))
    return tuple(checks)


class NoSelection(Exception):
    """At these sizes no selection obeys its law (a window lies in the padding)."""


def _check(part: Part, sizes: dict[str, Any], seed: int, oracles: Mapping[str, Oracle]) -> CheckRow:
    shown = tuple((k, v) for k, v in sizes.items() if isinstance(v, int))
    statement = part.statement
    if isinstance(statement, Holds):
        return CheckRow(shown, (("integers", bool(holds(statement.cond, sizes))),))
    expected = bool(holds(statement.condition, sizes)) if isinstance(statement, EqualIff) else True
    left, right = statement.left, statement.right
    shapes = {
        t: tuple(concrete(n, sizes) for n in s) for f in (left, right) for t, s in tensors_of(f)
    }
    tensors = random_tensors(shapes, seed)
    if shape_at(left, sizes) != shape_at(right, sizes):
        return CheckRow(shown, (("shapes", not expected),))
    forms = [evaluate(f, sizes, tensors) for f in (left, right)]
    results = [("forms", bool(np.array_equal(forms[0], forms[1])) == expected)]
    for name, oracle in oracles.items():
        values = [run(f, sizes, tensors, oracle) for f in (left, right)]
        same = all(np.array_equal(v, f) for v, f in zip(values, forms, strict=True))
        results.append((name, same and bool(np.array_equal(values[0], values[1])) == expected))
    return CheckRow(shown, tuple(results))


def configurations_of(part: Part, wanted: int, seed: str) -> list[dict[str, Any]]:
    """Sizes (and selections) that meet the hypotheses of a part, reproducibly."""
    conds = _conditions(part)
    symbols = sorted({s for c in conds for s in cond_symbols(c)}, key=lambda s: s.name)
    plain = all_of(*(c for c in conds if not _applies(c)))
    keep = _small_enough(part)
    rng = random.Random(seed)
    found = _draw(symbols, plain, wanted, rng, keep)
    chosen: list[dict[str, Any]] = []
    for sizes in found:
        env: dict[str, Any] = {**sizes, **_functions(part, conds, sizes, rng)}
        with suppress(NoSelection):
            if holds(all_of(*conds), env):
                chosen.append(env)
    return chosen[:wanted]


def _applies(c: Cond) -> bool:
    return any(isinstance(a, Apply) for e in expressions(c) for a in e.atoms())


def _forms(part: Part) -> tuple[Form, ...]:
    s = part.statement
    return () if isinstance(s, Holds) else (s.left, s.right)


def _conditions(part: Part) -> list[Cond]:
    """The hypotheses, the attached minima, and (as trivial conditions) every symbol in use."""
    conds = list(part.hypotheses)
    for f in _forms(part):
        conds += f.requires
        for t in f.terms:
            indices = {*f.index, *(b for b, _ in t.bound)}
            conds += [c for c in t.where if _applies(c) and not cond_symbols(c) & indices]
    symbols = {s for f in _forms(part) for s in f.sizes()} | {
        s for c in conds for s in cond_symbols(c)
    }
    if isinstance(part.statement, (Holds, EqualIff)):
        own = part.statement.cond if isinstance(part.statement, Holds) else part.statement.condition
        symbols |= cond_symbols(own)
    for s in sorted(symbols, key=lambda s: s.name):
        e = Expr({(s,): 1})
        conds.append(e >= (s.minimum if s.minimum is not None else -6))
    return conds


def _small_enough(part: Part) -> Callable[[dict[str, int]], bool]:
    forms = _forms(part)

    def keep(sizes: dict[str, int]) -> bool:
        try:
            outputs = [shape_at(f, sizes) for f in forms]
            inputs = [tuple(concrete(n, sizes) for n in s) for f in forms for _, s in tensors_of(f)]
        except (KeyError, ZeroDivisionError):
            return False
        large = any(int(np.prod(s)) > LARGEST_TENSOR for s in (*outputs, *inputs))
        return not large and all(n >= 1 for s in inputs for n in s)

    return keep


def _draw(
    symbols: Sequence[Sym],
    cond: Cond,
    wanted: int,
    rng: random.Random,
    keep: Callable[[dict[str, int]], bool],
) -> list[dict[str, int]]:
    """Random draws first (large ones with different values are preferred), then the smallest."""
    generator = np.random.default_rng(rng.randrange(2**32))
    columns = {
        s.name: generator.integers(
            -4 if s.minimum is None else s.minimum,
            7 if s.minimum is None else s.minimum + _reach(s),
            size=DRAWS,
        )
        for s in symbols
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        hits = np.flatnonzero(np.broadcast_to(np.asarray(holds(cond, columns)), (DRAWS,)))
    pool = ({k: int(v[i]) for k, v in columns.items()} for i in hits[: 40 * wanted])
    found: dict[tuple[int, ...], dict[str, int]] = {}
    spare: dict[tuple[int, ...], dict[str, int]] = {}
    for sizes in pool:
        if keep(sizes):
            values = tuple(sizes.values())
            (found if len(set(values)) >= min(len(values), 4) else spare).setdefault(values, sizes)
        if len(found) >= wanted:
            break
    rest: Iterable[dict[str, int]] = [*spare.values()]
    if len(found) + len(spare) < wanted:
        small = (
            s
            for s in small_sizes(
                symbols, {1: 80, 2: 30}.get(len(symbols), 14 if len(symbols) <= 5 else 10)
            )
            if holds(cond, s) and keep(s)
        )
        rest = [*rest, *(s for s, _ in zip(small, range(4 * wanted), strict=False))]
    for sizes in rest:
        if len(found) >= wanted:
            break
        found.setdefault(tuple(sizes.values()), sizes)
    return list(found.values())


def _reach(s: Sym) -> int:
    return 11 if s.name.startswith(("n", "m")) else 5


def _functions(
    part: Part, conds: Sequence[Cond], sizes: dict[str, int], rng: random.Random
) -> dict[str, Any]:
    spoken = (e for c in _spoken_conditions(part, conds) for e in expressions(c))
    names = {a.name for e in spoken for a in e.atoms() if isinstance(a, Apply)}
    names |= functions_of(*_forms(part)).keys()
    return {
        name: _random_function(name, sizes, part.laws, rng.randrange(2**32))
        for name in sorted(names)
    }


def _spoken_conditions(part: Part, conds: Sequence[Cond]) -> list[Cond]:
    own = [part.statement.cond] if isinstance(part.statement, Holds) else []
    return [*conds, *own]


def _random_function(name: str, sizes: Mapping[str, int], laws: Sequence[Law], seed: int) -> Any:
    table: dict[tuple[int, ...], int] = {}
    limit = max(sizes.get("k", 0), *(v for q, v in sizes.items() if q.startswith("k")), 1)

    def value(*at: int) -> int:
        point = tuple(int(v) for v in at)
        if point not in table:
            choices = [v for v in range(limit) if _lawful(name, point, v, sizes, laws)]
            if not choices:
                raise NoSelection
            table[point] = random.Random(f"{seed}/{name}/{point}").choice(choices)
        return table[point]

    return np.vectorize(value, otypes=[np.int64])


def _lawful(
    name: str, at: tuple[int, ...], v: int, sizes: Mapping[str, int], laws: Sequence[Law]
) -> bool:
    for law in laws:
        if law.function == name:
            env = {
                **sizes,
                **{p.name: i for p, i in zip(law.parameters, at, strict=True)},
                name: lambda *_: v,
            }
            if not holds(law.cond, env):
                return False
    return True
