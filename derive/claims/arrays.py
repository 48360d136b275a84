"""Arrays that a claim gives in full: rows of numbers as operators without inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from derive.errors import WrongInput
from derive.expr import Expr, eq
from derive.form import Form, Ratio, Value, build, constant

MAX_ARRAY = 1024


@dataclass(frozen=True)
class Row:
    """A list as it is written: numbers or further rows."""

    values: tuple[Any, ...]


def flatten(rows: Any, shape: tuple[int, ...]) -> list[Ratio] | None:
    """The numbers of nested rows in row-major order; None where rows differ in length."""
    if not shape:
        value = Ratio(rows) if isinstance(rows, Expr) else rows
        plain = (
            isinstance(value, Ratio)
            and value.num.constant is not None
            and value.den.constant is not None
        )
        return [value] if plain else None
    if not isinstance(rows, Row) or len(rows.values) != shape[0]:
        return None
    found: list[Ratio] = []
    for r in rows.values:
        inner = flatten(r, shape[1:])
        if inner is None:
            return None
        found += inner
    return found


def array_of(rows: Any) -> Form:
    """Nested rows as a form without inputs.

    Raises :class:`derive.errors.WrongInput` for rows of unequal length, and for too many numbers.
    """
    shape: list[int] = []
    inner = rows
    while isinstance(inner, Row):
        shape.append(len(inner.values))
        inner = inner.values[0] if inner.values else None
    entries = flatten(rows, tuple(shape))
    if not shape or entries is None or 0 in shape:
        raise WrongInput("an array was expected: rows of equal length with at least one number")
    if len(entries) > MAX_ARRAY:
        raise WrongInput(f"arrays have at most {MAX_ARRAY} numbers")
    return array(entries, tuple(shape))


def array(entries: Sequence[Ratio], shape: tuple[int, ...]) -> Form:
    """Numbers given in full, as a form without reads."""

    def body(*i: Expr) -> Value:
        total = constant(0)
        for position, value in enumerate(entries):
            at, rest = [], position
            for n in reversed(shape):
                at.append(rest % n)
                rest //= n
            here = (eq(a, b) for a, b in zip(i, reversed(at), strict=True))
            total = total + constant(value).where(*here)
        return total

    return build(shape, body).named(
        "array", values=tuple(Fraction(int(e.num), int(e.den)) for e in entries), shape=shape
    )
