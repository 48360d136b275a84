"""``derive check``: claims from the command line, from files or from standard input, judged."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from derive.errors import WrongInput

if TYPE_CHECKING:
    from derive.claims.files import Entry
    from derive.claims.guard import Job, Outcome
    from derive.claims.report import Row

FORMATS = ("text", "json", "md", "html", "tex")
PIPED_WIDTH = 120
STYLES = {
    "proved": "green", "holds exactly when": "cyan", "refuted": "bold red",
    "undecided": "bold yellow", "cannot be": "bold red", "wrong input": "bold red",
}  # fmt: skip
EPILOG = """
The language of claims:

\b
  [exists NAME:]  BODY  [iff CONDITION]  [for HYPOTHESIS, ...]
  vjp(correlate(x, w, stride=s), x, g) == conv_transpose(g, w, stride=s)
  max_pool(max_pool(x, k, 1), l, 1) == max_pool(x, k + l - 1, 1)
  length(correlate(x, w, stride=s)) == (n - k)//s + 1 for n >= k
  covered(conv_transpose(x, w, stride=s)) iff n == 1 or k >= s
  exists v: nearest_upsample(x, s) == conv_transpose(x, v, stride=s)

\b
Sizes n m k l s d e c h (also n1, c_in) are at least 1, paddings p and output paddings r at least 0.
The tensors x, w, v have the lengths n, k, l unless they are written with a shape: x[n1, n2].

