"""Programs in a framework's own calls, and their meaning as a form.

A :class:`Program` is what a translation proposes: lines of calls that are read back by the same
reader as any other text, applied one after the other, with the axes of the input and of the weights
brought into the order that each call expects.  Nothing is believed of the writer of a program: only
the form that is read back is compared with the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from derive.dialects.calls import Call, read_calls
from derive.dialects.layer import (
    Layer,
    Operand,
    Plan,
    Shape,
    Step,
    add_bias,
    apply,
    fitted,
    ordered,
    planned,
)
from derive.dialects.registry import layer_of
from derive.errors import NotSupported, WrongInput
from derive.expr import Expr, size
from derive.form import Form
from derive.operators import flip


@dataclass(frozen=True)
class Carried:
    """How a weight of the target is made of one of the source: axes in a new order, then flipped.

    ``target`` is the operand's name in its line, ``source`` the name in the source call.
    """

    source: str
    target: str
    axes: str  # the letters of the source's axes
    wanted: str  # those of the target's
    flipped: bool = False

    def __str__(self) -> str:
        """The weight in NumPy's notation."""
        order = tuple(self.axes.index(a) for a in self.wanted)
        text = self.source if self.axes == self.wanted else f"{self.source}.transpose{order}"
        if not self.flipped:
            return text
        cuts = ", ".join("::-1" if a in "DHW" else ":" for a in self.wanted)
        return f"{text}[{cuts}]"

    def form(self, weight: Form) -> Form:
        """The target's weight as a form in the source's."""
        if not self.flipped:
            return ordered(weight, self.axes, self.wanted)
        spatial = "".join(a for a in self.axes if a in "DHW")
        inner = "".join(a for a in self.axes if a not in "DHW") + spatial
        turned = flip(ordered(weight, self.axes, inner), dims=len(spatial))
        return ordered(turned, inner, self.wanted)


@dataclass(frozen=True)
class Line:
    """One call of a program, as text, and the weights it takes."""

    text: str
    carried: tuple[Carried, ...] = ()


@dataclass(frozen=True)
class Program:
    """Lines of calls, each applied to the result of the one before.

    ``bias`` names a bias of the source that is added along the channels at the end, where the calls
    themselves take none.
    """

    lines: tuple[Line, ...]
    bias: str = ""


def line_layer(line: Line) -> Layer:
    """The layer that a line writes.

    >>> line_layer(Line("nn.MaxPool2d(2)")).name  # doctest: +SKIP
    'nn.MaxPool2d'
    """
    value = read_calls(line.text)[-1].value
    if not isinstance(value, Call):
        raise WrongInput(f"reading {line.text!r}: a call was expected; write one")
    return layer_of(value)


PASSES = frozenset(("max_pool", "nearest_upsample", "decimate", "permute", "flip"))


def windows(layer: Layer) -> Layer:
    """The layer with the sum over each window in the place of its maximum.

    Two maxima over windows are equal for every input iff the windows are, so that is what is
    compared.  Raises :class:`derive.errors.NotSupported` where a maximum meets a step that brings in
    zeros or adds: they take part in it.
    """

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        found = layer.plan(x, given)
        if any(s.operator not in PASSES for s in found.steps):
            raise NotSupported(
                f"{layer.name}: a maximum after or before another operator; ask for each alone"
            )
        return replace(found, steps=tuple(_summed(s) for s in found.steps))

    return replace(layer, plan=plan)


def _summed(step: Step) -> Step:
    if step.operator != "max_pool":
        return step
    return Step("sum_pool", tuple((k, v) for k, v in step.parameters if k != "selection"))


def has_maximum(plan: Plan) -> bool:
    """Does a maximum take part?"""
    return any(s.operator == "max_pool" for s in plan.steps)


def run(
    program: Program, x: Form, layout: str, weights: Mapping[str, Form], maxima: bool = False
) -> tuple[Form, str]:
    """The output of a program and its layout, for an input in ``layout``; ``maxima`` as windows.

    Raises :class:`derive.errors.WrongInput` where a framework refuses one of the lines.
    """
    for line in program.lines:
        layer = fitted(line_layer(line), x.rank)
        layer = windows(layer) if maxima else layer
        x = ordered(x, layout, layer.layout)
        given = {c.target: c.form(weights[c.source]) for c in line.carried}
        x, layout = apply(layer, x, given), layer.output or layer.layout
    if program.bias:
        x = add_bias(x, weights[program.bias], layout.index("C"))
    return x, layout


def carry(
    line: str, x: Form, layout: str, operands: Sequence[Operand], flipped: bool = False
) -> Line:
    """The line with its weights carried from the source's by the letters of their axes.

    ``operands`` are those of the source, by the role that their letters show: one with spatial axes
    is the kernel, one with the letter ``O`` alone is the bias.
    """
    layer = fitted(line_layer(Line(line)), x.rank)
    kernels = [o for o in operands if len(o.axes) > 1]
    biases = [o for o in operands if len(o.axes) == 1]
    shape = ordered(x, layout, layer.layout).shape
    found = []
    for name, axes in _wanted(layer, shape, kernels):
        source = kernels[0] if len(axes) > 1 else biases[0]
        turned = flipped and len(axes) > 1
        found.append(Carried(source.name, name, source.axes, axes, turned))
    return Line(line, tuple(found))


def _wanted(
    layer: Layer, shape: Sequence[Expr], kernels: Sequence[Operand]
) -> list[tuple[str, str]]:
    """The operands of a line, with the letters of their axes.

    A functional call plans with the shapes it is given; symbols stand in for them, the order of the
    axes does not depend on their lengths.
    """
    rank = len(kernels[0].axes) if kernels else 0
    given = {t: tuple(size(f"{t}_{a}") for a in range(rank)) for t in layer.tensors}
    return [(o.name, o.axes) for o in planned(layer, tuple(shape), given).operands]
