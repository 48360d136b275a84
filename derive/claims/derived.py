"""What a program claims: its lines are read one after the other, and what they say is compared.

- a result printed beneath a line is an equation,
- ``d_x``, ``d_x_manual``, ``grad_x`` … claim to be the gradient of the program's output by ``x``, with
  the incoming gradient ``d_out``,
- a name that is assigned a second time, without its old value, claims to be the same,
- the ``output_shape`` of a layer of Keras 1 claims to be the shape of its output,
- and lines that are claims are claims.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from derive.claims import framework
from derive.claims.arrays import Row, array_of
from derive.claims.calls import called, dotted
from derive.claims.conventions import MAKERS, SHORT, WORKERS, gradient_of, plain, spoken
from derive.claims.files import Entry
from derive.claims.helpers import STORED, find_helper
from derive.claims.meaning import Claim, conjunction
from derive.claims.names import Names
from derive.claims.parse import parse
from derive.claims.program import Printed, Slot, Statement, is_program, statements
from derive.claims.run import Program, ProgramReader, none, tupled
from derive.claims.values import Op
from derive.dialects.registry import DIALECTS, find
from derive.errors import WrongInput
from derive.expr import Cond, Expr, Ge, all_of, cond_symbols, eq, lift, negate, subst_cond
from derive.form import Form, Value, build
from derive.symbols import symbol


def execute(text: str) -> Program:
    """Read a program line by line.

    Raises :class:`derive.errors.WrongInput` with the line for what cannot be read, and for what the
    framework refuses.
    """
    try:
        lines = statements(text)
    except WrongInput as error:
        told = str(error).replace("reading the claim:", "reading the program:", 1)
        raise WrongInput(told) from None
    program = Program(Names("", free=True), lines)
    program.names.look = program.name
    program.dialect = _dialect(lines)
    waiting: list[Statement] = []
    later = [s.target for s in lines]
    for place, s in enumerate(lines):
        ahead = {t for t in later[place + 1 :] if t and t != s.target}
        unknown = {n for n in spoken(s.text) if n in ahead and program.name(n) is None}
        if unknown - set(program.layers) and not s.claim:
            waiting.append(s)
            continue
        _run(s, program)
        for w in [w for w in waiting if not _unmet(w, program, later)]:
            waiting.remove(w)
            _run(w, program)
    for w in waiting:
        _run(w, program)
    return program


def _unmet(s: Statement, program: Program, later: Sequence[str]) -> set[str]:
    return {
        n
        for n in spoken(s.text)
        if n in later and program.name(n) is None and n not in program.layers
    }


def _dialect(lines: Sequence[Statement]) -> str:
    """The framework that knows all calls of the program, if there is one."""
    names = []
    for s in lines:
        if plain(s.text):
            names += [
                called(n)
                for n in ast.walk(ast.parse(s.text, mode="eval"))
                if isinstance(n, ast.Call)
            ]
    wanted = {n for n in names if n and n not in SHORT and find_helper(n) is None}
    for dialect in DIALECTS:
        if wanted and all(_of(n, dialect.name) for n in wanted):
            return dialect.name
    return ""


def _of(name: str, dialect: str) -> bool:
    try:
        return find(name, prefer=dialect).dialect == dialect
    except WrongInput:
        return False


def _run(s: Statement, program: Program) -> None:
    try:
        _line(s, program)
    except WrongInput as error:
        told = str(error).removeprefix("reading the claim: ")
        shown = f"{s.target} = {s.text}" if s.target else s.text
        if "\n" in told:  # the place is shown
            raise WrongInput(f"reading the program: {told}") from None
        raise WrongInput(f"reading the program: {told}\n  {shown}") from None


def _line(s: Statement, program: Program) -> None:
    if s.claim:
        program.claims.append(s.text)
        return
    program.target = s.target
    if s.slot is not None:
        _fill(s, s.slot, program)
        return
    node = parse(s.text).body
    if s.printed is not None and not s.target and (name := _undefined(node, program)):
        program.values[name] = _given(s.printed)
        program.shapes.append((name, program.values[name]))
        program.made.append(f"{name} = np.array({s.printed.text})")
        return
    if s.target and _is_layer(node, program):
        program.layers[s.target] = node
        program.made.append(f"{s.target} = {s.text}")
        return
    value = program.evaluate(s.text)
    if isinstance(value, Row):
        value = tupled(value)
    if s.target:
        _assign(s, value, node, program)
    elif isinstance(value, Op):
        program.shapes.append((s.text, value))
    if s.printed is not None:
        program.derived.append(f"{s.target or s.text} == {s.printed.text}")


def _given(result: Printed) -> Op:
    form = array_of(
        ProgramReader(parse(result.text), Program(Names(""), ())).value(parse(result.text).body)
    )
    return Op(form, axes=STORED[: form.rank])


def _undefined(node: ast.expr, program: Program) -> str:
    """The undefined name that a shown expression is about: what is printed beneath defines it."""
    inner: ast.expr = node
    while isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
        inner = inner.func.value
    if isinstance(inner, ast.Name) and program.name(inner.id) is None and inner.id not in WORKERS:
        return inner.id
    return ""


def _is_layer(node: ast.expr, program: Program) -> bool:
    """Is it a layer object, which is applied later?"""
    if not isinstance(node, ast.Call) or isinstance(node.func, ast.Call) or not called(node):
        return False
    name = dotted(node.func)
    if name in program.layers:
        return False
    if name.rsplit(".", 1)[-1] in MAKERS or name in SHORT or find_helper(name) is not None:
        return False
    words: dict[str, Any] = {str(k.arg): 1 for k in node.keywords}
    return framework.is_object(framework.meant(name, [1] * len(node.args), words, program.dialect))


def _assign(s: Statement, value: Any, node: ast.expr, program: Program) -> None:
    before = program.values.get(s.target)
    again = isinstance(before, Op) and isinstance(value, Op) and s.target not in spoken(s.text)
    program.values[s.target] = value
    if again:
        _alternative(s, before, value, program)
    else:
        program.made.append(f"{s.target} = {s.text}")
    if isinstance(value, Op):
        program.shapes.append((s.target, value))
        if not again:
            _as_gradient(s, program)
        _announced(s, node, value, program)


def _alternative(s: Statement, before: Any, value: Op, program: Program) -> None:
    """The same name made in another way: both values are to be the same."""
    versions = program.versions.setdefault(s.target, [])
    if not versions:
        versions.append(f"{s.target}_1")
        program.values[versions[0]] = before
        program.made.append(f"{versions[0]} = {s.target}")
        program.names.read(
            f"the values that {s.target} gets one after the other are to be the same"
        )
    name = f"{s.target}_{len(versions) + 1}"
    versions.append(name)
    program.values[name] = value
    program.made.append(f"{name} = {s.text}")
    program.derived.append(f"{name} == {versions[0]}")


def _as_gradient(s: Statement, program: Program) -> None:
    """``d_x_manual`` is to be the gradient of the output by ``x``."""
    said = gradient_of(s.target)
    by = [t for t in program.names.tensors if said == t or said.startswith(f"{t}_")]
    if not by or s.target in program.names.tensors:
        return
    of = max(by, key=len)
    names = program.versions.setdefault(f"d {of}", [])
    names.append(s.target)
    g = program.cotangent()
    if re.search(r"\bgrad(ient|ients)?\(", s.text):
        return
    if g:
        program.derived.append(f"{s.target} == gradient({gradient_of(g)}, {of}, {g})")
    elif len(names) > 1:
        program.derived.append(f"{s.target} == {names[0]}")


def _announced(s: Statement, node: ast.expr, value: Op, program: Program) -> None:
    """The ``output_shape`` of a ``Deconvolution2D`` is to be the shape of its output."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return
    layer = program.layers.get(node.func.id)
    if not isinstance(layer, ast.Call) or not dotted(layer.func).endswith("Deconvolution2D"):
        return
    words = {k.arg: k.value for k in layer.keywords}
    said = words.get("output_shape", layer.args[3] if len(layer.args) > 3 else None)
    if isinstance(said, (ast.Tuple, ast.List)) and len(said.elts) == value.form.rank:
        lengths = [
            str(n) if none(e) else ast.unparse(e)
            for e, n in zip(said.elts, value.form.shape, strict=True)
        ]
        program.derived.append(f"shape({s.target}) == ({', '.join(lengths)})")


