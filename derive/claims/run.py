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
from dataclasses import dataclass, field
from typing import Any

from derive.claims import framework
from derive.claims.arrays import Row, array_of
from derive.claims.calls import called, dotted, framework_call
from derive.claims.files import Entry
from derive.claims.helpers import STORED, filled, find_helper
from derive.claims.meaning import Claim, Reader, conjunction
from derive.claims.names import Names
from derive.claims.parse import Parsed, parse
from derive.claims.program import Printed, Slot, Statement, statements
from derive.claims.values import Op, mapped
from derive.dialects.registry import DIALECTS, find
from derive.errors import WrongInput
from derive.expr import Cond, Expr, Ge, all_of, cond_symbols, eq, lift, negate, subst_cond, symbol
from derive.form import Form, Value, build
from derive.operators import select

GRADIENT = re.compile(
    r"^(?:dL_d|dL_?|d_|grad_|gradient_|d)(?P<of>[A-Za-z]\w*)$|^(?P<also>\w+)_grad$"
)
SHAPE = re.compile(r"^(?P<of>[A-Za-z]\w*)_(shape|sizes|size)$")
MAKERS = frozenset(
    (
        *("weight_variable", "bias_variable", "placeholder", "randn", "rand", "normal", "uniform"),
        *("random_normal", "truncated_normal", "random_uniform", "get_variable", "Input", "empty"),
    )
)
WORKERS = (
    "sess",
    "session",
    "np",
    "tf",
    "torch",
    "jnp",
    "K",
    "F",
    "nn",
    "lax",
    "keras",
    "tape",
    "t",
)
SHORT = ("conv2d", "conv2d_transpose", "conv2d_backprop_input", "conv2d_backprop_filter")
OF_PYTORCH = {"stride", "dilation", "groups", "bias", "weight"}
BACKWARD = {
    "conv2d_backprop_input": ("input_sizes", "filter", "out_backprop", "strides", "padding"),
    "conv2d_backprop_filter": ("input", "filter_sizes", "out_backprop", "strides", "padding"),
}
OUTPUTS = ("out", "output", "y", "outputs", "f", "conv", "h_conv1")


