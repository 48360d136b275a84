"""The matrix of a form with respect to one of its operands, at concrete sizes.

Row ``i`` is an output position and column ``j`` a position of the operand ``wrt`` (several axes
are flattened in row-major order); the entry is what multiplies ``wrt[j]`` in output ``i``: a
polynomial with rational coefficients in the elements of the other tensors.  Only the non-zero
entries are kept.

>>> from derive.form import tensor
>>> from derive.operators import correlate
>>> A = matrix(correlate(tensor("x", 4), tensor("w", 2)), "x", {})
>>> print(to_text(A))
w_0 w_1   ·   ·
  · w_0 w_1   ·
  ·   · w_0 w_1
>>> A.sympy()[0, 1]
w_1
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from html import escape
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from derive.errors import CannotBe, NotSupported, WrongInput
from derive.expr import cond_symbols
from derive.form import Form
from derive.table import Entries, Sizes, concrete, entries, shape_at, undefined_at

if TYPE_CHECKING:
    import sympy

LIMIT = 12  # rows and columns that are shown in full
TERMS = 4  # terms of one entry that are shown in full
WIDTH = 78.0  # of a shown matrix, in letters of the formula font (about 14.5 cm at 10 pt)
TEXT_WIDTH = 118  # of a matrix in plain text, in characters
LARGEST_DENSE = 50_000_000

Element: TypeAlias = tuple[str, tuple[int, ...]]
Entry: TypeAlias = tuple[tuple[tuple[Element, ...], Fraction], ...]
"""A polynomial: pairs of a monomial (elements of tensors, sorted) and its non-zero coefficient,
sorted by monomial, so that equal polynomials are equal objects.  ``()`` is zero."""

ZERO: Entry = ()
ONE: Entry = (((), Fraction(1)),)


class Coo(NamedTuple):
    """A numeric sparse matrix: ``values[e]`` stands at ``(rows[e], columns[e])``."""

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    values: npt.NDArray[Any]
    shape: tuple[int, int]


@dataclass(frozen=True)
class Matrix:
    """A sparse matrix with polynomial entries; ``entries`` has no zeros and is in row order.

    ``row_shape`` and ``column_shape`` are the shapes that were flattened to rows and columns, and
    ``operand`` is the tensor that the columns count (empty where there is none).
    """

    row_shape: tuple[int, ...]
    column_shape: tuple[int, ...]
    entries: Mapping[tuple[int, int], Entry] = field(hash=False)
    operand: str = field(default="", compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""
        return prod(self.row_shape), prod(self.column_shape)

    def __getitem__(self, at: tuple[int, int]) -> Entry:
        """The entry at ``(row, column)``, ``()`` where it is zero."""
        i, j = at
        if not (0 <= i < self.shape[0] and 0 <= j < self.shape[1]):
            raise WrongInput(
                f"entry ({i}, {j}) of a matrix of shape {self.shape}: there is none; "
                f"rows and columns are counted from 0"
            )
        return self.entries.get((i, j), ZERO)

    def row_label(self, i: int) -> tuple[int, ...]:
        """The output index that row ``i`` stands for."""
        return tuple(int(v) for v in np.unravel_index(i, self.row_shape)) if self.row_shape else ()

    def column_label(self, j: int) -> tuple[int, ...]:
        """The index of the operand that column ``j`` stands for."""
        shape = self.column_shape
        return tuple(int(v) for v in np.unravel_index(j, shape)) if shape else ()

    def transpose(self) -> Matrix:
        """The transposed matrix."""
        flipped = {(j, i): v for (i, j), v in self.entries.items()}
        return Matrix(self.column_shape, self.row_shape, _sorted(flipped))

    def sympy(self) -> sympy.SparseMatrix:
        """The same as a sparse SymPy matrix.

        It is the mutable kind, which SymPy makes ten times faster than the immutable one.
        """
        import sympy

        cells = {at: to_sympy(v) for at, v in self.entries.items()}
        return sympy.SparseMatrix(*self.shape, cells)

    def numpy(self, values: Mapping[str, npt.NDArray[Any]] | None = None) -> Coo:
        """The numeric matrix in coordinate form, exactly, where the other tensors have values.

        The values are ``int64`` where all of them fit, and otherwise Python integers and fractions
        in an object array; arrays of floats give floats.
        """
        data = values or {}
        known: dict[Entry, Any] = {}
        numbers = []
        for v in self.entries.values():
            if v not in known:
                known[v] = _number(v, data)
            numbers.append(known[v])
        at = np.array(list(self.entries), dtype=np.int64).reshape(-1, 2)
        return Coo(at[:, 0], at[:, 1], _array(numbers), self.shape)

    def dense_numpy(self, values: Mapping[str, npt.NDArray[Any]] | None = None) -> npt.NDArray[Any]:
        """The numeric matrix as a dense array (see :meth:`numpy`)."""
        if prod(self.shape) > LARGEST_DENSE:
            raise NotSupported(
                f"a dense array of shape {self.shape}: the limit is {LARGEST_DENSE} cells; "
                "ask for the coordinate form"
            )
        coo = self.numpy(values)
        dense = np.zeros(self.shape, dtype=coo.values.dtype)
        dense[coo.rows, coo.columns] = coo.values
        return dense

    def __str__(self) -> str:
        return to_text(self)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {to_latex(self)}$"

    def _repr_html_(self) -> str:
        return to_html(self)


def matrix(form: Form, wrt: str, sizes: Sizes | None = None) -> Matrix:
    """The matrix of ``form`` with respect to the tensor ``wrt`` at the given sizes.

    For an affine form (a bias) it is the Jacobian: terms that do not read ``wrt`` have no part in
    it.  Unknown functions, such as the selection of a max pooling, are given in ``sizes`` under
    their name as callables on index arrays.

    Raises :class:`derive.errors.WrongInput` for an unknown tensor, a missing size, or sizes at
    which the operator is not defined, and :class:`derive.errors.CannotBe` where a term reads
    ``wrt`` twice.

    >>> from derive.symbols import sizes as symbols
    >>> from derive.form import tensor
    >>> from derive.operators import avg_pool
    >>> n, k = symbols("n k")
    >>> A = matrix(avg_pool(tensor("x", n), k), "x", {"n": 4, "k": 2})
    >>> A.shape, A[1, 2]
    ((2, 4), (((), Fraction(1, 2)),))
    """
    given: Sizes = sizes or {}
    columns = tuple(concrete(n, given) for n in form.tensor_shape(wrt))
    rows = shape_at(form, given)
    _check_defined(form, given)
    _check_shapes(rows, columns)
    found: dict[tuple[int, int], Entry] = {}
    for part in entries(form, given):
        hits = [a for t, a in part.reads if t == wrt]
        if len(hits) > 1:
            raise CannotBe(
                f"the matrix with respect to {wrt!r}: the operator is not linear in it; "
                "give the two reads two names"
            )
        if hits:
            for at, value in _cells(part, wrt, hits[0], rows, columns):
                found[at] = plus(found[at], value) if at in found else value
    kept = {at: found[at] for at in sorted(found) if found[at]}
    return Matrix(rows, columns, kept, wrt)


def _check_defined(form: Form, sizes: Sizes) -> None:
    spoken = {s.name for c in form.requires for s in cond_symbols(c)}
    spoken |= {s.name for _, shape in form.tensors for n in shape for s in n.symbols()}
    missing = sorted(spoken - set(sizes))
    if missing:
        raise WrongInput(f"a matrix at sizes without {', '.join(missing)}; give each a number")
    failed = undefined_at(form, sizes)
    if failed is not None:
        shown = ", ".join(f"{k} = {v}" for k, v in sorted(sizes.items()) if not callable(v))
        raise WrongInput(
            f"a matrix at {shown or 'these sizes'}: the operator needs {failed}; "
            "choose sizes for which that holds"
        )


def _check_shapes(rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
    for what, shape in (("output", rows), ("operand", columns)):
        if any(n < 0 for n in shape):
            raise WrongInput(f"a matrix whose {what} has the shape {shape}; choose other sizes")


def _cells(
    part: Entries,
    wrt: str,
    hit: npt.NDArray[np.int64],
    rows: tuple[int, ...],
    columns: tuple[int, ...],
) -> Iterator[tuple[tuple[int, int], Entry]]:
    others = [(t, a) for t, a in part.reads if t != wrt]
    places = np.concatenate([a for _, a in others], axis=1).tolist() if others else [()] * len(hit)
    # few different elements stand in many cells: each entry is made once
    known: dict[tuple[Any, ...], Entry] = {}
    values = zip(places, part.num.tolist(), part.den.tolist(), strict=True)
    for i, j, (place, num, den) in zip(
        _flat(part.output, rows), _flat(hit, columns), values, strict=True
    ):
        key = (*place, num, den)
        if key not in known:
            known[key] = _single(others, place, Fraction(int(num), int(den)))
        yield (i, j), known[key]


def _single(
    others: list[tuple[str, npt.NDArray[np.int64]]], place: Sequence[int], c: Fraction
) -> Entry:
    elements, start = [], 0
    for name, at in others:
        elements.append((name, tuple(place[start : start + at.shape[1]])))
        start += at.shape[1]
    return entry({tuple(sorted(elements)): c})


def _flat(at: npt.NDArray[np.int64], shape: tuple[int, ...]) -> list[int]:
    if not shape or not len(at):
        return [0] * len(at)
    flat: list[int] = np.ravel_multi_index(tuple(at.T), shape).tolist()
    return flat


def _sorted(cells: Mapping[tuple[int, int], Entry]) -> dict[tuple[int, int], Entry]:
    return {at: cells[at] for at in sorted(cells)}


# -- entries -----------------------------------------------------------------------------------


def entry(terms: Mapping[tuple[Element, ...], Fraction]) -> Entry:
    """The canonical entry with the given coefficients."""
    return tuple(sorted((m, c) for m, c in terms.items() if c))


def plus(a: Entry, b: Entry) -> Entry:
    """The sum of two entries."""
    total = dict(a)
    for m, c in b:
        total[m] = total.get(m, Fraction(0)) + c
    return entry(total)


def times(a: Entry, b: Entry) -> Entry:
    """The product of two entries."""
    if a == ONE or b == ONE:
        return b if a == ONE else a
    total: dict[tuple[Element, ...], Fraction] = {}
    for m1, c1 in a:
        for m2, c2 in b:
            m = tuple(sorted(m1 + m2))
            total[m] = total.get(m, Fraction(0)) + c1 * c2
    return entry(total)


@cache
def element_symbol(element: Element) -> sympy.Symbol:
    """The SymPy symbol for an element of a tensor: ``w_1``, ``w_{0,1}``."""
    import sympy

    return sympy.Symbol(element_text(element))


def element_text(element: Element) -> str:
    """An element of a tensor in text: ``w_1``, ``w_{0,1}``, and ``w`` for a tensor without axes.

    >>> element_text(("w", (1,))), element_text(("w", (0, 1)))
    ('w_1', 'w_{0,1}')
    """
    name, at = element
    if not at:
        return name
    inside = ",".join(map(str, at))
    return f"{name}_{inside}" if len(at) == 1 and name.isalpha() else f"{name}_{{{inside}}}"


def element_latex(element: Element) -> str:
    """An element of a tensor in LaTeX: ``w_{1}``, ``w_{0,1}``."""
    name, at = element
    return f"{name}_{{{','.join(map(str, at))}}}" if at else name


def element_mathml(element: Element) -> str:
    """An element of a tensor in presentation MathML."""
    name, at = element
    identifier = f"<mi>{escape(name)}</mi>"
    if not at:
        return identifier
    inside = "<mo>,</mo>".join(f"<mn>{i}</mn>" for i in at)
    return f"<msub>{identifier}<mrow>{inside}</mrow></msub>"


@cache
def to_sympy(v: Entry) -> sympy.Expr:
    """An entry as a SymPy expression."""
    import sympy

    parts = []
    for monomial, c in v:
        factors = [element_symbol(e) for e in monomial]
        number = sympy.Rational(c.numerator, c.denominator)
        parts.append(sympy.Mul(number, *factors))
    return sympy.Add(*parts)


def _number(v: Entry, values: Mapping[str, npt.NDArray[Any]]) -> Any:
    total: Any = 0
    for monomial, c in v:
        product: Any = c.numerator if c.denominator == 1 else c
        for name, at in monomial:
            if name not in values:
                raise WrongInput(f"numbers of a matrix: no array for the tensor {name!r}; give one")
            x = np.asarray(values[name])[at]
            exact = isinstance(x, (int, np.integer))
            if isinstance(product, Fraction) and not exact and not isinstance(x, Fraction):
                product = float(product)
            product = product * (int(x) if exact else x)
        total = total + product
    return total


def _array(numbers: list[Any]) -> npt.NDArray[Any]:
    whole = [int(v) if isinstance(v, Fraction) and v.denominator == 1 else v for v in numbers]
    if all(isinstance(v, int) and abs(v) < 2**63 for v in whole):
        return np.array(whole, dtype=np.int64)
    if all(isinstance(v, (int, float, np.floating)) for v in whole):
        return np.array(whole, dtype=np.float64)
    out = np.empty(len(whole), dtype=object)
    out[:] = whole
    return out


# -- matrices from matrices ----------------------------------------------------------------------


def identity(n: int) -> Matrix:
    """The identity matrix of size ``n``."""
    return Matrix((n,), (n,), {(i, i): ONE for i in range(n)})


def kronecker(a: Matrix, b: Matrix) -> Matrix:
    """The Kronecker product ``a ⊗ b``; the axes of ``a`` come first.

    >>> kronecker(identity(2), identity(3)).entries == identity(6).entries
    True
    """
    height, width = b.shape
    cells = {
        (i * height + k, j * width + m): times(u, v)
        for (i, j), u in a.entries.items()
        for (k, m), v in b.entries.items()
    }
    return Matrix((*a.row_shape, *b.row_shape), (*a.column_shape, *b.column_shape), _sorted(cells))


def same(a: Matrix, b: Matrix) -> bool:
    """Have two matrices the same shape and the same entries (whatever their rows are called)?"""
    return a.shape == b.shape and a.entries == b.entries


# -- writing -----------------------------------------------------------------------------------


class Dots:
    """What stands in the place of the rows and columns that are left out."""

    ROW, COLUMN, BOTH = "row", "column", "both"


Cell: TypeAlias = "Entry | str"


def shown(length: int, limit: int) -> list[int | None]:
    """Which of ``length`` rows are shown: all of them, or the first, ``None`` for dots, the last.

    >>> shown(4, 6), shown(20, 6)
    ([0, 1, 2, 3], [0, 1, 2, None, 18, 19])
    """
    if length <= limit:
        return list(range(length))
    tail = (limit - 1) // 2
    head = limit - 1 - tail
    return [*range(head), None, *range(length - tail, length)]


def layout(a: Matrix, limit: int = LIMIT, columns: int | None = None) -> list[list[Cell]]:
    """The entries that are shown, row by row, with :class:`Dots` where something is left out.

    At most ``limit`` rows are shown and as many columns, or ``columns`` if that is given.
    """
    if limit < 4:
        raise WrongInput(f"showing a matrix with a limit of {limit} rows: give at least 4")
    across = shown(a.shape[1], limit if columns is None else columns)
    rows: list[list[Cell]] = []
    for i in shown(a.shape[0], limit):
        row: list[Cell] = []
        for j in across:
            if i is None:
                row.append(Dots.COLUMN if j is not None else Dots.BOTH)
            else:
                row.append(a[i, j] if j is not None else Dots.ROW)
        rows.append(row)
    return rows


def fitted(
    a: Matrix, limit: int, measure: Callable[[Cell], float], width: float
) -> list[list[Cell]]:
    """The layout with as many columns, up to ``limit``, as fit into the width (4 at least)."""
    count = min(limit, a.shape[1])
    while True:
        rows = layout(a, limit, max(count, 4))
        needed = sum(max(map(measure, column)) for column in zip(*rows, strict=True))
        if count <= 4 or needed <= width:
            return rows
        count -= 1


def latex_width(cell: Cell) -> float:
    """About how wide a cell is when typeset, its column gap included, in letters."""
    if isinstance(cell, str) or not cell:
        return 3.5
    text = entry_text(cell)
    small = sum(len(part) for part in re.findall(r"_(?:\{[^}]*\}|\w+)", text))
    large = len(re.sub(r"_(?:\{[^}]*\}|\w+)|[*]", "", text))
    return 2.0 + 1.1 * large + 0.6 * small


def _polynomial(
    v: Entry,
    number: Callable[[Fraction], str],
    element: Callable[[Element], str],
    joint: str,
    signs: tuple[str, str, str],
    dots: str,
    limit: int,
) -> str:
    if not v:
        return number(Fraction(0))
    plus, minus, leading = signs
    # a sum that is cut keeps its first terms and its last one
    kept: list[int | None] = list(range(len(v)))
    if len(v) > limit:
        kept = [*range(limit - 1), None, len(v) - 1]
    text = ""
    for position in kept:
        if position is None:
            text += plus + dots
            continue
        monomial, c = v[position]
        factors = [element(e) for e in monomial]
        if abs(c) != 1 or not factors:
            factors.insert(0, number(abs(c)))
        sign = (minus if c < 0 else plus) if text else (leading if c < 0 else "")
        text += sign + joint.join(factors)
    return text


def entry_text(v: Entry, limit: int = TERMS) -> str:
    """An entry in text: ``w_0 + 2*w_1``; a sum of more than ``limit`` terms is cut with ``…``."""
    return _polynomial(v, str, element_text, "*", (" + ", " - ", "-"), "…", limit)


def entry_latex(v: Entry, limit: int = TERMS) -> str:
    r"""An entry in LaTeX; a sum of more than ``limit`` terms is cut with ``\cdots``."""
    signs = (" + ", " - ", "-")
    return _polynomial(v, _fraction_latex, element_latex, r"\,", signs, r"\cdots", limit)


def _fraction_latex(c: Fraction) -> str:
    return (
        str(c.numerator) if c.denominator == 1 else rf"\tfrac{{{c.numerator}}}{{{c.denominator}}}"
    )


def entry_mathml(v: Entry, limit: int = TERMS) -> str:
    """An entry in presentation MathML, cut like :func:`entry_latex`."""
    signs = ("<mo>+</mo>", "<mo>−</mo>", '<mo form="prefix">−</mo>')
    body = _polynomial(v, _fraction_mathml, element_mathml, "<mo>⁢</mo>", signs, "<mo>⋯</mo>", limit)
    return f"<mrow>{body}</mrow>"


def _fraction_mathml(c: Fraction) -> str:
    if c.denominator == 1:
        return f"<mn>{c.numerator}</mn>"
    return f"<mfrac><mn>{c.numerator}</mn><mn>{c.denominator}</mn></mfrac>"


def _text_width(cell: Cell) -> float:
    return 1 + (1 if isinstance(cell, str) or not cell else len(entry_text(cell)))


def to_text(a: Matrix, limit: int = LIMIT) -> str:
    """The matrix in plain text: zeros are ``·``, what is left out ``…``, ``⋮`` and ``⋱``."""
    dots = {Dots.ROW: "…", Dots.COLUMN: "⋮", Dots.BOTH: "⋱"}
    rows = [
        [dots[c] if isinstance(c, str) else entry_text(c) if c else "·" for c in row]
        for row in fitted(a, limit, _text_width, TEXT_WIDTH)
    ]
    if not rows or not rows[0]:
        return f"(a matrix of shape {a.shape[0]} × {a.shape[1]})"
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    return "\n".join(" ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows)


def to_latex(a: Matrix, limit: int = LIMIT) -> str:
    r"""The matrix in LaTeX (an ``array`` between brackets): zeros are ``0``, what is left out
    ``\cdots``, ``\vdots`` and ``\ddots``.

    >>> print(to_latex(identity(2)))
    \left[\begin{array}{cc}
    1 & 0 \\
    0 & 1
    \end{array}\right]
    """
    dots = {Dots.ROW: r"\cdots", Dots.COLUMN: r"\vdots", Dots.BOTH: r"\ddots"}
    rows = fitted(a, limit, latex_width, WIDTH)
    width = len(rows[0]) if rows else 0
    lines = [
        " & ".join(dots[c] if isinstance(c, str) else entry_latex(c) for c in row) for row in rows
    ]
    # a row of fractions is given the height that it needs
    tall = (r"\rule{0pt}{2.8ex}" + line if r"\tfrac" in line else line for line in lines)
    body = " \\\\\n".join(tall)
    columns = "c" * max(width, 1)
    return f"\\left[\\begin{{array}}{{{columns}}}\n{body}\n\\end{{array}}\\right]"


def to_html(a: Matrix, limit: int = LIMIT) -> str:
    """The matrix as a MathML element for HTML pages and notebooks, laid out like the LaTeX."""
    dots = {Dots.ROW: "⋯", Dots.COLUMN: "⋮", Dots.BOTH: "⋱"}
    lines = []
    for row in fitted(a, limit, latex_width, WIDTH):
        cells = (
            f"<mtd><mo>{dots[c]}</mo></mtd>"
            if isinstance(c, str)
            else f"<mtd>{entry_mathml(c)}</mtd>"
            for c in row
        )
        lines.append(f"<mtr>{''.join(cells)}</mtr>")
    table = f"<mtable>{''.join(lines)}</mtable>"
    return f'<math display="block"><mrow><mo>[</mo>{table}<mo>]</mo></mrow></math>'
