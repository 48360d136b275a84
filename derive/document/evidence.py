"""The part of a theorem's document that shows it at one small size: matrices, pictures, derivation.

All of this is *instance* evidence: it is computed and compared at the sizes shown, and says nothing
about other sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from derive.decide.solver import Law
from derive.derivation import Derivation, MatrixComparison, instance_evidence, latex_pieces
from derive.document.math import name_latex
from derive.document.model import Block, Figure, Math, Paragraph
from derive.document.picture import of_matrix, windows
from derive.errors import DeriveError
from derive.evaluation import holds
from derive.expr import Apply, expressions
from derive.form import Form
from derive.matrix import Matrix, to_latex
from derive.recognise import Structure, describe
from derive.theorems.model import Equal, EqualIff, Part

PICTURE_ROWS, PICTURE_COLUMNS = 14, 16


def instance_blocks(part: Part) -> tuple[Block, ...]:
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
        found = instance_evidence(statement.left, statement.right, part.wrt, sizes)
    except DeriveError:
        return ()
    note = Paragraph(f"{shown}{_function_note(chosen)}.", "Sizes")
    blocks: list[Block] = [note, *_windows(statement.left, sizes)]
    if isinstance(found, Derivation):
        return (*blocks, *_derived(found))
    return (*blocks, *_compared(found, part.wrt))


def _derived(d: Derivation) -> list[Block]:
    """The derivation by SymPy: pairing, derivatives, transpose, and the claimed operator beside it."""
    blocks: list[Block] = []
    *pieces, (verdict, lines) = latex_pieces(d)
    for sentence, formula in pieces:
        blocks += [Paragraph(sentence), Math(formula)]
    picture = _figure(
        d.claimed,
        f"∇{d.operand}",
        "The matrix of the claimed operator; equal entries share a colour.",
    )
    if d.agrees and picture:
        return [*blocks, Paragraph(verdict), *picture, *_kinds(d.structures)]
    return [*blocks, Paragraph(verdict), Math(lines), *_kinds(d.structures)]


def _compared(found: MatrixComparison, wrt: str) -> list[Block]:
    """Both sides as matrices."""
    left, right = found.left, found.right
    blocks: list[Block] = [
        Paragraph(
            f"The left side as a matrix that acts on ${name_latex(wrt)}$ ({left.shape[0]} by "
            f"{left.shape[1]}):"
        ),
        Math((to_latex(left),)),
        *_figure(left, "y", "The same matrix; equal entries share a colour."),
        *_kinds(found.structures),
    ]
    if found.agrees:
        same = (
            "The matrix of the right side has the same entries, compared one by one as polynomials."
        )
        return [*blocks, Paragraph(same)]
    return [*blocks, Paragraph("The matrix of the right side differs:"), Math((to_latex(right),))]


def _figure(a: Matrix, letter: str, caption: str) -> list[Block]:
    if not a.entries or a.shape[0] > PICTURE_ROWS or a.shape[1] > PICTURE_COLUMNS:
        return []
    return [Figure(of_matrix(a, letter), caption)]


def _kinds(structures: Sequence[Structure]) -> list[Block]:
    if not structures:
        return []
    names = ", ".join(dict.fromkeys(describe(s).split(":")[0] for s in structures))
    return [Paragraph(f"Recognised at this size: {names}.")]


def _windows(left: Form, sizes: Mapping[str, Any]) -> list[Block]:
    """The operator (for a gradient, the one whose gradient is taken) as windows over its input."""
    call = left.call
    y = call.operands[0] if call is not None and call.operator == "vjp" else left
    picture = windows(y, sizes)
    if picture is None:
        return []
    return [
        Figure(picture, "The operator: its windows over the padded input, one row for each output.")
    ]


def selections(
    forms: Sequence[Form], sizes: Mapping[str, Any], laws: Sequence[Law]
) -> dict[str, Callable[..., Any]] | None:
    """A choice for every unknown function that keeps its laws: the last tap, then the one before,
    and so on.  None where no simple choice keeps them.
    """
    names: dict[str, int] = {}
    for f in forms:
        for t in f.terms:
            spoken = [e for c in t.where for e in expressions(c)] + [
                e for r in t.reads for e in r.at
            ]
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


def _function_note(chosen: Mapping[str, Callable[..., Any]]) -> str:
    if not chosen:
        return ""
    names = ", ".join(f"${name_latex(n)}$" for n in chosen)
    return (
        f"; the unknown function {names} takes its largest value first, then one less for each "
        "step, cyclically"
    )
