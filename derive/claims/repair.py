"""The nearest true statement: where a claim is false, a small change that makes it true, proved.

Changes of the syntax tree (:mod:`derive.claims.repair_edits`) are tried in order of smallness, alone
and then together.  Samples at a few small sizes throw out nearly all of them; what agrees there is
judged for all sizes, and only what is proved is offered.  There is no table of known answers.
"""

from __future__ import annotations

import ast
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

from derive.claims.judge import Judgment, judge
from derive.claims.meaning import Claim, read
from derive.claims.parse import Parsed, parse, written
from derive.claims.reduce import support
from derive.claims.repair_edits import Edit, edits, expression, length_text, lengthened, put
from derive.claims.report import Repair
from derive.claims.values import About, Same
from derive.decide.equality import counterexample_at
from derive.decide.verdict import Proved
from derive.errors import DeriveError
from derive.expr import Apply, Expr, Sym, all_of, cond_symbols, expressions, holds
from derive.form import Form
from derive.table import coefficients, shape_at

SAMPLES, TRIES = 7, 400
DEPTH, KEPT = 3, 5
PROOF_SECONDS = 1.5
LEAST = 0.75  # a change that makes the agreement worse than this is not followed
RIGHT_SHARE = 0.6  # of the time is for changes of the right side alone
LARGE = ("n", "h", "m")


@dataclass(frozen=True)
class _State:
    """A changed claim, how well it agrees with the samples, and how it came about."""

    parsed: Parsed
    cost: float = 0.0
    words: tuple[str, ...] = ()
    score: float = 0.0


def repair(judgment: Judgment, seconds: float) -> Repair | None:
    """The nearest true statement of a claim that is false for some sizes.

    Args:
        judgment: what was found about the claim.
        seconds: how long to search.

    Returns:
        the statement, proved for all sizes at which it is defined, and what was changed; None where
        no small change was found in the time.

    >>> from derive.claims.judge import judge
    >>> found = repair(judge("vjp(correlate(x, w), x, g) == correlate(g, w, padding='full')"), 5.0)
    >>> found["claim"]
    "vjp(correlate(x, w), x, g) == correlate(g, flip(w), padding='full')"
    """
    end = time.monotonic() + seconds
    parsed = parse(judgment.claim.text)
    if parsed.iff is not None:
        return _other_condition(parsed, judgment, end)
    body = parsed.body
    if (
        not isinstance(body, ast.Compare)
        or len(body.ops) != 1
        or not isinstance(body.ops[0], ast.Eq)
    ):
        return None
    if isinstance(judgment.claim.statement, About):
        return _other_value(parsed, body, end)
    if isinstance(judgment.claim.statement, Same):
        return _search(parsed, judgment, end)
    return None


def _proved(state: _State, end: float) -> Repair | None:
    seconds = min(PROOF_SECONDS, end - time.monotonic())
    if seconds <= 0:
        return None
    try:
        found = judge(written(state.parsed), seconds)
    except DeriveError:
        return None
    if not isinstance(found.verdict, Proved):
        return None
    assumed = [str(c) for c in found.assumed]
    return Repair(claim=found.claim.text, change="; ".join(state.words), assumed=assumed)


def _other_condition(parsed: Parsed, judgment: Judgment, end: float) -> Repair | None:
    """``… iff C`` where another condition is the exact one."""
    if judgment.exact is None:
        return None
    try:
        state = _State(
            replace(parsed, iff=expression(str(judgment.exact))), words=("another condition",)
        )
    except SyntaxError:
        return None
    return _proved(state, end)


def _other_value(parsed: Parsed, body: ast.Compare, end: float) -> Repair | None:
    """A number or a shape: the right side as it is."""
    from derive.claims.meaning import sides

    both = sides(parsed.text)
    if both is None:
        return None
    for value, side in zip(both, (body.comparators[0], body.left), strict=True):
        text = _value_text(value)
        other = body.left if side is body.comparators[0] else body.comparators[0]
        if text is None or not isinstance(other, ast.Call):
            continue
        try:
            new = put(body, side, expression(text))
        except SyntaxError:
            continue
        words = f"{text} instead of {ast.unparse(side)}"
        found = _proved(_State(replace(parsed, body=new), words=(words,)), end)
        if found is not None:
            return found
    return None


def _value_text(value: Any) -> str | None:
    if isinstance(value, Expr):
        text = length_text(value)
        return text if len(text) <= 80 else None
    if isinstance(value, tuple):
        parts = [_value_text(v) for v in value]
        if all(p is not None for p in parts):
            return f"({', '.join(map(str, parts))}{',' if len(parts) == 1 else ''})"
    return None


# -- operators -------------------------------------------------------------------------------------


