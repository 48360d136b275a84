"""A judgment as a document: the claim, its formal reading, the verdict, the proof or the counterexample.

The chain of a proof is decided step by step like that of a theorem; a counterexample is worked out in
the two matrices at the smallest sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from derive.claims.files import Entry
from derive.claims.judge import Judgment
from derive.claims.meaning import Claim, read
from derive.claims.report import Row, headline, proved_title
from derive.claims.values import About, Same
from derive.decide.solver import time_limit
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided, Verdict
from derive.document import html, latex, markdown
from derive.document.calls import Unnamed, call_lines
from derive.document.evidence import selections
from derive.document.math import conditions, name_latex
from derive.document.model import (
    Block,
    Book,
    Box,
    Chain,
    ChainStep,
    Document,
    Links,
    Listing,
    Math,
    Paragraph,
    Section,
)
from derive.document.sums import Setting, output_read, sum_lines
from derive.document.theorem import condition_lines, hypothesis_texts, setting_for
from derive.document.verdicts import counterexample
from derive.errors import DeriveError
from derive.expr import Cond, all_of
from derive.matrix import matrix, to_latex
from derive.prove import chain
from derive.theorems.model import Equal, Holds, Part

BOOK = "Claims, judged"
LARGEST = 12  # matrices are shown up to this many rows and columns


def judgment_document(entry: Entry, judgment: Judgment, row: Row, seconds: float) -> Document:
    """The document of a judgment.

    Args:
        entry: the claim as it was asked for.
        judgment: what was found.
        row: the same as data, with the repair.
        seconds: how long the steps of the chain may take to decide.

    Returns:
        the document; :func:`written` writes it down.
    """
    claim = judgment.claim
    setting = _setting(claim, judgment.assumed)
    sections = [_claim_section(entry, claim), _reading(claim, setting, entry.reading)]
    sections.append(Section("Verdict", tuple(_verdict_blocks(judgment, row, setting))))
    with time_limit(seconds):
        sections += _proof(judgment)
    sections += _worked_out(judgment)
    if row["repair"]:
        sections.append(_repair_section(row))
    title = entry.statement or "A claim about operators"
    name = entry.id or "claim"
    return Document(name, plain(title), BOOK, _summary(judgment.verdict, row), (), tuple(sections))


def written(document: Document, style: str) -> str:
    """The document alone as ``"html"``, ``"tex"`` or ``"md"``."""
    if style == "html":
        page = html.pages(_book([document]))[f"{document.id}.html"]
        return page.replace(f'<a href="index.html">{BOOK}</a>', BOOK)
    return latex.single(document) if style == "tex" else markdown.page(document)


def pages(documents: Sequence[Document], style: str) -> dict[str, str]:
    """Several documents by file name, as HTML with an index."""
    if style == "html":
        return html.pages(_book(documents))
    return {f"{d.id}.{style}": written(d, style) for d in documents}


def _book(documents: Sequence[Document]) -> Book:
    return Book(BOOK, "Each is decided for all sizes at once.", (), ((BOOK, tuple(documents)),))


def plain(text: str) -> str:
    """Text of a stranger, for a document: nothing in it is a formula or code."""
    return text.replace("$", "＄").replace("`", "'")


def address(url: str) -> str:
    """An address for a link: only the web's, and every character that means something is escaped.

    >>> address("https://example.org/a?b={c}"), address("javascript:alert(1)")
    ('https://example.org/a?b=%7Bc%7D', '')
    """
    if urlsplit(url).scheme not in ("http", "https"):
        return ""
    return quote(url, safe=":/?#@!&*+,;=%~[]")


def code(text: str) -> str:
    """Text as code."""
    return f"`{plain(text)}`"


def _setting(claim: Claim, assumed: tuple[Cond, ...]) -> Setting:
    facts = (*claim.hypotheses, *assumed)
    statement = claim.statement
    if isinstance(statement, Same):
        return setting_for(Equal(statement.left, statement.right), facts, statement.laws)
    cond = statement.cond if isinstance(statement, About) else all_of()
    return setting_for(Holds(cond), facts, ())


def _summary(verdict: Verdict, row: Row) -> Box:
    kinds = {Proved: "proved", HoldsWhen: "holds", Refuted: "refuted", Undecided: "undecided"}
    titles = {
        Proved: plain(proved_title(row)),
        HoldsWhen: "Holds exactly when a condition is met",
        Refuted: "Refuted",
        Undecided: "Undecided",
    }
    return Box(kinds[type(verdict)], titles[type(verdict)], "")


def _claim_section(entry: Entry, claim: Claim) -> Section:
    blocks: list[Block] = []
    if entry.statement:
        blocks.append(Paragraph(plain(entry.statement), "In words."))
    blocks.append(Paragraph(code(claim.text), "As it is judged."))
    if entry.source or entry.url:
        blocks.append(Links(((plain(entry.source or entry.url), address(entry.url)),)))
    return Section("The claim", tuple(blocks))


def _reading(claim: Claim, setting: Setting, words: str = "") -> Section:
    """Both sides typeset, as operators and as sums."""
    statement = claim.statement
    blocks: list[Block] = [Paragraph(plain(words))] if words else []
    if isinstance(statement, Same):
        unnamed = Unnamed(setting.taken)
        left, right = (call_lines(f, setting, unnamed) for f in (statement.left, statement.right))
        blocks.append(Math((*left, f"= {right[0]}", *(rf"\quad {line}" for line in right[1:]))))
        lines = [*left, *right]
        for name, form in unnamed.found:
            body = sum_lines(form, setting)
            blocks.append(Math((f"{output_read(name, form, setting)} = {body[0]}", *body[1:])))
            lines += body
        blocks += _where(lines, setting)
        if statement.reads_only:
            blocks.append(Paragraph("Compared is which inputs are read, since these are maxima."))
    elif isinstance(statement, About):
        blocks.append(Math(condition_lines(statement.cond, setting.plain)))
    else:
        blocks.append(Paragraph(code(claim.text)))
    if claim.iff is not None:
        blocks.append(Paragraph("This is claimed to hold exactly when"))
        blocks.append(Math(condition_lines(claim.iff, setting.plain)))
    stated = hypothesis_texts(claim.hypotheses, setting.plain)
    if stated:
        blocks.append(Paragraph("", "Under the hypotheses"))
        blocks.append(Listing(tuple(f"${t}$" for t in stated)))
    return Section("Formal reading", tuple(blocks))


def _verdict_blocks(judgment: Judgment, row: Row, setting: Setting) -> list[Block]:
    found = judgment.verdict
    blocks: list[Block] = []
    head = headline({**row, "id": None})
    match found:
        case HoldsWhen(condition):
            blocks.append(Box("holds", "It holds exactly when the condition below is met", ""))
            blocks.append(Math(condition_lines(condition, setting.plain)))
            blocks.append(Paragraph("Both directions are proved for all sizes."))
        case Proved():
            blocks.append(Box("proved", head[0].upper() + head[1:], ""))
        case Refuted():
            blocks.append(Box("refuted", "Refuted", ""))
        case Undecided(reason, checked):
            text = f"{plain(reason)}; checked: {plain(checked)}."
            blocks.append(Box("undecided", "Undecided", text))
    if judgment.assumed:
        texts = ", ".join(f"${t}$" for t in conditions(judgment.assumed))
        blocks.append(Paragraph(f"The operators are defined for {texts}.", "Assumed."))
    if judgment.degenerate:
        texts = "; ".join(f"${t}$" for t in conditions(judgment.degenerate))
        blocks.append(Paragraph(f"Here some length is 1: {texts}.", "Degenerate cases."))
    if judgment.kernel:
        blocks.append(Paragraph(f"{code(judgment.kernel)}.", "The kernel."))
    if row["counterexample"]:
        lead = (
            "Smallest counterexample." if isinstance(found, Refuted) else "Otherwise, for example:"
        )
        blocks.append(Paragraph(_example_text(judgment, row, setting), lead))
    if row["note"]:
        blocks.append(Paragraph(f"{plain(row['note'])}.", "Note."))
    if row["as_expected"] is False:
        blocks.append(
            Paragraph(f"{plain(str(row['expected']))}; this is not what was found.", "Expected:")
        )
    return blocks


def _example_text(judgment: Judgment, row: Row, setting: Setting) -> str:
    c, shown = judgment.counterexample, row["counterexample"]
    assert c is not None and shown is not None
    if c.kind in ("shape", "value", "undefined") and isinstance(judgment.claim.statement, Same):
        return counterexample(c, setting)
    return f"{plain(shown['text'])}."


def _proof(judgment: Judgment) -> list[Section]:
    """The chain of an equality that holds, for all sizes or under its condition."""
    claim, found = judgment.claim, judgment.verdict
    statement = claim.statement
    if not isinstance(statement, Same) or statement.reads_only or claim.iff is not None:
        return []
    if not isinstance(found, (Proved, HoldsWhen)) or not row_sizes(statement):
        return []
    facts = (*claim.hypotheses, *judgment.assumed)
    if isinstance(found, HoldsWhen):
        facts = (*facts, found.condition)
    part = Part("", Equal(statement.left, statement.right), facts, statement.laws)
    try:
        links = chain(part)
    except DeriveError:
        return []
    setting = setting_for(part.statement, facts, part.laws)
    unnamed = Unnamed(setting.taken)
    steps: list[ChainStep] = []
    for link in links:
        lines = (
            call_lines(link.form, setting, unnamed)
            if link.as_call
            else sum_lines(link.form, setting)
        )
        said = "" if link.verdict is None else _said(link.verdict)
        if steps and steps[-1].lines == lines and said == "decided":
            last = steps.pop()
            steps.append(ChainStep(f"{last.reason}; {link.reason}", lines, said))
        else:
            steps.append(ChainStep(link.reason, lines, said))
    whole = all(s.verdict in ("", "decided") for s in steps)
    blocks: list[Block] = [Chain(tuple(steps))]
    for name, form in unnamed.found:
        body = sum_lines(form, setting)
        blocks.append(Math((f"{output_read(name, form, setting)} = {body[0]}", *body[1:])))
    blocks += _where([line for s in steps for line in s.lines], setting)
    title = "Proof for all sizes"
    if isinstance(found, HoldsWhen):
        title = "Proof under the condition"
    if not whole:
        title = "Steps that were checked (the chain as a whole is not decided step by step)"
    return [Section(title, tuple(blocks))]


def row_sizes(statement: Same) -> bool:
    """Is a size left open?"""
    return bool(statement.left.sizes() or statement.right.sizes())


def _where(texts: Sequence[str], setting: Setting) -> list[Block]:
    """What the short names in some formulas stand for."""
    from derive.document.math import expression
    from derive.document.theorem import mentions

    parts = [
        f"${name_latex(s.symbol.name)} = {expression(s.value)}$"
        for s in setting.shorts
        if any(mentions(t, name_latex(s.symbol.name)) for t in texts)
    ]
    return [Paragraph(f"where {' and '.join(parts)}.")] if parts else []


def _said(verdict: Verdict) -> str:
    if isinstance(verdict, Proved):
        return "decided"
    return "refuted" if isinstance(verdict, Refuted) else "undecided"


def _worked_out(judgment: Judgment) -> list[Section]:
    """Both sides as matrices at the sizes of the counterexample."""
    statement, c = judgment.claim.statement, judgment.counterexample
    if not isinstance(statement, Same) or c is None or c.kind not in ("shape", "value"):
        return []
    shared = [t for t, _ in statement.left.tensors if t in dict(statement.right.tensors)]
    wrt = next((t for t in ("g", "x", *shared) if t in shared), None)
    if wrt is None:
        return []
    sizes: dict[str, Any] = dict(c.sizes)
    for name, table in c.functions:
        known = dict(table)
        sizes[name] = lambda *at, known=known: known.get(tuple(map(int, at)), 0)
    chosen = (
        selections((statement.left, statement.right), sizes, statement.laws)
        if not c.functions
        else {}
    )
    sizes.update(chosen or {})
    blocks: list[Block] = []
    try:
        for words, form in (("left", statement.left), ("right", statement.right)):
            a = matrix(form, wrt, sizes)
            if max(a.shape) > LARGEST:
                return []
            blocks.append(
                Paragraph(
                    f"The {words} side as a matrix that acts on ${name_latex(wrt)}$ "
                    f"({a.shape[0]} by {a.shape[1]}):"
                )
            )
            blocks.append(Math((to_latex(a),)))
    except (DeriveError, TypeError, ValueError, IndexError):
        return []
    shown = ", ".join(f"${name_latex(k)} = {v}$" for k, v in c.sizes)
    return [
        Section(
            "The counterexample worked out",
            (
                Paragraph(f"{shown}." if shown else "The sizes are those of the claim.", "Sizes."),
                *blocks,
            ),
        )
    ]


def _repair_section(row: Row) -> Section:
    repair = row["repair"]
    assert repair is not None
    claim = read(repair["claim"])
    setting = _setting(claim, ())
    blocks: list[Block] = [
        Paragraph(code(repair["claim"])),
        Paragraph(f"{plain(repair['change'])}.", "What is changed:"),
        *_reading(claim, setting).blocks,
        Box("proved", "Proved for all sizes", ""),
    ]
    if repair["assumed"]:
        blocks.append(Paragraph(f"Defined for {code(', '.join(repair['assumed']))}."))
    return Section("The nearest true statement", tuple(blocks))
