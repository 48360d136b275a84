"""What is printed must not lie: the LaTeX is read back, evaluated, and compared with the expression.

The reader below is independent of the printer: it knows LaTeX and arithmetic, nothing of ``derive``.
"""

from __future__ import annotations

import random
import re
from itertools import product
from typing import Any

import numpy as np
import pytest

from derive import shapes
from derive.document.math import Names, condition, conditions, expression, name_latex
from derive.document.sums import (
    Setting,
    facts_of,
    index_names,
    short_names,
    size_names,
    sum_lines,
)
from derive.evaluation import holds
from derive.expr import (
    Cond,
    Div,
    Expr,
    Sym,
    all_of,
    any_of,
    apply,
    between,
    divides,
    eq,
    maximum,
    minimum,
    ne,
)
from derive.form import Form, build, tensor, vjp
from derive.operators import OPERATORS, avg_pool, correlate, flip, max_pool, zero_insert
from derive.symbols import offset, sizes
from derive.table import evaluate, shape_at

# -- a reader of the printed LaTeX ---------------------------------------------------------------

TOKEN = re.compile(
    r"\s*(\\[a-zA-Z]+|\\[,;:! ]|[A-Za-z]|\d+|[-+*/()\[\]{}=<>^_,]|')"
)  # fmt: skip
SPACES = {r"\,", r"\;", r"\:", r"\!", r"\ ", r"\quad"}
RELATIONS = {"=": "==", "<": "<", ">": ">", r"\le": "<=", r"\ge": ">=", r"\ne": "!="}


def tokens(latex: str) -> list[str]:
    """The tokens of a formula, white space left out."""
    latex = re.sub(r"\\mathrm\{([a-z]+)\}", r"\1", latex)
    found: list[str] = TOKEN.findall(latex)
    assert "".join(found) == re.sub(r"\s", "", latex.replace(r"\ ", "")), latex
    return [t for t in found if t not in SPACES]


class Reader:
    """Recursive descent over tokens; ``env`` gives numbers, functions and tensors by printed name."""

    def __init__(self, latex: str, env: dict[str, Any]) -> None:
        self.tokens, self.at, self.env = tokens(latex), 0, env

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, wanted: str | None = None) -> str:
        t = self.peek()
        assert wanted is None or t == wanted, f"{wanted} expected at {self.tokens[self.at :]}"
        self.at += 1
        return t

    def total(self) -> Any:
        """A sum; ``\\bmod`` binds like a product on both sides."""
        sign = -1 if self.peek() == "-" and self.take() else 1
        value = sign * self.product()
        while self.peek() in ("+", "-"):
            op = self.take()
            value = value + self.product() if op == "+" else value - self.product()
        return value

    def product(self) -> Any:
        value = self.power()
        while True:
            t = self.peek()
            if t == "/":
                self.take()
                value = Over(value, self.power())
            elif t == r"\bmod":
                self.take()
                value = value % self.power()
            elif t and (
                t[0].isalnum()
                or t == "("
                or t in (r"\lfloor", r"\lceil", r"\lvert", r"\max", r"\min", r"\sigma")
            ):
                value = value * self.power()
            else:
                return value

    def power(self) -> Any:
        value = self.atom()
        if self.peek() == "^":
            self.take()
            self.take("{")
            value = value ** self.total()
            self.take("}")
        return value

    def atom(self) -> Any:
        t = self.take()
        if t.isdigit():
            return int(t)
        if t == "(":
            value = self.total()
            self.take(")")
            return value
        if t in (r"\lfloor", r"\lceil"):
            value = self.total()
            self.take(t.replace("l", "r", 1))
            assert isinstance(value, Over)
            return value.floor() if t == r"\lfloor" else value.ceil()
        if t == r"\lvert":
            value = self.total()
            self.take(r"\rvert")
            return abs(value)
        if t in (r"\max", r"\min"):
            return (max if t == r"\max" else min)(*self.arguments("(", ")"))
        name = t + self.subscript()
        known = self.env[name]
        if callable(known):
            return known(*self.arguments("(", ")"))
        return known

    def subscript(self) -> str:
        if self.peek() != "_":
            return ""
        self.take()
        self.take("{")
        text = ""
        while self.peek() != "}":
            text += self.take()
        self.take("}")
        return "_" + text

    def arguments(self, opening: str, closing: str) -> list[Any]:
        self.take(opening)
        values = []
        while self.peek() != closing:
            values.append(self.total())
            if self.peek() == ",":
                self.take()
        self.take(closing)
        return values


