"""``derive check``: what it prints and writes, its errors, its exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import get_type_hints

import pytest

from derive import cli_check
from derive.claims.report import Row
from derive.cli import run
from derive.document import tex

TRUE = "flip(flip(x)) == x"
FALSE = "flip(x[3]) == x"
SOMETIMES = "vjp(correlate(x, w), x, g) == correlate(g, w, padding='full')"
POST = f"""\
```claim id=a expect=proved
{TRUE}
```
```claim id=b
when: k <= 1
{SOMETIMES}
```
"""
Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    def command(*arguments: str, given: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        code = run(["check", *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return command


def test_a_claim_for_people(ask: Ask) -> None:
    code, out, _ = ask(SOMETIMES)
    first, *rest = out.splitlines()
    assert code == 4
    assert first == "holds exactly when k == 1"
    assert rest[0] == f"  claim: {SOMETIMES}"
    assert "  defined for: n >= k" in rest
    assert any(line.startswith("  otherwise, for example: at k = 2, n = 2: ") for line in rest)
    place = rest.index("  nearest true statement, proved (w is flipped):")
    mended = rest[place + 1].strip()
    assert mended == "vjp(correlate(x, w), x, g) == correlate(g, flip(w), padding='full')"
    assert ask(mended)[0] == 0
    assert rest[-1].endswith(" s")
    assert "nearest" not in ask("--no-repair", SOMETIMES)[1]


@pytest.mark.parametrize(
    ("claim", "code", "first"),
    [
        (TRUE, 0, "proved for all sizes"),
        (FALSE, 1, "refuted"),
        ("flop(x) == x", 2, "wrong input"),
        ("correlate(x[3], w[5]) == x", 2, "cannot be"),
        (SOMETIMES, 4, "holds exactly when k == 1"),
        ("__import__('os')", 2, "wrong input"),
        (
            "correlate([1, 2, 3], [1, 1]) == [3, 5]",
            0,
            "proved for these numbers (computed exactly)",
        ),
    ],
)
def test_exit_codes_of_one_claim(claim: str, code: int, first: str, ask: Ask) -> None:
    found = ask("--no-repair", claim)
    assert found[0] == code
    assert found[1].splitlines()[0] == first


def test_an_undecided_claim_says_why_and_exits_3(ask: Ask) -> None:
    code, out, _ = ask("flip(x[1000000, 1000000]) == x")
    assert code == 3
    assert "undecided" in out
    assert "why: building the coefficients: 1000000000000 index tuples to visit" in out


def test_kernels_that_exist_are_named(ask: Ask) -> None:
    code, out, _ = ask("exists v: nearest_upsample(x, s) == conv_transpose(x, v, stride=s)")
    assert code == 0
    assert "  the kernel: box(s)" in out


def test_several_claims_have_a_table(ask: Ask) -> None:
    code, out, err = ask("--no-repair", TRUE, FALSE)
    assert code == 1
    assert "1 proved, 1 refuted" in out
    assert err == ""


def test_standard_input(ask: Ask) -> None:
    assert ask("-", given=TRUE.encode())[0] == 0
    assert ask(given=TRUE.encode())[0] == 0
    assert ask(given=POST.encode())[0] == 0
    code, _, err = ask(given=b"\xff\xfe")
    assert (code, err) == (
        2,
        "derive check: standard input: byte 0 is not UTF-8; save it as UTF-8\n",
    )
    code, _, err = ask(given=b"")
    assert (code, err) == (2, "derive check: standard input: it is empty; write a claim\n")
    code, _, err = ask(given=b"x" * 10_000_000)
    assert (code, err.startswith("derive check: standard input: it is longer than")) == (2, True)


def test_standard_input_has_a_claim_a_line(ask: Ask) -> None:
    text = f"# three claims\n{TRUE}\n\n{FALSE}\nlength(correlate(x, w,\npadding=1)) == n\n   for k == 3\n"
    code, out, _ = ask("--json", "--no-repair", given=text.encode())
    rows = json.loads(out)
    assert code == 1
    assert [(row["claim"], row["verdict"]) for row in rows] == [
        (TRUE, "proved"),
        (FALSE, "refuted"),
        ("length(correlate(x, w, padding=1)) == n for k == 3", "proved"),
    ]
    indented = "".join(f"    {line}\n" for line in text.splitlines())
    assert len(json.loads(ask("--json", "--no-repair", given=indented.encode())[1])) == 3


def test_a_file_without_its_option(ask: Ask, tmp_path: Path) -> None:
    post = tmp_path / "post.md"
    post.write_text(POST)
    code, _, err = ask(str(post))
    told = f"derive check: {post}: this is a file, not a claim; write derive check --file {post}\n"
    assert (code, err) == (2, told)


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("correlate(x, w, padding=same) == x", "same is not a symbol; write 'same'"),
        ("correlate(x, w, padding=valid) == x", "valid is not a symbol; write 'valid'"),
        ("max_pool(x, 2, ceil_mode=true) == x", "true is not a symbol; write True"),
        ("sum_pool(x, 2, none) == x", "none is not a symbol; write None"),
        ("pad(x, 'same') == x", "pad: padding = 'same': this operator takes amounts"),
        ("jump(x[3, 3]) == 1", "jump: a chain of 1-D convolutions and poolings of x was expected"),
        ("offset(x*x) == 0", "offset: a chain of 1-D convolutions"),
        ("flip(x, w, v) == x", "it is called as flip(x, dims=None)"),
        ("conv_length(n) == n", "it is called as conv_length(n, k, s=1, d=1, e=1, p_lo=0, p_hi=0)"),
        ("flap(x, w, v) == x", "did you mean 'flip'?"),
        ("zzzz(x) == x", "`derive check --operators` lists all"),
        ("concat(x, w[2, 3]) == x", "operators with the same number of axes were expected"),
        ("concat(x, w, axis=1) == x", "axis = 1: the operators have 1 axes; name one of them"),
    ],
)
def test_messages_say_what_to_write(claim: str, told: str, ask: Ask) -> None:
    code, out, _ = ask(claim)
    assert code == 2
    assert told in " ".join(out.split())
    assert "^" in out


def test_the_operators_are_listed(ask: Ask) -> None:
    from derive.claims.functions import FUNCTIONS
    from derive.operators import OPERATORS

    code, out, _ = ask("--operators")
    lines = out.splitlines()
    assert code == 0
    for name in (*OPERATORS, *FUNCTIONS):
        at = next(i for i, line in enumerate(lines) if line.startswith(f"  {name}("))
        assert len(lines[at + 1].strip()) > 20, name
        assert "``" not in lines[at + 1]
        assert "'Form'" not in lines[at]
        assert "names" not in lines[at]
    assert "  correlate(x, w, stride=1, padding=0, dilation=1, base_dilation=1, groups=1, " in out


def test_the_help_says_what_unequal_means(ask: Ask) -> None:
    out = " ".join(ask("--help")[1].split())
    assert "`A != B` of operators says that they differ for all sizes" in out
    code, out, _ = ask("--no-repair", "flip(x) != x")
    assert (code, out.splitlines()[0]) == (4, "holds exactly when n >= 2")
    assert ask("--no-repair", "flip(x) != x for n >= 2")[0] == 0


def test_an_input_that_tells_maxima_apart(ask: Ask) -> None:
    claim = "max_pool(pad(x, 1), 3, 1) == max_pool(x, 3, 1, padding=1)"
    code, out, _ = ask("--json", "--no-repair", claim)
    (row,) = json.loads(out)
    assert code == 1
    example = row["counterexample"]
    assert (example["kind"], example["inputs"]) == ("input", {"x": "[-1]"})
    assert (
        example["text"] == "at n = 1: for x = [-1] output [0] is 0 on the left and -1 on the right"
    )
    assert "for x = " in ask("--format", "md", "--no-repair", claim)[1]


def test_files_with_expectations(ask: Ask, tmp_path: Path) -> None:
    post = tmp_path / "post.md"
    post.write_text(POST)
    code, out, _ = ask("--file", str(post))
    assert code == 0
    assert "2 of 2 as expected" in out
    listed = tmp_path / "list.yaml"
    listed.write_text(f'- id: c\n  claim: "{TRUE}"\n  expected: holds when n == 1\n')
    code, out, _ = ask("--file", str(listed), "--file", str(post))
    assert code == 1
    assert "  expected: holds when n == 1; found: proved" in out
    assert "2 of 3 as expected" in out


def test_a_wrong_claim_does_not_stop_the_others(ask: Ask) -> None:
    code, out, _ = ask("flop(x) == x", TRUE)
    assert code == 2
    assert "did you mean 'flip'?\n    flop(x) == x\n    ^" in out
    assert "proved for all sizes" in out


def test_json_has_the_documented_keys(ask: Ask) -> None:
    code, out, _ = ask("--json", SOMETIMES, FALSE, "flop(x) == x")
    rows = json.loads(out)
    assert code == 2
    keys = list(get_type_hints(Row))
    assert [list(row) for row in rows] == [keys] * 3
    epilog = cli_check.EPILOG
    for key in keys:
        assert f"\n  {key} " in epilog or f", {key} " in epilog, key
    assert [row["verdict"] for row in rows] == ["holds exactly when", "refuted", "wrong input"]
    first, second, third = rows
    assert first["schema"] == 1
    assert first["condition"] == "k == 1"
    assert first["assumed"] == ["n >= k"]
    assert first["hypotheses"] == ["k >= 1", "n >= 1"]
    example = first["counterexample"]
    assert (example["sizes"], example["output"]) == ({"k": 2, "n": 2}, [0])
    assert (example["left"], example["right"]) == ("1", "0")
    assert first["repair"]["change"] == "w is flipped"
    assert second["counterexample"]["reads"] == [["x", [0]]]
    assert third["error"].startswith("reading the claim: the operator 'flop' is unknown")
    assert ask("--format", "json", TRUE)[1].startswith("[\n")


@pytest.mark.parametrize("style", ["md", "html", "tex"])
def test_documents(style: str, ask: Ask, tmp_path: Path) -> None:
    code, out, _ = ask("--format", style, SOMETIMES)
    assert code == 4
    assert "Proof under the condition" in out
    assert "The nearest true statement" in out
    assert "index.html" not in out
    folder = tmp_path / "court"
    code, out, _ = ask(
        "--format", style, "--out", str(folder), "--no-repair", TRUE, FALSE, "q == 1"
    )
    assert code == 2
    assert f"2 of 3 judgments in {folder}" in out
    extra = ["claims.json", "index.html"] if style == "html" else []
    wanted = sorted([f"claim-1.{style}", f"claim-2.{style}", *extra])
    assert sorted(f.name for f in folder.iterdir()) == wanted


def test_the_ids_of_a_file_are_safe_names(ask: Ask, tmp_path: Path) -> None:
    post = tmp_path / "post.md"
    post.write_text(f"```claim id=../../a/b\n{TRUE}\n```\n```claim id=a-b\n{TRUE}\n```\n")
    assert ask("--file", str(post), "--format", "md", "--out", str(tmp_path / "o"))[0] == 0
    assert sorted(f.name for f in (tmp_path / "o").iterdir()) == ["a-b-2.md", "a-b.md"]


@pytest.mark.skipif(tex.find_tex_engine() is None, reason="no TeX engine")
def test_the_latex_compiles(ask: Ask, tmp_path: Path) -> None:
    words = r"Über 100 % of {braces} & $math$ \input{x} <b>"
    post = tmp_path / "post.yaml"
    post.write_text(json.dumps([{"claim": SOMETIMES, "statement": words, "source": words}]))
    assert ask("--file", str(post), "--format", "tex", "--out", str(tmp_path))[0] == 4
    pdf, _ = tex.compile_tex((tmp_path / "claim-1.tex").read_text(encoding="utf-8"))
    assert pdf.startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--file", "none.md"), "--file none.md: there is no such file; check the path"),
        (("--file", "."), "--file .: it is a folder; name a .md or .yaml file"),
        (
            ("--json", "--format", "md", TRUE),
            "--json and --format md: two formats; give one of them",
        ),
        (("--out", "x", TRUE), "--out x: text goes to standard output; ask for --format html"),
        (("--format", "html", TRUE, TRUE), "--format html: 2 claims; name a folder with --out"),
    ],
)
def test_wrong_use(words: tuple[str, ...], message: str, ask: Ask) -> None:
    code, out, err = ask(*words)
    assert (code, out, err) == (2, "", f"derive check: {message}\n")


@pytest.mark.parametrize("option", [("--seconds", "0"), ("--seconds", "nan"), ("--format", "pdf")])
def test_options_out_of_range(option: tuple[str, str], ask: Ask) -> None:
    code, _, err = ask(*option, TRUE)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "see 'derive check --help'" in err


def test_hostile_claims_end_in_bounded_time_and_memory() -> None:
    code = (
        "import resource, sys; from derive.cli import run; c = run(['check', '--seconds', '1', *sys.argv[1:]]);"
        "m = max(resource.getrusage(w).ru_maxrss for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN));"
        "print(m // 1024, c)"
    )
    pytest.importorskip("resource")
    claims = (
        "flip(x[1000000]) == flip(flip(flip(x)))", "correlate(x[100000], w[1000]) == x",
        "flip(x[10**9]) == x", "((((n + k + s + d)**6)**6)**6)**6 == 1", "(" * 9_000,
    )  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *claims],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert time.perf_counter() - start < 30
    megabytes, exit_code = done.stdout.split()[-2:]
    assert int(megabytes) < 1500
    assert exit_code == "2"
    assert done.stderr == ""


def test_a_typical_claim_from_the_shell() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "derive", "check", SOMETIMES], check=False)
        times.append(time.perf_counter() - start)
        assert done.returncode == 4
    assert min(times) < 3  # about 0.6 s on a machine that does nothing else


def test_the_help_documents_the_exit_codes(ask: Ask) -> None:
    code, out, _ = ask("--help")
    assert code == 0
    assert "  3  undecided\n" in out
    assert "conv_transpose," in out
