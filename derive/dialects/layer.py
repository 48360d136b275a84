"""What a framework's call means: steps of our operators, seen through the framework's layouts.

A :class:`Layer` is made by binding a call (see :mod:`derive.dialects.registry`).  For given input
shapes its ``plan`` is a list of steps in the canonical layout (batch, channels, spatial axes; kernels
as :func:`derive.operators.correlate` and :func:`derive.operators.conv_transpose` take them), and
:func:`apply` wraps the permutations of the framework's layout around them.  Shapes, values, gradients,
proofs and translations all follow from that one reading.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from derive.dialects.calls import show
from derive.errors import NotSupported, WrongInput
from derive.expr import FALSE, TRUE, Cond, Expr, lift
from derive.form import Form, build, tensor
from derive.operators import OPERATORS, permute

SPATIAL = {0: "", 1: "W", 2: "HW", 3: "DHW", 4: "TDHW", 5: "STDHW"}  # 4, 5: arrays as a whole
CANONICAL = {d: "NC" + axes for d, axes in SPATIAL.items()}

Shape = tuple[Expr, ...]


@dataclass(frozen=True)
class Step:
    """One of our operators with its parameters; ``weight`` names the tensor that is its kernel."""

    operator: str
    parameters: tuple[tuple[str, Any], ...] = ()
    weight: str = ""


def step(operator: str, *, weight: str = "", **parameters: Any) -> Step:
    """A step with keyword parameters.

    >>> step("flip", dims=2).parameters
    (('dims', 2),)
    """
    return Step(operator, tuple(parameters.items()), weight)


@dataclass(frozen=True)
class Operand:
    """A tensor beside the input: ``axes`` has a letter for each axis in the framework's order.

    ``O`` and ``I`` are output and input channels, ``D H W`` the kernel's axes.  ``shape`` is what
    the call says it is.  ``canonical`` brings it into the order that our operators take.
    """

    name: str
    axes: str
    shape: Shape
    canonical: Callable[[Form], Form] = lambda w: w


@dataclass(frozen=True)
class Requirement:
    """A condition of the framework, and what to say where it fails."""

    cond: Cond
    message: str


@dataclass(frozen=True)
class Plan:
    """The meaning of a call for given shapes: steps in canonical layout, and the tensors they take.

    ``bias`` names the operand that is added along the channels at the end, if any.  ``shape_only``
    says why the steps give the shape alone (``"nn.LPPool2d is not linear"``): such a call has no
    form, only an :func:`outline`.
    """

    steps: tuple[Step, ...]
    operands: tuple[Operand, ...] = ()
    requires: tuple[Requirement, ...] = ()
    bias: str = ""
    shape_only: str = ""


@dataclass(frozen=True)
class Layer:
    """A call that is bound to its parameters.

    ``layout`` and ``output`` order the axes of the input and the output with the letters
    ``N C D H W``.  ``plan`` takes the canonical shape of the input, ``(c, *spatial)``, and the shapes
    of the tensors that the caller gave by name.  A call for inputs of several ranks has ``refit``,
    which makes the layer for another number of spatial axes, one of ``ranks``; ``accepts`` refuses
    what the framework refuses for an input with so many axes.
    """

    dims: int
    layout: str
    plan: Callable[[Shape, Mapping[str, Shape]], Plan]
    output: str = ""  # the layout of the output where it is another one
    unbatched: bool = False  # does the framework take an input without a batch axis?
    tensors: tuple[str, ...] = ()  # operands whose shapes the caller gives
    name: str = ""
    dialect: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    refit: Callable[[int], Layer] | None = field(default=None, compare=False)
    ranks: tuple[int, ...] = ()
    accepts: Callable[[int], None] | None = field(default=None, compare=False)


def fitted(layer: Layer, rank: int) -> Layer:
    """The layer for an input with ``rank`` axes, where the call takes several ranks.

    >>> from derive.dialects.registry import read_layer
    >>> fitted(read_layer("nn.Upsample(scale_factor=2)"), 5).layout
    'NCDHW'
    """
    dims = rank - (len(layer.layout) - layer.dims)
    if layer.refit is None or dims == layer.dims or dims not in layer.ranks:
        return layer
    return layer.refit(dims)


def planned(layer: Layer, x: Shape, given: Mapping[str, Shape] | None = None) -> Plan:
    """The plan for an input of shape ``x`` in the framework's layout.

    Raises :class:`derive.errors.WrongInput` where the framework refuses the call for that shape.
    """
    layer = fitted(layer, len(x))
    layout = _layout(layer, len(x))
    if layer.accepts is not None:
        layer.accepts(len(x))
    by_letter = dict(zip(layout, x, strict=True))
    inner = tuple(by_letter[a] for a in CANONICAL[layer.dims] if a in by_letter and a != "N")
    plan = layer.plan(inner, given or {})
    for r in plan.requires:
        if r.cond == FALSE:
            raise WrongInput(f"{layer.name}: {r.message}")
    return plan


def apply(layer: Layer, x: Form, weights: Mapping[str, Form] | None = None) -> Form:
    """The output of the call as a form, in the framework's layouts.

    Args:
        layer: the bound call.
        x: the input.
        weights: the other tensors by name; those left out are made with their names.

    Raises:
        WrongInput: for what the framework refuses.
        NotSupported: for a call whose shape alone is known (see :func:`outline`).

    >>> from derive.dialects.registry import read_layer
    >>> conv = read_layer("nn.Conv2d(3, 16, 3, stride=2, bias=False)")
    >>> [int(n) for n in apply(conv, tensor("x", 1, 3, 28, 28)).shape]
    [1, 16, 13, 13]
    """
    given = dict(weights or {})
    plan = planned(layer, x.shape, {name: w.shape for name, w in given.items()})
    if plan.shape_only:
        raise NotSupported(
            f"{layer.name}: {plan.shape_only}, so that its values are out of scope; "
            "ask for its shape"
        )
    return _composed(layer, plan, x, given)


def outline(layer: Layer, x: Form, weights: Mapping[str, Form] | None = None) -> Form:
    """As :func:`apply`, also for calls whose shape alone is known: only the shape and the
    requirements of the result may be used.

    >>> from derive.dialects.registry import read_layer
    >>> [int(n) for n in outline(read_layer("nn.ReLU()"), tensor("x", 1, 3, 5, 7)).shape]
    [1, 3, 5, 7]
    """
    given = dict(weights or {})
    plan = planned(layer, x.shape, {name: w.shape for name, w in given.items()})
    return _composed(layer, replace(plan, bias=""), x, given, _forgotten)


def _forgotten(y: Form) -> Form:
    """A tensor in the place of a form, with its shape and requirements: quick to build upon."""
    if any(n.constant is not None and n.constant < 0 for n in y.shape):
        return y  # there is no such tensor, as the requirements say
    return tensor("y~", *y.shape).requiring(*y.requires)


def _composed(
    layer: Layer,
    plan: Plan,
    x: Form,
    given: Mapping[str, Form],
    between: Callable[[Form], Form] = lambda y: y,
) -> Form:
    layer = fitted(layer, x.rank)
    tensors = {o.name: given.get(o.name, tensor(o.name, *o.shape)) for o in plan.operands}
    kernels = {o.name: o.canonical(tensors[o.name]) for o in plan.operands}
    layout = _layout(layer, x.rank)
    canonical = "".join(a for a in CANONICAL[layer.dims] if a in layout)
    y = ordered(x, layout, canonical)
    for s in plan.steps:
        operands = (y, kernels[s.weight]) if s.weight else (y,)
        y = between(OPERATORS[s.operator].build(*operands, **dict(s.parameters)))
    if plan.bias:
        y = add_bias(y, tensors[plan.bias], y.rank - layer.dims - 1)
    conds = tuple(r.cond for r in plan.requires if r.cond != TRUE)
    output = layer.output or layer.layout
    if len(layout) < len(layer.layout):
        output = output.replace("N", "")
    if sorted(output) == sorted(canonical):
        y = ordered(y, canonical, output)
    return y.requiring(*conds) if conds else y


def ordered(x: Form, axes: str, wanted: str) -> Form:
    """The axes in another order.

    >>> ordered(tensor("x", 2, 3, 5), "NCW", "NWC").shape == (2, 5, 3)
    True
    """
    if axes == wanted:
        return x
    return permute(x, tuple(axes.index(a) for a in wanted))


def add_bias(y: Form, b: Form, axis: int) -> Form:
    """``y + b`` with ``b`` along one axis."""
    return build(y.shape, lambda *i: y[i] + b[i[axis]])


def _layout(layer: Layer, rank: int) -> str:
    if rank == len(layer.layout):
        return layer.layout
    if rank == len(layer.layout) - 1 and layer.unbatched:
        return layer.layout.replace("N", "")
    ranks = f"{len(layer.layout)}" + (f" or {len(layer.layout) - 1}" if layer.unbatched else "")
    raise WrongInput(
        f"{layer.name}: the input has {rank} axes; give {ranks}, in the order {layer.layout}"
    )


def axes(value: Any, dims: int, what: str) -> tuple[Expr, ...]:
    """One integer for each spatial axis; a single one is used for all of them.

    Raises :class:`derive.errors.WrongInput` for another number of values, or no integers.

    >>> axes(3, 2, "kernel_size") == (3, 3)
    True
    """
    values = value if isinstance(value, tuple) else (value,)
    if len(values) == 1:
        values = values * dims
    if len(values) != dims:
        raise WrongInput(
            f"{what} has {len(values)} values for {dims} spatial axes; give one value or {dims}"
        )
    return tuple(integer(v, what) for v in values)


def check_axes(what: str, shape: Shape, letters: str, says: str = "") -> None:
    """Refuse a tensor with another number of axes than the call takes, one for each letter.

    >>> check_axes("the weight", (lift(2),), "OIHW")
    Traceback (most recent call last):
    derive.errors.WrongInput: the weight has 1 axis; give 4, in the order OIHW
    """
    if len(shape) != len(letters):
        count = "1 axis" if len(shape) == 1 else f"{len(shape)} axes"
        quoted = f" ({says})" if says else ""
        raise WrongInput(f"{what} has {count}{quoted}; give {len(letters)}, in the order {letters}")


def integer(value: Any, what: str) -> Expr:
    """A number or a size as an expression; :class:`derive.errors.WrongInput` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, Expr)):
        raise WrongInput(
            f"{what} = {show(value)}: an integer was expected; give a number or a name"
        )
    return lift(value)


def at_least(least: int, values: tuple[Expr, ...], what: str, says: str = "") -> tuple[Expr, ...]:
    """The values, none below ``least``; ``says`` is what the framework itself would say."""
    for v in values:
        if v.constant is not None and v.constant < least:
            raise WrongInput(
                f"{what} = {v}: {what} is at least {least}{f' ({says})' if says else ''}; "
                f"give {least} or more"
            )
    return values
