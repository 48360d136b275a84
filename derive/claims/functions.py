"""The functions of the claim language: the registered operators, and what is asked about them."""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Callable
from typing import Any

from derive.claims.arrays import Row
from derive.claims.fields import FIELD_FUNCTIONS
from derive.claims.named_padding import NAMED_PADDING
from derive.claims.names import Names
from derive.claims.questions import QUESTIONS
from derive.claims.selections import pooled_values, relation, selection_laws, unscaled
from derive.claims.size_functions import SIZE_FUNCTIONS
from derive.claims.values import Count, Op
from derive.errors import WrongInput
from derive.expr import Expr
from derive.form import Ratio
from derive.operators import OPERATORS

COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
MAX_SIZE = 100_000
FUNCTIONS: dict[str, Callable[..., Any]] = {**QUESTIONS, **FIELD_FUNCTIONS, **SIZE_FUNCTIONS}


def call(name: str, arguments: list[Any], keywords: dict[str, Any], names: Names) -> Any:
    """The value of a function.  Raises :class:`derive.errors.WrongInput` for unknown names."""
    if name in OPERATORS:
        return _operator(name, arguments, keywords, names)
    if name in FUNCTIONS:
        return FUNCTIONS[name](names, *arguments, **keywords)
    known = sorted([*OPERATORS, *FUNCTIONS])
    near = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else "`derive check --help` lists the operators"
    raise WrongInput(f"the operator {name!r} is unknown; {hint}")


def _operator(name: str, arguments: list[Any], keywords: dict[str, Any], names: Names) -> Op:
    operator = OPERATORS[name]
    signature = inspect.signature(operator.build)
    given = signature.bind(*arguments, **keywords).arguments
    for parameter, value in given.items():
        if (parameter in operator.tensors) != isinstance(value, Op):
            wanted = "an operator or a tensor" if parameter in operator.tensors else "a number"
            raise WrongInput(f"{name}: {parameter} is {describe(value)}; {wanted} was expected")
    operands = [given[t] for t in operator.tensors if t in given]
    plain = {k: v.form if isinstance(v, Op) else numbers(v) for k, v in given.items()}
    if isinstance(plain.get("padding"), str) and name in NAMED_PADDING:
        plain = {**plain, **NAMED_PADDING[name](plain)}
    selects = name == "max_pool" or any(o.selects for o in operands)
    taps = name == "max_unpool" or any(o.taps for o in operands)
    if name == "max_pool" and "selection" not in plain:
        # the selection of a·f with a > 0 is that of f
        plain["selection"] = names.selection(operator.build(**{**plain, "x": unscaled(plain["x"])}))
    form = operator.build(**plain)
    cut = None
    if name == "max_pool":
        names.laws += selection_laws(form, plain)
        cut = pooled_values(form, given["x"], plain, names)
    elif selects and not taps:
        inner = {t: given[t].values for t in operator.tensors if t in given}
        cut = None if None in inner.values() else operator.build(**{**plain, **inner})
    return Op(form, relation(name, plain, operands), selects, cut, taps)


def numbers(value: Any) -> Any:
    """A parameter as the operators take it."""
    if isinstance(value, tuple):
        return tuple(numbers(v) for v in value)
    if isinstance(value, Ratio):
        raise WrongInput(
            f"the fraction {value} stands where an integer is needed; write // for a quotient"
        )
    if isinstance(value, Expr) and value.constant is not None:
        if abs(value.constant) > MAX_SIZE:
            raise WrongInput(
                f"the size {value} is over the limit of {MAX_SIZE}; use a symbol for a large size"
            )
        return value.constant
    return value


def describe(value: Any) -> str:
    """A value in words, for messages."""
    if isinstance(value, Op):
        return "an operator"
    if isinstance(value, (Expr, Ratio)):
        return f"the number {value}"
    if isinstance(value, tuple):
        return "a shape or tuple"
    if isinstance(value, Count):
        return "a count"
    if isinstance(value, str):
        return f"the text {value!r}"
    return "a statement" if not isinstance(value, (bool, type(None), Row)) else f"{value}"


def signature_error(name: str, error: TypeError) -> str:
    """What is wrong with the arguments of a call, and how it is called."""
    build: Callable[..., Any] | None = (
        OPERATORS[name].build if name in OPERATORS else FUNCTIONS.get(name)
    )
    shown = str(inspect.signature(build)) if build is not None else "(…)"
    plain = [
        p.split(":")[0].strip("( )") + (" =" + p.split("=")[1].strip(" )") if "=" in p else "")
        for p in shown.split(" -> ")[0].split(", ")
    ]
    kept = [p for p in plain if p not in ("names", "selection ='σ'")]
    return f"{error}; it is called as {name}({', '.join(kept)})"
