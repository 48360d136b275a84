"""Each shape rule is proved to be the range of its operator, for all sizes.

Two things make a rule the range: the operator's form has that shape, and an index is in the range
exactly when what it reads (a window, a scatter) is where it should be.
"""

from __future__ import annotations

import inspect
from typing import Any

import latexify
import pytest
import sympy
import z3

from derive import shapes
from derive.decide.equality import decide_holds
from derive.decide.verdict import Proved, Refuted
from derive.expr import Cond, Expr, all_of, between, ceil_div, eq, iff, implies, lift
from derive.form import Form, tensor
from derive.operators import (
    avg_pool,
    conv_transpose,
    correlate,
    im2col,
    nearest_upsample,
    pixel_shuffle,
    pixel_unshuffle,
    sum_pool,
)
from derive.symbols import offset, sizes, symbol

n, k, s, d, e, m = sizes("n k s d e m")
lo, hi, r = symbol("p_lo", 0), symbol("p_hi", 0), symbol("r", 0)
i, t = offset("i"), offset("t")
X, W = tensor("x", n), tensor("w", k)
reach = d * (k - 1)


def unproved(*statements: Cond, given: tuple[Cond, ...] = ()) -> list[str]:
    """The statements that are not proved."""
    return [str(c) for c in statements if not isinstance(decide_holds(given, c), Proved)]


def off_range(form: Form, rule: Expr, fits: Cond) -> list[str]:
    """What is not proved of: the form has the length, wherever it is defined, and ``i`` is in it
    exactly when it fits.
    """
    return unproved(eq(form.shape[-1], rule), iff(between(0, i, rule), fits), given=form.requires)


def test_convolution() -> None:
    y = correlate(X, W, stride=s, padding=(lo, hi), dilation=d, base_dilation=e)
    rule = shapes.conv_length(n, k, s, d, e, lo, hi)
    padded = e * (n - 1) + 1 + lo + hi
    assert not off_range(y, rule, all_of(i >= 0, s * i + reach <= padded - 1))
    rest = shapes.conv_remainder(n, k, s, d, e, lo, hi)
    assert not unproved(
        eq(padded - (s * (rule - 1) + reach + 1), rest), between(0, rest, s), given=y.requires
    )


def test_the_largest_window_fits_and_the_next_does_not() -> None:
    """The same said of the last index, and a rule that is one too long is refuted."""
    y = correlate(X, W, stride=s, padding=(lo, hi), dilation=d)
    rule, padded = shapes.conv_length(n, k, s, d, 1, lo, hi), n + lo + hi
    last = s * (rule - 1) + reach
    assert not unproved(last <= padded - 1, last + s >= padded, given=y.requires)
    assert isinstance(decide_holds(y.requires, last + s <= padded - 1), Refuted)


def test_pooling() -> None:
    y = sum_pool(X, k, s, (lo, hi), d)
    rule = shapes.conv_length(n, k, s, d, 1, lo, hi)
    assert not off_range(y, rule, all_of(i >= 0, s * i + reach <= n + lo + hi - 1))


def test_pooling_with_ceil_mode() -> None:
    """A window counts when it starts inside the input or the padding in front, and the one before it
    does not already reach the end.
    """
    y = avg_pool(X, k, s, (lo, hi), d, ceil_mode=True)
    rule = shapes.ceil_length(n, k, s, d, lo, hi)
    begins = s * i <= n + lo - 1
    needed = s * (i - 1) + reach < n + lo + hi - 1
    assert not off_range(y, rule, all_of(i >= 0, begins, needed))


def test_transposed_convolution() -> None:
    x = tensor("x", m)
    y = conv_transpose(x, W, stride=s, padding=(lo, hi), dilation=d, output_padding=r)
    rule = shapes.conv_transpose_length(m, k, s, d, lo, hi, r)
    assert not unproved(eq(y.shape[0], rule), given=y.requires)
    # without padding the range is that of the scatter: reached at both ends, never left
    whole, j = shapes.conv_transpose_length(m, k, s, d), offset("j")
    inside = all_of(between(0, j, m), between(0, t, k))
    assert not unproved(implies(inside, between(0, s * j + d * t, whole)))
    assert not unproved(eq(s * (m - 1) + d * (k - 1), whole - 1), eq(rule, whole - lo - hi + r))


