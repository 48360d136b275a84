"""ONNX: ``Conv`` and ``ConvTranspose``, and ``helper.make_node``.

Sources: the operator documentation of ONNX (Operators.md, opset 22).  A node does not say how many
spatial axes it has: its attributes do where they are given, and else its input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive import shapes
from derive.dialects.calls import Call, Name, show
from derive.dialects.layer import (
    CANONICAL,
    SPATIAL,
    Layer,
    Operand,
    Plan,
    Requirement,
    Shape,
    at_least,
    integer,
    step,
)
from derive.dialects.registry import CALLS, call, spelling
from derive.errors import WrongInput
from derive.expr import Expr, divides, eq, lift, maximum
from derive.symbols import size

AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
Pairs = tuple[tuple[Expr, Expr], ...]


def node_count(given: Mapping[str, Any]) -> int | None:
    """The number of spatial axes that the attributes of a node say."""
    for name in ("kernel_shape", "strides", "dilations", "output_shape", "output_padding"):
        if isinstance(given.get(name), tuple):
            return len(given[name])
    pads = given.get("pads")
    return len(pads) // 2 if isinstance(pads, tuple) else None


def ints(value: Any, dims: int, what: str, default: int, least: int = 1) -> tuple[Expr, ...]:
    """One integer for each spatial axis; ONNX takes a list only.  None is the default for all."""
    if value is None:
        return (lift(default),) * dims
    if not isinstance(value, tuple):
        raise WrongInput(
            f"{what} = {show(value)}: ONNX takes a list with one number for each spatial axis; "
            f"give [{', '.join([show(value)] * dims)}]"
        )
    if len(value) != dims:
        raise WrongInput(
            f"{what} has {len(value)} values for {dims} spatial axes; give one for each"
        )
    rule = "only contain positive" if least else "not contain negative"
    says = f"Attribute {what} must {rule} values"
    return at_least(least, tuple(integer(v, what) for v in value), what, says)


def explicit(pads: Any, dims: int) -> Pairs:
    """``pads`` as pairs: ONNX lists all beginnings, then all ends."""
    if pads is None:
        return ((lift(0), lift(0)),) * dims
    if not isinstance(pads, tuple) or len(pads) != 2 * dims:
        count = f"{len(pads)} values" if isinstance(pads, tuple) else show(pads)
        raise WrongInput(
            f"pads = {count} for {dims} spatial axes: ONNX lists the beginnings of all axes and then "
            f"the ends; give {2 * dims} values, as [{', '.join(['1'] * 2 * dims)}]"
        )
    values = at_least(
        0, tuple(integer(v, "pads") for v in pads), "pads", "must not contain negative values"
    )
    return tuple(zip(values[:dims], values[dims:], strict=True))


def check_auto_pad(auto_pad: Any, pads: Any) -> str:
    """The name of the automatic padding; it excludes ``pads``."""
    if auto_pad not in AUTO_PADS:
        raise WrongInput(
            f"auto_pad = {show(auto_pad)}: ONNX knows {', '.join(AUTO_PADS)} (Unknown AutoPadType "
            "String); choose one of them"
        )
    if auto_pad != "NOTSET" and isinstance(pads, tuple) and any(p != 0 for p in pads):
        raise WrongInput(
            f"auto_pad = {auto_pad!r} with pads: ONNX takes one of the two (cannot be used "
            "simultaneously with auto_pad); leave one out"
        )
    return str(auto_pad)


def padding_of(
    auto_pad: str,
    pads: Any,
    n: tuple[Expr, ...],
    k: tuple[Expr, ...],
    s: tuple[Expr, ...],
    d: tuple[Expr, ...],
) -> Pairs:
    """The padding of a window operation: ``pads``, or what ``auto_pad`` makes of the input."""
    if auto_pad == "NOTSET":
        return explicit(pads, len(k))
    if auto_pad == "VALID":
        return ((lift(0), lift(0)),) * len(k)
    same = [shapes.same_padding(*a) for a in zip(n, k, s, d, strict=True)]
    return tuple((b, a) if auto_pad == "SAME_LOWER" else (a, b) for a, b in same)


def kernel_of(
    given: Mapping[str, Shape], name: str, dims: int, first: tuple[Expr, Expr], k: Any
) -> Shape:
    """The kernel's shape as given; where it is not, its channels and the ``kernel_shape``."""
    if name in given:
        if len(given[name]) != dims + 2:
            raise WrongInput(
                f"{name} has {len(given[name])} axes; give {dims + 2}, two of channels and the kernel's"
            )
        return given[name]
    taps = tuple(size(f"k{a.lower()}") for a in SPATIAL[dims])
    return (*first, *(ints(k, dims, "kernel_shape", 1) if k is not None else taps))


