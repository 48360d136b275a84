"""Laws that every operator obeys, over the whole registry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from derive.decide.equality import decide_equal
from derive.decide.verdict import Proved
from derive.evaluation import holds
from derive.form import add, substitute, tensor, vjp
from derive.numeric.interpret import loop_oracle, naive_sum, run
from derive.operators import OPERATORS, scale
from derive.table import coefficients, evaluate, shape_at
from tests.operators import asymmetric, built, every_sample, pooled

SAMPLES = every_sample()
NO_SAMPLES = {"max_pool", "max_unpool", "col2im"}  # each has tests of its own below


def test_every_operator_has_samples() -> None:
    missing = {name for name, operator in OPERATORS.items() if not operator.samples}
    assert missing == NO_SAMPLES


def test_every_operator_is_documented() -> None:
    assert [name for name, operator in OPERATORS.items() if not operator.summary] == []


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_value_is_that_of_the_naive_loops(name: str, sample: dict[str, Any]) -> None:
    form, shapes = built(name, sample)
    data = asymmetric(shapes, seed=1)
    expected = run(form, {}, data, loop_oracle)
    assert all(holds(c, {}) for c in form.requires)
    assert shape_at(form, {}) == expected.shape
    assert np.array_equal(evaluate(form, {}, data), expected)


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_value_is_that_of_the_written_sum(name: str, sample: dict[str, Any]) -> None:
    form, shapes = built(name, sample)
    data = asymmetric(shapes, seed=2)
    assert np.array_equal(evaluate(form, {}, data), naive_sum(form, {}, data))


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_gradient_is_the_adjoint(name: str, sample: dict[str, Any]) -> None:
    """⟨g, A x⟩ = ⟨Aᵀ g, x⟩ for every operand, exactly."""
    form, shapes = built(name, sample)
    data = asymmetric({**shapes, "g": shape_at(form, {})}, seed=3)
    value = evaluate(form, {}, data)
    for operand in shapes:
        gradient = evaluate(vjp(form, operand), {}, data)
        assert (data["g"] * value).sum() == (gradient * data[operand]).sum()


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_gradient_is_that_of_the_naive_loops(name: str, sample: dict[str, Any]) -> None:
    form, shapes = built(name, sample)
    data = asymmetric({**shapes, "g": shape_at(form, {})}, seed=4)
    for operand in shapes:
        gradient = vjp(form, operand)
        assert np.array_equal(evaluate(gradient, {}, data), run(gradient, {}, data, loop_oracle))


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_the_transpose_of_the_transpose_is_the_operator(name: str, sample: dict[str, Any]) -> None:
    form, shapes = built(name, sample)
    for operand in shapes:
        once = vjp(form, operand)
        twice = vjp(once, "g", tensor(operand, *shapes[operand]))
        assert coefficients(twice, {}) == coefficients(form, {})


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_the_prover_knows_that_an_operator_is_itself(name: str, sample: dict[str, Any]) -> None:
    form, _ = built(name, sample)
    assert isinstance(decide_equal(form, form), Proved)


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_the_prover_sees_a_doubled_operator(name: str, sample: dict[str, Any]) -> None:
    form, _ = built(name, sample)
    if not coefficients(form, {}):
        pytest.fail("a sample without any coefficient tests nothing")
    for other in (add(form, form), scale(form, 2)):
        verdict = decide_equal(form, other)
        assert type(verdict).__name__ == "Refuted"


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_composition_with_a_scaling(name: str, sample: dict[str, Any]) -> None:
    form, shapes = built(name, sample)
    data = asymmetric(shapes, seed=5)
    for operand, shape in shapes.items():
        scaled = substitute(form, operand, scale(tensor(operand, *shape), 3))
        assert np.array_equal(evaluate(scaled, {}, data), 3 * evaluate(form, {}, data))


@pytest.mark.parametrize(
    ("n", "k", "s", "p"), [(7, 3, 2, 1), (9, 2, 3, 0), (6, 4, 1, 2), (5, 5, 2, 2)]
)
def test_max_pool_and_its_unpooling(n: int, k: int, s: int, p: int) -> None:
    y, back, sizes = pooled(n, k, s, p)
    data = asymmetric({"x": (n,), "y": shape_at(y, sizes), "g": shape_at(y, sizes)}, seed=6)
    x, sigma = data["x"], sizes["σ"]
    expected = [x[s * i + int(sigma(i)) - p] for i in range(len(data["y"]))]
    assert list(evaluate(y, sizes, data)) == expected
    scattered = np.zeros(n, dtype=object)
    for i, v in enumerate(data["y"]):
        scattered[s * i + int(sigma(i)) - p] += v
    assert np.array_equal(evaluate(back, sizes, data), scattered)
    data["g"] = data["y"]
    assert np.array_equal(evaluate(vjp(y, "x"), sizes, data), scattered)


def test_rank_zero_output() -> None:
    from derive.form import build, sigma

    x = tensor("x", 4)
    total = build((), lambda: sigma(4, lambda j: x[j]))
    assert evaluate(total, {}, {"x": np.array([1, 2, 3, 5])})[()] == 11


def test_floats_are_read_back_as_the_fractions_that_they_stand_for() -> None:
    from fractions import Fraction

    from derive.numeric.interpret import exact

    wanted = [Fraction(-7, 36), Fraction(59, 3), Fraction(12345), Fraction(1, 4096)]
    assert list(exact(np.array([float(q) for q in wanted]))) == wanted
    assert exact(np.array([0.1234567]))[0] != Fraction(1, 8)
