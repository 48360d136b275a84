"""The same operator in another framework's words, with a certificate.

The source call is read as steps of our operators.  The writers of the target (``derive.dialects.emit``)
propose programs; each is read back and compared with the source for all sizes.  What is printed as a
translation is therefore proved, or is said to hold exactly under the condition that was found.

>>> print(translate("nn.Conv1d(4, 8, 3, padding=1)", "Keras"))
nn.Conv1d(4, 8, 3, padding=1) in Keras:
  the same operator for all sizes, proved:
    x = keras.ops.transpose(x, (0, 2, 1))  # NCW to NWC
    layer = keras.layers.Conv1D(8, 3, padding='same')
    layer.build(x.shape)
    layer.set_weights([weight.transpose(2, 1, 0), bias])  # OIW to WIO
    x = layer(x)
    x = keras.ops.transpose(x, (0, 2, 1))  # NWC to NCW
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from derive.decide.equality import check_tensors, decide_equal, decide_holds
from derive.decide.solver import time_limit
from derive.decide.verdict import HoldsWhen, Proved, Refuted, Undecided, Verdict
from derive.decide.weakest import find_condition
from derive.dialects.ask import read
from derive.dialects.calls import Call
from derive.dialects.emit import WRITERS
from derive.dialects.emit.common import Lines, pieces
from derive.dialects.jax_windows import spatial_only, spread
from derive.dialects.layer import Layer, Plan, Shape, Step, apply, planned
from derive.dialects.program import Line, Program, arranged, carry, has_maximum, run, windows
from derive.dialects.question import layer_shape
from derive.dialects.request import Asked, ask
from derive.errors import DeriveError, NotSupported, WrongInput, check_seconds, expect
from derive.evaluation import holds
from derive.expr import FALSE, Expr, Sym, all_of, cond_symbols, lift
from derive.form import Form, tensor
from derive.symbols import size

SECONDS = 20.0
LENGTHS_WANTED = "a tuple of lengths was expected; give one, as (8, 4, 32)"
AMOUNTS = ("padding", "amount")
CASES = 9  # distinct paddings that are tried where they depend on the input's length
KERNEL = {"O": "c_out", "I": "C", "M": "M", "D": "k_d", "H": "k_h", "W": "k_w"}
SMALL = range(1, 7)
LENGTHS = range(1, 25)  # of the input, at which such paddings are looked up


@dataclass(frozen=True)
class Certified:
    """A program and what was proved of it: the same for all sizes, or exactly under a condition.

    ``refusal`` is what is wrong with a program that the target refuses, or that cannot be read.
    """

    program: Program
    verdict: Verdict
    refusal: str = ""


@dataclass(frozen=True)
class Translation:
    """What was found for a call in another dialect: ``str()`` is the code with its certificate.

    ``call`` is the call as it is written, ``shape`` the input's shape in the ``layout`` of the
    source (its batch and channels named, where an array as a whole has some), ``output`` that of its
    result, ``given`` the shapes of the tensors that a function takes.
    ``programs`` are the certified ones, the best first.  ``refused`` are programs that are not the
    same operator at any size, with the reason; where ``programs`` is empty they say why there is
    none, or ``reason`` says what the target's calls do not take.
    """

    call: str
    source: Layer
    target: str
    layout: str
    shape: Shape
    given: Mapping[str, Shape]
    programs: tuple[Certified, ...]
    refused: tuple[Certified, ...] = ()
    output: str = ""
    reason: str = ""

    def __str__(self) -> str:
        """The code, for people."""
        from derive.dialects.listing import as_text

        return as_text(self)


def translate(
    call: str, target: str, shape: Sequence[int] | None = None, seconds: float = SECONDS
) -> Translation:
    """Translate a call.

    Args:
        call: the call as it is written.
        target: the name of a dialect.
        shape: the shape of the input in the source's layout, or its spatial lengths; without it
            every length is a symbol and the translation is for all sizes.
        seconds: the time limit.

    Raises:
        WrongInput: for an unknown dialect and for calls that the source framework refuses.
        NotSupported: for a call whose shape alone is known.
    """
    check_seconds(seconds)
    name = find_dialect(target)
    if shape is not None:
        expect(shape, (tuple, list), "shape", LENGTHS_WANTED)
    asked = _asked(call, shape)
    layer, x = asked.layer, tensor("x", *asked.x)
    if layer.dims == 0:
        raise NotSupported(f"{layer.name} has no spatial axes; ask for a layer that has some")
    plan = planned(layer, x.shape, asked.given)
    weights = {o.name: tensor(o.name, *o.shape) for o in plan.operands}
    if plan.shape_only:
        raise NotSupported(
            f"{layer.name}: {plan.shape_only}, so that no other call can be proved equal"
        )
    if shape is not None:
        layer_shape(_call(call), tuple(asked.x), None, {}, None)  # says what is wrong with a shape
    maxima = has_maximum(plan)
    source = apply(windows(layer) if maxima else layer, x, weights)
    named, steps = _with_roles(layer, plan.steps, x.shape)
    proposals, reason = _proposals(replace(plan, steps=steps), named, x, name)
    lengths = _spatial(named, x.shape)
    good: list[Certified] = []
    bad: list[Certified] = []
    with time_limit(seconds):
        for lines in proposals:
            done = any(isinstance(c.verdict, Proved) for c in good)
            if done and (len(lines) > 1 or _at_run_time(lines, lengths)):
                continue  # what is asked now is only whether one call of any length can do it
            found = _certify(lines, named, x, plan, weights, source, maxima)
            if found is None:
                continue
            (good if isinstance(found.verdict, (Proved, HoldsWhen)) else bad).append(found)
            if isinstance(found.verdict, Proved) and not _at_run_time(lines, lengths):
                break
        order = sorted(_needed(good, lengths, source), key=_rank)
    return Translation(
        asked.written,
        layer,
        name,
        named.layout if named is not layer else asked.layout,
        x.shape,
        asked.given,
        tuple(order),
        tuple(bad),
        named.output or named.layout,
        reason,
    )


def find_dialect(name: str) -> str:
    """The dialect of this name in any case; :class:`derive.errors.WrongInput` for another one.

    >>> find_dialect("pytorch")
    'PyTorch'
    """
    expect(name, str, "dialect", "a text was expected; give the name of a framework, as 'Keras'")
    known = {d.lower(): d for d in WRITERS}
    if name.lower() not in known:
        raise WrongInput(
            f"the dialect {name!r} is unknown; choose one of {', '.join(known.values())}"
        )
    return known[name.lower()]


def _asked(call: str, shape: Sequence[Any] | None) -> Asked:
    """The call with its shapes; the axes of a kernel that nobody gives are named by their letters."""
    written = read(call)[-1].value
    if not isinstance(written, Call):
        raise WrongInput(
            f"reading {call!r}: a call was expected; write one, as nn.Conv2d(3, 16, 3)"
        )
    asked = ask(written, shape)
    if "N" in asked.layer.layout and "N" not in asked.layout:
        shape = (size("N"), *asked.x)  # not every framework takes an input without a batch
        asked = ask(written, shape)
    names = KERNEL | ({"W": "k"} if asked.layer.dims == 1 else {})
    plan = planned(asked.layer, asked.x, asked.given)
    kernels = {
        o.name: tuple(size(names[a]) for a in o.axes)
        for o in plan.operands
        if o.name in asked.given and any("[" in s.name for n in o.shape for s in n.symbols())
    }
    return ask(written, shape, kernels) if kernels else asked


def _call(text: str) -> Call:
    written = read(text)[-1].value
    if not isinstance(written, Call):
        raise WrongInput(
            f"reading {text!r}: a call was expected; write one, as nn.Conv2d(3, 16, 3)"
        )
    return written


def _rank(c: Certified) -> tuple[bool, float, int]:
    """What is proved for all sizes first, then what holds for most; shorter programs first."""
    breadth = 0.0 if isinstance(c.verdict, Proved) else _breadth(c.verdict)
    return not isinstance(c.verdict, Proved), -breadth, len(c.program.lines)


def _needed(good: list[Certified], lengths: Sequence[Sym], source: Form) -> list[Certified]:
    """The programs without those that another one makes superfluous."""
    kept: list[Certified] = []
    for c in good:
        if not any(_covers(d, c, lengths, source) for d in kept):
            kept = [*(d for d in kept if not _covers(c, d, lengths, source)), c]
    return kept


def _covers(better: Certified, c: Certified, lengths: Sequence[Sym], source: Form) -> bool:
    """Does another program hold wherever this one does, as short and as free of the lengths?"""
    if len(better.program.lines) > len(c.program.lines):
        return False
    said, ours = (tuple(x.text for x in p.program.lines) for p in (better, c))
    if _at_run_time(said, lengths) and not _at_run_time(ours, lengths):
        return False
    if better.verdict == c.verdict:
        return True
    if isinstance(better.verdict, HoldsWhen) and isinstance(c.verdict, HoldsWhen):
        known = (*source.requires, c.verdict.condition)
        return isinstance(decide_holds(known, better.verdict.condition), Proved)
    return isinstance(better.verdict, Proved)


def _with_roles(
    layer: Layer, steps: tuple[Step, ...], shape: Shape
) -> tuple[Layer, tuple[Step, ...]]:
    """An array that is resized as a whole, seen with a batch and channels: the axes that stay."""
    if "N" in layer.layout or len(steps) != 1 or steps[0].operator != "resize":
        return layer, steps
    given = dict(steps[0].parameters)
    layout = spread([m == n for m, n in zip(given["length"], shape, strict=True)])
    if not {"N", "C"} < set(layout):
        return layer, steps
    inner = {k: spatial_only(v, layout) if isinstance(v, tuple) else v for k, v in given.items()}
    inner["dims"] = dims = len(layout) - 2
    named = replace(layer, dims=dims, layout=layout, output="", refit=None)
    return named, (Step("resize", tuple(inner.items())),)


def _spatial(layer: Layer, shape: Shape) -> list[Sym]:
    """The sizes in the input's lengths."""
    pairs = zip(layer.layout[-len(shape) :], shape, strict=True)
    return [s for a, n in pairs if a not in "NC" for s in n.symbols()]


