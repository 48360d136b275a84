"""``derive conform``: every dialect call against the real frameworks."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from derive.errors import NotSupported, WrongInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from derive.conformance import Tally
    from derive.conformance_report import Swept

NAMES = ("pytorch", "tensorflow", "keras", "keras1", "jax", "onnx", "numpy")
LISTED = 20
EPILOG = """\b
Examples:
  derive conform --framework pytorch --count 20
  derive conform --framework pytorch --call nn.MaxPool2d --call F.pad
  derive conform --framework jax --count 200 --seed 1 --out proofs/conformance/jax.md

\b
Exit codes:
  0  everything agrees, or differs for a known reason
  1  something differs
  2  wrong input
"""


@click.command("conform", epilog=EPILOG)
@click.option(
    "--framework",
    "frameworks",
    type=click.Choice(NAMES),
    multiple=True,
    help="May be given several times.  [default: all that are installed]",
)
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Configurations of each call on one and two axes; a quarter of them on three.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="What the draws depend on.")
@click.option("--call", "calls", metavar="NAME", multiple=True, help="Only this call.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="The file for the report."
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Processes that compare.",
)
def conform_command(
    frameworks: tuple[str, ...],
    count: int,
    seed: int,
    calls: tuple[str, ...],
    out: Path | None,
    jobs: int,
) -> int:
    """Compare every dialect call with the framework itself over drawn configurations.

    Legality, shape, values and gradients are compared, exactly where the arithmetic is exact.
    """
    from derive.conformance import FRAMEWORKS, totals
    from derive.conformance_report import report, unexplained

    chosen = tuple(dict.fromkeys(frameworks)) or tuple(
        name for name in NAMES if FRAMEWORKS[name].installed
    )
    if not chosen:
        raise NotSupported("no framework is installed; pip install torch, jax, tensorflow or onnx")
    if out is not None and not out.parent.is_dir():
        raise WrongInput(f"--out {out}: the folder {out.parent} does not exist; make it first")
    swept = [_swept(name, count, seed, calls, jobs) for name in chosen]
    for s in swept:
        t = totals(s.tallies)
        click.echo(
            f"{s.framework.dialect} {s.version}: {t['configurations']} configurations, "
            f"{t['legal']} legal, {t['illegal']} refused by both, {t['values']} with equal values "
            f"({t['exact']} exactly), {t['gradients']} equal gradients, "
            f"{t['known']} known differences, {t['unknown']} unexplained"
        )
    found = [d for s in swept for d in unexplained(s.tallies)]
    for d in found[:LISTED]:
        click.echo(f"  {d}", err=True)
    if len(found) > LISTED:
        click.echo(f"  and {len(found) - LISTED} more", err=True)
    if out is not None:
        options = "".join(f" --framework {name}" for name in frameworks)
        options += f" --count {count} --seed {seed}" + "".join(f" --call {c}" for c in calls)
        _write(out, report(swept, f"derive conform{options} --out {out.as_posix()}"))
        click.echo(f"report in {out}")
    return 1 if found else 0


def _swept(name: str, count: int, seed: int, calls: tuple[str, ...], jobs: int) -> Swept:
    from derive.conformance import FRAMEWORKS, specs, sweep
    from derive.conformance_report import Swept

    tallies: list[Tally] = []
    with _progress(name, len(specs(name, calls))) as advance:
        for tally, _ in sweep(name, count, seed, calls, jobs):
            tallies.append(tally)
            advance(f"{tally.call} {tally.dims}-D")
    framework = FRAMEWORKS[name]
    runner = framework.runner()
    return Swept(framework, runner.version(), runner.PRECISION, tuple(tallies), framework.known())


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[str], None]]:
    """A progress bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda description: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=total)
        yield lambda description: progress.update(task, advance=1, description=description)


def _write(out: Path, text: str) -> None:
    """The file whole or not at all."""
    try:
        handle, name = tempfile.mkstemp(prefix=".derive-", dir=out.parent, text=True)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(name, 0o644)  # mkstemp makes files for the owner alone
        os.replace(name, out)
    except OSError as error:
        fact = (error.strerror or str(error)).lower()
        raise WrongInput(
            f"--out {out}: cannot write there ({fact}); choose another file"
        ) from error