def kernel_fits(kernel: Shape, kernel_shape: Any, dims: int) -> tuple[Requirement, ...]:
    """``kernel_shape`` repeats the weight's shape."""
    if kernel_shape is None:
        return ()
    k = ints(kernel_shape, dims, "kernel_shape", 1)
    return tuple(
        Requirement(
            eq(a, b),
            f"kernel_shape = {show(kernel_shape)} but W has a kernel of "
            f"({', '.join(map(str, kernel[2:]))}); leave kernel_shape out, or give W's",
        )
        for a, b in zip(kernel[2:], k, strict=True)
    )


def _bias(B: Any, channels: Expr) -> tuple[tuple[Operand, ...], str]:
    if B is None:
        return (), ""
    return (Operand("B", "O", (channels,)),), "B"


@call("ONNX", "onnx.Conv", dims=(2, 1, 3), tensors=("X", "W", "B"), count=node_count)
def conv(
    dims: int,
    X: Any = None,
    W: Any = None,
    B: Any = None,
    auto_pad: Any = "NOTSET",
    dilations: Any = None,
    group: Any = 1,
    kernel_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Layer:
    """ONNX ``Conv``: correlation with weights (M, C/group, k)."""
    auto = check_auto_pad(auto_pad, pads)
    s, d = ints(strides, dims, "strides", 1), ints(dilations, dims, "dilations", 1)
    g = at_least(1, (integer(group, "group"),), "group")[0]
    explicit(pads, dims)
    ints(kernel_shape, dims, "kernel_shape", 1)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = kernel_of(given, "W", dims, (size("M"), x[0] // g), kernel_shape)
        p = padding_of(auto, pads, x[1:], kernel[2:], s, d)
        made = step("correlate", weight="W", stride=s, padding=p, dilation=d, groups=g, dims=dims)
        biases, bias = _bias(B, kernel[0])
        conds = (
            Requirement(
                eq(x[0], g * kernel[1]),
                f"X has {x[0]} channels but W reads {kernel[1]} for each of group = {g} (onnxruntime: "
                f"Input channels C is not equal to kernel channels * group); give {g * kernel[1]} channels",
            ),
            Requirement(
                divides(g, kernel[0]),
                f"W makes {kernel[0]} channels, which group = {g} does not divide (onnxruntime: Output "
                "channels M is not divisible by group); choose a divisor",
            ),
            *kernel_fits(kernel, kernel_shape, dims),
        )
        return Plan((made,), (Operand("W", "OI" + SPATIAL[dims], kernel), *biases), conds, bias)

    return Layer(dims, CANONICAL[dims], plan, tensors=("W",))


@call("ONNX", "onnx.ConvTranspose", dims=(2, 1, 3), tensors=("X", "W", "B"), count=node_count)
def conv_transpose(
    dims: int,
    X: Any = None,
    W: Any = None,
    B: Any = None,
    auto_pad: Any = "NOTSET",
    dilations: Any = None,
    group: Any = 1,
    kernel_shape: Any = None,
    output_padding: Any = None,
    output_shape: Any = None,
    pads: Any = None,
    strides: Any = None,
) -> Layer:
    """ONNX ``ConvTranspose`` with weights (C, M/group, k)."""
    auto = check_auto_pad(auto_pad, pads)
    s, d = ints(strides, dims, "strides", 1), ints(dilations, dims, "dilations", 1)
    r = ints(output_padding, dims, "output_padding", 0, least=0)
    g = at_least(1, (integer(group, "group"),), "group")[0]
    explicit(pads, dims)
    ints(kernel_shape, dims, "kernel_shape", 1)
    if output_shape is not None:
        ints(output_shape, dims, "output_shape", 1)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = kernel_of(given, "W", dims, (x[0], size("M") // g), kernel_shape)
        p = transpose_padding(auto, pads, output_shape, x[1:], kernel[2:], s, d, r)
        made = step(
            "conv_transpose",
            weight="W",
            stride=s,
            padding=p,
            dilation=d,
            output_padding=r,
            groups=g,
            dims=dims,
        )
        biases, bias = _bias(B, g * kernel[1])
        conds = (
            Requirement(
                eq(x[0], kernel[0]),
                f"X has {x[0]} channels but W reads {kernel[0]} (onnxruntime: filter number not equal "
                f"to input channel number); give {kernel[0]} channels",
            ),
            Requirement(
                divides(g, x[0]),
                f"X has {x[0]} channels, which group = {g} does not divide (onnxruntime: Input channels "
                "is not divisible by group); choose a divisor",
            ),
            *kernel_fits(kernel, kernel_shape, dims),
            *returns(r, output_shape, x[1:], kernel[2:], s, d),
        )
        return Plan((made,), (Operand("W", "IO" + SPATIAL[dims], kernel), *biases), conds, bias)

    return Layer(dims, CANONICAL[dims], plan, tensors=("W",))


def transpose_padding(
    auto: str,
    pads: Any,
    output_shape: Any,
    n: tuple[Expr, ...],
    k: tuple[Expr, ...],
    s: tuple[Expr, ...],
    d: tuple[Expr, ...],
    r: tuple[Expr, ...],
) -> Pairs:
    """What is cut off on both sides.

    An ``output_shape`` (for SAME_UPPER and SAME_LOWER ``s·n`` where it is not given) leaves a total
    to cut, ``s(n-1) + r + d(k-1) + 1 - m``; its odd one is behind for SAME_UPPER and else in front.
    Where there is nothing to cut, zeros are added behind.
    """
    dims = len(k)
    if output_shape is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        return explicit(pads, dims)
    wanted = (
        tuple(si * ni for si, ni in zip(s, n, strict=True))
        if output_shape is None
        else ints(output_shape, dims, "output_shape", 1)
    )
    found = []
    for ni, ki, si, di, ri, mi in zip(n, k, s, d, r, wanted, strict=True):
        total = shapes.conv_transpose_length(ni, ki, si, di, 0, 0, ri) - mi
        front = maximum(0, total // 2 if auto == "SAME_UPPER" else total - total // 2)
        found.append((front, total - front))
    return tuple(found)


def _too_much(r: Expr, s: Expr, d: Expr) -> str:
    """What onnxruntime says of an output padding that is not below the stride."""
    known = r.constant is not None and s.constant is not None and d.constant is not None
    if known and int(r) >= max(int(s), int(d)):
        return "must be less than max(stride, dilation)"
    return "Computed output shape is inconsistent with input spatial dimensions"


def returns(
    r: tuple[Expr, ...],
    output_shape: Any,
    n: tuple[Expr, ...],
    k: tuple[Expr, ...],
    s: tuple[Expr, ...],
    d: tuple[Expr, ...],
) -> tuple[Requirement, ...]:
    """A convolution of the output gives the input's length again: less than ``s`` is added."""
    conds = [
        Requirement(
            a < b,
            f"output_padding = {a} with strides = {b}: onnxruntime refuses it "
            f"({_too_much(a, b, c)}); give less than {b}",
        )
        for a, b, c in zip(r, s, d, strict=True)
    ]
    if output_shape is not None:
        wanted = ints(output_shape, len(k), "output_shape", 1)
        for m, ni, ki, si, di in zip(wanted, n, k, s, d, strict=True):
            full = shapes.conv_transpose_length(ni, ki, si, di)
            message = (
                f"output_shape = {m} is too long: the scatter reaches {full}, and less than strides = {si} "
                "can be added (onnxruntime: Explicit output_shape is inconsistent with input spatial "
                f"dimensions); give at most {full + si - 1}"
            )
            conds.append(Requirement(m < full + si, message))
    return tuple(conds)


OUTSIDE = ("name", "doc_string", "domain", "overload")
INPUTS = {  # what the inputs of a node are called, in their order
    "Conv": ("X", "W", "B"),
    "ConvTranspose": ("X", "W", "B"),
    "Pad": ("data", "pads", "constant_value", "axes"),
    "Resize": ("X", "roi", "scales", "sizes"),
    "Upsample": ("X", "scales"),
    "Col2Im": ("input", "image_shape", "block_shape"),
    "MaxUnpool": ("X", "I", "output_shape"),
}


@spelling("helper.make_node")
def make_node(written: Call) -> Call:
    """``onnx.helper.make_node("Conv", inputs=[…], outputs=[…], …)`` as ``onnx.Conv(…)``."""
    keywords = dict(written.keywords)
    first = list(written.arguments)
    kind = first.pop(0) if first else keywords.pop("op_type", None)
    if not isinstance(kind, str) or f"onnx.{kind}" not in CALLS:
        known = ", ".join(sorted(n.removeprefix("onnx.") for n in CALLS if n.startswith("onnx.")))
        raise WrongInput(
            f"helper.make_node({show(kind)}, …): the operator is unknown here; known are {known}"
        )
    inputs = first.pop(0) if first else keywords.pop("inputs", ())
    keywords.pop("outputs", None)
    if len(first) > 1 or not isinstance(inputs, tuple):
        raise WrongInput(
            f"helper.make_node({show(kind)}, …): the operator, the inputs and the outputs were "
            "expected, and then attributes by name"
        )
    for name in OUTSIDE:
        keywords.pop(name, None)
    names = INPUTS.get(kind, ("X",))
    for place, given in zip(names, inputs, strict=False):
        if isinstance(given, str) and given:
            keywords.setdefault(place, Name(given))
    return Call(f"onnx.{kind}", (), tuple(keywords.items()), written.text, written.on)
