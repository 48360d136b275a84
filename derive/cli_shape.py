"""``derive shape``: the shape of a call or a chain, and the inverse questions."""

from __future__ import annotations

import re
import sys
from typing import Any, TypeVar

import click

from derive.errors import WrongInput, clipped

EPILOG = """\b
CALL is one call, nn.Sequential(...) or keras.Sequential([...]), or several lines of
assignments; - reads it from standard input. It is parsed, never run.
SHAPE is the whole shape in the framework's order (1,3,28,28), the spatial lengths
alone (28x30), or one length for all of them (28). Names are sizes: N,3,H,2*W.

\b
Examples:
  derive shape "nn.Conv2d(3, 16, 3, stride=2, padding=1)" --input 1,3,28,28
  derive shape "nn.Conv2d(3, 16, 3, stride=2, padding=1)"      the formula alone
  derive shape "nn.Conv1d(4, 8, 3, stride=2)" --output 10      all inputs that give 10
  derive shape "F.conv2d(x, w, padding=1)" --weight 16,3,3,3 --input 28
  derive shape "nn.Sequential(nn.Conv2d(3, 8, 3), nn.MaxPool2d(2))" --input 28

\b
Inverse questions: names in CALL are the unknowns. --range bounds them (1..8 by
default, 0..8 for paddings).
  derive shape "nn.Conv2d(3, 16, k, stride=s, padding=p)" --solve \\
      --input 28 --output 14 --range k=1..7 --range s=1..3 --range p=0..3
  derive shape "nn.ConvTranspose2d(3, 16, k, stride=s, padding=p, output_padding=r)" \\
      --scale 2                                                doubles every length
  derive shape "nn.ConvTranspose1d(8, 4, 3, stride=2, padding=1, output_padding=r)" \\
      --solve --input 14 --output 28                           the output padding

\b
--json prints one object; "kind" says which keys it has. Lengths are ints, or text
where a size is not a number; what does not apply is null.
  kind "layer"      call, dialect, layout, output_layout, input, output,
                    weights (list of name, axes, shape), axes, requires, notes,
                    defaults (of parameters that were left out)
    axes            axis, input, output, formula, latex, numbers, reason, target,
                    inverse, inverse_text, unread, output_padding
  kind "chain"      layout, output_layout, input, output, layers (list of call,
                    output, fields), axes, requires
    fields          axis, size (the receptive field: how many input samples an output
                    spans), jump (how far apart the fields of neighbours are), offset
                    (where the middle of the field of output 0 lies, from input 0)
    axes            axis, formula, defined, returns, target, inverse
  kind "program"    values (list of name, shape, axes): of lines with more than layers
  kind "solutions"  question, names, ranges, solutions, more, refused, bounded,
                    families (list of fixed, condition)
  a set of lengths (inverse, defined, returns) has text, intervals, start, period
  and residues: the numbers in the intervals, and those from start on whose
  remainder modulo period is one of residues.

Exit code: 0, or 2 for wrong input.
"""


