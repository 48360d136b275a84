"""The condition that the program finds is the known one, at every small size, and it is proved."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

import derive.claims.judge as judge_module
from derive.claims.judge import judge
from derive.claims.look import operators, truth_at
from derive.claims.values import Same, Statement
from derive.decide.equality import counterexample_at, small_sizes
from derive.decide.simplify import simplify
from derive.decide.verdict import HoldsWhen, Proved, Refuted
from derive.decide.weakest import find_condition, find_equivalent
from derive.errors import CannotBe
from derive.evaluation import holds
from derive.expr import FALSE, TRUE, Cond, Sym, all_of, any_of, cond_symbols, divides, eq, maximum
from derive.form import Form, tensor, vjp
from derive.operators import (
    adaptive_avg_pool,
    avg_pool,
    bilinear_upsample,
    col2im,
    conv_transpose,
    convolve,
    correlate,
    crop,
    decimate,
    flip,
    global_avg_pool,
    im2col,
    max_pool,
    nearest_upsample,
    pad,
    scale,
    shift,
    sum_pool,
    zero_insert,
)
from derive.shapes import conv_length, conv_transpose_length, same_length
from derive.symbols import offset, sizes, symbol

n, k, s, d, m, t, u = sizes("n k s d m t u")
p, q, r = (symbol(name, 0) for name in "pqr")
a, b = offset("a"), offset("b")
x, w, v = tensor("x", n), tensor("w", k), tensor("v", t)
valid = correlate(x, w, stride=s)
padded = correlate(x, w, stride=s, padding=p)
g_valid, g_padded = tensor("g", *valid.shape), tensor("g", *padded.shape)
same = correlate(x, w, padding="same")
same3 = correlate(x, w, padding="same", dilation=3)
chain = correlate(correlate(x, w, padding=p), v, padding=q)
rest = (n + 2 * p - k) % s
p_lo, p_hi = offset("p_lo"), offset("p_hi")
general = correlate(x, w, stride=s, padding=(p_lo, p_hi), dilation=d)
dilated = correlate(x, w, padding="same", dilation=d)
plane = tensor("x", n, m)


@dataclass(frozen=True)
class Claim:
    """Two operators, and when they are equal: derived by hand, checked here size by size."""

    name: str
    left: Form
    right: Form
    known: Cond
    hypotheses: tuple[Cond, ...] = ()
    main: str | None = None  # how the main case reads
    degenerate: tuple[str, ...] = ()


odd = eq(k % 2, 1)
CLAIMS = [
    Claim(
        "average-pool gradient is nearest upsampling by k",
        vjp(avg_pool(x, k, stride=s), "x"),
        scale(nearest_upsample(tensor("g", (n - k) // s + 1), k), 1, k),
        any_of(eq(n, k), all_of(eq(k, s), divides(s, n))),
        main="k == s and n % s == 0",
        degenerate=("k == n",),
    ),
    Claim(
        "average-pool gradient is nearest upsampling by s",
        vjp(avg_pool(x, k, stride=s), "x"),
        scale(nearest_upsample(tensor("g", (n - k) // s + 1), s), 1, k),
        all_of(eq(k, s), divides(s, n)),
        main="k == s and n % s == 0",
    ),
    Claim(
        "sum-pool adjoint is nearest upsampling",
        vjp(sum_pool(x, k), "x"),
        nearest_upsample(tensor("g", (n - k) // k + 1), k),
        divides(k, n),
        main="n % k == 0",
    ),
    Claim(
        "SAME adjoint is SAME correlation with the flipped kernel",
        vjp(same, "x"),
        correlate(tensor("g", *same.shape), flip(w), padding="same"),
        odd,
        main="k % 2 == 1",
    ),
    Claim(
        "SAME adjoint, dilation 3",
        vjp(same3, "x"),
        correlate(tensor("g", *same3.shape), flip(w), padding="same", dilation=3),
        any_of(odd, eq(n, 1)),
    ),
    Claim(
        "paddings add up", pad(pad(x, (a, 0)), (b, 0)), pad(x, (a + b, 0)), any_of(a >= 0, b <= 0)
    ),
    Claim(
        "paddings behind add up",
        pad(pad(x, (0, a)), (0, b)),
        pad(x, (0, a + b)),
        any_of(a >= 0, b <= 0),
    ),
    Claim(
        "input gradient without the remainder",
        vjp(padded, "x"),
        correlate(pad(zero_insert(g_padded, s), (k - 1 - p, k - 1 - p)), flip(w)),
        eq(rest, 0),
        main="(n + 2*p - k) % s == 0",
    ),
    Claim(
        "adaptive average pooling is ordinary pooling",
        adaptive_avg_pool(x, m),
        avg_pool(x, n - (m - 1) * (n // m), n // m),
        n % m <= 1,
        main="n % m <= 1",
    ),
    Claim(
        "transposed convolution returns the size with output padding r",
        conv_transpose(g_padded, w, stride=s, padding=p, output_padding=r),
        vjp(padded, "x"),
        eq(r, rest),
        main="r == (n + 2*p - k) % s",
    ),
    Claim(
        "transposed convolution returns the size without output padding",
        conv_transpose(g_padded, w, stride=s, padding=p),
        vjp(padded, "x"),
        eq(rest, 0),
    ),
    Claim(
        "TensorFlow SAME is padding k//2 on both sides",
        correlate(x, w, stride=s, padding="same"),
        correlate(x, w, stride=s, padding=k // 2),
        all_of(odd, any_of(eq(k, 1), divides(s, n - 1))),
    ),
    Claim(
        "TensorFlow SAME is padding k//2 on both sides, stride 1",
        same,
        correlate(x, w, padding=k // 2),
        odd,
    ),
    Claim(
        "two padded convolutions are one",
        chain,
        correlate(x, conv_transpose(w, v), padding=p + q),
        any_of(eq(q, 0), p >= k - 1),
    ),
    Claim("correlation is convolution", valid, convolve(x, w, stride=s), eq(k, 1), main="k == 1"),
    Claim(
        "the manual gradient passes the stride on",
        vjp(valid, "x"),
        correlate(g_valid, flip(w), stride=s, padding="full"),
        any_of(eq(s, 1), all_of(eq(n, 1), eq(k, 1))),
    ),
    Claim("upsampling undoes decimation", nearest_upsample(decimate(x, s), s), x, eq(s, 1)),
    Claim(
        "zero insertion undoes decimation",
        zero_insert(decimate(x, s), s),
        x,
        any_of(eq(s, 1), eq(n, 1)),
        main="s == 1",
        degenerate=("n == 1",),
    ),
    Claim(
        "decimation undoes zero insertion",
        decimate(zero_insert(x, s, trailing=r), s),
        x,
        r < s,
        main="s >= r + 1",
    ),
    Claim(
        "a flip passes through a strided correlation",
        flip(valid),
        correlate(flip(x), flip(w), stride=s),
        divides(s, n - k),
        main="(n - k) % s == 0",
    ),
    Claim(
        "counting the padding or not",
        avg_pool(x, k, stride=s, padding=p),
        avg_pool(x, k, stride=s, padding=p, count_include_pad=False),
        eq(p, 0),
        (2 * p <= k,),
        main="p == 0",
    ),
    Claim(
        "ceil mode is floor mode",
        sum_pool(x, k, s, ceil_mode=True),
        sum_pool(x, k, s),
        any_of(divides(s, n - k), eq((n - 1) // s, (n - k) // s)),
        (n >= k,),
    ),
    Claim(
        "ceil mode is floor mode, with padding",
        sum_pool(x, k, s, p, ceil_mode=True),
        sum_pool(x, k, s, p),
        any_of(eq(rest, 0), eq((n + p - 1) // s, (n + 2 * p - k) // s)),
        (2 * p <= k,),
    ),
    Claim(
        "dilation does not matter",
        correlate(x, w, dilation=d),
        correlate(x, w),
        any_of(eq(d, 1), eq(k, 1)),
        main="d == 1",
        degenerate=("k == 1",),
    ),
    Claim(
        "shift and back",
        shift(shift(x, p), -q),
        shift(x, p - q),
        any_of(eq(p, 0), eq(q, 0), p >= n + q, q >= n + p),
    ),
    Claim("padding undoes cropping", pad(crop(x, (p, p)), (p, p)), x, eq(p, 0), main="p == 0"),
    Claim("cropping undoes padding", crop(pad(x, (a, a)), (a, a)), x, a >= 0, main="a >= 0"),
    Claim("causal is SAME", correlate(x, w, padding="causal"), same, eq(k, 1)),
    Claim("full is valid", correlate(x, w, padding="full"), correlate(x, w), eq(k, 1)),
    Claim(
        "SAME may put the larger half first",
        same,
        correlate(x, w, padding="same_lower"),
        odd,
        main="k % 2 == 1",
    ),
    Claim(
        "global average pooling is average pooling",
        global_avg_pool(x),
        avg_pool(x, k, stride=s),
        eq(k, n),
        main="k == n",
    ),
    Claim(
        "the divisor is the window length",
        avg_pool(x, k, stride=s),
        avg_pool(x, k, stride=s, divisor_override=d),
        eq(d, k),
    ),
    Claim(
        "fold undoes unfold",
        col2im(im2col(x, k, stride=s), n, stride=s),
        x,
        any_of(eq(k, n), all_of(eq(k, s), divides(s, n))),
    ),
    Claim(
        "starting late is shifting",
        decimate(x, s, start=p),
        decimate(shift(x, -p), s),
        eq((n - 1) // s, (n - 1 - p) // s),
    ),
    Claim("stride is decimation", valid, decimate(correlate(x, w), s), TRUE),
    Claim("one in front is one behind", pad(x, (1, 0)), pad(x, (0, 1)), FALSE),
    Claim(
        "correlation is convolution in 2-D",
        correlate(plane, tensor("w", k, t)),
        convolve(plane, tensor("w", k, t)),
        all_of(eq(k, 1), eq(t, 1)),
        (n >= k, m >= t),
    ),
    Claim(
        "2-D sum-pool adjoint is nearest upsampling",
        vjp(sum_pool(plane, (k, t)), "x"),
        nearest_upsample(tensor("g", *sum_pool(plane, (k, t)).shape), (k, t)),
        all_of(divides(k, n), divides(t, m)),
    ),
]
CLAIMS += [
    Claim(
        "general input gradient without the remainder",
        vjp(general, "x"),
        correlate(
            pad(
                zero_insert(tensor("g", *general.shape), s),
                (d * (k - 1) - p_lo, d * (k - 1) - p_hi),
            ),
            flip(w),
            dilation=d,
        ),
        divides(s, n + p_lo + p_hi - d * (k - 1) - 1),
    ),
    Claim(
        "average-pool gradient with padding is nearest upsampling",
        vjp(avg_pool(x, k, s, p), "x"),
        scale(nearest_upsample(tensor("g", *avg_pool(x, k, s, p).shape), k), 1, k),
        all_of(eq(p, 0), any_of(eq(n, k), all_of(eq(k, s), divides(s, n)))),
        (2 * p <= k,),
        main="p == 0 and k == s and n % k == 0",
        degenerate=("p == 0 and k == n",),
    ),
    Claim(
        "weight gradient without the cut",
        vjp(valid, "w"),
        correlate(x, g_valid, dilation=s),
        divides(s, n - k),
        main="(n - k) % s == 0",
    ),
    Claim(
        "SAME adjoint, any dilation, a kernel that fits",
        vjp(dilated, "x"),
        correlate(tensor("g", *dilated.shape), flip(w), padding="same", dilation=d),
        divides(2, d * (k - 1)),
        (n >= d * (k - 1) + 1,),
    ),
    Claim(
        "two SAME convolutions are one",
        correlate(correlate(x, w, padding="same"), v, padding="same"),
        correlate(x, conv_transpose(w, v), padding="same"),
        any_of(eq(k, 1), eq(t, 1)),
    ),
    Claim(
        "shifts add up",
        shift(shift(x, a), b),
        shift(x, a + b),
        any_of(all_of(a >= 0, b >= 0), all_of(a <= 0, b <= 0), a + b >= n, a + b <= -n),
    ),
    Claim(
        "adaptive pooling is pooling and upsampling",
        adaptive_avg_pool(x, m),
        nearest_upsample(global_avg_pool(x), m),
        any_of(eq(m, 1), eq(n, 1)),
        main="m == 1",
        degenerate=("n == 1",),
    ),
    Claim(
        "circular padding is zero padding",
        pad(x, (p, q), mode="circular"),
        pad(x, (p, q)),
        all_of(eq(p, 0), eq(q, 0)),
    ),
    Claim(
        "bilinear is nearest upsampling",
        bilinear_upsample(x, s),
        nearest_upsample(x, s),
        any_of(eq(s, 1), eq(n, 1)),
    ),
]
BOUNDS = {1: 14, 2: 14, 3: 11, 4: 9, 5: 8, 6: 8}


def parameters(claim: Claim) -> list[Sym]:
    spoken = {*claim.left.sizes(), *claim.right.sizes(), *cond_symbols(claim.known)}
    return sorted(spoken, key=lambda e: e.name)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)
def test_the_found_condition_is_the_known_one(claim: Claim) -> None:
    found = find_condition(claim.left, claim.right, claim.hypotheses)
    assert found is not None, "no condition was found and proved"
    assert isinstance(found.verdict, HoldsWhen)
    whole = found.verdict.condition
    facts = all_of(*claim.hypotheses, *claim.left.requires, *claim.right.requires)
    seen = set()
    for point in small_sizes(parameters(claim), BOUNDS[len(parameters(claim))]):
        if holds(facts, point):
            truth = counterexample_at(claim.left, claim.right, point) is None
            assert bool(holds(claim.known, point)) == truth, f"by hand, at {point}"
            assert bool(holds(whole, point)) == truth, f"{whole} at {point}"
            cases = any_of(found.condition, *found.degenerate)
            assert bool(holds(cases, point)) == truth, f"{cases} at {point}"
            seen.add(truth)
    assert seen == {claim.known != FALSE, claim.known == TRUE}
    if claim.main is not None:
        assert str(found.condition) == claim.main
        assert tuple(map(str, found.degenerate)) == claim.degenerate


STATEMENTS = [
    (eq(s * ((n - 1) // s + 1), n), (), "n % s == 0"),
    (eq(conv_length(n, k, 1, 1, 1, p, p), n), (), "k == 2*p + 1"),
    (eq(conv_transpose_length(conv_length(n, k, s), k, s), n), (n >= k,), "(n - k) % s == 0"),
    (eq(same_length(n, s), n), (), "n == 1 or s == 1"),
    (eq(maximum(0, k - s), 0), (), "s >= k"),
    (any_of(all_of(n >= k, s >= 1), all_of(n >= k, eq(k, 2))), (), "n >= k"),
]


@pytest.mark.parametrize(("statement", "hypotheses", "text"), STATEMENTS, ids=lambda v: str(v)[:40])
def test_a_statement_about_sizes_is_said_simply(
    statement: Cond, hypotheses: tuple[Cond, ...], text: str
) -> None:
    found = find_equivalent(statement, hypotheses)
    assert str(found.condition) == text
    spoken = sorted(cond_symbols(all_of(statement, *hypotheses)), key=lambda e: e.name)
    for point in small_sizes(spoken, 14):
        if holds(all_of(*hypotheses), point):
            assert bool(holds(found.condition, point)) == bool(holds(statement, point))


def test_nothing_is_claimed_in_no_time() -> None:
    claim = CLAIMS[0]
    assert find_condition(claim.left, claim.right, seconds=0.001) is None


def test_with_an_unknown_selection_only_always_is_claimed() -> None:
    selected = max_pool(x, k, s)
    assert find_condition(selected, decimate(x, s)) is None
    found = find_condition(vjp(selected, "x"), vjp(selected, "x"))
    assert found is not None and found.verdict == HoldsWhen(TRUE)


def test_contradictory_hypotheses_are_an_error() -> None:
    with pytest.raises(CannotBe, match="no sizes meet these hypotheses"):
        find_condition(x, x, (n <= 0,))


def test_what_the_hypotheses_say_is_left_out() -> None:
    both = any_of(all_of(eq(k, s), divides(s, n), n >= k), all_of(eq(k, 2), k >= 3))
    assert str(simplify(both, (n >= s,))) == "k == s and n % s == 0"


# -- claims in the words of the language: more axes, counts, selections, a busy machine --------------


EXACT = [
    (
        "conv_transpose(x[n1, n2], w[k1, k2], padding='same') == correlate(x, w, padding='same')",
        "(k1 == 1 or n1 == 1) and (k2 == 1 or n2 == 1)",
    ),
    (
        (
            "vjp(correlate(x[n1, n2], w[k1, k2], padding='same'), x, g) == "
            "correlate(g, flip(w), padding='same')"
        ),
        "k1 % 2 == 1 and k2 % 2 == 1",
    ),
    ("disjoint(conv_transpose(x, w, stride=3, dilation=2))", "k <= 3 or n <= 2"),
    ("disjoint(conv_transpose(x, w, stride=2*d, dilation=d))", "n == 1 or k <= 2"),
    (
        (
            "vjp(correlate(x, w, stride=s, padding=p, dilation=d), w, g) == "
            "correlate(x, g, stride=d, padding=p, dilation=s)"
        ),
        "(n + 2*p - d*(k - 1) - 1) % s < d",
    ),
    ("vjp(max_pool(x, k), x, g) == nearest_upsample(g, k)", "k == 1"),
    (
        (
            "vjp(max_pool(x, k, stride=s), x, g) == "
            "mask(max_pool(x, k, stride=s)) * nearest_upsample(g, k)"
        ),
        "k == n or (k == s and n % s == 0)",
    ),
    ("max_pool(x, k) == avg_pool(x, k)", "k == 1"),
    ("not max_pool(x, k) == avg_pool(x, k)", "k >= 2"),
    ("not disjoint(conv_transpose(x, w, stride=2))", "k >= 3 and n >= 2"),
]


@pytest.mark.parametrize(("text", "condition"), EXACT)
def test_the_exact_condition_of_a_claim(text: str, condition: str) -> None:
    """It reads like this, and it is the truth at every small size, computed from the definitions."""
    found = judge(text)
    assert isinstance(found.verdict, HoldsWhen)
    assert str(found.verdict.condition) == condition
    statement = found.claim.statement
    facts = all_of(*found.claim.hypotheses, *found.claim.requires, *found.assumed)
    spoken = {s for f in operators(statement) for s in f.sizes()} | cond_symbols(facts)
    parameters = sorted(spoken, key=lambda e: e.name)
    looked = 0
    for point in small_sizes(parameters, 9):
        if looked == 150 or not holds(facts, point):
            continue
        looked += 1
        assert true_at(statement, point) == bool(holds(found.verdict.condition, point)), point
    assert looked >= 20


def true_at(statement: Statement, point: dict[str, int]) -> bool:
    if isinstance(statement, Same) and not statement.free_taps:
        refuted = counterexample_at(statement.left, statement.right, point, statement.laws)
        return refuted is None
    return truth_at(statement, point, solver=True) is True


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (f"{EXACT[0][0]} iff {EXACT[0][1]}", Proved),
        (f"{EXACT[0][0]} iff k1 == 1 and k2 == 1", Refuted),
        (f"{EXACT[4][0]} iff conv_remainder(n, k, s, d, 1, p, p) < d", Proved),
        (f"{EXACT[4][0]} iff conv_remainder(n, k, s, d, 1, p, p) <= d", Refuted),
        ("not disjoint(conv_transpose(x, w, stride=2)) for n >= 2, k >= 3", Proved),
        ("not covered(conv_transpose(x, w[1], stride=2)) for n >= 2", Proved),
        ("not max_pool(x, k) == avg_pool(x, k) for k >= 2", Proved),
        ("max_pool(x, k) == avg_pool(x, k) iff k == 1", Proved),
        ("max_pool(x, k) == avg_pool(x, k) iff k <= 2", Refuted),
    ],
)
def test_a_stated_condition_is_decided(text: str, verdict: type) -> None:
    assert isinstance(judge(text).verdict, verdict)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        (
            (
                "correlate(x, box(k)/k, stride=s, padding='same') == "
                "avg_pool(x, k, stride=s, padding='same', count_include_pad=False)"
            ),
            "(n - 1) % s >= k - 1",
        ),
        (
            (
                "correlate(x, w[2*h + 1], stride=s, padding='same') == "
                "correlate(x, w, stride=s, padding=h)"
            ),
            "(n - 1) % s == 0",
        ),
    ],
)
@pytest.mark.parametrize("pace", [1, 4])
def test_a_slow_machine_finds_the_same_condition(
    text: str, condition: str, pace: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock runs ``pace`` times as fast; the work is counted in steps, so nothing changes."""
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: pace * clock())
    found = judge(text).verdict
    assert isinstance(found, HoldsWhen)
    assert str(found.condition) == condition


def test_what_is_true_at_some_sizes_is_not_told_as_false_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where no exact condition is found, that it is true at some sizes is said."""
    monkeypatch.setattr(judge_module, "find_condition", lambda *_, **__: None)
    told = str(judge("correlate(x, w) == convolve(x, w)"))
    assert told.startswith("refuted (false for some sizes)\n")
    assert "true at some sizes, such as k = 1, n = 1; the exact condition was not found" in told
    never = str(judge("correlate(x[4], w[2]) == x"))
    assert never.startswith("refuted\n")
