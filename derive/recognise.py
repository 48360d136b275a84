"""What a matrix is: its structures by their definitions, each with the kernel that defines it.

:func:`recognise` returns every structure whose definition the matrix meets, and :func:`rebuild`
makes the matrix again from a structure alone.  Entries are compared exactly, as polynomials.
Definitions are taken at their word, so a small matrix meets many of them: a 1 by 1 matrix is
Toeplitz, circulant and diagonal.

>>> from derive.form import tensor
>>> from derive.matrix import matrix
>>> from derive.operators import correlate
>>> A = matrix(correlate(tensor("x", 7), tensor("w", 3), stride=2, padding=(1, 0)), "x", {})
>>> for structure in recognise(A):
...     print(describe(structure))
strided Toeplitz: A[i, j] = w_t where j = 2*i + t - 1, 0 <= t < 3
banded: lower bandwidth 0, upper bandwidth 3
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import pairwise
from math import gcd, prod
from typing import TypeAlias

from derive.errors import CannotBe
from derive.matrix import ONE, Entry, Matrix, identity, same
from derive.structures import (
    Banded,
    BlockDiagonal,
    BlockToeplitz,
    Circulant,
    Diagonal,
    Identity,
    IdentityKronecker,
    Level,
    Permutation,
    Place,
    Selection,
    Structure,
    Toeplitz,
    Zero,
    describe,
    rebuild,
    toeplitz_text,
)

__all__ = [
    "Structure",
    "banded",
    "block",
    "block_diagonal",
    "block_toeplitz",
    "circulant",
    "describe",
    "diagonal",
    "diagonal_blocks",
    "identity_kronecker",
    "is_identity",
    "is_toeplitz",
    "permutation",
    "rebuild",
    "recognise",
    "reshaped",
    "selection",
    "toeplitz",
    "toeplitz_text",
]

LARGEST_STEP = 8
"""Stride and step of a Toeplitz structure may both exceed 1 (a stride with base dilation); then
they are looked for up to this."""


def recognise(a: Matrix) -> tuple[Structure, ...]:
    """Every structure of the matrix, the most specific first.

    The axes are those of ``row_shape`` and ``column_shape``; call it with other axes
    (:func:`reshaped`) to ask about another number of levels.  A zero matrix is only called zero.

    >>> [s.name for s in recognise(identity(3))]
    ['identity', 'diagonal', 'permutation', 'selection', 'Toeplitz', 'circulant', 'banded']
    """
    if not a.entries:
        return (Zero(a.shape),)
    tests: tuple[Callable[[Matrix], Structure | None], ...] = (
        _identity, diagonal, permutation, selection, toeplitz, circulant,
        identity_kronecker, block_diagonal, block_toeplitz, banded,
    )  # fmt: skip
    found: list[Structure] = []
    for test in tests:
        structure = test(a)
        if structure is not None:
            found.append(structure)
    return tuple(found)


def reshaped(a: Matrix, rows: tuple[int, ...], columns: tuple[int, ...]) -> Matrix:
    """The same matrix with its rows and columns counted by other axes.

    Raises :class:`derive.errors.CannotBe` when the axes do not multiply to the shape.
    """
    if (prod(rows), prod(columns)) != a.shape:
        raise CannotBe(
            f"reading a matrix of shape {a.shape} with the axes {rows} and {columns}: they count "
            f"{prod(rows)} rows and {prod(columns)} columns; give axes that multiply to the shape"
        )
    return Matrix(rows, columns, a.entries, a.operand)


# -- one structure at a time ---------------------------------------------------------------------


def _square(a: Matrix) -> bool:
    return a.shape[0] == a.shape[1]


def _identity(a: Matrix) -> Identity | None:
    return Identity(a.shape[0]) if _square(a) and same(a, identity(a.shape[0])) else None


def is_identity(a: Matrix) -> bool:
    """Is it square with ones on the diagonal and zeros elsewhere?"""
    return _identity(a) is not None


def diagonal(a: Matrix) -> Diagonal | None:
    """The diagonal of a square matrix that is zero elsewhere, or None."""
    if not _square(a) or any(i != j for i, j in a.entries):
        return None
    return Diagonal(tuple(a[i, i] for i in range(a.shape[0])))


def selection(a: Matrix) -> Selection | None:
    """The column of the one 1 in each row, or None if the matrix is not of that kind."""
    rows = [i for i, _ in a.entries]
    if rows != list(range(a.shape[0])) or any(v != ONE for v in a.entries.values()):
        return None
    return Selection(tuple(j for _, j in a.entries), a.shape[1])


def permutation(a: Matrix) -> Permutation | None:
    """The permutation of a permutation matrix, or None."""
    chosen = selection(a)
    if chosen is None or sorted(chosen.columns) != list(range(a.shape[1])):
        return None
    return Permutation(chosen.columns)


def banded(a: Matrix) -> Banded | None:
    """The narrowest band, or None if it leaves nothing out (or the matrix is zero)."""
    if not a.entries:
        return None
    lower = max(0, max(i - j for i, j in a.entries))
    upper = max(0, max(j - i for i, j in a.entries))
    rows, columns = a.shape
    return Banded(lower, upper) if lower < rows - 1 or upper < columns - 1 else None


# -- Toeplitz ------------------------------------------------------------------------------------


Cells: TypeAlias = dict[tuple[Place, Place], Entry]


def _by_axes(a: Matrix) -> Cells:
    rows = [a.row_label(i) for i in range(a.shape[0])]
    columns = [a.column_label(j) for j in range(a.shape[1])]
    return {(rows[i], columns[j]): v for (i, j), v in a.entries.items()}


def toeplitz(a: Matrix) -> Toeplitz | None:
    """The Toeplitz structure over all axes, as many for rows as for columns, or None."""
    if len(a.row_shape) != len(a.column_shape) or not a.row_shape or not a.entries:
        return None
    cells = _by_axes(a)
    steps: list[tuple[int, int]] = []
    for axis in range(len(a.row_shape)):
        found = _axis_steps(cells, a, axis)
        if found is None:
            return None
        steps.append(found)
    return _with_kernel(a, cells, steps)


def _axis_steps(cells: Cells, a: Matrix, axis: int) -> tuple[int, int] | None:
    """``(stride, step)``: moving ``step`` rows down and ``stride`` columns on changes nothing."""
    rows, columns = a.row_shape[axis], a.column_shape[axis]
    if _invariant(cells, axis, 1, 1, rows, columns):
        return 1, 1
    for stride, step in _candidates(cells, axis):
        if _invariant(cells, axis, stride, step, rows, columns):
            return stride, step
    return None


def _invariant(cells: Cells, axis: int, stride: int, step: int, rows: int, columns: int) -> bool:
    for (i, j), v in cells.items():
        for sign in (1, -1):
            di, dj = i[axis] + sign * step, j[axis] + sign * stride
            if 0 <= di < rows and 0 <= dj < columns:
                moved = (_put(i, axis, di), _put(j, axis, dj))
                if cells.get(moved) != v:
                    return False
    return True


def _put(place: Place, axis: int, value: int) -> Place:
    return (*place[:axis], value, *place[axis + 1 :])


def _candidates(cells: Cells, axis: int) -> Iterator[tuple[int, int]]:
    """Moves without a common factor that take some entry to an equal one; simple ones first."""
    lines: dict[tuple[Place, Place], dict[int, dict[int, Entry]]]
    lines = defaultdict(lambda: defaultdict(dict))
    for (i, j), v in cells.items():
        lines[_put(i, axis, 0), _put(j, axis, 0)][i[axis]][j[axis]] = v
    moves: set[tuple[int, int]] = set()
    for line in lines.values():
        for up, row in line.items():
            for down, other in line.items():
                step = down - up
                if step >= 1:
                    moves |= {
                        (k - j, step)
                        for j, v in row.items()
                        for k, u in other.items()
                        if u == v and _simple(k - j, step)
                    }
    yield from sorted(moves, key=lambda m: (min(m), m[1], m[0]))


def _simple(stride: int, step: int) -> bool:
    least, most = min(stride, step), max(stride, step)
    return least >= 1 and (least == 1 or most <= LARGEST_STEP) and gcd(stride, step) == 1


def _with_kernel(a: Matrix, cells: Cells, steps: list[tuple[int, int]]) -> Toeplitz:
    values: dict[Place, Entry] = {}
    for (i, j), v in cells.items():
        place = tuple(
            step * q - stride * p for p, q, (stride, step) in zip(i, j, steps, strict=True)
        )
        values[place] = v
    levels: list[Level] = []
    for axis, (stride, step) in enumerate(steps):
        reached = sorted({place[axis] for place in values})
        dilation = gcd(*(u - reached[0] for u in reached)) or 1
        taps = (reached[-1] - reached[0]) // dilation + 1
        levels.append(
            Level(a.row_shape[axis], a.column_shape[axis], stride, step, dilation, reached[0], taps)
        )
    kernel = {
        tuple(
            (u - level.offset) // level.dilation for u, level in zip(place, levels, strict=True)
        ): v
        for place, v in values.items()
    }
    return Toeplitz(tuple(levels), tuple(sorted(kernel.items())))


def is_toeplitz(a: Matrix) -> bool:
    """Does ``A[i, j]`` depend on ``j - i`` only?  (A zero matrix is Toeplitz.)"""
    flat = reshaped(a, (a.shape[0],), (a.shape[1],))
    return not a.entries or _invariant(_by_axes(flat), 0, 1, 1, *flat.shape)


def circulant(a: Matrix) -> Circulant | None:
    """The circulant structure over all axes, or None."""
    if a.row_shape != a.column_shape or not a.row_shape:
        return None
    kernel: dict[Place, Entry] = {}
    count: dict[Place, int] = defaultdict(int)
    for (i, j), v in _by_axes(a).items():
        u = tuple((q - p) % n for p, q, n in zip(i, j, a.row_shape, strict=True))
        if kernel.setdefault(u, v) != v:
            return None
        count[u] += 1
    if any(c != a.shape[0] for c in count.values()):
        return None
    return Circulant(a.row_shape, tuple(sorted(kernel.items())))


# -- blocks --------------------------------------------------------------------------------------


def block(a: Matrix, rows: range, columns: range) -> Matrix:
    """The block of consecutive rows and columns, with one axis for each."""
    cells = {
        (i - rows.start, j - columns.start): v
        for (i, j), v in a.entries.items()
        if i in rows and j in columns
    }
    return Matrix((len(rows),), (len(columns),), cells, a.operand)


def block_diagonal(a: Matrix) -> BlockDiagonal | None:
    """The blocks of a block diagonal matrix, or None (also for a diagonal or a zero matrix)."""
    if not a.entries or diagonal(a) is not None:
        return None
    rows, columns = a.shape
    common = gcd(rows, columns)
    for count in (c for c in range(common, 1, -1) if common % c == 0):
        blocks = diagonal_blocks(a, count)
        if blocks is not None:
            return BlockDiagonal(blocks)
    row_cuts, column_cuts = _cuts(a)
    if len(row_cuts) == 2:
        return None
    return BlockDiagonal(
        tuple(
            block(a, range(*r), range(*c))
            for r, c in zip(pairwise(row_cuts), pairwise(column_cuts), strict=True)
        )
    )


def diagonal_blocks(a: Matrix, count: int) -> tuple[Matrix, ...] | None:
    """The ``count`` blocks of equal size along the diagonal if all else is zero, or None."""
    rows, columns = a.shape
    if count < 1 or rows % count or columns % count:
        return None
    h, w = rows // count, columns // count
    if not h or not w or any(i // h != j // w for i, j in a.entries):
        return None
    cells: list[dict[tuple[int, int], Entry]] = [{} for _ in range(count)]
    for (i, j), v in a.entries.items():
        cells[i // h][i % h, j % w] = v
    return tuple(Matrix((h,), (w,), c, a.operand) for c in cells)


def _cuts(a: Matrix) -> tuple[list[int], list[int]]:
    """Where rows and columns can be cut so that the entries fall into blocks on the diagonal."""
    rows, columns = a.shape
    last = [-1] * rows  # the last column reached up to this row
    first = [columns] * rows  # the first column reached from this row on
    for i, j in a.entries:
        last[i], first[i] = max(last[i], j), min(first[i], j)
    for i in range(1, rows):
        last[i] = max(last[i], last[i - 1])
        first[rows - 1 - i] = min(first[rows - 1 - i], first[rows - i])
    row_cuts, column_cuts = [0], [0]
    for i in range(1, rows):
        cut = max(last[i - 1] + 1, column_cuts[-1] + 1)
        if last[i - 1] < first[i] and cut <= min(first[i], columns - 1):
            row_cuts.append(i)
            column_cuts.append(cut)
    return [*row_cuts, rows], [*column_cuts, columns]


def identity_kronecker(a: Matrix) -> IdentityKronecker | None:
    """``identity ⊗ A`` with as many copies as possible, or None (also for a zero matrix)."""
    if not a.entries:
        return None
    common = gcd(*a.shape)
    for count in (c for c in range(common, 1, -1) if common % c == 0):
        blocks = diagonal_blocks(a, count)
        if blocks is not None and all(b.entries == blocks[0].entries for b in blocks):
            # the identity itself is left to its own name
            return None if is_identity(a) else IdentityKronecker(count, blocks[0])
    return None


def block_toeplitz(a: Matrix) -> BlockToeplitz | None:
    """Toeplitz blocks over the last axes, as many axes as possible, or None.

    The leading axes (channels) number the blocks; there must be some.  Blocks that are zero, as
    between the groups of a grouped convolution, are None.
    """
    for levels in range(min(len(a.row_shape), len(a.column_shape)), 0, -1):
        lead = (a.row_shape[:-levels], a.column_shape[:-levels])
        if prod(lead[0]) * prod(lead[1]) == 1:
            continue
        found = _toeplitz_blocks(a, levels)
        if found is not None:
            return found
    return None


def _toeplitz_blocks(a: Matrix, levels: int) -> BlockToeplitz | None:
    inner = (a.row_shape[-levels:], a.column_shape[-levels:])
    h, w = prod(inner[0]), prod(inner[1])
    if not h or not w:
        return None
    cells: dict[tuple[int, int], dict[tuple[int, int], Entry]] = defaultdict(dict)
    for (i, j), v in a.entries.items():
        cells[i // h, j // w][i % h, j % w] = v
    table: list[tuple[Toeplitz | None, ...]] = []
    directions: set[tuple[tuple[int, int], ...]] = set()
    for p in range(a.shape[0] // h):
        row: list[Toeplitz | None] = []
        for q in range(a.shape[1] // w):
            found = toeplitz(Matrix(*inner, cells[p, q], a.operand)) if cells[p, q] else None
            if found is None and cells[p, q]:
                return None
            if found is not None:
                directions.add(tuple((x.stride, x.step) for x in found.levels))
            row.append(found)
        table.append(tuple(row))
    return BlockToeplitz((h, w), tuple(table)) if len(directions) == 1 else None