def _proposals(plan: Plan, layer: Layer, x: Form, target: str) -> tuple[list[Lines], str]:
    """The lines of programs that may be the same, the simplest first, or why there are none."""
    found: dict[Lines, None] = {}
    try:
        for case in _fixed(plan.steps, _spatial(layer, x.shape)):
            parts = pieces(case, layer, x.shape, plan.operands, bool(plan.bias))
            found |= dict.fromkeys(WRITERS[target](parts))
    except NotSupported as error:
        return list(found), str(error)
    return list(found), ""


def _at_run_time(lines: Lines, lengths: Sequence[Sym]) -> bool:
    """Do the calls speak of the input's lengths, which are known only when they run?"""
    return any(re.search(rf"\b{s.name}\b", line) for s in lengths for line in lines)


def _fixed(steps: tuple[Step, ...], lengths: Sequence[Sym]) -> Iterator[tuple[Step, ...]]:
    """The steps, and where a parameter depends on the length of the input, the values that it takes."""
    yield steps
    if not any(_speaks(v, lengths) for s in steps for k, v in s.parameters if k in AMOUNTS):
        return
    seen: set[tuple[Step, ...]] = set()
    for n in LENGTHS:
        values = {s: lift(n) for s in lengths}
        case = tuple(
            Step(s.operator, tuple((k, _put(v, values)) for k, v in s.parameters), s.weight)
            for s in steps
        )
        if case not in seen and len(seen) < CASES:
            seen.add(case)
            yield case


