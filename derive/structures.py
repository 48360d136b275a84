"""The structures that a matrix can have: definitions, the matrix that each defines, and words.

A structure is data: its parameters and the kernel that defines it.  :mod:`derive.recognise` finds
the structures of a matrix, :func:`rebuild` makes a matrix from a structure alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TypeAlias

from derive.errors import CannotBe
from derive.matrix import ONE, Entry, Matrix, entry_text, identity, kronecker

Place: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Zero:
    """Every entry is zero."""

    shape: tuple[int, int]
    name: str = "zero"


@dataclass(frozen=True)
class Identity:
    """Square, ones on the diagonal, zeros elsewhere."""

    size: int
    name: str = "identity"


@dataclass(frozen=True)
class Diagonal:
    """Square, zero off the diagonal."""

    diagonal: tuple[Entry, ...]
    name: str = "diagonal"


@dataclass(frozen=True)
class Permutation:
    """Square; ``A[i, image[i]] = 1``, one 1 in every row and column, zeros elsewhere."""

    image: tuple[int, ...]
    name: str = "permutation"


@dataclass(frozen=True)
class Selection:
    """``A[i, columns[i]] = 1``: one 1 in every row, zeros elsewhere."""

    columns: tuple[int, ...]
    width: int
    name: str = "selection"


@dataclass(frozen=True)
class Banded:
    """``A[i, j] = 0`` unless ``-lower <= j - i <= upper``, and no narrower band will do.

    Neither bandwidth is negative.  It is only said of a matrix that is not zero and where the band
    leaves out some position.
    """

    lower: int
    upper: int
    name: str = "banded"


@dataclass(frozen=True)
class Level:
    """One axis of a Toeplitz structure: ``step·j = stride·i + dilation·t + offset``.

    ``0 <= t < taps``; ``rows`` and ``columns`` are the lengths of the axis; ``stride`` and
    ``step`` (a base dilation) have no common factor; the offset of a correlation is ``-p_lo``.
    """

    rows: int
    columns: int
    stride: int
    step: int
    dilation: int
    offset: int
    taps: int


@dataclass(frozen=True)
class Toeplitz:
    """``A[i, j] = kernel[t]`` where ``step·j = stride·i + dilation·t + offset`` on every axis.

    In other words ``A[i, j]`` depends on ``step·j - stride·i`` only.  With one level and both
    factors 1 it is a Toeplitz matrix, with a stride ``s`` its every ``s``-th row, with a step the
    transpose of that.  With two levels it is a block Toeplitz matrix of Toeplitz blocks (doubly
    block Toeplitz), and so on: rows and columns are then counted by several axes, row-major.

    ``kernel`` holds the taps that are not zero.  The dilation is the largest possible and the first
    and last tap of an axis are not all zero, so that a kernel with zeros at its ends comes back
    shorter, with another offset.

    A stride or step other than 1 is only accepted when the entries show it: two equal non-zero
    entries one step apart.
    """

    levels: tuple[Level, ...]
    kernel: tuple[tuple[Place, Entry], ...]

    @property
    def name(self) -> str:
        """The field's name: Toeplitz, strided Toeplitz, doubly block Toeplitz …"""
        count = len(self.levels)
        kind = {1: "Toeplitz", 2: "doubly block Toeplitz"}.get(
            count, f"{count}-level block Toeplitz"
        )
        strided = any(a.stride != 1 for a in self.levels)
        dilated = any(a.step != 1 for a in self.levels)
        if strided and dilated:
            return f"strided and zero-inserted {kind}"
        if strided:
            return f"strided {kind}"
        return f"transposed strided {kind}" if dilated else kind

    @property
    def taps(self) -> tuple[Entry, ...]:
        """The kernel with its zeros, flattened row-major."""
        known = dict(self.kernel)
        return tuple(known.get(t, ()) for t in product(*(range(a.taps) for a in self.levels)))


@dataclass(frozen=True)
class Circulant:
    """``A[i, j] = kernel[(j - i) mod n]`` on every axis; all axes of rows and columns alike.

    With one axis a circulant matrix, with two a block circulant matrix of circulant blocks.
    ``kernel`` holds the values that are not zero.
    """

    lengths: tuple[int, ...]
    kernel: tuple[tuple[Place, Entry], ...]

    @property
    def name(self) -> str:
        """Circulant, doubly block circulant …"""
        count = len(self.lengths)
        return {1: "circulant", 2: "doubly block circulant"}.get(
            count, f"{count}-level block circulant"
        )


