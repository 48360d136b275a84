"""A translation as code for people, and as data."""

from __future__ import annotations

import re
from typing import Any

from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided, name
from derive.dialects.layer import fitted
from derive.dialects.program import Program, line_layer
from derive.dialects.translate import Certified, Translation


def as_text(found: Translation) -> str:
    """What was found, for people."""
    source = f"{found.call} in {found.target}"
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
    return {
        "call": found.call,
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
