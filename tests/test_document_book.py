"""The documents as files: escaping, verdicts, determinism, and that the LaTeX compiles."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from derive import shapes
from derive.decide.verdict import Proved, Undecided
from derive.document import html, latex, markdown
from derive.document.book import files, function_latex, make_book, write_book
from derive.document.calls import Unnamed, call_lines, piece
from derive.document.model import CheckRow, Document, Paragraph, Table
from derive.document.picture import of_matrix, svg, tikz
from derive.document.sums import Setting
from derive.document.tex import compile_tex, find_tex_engine, overfull
from derive.document.text import escape_latex, for_html, for_latex, for_markdown, mathml
from derive.document.theorem import summary_box, theorem_document
from derive.errors import WrongInput
from derive.form import tensor, vjp
from derive.matrix import matrix
from derive.operators import OPERATORS, correlate, flip, pad, zero_insert
from derive.prove import Proof, prove
from derive.symbols import offset, sizes
from derive.theorems import load

NASTY = r"a & b < c > d % e # f _ g ^ h ~ i \ j { k } $n_{lo}$ “q” · ≥ → 𝔘"


@pytest.fixture(scope="module")
def proofs() -> list[Proof]:
    catalogue = load()
    return [prove(catalogue[name]()) for name in ("toeplitz-1d", "input-gradient-general")]


# -- escaping ------------------------------------------------------------------------------------


def test_plain_text_cannot_become_latex() -> None:
    found = escape_latex("\\input{x} $y$ %z & # _ ^ ~ {}")
    for command in (r"\input", "$y$"):
        assert command not in found
    bare = (
        found.replace(r"\textbackslash{}", "")
        .replace(r"\textasciicircum{}", "")
        .replace(r"\textasciitilde{}", "")
    )
    assert not re.search(r"(?<!\\)[&%#_$^~{}]", bare)


def test_plain_text_cannot_become_html() -> None:
    assert "<script>" not in for_html("<script>alert(1)</script> & $n < 3$")
    assert for_html("a < b & c") == "a &lt; b &amp; c"
    assert "<script>" not in for_markdown("<script>alert(1)</script>")


def test_inline_formulas_stay_formulas() -> None:
    assert for_latex("of $n_{lo}$, 5 %") == r"of $n_{\mathrm{lo}}$, 5 \%"
    assert "<math" in for_html("of $n_{lo}$")
    assert for_markdown("a_b $x_1$") == r"a\_b $`x_1`$"


def test_mathml_has_no_raw_tex() -> None:
    for name, o in OPERATORS.items():
        assert "\\" not in mathml(o.latex), name
    for tex in (
        r"\sum_{\substack{0 \le t < k \\ s\,i = j}} \frac{1}{k}\,x[j]",
        r"\lfloor a/b \rfloor \bmod c",
        r"b \nmid a",
    ):
        assert "\\" not in mathml(tex)


def test_mathml_of_a_fraction_inside_brackets_is_a_fraction() -> None:
    """A converter that does not know a command must not swallow the bar of a fraction."""
    for f in (shapes.conv_length, shapes.ceil_length, shapes.same_length, shapes.adaptive_window):
        source = function_latex(f)
        assert mathml(source).count("<mfrac>") == source.count(r"\frac") > 0


# -- calls ---------------------------------------------------------------------------------------


def test_every_operator_prints_as_a_call() -> None:
    for name, o in OPERATORS.items():
        for sample in o.samples:
            forms = {p: tensor(p, *shape) for p, shape in sample.items() if p in o.tensors}
            text = piece(o.build(**{**sample, **forms}), Setting(), Unnamed()).text()
            assert text.count("(") == text.count(")"), name
            assert all(p in text for p in forms), name
            assert "\\" not in mathml(text), name


def test_a_call_shows_every_parameter() -> None:
    n, k, s, d, e = sizes("n k s d e")
    lo, hi = offset("p_lo"), offset("p_hi")
    y = correlate(tensor("x", n), flip(tensor("w", k)), s, (lo, hi), d, e)
    text = piece(y, Setting(), Unnamed()).text()
    for part in (r"\operatorname{corr}(x", r"\operatorname{flip}(w)", r"\text{stride }s", r"\text{dilation }d",
                 r"\text{base dilation }e", r"(p_{\mathrm{lo}},\, p_{\mathrm{hi}})"):  # fmt: skip
        assert part in text
    assert piece(vjp(y, "x"), Setting(), Unnamed()).text().startswith(r"\nabla_{x}\,\bigl\langle g")
    assert (
        piece(zero_insert(tensor("x", n), s), Setting(), Unnamed()).text()
        == r"\operatorname{zero\,insert}_{s}(x)"
    )


def test_long_calls_are_broken_without_losing_anything() -> None:
    n, k = sizes("n k")
    y = correlate(pad(tensor("x", n), (k - 1, 3 * k - 1)), flip(tensor("w", k)), 2, (k, 2 * k))
    whole = piece(y, Setting(), Unnamed()).text()
    lines = call_lines(y, Setting(), Unnamed(), limit=30)
    assert len(lines) > 2

    def bare(text: str) -> str:
        return re.sub(r"\\bigl|\\bigr|\\quad|\\[,;]|\s", "", text)

    assert bare("".join(lines)) == bare(whole)


def test_an_unnamed_form_gets_a_letter_once() -> None:
    n = sizes("n")[0]
    bare = replace(flip(tensor("x", n)), call=None)
    unnamed = Unnamed()
    assert piece(bare, Setting(), unnamed).text() == piece(bare, Setting(), unnamed).text() == "F"
    assert len(unnamed.found) == 1


# -- verdicts ------------------------------------------------------------------------------------


def test_a_failed_proof_cannot_be_shown_as_a_proof(proofs: list[Proof]) -> None:
    good = proofs[0]
    assert summary_box(good).kind == "proved"
    undecided = replace(
        good, parts=(replace(good.parts[0], verdict=Undecided("gave up")), *good.parts[1:])
    )
    refuted = replace(good, parts=(replace(good.parts[0], verdict=good.twin), *good.parts[1:]))
    blind = replace(good, twin=Proved())
    link = good.parts[0].chain[1]
    broken_chain = (
        good.parts[0].chain[0],
        replace(link, verdict=Undecided("gave up")),
        *good.parts[0].chain[2:],
    )
    broken = replace(good, parts=(replace(good.parts[0], chain=broken_chain), *good.parts[1:]))
    for proof, kind in (
        (undecided, "undecided"),
        (refuted, "refuted"),
        (blind, "undecided"),
        (broken, "undecided"),
    ):
        assert summary_box(proof).kind == kind
        d = theorem_document(proof)
        titles = [s.title for s in d.sections]
        assert "Proof for all sizes" not in titles
        assert any("not a proof" in t for t in titles)
        for text in (latex.single(d), markdown.page(d)):
            assert "not a proof" in text


def test_the_document_has_everything(proofs: list[Proof]) -> None:
    d = theorem_document(proofs[1], [CheckRow("n = 5, k = 3", (("loops", True), ("torch", False)))])
    titles = [s.title for s in d.sections]
    assert titles == [
        "Statement",
        "At a small size",
        "Proof for all sizes",
        "Why each hypothesis is needed",
        "A statement that looks like it and is false",
        "Numeric cross-checks",
        "Sources",
    ]
    assert "DIFFERENT" in markdown.page(d)


def test_a_table_with_a_short_row_is_an_error() -> None:
    with pytest.raises(WrongInput, match="row of another length"):
        Table(("a", "b"), (("1",),))


# -- pictures ------------------------------------------------------------------------------------


def test_a_picture_shows_every_entry_once() -> None:
    a = matrix(correlate(tensor("x", 5), tensor("w", 3), 2, (1, 0)), "x", {})
    p = of_matrix(a)
    assert {(q.row, q.column) for q in p.squares} == set(a.entries)
    assert svg(p).count('class="tap') == len(a.entries)
    assert tikz(p).count(r"\filldraw") == len(a.entries)


# -- files ---------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Checks that every tag that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "mspace", "rect", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("rect", "mspace"):
            return
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def test_the_pages_are_well_formed_and_show_no_tex(proofs: list[Proof]) -> None:
    pages = html.pages(make_book(proofs))
    assert set(pages) >= {
        "index.html",
        "toeplitz-1d.html",
        "input-gradient-general.html",
        "notation.html",
    }
    for name, text in pages.items():
        tags = Tags()
        tags.feed(text)
        assert tags.open == [], name
        shown = " ".join(tags.text)
        assert not re.search(r"\\[a-zA-Z]+|\$", shown), (
            name,
            re.findall(r".{20}\\[a-zA-Z]+.{20}", shown)[:3],
        )
        assert "<script" not in text
        for target in re.findall(r'href="([^":]+\.html)"', text):
            assert target in pages, (name, target)


def test_the_files_are_the_same_bytes_every_time(proofs: list[Proof]) -> None:
    formats = {"tex", "html", "md"}
    first = files(make_book(proofs), formats)
    later = [replace(p, seconds=p.seconds + 1.5) for p in proofs]
    assert first == files(make_book(later), formats)
    joined = b"".join(first.values()).decode()
    assert not re.search(r"20\d\d-\d\d-\d\d", joined)


def test_writing_puts_every_file_and_leaves_others(proofs: list[Proof], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    written = write_book(proofs, tmp_path, {"tex", "html", "md"})
    assert {p.name for p in written} | {"mine.txt"} == {p.name for p in tmp_path.iterdir()}
    assert (tmp_path / "book.tex").exists() and (tmp_path / "index.html").exists()


def test_an_unknown_format_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(WrongInput, match="format docx is unknown; choose from"):
        write_book([], tmp_path / "out", {"docx"})
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WrongInput, match="choose a folder that can be written"):
        write_book([], tmp_path / "file" / "out", {"md"})


# -- compiling -----------------------------------------------------------------------------------


def _engine() -> str:
    engine = find_tex_engine()
    if engine is None:
        if os.environ.get("CI"):
            pytest.fail("no TeX engine in CI: install one before the tests")
        pytest.skip(
            "no TeX engine is installed; install pdflatex or tectonic to compile the documents"
        )
    return engine


def test_the_book_compiles_within_its_margins(proofs: list[Proof]) -> None:
    pdf, log = compile_tex(latex.book(make_book(proofs)), _engine())
    assert pdf.startswith(b"%PDF")
    assert overfull(log) == []
    assert "Missing character" not in log


def test_one_theorem_compiles_to_the_same_bytes(proofs: list[Proof]) -> None:
    source = latex.single(theorem_document(proofs[0]))
    first, log = compile_tex(source, _engine())
    assert overfull(log) == []
    assert compile_tex(source, _engine())[0] == first


def test_any_text_compiles() -> None:
    d = Document(
        "nasty",
        NASTY,
        "x",
        None,
        (Paragraph(NASTY, NASTY), Table((NASTY, "b"), ((NASTY, "`x_1`"),), "pp")),
    )
    assert compile_tex(latex.single(d), _engine())[0].startswith(b"%PDF")
