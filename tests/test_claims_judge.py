"""Judging claims: what is found, told and mended, and that no claim runs past its limit."""

from __future__ import annotations

import ast
import re
import time
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

import derive
from derive.claims.files import Entry
from derive.claims.guard import Job, Outcome, _Worker, judge_entries, stages
from derive.claims.judge import Judgment, judge
from derive.claims.meaning import read
from derive.claims.repair import repair
from derive.claims.repair_edits import edits, length_text, put
from derive.claims.report import blank, counts, exit_code, lines, make_row
from derive.claims.report_document import address, judgment_document, pages, plain, written
from derive.claims.values import Same
from derive.decide.equality import counterexample_at
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided
from derive.errors import WrongInput
from derive.evaluation import holds
from derive.expr import all_of
from derive.symbols import sizes

GRADIENT = "vjp(correlate(x, w), x, g) == correlate(g, w, padding='full')"
STRIDED = "vjp(correlate(x, w, stride=s), x, g) == conv_transpose(g, w, stride=s)"


def found(text: str, expected: str = "", **job: Any) -> dict[str, Any]:
    """The row of a claim."""
    *_, last = stages(Entry(text, expected=expected), Job(**{"repair": False, **job}))
    return dict(last.row)


@pytest.mark.parametrize(
    ("text", "verdict", "condition"),
    [
        ("flip(flip(x)) == x", "proved", None),
        (GRADIENT, "holds exactly when", "k == 1"),
        (STRIDED, "holds exactly when", "(n - k) % s == 0"),
        ("max_pool(max_pool(x, k, 1), l, 1) == max_pool(x, k + l - 1, 1)", "proved", None),
        ("not flip(x) == x for n >= 2", "proved", None),
        ("length(correlate(x, w)) == n - k", "refuted", None),
        ("covered(conv_transpose(x, w, stride=s)) iff k >= s", "refuted", None),
        ("covered(conv_transpose(x, w, stride=s)) iff n == 1 or k >= s", "proved", None),
        ("flip(x[3]) == x", "refuted", None),
        ("correlate([1, 2, 3], [1, 1]) == [3, 5]", "proved", None),
        ("correlate(x[3], w[5]) == x", "cannot be", None),
        ("flop(x) == x", "wrong input", None),
    ],
)
def test_verdicts(text: str, verdict: str, condition: str | None) -> None:
    row = found(text)
    assert row["verdict"] == verdict
    if condition is not None:  # the same condition, whatever the words
        claim = replace(judge(text).claim, iff=None)
        wanted = read(f"{claim.text} iff {condition}").iff
        verdict_found = judge(text).verdict
        assert isinstance(verdict_found, HoldsWhen)
        assert wanted is not None
        names = sorted({"n", "k", "s"})
        for values in product(range(1, 6), repeat=3):
            env = dict(zip(names, values, strict=True))
            if env["n"] >= env["k"]:
                assert holds(verdict_found.condition, env) == holds(wanted, env)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GRADIENT, "at k = 2, n = 2: in output [0] the coefficient of g[0]·w[0] is 1 on the left"),
        (STRIDED, "at k = 1, n = 2, s = 2: the shapes are (2,) and (1,)"),
        (
            "length(conv_transpose(x, w, stride=2)) == 2*n",
            "at k = 1, n = 1: the left side is 1, the right side 2",
        ),
        (
            "shape(correlate(x, w)) == (n - k,)",
            "at k = 1, n = 1: the left side is (1,), the right side (0,)",
        ),
        (
            "covered(conv_transpose(x, w, stride=s))",
            "at k = 1, n = 2, s = 2: in output [1] the number is 0, not >= 1",
        ),
        (
            "overlap(conv_transpose(x, w, stride=s)) <= 1",
            "at k = 2, n = 2, s = 1: in output [1] the number is 2, not <= 1",
        ),
        ("[1, 3/2] == [1, 1]", "entry [1] is 3/2 on the left and 1 on the right"),
        ("x[2] + [1, 1] == x", "in output [0] the constant is 1 on the left and 0 on the right"),
        ("flip(x[3]) == x", "in output [0] the coefficient of x[0] is 0 on the left"),
    ],
)
def test_counterexamples_say_both_values(text: str, told: str) -> None:
    example = found(text)["counterexample"]
    assert example is not None
    assert example["text"].startswith(told)


