"""Calls of frameworks in claims: ``F.conv2d(x, w, stride=2)``, ``keras.layers.UpSampling2D(2)(x)``.

A call is bound and planned as everywhere else (:mod:`derive.dialects`); here its steps are applied to
the operators of the claim.  Every operator may carry the letters of its axes.  A tensor gets them, and
a natural shape where it has none, at its first use in such a call; another framework with another
layout gets it with its axes in its own order.  So two sides are compared with the layouts put aside.

Layer objects have weights of their own.  The first layer with weights on one side of a comparison has
the same ones as the first on the other side, and so on: otherwise no two layers would ever be equal.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from derive.claims.names import Names
from derive.claims.values import AXES, Op, combined, mapped, once, turned
from derive.dialects.calls import Call
from derive.dialects.layer import (
    CANONICAL,
    Layer,
    Operand,
    Plan,
    add_bias,
    check_axes,
    fitted,
    planned,
)
from derive.dialects.registry import Spec, find, layer_of, named, spelled
from derive.errors import DeriveError, WrongInput
from derive.expr import FALSE, TRUE, All, Cond, Eq, Expr, Sym, eq, lift
from derive.form import Form, tensor
from derive.symbols import symbol

MAX_STEPS = 16  # of solving for the lengths of tensors without a declared shape
SOLVED_FIRST = "ICOMNDHW"  # which of them a requirement tells, in this order
LENGTHS = {"O": "c_out", "I": "c_in", "M": "c_m", "D": "k_d", "H": "k_h", "W": "k_w"}
GRADIENT_AXES: dict[str, str | int | None] = {
    "N": "I",
    "C": "O",
}  # of the gradient by a filter: its batch is that filter's input

KERNEL = "OIM"  # letters that only kernels have

Shape = tuple[Expr, ...]


@dataclass
class Unknown:
    """A tensor that a call takes and nothing has declared: its name, and its shape as it is found."""

    name: str
    axes: str = ""
    shape: Shape = ()


Operands = dict[str, "Op | Unknown"]


def is_object(spec: Spec) -> bool:
    """Is it a layer object, whose input comes with a second call?"""
    return not spec.tensors


def meant(name: str, arguments: Sequence[Any], keywords: Mapping[str, Any], dialect: str) -> Spec:
    """The call that is meant.  Raises :class:`derive.errors.WrongInput` for an unknown name."""
    written = spelled(Call(name, tuple(arguments), tuple(keywords.items())))
    return find(written.name, written, dialect)


def call_tensors(spec: Spec, count: int, keywords: Sequence[str]) -> dict[int | str, str]:
    """Which arguments of a call (places and keywords) are tensors, and of which parameter."""
    parameters = [p for p in inspect.signature(spec.meaning).parameters if p != "dims"]
    found: dict[int | str, str] = {
        i: p for i, p in enumerate(parameters[:count]) if p in spec.tensors
    }
    for k in keywords:
        (meaning,) = named(spec, {k: None})
        if meaning in spec.tensors:
            found[k] = meaning
    return found


def functional(
    spec: Spec,
    arguments: Sequence[Any],
    keywords: Mapping[str, Any],
    operands: Operands,
    names: Names,
    shapes: Mapping[int | str, str],
) -> Op:
    """A function of a framework applied to tensors; ``operands`` are they, by parameter.

    In the arguments a tensor stands as its name.  Those that are the shape of a tensor whose axes
    are known are in ``shapes`` with these; the call takes them in the order of its own layout.
    """
    layer = _bound(spec, arguments, keywords)
    if any(axes != layer.layout for axes in shapes.values()):
        turn = partial(_shape_in_order, shapes, layer.layout)
        plain = [turn(at, v) for at, v in enumerate(arguments)]
        layer = _bound(spec, plain, {k: turn(k, v) for k, v in keywords.items()})
    given = {p: v for p, v in operands.items() if p in spec.tensors}
    source = given.pop(spec.tensors[0], None)
    if source is None:
        raise WrongInput(f"{spec.name}: its input {spec.tensors[0]!r} is missing; give a tensor")
    return _applied(layer, source, given, names)


def _bound(spec: Spec, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Layer:
    return layer_of(Call(spec.name, tuple(arguments), tuple(keywords.items())), spec.dialect)


def _shape_in_order(
    shapes: Mapping[int | str, str], layout: str, place: int | str, value: Any
) -> Any:
    axes = shapes.get(place, "")
    if sorted(axes) != sorted(layout) or not isinstance(value, tuple):
        return value
    return tuple(value[axes.index(a)] for a in layout)


def on_layer(
    spec: Spec,
    written: Call,
    source: Op | Unknown,
    names: Names,
    place: int = 0,
) -> Op:
    """A layer object applied to its input; ``place`` names the node of the claim, for its weights."""
    layer = layer_of(written, spec.dialect)
    return _applied(layer, source, {}, names, place or None, str(written))


def _applied(
    layer: Layer,
    source: Op | Unknown,
    others: Operands,
    names: Names,
    place: int | None = None,
    text: str = "",
) -> Op:
    if isinstance(source, Op) and not source.axes:
        layer = fitted(layer, source.form.rank)
    elif isinstance(source, Op):
        layer = fitted(layer, len(source.axes))
    _shapes(layer, source, others, names)
    x = _placed(source, _layout(layer, source), names)
    letters = _letters(layer, x.form.shape, others)
    others = {p: _placed(o, letters.get(p, ""), names) for p, o in others.items()}
    given = {p: _operand_shape(o) for p, o in others.items()}
    plan = planned(layer, x.form.shape, given)
    roles = {o.name: _roles(o) for o in plan.operands}
    weights: dict[str, Op] = {}
    for o in plan.operands:
        if o.name in others:
            check_axes(f"{layer.name}: {o.name}", _operand_shape(others[o.name]), roles[o.name])
            weights[o.name] = _placed(others[o.name], roles[o.name], names)
        elif place is not None or o.name not in layer.tensors:
            weights[o.name] = _weight(o, roles[o.name], plan, names, place, text or layer.name)
    return _composed(layer, plan, x, weights, names)


# -- shapes of tensors that nothing declares -------------------------------------------------------


def _layout(layer: Layer, source: Op | Unknown) -> str:
    rank = len(source.axes) if isinstance(source, Unknown) else source.form.rank
    if rank == len(layer.layout) - 1 and layer.unbatched:
        return layer.layout.replace("N", "")
    return layer.layout


def _operand_shape(o: Op | Unknown) -> Shape:
    return o.shape if isinstance(o, Unknown) else o.form.shape


def _shapes(layer: Layer, source: Op | Unknown, others: Operands, names: Names) -> None:
    """Give natural shapes to the tensors that are not declared, as the call's requirements allow."""
    unknown = [o for o in (source, *others.values()) if isinstance(o, Unknown)]
    if not unknown:
        return
    if isinstance(source, Unknown):
        source.axes = layer.layout
        source.shape = _natural(source, layer.dims, names)
        if layer.refit is not None:
            names.read(
                f"{source.name} has {len(source.axes)} axes, {source.axes}, since nothing says how many; "
                f"write its shape, as {source.name}[{', '.join(map(str, source.shape))}]"
            )
    x = _seen(source, _layout(layer, source))
    for o in others.values():  # any lengths, to learn the axes from
        if isinstance(o, Unknown):
            o.shape = tuple(symbol(f"{o.name}[{a}]", 1) for a in range(layer.dims + 2))
    letters = _letters(layer, x, others)
    for parameter, o in others.items():
        if isinstance(o, Unknown):
            o.axes = letters.get(parameter, "")
            o.shape = _natural(o, layer.dims, names)
    for o in others.values():
        if isinstance(o, Unknown) and not o.axes:
            raise WrongInput(
                f"{layer.name}: the shape of {o.name} is not known; write it, as {o.name}[4, 5]"
            )
    _solve(layer, source, others, unknown)
    plan = planned(
        layer,
        _seen(source, _layout(layer, source)),
        {p: _operand_shape(o) for p, o in others.items()},
    )
    for operand in plan.operands:  # a bias is as long as the kernel says
        bias = others.get(operand.name)
        if isinstance(bias, Unknown) and len(bias.axes) == 1:
            bias.shape = operand.shape