@dataclass(frozen=True)
class BlockDiagonal:
    """At least two blocks along the diagonal, zero elsewhere; no block is empty.

    Where blocks of one size fit, they are the smallest such blocks; otherwise the partition is the
    finest one.  A diagonal matrix is not called block diagonal.
    """

    blocks: tuple[Matrix, ...]
    name: str = "block diagonal"


@dataclass(frozen=True)
class IdentityKronecker:
    """The Kronecker product ``identity ⊗ block``: the same block ``copies >= 2`` times."""

    copies: int
    block: Matrix
    name: str = "identity ⊗ A"


@dataclass(frozen=True)
class BlockToeplitz:
    """A block matrix of Toeplitz blocks: leading axes (channels) without structure, then Toeplitz.

    ``blocks[a][b]`` is the structure of the block of row channel ``a`` and column channel ``b``,
    None where it is zero; ``size`` is the shape of every block.  All blocks have the same strides
    and steps, and one at least is not zero.
    """

    size: tuple[int, int]
    blocks: tuple[tuple[Toeplitz | None, ...], ...]

    @property
    def name(self) -> str:
        """Named after its blocks."""
        first = next(t for row in self.blocks for t in row if t is not None)
        return f"block matrix of {first.name} blocks"


Structure: TypeAlias = (
    Zero | Identity | Diagonal | Permutation | Selection | Toeplitz | Circulant
    | IdentityKronecker | BlockDiagonal | BlockToeplitz | Banded
)  # fmt: skip


# -- back to the matrix ---------------------------------------------------------------------------


def rebuild(structure: Structure) -> Matrix:
    """The matrix that a structure defines.

    Raises :class:`derive.errors.CannotBe` for a band, which does not say what stands in it.

    >>> print(rebuild(Selection((1, 0, 2), 3)))
    · 1 ·
    1 · ·
    · · 1
    """
    match structure:
        case Zero(shape):
            return Matrix((shape[0],), (shape[1],), {})
        case Identity(n):
            return identity(n)
        case Diagonal(values):
            n = len(values)
            return Matrix((n,), (n,), {(i, i): v for i, v in enumerate(values) if v})
        case Permutation(image):
            return rebuild(Selection(image, len(image)))
        case Selection(columns, width):
            ones = dict.fromkeys(enumerate(columns), ONE)
            return Matrix((len(columns),), (width,), ones)
        case Toeplitz():
            return _rebuild_toeplitz(structure)
        case Circulant(lengths, kernel):
            return _rebuild_circulant(lengths, dict(kernel))
        case IdentityKronecker(copies, inner):
            return kronecker(identity(copies), inner)
        case BlockDiagonal(blocks):
            return _assemble({(p, p): b for p, b in enumerate(blocks)})
        case BlockToeplitz((h, w), table):
            empty = Matrix((h,), (w,), {})
            pieces = {
                (p, q): empty if t is None else rebuild(t)
                for p, row in enumerate(table)
                for q, t in enumerate(row)
            }
            return _assemble(pieces)
        case Banded():
            raise CannotBe("rebuilding a banded matrix: a band does not say what stands in it")


def _rebuild_toeplitz(t: Toeplitz) -> Matrix:
    """Each axis gives the triples (row, column, tap); a cell is one triple from every axis."""
    triples = [
        [
            (i, j, tap)
            for i in range(a.rows)
            for tap in range(a.taps)
            for j, rest in [divmod(a.stride * i + a.dilation * tap + a.offset, a.step)]
            if not rest and 0 <= j < a.columns
        ]
        for a in t.levels
    ]
    kernel = dict(t.kernel)
    rows = tuple(a.rows for a in t.levels)
    columns = tuple(a.columns for a in t.levels)
    cells: dict[tuple[int, int], Entry] = {}
    for chosen in product(*triples):
        v = kernel.get(tuple(tap for _, _, tap in chosen))
        if v is not None:
            at = (
                _flatten([i for i, _, _ in chosen], rows),
                _flatten([j for _, j, _ in chosen], columns),
            )
            cells[at] = v
    return Matrix(rows, columns, {at: cells[at] for at in sorted(cells)})


def _rebuild_circulant(lengths: Place, kernel: Mapping[Place, Entry]) -> Matrix:
    cells: dict[tuple[int, int], Entry] = {}
    for i in product(*map(range, lengths)):
        for u, v in kernel.items():
            j = [(p + q) % n for p, q, n in zip(i, u, lengths, strict=True)]
            cells[_flatten(i, lengths), _flatten(j, lengths)] = v
    return Matrix(lengths, lengths, {at: cells[at] for at in sorted(cells)})


