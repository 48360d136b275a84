"""The command line: ``derive prove``, ``derive theorems``, ``derive check``, ``derive matrix``.

Only what a command needs is imported, when it runs.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from derive import __version__
from derive.cli_check import check_command
from derive.cli_conform import conform_command
from derive.cli_matrix import matrix_command
from derive.cli_shape import shape_command
from derive.cli_translate import translate_command
from derive.errors import DeriveError, NotSupported, WrongInput

if TYPE_CHECKING:
    from derive.document.model import Document

FORMATS = ("tex", "html", "md", "pdf")
FRAMEWORKS = {"torch": "PyTorch"}
WRONG_INPUT, INTERRUPTED, CLOSED_PIPE = 2, 130, 141
NO_TEX = (
    "no TeX engine was found; install one (for example the Debian packages texlive-latex-extra, "
    "texlive-pictures and lmodern)"
)
EXIT_CODES = """\b
Exit codes:
  0  everything that was asked for is proved
  1  something is refuted
  2  wrong input
  3  nothing is refuted, but something is undecided
"""


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EXIT_CODES,
)
@click.version_option(__version__, prog_name="derive", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Prove identities about convolution, pooling and upsampling and their gradients."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command(epilog=EXIT_CODES)
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("book"),
    show_default=True,
    help="The folder for the documents; it is made if need be.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    help="May be given several times.  [default: tex, html, and pdf where a TeX engine is found]",
)
@click.option(
    "--framework",
    "frameworks",
    type=click.Choice(tuple(FRAMEWORKS)),
    multiple=True,
    help="Cross-check against this framework too, and show it in the documents.",
)
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    help="A folder that `derive check --format html --out` wrote: the book gets a chapter with its "
    "verdicts and links to its pages.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes that prove.  [default: 2]")
def prove(
    ids: tuple[str, ...],
    out: Path,
    formats: tuple[str, ...],
    frameworks: tuple[str, ...],
    record: Path | None,
    jobs: int | None,
) -> int:
    """Prove theorems (all of them when no ID is given) and write the documents."""
    from derive import summary
    from derive.api import get_theorem
    from derive.cli_output import staged
    from derive.cli_show import prove_with_progress, summary_table
    from derive.document import book, tex

    for name in ids:
        get_theorem(name)
    for name in frameworks:
        if importlib.util.find_spec(name) is None:
            raise NotSupported(f"--framework {name}: it is not installed; pip install {name}")
    engine = tex.find_tex_engine()
    if "pdf" in formats and engine is None:
        raise NotSupported(f"--format pdf: {NO_TEX}, or ask for another format")
    write = book.write_book
    if record is not None:
        write = partial(write, chapters=(_record_chapter(record, out),))
    wanted = tuple(dict.fromkeys(formats)) or ("tex", "html", *(("pdf",) if engine else ()))
    with staged(out) as folder:
        asked = [FRAMEWORKS[name] for name in dict.fromkeys(frameworks)]
        found = prove_with_progress(ids or None, jobs, check=True, frameworks=asked, documents=True)
        made = {f.proof.theorem.id: f.document for f in found if f.document is not None}
        write([f.proof for f in found], folder, wanted, documents=made)
        written = sum(1 for f in folder.rglob("*") if f.is_file())
    summary_table(found)
    click.echo(f"{written} files in {out}{os.sep} ({', '.join(wanted)})")
    if not formats and engine is None:
        click.echo(f"No PDF was made: {NO_TEX} and run the command again.", err=True)
    return summary.exit_code(summary.verdict(f.proof, f.checks) for f in found)


def _record_chapter(record: Path, out: Path) -> Document:
    """The chapter on judged claims, with links from the folder of the book to their pages."""
    from urllib.parse import quote

    from derive.claims.report_record import chapter, read_record

    base = os.path.relpath(record.resolve(), out.resolve()).replace(os.sep, "/")
    return chapter(read_record(record), f"{quote(base)}/", "court-record")


@cli.command(
    epilog="""\b
--json prints a list of objects with these keys:
  id, family, title   strings
  verdict             "proved", "refuted" or "undecided"; computed, never stored
  negative            true where the theorem says that something fails
  hypotheses          list of strings: all that any of its parts assumes
  bounded             null, or what is only checked up to a bound, and to which
  seconds             the time to decide it
  reason              null, or why it is not proved
  parts               list of objects: sentence, verdict (also "holds exactly when"),
                      method, hypotheses, condition, counterexample, reason

"""
    + EXIT_CODES
)
@click.option("--json", "as_json", is_flag=True, help="Print all that is known, as JSON.")
@click.option("--ids", "ids_only", is_flag=True, help="Print only the ids, and prove nothing.")
@click.option("--family", metavar="NAME", help="Only this family.")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes that prove.  [default: 2]")
def theorems(as_json: bool, ids_only: bool, family: str | None, jobs: int | None) -> int:
    """List the theorems with their verdicts: proves them to know."""
    from derive.api import theorem_ids

    if ids_only and as_json:
        raise WrongInput("--ids --json: the ids alone are printed as text; give one of them")
    names = theorem_ids(family)
    if ids_only:
        click.echo("\n".join(names))
        return 0

    import json

    from derive import summary
    from derive.cli_show import prove_with_progress, theorem_table

    found = prove_with_progress(names, jobs)
    if as_json:
        click.echo(json.dumps([summary.row(f.proof) for f in found], indent=2, ensure_ascii=False))
    else:
        theorem_table(found)
    return summary.exit_code(summary.verdict(f.proof) for f in found)


cli.add_command(check_command)
cli.add_command(conform_command)
cli.add_command(matrix_command)
cli.add_command(shape_command)
cli.add_command(translate_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code.

    An error of the user is one or two lines on standard error and exit code 2, never a traceback.
    """
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(given, prog_name="derive", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "derive"
        message = " ".join(error.format_message().split()).rstrip(".")
        click.echo(f"{where}: {message}; see '{where} --help'", err=True)
        return WRONG_INPUT
    except DeriveError as error:
        command = f"derive {given[0]}" if given and given[0] in cli.commands else "derive"
        click.echo(f"{command}: {error}", err=True)
        return WRONG_INPUT
    except (click.Abort, KeyboardInterrupt):
        click.echo("derive: stopped; nothing was written", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has left, as in `derive theorems | head`: keep Python from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE
    return code if isinstance(code, int) else 0