def test_a_counterexample_names_the_selection() -> None:
    example = found("vjp(max_pool(x, k), x, g) == nearest_upsample(g, k)")["counterexample"]
    assert example["functions"]
    assert "σ(0) = " in example["text"]


@pytest.mark.parametrize(
    ("text", "expected", "met"),
    [
        ("flip(flip(x)) == x", "proved", True),
        ("flip(flip(x)) == x", "refuted", False),
        (GRADIENT, "holds when k <= 1", True),
        (GRADIENT, "holds when k == 2", False),
        (GRADIENT, "holds when k == 1 or n < k", True),  # where n < k nothing is defined
        (GRADIENT, "refuted", False),
        ("flip(flip(x)) == x", "holds when n == 1", False),
        ("correlate(x[3], w[5]) == x", "cannot be", True),
    ],
)
def test_expectations_are_compared_by_meaning(text: str, expected: str, met: bool) -> None:
    row = found(text, expected)
    assert row["as_expected"] is met
    assert ("expected: " in "\n".join(line for _, line in lines(row))) is not met  # type: ignore[arg-type]


@pytest.mark.parametrize("condition", ["zz == 1", "flip(x) == x", "k ==", "k == 1 for n >= 2"])
def test_an_expected_condition_that_cannot_be_read(condition: str) -> None:
    row = found(GRADIENT, f"holds when {condition}")
    assert row["verdict"] == "wrong input"
    assert f"the expected condition {condition!r}: " in row["error"]


@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("flip(flip(x)) == x", "proved for all sizes"),
        (
            "correlate(x, w) == correlate(w, x)",
            "proved for k == n, the only sizes at which both sides are defined",
        ),
        (
            "zero_insert(x, 2) + zero_insert(x, 3) == 2*x",
            "proved for n == 1, the only sizes at which both sides are defined",
        ),
        (
            "max_pool(x, k) + x == 2*x",
            "proved for k == 1, the only sizes at which both sides are defined",
        ),
        (
            "correlate(flip(x), flip(w)) == flip(correlate(x, w))",
            "proved for all sizes at which both sides are defined: n >= k",
        ),
        ("correlate(flip(x), flip(w)) == flip(correlate(x, w)) for n >= k", "proved for all sizes"),
        ("flip(flip(x[3])) == x[3]", "proved for these numbers (computed exactly)"),
    ],
)
def test_the_headline_says_for_which_sizes(text: str, headline: str) -> None:
    *_, last = stages(Entry(text), Job(repair=False))
    assert lines(last.row)[0] == ("verdict", headline)


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("correlate(x[3], w[5]) == x", "correlate: with these numbers there is no output"),
        ("pad(x[2], -1) == x", "pad: with these numbers there is no output"),
        ("x[3] + w[4] == x", "a sum of the shapes (3,) and (4,), which always differ"),
        ("pad(x, 1) * x == x", "a product entry by entry of the shapes (n + 2,) and (n,)"),
        ("x[3] + w[2, 3] == x", "a sum of the shapes (3,) and (2, 3); give both the same axes"),
        ("x[3, 4] == w[3]", "the left side has 2 axes, (3, 4), the right side 1, (3,)"),
        (
            "concat(x[2, 3], w[2, 4]) == x",
            "concat: the shapes (2, 3) and (2, 4) differ in an axis that is not concatenated",
        ),
        (
            "correlate(x[3, 8], w[4, 2, 3], dims=1) == x",
            "correlate: the kernel reads 2 channels per group, 2 in all, but the input has 3",
        ),
        (
            "correlate(x[4, 8], w[5, 2, 3], groups=2, dims=1) == x",
            "correlate: 5 output channels cannot be split into 2 groups",
        ),
    ],
)
def test_what_can_never_fit_is_said_so(text: str, fact: str) -> None:
    row = found(text)
    assert row["verdict"] == "cannot be"
    assert fact in row["error"]


