"""The book: chapters that say how to read it, every theorem by family, and the files."""

from __future__ import annotations

import inspect
import os
import re
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import latexify
from latexify.exceptions import LatexifyError

from derive import shapes
from derive.document import html, latex, markdown
from derive.document.model import (
    Book,
    CheckRow,
    Document,
    Links,
    Listing,
    Math,
    Paragraph,
    Section,
    Table,
)
from derive.document.tex import compile_tex
from derive.document.theorem import theorem_document
from derive.errors import WrongInput
from derive.operators import OPERATORS
from derive.prove import Proof

FORMATS = ("tex", "html", "md", "pdf")
TITLE = "Convolution, pooling and upsampling: a book of machine-checked proofs"
SUBTITLE = "Every statement is decided for all sizes at once; every page says by what evidence."
FAMILY_TITLES = {
    "toeplitz": "What the matrix is",
    "gradient": "The derivatives of a convolution",
    "pooling": "Pooling",
    "upsampling": "Upsampling",
    "composition": "Composition",
    "shapes": "Shapes",
}


def make_book(
    proofs: Sequence[Proof],
    checks: Mapping[str, Sequence[CheckRow]] | None = None,
    documents: Mapping[str, Document] | None = None,
    chapters: Sequence[Document] = (),
) -> Book:
    """The book as one document model.

    Args:
        proofs: what the prover found, in the order of the book.
        checks: numeric cross-checks by theorem.
        documents: documents that are made already, by theorem.
        chapters: more chapters, which come after the theorems.

    Returns:
        the book.
    """
    given, made = checks or {}, documents or {}
    families: dict[str, list[Document]] = {}
    for p in proofs:
        name = p.theorem.id
        d = made[name] if name in made else theorem_document(p, given.get(name, ()))
        families.setdefault(p.theorem.family, []).append(d)
    return Book(
        TITLE,
        SUBTITLE,
        (how_to_read(), notation(), shape_formulas()),
        tuple((FAMILY_TITLES.get(f, f), tuple(docs)) for f, docs in families.items()),
        (*chapters, sources(proofs)),
    )


def how_to_read() -> Document:
    """The chapter on evidence and verdicts."""
    verdicts = Table(
        ("verdict", "what it says"),
        (
            ("proved", "True for all sizes that the hypotheses allow."),
            (
                "holds exactly when",
                "True where the condition holds and false where it does not; both directions are proved.",
            ),
            (
                "refuted",
                "False; the smallest counterexample is shown, and it was recomputed from the definition.",
            ),
            (
                "undecided",
                (
                    "Neither. What was checked, and why it stopped, is said. An undecided statement is "
                    "never shown as a proof."
                ),
            ),
        ),
        "lp",
    )
    evidence = Table(
        ("evidence", "what it is"),
        (
            (
                "instance",
                (
                    "Matrices with symbolic entries at one small size. It shows what a statement says and "
                    "proves nothing about other sizes."
                ),
            ),
            (
                "for all sizes",
                (
                    "Both sides are brought to a normal form without bound indices, and a solver for "
                    "integer arithmetic decides that no sizes and no indices tell them apart; sizes, "
                    "strides and dilations are symbols."
                ),
            ),
            (
                "numeric",
                (
                    "Integer-valued data, so that every sum is exact, compared with naive loops and with "
                    "frameworks where they are installed."
                ),
            ),
        ),
        "lp",
    )
    return Document(
        "how-to-read", "How to read this book", "", None,
        (
            Paragraph(
                "A theorem has one or more statements. Each has its symbols, its hypotheses, a left "
                "side and a right side, and a verdict. The verdicts are computed when the book is "
                "written."
            ),
        ),
        (
            Section("Verdicts", (verdicts,)),
            Section("Kinds of evidence", (evidence,)),
            Section("What a proof is", (
                Paragraph(
                    "A proof is a chain of formulas, each with the reason that leads to it from the one "
                    "before. Every adjacent pair is decided for all sizes, so what is printed is what was "
                    "checked. Two formulas that are written alike, because they differ only in conditions "
                    "that follow from the others, are shown once with both reasons."
                ),
                Paragraph(
                    "Every hypothesis is dropped in turn; where the statement is then false, its smallest "
                    "counterexample is shown, and where it stays true, that is said. Every theorem has a "
                    "near miss: a statement that looks like it and is refuted, which shows that the "
                    "method can say no."
                ),
            )),
        ),
    )  # fmt: skip