def test_same_full_causal_and_valid() -> None:
    same = correlate(X, W, stride=s, dilation=d, padding="same")
    lower = correlate(X, W, stride=s, dilation=d, padding="same_lower")
    for y in (same, lower):
        assert not unproved(eq(y.shape[0], shapes.same_length(n, s)), given=y.requires)
    assert not unproved(
        iff(between(0, i, shapes.same_length(n, s)), all_of(i >= 0, s * i <= n - 1))
    )
    full = correlate(X, W, stride=s, dilation=d, padding="full")
    assert not off_range(
        full, shapes.full_length(n, k, s, d), all_of(i >= 0, s * i <= n - 1 + reach)
    )
    causal = correlate(X, W, stride=s, dilation=d, padding="causal")
    assert not off_range(causal, shapes.causal_length(n, s), all_of(i >= 0, s * i <= n - 1))
    valid = correlate(X, W, stride=s, dilation=d)
    assert not off_range(
        valid, shapes.valid_length(n, k, s, d), all_of(i >= 0, s * i + reach <= n - 1)
    )


def test_same_padding_is_the_least_that_reaches_every_sample() -> None:
    """So a SAME window always fits, which is why `derive shape` does not ask for it."""
    total = shapes.same_total(n, k, s, d)
    last = s * (shapes.same_length(n, s) - 1)
    assert not unproved(
        n + total >= shapes.effective_length(k, d),
        eq(shapes.conv_length(n, k, s, d, 1, 0, total), shapes.same_length(n, s)),
        implies(total >= 1, eq(last + reach + 1, n + total)),
    )


