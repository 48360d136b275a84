"""What all writers need: steps with the shapes they meet, and numbers as they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from derive.dialects.layer import CANONICAL, SPATIAL, Layer, Operand, Shape, Step
from derive.expr import Expr, lift, maximum
from derive.form import Form, tensor
from derive.operators import OPERATORS

Lines = tuple[str, ...]
FACTORS = 65  # below this a whole factor of a resizing is looked for
SILENT = ("select",)  # steps without a call: axes of length 1 that are dropped at the end


@dataclass(frozen=True)
class Piece:
    """A step with what its writer needs to know.

    ``batch``, ``channels`` and ``lengths`` are those of its input, ``output`` the lengths of its
    output, ``kernel`` the shape of its kernel in the
    order that our operator takes, ``()`` without one.  ``bias`` is true for the last piece of a call
    with a bias.  ``layout`` is the source's; an array that is ``alone``
    has no batch and no channels, and gets both in front.
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
    layout: str
    alone: bool = False

    @property
    def stride(self) -> tuple[Expr, ...]:
        """The strides of a pool, by default the lengths of its windows."""
        return self.axes("k" if self.parameters.get("stride") is None else "stride")

    @property
    def groups(self) -> Expr:
        """The groups of the channels."""
        return lift(self.parameters.get("groups", 1))

    def placed(self, spatial: Sequence[Any], batch: Any, channels: Any) -> tuple[Any, ...]:
        """A value for each axis, in the order of ``layout``."""
        by_letter = dict(zip(SPATIAL[self.dims], spatial, strict=True))
        return tuple(by_letter.get(a, batch if a == "N" else channels) for a in self.layout)

    def at_run_time(self, pairs: Sequence[tuple[Expr, Expr]]) -> bool:
        """Do amounts depend on the lengths of the input?"""
        lengths = {s for n in self.lengths for s in n.symbols()}
        return any(s in lengths for pair in pairs for a in pair for s in a.symbols())

    def likely(self, valid: str, same: str) -> tuple[str, str]:
        """Named paddings, that which is more likely first."""
        none = all(a == 0 for pair in self.pairs() for a in pair)
        return (valid, same) if none else (same, valid)

    def covered(self) -> tuple[tuple[Expr, Expr], ...]:
        """The padding of a pool with which its windows end where the padded input ends."""
        d, s = self.axes("dilation"), self.stride
        ends = zip(self.output, self.lengths, self.axes("k"), s, d, self.pairs(), strict=True)
        return tuple(
            (lo, maximum(si * (m - 1) + di * (k - 1) + 1 - n - lo, 0))
            for m, n, k, si, di, (lo, _) in ends
        )

    def factors(self) -> tuple[int, ...] | None:
        """The whole numbers by which the lengths grow, None where they do not."""
        found = [
            next((r for r in range(1, FACTORS) if m == r * n), None)
            for m, n in zip(self.output, self.lengths, strict=True)
        ]
        return tuple(r for r in found if r is not None) if None not in found else None

    def pads(self, pairs: Sequence[Any], none: Any = (0, 0)) -> str:
        """Amounts for every axis, as NumPy writes them."""
        return nested(list(self.placed(pairs, none, none)), "[]()")

    def pooled(self) -> Piece:
        """A global or adaptive average as one over windows of ``n//m``, right where ``m`` divides ``n``."""
        m = self.axes("m")
        k = tuple(n // mi for n, mi in zip(self.lengths, m, strict=True))
        stride = 1 if all(a == 1 for a in m) else k
        return replace(self, operator="avg_pool", parameters={"k": k, "stride": stride})

    def transposed(self) -> Piece | None:
        """A correlation over a dilated input, as a transposed convolution; None for another one.

        With the effective length ``d(k-1)+1`` the amounts become ``d(k-1) - lo`` and so on.
        """
        base = self.axes("base_dilation")
        if all(e == 1 for e in base) or any(s != 1 for s in self.axes("stride")):
            return None
        if self.groups != 1 or self.parameters.get("padding_mode", "zero") != "zero":
            return None
        reach = zip(self.axes("dilation"), self.kernel[2:], self.pairs(), strict=True)
        ends = tuple((d * (k - 1) - lo, d * (k - 1) - hi) for d, k, (lo, hi) in reach)
        made = {"stride": base, "dilation": self.axes("dilation"), "padding": ends}
        kernel = (self.kernel[1], self.kernel[0], *self.kernel[2:])
        return replace(self, operator="conv_transpose", parameters=made, kernel=kernel)

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
    """The steps with the shapes that they meet on an input of ``shape`` in the source's layout.

    Arrays without batch and channels get both, of length 1; so do their kernels.
    """
    by_letter = dict(zip(layer.layout[-len(shape) :], shape, strict=True))
    y: Form = tensor("x", *(by_letter[a] for a in CANONICAL[layer.dims] if a in by_letter))
    kernels = {o.name: o.canonical(tensor(o.name, *o.shape)) for o in operands}
    plain, found = "C" not in layer.layout, []
    for position, s in enumerate(steps):
        kernel = kernels[s.weight].shape if s.weight else ()
        taken = (y, kernels[s.weight]) if s.weight else (y,)
        z = OPERATORS[s.operator].build(*taken, **dict(s.parameters))
        found.append(
            Piece(
                operator=s.operator,
                parameters=dict(s.parameters),
                dims=layer.dims,
                channels=lift(1) if plain else y.shape[y.rank - layer.dims - 1],
                lengths=y.shape[y.rank - layer.dims :],
                output=z.shape[z.rank - layer.dims :],
                kernel=(lift(1), lift(1), *kernel) if plain and kernel else kernel,
                bias=bias and position == len(steps) - 1,
                batch=lift(1) if plain else y.shape[0],
                layout=f"NC{layer.layout}" if plain else layer.layout,
                alone=plain,
            )
        )
        y = z
    return found


def interpolated(piece: Piece) -> str:
    """How a resizing reads between samples: ``nearest``, ``linear`` or ``align_corners``."""
    if piece.operator == "bilinear_upsample":
        return "align_corners" if piece.parameters.get("align_corners") else "linear"
    if piece.operator == "nearest_upsample":
        return "nearest"
    corners = all(a == 0 for a in piece.axes("start", 0))
    linear = "align_corners" if corners else "linear"
    return linear if piece.parameters["mode"] == "linear" else "nearest"


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
    spoken = [p for p in parts if p.operator not in SILENT]
    if any(p.operator not in writers for p in spoken):
        return
    for ways in product(*(list(writers[p.operator](p)) for p in spoken)):
        yield tuple(line for part in ways for line in part)
