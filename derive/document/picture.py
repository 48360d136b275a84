r"""Pictures of small operators: the cells of a matrix coloured by kernel tap, and the windows of a
correlation over its padded input.  One model, drawn as inline SVG and as TikZ.

>>> p = Picture(1, 2, (Square(0, 0, "w", (1,), 1), Square(0, 1, "", (), None)))
>>> svg(p).startswith("<svg"), r"\begin{tikzpicture}" in tikz(p)
(True, True)
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from derive.form import Form
from derive.matrix import Entry, Matrix
from derive.table import Sizes, concrete

COLOURS = 8
CELL = 30


@dataclass(frozen=True)
class Square:
    """A cell: ``letter`` with a subscript, and the number of its colour (None for an empty one).

    ``kind`` is ``""``, ``"pad"`` (a padded position) or ``"input"`` (a position of the input).
    """

    row: int
    column: int
    letter: str
    subscript: tuple[int, ...]
    colour: int | None
    kind: str = ""


@dataclass(frozen=True)
class Picture:
    """Cells on a grid, with labels for rows and columns (empty where there are none)."""

    rows: int
    columns: int
    squares: tuple[Square, ...]
    row_labels: tuple[str, ...] = ()
    column_labels: tuple[str, ...] = ()
    alt: str = ""


def of_matrix(a: Matrix, letter: str = "y") -> Picture:
    """The band structure of a matrix: a colour for each element of the kernel.

    Cells that hold the same polynomial have the same colour, in order of their first kernel
    element, so the diagonals of a Toeplitz matrix show.
    """
    entries = sorted(set(a.entries.values()))
    colour = {v: number % COLOURS for number, v in enumerate(entries)}
    squares = []
    for (i, j), v in a.entries.items():
        text, sub = _label(v)
        squares.append(Square(i, j, text, sub, colour[v]))
    rows = tuple(_position(letter, a.row_label(i)) for i in range(a.shape[0]))
    columns = tuple(_position(a.operand, a.column_label(j)) for j in range(a.shape[1]))
    alt = f"{a.shape[0]} by {a.shape[1]} matrix with {len(entries)} different non-zero entries"
    return Picture(*a.shape, tuple(squares), rows, columns, alt)


def _position(letter: str, at: tuple[int, ...]) -> str:
    return f"{letter}_{','.join(map(str, at))}"


def _label(v: Entry) -> tuple[str, tuple[int, ...]]:
    if len(v) == 1:
        monomial, c = v[0]
        if not monomial:
            return str(c), ()
        if c == 1 and len(monomial) == 1:
            return monomial[0]
    return "Σ" if len(v) > 1 else "∗", ()


def windows(form: Form, sizes: Sizes) -> Picture | None:
    """The windows of a one-dimensional correlation over its padded input, one row for each output.

    None where the form is no such call (or the picture would be large).
    """
    call = form.call
    if call is None or call.operator != "correlate" or form.rank != 1:
        return None
    x, w = call.operands
    given = dict(call.parameters)
    if (
        w.rank != 1
        or isinstance(given.get("padding"), str)
        or given.get("padding_mode", "zero") != "zero"
    ):
        return None
    if x.call is None or x.call.operator != "tensor":
        return None
    lo, hi = _pair(given.get("padding", 0), sizes)
    s, d, e = (_number(given.get(p, 1), sizes) for p in ("stride", "dilation", "base_dilation"))
    n, k, m = (
        concrete(x.shape[0], sizes),
        concrete(w.shape[0], sizes),
        concrete(form.shape[0], sizes),
    )
    base = e * (n - 1) + 1
    left, right = max(lo, 0), max(hi, 0)
    total = left + base + right
    if total > 18 or m > 10 or m < 1:
        return None
    letter_w = (
        str(dict(w.call.parameters).get("name", "w"))
        if w.call and w.call.operator == "tensor"
        else "w"
    )
    squares = []
    for column in range(total):
        u = column - left
        inside = 0 <= u < base and u % e == 0
        squares.append(
            Square(
                0,
                column,
                "x" if inside else "0",
                (u // e,) if inside else (),
                None,
                "input" if inside else "pad",
            )
        )
    squares += [
        Square(i + 1, s * i + d * t - lo + left, letter_w, (t,), t % COLOURS)
        for i in range(m)
        for t in range(k)
    ]
    labels = ("", *(f"y_{i}" for i in range(m)))
    alt = f"{m} windows of {k} taps over an input of {n} samples"
    return Picture(m + 1, total, tuple(squares), labels, (), alt)


def _number(value: Any, sizes: Sizes) -> int:
    value = value[0] if isinstance(value, (tuple, list)) else value
    return value if isinstance(value, int) else concrete(value, sizes)


def _pair(value: Any, sizes: Sizes) -> tuple[int, int]:
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            return _pair(value[0], sizes)
        return _number(value[0], sizes), _number(value[1], sizes)
    return _number(value, sizes), _number(value, sizes)


# -- SVG ---------------------------------------------------------------------------------------


def svg(p: Picture) -> str:
    """The picture as inline SVG; colours come from the page's style sheet (classes ``tap0`` …)."""
    left = _margin(p.row_labels)
    top = 24 if any(p.column_labels) else 4
    width, height = left + p.columns * CELL + 4, top + p.rows * CELL + 4
    head = f'<svg class="picture" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
    parts = [f'{head}role="img" aria-label="{escape(p.alt, quote=True)}">']
    parts += [
        f'<rect class="cell" x="{left + j * CELL}" y="{top + i * CELL}" width="{CELL}" height="{CELL}"/>'
        for i in range(p.rows)
        for j in range(p.columns)
    ]
    for q in p.squares:
        x, y = left + q.column * CELL, top + q.row * CELL
        kind = f"tap{q.colour}" if q.colour is not None else q.kind
        parts.append(
            f'<rect class="{kind}" x="{x + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" rx="3"/>'
        )
        parts.append(_svg_text(q.letter, q.subscript, x + CELL / 2, y + CELL / 2 + 4, q.kind))
    for i, label in enumerate(p.row_labels):
        name, _, sub = label.partition("_")
        if name:
            parts.append(_svg_text(name, sub, left / 2, top + i * CELL + CELL / 2 + 4, "label"))
    for j, label in enumerate(p.column_labels):
        name, _, sub = label.partition("_")
        if name:
            parts.append(_svg_text(name, sub, left + j * CELL + CELL / 2, top - 8, "label"))
    return "".join(parts) + "</svg>"


