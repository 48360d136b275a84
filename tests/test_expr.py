"""Integer expressions and conditions: the canonical form never changes a value."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from derive.errors import WrongInput
from derive.evaluation import holds
from derive.expr import (
    FALSE,
    TRUE,
    Cond,
    Div,
    Expr,
    Indicator,
    Max,
    Not,
    Sym,
    all_of,
    any_of,
    apply,
    between,
    ceil_div,
    cond_symbols,
    divides,
    eq,
    iff,
    implies,
    indicator,
    lift,
    map_cond,
    maximum,
    minimum,
    ne,
    negate,
    subst_cond,
)
from derive.symbols import offset, size, sizes, symbol

N, K, S = sizes("n k s")
P, Q = offset("p"), offset("q")
Env = dict[str, Any]


def environment(r: random.Random) -> Env:
    return {
        **{name: r.randint(1, 7) for name in ("n", "k", "s")},
        **{name: r.randint(-7, 7) for name in ("p", "q")},
        "f": lambda a: (3 * a + 1) % 5,
    }


def random_expr(r: random.Random, depth: int) -> tuple[Expr, Callable[[Env], int]]:
    """An expression, and the same in plain Python, made side by side."""
    if depth == 0:
        name = r.choice("nkspq")
        if r.random() < 0.3:
            c = r.randint(-4, 4)
            return lift(c), lambda env: c
        e = size(name) if name in "nks" else offset(name)
        return e, lambda env: int(env[name])
    a, fa = random_expr(r, depth - 1)
    b, fb = random_expr(r, r.randrange(depth))
    c = r.randint(1, 4)
    d: Expr = r.choice([N, S, N * S, S + 1, lift(c)])
    at = d.at
    made: list[tuple[Expr, Callable[[Env], int]]] = [
        (a + b, lambda env: fa(env) + fb(env)),
        (a - b, lambda env: fa(env) - fb(env)),
        (-a, lambda env: -fa(env)),
        (a * b, lambda env: fa(env) * fb(env)),
        (c * a, lambda env: c * fa(env)),
        (a // d, lambda env: fa(env) // at(env)),
        (a % d, lambda env: fa(env) % at(env)),
        ((a * d + b) // d, lambda env: (fa(env) * at(env) + fb(env)) // at(env)),
        (ceil_div(a, d), lambda env: -(-fa(env) // at(env))),
        (maximum(a, b), lambda env: max(fa(env), fb(env))),
        (minimum(a, b), lambda env: min(fa(env), fb(env))),
        (apply("f", a), lambda env: int(env["f"](fa(env)))),
        (indicator(a >= b), lambda env: int(fa(env) >= fb(env))),
        (indicator(ne(a, b)) * a, lambda env: fa(env) * (fa(env) != fb(env))),
    ]
    return r.choice(made)


def random_cond(r: random.Random, depth: int) -> tuple[Cond, Callable[[Env], bool]]:
    """A condition, and the same in plain Python."""
    if depth == 0:
        (a, fa), (b, fb) = random_expr(r, 1), random_expr(r, r.randrange(3))
        c = r.randint(1, 4)
        plain: list[tuple[Cond, Callable[[Env], bool]]] = [
            (a >= b, lambda env: fa(env) >= fb(env)),
            (a > b, lambda env: fa(env) > fb(env)),
            (a <= b, lambda env: fa(env) <= fb(env)),
            (a < b, lambda env: fa(env) < fb(env)),
            (eq(a, b), lambda env: fa(env) == fb(env)),
            (ne(c * a, b), lambda env: c * fa(env) != fb(env)),
            (divides(c, a), lambda env: fa(env) % c == 0),
            (divides(S, a - b), lambda env: (fa(env) - fb(env)) % int(env["s"]) == 0),
            (between(b, a, b + c), lambda env: fb(env) <= fa(env) < fb(env) + c),
        ]
        return r.choice(plain)
    (x, fx), (y, fy) = random_cond(r, depth - 1), random_cond(r, r.randrange(depth))
    joined: list[tuple[Cond, Callable[[Env], bool]]] = [
        (all_of(x, y), lambda env: fx(env) and fy(env)),
        (any_of(x, y), lambda env: fx(env) or fy(env)),
        (x & ~y, lambda env: fx(env) and not fy(env)),
        (x | y, lambda env: fx(env) or fy(env)),
        (negate(x), lambda env: not fx(env)),
        (implies(x, y), lambda env: not fx(env) or fy(env)),
        (iff(x, y), lambda env: fx(env) == fy(env)),
    ]
    return r.choice(joined)


def by_python(text: str, env: Env) -> Any:
    """The value of printed text, read by Python (Iverson brackets are the only extra)."""
    readable = text.replace("[", "int(").replace("]", ")")
    return eval(readable, {"max": max, "int": int, "__builtins__": {}}, env)


# -- evaluation and printing -----------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(300))
def test_an_expression_its_text_and_plain_python_have_one_value(seed: int) -> None:
    r = random.Random(seed)
    e, plain = random_expr(r, r.randint(1, 3))
    for _ in range(12):
        env = environment(r)
        value = plain(env)
        assert e.at(env) == value, f"{e} at {env}"
        assert by_python(str(e), env) == value, f"{e} at {env}"


@pytest.mark.parametrize("seed", range(300))
def test_a_condition_its_text_and_plain_python_have_one_truth(seed: int) -> None:
    r = random.Random(seed)
    c, plain = random_cond(r, r.randrange(3))
    for _ in range(12):
        env = environment(r)
        truth = plain(env)
        assert bool(holds(c, env)) == truth, f"{c} at {env}"
        assert bool(by_python(str(c), env)) == truth, f"{c} at {env}"
        assert bool(holds(negate(c), env)) == (not truth), f"not ({c}) at {env}"
        assert bool(holds(indicator(c) >= 1, env)) == truth


@pytest.mark.parametrize(
    ("e", "text"),
    [
        (-(N // S), "-(n//s)"),
        (1 - N // S, "-(n//s) + 1"),
        (-(N // S) * 3, "-3*(n//s)"),
        (K - N // S, "k - n//s"),
        ((-N) // S, "(-n)//s"),
        (maximum(N, K) // 2, "(max(k, n))//2"),
        (lift(0), "0"),
        (-N - 2, "-n - 2"),
    ],
)
def test_text_of_a_quotient_keeps_its_sign_outside(e: Expr, text: str) -> None:
    assert str(e) == text


def test_only_the_relation_of_a_negated_equation_changes() -> None:
    c = ne(indicator(eq(N, 3)) + K, 2)
    assert str(c) == "k + [n == 3] != 2"
    assert isinstance(c, Not)


# -- the canonical form ----------------------------------------------------------------------------


def test_equal_polynomials_are_equal_objects() -> None:
    assert (N + K) ** 2 == N * N + 2 * N * K + K * K
    assert (N + K) * (N - K) - N**2 + K**2 == 0
    assert hash(N * K + S) == hash(S + K * N)
    assert str(S + K + N) == str(N + S + K)
    assert (N - N).terms == ()
    assert lift(3) == 3
    assert N != "n"


def test_the_order_of_making_does_not_matter() -> None:
    atoms = [N, K, S // 2, maximum(N, P), apply("f", N), indicator(N >= K)]
    for seed in range(20):
        shuffled = random.Random(seed).sample(atoms, len(atoms))
        total, prod = lift(0), lift(1)
        for a in shuffled:
            total, prod = total + a, prod * a
        assert total.terms == sum(atoms, lift(0)).terms
        assert prod == atoms[0] * atoms[1] * atoms[2] * atoms[3] * atoms[4] * atoms[5]
    assert maximum(N, K) == maximum(K, N)
    assert minimum(N, K) == minimum(K, N)


def test_symbols_of_one_name_with_other_hypotheses_are_not_the_same() -> None:
    assert size("n") != offset("n")
    assert size("n") == symbol("n", 1)


def test_conditions_are_normalised_over_the_integers() -> None:
    assert (2 * N + 3 >= 0) == (N + 1 >= 0)
    assert (2 * N >= 3) == (N >= 2)
    assert eq(2 * N, 3) == FALSE
    assert eq(2 * N, 4 * K) == eq(N, 2 * K) == eq(2 * K, N)
    assert (lift(2) >= 1) == TRUE
    assert eq(N, N) == TRUE
    assert ne(N, N) == FALSE
    assert all_of() == TRUE
    assert any_of() == FALSE
    assert all_of(N >= K, FALSE) == FALSE
    assert any_of(N >= K, TRUE) == TRUE
    assert all_of(N >= K, N >= K) == (N >= K)


def test_atoms_inner_before_outer() -> None:
    e = (N // S + K) // 2
    kinds = [type(a) for a in e.atoms()]
    assert kinds.index(Sym) < kinds.index(Div)
    assert {s.name for s in e.symbols()} == {"n", "s", "k"}
    assert {s.name for s in cond_symbols(divides(S, N + P))} == {"n", "p", "s"}
    assert [a for a in maximum(N // 2, K).atoms() if isinstance(a, Max)]


def test_a_condition_has_no_truth_value() -> None:
    for c in (N >= K, eq(N, K), ne(N, K), all_of(N >= K, K >= S), any_of(N >= K, K >= S)):
        with pytest.raises(TypeError, match=r"has no truth value while its sizes are symbols"):
            bool(c)
    with pytest.raises(TypeError, match=r"has no truth value"):
        assert 0 <= N < K  # a chained comparison would drop its first half


def test_what_is_no_integer_is_refused() -> None:
    for wrong in (1.5, True, "n", None):
        with pytest.raises(TypeError, match="an integer or an integer expression was expected"):
            lift(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is not a number; give every size a value first"):
        int(N)
    for divisor in (0, -2):
        with pytest.raises(ZeroDivisionError, match="the divisor of a floor quotient"):
            N // divisor
    for name in ("i0", "b12", "x.0", "~1", "n#1", "n′"):
        with pytest.raises(WrongInput, match="is reserved for an index"):
            symbol(name)


# -- laws by brute force ---------------------------------------------------------------------------


def test_floor_mod_and_ceil_obey_their_laws() -> None:
    whole, rest, up = P // S, P % S, ceil_div(P, S)
    for p, s in product(range(-12, 13), range(1, 7)):
        env = {"p": p, "s": s}
        assert s * whole.at(env) <= p < s * (whole.at(env) + 1)
        assert 0 <= rest.at(env) < s
        assert whole.at(env) * s + rest.at(env) == p
        assert s * (up.at(env) - 1) < p <= s * up.at(env)
    assert S * (P // S) + P % S == P


def test_multiples_of_the_divisor_are_taken_out() -> None:
    assert (S * P + Q) // S == P + Q // S
    assert (6 * P + 4) // 3 == 2 * P + 1
    assert (S * P) % S == 0
    assert (6 * P * S + Q) // (3 * S) == 2 * P + Q // (3 * S)
    for p, q, s in product(range(-5, 6), range(-5, 6), range(1, 5)):
        env = {"p": p, "q": q, "s": s}
        assert ((5 * P + 3 * Q - 7) // 3).at(env) == (5 * p + 3 * q - 7) // 3
        assert ((S + 1) * 2 + Q).at(env) // (s + 1) == (((S + 1) * 2 + Q) // (S + 1)).at(env)
        assert ((2 * S * P + Q) // (2 * S)).at(env) == (2 * s * p + q) // (2 * s)


def test_max_of_a_known_difference_is_one_of_the_two() -> None:
    assert maximum(N, N + 2) == N + 2
    assert minimum(N - 1, N) == N - 1
    assert maximum(3, 5) == 5


# -- substitution ----------------------------------------------------------------------------------


def only(e: Expr) -> Sym:
    found = e.symbol
    assert found is not None
    return found


def test_a_quotient_that_collapses_is_not_substituted_twice() -> None:
    """``o // s`` at ``o = s·p`` is ``p``; with ``p`` replaced as well, it is what stood in o's place."""
    o = offset("o")
    put = {only(o): S * P, only(P): Q}
    assert (o // S).subst(put) == P
    assert (o // S + P).subst(put) == P + Q
    put = {only(o): S * P + Q, only(Q): P, only(P): lift(7)}
    assert (o // S).subst(put) == P + Q // S
    assert maximum(o, P - 1).subst({only(o): Q, only(P): Q, only(Q): N}) == Q
    assert indicator(o >= 1).subst({only(o): lift(3)}) == 1


def test_substitution_is_simultaneous() -> None:
    assert (N - K).subst({only(N): K, only(K): N}) == K - N
    swapped = subst_cond(divides(K, N), {only(N): K, only(K): N})
    assert swapped == divides(N, K)


@pytest.mark.parametrize("seed", range(150))
def test_substituting_and_evaluating_commute(seed: int) -> None:
    r = random.Random(1000 + seed)
    e, _ = random_expr(r, r.randint(1, 3))
    inner = {name: random_expr(r, r.randrange(2))[0] for name in "npq"}
    symbols = {
        only(size("n")): inner["n"] * inner["n"] + 1,
        only(P): inner["p"],
        only(Q): inner["q"],
    }
    for _ in range(6):
        env = environment(r)
        outer = {**env, **{s.name: v.at(env) for s, v in symbols.items()}}
        assert e.subst(symbols).at(env) == e.at(outer), str(e)
        c = e >= Q
        assert bool(holds(subst_cond(c, symbols), env)) == bool(holds(c, outer))


def test_map_changes_every_atom_once_from_the_inside_out() -> None:
    seen: list[str] = []

    def look(atom: Any) -> Expr | None:
        seen.append(type(atom).__name__)
        return None

    e = (N // S + 1) // K
    assert e.map(look) == e
    assert seen == ["Sym", "Sym", "Div", "Sym", "Div"]
    assert map_cond(N >= K, lambda x: x + 2) == (N + 2 >= K)


def test_coefficient_splits_exactly_the_linear() -> None:
    split = (3 * P * S + P - N // S).coefficient(only(P))
    assert split == (3 * S + 1, -(N // S))
    assert (P * P).coefficient(only(P)) is None
    assert (P + P // S).coefficient(only(P)) is None
    assert (N + 1).coefficient(only(P)) == (lift(0), N + 1)


# -- pickling --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_pickling_gives_the_same_back(seed: int) -> None:
    r = random.Random(seed)
    e, _ = random_expr(r, 3)
    c, _ = random_cond(r, 2)
    again, cond = pickle.loads(pickle.dumps((e, c)))
    assert again == e
    assert hash(again) == hash(e)
    assert again.key == e.key
    assert cond == c
    assert str(cond) == str(c)
    assert again - e == 0


def test_an_indicator_is_zero_or_one_and_constant_where_its_condition_is() -> None:
    assert indicator(TRUE) == 1
    assert indicator(FALSE) == 0
    e = indicator(N >= K)
    assert isinstance(e.terms[0][0][0], Indicator)
    for n, k in product(range(1, 5), repeat=2):
        assert e.at({"n": n, "k": k}) == (n >= k)
        assert (e * e).at({"n": n, "k": k}) == e.at({"n": n, "k": k})
        assert (1 - e).at({"n": n, "k": k}) == indicator(negate(N >= K)).at({"n": n, "k": k})
