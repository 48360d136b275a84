"""Reading the expressions of a program: its variables, its helpers, its calls of frameworks."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from derive.claims.arrays import Row, array_of
from derive.claims.calls import called, dotted, framework_call
from derive.claims.conventions import (
    MAKERS,
    OF_PYTORCH,
    OUTPUTS,
    SHAPE,
    SHORT,
    WORKERS,
    backward,
    gradient_of,
)
from derive.claims.helpers import filled, find_helper
from derive.claims.meaning import Reader
from derive.claims.names import Names
from derive.claims.parse import Parsed, parse
from derive.claims.program import Statement
from derive.claims.values import Op, mapped
from derive.errors import WrongInput
from derive.expr import Expr, lift
from derive.form import Form, build
from derive.operators import select

MAX_WEIGHT = 10_000  # of what a line makes


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
    kept: list[ast.expr] = field(default_factory=list)  # layers are told apart by their nodes

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
        self.kept.append(reader.parsed.body)
        found = reader.value(reader.parsed.body)
        if isinstance(found, Op) and weight(found.form) > MAX_WEIGHT:
            raise WrongInput(f"{text[:60]}: it has too many terms; simplify the program")
        return found

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
            return filled(tupled(shape), 1 if last == "ones" else 0)
        if last == "shape" and "." in name:
            return reader.value(node.args[0]).form.shape
        found = find_helper(name)
        if found is not None and not (called(node) and last == "pad"):
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
            value = None if none(part) else reader.value(part)
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
        declared = isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
        if declared and self.name(node.value.id) is None:  # type: ignore[attr-defined]
            shape = node.slice  # type: ignore[attr-defined]
            return len(shape.elts) if isinstance(shape, ast.Tuple) else 1
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
    return Op(array_of(value)) if first else tupled(value)


def tupled(value: Any) -> tuple[Any, ...]:
    """Rows, or a number, as a tuple."""
    return value if isinstance(value, tuple) else tuple(_row(value))


def _row(value: Any) -> Sequence[Any]:
    from derive.claims.arrays import Row

    return value.values if isinstance(value, Row) else (value,)


def none(node: ast.expr) -> bool:
    """Is None written there?"""
    return isinstance(node, ast.Constant) and node.value is None


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

    def value(self, node: ast.expr) -> Any:
        """What an expression stands for; ``a.T`` is the transpose."""
        if isinstance(node, ast.Attribute) and node.attr == "T":
            turned = ast.Call(ast.Name("transpose"), [node.value], [])
            return self._call(ast.copy_location(turned, node))
        return super().value(node)

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
        if isinstance(a, Op) and isinstance(b, Op):
            product = isinstance(op, ast.Mult)
            factors = (len(b.form.terms), len(a.form.terms)) if product else (1, 1)
            if weight(a.form) * factors[0] + weight(b.form) * factors[1] > MAX_WEIGHT:
                self.fail(node, "this has too many terms; simplify the program")
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


def weight(form: Form) -> int:
    """How much a form holds: its terms with their reads, sums and conditions.

    >>> from derive.form import tensor
    >>> weight(tensor("x", 3))
    2
    """
    return sum(1 + len(t.reads) + len(t.bound) + len(t.where) for t in form.terms)


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