def _margin(labels: tuple[str, ...]) -> int:
    return 4 if not any(labels) else 16 + 8 * max(len(label) for label in labels)


def _svg_text(letter: str, sub: tuple[int, ...] | str, x: float, y: float, kind: str) -> str:
    below = sub if isinstance(sub, str) else ",".join(map(str, sub))
    tail = f'<tspan class="sub" dy="3">{escape(below)}</tspan>' if below else ""
    name = "" if letter.isalpha() and letter != "Σ" else " upright"
    return f'<text class="t{" " + kind if kind else ""}{name}" x="{x:g}" y="{y:g}">{escape(letter)}{tail}</text>'


# -- TikZ --------------------------------------------------------------------------------------


def tikz(p: Picture) -> str:
    """The picture as TikZ; the colours ``tap0`` … are defined in the document's preamble."""
    parts = [
        r"\begin{tikzpicture}[x=6mm,y=-6mm,every node/.style={inner sep=0pt,font=\footnotesize}]"
    ]
    parts.append(rf"\draw[gridline,step=6mm] (0,0) grid ({p.columns},{p.rows});")
    for q in p.squares:
        fill = (
            f"tap{q.colour}"
            if q.colour is not None
            else ("padcell" if q.kind == "pad" else "inputcell")
        )
        parts.append(
            rf"\filldraw[fill={fill},draw=white,rounded corners=0.6pt] ({q.column}.04,{q.row}.04) rectangle "
            rf"({q.column}.96,{q.row}.96);"
        )
        parts.append(
            rf"\node at ({q.column}.5,{q.row}.5) {{${_tex_label(q.letter, q.subscript)}$}};"
        )
    for i, label in enumerate(p.row_labels):
        if label:
            parts.append(rf"\node[anchor=east] at (-0.2,{i}.5) {{${_tex_position(label)}$}};")
    for j, label in enumerate(p.column_labels):
        if label:
            parts.append(rf"\node[anchor=south] at ({j}.5,-0.15) {{${_tex_position(label)}$}};")
    parts.append(r"\end{tikzpicture}")
    return "\n".join(parts)


def _tex_label(letter: str, sub: tuple[int, ...]) -> str:
    name = {"Σ": r"\Sigma", "∗": r"\ast", "σ": r"\sigma"}.get(letter, letter)
    if "/" in name:
        num, _, den = name.partition("/")
        sign = "-" if num.startswith("-") else ""
        name = rf"{sign}\tfrac{{{num.lstrip('-')}}}{{{den}}}"
    return f"{name}_{{{','.join(map(str, sub))}}}" if sub else name


def _tex_position(label: str) -> str:
    name, _, sub = label.partition("_")
    name = name.replace("∇", r"\nabla ")
    return f"{name}_{{{sub}}}" if sub else name
