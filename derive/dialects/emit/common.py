"""What all writers need: steps with the shapes they meet, and numbers as they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from derive.dialects.layer import CANONICAL, Layer, Operand, Shape, Step
from derive.expr import Expr, lift
from derive.form import Form, tensor
from derive.operators import OPERATORS

Lines = tuple[str, ...]


@dataclass(frozen=True)
class Piece:
    """A step with what its writer needs to know.

    ``batch``, ``channels`` and ``lengths`` are those of its input, ``output`` the lengths of its
    output, ``kernel`` the shape of its kernel in the
    order that our operator takes, ``()`` without one.  ``bias`` is true for the last piece of a call
    with a bias.
    """

    operator: str
    parameters: dict[str, Any]
    dims: int
    channels: Expr
    lengths: Shape
    output: Shape
    kernel: Shape
    bias: bool
    batch: Expr

    def pairs(self, name: str = "padding") -> tuple[tuple[Expr, Expr], ...]:
        """A parameter with an amount in front and one behind for each axis."""
        value = self.parameters.get(name, 0)
        if not isinstance(value, tuple):
            return ((lift(value), lift(value)),) * self.dims
        if len(value) == 2 and not any(isinstance(v, tuple) for v in value):
            return ((lift(value[0]), lift(value[1])),) * self.dims
        return tuple((lift(lo), lift(hi)) for lo, hi in value)

    def axes(self, name: str, default: Any = 1) -> tuple[Expr, ...]:
        """A parameter with one value for each axis."""
        value = self.parameters.get(name, default)
        values = value if isinstance(value, tuple) else (value,) * self.dims
        return tuple(lift(v) for v in values)


def pieces(
    steps: Sequence[Step], layer: Layer, shape: Shape, operands: Sequence[Operand], bias: bool
) -> list[Piece]:
    """The steps with the shapes that they meet on an input of ``shape`` in the source's layout."""
    by_letter = dict(zip(layer.layout[-len(shape) :], shape, strict=True))
    y: Form = tensor("x", *(by_letter[a] for a in CANONICAL[layer.dims] if a in by_letter))
    kernels = {o.name: o.canonical(tensor(o.name, *o.shape)) for o in operands}
    found = []
    for position, s in enumerate(steps):
        kernel = kernels[s.weight].shape if s.weight else ()
        taken = (y, kernels[s.weight]) if s.weight else (y,)
        z = OPERATORS[s.operator].build(*taken, **dict(s.parameters))
        found.append(
            Piece(
                operator=s.operator,
                parameters=dict(s.parameters),
                dims=layer.dims,
                channels=y.shape[y.rank - layer.dims - 1],
                lengths=y.shape[y.rank - layer.dims :],
                output=z.shape[z.rank - layer.dims :],
                kernel=kernel,
                bias=bias and position == len(steps) - 1,
                batch=y.shape[0],
            )
        )
        y = z
    return found


def one(values: Sequence[Any]) -> str:
    """The values as they are written: a single one where all are alike.

    >>> one((2, 2)), one((2, 3))
    ('2', '(2, 3)')
    """
    if all(v == values[0] for v in values):
        return str(values[0])
    return f"({', '.join(map(str, values))})"


def options(given: Sequence[tuple[str, str, str]]) -> str:
    """``, name=value`` for each (name, value, default) whose value is not the default.

    >>> options([("stride", "2", "1"), ("padding", "0", "0")])
    ', stride=2'
    """
    return "".join(f", {name}={value}" for name, value, default in given if value != default)


def whole(e: Expr) -> bool:
    """May this be an amount, which is never negative?  Symbols may be."""
    return e.constant is None or e.constant >= 0


def symmetric(padding: Sequence[tuple[Expr, Expr]]) -> bool:
    """Is the padding the same amount on both sides of each axis?"""
    return all(lo == hi and whole(lo) for lo, hi in padding)


def nested(value: Any, brackets: str = "()") -> str:
    """A tuple of values or of tuples as it is written, in brackets for each level.

    >>> nested(((1, 2), (0, 3))), nested([(1, 2)], "[]()"), nested((3,))
    ('((1, 2), (0, 3))', '[(1, 2)]', '(3,)')
    """
    if not isinstance(value, (tuple, list)):
        return str(value)
    left, right, inner = brackets[0], brackets[1], brackets[2:] or brackets
    comma = "," if len(value) == 1 and left == "(" else ""
    return f"{left}{', '.join(nested(v, inner) for v in value)}{comma}{right}"


PieceWriter = Callable[[Piece], Iterator[Lines]]


def programs(writers: Mapping[str, PieceWriter], parts: Sequence[Piece]) -> Iterator[Lines]:
    """Every way to write the pieces one after the other, the simplest first.

    None where a piece has no writer.
    """
    if any(p.operator not in writers for p in parts):
        return
    for ways in product(*(list(writers[p.operator](p)) for p in parts)):
        yield tuple(line for part in ways for line in part)
