"""A call with names in the place of its numbers: what its shape formula is read from.

Each number becomes a symbol with the name of its parameter (``stride``; ``padding[0]`` where the axes
differ).  A parameter that the framework's rules need as a number stays one: what is read with names
is compared with the call itself, and given up where the two differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from derive.dialects.geometry import Stage, stages
from derive.dialects.layer import Layer, outline
from derive.dialects.registry import AMOUNT, Spec, rebuild
from derive.dialects.request import Asked, Shape, channels
from derive.errors import DeriveError
from derive.expr import Cond, Expr, Sym, lift
from derive.form import Form, tensor
from derive.symbols import symbol

STRIDES, KERNELS = ("stride", "strides"), ("kernel_size", "pool_size", "ksize", "window_shape")
TRIED = (1, 2, 3, 5, 8, 13, 28, 57, 224)


@dataclass(frozen=True)
class Named:
    """The call with names: its layer, the value of each name, and the shapes in those names."""

    layer: Layer
    values: Mapping[Sym, Expr]
    x: Shape
    given: Mapping[str, Shape]
    shape: Shape
    requires: tuple[Cond, ...]
    defaults: tuple[tuple[str, str], ...] = ()  # a parameter that was left out, and the one it is

    def stages(self) -> tuple[Stage, ...]:
        """The steps with the shapes between them."""
        return stages(self.layer, self.x, self.given)


def shape_form(layer: Layer, x: Shape, given: Mapping[str, Shape]) -> Form:
    """The output as a form of which only shape and requirements are meant."""
    tensors = {name: tensor(name, *shape) for name, shape in given.items()}
    return outline(layer, tensor("x~", *x), tensors)


def with_names(asked: Asked) -> Named:
    """The call with as many names as its rules allow."""
    defaults = _defaults(asked)
    if not defaults:
        return _best(asked)
    filled = {p: asked.layer.arguments[of] for p, of in defaults}
    layer = rebuild(_spec(asked), {**asked.layer.arguments, **filled})
    found = _best(replace(asked, layer=layer), tuple(filled))
    return replace(found, defaults=defaults if filled.keys() <= _named_in(found) else ())


def _named_in(found: Named) -> set[str]:
    return {s.name.partition("[")[0] for s in found.values}


def _spec(asked: Asked) -> Spec:
    return replace(asked.spec, dims=asked.layer.dims, ranks=())


def _defaults(asked: Asked) -> tuple[tuple[str, str], ...]:
    """Strides that were left out where they are then the kernel's lengths, whatever these are."""
    given = asked.layer.arguments
    for stride in STRIDES:
        for kernel in KERNELS:
            if given.get(stride, 0) not in (None, ()) or given.get(kernel) is None:
                continue
            k = symbol(kernel, 1)
            try:
                layers = [rebuild(_spec(asked), {**given, kernel: k, stride: s}) for s in (None, k)]
                left, right = (shape_form(v, asked.letters, asked.given) for v in layers)
            except (DeriveError, TypeError, ZeroDivisionError):
                continue
            if left.shape == right.shape:
                return ((stride, kernel),)
    return ()


def _best(asked: Asked, filled: tuple[str, ...] = ()) -> Named:
    """The call with as many names as its rules allow; all that is ``filled`` gets names."""
    wanted = [
        p
        for p, v in asked.layer.arguments.items()
        if p in filled or (p not in asked.spec.tensors and _has(v) and not _only(asked, p))
    ]
    everything = _with(asked, wanted, filled)
    if everything is not None:
        return everything
    kept: list[str] = []
    best = _with(asked, kept, filled)
    for name in wanted:
        found = _with(asked, [*kept, name], filled)
        if found is not None:
            kept, best = [*kept, name], found
    if best is None:  # not even with a name for the input: everything as it was asked
        form = shape_form(asked.layer, asked.x, asked.given)
        return Named(asked.layer, {}, asked.x, asked.given, form.shape, form.requires)
    return best


