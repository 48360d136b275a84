"""What the command line shows on a terminal: a progress bar and tables."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from derive import summary
from derive.api import WORKERS, prove_theorems, theorem_ids

if TYPE_CHECKING:
    from rich.console import Console

    from derive.prove import Proof

STYLES = {"proved": "green", "refuted": "bold red", "undecided": "bold yellow"}
PIPED_WIDTH = 120


def prove_with_progress(names: Sequence[str] | None, jobs: int | None) -> list[Proof]:
    """Prove the named theorems; a progress bar on standard error where that is a terminal."""
    workers = WORKERS if jobs is None else jobs
    wanted = theorem_ids() if names is None else tuple(dict.fromkeys(names))
    if not sys.stderr.isatty():
        return prove_theorems(wanted, workers)
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
        return prove_theorems(
            wanted, workers, lambda name: progress.update(task, advance=1, description=name)
        )


def summary_table(proofs: Sequence[Proof]) -> None:
    """One line a theorem: id, verdict, seconds; then the counts, and why something is missing."""
    _table(proofs, with_title=False)


def theorem_table(proofs: Sequence[Proof]) -> None:
    """One line a theorem: id, family, verdict, seconds, title."""
    _table(proofs, with_title=True)


def _table(proofs: Sequence[Proof], with_title: bool) -> None:
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
    for proof in proofs:
        theorem, found = proof.theorem, summary.verdict(proof)
        cells = [Text(theorem.id), Text(found, STYLES[found]), Text(f"{proof.seconds:.2f}")]
        if with_title:
            bounded = f" (bounded: {theorem.bounded})" if theorem.bounded else ""
            cells = [cells[0], Text(theorem.family), *cells[1:], Text(theorem.title + bounded)]
        table.add_row(*cells)
    console = _console()
    console.print(table)
    verdicts = [summary.verdict(p) for p in proofs]
    counts = [f"{verdicts.count(v)} {v}" for v in summary.EXIT_CODES if v in verdicts]
    console.print(Text(", ".join(counts)))
    for proof in proofs:
        why = summary.shortfall(proof)
        if why:
            console.print(Text(f"{proof.theorem.id}: {why}"))


def _console() -> Console:
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
