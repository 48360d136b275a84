"""What a shape question asks: the call, the shapes that are given, and names for those that are not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from derive.claims.parse import MAX_LENGTH, MAX_NUMBER
from derive.dialects.calls import Call, show
from derive.dialects.calls import Name as Tensor
from derive.dialects.layer import Layer, fitted, planned
from derive.dialects.registry import DIALECTS, Spec, find, layer_of, number, spelled
from derive.errors import WrongInput, clipped, expect
from derive.expr import FALSE, All, Cond, Eq, Expr, Sym, eq, lift
from derive.symbols import size, symbol

Shape = tuple[Expr, ...]
LETTERS = {"N": "N", "C": "C_in", "D": "D_in", "H": "H_in", "W": "W_in"}


@dataclass(frozen=True)
class Asked:
    """A call that is bound, its input shape, and the shapes of the tensors that the caller gives."""

    written: str
    spec: Spec
    layer: Layer
    x: Shape
    letters: Shape  # the input shape in the dialect's words, whatever was given
    given: Mapping[str, Shape]

    @property
    def layout(self) -> str:
        """The letters of the axes that the input has."""
        return letters_of(self.layer.layout, len(self.x))


def letters_of(layout: str, rank: int) -> str:
    """The layout of a tensor that may lack its batch axis."""
    return layout if rank == len(layout) else layout.replace("N", "")


def parse_shape(text: str, what: str) -> tuple[Any, ...]:
    """A shape as people write it: ``1,3,28,28``, ``28x28``, ``28`` or with names, ``N,3,H,2*n``.

    >>> parse_shape("1x3x28x28", "--input")
    (1, 3, 28, 28)
    """
    plain = text.strip().strip("()[]").strip().rstrip(",")
    if re.fullmatch(r"[0-9]+(x[0-9]+)+", plain):
        plain = plain.replace("x", ",")
    from derive.dialects.calls import read_calls

    if any(map(_beyond, re.findall(r"[0-9]+", plain[:MAX_LENGTH]))):
        raise WrongInput(
            f"{what} {clipped(text)}: numbers go up to {MAX_NUMBER}; use a name for a large length"
        )
    try:
        value = read_calls(f"({plain},)")[-1].value
        found = tuple(number(v) for v in value) if isinstance(value, tuple) else ()
    except WrongInput:
        found = ()
    if not found or not all(isinstance(v, (int, Expr)) and v is not True for v in found):
        raise WrongInput(
            f"{what} {clipped(text)}: this is no shape; write numbers or names as 1,3,28,28 or 28x28 or N,3,H,W"
        )
    for v in found:
        if isinstance(v, int) and v < 1:
            raise WrongInput(f"{what} {text}: {v} is no length; lengths are 1 or more")
    return found


def _beyond(digits: str) -> bool:
    """Is the number above the bound?  One with too many digits is not converted at all."""
    short = digits.lstrip("0") or "0"
    return len(short) > len(str(MAX_NUMBER)) or int(short) > MAX_NUMBER


def bind_call(written: Call, dialect: str | None = None) -> tuple[Spec, Layer]:
    """The call and its layer.

    Raises :class:`derive.errors.WrongInput` for an unknown call, or one of another dialect.
    """
    meant = spelled(written)
    prefer = _dialect(dialect)
    spec = find(meant.name, meant, prefer)
    if dialect is not None and spec.dialect.lower() != dialect.lower():
        raise WrongInput(
            f"--dialect {dialect}: {spec.name} is a call of {spec.dialect}; "
            "leave --dialect out, or write the other framework's call"
        )
    return spec, layer_of(written, prefer)


def _dialect(name: str | None) -> str:
    """The name of a dialect as it is registered."""
    if name is None:
        return ""
    expect(name, str, "dialect", "a text was expected; give the name of a framework, as 'PyTorch'")
    for d in DIALECTS:
        if d.name.lower() == name.lower():
            return d.name
    known = ", ".join(d.name for d in DIALECTS)
    raise WrongInput(f"--dialect {clipped(name)}: it is none of {known}; choose one of them")


def ask(
    written: Call,
    x: Sequence[Any] | None = None,
    weights: Mapping[str, Sequence[Any]] | None = None,
    dialect: str | None = None,
    dims: int | None = None,
) -> Asked:
    """The question about one call.

    ``x`` is the whole input shape in the framework's order, or only its spatial lengths, or one
    length for all of them; what is not given gets the names ``N``, ``C_in``, ``H_in`` …  ``dims`` is
    the number of its spatial axes where that is known and the call takes several.
    """
    spec, layer = bind_call(written, dialect)
    shapes = {**_written_shapes(spec, written), **_weights(spec, layer, written, weights or {})}
    first = shapes.pop(spec.tensors[0], None) if spec.tensors else None
    if written.on and isinstance(written.on[0], Tensor) and written.on[0].shape is not None:
        first = tuple(lift(number(v)) for v in written.on[0].shape)
    entries = tuple(map(lift, x)) if x is not None else first
    if entries is not None and layer.refit is not None:
        rank = len(entries)
        if dims is not None and layer.unbatched:
            rank = dims + len(layer.layout) - layer.dims
        other = fitted(layer, rank)
        layer = other if len(other.layout) == rank else layer
    letters = names_of(layer)
    given = dict(shapes)
    for name in layer.tensors:
        bound = layer.arguments.get(name)
        if name not in given and bound is not None:
            given[name] = _stand_in(bound, name, layer.dims)
    if entries is None:
        full = letters
    else:
        full, letters = complete(layer, entries, letters)
    x_shape = channels(layer, full, given)
    no_clash(written, layer, entries, letters, given)
    _fitting(layer, x_shape, given, shapes)
    return Asked(str(spelled(written)), spec, layer, x_shape, letters, given)


def no_clash(
    written: Call, layer: Layer, entries: Shape | None, letters: Shape, given: Mapping[str, Shape]
) -> None:
    """Refuse names in a call that the axes have too, unless the input says that it means these."""
    said = {n.symbol.name for n in entries or () if n.symbol is not None}
    axes = {n.symbol.name for n in letters if n.symbol is not None}
    axes |= {name.replace("_in", "_out") for name in axes if name.endswith("_in")}
    used = {s.name for v in (layer.arguments, given) for s in _symbols(tuple(v.values()))}
    for name in sorted((used & axes) - said):
        raise WrongInput(
            f"{show(spelled(written))}: {name} is the name of an axis here; choose another name, as k"
            + ("" if name.endswith("_out") else ", or say with --input where the input has it")
        )


def _symbols(value: Any) -> set[Sym]:
    """The sizes in an argument."""
    if isinstance(value, tuple):
        return {s for v in value for s in _symbols(v)}
    return set(value.symbols()) if isinstance(value, Expr) else set()


def _fitting(layer: Layer, x: Shape, given: Mapping[str, Shape], said: Mapping[str, Shape]) -> None:
    """Refuse tensors of another shape than the call needs."""
    for o in planned(layer, x, given).operands if said else ():
        shape = said.get(o.name, o.shape)
        pairs = zip(shape, o.shape, strict=False)
        if len(shape) != len(o.shape) or any(eq(a, b) == FALSE for a, b in pairs):
            shown, needed = (", ".join(map(str, s)) for s in (shape, o.shape))
            raise WrongInput(
                f"{layer.name}: {o.name} has the shape ({shown}) but ({needed}) is needed; give that"
            )


def names_of(layer: Layer) -> Shape:
    """Names for the axes of the input."""
    one = {"W": "L_in"} if layer.dims == 1 else {}
    return tuple(size(one.get(a, LETTERS.get(a, f"{a}_in"))) for a in layer.layout)


def complete(layer: Layer, entries: Shape, letters: Shape) -> tuple[Shape, Shape]:
    """The whole input shape from what was given, and the names for its axes."""
    rank = len(layer.layout)
    if len(entries) == rank:
        return entries, letters
    if len(entries) == rank - 1 and layer.unbatched and len(entries) != layer.dims:
        kept = tuple(v for v, a in zip(letters, layer.layout, strict=True) if a != "N")
        return entries, kept
    if len(entries) in (1, layer.dims):
        spatial = iter(entries * (layer.dims // len(entries)))
        return tuple(
            next(spatial) if a in "TDHW" else v for v, a in zip(letters, layer.layout, strict=True)
        ), letters
    axes = "1 axis" if len(entries) == 1 else f"{len(entries)} axes"
    if layer.refit is not None:
        least, most = (f(layer.ranks) + rank - layer.dims for f in (min, max))
        raise WrongInput(
            f"{layer.name}: the input ({', '.join(map(str, entries))}) has {axes}; give {least} to "
            f"{most}, or put some of them together"
        )
    ranks = f"{rank}" + (f", {rank - 1} (no batch)" if layer.unbatched else "")
    alone = f", or the {layer.dims} spatial lengths alone" if layer.dims > 1 else ""
    alone = ", or the spatial length alone" if layer.dims == 1 else alone
    raise WrongInput(
        f"{layer.name}: the input ({', '.join(map(str, entries))}) has {axes}; give {ranks} in the "
        f"order {layer.layout}{alone}"
    )


def channels(layer: Layer, x: Shape, given: Mapping[str, Shape]) -> Shape:
    """The input with the channels that the call needs, where they are not given."""
    layout = letters_of(layer.layout, len(x))
    if "C" not in layout:
        return x
    at = layout.index("C")
    unknown = x[at].symbol
    if unknown is None or unknown.name != LETTERS["C"]:
        return x
    needed = needed_channels(layer, x, given, unknown)
    return x if needed is None else (*x[:at], needed, *x[at + 1 :])


def needed_channels(
    layer: Layer, x: Shape, given: Mapping[str, Shape], unknown: Sym
) -> Expr | None:
    """What an equation among the call's requirements says the channels are, or None."""
    return solved_for(unknown, (r.cond for r in planned(layer, x, given).requires))