@dataclass
class Program:
    """What is known while the lines of a program are read."""

    names: Names
    lines: tuple[Statement, ...]
    values: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, ast.expr] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)  # the layer that a name was last made by
    versions: dict[str, list[str]] = field(default_factory=dict)
    derived: list[str] = field(default_factory=list)  # claims that the lines make
    claims: list[str] = field(default_factory=list)  # lines that are claims
    made: list[str] = field(default_factory=list)  # the lines again, each as it was understood
    shapes: list[tuple[str, Op]] = field(default_factory=list)
    target: str = ""
    dialect: str = ""
    asked: bool = False

    # -- names -------------------------------------------------------------------------------------
    def name(self, name: str) -> Any:
        """What a name stands for: a value, a tensor, a shape, or a size."""
        if name in self.values:
            return self.values[name]
        if name in self.names.tensors:
            form = self.names.tensors[name]
            return Op(form, form, axes=self.names.axes.get(name, ""))
        shaped = SHAPE.match(name)
        if shaped and self.known(shaped["of"]) is None:
            self.inferred("out")
        if shaped and (known := self.known(shaped["of"])) is not None:
            if not name.endswith("_size"):
                return known.form.shape
            spatial = [n for n, a in zip(known.form.shape, known.axes, strict=False) if a in "DHW"]
            return tuple(spatial or known.form.shape)
        incoming = self.incoming(name)
        if incoming is not None:
            return incoming
        return None

    def known(self, name: str) -> Op | None:
        """The operator or tensor of a name, if it is one."""
        found = self.values.get(name)
        if isinstance(found, Op):
            return found
        if name in self.names.tensors:
            form = self.names.tensors[name]
            return Op(form, form, axes=self.names.axes.get(name, ""))
        return None

    def incoming(self, name: str) -> Op | None:
        """``d_out`` beside ``out``: a tensor of the same shape."""
        of = gradient_of(name)
        if not of or of in self.names.tensors:
            return None
        if self.known(of) is None and not self.inferred(of):
            return None
        found = self.known(of)
        if found is None or found.shape_only:
            return None
        form = self.names.declare(name, found.form.shape)
        self.names.axes[name] = found.axes
        return Op(form, form, axes=found.axes)

    def inferred(self, of: str) -> bool:
        """The output that no line gives: that of the convolution whose gradients the lines take."""
        if self.asked or of not in OUTPUTS:
            return False
        self.asked = True
        text = backward(self.lines)
        if not text:
            return False
        self.values[of] = self.evaluate(text)
        self.made.append(f"{of} = {text}")
        self.names.read(f"{of}, whose gradient is d_{of}, is {text}")
        return True

    def evaluate(self, text: str) -> Any:
        """The value of an expression."""
        reader = ProgramReader(parse(text), self)
        return reader.value(reader.parsed.body)

    # -- calls -------------------------------------------------------------------------------------
    def call(self, reader: Any, node: ast.Call) -> Any:
        """The value of a call that is none of the claim language; NotImplemented for others."""
        name = dotted(node.func)
        last = name.rsplit(".", 1)[-1]
        if isinstance(node.func, ast.Name) and node.func.id in self.layers:
            applied = ast.Call(self.layers[node.func.id], node.args, node.keywords)
            ast.copy_location(applied, node)
            return framework_call(reader.value, self.names, applied, self.dialect)
        if isinstance(node.func, ast.Attribute) and not self._module(node.func.value):
            return self._method(reader, node)
        if last in MAKERS:
            return self._made(reader, node, last)
        if name in SHORT:
            return self._short(reader, node, name)
        if last in ("ones", "zeros") and node.args:
            shape = reader.value(node.args[0])
            return filled(_tuple(shape), 1 if last == "ones" else 0)
        if last == "shape" and "." in name:
            return reader.value(node.args[0]).form.shape
        found = find_helper(name)
        if found is not None and not (called(node) and last in ("pad",)):
            return self._helper(reader, node, found, last)
        if called(node):
            return framework_call(reader.value, self.names, node, self.dialect)
        return NotImplemented

    def _module(self, node: ast.expr) -> bool:
        """Is it the name of a module or a session, not of a value?"""
        first = dotted(node).split(".")[0]
        return (
            bool(first)
            and first not in self.values
            and first not in self.names.tensors
            and (first in WORKERS or self._frame(node))
        )

    def _frame(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Attribute) or bool(
            re.match(
                r"(tf|tensorflow|torch|numpy|scipy|jax|onnx|keras\w*|linen|layers|ops)$",
                dotted(node),
            )
        )

    def _method(self, reader: Any, node: ast.Call) -> Any:
        """``x.reshape(n, m)`` is ``reshape(x, n, m)``."""
        assert isinstance(node.func, ast.Attribute)
        found = find_helper(node.func.attr)
        if found is None:
            raise WrongInput(f".{node.func.attr}(…) is not known; write it with another function")
        moved = ast.Call(ast.Name(node.func.attr), [node.func.value, *node.args], node.keywords)
        return self._helper(reader, ast.copy_location(moved, node), found, node.func.attr)

    def _helper(self, reader: Any, node: ast.Call, found: Any, last: str) -> Any:
        if last in ("run", "watch") and node.args:
            return reader.value(node.args[0])
        if last in ("gradient", "gradients", "grad"):
            node = self._of_output(node)
        values = [reader.operand(a) for a in node.args]
        words = {
            str(k.arg): reader.operand(k.value)
            for k in node.keywords
            if k.arg not in ("dtype", "name")
        }
        for v in (*values, *words.values()):
            if isinstance(v, Missing):
                raise WrongInput(
                    f"{last}: {v.name!r} is not defined; add a line that makes it, or give its shape, "
                    f"as {v.name}[1, 28, 28, 1]"
                )
        values = [_argument(v, first=not i) for i, v in enumerate(values)]
        words = {k: _argument(v, first=False) for k, v in words.items()}
        try:
            return found(self.names, *values, **words)
        except TypeError:
            raise WrongInput(
                f"{last}: these arguments are not read; write them as in the manual"
            ) from None

    def _of_output(self, node: ast.Call) -> ast.Call:
        """The gradient of an undefined scalar ``f`` is that of the output, with ``d_out``."""
        if not node.args or not isinstance(node.args[0], ast.Name):
            return node
        name = node.args[0].id
        if self.known(name) is not None:
            return node
        g = self.cotangent()
        if not g:
            raise WrongInput(
                f"gradient: {name!r} is not defined; add a line that makes it, as out = conv2d(x, w)"
            )
        out = gradient_of(g)
        self.names.read(f"{name} is the sum of {g}·{out}: its gradient by {out} is {g}")
        rest = [node.args[1], ast.Name(g)] if len(node.args) > 1 else [ast.Name(g)]
        written = ast.Call(node.func, [ast.Name(out), *rest], node.keywords)
        return ast.copy_location(written, node)

    def cotangent(self) -> str:
        """The incoming gradient that the program speaks of (``d_out``); empty where there is none."""
        for line in self.lines:
            for name in re.findall(r"[A-Za-z_]\w*", line.text):
                of = gradient_of(name)
                if of and of not in self.names.tensors and isinstance(self.name(name), Op):
                    return name if name in self.names.tensors else ""
        return ""

    def _made(self, reader: Any, node: ast.Call, last: str) -> Op:
        """A tensor of a given shape, with the name that it is assigned to."""
        words = {k.arg: k.value for k in node.keywords}
        shape = words.get("shape", words.get("size"))
        parts: list[ast.expr] = [shape] if shape is not None else list(node.args)
        if last in ("placeholder", "get_variable") and shape is None:
            parts = list(node.args[1:2])
        lengths: list[Expr] = []
        for i, part in enumerate(parts):
            value = None if _none(part) else reader.value(part)
            for j, n in enumerate(value if isinstance(value, tuple) else _row(value)):
                lengths.append(self.names.size(f"n{i + j}") if n is None else lift(n))
        if last == "Input":
            lengths = [self.names.size("N"), *lengths]
        if not lengths or not all(isinstance(n, Expr) for n in lengths):
            raise WrongInput(f"{last}: its shape is missing; write it, as {last}([1, 28, 28, 1])")
        form = self.names.declare(self.target or "x", tuple(lengths))
        return Op(form, form)

    def _short(self, reader: Any, node: ast.Call, name: str) -> Op:
        """``conv2d(x, w)`` alone: of matrices, or TensorFlow's with stride 1 where nothing else is said."""
        words = {str(k.arg): k.value for k in node.keywords}
        padding = words.get("padding")
        said = padding.value if isinstance(padding, ast.Constant) else None
        if OF_PYTORCH & set(words) or isinstance(said, int):
            return self._as(reader, node, f"F.{name}", words)
        tensors = [self._rank(a) for a in node.args[:2]]
        if name == "conv2d" and len(node.args) >= 2 and set(tensors) <= {None, 2}:
            return self._matrices(reader, node, words, said)
        words.setdefault("strides", ast.Constant(1))
        if "padding" not in words and len(node.args) < 4:
            words["padding"] = ast.Constant("VALID")
        if said == "FULL":
            raise WrongInput(
                f"{name}: TensorFlow has no padding='FULL'; pad by the kernel's length minus 1 and use VALID"
            )
        return self._as(reader, node, f"tf.nn.{name}", words)

    def _as(self, reader: Any, node: ast.Call, name: str, words: dict[str, ast.expr]) -> Op:
        func = ast.parse(name, mode="eval").body
        written = ast.Call(func, node.args, [ast.keyword(k, v) for k, v in words.items()])
        self.names.read(f"{name.rsplit('.', 1)[-1]} is {name}")
        return framework_call(reader.value, self.names, ast.copy_location(written, node), "")

    def _rank(self, node: ast.expr) -> int | None:
        if isinstance(node, ast.Name):
            found = self.name(node.id)
            return found.form.rank if isinstance(found, Op) else None
        return next(
            (r for n in ast.walk(node) if isinstance(n, ast.Name) and (r := self._rank(n))), None
        )

    def _matrices(
        self, reader: Any, node: ast.Call, words: dict[str, ast.expr], padding: Any
    ) -> Op:
        from derive.claims import functions

        for at, (a, lengths) in enumerate(
            zip(node.args[:2], (("H", "W"), ("k_h", "k_w")), strict=True)
        ):
            if isinstance(a, ast.Name) and self.name(a.id) is None:
                taken = at and self.names.lengths.get(lengths[0], a.id) != a.id
                self.names.lengths.setdefault(lengths[0], a.id)
                shape = [self.names.size(f"{n}_{a.id}" if taken else n) for n in lengths]
                self.names.declare(a.id, tuple(shape))
        self.names.read("conv2d is correlation of matrices: one image, one channel")
        x, w = (reader.operand(a) for a in node.args[:2])
        for key, place in (("strides", 2), ("padding", 3)):
            if key not in words and len(node.args) > place:
                words[key] = node.args[place]
        stride = reader.value(words["strides"]) if "strides" in words else lift(1)
        if isinstance(stride, tuple) and len(stride) == 4:
            stride = stride[1:3]
        mode = str(padding or "VALID").lower()
        given: dict[str, Any] = {"stride": stride}
        if mode != "valid":
            given["padding"] = mode
        return functions.call("correlate", [x, w], given, self.names)  # type: ignore[no-any-return]


