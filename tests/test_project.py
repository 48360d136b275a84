"""The house rules: the catalogue is whole, the project files agree with each other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import derive
from derive.theorems import FAMILIES, IDS, load
from tests.readme import ROOT, command_of_the_tests

COMMAND = command_of_the_tests()
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = sorted((ROOT / "derive").rglob("*.py"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_no_theorem_of_the_catalogue_is_missing() -> None:
    assert [i for ids in IDS.values() for i in ids if i not in load()] == []


def test_the_catalogue_is_in_the_order_of_the_book() -> None:
    assert tuple(IDS) == FAMILIES
    fixed = [i for ids in IDS.values() for i in ids]
    assert len(set(fixed)) == len(fixed)
    assert [i for i in load() if i in fixed] == [i for i in fixed if i in load()]
    families = [FAMILIES.index(make().family) for make in load().values()]
    assert families == sorted(families)


def test_every_theorem_has_the_id_of_its_function_and_what_a_reader_needs() -> None:
    for name, make in load().items():
        theorem = make()
        assert theorem.id == name
        assert theorem.family in FAMILIES
        assert all(name not in ids or family == theorem.family for family, ids in IDS.items())
        assert theorem.parts, name
        assert theorem.sources, name
        assert theorem.title, name
        assert theorem.sentence, name
        assert theorem.twin.sentence, name


def test_no_two_functions_claim_one_id() -> None:
    defined = [
        found
        for path in (ROOT / "derive" / "theorems").glob("*.py")
        for found in re.findall(
            r"^@theorem\ndef (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE
        )
    ]
    assert sorted(defined) == sorted(n.replace("-", "_") for n in load())


def test_modules_are_short() -> None:
    """Theorems read from top to bottom, one family after the other; code should fit in the head."""
    code = [p for p in SOURCES if p.parent.name != "theorems"]
    lengths = {p.name: len(p.read_text(encoding="utf-8").splitlines()) for p in code}
    assert {n: c for n, c in lengths.items() if c > 800} == {}


def test_one_version() -> None:
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    assert f"\nversion: {derive.__version__}\n" in text("CITATION.cff")


def test_the_license_is_mit() -> None:
    assert text("LICENSE").startswith("MIT License\n\nCopyright (c) 2026 the derive authors\n")
    assert PYPROJECT["project"]["license"] == "MIT"


def test_the_changelog_has_an_unreleased_section() -> None:
    assert "\n## [Unreleased]\n" in text("CHANGELOG.md")


def test_requirements_have_lower_bounds() -> None:
    for requirement in PYPROJECT["project"]["dependencies"]:
        assert re.fullmatch(r"[a-z0-9-]+>=[0-9.]+", requirement)


def test_extras_are_the_documented_ones() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert set(extras) == {"torch", "jax", "tensorflow", "onnx", "frameworks", "test", "dev"}


def test_the_tools_are_pinned_in_one_place() -> None:
    dev = PYPROJECT["project"]["optional-dependencies"]["dev"]
    assert {"ruff", "mypy"} <= {r.split("==")[0] for r in dev if "==" in r}
    for name in (".pre-commit-config.yaml", ".ci/run", ".github/workflows/ci.yml"):
        assert not re.search(r"(ruff|mypy)\S*[=@]+v?\d", text(name))


def test_every_lint_exception_has_its_reason() -> None:
    ignored = re.search(r"^ignore = \[\n(.*?)^\]", text("pyproject.toml"), re.MULTILINE | re.DOTALL)
    assert ignored is not None
    assert all("  # " in line or " # " in line for line in ignored[1].splitlines())
    bare = re.compile(r"# (noqa|type: ignore)(?!: ?[A-Z0-9]+|\[)")
    assert [p.name for p in SOURCES if bare.search(p.read_text(encoding="utf-8"))] == []


def test_ci_is_one_local_command() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True, timeout=20)
    assert "- run: bash .ci/run" in text(".github/workflows/ci.yml")


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """The script asks ``tests/readme.py`` for the command; that prints the one in the README."""
    assert "command=$(python tests/readme.py test-command)" in text(".ci/run")
    asked = [sys.executable, "tests/readme.py", "test-command"]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    assert said.stdout == f"{COMMAND}\n"
    assert f"&& {COMMAND}\n```" in text("README.md")


def test_no_file_names_a_registry_or_a_machine() -> None:
    names = [
        "README.md",
        "CONTRIBUTING.md",
        "pyproject.toml",
        ".ci/run",
        ".github/workflows/ci.yml",
    ]
    for name in names:
        assert not re.search(
            r"pypi\.org|download\.pytorch|/home/|/root/|/opt/|/work/", text(name)
        ), name


def test_the_picture_is_drawn_by_its_generator() -> None:
    code = "import runpy; print(runpy.run_path('docs/picture.py')['picture'](), end='')"
    drawn = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert drawn.stdout == text("docs/matrices.svg")


@pytest.mark.parametrize("ci", ["true", ""])
def test_a_skip_fails_on_ci(ci: str, tmp_path: Path) -> None:
    """The hook of conftest.py, on a test and on a module that skip themselves."""
    (tmp_path / "conftest.py").write_text(text("tests/conftest.py"), encoding="utf-8")
    module = "import pytest\npytest.skip('no module', allow_module_level=True)\n"
    (tmp_path / "test_module.py").write_text(module, encoding="utf-8")
    single = "import pytest\ndef test_it():\n    pytest.skip('no luck')\n"
    (tmp_path / "test_single.py").write_text(single, encoding="utf-8")
    off = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist")
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *off,
            "--continue-on-collection-errors",
            "--rootdir=.",
            ".",
        ],
        cwd=tmp_path,
        env=kept | {"CI": ci},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if ci:
        assert done.returncode == 1
        assert "skipped, which is a failure on CI: Skipped: no luck" in done.stdout
        assert "skipped, which is a failure on CI: Skipped: no module" in done.stdout
    else:
        assert done.returncode == 0
        assert "2 skipped" in done.stdout
