"""Matrices: exact entries, the numbers they stand for, and how they are written."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from derive import matrix as m
from derive.errors import CannotBe, WrongInput
from derive.form import Form, tensor
from derive.matrix import Matrix, identity, kronecker, matrix, same, to_html, to_latex, to_text
from derive.operators import (
    OPERATORS,
    Operator,
    avg_pool,
    convolve,
    correlate,
    max_pool,
    scale,
)
from derive.symbols import sizes
from derive.table import evaluate

LETTERS = {"x": 3, "w": 7, "y": 5, "c": 11}


def sample_form(op: Operator, sample: dict[str, Any]) -> Form:
    arguments = {k: tensor(k, *v) if k in op.tensors else v for k, v in sample.items()}
    return op.build(**arguments)


def data(form: Form, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: rng.integers(-9, 10, tuple(int(n) for n in shape)).astype(object)
        for name, shape in form.tensors
    }


SAMPLES = [
    pytest.param(op, sample, id=f"{name}-{i}")
    for name, op in sorted(OPERATORS.items())
    for i, sample in enumerate(op.samples)
    if op.tensors
]


@pytest.mark.parametrize(("op", "sample"), SAMPLES)
def test_matrix_times_operand_is_the_operator(op: Operator, sample: dict[str, object]) -> None:
    form = sample_form(op, sample)
    values = data(form)
    out = evaluate(form, {}, values).reshape(-1)
    for wrt, _ in form.tensors:
        a = matrix(form, wrt, {})
        assert a.shape == (out.size, values[wrt].size)
        product = a.dense_numpy(values).astype(object) @ values[wrt].reshape(-1)
        assert list(product) == list(out)


def test_entries_of_a_correlation_are_the_kernel_unflipped() -> None:
    a = matrix(correlate(tensor("x", 4), tensor("w", 2)), "x", {})
    w = sympy.symbols("w_0 w_1")
    assert a.sympy() == sympy.Matrix([[w[0], w[1], 0, 0], [0, w[0], w[1], 0], [0, 0, w[0], w[1]]])
    flipped = matrix(convolve(tensor("x", 4), tensor("w", 2)), "x", {})
    assert flipped.sympy()[0, 0] == w[1]


def test_sympy_numpy_and_coo_agree() -> None:
    form = correlate(tensor("x", 5, 4), tensor("w", 3, 2), stride=(2, 1), padding=((1, 0), (0, 2)))
    a = matrix(form, "x", {})
    w = np.arange(1, 7).reshape(3, 2) ** 2
    subs = {sympy.Symbol(f"w_{{{i},{j}}}"): int(w[i, j]) for i in range(3) for j in range(2)}
    dense = a.dense_numpy({"w": w})
    assert dense.dtype == np.int64
    assert (np.array(a.sympy().subs(subs).tolist(), dtype=np.int64) == dense).all()
    coo = a.numpy({"w": w})
    again = np.zeros(coo.shape, dtype=np.int64)
    np.add.at(again, (coo.rows, coo.columns), coo.values)
    assert (again == dense).all()


def test_rational_coefficients_stay_exact() -> None:
    a = matrix(avg_pool(tensor("x", 7), 3, 2, (1, 1), count_include_pad=False), "x", {})
    assert a[0, 0] == (((), Fraction(1, 2)),)
    assert a.sympy()[1, 2] == sympy.Rational(1, 3)
    assert a.dense_numpy().dtype == object
    assert a.dense_numpy()[0, 1] == Fraction(1, 2)


def test_transpose_and_labels() -> None:
    form = correlate(tensor("x", 3, 5), tensor("w", 2, 3))
    a = matrix(form, "x", {})
    assert a.transpose().sympy() == a.sympy().T
    assert a.transpose().transpose() == a
    assert a.row_label(4) == (1, 1) and a.column_label(7) == (1, 2)
    assert list(a.transpose().entries) == sorted(a.transpose().entries)


def test_symbolic_sizes_and_a_selection() -> None:
    n, k = sizes("n k")
    form = max_pool(tensor("x", n), k, selection="pick")
    a = matrix(form, "x", {"n": 7, "k": 3, "pick": lambda i: (2 * i + 1) % 3})
    assert a.dense_numpy().tolist() == [[0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0]]


def test_a_bias_has_no_part_in_the_matrix() -> None:
    x, b = tensor("x", 3), tensor("b", 3)
    assert matrix(scale(x, 2) + b, "x", {}).dense_numpy().tolist() == (2 * np.eye(3)).tolist()
    assert same(matrix(x + b, "b", {}), identity(3))


def test_entries_that_cancel_are_left_out() -> None:
    x = tensor("x", 3)
    assert matrix(x + scale(x, -1), "x", {}).entries == {}


def test_kronecker_is_sympys() -> None:
    a = matrix(correlate(tensor("x", 3), tensor("u", 2)), "x", {})
    b = matrix(correlate(tensor("x", 4), tensor("v", 3)), "x", {})
    assert kronecker(a, b).sympy() == sympy.kronecker_product(
        sympy.Matrix(a.sympy()), sympy.Matrix(b.sympy())
    )


def test_wrong_requests() -> None:
    n, k = sizes("n k")
    form = correlate(tensor("x", n), tensor("w", k))
    with pytest.raises(WrongInput, match="no tensor 'z'"):
        matrix(form, "z", {"n": 3, "k": 2})
    with pytest.raises(WrongInput, match="no value for n"):
        matrix(form, "x", {"k": 2})
    with pytest.raises(WrongInput, match="the operator needs"):
        matrix(form, "x", {"n": 2, "k": 3})
    x = tensor("x", 3)
    with pytest.raises(CannotBe, match="not linear"):
        matrix(correlate(x, x), "x", {})
    with pytest.raises(WrongInput, match="no array for the tensor 'w'"):
        matrix(form, "x", {"n": 3, "k": 2}).dense_numpy()
    with pytest.raises(WrongInput, match="there is none"):
        identity(2)[2, 0]


def test_28_by_28_in_well_under_a_second() -> None:
    def once() -> float:
        start = time.perf_counter()
        a = matrix(correlate(tensor("x", 28, 28), tensor("w", 3, 3)), "x", {})
        symbolic = a.sympy()
        to_latex(a), to_text(a)
        assert symbolic.shape == (676, 784) and len(a.entries) == 676 * 9
        return time.perf_counter() - start

    assert min(once() for _ in range(3)) < 0.5


# -- writing --------------------------------------------------------------------------------------


def banded(rows: int, columns: int) -> Matrix:
    return matrix(correlate(tensor("x", columns), tensor("w", columns - rows + 1)), "x", {})


def test_small_text_in_full() -> None:
    a = matrix(correlate(tensor("x", 3), tensor("w", 2)), "x", {})
    assert to_text(a) == "w_0 w_1   ·\n  · w_0 w_1"
    assert to_latex(a) == (
        "\\left[\\begin{array}{ccc}\nw_{0} & w_{1} & 0 \\\\\n0 & w_{0} & w_{1}\n"
        "\\end{array}\\right]"
    )


def test_large_matrices_are_never_in_full() -> None:
    a = banded(40, 42)
    rows = to_text(a, limit=6).split("\n")
    assert len(rows) == 6 and all(len(r.split()) == 6 for r in rows)
    assert rows[0].split() == ["w_0", "w_1", "w_2", "…", "·", "·"]
    assert rows[3].split() == ["⋮", "⋮", "⋮", "⋱", "⋮", "⋮"]
    assert rows[5].split() == ["·", "·", "·", "…", "w_1", "w_2"]
    latex = to_latex(a, limit=6)
    assert r"\vdots & \vdots & \vdots & \ddots & \vdots & \vdots" in latex
    assert latex.count(r"\\") == 5
    # only one direction is cut where only one is long
    wide = banded(3, 40)
    assert r"\vdots" not in to_latex(wide, limit=8) and r"\cdots" in to_latex(wide, limit=8)
    assert "⋮" not in to_html(wide, limit=8) and "⋯" in to_html(wide, limit=8)


@pytest.mark.parametrize(("rows", "columns"), [(11, 12), (30, 31), (4, 33)])
def test_what_is_shown_is_what_stands_there(rows: int, columns: int) -> None:
    a = banded(rows, columns)
    shown_rows, shown_columns = m.shown(rows, 12), m.shown(columns, 12)
    text = [line.split() for line in to_text(a).split("\n")]
    body = to_latex(a).split("\n")[1:-1]
    for line, latex, i in zip(text, body, shown_rows, strict=True):
        parts = latex.removesuffix(r" \\").split(" & ")
        for cell, printed, j in zip(line, parts, shown_columns, strict=True):
            if i is None or j is None:
                continue
            value = a.sympy()[i, j]
            assert sympy.sympify(cell.replace("·", "0")) == value
            assert printed == sympy.latex(value)


def test_long_entries_are_cut() -> None:
    terms: dict[tuple[tuple[str, tuple[int, ...]], ...], Fraction] = {
        (("w", (t,)),): Fraction(t + 1) for t in range(9)
    }
    v = m.entry(terms)
    assert m.entry_latex(v) == r"w_{0} + 2\,w_{1} + 3\,w_{2} + \cdots + 9\,w_{8}"
    assert m.entry_text(v) == "w_0 + 2*w_1 + 3*w_2 + … + 9*w_8"
    assert m.entry_text(m.entry({((("w", (0,)),)): Fraction(-1), (): Fraction(-3, 2)})) == (
        "-3/2 - w_0"
    )


def test_notebook_output() -> None:
    a = banded(2, 3)
    assert a._repr_latex_().startswith("$") and a._repr_latex_().endswith("$")
    html = a._repr_html_()
    assert html.startswith("<math") and html.count("<mtd>") == 6
    assert "<msub><mi>w</mi><mrow><mn>1</mn></mrow></msub>" in html


def test_wide_entries_leave_fewer_columns() -> None:
    twice = correlate(correlate(tensor("x", 9), tensor("u", 3)), tensor("v", 3))
    a = matrix(twice, "x", {})
    narrow = matrix(correlate(tensor("x", 9), tensor("w", 5)), "x", {})
    assert to_latex(narrow).count("&") // narrow.shape[0] == 8
    wide = to_latex(a).split("\n")[1].split(" & ")
    assert 4 <= len(wide) < 9 and r"\cdots" in wide
    assert max(map(len, to_text(a).split("\n"))) <= m.TEXT_WIDTH
    empty = Matrix((0,), (3,), {})
    assert "shape 0" in to_text(empty) and "array" in to_latex(empty) and "math" in to_html(empty)
    assert r"\rule{0pt}" in to_latex(matrix(avg_pool(tensor("x", 4), 2), "x", {}))
