"""``derive translate``: a call in another framework's words, with what was proved of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from derive.dialects.program import Program
    from derive.dialects.translate import Certified, Translation

EPILOG = """\b
Examples:
  derive translate "nn.Conv2d(3, 16, 3, stride=2, padding=1)" --to tensorflow
  derive translate "keras.layers.Conv2D(16, 3, strides=2, padding='same')" --to pytorch
  derive translate "keras.layers.Conv2D(16, 3, strides=2, padding='same')" --to pytorch --input 1,224,224,3

A translation is printed only with its proof: the same operator for all sizes, or exactly when a
condition on the input's lengths holds.  Weights are carried as NumPy arrays.

\b
Exit codes:
  0  a call was found that is the same operator for all sizes (or at the given ones)
  1  there are only calls that are the same exactly when a condition holds
  2  wrong input
  3  no equivalent call was found

\b
--json prints an object with these keys:
  call, dialect, target, layout   strings; the layout is that of the source's input
  programs   list of objects: code (lines), calls, verdict ("proved" or "holds exactly when"),
             condition (null when proved)
  refused    list of objects: calls, why
"""


@click.command("translate", epilog=EPILOG)
@click.argument("call")
@click.option(
    "--to", "target", required=True, metavar="DIALECT", help="The dialect to translate to."
)
@click.option("--input", "shape", metavar="N,…", help="The input's shape in the call's own layout.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def translate_command(call: str, target: str, shape: str | None, as_json: bool) -> int:
    """Translate CALL to another framework, and prove that it is the same operator."""
    from derive.decide.verdict import Proved
    from derive.dialects.request import parse_shape
    from derive.dialects.translate import translate

    found = translate(call, target, None if shape is None else parse_shape(shape, "--input"))
    if as_json:
        import json

        click.echo(json.dumps(as_data(found), indent=2, ensure_ascii=False))
    else:
        click.echo(as_text(found))
    if not found.programs:
        return 3
    return 0 if isinstance(found.programs[0].verdict, Proved) else 1


def as_text(found: Translation) -> str:
    """What was found, for people."""
    source = f"{found.source.dialect} {found.source.name} in {found.target}"
    if not found.programs:
        reasons = [f"  {_lines(c)}: {_fact(c)}" for c in found.refused] or [
            "  nothing was proposed"
        ]
        return "\n".join([f"{source}: no equivalent call was found", *reasons])
    blocks = [f"{source}:"]
    for certified in found.programs:
        blocks += [
            f"  {_fact(certified)}:",
            *(f"    {line}" for line in code(found, certified.program)),
        ]
    return "\n".join(blocks)


def code(found: Translation, program: Program) -> list[str]:
    """A program as lines of code, with the layouts of its input and its weights.

    The input is ``x`` in the layout of the source.
    """
    from derive.dialects.layer import fitted
    from derive.dialects.program import line_layer

    layout, lines = found.layout, _lengths(found, program)
    for line in program.lines:
        layer = fitted(line_layer(line), len(layout))
        if layer.layout != layout:
            order = tuple(layout.index(a) for a in layer.layout)
            lines.append(f"x = x.transpose{order}  # {layout} to {layer.layout}")
        for c in line.carried:
            name = "kernel" if layer.tensors else c.target  # how the writers call it
            if str(c) != name:
                lines.append(f"{name} = {c}" + _order(c.source.axes, c.wanted))
        lines.append(
            f"x = {line.text}" if layer.tensors or _applied(line.text) else f"x = {line.text}(x)"
        )
        layout = layer.output or layer.layout
    if program.bias:
        ones = ", 1" * (len(layout) - 1 - layout.index("C"))
        lines.append(
            f"x = x + {program.bias}.reshape(-1{ones})" if ones else f"x = x + {program.bias}"
        )
    wanted = found.source.output or found.source.layout
    if layout != wanted:
        order = tuple(layout.index(a) for a in wanted)
        lines.append(f"x = x.transpose{order}  # {layout} to {wanted}")
    return lines


def _lengths(found: Translation, program: Program) -> list[str]:
    """Where a call speaks of the input's lengths, where they come from."""
    names = [(at, str(n)) for at, n in enumerate(found.shape) if n.symbol is not None]
    text = " ".join(line.text for line in program.lines)
    used = [(at, name) for at, name in names if re.search(rf"\b{name}\b", text)]
    return [f"{name} = x.shape[{at}]" for at, name in used]


def _order(axes: str, wanted: str) -> str:
    return "" if axes == wanted else f"  # {axes} to {wanted}"


def _applied(text: str) -> bool:
    """Is the input among the arguments already?"""
    return "(x" in text


def _lines(certified: Certified) -> str:
    return "; ".join(line.text for line in certified.program.lines) or "a proposal"


def _fact(certified: Certified, free: bool = True) -> str:
    from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided

    match certified.verdict:
        case Proved():
            return f"the same operator {'for all sizes' if free else 'at this input'}, proved"
        case HoldsWhen(condition=condition):
            return f"the same operator, where both are defined, exactly when {condition}"
        case Refuted(counterexample=counterexample):
            return f"another operator: {counterexample}"
        case Undecided(reason=reason):
            return f"undecided: {reason}"
    return "undecided"


def as_data(found: Translation) -> dict[str, Any]:
    """What was found, as data."""
    from derive.decide.verdict import name

    return {
        "call": found.source.name,
        "dialect": found.source.dialect,
        "target": found.target,
        "layout": found.layout,
        "programs": [
            {
                "code": code(found, c.program),
                "calls": [line.text for line in c.program.lines],
                "verdict": name(c.verdict),
                "condition": str(getattr(c.verdict, "condition", "")) or None,
            }
            for c in found.programs
        ],
        "refused": [
            {"calls": [x.text for x in c.program.lines], "why": _fact(c)} for c in found.refused
        ],
    }
