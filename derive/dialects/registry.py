"""The calls that are known: each joins where its framework's module defines it.

A call is a Python function with the framework's own parameter names and defaults, so that binding
its arguments follows the same rules as the framework.  :func:`call` registers it under its name;
``{d}`` in a name stands for the number of spatial axes.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from derive.dialects.calls import Call, Name, Sum, read_calls, show
from derive.dialects.layer import Layer
from derive.errors import WrongInput
from derive.expr import Expr, offset, size

Meaning = Callable[..., Layer]


@dataclass(frozen=True)
class Spec:
    """A call of a framework: its name, the number of spatial axes, and the function that reads it.

    ``tensors`` are the parameters that take tensors; the first of a function is its input.  A layer
    object (``nn.Conv2d``) has none: its input comes later.
    """

    name: str
    dialect: str
    dims: int
    meaning: Meaning
    tensors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dialect:
    """A framework: its name, the module that defines its calls, and the prefixes people write."""

    name: str
    module: str
    prefixes: tuple[tuple[str, str], ...]  # (as written, as registered)


DIALECTS: tuple[Dialect, ...] = (
    Dialect(
        "PyTorch",
        "derive.dialects.pytorch",
        (
            ("torch.nn.functional.", "F."),
            ("nn.functional.", "F."),
            ("torch.nn.", "nn."),
            ("F.", "F."),
            ("nn.", "nn."),
        ),
    ),
)
CALLS: dict[str, Spec] = {}
AMOUNT = re.compile(r"(p|r|pad|padding|output_padding)(_\w+|\d*)")  # names that may be 0


def call(
    dialect: str, name: str, *, dims: Sequence[int] = (1, 2, 3), tensors: Sequence[str] = ()
) -> Callable[[Meaning], Meaning]:
    """Register the decorated function ``f(dims, …)`` as a call of a dialect."""

    def register(meaning: Meaning) -> Meaning:
        for d in dims:
            spoken = name.format(d=d)
            CALLS[spoken] = Spec(spoken, dialect, d, meaning, tuple(tensors))
        return meaning

    return register


@cache
def load() -> None:
    """Import every dialect, so that its calls are registered."""
    for dialect in DIALECTS:
        importlib.import_module(dialect.module)


def find(name: str) -> Spec:
    """The call that a written name means.

    A prefix may be written in full (``torch.nn.functional.conv2d``) or be left out where only one
    call has the rest of the name.  Raises :class:`derive.errors.WrongInput` for an unknown name.

    >>> find("torch.nn.Conv2d").name
    'nn.Conv2d'
    """
    load()
    for candidate in _candidates(name):
        if candidate in CALLS:
            return CALLS[candidate]
    last = name.rsplit(".", 1)[-1]
    bare = [s for s in CALLS.values() if s.name.rsplit(".", 1)[-1] == last]
    if "." not in name and len(bare) == 1:
        return bare[0]
    if bare:
        known = " or ".join(s.name for s in bare)
        raise WrongInput(f"the call {name!r} may be of several frameworks; write {known}")
    names = {s.name.rsplit(".", 1)[-1]: s.name for s in CALLS.values()}
    near = difflib.get_close_matches(last, names, 3, 0.6)
    hint = (
        f"did you mean {' or '.join(names[n] for n in near)}?"
        if near
        else "see `derive shape --calls`"
    )
    raise WrongInput(f"the call {name!r} is unknown; {hint}")


def known(name: str) -> bool:
    """Is this the name of a call of some framework?

    >>> known("nn.Conv2d"), known("flip")
    (True, False)
    """
    try:
        find(name)
    except WrongInput:
        return False
    return True


def _candidates(name: str) -> list[str]:
    found = [name]
    for dialect in DIALECTS:
        for written, registered in dialect.prefixes:
            if name.startswith(written):
                found.append(registered + name[len(written) :])
    return found


def bind(spec: Spec, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Layer:
    """The call with its arguments, defaults filled in.

    Raises:
        WrongInput: for missing or unknown arguments, and for values that the framework refuses.
    """
    signature = inspect.signature(spec.meaning)
    try:
        bound = signature.bind(spec.dims, *arguments, **keywords)
    except TypeError as error:
        raise WrongInput(_misfit(spec, signature, keywords, error)) from None
    bound.apply_defaults()
    given = {k: v for k, v in bound.arguments.items() if k != "dims"}
    return rebuild(spec, given)


def rebuild(spec: Spec, given: Mapping[str, Any]) -> Layer:
    """The layer for arguments by name (all of them)."""
    try:
        layer = spec.meaning(spec.dims, **given)
    except WrongInput as error:
        text = str(error)
        raise WrongInput(text if text.startswith(spec.name) else f"{spec.name}: {text}") from None
    return replace(layer, name=spec.name, dialect=spec.dialect, arguments=dict(given))


def _misfit(
    spec: Spec, signature: inspect.Signature, keywords: Mapping[str, Any], error: TypeError
) -> str:
    parameters = {n: p for n, p in signature.parameters.items() if n != "dims"}
    shown = ", ".join(
        n if p.default is p.empty else f"{n}={show(p.default)}" for n, p in parameters.items()
    )
    for name in keywords:
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"it is called as {spec.name}({shown})"
            return f"{spec.name}: there is no argument {name!r}; {hint}"
    fact = str(error).replace("a required argument", "the argument")
    return f"{spec.name}: {fact}; it is called as {spec.name}({shown})"


def layer_of(written: Call) -> Layer:
    """The layer of a call as it is written.

    Raises :class:`derive.errors.WrongInput` for unknown names and refused arguments.
    """
    spec = find(written.name)
    plain = [number(a) for a in written.arguments]
    return bind(spec, plain, {k: number(v) for k, v in written.keywords})


def read_layer(text: str) -> Layer:
    """The layer of a text with one call.

    >>> read_layer("nn.Conv1d(4, 8, 3, padding=1)").arguments["stride"]
    1
    """
    value = read_calls(text)[-1].value
    if not isinstance(value, Call):
        raise WrongInput(
            f"reading the call: {show(value)} is no call; write one, as nn.Conv2d(3, 16, 3)"
        )
    return layer_of(value)


def number(value: Any) -> Any:
    """A written value as the dialects take it: names are sizes, tuples keep their form."""
    if isinstance(value, tuple):
        return tuple(number(v) for v in value)
    if isinstance(value, Name) and value.shape is None:
        return offset(value.name) if AMOUNT.fullmatch(value.name) else size(value.name)
    if isinstance(value, Sum):
        return _sum(value)
    if isinstance(value, Fraction) and value.denominator == 1:
        return int(value)
    return value


def _sum(value: Sum) -> Expr:
    left, right = number(value.left), number(value.right)
    if isinstance(left, Fraction) or isinstance(right, Fraction):
        raise WrongInput(f"{value}: sizes are integers; write // for a quotient")
    match value.sign:
        case "+":
            return left + right  # type: ignore[no-any-return]
        case "-":
            return left - right  # type: ignore[no-any-return]
        case "*":
            return left * right  # type: ignore[no-any-return]
        case "//":
            return left // right  # type: ignore[no-any-return]
        case "%":
            return left % right  # type: ignore[no-any-return]
    raise WrongInput(f"{value}: sizes are integers; write // for a quotient")