@pytest.mark.parametrize("call", ["correlate", "conv_transpose", "convolve"])
def test_groups_without_channels_are_refused(call: str) -> None:
    row = found(f"{call}(x, w, groups=2) == {call}(x, w)")
    assert row["verdict"] == "wrong input"
    assert "groups = 2 without channels; give dims, and a kernel of shape (c_" in row["error"]


@pytest.mark.parametrize(
    ("text", "condition", "degenerate"),
    [
        ("disjoint(conv_transpose(x, w, dilation=2))", "k == 1 or n <= 2", ["k == 1"]),
        ("covered(conv_transpose(x, w, stride=s))", "n == 1 or k >= s", ["n == 1"]),
        (
            (
                "vjp(correlate(x, one_hot(k, t), stride=s), x, "
                "correlate(x, one_hot(k, t), stride=s)) == x for t >= 0, t < k"
            ),
            "n == 1 or (k == 1 and s == 1)",
            ["n == 1"],
        ),
    ],
)
def test_degenerate_cases_are_named(text: str, condition: str, degenerate: list[str]) -> None:
    row = found(text)
    assert row["condition"] == condition
    assert row["degenerate"] == degenerate


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("avg_pool(bilinear_upsample(x, 2), 2, 2) == x", "n == 1"),
        ("avg_pool(bilinear_upsample(x, 3), 3, 3) == x", "n == 1"),
        ("decimate(bilinear_upsample(x, 2), 2) == x", "n == 1"),
        ("decimate(bilinear_upsample(x, 3), 3, 1) == x", None),
    ],
)
def test_conditions_of_interpolation(text: str, condition: str | None) -> None:
    row = found(text)
    if condition is None:
        assert row["verdict"] == "proved"
    else:
        assert row["condition"] == condition


def test_parity_is_written_as_a_product() -> None:
    row = found("length(correlate(x, w, padding=d*(k - 1)//2, dilation=d)) == n")
    assert row["condition"] == "d*(k + 1) % 2 == 0"
    assert found(f"{row['claim']} iff {row['condition']}")["verdict"] == "proved"


def test_exit_codes() -> None:
    def rows(*kinds: tuple[str, bool | None]) -> list[Any]:
        made = []
        for verdict, met in kinds:
            row = blank(Entry("n == 1"))
            row["verdict"], row["as_expected"] = verdict, met
            row["error"] = "…" if verdict in ("wrong input", "cannot be") else None
            made.append(row)
        return made

    assert exit_code([]) == 0
    alone = ("proved", "refuted", "wrong input", "cannot be", "undecided", "holds exactly when")
    assert [exit_code(rows((v, None))) for v in alone] == [0, 1, 2, 2, 3, 4]
    assert [exit_code(rows((v, True))) for v in alone] == [0] * 6
    assert exit_code(rows(("proved", False))) == 1
    assert exit_code(rows(("undecided", None), ("holds exactly when", None))) == 3
    assert exit_code(rows(("undecided", None), ("refuted", None))) == 1
    assert exit_code(rows(("refuted", None), ("wrong input", None))) == 2
    assert counts(rows(("proved", True), ("proved", False))) == "2 proved, 1 of 2 as expected"


