"""Functions of sizes alone: length rules, minima and maxima, how many sizes meet a condition."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from derive import shapes
from derive.claims.names import Names
from derive.claims.values import About
from derive.decide.normal import count_of
from derive.errors import WrongInput
from derive.expr import Expr, all_of, ceil_div, divides, eq, implies, maximum, minimum
from derive.expr import subst_cond as put


def _number(names: Names, variable: Expr, condition: About) -> Expr:
    """How many values of a size meet a condition."""
    if variable.symbol is None:
        raise WrongInput("number: the first operand is the size that is counted; name one")
    least = () if variable.symbol.minimum is None else (variable >= variable.symbol.minimum,)
    return count_of(variable.symbol, (condition.cond, *least))


def _is_smallest(names: Names, value: Expr, variable: Expr, condition: About) -> About:
    """Is ``value`` the smallest ``variable`` that meets the condition?"""
    return _extreme(value, variable, condition, below=True)


def _is_largest(names: Names, value: Expr, variable: Expr, condition: About) -> About:
    """Is ``value`` the largest ``variable`` that meets the condition?"""
    return _extreme(value, variable, condition, below=False)


def _extreme(value: Expr, variable: Expr, condition: About, below: bool) -> About:
    symbol = variable.symbol
    if symbol is None:
        raise WrongInput("is_smallest(value, n, condition): the second operand names a size")
    reached = put(condition.cond, {symbol: value})
    beyond = variable < value if below else variable > value
    return About(all_of(reached, implies(all_of(beyond, condition.cond), eq(0, 1))))


def _rule(rule: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(rule)
    def apply(names: Names, *arguments: Any, **keywords: Any) -> Any:
        return rule(*arguments, **keywords)

    return apply


def _min(*values: Expr) -> Expr:
    """The smallest of some integers."""
    return _chain(minimum, values)


def _max(*values: Expr) -> Expr:
    """The largest of some integers."""
    return _chain(maximum, values)


def _divides(divisor: Expr, value: Expr) -> About:
    """Is ``value`` a multiple of ``divisor``?"""
    return About(divides(divisor, value))


def _chain(step: Callable[[Expr, Expr], Expr], values: tuple[Expr, ...]) -> Expr:
    if not values:
        raise WrongInput("min, max: at least one integer was expected")
    result = values[0]
    for v in values[1:]:
        result = step(result, v)
    return result


SIZE_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "number": _number,
    "is_smallest": _is_smallest,
    "is_largest": _is_largest,
    "min": _rule(_min),
    "max": _rule(_max),
    "ceil_div": _rule(ceil_div),
    "divides": _rule(_divides),
    "conv_length": _rule(shapes.conv_length),
    "conv_transpose_length": _rule(shapes.conv_transpose_length),
    "ceil_length": _rule(shapes.ceil_length),
    "same_length": _rule(shapes.same_length),
    "same_padding": _rule(shapes.same_padding),
    "conv_remainder": _rule(shapes.conv_remainder),
    "effective_length": _rule(shapes.effective_length),
}
