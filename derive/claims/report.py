"""What is told of a judged claim: one row of plain data, and the same in words.

The row is what ``derive check --json`` prints; the text for people is written from it alone, so both
always say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, TypedDict

from derive.claims.files import Entry
from derive.errors import WrongInput

SCHEMA = 1
MOST = 12  # how far the sizes of a counterexample are completed
VERDICTS = ("proved", "holds exactly when", "refuted", "undecided", "cannot be", "wrong input")
EXIT_CODES = {
    "proved": 0, "refuted": 1, "wrong input": 2, "cannot be": 2, "undecided": 3,
    "holds exactly when": 4,
}  # fmt: skip
PRECEDENCE = (2, 1, 3, 4, 0)
"""Of several exit codes the first of these wins."""


class Source(TypedDict):
    """Who made a claim."""

    title: str
    url: str


class Example(TypedDict):
    """A counterexample: the smallest sizes, the place, and what stands there on either side."""

    kind: str
    sizes: dict[str, int]
    functions: dict[str, dict[str, int]]
    left_shape: list[int] | None
    right_shape: list[int] | None
    output: list[int] | None
    reads: list[tuple[str, list[int]]]
    inputs: dict[str, str]
    left: str | None
    right: str | None
    text: str


class Repair(TypedDict):
    """The nearest true statement, proved, and what was changed."""

    claim: str
    change: str
    assumed: list[str]


class Row(TypedDict):
    """One claim, as ``derive check --json`` prints it."""

    schema: int
    id: str | None
    claim: str
    statement: str | None
    row: str | None
    reading: str | None
    source: Source | None
    verdict: str
    method: str | None
    hypotheses: list[str]
    assumed: list[str]
    condition: str | None
    degenerate: list[str]
    counterexample: Example | None
    witness: str | None
    note: str | None
    reason: str | None
    checked: str | None
    repair: Repair | None
    expected: str | None
    as_expected: bool | None
    seconds: float
    error: str | None


def blank(entry: Entry) -> Row:
    """The row of a claim before anything is known of it."""
    made = Source(title=entry.source, url=entry.url) if entry.source or entry.url else None
    return Row(
        schema=SCHEMA,
        id=entry.id or None,
        claim=shown(entry.claim),
        statement=entry.statement or None,
        row=entry.row or None,
        reading=entry.reading or None,
        source=made,
        verdict="undecided",
        method=None,
        hypotheses=[],
        assumed=[],
        condition=None,
        degenerate=[],
        counterexample=None,
        witness=None,
        note=None,
        reason=None,
        checked=None,
        repair=None,
        expected=entry.expected or None,
        as_expected=None,
        seconds=0.0,
        error=None,
    )


def shown(claim: str) -> str:
    """A claim on one line; of a program with a claim at its end, that claim."""
    from derive.claims.program import is_program, last_claim

    if len(claim) > 20_000:
        return claim[:200] + "…"
    return (last_claim(claim) if is_program(claim) else "") or " ".join(claim.split())


def wrong(entry: Entry, message: str, verdict: str = "wrong input", seconds: float = 0.0) -> Row:
    """The row of a claim that cannot be read, or (``"cannot be"``) whose parts can never fit."""
    row = blank(entry)
    row["verdict"], row["error"], row["seconds"] = verdict, message, round(seconds, 3)
    if entry.expected:
        row["as_expected"] = entry.expected == verdict
    return row


def stopped(entry: Entry, reason: str, seconds: float, checked: str = "nothing") -> Row:
    """The row of a claim whose judging was stopped from outside."""
    row = blank(entry)
    row["reason"], row["checked"], row["seconds"] = reason, checked, round(seconds, 3)
    if entry.expected:
        row["as_expected"] = entry.expected == "undecided"
    return row


def make_row(entry: Entry, judgment: Any, seconds: float) -> Row:
    """The row of a judgment (a :class:`derive.claims.judge.Judgment`).

    Raises :class:`derive.errors.WrongInput` where the expected condition cannot be read.
    """
    from derive.decide import verdict as kinds

    found = judgment.verdict
    row = blank(entry)
    row["verdict"] = kinds.name(found)
    row["hypotheses"] = hypotheses(judgment.claim)
    row["assumed"] = [str(c) for c in judgment.assumed]
    row["degenerate"] = [str(c) for c in judgment.degenerate]
    row["witness"] = judgment.kernel or None
    row["seconds"] = round(seconds, 3)
    row["reading"] = read_as(entry.reading, judgment.claim.readings)
    if isinstance(found, (kinds.Proved, kinds.HoldsWhen)):
        row["method"] = found.method
    if isinstance(found, kinds.HoldsWhen):
        row["condition"] = str(found.condition)
    if isinstance(found, kinds.Undecided):
        row["reason"], row["checked"] = found.reason, found.checked
    if judgment.counterexample is not None:
        row["counterexample"] = example(judgment)
    if not isinstance(found, kinds.HoldsWhen) and judgment.note and not judgment.kernel:
        row["note"] = judgment.note
    if entry.expected:
        row["as_expected"] = as_expected(entry, judgment, row["verdict"])
    return row


def read_as(said: str, found: Sequence[str]) -> str | None:
    """How a claim is read: what its author says, and what was understood without being said."""
    parts = [said, *(r for r in found if r not in said)]
    return "; ".join(filter(None, parts)) or None


def hypotheses(claim: Any) -> list[str]:
    """Everything a claim assumes: what its symbols carry, then what it states."""
    from derive.expr import cond_symbols

    symbols = {s for form in forms(claim.statement) for s in form.sizes()}
    conds = [
        *claim.hypotheses,
        *conditions(claim.statement),
        *claim.requires,
        *([] if claim.iff is None else [claim.iff]),
    ]
    symbols |= {s for c in conds for s in cond_symbols(c)}
    symbols |= {s for side in claim.sides or () for e in _lengths(side) for s in e.symbols()}
    listed = sorted((s for s in symbols if s.minimum is not None), key=lambda s: s.name)
    carried = [f"{s.name} >= {s.minimum}" for s in listed]
    return list(dict.fromkeys([*carried, *map(str, claim.hypotheses)]))


def _lengths(side: Any) -> Iterator[Any]:
    """The numbers on a side, which may be the same on both and then leave no condition."""
    from derive.expr import Expr

    if isinstance(side, tuple):
        for part in side:
            yield from _lengths(part)
    elif isinstance(side, Expr):
        yield side


def forms(statement: Any) -> Iterator[Any]:
    """The operators that a statement speaks of."""
    for name in ("left", "right", "count"):
        if hasattr(statement, name):
            yield getattr(statement, name)
    for part in (
        *getattr(statement, "parts", ()),
        *filter(None, [getattr(statement, "part", None)]),
    ):
        yield from forms(part)


def conditions(statement: Any) -> Iterator[Any]:
    """The conditions on sizes that a statement is made of."""
    if hasattr(statement, "cond"):
        yield statement.cond
    for part in (
        *getattr(statement, "parts", ()),
        *filter(None, [getattr(statement, "part", None)]),
    ):
        yield from conditions(part)


# -- counterexamples -------------------------------------------------------------------------------


def example(judgment: Any) -> Example:
    """A counterexample as data; for statements about sizes and counts, with both values."""
    from derive.decide.verdict import rows_text

    c = judgment.counterexample
    made = Example(
        kind=c.kind,
        sizes=dict(c.sizes),
        functions={n: {", ".join(map(str, a)): v for a, v in t} for n, t in c.functions},
        left_shape=None if c.left_shape is None else list(c.left_shape),
        right_shape=None if c.right_shape is None else list(c.right_shape),
        output=None if c.output is None else list(c.output),
        reads=[(t, list(at)) for t, at in c.reads],
        inputs={t: rows_text(rows) for t, rows in c.inputs},
        left=None if c.left is None else str(c.left),
        right=None if c.right is None else str(c.right),
        text=str(c),
    )
    if c.kind == "sizes":
        made["sizes"] = completed(judgment.claim, dict(c.sizes))
    places = [f"{k} = {v}" for k, v in made["sizes"].items()]
    for name, values in made["functions"].items():
        places += [f"{name}({arguments}) = {v}" for arguments, v in values.items()]
    where = ", ".join(places)
    at = f"at {where}: " if where else ""
    made["text"] = made["text"].partition(": ")[2]
    if c.kind == "existence":
        made["text"] = "no kernel of any length will do"
    if c.kind == "sizes":
        sides = compared(judgment.claim, made["sizes"])
        if sides is not None:
            made["left"], made["right"] = sides
            made["text"] = f"the left side is {sides[0]}, the right side {sides[1]}"
    if c.kind == "value" and c.output is not None:
        _count(judgment, made)
    made["text"] = at + made["text"]
    return made


def completed(claim: Any, sizes: dict[str, int]) -> dict[str, int]:
    """Sizes with the smallest values for the symbols on which the falsehood does not depend."""
    from derive.decide.equality import sizes_with_sum
    from derive.evaluation import holds
    from derive.expr import all_of, cond_symbols, iff, negate

    spoken = {s for c in claim.hypotheses for s in cond_symbols(c)}
    spoken |= {s for side in _sides(claim) for s in side.symbols()}
    missing = sorted((s for s in spoken if s.name not in sizes), key=lambda s: s.name)
    stated = all_of(*conditions(claim.statement))
    false = [negate(stated if claim.iff is None else iff(stated, claim.iff))]
    for total in range(MOST):
        for more in sizes_with_sum(missing, total):
            found = {**sizes, **more}
            try:
                if holds(all_of(*claim.hypotheses, *false), found):
                    return dict(sorted(found.items()))
            except (KeyError, ZeroDivisionError):
                return sizes
    return sizes


def _sides(claim: Any) -> Iterator[Any]:
    from derive.expr import Expr

    pending = list(claim.sides or ())
    while pending:
        value = pending.pop()
        if isinstance(value, tuple):
            pending += value
        elif isinstance(value, Expr):
            yield value


def _count(judgment: Any, made: Example) -> None:
    """A count at an output position says the number that is there, not that it misses its bound."""
    from derive.claims.values import Everywhere
    from derive.table import coefficients

    statement = judgment.claim.statement
    if not isinstance(statement, Everywhere):
        return
    at = tuple(made["output"] or ())
    number = coefficients(statement.count, made["sizes"]).get((at, ()), Fraction(0))
    bound = statement.bound.at(made["sizes"])
    made["left"], made["right"] = str(number), str(bound)
    made["text"] = (
        f"in output [{', '.join(map(str, at))}] the number is {number}, "
        f"not {statement.comparison} {bound}"
    )


def compared(claim: Any, sizes: dict[str, int]) -> tuple[str, str] | None:
    """The values of the two sides of a comparison of numbers or shapes at given sizes."""
    both = claim.sides
    if both is None:
        return None
    try:
        left, right = (_value(v, sizes) for v in both)
    except (KeyError, ZeroDivisionError):
        return None
    return None if left is None or right is None else (left, right)


def _value(value: Any, sizes: dict[str, int]) -> str | None:
    from derive.expr import Expr
    from derive.form import Ratio

    if isinstance(value, Expr):
        return str(value.at(sizes))
    if isinstance(value, Ratio):
        return str(Fraction(int(value.num.at(sizes)), int(value.den.at(sizes))))
    if isinstance(value, tuple):
        parts = [_value(v, sizes) for v in value]
        if any(p is None for p in parts):
            return None
        return f"({', '.join(str(p) for p in parts)}{',' if len(parts) == 1 else ''})"
    return None


# -- expectations ----------------------------------------------------------------------------------


def as_expected(entry: Entry, judgment: Any, verdict: str) -> bool:
    """Is the verdict the expected one?  Conditions with another text are compared by equivalence."""
    from derive.decide.equality import decide_holds
    from derive.decide.verdict import HoldsWhen, Proved
    from derive.expr import iff

    if not entry.expected.startswith("holds when "):
        return entry.expected == verdict
    wanted = stated_condition(entry)
    found = judgment.verdict
    if not isinstance(found, HoldsWhen):
        return False
    if entry.expected == f"holds when {found.condition}":
        return True
    facts = (*judgment.claim.hypotheses, *judgment.assumed)
    return isinstance(decide_holds(facts, iff(found.condition, wanted), seconds=5.0), Proved)


def stated_condition(entry: Entry) -> Any:
    """The condition of ``holds when CONDITION``, in the symbols of the claim."""
    from derive.claims.meaning import read
    from derive.claims.parse import parse, written

    text = entry.expected.removeprefix("holds when ")
    try:
        condition = parse(text)
        if condition.exists or condition.iff or condition.hypotheses:
            raise WrongInput("a condition alone was expected")
        return read(written(replace(parse(entry.claim), iff=condition.body))).iff
    except WrongInput as e:
        fact = str(e).split("\n", 1)[0].removeprefix("reading the claim: ")
        raise WrongInput(
            f"the expected condition {text!r}: {fact}; write it in the symbols of the claim"
        ) from None


def exit_code(rows: Iterable[Row]) -> int:
    """The exit code of a run: of several, wrong input wins, then a refutation or a missed
    expectation, then an undecided claim, then a condition.  A met expectation counts as 0.
    """
    codes = set()
    for row in rows:
        if row["as_expected"] is not None and row["error"] is None:
            codes.add(0 if row["as_expected"] else 1)
        else:
            codes.add(0 if row["as_expected"] else EXIT_CODES[row["verdict"]])
    return next(c for c in PRECEDENCE if c in codes) if codes else 0


# -- words -----------------------------------------------------------------------------------------


def lines(row: Row) -> list[tuple[str, str]]:
    """What a person is told, as (kind, line); ``kind`` names the verdict line and the claim line."""
    told: list[tuple[str, str]] = [("verdict", headline(row))]
    if row["statement"]:
        told.append(("words", f"  in words: {row['statement']}"))
    told.append(("claim", f"  claim: {row['claim']}"))
    if row["error"]:
        return told + [("error", f"  {line}") for line in row["error"].splitlines()]
    if row["reading"]:
        told.append(("plain", f"  read as: {row['reading']}"))
    stated = [h for h in row["hypotheses"] if not _carried(h)]
    if stated:
        told.append(("plain", f"  hypotheses: {', '.join(stated)}"))
    if row["assumed"]:
        told.append(("plain", f"  defined for: {', '.join(row['assumed'])}"))
    if row["degenerate"]:
        cases = "; ".join(row["degenerate"])
        told.append(("plain", f"  degenerate, since a length is 1 there: {cases}"))
    if row["witness"]:
        told.append(("plain", f"  the kernel: {row['witness']}"))
    if row["counterexample"]:
        lead = (
            "smallest counterexample" if row["verdict"] == "refuted" else "otherwise, for example"
        )
        told.append(("plain", f"  {lead}: {row['counterexample']['text']}"))
    if row["note"]:
        told.append(("plain", f"  note: {row['note']}"))
    if row["reason"]:
        told.append(("plain", f"  why: {row['reason']} (checked: {row['checked']})"))
    told += _repair_lines(row)
    if row["as_expected"] is False:
        told.append(("missed", f"  expected: {row['expected']}; found: {found(row)}"))
    told.append(("plain", f"  {row['seconds']:.2f} s"))
    return told


def _repair_lines(row: Row) -> Iterator[tuple[str, str]]:
    repair = row["repair"]
    if repair is None:
        return
    yield "repair", f"  nearest true statement, proved ({repair['change']}):"
    yield "repair", f"    {repair['claim']}"
    if repair["assumed"] and repair["assumed"] != row["assumed"]:
        yield "plain", f"    defined for: {', '.join(repair['assumed'])}"


def headline(row: Row) -> str:
    """The verdict in one line."""
    name = f"{row['id']}: " if row["id"] else ""
    match row["verdict"]:
        case "proved":
            method = row["method"]
            by = "" if method in (None, "solver") else f" ({method})"
            return f"{name}proved {_where(row)}{by}"
        case "holds exactly when":
            return f"{name}holds exactly when {row['condition']}"
        case "refuted" if "true at some sizes" in (row["note"] or ""):
            return f"{name}refuted (false for some sizes)"
    return f"{name}{row['verdict']}"


def _where(row: Row) -> str:
    """For which sizes a proof is: what the claimant did not state is part of the headline."""
    if not row["hypotheses"]:
        return "for these numbers"
    if not row["assumed"]:
        return "for all sizes"
    needed = " and ".join(f"({a})" if " or " in a else a for a in row["assumed"])
    if any(" == " in a and " % " not in a and " or " not in a for a in row["assumed"]):
        return f"for {needed}, the only sizes at which both sides are defined"
    return f"for all sizes at which both sides are defined: {needed}"


def found(row: Row) -> str:
    """The verdict with its condition."""
    return f"{row['verdict']} {row['condition']}" if row["condition"] else row["verdict"]


def _carried(hypothesis: str) -> bool:
    """``n >= 1`` and the like, which every size brings along."""
    name, _, bound = hypothesis.partition(" >= ")
    return name.isidentifier() and bound in ("0", "1")


def counts(rows: Sequence[Row]) -> str:
    """How many claims have which verdict, and how many are not as expected."""
    verdicts = [row["verdict"] for row in rows]
    told = [f"{verdicts.count(v)} {v}" for v in VERDICTS if v in verdicts]
    missed = sum(row["as_expected"] is False for row in rows)
    asked = sum(row["as_expected"] is not None for row in rows)
    if asked:
        told.append(f"{asked - missed} of {asked} as expected")
    return ", ".join(told)


def proved_title(row: Row) -> str:
    """A proof in a few words: for which sizes it is, without the list of what is assumed."""
    where = _where(row)
    return f"Proved {where.partition(':')[0]}" if "only sizes" not in where else f"Proved {where}"


def mismatches(rows: Sequence[Row]) -> list[str]:
    """The claims whose verdict is not the expected one, in words."""
    return [
        f"{row['id'] or row['claim']}: expected {row['expected']}; found {found(row)}"
        for row in rows
        if row["as_expected"] is False
    ]
