"""``derive shape`` on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from derive import cli
from derive.dialects.registry import CALLS, load
from derive.document.tex import compile_tex, find_tex_engine

CONV = "nn.Conv2d(3, 16, 3, stride=2, padding=1)"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["shape", *arguments])
        written = capsys.readouterr()
        return code, written.out, written.err

    return run


def test_text_json_and_latex(ask: Run) -> None:
    code, out, err = ask(CONV, "--input", "1,3,28,28")
    assert (code, err) == (0, "")
    assert "(1, 3, 28, 28) → (1, 16, 14, 14)   PyTorch, NCHW" in out
    found = json.loads(ask(CONV, "--input", "28", "--json")[1])
    assert found["output"] == ["N", 16, 14, 14]
    assert found["axes"][1]["inverse"]["intervals"] == [[27, 28]]
    assert ask(CONV, "--latex")[1].endswith("\\end{align*}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        (CONV, "--input", "28"),
        ("nn.Sequential(nn.Conv1d(1, 1, 3), nn.MaxPool1d(2))", "--input", "28"),
        ("nn.Conv1d(1, 1, k)", "--solve", "--input", "9", "--output", "7"),
    ],
)
def test_every_key_is_documented(ask: Run, arguments: tuple[str, ...]) -> None:
    """The schema in the help names all keys, and no others."""
    shown = ask("--help")[1]
    found = json.loads(ask(*arguments, "--json")[1])
    kind = found["kind"]
    block = re.search(rf'kind "{kind}"(.*?)(?=kind "|a set of lengths)', shown, re.DOTALL)
    assert block is not None
    for key in keys(found):
        assert re.search(rf"\b{key}\b", block[1] + shown[shown.index("a set of lengths") :]), key


def keys(found: Any) -> set[str]:
    if isinstance(found, list):
        return {k for v in found for k in keys(v)}
    if not isinstance(found, dict):
        return set()
    own = set(found) - {"kind"}
    return own | {
        k for n, v in found.items() if n not in ("ranges", "solutions", "fixed") for k in keys(v)
    } - {"k"}


def test_the_examples_in_the_help_run(ask: Run) -> None:
    import shlex

    shown = ask("--help")[1]
    joined = re.sub(r"\\\n\s+", " ", shown)
    commands = re.findall(r"^ +derive shape (.*)$", joined, re.MULTILINE)
    assert len(commands) >= 8
    for command in commands:
        arguments = shlex.split(re.split(r"   +", command)[0])
        assert ask(*arguments)[0] == 0, command


def test_solve(ask: Run) -> None:
    given = (
        "nn.Conv2d(3, 16, k, stride=s, padding=p)",
        "--solve",
        "--input",
        "28",
        "--output",
        "14",
    )
    code, out, _ = ask(*given, "--range", "k=1..7", "--range", "s=2", "--range", "p=0..3")
    assert code == 0
    assert "7 solutions" in out
    assert "  s = 2: 2·p + 1 ≤ k ≤ 2·p + 2" in out


def test_standard_input(ask: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("x = nn.Conv1d(1, 1, 3)(x)\nx = F.max_pool1d(x, 2)\n", encoding="utf-8")
    with file.open(encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert "F.max_pool1d(x, 2)" in ask("-", "--input", "20")[1]


def test_the_calls_that_are_known(ask: Run) -> None:
    load()
    lines = ask("--calls")[1].splitlines()
    assert len(lines) == len(CALLS)
    assert any(re.fullmatch(r"PyTorch +nn\.Conv2d", line) for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is no call; write one"),
        ((CONV, "--range", "k=1..3"), "--range k=1..3: there is nothing to solve; give --solve"),
        ((CONV, "--solve", "--range", "k=3..1"), "--range k=3..1: 1 is less than 3"),
        ((CONV, "--solve", "--range", "k"), "--range k: this is no range; write NAME=LO..HI"),
        ((CONV, "--solve"), "--solve: nothing is asked; give either --output or --scale"),
        (("nn.Conv2d(3, 16, 3, stride=0)",), "nn.Conv2d: stride = 0: stride is at least 1"),
        ((CONV, "--input", "5x"), "--input 5x: this is no shape"),
        ((CONV, "--weight", "3,3"), "--weight 3,3: nn.Conv2d takes no tensors beside its input"),
    ],
)
def test_mistakes_are_one_message_and_exit_code_2(
    ask: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = ask(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"derive shape: {message}")
    assert "Traceback" not in err


@pytest.mark.skipif(find_tex_engine() is None, reason="no TeX engine")
def test_all_latex_compiles(ask: Run) -> None:
    """Also with names and texts that TeX would take for its own."""
    chain = "nn.Sequential(nn.Conv1d(c_1, 8, 3), nn.MaxPool1d(2))"
    odd = "nn.Conv2d(c_1, 16, (3, k_ж), device='$x_y%&#{^~')"
    bodies = [
        ask(odd, "--input", "28", "--latex")[1],
        ask("nn.MaxPool2d(3, 2, ceil_mode=True)", "--latex")[1],
        ask("nn.Unfold(3)", "--latex")[1],
        ask(chain, "--latex")[1],
        ask("nn.Conv1d(1, 1, k)", "--solve", "--input", "9", "--output", "7", "--latex")[1],
    ]
    head = "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{amsmath,amssymb,textcomp}"
    joined = "\n\n".join(bodies)
    source = f"{head}\\begin{{document}}\n{joined}\n\\end{{document}}\n"
    pdf, _ = compile_tex(source)
    assert pdf.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((CONV, "--json", "--latex"), "--json --latex: these are two answers"),
        (("--calls", CONV), "--calls: it lists the calls and takes nothing beside it"),
        (("nn.Conv2d(3, 3, k)", "--scale", "1", "--input", "9"), "leave --input out"),
        (("nn.Conv2d(3, 3, k)", "--scale", "1", "--output", "9"), "these are two questions"),
        (("F.conv2d(x, w)", "--weight", "=8,3,3,3"), "there is no name before ="),
        (("F.conv2d(x, w)", "--weight", "w=8,3,3,3", "--weight", "w=8,3,3,3"), "is given twice"),
        ((CONV, "--input", "1000001"), "numbers go up to 1000000; use a name"),
    ],
)
def test_options_that_contradict_each_other(
    ask: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = ask(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_the_columns_of_the_table_are_explained(ask: Run) -> None:
    shown = " ".join(ask("--help")[1].split())
    assert "jump (how far apart the fields of neighbours are)" in shown
    assert "offset (where the middle of the field of output 0 lies, from input 0)" in shown


NINES = "9" * 5000


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("shape", CONV, "--input", NINES), "numbers go up to 1000000; use a name"),
        (("shape", CONV, "--input", f"1x{NINES}"), "numbers go up to 1000000; use a name"),
        (("shape", CONV, "--output", NINES), "numbers go up to 1000000; use a name"),
        (("shape", CONV, "--weight", NINES), "numbers go up to 1000000; use a name"),
        (("shape", CONV, "--dialect", NINES), "it is none of"),
        (("shape", f"nn.Conv1d(1, 1, {NINES})"), "numbers go up to 1000000; use a name"),
        (("shape", "nn.Conv1d(1, 1, k)", "--solve", "--range", f"k={NINES}"), "this is no range"),
        (("shape", "nn.Conv1d(1, 1, k)", "--scale", NINES), "numerator and denominator go up to"),
        (("translate", CONV, "--to", "keras", "--input", NINES), "numbers go up to 1000000"),
        (("translate", f"nn.Conv1d(1, 1, {NINES})", "--to", "keras"), "numbers go up to 1000000"),
        (
            ("matrix", "correlate", "--k", "3", "--n", NINES),
            "is no whole number of at most 9 digits",
        ),
        (
            ("matrix", "correlate", "--k", "3", "--n", "7", "--set", NINES),
            "no value; write --set NAME=VALUE",
        ),
        (("matrix", f"nn.Conv1d(1, 1, {NINES})", "--n", "7"), "numbers go up to 1000000"),
    ],
)
def test_a_huge_number_is_refused_in_a_short_sentence(
    words: tuple[str, ...], fact: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(list(words)) == 2
    written = capsys.readouterr()
    assert written.out == ""
    assert fact in written.err
    assert len(written.err) < 400