def _speaks(value: object, symbols: Sequence[Sym]) -> bool:
    if isinstance(value, tuple):
        return any(_speaks(v, symbols) for v in value)
    return isinstance(value, Expr) and any(s in symbols for s in value.symbols())


def _put(value: object, values: Mapping[Sym, Expr]) -> object:
    if isinstance(value, tuple):
        return tuple(_put(v, values) for v in value)
    return value.subst(values) if isinstance(value, Expr) else value


def _certify(
    lines: tuple[str, ...],
    layer: Layer,
    x: Form,
    plan: Plan,
    weights: Mapping[str, Form],
    source: Form,
    maxima: bool,
) -> Certified | None:
    """What is proved of a program: tried with the weights as they are, then with the kernel flipped."""
    best: Certified | None = None
    for flipped in (False, True) if weights else (False,):
        try:
            program = _carried(lines, x, layer.layout, plan, flipped)
            y, layout = run(program, x, layer.layout, weights, maxima)
            mine = arranged(y, layout, layer.output or layer.layout)
            last = Certified(program, _compare(source, mine))
        except DeriveError as error:
            written = Program(tuple(map(Line, lines)))
            best = best or Certified(written, Undecided(str(error)), str(error))
            continue
        if isinstance(last.verdict, Proved):
            return last
        if best is None or _breadth(last.verdict) > _breadth(best.verdict):
            best = last
    return best


def _breadth(verdict: Verdict) -> float:
    """At what part of the small sizes a condition holds, to choose between two."""
    if not isinstance(verdict, HoldsWhen):
        return -1.0
    names = sorted(s.name for s in cond_symbols(verdict.condition))
    sizes = [dict(zip(names, at, strict=True)) for at in product(SMALL, repeat=len(names))]
    return sum(bool(holds(verdict.condition, at)) for at in sizes) / len(sizes)


def _carried(lines: tuple[str, ...], x: Form, layout: str, plan: Plan, flipped: bool) -> Program:
    """The lines with their weights: each line with a kernel takes the next one of the source."""
    operands = {o.name: o for o in plan.operands}
    weights = {o.name: tensor(o.name, *o.shape) for o in plan.operands}
    kernels = [(operands[s.weight], s) for s in plan.steps if s.weight]
    found = []
    for text in lines:
        kernel, taking = kernels[0] if kernels else (None, None)
        line = carry(text, x, layout, kernel, operands.get(plan.bias), flipped, taking)
        if any(c.source is kernel for c in line.carried):
            kernels = kernels[1:]
        y, after = run(Program((line,)), x, layout, weights)
        found.append(line)
        x, layout = tensor("x", *y.shape), after
    taken = {c.source.name for line in found for c in line.carried}
    return Program(tuple(found), plan.bias if plan.bias not in taken else "")


def _compare(source: Form, mine: Form) -> Verdict:
    """Equal for all sizes, exactly under a condition, or at none.

    What the target demands of sizes that the source takes is a part of the condition.
    """
    check_tensors(source, mine)
    verdict = decide_equal(source, mine, source.requires)
    if not isinstance(verdict, Refuted) or not source.sizes():
        return verdict
    weakest = find_condition(source, mine, source.requires)
    if weakest is None or getattr(weakest.verdict, "condition", None) == FALSE:
        return verdict
    if not isinstance(weakest.verdict, HoldsWhen):
        return weakest.verdict
    condition = weakest.verdict.condition
    for r in mine.requires:
        if not isinstance(decide_holds((*source.requires, condition), r), Proved):
            condition = all_of(condition, r)
    return verdict if condition == FALSE else replace(weakest.verdict, condition=condition)