def _letters(layer: Layer, x: Shape, others: Operands) -> dict[str, str]:
    """The letters of the axes of each tensor that a call takes beside its input."""
    any_lengths = {
        p: tuple(symbol(f"{p}[{a}]", 1) for a in range(layer.dims + 2)) for p in layer.tensors
    }
    try:
        plan = planned(layer, x, any_lengths)
    except DeriveError:  # a rule that needs the numbers
        plan = planned(layer, x, {p: _operand_shape(o) for p, o in others.items()})
    return {o.name: _roles(o) for o in plan.operands}


def _seen(source: Op | Unknown, layout: str) -> Shape:
    """The shape of the input in the order of a layout."""
    if isinstance(source, Op) and sorted(source.axes) == sorted(layout):
        return turned(source, layout).form.shape
    return _operand_shape(source)


def _natural(o: Unknown, dims: int, names: Names) -> Shape:
    """Names for the axes of a tensor; those of a second tensor carry its name."""
    kernel = "O" in o.axes or "I" in o.axes or "M" in o.axes
    one = dims == 1
    found = []
    for a in o.axes:
        name = LENGTHS[a] if kernel else a
        if a == "W" and one:
            name = "k" if kernel else "L"
        taken = names.lengths.setdefault(name, o.name)
        found.append(names.size(name if taken == o.name else f"{name}_{o.name}"))
    return tuple(found)


