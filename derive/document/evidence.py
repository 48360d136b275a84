"""The part of a theorem's document that shows it at one small size: matrices, pictures, derivation.

All of this is *instance* evidence: it is computed and compared at the sizes shown, and says nothing
about other sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from derive.decide.solver import Law
from derive.document.calls import Unnamed, piece
from derive.document.math import name_latex
from derive.document.model import Block, Figure, Math, Paragraph
from derive.document.picture import of_matrix, windows
from derive.document.sums import Setting
from derive.errors import DeriveError
from derive.expr import Apply, expressions, holds
from derive.form import Form
from derive.matrix import Matrix, matrix, same, to_latex
from derive.recognise import describe, recognise
from derive.theorems.model import Equal, EqualIff, Part

PICTURE_ROWS, PICTURE_COLUMNS = 14, 16


def instance_blocks(part: Part, setting: Setting, unnamed: Unnamed) -> tuple[Block, ...]:
    """Both sides of a part as matrices at its instance sizes, compared entry by entry."""
    statement = part.statement
    if not isinstance(statement, (Equal, EqualIff)) or part.wrt is None or not part.instance:
        return ()
    sizes: dict[str, Any] = dict(part.instance)
    shown = ", ".join(f"${name_latex(k)} = {v}$" for k, v in part.instance.items())
    chosen = selections((statement.left, statement.right), sizes, part.laws)
    if chosen is None:
        return ()
    sizes.update(chosen)
    try:
        left, right = (matrix(f, part.wrt, sizes) for f in (statement.left, statement.right))
    except DeriveError:
        return ()
    wrt = name_latex(part.wrt)
    blocks: list[Block] = [Paragraph(f"{shown}{_function_note(chosen, setting)}.", "Sizes")]
    blocks += _forward(statement.left, part, sizes)
    head = Paragraph(
        f"The left side as a matrix that acts on ${wrt}$ ({left.shape[0]} by {left.shape[1]})"
        f"{_structure(left)}:"
    )
    blocks += [head, Math((to_latex(left),))]
    if left.shape[0] <= PICTURE_ROWS and left.shape[1] <= PICTURE_COLUMNS and left.entries:
        blocks.append(Figure(of_matrix(left, setting_letter(part)), "The same matrix; equal entries share a colour."))
    if same(left, right):
        blocks.append(Paragraph("The matrix of the right side has the same entries, compared one by one as polynomials."))
    else:
        blocks += [Paragraph("The matrix of the right side differs:"), Math((to_latex(right),))]
    return tuple(blocks)


def setting_letter(part: Part) -> str:
    """The letter for the output of the sides of a part."""
    call = part.statement.left.call if isinstance(part.statement, (Equal, EqualIff)) else None
    if call is not None and call.operator == "vjp":
        return "∇" + str(dict(call.parameters)["wrt"])
    return "y"


def _structure(a: Matrix) -> str:
    found = recognise(a)
    return f", {describe(found[0]).split(':')[0]}" if found else ""


def _forward(left: Form, part: Part, sizes: Mapping[str, Any]) -> list[Block]:
    """For a gradient: the operator whose gradient is taken, as windows and as a matrix."""
    call = left.call
    if call is None:
        return []
    y = call.operands[0] if call.operator == "vjp" else left
    blocks: list[Block] = []
    picture = windows(y, sizes)
    if picture is not None:
        blocks.append(Figure(picture, "The operator: its windows over the padded input, one row for each output."))
    wrt = str(dict(call.parameters).get("wrt", ""))
    if call.operator == "vjp" and any(t == wrt for t, _ in y.tensors):
        try:
            a = matrix(y, wrt, sizes)
        except DeriveError:
            return blocks
        blocks.append(
            Paragraph(f"The operator as a matrix that acts on ${name_latex(wrt)}$ ({a.shape[0]} by {a.shape[1]}){_structure(a)}:")
        )
        blocks.append(Math((to_latex(a),)))
    return blocks


def selections(
    forms: Sequence[Form], sizes: Mapping[str, Any], laws: Sequence[Law]
) -> dict[str, Callable[..., Any]] | None:
    """A choice for every unknown function that keeps its laws: the last tap, then the one before,
    and so on.  None where no simple choice keeps them."""
    names: dict[str, int] = {}
    for f in forms:
        for t in f.terms:
            spoken = [e for c in t.where for e in expressions(c)] + [e for r in t.reads for e in r.at]
            for e in spoken:
                for a in e.atoms():
                    if isinstance(a, Apply):
                        names[a.name] = len(a.arguments)
    found: dict[str, Callable[..., Any]] = {}
    for name in sorted(names):
        limit = _limit(name, sizes, laws)
        if limit is None:
            return None
        found[name] = _cycle(limit)
    return found


def _cycle(limit: int) -> Callable[..., Any]:
    def value(*at: Any) -> Any:
        return (limit - 1 - sum(at)) % limit

    return value


def _limit(name: str, sizes: Mapping[str, Any], laws: Sequence[Law]) -> int | None:
    """How many values a function may take at all arguments: the laws are tried one value at a time."""
    mine = [law for law in laws if law.function == name]
    if not mine:
        axis = name.lstrip("σ")
        for key in (f"k{axis}", "k"):
            if key in sizes:
                return int(sizes[key])
        return None
    for v in range(64):
        for law in mine:
            env = {**sizes, name: lambda *_, v=v: v, **{p.name: 0 for p in law.parameters}}
            try:
                if not bool(holds(law.cond, env)):
                    return v or None
            except (KeyError, TypeError):
                return None
    return None


def _function_note(chosen: Mapping[str, Callable[..., Any]], setting: Setting) -> str:
    if not chosen:
        return ""
    names = ", ".join(f"${name_latex(n)}$" for n in chosen)
    return f"; the unknown function {names} takes its largest value first, then one less for each step, cyclically"


def call_text(form: Form, setting: Setting, unnamed: Unnamed) -> str:
    """The operator call on one line."""
    return piece(form, setting, unnamed).text()