class Over:
    """A quotient that must still be rounded."""

    def __init__(self, num: int, den: int) -> None:
        self.num, self.den = num, den

    def __rmul__(self, sign: int) -> Over:
        assert sign == 1, "a sign in front of a quotient would be read as part of it"
        return self

    def floor(self) -> int:
        return self.num // self.den

    def ceil(self) -> int:
        return -(-self.num // self.den)


def read_value(latex: str, env: dict[str, Any]) -> int:
    """The value of a printed expression."""
    r = Reader(latex, env)
    value: int = r.total()
    assert r.peek() == "", (latex, r.tokens[r.at :])
    return value


def split_top(latex: str, word: str) -> list[str]:
    """Cut at a separator that is not inside brackets."""
    parts, depth, start, i = [], 0, 0, 0
    while i < len(latex):
        if latex[i] in "([{":
            depth += 1
        elif latex[i] in ")]}":
            depth -= 1
        elif depth == 0 and latex.startswith(word, i):
            parts.append(latex[start:i])
            start = i + len(word)
        i += 1
    return [*parts, latex[start:]]


def read_condition(latex: str, env: dict[str, Any]) -> bool:
    """The truth of a printed condition."""
    latex = latex.strip()
    for word, join in ((r"\;\text{ or }\;", any), (r"\;\text{ and }\;", all)):
        parts = split_top(latex, word)
        if len(parts) > 1:
            return join(read_condition(p, env) for p in parts)
    if latex == r"\text{false}":
        return False
    if latex == r"\text{true}":
        return True
    if latex.startswith("(") and r"\text" in latex:
        return read_condition(latex[1:-1], env)
    for word, wanted in ((r"\nmid", True), (r"\mid", False)):
        parts = split_top(latex, word)
        if len(parts) == 2:
            return (read_value(parts[1], env) % read_value(parts[0], env) != 0) is wanted
    pieces = re.split(r"(\\le(?![a-z])|\\ge(?![a-z])|\\ne(?![a-z])|=|<|>)", latex)
    values = [read_value(p, env) for p in pieces[::2]]
    ops = [RELATIONS[p] for p in pieces[1::2]]
    assert ops, latex
    compare = {
        "==": int.__eq__,
        "<": int.__lt__,
        ">": int.__gt__,
        "<=": int.__le__,
        ">=": int.__ge__,
        "!=": int.__ne__,
    }
    return all(compare[o](a, b) for o, a, b in zip(ops, values, values[1:], strict=False))


# -- expressions and conditions --------------------------------------------------------------------

n, k, s, d, e, m = sizes("n k s d e m")
i, t, j = sizes("i t j")
lo, hi = offset("p_lo"), offset("p_hi")
RUNNING = Names(indices=frozenset("itj"))

EXPRESSIONS = [
    shapes.conv_length(n, k, s, d, e, lo, hi),
    shapes.conv_remainder(n, k, s, d, e, lo, hi),
    shapes.conv_transpose_length(m, k, s, d, lo, hi, offset("r")),
    shapes.ceil_length(n, k, s, d, lo, hi),
    shapes.same_length(n, s),
    *shapes.same_padding(n, k, s, d),
    *shapes.adaptive_window(i, n, m),
    s * i + d * t - lo,
    (n + k) * s,
    (n - k) * (s - 1),
    -(n - k),
    (n - k) ** 2,
    3 * (n - k) ** 2 * s - 2,
    2 * (n % s),
    s * (n % s) - n,
    (n % s) * (k % s),
    -((-n) // s) * d,
    (n // s) // k,
    (n // s) * s,
    (n // s) ** 2,
    maximum(n, k) - minimum(n, s) * d,
    maximum(n - 1, 1 - n),
    maximum(maximum(n, k), s),
    minimum(n // s, k) + 1,
    apply("σ", i) * d + s * i,
    n * k - n - k + 1,
    n * k * s - n * k - n * s,
    i * n + n,
    n - n,
    n - n - 1,
    (n * s + k) // (s * d),
    (n + 1) // (k + s),
    -(n // s),
    -1 * maximum(n, k),
]

CONDITIONS = [
    between(0, t, k),
    between(0, s * i + d * t - lo, n),
    between(-2, s * i - d * t, n + k),
    between(lo, i, n),
    eq(s * i + d * t, e * j + lo),
    eq(n % s, 0),
    ne(n % s, 0),
    divides(s, n - k),
    ~divides(s, k - n),
    ne(n, k),
    e * (n - 1) + lo + hi >= d * (k - 1),
    n + lo + hi >= d * (k - 1) + 1,
    n >= 1,
    n <= 5,
    n < k,
    any_of(n >= k, all_of(s >= 2, divides(s, n))),
    all_of(n >= k, any_of(s >= 2, d >= 2)),
    any_of(eq(k, 1), eq(n % s, 1), n < s),
    all_of(between(0, i, n), between(0, t, k), eq(i, t)),
    (apply("σ", i) < k),
    between(0, apply("σ", i), k),
    all_of(),
    any_of(),
    shapes.conv_length(n, k, s) >= j + 1,
]


def _environment(seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Random values, by name and by printed name."""
    r = random.Random(seed)
    values: dict[str, Any] = {c: r.randint(1, 9) for c in "nksdemitj"}
    values |= {"p_lo": r.randint(-4, 4), "p_hi": r.randint(-4, 4), "r": r.randint(0, 3)}
    values["σ"] = lambda a: (3 * a + seed) % 5
    return values, printed_names(values)


def printed_names(values: dict[str, Any]) -> dict[str, Any]:
    """The same values by the name that the printer writes."""
    found = {}
    for name, v in values.items():
        plain = re.sub(r"\\mathrm\{([a-z]+)\}", r"\1", name_latex(name))
        found[re.sub(r"_\{([^}]*)\}", r"_\1", plain)] = v
    return found


@pytest.mark.parametrize("value", EXPRESSIONS, ids=str)
@pytest.mark.parametrize("names", [Names(), RUNNING], ids=["plain", "running"])
def test_printed_expressions_evaluate_to_the_same(value: Expr, names: Names) -> None:
    latex = expression(value, names)
    for seed in range(25):
        values, printed = _environment(seed)
        assert read_value(latex, printed) == value.at(values), latex


@pytest.mark.parametrize("cond", CONDITIONS, ids=str)
@pytest.mark.parametrize("names", [Names(), RUNNING], ids=["plain", "running"])
def test_printed_conditions_have_the_same_truth(cond: Cond, names: Names) -> None:
    latex = condition(cond, names)
    listed = conditions([cond], names)
    for seed in range(40):
        values, printed = _environment(seed)
        wanted = bool(holds(cond, values))
        assert read_condition(latex, printed) is wanted, latex
        assert all(read_condition(c, printed) for c in listed) is wanted, listed


def test_printed_conditions_are_seen_both_true_and_false() -> None:
    """The comparison above would be worthless if the random values only ever made them true."""
    for cond in CONDITIONS:
        if cond in (all_of(), any_of()):
            continue
        seen = {bool(holds(cond, _environment(seed)[0])) for seed in range(200)}
        assert seen == {True, False} or str(cond) in ("n >= 1", "p_lo >= -9"), cond


def test_a_sum_times_a_symbol_keeps_its_brackets() -> None:
    assert expression((n + k) * s) in (
        r"n\,s + s\,k",
        r"n\,s + k\,s",
        r"s\,n + s\,k",
        r"s\,k + n\,s",
    )
    assert expression(d * (k - 1)) == "d(k - 1)"
    assert expression((n + k) // s) == r"\lfloor (n + k)/s \rfloor"
    assert expression(n // (s + d)) == r"\lfloor n/(s + d) \rfloor"


def test_short_names_stand_for_what_they_say() -> None:
    length = shapes.conv_length(n, k, s, d, e, lo, hi)
    g = tensor("g", length)
    shorts = short_names([g], frozenset())
    assert [x.symbol for x in shorts] == [Sym("m"), Sym("r")]
    quotient = next(a for a in length.atoms() if isinstance(a, Div))
    q = Expr({(quotient,): 1})
    names = Names(indices=frozenset("itj"), shorts=shorts)
    for value in (
        length,
        s * q + 1,
        e * n + lo - s * q - e,
        d * (k - 1) - hi + shapes.conv_remainder(n, k, s, d, e, lo, hi),
        q * k,
        2 * s * q,
    ):
        latex = expression(value, names)
        assert "lfloor" not in latex
        for seed in range(25):
            values, printed = _environment(seed)
            printed |= {
                "m": length.at(values),
                "r": shapes.conv_remainder(n, k, s, d, e, lo, hi).at(values),
            }
            assert read_value(latex, printed) == value.at(values), latex


def test_the_hypothesis_of_a_convolution_reads_as_in_the_books() -> None:
    assert condition(n + lo + hi >= d * (k - 1) + 1) == (
        r"n + p_{\mathrm{lo}} + p_{\mathrm{hi}} \ge d(k - 1) + 1"
    )


# -- sums ------------------------------------------------------------------------------------------


def read_form(
    lines: tuple[str, ...], form: Form, names: Names, env: dict[str, Any], arrays: dict[str, Any]
) -> Any:
    """The array that a printed sum describes, by brute force over every index."""
    from fractions import Fraction

    shape = shape_at(form, env)
    out = np.zeros(shape, dtype=object)
    printed = printed_names(dict(env))
    letters = [_bare(names.letters[x.name]) for x in form.index]
    for at in product(*map(range, shape)):
        local = {**printed, **dict(zip(letters, at, strict=True))}
        out[at] = sum((read_term(line, local, arrays) for line in lines), Fraction(0))
    return out


def _bare(latex: str) -> str:
    plain = re.sub(r"\\mathrm\{([a-z]+)\}", r"\1", latex)
    return re.sub(r"_\{([^}]*)\}", r"_\1", plain)


def read_term(line: str, env: dict[str, Any], arrays: dict[str, Any]) -> Any:
    """The value of one printed term, its indices summed over."""
    from fractions import Fraction

    line = line.strip()
    sign = 1
    while line[:1] in "+-":
        sign *= -1 if line[0] == "-" else 1
        line = line[1:].strip()
    conds: list[str] = []
    if line.startswith(r"\bigl["):
        inside, _, line = line.removeprefix(r"\bigl[\,").partition(r"\,\bigr]\,")
        conds = inside.split(r",\;")
    elif line.startswith(r"\sum_{"):
        stack, line = _group(line.removeprefix(r"\sum_"))
        if stack.startswith(r"\substack"):
            stack, _ = _group(stack.removeprefix(r"\substack"))
        conds = stack.split(r" \\ ")
    ranges = [re.fullmatch(r"0 \\le (\S+) (<|\\le) (.*)", c) for c in conds]
    bound = [f for f in ranges if f and _bare(f.group(1)) not in env and _is_name(f.group(1))]
    names = [_bare(f.group(1)) for f in bound]
    tops = [read_value(f.group(3), env) + (f.group(2) != "<") for f in bound]
    total = Fraction(0)
    for at in product(*(range(top) for top in tops)):
        local = {**env, **dict(zip(names, at, strict=True))}
        if all(read_condition(c, local) for c in conds):
            total += _read_body(line, local, arrays)
    return sign * total


def _is_name(latex: str) -> bool:
    return re.fullmatch(r"(\\[a-z]+|[a-z])(_\{\d+\})?", latex) is not None


def _group(latex: str) -> tuple[str, str]:
    depth = 0
    for position, c in enumerate(latex):
        depth += (c == "{") - (c == "}")
        if depth == 0:
            return latex[1:position], latex[position + 1 :]
    raise AssertionError(latex)


def _read_body(body: str, env: dict[str, Any], arrays: dict[str, Any]) -> Any:
    from fractions import Fraction

    value = Fraction(1)
    body = body.strip()
    for name, array in arrays.items():
        found = re.search(rf"(?<![A-Za-z\\]){name}\[", body)
        while found:
            depth, end = 1, found.end()
            while depth:
                depth += (body[end] == "[") - (body[end] == "]")
                end += 1
            at = [read_value(p, env) for p in split_top(body[found.end() : end - 1], r",\,")]
            inside = all(0 <= a < size for a, size in zip(at, array.shape, strict=True))
            value *= int(array[tuple(at)]) if inside else 0
            body = (body[: found.start()] + body[end:]).strip()
            found = re.search(rf"(?<![A-Za-z\\]){name}\[", body)
    body = re.sub(r"(\\,)+", r"\\,", body).strip()
    body = re.sub(r"^\\,|\\,$", "", body).strip()
    if body.startswith(r"\frac"):
        num, rest = _group(body.removeprefix(r"\frac"))
        den, rest = _group(rest)
        assert not rest.replace(r"\,", "").strip(), rest
        bottom = read_value(den, env)
        return value * Fraction(read_value(num, env), bottom) if value else Fraction(0)
    return value * read_value(body, env) if body else value


def check_form(
    form: Form, env: dict[str, Any], hypotheses: tuple[Cond, ...] = (), laws: tuple[Any, ...] = ()
) -> None:
    """The printed sum and the form give the same numbers."""
    taken = size_names(hypotheses, [form])
    setting = Setting(taken, facts_of(hypotheses), laws, "i")
    lines = sum_lines(form, setting)
    names = index_names(form, None, setting)
    r = np.random.default_rng(7)
    arrays = {
        name: r.integers(-9, 10, [int(x.at(env)) for x in shape]) for name, shape in form.tensors
    }
    wanted = evaluate(form, env, arrays)
    found = read_form(lines, form, names, env, arrays)
    assert found.shape == wanted.shape
    assert (found == wanted).all(), lines


def _samples() -> list[Any]:
    return [
        pytest.param(name, number, id=f"{name}-{number}")
        for name, o in sorted(OPERATORS.items())
        for number, _ in enumerate(o.samples)
    ]


@pytest.mark.parametrize(("name", "number"), _samples())
def test_every_operator_prints_as_a_sum_that_evaluates_to_the_same(name: str, number: int) -> None:
    o = OPERATORS[name]
    given = dict(o.samples[number])
    forms = {p: tensor(p, *shape) for p, shape in given.items() if p in o.tensors}
    form = o.build(**{**given, **forms})
    check_form(form, {})


def test_symbolic_sums_evaluate_to_the_same() -> None:
    x, w = tensor("x", n), tensor("w", k)
    fits = (e * (n - 1) + lo + hi >= d * (k - 1),)
    y = correlate(x, w, s, (lo, hi), d, e)
    for env in (
        {"n": 6, "k": 3, "s": 2, "d": 2, "e": 1, "p_lo": 1, "p_hi": 2},
        {"n": 4, "k": 2, "s": 3, "d": 1, "e": 2, "p_lo": -1, "p_hi": 3},
    ):
        check_form(y, env, fits)
        check_form(vjp(y, "x"), env, fits)
        check_form(vjp(y, "w"), env, fits)
        check_form(zero_insert(flip(w), s), env)
    check_form(
        avg_pool(x, k, s, count_include_pad=False, padding=1),
        {"n": 7, "k": 3, "s": 2},
        (n >= k, k >= 2, s <= k),
    )
    pooled = max_pool(x, k, s)
    check_form(pooled, {"n": 8, "k": 3, "s": 2, "σ": lambda a: (a + 1) % 3}, (n >= k,))


def test_conditions_that_do_not_follow_stay() -> None:
    """A guard that is not implied must still be printed: here it cuts half of the output."""
    x = tensor("x", n)
    form = build((n,), lambda a: x[a].where(a >= k))
    lines = sum_lines(form, Setting(size_names((), [form])))
    assert r"i \ge k" in lines[0]
    check_form(form, {"n": 5, "k": 3})
    implied_by_hypothesis = sum_lines(form, Setting(size_names((), [form]), (k <= 0,)))
    assert implied_by_hypothesis == ("x[i]",)
