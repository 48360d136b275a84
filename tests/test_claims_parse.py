"""Reading claims: what is let through, and the message for everything else."""

from __future__ import annotations

import re
import time

import pytest

from derive.claims.judge import judge
from derive.claims.meaning import read, sides
from derive.claims.parse import ClaimError, parse, written
from derive.errors import CannotBe, DeriveError, WrongInput

CLAIMS = (
    "flip(flip(x)) == x",
    "exists v: correlate(x, v) == flip(x) for n >= 2",
    "covered(conv_transpose(x, w, stride=s)) iff n == 1 or k >= s",
    "pad(x, (a, 0)) == x for integer(a), a >= 1",
    "conv_transpose([[1, 2], [3, 4]], w[2, 2]) == 0",
    "not flip(x) == x",
)


@pytest.mark.parametrize("text", CLAIMS)
def test_a_claim_put_together_again_is_the_same(text: str) -> None:
    assert written(parse(text)) == text
    assert written(parse(written(parse(f"  {text} ")))) == text


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("flop(x) == x", "the operator 'flop' is unknown; did you mean 'flip'?", 0),
        ("zzzzqq(x) == x", "`derive check --operators` lists all", 0),
        ("flip(x) == x +", "an expression was expected", 13),
        ("flip(x == x", "a bracket or a quote is not closed", 10),
        ("flip(x) == x for", "an expression was expected here", 15),
        ("flip(q) == x", "the symbol 'q' is free; declare it with `for q >= 1`", 5),
        ("q == 1", "with `for integer(q)`, or as a tensor with its shape, `q[n]`", 0),
        ("exists v correlate(x, v) == x", "after `exists NAME` a colon was expected", 28),
        ("flip(x) == x iff n == 1 iff n == 2", "a second `iff`; one is enough", 24),
        ("__import__('os')", "names that begin with underscores mean nothing here", 0),
        ("x.__class__ == x", "names that begin with an underscore mean nothing here", 0),
        ("(lambda: 1)() == x", "a lambda cannot be part of a claim", 1),
        ("[n for n in x] == x", "a comprehension cannot be part of a claim", 0),
        ("{'a': 1} == x", "a dictionary cannot be part of a claim", 0),
        ("(n := 3) == n", "an assignment cannot be part of a claim", 1),
        ("flip(x[1000000000000]) == x", "numbers go up to 1000000; use a symbol", 7),
        ("flip(x[10**9]) == x", "powers go from 0 to 6", 7),
        ("((((n + k + s + d)**6)**6)**6)**6 == 1", "this power has too many terms", 3),
        ("pad(x, (1000000, 0)) == x", "the size 1000000 is over the limit of 100000", 0),
        ("correlate(x, w, strid=2) == x", "unexpected keyword argument 'strid'", 0),
        ("correlate(x, w, stride=x) == x", "stride is an operator; a number was expected", 0),
        ("flip(3) == x", "x is the number 3; an operator or a tensor was expected", 0),
        ("flip(x)", "a statement was expected", 0),
        ("flip(x) < x", "there is no order between them", 0),
        ("correlate(x, w, padding='sane') == x", "padding 'sane' is unknown", 0),
        ("i0 == 1", "'i0' is reserved for an index; use another name", 0),
        ("n // 0 == 1", "the divisor of // and % is positive", 0),
        ("flip(x) / 0 == x", "this divides by zero", 0),
        ("exists q: flip(x) == x", "'q' does not occur", 7),
    ],
)
def test_the_caret_stands_under_the_place(text: str, message: str, place: int) -> None:
    with pytest.raises(WrongInput, match=re.escape(message)) as error:
        read(text)
    lines = str(error.value).splitlines()
    assert len(lines) == 3
    assert lines[1] == f"  {text}"
    assert lines[2] == " " * (place + 2) + "^"


def test_the_caret_of_a_long_claim() -> None:
    text = "flip(" * 20 + "qq" + ")" * 20 + " == x"
    with pytest.raises(ClaimError) as error:
        read(text)
    _, line, caret = str(error.value).splitlines()
    assert len(line) < 120
    assert line[caret.index("^") :].startswith("qq")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 10_000_000, "it has 10000000 characters, the limit is 20000; shorten it"),
        ("(" * 10_000 + ")" * 9_000, "brackets nest deeper than 60"),
        ("-" * 10_000 + "1 == 1", "too deep or too large"),
        ("not " * 4_000 + "n == 1", "too deep or too large"),
        ("*".join(["(n+k+s+d)"] * 300) + " == 1", "too deep or too large"),
        ("", "it is empty"),
        (" \n ", "it is empty"),
        ("x == '" + "a" * 100, "this quote is not closed"),
        (f"correlate(x, {'9' * 5000}) == x", "numbers go up to 1000000; use a symbol"),
        (f"x == x for n == {'9' * 5000}", "numbers go up to 1000000; use a symbol"),
        (f"length(x) == 1e{'9' * 5000}", "numbers go up to 1000000; use a symbol"),
        ("x == \x00", "null bytes|has no meaning|expression was expected|not closed"),
    ],
)
def test_hostile_text_is_refused_at_once(text: str, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(WrongInput, match=message) as error:
        read(text)
    assert time.perf_counter() - start < 2
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("correlate(x[3], w[5]) == x", "correlate: with these numbers there is no output"),
        ("correlate(x, w) == x for n < k", "there are no sizes at which both sides are defined"),
        ("flip(x) == x for n >= 2, n <= 1", "no sizes meet the hypotheses"),
    ],
)
def test_what_can_never_fit_is_no_refutation(text: str, message: str) -> None:
    with pytest.raises(CannotBe, match=message):
        judge(text)


@pytest.mark.parametrize(
    "text",
    ["flip(x[n1, n2]) == x[n1]", "vjp(correlate(x, w), v, g) == x"],
)
def test_what_does_not_fit_is_an_error_and_no_refutation(text: str) -> None:
    with pytest.raises(DeriveError):
        judge(text)


def test_the_sides_of_a_comparison() -> None:
    both = sides("length(correlate(x, w)) == n - k")
    assert both is not None
    assert [str(side) for side in both] == ["n - k + 1", "n - k"]
    assert sides("covered(x)") is None