def test_upsampling() -> None:
    y = nearest_upsample(X, s)
    assert not off_range(y, shapes.upsample_length(n, s), all_of(i >= 0, i // s <= n - 1))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_pixel_shuffle_and_back(dims: int) -> None:
    """Every index of the output reads an index of the input, and the counts agree: a permutation."""
    c, factor = sizes("c f")
    lengths = sizes("a b c2")[:dims]
    y = pixel_shuffle(tensor("x", c, *lengths), factor)
    assert y.shape == shapes.pixel_shuffle_shape(c, lengths, factor)
    z = pixel_unshuffle(tensor("x", c, *lengths), factor)
    assert z.shape == shapes.pixel_unshuffle_shape(c, lengths, factor)
    back = shapes.pixel_unshuffle_shape(y.shape[0], y.shape[1:], factor)
    assert not unproved(
        *(eq(u, v) for u, v in zip(back, (c, *lengths), strict=True)), given=y.requires
    )


def test_im2col() -> None:
    a, b, k1, k2, s1, s2 = sizes("a b k1 k2 s1 s2")
    y = im2col(tensor("x", a, b), (k1, k2), (s1, s2), ((lo, lo), (hi, hi)), (d, e))
    assert y.shape == shapes.im2col_shape((a, b), (k1, k2), (s1, s2), (d, e), (lo, hi))


# -- the same functions for numbers, SymPy, a solver and latexify -----------------------------------

RULES: dict[str, tuple[int, ...]] = {
    "effective_length": (3, 2),
    "conv_length": (28, 3, 2, 2, 3, 1, 4),
    "conv_remainder": (28, 3, 4, 2, 3, 1, 2),
    "conv_transpose_length": (7, 4, 3, 2, 1, 2, 1),
    "ceil_length": (4, 2, 3, 1, 1, 1),
    "same_length": (7, 2),
    "same_total": (7, 4, 3, 2),
    "valid_length": (9, 3, 2, 2),
    "full_length": (9, 3, 2, 2),
    "causal_length": (9, 2),
    "upsample_length": (9, 2),
}


@pytest.mark.parametrize("name", RULES)
def test_one_function_for_numbers_symbols_and_solver_terms(name: str) -> None:
    rule, numbers = getattr(shapes, name), RULES[name]
    names = [f"{p}_" for p in list(inspect.signature(rule).parameters)[: len(numbers)]]
    wanted = rule(*numbers)
    assert isinstance(wanted, int)
    ours = rule(*(symbol(p) for p in names))
    assert ours.at(dict(zip(names, numbers, strict=True))) == wanted
    symbols = [sympy.Symbol(p, integer=True) for p in names]
    assert rule(*symbols).subs(dict(zip(symbols, numbers, strict=True))) == wanted
    terms = [z3.Int(p) for p in names]
    if "larger" not in inspect.getsource(rule) and "smaller" not in inspect.getsource(rule):
        made = _z3(rule, terms)
        equal = z3.substitute(made, *zip(terms, map(z3.IntVal, numbers), strict=True))
        assert z3.simplify(equal).as_long() == wanted
    latex = latexify.function(rule, use_math_symbols=True)
    assert name.replace("_", r"\_") in str(latex)


class _Term:
    """A solver's term with Python's ``//``, which Z3 itself writes ``/``."""

    def __init__(self, term: Any) -> None:
        self.term = term

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __add__(self, other: Any) -> _Term:
        return _Term(self.term + _plain(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> _Term:
        return _Term(self.term - _plain(other))

    def __rsub__(self, other: Any) -> _Term:
        return _Term(_plain(other) - self.term)

    def __mul__(self, other: Any) -> _Term:
        return _Term(self.term * _plain(other))

    __rmul__ = __mul__

    def __neg__(self) -> _Term:
        return _Term(-self.term)

    def __floordiv__(self, other: Any) -> _Term:
        return _Term(self.term / _plain(other))

    def __mod__(self, other: Any) -> _Term:
        return _Term(self.term % _plain(other))


def _plain(value: Any) -> Any:
    return value.term if isinstance(value, _Term) else value


def _z3(rule: Any, terms: list[Any]) -> Any:
    return rule(*map(_Term, terms)).term


# -- chains ----------------------------------------------------------------------------------------

CHAINS: list[list[shapes.Taps]] = [
    [(3, 2, 1, 1, 1), (3, 2, 1, 1, 1)],
    [(5, 1, 2, 1, 3), (2, 2, 1, 1, 0), (3, 3, 2, 1, 1)],
    [shapes.transposed_taps(4, 2, 1, 1)],
    [(3, 2, 1, 1, 1), shapes.transposed_taps(3, 3, 2, 2), (3, 1, 1, 1, 1)],
    [shapes.upsample_taps(3), (3, 2, 1, 1, 0)],
    [shapes.transposed_taps(1, 3)],
]


@pytest.mark.parametrize("layers", CHAINS)
def test_jump_and_offset_of_chains(layers: list[shapes.Taps]) -> None:
    """Output ``i + P`` reads what output ``i`` reads, ``P·jump`` further on."""
    period = 1
    for _, _, _, stretch, _ in layers:
        period *= stretch
    jump = shapes.chain_jump(layers)
    assert period * jump == int(period * jump)
    for at in range(2 * period):
        here = shapes.chain_reads(at, layers)
        later = shapes.chain_reads(at + period, layers)
        assert later == [j + int(period * jump) for j in here]


def test_field_of_windows_is_the_closed_form() -> None:
    """Symbols too: two layers of windows see ``1 + d₁(k₁−1) + d₂(k₂−1)·s₁`` samples."""
    k1, k2, s1, d1, d2 = sizes("k1 k2 s1 d1 d2")
    field = shapes.chain_field([(k1, s1, d1, 1, 0), (k2, s, d2, 1, 0)])
    assert field == 1 + d1 * (k1 - 1) + d2 * (k2 - 1) * s1
    assert shapes.chain_jump([(k1, s1, d1, 1, 0), (k2, s, d2, 1, 0)]) == s1 * s
    first, last = shapes.chain_reads(4, CHAINS[0])[0], shapes.chain_reads(4, CHAINS[0])[-1]
    assert last - first + 1 == shapes.chain_field(CHAINS[0])


def test_ceil_div_is_what_the_rules_write() -> None:
    assert shapes.same_length(n, s) == ceil_div(n, s)
    assert lift(shapes.same_length(7, 2)) == ceil_div(7, 2)
