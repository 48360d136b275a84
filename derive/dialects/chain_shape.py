"""The answer about a chain: a table by layer, and for which lengths it is defined and comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal

from derive.dialects.calls import Assigned
from derive.dialects.chain import run
from derive.dialects.chain_state import Run, Value
from derive.dialects.formula import condition, flattened, plain, tree
from derive.dialects.lengths import Lengths, lengths_where, preimages
from derive.dialects.question import Length, axis_name, lengths, trivial
from derive.dialects.request import Shape
from derive.errors import NotSupported
from derive.expr import Cond, Expr, Sym, all_of, cond_symbols, eq, map_cond
from derive.symbols import size


@dataclass(frozen=True)
class FieldOf:
    """The receptive field along one axis: how many input samples an output spans, how far apart the
    fields of neighbours are, and where the middle of output 0 lies (None where paths disagree).
    """

    axis: str
    size: int
    jump: Fraction
    offset: Fraction | None


@dataclass(frozen=True)
class ChainRow:
    """One call of the chain."""

    call: str
    output: tuple[Length, ...]
    fields: tuple[FieldOf, ...]


@dataclass(frozen=True)
class ChainAxis:
    """One spatial axis: the output length by the input length, all input lengths for which the chain
    is ``defined``, those for which it ``returns`` to them, and all that give ``target``.
    """

    axis: str
    formula: str
    defined: Lengths | None
    returns: Lengths | None
    target: Length | None = None
    inverse: Lengths | None = None


@dataclass(frozen=True)
class ChainShape:
    """The answer about a chain of calls."""

    kind: ClassVar[Literal["chain"]] = "chain"

    layout: str
    output_layout: str
    input: tuple[Length, ...]
    output: tuple[Length, ...]
    layers: tuple[ChainRow, ...]
    axes: tuple[ChainAxis, ...]
    requires: tuple[str, ...]


def chain_shape(
    statements: Sequence[Assigned],
    x: Sequence[Any] | None = None,
    output: Sequence[Any] | None = None,
    weights: Mapping[str, Sequence[Any]] | None = None,
    dialect: str | None = None,
) -> ChainShape:
    """The shapes of a chain, layer by layer; see :func:`derive.shape`."""
    found = run(statements, x, weights, dialect)
    assert found.start is not None
    names = _names(found.start.shape, found.start.layout)
    free = found if names == found.start.shape else run(statements, names, weights, dialect)
    last = found.rows[-1].value
    axes = tuple(_axis(free, found, letter, output) for letter in _spatial(last.layout))
    return ChainShape(
        found.start.layout,
        last.layout,
        lengths(found.start.shape),
        lengths(last.shape),
        tuple(_row(r.call, r.value) for r in found.rows),
        tuple(a for a in axes if a is not None),
        _others(free),
    )


def _names(shape: Shape, layout: str) -> Shape:
    """The input with names for its spatial lengths."""
    dims = len(_spatial(layout))
    return tuple(
        size(f"{axis_name(a, dims)}_in") if a in "TDHW" else n
        for a, n in zip(layout, shape, strict=True)
    )


def _spatial(layout: str) -> str:
    return "".join(a for a in layout if a in "TDHW")


def _row(call: str, value: Value) -> ChainRow:
    dims = len(_spatial(value.layout))
    fields = tuple(
        FieldOf(axis_name(a, dims), f.size, f.jump, f.offset) for a, f in value.fields if f
    )
    return ChainRow(call, lengths(value.shape), fields)


def _axis(free: Run, found: Run, letter: str, output: Sequence[Any] | None) -> ChainAxis | None:
    start, last = free.start, free.rows[-1].value
    assert start is not None and found.start is not None
    if letter not in start.layout:
        return None
    place, at = start.layout.index(letter), last.layout.index(letter)
    n, e = start.shape[place], flattened(last.shape[at])
    if n.symbol is None or e.symbols() - {n.symbol}:
        return None
    if place != at and n.symbol not in e.symbols():  # another axis of that name
        return None
    name = axis_name(letter, len(_spatial(start.layout)))
    bounds = _bounds(free, n.symbol)
    value = found.rows[-1].value.shape[last.layout.index(letter)]
    goal = _goal(value, last.layout, letter, output)
    formula = f"{name}_out = {plain(tree(e))}"
    try:
        inverse = None if goal is None else preimages(e, bounds, n, goal)
        returns = lengths_where(all_of(bounds, eq(e, n)), n)
        return ChainAxis(name, formula, lengths_where(bounds, n), returns, goal, inverse)
    except NotSupported:  # a stride or a factor without a number
        return ChainAxis(name, formula, None, None, goal)


def _bounds(free: Run, n: Sym) -> Cond:
    return all_of(*(map_cond(c, flattened) for c in free.requires if cond_symbols(c) <= {n}))


def _goal(value: Expr, layout: str, letter: str, output: Sequence[Any] | None) -> int | None:
    """The asked output length along an axis, by default the one that comes out."""
    if output is None:
        return value.constant
    spatial = _spatial(layout)
    if len(output) == len(layout):
        wanted = output[layout.index(letter)]
    else:
        wanted = output[0] if len(output) == 1 else output[spatial.index(letter)]
    return wanted if isinstance(wanted, int) else None


def _others(free: Run) -> tuple[str, ...]:
    """What the chain needs beside the lengths of its input: of other tensors and names."""
    assert free.start is not None
    start = zip(free.start.layout, free.start.shape, strict=True)
    lengths_of_input = {s for a, n in start if a in "TDHW" for s in n.symbols()}
    kept = []
    for c in dict.fromkeys(free.requires):
        spoken = cond_symbols(c)
        if trivial(c) or len(spoken & lengths_of_input) == len(spoken) == 1:
            continue
        kept.append(condition(map_cond(c, flattened)))
    return tuple(dict.fromkeys(kept))
