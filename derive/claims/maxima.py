"""Equations between maxima and other operators, at one choice of sizes.

At given sizes both sides are piecewise linear (with kernels: piecewise polynomial) functions of the
entries of the tensors, and a max pooling is the maximum of some of them.  Two things are done:

1. Inputs of small integers are put in and both sides computed exactly.  A difference is a
   counterexample: an actual input with both values.
2. Where no input tells the sides apart, Z3 is asked over the reals, every maximum written as the
   larger of two.  "No such input" proves equality *at these sizes*; a model is put in and computed
   like any other input.  What is proved here is never more than this one choice of sizes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import lcm
from random import Random
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from derive.claims.values import Pool, Same
from derive.decide.solver import time_left
from derive.decide.verdict import Counterexample
from derive.errors import NotSupported
from derive.form import Form, tensor
from derive.table import coefficients, concrete, shape_at

Index: TypeAlias = tuple[int, ...]
Table: TypeAlias = Mapping[Index, Any]
Array: TypeAlias = npt.NDArray[Any]

LARGEST = 400  # entries of all tensors and outputs together
EXHAUSTIVE = 6  # so many entries take all values from -1 to 1
RANDOM = 48
SOLVER_MILLISECONDS = 1500
SOLVER_TERMS = 400


@dataclass(frozen=True)
class Linear:
    """A form at given sizes: for each output index the products it adds up."""

    shape: Index
    rows: dict[Index, list[tuple[Fraction, tuple[tuple[str, Index], ...]]]]

    def value(self, at: Index, tensors: Mapping[str, Table], number: Any) -> Any:
        """The value of an output; ``number`` makes numbers of the kind that the entries are."""
        total = number(Fraction(0))
        for c, reads in self.rows.get(at, ()):
            term = number(c)
            for name, place in reads:
                term = term * tensors[name][place]
            total = total + term
        return total


@dataclass(frozen=True)
class Pooled:
    """A max pooling at given sizes: for each output the places of its operand that it sees."""

    name: str
    operand: Linear
    seen: dict[Index, list[Index]]


@dataclass(frozen=True)
class Sized:
    """An equation at given sizes: the entries of its tensors, its max pools, its two sides."""

    sizes: tuple[tuple[str, int], ...]
    tensors: dict[str, Index]
    pools: tuple[Pooled, ...]
    sides: tuple[Linear, Linear]

    def entries(self) -> list[tuple[str, Index]]:
        """The place of every entry of every tensor."""
        return [(t, at) for t, shape in self.tensors.items() for at in np.ndindex(*shape)]

    def with_maxima(self, tensors: Mapping[str, Table], number: Any, larger: Any) -> dict[str, Any]:
        """The tensors together with the outputs of the max pools."""
        known: dict[str, Any] = dict(tensors)
        for p in self.pools:
            values = {at: p.operand.value(at, known, number) for at in np.ndindex(*p.operand.shape)}
            known[p.name] = {at: larger([values[j] for j in seen]) for at, seen in p.seen.items()}
        return known


def at_sizes(statement: Same, sizes: Mapping[str, int]) -> Sized | None:
    """The equation at given sizes; None where a window meets nothing of its input.

    Raises :class:`derive.errors.NotSupported` for sizes that are too large to compute.
    """
    assert statement.values is not None
    shapes = dict(statement.values[0].tensors) | dict(statement.values[1].tensors)
    pools: list[Pooled] = []
    needed = set(shapes)
    for pool in reversed(statement.pools):  # only those that take part
        if pool.name in needed:
            shapes |= dict(pool.operand.tensors)
            needed |= set(dict(pool.operand.tensors))
    for pool in statement.pools:
        if pool.name in needed:
            made = _pooled(pool, sizes)
            if made is None:
                return None
            pools.append(made)
    names = {p.name for p in pools}
    tensors = {
        t: tuple(concrete(n, sizes) for n in shape)
        for t, shape in sorted(shapes.items())
        if t not in names
    }
    left, right = (_linear(f, sizes) for f in statement.values)
    return Sized(tuple(sizes.items()), tensors, tuple(pools), (left, right))


def _linear(form: Form, sizes: Mapping[str, int]) -> Linear:
    shape = shape_at(form, sizes)
    if int(np.prod(shape, dtype=np.int64)) > LARGEST:
        raise NotSupported(f"computing maxima: over {LARGEST} values; give smaller sizes")
    rows: dict[Index, list[tuple[Fraction, tuple[tuple[str, Index], ...]]]] = {}
    for (at, reads), c in coefficients(form, sizes).items():
        rows.setdefault(at, []).append((c, reads))
    return Linear(shape, rows)


def _pooled(pool: Pool, sizes: Mapping[str, int]) -> Pooled | None:
    operand = _linear(pool.operand, sizes)
    shape = tuple(concrete(n, sizes) for n in pool.shape)
    axes = [tuple(concrete(e, sizes) for e in axis) for axis in pool.windows]
    lead = len(shape) - len(axes)
    seen: dict[Index, list[Index]] = {}
    for at in np.ndindex(*shape):
        ranges = [
            [j for t in range(k) if 0 <= (j := s * i + d * t - lo) < n]
            for i, n, (k, s, d, lo) in zip(at[lead:], operand.shape[lead:], axes, strict=True)
        ]
        places = [(*at[:lead], *rest) for rest in product(*ranges)]
        if not places:
            return None
        seen[at] = places
    return Pooled(pool.name, operand, seen)


# -- inputs ----------------------------------------------------------------------------------------


def difference(sized: Sized) -> Counterexample | None:
    """An input on which the sides differ (or their shapes, if these do)."""
    left, right = sized.sides
    if left.shape != right.shape:
        return Counterexample("shape", sized.sizes, (), left.shape, right.shape)
    for values in _inputs(len(sized.entries())):
        found = compare(sized, values)
        if found is not None:
            return found
        if time_left() <= 0:
            break
    return None


def _inputs(count: int) -> Iterator[Sequence[int]]:
    """Small integers for so many entries: single ones first, all of -1, 0, 1 where these are few."""
    for sign in (1, -1):
        for j in range(count):
            yield [sign * (i == j) for i in range(count)]
    if count <= EXHAUSTIVE:
        grid = product((0, 1, -1), repeat=count)
        yield from sorted(grid, key=lambda v: sum(map(abs, v)))
    generator = Random(count)
    for number in range(RANDOM):
        bound = (2, 3, 9, 99)[number % 4]
        yield [generator.randint(-bound, bound) for _ in range(count)]


def compare(sized: Sized, values: Sequence[int | Fraction]) -> Counterexample | None:
    """Both sides on one input; the first output at which they differ."""
    tensors: dict[str, dict[Index, Any]] = {t: {} for t in sized.tensors}
    for (name, at), v in zip(sized.entries(), values, strict=True):
        tensors[name][at] = v
    known = sized.with_maxima(tensors, _plain, max)
    left, right = sized.sides
    for at in np.ndindex(*left.shape):
        a, b = (Fraction(side.value(at, known, _plain)) for side in (left, right))
        if a != b:
            shown = tuple(
                (name, _array(tensors[name], shape)) for name, shape in sized.tensors.items()
            )
            return Counterexample(
                "input", sized.sizes, (), left.shape, right.shape, at, (), a, b, inputs=shown
            )
    return None


def _plain(value: Fraction) -> int | Fraction:
    return value.numerator if value.denominator == 1 else value


def _array(values: Table, shape: Index) -> tuple[Any, ...]:
    """Nested rows, as a claim writes an array."""

    def rows(at: Index) -> Any:
        if len(at) == len(shape):
            return values[at]
        return tuple(rows((*at, j)) for j in range(shape[len(at)]))

    found: tuple[Any, ...] = rows(())
    return found


# -- all real inputs -------------------------------------------------------------------------------


def solved(sized: Sized) -> Counterexample | bool:
    """Whether the sides are equal for all real inputs at these sizes, as far as the solver knows.

    Returns an input on which they differ, True where there is none, False where it is not known.
    """
    import z3

    terms = sum(len(row) for side in sized.sides for row in side.rows.values())
    terms += sum(len(seen) for p in sized.pools for seen in p.seen.values())
    if terms > SOLVER_TERMS:
        return False
    context = z3.Context()
    variables = {
        (t, at): z3.Real(f"{t}[{','.join(map(str, at))}]", context) for t, at in sized.entries()
    }
    tensors: dict[str, dict[Index, Any]] = {t: {} for t in sized.tensors}
    for (t, at), v in variables.items():
        tensors[t][at] = v
    solver = z3.Solver(ctx=context)
    solver.set("timeout", max(1, int(min(SOLVER_MILLISECONDS, time_left() * 1000))))
    fresh = iter(range(10**9))

    def number(value: Fraction) -> Any:
        return z3.RealVal(f"{value.numerator}/{value.denominator}", context)

    def larger(parts: list[Any]) -> Any:
        """A name for the maximum: at least each part, and equal to one of them."""
        if len(parts) == 1:
            return parts[0]
        m = z3.Real(f"max{next(fresh)}", context)
        solver.add(*(m >= p for p in parts), z3.Or(*(m == p for p in parts)))
        return m

    known = sized.with_maxima(tensors, number, larger)
    left, right = sized.sides
    gaps = [
        left.value(at, known, number) != right.value(at, known, number)
        for at in np.ndindex(*left.shape)
    ]
    solver.add(z3.Or(*gaps, z3.BoolVal(False, context)))
    answer = solver.check()
    if answer == z3.unsat:
        return True
    if answer != z3.sat:
        return False
    model = solver.model()
    values = [model.eval(v, model_completion=True) for v in variables.values()]
    if not all(z3.is_rational_value(v) for v in values):
        return False
    exact = [Fraction(v.numerator_as_long(), v.denominator_as_long()) for v in values]
    whole = lcm(*(q.denominator for q in exact))
    integers = [int(q * whole) for q in exact]
    return compare(sized, integers) or compare(sized, exact) or False


def pools_tensors(statement: Same) -> bool:
    """Is each max pooling one of a tensor, or of another max pooling, as it is?"""
    functions = {law.function for law in statement.laws}
    if statement.values is None or len(functions) != sum(len(p.windows) for p in statement.pools):
        return False
    return all(
        len(p.operand.tensors) == 1
        and p.operand.terms == tensor(p.operand.tensors[0][0], *p.operand.tensors[0][1]).terms
        for p in statement.pools
    )
