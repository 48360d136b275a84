"""What names in programs mean by convention: gradients, shapes, tensors made of a shape."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from derive.claims.calls import dotted
from derive.claims.program import Statement

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
        if not plain(s.text):
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
                f", {k}={given[k]}"
                for k in ("strides", "padding", "data_format", "dilations")
                if k in given
            )
            return f"tf.nn.conv2d({given['input']}, {given['filter']}{more})"
    return ""


def plain(text: str) -> bool:
    """Is the text an expression?"""
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def spoken(text: str) -> set[str]:
    """The names in an expression."""
    if not plain(text):
        return set()
    return {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}
