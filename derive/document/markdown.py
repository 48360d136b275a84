"""The Markdown writer, for GitHub: formulas between dollar signs."""

from __future__ import annotations

from derive.document.model import (
    Block,
    Book,
    Box,
    Chain,
    Document,
    Figure,
    Ledger,
    Links,
    Listing,
    Math,
    Paragraph,
    Section,
    Table,
)
from derive.document.text import for_markdown, markdown_math


def pages(b: Book) -> dict[str, str]:
    """Every page of the book, by file name, and a README.md that lists them."""
    found = {"README.md": _index(b)}
    for d in b.documents:
        found[f"{d.id}.md"] = page(d)
    return found


def _index(b: Book) -> str:
    parts = [f"# {for_markdown(b.title)}", for_markdown(b.subtitle)]
    parts.append("\n".join(f"- [{for_markdown(d.title)}]({d.id}.md)" for d in (*b.front, *b.back)))
    for family, docs in b.families:
        parts.append(f"## {for_markdown(family)}")
        rows = []
        for d in docs:
            verdict = d.summary.title if d.summary is not None else ""
            rows.append(
                f"| [`{d.id}`]({d.id}.md) | {for_markdown(d.title)} | {for_markdown(verdict)} |"
            )
        parts.append("| id | theorem | verdict |\n|---|---|---|\n" + "\n".join(rows))
    return "\n\n".join(p for p in parts if p) + "\n"


def page(d: Document) -> str:
    """One document."""
    parts = [f"# {for_markdown(d.title)}"]
    if d.summary is not None:
        parts += [f"`{d.id}`", block(d.summary)]
    parts += [block(b) for b in d.blocks]
    parts += [section(s, 2) for s in d.sections]
    return "\n\n".join(p for p in parts if p) + "\n"


def section(s: Section, level: int) -> str:
    """A section with its heading."""
    parts = [f"{'#' * level} {for_markdown(s.title)}"] if s.title else []
    parts += [block(b) for b in s.blocks]
    parts += [section(inner, level + 1) for inner in s.sections]
    return "\n\n".join(p for p in parts if p)


def block(b: Block) -> str:
    """One block."""
    match b:
        case Paragraph(text, lead):
            head = f"**{for_markdown(lead)}** " if lead else ""
            return (head + for_markdown(text)).strip()
        case Math(lines):
            return formula(lines)
        case Listing(items):
            return "\n".join(f"- {for_markdown(i)}" for i in items)
        case Table():
            return _table(b)
        case Figure():
            return ""  # the matrix above it says the same; pictures are in the HTML and the LaTeX
        case Box(_, title, text):
            return f"> **{for_markdown(title)}.** {for_markdown(text)}".rstrip()
        case Chain(steps):
            parts = []
            for number, s in enumerate(steps, 1):
                mark = f" (*{s.verdict}*)" if s.verdict else ""
                equals = "= " if number > 1 else ""
                lines = (equals + s.lines[0], *s.lines[1:])
                parts.append(
                    f"{number}. {for_markdown(s.reason)}{mark}\n\n{_indented(formula(lines))}"
                )
            return "\n\n".join(parts)
        case Links(items):
            return "\n".join(
                f"- [{for_markdown(t)}](<{u}>)" if u else f"- {for_markdown(t)}" for t, u in items
            )
        case Ledger(rows):
            table = ["| claim | in words | found |", "|---|---|---|"]
            for r in rows:
                name = f"[{_cell(r.name)}](<{r.address}>)" if r.address else _cell(r.name)
                notes = "".join(f"<br>{_cell(note)}" for note in r.notes)
                table.append(f"| {name} | {_cell(r.text)} | **{_cell(r.verdict)}**{notes} |")
            return "\n".join(table)


def formula(lines: tuple[str, ...]) -> str:
    """A displayed formula as a ``math`` block, which GitHub does not try to read as Markdown."""
    texts = [markdown_math(line) for line in lines]
    body = texts[0] if len(texts) == 1 else (
        "\\begin{aligned}\n" + " \\\\\n".join(f"&{t}" for t in texts) + "\n\\end{aligned}"
    )  # fmt: skip
    return f"```math\n{body}\n```"


def _indented(text: str) -> str:
    return "\n".join(f"   {line}" if line else "" for line in text.splitlines())


def _table(t: Table) -> str:
    marks = {"c": ":-:", "r": "--:"}
    align = t.align or "l" * len(t.head)
    head = "| " + " | ".join(map(_cell, t.head)) + " |"
    rule = "|" + "|".join(marks.get(a, "---") for a in align) + "|"
    rows = ["| " + " | ".join(map(_cell, r)) + " |" for r in t.rows]
    return "\n".join([head, rule, *rows])


def _cell(text: str) -> str:
    return (
        for_markdown(text).replace(r"\|", "&#124;")
        if "$" not in text
        else for_markdown(text).replace("|", r"\|").replace(r"\\|", r"\|")
    )
