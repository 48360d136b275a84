"""What the command line shows on a terminal: a progress bar and tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from derive import summary
from derive.api import WORKERS, Found, prove_theorems, theorem_ids

if TYPE_CHECKING:
    from rich.console import Console


STYLES = {"proved": "green", "refuted": "bold red", "undecided": "bold yellow"}
PIPED_WIDTH = 120


def prove_with_progress(
    names: Sequence[str] | None,
    jobs: int | None,
    check: bool = False,
    frameworks: Sequence[str] = (),
    documents: bool = False,
) -> list[Found]:
    """Prove the named theorems; a progress bar on standard error where that is a terminal."""
    workers = WORKERS if jobs is None else jobs
    wanted = theorem_ids() if names is None else tuple(dict.fromkeys(names))
    if not sys.stderr.isatty():
        return prove_theorems(
            wanted, workers, check=check, frameworks=frameworks, documents=documents
        )
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("proving", total=len(wanted))

        def done(name: str) -> None:
            progress.update(task, advance=1, description=name)

        return prove_theorems(wanted, workers, done, check, frameworks, documents)


def summary_table(found: Sequence[Found]) -> None:
    """One line a theorem: id, verdict, seconds; then the counts, and why something is missing."""
    _table(found, with_title=False)


def theorem_table(found: Sequence[Found]) -> None:
    """One line a theorem: id, family, verdict, seconds, title."""
    _table(found, with_title=True)


def _table(found: Sequence[Found], with_title: bool) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("theorem", no_wrap=True)
    if with_title:
        table.add_column("family", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    if with_title:
        table.add_column("title")
    verdicts = [summary.verdict(f.proof, f.checks) for f in found]
    for f, verdict in zip(found, verdicts, strict=True):
        theorem = f.proof.theorem
        seconds = f"{f.proof.seconds:.2f}"
        cells = [Text(theorem.id), Text(verdict, STYLES[verdict]), Text(seconds)]
        if with_title:
            bounded = f" (bounded: {theorem.bounded})" if theorem.bounded else ""
            cells = [cells[0], Text(theorem.family), *cells[1:], Text(theorem.title + bounded)]
        table.add_row(*cells)
    console = _console()
    console.print(table)
    counts = [f"{verdicts.count(v)} {v}" for v in summary.EXIT_CODES if v in verdicts]
    console.print(Text(", ".join(counts)))
    for f in found:
        why = summary.shortfall(f.proof, f.checks)
        if why:
            console.print(Text(f"{f.proof.theorem.id}: {why}"))


def _console() -> Console:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