def _flatten(place: Place | list[int], shape: Place) -> int:
    flat = 0
    for p, n in zip(place, shape, strict=True):
        flat = flat * n + p
    return flat


def _assemble(pieces: Mapping[tuple[int, int], Matrix]) -> Matrix:
    heights: dict[int, int] = {p: b.shape[0] for (p, _), b in pieces.items()}
    widths: dict[int, int] = {q: b.shape[1] for (_, q), b in pieces.items()}
    tops = {p: sum(h for r, h in heights.items() if r < p) for p in heights}
    lefts = {q: sum(w for r, w in widths.items() if r < q) for q in widths}
    cells = {
        (tops[p] + i, lefts[q] + j): v
        for (p, q), b in pieces.items()
        for (i, j), v in b.entries.items()
    }
    shape = (sum(heights.values()),), (sum(widths.values()),)
    return Matrix(*shape, {at: cells[at] for at in sorted(cells)})


# -- in words -------------------------------------------------------------------------------------


def describe(structure: Structure) -> str:
    """A structure in one line of text.

    >>> describe(Banded(0, 2))
    'banded: lower bandwidth 0, upper bandwidth 2'
    """
    match structure:
        case Banded(lower, upper):
            return f"banded: lower bandwidth {lower}, upper bandwidth {upper}"
        case Toeplitz():
            return f"{structure.name}: {toeplitz_text(structure)}"
        case Circulant(lengths):
            return f"{structure.name}: lengths {_joined(lengths)}, {len(structure.kernel)} values"
        case BlockDiagonal(blocks):
            shapes = {b.shape for b in blocks}
            size = (
                "{} by {}".format(*next(iter(shapes))) if len(shapes) == 1 else "of several sizes"
            )
            return f"block diagonal: {len(blocks)} blocks {size}"
        case IdentityKronecker(copies, inner):
            return f"identity of size {copies} ⊗ a block {inner.shape[0]} by {inner.shape[1]}"
        case BlockToeplitz(_, table):
            return f"{structure.name}: {len(table)} by {len(table[0])} blocks"
    return structure.name


def toeplitz_text(t: Toeplitz) -> str:
    """The rule of a Toeplitz structure: what stands where.

    A kernel that is just the elements of one tensor in order is called by that tensor.
    """
    name = _kernel_name(t)
    taps = ["t"] if len(t.levels) == 1 else [f"t{a}" for a in range(len(t.levels))]
    rows = ["i"] if len(t.levels) == 1 else [f"i{a}" for a in range(len(t.levels))]
    columns = ["j"] if len(t.levels) == 1 else [f"j{a}" for a in range(len(t.levels))]
    if name is None:
        shown = ", ".join(entry_text(v) for v in t.taps[:4]) + (", …" if len(t.taps) > 4 else "")
        value = f"κ_{{{','.join(taps)}}}" if len(taps) > 1 else f"κ_{taps[0]}"
        start = f" with κ = ({shown})"
    else:
        value = f"{name}_{{{','.join(taps)}}}" if len(taps) > 1 else f"{name}_{taps[0]}"
        start = ""
    rules = []
    for a, i, j, tap in zip(t.levels, rows, columns, taps, strict=True):
        where = _linear([(a.stride, i), (a.dilation, tap)], a.offset)
        rules.append(f"{_linear([(a.step, j)], 0)} = {where}, 0 <= {tap} < {a.taps}")
    return f"A[{', '.join(rows)}, {', '.join(columns)}] = {value}{start} where {'; '.join(rules)}"


def _linear(parts: list[tuple[int, str]], constant: int) -> str:
    text = " + ".join(name if c == 1 else f"{c}*{name}" for c, name in parts)
    return text + (f" {'+' if constant > 0 else '-'} {abs(constant)}" if constant else "")


def _kernel_name(t: Toeplitz) -> str | None:
    """The tensor whose elements, in order, are the whole kernel; None if there is none."""
    names = set()
    for at, v in t.kernel:
        if len(v) != 1 or v[0][1] != 1 or len(v[0][0]) != 1 or v[0][0][0][1] != at:
            return None
        names.add(v[0][0][0][0])
    full = len(t.kernel) == prod(a.taps for a in t.levels)
    return names.pop() if len(names) == 1 and full else None


def _joined(lengths: Place) -> str:
    return ", ".join(map(str, lengths))
