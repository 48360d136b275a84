"""Exact conditions against brute force: the condition says what every small size shows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence

import pytest

from derive.decide.equality import counterexample_at, small_sizes
from derive.decide.presburger import (
    at_fixed,
    decide_fixed,
    exact_condition,
    form_symbols,
    is_exact_condition,
    same_condition,
)
from derive.decide.verdict import Proved, Refuted
from derive.errors import CannotBe, NotSupported, WrongInput
from derive.evaluation import holds
from derive.expr import FALSE, TRUE, Cond, Expr, all_of, any_of, cond_symbols, divides, eq, negate
from derive.form import Form, tensor, vjp
from derive.operators import (
    avg_pool,
    bilinear_upsample,
    conv_transpose,
    correlate,
    decimate,
    flip,
    max_pool,
    nearest_upsample,
    pad,
    scale,
    sum_pool,
    zero_insert,
)
from derive.shapes import conv_length
from derive.symbols import offset, sizes
from derive.table import undefined_at

n, k, s, d, a, b = sizes("n k s d a b")
p, q, r, t = (offset(name) for name in "pqrt")
x, w = tensor("x", n), tensor("w", k)

Fixed = Mapping[str, int]


def compared(
    left: Form, right: Form, hypotheses: Sequence[Cond], fixed: Fixed, bound: int
) -> tuple[Cond, list[str], int]:
    """The exact condition, where it is wrong about the coefficients at a small size, and how many
    sizes were looked at.
    """
    condition, wrong = exact_condition(left, right, hypotheses, fixed), []
    symbols = {*form_symbols(left), *form_symbols(right)}
    symbols |= {v for h in hypotheses for v in cond_symbols(h)}
    free = sorted((v for v in symbols if v.name not in fixed), key=lambda v: v.name)
    checked = 0
    for point in small_sizes(free, bound):
        at = {**point, **fixed}
        defined = undefined_at(left, at) is None and undefined_at(right, at) is None
        if defined and holds(all_of(*hypotheses), at):
            equal = counterexample_at(left, right, at) is None
            if bool(holds(condition, at)) != equal:
                wrong.append(f"{condition} at {at}")
            checked += 1
    return condition, wrong, checked


def confirm(
    left: Form, right: Form, hypotheses: Sequence[Cond], fixed: Fixed, bound: int = 10
) -> Cond:
    """The exact condition, after a comparison with the coefficients at every small size."""
    condition, wrong, checked = compared(left, right, hypotheses, fixed, bound)
    assert not wrong
    assert checked >= 3
    return condition


@pytest.mark.parametrize(("taps", "stride"), [(2, 2), (3, 3), (3, 2), (2, 3), (1, 1), (1, 2)])
def test_pooling_gradient_is_nearest_upsampling(taps: int, stride: int) -> None:
    g = tensor("g", conv_length(n, k, s))
    fixed = {"k": taps, "s": stride}
    expected = divides(taps, n) if taps == stride else FALSE
    if (taps, stride) == (1, 2):
        expected = FALSE  # n = 1 has the right values but the wrong length
    for y, up in (
        (sum_pool(x, k, s), nearest_upsample(g, s)),
        (avg_pool(x, k, s), scale(nearest_upsample(g, s), 1, k)),
    ):
        condition = confirm(vjp(y, "x", g), up, (n >= k,), fixed)
        assert is_exact_condition(vjp(y, "x", g), up, expected, (n >= k,), fixed)
        near = divides(taps + 1, n)
        assert not is_exact_condition(vjp(y, "x", g), up, near, (n >= k,), fixed)
        assert same_condition(condition, expected, (n >= k,), fixed)


@pytest.mark.parametrize(
    ("taps", "stride", "dilation"), [(3, 2, 1), (2, 3, 2), (3, 1, 2), (4, 5, 1)]
)
def test_gradient_without_the_remainder(taps: int, stride: int, dilation: int) -> None:
    y = correlate(x, w, stride=s, padding=(p, p), dilation=d)
    g = tensor("g", conv_length(n, k, s, d, 1, p, p))
    reach = d * (k - 1) - p
    right = correlate(pad(zero_insert(g, s), (reach, reach)), flip(w), dilation=d)
    fits = (n + 2 * p >= d * (k - 1) + 1,)
    fixed = {"k": taps, "s": stride, "d": dilation}
    condition = confirm(vjp(y, "x", g), right, fits, fixed)
    remainder = eq((n + 2 * p - d * (k - 1) - 1) % s, 0)
    assert same_condition(condition, remainder, fits, fixed)
    # with k left open it is the same
    free = {"s": stride, "d": dilation}
    assert same_condition(exact_condition(vjp(y, "x", g), right, fits, free), remainder, fits, free)


def test_padding_twice() -> None:
    front = confirm(pad(pad(x, (p, 0)), (r, 0)), pad(x, (p + r, 0)), (), {})
    assert same_condition(front, negate(all_of(p < 0, r > 0)), (n + p >= 1, n + p + r >= 1))
    assert str(front) == "p >= 0 or r <= 0"
    both = confirm(pad(pad(x, (p, q)), (r, t)), pad(x, (p + r, q + t)), (), {}, 6)
    # where only zeros are left it does not matter that something was cut
    assert holds(both, {"n": 1, "p": -2, "q": 3, "r": 1, "t": 0})


def test_commuting_sums_and_strides() -> None:
    twice = sum_pool(sum_pool(x, a, 1), b, 1)
    condition = confirm(twice, sum_pool(x, a + b - 1, 1), (n >= a + b,), {}, 12)
    assert same_condition(condition, any_of(a <= 1, b <= 1), (n >= a + b,))
    plain = correlate(x, w, stride=s)
    assert same_condition(confirm(plain, correlate(x, w), (n >= k,), {"s": 3}), eq(n, k), (n >= k,))


def test_several_cells_and_counts() -> None:
    for taps, stride in ((2, 2), (4, 3)):
        fixed = {"k": taps, "s": stride}
        inside = avg_pool(x, k, s, (a, b), count_include_pad=False)
        confirm(inside, avg_pool(x, k, s, (a, b)), (), fixed, 10)
        confirm(sum_pool(x, k, s, ceil_mode=True), sum_pool(x, k, s), (), fixed, 14)
        confirm(avg_pool(x, k, s, ceil_mode=True), avg_pool(x, k, s), (), fixed, 14)
    confirm(pad(x, (p, q), "circular"), pad(x, (p, q), "reflect"), (), {}, 8)
    assert confirm(bilinear_upsample(x, s), nearest_upsample(x, s), (), {"s": 2}) == eq(n, 1)
    confirm(correlate(x, w, padding="same"), correlate(x, w, padding="same_lower"), (), {"k": 4})


def test_two_dimensions() -> None:
    g = tensor("g", a // 2, b // 3)
    y = sum_pool(tensor("x", a, b), (2, 3))
    condition = confirm(vjp(y, "x", g), nearest_upsample(g, (2, 3)), (), {}, 12)
    assert same_condition(condition, all_of(divides(2, a), divides(3, b)), (a >= 2, b >= 3))


CHANGES: tuple[Callable[[Form, Expr], Form], ...] = (
    lambda f, v: pad(f, (v, 0)),
    lambda f, v: pad(f, (1, v)),
    lambda f, v: decimate(f, 2),
    lambda f, v: zero_insert(f, 2),
    lambda f, v: sum_pool(f, 2, 1),
    lambda f, v: nearest_upsample(f, 2),
    lambda f, v: flip(f),
    lambda f, v: pad(f, (-1, -1)),
)


@pytest.mark.parametrize("seed", range(18))
def test_random_chains_of_operators(seed: int) -> None:
    """Two operators in either order: are they equal exactly where the condition says so?"""
    rng = random.Random(seed)
    one, two, three = (rng.choice(CHANGES) for _ in range(3))
    left = one(two(three(x, p), q), p)
    right = two(one(three(x, p), p), q)
    bounds = (p >= -3, p <= 3, q >= -2, q <= 4)
    _, wrong, checked = compared(left, right, bounds, {}, 8)
    assert not wrong
    assert checked >= 3


def test_verdicts_at_fixed_sizes() -> None:
    g = tensor("g", conv_length(n, k, s))
    left, right = vjp(sum_pool(x, k, s), "x", g), nearest_upsample(g, s)
    assert decide_fixed(left, right, (n >= k, divides(k, n)), {"k": 3, "s": 3}) == Proved(
        "presburger"
    )
    refuted = decide_fixed(left, right, (n >= k,), {"k": 3, "s": 3})
    assert isinstance(refuted, Refuted)
    assert refuted.counterexample.kind == "shape"
    assert dict(refuted.counterexample.sizes) == {"k": 3, "n": 4, "s": 3}
    undefined = decide_fixed(left, right, (), {"k": 3, "s": 3})
    assert isinstance(undefined, Refuted) and undefined.counterexample.kind == "undefined"
    assert dict(undefined.counterexample.sizes)["n"] == 1


def test_the_smallest_counterexample_is_the_smallest() -> None:
    left, right = pad(pad(x, (p, 0)), (r, 0)), pad(x, (p + r, 0))
    lengths = (n + p >= 1, n + p + r >= 1)
    refuted = decide_fixed(left, right, lengths)
    assert isinstance(refuted, Refuted) and refuted.counterexample.kind == "value"
    free = sorted(form_symbols(left), key=lambda v: v.name)
    first = next(
        at
        for at in small_sizes(free, 8)
        if holds(all_of(*lengths), at) and counterexample_at(left, right, at) is not None
    )
    assert dict(refuted.counterexample.sizes) == first == {"n": 2, "p": -1, "r": 1}


def test_conditions_compared_as_sets() -> None:
    assert same_condition(divides(6, n), all_of(divides(2, n), divides(3, n)))
    assert not same_condition(divides(6, n), divides(3, n))
    assert same_condition(divides(6, n), divides(3, n), (divides(2, n),))
    assert same_condition(eq(n * s, 6), any_of(eq(n, 2)), (), {"s": 3})
    assert not same_condition(n >= 2, TRUE) and same_condition(n >= 1, TRUE)
    with pytest.raises(CannotBe, match="no sizes meet this"):
        same_condition(n >= 2, TRUE, (n <= 0,))


def test_numbers_that_are_missing_are_named() -> None:
    with pytest.raises(NotSupported, match="numbers to enough of s"):
        exact_condition(correlate(x, w, stride=s), correlate(x, w))
    pool = max_pool(x, 3, 2, selection="pick")
    with pytest.raises(NotSupported, match="unknown function pick"):
        exact_condition(pool, sum_pool(x, 3, 2), (n >= 3,))
    with pytest.raises(WrongInput, match="it is at least 1"):
        exact_condition(correlate(x, w, stride=s), correlate(x, w), (), {"s": 0})
    with pytest.raises(CannotBe, match="no sizes meet this"):
        exact_condition(correlate(x, w), correlate(x, flip(w)), (n <= 2, k >= 3))
    with pytest.raises(CannotBe, match="anything would follow"):
        decide_fixed(x, x, (n <= 0,))


def test_shapes_of_different_rank_are_never_equal() -> None:
    assert exact_condition(x, tensor("z", n, k)) == FALSE


def test_fixing_sizes_keeps_the_operator() -> None:
    form = conv_transpose(x, w, stride=s, padding=(p, q), dilation=d)
    small = at_fixed(form, {"s": 2, "d": 3})
    at = {"n": 4, "k": 3, "s": 2, "d": 3, "p": 1, "q": 2}
    assert counterexample_at(form, small, at) is None
    assert {v.name for v in form_symbols(small)} == {"n", "k", "p", "q"}


def test_the_text_is_the_same_every_time_and_each_query_takes_milliseconds() -> None:
    texts, spent = set(), []
    for _ in range(3):
        start = time.perf_counter()
        texts.add(str(exact_condition(pad(pad(x, (p, q)), (r, t)), pad(x, (p + r, q + t)))))
        spent.append(time.perf_counter() - start)
    assert len(texts) == 1
    assert min(spent) < 0.5


def test_the_weakest_condition_is_found_with_the_kernel_length_open() -> None:
    g = tensor("g", conv_length(n, k, s))
    condition = confirm(vjp(sum_pool(x, k, s), "x", g), nearest_upsample(g, s), (n >= k,), {"s": 3})
    assert str(condition) == "k == 3 and n % 3 == 0"


def test_conditions_print_without_a_second_meaning() -> None:
    assert str(n - 2 * (n // 2)) == "n - 2*(n//2)"
    assert str(divides(2, n + k)) == "(k + n) % 2 == 0"
    assert str(2 * (n // s) >= k) == "2*(n//s) >= k"