def _fill(s: Statement, slot: Slot, program: Program) -> None:
    """A loop that fills an array part by part."""
    times, loop = program.evaluate(slot.times), symbol("loop", 0)
    inside = loop.symbol
    assert inside is not None
    program.values[slot.index] = loop
    value = program.evaluate(s.text)
    del program.values[slot.index]
    if not isinstance(value, Op) or value.selects or not isinstance(times, Expr):
        raise WrongInput("in a loop, a part of an array was expected to be filled with an array")
    rest = iter(value.form.shape)
    lengths = [
        next(rest, lift(1)) if p == "" else times if p == slot.index else lift(int(p) + 1)
        for p in slot.indices
    ]
    if sum(p == "" for p in slot.indices) != value.form.rank or any(
        inside in n.symbols() for n in lengths
    ):
        raise WrongInput(
            "in a loop, the parts that are filled have another shape; mend the indices"
        )
    old = program.known(s.target)
    form = _filled_form(value.form, slot, lengths, inside, times, None if old is None else old.form)
    program.values[s.target] = Op(form, axes=STORED[: form.rank])
    indices = ", ".join(p or ":" for p in slot.indices)
    program.made.append(
        f"for {slot.index} in range({slot.times}):\n    {s.target}[{indices}] = {s.text}"
    )


