"""What a program or a person is told about a proof: its verdict in one word, and the data behind it.

The verdict of a theorem is computed from the verdicts of its parts, of the steps of their chains
and of its near-miss twin; it is stored nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypedDict

from derive.decide.solver import Law
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided, Verdict, name
from derive.expr import Cond, Expr, Sym, cond_symbols
from derive.form import Form
from derive.prove import PartProof, Proof
from derive.theorems.model import Holds, Part, Statement

if TYPE_CHECKING:
    from derive.document.model import CheckRow as DocumentRow
    from derive.numeric.crosscheck import CheckRow, PartCheck

EXIT_CODES = {"proved": 0, "refuted": 1, "undecided": 3}
"""The exit code for a verdict; 2 is for wrong input.  Of several verdicts a refutation wins."""


class PartRow(TypedDict):
    """One part of a theorem; ``condition``, ``counterexample`` and ``reason`` go with its verdict."""

    sentence: str
    verdict: str
    method: str
    hypotheses: list[str]
    condition: str | None
    counterexample: str | None
    reason: str | None


class Row(TypedDict):
    """One theorem, as ``derive theorems --json`` prints it; ``seconds`` is the time to decide it."""

    id: str
    family: str
    title: str
    verdict: str
    negative: bool
    hypotheses: list[str]
    bounded: str | None
    seconds: float
    reason: str | None
    parts: list[PartRow]


def verdict(proof: Proof, checks: Sequence[PartCheck] = ()) -> str:
    """``"proved"``, ``"refuted"`` (a part of it is false) or ``"undecided"``.

    Proved means: every part and every step of its chain is proved, in "exactly when" parts both
    directions, and the near-miss twin is refuted; and no numeric cross-check disagrees.
    """
    if any(isinstance(p.verdict, Refuted) for p in proof.parts):
        return "refuted"
    return "undecided" if shortfall(proof, checks) else "proved"


def shortfall(proof: Proof, checks: Sequence[PartCheck] = ()) -> str | None:
    """Why a theorem is not proved, or None for a proved one."""
    for number, part in enumerate(proof.parts, 1):
        if not isinstance(part.verdict, (Proved, HoldsWhen)):
            return f"part {number}: {explain(part.verdict)}"
    for number, part in enumerate(proof.parts, 1):
        for link in part.chain:
            if link.verdict is not None and not isinstance(link.verdict, Proved):
                return f"part {number}, the step {link.reason!r}: {explain(link.verdict)}"
    if not isinstance(proof.twin, Refuted):
        return f"the near-miss twin should be refuted: {explain(proof.twin)}"
    if not proof.proved:
        return "the prover does not call it proved"
    for number, check in enumerate(checks, 1):
        if not check.rows:
            return f"part {number}: no sizes were found for a numeric cross-check"
        for line in check.rows:
            if not line.ok:
                against = ", ".join(name for name, agrees in line.results if not agrees)
                return f"part {number}: at {configuration(line)} the numbers disagree ({against})"
    return None


def configuration(line: CheckRow) -> str:
    """The sizes of a cross-check in plain text."""
    return ", ".join(f"{name} = {v}" for name, v in line.sizes) or "no sizes"


def explain(found: Verdict) -> str:
    """A verdict with what goes with it: the counterexample, the condition or the reason."""
    match found:
        case Refuted(counterexample):
            return f"refuted {counterexample}"
        case HoldsWhen(condition):
            return f"holds exactly when {show(condition)}"
        case Undecided(reason, checked):
            return f"undecided: {reason} (checked: {checked})"
    return "proved for all sizes"


def show(cond: Cond) -> str:
    """A condition in plain text."""
    return str(cond)


def row(proof: Proof) -> Row:
    """The data of one theorem."""
    theorem = proof.theorem
    return Row(
        id=theorem.id,
        family=theorem.family,
        title=theorem.title,
        verdict=verdict(proof),
        negative=theorem.negative,
        hypotheses=_unique(h for p in theorem.parts for h in hypotheses(p)),
        bounded=theorem.bounded or None,
        seconds=round(proof.seconds, 3),
        reason=shortfall(proof),
        parts=[_part_row(p) for p in proof.parts],
    )


def _part_row(proof: PartProof) -> PartRow:
    found = proof.verdict
    return PartRow(
        sentence=proof.part.sentence,
        verdict=name(found),
        method=proof.part.method,
        hypotheses=hypotheses(proof.part),
        condition=show(found.condition) if isinstance(found, HoldsWhen) else None,
        counterexample=str(found.counterexample) if isinstance(found, Refuted) else None,
        reason=found.reason if isinstance(found, Undecided) else None,
    )


def hypotheses(part: Part) -> list[str]:
    """Everything that a part assumes: what its symbols carry, its conditions, its laws."""
    found = sorted(set(_symbols(part)), key=lambda s: s.name)
    carried = [f"{s.name} >= {s.minimum}" for s in found if s.minimum is not None]
    stated = [show(h) for h in part.hypotheses]
    return _unique([*carried, *stated, *map(_law, part.laws)])


def _law(law: Law) -> str:
    return f"for all {', '.join(p.name for p in law.parameters)}: {show(law.cond)}"


def _symbols(part: Part) -> Iterator[Sym]:
    for h in part.hypotheses:
        yield from cond_symbols(h)
    yield from _statement_symbols(part.statement)


def _statement_symbols(statement: Statement) -> Iterator[Sym]:
    if isinstance(statement, Holds):
        yield from cond_symbols(statement.cond)
        return
    for form in (statement.left, statement.right):
        for cond in _conditions(form):
            yield from cond_symbols(cond)
        for expr in _expressions(form):
            yield from expr.symbols()


def _conditions(form: Form) -> Iterator[Cond]:
    yield from form.requires
    for term in form.terms:
        yield from term.where


def _expressions(form: Form) -> Iterator[Expr]:
    yield from form.shape
    for _, shape in form.tensors:
        yield from shape
    for term in form.terms:
        yield from (term.coefficient.num, term.coefficient.den)
        yield from (length for _, length in term.bound)
        for read in term.reads:
            yield from read.at


def _unique(items: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(items))


def exit_code(verdicts: Iterable[str]) -> int:
    """The exit code for several theorems: 1 if one is refuted, else 3 if one is undecided, else 0.

    >>> exit_code(["proved", "proved"]), exit_code(["undecided", "refuted"]), exit_code(["undecided"])
    (0, 1, 3)
    """
    codes = {EXIT_CODES[v] for v in verdicts}
    return next((c for c in (1, 3) if c in codes), 0)


def check_rows(checks: Sequence[PartCheck]) -> list[DocumentRow]:
    """The numeric cross-checks of a theorem as its document shows them."""
    from derive.document.model import CheckRow as DocumentRow

    several = len(checks) > 1
    return [
        DocumentRow(
            (f"statement {number}: " if several else "") + configuration(line), line.results
        )
        for number, check in enumerate(checks, 1)
        for line in check.rows
    ]
