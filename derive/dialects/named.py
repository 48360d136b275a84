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
from derive.dialects.registry import AMOUNT, rebuild
from derive.dialects.request import Asked, Shape, channels
from derive.errors import DeriveError
from derive.expr import Cond, Expr, Sym, lift
from derive.form import Form, tensor
from derive.symbols import symbol

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

    def stages(self) -> tuple[Stage, ...]:
        """The steps with the shapes between them."""
        return stages(self.layer, self.x, self.given)


def shape_form(layer: Layer, x: Shape, given: Mapping[str, Shape]) -> Form:
    """The output as a form of which only shape and requirements are meant."""
    tensors = {name: tensor(name, *shape) for name, shape in given.items()}
    return outline(layer, tensor("x~", *x), tensors)


def with_names(asked: Asked) -> Named:
    """The call with as many names as its rules allow."""
    wanted = [
        p
        for p, v in asked.layer.arguments.items()
        if p not in asked.spec.tensors and _has(v) and not _only(asked, p)
    ]
    everything = _with(asked, wanted)
    if everything is not None:
        return everything
    kept: list[str] = []
    best = _with(asked, kept)
    for name in wanted:
        found = _with(asked, [*kept, name])
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


def _with(asked: Asked, names: Iterable[str]) -> Named | None:
    values: dict[Sym, Expr] = {}
    arguments = dict(asked.layer.arguments)
    for name in names:
        arguments[name] = _named(name, arguments[name], values)
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


def _named(name: str, value: Any, values: dict[Sym, Expr]) -> Any:
    if isinstance(value, tuple):
        flat = list(_numbers(value))
        if len(flat) > 1 and len(set(flat)) == 1:  # alike along all axes: one name
            return _alike(name, value, values)
        if len(value) == 1:
            return (_named(name, value[0], values),)
        return tuple(_named(f"{name}[{i}]", v, values) for i, v in enumerate(value))
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    e = symbol(name, _least(name, value))
    assert e.symbol is not None
    values[e.symbol] = lift(value)
    return e


def _alike(name: str, value: tuple[Any, ...], values: dict[Sym, Expr]) -> Any:
    return tuple(
        _alike(name, v, values) if isinstance(v, tuple) else _named(name, v, values) for v in value
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
