"""What is no text, no operator, no number: a call of Python says so, as the command line does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

import derive
from derive.cli import run
from derive.decide.equality import decide_equal
from derive.errors import DeriveError, WrongInput, WrongType
from derive.operators import correlate, merge

D: Any = derive
N, K = D.sizes("n k")
X, W = D.tensor("x", N), D.tensor("w", K)
CALL = "nn.Conv1d(1, 1, k)"
INTEGER = "an integer or an integer expression was expected"
FORM = "no operator; give a form, as tensor('x', 7)"
POOL = {"n": 4, "k": 2, "padding": 1}
equal: Any = decide_equal
corr: Any = correlate

MISUSE: list[tuple[Callable[[], object], str]] = [
    (
        lambda: D.prove_theorem(3),
        "theorem = 3: an id was expected; 'derive theorems --ids' lists them",
    ),
    (lambda: D.get_theorem([]), "theorem = []: an id was expected"),
    (lambda: D.prove_theorems("toeplitz-1d"), "names = 'toeplitz-1d': a list of ids was expected"),
    (lambda: D.prove_theorems([3]), "theorem = 3: an id was expected"),
    (lambda: D.theorem_ids(3), "family = 3: a text was expected; choose one of toeplitz, gradient"),
    (lambda: equal(X, 3), "right = 3: no operator; give a form, as tensor('x', n)"),
    (lambda: equal("x", X), "left = 'x': no operator"),
    (
        lambda: equal(X, X, 3),
        "hypotheses = 3: a list of conditions was expected; give [n >= k]",
    ),
    (
        lambda: equal(X, X, [N == 3]),
        "a hypothesis = False: no condition; give one, as n >= k or eq(n, k)",
    ),
    (lambda: D.tensor(3, 4), "name = 3: a text was expected; give the name of a tensor, as 'x'"),
    (lambda: D.tensor("x", "n"), f"the value 'n': {INTEGER}; give an int or an expression"),
    (lambda: D.tensor("x", True), f"the value True: {INTEGER}"),
    (
        lambda: D.tensor("x", 3, -1),
        "tensor 'x' of shape (3, -1): the length -1 is negative; give positive lengths",
    ),
    (lambda: D.sizes(""), "names = '': there is none; give names apart by spaces, as 'n k s'"),
    (lambda: D.sizes(["n"]), "names = ['n']: a text was expected; give names apart by spaces"),
    (lambda: D.size(3), "name = 3: a text was expected; give a name, as 'n'"),
    (lambda: D.size("n k"), "the name 'n k' is not one word; give a name, as 'n'"),
    (lambda: D.offset(""), "the name '' is not one word"),
    (lambda: D.build(3, lambda i: X[i]), "shape = 3: a tuple of lengths was expected"),
    (lambda: D.build((3,), 3), "body = 3: a function of the index was expected; give one"),
    (
        lambda: D.build((3,), lambda i: 3),
        "body(…) = 3: no value; read a form, as x[i], or write constant(1)",
    ),
    (
        lambda: D.build((3,), lambda i: X[i], [3]),
        "a requirement = 3: no condition; give one, as n >= k or eq(n, k)",
    ),
    (lambda: D.sigma(3, lambda t: 3), "body(…) = 3: no value"),
    (lambda: D.sigma("k", lambda t: X[t]), f"the value 'k': {INTEGER}"),
    (lambda: D.vjp(3, "x"), f"form = 3: {FORM}"),
    (lambda: D.vjp(X, "x", 3), f"cotangent = 3: {FORM}"),
    (lambda: X + 3, "the summand = 3: no operator; give a form, or add constants in build"),
    (lambda: corr(3, W), f"correlate: x = 3: {FORM}"),
    (lambda: corr(X, "w"), f"correlate: w = 'w': {FORM}"),
    (lambda: corr(X, W, stride="s"), f"stride = 's': {INTEGER}; give one"),
    (lambda: corr(X, W, padding=(1, 0.5)), f"padding = 0.5: {INTEGER}; give one"),
    (lambda: corr(X, W, padding=1.5), f"padding = 1.5: {INTEGER}; give one"),
    (lambda: corr(X, W, dims="1"), "correlate: dims = '1': a number of axes was expected"),
    (lambda: merge(X, "0", 1), "merge: axis = '0': a number was expected"),  # type: ignore[arg-type]
    (
        lambda: D.matrix_of(3, 4),
        "operator = 3: a name was expected; give one, as 'correlate'",
    ),
    (lambda: D.operator_form(["pad"], 4), "operator = ['pad']: a name was expected"),
    (lambda: D.matrix_of("correlate", 5, 3, groups="2"), "groups = '2': a number of groups was"),
    (lambda: D.matrix_of("correlate", 5.0, 3), "n = 5.0: a length is at least 1"),
    (lambda: D.matrix_of("max_pool", **POOL, taps=3), "taps = 3: a list was expected; give the"),
    (lambda: D.matrix_of("max_pool", **POOL, taps=["a"]), "taps: a tap = 'a': an integer was"),
    (
        lambda: D.matrix_of("permute", (3, 4), order=3),
        "permute: order = 3: a list was expected; name every axis once",
    ),
    (lambda: D.matrix_of("permute", (3, 4), order=("a", 0)), "permute: ('a', 0) is no order of 2"),
    (lambda: D.matrix_of("select", 4, axis="a", at=1), "select: axis = 'a': a number was expected"),
    (
        lambda: D.translate(3, "Keras"),
        "call = 3: a text was expected; write the call, as 'nn.Conv2d(3, 16, 3)'",
    ),
    (lambda: D.translate(CALL, 3), "dialect = 3: a text was expected; give the name of a"),
    (
        lambda: D.translate(CALL, "Keras", seconds=None),
        "seconds = None: a number was expected; give the time limit, as 20",
    ),
    (lambda: D.translate(CALL, "Keras", seconds=0), "seconds = 0: no time is left; give a time"),
    (
        lambda: D.shape(CALL, 10**5000),
        "input = int with a number of thousands of digits: numbers go up to 1000000; use a name",
    ),
    (
        lambda: D.shape(CALL, (3, 10**5000)),
        "input = tuple with a number of thousands of digits: numbers go up to 1000000; use a name",
    ),
    (
        lambda: D.solve_shape(CALL, scale=10**5000),
        "--scale int with a number of thousands of digits: numerator and denominator go up to",
    ),
    (lambda: D.translate(CALL, "Keras", shape=3.5), "shape = 3.5: a tuple of lengths was expected"),
    (lambda: D.shape(None), "call = None: a text was expected; write the call"),
    (lambda: D.shape(CALL, dialect=3), "dialect = 3: a text was expected; give the name of a"),
    (lambda: D.shape(CALL, weights=3), "weights = 3: shapes by name were expected; give them"),
    (lambda: D.solve_shape(3, scale=1), "call = 3: a text was expected; write the call"),
    (lambda: D.solve_shape(CALL, scale=[]), "--scale []: it is no factor; give a positive number"),
    (lambda: D.solve_shape(CALL, scale=1, ranges=3), "ranges = 3: ranges by name were expected"),
    (
        lambda: D.solve_shape(CALL, scale=1, ranges={"k": (4, 2)}),
        "ranges: k = (4, 2): this is no range; give its first and its last number, as (1, 5)",
    ),
    (
        lambda: D.check(3),
        "claim = 3: a text was expected; give one, as 'flip(flip(x)) == x'",
    ),
    (lambda: D.check("x == x", seconds="3"), "seconds = '3': a number was expected; give the time"),
    (lambda: D.check("x == x", 0), "seconds = 0: no time is left; give a time limit above 0, as"),
]


@pytest.mark.parametrize(("call", "message"), MISUSE, ids=[m for _, m in MISUSE])
def test_misuse_is_wrong_input_in_one_sentence(call: Callable[[], object], message: str) -> None:
    with pytest.raises(WrongInput, match=f"^{re.escape(message)}") as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    assert not said.endswith(".")


def test_a_wrong_type_is_also_the_type_error_of_python() -> None:
    for base in (WrongInput, DeriveError, TypeError):
        with pytest.raises(base):
            D.size(3)
    assert issubclass(WrongType, WrongInput)


def test_a_long_value_is_shown_in_short() -> None:
    with pytest.raises(WrongInput) as caught:
        D.size(list(range(1000)))
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("taps", "lost"), [([0, 1, 0], (0, 0)), ([1, 1, 1], (1, 2)), ([0, 0, 1], (0, 0))]
)
def test_a_tap_in_the_padding_is_refused(taps: list[int], lost: tuple[int, int]) -> None:
    tap, window = lost
    said = (
        f"tap {tap} of window {window}: it lies outside of the samples; give a tap that meets one"
    )
    for transpose in (False, True):
        with pytest.raises(WrongInput, match=f"^{re.escape(said)}$"):
            D.matrix_of("max_pool", **POOL, taps=taps, transpose=transpose)
    assert sorted(D.matrix_of("max_pool", **POOL, taps=[1, 1, 0]).entries) == [
        (0, 0),
        (1, 2),
        (2, 3),
    ]


def test_a_tap_that_unpooling_would_lose_is_refused() -> None:
    with pytest.raises(WrongInput, match="tap 1 of window 1: it lies outside of the samples"):
        D.matrix_of("max_unpool", 2, 2, length=3, taps=[1, 1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("theorems", "--ids", "--json"),
            "derive theorems: --ids --json: the ids alone are printed as text; give one of them\n",
        ),
        (
            ("matrix", "correlate", "--n", "5", "--k", "3", "--latex", "--numpy"),
            "derive matrix: --latex --numpy: a matrix is written in one way; give one of them\n",
        ),
        (
            ("matrix", "correlate", "--n", "5", "--k", "3", "--numpy", "--text"),
            "derive matrix: --text --numpy: a matrix is written in one way; give one of them\n",
        ),
        (
            ("matrix", "adaptive_avg_pool", "--n", "5", "--set", "m=0"),
            (
                "derive matrix: output length = 0: an output length is at least 1; "
                "give a positive output length\n"
            ),
        ),
    ],
)
def test_the_command_line_says_so_too(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err == message