def notation() -> Document:
    """The chapter on symbols, conventions and operators."""
    symbols = Table(
        ("symbol", "meaning"),
        (
            ("$n$, $m$, $k$", "input length, output length, kernel length (taps)"),
            (
                "$s$, $d$, $e$",
                "stride, dilation of the kernel, base dilation (zero insertion in the input)",
            ),
            ("$p_{lo}$, $p_{hi}$", "padding in front and behind; negative padding crops"),
            ("$r$", "output padding, or the remainder of the division that gives an output length"),
            ("$c$", "channels"),
            (
                "$x$, $w$, $y$, $g$",
                "input, kernel, output, incoming gradient (of the shape of the output)",
            ),
            (
                r"$\lfloor a/b \rfloor$, $a \bmod b$",
                "the floor quotient and its remainder, $0 \\le a \\bmod b < b$; read only for $b \\ge 1$",
            ),
            (r"$b \mid a$", "$a$ is a multiple of $b$"),
            (
                r"$\nabla_{x}\langle g, y \rangle$",
                "the gradient of $\\sum_i g[i]\\,y[i]$ with respect to $x$: the vector–Jacobian product",
            ),
        ),
        "lp",
    )
    rows = tuple(
        (f"${o.latex}$", o.name.replace("_", " "), _summary(o.summary))
        for o in sorted(OPERATORS.values(), key=lambda o: (o.family, o.name))
    )
    return Document(
        "notation", "Notation", "", None,
        (symbols,),
        (
            Section("Conventions", (Listing((
                "Indices count from 0. A tensor that is read outside its axes is zero.",
                (
                    r"The conditions under a sum sign say over which indices it runs: $\sum_{0 \le t < k} "
                    r"w[t]\,x[i + t]$. A condition in brackets in front of a term means that the term "
                    r"counts only where it holds."
                ),
                "A condition that follows from the others (under the hypotheses) is not repeated in a sum.",
                "Correlation is what frameworks call convolution; convolution flips the kernel first.",
            )),)),
            Section("Operators", (Table(("sign", "name", "meaning"), rows, "llp"),)),
        ),
    )  # fmt: skip


def _summary(text: str) -> str:
    plain = re.sub(r":\w+:`([^`]*)`", r"`\1`", text).replace("``", "`").replace("$", "")
    return plain.removesuffix(":")


def shape_formulas() -> Document:
    """The chapter on shapes: every rule is a Python function, and latexify prints its source."""
    sections = []
    for name, f in _rules():
        lines = (inspect.getdoc(f) or "").split("\n\n")
        signature = ", ".join(
            p.name if p.default is p.empty else f"{p.name}={p.default}"
            for p in inspect.signature(f).parameters.values()
        )
        blocks: list[Any] = [Paragraph(f"`{name}({signature})`", "Python.")]
        with suppress(LatexifyError):  # of a loop, say, which the sentence puts into words
            blocks.append(Math((function_latex(f),)))
        if len(lines[0]) < 200:
            blocks.insert(0, Paragraph(_summary(lines[0].replace("\n", " "))))
        sections.append(Section(name.replace("_", " "), tuple(blocks)))
    note = Paragraph(
        "Each rule is one Python function: called with numbers it computes, called with "
        "symbols it is the formula that the proofs use. The formulas are printed from the "
        "source of the functions; a rule that runs through a list of layers is said in words."
    )
    return Document("shape-formulas", "Shape formulas", "", None, (note,), tuple(sections))


