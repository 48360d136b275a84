"""``derive check``: claims from the command line, from files or from standard input, judged."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import click

from derive.cli_types import Seconds
from derive.errors import WrongInput

if TYPE_CHECKING:
    from derive.claims.files import Entry
    from derive.claims.guard import Job, Outcome
    from derive.claims.report import Row

FORMATS = ("text", "json", "md", "html", "tex")
PIPED_WIDTH = 120
FEW = 8  # claims that one process judges sooner than several have started
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
`A != B` of operators says that they differ for all sizes that the hypotheses allow (not: that
they differ somewhere), so does `not A == B`; of numbers, that they are unequal for all sizes.
A claim is meant for all sizes, all real inputs, and every choice among equal maxima.

\b
Sizes n m k l s d e c h (also n1, c_in) are at least 1, paddings p and output paddings r at least 0.
The tensors x, w, v have the lengths n, k, l unless they are written with a shape: x[n1, n2].

Calls of frameworks are operators, with their own layouts; a tensor that is not declared gets the
shape that the call tells (N, C, H, W; a kernel c_out, c_in, k_h, k_w), or is written x[1, 3, 28, 28]:

\b
  F.conv2d(x, w, stride=2) == tf.nn.conv2d(x, w, strides=2, padding='VALID')
  nn.Conv2d(4, 8, 3, padding='same')(x) == keras.layers.Conv2D(8, 3, padding='same')(x)
  shape(nn.Conv2d(3, 16, 3)(x)) == (N, 16, H - 2, W - 2)

Two sides are compared with their layouts put aside. The first layer with weights on the left has the
same weights as the first on the right, and so on; what was understood so is said under `read as`.

\b
A program can be judged as it stands, of lines as in a forum answer:
  out = tf.nn.conv2d(x, w, strides=s, padding='VALID')
  d_x = tf.nn.conv2d_transpose(d_out, w, output_shape=x.shape, strides=s, padding='VALID')

Names that begin with d_x claim to be the gradient of `out` by x with the incoming gradient d_out; a name
that is assigned again, without its old value, claims to be the same; a result printed beneath a line
claims to be its value; assert, allclose and lines that are claims are claims. Nothing is run. Helpers
that are known by name: rot180, pad_to_full_conv2d, NHWC_to_HWIO (also as tf_… or np_…), transpose,
permute, reverse, flip, squeeze, expand_dims, reshape, array, arange, gradients, GradientTape.

Standard input is read like a Markdown file where there is a ```claim block in it; otherwise every
line is a claim (a line that continues the one before begins with a space, or brackets are open;
blank lines and those that begin with # are left out).

Files: a .md file holds claims in blocks fenced as ```claim, with the attributes id, expect, source,
statement on the fence or as `key: value` lines before the claim; a .yaml file is a list of
{id, statement, source: {title, url}, claim, expected}.  Claims with the same `row` share a page of
--format html, and `reading` says in words how a claim is read.  An expected verdict is proved, refuted,
undecided, cannot be, or "holds when CONDITION"; what is found must say the same.

\b
--json prints a list with one object for every claim.  Keys are only ever added:
  schema          1
  id              string or null
  claim           the claim as it was read
  statement       null, or the claim in words
  row             null, or what the file groups the claim under
  reading         null, or in words how the claim is read
  source          null, or {title, url}
  verdict         "proved", "holds exactly when", "refuted", "undecided",
                  "cannot be" (its parts can never fit) or "wrong input"
  method          null, or the evidence of a proof: "solver", "computed exactly", ...
  hypotheses      list of strings: what is assumed, sizes first
  assumed         list of strings: what else must hold for the operators to be defined
  condition       the exact condition of "holds exactly when", else null
  degenerate      list of strings: cases of the condition in which some length is 1
  counterexample  null, or the smallest one: {kind, sizes, functions, left_shape,
                  right_shape, output, reads, inputs, left, right, text}; kind is "shape",
                  "value", "input" (the arrays in `inputs` tell the sides apart),
                  "sizes", "undefined" or "existence"
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

        with formatter.section("Operators and functions of claims (how to call them: --operators)"):
            formatter.write_text(", ".join(sorted({*OPERATORS, *FUNCTIONS})))
        super().format_epilog(ctx, formatter)


def _list_operators(context: click.Context, option: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from derive.claims.functions import signature, summary, vocabulary

    for family, names in vocabulary().items():
        click.echo(f"{family}:")
        for name in names:
            click.echo(f"  {signature(name)}\n      {summary(name)}")
    context.exit()


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
    help="A folder for the judgments of --format md, html or tex, one file for each row; html has an "
    "index of the verdicts, and its claims.json is for `derive prove --record`.",
)
@click.option(
    "--seconds",
    type=Seconds(min=0.1, max=3600),
    default=20.0,
    show_default=True,
    help="The time limit for each claim; what is not decided by then is undecided.",
)
@click.option("--no-repair", is_flag=True, help="Do not look for the nearest true statement.")
@click.option(
    "--operators",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_operators,
    help="List the operators and functions, with how they are called, and leave.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes that judge.  [default: 2]")
def check_command(
    claims: tuple[str, ...],
    files: tuple[Path, ...],
    as_json: bool,
    style: str | None,
    out: Path | None,
    seconds: float,
    no_repair: bool,
    jobs: int | None,
) -> int:
    """Judge claims for all sizes: proved, refuted, or true exactly when a condition holds.

    A CLAIM of "-" reads standard input; so does the command without claims when it is piped into.
    """
    from derive.claims.guard import Job, parts
    from derive.claims.report import exit_code

    if as_json and style not in (None, "json"):
        raise WrongInput(f"--json and --format {style}: two formats; give one of them")
    wanted = "json" if as_json else style or "text"
    if out is not None and wanted in ("text", "json"):
        raise WrongInput(f"--out {out}: {wanted} goes to standard output; ask for --format html")
    entries = list(_entries(claims, files))
    entries = parts(entries, Job(seconds))
    document = wanted in ("md", "html", "tex")
    job = Job(seconds, repair=not no_repair, document=document)
    if document:
        outcomes = _documents(entries, job, wanted, out, jobs)
    else:
        outcomes = _judged(entries, job, jobs, told=wanted == "text")
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
        elif _is_file(claim):
            raise WrongInput(
                f"{claim}: this is a file, not a claim; write derive check --file {claim}"
            )
        else:
            yield Entry(claim)
    for path in files:
        yield from read_file(path)


def _is_file(claim: str) -> bool:
    try:
        return len(claim) < 1000 and Path(claim).is_file()
    except (OSError, ValueError):  # what no file can be called
        return False


def _standard_input() -> tuple[Entry, ...]:
    from derive.claims.files import MAX_BYTES, Entry, decode, read_text
    from derive.claims.program import is_program

    stream = getattr(sys.stdin, "buffer", None)
    data = stream.read(MAX_BYTES + 1) if stream else sys.stdin.read(MAX_BYTES + 1).encode()
    text = decode(data, "standard input")
    found = read_text(text)
    if len(found) == 1 and found[0].claim == text.strip() and not is_program(text):  # no block
        found = tuple(Entry(c, place=found[0].place) for c in claim_lines(text))
    if not any(e.claim for e in found):
        raise WrongInput("standard input: it is empty; write a claim")
    return found


def claim_lines(text: str) -> list[str]:
    r"""One claim a line; a line that begins with a space, or within brackets, goes on with the one
    before.  Blank lines and those that begin with ``#`` are left out.

    >>> claim_lines("flip(flip(x)) == x\n# sizes\nlength(correlate(x, w,\npadding=1)) == n\n  for k == 3")
    ['flip(flip(x)) == x', 'length(correlate(x, w, padding=1)) == n for k == 3']
    """
    claims: list[str] = []
    depth = 0
    for line in dedent(text).splitlines():
        if not line.strip() or (line.startswith("#") and depth <= 0):
            continue
        if claims and (depth > 0 or line[0].isspace()):
            claims[-1] += f" {line.strip()}"
        else:
            claims.append(line.strip())
            depth = 0
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
    return claims


def _judged(
    entries: Sequence[Entry], job: Job, jobs: int | None, told: bool = False
) -> list[Outcome]:
    """Judge the claims; each is told as soon as it is known, with a progress bar for several."""
    from derive.claims.guard import judge_entries
    from derive.claims.parallel import WORKERS, judge_parallel

    several = len(entries) > (1 if job.document else FEW)
    workers = jobs or WORKERS

    def tell(outcome: Outcome) -> None:
        if told:
            _tell(outcome.row, first=outcome.row is rows[0])

    rows: list[Row] = []
    if len(entries) == 1 or not sys.stderr.isatty():

        def done(outcome: Outcome) -> None:
            rows.append(outcome.row)
            tell(outcome)

        if several:
            return judge_parallel(entries, job, workers, done)
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

        if several:
            outcomes = judge_parallel(entries, job, workers, advance)
        else:
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


def _documents(
    entries: Sequence[Entry], job: Job, style: str, out: Path | None, jobs: int | None
) -> list[Outcome]:
    """Write the judgments: to standard output, or one file for each row into a folder."""
    from derive.claims.report_record import files

    if out is None:
        if len(entries) > 1:
            raise WrongInput(f"--format {style}: {len(entries)} claims; name a folder with --out")
        outcomes = _judged(entries, job, jobs)
        for outcome in outcomes:
            _write(outcome, style)
        return outcomes
    from derive.cli_output import staged

    with staged(out) as folder:
        outcomes = _judged(entries, job, jobs)
        for name, text in files(outcomes, style).items():
            (folder / name).write_text(text, encoding="utf-8")
    missing = [o for o in outcomes if o.document is None]
    judged = len(outcomes) - len(missing)
    click.echo(f"{judged} of {len(outcomes)} judgments in {out}{os.sep}")
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


def _table(rows: Sequence[Row]) -> None:
    """One line a claim: its id or text, verdict, as expected or not, seconds; then the counts."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from derive.claims.report import counts, found, mismatches

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
    for line in mismatches(rows):
        console.print(Text(line))
