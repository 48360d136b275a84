"""The LaTeX writer.  Every document compiles with pdfLaTeX; nothing is wider than the page."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from derive.document.calls import width
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
from derive.document.picture import tikz
from derive.document.text import escape_latex, for_latex, math_for_latex, pieces

TEMPLATES = Path(__file__).parent / "templates"
LINE = 88  # characters of a table row on one line
LEVELS = ("chapter", "section", "subsection*", "subsubsection*", "paragraph*")


@cache
def environment() -> Environment:
    """Jinja with delimiters that do not clash with LaTeX."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def book(b: Book) -> str:
    """The whole book as one LaTeX document."""
    parts = [document(d, "chapter") for d in b.front]
    for family, docs in b.families:
        parts.append(rf"\chapter{{{for_latex(family)}}}")
        parts += [document(d, "section") for d in docs]
    parts += [document(d, "chapter") for d in b.back]
    return (
        environment()
        .get_template("book.tex")
        .render(title=for_latex(b.title), subtitle=for_latex(b.subtitle), body="\n\n".join(parts))
    )


def single(d: Document) -> str:
    """One theorem as a LaTeX document of its own."""
    body = _contents(d, 1)
    return (
        environment()
        .get_template("theorem.tex")
        .render(title=for_latex(d.title), name=escape_latex(d.id), body=body)
    )


def document(d: Document, level: str) -> str:
    """A document as a chapter or a section of the book."""
    head = rf"\{level}{{{for_latex(d.title)}}}" + "\n" + rf"\label{{{d.id}}}"
    depth = LEVELS.index(level)
    tag = rf"\theoremid{{{escape_latex(d.id)}}}" + "\n" if d.summary is not None else ""
    return f"{head}\n{tag}{_contents(d, depth + 1)}"


def _contents(d: Document, depth: int) -> str:
    parts = [block(d.summary)] if d.summary is not None else []
    parts += [block(b) for b in d.blocks]
    parts += [section(s, depth) for s in d.sections]
    return "\n\n".join(parts)


def section(s: Section, depth: int) -> str:
    """A section with its heading (left out where it has no title)."""
    level = LEVELS[min(max(depth, 2), len(LEVELS) - 1)]
    parts = [rf"\{level}{{{for_latex(s.title)}}}"] if s.title else []
    parts += [block(b) for b in s.blocks]
    parts += [section(inner, depth + 1) for inner in s.sections]
    return "\n\n".join(parts)


def block(b: Block) -> str:
    """One block."""
    match b:
        case Paragraph(text, lead):
            head = rf"\lead{{{for_latex(lead)}}} " if lead else ""
            return head + for_latex(text)
        case Math(lines):
            return _formula(lines)
        case Listing(items):
            inner = "\n".join(rf"\item {for_latex(i)}" for i in items)
            return "\\begin{itemize}\n" + inner + "\n\\end{itemize}"
        case Table():
            return _table(b)
        case Figure(picture, caption):
            drawing = rf"\fit{{{tikz(picture)}}}"
            return (
                "\\begin{center}\n"
                + drawing
                + "\n\n"
                + rf"\figurenote{{{for_latex(caption)}}}"
                + "\n\\end{center}"
            )
        case Box(kind, title, text):
            inner = rf"\textbf{{{for_latex(title)}.}} {for_latex(text)}".rstrip()
            return rf"\begin{{verdict}}{{{kind}}}" + "\n" + inner + "\n" + r"\end{verdict}"
        case Chain():
            return _chain(b)
        case Links(items):
            return _links(items)
        case Ledger(rows):
            return _ledger(rows)


def _ledger(rows: tuple[LedgerRow, ...]) -> str:
    ragged = r">{\raggedright\arraybackslash}p"
    spec = rf"l{ragged}{{0.36\linewidth}}{ragged}{{0.47\linewidth}}"
    lines = []
    for r in rows:
        verdict = rf"\textbf{{\color{{{r.kind}color}}{for_latex(r.verdict)}}}"
        notes = "".join(rf" \newline {for_latex(note)}" for note in r.notes)
        lines.append(rf"{for_latex(r.name)} & {for_latex(r.text)} & {verdict}{notes} \\")
    head = r"\textbf{claim} & \textbf{in words} & \textbf{found} \\"
    return (
        r"{\footnotesize\begin{longtable}{" + spec + "}\n\\toprule\n" + head + "\n\\midrule\n\\endhead\n"
        + "\n\\addlinespace[3pt]\n".join(lines) + "\n\\bottomrule\n\\end{longtable}}"
    )  # fmt: skip


def _formula(lines: tuple[str, ...]) -> str:
    body = "\n".join(rf"\mline{{{math_for_latex(line)}}}" for line in lines)
    return "\\begin{formula}\n" + body + "\n\\end{formula}"


def _chain(c: Chain) -> str:
    parts = []
    for number, s in enumerate(c.steps):
        reason = for_latex(s.reason)
        mark = "" if not s.verdict else rf"\said{{{s.verdict}}}"
        lines = list(s.lines)
        if number:
            lines = [f"= {lines[0]}", *(rf"\phantom{{=}}\;{line}" for line in lines[1:])]
        parts.append(rf"\step{{{reason}}}{{{mark}}}" + "\n" + _formula(tuple(lines)))
    return "\n".join(parts)


def _table(t: Table) -> str:
    spec = _columns(t)
    head = " & ".join(rf"\textbf{{{for_latex(h)}}}" for h in t.head)
    rows = "\n".join(" & ".join(for_latex(c) for c in r) + r" \\" for r in t.rows)
    caption = rf"\figurenote{{{for_latex(t.caption)}}}" + "\n\n" if t.caption else ""
    return (
        caption + r"{\small\begin{longtable}{" + spec + "}\n\\toprule\n" + head + " \\\\\n\\midrule\n\\endhead\n"
        + rows + "\n\\bottomrule\n\\end{longtable}}"
    )  # fmt: skip


def _columns(t: Table) -> str:
    """Column widths from what stands in them; columns are wrapped where the table would be too wide."""
    align = t.align or "l" * len(t.head)
    widths = [max(_printed(r[c]) for r in (t.head, *t.rows)) + 2 for c in range(len(t.head))]
    if sum(widths) <= LINE:
        return "".join("l" if a == "p" else a for a in align)
    short = [w <= 12 for w in widths]
    room = LINE - sum(w for w, s in zip(widths, short, strict=True) if s)
    total = sum(min(w, LINE) for w, s in zip(widths, short, strict=True) if not s)
    spec = ""
    for a, w, s in zip(align, widths, short, strict=True):
        share = 0.88 * room / LINE * min(w, LINE) / total if total else 0
        spec += (
            a.replace("p", "l")
            if s
            else rf">{{\raggedright\arraybackslash}}p{{{share:.3f}\linewidth}}"
        )
    return spec


def _printed(text: str) -> int:
    """About how many characters wide a text is printed."""
    return sum(width(p) + 1 if kind == "math" else len(p) for kind, p in pieces(text))


def _links(items: tuple[tuple[str, str], ...]) -> str:
    rows = []
    for title, url in items:
        address = rf"\url{{{url.replace('%', chr(92) + '%').replace('#', chr(92) + '#')}}}"
        both = rf"{for_latex(title)} \newline{address}" if url else for_latex(title)
        rows.append(rf"\item {address if url == title else both}")
    return "\\begin{itemize}\n" + "\n".join(rows) + "\n\\end{itemize}"
