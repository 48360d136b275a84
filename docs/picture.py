"""Draw the picture of the README, ``docs/matrices.svg``, from the project's own matrices.

    python docs/picture.py

Left the matrix of a strided correlation, right its transpose, and that the transpose is the matrix
of a convolution is checked here before anything is drawn.
"""

from __future__ import annotations

from pathlib import Path

from derive import matrix_of
from derive.form import tensor
from derive.matrix import Matrix, entry_text, matrix, same
from derive.operators import correlate, flip, zero_insert

N, K, S = 9, 3, 2
CELL, GAP, MARGIN, HEAD, FOOT = 34, 76, 22, 40, 34
FILL = {"w_0": "#0b6e99", "w_1": "#a86e0b", "w_2": "#c8452f"}
INK, LINE, PAPER = "#1f2933", "#d5dbe1", "#ffffff"
TARGET = Path(__file__).with_name("matrices.svg")


def picture() -> str:
    """The picture as SVG text."""
    a = matrix_of("correlate", n=N, k=K, stride=S)
    b = matrix_of("correlate", n=N, k=K, stride=S, transpose=True)
    g, w = tensor("g", a.shape[0]), tensor("w", K)
    claimed = matrix(correlate(zero_insert(g, S), flip(w), padding=K - 1), "g")
    if not same(b, claimed) or not same(b, a.transpose()):
        raise AssertionError("the picture would be wrong")
    rows, columns = a.shape
    wide, tall = CELL * columns, CELL * rows
    width, height = 2 * MARGIN + wide + GAP + tall, HEAD + wide + FOOT + MARGIN
    middle = HEAD + (wide - tall) // 2
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="Georgia, serif" fill="{INK}">'
        ),
        f"<title>The matrix of a correlation with stride {S} and its transpose</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{PAPER}"/>',
        *_grid(a, MARGIN, middle),
        *_grid(b, MARGIN + wide + GAP, HEAD),
        _text(MARGIN + wide / 2, middle - 14, f"y = A x:  correlate, n = {N}, k = {K}, s = {S}"),
        _text(MARGIN + wide + GAP + tall / 2, HEAD - 14, "∇x = Aᵀ g"),
        _text(
            width / 2,
            height - 20,
            f"Aᵀ:  insert {S - 1} zero, pad by {K - 1}, correlate with the flipped kernel",
        ),
        _text(MARGIN + wide + GAP / 2, HEAD + wide / 2 + 6, "⟶", 26),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _grid(a: Matrix, left: int, top: int) -> list[str]:
    rows, columns = a.shape
    parts = []
    for i in range(rows):
        for j in range(columns):
            x, y = left + CELL * j, top + CELL * i
            name = entry_text(a[i, j]) if a[i, j] else ""
            fill = FILL.get(name, "#f6f8fa")
            parts.append(
                f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{fill}" stroke="{LINE}"/>'
            )
            if name:
                letter, _, index = name.partition("_")
                parts.append(
                    f'<text x="{x + CELL / 2:g}" y="{y + CELL / 2 + 5:g}" font-size="15" fill="{PAPER}" '
                    f'text-anchor="middle" font-style="italic">{letter}'
                    f'<tspan font-size="10" dy="4" font-style="normal">{index}</tspan></text>'
                )
    return parts


def _text(x: float, y: float, words: str, size: int = 16) -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" text-anchor="middle">{words}</text>'


if __name__ == "__main__":
    TARGET.write_text(picture(), encoding="utf-8")