@click.command("shape", epilog=EPILOG)
@click.argument("call", required=False)
@click.option("--input", "x", metavar="SHAPE", help="The input shape.  [default: names]")
@click.option("--output", metavar="SHAPE", help="An output to reach: all inputs that give it.")
@click.option(
    "--weight",
    "weights",
    metavar="[NAME=]SHAPE",
    multiple=True,
    help="The shape of another tensor.",
)
@click.option("--dialect", metavar="NAME", help="The framework, where a name could be of several.")
@click.option("--solve", is_flag=True, help="Find the names in CALL that take --input to --output.")
@click.option("--range", "ranges", metavar="NAME=LO..HI", multiple=True, help="Bounds for --solve.")
@click.option(
    "--scale", metavar="FACTOR", help="Find the names for which every length changes by 2, 1/2, …."
)
@click.option("--text", "styles", flag_value="text", multiple=True, help="Text (the default).")
@click.option("--json", "styles", flag_value="json", multiple=True, help="All, as JSON.")
@click.option("--latex", "styles", flag_value="latex", multiple=True, help="LaTeX.")
@click.option("--calls", is_flag=True, help="List the calls that are known, and nothing else.")
def shape_command(
    call: str | None,
    x: str | None,
    output: str | None,
    weights: tuple[str, ...],
    dialect: str | None,
    solve: bool,
    ranges: tuple[str, ...],
    scale: str | None,
    styles: tuple[str, ...],
    calls: bool,
) -> int:
    """The output shape of CALL: formula, value, reason, and all inputs that give it."""
    style = _style(styles)
    if calls:
        beside = next((v for v in (call, x, output, dialect, scale, *weights, *ranges) if v), None)
        if beside is not None or solve or styles:
            raise WrongInput(
                f"--calls: it lists the calls and takes nothing beside it ({beside or 'an option'}); "
                "leave that out"
            )
        from derive.dialects.registry import CALLS, load

        load()
        known = sorted(CALLS.values(), key=lambda s: (s.dialect, s.name))
        click.echo("\n".join(f"{s.dialect:<11} {s.name}" for s in known))
        return 0
    if call is None:
        raise WrongInput("there is no call; write one, as derive shape 'nn.Conv2d(3, 16, 3)'")
    if ranges and not (solve or scale):
        raise WrongInput(
            f"--range {ranges[0]}: there is nothing to solve; give --solve or --scale too"
        )
    if call == "-":
        call = sys.stdin.read()
    others = _once([_weight(w) for w in weights], "weight")
    from derive.dialects.ask import shape, solve_shape

    answer: Any
    if solve or scale is not None:
        bounds = _once([_range(r) for r in ranges], "range")
        answer = solve_shape(call, x, output, scale, bounds, others, dialect)
    else:
        try:
            answer = shape(call, x, output, others, dialect)
        except WrongInput:
            told = None if x or output or others or style == "latex" else _program(call, style)
            if told is None:
                raise
            click.echo(told)
            return 0
    click.echo(_written(answer, style))
    return 0


def _program(text: str, style: str) -> str | None:
    """The shapes of a program that is more than layers: gradients, rearrangements, arrays."""
    from derive.claims.program import is_program

    if not is_program(text):
        return None
    from derive.claims.derived import shapes_of

    try:
        found = shapes_of(text)
    except WrongInput:
        return None
    if style == "json":
        import json

        values = [{"name": n, "shape": list(s), "axes": a or None} for n, s, a in found]
        return json.dumps({"kind": "program", "values": values}, indent=2, ensure_ascii=False)
    width = max((len(name) for name, _, _ in found), default=0)
    lines = [
        f"{name:<{width}}  ({', '.join(shape)}) {axes}".rstrip() for name, shape, axes in found
    ]
    return "\n".join(lines) or None


def _written(answer: Any, style: str) -> str:
    from derive.dialects import answers

    if style == "json":
        import json

        return json.dumps(answers.as_dict(answer), indent=2, ensure_ascii=False)
    return answers.latex(answer) if style == "latex" else answers.text(answer)


def _style(styles: tuple[str, ...]) -> str:
    """The only one of the styles that were asked for."""
    first, *others = dict.fromkeys(styles) or ("text",)
    if others:
        raise WrongInput(f"--{first} --{others[0]}: these are two answers; give one of them")
    return first


Given = TypeVar("Given")


def _once(pairs: list[tuple[str, Given]], option: str) -> dict[str, Given]:
    """The values by name, each of which is given once."""
    found: dict[str, Given] = {}
    for name, value in pairs:
        if name in found:
            raise WrongInput(f"--{option} {name or value}: it is given twice; give it once")
        found[name] = value
    return found


def _weight(text: str) -> tuple[str, str]:
    """``w=16,3,3,3`` or ``16,3,3,3``."""
    name, equals, shape = text.partition("=")
    if equals and not name.strip():
        raise WrongInput(f"--weight {text}: there is no name before =; write NAME=SHAPE or SHAPE")
    return (name.strip(), shape) if equals else ("", text)


def _range(text: str) -> tuple[str, tuple[int, int]]:
    """``k=1..7`` or ``k=3``."""
    found = re.fullmatch(r"\s*(\w+)\s*=\s*(-?[0-9]{1,6})\s*(?:\.\.\s*(-?[0-9]{1,6})\s*)?", text)
    if found is None:
        raise WrongInput(f"--range {clipped(text)}: this is no range; write NAME=LO..HI, as k=1..7")
    lo = int(found[2])
    hi = lo if found[3] is None else int(found[3])
    if hi < lo:
        raise WrongInput(f"--range {text}: {hi} is less than {lo}; write the smaller number first")
    return found[1], (lo, hi)
