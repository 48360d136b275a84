"""Every block of the README runs and gives what it shows."""

from __future__ import annotations

import doctest
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.readme import ROOT, Block, blocks, command_of_the_tests, setup_commands

TEST_COMMAND = command_of_the_tests()


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with this interpreter's programs first, and no knowledge of this run."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    hidden = ("PYTEST_", "CI", "COV_")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(hidden)}
    environment = kept | {"PATH": path, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(autouse=True)
def _derive_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``derive`` for an interpreter into which the package is not installed."""
    if (Path(sys.executable).parent / "derive").exists():
        return
    script = tmp_path / "bin" / "derive"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m derive "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")


def ids(block: Block) -> str:
    return f"{block.language}-line-{block.line}"


def test_every_block_is_run() -> None:
    known = {("bash", "setup"), ("bash", ""), ("console", ""), ("pycon", ""), ("python", "")}
    assert {(b.language, b.mark) for b in blocks()} == known


def test_there_are_exactly_two_commands_for_a_fresh_machine() -> None:
    main, test = setup_commands()
    start = ["python3 -m venv .venv", ". .venv/bin/activate"]
    assert main == [*start, "pip install .", "derive prove"]
    assert test == [*start, "pip install -e '.[test]'", TEST_COMMAND]


def test_the_main_command_reduced_to_one_theorem(tmp_path: Path) -> None:
    command = setup_commands()[0][-1]
    done = shell(f"{command} toeplitz-1d --format tex --format html", tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 proved" in done.stdout
    written = {f.suffix for f in (tmp_path / "book").rglob("*") if f.is_file()}
    assert {".tex", ".html"} <= written


def test_the_test_command_reduced_to_one_file() -> None:
    file = "tests/test_project.py"
    done = shell(f"{TEST_COMMAND} -p no:cacheprovider {file} -k license", ROOT)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("block", blocks("bash", ""), ids=ids)
def test_bash(block: Block, tmp_path: Path) -> None:
    done = shell(f"set -e\n{block.text}", tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("block", blocks("console"), ids=ids)
def test_console_shows_what_comes_out(block: Block, tmp_path: Path) -> None:
    shown = ""
    for line in block.text.splitlines():
        if line.startswith("$ "):
            shown += f"{line}\n{shell(line[2:], tmp_path).stdout}"
    assert shown == block.text


@pytest.mark.parametrize("block", blocks("pycon"), ids=ids)
def test_pycon_shows_what_comes_out(block: Block) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, {}, "README", "README.md", block.line)
    report: list[str] = []
    found = doctest.DocTestRunner().run(test, out=report.append)
    assert found.failed == 0, "".join(report)
    assert found.attempted > 0


@pytest.mark.parametrize("block", blocks("python"), ids=ids)
def test_python(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    from derive.form import tensor
    from derive.matrix import matrix, to_text
    from derive.operators import registry

    monkeypatch.setattr(registry, "OPERATORS", dict(registry.OPERATORS))
    space: dict[str, Any] = {}
    exec(compile(block.text, "README.md", "exec"), space)
    a = matrix(space["pair_sum"](tensor("x", 3)), "x")
    assert to_text(a) == "1 1 ·\n· 1 1"