def _argument(value: Any, first: bool) -> Any:
    """Rows are an array where a tensor is expected first, and otherwise a list of numbers."""
    if not isinstance(value, Row):
        return value
    return Op(array_of(value)) if first else _tuple(value)


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else tuple(_row(value))


def _row(value: Any) -> Sequence[Any]:
    from derive.claims.arrays import Row

    return value.values if isinstance(value, Row) else (value,)


def _none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def gradient_of(name: str) -> str:
    """What a name says it is the gradient by; empty where it says nothing.

    >>> gradient_of("d_out"), gradient_of("x_grad"), gradient_of("weights")
    ('out', 'x', '')
    """
    found = GRADIENT.match(name)
    return "" if found is None else found["of"] or found["also"]


def backward(lines: Sequence[Statement]) -> str:
    """The convolution whose gradients the lines take with ``conv2d_backprop_…``; empty for none."""
    for s in lines:
        if not _plain(s.text):
            continue
        for node in ast.walk(ast.parse(s.text, mode="eval")):
            if not isinstance(node, ast.Call):
                continue
            last = dotted(node.func).rsplit(".", 1)[-1]
            order = BACKWARD.get(last)
            if order is None:
                continue
            given = dict(zip(order, map(ast.unparse, node.args), strict=False))
            given |= {str(k.arg): ast.unparse(k.value) for k in node.keywords}
            for shape, tensor in (("input_sizes", "input"), ("filter_sizes", "filter")):
                known = SHAPE.match(given.get(shape, ""))
                if known:
                    given[tensor] = known["of"]
            given["filter"] = given.get("filters", given.get("filter", ""))
            if not given.get("input", "").isidentifier() or not given["filter"].isidentifier():
                continue
            more = "".join(
                f", {k}={given[k]}" for k in ("strides", "padding", "data_format", "dilations") if k in given
            )
            return f"tf.nn.conv2d({given['input']}, {given['filter']}{more})"
    return ""


