"""The functions of the claim language: the registered operators, and what is asked about them."""

from __future__ import annotations

import ast
import difflib
import inspect
import re
from collections.abc import Callable
from typing import Any

from derive.claims.arrays import Row
from derive.claims.fields import FIELD_FUNCTIONS
from derive.claims.named_padding import NAMED_PADDING
from derive.claims.names import Names
from derive.claims.questions import QUESTIONS
from derive.claims.selections import pooled_values, relation, selection_laws, unscaled
from derive.claims.size_functions import SIZE_FUNCTIONS
from derive.claims.values import Count, Op, canonical
from derive.errors import CannotBe, NotSupported, WrongInput
from derive.expr import FALSE, Expr
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
REORDERING = ("permute", "select")  # what letter an axis has is not known after these
FUNCTIONS: dict[str, Callable[..., Any]] = {**QUESTIONS, **FIELD_FUNCTIONS, **SIZE_FUNCTIONS}


def call(name: str, arguments: list[Any], keywords: dict[str, Any], names: Names) -> Any:
    """The value of a function.  Raises :class:`derive.errors.WrongInput` for unknown names and
    :class:`derive.errors.CannotBe` for arguments that never fit.
    """
    if name not in ("shape", "length"):
        for f in (*arguments, *keywords.values()):
            if isinstance(f, Op) and f.shape_only:
                raise NotSupported(
                    f"{name}: {f.shape_only}, so that values are out of scope; claim the shape"
                )
    if name in OPERATORS:
        try:
            return _operator(name, arguments, keywords, names)
        except (WrongInput, CannotBe) as e:  # which operator it was is part of the message
            told = str(e)
            named = re.search(rf"\b{name}\b", told)
            raise type(e)(told if named else f"{name}: {told}") from None
    if name in FUNCTIONS:
        return FUNCTIONS[name](names, *arguments, **keywords)
    known = sorted([*OPERATORS, *FUNCTIONS])
    near = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"did you mean {near[0]!r}?" if near else "`derive check --operators` lists all"
    raise WrongInput(f"the operator {name!r} is unknown; {hint}")


def _operator(name: str, arguments: list[Any], keywords: dict[str, Any], names: Names) -> Op:
    operator = OPERATORS[name]
    signature = inspect.signature(operator.build)
    given = {
        p: canonical(v) if isinstance(v, Op) else v
        for p, v in signature.bind(*arguments, **keywords).arguments.items()
    }
    for parameter, value in given.items():
        if (parameter in operator.tensors) != isinstance(value, Op):
            wanted = "an operator or a tensor" if parameter in operator.tensors else "a number"
            raise WrongInput(f"{name}: {parameter} is {describe(value)}; {wanted} was expected")
    operands = [given[t] for t in operator.tensors if t in given]
    plain = {k: v.form if isinstance(v, Op) else numbers(v) for k, v in given.items()}
    if isinstance(plain.get("padding"), str) and name in NAMED_PADDING:
        plain = {**plain, **NAMED_PADDING[name](plain)}
    defined = all(FALSE not in o.form.requires for o in operands)
    selects = name == "max_pool" or any(o.selects for o in operands)
    taps = "selection" in plain or name == "max_unpool" or any(o.taps for o in operands)
    if name == "max_pool" and "selection" not in plain:
        # the selection of a·f with a > 0 is that of f
        plain["selection"] = names.selection(operator.build(**{**plain, "x": unscaled(plain["x"])}))
    form = operator.build(**plain)
    if defined and FALSE in form.requires:
        raise CannotBe(
            f"{name}: with these numbers there is no output (as when a kernel is longer than its padded "
            "input), or one is out of range; change the sizes"
        )
    cut = None
    if name == "max_pool":
        names.laws += selection_laws(form, plain)
        cut = None if taps else pooled_values(form, given["x"], plain, names)
    elif selects and not taps:
        inner = {t: given[t].values for t in operator.tensors if t in given}
        cut = None if None in inner.values() else operator.build(**{**plain, **inner})
    axes = operands[0].axes if operands and name not in REORDERING else ""
    axes = axes if len(axes) == form.rank else ""
    return Op(form, relation(name, plain, operands), selects, cut, taps, axes)


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
    shown = signature(name) if name in OPERATORS or name in FUNCTIONS else f"{name}(…)"
    return f"{error}; it is called as {shown}"


def signature(name: str) -> str:
    """How an operator or a function of the language is called.

    >>> signature("decimate")
    'decimate(x, s, start=0, dims=None)'
    >>> signature("length")
    'length(f, axis=None)'
    """
    build = OPERATORS[name].build if name in OPERATORS else FUNCTIONS[name]
    shown = []
    for p in inspect.signature(build).parameters.values():
        if p.name in ("names", "selection"):
            continue
        star = "*" if p.kind is inspect.Parameter.VAR_POSITIONAL else ""
        default = p.default
        if isinstance(default, Expr):
            default = default.constant
        shown.append(f"{star}{p.name}" + ("" if p.default is p.empty else f"={default!r}"))
    return f"{name}({', '.join(shown)})"


def summary(name: str) -> str:
    """What an operator or a function of the language is, in one line of plain text.

    >>> summary("flip")
    'Reverse the last dims axes (all by default): y[i] = x[n - 1 - i]; rot180 in 2-D.'
    """
    build = OPERATORS[name].build if name in OPERATORS else FUNCTIONS[name]
    first = (inspect.getdoc(build) or "").split("\n\n", 1)[0]
    line = " ".join(re.sub(r":\w+:`(\w+)`", r"\1", first).replace("``", "").split())
    return line if len(line) <= 120 else line.split(". ")[0].rstrip(":.") + "."


def vocabulary() -> dict[str, tuple[str, ...]]:
    """The operators by family, then the functions of the language."""
    families: dict[str, list[str]] = {}
    for o in OPERATORS.values():
        families.setdefault(o.family, []).append(o.name)
    families["questions about operators"] = [*QUESTIONS, *FIELD_FUNCTIONS]
    families["sizes"] = [*SIZE_FUNCTIONS]
    return {family: tuple(names) for family, names in families.items()}
