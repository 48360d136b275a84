"""The command line: answers, errors, exit codes, and that nothing is half-written."""

from __future__ import annotations

import ast
import inspect
import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import derive
from derive import api, summary
from derive.cli import run
from derive.decide.verdict import Proved, Refuted, Undecided
from derive.document import book as documents
from derive.document import tex
from derive.document.model import Document
from derive.form import tensor
from derive.matrix import matrix, to_text
from derive.numeric import crosscheck, loops
from derive.operators import OPERATORS, Operator
from derive.prove import Proof
from derive.request import matrix_of
from derive.theorems.gradient_input import input_gradient_general
from derive.theorems.model import Theorem
from tests.readme import ROOT

ID = "toeplitz-1d"
Run = Callable[..., "Answer"]


class Answer(tuple[int, str, str]):
    """The exit code and what was printed."""

    @property
    def code(self) -> int:
        return self[0]

    @property
    def out(self) -> str:
        return self[1]

    @property
    def err(self) -> str:
        return self[2]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str) -> Answer:
        code = run(arguments)
        printed = capsys.readouterr()
        return Answer((code, printed.out, printed.err))

    return command


@pytest.fixture(scope="module")
def proof() -> Proof:
    return api.prove_theorem(ID).proof


@pytest.fixture
def book(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Documents that are quick to write; the list is of the formats that were asked for."""
    asked: list[str] = []

    def write(
        proofs: Sequence[Proof],
        out: Path,
        formats: Iterable[str],
        documents: Mapping[str, Document],
    ) -> None:
        assert all(documents[p.theorem.id].title for p in proofs)
        asked.extend(formats)
        for p in proofs:
            (out / "pages").mkdir(exist_ok=True)
            (out / "pages" / f"{p.theorem.id}.tex").write_text(summary.verdict(p))

    monkeypatch.setattr(documents, "write_book", write)
    monkeypatch.setattr(tex, "find_tex_engine", lambda: None)
    return asked


def only(monkeypatch: pytest.MonkeyPatch, *theorems: Theorem) -> None:
    monkeypatch.setattr(api, "load", lambda: {t.id: (lambda t=t: t) for t in theorems})


def false_theorem() -> Theorem:
    """The near-miss twin of a theorem, claimed as a theorem."""
    true = api.get_theorem(ID)
    part = replace(
        true.parts[0], statement=true.twin.statement, hypotheses=true.twin.hypotheses, via=()
    )
    return replace(true, id="false-one", parts=(part,))


# -- derive matrix -----------------------------------------------------------------------------


def arguments(op: Operator, sample: dict[str, Any]) -> list[str]:
    """The command line that asks for a sample of the registry."""

    def joined(values: Sequence[int], by: str = "x") -> str:
        return by.join(map(str, values))

    shape = tuple(sample[op.tensors[0]])
    shuffles = op.name.startswith("pixel")
    known = inspect.signature(op.build).parameters.get("dims")
    usual = known.default if known is not None else None
    dims = sample.get("dims", usual or len(sample.get("w", shape)) - shuffles)
    lead, n = shape[: len(shape) - dims], shape[len(shape) - dims :]
    words = ["matrix", op.name, "--n", joined(n)]
    if "w" in op.tensors:
        w = sample["w"]
        words += ["--k", joined(w[len(w) - dims :])]
        if len(w) > dims:
            groups = sample.get("groups", 1)
            c_out = w[1] * groups if op.name == "conv_transpose" else w[0]
            words += ["--channels", f"{lead[-1]},{c_out}"]
            lead = lead[:-1]
    elif lead:
        words += ["--channels", str(lead[-1])]
        lead = lead[:-1]
    if lead:
        words += ["--batch", str(lead[0])]
    for name, value in sample.items():
        if name in (*op.tensors, "dims"):
            continue
        if name == "k":
            words += ["--k", joined(value if isinstance(value, tuple) else (value,))]
        elif isinstance(value, tuple) and isinstance(value[0], tuple):
            words += ["--set", f"{name}={';'.join(joined(v, ',') for v in value)}"]
        else:
            text = joined(value, ",") if isinstance(value, tuple) else str(value)
            words += ["--set", f"{name}={text}"]
    return words


SAMPLES = [(op, s) for op in OPERATORS.values() if op.tensors for s in op.samples]


@pytest.mark.parametrize(("op", "sample"), SAMPLES, ids=[f"{o.name}-{s}" for o, s in SAMPLES])
def test_every_operator_can_be_asked_for(op: Operator, sample: dict[str, Any], ask: Run) -> None:
    given = {
        name: tensor(name, *value) if name in op.tensors else value
        for name, value in sample.items()
    }
    expected = matrix(op.build(**given), op.tensors[0])
    answer = ask(*arguments(op, sample))
    assert (answer.code, answer.err) == (0, "")
    size, _, text = answer.out.partition("\n")
    rows, columns = expected.shape
    assert size.startswith(f"{rows} x {columns}, {len(expected.entries)} non-zero")
    assert text == to_text(expected) + "\n"


def test_the_numbers_are_those_of_the_loops(ask: Run) -> None:
    options = ("--stride", "2", "--padding", "1,3", "--dilation", "2", "--numpy", "--kernel=3,-1,4")
    a = np.array(ast.literal_eval(ask("matrix", "correlate", "--n", "8", "--k", "3", *options).out))
    x, w = np.array([2, -7, 1, 8, 3, -5, 9, 4]), np.array([3, -1, 4])
    expected = loops.correlate(x, w, stride=2, padding=(1, 3), dilation=2)
    assert (a @ x).tolist() == expected.tolist()


def test_latex_and_the_default_kernel(ask: Run) -> None:
    latex = ask("matrix", "correlate", "--n", "3", "--k", "2", "--latex").out
    assert latex.split("\n")[1:3] == [r"w_{0} & w_{1} & 0 \\", r"0 & w_{0} & w_{1}"]
    numbers = ask("matrix", "correlate", "--n", "3", "--k", "2", "--numpy").out
    assert ast.literal_eval(numbers) == [[1, 2, 0], [0, 1, 2]]


def test_averages_print_as_floats(ask: Run) -> None:
    numbers = ask("matrix", "avg_pool", "--n", "4", "--k", "2", "--numpy").out
    assert ast.literal_eval(numbers) == [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]]


def test_transpose_and_wrt(ask: Run) -> None:
    base = ("matrix", "conv_transpose", "--n", "3", "--k", "2", "--stride", "2")
    a = matrix_of("conv_transpose", 3, 2, stride=2)
    assert ask(*base, "--transpose").out.split("\n", 1)[1] == f"{to_text(a.transpose())}\n"
    assert ask(*base, "--wrt", "w").out.startswith("6 x 2, 6 non-zero entries\nx_0")


def test_a_selection_makes_max_pooling_a_matrix(ask: Run) -> None:
    one = ask("matrix", "max_pool", "--n", "6", "--k", "2", "--taps", "1,0,1").out
    assert one.splitlines()[1:] == ["· 1 · · · ·", "· · 1 · · ·", "· · · · · 1"]
    two = ask("matrix", "max_pool", "--n", "2x4", "--k", "2", "--taps", "1x0,0x1").out
    assert two.splitlines()[1:] == ["· · · · 1 · · ·", "· · · 1 · · · ·"]
    back = ask("matrix", "max_unpool", "--n", "2", "--k", "2", "--set", "length=5", "--taps", "1,0")
    assert back.out.splitlines()[1:] == ["· ·", "1 ·", "· 1", "· ·", "· ·"]


def test_col2im_is_the_transpose_of_im2col(ask: Run) -> None:
    there = ask("matrix", "im2col", "--n", "9", "--k", "3", "--stride", "2", "--transpose")
    back = ask("matrix", "col2im", "--n", "4", "--k", "3", "--stride", "2", "--set", "length=9")
    assert there.out == back.out


def test_the_examples_of_the_help_run(ask: Run) -> None:
    text = ask("matrix", "--help").out
    examples = [
        shlex.split(line)[1:] for line in text.splitlines() if line.startswith("    derive ")
    ]
    assert len(examples) >= 7
    for words in examples:
        assert ask(*words).code == 0, words


def test_a_large_matrix_is_quick(ask: Run) -> None:
    start = time.perf_counter()
    answer = ask("matrix", "correlate", "--n", "28x28", "--k", "3")
    assert answer.out.startswith("676 x 784, 6084 non-zero entries\n")
    assert time.perf_counter() - start < 1


# -- wrong input ---------------------------------------------------------------------------------

CONV = ("matrix", "correlate", "--n", "5")
WRONG = [
    (
        (*CONV, "--k", "-3"),
        "derive matrix: k = -3: a kernel length is at least 1; give positive integers",
    ),
    (
        (*CONV, "--k", "0"),
        "derive matrix: k = 0: a kernel length is at least 1; give positive integers",
    ),
    (
        (*CONV, "--k", "3", "--stride", "0"),
        "derive matrix: stride = 0: a stride is at least 1; give a positive stride",
    ),
    (
        (*CONV, "--k", "6"),
        "derive matrix: n = 5, k = 6: not defined, the operator needs n >= k; choose sizes for which that holds",
    ),
    (
        (*CONV, "--k", "3", "--padding", "-1,-2"),
        (
            "derive matrix: n = 5, k = 3, p_lo = -1, p_hi = -2: not defined, the operator needs "
            "n + p_hi + p_lo >= k; choose sizes for which that holds"
        ),
    ),
    (
        (*CONV, "--k", "2", "--channels", "4,6", "--groups", "4"),
        (
            "derive matrix: groups = 4: correlate cannot split 6 output channels into 4 equal groups; "
            "choose groups that divide both channel counts"
        ),
    ),
    (
        (*CONV, "--k", "2", "--channels", "4,6", "--groups", "0"),
        "derive matrix: groups = 0: there is at least one group; give a positive number",
    ),
    (
        (*CONV, "--k", "2", "--groups", "2"),
        "derive matrix: groups = 2 without channels; give the number of channels too",
    ),
    (
        ("matrix", "conv_transpose", "--n", "3", "--k", "2", "--channels", "2,3", "--groups", "2"),
        (
            "derive matrix: groups = 2: conv_transpose cannot split 3 output channels into 2 equal groups; "
            "choose groups that divide both channel counts"
        ),
    ),
    ((*CONV,), "derive matrix: correlate needs the length of its kernel; give k"),
    (
        (*CONV, "--k", "2x2"),
        "derive matrix: k = 2x2: 2 kernel lengths for 1 spatial axes; give one or 1",
    ),
    (
        (*CONV, "--k", "three"),
        "derive matrix: --k three: 'three' is no whole number of at most 9 digits; write it in digits",
    ),
    (
        (*CONV, "--k", "2", "--wrt", "v"),
        "derive matrix: correlate has no operand 'v'; choose one of x, w",
    ),
    (
        (*CONV, "--k", "2", "--kernel", "1,2"),
        "derive matrix: --kernel gives numbers; ask for --numpy as well",
    ),
    (
        (*CONV, "--k", "2", "--kernel", "1,2,3", "--numpy"),
        "derive matrix: --kernel 1,2,3: 3 values, but w has 2; give 2",
    ),
    (
        (*CONV, "--k", "2", "--set", "stride"),
        "derive matrix: --set stride: no value; write --set NAME=VALUE",
    ),
    (
        (*CONV, "--k", "2", "--taps", "1"),
        "derive matrix: correlate selects nothing; leave the taps out",
    ),
    (
        ("matrix", "corelate", "--n", "5"),
        "derive matrix: operator 'corelate' is unknown; did you mean correlate?",
    ),
    (
        ("matrix", "flip", "--n", "5", "--k", "2"),
        "derive matrix: flip has no kernel length; leave k out",
    ),
    (
        ("matrix", "flip", "--n", "5", "--stride", "2"),
        "derive matrix: flip has no option 'stride'; its options: none",
    ),
    (
        ("matrix", "box", "--n", "5"),
        (
            "derive matrix: box is a fixed kernel and reads no operand, so that it has no matrix; "
            "ask for an operator, such as correlate"
        ),
    ),
    (
        ("matrix", "max_pool", "--n", "4", "--k", "2", "--taps", "0,2"),
        "derive matrix: tap 2 of a kernel of length 2: there is none; taps are counted from 0",
    ),
    (
        ("matrix", "avg_pool", "--n", "4", "--k", "2", "--set", "ceil_mode=1"),
        "derive matrix: --set ceil_mode 1: neither true nor false; write one of them",
    ),
    (("matrix", "correlate"), "derive matrix: Missing option '--n'; see 'derive matrix --help'"),
    (
        ("prove", "input-gradient-generl"),
        "derive prove: theorem 'input-gradient-generl' is unknown; did you mean input-gradient-general?",
    ),
    (
        ("prove", "--out", f"{__file__}/book"),
        f"derive prove: --out {__file__}/book: {__file__} is a file; name a folder",
    ),
    (
        ("prove", "--out", __file__),
        f"derive prove: --out {__file__}: {__file__} is a file; name a folder",
    ),
    (
        ("theorems", "--family", "poling"),
        "derive theorems: family 'poling' is unknown; did you mean pooling?",
    ),
]


@pytest.mark.parametrize(("words", "message"), WRONG, ids=[" ".join(w)[-60:] for w, _ in WRONG])
def test_wrong_input_is_told_in_a_line(words: tuple[str, ...], message: str, ask: Run) -> None:
    answer = ask(*words)
    assert (answer.code, answer.out) == (2, "")
    # (suggestions may name further theorems of similar names)
    assert answer.err.startswith(message.rstrip("?"))
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("prov",), ("prove", "--format", "doc"), ("--bogus",), ("prove", "--jobs", "0")]
)
def test_usage_errors_are_a_line_that_names_the_help(words: tuple[str, ...], ask: Run) -> None:
    answer = ask(*words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "--help'" in answer.err


# -- derive prove --------------------------------------------------------------------------------


def test_prove_writes_the_documents_and_a_table(ask: Run, book: list[str], tmp_path: Path) -> None:
    out = tmp_path / "deep" / "book"
    answer = ask("prove", ID, "--out", str(out))
    assert answer.code == 0
    assert (out / "pages" / f"{ID}.tex").read_text() == "proved"
    assert book == ["tex", "html"]
    assert "1 proved" in answer.out
    assert f"1 files in {out}" in answer.out
    assert answer.err.startswith("No PDF was made: no TeX engine was found; install one")
    assert [p.name for p in tmp_path.iterdir()] == ["deep"]


def test_a_folder_keeps_its_other_files(ask: Run, book: list[str], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert ask("prove", ID, "--out", str(tmp_path), "--format", "md").code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["notes.txt", "pages"]
    assert book == ["md"]


def test_pdf_without_an_engine_is_refused_first(ask: Run, book: list[str], tmp_path: Path) -> None:
    answer = ask("prove", ID, "--out", str(tmp_path / "b"), "--format", "pdf", "--format", "tex")
    assert answer.code == 2
    assert answer.err.startswith("derive prove: --format pdf: no TeX engine was found; install one")
    assert not book
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "code"), [(derive.NotSupported("x: y; z"), 2), (KeyboardInterrupt(), 130)]
)
def test_nothing_is_half_written(
    error: BaseException, code: int, ask: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(proofs: object, out: Path, formats: object, documents: object) -> None:
        (out / "half.tex").write_text("half")
        raise error

    monkeypatch.setattr(documents, "write_book", write)
    assert ask("prove", ID, "--out", str(tmp_path / "book")).code == code
    assert not list(tmp_path.iterdir())


def test_a_disagreement_of_the_numbers_is_not_proved(
    ask: Run, book: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(theorem: Theorem, frameworks: Sequence[str]) -> tuple[crosscheck.PartCheck, ...]:
        assert frameworks == ()
        good = crosscheck.CheckRow((("n", 5),), (("forms", True), ("NumPy loops", True)))
        bad = crosscheck.CheckRow((("n", 7),), (("forms", True), ("NumPy loops", False)))
        return (crosscheck.PartCheck(theorem.parts[0], (good,) * 20 + (bad,)),)

    monkeypatch.setattr(crosscheck, "cross_check", check)
    answer = ask("prove", ID, "--out", str(tmp_path))
    assert answer.code == 3
    assert f"{ID}: part 1: at n = 7 the numbers disagree (NumPy loops)" in answer.out


def test_an_unwritable_folder(
    ask: Run, book: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    answer = ask("prove", ID, "--out", str(tmp_path / "b"))
    assert answer.code == 2
    assert answer.err == (
        f"derive prove: --out {tmp_path / 'b'}: cannot write in {tmp_path} (permission denied); "
        "choose another folder\n"
    )
    assert not book


def test_a_refutation_exits_1(
    ask: Run, book: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, api.get_theorem(ID), false_theorem())
    answer = ask("prove", "--out", str(tmp_path), "--jobs", "1")
    assert answer.code == 1
    assert "1 proved, 1 refuted" in answer.out
    assert "false-one: part 1: refuted at " in answer.out
    assert (tmp_path / "pages" / "false-one.tex").read_text() == "refuted"


# -- verdicts ------------------------------------------------------------------------------------


def test_a_doubt_anywhere_is_not_proved(proof: Proof) -> None:
    part = proof.parts[0]
    doubt = Undecided("time is up", "nothing")
    link = replace(part.chain[1], verdict=doubt)
    wrong = {
        "part 1: undecided: time is up (checked: nothing)": replace(
            proof, parts=(replace(part, verdict=doubt), *proof.parts[1:])
        ),
        f"part 1, the step {link.reason!r}: undecided: time is up (checked: nothing)": replace(
            proof,
            parts=(replace(part, chain=(part.chain[0], link, *part.chain[2:])), *proof.parts[1:]),
        ),
        "the near-miss twin should be refuted: proved for all sizes": replace(proof, twin=Proved()),
    }
    for why, found in wrong.items():
        assert summary.verdict(found) == "undecided"
        assert summary.shortfall(found) == why
        assert summary.exit_code([summary.verdict(found)]) == 3
    assert isinstance(proof.twin, Refuted)
    refuted = replace(proof, parts=(*proof.parts, replace(part, verdict=proof.twin)))
    assert (summary.verdict(refuted), summary.exit_code(["proved", "refuted"])) == ("refuted", 1)


def test_hypotheses_are_complete() -> None:
    found = summary.hypotheses(input_gradient_general().parts[0])
    assert {"n >= 1", "k >= 1", "s >= 1", "d >= 1", "e >= 1"} < set(found)
    assert any("p_lo" in h for h in found)


def test_two_processes_find_what_one_finds(proof: Proof) -> None:
    done: list[str] = []
    names = ["correlate-convolve-flip", ID]
    found = api.prove_theorems(names, 2, done.append)
    assert [f.proof.theorem.id for f in found] == names
    assert sorted(done) == sorted(names)
    assert replace(found[1].proof, seconds=0) == replace(proof, seconds=0)
    assert hash(found[1].proof.theorem.parts[0].statement) == hash(proof.theorem.parts[0].statement)


def test_a_theorem_that_cannot_be_stated_is_not_the_users_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> Theorem:
        raise derive.WrongInput("a: b; c")

    monkeypatch.setattr(api, "load", lambda: {"broken": broken})
    monkeypatch.setattr(api, "get_theorem", lambda name: None)
    with pytest.raises(RuntimeError, match="the theorem broken is not well-formed: a: b; c"):
        api.prove_theorems(["broken"], 1)


# -- derive theorems -----------------------------------------------------------------------------


def test_json_has_the_documented_keys(ask: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, api.get_theorem(ID), false_theorem())
    answer = ask("theorems", "--json", "--jobs", "1")
    rows = json.loads(answer.out)
    assert (answer.code, answer.err) == (1, "")
    assert [(r["id"], r["verdict"]) for r in rows] == [(ID, "proved"), ("false-one", "refuted")]
    for row in rows:
        assert list(row) == list(summary.Row.__annotations__)
        assert all(list(p) == list(summary.PartRow.__annotations__) for p in row["parts"])
    assert rows[0]["bounded"] is None
    assert rows[0]["reason"] is None
    assert 0 < rows[0]["seconds"] < 60
    assert rows[1]["parts"][0]["counterexample"] in rows[1]["reason"]
    shown = (ROOT / "README.md").read_text(encoding="utf-8") + ask("theorems", "--help").out
    for key in (*summary.Row.__annotations__, *summary.PartRow.__annotations__):
        assert f"`{key}`" in shown
        assert f" {key}" in shown


def test_the_table_and_the_ids(ask: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, api.get_theorem(ID))
    assert ask("theorems", "--ids").out == f"{ID}\n"
    table = ask("theorems", "--family", "toeplitz", "--jobs", "1").out
    assert table.strip().splitlines()[0].split() == [
        "theorem",
        "family",
        "verdict",
        "seconds",
        "title",
    ]
    assert re.search(rf"^ *{ID} +toeplitz +proved +[0-9.]+ ", table, re.MULTILINE)


# -- the program ---------------------------------------------------------------------------------


def python(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )
    return done.stdout


def test_version_is_the_one_of_the_package() -> None:
    assert python("-m", "derive", "--version") == f"derive {derive.__version__}\n"


def test_the_start_is_light() -> None:
    code = (
        "import sys, derive, derive.cli; "
        "print(sorted({'sympy', 'z3', 'islpy', 'numpy', 'rich', 'torch', 'jinja2'} & set(sys.modules)))"
    )
    assert python("-c", code) == "[]\n"


def test_a_closed_pipe_is_no_traceback() -> None:
    command = f"{sys.executable} -m derive matrix correlate --n 900 --k 3 --numpy | true"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False, cwd=ROOT
    )
    assert done.stderr == ""


# -- Python --------------------------------------------------------------------------------------


def test_the_names_of_the_package_exist() -> None:
    for name in derive.__all__:
        assert getattr(derive, name) is not None
        assert name in dir(derive)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = derive.nothing


def test_a_result_in_a_notebook(proof: Proof) -> None:
    result = api.Result(proof)
    html = result._repr_html_()
    assert "<math" in html
    assert "$" not in html
    assert ": proved</h4>" in html
    assert "(proved)" in result._repr_latex_()
    assert str(result) == f"{ID}: proved"
    failed = api.Result(replace(proof, twin=Proved()))
    assert ": undecided</h4><p>the near-miss twin should be refuted" in failed._repr_html_()
    assert "(undecided)" in failed._repr_latex_()
