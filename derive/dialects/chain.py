"""Chains of calls: ``nn.Sequential(…)``, ``keras.Sequential([…])``, and programs of assignments.

A program is read, never run: each line's call is applied to the shapes that its names stand for.
Concatenations and sums (the skip connections of a U-Net) need equal lengths, so that a program may be
defined for some input lengths only; those are found, all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from derive.dialects.calls import Assigned, Call, Sum, show
from derive.dialects.calls import Name as Tensor
from derive.dialects.chain_state import Row, Run, Value
from derive.dialects.explain import refusal
from derive.dialects.field import Field, behind, joined
from derive.dialects.geometry import reaches, stages
from derive.dialects.layer import CANONICAL, Layer, fitted
from derive.dialects.named import shape_form, with_names
from derive.dialects.registry import DIALECTS, find, known, number, spelled
from derive.dialects.request import (
    LETTERS,
    Shape,
    ask,
    bind_call,
    complete,
    letters_of,
    names_of,
    no_clash,
    solved_for,
    tensor_names,
)
from derive.errors import WrongInput
from derive.expr import FALSE, TRUE, Expr, eq, lift
from derive.symbols import size

SEQUENCES = ("Sequential",)
CONCATENATIONS = ("cat", "concat", "concatenate", "Concatenate", "merge")
SUMS = ("add", "Add")
FLATTENING = ("Flatten", "flatten")
DENSE = ("Dense",)
INPUTS = ("Input", "InputLayer")
INPUT = "the input"
KEEPING = {  # they work on each element, or along channels: the shape stays
    "Activation", "AlphaDropout", "BatchNorm1d", "BatchNorm2d", "BatchNorm3d",
    "BatchNormalization", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "ELU", "GELU",
    "GaussianNoise", "GroupNorm", "GroupNormalization", "Hardswish", "Identity",
    "InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d", "LayerNormalization", "LeakyReLU",
    "Mish", "PReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax", "Softplus",
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "Tanh", "batch_norm",
    "dropout", "dropout2d", "elu", "gelu", "identity", "leaky_relu", "mish", "relu",
    "relu6", "selu", "sigmoid", "silu", "softmax", "softplus", "tanh",
}  # fmt: skip


class _Told(Exception):  # no error: the program is read again
    """A later layer tells the input's axes, which the first leaves open."""

    def __init__(self, shape: Shape, layout: str) -> None:
        super().__init__()
        self.shape, self.layout = shape, layout


def is_chain(statements: Sequence[Assigned]) -> bool:
    """Is the text more than one call of a layer?"""
    if len(statements) != 1:
        return True
    value = statements[0].value
    if not isinstance(value, Call):
        return isinstance(value, Sum)
    if _last(value.name) in (*SEQUENCES, *CONCATENATIONS):
        return True
    return any(isinstance(a, Call) for a in (*value.arguments, *value.on))


def run(
    statements: Sequence[Assigned],
    x: Sequence[Any] | None = None,
    weights: Mapping[str, Sequence[Any]] | None = None,
    dialect: str | None = None,
) -> Run:
    """Read a program with the given input shape, or with names for it.

    Raises :class:`derive.errors.WrongInput` where the framework refuses a line; the message names it.
    """
    dialect = dialect or _common(statements)
    state = Run(x, weights or {}, dialect)
    try:
        _read(statements, state)
    except _Told as told:
        state = Run(told.shape, weights or {}, dialect, layout=told.layout, settled=True)
        _read(statements, state)
    if not state.rows or state.start is None:
        raise WrongInput(
            "reading the program: it applies no layer; write at least one call, as nn.Conv2d(3, 16, 3)"
        )
    for name in state.weights:
        if name not in state.used:
            raise WrongInput(
                f"--weight {name}: no call of the program takes it; name a tensor that one takes"
            )
    if state.guessed and not state.settled:
        raise WrongInput(
            f"{state.guessed}: the axes of its input are not known; write a layer that has its own, "
            "as nn.Conv2d(3, 16, 3)"
        )
    needed = _needed_channels(state)
    if needed is None:
        return state
    again = Run(needed, weights or {}, dialect, layout=state.start.layout, settled=True)
    _read(statements, again)
    return again


def _read(statements: Sequence[Assigned], state: Run) -> None:
    called = {c.name for s in statements for c in _calls(s.value)}
    for s in statements:
        _statement(s, state, called)