def _rules() -> list[tuple[str, Callable[..., Any]]]:
    skip = {"larger", "smaller"}
    found = inspect.getmembers(
        shapes, lambda f: inspect.isfunction(f) and f.__module__ == shapes.__name__
    )
    own = [(n, f) for n, f in found if not n.startswith("_") and n not in skip]
    return sorted(own, key=lambda nf: nf[1].__code__.co_firstlineno)


def function_latex(f: Callable[..., Any]) -> str:
    r"""The formula of a Python function, by latexify, with the signs of this book.

    >>> print(function_latex(shapes.effective_length))
    \operatorname{effective\,length}(k, d) = d \cdot \left( k - 1 \right) + 1
    """
    text = str(latexify.get_latex(f, use_math_symbols=True))
    text = (
        text.replace(r"\mathopen{}", "")
        .replace(r"\mathclose{}", "")
        .replace(r"\mathbin{\%}", r"\bmod")
    )
    text = text.replace(r"\mathrm{larger}", r"\max").replace(r"\mathrm{smaller}", r"\min")
    text = re.sub(r"\\mathrm\{p\\_(lo|hi)\}", r"p_{\\mathrm{\1}}", text)

    def name(found: re.Match[str]) -> str:
        return rf"\operatorname{{{found.group(1)}}}".replace(r"\_", r"\,")

    return re.sub(r"\\mathrm\{((?:[a-z]|\\_){3,})\}", name, text)


def sources(proofs: Sequence[Proof]) -> Document:
    """The chapter that lists every source once."""
    found: dict[tuple[str, str], None] = {}
    for p in proofs:
        for s in p.theorem.sources:
            found[s.title, s.url] = None
    return Document("sources", "Sources", "", None, (Links(tuple(sorted(found))),))


# -- files -------------------------------------------------------------------------------------


def files(b: Book, formats: Collection[str]) -> dict[str, bytes]:
    """The content of every file, by its path inside the output folder.

    Raises :class:`derive.errors.WrongInput` for an unknown format.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        raise WrongInput(
            f"the format {', '.join(unknown)} is unknown; choose from {', '.join(FORMATS)}"
        )
    found: dict[str, bytes] = {}
    theorems = [d for _, docs in b.families for d in docs]
    if {"tex", "pdf"} & set(formats):
        source = latex.book(b)
        if "tex" in formats:
            found["book.tex"] = source.encode()
            found |= {f"{d.id}.tex": latex.single(d).encode() for d in theorems}
        if "pdf" in formats:
            found["book.pdf"] = compile_tex(source)[0]
    if "html" in formats:
        found |= {name: text.encode() for name, text in html.pages(b).items()}
    if "md" in formats:
        found |= {name: text.encode() for name, text in markdown.pages(b).items()}
    return found


def write_book(
    proofs: Sequence[Proof],
    out: Path,
    formats: Collection[str],
    checks: Mapping[str, Sequence[CheckRow]] | None = None,
    documents: Mapping[str, Document] | None = None,
    chapters: Sequence[Document] = (),
) -> tuple[Path, ...]:
    """Write the book; either all of its files are written or none.

    Args:
        proofs: what the prover found, in the order of the book.
        out: the output folder; it is made where it does not exist, and other files in it stay.
        formats: some of ``tex``, ``html``, ``md``, ``pdf``.
        checks: numeric cross-checks by theorem.
        documents: documents that are made already, by theorem.
        chapters: more chapters, which come after the theorems.

    Returns:
        the paths of the files, sorted.

    Raises:
        derive.errors.WrongInput: for an unknown format or a folder that cannot be written.
        derive.errors.NotSupported: for ``pdf`` without a TeX engine.
    """
    content = files(make_book(proofs, checks, documents, chapters), formats)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".writing-") as folder:
            for name, data in content.items():
                (Path(folder) / name).write_bytes(data)
            for name in sorted(content):
                os.replace(Path(folder) / name, out / name)
    except OSError as e:
        raise WrongInput(
            f"writing to {out}: {e.strerror or e}; choose a folder that can be written"
        ) from e
    return tuple(out / name for name in sorted(content))