def solved_for(unknown: Sym, conds: Iterable[Cond]) -> Expr | None:
    """What an equation among some conditions says that a symbol is, or None.

    >>> from derive.expr import eq
    >>> c = size("c")
    >>> print(solved_for(c.symbol, [eq(c, 8)]))
    8
    """
    for found in conds:
        for cond in found.parts if isinstance(found, All) else (found,):
            split = cond.expr.coefficient(unknown) if isinstance(cond, Eq) else None
            if split is not None and split[0] in (lift(1), lift(-1)):
                return -split[1] if split[0] == 1 else split[1]
    return None


def _written_shapes(spec: Spec, written: Call) -> dict[str, Shape]:
    """Shapes written beside names: ``F.conv2d(x[1, 3, 28, 28], w[16, 3, 3, 3])``."""
    return {
        name: tuple(lift(number(v)) for v in value.shape)
        for name, value in _tensors(spec, written).items()
        if value.shape is not None
    }


def _tensors(spec: Spec, written: Call) -> dict[str, Tensor]:
    """The names that a functional call has in the place of tensors, by parameter."""
    import inspect

    meant = spelled(written)
    parameters = [p for p in inspect.signature(spec.meaning).parameters if p != "dims"]
    bound = {**dict(zip(parameters, meant.arguments, strict=False)), **dict(meant.keywords)}
    return {p: v for p in spec.tensors if isinstance(v := bound.get(p), Tensor)}