def _needed_channels(state: Run) -> Shape | None:
    """The input with the channels that a later layer asks for, where the first leaves them open."""
    start = state.start
    assert start is not None
    at = start.layout.find("C")
    unknown = start.shape[at].symbol if at >= 0 else None
    if unknown is None or unknown.name != LETTERS["C"]:
        return None
    needed = solved_for(unknown, state.requires)
    return None if needed is None else (*start.shape[:at], needed, *start.shape[at + 1 :])


def _common(statements: Sequence[Assigned]) -> str | None:
    """The dialect that has all calls of the program that are known at all, if there is one.

    ``UpSampling2D`` beside ``Convolution2D`` is that of the old Keras.
    """
    own = (*SEQUENCES, *CONCATENATIONS, *SUMS, *INPUTS)
    every = (c for s in statements for c in _calls(s.value) if _last(c.name) not in own)
    found = [c for c in map(spelled, every) if known(c.name)]
    for dialect in DIALECTS:
        if found and all(_of(c, dialect.name) for c in found):
            return dialect.name
    return None


def _of(written: Call, dialect: str) -> bool:
    try:
        return find(written.name, replace(written, on=()), dialect).dialect == dialect
    except WrongInput:
        return False


def _calls(value: Any) -> Iterator[Call]:
    if isinstance(value, Call):
        yield value
        for part in (*value.arguments, *(v for _, v in value.keywords), *value.on):
            yield from _calls(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _calls(part)
    elif isinstance(value, Sum):
        yield from _calls(value.left)
        yield from _calls(value.right)


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]


def _statement(s: Assigned, state: Run, called: set[str]) -> None:
    value = s.value
    if isinstance(value, Call) and not value.on and _is_layer(value, state):
        if s.target in called:
            state.layers[s.target] = value
            return
        if _last(value.name) in SEQUENCES and not value.arguments:
            state.sequences.add(s.target)
            return
    found = _evaluate(value, state)
    state.current = found
    if s.target:
        state.values[s.target] = found


def _is_layer(value: Call, state: Run) -> bool:
    """Is it an object that is applied later, not a result?"""
    if _last(value.name) in SEQUENCES:
        return True
    if value.name in state.layers or _special(value) or not known(spelled(value).name):
        return False
    return not bind_call(value, state.dialect)[0].tensors


def _special(value: Call) -> bool:
    return _last(value.name) in (*CONCATENATIONS, *SUMS, *INPUTS) and not known(value.name)


def _evaluate(value: Any, state: Run) -> Value:
    if isinstance(value, Tensor):
        return _met(_tensor(value, state), state)
    if isinstance(value, Sum) and value.sign == "+":
        return _together(str(value), _terms(value), None, state)
    if not isinstance(value, Call):
        raise WrongInput(f"reading the program: {show(value)} is no tensor; write a call or a name")
    return _call(value, state)


def _terms(value: Any) -> tuple[Any, ...]:
    """The tensors of a sum of sums."""
    if isinstance(value, Sum) and value.sign == "+":
        return (*_terms(value.left), *_terms(value.right))
    return (value,)


def _tensor(name: Tensor, state: Run) -> Value:
    if name.name in state.values:
        return state.values[name.name]
    shape = None if name.shape is None else tuple(lift(number(v)) for v in name.shape)
    return _unknown(name.name, shape)


def _unknown(name: str, shape: Shape | None = None) -> Value:
    """A tensor that nothing assigns: the call that takes it tells its axes; ``?`` marks it.

    The first that a layer takes is the program's own input.
    """
    return Value(shape or (), f"?{name}", ())


def _open(value: Value) -> bool:
    """Are the axes of a tensor not known yet?"""
    return value.layout.startswith("?")


def _met(value: Value, state: Run) -> Value:
    """The value itself, or what is known by now of a tensor that nothing assigns."""
    return state.inputs.get(value.layout[1:], value) if _open(value) else value


