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
from derive.claims.calls import called, dotted, framework_call
from derive.claims.files import Entry
from derive.claims.helpers import STORED, filled, find_helper, gradient, stored
from derive.claims.names import Names
from derive.claims.parse import Parsed, parse
from derive.claims.program import Printed, Slot, Statement, statements
from derive.claims.values import Op, Statement as Claimed, combined, mapped
from derive.errors import DeriveError, WrongInput
from derive.expr import Expr, Sym, cond_symbols, eq, lift, size
from derive.form import Form, Value, build, tensor
from derive.operators import select

GRADIENT = re.compile(r"^(?:d_?|grad_|gradient_|dL_?d)(?P<of>[A-Za-z]\w*?)(?P<how>_\w+)?$")
OF = re.compile(r"^(?P<of>[A-Za-z]\w*?)_grad$")
SHAPE = re.compile(r"^(?P<of>[A-Za-z]\w*)_(shape|sizes|size)$")
MAKERS = frozenset(
    (
        *("weight_variable", "bias_variable", "placeholder", "randn", "rand", "normal", "uniform"),
        *("random_normal", "truncated_normal", "random_uniform", "get_variable", "Input", "empty"),
    )
)
WORKERS = ("sess", "session", "np", "tf", "torch", "jnp", "K", "F", "nn", "lax", "keras", "tape", "t")
SHORT = ("conv2d", "conv2d_transpose", "conv2d_backprop_input", "conv2d_backprop_filter")
OF_PYTORCH = {"stride", "dilation", "groups", "bias", "weight"}
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
    forward: str = ""  # the name of the output whose gradient the program speaks of
    target: str = ""

    # -- names -------------------------------------------------------------------------------------
    def name(self, name: str) -> Any:
        """What a name stands for: a value, a tensor, a shape, or a size."""
        if name in self.values:
            return self.values[name]
        if name in self.names.tensors:
            form = self.names.tensors[name]
            return Op(form, form, axes=self.names.axes.get(name, ""))
        shaped = SHAPE.match(name)
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
        found = GRADIENT.match(name) or OF.match(name)
        of = None if found is None else self.known(found["of"])
        if of is None or (found and found["of"] in self.names.tensors):
            return None
        form = self.names.declare(name, of.form.shape)
        self.names.axes[name] = of.axes
        return Op(form, form, axes=of.axes)

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
        return bool(first) and first not in self.values and first not in self.names.tensors and (
            first in WORKERS or self._frame(node)
        )

    def _frame(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Attribute) or bool(
            re.match(r"(tf|tensorflow|torch|numpy|scipy|jax|onnx|keras\w*|linen|layers|ops)$", dotted(node))
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
            str(k.arg): reader.operand(k.value) for k in node.keywords if k.arg not in ("dtype", "name")
        }
        try:
            return found(self.names, *values, **words)
        except TypeError:
            raise WrongInput(f"{last}: these arguments are not read; write them as in the manual") from None

    def _of_output(self, node: ast.Call) -> ast.Call:
        """The gradient of an undefined scalar ``f`` is that of the output, with ``d_out``."""
        if not node.args or not isinstance(node.args[0], ast.Name):
            return node
        name = node.args[0].id
        if self.known(name) is not None or not self.forward:
            return node
        g = f"d_{self.forward}"
        self.name(g)
        self.names.read(f"{name} is the sum of {g}·{self.forward}, whose gradient by {self.forward} is {g}")
        rest = [node.args[1], ast.Name(g)] if len(node.args) > 1 else [ast.Name(g)]
        return ast.copy_location(ast.Call(node.func, [ast.Name(self.forward), *rest], node.keywords), node)

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

        for at, (a, lengths) in enumerate(zip(node.args[:2], (("H", "W"), ("k_h", "k_w")), strict=True)):
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

    dialect: str = ""


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else tuple(_row(value))


def _row(value: Any) -> Sequence[Any]:
    from derive.claims.arrays import Row

    return value.values if isinstance(value, Row) else (value,)


def _none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
