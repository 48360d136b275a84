"""The matrix of a framework's call at concrete sizes: its steps applied to tensors with numbers as lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derive.dialects.calls import Call, read_calls, show
from derive.dialects.calls import Name as Tensor
from derive.dialects.layer import Layer, Operand, Plan, Shape, apply, fitted, planned
from derive.dialects.registry import Spec, number
from derive.dialects.request import LETTERS, bind_call, needed_channels
from derive.errors import WrongInput
from derive.expr import Expr, lift
from derive.form import Form, build, tensor
from derive.symbols import size, symbol

INPUT = "x"


def call_form(
    text: str,
    n: Sequence[int],
    k: Sequence[int] | None = None,
    channels: Sequence[int] = (),
    batch: int | None = None,
) -> tuple[Form, tuple[str, ...]]:
    """A call as a form with the input ``x`` and the weights ``w`` (and ``b``), and their names.

    Args:
        text: the call, ``nn.Conv2d(1, 1, 3, padding=1)`` or ``F.conv2d(x, w[1, 1, 3, 3])``.
        n: the spatial lengths of the input; a single one is used for all axes.
        k: the lengths of a kernel that the call is given, where its shape is not written.
        channels: ``c_in`` or ``(c_in, c_out)``, where the call does not tell them; 1 by default.
        batch: the length of the batch axis, 1 by default.

    Raises:
        WrongInput: for what cannot be read, and for what the framework refuses.

    >>> form, names = call_form("nn.Conv2d(1, 1, 3, padding=1)", (5, 5))
    >>> [int(m) for m in form.shape], names
    ([1, 1, 5, 5], ('x', 'w', 'b'))
    """
    written = read_calls(text)[-1].value
    if not isinstance(written, Call):
        raise WrongInput(f"reading {text!r}: this is no call; write one, as nn.Conv2d(1, 1, 3)")
    spec, layer = bind_call(written)
    layer = _for_lengths(layer, n, spec)
    lengths = tuple(n) * layer.dims if len(n) == 1 else tuple(n)
    if len(lengths) != layer.dims:
        raise WrongInput(
            f"n = {'x'.join(map(str, n))}: give as many lengths as {spec.name} has spatial axes, "
            f"{layer.dims}"
        )
    given = _kernels(layer, spec, written, k, channels)
    x = _input(layer, lengths, given, channels, batch)
    plan = planned(layer, x, given)
    if any(s.operator == "max_pool" for s in plan.steps):
        raise WrongInput(
            f"{spec.name}: a maximum has a matrix only for given taps; "
            "ask for the operator max_pool with --taps"
        )
    if plan.shape_only:
        raise WrongInput(f"{spec.name}: {plan.shape_only}, so that it has no matrix")
    names = {o.name: _name(o, plan) for o in plan.operands}
    weights = {o.name: _thin(names[o.name], o) for o in plan.operands}
    return apply(layer, tensor(INPUT, *x), weights), (INPUT, *names.values())


def _for_lengths(layer: Layer, n: Sequence[int], spec: Spec) -> Layer:
    rank = len(layer.layout) - layer.dims
    return fitted(layer, rank + len(n)) if layer.refit and len(n) > 1 else layer


def _kernels(
    layer: Layer, spec: Spec, written: Call, k: Sequence[int] | None, channels: Sequence[int]
) -> dict[str, Shape]:
    """The shapes of the tensors that a function is given."""
    found = _said(spec, written)
    missing = [t for t in layer.tensors if t not in found and layer.arguments.get(t) is not None]
    if not missing:
        return found
    guess = {
        t: found.get(t, tuple(symbol(f"{t}[{a}]", 1) for a in range(layer.dims + 2)))
        for t in layer.tensors
    }
    probe = tuple(size(f"{a}_in") for a in layer.layout)
    for o in planned(layer, probe, guess).operands:
        if o.name not in missing or len(o.axes) < 2:
            continue
        if k is None:
            raise WrongInput(
                f"{spec.name}: the shape of {o.name} is not known; "
                f"write it, as {show(layer.arguments[o.name])}[1, 1, 3, 3], or give --k"
            )
        taps = tuple(k) * layer.dims if len(k) == 1 else tuple(k)
        if len(taps) != layer.dims:
            raise WrongInput(
                f"k: {spec.name} has {layer.dims} kernel axes; give one length or {layer.dims}"
            )
        spatial = iter(taps)
        planes = {"I": channels[0] if channels else 1, "O": channels[-1] if channels else 1}
        found[o.name] = tuple(
            lift(next(spatial)) if a in "DHW" else lift(planes.get(a, 1)) for a in o.axes
        )
    return found


def _said(spec: Spec, written: Call) -> dict[str, Shape]:
    """Shapes that are written beside names."""
    import inspect

    parameters = [p for p in inspect.signature(spec.meaning).parameters if p != "dims"]
    bound = {**dict(zip(parameters, written.arguments, strict=False)), **dict(written.keywords)}
    return {
        t: tuple(lift(number(v)) for v in value.shape)
        for t in spec.tensors[1:]
        if isinstance(value := bound.get(t), Tensor) and value.shape is not None
    }


def _input(
    layer: Layer,
    lengths: Sequence[int],
    given: Mapping[str, Shape],
    channels: Sequence[int],
    batch: int | None,
) -> Shape:
    spatial = iter(lengths)
    unknown = size(LETTERS["C"])
    x = tuple(
        lift(next(spatial)) if a in "DHW" else lift(batch or 1) if a == "N" else unknown
        for a in layer.layout
    )
    if "C" not in layer.layout:
        return x
    s = unknown.symbol
    assert s is not None
    wanted: Expr | None = needed_channels(layer, x, given, s)
    if wanted is None:
        wanted = lift(channels[0] if channels else 1)
    elif channels and wanted != channels[0]:
        raise WrongInput(
            f"channels = {channels[0]}: {layer.name} reads {wanted}; leave --channels out"
        )
    return tuple(e.subst({s: wanted}) for e in x)


def _name(operand: Operand, plan: Plan) -> str:
    if operand.name == plan.bias:
        return "b"
    kernels = [o.name for o in plan.operands if o.name != plan.bias]
    return "w" if kernels[0] == operand.name else operand.name


def _thin(name: str, operand: Operand) -> Form:
    """The tensor without its channel axes of length 1: entries are ``w_0_1``, not ``w_0_0_0_1``."""
    kept = [
        i
        for i, (a, n) in enumerate(zip(operand.axes, operand.shape, strict=True))
        if a in "DHW" or n != 1
    ]
    inner = tensor(name, *(operand.shape[i] for i in kept))
    if len(kept) == len(operand.shape) or not kept:
        return tensor(name, *operand.shape)
    return build(operand.shape, lambda *i: inner[tuple(i[a] for a in kept)])
