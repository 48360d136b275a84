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
from derive.expr import Expr
from derive.form import Form
from derive.operators import flip
from derive.symbols import size


@dataclass(frozen=True)
class Carried:
    """How a weight of the target is made of one of the source: axes in a new order, then flipped.

    ``source`` is the operand of the source call, ``target`` the operand's name in its line,
    ``wanted`` the letters of its axes.  A depthwise kernel, with the letters ``I`` and ``M``, becomes
    one with output channels ``O`` (``I`` times ``M``) that read one input channel each.
    """

    source: Operand
    target: str
    wanted: str
    flipped: bool = False

    @property
    def depthwise(self) -> bool:
        """Is a depthwise kernel made into one with groups?"""
        return "M" in self.source.axes and "M" not in self.wanted

    def __str__(self) -> str:
        """The weight in NumPy's notation."""
        text, axes = self.source.name, self.source.axes
        if self.depthwise:
            spatial = [a for a in axes if a not in "IM"]
            order = tuple(axes.index(a) for a in ("I", "M", *spatial))
            lengths = ", ".join(str(self.source.shape[axes.index(a)]) for a in spatial)
            text, axes = f"{text}.transpose{order}.reshape(-1, 1, {lengths})", _merged(self.wanted)
        if axes != self.wanted:
            text = f"{text}.transpose{tuple(axes.index(a) for a in self.wanted)}"
        if not self.flipped:
            return text
        cuts = ", ".join("::-1" if a in "DHW" else ":" for a in self.wanted)
        return f"{text}[{cuts}]"

    def form(self, weight: Form) -> Form:
        """The target's weight as a form in the source's."""
        axes = self.source.axes
        if self.depthwise:
            weight, axes = self.source.canonical(weight), _merged(self.wanted)
        if not self.flipped:
            return ordered(weight, axes, self.wanted)
        spatial = "".join(a for a in axes if a in "DHW")
        inner = "".join(a for a in axes if a not in "DHW") + spatial
        turned = flip(ordered(weight, axes, inner), dims=len(spatial))
        return ordered(turned, inner, self.wanted)


def _merged(wanted: str) -> str:
    return "OI" + "".join(a for a in "DHW" if a in wanted)


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

    >>> line_layer(Line("nn.MaxPool2d(2)")).name
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


def layouts(layer: Layer, layout: str) -> tuple[str, str]:
    """The layouts that a line takes and gives, where the input has the axes ``layout``.

    A call that treats all axes alike, such as ``lax.pad``, takes them in any order.
    """
    if sorted(layer.layout) != sorted(layout):
        return layout, layout
    return layer.layout, layer.output or layer.layout


def run(
    program: Program, x: Form, layout: str, weights: Mapping[str, Form], maxima: bool = False
) -> tuple[Form, str]:
    """The output of a program and its layout, for an input in ``layout``; ``maxima`` as windows.

    Raises :class:`derive.errors.WrongInput` where a framework refuses one of the lines.
    """
    for line in program.lines:
        layer = fitted(line_layer(line), x.rank)
        layer = windows(layer) if maxima else layer
        taken, after = layouts(layer, layout)
        x = ordered(x, layout, taken)
        given = {c.target: c.form(weights[c.source.name]) for c in line.carried}
        x, layout = apply(layer, x, given), after
    if program.bias:
        x = add_bias(x, weights[program.bias], layout.index("C"))
    return x, layout


def carry(
    line: str,
    x: Form,
    layout: str,
    kernel: Operand | None,
    bias: Operand | None,
    flipped: bool = False,
) -> Line:
    """The line with its weights carried from the source's by the letters of their axes.

    ``kernel`` and ``bias`` are what the source has for this line; an operand of the line with one
    axis is its bias.  Raises :class:`derive.errors.NotSupported` where the source has no such tensor.
    """
    layer = fitted(line_layer(Line(line)), x.rank)
    shape = ordered(x, layout, layouts(layer, layout)[0]).shape
    found = []
    for name, axes in _wanted(layer, shape, kernel):
        source = kernel if len(axes) > 1 else bias
        if source is None:
            raise NotSupported(f"{layer.name} takes {name}, but the source has no such tensor")
        found.append(Carried(source, name, axes, flipped and len(axes) > 1))
    return Line(line, tuple(found))


def _wanted(layer: Layer, shape: Sequence[Expr], kernel: Operand | None) -> list[tuple[str, str]]:
    """The operands of a line, with the letters of their axes.

    A functional call plans with the shapes it is given; symbols stand in for them, the order of the
    axes does not depend on their lengths.
    """
    rank = len(kernel.axes) if kernel is not None else 0
    given = {t: tuple(size(f"{t}_{a}") for a in range(rank)) for t in layer.tensors}
    return [(o.name, o.axes) for o in planned(layer, tuple(shape), given).operands]
