"""The HTML writer: one page for each document, MathML, no JavaScript, one style sheet in the page."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from derive.document.model import (
    Block,
    Book,
    Box,
    Chain,
    Document,
    Figure,
    Ledger,
    LedgerRow,
    Links,
    Listing,
    Math,
    Paragraph,
    Section,
    Table,
)
from derive.document.picture import svg
from derive.document.text import for_html, mathml

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Jinja with escaping on."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def pages(b: Book, index: Document | None = None) -> dict[str, str]:
    """Every page of the book, by file name; ``index`` takes the place of the list of documents."""
    docs = b.documents
    found = {"index.html": _index(b) if index is None else _page(b, index, None, None)}
    for number, d in enumerate(docs):
        before = docs[number - 1] if number else None
        after = docs[number + 1] if number + 1 < len(docs) else None
        found[f"{d.id}.html"] = _page(b, d, before, after)
    return found


def _style() -> Markup:
    return Markup((TEMPLATES / "style.css").read_text(encoding="utf-8"))


def _index(b: Book) -> str:
    return (
        environment()
        .get_template("index.html")
        .render(
            title=b.title,
            subtitle=b.subtitle,
            style=_style(),
            chapters=[(d.id, Markup(for_html(d.title))) for d in (*b.front, *b.back)],
            families=[
                (name, [(d.id, Markup(for_html(d.title)), d.summary) for d in docs])
                for name, docs in b.families
            ],
        )
    )


def _page(b: Book, d: Document, before: Document | None, after: Document | None) -> str:
    parts = [block(d.summary)] if d.summary is not None else []
    parts += [block(x) for x in d.blocks]
    parts += [section(s, 2) for s in d.sections]
    return (
        environment()
        .get_template("page.html")
        .render(
            title=d.title,
            heading=Markup(for_html(d.title)),
            name=d.id if d.summary is not None else "",
            family=d.family,
            book=b.title if d.title != b.title else "",
            style=_style(),
            body=Markup("\n".join(parts)),
            before=(before.id, Markup(for_html(before.title))) if before else None,
            after=(after.id, Markup(for_html(after.title))) if after else None,
        )
    )


def section(s: Section, level: int) -> str:
    """A section with its heading."""
    parts = [f"<h{level}>{for_html(s.title)}</h{level}>"] if s.title else []
    parts += [block(b) for b in s.blocks]
    parts += [section(inner, level + 1) for inner in s.sections]
    anchor = f' id="{escape(s.anchor, quote=True)}"' if s.anchor else ""
    return f"<section{anchor}>\n" + "\n".join(parts) + "\n</section>"


def block(b: Block) -> str:
    """One block."""
    match b:
        case Paragraph(text, lead):
            head = f"<strong>{for_html(lead)}</strong> " if lead else ""
            return f"<p>{head}{for_html(text)}</p>"
        case Math(lines):
            return formula(lines)
        case Listing(items):
            return "<ul>" + "".join(f"<li>{for_html(i)}</li>" for i in items) + "</ul>"
        case Table():
            return _table(b)
        case Figure(picture, caption):
            drawing = f'<div class="scroll">{svg(picture)}</div>'
            return f"<figure>{drawing}<figcaption>{for_html(caption)}</figcaption></figure>"
        case Box(kind, title, text):
            tail = f" {for_html(text)}" if text else ""
            return f'<div class="verdict {kind}"><strong>{for_html(title)}.</strong>{tail}</div>'
        case Chain():
            return _chain(b)
        case Links(items):
            return "<ul>" + "".join(f"<li>{_link(t, u)}</li>" for t, u in items) + "</ul>"
        case Ledger(rows):
            body = "".join(map(_ledger_row, rows))
            head = "<tr><th>claim</th><th>in words</th><th>found</th></tr>"
            return f'<table class="ledger"><thead>{head}</thead><tbody>{body}</tbody></table>'


def _ledger_row(r: LedgerRow) -> str:
    name = for_html(r.name)
    if r.address:
        name = f'<a href="{escape(r.address, quote=True)}">{name}</a>'
    verdict = f'<strong class="badge {escape(r.kind, quote=True)}">{for_html(r.verdict)}</strong>'
    notes = "".join(f"<p>{for_html(note)}</p>" for note in r.notes)
    return f"<tr><td>{name}</td><td>{for_html(r.text)}</td><td>{verdict}{notes}</td></tr>"


def formula(lines: tuple[str, ...]) -> str:
    """A displayed formula; too wide ones scroll inside themselves."""
    rows = "".join(f"<div>{mathml(_left(line), display=True)}</div>" for line in lines)
    return f'<div class="formula">{rows}</div>'


def _left(line: str) -> str:
    return line


def _chain(c: Chain) -> str:
    rows = []
    for number, s in enumerate(c.steps):
        lines = list(s.lines)
        if number:
            lines = [f"= {lines[0]}", *(rf"\quad {line}" for line in lines[1:])]
        mark = f'<span class="said {s.verdict}">{s.verdict}</span>' if s.verdict else ""
        rows.append(
            f'<li><div class="reason">{for_html(s.reason)}{mark}</div>{formula(tuple(lines))}</li>'
        )
    return f'<ol class="chain">{"".join(rows)}</ol>'


def _table(t: Table) -> str:
    align = t.align or "l" * len(t.head)
    head = "".join(
        f'<th class="{a}">{for_html(h)}</th>' for h, a in zip(t.head, align, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(f'<td class="{a}">{for_html(c)}</td>' for c, a in zip(r, align, strict=True))
        + "</tr>"
        for r in t.rows
    )
    caption = f"<caption>{for_html(t.caption)}</caption>" if t.caption else ""
    return f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _link(title: str, url: str) -> str:
    if url and urlsplit(url).scheme in ("http", "https"):
        return f'<a href="{escape(url, quote=True)}">{for_html(title)}</a>'
    return for_html(title)
