"""The court record: many judged claims as an index of verdicts and one page for each row.

The index has one table for each source.  Beside the pages stands ``claims.json``, the same rows as
data, from which a book makes its chapter (:func:`read_record`, :func:`chapter`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from derive.claims.files import MAX_BYTES
from derive.claims.guard import Outcome
from derive.claims.report import Row, Source, counts, proved_title
from derive.claims.report_document import address, code, pages, plain
from derive.document import html
from derive.document.model import (
    Block,
    Book,
    Document,
    Ledger,
    LedgerRow,
    Links,
    Paragraph,
    Section,
)
from derive.errors import WrongInput

TITLE = "The court record"
NOTE = (
    "Claims that were made in public, in our own words. Each was judged for all sizes at once; the "
    "verdict is what was found. The page behind a claim's id has the formal reading and the proof, or "
    "the counterexample worked out."
)
DATA = "claims.json"
TAKEN = ("index", "readme")  # pages that are there anyway
KINDS = {
    "proved": "proved", "holds exactly when": "holds", "refuted": "refuted",
    "undecided": "undecided", "cannot be": "refuted", "wrong input": "undecided",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a claim is told: the page without its ending, and the name within the page."""

    page: str
    anchor: str


def places(rows: Sequence[Row]) -> list[Place]:
    """Names for the pages and the claims that are safe in any file system, all of them different.

    Claims with the same ``row`` of the same source share a page.
    """
    used = {*TAKEN}
    by_row: dict[tuple[str, str], str] = {}
    anchors: set[str] = set()
    made: list[Place] = []
    for number, row in enumerate(rows, 1):
        anchor = _unused(row["id"] or "", number, anchors)
        if row["row"]:
            key = (row["row"], json.dumps(row["source"]))
            if key not in by_row:
                by_row[key] = _unused(row["row"], number, used)
            made.append(Place(by_row[key], anchor))
        else:
            made.append(Place(_unused(row["id"] or "", number, used), anchor))
    return made


def _unused(given: str, number: int, used: set[str]) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", given).strip("-.")[:80] or f"claim-{number}"
    while name.casefold() in used:
        name += f"-{number}"
    used.add(name.casefold())
    return name


def documents(outcomes: Sequence[Outcome]) -> list[Document]:
    """One document for each page; what could not be judged has none."""
    found_at = places([o.row for o in outcomes])
    grouped: dict[str, list[tuple[Place, Outcome]]] = {}
    for place, outcome in zip(found_at, outcomes, strict=True):
        if outcome.document is not None:
            grouped.setdefault(place.page, []).append((place, outcome))
    return [_page(name, told) for name, told in grouped.items()]


def _page(name: str, told: Sequence[tuple[Place, Outcome]]) -> Document:
    first = told[0][1]
    assert first.document is not None
    if not first.row["row"]:
        return replace(first.document, id=name)
    sections = []
    for place, outcome in told:
        document = outcome.document
        assert document is not None and document.summary is not None
        words = outcome.row["statement"]
        parts = (outcome.row["id"], words.rstrip(".") if words else None)
        title = ": ".join(plain(t) for t in parts if t) or document.title
        sections.append(
            Section(title, (document.summary,), _without_words(document.sections), place.anchor)
        )
    source = first.row["source"]
    blocks: tuple[Block, ...] = () if source is None else (_source(source),)
    return Document(name, plain(first.row["row"]), "", None, blocks, tuple(sections))


def _without_words(sections: Iterable[Section]) -> tuple[Section, ...]:
    """The claim stands in the title already, its source at the top of the page."""
    kept = []
    for s in sections:
        blocks = tuple(
            b
            for b in s.blocks
            if not isinstance(b, Links) and getattr(b, "lead", "") != "In words."
        )
        kept.append(replace(s, blocks=blocks))
    return tuple(kept)


def _source(source: Source) -> Links:
    return Links(((plain(source["title"] or source["url"]), address(source["url"])),))


# -- the index ---------------------------------------------------------------------------------


