"""The values of integer expressions and conditions where their symbols are integers or arrays.

>>> from derive.expr import maximum
>>> from derive.symbols import sizes
>>> n, k = sizes("n k")
>>> value(maximum(n - k, 0) // 2, {"n": 9, "k": 4}), holds(n >= k, {"n": 3, "k": 4})
(2, False)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from derive.expr import (
    All,
    Any_,
    Apply,
    Atom,
    Cond,
    Div,
    Env,
    Eq,
    Expr,
    Ge,
    Indicator,
    Max,
    Not,
    Sym,
)


def value(expr: Expr, env: Env) -> Any:
    """The value of an expression where symbols have the values in ``env`` (ints or arrays)."""
    total: Any = 0
    for monomial, c in expr.terms:
        product: Any = c
        for atom in monomial:
            product = product * _atom(atom, env)
        total = total + product
    return total


def _atom(atom: Atom, env: Env) -> Any:
    match atom:
        case Sym(name):
            return env[name]
        case Div(num, den):
            return value(num, env) // value(den, env)
        case Max(left, right):
            a, b = value(left, env), value(right, env)
            plain = isinstance(a, int) and isinstance(b, int)
            return max(a, b) if plain else _arrays("maximum", a, b)
        case Apply(name, arguments):
            return env[name](*(value(a, env) for a in arguments))
        case Indicator(cond):
            return holds(cond, env) * 1


def holds(cond: Cond, env: Env) -> Any:
    """The truth of a condition where symbols have the values in ``env`` (ints or arrays)."""
    match cond:
        case Ge(e):
            return value(e, env) >= 0
        case Eq(e):
            return value(e, env) == 0
        case Not(inner):
            found = holds(inner, env)
            return not found if isinstance(found, bool) else _arrays("logical_not", found)
        case All(parts):
            return _fold("logical_and", True, (holds(p, env) for p in parts))
        case Any_(parts):
            return _fold("logical_or", False, (holds(p, env) for p in parts))
    raise TypeError(f"not a condition: {cond!r}")


def _fold(operation: str, start: bool, values: Iterable[Any]) -> Any:
    result: Any = start
    for v in values:
        if isinstance(result, bool) and isinstance(v, bool):
            result = (result and v) if operation == "logical_and" else (result or v)
        else:
            result = _arrays(operation, result, v)
    return result


def _arrays(operation: str, *values: Any) -> Any:
    """NumPy's operation of this name; a shape question with numbers never needs the import."""
    import numpy as np

    return getattr(np, operation)(*values)
