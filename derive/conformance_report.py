"""The report of a conformance sweep as Markdown: a table by framework and call, and what differs.

The text depends on the tallies, the seed and the version numbers alone, so that the same sweep gives
the same file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from derive.conformance import ENDED, KINDS, Difference, Framework, Tally, totals, written
from derive.numeric.frameworks import Known

SHOWN = 20  # unexplained differences that are listed
HEAD = """# Conformance with the frameworks

Made by `{command}`. Each row compares drawn configurations of one call with the framework itself:
is the call *legal* (both take it, or both refuse it), the *shape* of the output, every *value*, and
the *gradients* of ⟨g, output⟩ in the input and in every weight. Data are integers, so that sums are
exact: where all coefficients are whole numbers over powers of two the numbers must be equal (*exact*),
elsewhere (averages over three, interpolation) they must agree to the precision given. *Shape only*
calls have values that are out of scope, such as activations. *Empty* are configurations in which the
framework gives a tensor without elements; here they are refused.

"""


@dataclass(frozen=True)
class Swept:
    """A framework that was swept: its version, its precision, and the tallies of its calls."""

    framework: Framework
    version: str
    precision: float
    tallies: tuple[Tally, ...]
    known: tuple[Known, ...]


def report(swept: Sequence[Swept], command: str) -> str:
    """The whole report; ``command`` is what made it.

    >>> print(report((), "derive conform").splitlines()[0])
    # Conformance with the frameworks
    """
    parts = [HEAD.format(command=command), _summary(swept)]
    parts += [_framework(s) for s in swept]
    return "\n".join(parts)


def _row(cells: Sequence[object]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    rule = ["---" if i == 0 else "---:" for i in range(len(head))]
    return "\n".join([_row(head), _row(rule), *map(_row, rows)]) + "\n"


def _summary(swept: Sequence[Swept]) -> str:
    head = (
        "framework", "version", "calls", "configurations", "legal", "refused by both", "empty",
        "values agree", "of them exactly", "gradients agree", "known differences", "unexplained",
    )  # fmt: skip
    rows = []
    for s in swept:
        t = totals(s.tallies)
        names = {tally.call for tally in s.tallies}
        rows.append(
            (
                s.framework.dialect, s.version, len(names), t["configurations"], t["legal"],
                t["illegal"], t["empty"], t["values"], t["exact"], t["gradients"], t["known"],
                t["unknown"],
            )
        )  # fmt: skip
    return _table(head, rows)


def _framework(s: Swept) -> str:
    lines = [f"## {s.framework.dialect} {s.version}\n"]
    lines.append(f"Values that are not exact agree to {s.precision:g} of the largest.\n")
    head = (
        "call", "axes", "configurations", "legal", "refused by both", "empty", "shapes agree",
        "values agree", "exactly", "gradients agree", "differences",
    )  # fmt: skip
    plain = [t for t in s.tallies if _keeps_shape(t)]
    rows = [
        (
            f"`{t.call}`", t.dims, t.count, t.legal, t.illegal, t.empty, t.shapes,
            t.values or "shape only", t.exact if t.values else "", t.gradients or "",
            len(t.differences) or "",
        )
        for t in s.tallies
        if t not in plain
    ]  # fmt: skip
    lines.append(_table(head, rows))
    if plain:
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(t.call for t in plain))
        count = sum(t.count for t in plain)
        lines.append(
            f"And {count} configurations of calls that take any input and of which the shape alone "
            f"is compared, all in agreement: {names}.\n"
        )
    lines += [_known(s), _unknown(s)]
    return "\n".join(part for part in lines if part)


def _keeps_shape(t: Tally) -> bool:
    return t.values == 0 and t.legal == t.count


def _known(s: Swept) -> str:
    found = [d for t in s.tallies for d in t.differences if d.known]
    counts = Counter(d.known for d in found)
    names = {t.call for t in s.tallies}
    reasons = {k.reason: k.example for k in s.known if names & set(k.calls)}
    ended = [d for d in found if d.kind == KINDS[-1]]
    if ended:
        reasons[ENDED] = min((written(d.call, d.drawn) for d in ended), key=lambda w: (len(w), w))
    if not reasons:
        return ""
    lines = ["### Known differences\n"]
    for reason, example in reasons.items():
        lines.append(f"- {reason} ({counts[reason]} configurations).")
        if example:
            lines.append(f"  Smallest example: {example}.")
    return "\n".join(lines) + "\n"


def unexplained(tallies: Sequence[Tally]) -> list[Difference]:
    """The differences without a known reason."""
    return [d for t in tallies for d in t.differences if not d.known]


def _unknown(s: Swept) -> str:
    found = unexplained(s.tallies)
    if not found:
        return ""
    lines = ["### Unexplained differences\n", *(f"- {d}" for d in found[:SHOWN])]
    if len(found) > SHOWN:
        lines.append(f"- and {len(found) - SHOWN} more")
    return "\n".join(lines) + "\n"