Files: a .md file holds claims in blocks fenced as ```claim, with the attributes id, expect, source,
statement on the fence or as `key: value` lines before the claim; a .yaml file is a list of
{id, statement, source: {title, url}, claim, expected}.  An expected verdict is proved, refuted,
undecided, cannot be, or "holds when CONDITION"; what is found must say the same.

\b
--json prints a list with one object for every claim.  Keys are only ever added:
  schema          1
  id              string or null
  claim           the claim as it was read
  statement       null, or the claim in words
  source          null, or {title, url}
  verdict         "proved", "holds exactly when", "refuted", "undecided",
                  "cannot be" (its parts can never fit) or "wrong input"
  method          null, or the evidence of a proof: "solver", "computed exactly", ...
  hypotheses      list of strings: what is assumed, sizes first
  assumed         list of strings: what else must hold for the operators to be defined
  condition       the exact condition of "holds exactly when", else null
  degenerate      list of strings: cases of the condition in which some length is 1
  counterexample  null, or the smallest one: {kind, sizes, functions, left_shape,
                  right_shape, output, reads, left, right, text}; kind is "shape",
                  "value", "sizes", "undefined" or "existence"
  witness         null, or the kernel that was found for `exists`
  note            null, or what was found beside the verdict
  reason          null, or why it is undecided
  checked         null, or what was checked of an undecided claim
  repair          null, or the nearest true statement, proved: {claim, change, assumed}
  expected        null, or the expected verdict
  as_expected     null, or whether that is what was found
  seconds         the time to judge it
  error           null, or what is wrong with the input

\b
Exit codes (of several, the first in the order 2, 1, 3, 4, 0 wins; a claim whose
expectation is met counts as 0):
  0  proved, or all expectations met
  1  refuted, or an expectation missed
  2  wrong input, or a claim whose parts can never fit together
  3  undecided
  4  holds exactly when a condition is met
"""


class Language(click.Command):
    """A command whose help lists the words of the claim language."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the operators and functions before the rest."""
        from derive.claims.functions import FUNCTIONS
        from derive.operators import OPERATORS

        with formatter.section("Operators and functions of claims"):
            formatter.write_text(", ".join(sorted({*OPERATORS, *FUNCTIONS})))
        super().format_epilog(ctx, formatter)


@click.command("check", cls=Language, epilog=EPILOG)
@click.argument("claims", nargs=-1, metavar="[CLAIM]...")
@click.option(
    "--file",
    "files",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A .md or .yaml file with claims; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--format",
    "style",
    type=click.Choice(FORMATS),
    help="How the judgments are written; md, html and tex show the proof or the counterexample.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="A folder for the judgments of --format md, html or tex, one file for each claim.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.1, max=3600),
    default=20.0,
    show_default=True,
    help="The time limit for each claim; what is not decided by then is undecided.",
)
@click.option("--no-repair", is_flag=True, help="Do not look for the nearest true statement.")
def check_command(
    claims: tuple[str, ...],
    files: tuple[Path, ...],
    as_json: bool,
    style: str | None,
    out: Path | None,
    seconds: float,
    no_repair: bool,
) -> int:
    """Judge claims for all sizes: proved, refuted, or true exactly when a condition holds.

    A CLAIM of "-" reads standard input; so does the command without claims when it is piped into.
    """
    from derive.claims.guard import Job
    from derive.claims.report import exit_code

    if as_json and style not in (None, "json"):
        raise WrongInput(f"--json and --format {style}: two formats; give one of them")
    wanted = "json" if as_json else style or "text"
    if out is not None and wanted in ("text", "json"):
        raise WrongInput(f"--out {out}: {wanted} goes to standard output; ask for --format html")
    entries = list(_entries(claims, files))
    document = wanted in ("md", "html", "tex")
    job = Job(seconds, repair=not no_repair, document=document)
    write = partial(_documents, style=wanted, out=out)
    outcomes = write(entries, job) if document else _judged(entries, job, told=wanted == "text")
    rows = [o.row for o in outcomes]
    if wanted == "json":
        import json

        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif len(rows) > 1 and (wanted == "text" or out is not None):
        _table(rows)
    return exit_code(rows)


def _entries(claims: Sequence[str], files: Sequence[Path]) -> Iterator[Entry]:
    from derive.claims.files import Entry, read_file

    if not claims and not files:
        if sys.stdin is None or sys.stdin.isatty():
            raise WrongInput("no claim was given; write one, name a --file, or pipe one in")
        claims = ("-",)
    for claim in claims:
        if claim == "-":
            yield from _standard_input()
        else:
            yield Entry(claim)
    for path in files:
        yield from read_file(path)


def _standard_input() -> tuple[Entry, ...]:
    from derive.claims.files import MAX_BYTES, decode, read_text

    stream = getattr(sys.stdin, "buffer", None)
    data = stream.read(MAX_BYTES + 1) if stream else sys.stdin.read(MAX_BYTES + 1).encode()
    found = read_text(decode(data, "standard input"))
    if not any(e.claim for e in found):
        raise WrongInput("standard input: it is empty; write a claim")
    return found


def _judged(entries: Sequence[Entry], job: Job, told: bool) -> list[Outcome]:
    """Judge the claims; each is told as soon as it is known, with a progress bar for several."""
    from derive.claims.guard import judge_entries

    def tell(outcome: Outcome) -> None:
        if told:
            _tell(outcome.row, first=outcome.row is rows[0])

    rows: list[Row] = []
    if len(entries) == 1 or not sys.stderr.isatty():

        def done(outcome: Outcome) -> None:
            rows.append(outcome.row)
            tell(outcome)

        return judge_entries(entries, job, done)
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    # without a thread of its own: the process that judges is a copy of this one
    with Progress(
        *columns, console=Console(stderr=True), transient=True, auto_refresh=False
    ) as progress:
        task = progress.add_task("judging", total=len(entries))

        def advance(outcome: Outcome) -> None:
            name = outcome.row["id"] or outcome.row["claim"][:40]
            progress.update(task, advance=1, description=name, refresh=True)

        outcomes = judge_entries(entries, job, advance, progress.refresh)
    for outcome in outcomes:
        rows.append(outcome.row)
        tell(outcome)
    return outcomes


def _tell(row: Row, first: bool) -> None:
    from derive.claims.report import lines

    if not first:
        click.echo()
    for kind, line in lines(row):
        if kind == "verdict" and sys.stdout.isatty():
            color = STYLES[row["verdict"]].split()[-1]
            line = click.style(line, fg=color, bold=True)
        click.echo(line)


def _documents(entries: Sequence[Entry], job: Job, style: str, out: Path | None) -> list[Outcome]:
    """Write the judgments: to standard output, or one file for each into a folder."""
    from derive.claims.report_document import pages

    if out is None:
        if len(entries) > 1:
            raise WrongInput(f"--format {style}: {len(entries)} claims; name a folder with --out")
        outcomes = _judged(entries, job, told=False)
        for outcome in outcomes:
            _write(outcome, style)
        return outcomes
    from derive.cli_output import staged

    with staged(out) as folder:
        outcomes = _judged(entries, job, told=False)
        names = _file_names(outcomes)
        documents = [
            replace(outcome.document, id=name)
            for outcome, name in zip(outcomes, names, strict=True)
            if outcome.document is not None
        ]
        for name, text in (pages(documents, style) if documents else {}).items():
            (folder / name).write_text(text, encoding="utf-8")
    missing = [o for o in outcomes if o.document is None]
    click.echo(f"{len(documents)} of {len(outcomes)} judgments in {out}{os.sep}")
    for outcome in missing:
        _tell(outcome.row, first=False)
    return outcomes


def _write(outcome: Outcome, style: str) -> None:
    from derive.claims.report_document import written

    if outcome.document is None:
        if outcome.row["error"]:
            raise WrongInput(outcome.row["error"])
        _tell(outcome.row, first=True)
        return
    click.echo(written(outcome.document, style), nl=False)


def _file_names(outcomes: Sequence[Outcome]) -> list[str]:
    import re

    names: list[str] = []
    for number, outcome in enumerate(outcomes, 1):
        given = outcome.row["id"] or f"claim-{number}"
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", given).strip("-")[:80] or f"claim-{number}"
        while name in names:
            name += f"-{number}"
        names.append(name)
    return names


def _table(rows: Sequence[Row]) -> None:
    """One line a claim: its id or text, verdict, as expected or not, seconds; then the counts."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from derive.claims.report import counts, found

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("claim", overflow="ellipsis", no_wrap=True, max_width=56)
    table.add_column("verdict")
    asked = any(row["expected"] for row in rows)
    if asked:
        table.add_column("expected", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    marks = {None: "", True: "yes", False: "NO"}
    for row in rows:
        cells = [Text(row["id"] or row["claim"]), Text(found(row), STYLES[row["verdict"]])]
        if asked:
            cells.append(Text(marks[row["as_expected"]]))
        table.add_row(*cells, Text(f"{row['seconds']:.2f}"))
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    click.echo()
    console.print(table)
    console.print(Text(counts(rows)))