class ProgramReader(Reader):
    """Expressions of a program: names are its variables, arrays can be cut and broadcast."""

    def __init__(self, parsed: Parsed, program: Program) -> None:
        super().__init__(parsed, program.names)
        self.program = program

    def _declare(self, tree: ast.expr) -> None:
        return  # a subscript cuts an array; one of an unknown name declares it where it is read

    def _name(self, node: ast.Name) -> Any:
        found = self.program.name(node.id)
        return super()._name(node) if found is None else found

    def operand(self, node: ast.expr) -> Any:
        """An argument of a helper; a name that nothing defines is no operand."""
        if isinstance(node, ast.Name) and self.program.name(node.id) is None:
            return Missing(node.id)
        return self.value(node)

    def _call(self, node: ast.Call) -> Any:
        name = dotted(node.func) or "call"
        found = self._told(node, name, lambda: self.program.call(self, node))
        return super()._call(node) if found is NotImplemented else found

    def _binary(self, node: ast.expr, a: Any, op: ast.operator, b: Any) -> Any:
        if isinstance(a, Op) and isinstance(b, Op) and a.form.rank != b.form.rank:
            a, b = broadcast(a, b), broadcast(b, a)
        return super()._binary(node, a, op, b)

    def _subscript(self, node: ast.Subscript) -> Any:
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if isinstance(node.value, ast.Name) and self.program.name(node.value.id) is None:
            shape = tuple(self._integer(p) for p in parts)
            form = self.names.declare(node.value.id, shape)
            return Op(form, form)
        value = self.value(node.value)
        if not isinstance(value, Op):
            return super()._subscript(node)
        if len(parts) > value.form.rank:
            self.fail(node, f"{len(parts)} indices of an array with {value.form.rank} axes")
        return self._cut(node, value, parts)

    def _cut(self, node: ast.Subscript, f: Op, parts: Sequence[ast.expr]) -> Op:
        from derive.claims.helpers import reversed_axes

        axes = f.axes
        for at in range(len(parts) - 1, -1, -1):
            part = parts[at]
            if isinstance(part, ast.Slice):
                step = None if part.step is None else ast.unparse(part.step)
                if part.lower or part.upper or step not in (None, "1", "-1"):
                    self.fail(node, "a slice is all of an axis, : or ::-1; cut it with crop")
                f = reversed_axes(f, [at]) if step == "-1" else f
                continue
            index = self._integer(part)
            if index.constant is not None and index.constant < 0:
                index = f.form.shape[at] + index
            f = mapped(f, lambda form, at=at, i=index: select(form, at, i), f.axes)  # type: ignore[misc]
            axes = axes[:at] + axes[at + 1 :]
            f = mapped(f, lambda form: form, axes)
        return f


