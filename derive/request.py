"""An operator at given sizes, as a person asks for it: lengths, channels and named options.

>>> A = matrix_of("correlate", n=5, k=3, stride=2)
>>> print(A)
w_0 w_1 w_2   ·   ·
  ·   · w_0 w_1 w_2
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from derive.errors import DeriveError, WrongInput, WrongType, expect, shown
from derive.expr import FALSE, Apply, Integer, cond_symbols, expressions
from derive.form import Form, tensor, vjp
from derive.matrix import Matrix, matrix
from derive.operators import OPERATORS, Operator
from derive.symbols import offset, size
from derive.table import undefined_at

Lengths: TypeAlias = "int | Sequence[int]"
SELECTED = ("max_pool", "max_unpool")
FACTOR = ("stride", "s")
"""``stride`` may be said for the factor ``s`` of an operator that has no other stride."""

SYMBOLS = {
    "stride": "s",
    "padding": "p",
    "dilation": "d",
    "base_dilation": "e",
    "output_padding": "r",
}
STRUCTURAL = ("groups", "axis")
"""Options that say which form an operator has; they are never symbols."""


def matrix_of(
    operator: str,
    n: Lengths,
    k: Lengths | None = None,
    *,
    channels: Lengths | None = None,
    batch: int | None = None,
    wrt: str | None = None,
    transpose: bool = False,
    taps: Sequence[int | Sequence[int]] | None = None,
    **options: Any,
) -> Matrix:
    """The symbolic matrix of an operator at concrete sizes.

    Args:
        operator: its name in :data:`derive.operators.OPERATORS`, or a framework's call such as
            ``nn.Conv2d(1, 1, 3, padding=1)``, which says the rest itself.
        n: the lengths of the spatial axes of its input.
        k: the lengths of its kernel; one length is used for every axis.
        channels: ``c_in`` or ``(c_in, c_out)``; without it there is no channel axis.
        batch: the length of a leading batch axis; without it there is none.
        wrt: the operand that the columns count, by default the first.
        transpose: give the matrix of the VJP with respect to ``wrt`` instead.
        taps: the selection of a max pooling: for each output, the tap that wins.
        options: the operator's own parameters (``stride``, ``padding``, ``groups``, …).

    Returns:
        The sparse matrix with polynomial entries.

    Raises:
        WrongInput: for what no such operator has, and for sizes at which it is not defined.

    >>> matrix_of("correlate", n=(28, 28), k=3).shape
    (676, 784)
    >>> matrix_of("nn.ConvTranspose1d(1, 1, 3, stride=2)", n=4).shape
    (9, 4)
    """
    expect(operator, str, "operator", "a name was expected; give one, as 'correlate'")
    if "(" in operator:
        return _call_matrix(operator, n, k, channels, batch, wrt, transpose, taps, options)
    op = find_operator(operator)
    if not op.tensors:
        raise WrongInput(
            f"{operator} is a fixed kernel and reads no operand, so that it has no matrix; "
            "ask for an operator, such as correlate"
        )
    form = operator_form(operator, n, k, channels=channels, batch=batch, **options)
    operand = wrt if wrt is not None else op.tensors[0]
    if operand not in op.tensors:
        raise WrongInput(
            f"{operator} has no operand {operand!r}; choose one of {', '.join(op.tensors)}"
        )
    sizes = _selection(op, form, taps)
    if taps is not None:
        _check_taps(k, len(_lengths(n)), taps)
        _check_inside(matrix(form, op.tensors[0], sizes), op.name == "max_unpool", taps)
    if transpose:
        return matrix(vjp(form, operand), "g", sizes)
    return matrix(form, operand, sizes)


def _call_matrix(
    text: str,
    n: Lengths,
    k: Lengths | None,
    channels: Lengths | None,
    batch: int | None,
    wrt: str | None,
    transpose: bool,
    taps: Sequence[int | Sequence[int]] | None,
    options: Mapping[str, Any],
) -> Matrix:
    """The matrix of a framework's call."""
    from derive.dialects.matrix import INPUT, call_form

    said = [name for name, value in options.items() if value is not None]
    said += ["taps"] if taps is not None else []
    if said:
        raise WrongInput(f"{said[0]}: a call says its own parameters; write it inside the call")
    form, names = call_form(
        text,
        _positive(n, "n", "a length"),
        None if k is None else _positive(k, "k", "a kernel length"),
        () if channels is None else _positive(channels, "channels", "a number of channels"),
        batch,
    )
    operand = INPUT if wrt is None else wrt
    if operand not in names:
        raise WrongInput(f"{text} has no operand {operand!r}; choose one of {', '.join(names)}")
    failed = undefined_at(form, {})
    if failed is not None:
        raise WrongInput(f"{text}: not defined at these sizes; choose other ones")
    return matrix(vjp(form, operand), "g") if transpose else matrix(form, operand)