def _filled_form(
    value: Form, slot: Slot, lengths: Sequence[Expr], loop: Any, times: Expr, old: Form | None
) -> Form:
    requires = [c for r in value.requires for c in _throughout(r, loop, times)]

    def body(*i: Expr) -> Value:
        at = tuple(a for a, p in zip(i, slot.indices, strict=True) if p == "")
        turn = next((a for a, p in zip(i, slot.indices, strict=True) if p == slot.index), lift(0))
        here: list[Cond] = [
            eq(a, int(p)) for a, p in zip(i, slot.indices, strict=True) if p.isdecimal()
        ]
        if old is not None:
            here.append(turn < times)
        found = value[at]
        terms = tuple(t.subst({loop: turn}) for t in found.terms)
        new = Value(terms, found.tensors, ()).where(*here)
        return new if old is None else new + old[i].where(negate(all_of(*here)))

    return build(lengths if old is None else old.shape, body, requires)


def _throughout(cond: Cond, loop: Any, times: Expr) -> tuple[Cond, ...]:
    """A condition for every turn of a loop: it is linear, so that both ends tell."""
    if loop not in cond_symbols(cond):
        return (cond,)
    if not isinstance(cond, Ge) or cond.expr.coefficient(loop) is None:
        raise WrongInput("in a loop, the sizes depend on the turn in a way that is not read")
    return tuple(subst_cond(cond, {loop: e}) for e in (lift(0), times - 1))


# -- what is claimed -------------------------------------------------------------------------------


def read_program(text: str) -> Claim:
    """The claim that a program makes; several are one, which holds where all of them do.

    Raises :class:`derive.errors.WrongInput` for a program that claims nothing: the message has the
    shapes.
    """
    program = execute(text)
    wanted = program.claims or program.derived
    if not wanted:
        raise WrongInput(nothing_claimed(program))
    readers = [ProgramReader(parse(c), program) for c in wanted]
    program.kept += [r.parsed.body for r in readers]
    found = [r.claim() for r in readers]
    if len(found) > 1 and any(c.iff for c in found):
        raise WrongInput("reading the program: several claims, one with `iff`; judge that alone")
    return Claim(
        "; ".join(c.text for c in found),
        found[0].statement if len(found) == 1 else conjunction([c.statement for c in found]),
        tuple(dict.fromkeys(h for c in found for h in c.hypotheses)),
        found[0].iff,
        tuple(dict.fromkeys(r for c in found for r in c.requires)),
        tuple(program.names.readings),
        found[0].sides if len(found) == 1 else None,
    )


def nothing_claimed(program: Program) -> str:
    """What is said of a program without anything to compare: its shapes, and what to add."""
    told = "reading the program: it makes no claim"
    shapes = [f"{name}: {shape_of(f)}" for name, f in program.shapes]
    last = program.shapes[-1][0] if program.shapes else "out"
    hint = f"add a line such as `{last} == …` or `shape({last}) == (…)`, or a printed result beneath it"
    if not shapes:
        return f"{told}, and no line makes an array; {hint}"
    return f"{told}; {hint}; the shapes are\n  " + "\n  ".join(dict.fromkeys(shapes))


def shapes_of(text: str) -> list[tuple[str, tuple[str, ...], str]]:
    """The values of a program: name or expression, shape, and the letters of the axes.

    Raises :class:`derive.errors.WrongInput` as :func:`execute` does.

    >>> shapes_of("y = tf.transpose(np.ones([2, 3]))")
    [('y', ('3', '2'), '')]
    """
    return [
        (name, tuple(map(str, f.form.shape)), f.axes if f.axes.isupper() else "")
        for name, f in execute(text).shapes
    ]


def shape_of(f: Op) -> str:
    """A shape as Python writes it."""
    return f"({', '.join(map(str, f.form.shape))}{',' if f.form.rank == 1 else ''})"


def parted(entry: Entry) -> tuple[Entry, ...]:
    """A program as one entry for each of its claims; any other entry is returned as it is."""
    if not is_program(entry.claim):
        return (entry,)
    try:
        program = execute(entry.claim)
    except WrongInput:
        return (entry,)  # judging it says what is wrong
    wanted = program.claims or program.derived
    if not wanted or (len(wanted) == 1 and program.claims):
        return (entry,)
    lines = "\n".join(program.made)
    return tuple(
        replace(
            entry,
            claim=f"{lines}\n{c}",
            reading="; ".join(filter(None, (entry.reading, *program.names.readings))),
            id=f"{entry.id}.{i}" if entry.id and len(wanted) > 1 else entry.id,
        )
        for i, c in enumerate(wanted, 1)
    )