def _solve(
    layer: Layer, source: Op | Unknown, others: Operands, unknown: Sequence[Unknown]
) -> None:
    """Lengths that the requirements of the call tell, such as the channels of its input."""
    free = [
        (e.symbol, a, -i)
        for i, o in enumerate(unknown)
        for a, e in zip(o.axes, o.shape, strict=True)
        if e.symbol is not None
    ]
    order = [s for s, a, i in sorted(free, key=lambda f: (SOLVED_FIRST.find(f[1]), f[2]))]
    for _ in range(MAX_STEPS):
        x = _seen(source, _layout(layer, source))
        plan = planned(layer, x, {p: _operand_shape(o) for p, o in others.items()})
        told = next(
            filter(None, (_told(c, order) for r in plan.requires for c in _parts(r.cond))), None
        )
        if told is None:
            return
        for o in unknown:
            o.shape = tuple(e.subst(told) for e in o.shape)


def _parts(cond: Cond) -> tuple[Cond, ...]:
    return cond.parts if isinstance(cond, All) else (cond,)


def _told(cond: Cond, free: Sequence[Sym]) -> dict[Sym, Expr] | None:
    if not isinstance(cond, Eq):
        return None
    for s in free:
        split = cond.expr.coefficient(s)
        if split is None or split[0] not in (lift(1), lift(-1)) or s in split[1].symbols():
            continue
        return {s: -split[1] if split[0] == lift(1) else split[1]}
    return None


# -- tensors as a call takes them ------------------------------------------------------------------


def _roles(operand: Operand) -> str:
    """The letters of an operand's axes as those of a convolution's kernel.

    A transposed convolution is the gradient of a convolution with the same kernel: what it reads is
    what that makes.  Frameworks name the axes of its kernel from either side; here O is always the
    output of the convolution.  The order that our operators take tells which axis that is.
    """
    axes = operand.axes
    if len(axes) < 3 or not {"O", "I"} <= set(axes):
        return axes
    lengths = {symbol(f"axis_{a}", 1): a for a in axes}
    shape = operand.canonical(tensor("kernel", *lengths)).shape
    found = [lengths.get(e, "") for e in shape[:2]]
    if sorted(found) != ["I", "O"]:
        return axes
    roles: dict[str, str | int | None] = {found[0]: "O", found[1]: "I"}
    return axes.translate(str.maketrans(roles))


def _placed(o: Op | Unknown, axes: str, names: Names) -> Op:
    """A tensor with its axes in the order of a call."""
    if isinstance(o, Unknown):
        form = names.declare(o.name, o.shape)
        names.axes[o.name] = axes
        return Op(form, form, axes=axes)
    if sorted(o.axes) == sorted(axes):
        return turned(o, axes)
    if set(KERNEL) & set(o.axes) and set(KERNEL) & set(axes):
        raise WrongInput(_no_order("the kernel", o.axes, axes))
    call = o.form.call
    if call is not None and call.operator == "tensor" and not o.axes:
        name = str(dict(call.parameters)["name"])
        if o.form.rank == len(axes):
            names.axes[name] = axes
        return Op(o.form, o.relation, axes=axes if o.form.rank == len(axes) else "")
    if not o.axes and o.form.rank == len(axes) and call is not None and call.operator != "array":
        order = "".join(sorted(axes, key=AXES.index))  # our own operators have made it
        return turned(mapped(o, lambda f: f, order), axes)
    return o