# -- repairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (GRADIENT, "vjp(correlate(x, w), x, g) == correlate(g, flip(w), padding='full')"),
        (STRIDED, f"{STRIDED[:-1]}, output_padding=(n - k) % s)"),
        (
            "vjp(correlate(x, w, stride=s), x, g) == correlate(zero_insert(g, s), flip(w), padding='full')",
            (
                "vjp(correlate(x, w, stride=s), x, g) == correlate(zero_insert(g, s), flip(w), "
                "padding=(k - 1, k - 1 + (n - k) % s))"
            ),
        ),
        (
            "vjp(correlate(x, w, padding='same'), x, g) == correlate(g, flip(w), padding='same')",
            "vjp(correlate(x, w, padding='same'), x, g) == correlate(g, flip(w), padding='same_lower')",
        ),
        (
            "correlate(x, w, padding='same') == correlate(x, w, padding=k//2)",
            "correlate(x, w, padding='same') == correlate(x, w, padding=((k - 1) // 2, k // 2))",
        ),
        (
            "vjp(avg_pool(x, k), x, g) == nearest_upsample(g, k) for n % k == 0",
            "vjp(avg_pool(x, k), x, g) == nearest_upsample(g, k) / k for n % k == 0",
        ),
        (
            "max_pool(max_pool(x, k, 1), l, 1) == max_pool(x, k + l, 1)",
            "max_pool(max_pool(x, k, 1), l, 1) == max_pool(x, k + l - 1, 1)",
        ),
        (
            "vjp(correlate(x, w, stride=s), w, g) == correlate(x, g, dilation=s)",
            (
                "vjp(correlate(x, w, stride=s), w, g) == "
                "correlate(x, g, dilation=s, padding=(0, -((n - k) % s)))"
            ),
        ),
        ("flip(decimate(x, s)) == decimate(x, s)", None),
        ("length(correlate(x, w)) == n - k", "length(correlate(x, w)) == n - k + 1"),
        (
            "covered(conv_transpose(x, w, stride=s)) iff k >= s",
            "covered(conv_transpose(x, w, stride=s)) iff n == 1 or k >= s",
        ),
        (
            "correlate(x[n1, n2], w[k1, k2]) == convolve(x, w)",
            "correlate(x[n1, n2], w[k1, k2]) == convolve(x, flip(w))",
        ),
    ],
)
def test_the_nearest_true_statement(text: str, mended: str | None) -> None:
    offered = repair(judge(text), 6.0)
    if mended is not None:
        assert offered is not None
        assert offered["claim"] == mended
    if offered is None:
        return
    assert isinstance(judge(offered["claim"]).verdict, Proved)
    body = ast.parse(offered["claim"].split(" for ")[0].split(" iff ")[0], mode="eval").body
    if isinstance(body, ast.Compare):
        assert ast.dump(body.left) != ast.dump(body.comparators[0])
    _agrees_at_small_sizes(offered["claim"])


def _agrees_at_small_sizes(text: str) -> None:
    """What is offered as proved is computed at small sizes, by the other code."""
    claim = read(text)
    if not isinstance(claim.statement, Same) or claim.statement.reads_only:
        return
    left, right = claim.statement.left, claim.statement.right
    names = [s.name for s in {*left.sizes(), *right.sizes()}]
    tried = 0
    for values in product(range(1, 5), repeat=len(names)):
        env = dict(zip(names, values, strict=True))
        if holds(all_of(*claim.hypotheses, *left.requires, *right.requires), env):
            assert counterexample_at(left, right, env, claim.statement.laws) is None, env
            tried += 1
    assert tried > 5


def test_a_repair_keeps_its_time() -> None:
    judgment = judge(
        "correlate(correlate(x, w, stride=2), v, stride=3) == correlate(x, v, stride=7)"
    )
    start = time.perf_counter()
    repair(judgment, 1.0)
    assert time.perf_counter() - start < 3


def test_edits_change_one_place_each() -> None:
    body = ast.parse("flip(x) == correlate(x, w, stride=s)", mode="eval").body
    assert isinstance(body, ast.Compare)
    before = ast.unparse(body)
    texts = [ast.unparse(e.body) for e in edits(body)]
    assert ast.unparse(body) == before
    assert "flip(x) == correlate(x, flip(w), stride=s)" in texts
    assert "flip(x) == correlate(x, w, dilation=s)" in texts
    assert before not in texts
    assert ast.unparse(put(body, body.left, ast.Name("y"))) == "y == correlate(x, w, stride=s)"


