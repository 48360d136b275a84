"""Forms: nothing is captured, nothing is lost, and what cannot be is said in a sentence."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from derive.decide.equality import decide_equal
from derive.decide.verdict import Proved, Refuted
from derive.errors import CannotBe, DeriveError
from derive.form import Form, Ratio, add, build, constant, sigma, substitute, tensor, vjp
from derive.operators import (
    avg_pool,
    col2im,
    conv_transpose,
    correlate,
    decimate,
    flip,
    nearest_upsample,
    pad,
    permute,
    pixel_shuffle,
    pixel_unshuffle,
    scale,
    select,
    sum_pool,
    zero_insert,
)
from derive.symbols import offset, size, sizes
from derive.table import evaluate

N, K = sizes("n k")
X, W = tensor("x", 7), tensor("w", 3)


def numbers(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(-50, 50, size=shape).astype(object)


def test_a_form_built_inside_another_does_not_capture_its_index() -> None:
    x, n = tensor("x", 9), 5
    late = build((n,), lambda i: build((n,), lambda j: x[i + j])[2])
    data = numbers(9)
    assert evaluate(late, {}, {"x": data}).tolist() == data[2:7].tolist()
    both = build((2, 3), lambda i, j: build((4,), lambda u: x[i + 2 * u])[j])
    assert evaluate(both, {}, {"x": data}).tolist() == [
        [data[i + 2 * j] for j in range(3)] for i in range(2)
    ]
    deep = build(
        (3,), lambda i: build((3,), lambda i2: build((3,), lambda u: x[i + u + i2])[i2])[i]
    )
    assert evaluate(deep, {}, {"x": data}).tolist() == [data[3 * i] for i in range(3)]


def test_a_form_built_inside_a_sum_does_not_capture_the_summed_index() -> None:
    x = tensor("x", 9)
    y = build((3,), lambda i: sigma(2, lambda t: build((5,), lambda j: x[i + j + 3 * t])[t]))
    data = numbers(9)
    assert evaluate(y, {}, {"x": data}).tolist() == [data[i] + data[i + 4] for i in range(3)]


def test_products_of_sums_keep_their_indices_apart() -> None:
    x = tensor("x", 3)
    total = build((1,), lambda _: sigma(3, lambda t: x[t]))
    square = build((1,), lambda i: total[i] * total[i])
    data = numbers(3)
    assert evaluate(square, {}, {"x": data})[0] == sum(data) ** 2


def test_outside_of_its_axes_a_form_is_zero() -> None:
    shifted = build((6,), lambda i: tensor("x", 3)[i - 1])
    assert evaluate(shifted, {}, {"x": numbers(3)}).tolist() == [0, *numbers(3), 0, 0]


def test_substituting_where_the_bound_index_is_in_the_read() -> None:
    """The inner form is read at the outer sum's index; its own sum has an index as well."""
    y = build((5,), lambda i: sigma(3, lambda t: W[t] * X[i + t]))
    inner = build((7,), lambda j: sigma(2, lambda t: tensor("u", 8)[j + t] * tensor("v", 2)[t]))
    both = substitute(y, "x", inner)
    u, v, w = numbers(8), numbers(2, seed=1), numbers(3, seed=2)
    x = np.array([u[j] * v[0] + u[j + 1] * v[1] for j in range(7)], dtype=object)
    expected = [sum(w[t] * x[i + t] for t in range(3)) for i in range(5)]
    assert evaluate(both, {}, {"u": u, "v": v, "w": w}).tolist() == expected
    assert [name for name, _ in both.tensors] == ["u", "v", "w"]


def test_substituting_a_tensor_by_itself_is_no_change() -> None:
    x, w = tensor("x", N), tensor("w", K)
    y = correlate(x, w)
    assert decide_equal(substitute(y, "x", x), y, [N >= K]) == Proved()
    reversed_twice = substitute(substitute(y, "x", flip(x)), "x", flip(x))
    assert decide_equal(reversed_twice, y, [N >= K]) == Proved()