def _only(asked: Asked, name: str) -> bool:
    """Does the framework refuse every other value near the one that was given?

    Such a parameter is no parameter of the formula: ``stride`` beside ``padding='same'``.
    """
    spec = replace(asked.spec, dims=asked.layer.dims, ranks=())
    for change in (lambda v: v + 1, lambda v: v - 1, lambda v: v + 2, lambda v: 2 * v):
        value = _changed(asked.layer.arguments[name], change)
        try:
            rebuild(spec, {**asked.layer.arguments, name: value})
        except (DeriveError, TypeError, ZeroDivisionError):
            continue
        return False
    return True


def _changed(value: Any, change: Callable[[int], int]) -> Any:
    if isinstance(value, tuple):
        return tuple(_changed(v, change) for v in value)
    return change(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _has(value: Any) -> bool:
    """Is there a number in it?"""
    if isinstance(value, tuple):
        return any(_has(v) for v in value)
    return isinstance(value, int) and not isinstance(value, bool)


def _with(asked: Asked, names: Iterable[str], filled: tuple[str, ...]) -> Named | None:
    values: dict[Sym, Expr] = {}
    arguments = dict(asked.layer.arguments)
    for name in names:
        arguments[name] = _named(name, arguments[name], values, name in filled)
    given = {t: _tensor(t, shape, values) for t, shape in asked.given.items()}
    spec = replace(asked.spec, dims=asked.layer.dims, ranks=())
    try:
        layer = rebuild(spec, arguments)
        x = channels(layer, asked.letters, given)
        form = shape_form(layer, x, given)
        if not _agrees(asked, x, form, values):
            return None
    except (DeriveError, TypeError, ZeroDivisionError):
        return None  # a rule that needs the number itself
    return Named(layer, values, x, given, form.shape, form.requires)


def _named(name: str, value: Any, values: dict[Sym, Expr], filled: bool = False) -> Any:
    if isinstance(value, tuple):
        flat = list(_numbers(value))
        if len(flat) > 1 and len(set(flat)) == 1:  # alike along all axes: one name
            return _alike(name, value, values, filled)
        if len(value) == 1:
            return (_named(name, value[0], values, filled),)
        return tuple(_named(f"{name}[{i}]", v, values, filled) for i, v in enumerate(value))
    if filled and isinstance(value, Expr):
        e = symbol(name, 1)
    elif not isinstance(value, int) or isinstance(value, bool):
        return value
    else:
        e = symbol(name, _least(name, value))
    assert e.symbol is not None
    values[e.symbol] = lift(value)
    return e


def _alike(name: str, value: tuple[Any, ...], values: dict[Sym, Expr], filled: bool) -> Any:
    return tuple(
        (_alike if isinstance(v, tuple) else _named)(name, v, values, filled) for v in value
    )


def _numbers(value: Any) -> Iterable[Any]:
    if isinstance(value, tuple):
        for v in value:
            yield from _numbers(v)
    else:
        yield value


def _least(name: str, value: int) -> int | None:
    amount = AMOUNT.match(name) or "pad" in name
    return None if amount or value < 1 else 1


def _tensor(name: str, shape: Shape, values: dict[Sym, Expr]) -> Shape:
    found = []
    for axis, length in enumerate(shape):
        if length.constant is None:
            found.append(length)
            continue
        e = symbol(f"{name}[{axis}]", 1)
        assert e.symbol is not None
        values[e.symbol] = length
        found.append(e)
    return tuple(found)


def _agrees(asked: Asked, x: Shape, form: Form, values: Mapping[Sym, Expr]) -> bool:
    """Does the shape with names give that of the call, at its numbers?"""
    letters = tuple(n.subst(values) for n in x)
    plain = shape_form(asked.layer, letters, asked.given)
    if plain.rank != form.rank:
        return False
    for ours, theirs in zip(form.shape, plain.shape, strict=True):
        mine = ours.subst(values)
        if mine != theirs and not _alike_at(mine, theirs):
            return False
    return True


def _alike_at(a: Expr, b: Expr) -> bool:
    names = sorted({s.name for e in (a, b) for s in e.symbols()})
    points = (
        {name: TRIED[(t + 2 * i) % len(TRIED)] for i, name in enumerate(names)}
        for t in range(len(TRIED))
    )
    return all(a.at(p) == b.at(p) for p in points)
