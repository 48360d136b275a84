"""The nearest true statement: where a claim is false, a small change that makes it true, proved.

Changes of the syntax tree (:mod:`derive.claims.repair_edits`) are tried in order of smallness, alone
and then together.  Samples at a few small sizes throw out nearly all of them; what agrees there is
judged for all sizes, and only what is proved is offered.  There is no table of known answers.

The search ends after a fixed amount of work, counted in samples and coefficients and in the solver's
own steps, so that the same claim gets the same answer on a slow machine and on a fast one.
"""

from __future__ import annotations

import ast
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import product
from typing import Any

from derive.claims.judge import Judgment, judge
from derive.claims.meaning import Claim, read
from derive.claims.parse import Parsed, parse, written
from derive.claims.reduce import support
from derive.claims.repair_edits import (
    Edit,
    calls_in,
    edits,
    expression,
    length_text,
    lengthened,
    plainest,
    put,
    says_nothing,
)
from derive.claims.report import Repair
from derive.claims.values import About, Same
from derive.decide.equality import counterexample_at, decide_equal
from derive.decide.solver import Answer, ask, counted_steps
from derive.decide.verdict import Proved
from derive.errors import DeriveError
from derive.evaluation import holds
from derive.expr import Apply, Atom, Cond, Expr, Max, Sym, all_of, cond_symbols, expressions
from derive.form import Form
from derive.table import coefficients, shape_at

SAMPLES, TRIES = 7, 400
RANKING = 3  # of the samples tell how near a change comes; the others are for what agrees there
DEPTH, KEPT = 2, 5
PROOFS = 12  # how often the solver is asked
PROOF_SECONDS = 60.0  # in which its counted steps end on any machine
LEAST = 0.75  # a change that makes the agreement worse than this is not followed
# Work is counted in computed samples, each of about three milliseconds.
WORK = 800
RIGHT_SHARE = 0.6  # of the work is for changes of the right side alone
READING = 3  # for each operator of a changed claim
FUNCTIONS = 4  # more for a sample with selection functions
ENTRIES = 200  # coefficients count as one more
LARGE = ("n", "h", "m")


@dataclass(frozen=True)
class _State:
    """A changed claim, how well it agrees with the samples, and how it came about."""

    parsed: Parsed
    claim: Claim
    cost: float = 0.0
    words: tuple[str, ...] = ()
    score: float = 0.0


@dataclass
class _Budget:
    """What is left of the work; ``end``, in seconds of this process, is for hostile claims alone."""

    work: float
    proofs: int
    end: float
    known: dict[str, tuple[Claim, float]] = field(default_factory=dict)

    def over(self, reserve: float = 0.0) -> bool:
        """Is the work done, apart from what is held in reserve?"""
        return self.work <= reserve or self.proofs <= 0 or time.process_time() > self.end


def repair(judgment: Judgment, seconds: float) -> Repair | None:
    """The nearest true statement of a claim that is false for some sizes.

    Args:
        judgment: what was found about the claim.
        seconds: how much time of the processor to spend at most; the search ends long before, after
            a fixed amount of work.

    Returns:
        the statement, proved for all sizes at which it is defined, and what was changed; None where
        no small change was found.

    >>> from derive.claims.judge import judge
    >>> found = repair(judge("vjp(correlate(x, w), x, g) == correlate(g, w, padding='full')"), 5.0)
    >>> found["claim"]
    "vjp(correlate(x, w), x, g) == correlate(g, flip(w), padding='full')"
    """
    budget = _Budget(WORK, PROOFS, time.process_time() + seconds)
    parsed = parse(judgment.claim.text)
    if parsed.iff is not None:
        return _other_condition(parsed, judgment, budget)
    body = parsed.body
    if (
        not isinstance(body, ast.Compare)
        or len(body.ops) != 1
        or not isinstance(body.ops[0], ast.Eq)
    ):
        return None
    if isinstance(judgment.claim.statement, About):
        return _other_value(parsed, body, judgment, budget)
    if isinstance(judgment.claim.statement, Same):
        return _search(parsed, judgment, budget)
    return None


def _proved(state: _State, budget: _Budget) -> Repair | None:
    if budget.proofs <= 0:
        return None
    budget.proofs -= 1
    try:
        with counted_steps():
            if not _holds(state.claim):
                return None
            found = judge(state.claim, PROOF_SECONDS)
    except DeriveError:
        return None
    if not isinstance(found.verdict, Proved):
        return None
    assumed = [str(c) for c in found.assumed]
    return Repair(claim=found.claim.text, change="; ".join(state.words), assumed=assumed)


def _holds(claim: Claim) -> bool:
    """Is an equality of operators proved?  Where it is not, its condition is of no interest."""
    statement = claim.statement
    if not isinstance(statement, Same) or claim.iff is not None:
        return True
    left, right = _forms(claim)
    facts = (*claim.hypotheses, *claim.requires, *left.requires, *right.requires)
    found = decide_equal(left, right, facts, laws=statement.laws, seconds=PROOF_SECONDS)
    return isinstance(found, Proved)


def _other_condition(parsed: Parsed, judgment: Judgment, budget: _Budget) -> Repair | None:
    """``… iff C`` where another condition is the exact one."""
    if judgment.exact is None:
        return None
    try:
        changed = replace(parsed, iff=expression(str(judgment.exact)))
        state = _State(changed, read(written(changed)), words=("another condition",))
    except (SyntaxError, DeriveError):
        return None
    return _proved(state, budget)


