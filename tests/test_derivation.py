"""The SymPy derivation: gradients by differentiating, compared exactly; and what is printed."""

from __future__ import annotations

import re

import pytest
import sympy

from derive.derivation import (
    Derivation,
    MatrixComparison,
    compare_matrices,
    derive_gradient,
    gradient_latex,
    instance_evidence,
    latex_pieces,
    output_expressions,
    pairing_latex,
    sum_latex,
)
from derive.errors import CannotBe
from derive.form import Form, tensor, vjp
from derive.matrix import matrix, same
from derive.operators import (
    avg_pool,
    conv_transpose,
    correlate,
    decimate,
    flip,
    max_pool,
    nearest_upsample,
    pad,
    scale,
    zero_insert,
)
from derive.structures import Toeplitz
from derive.symbols import sizes
from derive.theorems.gradient_input import input_gradient_general
from derive.theorems.model import Equal


def strided() -> tuple[Form, Form, Form]:
    """A strided, asymmetrically padded correlation, its gradient, and that without the flip."""
    x, w, g = tensor("x", 7), tensor("w", 3), tensor("g", 4)
    y = correlate(x, w, stride=2, padding=(1, 2))
    spread = pad(zero_insert(g, 2), (1, 1))
    return y, correlate(spread, flip(w)), correlate(spread, w)


def test_gradient_by_differentiating() -> None:
    y, claimed, unflipped = strided()
    d = derive_gradient(y, "x", claimed)
    assert d.agrees
    g, w = sympy.symbols("g_:4"), sympy.symbols("w_:3")
    assert d.gradient[0] == g[0] * w[1]
    assert d.gradient[1] == g[0] * w[2] + g[1] * w[0]
    assert d.read_off == d.transposed.sympy() == d.claimed.sympy()
    assert same(d.transposed, matrix(vjp(y, "x"), "g"))
    assert any(isinstance(s, Toeplitz) and s.levels[0].step == 2 for s in d.structures)
    assert not derive_gradient(y, "x", unflipped).agrees


def test_a_gradient_of_another_shape_does_not_agree() -> None:
    y, _, _ = strided()
    g, w = tensor("g", 4), tensor("w", 3)
    assert not derive_gradient(y, "x", correlate(pad(zero_insert(g, 2), (1, 0)), flip(w))).agrees


def test_weight_gradient() -> None:
    x, w, g = tensor("x", 7), tensor("w", 2), tensor("g", 3)
    y = correlate(x, w, stride=2, dilation=3, padding=(1, 0))
    claimed = correlate(pad(x, (1, 0)), g, stride=3, dilation=2)
    d = derive_gradient(y, "w", claimed)
    assert d.agrees and d.operator.shape == (3, 2)
    swapped = correlate(pad(x, (1, 0)), g, stride=3, dilation=1, padding=(0, -2))
    assert not derive_gradient(y, "w", swapped).agrees


def test_two_dimensional_and_with_rational_numbers() -> None:
    x, w = tensor("x", 4, 5), tensor("w", 2, 3)
    y = correlate(x, w, stride=(2, 1), padding=((1, 0), (0, 2)))
    g = tensor("g", *y.shape)
    d = derive_gradient(
        y, "x", conv_transpose(g, w, (2, 1), ((1, 0), (0, 2)), output_padding=(1, 0))
    )
    assert d.agrees
    pooled = avg_pool(tensor("x", 6), 3)
    back = scale(nearest_upsample(tensor("g", 2), 3), 1, 3)
    found = derive_gradient(pooled, "x", back)
    assert found.agrees and found.gradient[4] == sympy.Symbol("g_1") / 3
    assert not derive_gradient(pooled, "x", nearest_upsample(tensor("g", 2), 3)).agrees


def test_a_selection_and_symbolic_sizes() -> None:
    n, k = sizes("n k")
    pool = max_pool(tensor("x", n), k, selection="pick")
    at = {"n": 7, "k": 3, "pick": lambda i: (i + 2) % 3}
    d = derive_gradient(pool, "x", vjp(pool, "x"), at)
    assert (
        d.agrees and d.gradient[2] == sympy.Symbol("g_0") and d.gradient[3] == sympy.Symbol("g_1")
    )


def test_a_bias_drops_out() -> None:
    x, b, g = tensor("x", 3), tensor("b", 3), tensor("g", 3)
    d = derive_gradient(scale(x, 5) + b, "x", scale(g, 5))
    assert d.agrees and sympy.Symbol("b_1") in d.pairing.free_symbols


def test_wrong_requests() -> None:
    x, g = tensor("x", 3), tensor("g", 3)
    with pytest.raises(CannotBe, match="reads a tensor of that name"):
        derive_gradient(correlate(x, g), "x", x, cotangent="g")
    with pytest.raises(CannotBe, match="not linear"):
        derive_gradient(correlate(x, x), "x", scale(g))