def _search(parsed: Parsed, judgment: Judgment, end: float) -> Repair | None:
    samples = _samples(judgment)
    if not samples:
        return None
    soon = time.monotonic() + RIGHT_SHARE * (end - time.monotonic())
    first = _grow(parsed, judgment, samples, soon, left_too=False)
    return first or _grow(parsed, judgment, samples, end, left_too=True)


def _grow(
    parsed: Parsed,
    judgment: Judgment,
    samples: Sequence[dict[str, int]],
    end: float,
    left_too: bool,
) -> Repair | None:
    """One change, then two, then three: of the right side, or of both."""
    frontier = [_State(parsed, score=_score(judgment.claim, samples))]
    seen = {written(parsed)}
    for depth in range(DEPTH):
        grown: list[_State] = []
        for state in frontier:
            for edit in _changes(state, samples, left_too):
                for new in _closed(state, edit, seen, samples, end):
                    if new.score >= 2 * len(samples):
                        found = _proved(new, end)
                        if found is not None:
                            return found
                    elif depth + 1 < DEPTH and new.score >= LEAST * state.score:
                        grown.append(new)
                if time.monotonic() > end:
                    return None
        frontier = sorted(grown, key=lambda s: (-s.score, s.cost))[:KEPT]
    return None


def _closed(
    state: _State,
    edit: Edit,
    seen: set[str],
    samples: Sequence[dict[str, int]],
    end: float,
) -> Iterator[_State]:
    """The changed claim; where its lengths do not fit, also with the remainder added."""
    new = _applied(state, edit, seen, samples)
    if new is None:
        return
    yield new
    if new.score < 2 * len(samples) and time.monotonic() < end:
        body, claim = new.parsed.body, read(written(new.parsed))
        assert isinstance(body, ast.Compare)
        for more in lengthened(body, _gap(claim)):
            longer = _applied(new, more, seen, samples)
            if longer is not None:
                yield longer


def _applied(
    state: _State, edit: Edit, seen: set[str], samples: Sequence[dict[str, int]]
) -> _State | None:
    """The changed claim with its score; None where it says nothing, or nothing new."""
    changed = replace(state.parsed, body=edit.body)
    text = written(changed)
    body = edit.body
    if text in seen or not isinstance(body, ast.Compare):
        return None
    seen.add(text)
    if ast.unparse(body.left) == ast.unparse(body.comparators[0]):
        return None
    try:
        claim = read(text)
        score = _score(claim, samples)
    except (DeriveError, ZeroDivisionError, KeyError):
        return None
    return _State(parse(text), state.cost + edit.cost, (*state.words, edit.words), score)


def _changes(state: _State, samples: Sequence[dict[str, int]], left_too: bool) -> Iterator[Edit]:
    body = state.parsed.body
    assert isinstance(body, ast.Compare)
    claim = read(written(state.parsed))
    assert isinstance(claim.statement, Same)
    yield from _factor(body, claim, samples)
    yield from edits(body, _gap(claim), left_too)


def _gap(claim: Claim) -> list[Expr]:
    """How much longer the left output is than the right one, along each axis."""
    assert isinstance(claim.statement, Same)
    left, right = claim.statement.left.shape, claim.statement.right.shape
    return [a - b for a, b in zip(left, right, strict=True)] if len(left) == len(right) else []


def _defined(claim: Claim, sizes: dict[str, int]) -> bool:
    statement = claim.statement
    assert isinstance(statement, Same)
    requires = (*statement.left.requires, *statement.right.requires)
    return bool(holds(all_of(*claim.hypotheses, *requires), sizes))


def _forms(claim: Claim) -> tuple[Form, Form]:
    statement = claim.statement
    assert isinstance(statement, Same)
    if statement.reads_only:
        return support(statement.left), support(statement.right)
    return statement.left, statement.right


def _score(claim: Claim, samples: Sequence[dict[str, int]]) -> float:
    """2 for each sample at which both sides agree, up to 2 for each that they come near."""
    left, right = _forms(claim)
    total = 0.0
    for sizes in samples:
        if not _defined(claim, sizes):
            continue
        if shape_at(left, sizes) != shape_at(right, sizes):
            continue
        if _has_functions(left, right):
            laws = claim.statement.laws if isinstance(claim.statement, Same) else ()
            total += 2.0 if counterexample_at(left, right, sizes, laws) is None else 0.5
            continue
        ours, theirs = coefficients(left, sizes), coefficients(right, sizes)
        keys = ours.keys() | theirs.keys()
        alike = sum(ours.get(k) == theirs.get(k) for k in keys)
        total += 2.0 if alike == len(keys) else 1.0 + 0.9 * alike / max(1, len(keys))
    return total