def _call(value: Call, state: Run) -> Value:
    last = _last(value.name)
    if value.name in state.layers:
        return _applied(state.layers[value.name], value.arguments, state)
    if last in SEQUENCES:
        return _sequence(value, state)
    if last == "add" and value.name.rpartition(".")[0] in state.sequences:
        inner = value.arguments[0] if value.arguments else None
        if not isinstance(inner, Call):
            raise WrongInput(f"{value}: a layer was expected; write one inside")
        return _call(inner, state)
    if last in INPUTS and not known(value.name):
        return _input(value, state)
    if last in CONCATENATIONS and not known(value.name):
        return _concatenated(value, state)
    if last in SUMS and not known(value.name):
        parts = value.on or value.arguments
        terms = parts[0] if len(parts) == 1 and isinstance(parts[0], tuple) else parts
        return _together(str(value), terms, None, state)
    return _applied(value, value.on, state)


def _sequence(value: Call, state: Run) -> Value:
    layers = value.arguments
    if len(layers) == 1 and isinstance(layers[0], tuple):
        layers = layers[0]
    here = _evaluate(value.on[0], state) if value.on else state.current
    for layer in layers:
        if not isinstance(layer, Call):
            raise WrongInput(f"{value.name}: {show(layer)} is no layer; write layers inside")
        state.current = here
        here = _call(layer, state)
    if here is None:
        raise WrongInput(f"{value.name}: it has no layers; write them inside")
    return here


def _input(value: Call, state: Run) -> Value:
    shape = dict(value.keywords).get("shape", dict(value.keywords).get("input_shape"))
    if shape is None and value.arguments:
        shape = value.arguments[0]
    if not isinstance(shape, tuple):
        raise WrongInput(f"{value}: it has no shape; write it, as Input(shape=(28, 28, 3))")
    state.made += 1
    name = INPUT if state.made == 1 else f"input_{state.made}"
    letter = "n" if state.made == 1 else f"{name}_"
    return _unknown(name, (size("N"), *_lengths(shape, letter)))


def _lengths(shape: Sequence[Any], letter: str = "n") -> Shape:
    """The shape that an input layer says; None is any length."""
    return tuple(
        size(f"{letter}{i}") if v is None else lift(number(v)) for i, v in enumerate(shape)
    )


def _applied(written: Call, to: Sequence[Any], state: Run) -> Value:
    """A layer or a function applied to its input."""
    if not known(spelled(written).name):
        if _last(written.name) in (*KEEPING, *FLATTENING, *DENSE):
            return _kept(written, to, state)
        bind_call(written, state.dialect)  # says what is unknown
    spec, _ = bind_call(written, state.dialect)
    if spec.tensors:
        keywords = dict(written.keywords)
        first = keywords.get(spec.tensors[0], written.arguments[0] if written.arguments else None)
        source = _evaluate(first, state)
    elif to:
        source = _evaluate(to[0], state)
    else:
        source = state.current or _unknown(INPUT)
    return _layer(replace(written, on=()), source, state)


def _layer(written: Call, source: Value, state: Run) -> Value:
    source = _met(source, state)
    opened, first = _open(source), _open(source) and state.start is None
    shape: Sequence[Any] | None = source.shape or None
    if first:
        shape = _entries(written, source, state)
    try:
        if not opened:
            _settle(bind_call(written, state.dialect)[1], source, state)
        known_axes = state.layout if opened else source.layout
        asked = ask(written, shape, _weights_of(written, state), state.dialect, _dims(known_axes))
        if not opened:
            no_clash(written, asked.layer, state.entries, state.letters, asked.given)
        form = shape_form(asked.layer, asked.x, asked.given)
        steps = stages(asked.layer, asked.x, asked.given)
        if any(c == FALSE for c in form.requires):
            raise WrongInput(refusal(asked, with_names(asked), steps))
    except WrongInput as error:
        raise WrongInput(f"layer {len(state.rows) + 1}, {error}") from None
    if opened:
        name = source.layout[1:]
        x = asked.x if first else _renamed(asked.x, name)
        source = _begin(name, Value(x, asked.layout, _whole_fields(asked.layout)), state)
        if first:
            state.letters = asked.letters
            state.settled = state.settled or not asked.spec.ranks
        else:
            return _layer(written, source, state)
    layout = asked.layer.output or asked.layer.layout
    if len(asked.x) < len(asked.layer.layout):
        layout = layout.replace("N", "")
    if len(layout) != len(form.shape):
        layout = "".join("NC?????"[i] for i in range(len(form.shape)))
    spatial = [a for a in asked.layout if a in "TDHW"]
    before = {a: f for a, f in source.fields if asked.layout.find(a) == source.layout.find(a)}
    fields = tuple(
        (a, behind(before.get(a), reaches(steps, i, asked.layer.dims)))
        for i, a in enumerate(spatial)
    )
    same = (eq(n, m) for n, m in zip(source.shape, asked.x, strict=True))  # its own channels
    state.requires += [c for c in (*same, *form.requires) if c != TRUE]
    value = Value(form.shape, layout, fields)
    state.rows.append(Row(asked.written, value, (asked.x,)))
    return value