@dataclass(frozen=True)
class Missing:
    """A name that nothing in the program defines."""

    name: str


def broadcast(f: Op, other: Op) -> Op:
    """An operator with further axes in front, where another one has more axes."""
    more = other.form.rank - f.form.rank
    if more <= 0 or f.form.rank == 0:
        return f
    lead = other.form.shape[:more]
    return mapped(f, lambda g: build((*lead, *g.shape), lambda *i: g[i[more:]]), other.axes)


# -- running ---------------------------------------------------------------------------------------


def execute(text: str) -> Program:
    """Read a program line by line.

    Raises :class:`derive.errors.WrongInput` with the line for what cannot be read, and for what the
    framework refuses.
    """
    lines = statements(text)
    program = Program(Names("", free=True), lines)
    program.names.look = program.name
    program.dialect = _dialect(lines)
    waiting: list[Statement] = []
    later = [s.target for s in lines]
    for place, s in enumerate(lines):
        ahead = {t for t in later[place + 1 :] if t and t != s.target}
        unknown = {n for n in _spoken(s.text) if n in ahead and program.name(n) is None}
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


def _spoken(text: str) -> set[str]:
    return (
        {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}
        if _plain(text)
        else set()
    )


def _plain(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def _unmet(s: Statement, program: Program, later: Sequence[str]) -> set[str]:
    return {
        n
        for n in _spoken(s.text)
        if n in later and program.name(n) is None and n not in program.layers
    }


def _dialect(lines: Sequence[Statement]) -> str:
    """The framework that knows all calls of the program, if there is one."""
    names = []
    for s in lines:
        if _plain(s.text):
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
        program.made.append(f"{name} = np.array({s.printed.text})")
        return
    if s.target and _is_layer(node, program):
        program.layers[s.target] = node
        program.made.append(f"{s.target} = {s.text}")
        return
    value = program.evaluate(s.text)
    if isinstance(value, Row):
        value = _tuple(value)
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
    if name.rsplit(".", 1)[-1] in MAKERS or name in SHORT or find_helper(name) is not None:
        return False
    words: dict[str, Any] = {str(k.arg): 1 for k in node.keywords}
    return framework.is_object(framework.meant(name, [1] * len(node.args), words, program.dialect))


def _assign(s: Statement, value: Any, node: ast.expr, program: Program) -> None:
    before = program.values.get(s.target)
    again = isinstance(before, Op) and isinstance(value, Op) and s.target not in _spoken(s.text)
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
            str(n) if _none(e) else ast.unparse(e)
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
    found = [ProgramReader(parse(c), program).claim() for c in wanted]
    if len(found) > 1 and any(c.iff for c in found):
        raise WrongInput("reading the program: several claims, one with `iff`; judge that alone")
    return Claim(
        "; ".join(c.text for c in found),
        found[0].statement if len(found) == 1 else conjunction([c.statement for c in found]),
        tuple(dict.fromkeys(h for c in found for h in c.hypotheses)),
        found[0].iff,
        tuple(dict.fromkeys(r for c in found for r in c.requires)),
        tuple(program.names.readings),
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


def shape_of(f: Op) -> str:
    """A shape as Python writes it."""
    return f"({', '.join(map(str, f.form.shape))}{',' if f.form.rank == 1 else ''})"


def parted(entry: Entry) -> tuple[Entry, ...]:
    """A program as one entry for each of its claims; any other entry is returned as it is."""
    from dataclasses import replace

    from derive.claims.program import is_program

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