def find_operator(name: str) -> Operator:
    """The registered operator.  Raises :class:`derive.errors.WrongInput` for an unknown name."""
    expect(name, str, "operator", "a name was expected; give one, as 'correlate'")
    if name not in OPERATORS:
        close = difflib.get_close_matches(name, OPERATORS, n=3)
        known = f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(OPERATORS)}"
        raise WrongInput(f"operator {name!r} is unknown; {known}")
    return OPERATORS[name]


def operator_form(
    name: str,
    n: Lengths,
    k: Lengths | None = None,
    *,
    channels: Lengths | None = None,
    batch: int | None = None,
    **options: Any,
) -> Form:
    """The form of an operator at concrete sizes; arguments and errors as in :func:`matrix_of`.

    >>> operator_form("conv_transpose", n=4, k=3, stride=2).shape == (9,)
    True
    """
    op = find_operator(name)
    lengths = _positive(n, "n", "a length")
    kernel = None if k is None else _per_axis(_positive(k, "k", "a kernel length"), len(lengths))
    planes = () if channels is None else _positive(channels, "channels", "a number of channels")
    if len(planes) > 2:
        raise WrongInput(f"channels = {_show(planes)}: give c_in or c_in,c_out")
    if batch is not None:
        _positive(batch, "batch", "a batch")
    given = _renamed(op, {key: v for key, v in options.items() if v is not None})
    _check_options(op, given, kernel, planes)

    def build(
        axes: Sequence[Integer], taps: Sequence[Integer] | None, options: Mapping[str, Any] = given
    ) -> Form:
        operands = _operands(op, axes, taps, planes, batch, given.get("groups", 1))
        extra = _parameters(op, taps, len(lengths))
        return op.build(**operands, **extra, **options)

    form = build(lengths, kernel)
    if undefined_at(form, {}) is not None or any(
        m.constant is None or m.constant < 1 for m in form.shape
    ):
        raise WrongInput(_undefined(build, lengths, kernel, given, form))
    return form