def _dims(layout: str) -> int | None:
    """How many of the axes are spatial, where a layout is known."""
    return sum(a in "TDHW" for a in layout) if layout and set(layout) <= set("NCTDHW") else None


def _weights_of(written: Call, state: Run) -> dict[str, Sequence[Any]]:
    """Those of the given tensors that a call takes."""
    names = tensor_names(*bind_call(written, state.dialect), written)
    found = {n: shape for n, shape in state.weights.items() if n in names}
    state.used |= found.keys()
    return found


def _whole_fields(layout: str) -> tuple[tuple[str, Field | None], ...]:
    return tuple((a, Field()) for a in layout if a in "TDHW")


def _entries(written: Call, source: Value, state: Run) -> Sequence[Any] | None:
    """What is said of the shape of the program's input: when asking, in an Input layer, or here."""
    shape: Sequence[Any] | None = state.given
    said = dict(written.keywords).get("input_shape")
    if shape is None:
        shape = source.shape or None
    if shape is None and isinstance(said, tuple):
        shape = (size("N"), *_lengths(said))
    state.entries = None if shape is None else tuple(map(lift, shape))
    return shape


def _begin(name: str, value: Value, state: Run) -> Value:
    """The axes of a tensor that nothing assigns are known from here on."""
    state.inputs[name] = value
    if state.start is None:
        state.start = value
    return value


def _settle(layer: Layer, source: Value, state: Run) -> None:
    """A later layer whose axes are its own tells those of an input that the first leaves open."""
    start, entries = state.start, state.entries
    if state.settled or start is None or source.layout != start.layout:
        return
    if layer.refit is not None and fitted(layer, len(source.shape)).layout == start.layout:
        return
    if entries is not None:
        layer = fitted(layer, len(entries))
    full = names_of(layer)
    if entries is not None:
        full, _ = complete(layer, entries, full)
    state.settled = True
    layout = letters_of(layer.layout, len(full))
    if layout != start.layout:
        raise _Told(full, layout)


def _renamed(x: Shape, name: str) -> Shape:
    """Names for the axes of a second unknown tensor."""
    plain = name.replace(".", "_")
    change = {
        s: size(f"{plain}_{s.name}") for e in x for s in e.symbols() if s.name.endswith("_in")
    }
    return tuple(e.subst(change) for e in x)


def _kept(written: Call, to: Sequence[Any], state: Run) -> Value:
    """A call that works on each element."""
    source = _evaluate(to[0], state) if to else state.current
    if not to and written.arguments and isinstance(written.arguments[0], (Tensor, Call)):
        source = _evaluate(written.arguments[0], state)
    last = _last(written.name)
    if last in KEEPING and state.start is None and (source is None or _open(source)):
        source = _guessed(written, source or _unknown(INPUT), state)
    if source is None or _open(source):
        raise WrongInput(
            f"{written}: the axes of its input are not known yet; write a layer before it"
        )
    found = source
    if last in FLATTENING:
        total = lift(1)
        for n in source.shape[1:]:
            total = total * n
        found = Value((source.shape[0], total), "NC", ())
    elif last in DENSE:
        units = dict(written.keywords).get("units", (*written.arguments, None)[0])
        if not isinstance(units, (int, Tensor)):
            raise WrongInput(f"{written}: the number of units is missing; write Dense(10)")
        found = replace(source, shape=(*source.shape[:-1], lift(number(units))))
    state.rows.append(Row(_shown(written), found, (source.shape,)))
    return found