def test_matrices_of_statements_that_are_not_gradients() -> None:
    x = tensor("x", 9)
    one, other = decimate(decimate(x, 2), 3), decimate(x, 6)
    assert compare_matrices(one, other, "x") == compare_matrices(one, other, "x")
    assert compare_matrices(one, other, "x").agrees
    wrong = compare_matrices(decimate(x, 3, start=1), decimate(x, 3), "x")
    assert not wrong.agrees and wrong.difference == (0, 0)
    shapes = compare_matrices(decimate(x, 2), decimate(x, 3), "x")
    assert not shapes.agrees and shapes.difference is None


def test_evidence_of_the_general_gradient() -> None:
    part = input_gradient_general().parts[0]
    assert isinstance(part.statement, Equal)
    e = instance_evidence(part.statement.left, part.statement.right, "g", part.instance)
    assert isinstance(e, Derivation) and e.agrees and e.operand == "x" and e.cotangent == "g"
    # the same statement the other way round is compared as matrices that act on g
    back = instance_evidence(part.statement.right, part.statement.left, "g", part.instance)
    assert isinstance(back, MatrixComparison) and back.agrees


def test_the_twin_does_not_agree_where_the_remainder_matters() -> None:
    theorem = input_gradient_general()
    twin = theorem.twin.statement
    assert isinstance(twin, Equal)
    found = []
    for n in (5, 6):
        at = {**theorem.parts[0].instance, "n": n}
        e = instance_evidence(twin.left, twin.right, "g", at)
        found.append(e.agrees)
    assert sorted(found) == [False, True]


# -- what is printed says what was found ---------------------------------------------------------


def read(latex: str) -> sympy.Expr:
    """Evaluate printed LaTeX of sums of products of elements: an independent small reader."""
    text = latex.replace(r"\left(", "(").replace(r"\right)", ")").replace(r"\,", " ")
    text = re.sub(r"\\frac\{([^{}]*(?:\{[^{}]*\})?[^{}]*)\}\{(\d+)\}", r"((\1)/\2)", text)
    text = re.sub(r"([a-z])_\{(\d+)\}", r"\1_\2", text).replace("{}", "")
    text = re.sub(r"(?<=[\w)])\s+(?=[\w(])", "*", text.strip())
    return sympy.sympify(text)


def test_printed_pairing_and_derivatives_are_the_expressions() -> None:
    y, claimed, _ = strided()
    d = derive_gradient(y, "x", claimed)
    lines = pairing_latex(d, limit=9)
    assert len(lines) == 4
    printed = " ".join(lines).split(" = ", 1)[1]
    assert sympy.expand(read(printed) - d.pairing) == 0
    derivatives = gradient_latex(d, limit=9)
    assert len(derivatives) == 7
    for j, line in enumerate(derivatives):
        assert f"\\partial x_{{{j}}}" in line
        assert sympy.expand(read(line.split(" = ", 1)[1]) - d.gradient[j]) == 0


def test_a_negative_output_keeps_its_parentheses() -> None:
    d = derive_gradient(scale(tensor("x", 2), -3, 2), "x", scale(tensor("g", 2), -3, 2))
    printed = " ".join(pairing_latex(d)).split(" = ", 1)[1]
    assert printed.count(r"\left(") == 2
    assert d.agrees
    g, x = sympy.symbols("g_:2"), sympy.symbols("x_:2")
    assert sympy.expand(d.pairing + sympy.Rational(3, 2) * (g[0] * x[0] + g[1] * x[1])) == 0
    assert sympy.expand(read(printed) - d.pairing) == 0


def test_long_derivations_are_cut() -> None:
    x, w, g = tensor("x", 40), tensor("w", 9), tensor("g", 32)
    d = derive_gradient(correlate(x, w), "x", conv_transpose(g, w))
    assert d.agrees
    lines = pairing_latex(d)
    assert len(lines) == 5 and lines[3] == r"{} + \cdots" and "g_{31}" in lines[4]
    assert r"\cdots" in lines[0] and gradient_latex(d)[3] == r"\vdots"
    assert all(len(line) < 250 for line in (*lines, *gradient_latex(d)))
    a = sympy.symbols("a_:7")
    assert sum_latex(a[0] - a[1]) == "a_{0} - a_{1}"
    assert sum_latex(sum(a), limit=7).count("+") == 6


def test_pieces_say_what_was_found() -> None:
    y, claimed, unflipped = strided()
    right = latex_pieces(derive_gradient(y, "x", claimed))
    wrong = latex_pieces(derive_gradient(y, "x", unflipped))
    assert "has the same matrix" in right[-1][0] and right[3][1][0].endswith(right[-1][1][0])
    assert "another matrix" in wrong[-1][0] and wrong[3][1][0][20:] != wrong[-1][1][0][20:]


def test_outputs_are_the_sums() -> None:
    outputs = output_expressions(correlate(tensor("x", 4), tensor("w", 2), stride=2))
    w, x = sympy.symbols("w_:2"), sympy.symbols("x_:4")
    assert outputs == (w[0] * x[0] + w[1] * x[1], w[0] * x[2] + w[1] * x[3])