def tensor_names(spec: Spec, layer: Layer, written: Call) -> dict[str, str]:
    """The parameters that take tensors beside the input, by all that they may be called: their own
    name, what the call writes there, and nothing for the first.
    """
    names = {v.name: p for p, v in _tensors(spec, written).items() if p in layer.tensors}
    first = {"": layer.tensors[0]} if layer.tensors else {}
    return {**first, **names, **{p: p for p in layer.tensors}}


def _weights(
    spec: Spec, layer: Layer, written: Call, weights: Mapping[str, Sequence[Any]]
) -> dict[str, Shape]:
    found: dict[str, Shape] = {}
    known, names = layer.tensors, tensor_names(spec, layer, written)
    for name, shape in weights.items():
        parameter = names.get(name)
        if parameter is None:
            raise WrongInput(
                f"--weight {name or ','.join(map(str, shape))}: {layer.name} takes "
                f"{'the tensors ' + ', '.join(known) if known else 'no tensors beside its input'}; "
                + ("name one of them, as NAME=SHAPE" if known else "leave --weight out")
            )
        if parameter in found:
            raise WrongInput(f"--weight {name}: {parameter} is given twice; give it once")
        found[parameter] = tuple(map(lift, shape))
    return found


def _stand_in(bound: Any, parameter: str, dims: int) -> Shape:
    """Names for the axes of a kernel whose shape is not known: ``w[0]``, ``w[1]``, …"""
    named = bound.symbol if isinstance(bound, Expr) else None
    name = named.name if named is not None else parameter
    return tuple(symbol(f"{name}[{a}]", 1) for a in range(dims + 2))