def data(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The rows without the times, each with the address of its page."""
    rows = [o.row for o in outcomes]
    made = []
    for place, outcome in zip(places(rows), outcomes, strict=True):
        row = {k: v for k, v in outcome.row.items() if k != "seconds"}
        anchor = f"#{quote(place.anchor)}" if outcome.row["row"] else ""
        page = f"{quote(place.page)}.html{anchor}" if outcome.document is not None else None
        made.append({**row, "page": page})
    return made


def chapter(rows: Sequence[Mapping[str, Any]], base: str = "", name: str = "index") -> Document:
    """The verdicts as one table for each source.

    Args:
        rows: what :func:`data` made.
        base: the address of the folder of the pages, with a slash at its end, or nothing.
        name: the id of the document.
    """
    by_source: dict[tuple[str, str], list[LedgerRow]] = {}
    for row in rows:
        source = row["source"] or {"title": "", "url": ""}
        key = (str(source["title"]), str(source["url"]))
        by_source.setdefault(key, []).append(_ledger_row(row, base))
    sections = []
    for (title, url), told in by_source.items():
        links = (Links(((plain(url), address(url)),)),) if address(url) and title else ()
        sections.append(Section(plain(title or url), (*links, Ledger(tuple(told)))))
    told_counts = Paragraph(f"{len(rows)} claims: {counts(cast('Sequence[Row]', rows))}.")
    return Document(name, TITLE, "", None, (Paragraph(NOTE), told_counts), tuple(sections))


def _ledger_row(row: Mapping[str, Any], base: str) -> LedgerRow:
    words = plain(row["statement"]) if row["statement"] else code(row["claim"])
    verdict, notes = _verdict(row)
    if row["as_expected"] is False:
        notes = [*notes, f"Expected was: {plain(str(row['expected']))}."]
    page = f"{base}{row['page']}" if row["page"] else ""
    name = plain(row["id"] or "") or ("judgment" if page else "–")
    return LedgerRow(name, page, words, KINDS[row["verdict"]], verdict, tuple(notes))


def _verdict(row: Mapping[str, Any]) -> tuple[str, list[str]]:
    notes: list[str] = []
    match row["verdict"]:
        case "proved":
            verdict = plain(proved_title(cast("Row", row)))
            if row["witness"]:
                notes.append(f"The kernel: {code(row['witness'])}")
        case "holds exactly when":
            verdict = "Holds exactly when"
            notes.append(code(row["condition"]))
        case "refuted":
            verdict = "Refuted"
            if row["counterexample"]:
                notes.append(f"{_capital(plain(row['counterexample']['text']))}.")
            if (
                row["note"]
                and row["counterexample"]
                and row["counterexample"]["kind"] != "existence"
            ):
                notes.append(f"{_capital(plain(row['note']))}.")
        case "undecided":
            verdict = "Undecided"
            notes.append(f"{_capital(plain(row['reason'] or ''))}.")
        case other:
            verdict = other.capitalize()
            notes.append(plain((row["error"] or "").split("\n", 1)[0]))
    if row["repair"]:
        notes.append(f"True instead: {code(row['repair']['claim'])}")
    return verdict, notes


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


# -- files -------------------------------------------------------------------------------------


def files(outcomes: Sequence[Outcome], style: str) -> dict[str, str]:
    """The content of every file, by its name; as HTML with an index and ``claims.json``.

    Args:
        outcomes: judged claims with their documents.
        style: ``"html"``, ``"tex"`` or ``"md"``.
    """
    made = documents(outcomes)
    if style != "html":
        return pages(made, style)
    rows = data(outcomes)
    b = Book(TITLE, "", (), (("", tuple(made)),))
    written = html.pages(b, chapter(rows))
    return {**written, DATA: json.dumps(rows, indent=1, ensure_ascii=False) + "\n"}


def read_record(folder: Path) -> list[dict[str, Any]]:
    """The rows of a record that was written as HTML.

    Raises :class:`derive.errors.WrongInput` where there is none, or something else.
    """
    file = folder / DATA
    again = f"make it with derive check --file CLAIMS --format html --out {folder}"
    try:
        with file.open("rb") as stream:
            text = stream.read(10 * MAX_BYTES)
        rows = json.loads(text.decode("utf-8"))
    except OSError:
        raise WrongInput(f"--record {folder}: there is no {DATA} in it; {again}") from None
    except (ValueError, RecursionError):
        raise WrongInput(f"--record {folder}: {DATA} is not JSON; {again}") from None
    try:
        chapter(rows)
    except (KeyError, TypeError, AttributeError):
        raise WrongInput(f"--record {folder}: {DATA} holds no judged claims; {again}") from None
    return list(rows)
