"""Calls of a framework at concrete sizes: outputs and gradients by running the plan's steps.

Every step is evaluated from its own form (:func:`derive.table.entries`) and every gradient from the
form's :func:`derive.form.vjp`, so that a comparison with a framework tests what is proved about.  A
max pooling takes the selection that the data give: the maximum of each window, and the first of
equal ones in row-major order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.dialects.layer import CANONICAL, Layer, Plan, Step, fitted, planned
from derive.errors import NotSupported, WrongInput
from derive.expr import FALSE, Cond, lift
from derive.form import Form, tensor, vjp
from derive.operators import OPERATORS
from derive.operators.pool import windows
from derive.operators.registry import pairs, positive_axes
from derive.table import entries, shape_at

Array = npt.NDArray[Any]
Ints = tuple[int, ...]
Sizes = Mapping[str, Any]


@dataclass(frozen=True)
class Prepared:
    """A call bound to concrete shapes: its steps as forms in a tensor ``x`` (and ``w``).

    ``shape`` is the output's in the framework's layout, ``operands`` the shapes of the weights.
    """

    layer: Layer
    plan: Plan
    forms: tuple[Form, ...]
    kernels: Mapping[str, Form]
    operands: Mapping[str, Ints]
    layout: str
    output: str
    shape: Ints

    @property
    def shape_only(self) -> str:
        """Why only the shape is known, or ""."""
        return self.plan.shape_only


@dataclass(frozen=True)
class Result:
    """An output, the gradients by tensor (the input is ``"x"``), and whether all is exact.

    It is exact where every coefficient is a whole number over a power of two, so that float64 has
    made no rounding on moderate integers.
    """

    output: Array
    gradients: Mapping[str, Array]
    exact: bool


def prepare(layer: Layer, x: Ints, weights: Mapping[str, Ints] | None = None) -> Prepared:
    """The call for an input of shape ``x`` and given weights' shapes, in the framework's layout.

    Raises:
        WrongInput: for what the framework refuses at these sizes.

    >>> from derive.dialects.registry import read_layer
    >>> prepare(read_layer("nn.Conv1d(2, 6, 3, bias=False)"), (1, 2, 9)).shape
    (1, 6, 7)
    """
    given = {name: tuple(map(lift, s)) for name, s in (weights or {}).items()}
    plan = planned(layer, tuple(map(lift, x)), given)
    layer = fitted(layer, len(x))
    for o in plan.operands:
        if o.name in given and given[o.name] != o.shape:
            raise WrongInput(
                f"{layer.name}: {o.name} has the shape {_shown(given[o.name])}; "
                f"give one of shape {_shown(o.shape)}"
            )
    layout = layer.layout if len(x) == len(layer.layout) else layer.layout.replace("N", "")
    output = layer.output or layer.layout
    output = output if len(layout) == len(layer.layout) else output.replace("N", "")
    canonical = "".join(a for a in CANONICAL[layer.dims] if a in layout)
    kernels = {o.name: o.canonical(tensor(o.name, *o.shape)) for o in plan.operands}
    shape: Sequence[Any] = tuple(x[layout.index(a)] for a in canonical)
    forms = []
    for s in plan.steps:
        operands = [tensor("x", *shape)]
        if s.weight:
            operands.append(tensor("w", *kernels[s.weight].shape))
        form = OPERATORS[s.operator].build(*operands, **dict(s.parameters))
        _check(layer, form.requires)
        forms.append(form)
        shape = form.shape
    final = tuple(int(n) for n in shape)
    if sorted(output) == sorted(canonical):
        final = tuple(final[canonical.index(a)] for a in output)
    sizes = {o.name: tuple(int(n) for n in o.shape) for o in plan.operands}
    return Prepared(layer, plan, tuple(forms), kernels, sizes, layout, output, final)


def _shown(shape: Sequence[Any]) -> str:
    return f"({', '.join(map(str, shape))})"


def _check(layer: Layer, conds: Sequence[Cond]) -> None:
    for c in conds:
        if c == FALSE:
            raise WrongInput(
                f"{layer.name}: it is not defined for these sizes; give a larger input"
            )


def forward(layer: Layer, x: Array, weights: Mapping[str, Array] | None = None) -> Array:
    """The output of a call on numbers, in the framework's layout.

    >>> from derive.dialects.registry import read_layer
    >>> forward(read_layer("nn.MaxPool1d(2)"), np.array([[[3, 5, 7, 2, 9]]])).tolist()
    [[[5.0, 7.0]]]
    """
    given = dict(weights or {})
    prepared = prepare(layer, x.shape, {k: w.shape for k, w in given.items()})
    return run(prepared, x, given, None).output


def gradients(
    layer: Layer, x: Array, weights: Mapping[str, Array], g: Array
) -> Mapping[str, Array]:
    """The gradients of ``⟨g, output⟩`` by tensor; the input's is ``"x"``.

    >>> from derive.dialects.registry import read_layer
    >>> pool, x = read_layer("nn.MaxPool1d(2)"), np.array([[[3, 5, 7, 7]]])
    >>> gradients(pool, x, {}, np.array([[[2, 3]]]))["x"].tolist()
    [[[0.0, 2.0, 3.0, 0.0]]]
    """
    prepared = prepare(layer, x.shape, {k: w.shape for k, w in weights.items()})
    return run(prepared, x, weights, g).gradients


def run(prepared: Prepared, x: Array, weights: Mapping[str, Array], g: Array | None) -> Result:
    """The output, and the gradients where there is an incoming one.

    Raises :class:`derive.errors.NotSupported` for a call whose shape alone is known.
    """
    if prepared.shape_only:
        raise NotSupported(
            f"{prepared.layer.name}: {prepared.shape_only}, so that its values are out of scope; "
            "ask for its shape"
        )
    canonical = "".join(a for a in CANONICAL[prepared.layer.dims] if a in prepared.layout)
    exact = _Exact()
    y = _ordered(x.astype(np.float64), prepared.layout, canonical)
    kernels = {
        o.name: _value(prepared.kernels[o.name], {}, {o.name: weights[o.name]}, exact)
        for o in prepared.plan.operands
    }
    saved: list[tuple[dict[str, Array], Sizes]] = []
    for s, form in zip(prepared.plan.steps, prepared.forms, strict=True):
        tensors = {"x": y} | ({"w": kernels[s.weight]} if s.weight else {})
        sizes, empty = _selection(s, form, y, weights)
        saved.append((tensors, sizes))
        y = _value(form, sizes, tensors, exact)
        if empty is not None:
            y = np.where(empty, -np.inf, y)
    bias, axis = prepared.plan.bias, y.ndim - prepared.layer.dims - 1
    if bias:
        wide = [1] * y.ndim
        wide[axis] = -1
        y = y + weights[bias].reshape(wide)
    same = sorted(prepared.output) == sorted(canonical)
    output = _ordered(y, canonical, prepared.output) if same else y
    if g is None:
        return Result(output, {}, exact.still)
    back = _ordered(g.astype(np.float64), prepared.output, canonical) if same else g
    found: dict[str, Array] = {}
    if bias:
        found[bias] = back.sum(axis=tuple(a for a in range(back.ndim) if a != axis))
    for s, form, (tensors, sizes) in reversed(
        list(zip(prepared.plan.steps, prepared.forms, saved, strict=True))
    ):
        if s.weight:
            turned = _gradient(form, "w", sizes, {**tensors, "g": back}, exact)
            name = s.weight
            found[name] = _gradient(prepared.kernels[name], name, {}, {"g": turned}, exact)
        back = _gradient(form, "x", sizes, {**tensors, "g": back}, exact)
    found["x"] = _ordered(back, canonical, prepared.layout)
    return Result(output, found, exact.still)


class _Exact:
    """Whether all coefficients so far were whole numbers over powers of two."""

    def __init__(self) -> None:
        self.still = True

    def meet(self, den: Array) -> None:
        self.still = self.still and not np.any(den & (den - 1))


def _ordered(x: Array, axes: str, wanted: str) -> Array:
    return x.transpose([axes.index(a) for a in wanted])


def _gradient(
    form: Form, wrt: str, sizes: Sizes, tensors: Mapping[str, Array], exact: _Exact
) -> Array:
    if form.call is not None and form.call.operator == "tensor":
        return tensors["g"]
    return _value(vjp(form, wrt), sizes, tensors, exact)


def _value(form: Form, sizes: Sizes, tensors: Mapping[str, Array], exact: _Exact) -> Array:
    """The value of a form in float64."""
    if form.call is not None and form.call.operator == "tensor":
        return tensors[form.tensors[0][0]].astype(np.float64)
    out = np.zeros(shape_at(form, sizes))
    for part in entries(form, sizes):
        num, den = part.num.astype(np.int64), part.den.astype(np.int64)
        exact.meet(den)
        value = num.astype(np.float64)
        for name, at in part.reads:
            value = value * tensors[name][tuple(at.T)]
        np.add.at(out, tuple(part.output.T), value / den)
    return out


def _selection(
    s: Step, form: Form, x: Array, weights: Mapping[str, Array]
) -> tuple[Sizes, Array | None]:
    """The selection functions of a step, and where a window meets nothing of the input."""
    if s.operator == "max_pool":
        return _maximum(dict(s.parameters), x)
    if s.operator == "max_unpool":
        return _places(dict(s.parameters), form, x, weights["indices"]), None
    return {}, None


def _maximum(p: Mapping[str, Any], x: Array) -> tuple[Sizes, Array]:
    dims = p["dims"]
    kk, ss, dd, ends, mm, _ = windows(
        tensor("x", *x.shape),
        p["k"],
        p.get("stride"),
        p.get("padding", 0),
        p.get("dilation", 1),
        p.get("ceil_mode", False),
        dims,
    )
    k, s, d, m = (tuple(int(a) for a in v) for v in (kk, ss, dd, mm))
    lead = ((0, 0),) * (x.ndim - dims)
    reach = [
        (
            int(lo),
            max(int(hi), s[a] * (m[a] - 1) + d[a] * (k[a] - 1) + 1 - x.shape[a - dims] - int(lo)),
        )
        for a, (lo, hi) in enumerate(ends)
    ]
    wide = np.pad(x, (*lead, *reach), constant_values=-np.inf)
    taps = []
    for t in itertools.product(*map(range, k)):
        first = [d[a] * t[a] for a in range(dims)]
        cuts = [slice(v, v + s[a] * (m[a] - 1) + 1, s[a]) for a, v in enumerate(first)]
        at: tuple[Any, ...] = (..., *cuts)
        taps.append(wide[at])
    stack = np.stack(taps)
    chosen = np.unravel_index(stack.argmax(axis=0), k)  # argmax: the first of equal ones
    return _tables(p, dims, chosen), np.isneginf(stack.max(axis=0))


def _places(p: Mapping[str, Any], form: Form, y: Array, indices: Array) -> Sizes:
    """The taps that flat indices into the output's plane mean, for an unpooling."""
    dims = p["dims"]
    k = positive_axes(p["k"], dims, "kernel length")
    s = k if p.get("stride") is None else positive_axes(p["stride"], dims, "stride")
    d, ends = (
        positive_axes(p.get("dilation", 1), dims, "dilation"),
        pairs(p.get("padding", 0), dims),
    )
    n = tuple(int(a) for a in form.shape[form.rank - dims :])
    at = np.unravel_index(indices.astype(np.int64), n)
    chosen = []
    for a in range(dims):
        i = np.arange(y.shape[a - dims]).reshape([-1] + [1] * (dims - 1 - a))
        start = int(s[a]) * i - int(ends[a][0])
        tap, rest = np.divmod(at[a] - start, int(d[a]))
        if np.any(rest) or np.any(tap < 0) or np.any(tap >= int(k[a])):
            raise NotSupported(
                "unpooling with indices that lie outside of their windows; "
                "give those of the pooling with the same parameters"
            )
        chosen.append(tap)
    return _tables(p, dims, chosen)


def _tables(p: Mapping[str, Any], dims: int, chosen: Sequence[Array]) -> Sizes:
    name = str(p.get("selection", "σ"))

    def look(table: Array) -> Callable[..., Array]:
        return lambda *i: table[tuple(np.broadcast_arrays(*i))]

    names = (name,) if dims == 1 else tuple(f"{name}{a}" for a in range(dims))
    return {a: look(np.asarray(t)) for a, t in zip(names, chosen, strict=True)}
