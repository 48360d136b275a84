"""Proving a theorem: every part decided, every step of its chain decided, every hypothesis tried.

The result is data (:class:`Proof`); writing it down is the business of :mod:`derive.document`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from derive.decide.equality import check_satisfiable, decide_equal, decide_holds
from derive.decide.iff import decide_iff
from derive.decide.normal import summed
from derive.decide.solver import DEFAULT_SECONDS, Law
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Verdict
from derive.errors import NotSupported
from derive.expr import FALSE, Cond, negate
from derive.form import Form
from derive.theorems.model import Equal, EqualIff, Holds, Part, Statement, Step, Theorem


@dataclass(frozen=True)
class Link:
    """One form of a chain: ``as_call`` is shown as operators, otherwise as a sum.

    ``verdict`` compares it with the form before it (None for the first).
    """

    form: Form
    reason: str
    as_call: bool
    verdict: Verdict | None


@dataclass(frozen=True)
class Dropped:
    """What happens without a hypothesis: a refutation shows that it is needed."""

    hypothesis: Cond
    verdict: Verdict


@dataclass(frozen=True)
class PartProof:
    """What was found for one part."""

    part: Part
    verdict: Verdict
    chain: tuple[Link, ...]
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True)
class Proof:
    """What was found for a theorem: ``seconds`` is the time that deciding the parts took."""

    theorem: Theorem
    parts: tuple[PartProof, ...]
    twin: Verdict
    seconds: float

    @property
    def proved(self) -> bool:
        """Every part and every step is proved, and the near-miss twin is refuted."""
        parts = all(isinstance(p.verdict, (Proved, HoldsWhen)) for p in self.parts)
        steps = all(
            link.verdict is None or isinstance(link.verdict, Proved)
            for p in self.parts
            for link in p.chain
        )
        return parts and steps and isinstance(self.twin, Refuted)


PROOF_SECONDS = 120.0
"""What a question of the catalogue may take on a busy machine; on a quiet one it is a second or two."""


def prove(theorem: Theorem, seconds: float = PROOF_SECONDS) -> Proof:
    """Decide a theorem completely: parts, chains, hypotheses, twin."""
    start = time.perf_counter()
    verdicts = [decide(p.statement, p.hypotheses, p.laws, seconds) for p in theorem.parts]
    spent = time.perf_counter() - start
    parts = tuple(
        PartProof(p, v, chain(p, seconds), tuple(drop(p, h, seconds) for h in p.hypotheses))
        for p, v in zip(theorem.parts, verdicts, strict=True)
    )
    twin = decide(theorem.twin.statement, theorem.twin.hypotheses, theorem.twin.laws, seconds)
    return Proof(theorem, parts, twin, spent)


def decide(
    statement: Statement,
    hypotheses: Sequence[Cond] = (),
    laws: Sequence[Law] = (),
    seconds: float = DEFAULT_SECONDS,
) -> Verdict:
    """Decide one statement for all sizes that the hypotheses allow."""
    match statement:
        case Equal(left, right):
            return decide_equal(left, right, hypotheses, laws=laws, seconds=seconds)
        case EqualIff():
            return decide_iff(
                statement.left,
                statement.right,
                statement.condition,
                statement.witnesses,
                hypotheses,
                laws=laws,
                seconds=seconds,
            )
        case Holds(cond):
            check_satisfiable(hypotheses, laws=laws, seconds=seconds)
            return decide_holds(hypotheses, cond, laws=laws, seconds=seconds)


def chain(part: Part, seconds: float = DEFAULT_SECONDS) -> tuple[Link, ...]:
    """The proof of an equality as a chain of forms, every adjacent pair decided.

    From both ends: the operators, their definition as a sum, the same sum re-indexed by the
    positions that it reads; the two re-indexed sums meet in the middle.  The steps that the theorem
    itself names (``via``) stand between.
    """
    if not isinstance(part.statement, (Equal, EqualIff)):
        return ()
    if isinstance(part.statement, EqualIff) and part.statement.condition == FALSE:
        return ()  # different for all sizes: there is no chain to show
    left, right = part.statement.left, part.statement.right
    hypotheses = part.hypotheses
    if isinstance(part.statement, EqualIff):
        hypotheses = (*hypotheses, part.statement.condition)
    front = _unfolded(left, part.hypotheses)
    back = _unfolded(right, part.hypotheses)
    meeting = "the conditions on the indices are equivalent for all sizes"
    steps: list[tuple[Form, str, bool]] = [(left, "the left side", True)]
    steps += [(s.form, s.reason, False) for s in front]
    steps += [(s.form, s.reason, False) for s in part.via]
    reasons = [s.reason for s in back]
    forms = [s.form for s in back]
    for i, form in reversed(list(enumerate(forms))):
        before = meeting if i == len(forms) - 1 else f"undo: {reasons[i + 1]}"
        steps.append((form, before, False))
    steps.append((right, "read as operators: the right side", True))
    links: list[Link] = []
    for form, reason, as_call in steps:
        verdict = (
            None
            if not links
            else decide_equal(links[-1].form, form, hypotheses, laws=part.laws, seconds=seconds)
        )
        links.append(Link(form, reason, as_call, verdict))
    return tuple(links)


def _unfolded(form: Form, hypotheses: Sequence[Cond]) -> list[Step]:
    call = form.call
    transposed = call is not None and call.operator == "vjp"
    reason = (
        "transpose: exchange the output index and the index of the operand"
        if transposed
        else "write out the definitions"
    )
    steps = [Step(reason, form)]
    try:
        normal = summed(form)
    except NotSupported:
        return steps
    if normal.terms != form.terms:
        steps.append(Step("re-index by the positions that are read", normal))
    return steps


def drop(part: Part, hypothesis: Cond, seconds: float = DEFAULT_SECONDS) -> Dropped:
    """Decide the part without one hypothesis, where that hypothesis fails."""
    rest = tuple(h for h in part.hypotheses if h != hypothesis)
    verdict = decide(part.statement, (*rest, negate(hypothesis)), part.laws, seconds)
    return Dropped(hypothesis, verdict)