def _weight(
    operand: Operand, axes: str, plan: Plan, names: Names, place: int | None, text: str
) -> Op:
    """A weight of a layer object: that of its counterpart on the other side, or one of its own."""
    layers = names.layers
    side = layers.sides.get(place or 0, 0)
    number = layers.numbers.setdefault(
        place or 0, len({p for p in layers.numbers if layers.sides.get(p, 0) == side})
    )
    role = "b" if len(axes) == 1 else operand.name if operand.name.startswith("pointwise") else "w"
    called = text.partition("(")[0]
    shared = layers.weights.get((number, role))
    if shared is not None:
        known = Op(names.tensors[shared], names.tensors[shared], axes=names.axes[shared])
        if sorted(known.axes) == sorted(axes) and _fits(turned(known, axes).form, operand, plan):
            other = layers.calls[shared]
            if other != text:
                what = "bias" if role == "b" else "kernel"
                aside = "" if known.axes == axes else " (layouts aside)"
                first = other.partition("(")[0]
                pair = called if called == first else f"{first} and {called}"
                names.read(f"{pair}: the {what} of both sides is the same, {shared}{aside}")
            return turned(known, axes)
        if sorted(known.axes) != sorted(axes):
            raise WrongInput(f"{called}: {_no_order('its weight', known.axes, axes)}")
    name = {"w": "kernel", "b": "bias"}.get(role, role) if names.free else role
    name = name if number == 0 else f"{name}_{number + 1}"
    while name in names.tensors and (
        shared is not None or names.tensors[name].shape != operand.shape
    ):
        name += "_"
    if shared is not None:
        names.read(
            f"{called}: its weights do not fit those of the other side; it has its own, {name}"
        )
    form = names.declare(name, operand.shape)
    names.axes[name] = axes
    layers.weights.setdefault((number, role), name)
    layers.calls.setdefault(name, text)
    return Op(form, form, axes=axes)


def _no_order(what: str, one: str, other: str) -> str:
    """Why two kernels are not compared: a depthwise one has the axes of both channels apart."""
    return (
        f"{what} has the axes {one} on one side and {other} on the other, so that neither is the other "
        "in another order; use calls that take the same axes, as nn.Conv2d with groups on both sides"
    )


def _fits(weight: Form, operand: Operand, plan: Plan) -> bool:
    """Has a tensor the shape of a weight, as it is or by what the call requires?"""
    required = {c for r in plan.requires for c in _parts(r.cond)} | {TRUE}
    return all(eq(a, b) in required for a, b in zip(weight.shape, operand.shape, strict=True))


# -- the meaning -----------------------------------------------------------------------------------


def _kernel(operand: Operand) -> Callable[[Form], Form]:
    return lambda w: once(operand.canonical(w))


def _composed(layer: Layer, plan: Plan, x: Op, weights: Mapping[str, Op], names: Names) -> Op:
    """The steps of a plan, one after the other, between the framework's layouts."""
    from derive.claims import functions

    rank = x.form.rank
    layout = layer.layout if rank == len(layer.layout) else layer.layout.replace("N", "")
    order = "".join(a for a in CANONICAL[layer.dims] if a in layout)
    kernels = {
        o.name: combined(_kernel(o), mapped(weights[o.name], lambda f: f)) for o in plan.operands
    }
    only = plan.shape_only or x.shape_only
    plain = replace(mapped(x, lambda f: f, layout), shape_only="")
    y = mapped(turned(plain, order), lambda f: f)
    for s in plan.steps:
        operands = [y, kernels[s.weight]] if s.weight else [y]
        y = functions.call(s.operator, operands, dict(s.parameters), names)
    if plan.bias:
        at = y.form.rank - layer.dims - 1
        y = combined(lambda f, b: add_bias(f, b, at), y, mapped(weights[plan.bias], lambda f: f))
    conds = tuple(r.cond for r in plan.requires if r.cond != TRUE)
    if conds:
        if any(c == FALSE for c in conds):
            raise WrongInput(f"{layer.name}: the framework refuses the call for these sizes")
        y = mapped(y, lambda f: f.requiring(*conds))
    output = layer.output or layer.layout
    if len(layout) < len(layer.layout):
        output = output.replace("N", "")
    if sorted(output) == sorted(order):
        y = turned(mapped(y, lambda f: f, order), output)
        if layer.name.endswith("backprop_filter"):
            renamed = output.translate(str.maketrans(GRADIENT_AXES))
            y = mapped(y, lambda f: f, renamed)
    return replace(y, shape_only=only)