def test_remainders_are_written_as_such() -> None:
    n, k, s = sizes("n k s")
    rest = (n - k) - s * ((n - k) // s)
    assert [length_text(e) for e in (rest, -rest, n - k)] == [
        "(n - k) % s",
        "-((n - k) % s)",
        "n - k",
    ]


# -- time and memory -------------------------------------------------------------------------------


def _hangs(pipe: Any, job: Job) -> None:
    pipe.send((False, None))
    pipe.recv()
    time.sleep(60)


def _dies(pipe: Any, job: Job) -> None:
    pipe.send((False, None))
    pipe.recv()
    raise SystemExit(3)


def _answers_and_hangs(pipe: Any, job: Job) -> None:
    pipe.send((False, None))
    entry = pipe.recv()
    pipe.send((False, Outcome(blank(replace(entry, claim="known")))))
    time.sleep(60)


@pytest.mark.parametrize(
    ("work", "claim", "reason"),
    [
        (_hangs, "n == 1", "the time limit of 0.2 s was reached"),
        (_dies, "n == 1", "judging it ended the process"),
        (_answers_and_hangs, "known", None),
    ],
)
def test_a_process_that_hangs_or_dies_is_replaced(
    work: Any, claim: str, reason: str | None
) -> None:
    start = time.perf_counter()
    with _Worker(Job(seconds=0.2), work) as worker:
        for _ in range(2):
            row = worker.judge(Entry("n == 1"), lambda: None).row
            assert row["verdict"] == "undecided"
            assert row["claim"] == claim
            assert (row["reason"] or "").startswith(reason or "")
    assert time.perf_counter() - start < 8


def _looks_and_hangs(pipe: Any, job: Job) -> None:
    """A process that says what it has checked, as judging does, and then takes for ever."""
    pipe.send((False, None))
    entry = pipe.recv()
    for outcome in stages(entry, job, lambda partial: pipe.send((False, partial))):
        del outcome
    time.sleep(60)


@pytest.mark.parametrize(
    ("claim", "verdict", "told"),
    [
        (
            "length(correlate(x, w)) == n - k + 1",
            "undecided",
            "it holds at all ",
        ),
        (GRADIENT, "refuted", "the time limit of 0.5 s was reached before it was known for which"),
    ],
)
def test_a_stopped_claim_says_what_was_checked(claim: str, verdict: str, told: str) -> None:
    with _Worker(Job(seconds=0.5, repair=False), _looks_and_hangs) as worker:
        row = worker.judge(Entry(claim), lambda: None).row
    assert row["verdict"] == verdict
    if verdict == "refuted":
        assert row["counterexample"] is not None
        assert row["counterexample"]["sizes"] == {"k": 2, "n": 2}
        assert (row["note"] or "").startswith(told)
    else:
        assert row["reason"] == "the time limit of 0.5 s was reached"
        assert re.fullmatch(
            rf"{told}\d+ choices of k, n with a sum up to \d+", row["checked"] or ""
        )


def test_eliminating_sums_ends() -> None:
    """Once this went on for ever, in steps that no time limit saw."""
    start = time.perf_counter()
    hard = "disjoint(conv_transpose(x, w, stride=s, dilation=d)) for s >= d*k"
    row = found(hard, seconds=1.0)
    assert time.perf_counter() - start < 4
    assert row["verdict"] == "undecided"
    assert "eliminating the sums" in row["reason"]
    assert "it holds at all " in row["checked"]
    assert "~" not in row["reason"]
    (outcome,) = judge_entries(
        [Entry("disjoint(conv_transpose(x, w, stride=s, dilation=d))")], Job(1.0)
    )
    assert time.perf_counter() - start < 8
    assert outcome.row["verdict"] == "refuted"
    assert outcome.row["counterexample"]["sizes"] == {"d": 1, "k": 2, "n": 2, "s": 1}  # type: ignore[index]


def test_no_claim_runs_past_its_limit() -> None:
    slow = "flip(x[1000000]) == flip(flip(flip(x)))"
    start = time.perf_counter()
    first, second = judge_entries([Entry(slow), Entry("flip(flip(x)) == x")], Job(seconds=1.0))
    assert time.perf_counter() - start < 8
    assert first.row["verdict"] == "undecided"
    assert second.row["verdict"] == "proved"


def test_a_typical_claim_takes_less_than_a_second() -> None:
    typical = ("flip(flip(x)) == x", GRADIENT, STRIDED, "length(correlate(x, w)) == n - k + 1")
    outcomes = judge_entries([Entry(c) for c in typical], Job(repair=False))
    assert max(o.row["seconds"] for o in outcomes) < 1.5  # a busy machine is allowed for


# -- documents -------------------------------------------------------------------------------------


def document(entry: Entry) -> Any:
    judgment = judge(entry.claim)
    return judgment_document(entry, judgment, make_row(entry, judgment, 0.1), 20.0)


def test_a_document_has_the_proof_and_the_counterexample() -> None:
    text = written(document(Entry(STRIDED, "a", "A claim", "A book")), "md")
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads == [
        "The claim", "Formal reading", "Verdict", "Proof under the condition",
        "The counterexample worked out",
    ]  # fmt: skip
    assert r"s \mid n - k" in text
    assert "(*decided*)" in text
    assert "undecided" not in text
    assert r"\begin{array}" in text


def test_what_is_refuted_has_no_proof() -> None:
    for claim in ("flip(x[3]) == x", "length(correlate(x, w)) == n - k"):
        assert isinstance(judge(claim).verdict, Refuted)
        text = written(document(Entry(claim)), "md")
        assert "## Proof" not in text
        assert "Refuted" in text


def test_text_of_strangers_is_escaped() -> None:
    evil = r"<script>alert(1)</script> \input{/etc/passwd} $\evil$ `x` % & # _ ^ ~"
    entry = Entry("flip(flip(x)) == x", "a", evil, evil, r"https://e.org/}\input{x}")
    page, tex, md = (written(document(entry), style) for style in ("html", "tex", "md"))
    assert "<script" not in page
    assert "javascript:" not in page
    assert r"\input{/etc" not in tex
    assert r"\evil" not in tex
    assert r"\input{x}" not in tex
    assert re.search(r"(?<!\\)<script", md) is None
    assert address("javascript:alert(1)") == ""
    assert "$" not in plain("$x$")


def test_pages_have_an_index() -> None:
    found_pages = pages([document(Entry("flip(flip(x)) == x", "a"))], "html")
    assert sorted(found_pages) == ["a.html", "index.html"]


def test_a_claim_that_is_not_read_raises() -> None:
    with pytest.raises(WrongInput):
        judge("flop(x) == x")


# -- the Python API --------------------------------------------------------------------------------


def test_check_from_python() -> None:
    judgment = derive.check(STRIDED, seconds=10)
    assert isinstance(judgment, derive.Judgment)
    assert isinstance(judgment.verdict, HoldsWhen)
    assert str(judgment.verdict.condition) == "(n - k) % s == 0"
    told = str(judgment).splitlines()
    assert told[:3] == [
        "holds exactly when (n - k) % s == 0",
        f"  claim: {STRIDED}",
        "  defined for: n >= k",
    ]
    assert told[3].startswith("  otherwise, for example: at k = 1, n = 2, s = 2: ")
    with pytest.raises(derive.WrongInput, match="did you mean 'flip'"):
        derive.check("flop(x) == x")
    with pytest.raises(derive.CannotBe, match="which always differ"):
        derive.check("x[3] + w[4] == x")


def test_what_is_known_on_the_way_is_told() -> None:
    heard: list[Judgment] = []
    final = judge(GRADIENT, 10.0, heard.append)
    assert isinstance(final.verdict, HoldsWhen)
    assert all(isinstance(h.verdict, Refuted) for h in heard)
    assert [dict(h.counterexample.sizes) for h in heard if h.counterexample] == [
        {"k": 2, "n": 2}
    ] * len(heard)
    heard.clear()
    judge("flip(flip(x)) == x", 10.0, heard.append)
    (only,) = (h.verdict for h in heard)
    assert isinstance(only, Undecided)
    assert re.fullmatch(r"it holds at all \d+ choices of n with a sum up to \d+", only.checked)


def test_a_proof_that_a_computation_contradicts_is_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from derive.claims import judge as module

    monkeypatch.setattr(module, "decide_equal", lambda *a, **k: Proved())
    judgment = judge("flip(x) == x")
    assert isinstance(judgment.verdict, Refuted)
    assert dict(judgment.verdict.counterexample.sizes) == {"n": 2}
    assert "please report it" in judgment.note
