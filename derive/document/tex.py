"""Compiling LaTeX, where a TeX engine is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from derive.errors import CannotBe, NotSupported

ENGINES = ("pdflatex", "tectonic")
SECONDS = 300


def find_tex_engine() -> str | None:
    """The name of an installed TeX engine, or None."""
    return next((e for e in ENGINES if shutil.which(e)), None)


def compile_tex(source: str, engine: str | None = None) -> tuple[bytes, str]:
    """Compile a LaTeX document in a temporary folder.

    Args:
        source: the document.
        engine: an engine of :data:`ENGINES`; by default the first that is installed.

    Returns:
        the PDF and the log.

    Raises:
        derive.errors.NotSupported: where no engine is installed.
        derive.errors.CannotBe: where the document does not compile; the message has TeX's own error.
    """
    engine = engine or find_tex_engine()
    if engine is None:
        raise NotSupported(
            "making a PDF: there is no TeX engine on this machine; install TeX Live (pdflatex) or tectonic, "
            "or ask for the formats tex or html"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "document.tex"
        file.write_text(source, encoding="utf-8")
        plain = [
            "pdflatex",
            "-interaction=nonstopmode",
            "-halt-on-error",
            "-file-line-error",
            file.name,
        ]
        # twice: the first run writes the contents, whose own pages are numbered apart
        runs = [[*plain[:1], "-draftmode", *plain[1:]], plain]
        for command in runs if engine == "pdflatex" else [["tectonic", "--keep-logs", file.name]]:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, timeout=SECONDS, check=False
            )
            log_file = file.with_suffix(".log")
            log = (
                log_file.read_text(encoding="latin-1")
                if log_file.exists()
                else done.stdout.decode("latin-1")
            )
            if done.returncode:
                raise CannotBe(
                    f"compiling a document: {_first_error(log)}; this is a fault of derive, please report it"
                )
        return file.with_suffix(".pdf").read_bytes(), log


def _first_error(log: str) -> str:
    lines = log.splitlines()
    for number, text in enumerate(lines):
        if re.match(r"(!|\./?\S+:\d+:)", text):
            return " ".join(lines[number : number + 3])
    return "TeX failed without a message"


def overfull(log: str, least: float = 10.0) -> list[str]:
    r"""The overfull boxes of a TeX log that stick out by more than ``least`` points.

    >>> overfull("Overfull \\hbox (12.5pt too wide) in paragraph at lines 3--4")
    ['Overfull \\hbox (12.5pt too wide) in paragraph at lines 3--4']
    """
    return [
        line
        for line in log.splitlines()
        if (m := re.match(r"Overfull \\[hv]box \(([\d.]+)pt", line)) and float(m.group(1)) > least
    ]
