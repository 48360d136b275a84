"""The prover against brute force: it must never call equal what differs, nor differ what is equal."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import islice

import pytest
import z3

from derive.decide import solver
from derive.decide.equality import counterexample_at, decide_equal, decide_holds, small_sizes
from derive.decide.solver import Answer, Law, ask, smallest, time_limit
from derive.decide.verdict import Proved, Refuted, Undecided
from derive.errors import CannotBe
from derive.evaluation import holds
from derive.expr import (
    FALSE,
    Cond,
    Expr,
    Sym,
    all_of,
    any_of,
    apply,
    between,
    ceil_div,
    cond_symbols,
    divides,
    eq,
    expressions,
    iff,
    implies,
    indicator,
    lift,
    maximum,
    minimum,
    ne,
    negate,
)
from derive.form import Form, Value, build, sigma, tensor, vjp
from derive.operators import (
    avg_pool,
    conv_transpose,
    correlate,
    decimate,
    flip,
    nearest_upsample,
    pad,
    sum_pool,
    zero_insert,
)
from derive.symbols import offset, size, sizes, symbol

BOUND = 9


def brute(left: Form, right: Form) -> tuple[bool, dict[str, int] | None]:
    """(did any sizes count?, the first sizes at which the sides differ)"""
    ordered = sorted({*left.sizes(), *right.sizes()}, key=lambda s: s.name)
    any_counted = False
    for values in small_sizes(ordered, BOUND):
        if all(holds(c, values) for c in (*left.requires, *right.requires)):
            any_counted = True
            if counterexample_at(left, right, values) is not None:
                return True, values
    return any_counted, None


N, K, S, D = sizes("n k s d")
P = offset("p")


def stages() -> list[Callable[[Form, random.Random], Form]]:
    """Operators on a 1-D form with random, partly symbolic parameters."""

    def amount(r: random.Random, *symbols: Expr) -> Expr:
        return r.choice([lift(1), lift(2), lift(3), *symbols])

    return [
        lambda x, r: flip(x),
        lambda x, r: pad(x, (r.choice([0, 1, 2, -1]), r.choice([0, 1, 2]))),
        lambda x, r: pad(x, (P, 1)),
        lambda x, r: zero_insert(x, amount(r, S)),
        lambda x, r: decimate(x, amount(r, S)),
        lambda x, r: nearest_upsample(x, amount(r, S)),
        lambda x, r: sum_pool(x, amount(r, K), amount(r, S)),
        lambda x, r: correlate(x, tensor("w", K), stride=amount(r, S), dilation=amount(r, D)),
        lambda x, r: conv_transpose(x, tensor("w", K), stride=amount(r, S)),
        lambda x, r: correlate(x, flip(tensor("w", K)), padding=r.choice([0, (1, 0)])),
    ]


def chain(r: random.Random, length: int) -> Form:
    x, used_kernel = tensor("x", N), False
    for _ in range(length):
        stage = r.choice(stages())
        y = stage(x, r)
        if "w" in dict(y.tensors) and used_kernel:
            continue
        used_kernel |= "w" in dict(y.tensors)
        x = y
    return x


def variant(r: random.Random, form: Form) -> Form:
    """Something that may or may not be the same operator."""
    choice = r.randrange(5)
    if choice == 0:
        return flip(flip(form))
    if choice == 1:
        return flip(form)
    if choice == 2:
        return pad(pad(form, (1, 0)), (-1, 0))
    if choice == 3:
        return pad(pad(form, (0, -1)), (0, 1))
    return build(form.shape, lambda i: form[form.shape[0] - 1 - i])


@pytest.mark.parametrize("seed", range(60))
def test_verdicts_agree_with_brute_force(seed: int) -> None:
    r = random.Random(seed)
    left = chain(r, r.choice([1, 2]))
    right = variant(r, left) if r.random() < 0.6 else chain(random.Random(seed + 1000), 2)
    hypotheses = (*left.requires, *right.requires)
    counted, difference = brute(left, right)
    try:
        with time_limit(4):
            verdict = decide_equal(left, right, hypotheses, seconds=2)
    except CannotBe:
        assert not counted or dict(left.tensors).keys() == dict(right.tensors).keys()
        return
    if isinstance(verdict, Proved):
        assert difference is None
    if isinstance(verdict, Refuted):
        found = dict(verdict.counterexample.sizes)
        assert counterexample_at(left, right, found) is not None
        if difference is not None:
            assert sum(map(abs, found.values())) <= sum(map(abs, difference.values()))
    assert not isinstance(verdict, Undecided) or verdict.reason


def test_counts_do_not_pass_for_sets() -> None:
    """Two windows that meet twice are not one that is read once, though both read the same inputs."""
    x = tensor("x", N)
    once = build((lift(1),), lambda i: sigma(N, lambda j: x[j]))
    twice = build((lift(1),), lambda i: sigma(2, lambda t: sigma(N, lambda j: x[j])))
    verdict = decide_equal(once, twice)
    assert isinstance(verdict, Refuted)
    assert verdict.counterexample.left == 1
    assert verdict.counterexample.right == 2


def test_symbolic_counts() -> None:
    """The sum over a symbolic window of a constant input is a count with a closed form."""
    x = tensor("x", lift(1))
    many = build((lift(1),), lambda i: sigma(K, lambda t: x[0]))
    weighted = build((lift(1),), lambda i: x[0] * K)
    off_by_one = build((lift(1),), lambda i: x[0] * (K + 1))
    assert isinstance(decide_equal(many, weighted), Proved)
    assert isinstance(decide_equal(many, off_by_one), Refuted)


def test_a_product_of_two_reads_of_one_tensor_is_symmetric() -> None:
    w = tensor("w", N)
    one = build((N, N), lambda a, b: w[a] * w[b])
    other = build((N, N), lambda a, b: w[b] * w[a])
    skew = build((N, N), lambda a, b: w[a] * w[a])
    assert isinstance(decide_equal(one, other), Proved)
    assert isinstance(decide_equal(one, skew), Refuted)


def test_unequal_shapes_are_a_refutation_of_their_own_kind() -> None:
    x = tensor("x", N)
    verdict = decide_equal(x, pad(x, (0, 1)))
    assert isinstance(verdict, Refuted)
    assert verdict.counterexample.kind == "shape"
    assert (verdict.counterexample.left_shape, verdict.counterexample.right_shape) == ((1,), (2,))


def test_an_operator_that_is_not_defined_refutes() -> None:
    y = correlate(tensor("x", N), tensor("w", K))
    verdict = decide_equal(y, y)
    assert isinstance(verdict, Refuted)
    assert verdict.counterexample.kind == "undefined"
    assert dict(verdict.counterexample.sizes) == {"k": 2, "n": 1}


def test_contradictory_hypotheses_are_an_error() -> None:
    x = tensor("x", N)
    with pytest.raises(CannotBe, match="no sizes meet these hypotheses"):
        decide_equal(x, x, (N >= 3, N < 3))
    with pytest.raises(CannotBe, match="no sizes meet these hypotheses"):
        decide_equal(x, flip(x), (FALSE,))


def test_one_tensor_of_two_shapes_is_an_error() -> None:
    with pytest.raises(CannotBe, match="the tensor 'x' has the shape"):
        decide_equal(tensor("x", N), tensor("x", K))


def test_the_counterexample_is_the_smallest() -> None:
    y = correlate(tensor("x", N), tensor("w", K))
    wrong = correlate(tensor("x", N), flip(tensor("w", K)))
    verdict = decide_equal(y, wrong, (N >= K,))
    assert isinstance(verdict, Refuted)
    assert dict(verdict.counterexample.sizes) == {"k": 2, "n": 2}


def test_an_undecidable_sum_is_not_proved() -> None:
    """Two unknown counts that multiply: no closed form; small sizes are tried and said so."""
    x = tensor("x", lift(1))

    def body(i: Expr) -> Value:
        return sigma(N, lambda a: sigma(N, lambda b: x[0].where(a * b >= K)))

    left = build((lift(1),), body)
    right = build(
        (lift(1),), lambda i: sigma(N, lambda a: sigma(N, lambda b: x[0].where(b * a > K - 1)))
    )
    verdict = decide_equal(left, right)
    assert isinstance(verdict, Undecided)
    assert "agree" in verdict.checked
    wrong = build(
        (lift(1),), lambda i: sigma(N, lambda a: sigma(N, lambda b: x[0].where(a * b >= K + 1)))
    )
    assert isinstance(decide_equal(left, wrong), Refuted)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (between(0, N % S, S), True),
        (eq(S * (N // S) + N % S, N), True),
        (divides(S, N * S), True),
        (divides(S, N), False),
        (ceil_div(N, S) * S >= N, True),
        (ceil_div(N, S) * S > N, False),
        (maximum(N, S) + minimum(N, S) >= N + S, True),
        (iff(divides(S, N), eq(ceil_div(N, S), N // S)), True),
        (implies(N >= S, N // S >= 2), False),
        (eq(indicator(N >= S) + indicator(N < S), 1), True),
    ],
)
def test_statements_about_sizes(statement: Cond, expected: bool) -> None:
    verdict = decide_holds((), statement)
    assert isinstance(verdict, Proved if expected else Refuted)
    if isinstance(verdict, Refuted):
        assert not holds(statement, dict(verdict.counterexample.sizes))
    symbols = sorted(cond_symbols(statement), key=lambda s: s.name)
    assert all(holds(statement, v) for v in small_sizes(symbols, 12)) == expected


def test_a_division_by_zero_proves_nothing() -> None:
    z = offset("z")
    assert ask((), eq(z * (N // z) + N % z, N)) is Answer.YES  # exact: the quotient cancels
    assert ask((), between(0, N % z, z)) is not Answer.YES
    assert ask((z >= 1,), between(0, N % z, z)) is Answer.YES


def test_laws_on_unknown_functions_hold_at_every_argument() -> None:
    i = Sym("a")
    law = Law("σ", (i,), between(0, apply("σ", Expr({(i,): 1})), K))
    assert ask((), between(0, apply("σ", N + 3), K), laws=(law,)) is Answer.YES
    assert ask((), between(0, apply("σ", N + 3), K - 1), laws=(law,)) is Answer.NO
    assert ask((), eq(apply("σ", N), apply("σ", N + 1)), laws=(law,)) is Answer.NO


def test_a_time_limit_ends_in_undecided() -> None:
    a, b, c = sizes("a b c")
    with time_limit(0):
        verdict = decide_holds((), ne(a**3 + b**3, c**3))
    assert isinstance(verdict, Undecided)


def test_smallest_is_the_smallest() -> None:
    conds = (N * K >= 7, N >= K)
    names = (Sym("k", 1), Sym("n", 1))
    assert smallest(conds, names) == {"k": 2, "n": 4}


def test_a_symbol_has_one_hypothesis() -> None:
    from derive.errors import WrongInput

    with pytest.raises(WrongInput, match="made twice with different hypotheses"):
        decide_holds((), size("n") >= offset("n"))


def test_gradient_identities_at_symbolic_sizes() -> None:
    x, w = tensor("x", N), tensor("w", K)
    y = correlate(x, w)
    fits = (N >= K,)
    g = tensor("g", N - K + 1)
    full = correlate(g, flip(w), padding="full")
    assert isinstance(decide_equal(vjp(y, "x", g), full, fits), Proved)
    assert isinstance(decide_equal(vjp(y, "x", g), correlate(g, w, padding="full"), fits), Refuted)
    assert isinstance(decide_equal(vjp(y, "w", g), correlate(x, g), fits), Proved)


def test_average_pooling_and_its_neighbours() -> None:
    x = tensor("x", N)
    whole = (divides(K, N), N >= K)
    g = tensor("g", N // K)
    up = nearest_upsample(g, K)
    from derive.operators import scale

    assert isinstance(decide_equal(vjp(avg_pool(x, K), "x", g), scale(up, 1, K), whole), Proved)
    refuted = decide_equal(vjp(avg_pool(x, K), "x", g), scale(up, 1, K), (N >= K,))
    assert isinstance(refuted, Refuted)
    assert refuted.counterexample.kind == "shape"


def test_names_of_indices_are_reserved() -> None:
    from derive.errors import WrongInput

    for name in ("i0", "b3", "x.0", "~1"):
        with pytest.raises(WrongInput, match="is reserved for an index"):
            symbol(name)


def test_every_condition_is_negated_exactly() -> None:
    conds = [
        N >= S,
        eq(N, S),
        ne(N, S),
        all_of(N >= 2, S >= 3),
        any_of(N >= 4, eq(S, 1)),
        divides(S, N),
    ]
    for c in conds:
        assert list(expressions(c))
        for v in small_sizes([Sym("n", 1), Sym("s", 1)], 10):
            assert bool(holds(c, v)) != bool(holds(negate(c), v))


def test_no_attempt_is_without_an_end_and_none_shares_what_was_asked_before() -> None:
    """One that had all the time left, or the memory of earlier questions, could use it all up."""
    tried = list(islice(solver._attempts(), 13))
    assert all(a.steps > 0 for a in tried)
    ways = [(a.factored, a.relevancy) for a in tried[1:]]
    assert len(set(ways[:4])) == 4 and ways == ways[:4] * 3
    assert [a.steps for a in tried] == sorted(a.steps for a in tried)
    contexts = [solver.Translation().context for _ in range(2)]
    assert len({id(c) for c in (*contexts, z3.main_ctx())}) == 3
