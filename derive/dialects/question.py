"""The shape of one call: formula, value, reason, all inputs that give it, and what is lost.

>>> from derive.dialects.calls import read_calls
>>> found = layer_shape(read_calls("nn.Conv2d(3, 16, 3, stride=2, padding=1)")[-1].value, (1, 3, 28, 28))
>>> print(found.axes[1].formula)
H_out = ⌊(H_in + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌋ + 1
>>> found.output, str(found.axes[1].inverse)
((1, 16, 14, 14), '27 and 28')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from derive import shapes
from derive.dialects.calls import Call
from derive.dialects.explain import reason, refusal, unread
from derive.dialects.formula import condition, flattened, latex, name_latex, plain, tree
from derive.dialects.geometry import Reach, Stage, reaches, stages
from derive.dialects.layer import planned
from derive.dialects.lengths import Lengths, preimages
from derive.dialects.named import Named, shape_form, with_names
from derive.dialects.request import Asked, Shape, ask
from derive.errors import NotSupported, WrongInput
from derive.expr import (
    FALSE,
    TRUE,
    All,
    Atom,
    Cond,
    Div,
    Expr,
    Ge,
    Max,
    Sym,
    all_of,
    cond_symbols,
    lift,
    subst_cond,
)
from derive.symbols import size

Length = int | str


@dataclass(frozen=True)
class AxisShape:
    """One axis of the output.

    ``formula`` is in the call's own parameter names and ``numbers`` the same with the numbers in
    their places.  ``inverse`` are all input lengths that give ``target``.  ``unread`` says which
    trailing positions no window reaches, ``output_padding`` what the transposed call needs to return
    to this input.
    """

    axis: str
    input: Length | None
    output: Length
    formula: str
    latex: str
    numbers: str = ""
    reason: str = ""
    target: Length | None = None
    inverse: Lengths | None = None
    inverse_text: str = ""
    unread: str = ""
    output_padding: int | None = None


@dataclass(frozen=True)
class LayerShape:
    """The answer about one call.  Shapes hold ints, and text where a size is not a number."""

    kind: ClassVar[Literal["layer"]] = "layer"

    call: str
    dialect: str
    layout: str
    output_layout: str
    input: tuple[Length, ...]
    output: tuple[Length, ...]
    weights: tuple[tuple[str, str, tuple[Length, ...]], ...]
    axes: tuple[AxisShape, ...]
    requires: tuple[str, ...]
    notes: tuple[str, ...] = ()
    defaults: tuple[str, ...] = ()


def layer_shape(
    written: Call,
    x: Sequence[Any] | None = None,
    output: Sequence[Any] | None = None,
    weights: Mapping[str, Sequence[Any]] | None = None,
    dialect: str | None = None,
) -> LayerShape:
    """The shape of a call for an input; see :func:`derive.shape`.

    Raises:
        WrongInput: for what the framework refuses; the message says what it says itself.
    """
    asked = ask(written, x, weights, dialect)
    named = with_names(asked)
    form = shape_form(asked.layer, asked.x, asked.given)
    refused = [c for c in form.requires if c == FALSE]
    steps = stages(asked.layer, asked.x, asked.given)
    if refused:
        raise WrongInput(refusal(asked, named, steps))
    output_layout = _output_layout(asked, len(form.shape))
    targets = _targets(asked, output_layout, output)
    axes = tuple(
        _axis(asked, named, steps, (letter, at, form.shape[at]), form.requires, targets.get(at))
        for at, letter in enumerate(output_layout)
        if letter != "N"
    )
    return LayerShape(
        asked.written,
        asked.layer.dialect,
        asked.layout,
        output_layout,
        lengths(asked.x),
        _output(axes, form.shape, output_layout),
        _weights(asked),
        axes,
        _requirements(named),
        _notes(asked, targets, form.shape),
        tuple(f"{p} = {_written(asked, of)}" for p, of in named.defaults),
    )


def _written(asked: Asked, parameter: str) -> str:
    """A parameter as the formula has it: by its name, or what the call writes there."""
    value = asked.layer.arguments[parameter]
    return str(value) if isinstance(value, Expr) else parameter


def _output(axes: tuple[AxisShape, ...], shape: Shape, layout: str) -> tuple[Length, ...]:
    """The output in the words of its axes (all but the batch)."""
    told = iter(axes)
    return tuple(
        length(n) if letter == "N" else next(told).output
        for letter, n in zip(layout, shape, strict=True)
    )


def lengths(shape: Shape) -> tuple[Length, ...]:
    """A shape as ints, and text for sizes that are no numbers."""
    return tuple(length(n) for n in shape)


def length(n: Expr) -> Length:
    """One length."""
    return n.constant if n.constant is not None else plain(tree(flattened(n)))


def _output_layout(asked: Asked, rank: int) -> str:
    layer = asked.layer
    layout = layer.output or layer.layout
    if len(asked.x) < len(layer.layout):
        layout = layout.replace("N", "")
    return layout if len(layout) == rank else "?" * rank


def _targets(asked: Asked, layout: str, output: Sequence[Any] | None) -> dict[int, Expr]:
    """The asked output lengths by axis."""
    if output is None:
        return {}
    entries = tuple(Expr({(): v}) if isinstance(v, int) else v for v in output)
    spatial = [i for i, a in enumerate(layout) if a in "TDHW"]
    if len(entries) == len(layout):
        return {i: e for i, e in enumerate(entries) if layout[i] != "N"}
    if len(entries) in (1, len(spatial)):
        values = entries * (len(spatial) // len(entries))
        return dict(zip(spatial, values, strict=True))
    raise WrongInput(
        f"--output: {len(entries)} lengths for an output with the axes {layout}; give all "
        f"{len(layout)}, or the {len(spatial)} spatial ones"
    )


def axis_name(letter: str, dims: int) -> str:
    """What the axis is called: L for the only spatial axis."""
    return "L" if letter == "W" and dims == 1 else letter


def _axis(
    asked: Asked,
    named: Named,
    steps: Sequence[Stage],
    place: tuple[str, int, Expr],
    requires: tuple[Cond, ...],
    target: Expr | None,
) -> AxisShape:
    letter, at, out = place
    dims = asked.layer.dims
    spatial = [a for a in asked.layout if a in "TDHW"]
    left = [a for a in _output_layout(asked, len(named.shape)) if a in "TDHW"]
    name = axis_name(letter, len(left)) if letter != "?" else f"axis {at}"
    kept = left == spatial or letter == "C"  # Unfold has one axis for all positions
    position = spatial.index(letter) if kept and letter in spatial else None
    before = asked.x[asked.layout.index(letter)] if kept and letter in asked.layout else None
    e = simplified(named, named.shape[at], position)
    if out.constant is None and e != named.shape[at]:
        out = e.subst(_meant(asked, named))
    node = tree(e)
    head = f"{name}_out" if letter != "?" else f"axis {at}"
    here = reaches(steps, position, dims) if position is not None else None
    sizes = _numbers(asked, named)
    numbers = ""
    if out.constant is not None and e.constant is None and e.symbol is None:
        numbers = f"{plain(node, sizes)} = {out}"
    inverse, target_shown, text = None, None, ""
    if position is not None or target is not None:
        target_shown, inverse, text = _inverse(asked, place, requires, target, here)
    lost, returns = unread(here) if here is not None else ("", None)
    if same_window(named, position) or not any(s.step.operator == "correlate" for s in steps):
        returns = None  # no transposed call with these amounts of padding
    return AxisShape(
        name,
        length(before) if before is not None else None,
        length(out),
        f"{head} = {plain(node)}",
        f"{name_latex(head) if letter != '?' else head} = {latex(node)}",
        numbers,
        reason(here, out) if here else "",
        target_shown,
        inverse,
        text,
        lost,
        returns,
    )


def simplified(named: Named, e: Expr, axis: int | None) -> Expr:
    """The formula of a SAME window is ``⌈n/s⌉``: the general rule with the padding that SAME chooses.

    That the two are equal for all sizes is the theorem ``same-lengths``.
    """
    w = same_window(named, axis)
    return shapes.same_length(w.n, w.s) if w is not None and e == w.m else e


def same_window(named: Named, axis: int | None) -> Reach | None:
    """The window of a call along an axis where its padding is that of SAME, in either order."""
    found = None if axis is None else reaches(named.stages(), axis, named.layer.dims)
    if not found or len(found) != 1 or found[0].kind != "window":
        return None
    return found[0] if _is_same(found[0]) else None


def _is_same(w: Reach) -> bool:
    """Are the amounts of padding those that SAME chooses for the input, and not numbers?"""
    lo, hi = shapes.same_padding(w.n, w.k, w.s, w.d)
    chosen = w.lo in (lo, hi) and lift(lo + hi).constant is None
    rule = shapes.conv_length(w.n, w.k, w.s, w.d, 1, lo, hi)  # or less what no window reaches
    return bool(chosen and w.m in (rule, shapes.same_length(w.n, w.s)))


def _meant(asked: Asked, named: Named) -> dict[Sym, Expr]:
    """What the names of a call stand for."""
    found = dict(named.values)
    for letter, n in zip(named.x, asked.x, strict=True):
        if letter.symbol is not None:
            found[letter.symbol] = n
    return found


def _numbers(asked: Asked, named: Named) -> dict[str, int]:
    found = {s.name: v.constant for s, v in named.values.items() if v.constant is not None}
    for letter, n in zip(named.x, asked.x, strict=True):
        if letter.symbol is not None and n.constant is not None:
            found[letter.symbol.name] = n.constant
    return found


# -- inverse ---------------------------------------------------------------------------------------


def _inverse(
    asked: Asked,
    place: tuple[str, int, Expr],
    requires: tuple[Cond, ...],
    target: Expr | None,
    here: tuple[Reach, ...] | None,
) -> tuple[Length | None, Lengths | None, str]:
    """The target, all input lengths that give it, and in words where it is not a set of numbers."""
    _, at, out = place
    goal = target if target is not None else out
    free = tuple(
        letter if n.constant is not None or n != letter else n
        for letter, n in zip(asked.letters, asked.x, strict=True)
    )
    keep = channels_kept(asked, free)
    form = shape_form(asked.layer, keep, asked.given)
    e = form.shape[at]
    spoken = sorted({s for s in e.symbols() if s in {x.symbol for x in free}}, key=lambda s: s.name)
    if not spoken:
        if target is None:
            return None, None, ""
        same = "every input" if e == goal else "no input"
        return length(goal), None, f"{same}: the output is always {length(e)}"
    if goal.constant is not None and len(spoken) == 1 and len(e.symbols()) == 1:
        n = Expr({(spoken[0],): 1})
        bounds = [c for c in form.requires if cond_symbols(c) <= {spoken[0]}]
        try:
            found = preimages(e, all_of(*bounds), n, goal.constant)
        except NotSupported:
            return length(goal), None, ""
        return length(goal), found, "" if not found.empty else _why_none(e, n, goal.constant)
    if here is not None and len(here) == 1 and goal.constant is None:
        return length(goal), None, _general_inverse(here[0], place[0], asked)
    return length(goal), None, ""


def channels_kept(asked: Asked, letters: Shape) -> Shape:
    """Names for the spatial lengths only."""
    return tuple(
        n if a in "TDHW" else given
        for a, n, given in zip(asked.layout, letters, asked.x, strict=True)
    )


def _why_none(e: Expr, n: Expr, goal: int) -> str:
    """Why no length gives the goal: the neighbours that are reached."""
    assert n.symbol is not None
    values = [(i, e.at({n.symbol.name: i})) for i in range(1, 4097)]
    below = [(m, i) for i, m in values if m < goal]
    above = [(m, i) for i, m in values if m > goal]
    said = []
    if below:
        said.append(f"{n} = {max(below)[1]} gives {max(below)[0]}")
    if above:
        m, i = min(above)
        said.append(f"{n} = {i} gives {m}")
    return f"no input gives {goal}" + (f": {', '.join(said)}" if said else "")


def _general_inverse(w: Reach, letter: str, asked: Asked) -> str:
    """The inverse of one step with a name for the output length; for windows the theorem
    ``conv-preimages``.
    """
    name = axis_name(letter, asked.layer.dims)
    m = size(f"{name}_out")
    if w.kind == "window" and not w.ceil and w.e == 1 and _is_same(w):
        if w.s == 1:
            return f"{name}_in = {name}_out"
        return f"{plain(tree(w.s * (m - 1) + 1))} ≤ {name}_in ≤ {plain(tree(w.s * m))}"
    if w.n.symbols() & (w.k.symbols() | w.lo.symbols() | w.hi.symbols()):
        return ""
    if w.kind == "window" and not w.ceil and w.e == 1:
        least = w.s * (m - 1) + w.d * (w.k - 1) + 1 - w.lo - w.hi
        first, last = plain(tree(least)), plain(tree(least + w.s - 1))
        return f"{name}_in = {first}" if w.s == 1 else f"{first} ≤ {name}_in ≤ {last}"
    if w.kind in ("repeat", "blend", "scatter"):
        rest = w.m - w.e * w.n
        if rest.symbols() & w.n.symbols():
            return ""
        if w.e == 1:
            return f"{name}_in = {plain(tree(m - rest))}"
        over = plain(tree(m - rest))
        top = over if rest == 0 else f"({over})"
        return f"{name}_in = {top}/{plain(tree(w.e))}, where this is a whole number"
    return ""


# -- the rest --------------------------------------------------------------------------------------


def _weights(asked: Asked) -> tuple[tuple[str, str, tuple[Length, ...]], ...]:
    plan = planned(asked.layer, asked.x, asked.given)
    return tuple((o.name, o.axes, lengths(o.shape)) for o in plan.operands)


def _requirements(named: Named) -> tuple[str, ...]:
    """What the call needs of the input, in its own names; what follows from the rest is left out."""
    x = {s for n in named.x for s in n.symbols()}
    always = [w for a in range(named.layer.dims) if (w := same_window(named, a))]
    fits = {
        w.n + w.lo + w.hi >= least
        for w in always
        for least in (1, shapes.effective_length(w.k, w.d))
    }
    named_so = dict.fromkeys(c for c in named.requires if c not in fits)  # SAME always fits
    spoken = [c for c in named_so if cond_symbols(c) & x]
    kept = [c for c in spoken if not trivial(c) and not trivial(subst_cond(c, named.values))]
    for c in tuple(kept):
        if any(d is not c and _follows(c, d) for d in kept):
            kept.remove(c)
    return tuple(dict.fromkeys(map(condition, kept)))


def _follows(c: Cond, other: Cond) -> bool:
    """Does ``other`` say more than ``c``, whatever the sizes are?"""
    return isinstance(c, Ge) and isinstance(other, Ge) and trivial(c.expr - other.expr >= 0)


def trivial(c: Cond) -> bool:
    """Does it follow from the least values of the names?  (True is right, False may be wrong.)"""
    if isinstance(c, All):
        return all(map(trivial, c.parts))
    return c == TRUE or (isinstance(c, Ge) and _not_negative(c.expr))


def _not_negative(e: Expr) -> bool:
    """Is it a sum of products of what is never negative, counted from the least values on?

    ``−⌊a/d⌋`` is at least ``−a`` for ``a >= 0`` and ``d >= 1``.
    """
    for m, coefficient in e.terms:
        for a in m if coefficient < 0 and len(m) == 1 else ():
            if isinstance(a, Div) and _not_negative(a.num) and _not_negative(a.den - 1):
                return _not_negative(e - coefficient * Expr({m: 1}) + coefficient * a.num)
    named = {s for m, _ in e.terms for s in m if isinstance(s, Sym) and s.minimum is not None}
    total = lift(0)
    for m, coefficient in e.terms:  # only the names themselves move, not those in a quotient
        product = lift(coefficient)
        for a in m:
            least = a.minimum if isinstance(a, Sym) and a in named else 0
            product = product * Expr({(a,): 1, (): least or 0})
        total = total + product
    return all(c >= 0 and all(map(_counts_up, m)) for m, c in total.terms)


def _counts_up(a: Atom) -> bool:
    """Is what is counted from the least value on, or the value itself, never negative?"""
    match a:
        case Sym():
            return a.minimum is not None
        case Div(num, den):
            return _not_negative(num) and _not_negative(den - 1)
        case Max(left, right):
            return _not_negative(left) or _not_negative(right)
    return False


def _notes(asked: Asked, targets: Mapping[int, Expr], shape: Shape) -> tuple[str, ...]:
    found = [
        f"the output is {length(shape[at])}, not {length(goal)}"
        for at, goal in targets.items()
        if shape[at].constant is not None and shape[at] != goal
    ]
    inputs = {s for n in asked.x for s in n.symbols()}
    for at, goal in targets.items():
        names = sorted(s.name for s in shape[at].symbols() - inputs)
        if names:
            said = "--solve" if asked.x[-1].constant is not None else "--solve and --input"
            found.append(
                f"the output depends on {', '.join(names)}; add {said} to find all values that give "
                f"{length(goal)}"
            )
    return tuple(dict.fromkeys(found))
