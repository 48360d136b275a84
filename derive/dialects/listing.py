"""A translation as code that runs, and as data.

In the code ``x`` is an array of the target framework, weights are NumPy arrays under the names that
the source gives them.  A layer of the target gets its weights before it is applied.
"""

from __future__ import annotations

import re
from typing import Any

from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided, name
from derive.dialects.calls import Name
from derive.dialects.graph import graph, moves, remaining, spoken, weight
from derive.dialects.layer import Layer, planned
from derive.dialects.program import Carried, Line, Program, layouts, line_layer
from derive.dialects.translate import Certified, Translation
from derive.expr import TRUE, Expr

TRANSPOSE = {
    "PyTorch": "x.permute({})",
    "TensorFlow": "tf.transpose(x, ({}))",
    "Keras": "keras.ops.transpose(x, ({}))",
    "JAX": "jnp.transpose(x, ({}))",
}


def as_text(found: Translation) -> str:
    """What was found, for people."""
    head = f"{found.call} in {found.target}"
    if not found.programs:
        reasons = dict.fromkeys(f"  {_lines(c)}: {_fact(c, found)}" for c in found.refused)
        why = found.reason or f"no call of {found.target} is written for this operator here"
        none = f"  {why}; that is no proof that there is none"
        return "\n".join([f"{head}: no equivalent call was found", *(reasons or [none])])
    blocks = [f"{head}:"]
    for certified in found.programs:
        blocks.append(f"  {_fact(certified, found)}:")
        blocks += [f"    {line}" for line in code(found, certified.program)]
    return "\n".join(blocks)


def code(found: Translation, program: Program) -> list[str]:
    """A program as lines of Python, for an input ``x`` in the layout of the source.

    For ONNX they make ``nodes`` from ``x`` to ``y``, and the ``constants`` that these take by name.
    """
    names = names_of(found)
    if found.target == "ONNX":
        return _sizes(found, program, names) + graph(found, program, names)
    flax = any(line.text.startswith("linen.") for line in program.lines)
    layout = found.layout
    lines = [*(["from flax import linen"] if flax else []), *_sizes(found, program, names)]
    for line in program.lines:
        layer = line_layer(line, layout)
        taken, after = layouts(layer, layout)
        lines += _turned(found.target, layout, taken)
        lines += _applied(line, layer, names)
        layout = after
    if program.bias:
        behind = "1, " * (len(layout) - 1 - layout.index("C"))
        bias = names[program.bias]
        shaped = f"{bias}.reshape(-1, {behind.rstrip(', ')})" if behind else bias
        lines.append(f"x = x + {shaped}")
    return lines + _turned(found.target, layout, found.output)


def names_of(found: Translation) -> dict[str, str]:
    """The source's tensors by operand, as its call names them."""
    names = {}
    for o in planned(found.source, found.shape, found.given).operands:
        value = found.source.arguments.get(o.name)
        said = value.name if isinstance(value, Name) else None
        if isinstance(value, Expr) and value.symbol is not None:
            said = value.symbol.name
        names[o.name] = said or o.name
    return names


def _sizes(found: Translation, program: Program, names: dict[str, str]) -> list[str]:
    """Where a call speaks of lengths, where they come from."""
    known = {str(n): f"x.shape[{at}]" for at, n in enumerate(found.shape) if n.symbol is not None}
    for line in program.lines:
        for c in line.carried:
            for at, n in enumerate(c.source.shape):
                if n.symbol is not None:
                    known.setdefault(str(n), f"{names[c.source.name]}.shape[{at}]")
    text = " ".join(line.text for line in program.lines)
    return [f"{n} = {where}" for n, where in known.items() if re.search(rf"\b{n}\b", text)]


def _turned(target: str, layout: str, wanted: str) -> list[str]:
    """The axes in another order; one of length 1 for each that is missing, those too many dropped."""
    lines, named = [], f"  # {layout} to {wanted}"
    missing, order, dropped = moves(layout, wanted)
    if missing:
        lines.append(f"x = x[{', '.join(['None'] * missing)}]")
    if dropped:
        places = range(max(dropped) + 1)
        lines.append(f"x = x[{', '.join('0' if at in dropped else ':' for at in places)}]")
        order = remaining(order, dropped)
    if order != sorted(order):
        lines.append(f"x = {TRANSPOSE[target].format(', '.join(map(str, order)))}")
    return [*lines[:-1], lines[-1] + named] if lines else []


def _applied(line: Line, layer: Layer, names: dict[str, str]) -> list[str]:
    """One call, its weights made first."""
    if "(x" in line.text:  # a function
        return [*_assigned(line, names), f"x = {line.text}"]
    if not line.carried:
        return [f"x = {line.text}(x)"]
    weights = [(c, weight(c, names)) for c in line.carried]
    lines = [f"layer = {line.text}"]
    if layer.dialect == "PyTorch":
        lines += [
            f"layer.{c.target}.data = torch.from_numpy({text}.copy())" + _order(c)
            for c, text in weights
        ]
    else:
        values = ", ".join(text for _, text in weights)
        lines += ["layer.build(x.shape)", f"layer.set_weights([{values}])" + _order(weights[0][0])]
    return [*lines, "x = layer(x)"]


def _assigned(line: Line, names: dict[str, str]) -> list[str]:
    """The weights under the names that the writers use in functions."""
    found = []
    for c in line.carried:
        text = weight(c, names)
        if text != spoken(c):
            found.append(f"{spoken(c)} = {text}" + _order(c))
    return found


def _order(c: Carried) -> str:
    return "" if c.source.axes == c.wanted else f"  # {c.source.axes} to {c.wanted}"


def _lines(certified: Certified) -> str:
    return "; ".join(line.text for line in certified.program.lines)


def _scope(found: Translation) -> str:
    """For which inputs a proof is: all sizes, or the given one."""
    free = all(n.symbols() for n, a in zip(found.shape, found.layout, strict=True) if a not in "NC")
    shape = ", ".join(map(str, found.shape))
    return "for all sizes" if free else f"for an input of shape ({shape})"


def _fact(certified: Certified, found: Translation) -> str:
    if certified.refusal:
        return f"refused: {certified.refusal}"
    match certified.verdict:
        case Proved():
            return f"the same operator {_scope(found)}, proved"
        case HoldsWhen(condition=condition) if condition == TRUE:
            return f"the same operator {_scope(found)}, proved"
        case HoldsWhen(condition=condition):
            return f"the same operator exactly when {condition}"
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
        "shape": list(map(str, found.shape)),
        "programs": [
            {
                "code": code(found, c.program),
                "calls": [line.text for line in c.program.lines],
                "verdict": name(c.verdict),
                "for": _scope(found),
                "condition": str(getattr(c.verdict, "condition", "")) or None,
            }
            for c in found.programs
        ],
        "reason": found.reason or None,
        "refused": [
            {"calls": [x.text for x in c.program.lines], "why": _fact(c, found)}
            for c in found.refused
        ],
    }
