"""The answers as text, as LaTeX and as data for JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:  # only the kind of answer that there is was imported
    from derive.dialects.chain_shape import ChainAxis, ChainRow, ChainShape
    from derive.dialects.lengths import Lengths
    from derive.dialects.question import AxisShape, LayerShape, Length
    from derive.dialects.solve import Solutions

Answer: TypeAlias = "LayerShape | ChainShape | Solutions"
FEW = 12


def shown(shape: Sequence[Length]) -> str:
    """A shape in brackets."""
    return f"({', '.join(map(str, shape))})"


# -- text ------------------------------------------------------------------------------------------


def text(answer: Answer) -> str:
    """An answer as lines of text."""
    if answer.kind == "layer":
        return "\n".join(_layer_lines(answer))
    return "\n".join(_chain_lines(answer) if answer.kind == "chain" else _solved(answer))


def _layer_lines(a: LayerShape) -> list[str]:
    arrow = f"{shown(a.input)} → {shown(a.output)}"
    orders = a.layout if a.layout == a.output_layout else f"{a.layout} → {a.output_layout}"
    weights = [f"{name} {shown(shape)} {axes}" for name, axes, shape in a.weights]
    lines = [a.call, f"{arrow}   {a.dialect}, {orders.replace('?', '·')}"]
    if weights:
        lines.append(", ".join(weights))
    lines.append("")
    for axes in grouped(a.axes):
        lines += _axis_lines(axes)
    lines += [_entry("with", f"{d}, as it is not given") for d in a.defaults]
    if a.requires:
        lines.append(_entry("needs", "; ".join(_one_axis(a.requires, a.axes))))
    return [*lines, *(_entry("but", note) for note in a.notes)]


def _one_axis(
    requires: Sequence[str], axes: Sequence[AxisShape] | Sequence[ChainAxis]
) -> list[str]:
    """Of conditions that say the same of every axis, the first."""
    names = [x.axis for x in axes]
    kept: list[str] = []
    pairs = [(b, a) for b in names for a in names if a != b]
    for r in requires:
        alike = (re.sub(rf"\b{b}(?=_)|(?<=_){b}\b", a, r) for b, a in pairs)
        if not any(other in kept for other in alike):
            kept.append(r)
    return kept


def grouped(axes: Sequence[AxisShape]) -> list[tuple[AxisShape, ...]]:
    """Axes side by side for which everything is the same."""
    groups: list[tuple[AxisShape, ...]] = []
    for a in axes:
        first = groups[-1][0] if groups else None
        if first is not None and _same(first, a):
            groups[-1] = (*groups[-1], a)
        else:
            groups.append((a,))
    return groups


def _same(a: AxisShape, b: AxisShape) -> bool:
    def plain(x: AxisShape) -> tuple[Any, ...]:
        def bare(value: Any) -> str:
            return str(value).replace(f"{x.axis}_", "_")

        return tuple(
            bare(v)
            for v in (
                *(x.input, x.output, x.formula, x.numbers, x.reason),
                *(x.target, x.inverse, x.inverse_text, x.unread, x.output_padding),
            )
        )

    return plain(a) == plain(b)


def _axis_lines(axes: tuple[AxisShape, ...]) -> list[str]:
    a = axes[0]
    lines = [a.formula]
    if a.numbers:
        lines.append(" " * (len(f"{a.axis}_out") + 1) + f"= {a.numbers}")
    if a.reason:
        lines.append(_entry("why", a.reason))
    lines += _inverse_lines(a)
    if a.unread:
        back = f"; the transposed call returns to {a.input} with output padding {a.output_padding}"
        lines.append(_entry("rest", a.unread + ("" if a.output_padding is None else back)))
    if len(axes) > 1:
        others = ", ".join(f"{b.axis}_out" for b in axes[1:])
        lines.append(_entry("and", f"{others} likewise"))
    return lines


def _inverse_lines(a: AxisShape) -> list[str]:
    if a.inverse is not None:
        if a.inverse.empty:
            return [_entry("inverse", a.inverse_text)]
        return [_entry("inverse", f"{a.target} comes from {_named(a.inverse, f'{a.axis}_in')}")]
    return [_entry("inverse", a.inverse_text)] if a.inverse_text else []


def _named(found: Lengths, name: str) -> str:
    text = str(found)
    return text if name in text else f"{name} = {text}"


def _entry(name: str, what: str) -> str:
    return f"  {name:<9}{what}"


def _chain_lines(a: ChainShape) -> list[str]:
    width = max(len(_cut(r.call)) for r in a.layers)
    shape = max(len(shown(r.output)) for r in a.layers)
    lines = [f"input {shown(a.input)} {a.layout}", ""]
    head = f"{'layer':<{width + 4}}  {'output':<{shape}}  {'field':>7}  {'jump':>5}  {'offset':>6}"
    lines.append(head.rstrip())
    for i, r in enumerate(a.layers):
        row = f"{i + 1:>3} {_cut(r.call):<{width}}  {shown(r.output):<{shape}}  "
        field, jump, offset = fields_of(r)
        lines.append(f"{row}{field:>7}  {jump:>5}  {offset:>6}".rstrip())
    lines.append("")
    for first, *others in _alike_axes(a.axes):
        lines += [first.formula, *_chain_axis(first)]
        lines += _likewise(others)
    if a.requires:
        lines.append(_entry("needs", "; ".join(_one_axis(a.requires, a.axes))))
    return lines


def _cut(call: str) -> str:
    return call if len(call) <= 60 else f"{call[:57]}…"


def fields_of(r: ChainRow) -> tuple[str, str, str]:
    """Receptive field, jump and offset of a row; per axis where they differ, – where unknown."""

    def joined(values: Sequence[object]) -> str:
        texts = ["–" if v is None else str(v) for v in values]
        return texts[0] if len(set(texts)) == 1 else "x".join(texts)

    if not r.fields:
        return "–", "–", "–"
    columns = zip(*((f.size, f.jump, f.offset) for f in r.fields), strict=True)
    field, jump, offset = (joined(c) for c in columns)
    return field, jump, offset


def _likewise(others: Sequence[ChainAxis]) -> list[str]:
    names = ", ".join(f"{b.axis}_out" for b in others)
    return [_entry("and", f"{names} likewise")] if others else []


def _alike_axes(axes: Sequence[ChainAxis]) -> list[tuple[ChainAxis, ...]]:
    """Axes of which everything is the same, together."""
    kept: dict[str, tuple[ChainAxis, ...]] = {}
    for b in axes:
        said = str((b.formula, str(b.defined), str(b.returns), b.target, str(b.inverse)))
        bare = said.replace(f"{b.axis}_", "_")
        kept[bare] = (*kept.get(bare, ()), b)
    return list(kept.values())


def _chain_axis(a: ChainAxis) -> list[str]:
    if a.defined is None or a.returns is None:
        return []
    lines = [_entry("defined", f"for {a.defined}")]
    back = f"for {a.returns}" if not a.returns.empty else f"for no {a.axis}_in"
    if str(a.returns) == str(a.defined):
        back = "whenever it is defined"
    lines.append(_entry("returns", f"to its input length {back}"))
    if a.inverse is not None:
        lines.append(
            _entry("inverse", f"{a.target} comes from {_named(a.inverse, f'{a.axis}_in')}")
        )
    return lines


def _solved(a: Solutions) -> list[str]:
    ranges = ", ".join(f"{n} = {lo}..{hi}" for n, lo, hi in a.ranges)
    lines = [f"from {a.question}, for {ranges}"]
    if not a.families:
        return [*lines, "no solution"]
    count = len(a.solutions) + a.more
    lines.append(f"{count} solution{'' if count == 1 else 's'}")
    lines += [
        "  " + ", ".join(f"{n} = {v}" for n, v in zip(a.names, point, strict=True))
        for point in a.solutions[: FEW * 2]
    ]
    if count > FEW * 2:
        lines.append(f"  … and {count - FEW * 2} more (all that are listed: --json)")
    if a.refused:
        lines.append(f"  ({a.refused} more fit, but the framework refuses them)")
    free = [n for n in a.names if n not in a.bounded]
    if free:
        lines.append(f"all solutions, {', '.join(free)} without an upper end:")
        lines += [f"  {_family(f.fixed, f.condition)}" for f in a.families]
    return lines


def _family(fixed: tuple[tuple[str, int], ...], condition: str) -> str:
    head = ", ".join(f"{n} = {v}" for n, v in fixed)
    return f"{head}: {condition}" if head else condition


# -- LaTeX -----------------------------------------------------------------------------------------


def latex(answer: Answer) -> str:
    """An answer as LaTeX; what the user wrote is escaped.

    A call gives its formulas as an ``align*``, a chain and solutions a ``tabular``.
    """
    if answer.kind == "layer":
        return _layer_latex(answer)
    if answer.kind == "chain":
        rows = [
            (str(i + 1), r.call, shown(r.output), *fields_of(r))
            for i, r in enumerate(answer.layers)
        ]
        head = ("", "layer", "output", "field", "jump", "offset")
        lines = [
            line
            for a, *others in _alike_axes(answer.axes)
            for line in (a.formula, *_chain_axis(a), *_likewise(others))
        ]
        return _tabular("rllrrr", head, rows) + "\n" + _paragraph(lines)
    points = [tuple(map(str, p)) for p in answer.solutions]
    families = [_family(f.fixed, f.condition) for f in answer.families]
    return _tabular("r" * len(answer.names), answer.names, points) + "\n" + _paragraph(families)


def _layer_latex(a: LayerShape) -> str:
    lines = [g[0].latex.replace(" = ", " &= ", 1) for g in grouped(a.axes)]
    head = rf"\texttt{{{_escaped(a.call)}}}: {_escaped(f'{shown(a.input)} → {shown(a.output)}')}"
    body = " \\\\\n  ".join(lines)
    defaults = "".join(f"\nwith {_escaped(d)}, as it is not given" for d in a.defaults)
    return f"{head}\n\\begin{{align*}}\n  {body}\n\\end{{align*}}{defaults}"


def _escaped(text: str) -> str:
    from derive.document.text import escape_latex

    return escape_latex(text)


def _tabular(columns: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" & ".join(map(_escaped, row)) for row in (head, *rows)]
    lines[0] += r" \\ \hline"
    body = " \\\\\n".join(lines[1:])
    return f"\\begin{{tabular}}{{{columns}}}\n{lines[0]}\n{body}\n\\end{{tabular}}"


def _paragraph(lines: Sequence[str]) -> str:
    return " \\\\\n".join(_escaped(" ".join(line.split())) for line in lines)


# -- JSON ------------------------------------------------------------------------------------------


def as_dict(answer: Answer) -> dict[str, Any]:
    """An answer as data; the keys are those that ``derive shape --help`` documents."""
    if answer.kind == "layer":
        return _layer_dict(answer)
    if answer.kind == "chain":
        return _chain_dict(answer)
    return {
        "kind": "solutions",
        "question": answer.question,
        "names": list(answer.names),
        "ranges": {n: [lo, hi] for n, lo, hi in answer.ranges},
        "solutions": [dict(zip(answer.names, p, strict=True)) for p in answer.solutions],
        "more": answer.more,
        "refused": answer.refused,
        "bounded": list(answer.bounded),
        "families": [{"fixed": dict(f.fixed), "condition": f.condition} for f in answer.families],
    }


def _layer_dict(a: LayerShape) -> dict[str, Any]:
    return {
        "kind": "layer",
        "call": a.call,
        "dialect": a.dialect,
        "layout": a.layout,
        "output_layout": a.output_layout,
        "input": list(a.input),
        "output": list(a.output),
        "weights": [{"name": n, "axes": x, "shape": list(s)} for n, x, s in a.weights],
        "axes": [
            {
                "axis": x.axis,
                "input": x.input,
                "output": x.output,
                "formula": x.formula,
                "latex": x.latex,
                "numbers": x.numbers or None,
                "reason": x.reason or None,
                "target": x.target,
                "inverse": _set(x.inverse),
                "inverse_text": x.inverse_text or None,
                "unread": x.unread or None,
                "output_padding": x.output_padding,
            }
            for x in a.axes
        ],
        "requires": list(a.requires),
        "notes": list(a.notes),
        "defaults": list(a.defaults),
    }


def _chain_dict(a: ChainShape) -> dict[str, Any]:
    return {
        "kind": "chain",
        "layout": a.layout,
        "output_layout": a.output_layout,
        "input": list(a.input),
        "output": list(a.output),
        "layers": [
            {
                "call": r.call,
                "output": list(r.output),
                "fields": [
                    {
                        "axis": f.axis,
                        "size": f.size,
                        "jump": _number(f.jump),
                        "offset": _number(f.offset),
                    }
                    for f in r.fields
                ],
            }
            for r in a.layers
        ],
        "axes": [
            {
                "axis": x.axis,
                "formula": x.formula,
                "defined": _set(x.defined),
                "returns": _set(x.returns),
                "target": x.target,
                "inverse": _set(x.inverse),
            }
            for x in a.axes
        ],
        "requires": list(a.requires),
    }


def _set(found: Lengths | None) -> dict[str, Any] | None:
    return None if found is None else found.as_dict()


def _number(value: Fraction | None) -> int | str | None:
    """An int, or a fraction as text."""
    if value is None:
        return None
    return int(value) if value.denominator == 1 else str(value)
