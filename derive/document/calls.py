r"""Forms as operator calls: ``corr(pad(x; 1, 2), flip(w); stride s)``.

A form remembers how it was written (:class:`derive.form.Call`); a form without a call gets a letter
and is written out as a sum beside the formula.  Long calls are broken into lines, one argument each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from derive.document.math import expression, name_latex
from derive.document.sums import Setting
from derive.expr import Expr, lift
from derive.form import Form
from derive.operators import OPERATORS

# Parameters that are shown as a subscript of the operator, and what the others are called.
SUBSCRIPTS = {
    "zero_insert": "s", "decimate": "s", "nearest_upsample": "s", "bilinear_upsample": "s",
    "pixel_shuffle": "r", "pixel_unshuffle": "r", "triangle": "s", "adaptive_avg_pool": "m",
}  # fmt: skip
LABELS = {
    "k": "kernel", "base_dilation": "base dilation", "output_padding": "output padding",
    "ceil_mode": "ceil mode", "count_include_pad": "count padding", "lengths": "lengths",
    "divisor_override": "divisor", "align_corners": "align corners", "padding_mode": "padding mode",
    "mode": "mode", "s": "factor", "r": "factor", "m": "length", "at": "at", "amount": "by",
}  # fmt: skip
LETTERS = ("F", "G", "H", "P", "Q", "R", "S", "U", "V", "Z")
WIDTH = 62  # characters of a formula on one line


@dataclass
class Unnamed:
    """Collects forms that have no call: each gets a letter, and is written out once."""

    taken: frozenset[str] = frozenset()
    found: list[tuple[str, Form]] = field(default_factory=list)

    def letter(self, form: Form) -> str:
        """The letter of a form (the same one for the same form)."""
        for known, f in self.found:
            if f == form:
                return known
        supply = [c for c in LETTERS if c not in self.taken]
        number = len(self.found)
        choice = supply[number] if number < len(supply) else f"F_{number}"
        self.found.append((choice, form))
        return choice


@dataclass(frozen=True)
class Piece:
    """A formula as a tree: ``head`` alone, or ``head(items; parameters)``."""

    head: str
    items: tuple[Piece, ...] = ()
    parameters: tuple[str, ...] = ()
    opening: str = "("
    closing: str = ")"

    def text(self) -> str:
        """The formula on one line."""
        if not self.items and not self.parameters:
            return self.head
        inside = r",\, ".join(i.text() for i in self.items)
        listed = r",\, ".join(self.parameters)
        middle = rf"{inside};\; {listed}" if inside and listed else inside or listed
        return f"{self.head}{self.opening}{middle}{self.closing}"


def piece(form: Form, setting: Setting, unnamed: Unnamed) -> Piece:
    """The tree of an operator call."""
    call = form.call
    if call is None:
        return Piece(name_latex(unnamed.letter(form)))
    match call.operator:
        case "tensor":
            return Piece(name_latex(str(dict(call.parameters)["name"])))
        case "add":
            parts = tuple(piece(o, setting, unnamed) for o in call.operands)
            return Piece(
                "", (Piece(" + ".join(p.text() for p in parts)),), (), r"\bigl[", r"\bigr]"
            )
        case "vjp":
            inner, g = (piece(o, setting, unnamed) for o in call.operands)
            wrt = name_latex(str(dict(call.parameters)["wrt"]))
            return Piece(rf"\nabla_{{{wrt}}}\,", (g, inner), (), r"\bigl\langle ", r"\bigr\rangle")
        case "scale":
            return _scaled(call.operands[0], dict(call.parameters), setting, unnamed)
    operator = OPERATORS.get(call.operator)
    head = operator.latex if operator else rf"\operatorname{{{call.operator.replace('_', ' ')}}}"
    items = tuple(piece(o, setting, unnamed) for o in call.operands)
    given = {k: v for k, v in call.parameters if not _default(call.operator, k, v)}
    if call.operator == "box" and items == ():
        return Piece(rf"{head}_{{{_value(given['k'], setting)}}}")
    if call.operator == "one_hot":
        return Piece(
            head,
            (Piece(_value(given["at"], setting)),),
            (f"{_text('taps ')}{_value(given['k'], setting)}",),
        )
    if "selection" in given and not items:
        del given["selection"]
    name = SUBSCRIPTS.get(call.operator)
    if name in given and _width(_value(given[name], setting)) <= 8:
        head += f"_{{{_value(given.pop(name), setting)}}}"
    return Piece(head, items, tuple(_parameter(k, v, setting) for k, v in given.items()))


def _scaled(x: Form, given: dict[str, object], setting: Setting, unnamed: Unnamed) -> Piece:
    num = given.get("numerator", 1)
    den = given.get("denominator", 1)
    inner = piece(x, setting, unnamed)
    factor = _value(num, setting)
    if lift_or_int(den) != 1:
        factor = rf"\tfrac{{{factor}}}{{{_value(den, setting)}}}"
    elif len(lift_or_int(num).terms) > 1:
        factor = f"({factor})"
    return Piece(
        rf"{factor}\,{inner.head}", inner.items, inner.parameters, inner.opening, inner.closing
    )


def lift_or_int(value: object) -> Expr:
    """A parameter as an expression."""
    return value if isinstance(value, Expr) else lift(int(str(value)))


def _default(operator: str, name: str, value: object) -> bool:
    plain = {"stride": 1, "dilation": 1, "base_dilation": 1, "padding": 0, "output_padding": 0,
             "groups": 1, "trailing": 0, "start": 0}  # fmt: skip
    if value is None or value is False:
        return name != "count_include_pad"
    if operator in ("sum_pool", "avg_pool", "max_pool", "max_unpool") and name == "stride":
        return False
    if name in plain and not isinstance(value, (str, bool)):
        return all(_flat(v) == plain[name] for v in _leaves(value))
    return (name, value) in (
        ("mode", "zero"),
        ("padding_mode", "zero"),
        ("count_include_pad", True),
    )


def _leaves(value: object) -> list[object]:
    if isinstance(value, (tuple, list)):
        return [leaf for v in value for leaf in _leaves(v)]
    return [value]


def _flat(value: object) -> object:
    return value.constant if isinstance(value, Expr) else value


def _parameter(name: str, value: object, setting: Setting) -> str:
    if name == "dims":
        return rf"{value}\text{{-D}}"
    label = LABELS.get(name, name.replace("_", " "))
    if value is True:
        return _text(label)
    if value is False:
        return _text(f"no {label}")
    return rf"{_text(label + ' ')}{_value(value, setting)}"


def _text(words: str) -> str:
    return rf"\text{{{words}}}"


def _value(value: object, setting: Setting) -> str:
    if isinstance(value, (tuple, list)):
        return "(" + r",\, ".join(_value(v, setting) for v in value) + ")"
    if isinstance(value, Expr):
        return expression(value, setting.plain)
    if isinstance(value, str):
        return name_latex(value) if len(value) == 1 else _text(value.replace("_", " "))
    return str(value)


# -- lines -------------------------------------------------------------------------------------


def width(latex: str) -> int:
    """About how many characters wide a formula is printed."""
    return _width(latex)


def _width(latex: str) -> int:
    if latex.startswith(r"\sum_{\substack{"):
        stack, _, body = latex[len(r"\sum_{\substack{") :].partition("}} ")
        return max(int(0.75 * _width(line)) for line in stack.split(r"\\")) + _width(body)
    text = re.sub(r"\\(text|mathrm|operatorname|mathit|mathsf|tfrac|frac|substack)\b", "", latex)
    text = re.sub(r"\\(bigl|bigr|left|right|;|,| )|[{}]", "", text)
    text = re.sub(r"\\[a-zA-Z]+ ?", "x", text)
    return len(text.replace(" ", "")) + len(re.findall(r" [-+=<] ", text)) * 2


def call_lines(
    form: Form, setting: Setting, unnamed: Unnamed, limit: int = WIDTH
) -> tuple[str, ...]:
    """The operator call, broken into lines where it is long."""
    return tuple(_broken(piece(form, setting, unnamed), limit, 0))


def _broken(p: Piece, limit: int, depth: int) -> list[str]:
    indent = r"\quad " * depth
    if _width(p.text()) + 2 * depth <= limit or not p.items:
        return [indent + p.text()]
    opening = p.opening if p.opening != "(" else r"\bigl("
    closing = p.closing if p.closing != ")" else r"\bigr)"
    lines = [f"{indent}{p.head}{opening}"]
    joined = True  # may the next plain item stand on the same line?
    for number, item in enumerate(p.items):
        end = "," if number + 1 < len(p.items) else ";" if p.parameters else ""
        if joined and not item.items and _width(lines[-1]) + _width(item.text()) <= limit - 8:
            lines[-1] += ("" if number == 0 else r"\, ") + item.text() + end
            continue
        joined = False
        inner = _broken(item, limit, depth + 1)
        inner[-1] += end
        lines += inner
    for number, row in enumerate(_rows(p.parameters, limit - 2 * depth)):
        last = number == len(_rows(p.parameters, limit - 2 * depth)) - 1
        lines.append(rf"{indent}\quad {row}{'' if last else ','}")
    lines[-1] += closing
    return lines


def _rows(texts: Sequence[str], limit: int) -> list[str]:
    rows: list[str] = []
    for t in texts:
        if rows and _width(rows[-1]) + _width(t) + 2 <= limit:
            rows[-1] += rf",\, {t}"
        else:
            rows.append(t)
    return rows