def _guessed(written: Call, source: Value, state: Run) -> Value:
    """An input of which the first call says nothing, until a later layer tells its axes."""
    _entries(written, source, state)
    layout, said = state.layout, state.entries
    if said is None or not layout:
        rank = 4 if said is None else max(4, len(said))
        layout = layout or CANONICAL.get(rank - 2, "NCHW")
        said = tuple(size(f"{a}_in") for a in layout)
    state.guessed = _shown(written)
    state.letters = said
    return _begin(source.layout[1:], Value(said, layout, _whole_fields(layout)), state)


def _shown(written: Call) -> str:
    return str(replace(written, on=(), on_keywords=()))


def _concatenated(value: Call, state: Run) -> Value:
    keywords = dict(value.keywords)
    parts = value.on or value.arguments
    terms = parts[0] if parts else keywords.get("tensors", keywords.get("values"))
    if not isinstance(terms, tuple):
        raise WrongInput(f"{value}: a list of tensors was expected; write {value.name}([a, b])")
    axis = next((keywords[k] for k in ("dim", "axis", "concat_axis") if k in keywords), None)
    if axis is None and len(value.arguments) > 1 and not value.on:
        axis = value.arguments[1]
    if _last(value.name) == "merge" and keywords.get("mode", "sum") == "sum":
        return _together(str(value), terms, None, state)
    if axis is None:
        axis = -1 if _last(value.name) in ("Concatenate", "concatenate") else 0
    if not isinstance(axis, int):
        raise WrongInput(f"{value}: the axis is no number; give one")
    return _together(str(value), terms, axis, state)


def _together(text: str, terms: Sequence[Any], axis: int | None, state: Run) -> Value:
    """Tensors of equal shape, side by side along ``axis`` or added."""
    values = [_evaluate(t, state) for t in terms]
    values = [_met(v, state) for v in values]  # a later one may tell what an earlier one is
    known_one = next((v for v in values if not _open(v)), None)
    if known_one is None:
        raise WrongInput(f"{text}: no shape is known of what it takes; write its layers first")
    spatial = {a for a in known_one.layout if a in "TDHW"}
    found = []
    for v in values:
        v = _met(v, state)
        if _open(v):
            names, unseen = _beside(known_one, v.layout[1:]), ((a, None) for a in sorted(spatial))
            v = _begin(
                v.layout[1:], Value(v.shape or names, known_one.layout, tuple(unseen)), state
            )
        found.append(v)
    rank = len(known_one.shape)
    if any(len(v.shape) != rank for v in found):
        raise WrongInput(f"{text}: the tensors have different numbers of axes; reshape one of them")
    if axis is not None and not -rank <= axis < rank:
        raise WrongInput(f"{text}: there is no axis {axis} of {rank}; give one of 0 to {rank - 1}")
    at = None if axis is None else axis % rank
    for i in range(rank):
        for v in found:
            same = eq(v.shape[i], known_one.shape[i])
            if i == at or same == TRUE:
                continue
            if same == FALSE:
                shapes = " and ".join(f"({', '.join(map(str, w.shape))})" for w in found)
                raise WrongInput(
                    f"layer {len(state.rows) + 1}, {text}: the shapes {shapes} differ along axis {i}"
                    + _differing(any(w.shape[i].symbols() for w in found))
                )
            state.requires.append(same)
    shape = tuple(_total(found, i) if i == at else n for i, n in enumerate(known_one.shape))
    fields = tuple((a, _meet([dict(v.fields).get(a) for v in found])) for a, _ in known_one.fields)
    value = Value(shape, known_one.layout, fields)
    state.rows.append(Row(text, value, tuple(v.shape for v in found)))
    return value


def _differing(always: bool) -> str:
    if always:
        return ", whatever the input length; pad or crop one of them"
    return "; choose an input length for which they agree (leave --input out to see which)"


def _beside(value: Value, name: str) -> Shape:
    """The shape of a tensor that is only met beside a known one: names for its channels."""
    plain = name.replace(".", "_")
    return tuple(
        size(f"{plain}_{'L' if a == 'W' and 'H' not in value.layout else a}")
        if a != "N"
        else value.shape[i]
        for i, a in enumerate(value.layout)
    )


def _total(values: Sequence[Value], axis: int) -> Expr:
    total = lift(0)
    for v in values:
        total = total + v.shape[axis]
    return total


def _meet(fields: Sequence[Field | None]) -> Field | None:
    result = fields[0]
    for f in fields[1:]:
        if result is None or f is None:
            return None
        result = joined(result, f)
    return result