def _operands(
    op: Operator,
    n: Sequence[Integer],
    k: Sequence[Integer] | None,
    channels: Sequence[int],
    batch: int | None,
    groups: int,
) -> dict[str, Form]:
    lead: tuple[Integer, ...] = () if batch is None else (batch,)
    shapes: dict[str, tuple[Integer, ...]] = {}
    first = op.tensors[0]
    shapes[first] = (*lead, *channels[:1], *n)
    if first == "c":  # columns: the taps come before the positions
        shapes[first] = (*lead, *channels[:1], *(k or ()), *n)
    if "w" in op.tensors:
        shapes["w"] = tuple(k or ())
        if channels:
            c_in, c_out = channels[0], channels[-1]
            pair = (
                (c_in, c_out // groups) if op.name == "conv_transpose" else (c_out, c_in // groups)
            )
            shapes["w"] = (*pair, *(k or ()))
    return {name: tensor(name, *shape) for name, shape in shapes.items()}


def _parameters(op: Operator, k: Sequence[Integer] | None, dims: int) -> dict[str, Any]:
    known = inspect.signature(op.build).parameters
    found: dict[str, Any] = {}
    if "k" in known and k is not None:
        found["k"] = tuple(k)
    if "dims" in known:
        found["dims"] = dims
    return found


def parameters(op: Operator) -> dict[str, inspect.Parameter]:
    """The parameters of an operator that are options: neither operands nor sizes."""
    known = inspect.signature(op.build).parameters
    return {
        name: p for name, p in known.items() if name not in (*op.tensors, "k", "dims", "selection")
    }


def _renamed(op: Operator, options: Mapping[str, Any]) -> dict[str, Any]:
    said, meant = FACTOR
    known = parameters(op)
    if said in options and said not in known and meant in known:
        return {meant if key == said else key: v for key, v in options.items()}
    return dict(options)


def _check_options(
    op: Operator, options: Mapping[str, Any], kernel: Sequence[int] | None, channels: Sequence[int]
) -> None:
    known = parameters(op)
    names = ", ".join(known) or "none"
    for name in options:
        if name not in known:
            raise WrongInput(f"{op.name} has no option {name!r}; its options: {names}")
    wanting = (
        "k" in inspect.signature(op.build).parameters
        or "w" in op.tensors
        or op.tensors[:1] == ("c",)
    )
    if wanting and kernel is None:
        raise WrongInput(f"{op.name} needs the length of its kernel; give k")
    if kernel is not None and not wanting:
        raise WrongInput(f"{op.name} has no kernel length; leave k out")
    missing = [n for n, p in known.items() if p.default is p.empty and n not in options]
    if missing:
        raise WrongInput(f"{op.name} needs a value for {', '.join(missing)}; give it as an option")
    if op.name in ("pixel_shuffle", "pixel_unshuffle") and not channels:
        raise WrongInput(f"{op.name} works on channels; give their number")
    _check_groups(op, options.get("groups", 1), channels)


def _check_groups(op: Operator, groups: int, channels: Sequence[int]) -> None:
    expect(groups, int, "groups", "a number of groups was expected; give a positive integer")
    if groups == 1:
        return
    if groups < 1:
        raise WrongInput(f"groups = {groups}: there is at least one group; give a positive number")
    if not channels:
        raise WrongInput(f"groups = {groups} without channels; give the number of channels too")
    for what, c in (("input", channels[0]), ("output", channels[-1])):
        if c % groups:
            raise WrongInput(
                f"groups = {groups}: {op.name} cannot split {c} {what} channels into {groups} equal groups; "
                "choose groups that divide both channel counts"
            )


def _undefined(
    build: Callable[..., Form],
    n: Sequence[int],
    k: Sequence[int] | None,
    options: Mapping[str, Any],
    form: Form,
) -> str:
    """Which requirement fails: the operator is built again with symbols, only to name it."""
    values = dict(zip(_names("n", len(n)), n, strict=True))
    if k is not None:
        values |= dict(zip(_names("k", len(k)), k, strict=True))
    axes = [size(name) for name in _names("n", len(n))]
    taps = None if k is None else [size(name) for name in _names("k", len(k))]
    named = {key: _symbols(SYMBOLS.get(key, key), v, values) for key, v in options.items()}
    for tried in (named, options):
        try:
            failed = undefined_at(build(axes, taps, tried), values)
        except (DeriveError, TypeError, ValueError):  # its structure depends on the numbers
            continue
        if failed is not None and failed != FALSE:
            spoken = {s.name for s in cond_symbols(failed)}
            at = _at({key: v for key, v in values.items() if key in spoken or key[0] in "nk"})
            return (
                f"{at}: not defined, the operator needs {failed}; choose sizes for which that holds"
            )
    shape = ", ".join(map(str, form.shape))
    at = _at({key: v for key, v in values.items() if key[0] in "nk"})
    return f"{at}: not defined (the output shape would be ({shape})); choose other sizes"


def _at(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {v}" for name, v in values.items())


def _symbols(name: str, value: Any, values: dict[str, int]) -> Any:
    """``value`` with a symbol in the place of each number; the numbers are put into ``values``."""
    if isinstance(value, tuple):
        paired = len(value) == 2 and all(isinstance(v, int) for v in value) and name[:1] == "p"
        ends = ("_lo", "_hi") if paired else _names("", len(value))
        return tuple(
            _symbols(f"{name}{end}", v, values) for end, v in zip(ends, value, strict=True)
        )
    if isinstance(value, bool) or not isinstance(value, int) or name in STRUCTURAL:
        return value
    values[name] = value
    return offset(name)


def _names(letter: str, count: int) -> list[str]:
    return [letter] if count == 1 else [f"{letter}{axis + 1}" for axis in range(count)]


def _selection(
    op: Operator, form: Form, taps: Sequence[int | Sequence[int]] | None
) -> dict[str, Any]:
    """The selection σ as functions on index arrays, one for each component."""
    if op.name not in SELECTED:
        if taps is not None:
            raise WrongInput(f"{op.name} selects nothing; leave the taps out")
        return {}
    shape = tuple(map(int, form.shape if op.name == "max_pool" else form.tensor_shape("y")))
    count = int(np.prod(shape))
    if taps is None:
        raise WrongInput(
            f"{op.name} is linear only for a given selection; "
            f"give the tap that wins in each of its {count} windows, counted from 0"
        )
    rows = [_tap(t) for t in _entries(taps)]
    names = sorted(_functions(form))
    if len(rows) != count or any(len(r) != len(names) for r in rows):
        raise WrongInput(
            f"the selection of {op.name} has {len(rows)} entries; give {count}, "
            f"each with {len(names)} component{'s' if len(names) > 1 else ''}"
        )
    table = np.array(rows, dtype=np.int64).T.reshape(len(names), *shape)

    def component(values: np.ndarray[Any, Any]) -> Callable[..., Any]:
        # Outside the outputs σ has no value; the terms that ask for one are masked out.
        return lambda *i: values[tuple(np.clip(a, 0, m - 1) for a, m in zip(i, shape, strict=True))]

    return {name: component(table[axis]) for axis, name in enumerate(names)}


def _check_taps(k: Lengths | None, dims: int, taps: Sequence[int | Sequence[int]]) -> None:
    kernel = _per_axis(_lengths(k or 1), dims)
    for tap in map(_tap, _entries(taps)):
        if any(not 0 <= t < length for t, length in zip(tap, kernel, strict=True)):
            raise WrongInput(
                f"tap {_show(tap)} of a kernel of length {_show(kernel)}: there is none; "
                "taps are counted from 0"
            )


def _check_inside(found: Matrix, columns: bool, taps: Sequence[int | Sequence[int]]) -> None:
    """Each window takes its tap from a sample: its row (or column) of the matrix is not empty."""
    read = {at[columns] for at in found.entries}
    for window, tap in enumerate(map(_tap, taps)):
        if window not in read:
            raise WrongInput(
                f"tap {_show(tap)} of window {window}: it lies outside of the samples; "
                "give a tap that meets one"
            )


def _entries(taps: object) -> Sequence[int | Sequence[int]]:
    if not isinstance(taps, (tuple, list, np.ndarray)):
        raise WrongType(
            f"taps = {shown(taps)}: a list was expected; give the tap that wins in each window"
        )
    return list(taps)


def _tap(tap: int | Sequence[int]) -> tuple[int, ...]:
    found = _lengths(tap)
    for t in found:
        expect(t, (int, np.integer), "taps: a tap", "an integer was expected; count from 0")
    return found


def _functions(form: Form) -> set[str]:
    exprs = [e for t in form.terms for r in t.reads for e in r.at]
    exprs += [e for t in form.terms for c in t.where for e in expressions(c)]
    return {a.name for e in exprs for a in e.atoms() if isinstance(a, Apply)}


def _lengths(value: Lengths) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, Iterable) else (value,)


def _positive(value: Lengths, name: str, what: str) -> tuple[int, ...]:
    values: tuple[Any, ...] = _lengths(value)
    if not values or any(isinstance(v, bool) or not isinstance(v, int) or v < 1 for v in values):
        raise WrongInput(f"{name} = {_show(values)}: {what} is at least 1; give positive integers")
    return values


def _per_axis(values: tuple[int, ...], dims: int) -> tuple[int, ...]:
    if len(values) == 1:
        return values * dims
    if len(values) != dims:
        raise WrongInput(
            f"k = {_show(values)}: {len(values)} kernel lengths for {dims} spatial axes; "
            f"give one or {dims}"
        )
    return values


def _show(values: Sequence[object]) -> str:
    return "x".join(map(str, values)) or "nothing"