def _other_value(
    parsed: Parsed, body: ast.Compare, judgment: Judgment, budget: _Budget
) -> Repair | None:
    """A number or a shape: the right side as it is."""
    from derive.claims.meaning import sides

    both = sides(parsed.text)
    if both is None:
        return None
    facts = (*judgment.claim.hypotheses, *judgment.assumed)
    for value, side in zip(both, (body.comparators[0], body.left), strict=True):
        text = _value_text(value, facts)
        other = body.left if side is body.comparators[0] else body.comparators[0]
        if text is None or not isinstance(other, ast.Call):
            continue
        try:
            changed = replace(parsed, body=put(body, side, expression(text)))
            claim = read(written(changed))
        except (SyntaxError, DeriveError):
            continue
        words = f"{text} instead of {ast.unparse(side)}"
        found = _proved(_State(changed, claim, words=(words,)), budget)
        if found is not None:
            return found
    return None


def _value_text(value: Any, facts: Sequence[Cond]) -> str | None:
    if isinstance(value, Expr):
        text = length_text(_without_maxima(value, facts))
        return text if len(text) <= 80 else None
    if isinstance(value, tuple):
        parts = [_value_text(v, facts) for v in value]
        if all(p is not None for p in parts):
            return f"({', '.join(map(str, parts))}{',' if len(parts) == 1 else ''})"
    return None


def _without_maxima(e: Expr, facts: Sequence[Cond]) -> Expr:
    """The same number, where it is known which of two is the larger one."""

    def larger(atom: Atom) -> Expr | None:
        if isinstance(atom, Max):
            for one, other in ((atom.left, atom.right), (atom.right, atom.left)):
                if ask(facts, one >= other, seconds=PROOF_SECONDS) is Answer.YES:
                    return one
        return None

    with counted_steps():
        return e.map(larger)


# -- operators -------------------------------------------------------------------------------------


def _search(parsed: Parsed, judgment: Judgment, budget: _Budget) -> Repair | None:
    samples = _samples(judgment)
    if not samples:
        return None
    reserve = (1 - RIGHT_SHARE) * budget.work
    first = _grow(parsed, judgment, samples, budget, reserve)
    return first or _grow(parsed, judgment, samples, budget)


def _grow(
    parsed: Parsed,
    judgment: Judgment,
    samples: Sequence[dict[str, int]],
    budget: _Budget,
    reserve: float = 0.0,
) -> Repair | None:
    """One change, then two: of the right side as long as work is held in reserve, else of both."""
    score = _score(judgment.claim, samples[:RANKING], budget)
    frontier = [_State(parsed, judgment.claim, score=score)]
    seen = {plainest(parsed.body)}
    for depth in range(DEPTH):
        grown: list[_State] = []
        for state in frontier:
            for edit in _changes(state, samples, left_too=not reserve):
                if budget.over(reserve):
                    return None
                for new in _closed(state, edit, seen, samples, budget):
                    if new.score >= 2 * len(samples):
                        found = _proved(new, budget)
                        if found is not None:
                            return found
                    elif depth + 1 < DEPTH and new.score >= LEAST * state.score:
                        grown.append(new)
        frontier = sorted(grown, key=lambda s: (-s.score, s.cost))[:KEPT]
    return None


def _closed(
    state: _State,
    edit: Edit,
    seen: set[str],
    samples: Sequence[dict[str, int]],
    budget: _Budget,
) -> Iterator[_State]:
    """The changed claim; where its lengths do not fit, also with the remainder added."""
    new = _applied(state, edit, seen, samples, budget)
    if new is None:
        return
    yield new
    if new.score < 2 * len(samples) and not budget.over():
        body = new.parsed.body
        assert isinstance(body, ast.Compare)
        for more in lengthened(body, _gap(new.claim)):
            longer = _applied(new, more, seen, samples, budget)
            if longer is not None:
                yield longer


def _applied(
    state: _State,
    edit: Edit,
    seen: set[str],
    samples: Sequence[dict[str, int]],
    budget: _Budget,
) -> _State | None:
    """The changed claim with its score; None where it says nothing, or nothing new."""
    changed = replace(state.parsed, body=edit.body)
    text, plain = written(changed), plainest(edit.body)
    if plain in seen or says_nothing(edit.body):
        return None
    seen.add(plain)
    try:
        if plain not in budget.known:
            budget.work -= READING * len(calls_in(edit.body))
            claim = read(text)
            score = _score(claim, samples[:RANKING], budget)
            if score >= 2 * RANKING:
                score += _score(claim, samples[RANKING:], budget)
            budget.known[plain] = claim, score
    except (DeriveError, ZeroDivisionError, KeyError):
        return None
    claim, score = budget.known[plain]
    return _State(parse(text), claim, state.cost + edit.cost, (*state.words, edit.words), score)


def _changes(state: _State, samples: Sequence[dict[str, int]], left_too: bool) -> Iterator[Edit]:
    body = state.parsed.body
    assert isinstance(body, ast.Compare)
    yield from _factor(body, state.claim, samples)
    yield from edits(body, _gap(state.claim), left_too)


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


def _score(claim: Claim, samples: Sequence[dict[str, int]], budget: _Budget) -> float:
    """2 for each sample at which both sides agree, up to 2 for each that they come near."""
    left, right = _forms(claim)
    total = 0.0
    for sizes in samples:
        budget.work -= 1
        if not _defined(claim, sizes):
            continue
        if shape_at(left, sizes) != shape_at(right, sizes):
            continue
        if _has_functions(left, right):
            budget.work -= FUNCTIONS
            laws = claim.statement.laws if isinstance(claim.statement, Same) else ()
            total += 2.0 if counterexample_at(left, right, sizes, laws) is None else 0.5
            continue
        ours, theirs = coefficients(left, sizes), coefficients(right, sizes)
        keys = ours.keys() | theirs.keys()
        budget.work -= (len(ours) + len(theirs)) / ENTRIES
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
