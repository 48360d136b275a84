"""A translation to ONNX as nodes and constants, and what all listings share of weights and axes.

ONNX has the weights, and the numbers that were attributes once (``pads``, ``scales``), as inputs of
a node: constants under a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from derive.dialects.calls import Call, read_calls, show
from derive.dialects.program import Carried, Line, Program, layouts, line_layer
from derive.numeric.frameworks.onnx_runner import CONSTANT_INPUTS

if TYPE_CHECKING:
    from derive.dialects.translate import Translation

NODE = "onnx."


def moves(layout: str, wanted: str) -> tuple[int, list[int], list[int]]:
    """How axes come into another order: the number that are made in front, the order, those to drop.

    Both speak of places after the new axes were made; those to drop are last in the order.

    >>> moves("W", "NCW"), moves("NWC", "NC"), moves("NHWC", "NCHW")
    ((2, [0, 1, 2], []), (0, [0, 2, 1], [1]), (0, [0, 3, 1, 2], []))
    """
    missing = "".join(a for a in wanted if a not in layout)
    layout = missing + layout
    kept = [layout.index(a) for a in wanted]
    dropped = [at for at, a in enumerate(layout) if a not in wanted]
    return len(missing), kept + dropped, dropped


def spoken(c: Carried) -> str:
    """The name that the writers use for a weight."""
    return "bias" if c.wanted == "O" else "kernel"


def weight(c: Carried, names: dict[str, str]) -> str:
    """A weight of the target in NumPy's notation, of those of the source by their names."""
    return re.sub(rf"^{c.source.name}\b", names[c.source.name], str(c))


def remaining(order: list[int], dropped: list[int]) -> list[int]:
    """The order of the axes when those to drop are gone.

    >>> remaining([0, 3, 1, 2], [1, 2])
    [0, 1]
    """
    kept = sorted(set(order) - set(dropped))
    return [kept.index(at) for at in order if at in kept]


@dataclass
class _Graph:
    """Nodes, each from the output of the one before, with their comments; constants likewise."""

    nodes: list[tuple[str, str, list[str], str, str]] = field(default_factory=list)
    constants: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, kind: str, attributes: str, *inputs: str, comment: str = "") -> None:
        before = f"x{len(self.nodes)}" if self.nodes else "x"
        self.nodes.append((kind, before, list(inputs), attributes, comment))

    def named(self, name: str, text: str, comment: str = "") -> str:
        while name in self.constants and self.constants[name][0] != text:
            name += "_"
        self.constants[name] = (text, comment)
        return name

    def turn(self, layout: str, wanted: str) -> None:
        missing, order, dropped = moves(layout, wanted)
        comment = f"  # {layout} to {wanted}"
        if missing:
            front = self.named("front", f"np.array({list(range(missing))})")
            self.add("Unsqueeze", "", front, comment=comment)
        if dropped:
            self.add("Squeeze", "", self.named("dropped", f"np.array({dropped})"), comment=comment)
            order = remaining(order, dropped)
        if order != sorted(order):
            self.add("Transpose", f", perm={order}", comment=comment)

    def write(self, line: Line, names: dict[str, str]) -> None:
        call = read_calls(line.text)[-1].value
        assert isinstance(call, Call)
        kind = call.name.removeprefix(NODE)
        inputs, given = [], dict(call.keywords)
        for c in line.carried:
            comment = "" if c.source.axes == c.wanted else f"  # {c.source.axes} to {c.wanted}"
            inputs.append(self.named(spoken(c), weight(c, names), comment))
        for name, dtype in CONSTANT_INPUTS.get(kind, ()):
            value = given.pop(name, None)
            text = f"np.array({_listed(value)}, np.{dtype.__name__})"
            inputs.append("" if value is None else self.named(name, text))
        while inputs and not inputs[-1]:
            inputs.pop()
        attributes = "".join(f", {key}={_listed(value)}" for key, value in given.items())
        self.add(kind, attributes, *inputs)

    def lines(self) -> list[str]:
        found = ["constants = {"] if self.constants else []
        found += [f"    {name!r}: {text},{said}" for name, (text, said) in self.constants.items()]
        found += ["}", "nodes = ["] if self.constants else ["nodes = ["]
        for at, (kind, before, inputs, attributes, comment) in enumerate(self.nodes, 1):
            after = "y" if at == len(self.nodes) else f"x{at}"
            ends = f"{[before, *inputs]}, {[after]}"
            found.append(f"    onnx.helper.make_node({kind!r}, {ends}{attributes}),{comment}")
        return [*found, "]"]


def graph(found: Translation, program: Program, names: dict[str, str]) -> list[str]:
    """The lines that make the nodes and the constants of a program."""
    made, layout = _Graph(), found.layout
    for line in program.lines:
        taken, after = layouts(line_layer(line, layout), layout)
        made.turn(layout, taken)
        made.write(line, names)
        layout = after
    if program.bias:
        behind = ", 1" * (len(layout) - 1 - layout.index("C"))
        made.add("Add", "", made.named("bias", f"{names[program.bias]}.reshape(-1{behind})"))
    made.turn(layout, found.output)
    return made.lines()


def _listed(value: Any) -> str:
    return f"[{', '.join(map(show, value))}]" if isinstance(value, tuple) else show(value)
