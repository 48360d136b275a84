"""The code blocks of the README; ``python tests/readme.py test-command`` prints how to test."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the rest of the opening line, its text, its line number."""

    language: str
    mark: str
    text: str
    line: int


def blocks(language: str | None = None, mark: str | None = None) -> list[Block]:
    """The blocks of the README with this language and mark."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = [
        Block(m[1], m[2].strip(), m[3], text[: m.start()].count("\n") + 1)
        for m in re.finditer(r"^```(\w+)([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    ]
    return [b for b in found if language in (None, b.language) and mark in (None, b.mark)]


def setup_commands() -> tuple[list[str], list[str]]:
    """The steps of the two commands for a fresh machine: the main job, the tests."""
    main, test = (b.text.strip().split(" && ") for b in blocks("bash", "setup"))
    return main, test


def command_of_the_tests() -> str:
    """The command that runs the tests, without the installation."""
    return setup_commands()[1][-1]


if __name__ == "__main__":
    if sys.argv[1:] != ["test-command"]:
        sys.exit("usage: python tests/readme.py test-command")
    print(command_of_the_tests())  # noqa: T201 (its whole purpose)