def test_a_gradient_of_a_gradient_is_the_operator() -> None:
    x, w = tensor("x", N), tensor("w", K)
    y = correlate(x, w)
    again = vjp(vjp(y, "x"), "g", x)
    assert decide_equal(again, y, [N >= K]) == Proved()


def test_a_gradient_leaves_out_what_is_constant() -> None:
    y = build((3,), lambda i: X[i] * 2 + tensor("b", 3)[i] + constant(5))
    data = numbers(3)
    found = evaluate(vjp(y, "x"), {}, {"g": data, "b": numbers(3)})
    assert found.tolist() == [*(2 * data), 0, 0, 0, 0]


def test_coefficients_are_reduced_and_a_zero_vanishes() -> None:
    assert Ratio(N) * Ratio(K * 0) == Ratio(N * 0)
    assert build((2,), lambda i: X[i] * Ratio(N * 0 + 6, N * 0 + 4)).terms[0].coefficient == Ratio(
        N * 0 + 3, N * 0 + 2
    )
    assert constant(0).terms == ()
    assert Ratio(N, K) * Ratio(K, K) != Ratio(N)  # K may be anything: it is not cancelled
    assert build((2,), lambda i: X[i].where(N >= N + 1)).terms == ()


def test_a_form_survives_pickling() -> None:
    y = vjp(correlate(tensor("x", N), tensor("w", K)), "x")
    again = pickle.loads(pickle.dumps(y))
    assert again == y
    assert [s.name for s in again.sizes()] == ["k", "n"]


def test_how_it_was_written_takes_no_part_in_equality() -> None:
    assert X.named("other") == X
    assert flip(X) != X


# -- what cannot be --------------------------------------------------------------------------------

Y = correlate(X, W)
BAD_FORMS: list[tuple[Callable[[], Any], str]] = [
    (lambda: X[0, 1], r"reading 2 indices of a form with 1 axes; give one index for each axis"),
    (lambda: vjp(Y, "z"), r"there is no tensor 'z' in this form; it reads: w, x"),
    (
        lambda: vjp(Y, "x", tensor("g", 6)),
        r"the cotangent has the shape \(6\) but the operator gives \(5\)",
    ),
    (
        lambda: vjp(build((7,), lambda i: X[i] * X[6 - i]), "x"),
        r"the gradient with respect to 'x': the operator is not linear in it; give the two reads two names",
    ),
    (
        lambda: build((3,), lambda i: X[i] + tensor("x", 4)[i]),
        r"the tensor 'x' has two shapes, \(7\) and \(4\); give the two tensors two names",
    ),
    (lambda: correlate(X, tensor("x", 3)), r"the tensor 'x' has two shapes, \(3\) and \(7\)"),
    (lambda: correlate(tensor("x", N), tensor("x", K)), r"the tensor 'x' has two shapes"),
    (
        lambda: add(X, W),
        r"whose outputs have the shapes \(7\) and \(3\); make the shapes the same first",
    ),
    (
        lambda: substitute(Y, "x", W),
        r"composing: 'x' has the shape \(7\) but the inner operator gives \(3\)",
    ),
    (lambda: substitute(Y, "z", W), r"there is no tensor 'z' in this form"),
]


