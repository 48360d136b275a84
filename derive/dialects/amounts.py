"""Names that stand for a padding: they may be 0, where other sizes are at least 1."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from derive.dialects.calls import Assigned, Call, Name, Sum
from derive.dialects.registry import find, named, spelled
from derive.errors import WrongInput

PADDINGS = re.compile(r".*(pad|crop).*")  # parameters whose values may be 0


def marked(statements: Sequence[Assigned]) -> tuple[Assigned, ...]:
    """The statements with the names marked that stand for a padding everywhere.

    >>> from derive.dialects.calls import read_calls
    >>> call = marked(read_calls("nn.Conv2d(3, 16, (k, l), padding=(p, q))"))[0].value
    >>> [v.amount for v in call.arguments[2]], [v.amount for v in dict(call.keywords)["padding"]]
    ([False, False], [True, True])
    """
    paddings: set[str] = set()
    others: set[str] = set()
    for s in statements:
        _places(s.value, False, paddings, others)
    found = paddings - others
    if not found:
        return tuple(statements)
    return tuple(replace(s, value=_changed(s.value, lambda n: n.name in found)) for s in statements)


def _places(value: Any, padding: bool, paddings: set[str], others: set[str]) -> None:
    """Collect the names that stand alone for a padding, and those in any other place."""
    if isinstance(value, Name):
        (paddings if padding else others).add(value.name)
    elif isinstance(value, Sum):  # what is computed from a name says nothing of its least value
        _places((value.left, value.right), False, paddings, others)
    elif isinstance(value, tuple):
        for v in value:
            _places(v, padding, paddings, others)
    elif isinstance(value, Call):
        for parameter, v in _arguments(value):
            amount = PADDINGS.fullmatch(parameter) is not None
            _places(v, amount, paddings, others)
        _places((*value.on, *(v for _, v in value.on_keywords)), False, paddings, others)


def _arguments(written: Call) -> Iterator[tuple[str, Any]]:
    """The arguments by parameter; without a name where the call is unknown or does not fit."""
    given = (*written.arguments, *(v for _, v in written.keywords))
    if not _has_name(given):  # nothing to look up
        yield from (("", v) for v in given)
        return
    try:
        meant = spelled(written)
        spec = find(meant.name, meant)
        names = named(spec, dict(meant.keywords))
        bound = inspect.signature(spec.meaning).bind_partial(spec.dims, *meant.arguments, **names)
    except (WrongInput, TypeError):
        yield from (("", v) for v in given)
        return
    yield from bound.arguments.items()


def _has_name(value: Any) -> bool:
    return any(map(_has_name, value)) if isinstance(value, tuple) else isinstance(value, Name)


def _changed(value: Any, amount: Callable[[Name], bool]) -> Any:
    if isinstance(value, Name):
        return replace(value, amount=True) if amount(value) else value
    if isinstance(value, Sum):
        return replace(
            value, left=_changed(value.left, amount), right=_changed(value.right, amount)
        )
    if isinstance(value, tuple):
        return tuple(_changed(v, amount) for v in value)
    if isinstance(value, Call):
        return replace(
            value,
            arguments=_changed(value.arguments, amount),
            keywords=tuple((k, _changed(v, amount)) for k, v in value.keywords),
            on=_changed(value.on, amount),
            on_keywords=tuple((k, _changed(v, amount)) for k, v in value.on_keywords),
        )
    return value
