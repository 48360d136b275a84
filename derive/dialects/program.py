"""Programs in a framework's own calls, and their meaning as a form.

A :class:`Program` is what a translation proposes: lines of calls that are read back by the same
reader as any other text, applied one after the other, with the axes of the input and of the weights
brought into the order that each call expects.  Nothing is believed of the writer of a program: only
the form that is read back is compared with the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from derive.expr import Expr, lift
from derive.form import Form, build
from derive.operators import flip, merge, permute, select, split
from derive.symbols import size

ONE = lift(1)


@dataclass(frozen=True)
class Carried:
    """How a weight of the target is made of one of the source: axes in a new order, then flipped.

    ``source`` is the operand of the source call, ``target`` the operand's name in its line,
    ``wanted`` the letters of its axes.  A depthwise kernel, with the letters ``I`` and ``M``, becomes
    one with output channels ``O`` (``I`` times ``M``) that read one input channel each.  The kernel of
    a transposed convolution with ``groups`` has all input channels and the output channels of one
    group; it becomes one with all output channels.  A kernel with as many ``groups`` as channels
    becomes a depthwise one.  An array without channels gets both.
    """

    source: Operand
    target: str
    wanted: str
    flipped: bool = False
    groups: Expr = ONE

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
        elif self.multiplied:
            spatial = [a for a in axes if a not in "OI"]
            order = tuple(axes.index(a) for a in ("O", "I", *spatial))
            lengths = _listed(self.source.shape[axes.index(a)] for a in spatial)
            turned = "" if order == tuple(sorted(order)) else f".transpose{order}"
            text += f"{turned}.reshape({self.groups}, -1, {lengths})"
            axes = "IM" + "".join(spatial)
        elif self.groups != 1:
            order = tuple(axes.index(a) for a in ("I", "O", *_merged(self.wanted)[2:]))
            i, *rest = (self.source.shape[at] for at in order)
            turned = "" if order == tuple(sorted(order)) else f".transpose{order}"
            parts, whole = (self.groups, i // self.groups, *rest), (-1, i // self.groups, *rest[1:])
            text += f"{turned}.reshape({_listed(parts)}).swapaxes(1, 2).reshape({_listed(whole)})"
            axes = _merged(self.wanted)
        elif self.alone:
            text, axes = f"{text}[None, None]", "OI" + axes
        if axes != self.wanted:
            text = f"{text}.transpose{tuple(axes.index(a) for a in self.wanted)}"
        if not self.flipped:
            return text
        cuts = ", ".join("::-1" if a in "DHW" else ":" for a in self.wanted)
        return f"{text}[{cuts}]"

    @property
    def multiplied(self) -> bool:
        """Is a kernel with groups made into a depthwise one?"""
        return "M" in self.wanted and "M" not in self.source.axes

    @property
    def alone(self) -> bool:
        """Is an array without channels made into a kernel with one of each?"""
        return "O" not in self.source.axes and len(self.wanted) == len(self.source.axes) + 2

    def form(self, weight: Form) -> Form:
        """The target's weight as a form in the source's."""
        axes = self.source.axes
        if self.depthwise:
            weight, axes = self.source.canonical(weight), _merged(self.wanted)
        elif self.multiplied:
            spatial = "".join(a for a in axes if a not in "OI")
            weight = select(ordered(weight, axes, "OI" + spatial), 1, 0)
            channels = (self.groups, weight.shape[0] // self.groups)
            weight, axes = split(weight, -weight.rank, channels), "IM" + spatial
        elif self.groups != 1:
            merged = _merged(self.wanted)
            weight, axes = _regrouped(ordered(weight, axes, "IO" + merged[2:]), self), merged
        elif self.alone:
            weight, axes = with_axes(weight, 2), "OI" + axes
        if not self.flipped:
            return ordered(weight, axes, self.wanted)
        spatial = "".join(a for a in axes if a in "DHW")
        inner = "".join(a for a in axes if a not in "DHW") + spatial
        turned = flip(ordered(weight, axes, inner), dims=len(spatial))
        return ordered(turned, inner, self.wanted)


def _regrouped(weight: Form, c: Carried) -> Form:
    """From ``(g·i, o, *k)`` to ``(g·o, i, *k)``."""
    i, count = weight.shape[0], weight.rank
    parts = split(weight, -count, (c.groups, i // c.groups))
    order = (0, 2, 1, *range(3, count + 1))
    return merge(permute(parts, order), -count - 1, 2)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def with_axes(x: Form, count: int) -> Form:
    """``count`` axes of length 1 in front.

    >>> from derive.form import tensor
    >>> [int(n) for n in with_axes(tensor("x", 5), 2).shape]
    [1, 1, 5]
    """
    return build((*[ONE] * count, *x.shape), lambda *i: x[i[count:]])


def arranged(x: Form, layout: str, wanted: str) -> Form:
    """The axes in another order; those that are missing have the length 1, those too many are dropped.

    >>> from derive.form import tensor
    >>> [int(n) for n in arranged(tensor("x", 2, 3, 1), "NWC", "NW").shape]
    [2, 3]
    """
    missing = "".join(a for a in wanted if a not in layout)
    x, layout = with_axes(x, len(missing)), missing + layout
    for a in layout:
        if a not in wanted:
            x = select(x, layout.index(a), 0)
            layout = layout.replace(a, "")
    return ordered(x, layout, wanted)


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


def line_layer(line: Line, layout: str) -> Layer:
    """The layer that a line writes, for an input with the axes ``layout``.

    An array without batch and channels gets both for a call that has them.

    >>> line_layer(Line("nn.Upsample(scale_factor=2)"), "NCW").layout
    'NCW'
    """
    value = read_calls(line.text)[-1].value
    if not isinstance(value, Call):
        raise WrongInput(f"reading {line.text!r}: a call was expected; write one")
    layer = layer_of(value)
    missing = [a for a in "NC" if a in layer.layout and a not in layout]
    return fitted(layer, len(layout) + len(missing))


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
    if not set(layout) <= set(layer.layout):
        return layout, layout
    return layer.layout, layer.output or layer.layout


def run(
    program: Program, x: Form, layout: str, weights: Mapping[str, Form], maxima: bool = False
) -> tuple[Form, str]:
    """The output of a program and its layout, for an input in ``layout``; ``maxima`` as windows.

    Raises :class:`derive.errors.WrongInput` where a framework refuses one of the lines.
    """
    for line in program.lines:
        layer = line_layer(line, layout)
        layer = windows(layer) if maxima else layer
        taken, after = layouts(layer, layout)
        x = arranged(x, layout, taken)
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
    taking: Step | None = None,
) -> Line:
    """The line with its weights carried from the source's by the letters of their axes.

    ``kernel`` and ``bias`` are what the source has for this line, ``taking`` is the step that takes
    the kernel; an operand of the line with output channels alone is its bias.  Raises
    :class:`derive.errors.NotSupported` where the source has no such tensor.
    """
    layer = line_layer(Line(line), layout)
    shape = arranged(x, layout, layouts(layer, layout)[0]).shape
    plan = planned(layer, shape, _stand_ins(layer, kernel))
    alike = taking is None or any(s.operator == taking.operator for s in plan.steps)
    groups = ONE if taking is None else lift(dict(taking.parameters).get("groups", 1))
    found = []
    for o in plan.operands:
        source = bias if o.axes == "O" else kernel
        if source is None:
            raise NotSupported(f"{layer.name} takes {o.name}, but the source has no such tensor")
        if source is bias:
            found.append(Carried(source, o.name, o.axes))
            continue
        multiplied = "M" in o.axes and "M" not in source.axes
        regrouped = multiplied or (taking is not None and _is_transposed(taking) and not alike)
        found.append(Carried(source, o.name, o.axes, flipped, groups if regrouped else ONE))
    return Line(line, tuple(found))


def _is_transposed(s: Step) -> bool:
    return s.operator == "conv_transpose"


def _stand_ins(layer: Layer, kernel: Operand | None) -> dict[str, Shape]:
    """Shapes for the tensors of a function: the order of the axes does not depend on them."""
    rank = 0
    if kernel is not None:
        rank = layer.dims + 2 if "C" in layer.layout else len(kernel.axes)
    return {t: tuple(size(f"{t}_{a}") for a in range(rank)) for t in layer.tensors}