@pytest.mark.parametrize(("make", "message"), BAD_FORMS)
def test_what_a_form_cannot_be_is_said(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(DeriveError, match=message):
        make()


def test_errors_of_gradients_have_their_class() -> None:
    with pytest.raises(CannotBe, match="a gradient has the shape of the output"):
        vjp(Y, "x", tensor("g", 6))


C = tensor("c", 4, 6)
BAD_CALLS: list[tuple[Callable[[], Form], str]] = [
    (lambda: correlate(X, W, stride=0), r"stride = 0: a stride is at least 1; give a positive stride"),
    (lambda: correlate(X, W, stride=-2), r"stride = -2: a stride is at least 1"),
    (lambda: correlate(X, W, dilation=0), r"dilation = 0: a dilation is at least 1"),
    (lambda: correlate(X, W, base_dilation=0), r"base.dilation = 0"),
    (lambda: correlate(X, W, stride=(1, 2)), r"stride = \(1, 2\): 2 values for 1 spatial axes"),
    (lambda: correlate(X, W, padding="sane"), r"padding 'sane' is unknown; give amounts or one of"),
    (lambda: correlate(X, W, padding=((1, 2), (3, 4))), r"padding = \(\(1, 2\), \(3, 4\)\): expected \(lo, hi\)"),
    (lambda: correlate(X, W, padding=1, padding_mode="mirror"), r"padding mode 'mirror' is unknown; choose one of"),
    (lambda: pad(X, 1, "mirror"), r"padding mode 'mirror' is unknown; choose one of"),
    (lambda: pad(X, "same"), r"padding = 'same': this operator takes amounts"),
    (lambda: correlate(X, tensor("w", 2, 3)), r"correlate: the input has 1 axes but 2 spatial ones are asked for"),
    (lambda: correlate(C, tensor("w", 4, 3, 2), groups=3, dims=1), r"4 input channels cannot be split into 3 groups"),
    (lambda: correlate(C, tensor("w", 5, 2, 3), groups=2, dims=1), r"5 output channels cannot be split into 2 groups"),
    (lambda: correlate(C, tensor("w", 4, 3, 3), dims=1), r"reads 3 channels per group, 3 in all, but the input has 4"),
    (lambda: correlate(C, tensor("w", 4, 4, 3), groups=0, dims=1), r"groups = 0; give at least one group"),
    (lambda: conv_transpose(X, W, stride=0), r"stride = 0: a stride is at least 1"),
    (lambda: conv_transpose(C, tensor("w", 4, 3, 2, 2), dims=1), r"a kernel with 4 axes and an input with 2 axes"),
    (lambda: zero_insert(X, 0), r"= 0: a \w+ is at least 1"),
    (lambda: decimate(X, -1), r"= -1: a \w+ is at least 1"),
    (lambda: nearest_upsample(X, 0), r"= 0: a \w+ is at least 1"),
    (lambda: sum_pool(X, 0), r"= 0: a [\w ]+ is at least 1"),
    (lambda: sum_pool(X, -3), r"= -3: a [\w ]+ is at least 1"),
    (lambda: sum_pool(X, 2, 2, dims=3), r"the input has 1 axes but 3 spatial ones are asked for"),
    (lambda: avg_pool(X, 2, divisor_override=0), r"divisor_override = 0; give a nonzero divisor"),
    (lambda: pixel_shuffle(X, 2), r"pixel_shuffle: the input has no spatial axis"),
    (lambda: pixel_unshuffle(X, 2), r"pixel_unshuffle: the input has no spatial axis"),
    (lambda: col2im(X, 5), r"col2im: the columns have 1 axes, 2 are needed for 1 spatial ones"),
    (lambda: col2im(tensor("c", 3, 4), 9), r"col2im: columns of shape \(3, 4\) do not come from an input of length 9"),
    (lambda: permute(C, (0, 0)), r"permute: \(0, 0\) is no order of 2 axes"),
    (lambda: select(C, 2, 0), r"select: axis = 2 of an input with 2 axes; choose one of 0…1"),
    (lambda: scale(X, 1, 0), r"with the denominator 0; give a nonzero one"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD_CALLS)
def test_what_an_operator_cannot_be_is_said(make: Callable[[], Form], message: str) -> None:
    with pytest.raises(DeriveError, match=message):
        make()


def test_what_depends_on_symbols_becomes_a_requirement() -> None:
    """With symbols nothing can be refused; the requirement is remembered and must be proved."""
    s, p = size("s"), offset("p")
    y = correlate(tensor("x", N), tensor("w", K), stride=s, padding=(p, p))
    assert (N + 2 * p >= K) in y.requires
    assert decide_equal(y, y, [N + 2 * p >= K]) == Proved()
    alone = decide_equal(y, y)
    assert isinstance(alone, Refuted)
    assert alone.counterexample.kind == "undefined"