def _has_functions(*forms: Form) -> bool:
    return any(
        isinstance(a, Apply)
        for f in forms
        for t in f.terms
        for e in (
            *(e for c in t.where for e in expressions(c)),
            *(e for r in t.reads for e in r.at),
        )
        for a in e.atoms()
    )


def _samples(judgment: Judgment) -> list[dict[str, int]]:
    """Small sizes at which the claim is defined, the counterexample's first; seeded, so always the same."""
    claim = judgment.claim
    statement = claim.statement
    assert isinstance(statement, Same)
    symbols = {*statement.left.sizes(), *statement.right.sizes()}
    symbols |= {s for c in claim.hypotheses for s in cond_symbols(c)}
    ordered = sorted(symbols, key=lambda s: s.name)
    found: list[dict[str, int]] = []
    if judgment.counterexample is not None:
        first = dict(judgment.counterexample.sizes)
        if {s.name for s in ordered} <= first.keys() and _defined(claim, first):
            found.append(first)
    source = random.Random(1)
    for number in range(TRIES):
        sizes = {s.name: _value(s, source, wide=number > TRIES // 2) for s in ordered}
        if sizes not in found and _defined(claim, sizes):
            found.append(sizes)
        if len(found) >= SAMPLES or not ordered:
            break
    return found


def _value(s: Sym, source: random.Random, wide: bool) -> int:
    least = -2 if s.minimum is None else s.minimum
    if s.name.startswith(LARGE):
        return source.randint(max(least, 3), 11)
    return source.randint(least, least + (5 if wide else 3))


# -- another constant ------------------------------------------------------------------------------


def _factor(body: ast.Compare, claim: Claim, samples: Sequence[dict[str, int]]) -> Iterator[Edit]:
    """The right side times a constant, where the two sides only differ by one.

    The ratio at the samples is written as a product of powers of the sizes.
    """
    left, right = _forms(claim)
    if _has_functions(left, right):
        return
    ratios: list[tuple[dict[str, int], Fraction]] = []
    for sizes in samples:
        ratio = _ratio(left, right, sizes) if _defined(claim, sizes) else None
        if ratio is None:
            return
        ratios.append((sizes, ratio))
    if all(r == 1 for _, r in ratios):
        return
    guess = _monomial(ratios, sorted({*left.sizes(), *right.sizes()}, key=lambda s: s.name))
    if guess is None:
        return
    side = body.comparators[0]
    new, words = _times(side, *guess)
    yield Edit(1.0, words, put(body, side, new))


def _ratio(left: Form, right: Form, sizes: dict[str, int]) -> Fraction | None:
    if shape_at(left, sizes) != shape_at(right, sizes):
        return None
    ours, theirs = coefficients(left, sizes), coefficients(right, sizes)
    if not theirs or ours.keys() != theirs.keys():
        return None
    found = {ours[k] / theirs[k] for k in ours}
    return found.pop() if len(found) == 1 else None


def _monomial(
    ratios: Sequence[tuple[dict[str, int], Fraction]], symbols: Sequence[Sym]
) -> tuple[Fraction, dict[str, int]] | None:
    """``(number, powers)`` with ``ratio == number * Π size**power`` at every sample, simplest first."""
    names = [s.name for s in symbols][:5]
    powers = sorted(product(range(-2, 3), repeat=len(names)), key=lambda p: sum(map(abs, p)))
    for chosen in powers:
        numbers = set()
        for sizes, ratio in ratios:
            value = ratio
            for name, power in zip(names, chosen, strict=True):
                if sizes[name] == 0 and power:
                    break
                value /= Fraction(sizes[name]) ** power if power else 1
            else:
                numbers.add(value)
                if len(numbers) == 1:
                    continue
            numbers.add(Fraction(0))
            break
        if len(numbers) == 1 and 0 not in numbers:
            return numbers.pop(), dict(zip(names, chosen, strict=True))
    return None


def _times(side: ast.expr, number: Fraction, powers: dict[str, int]) -> tuple[ast.expr, str]:
    def text(sign: int, constant: int) -> str:
        parts = [n if abs(p) == 1 else f"{n}**{abs(p)}" for n, p in powers.items() if p * sign > 0]
        return "*".join(([str(constant)] if constant != 1 or not parts else []) + parts)

    top, bottom = text(1, number.numerator), text(-1, number.denominator)
    whole = ast.unparse(side)
    factor = (
        top if bottom == "1" else f"{top}/{bottom}" if "*" not in bottom else f"{top}/({bottom})"
    )
    if bottom == "1":
        written_out = f"({top})*({whole})"
    else:
        inner = f"({whole})" if top == "1" else f"({top})*({whole})"
        written_out = f"{inner}/({bottom})"
    return expression(written_out), f"times {factor}"
