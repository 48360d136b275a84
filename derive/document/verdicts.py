"""Verdicts and counterexamples in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from derive.decide.verdict import Counterexample, HoldsWhen, Proved, Refuted, Undecided, Verdict
from derive.document.math import condition, name_latex
from derive.document.model import Box
from derive.document.sums import Setting
from derive.expr import FALSE
from derive.form import Form


def verdict_box(verdict: Verdict, setting: Setting, forms: Sequence[Form] = ()) -> Box:
    """What was found for one statement."""
    match verdict:
        case Proved(method):
            return Box(
                "proved", "Proved for all sizes" + (f" ({method})" if method != "solver" else "")
            )
        case HoldsWhen(cond, method):
            tail = f" ({method})" if method != "solver" else ""
            if cond == FALSE:
                return Box("holds", f"Proved: it holds for no sizes{tail}")
            return Box(
                "holds",
                f"Proved: it holds exactly when the condition is met{tail}",
                "Both directions are proved for all sizes.",
            )
        case Refuted(found):
            return Box(
                "refuted",
                "Refuted",
                f"Smallest counterexample: {counterexample(found, setting, forms)}",
            )
        case Undecided(reason, checked):
            return Box("undecided", "Undecided", f"{reason}; checked: {checked}.")


def counterexample(c: Counterexample, setting: Setting, forms: Sequence[Form] = ()) -> str:
    """A counterexample in words."""
    where = ", ".join(f"${name_latex(k)} = {v}$" for k, v in c.sizes) or "no sizes to choose"
    for name, values in c.functions:
        where += "".join(
            f", ${name_latex(name)}({', '.join(map(str, a))}) = {v}$" for a, v in values[:6]
        )
        where += ", …" if len(values) > 6 else ""
    match c.kind:
        case "shape":
            return (
                f"at {where} the output shapes are {_shape(c.left_shape)} on the left and "
                f"{_shape(c.right_shape)} on the right."
            )
        case "value":
            read = r"\,".join(f"{name_latex(t)}[{', '.join(map(str, at))}]" for t, at in c.reads)
            of = f"the coefficient of ${read}$" if read else "the constant"
            at = (
                f"output position $({', '.join(map(str, c.output or ()))})$"
                if c.output
                else "the output"
            )
            return (
                f"at {where}, in {at}, {of} is ${_number(c.left)}$ on the left and "
                f"${_number(c.right)}$ on the right."
            )
        case "undefined":
            need = (
                f": it needs ${condition(c.requirement, replace(setting.plain, shorts=()))}$"
                if c.requirement is not None
                else ""
            )
            return f"at {where} an operator is not defined{need}."
    return f"at {where} the statement is false."


def _shape(shape: tuple[int, ...] | None) -> str:
    return f"$({', '.join(map(str, shape or ()))}{',' if shape and len(shape) == 1 else ''})$"


def _number(value: Fraction | None) -> str:
    if value is None:
        return "?"
    return (
        str(value.numerator)
        if value.denominator == 1
        else rf"{value.numerator}/{value.denominator}"
    )
