"""The court record: an index of verdicts, a page for each row, a chapter of the book."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from derive.claims import guard, repair
from derive.claims.files import Entry
from derive.claims.guard import Job, Outcome, stages
from derive.claims.judge import judge
from derive.claims.parallel import judge_parallel
from derive.claims.repair_edits import expression, plainest, says_nothing
from derive.claims.report import exit_code
from derive.claims.report_record import chapter, data, documents, files, places, read_record
from derive.cli import run
from derive.document import latex, markdown
from derive.document.book import make_book
from derive.document.tex import compile_tex, find_tex_engine, overfull
from derive.errors import WrongInput

TRUE = "vjp(correlate(x, w), x, g) == correlate(g, flip(w), padding='full')"
SOMETIMES = "vjp(correlate(x, w), x, g) == correlate(g, w, padding='full')"
FALSE = "nearest_upsample(x, 2) == zero_insert(x, 2, trailing=1)"
HOSTILE = r"<script>alert(1)</script> & $x_1$ `code` \input{x} 50 % {a} | #1"
BOOK = {"source": "A <b>book</b>", "url": "https://example.org/?a=1&b=2"}
DOCKET: tuple[Entry, ...] = (
    Entry(TRUE, "A.1", "It is the flip.", **BOOK, row="A", reading="All sizes.", expected="proved"),
    Entry(SOMETIMES, "A.2", HOSTILE, **BOOK, row="A", expected="holds when k == 1"),
    Entry(FALSE, "B", "Copies are zeros.", "Elsewhere", row="B", expected="refuted"),
    Entry("2*(n//2) == n", "index", row="A"),
    Entry("flop(x) == x", "D"),
    Entry(TRUE),
)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    job = Job(60.0, repair=True, document=True)
    return judge_parallel(DOCKET, job, 2)


@pytest.fixture(scope="module")
def pages(outcomes: list[Outcome]) -> dict[str, str]:
    return files(outcomes, "html")


class Page(HTMLParser):
    """The links, the anchors and the shown text of a page; every tag must be closed."""

    OPEN = ("meta", "mspace", "rect", "br", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.tags: list[str] = []
        self.shown: list[str] = []
        self.stack: list[str] = []
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.links += [given["href"] or ""] if "href" in given else []
        self.anchors += [given["id"] or ""] if "id" in given else []
        if tag not in self.OPEN:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.OPEN:
            assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.stack:
            self.shown.append(data)


# -- the pages -------------------------------------------------------------------------------------


def test_claims_of_a_row_share_a_page(pages: dict[str, str]) -> None:
    assert sorted(pages) == [
        "A-4.html", "A.html", "B.html", "claim-6.html", "claims.json", "index.html",
    ]  # fmt: skip
    a = Page(pages["A.html"])
    assert a.anchors == ["A.1", "A.2"]
    text = " ".join(a.shown)
    for words in ("All sizes.", "Proof for all sizes", "worked out", "The nearest true statement"):
        assert words in text
    assert a.shown.count("A.1: It is the flip") == 1


def test_every_link_leads_somewhere(pages: dict[str, str]) -> None:
    parsed = {name: Page(text) for name, text in pages.items() if name.endswith(".html")}
    seen = set()
    for name, page in parsed.items():
        for link in page.links:
            if link.startswith("https:"):
                assert link == BOOK["url"]
                continue
            target, _, anchor = link.partition("#")
            assert target in parsed, (name, link)
            assert not anchor or anchor in parsed[target].anchors, (name, link)
            seen.add(target)
    assert seen == set(parsed)


def test_the_index_has_every_claim_with_what_was_found(pages: dict[str, str]) -> None:
    text = " ".join(" ".join(Page(pages["index.html"]).shown).split())
    for found in (
        "6 claims: 3 proved, 1 holds exactly when, 1 refuted, 1 wrong input, 3 of 3 as expected.",
        "A <b>book</b>",
        "It is the flip. Proved for all sizes at which both sides are defined",
        "Holds exactly when k == 1 True instead: ",
        "Copies are zeros. Refuted At n = 1: in output [1] the coefficient of x[0] is 1 on the left",
        "Wrong input reading the claim: the operator 'flop' is unknown",
    ):
        assert found.replace(
            "3 proved, 1 holds exactly when", "2 proved, 2 holds exactly when"
        ) in (text), found


def test_nothing_of_a_stranger_is_markup(pages: dict[str, str], outcomes: list[Outcome]) -> None:
    for name, text in pages.items():
        if name.endswith(".html"):
            tags = Page(text).tags
            assert "script" not in tags and "b" not in tags, name
    assert "<script>" in " ".join(Page(pages["index.html"]).shown)
    tex = latex.single(chapter(data(outcomes)))
    assert r"\input{x}" not in tex
    assert r"50 \%" in tex
    told = markdown.page(chapter(data(outcomes), name="court-record"))
    assert "<script>" not in told.replace(r"\<script\>", "")
    row = next(line for line in told.splitlines() if "alert" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 4


def test_names_are_safe_and_different() -> None:
    made = [
        Entry("n == 1", id=i, row=r, source=s)
        for i, r, s in (
            ("../x", "", ""), ("x", "", ""), ("X", "", ""), ("index", "", ""), ("", "README", ""),
            ("a", "row", "one"), ("b", "row", "one"), ("c", "row", "two"), ("c", "", ""),
        )
    ]  # fmt: skip
    found = places([next(stages(e, Job())).row for e in made])
    names = [p.page for p in found]
    assert names[5] == names[6] != names[7]
    del names[6]
    assert len({n.casefold() for n in names}) == len(names)
    assert len({p.anchor.casefold() for p in found}) == len(found)
    assert not {"index", "readme"} & {n.casefold() for n in names}
    assert all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", p.page) for p in found)


def test_a_record_is_the_same_bytes_in_any_company(
    outcomes: list[Outcome], pages: dict[str, str]
) -> None:
    one = judge_parallel(DOCKET, Job(60.0, repair=True, document=True), 1)
    assert files(one, "html") == pages
    alone = judge_parallel(DOCKET[1:2], Job(60.0, repair=True, document=True))
    assert data(alone)[0] == data(outcomes)[1]
    assert "seconds" not in pages["claims.json"]


# -- the command -----------------------------------------------------------------------------------

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def command(*words: object) -> tuple[int, str, str]:
        code = run([str(w) for w in words])
        out, err = capsys.readouterr()
        return code, out, err

    return command


def test_a_missed_expectation_fails_the_run(ask: Ask, tmp_path: Path) -> None:
    claims = tmp_path / "claims.yaml"
    listed = [
        {"id": "good", "claim": TRUE, "expected": "proved", "row": "r", "reading": "as it stands"},
        {"id": "bad", "claim": SOMETIMES, "expected": "proved", "row": "r"},
    ]
    claims.write_text(json.dumps(listed))
    code, out, _ = ask("check", "--file", claims, "--format", "html", "--out", tmp_path / "o")
    assert code == 1
    assert "1 of 2 as expected\nbad: expected proved; found holds exactly when k == 1\n" in out
    assert sorted(f.name for f in (tmp_path / "o").iterdir()) == [
        "claims.json",
        "index.html",
        "r.html",
    ]
    assert "Expected was: proved." in (tmp_path / "o" / "index.html").read_text()
    claims.write_text(json.dumps(listed[:1]))
    assert ask("check", "--file", claims, "--format", "html", "--out", tmp_path / "p")[0] == 0


def test_several_processes_tell_the_claims_in_order(ask: Ask) -> None:
    claims = [f"2*n + {i} == 2*n + {i}" for i in range(9)]
    code, out, _ = ask("check", "--jobs", "3", *claims)
    assert code == 0
    assert re.findall(r"claim: (.*)", out) == claims


# -- the chapter -----------------------------------------------------------------------------------


def test_the_book_has_a_chapter(outcomes: list[Outcome], tmp_path: Path) -> None:
    for name, text in files(outcomes, "html").items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    made = chapter(read_record(tmp_path), "../record/", "court-record")
    assert [s.title for s in made.sections] == ["A <b>book</b>", "Elsewhere", ""]
    book = make_book([], chapters=[made])
    assert [d.id for d in book.back] == ["court-record", "sources"]
    tex = latex.book(book)
    assert r"\chapter{The court record}" in tex
    assert "../record/A.html\\#A.1" not in tex


@pytest.mark.skipif(find_tex_engine() is None, reason="no TeX engine")
def test_the_chapter_compiles_within_its_margins(outcomes: list[Outcome]) -> None:
    pdf, log = compile_tex(latex.single(chapter(data(outcomes), name="court-record")))
    assert pdf.startswith(b"%PDF")
    assert overfull(log) == []


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        (None, "there is no claims.json in it"),
        ("no", "claims.json is not JSON"),
        ("[" * 100_000, "claims.json is not JSON"),
        ("{}x", "claims.json is not JSON"),
        ("3", "claims.json holds no judged claims"),
        ("[3]", "claims.json holds no judged claims"),
        ('[{"verdict": "proved"}]', "claims.json holds no judged claims"),
    ],
)
def test_a_folder_without_a_record(text: str | None, fact: str, ask: Ask, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "claims.json").write_text(text)
    again = f"make it with derive check --file CLAIMS --format html --out {tmp_path}"
    with pytest.raises(WrongInput, match=re.escape(f"{tmp_path}: {fact}; {again}")):
        read_record(tmp_path)
    found = ask("prove", "toeplitz-1d", "--out", tmp_path / "book", "--record", tmp_path)
    assert found == (2, "", f"derive prove: --record {tmp_path}: {fact}; {again}\n")
    assert not (tmp_path / "book").exists()


# -- repairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        SOMETIMES,
        "vjp(correlate(x, w), w, g) == correlate(g, x)",
        "vjp(correlate(x, w, stride=s, padding=p), x, g) == correlate(zero_insert(g, s), flip(w), padding=k - 1 - p)",
        "correlate(correlate(x, w, padding='same'), v, padding='same') == correlate(x, v, padding='same')",
    ],
)
def test_a_repair_does_not_depend_on_the_clock(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = repair.repair(judge(text), 60.0)
    clock = time.process_time

    def slow() -> float:
        """A machine on which everything takes four times as long."""
        return 4 * clock()

    monkeypatch.setattr(time, "process_time", slow)
    assert repair.repair(judge(text), 60.0) == found


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = judge("correlate(correlate(x, w, stride=2), v, stride=3) == correlate(x, v, stride=7)")
    monkeypatch.setattr(repair, "WORK", 40)
    scored: list[Any] = []
    score = repair._score

    def counted(*given: Any) -> float:
        scored.append(given)
        return score(*given)

    monkeypatch.setattr(repair, "_score", counted)
    assert repair.repair(claim, 60.0) is None
    assert 2 <= len(scored) <= 10


def test_no_repair_says_nothing() -> None:
    for text in (
        "correlate(x[n], w[3], padding='same') == correlate(x, w, padding='same')",
        "flip(flip(x)) == x",
        "correlate(x, w, stride=s, padding=p + 1) == correlate(x, w, padding=1 + p, stride=s)",
    ):
        assert says_nothing(expression(text)), text
    assert not says_nothing(expression("flip(x) == x"))
    assert plainest(expression("pad(x, a - b)")) != plainest(expression("pad(x, b - a)"))
    assert plainest(expression("pad(x, -(a//b) + 1)")) != plainest(expression("pad(x, -a//b + 1)"))
    same = "correlate(x, w[3], stride=2, padding='same')"
    offered = repair.repair(judge(f"{same} == {same.replace('same', 'same_lower')}"), 60.0)
    assert offered is None or not says_nothing(expression(offered["claim"]))


def test_a_number_is_repaired_as_a_person_writes_it() -> None:
    length = "length(max_pool(x, k, stride=s, padding=p, ceil_mode=True))"
    found = repair.repair(judge(f"{length} == ceil_div(n + 2*p - k, s) + 1 for 2*p <= k"), 60.0)
    assert found is not None
    right = "min(ceil_div(n + 2 * p - k, s) + 1, (n + p - 1) // s + 1)"
    assert found["claim"] == f"{length} == {right} for 2 * p <= k"


def test_the_limit_of_the_guard_is_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one claim may search for takes a small part of the time that there is."""
    start = time.process_time()
    text = "correlate(correlate(x, w, padding='same'), v, padding='same') == correlate(x, v, padding='same')"
    repair.repair(judge(text), 60.0)
    assert time.process_time() - start < guard.REPAIR_SECONDS


def test_exit_codes_of_the_rows(outcomes: list[Outcome]) -> None:
    rows = [o.row for o in outcomes]
    assert exit_code(rows[:3]) == 0
    assert exit_code(rows) == 2
    assert [d.id for d in documents(outcomes)] == ["A", "B", "A-4", "claim-6"]
