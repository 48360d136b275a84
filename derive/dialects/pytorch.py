"""PyTorch: ``nn`` layers and ``nn.functional`` calls for convolution.

Sources: the signatures and shape rules of the PyTorch documentation (2.x) and, where it is silent,
``aten/src/ATen/native/Convolution.cpp``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.layer import (
    CANONICAL,
    SPATIAL,
    Layer,
    Operand,
    Plan,
    Requirement,
    Shape,
    Step,
    at_least,
    axes,
    check_axes,
    integer,
    step,
)
from derive.dialects.registry import call
from derive.errors import WrongInput
from derive.expr import Expr, eq, lift

PADDING_MODES = {
    "zeros": "zero",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}
EMPTY_KERNEL = "kernel size should be greater than zero"
EMPTY_DILATION = "dilation should be greater than zero"
NO_GROUPS = "groups must be a positive integer"  # says the layer, and the function:
NO_GROUPS_IN_FUNCTION = "non-positive groups is not supported"


@call("PyTorch", "nn.Conv{d}d")
def conv(
    dims: int,
    in_channels: Any,
    out_channels: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
    bias: Any = True,
    padding_mode: Any = "zeros",
    device: Any = None,
    dtype: Any = None,
) -> Layer:
    """``torch.nn.Conv1d``, ``Conv2d``, ``Conv3d``: correlation with weights (O, I/groups, k)."""
    c_in, c_out = integer(in_channels, "in_channels"), integer(out_channels, "out_channels")
    g = at_least(1, (integer(groups, "groups"),), "groups", NO_GROUPS)[0]
    k = at_least(1, each_axis(kernel_size, dims, "kernel_size"), "kernel_size", EMPTY_KERNEL)
    check_groups("in_channels", c_in, g)
    check_groups("out_channels", c_out, g)
    if padding_mode not in PADDING_MODES:
        raise WrongInput(
            f"padding_mode = {padding_mode!r}: PyTorch knows {', '.join(PADDING_MODES)}; "
            "choose one of them"
        )
    kernel = (c_out, c_in // g, *k)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        steps = conv_steps(dims, k, stride, padding, dilation, g, PADDING_MODES[padding_mode])
        operands = [Operand("weight", "OI" + SPATIAL[dims], kernel)]
        if bias:
            operands.append(Operand("bias", "O", (c_out,)))
        message = f"the input has {x[0]} channels but in_channels = {c_in}; give {c_in} channels"
        fits = Requirement(eq(x[0], c_in), message)
        return Plan(steps, tuple(operands), (fits,), "bias" if bias else "")

    # what is wrong with the call itself
    conv_steps(dims, k, stride, padding, dilation, g, PADDING_MODES[padding_mode])
    return Layer(dims, CANONICAL[dims], plan, unbatched=True)


@call("PyTorch", "F.conv{d}d", tensors=("input", "weight", "bias"))
def conv_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
) -> Layer:
    """``torch.nn.functional.conv1d``, ``conv2d``, ``conv3d``."""
    g = at_least(1, (integer(groups, "groups"),), "groups", NO_GROUPS_IN_FUNCTION)[0]

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = given["weight"]
        check_weight(f"F.conv{dims}d", kernel, "OI" + SPATIAL[dims])
        at_least(1, kernel[2:], "the weight's kernel length", EMPTY_KERNEL)
        steps = conv_steps(dims, kernel[2:], stride, padding, dilation, g)
        operands = [Operand("weight", "OI" + SPATIAL[dims], kernel)]
        if bias is not None:
            operands.append(Operand("bias", "O", kernel[:1]))
        check_groups("weight.size(0)", kernel[0], g, weight_groups(g))
        message = (
            f"the input has {x[0]} channels but the weight reads {kernel[1]} for each of {g} groups; "
            f"give {g * kernel[1]} channels"
        )
        fits = Requirement(eq(x[0], g * kernel[1]), message)
        return Plan(steps, tuple(operands), (fits,), "bias" if bias is not None else "")

    return Layer(dims, CANONICAL[dims], plan, unbatched=True, tensors=("weight", "bias"))


def conv_steps(
    dims: int,
    k: tuple[Expr, ...],
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Expr,
    mode: str = "zero",
) -> tuple[Step, ...]:
    """The correlation of a PyTorch convolution with a kernel of lengths ``k``.

    ``padding='same'`` pads ``d(k-1)`` in all, the odd one behind, for stride 1 only.
    """
    s = at_least(1, axes(stride, dims, "stride"), "stride", "non-positive stride is not supported")
    d = at_least(1, axes(dilation, dims, "dilation"), "dilation", EMPTY_DILATION)
    if isinstance(padding, str):
        amounts = _named_padding(padding, k, s, d)
    else:
        p = axes(padding, dims, "padding")
        if mode == "zero":
            at_least(0, p, "padding", "negative padding is not supported")
        else:  # F.pad does it, which crops where an amount is negative
            each_axis(padding, dims, "padding")
        amounts = tuple((a, a) for a in p)
    return (
        step(
            "correlate",
            weight="weight",
            stride=s,
            padding=amounts,
            dilation=d,
            groups=groups,
            dims=dims,
            padding_mode=mode,
        ),
    )


def each_axis(value: Any, dims: int, what: str) -> tuple[Expr, ...]:
    """As :func:`derive.dialects.layer.axes`, where PyTorch refuses a tuple of one for several axes.

    >>> [str(k) for k in each_axis((3, 5), 2, "kernel_size")]
    ['3', '5']
    """
    if isinstance(value, tuple) and len(value) != dims:
        raise WrongInput(
            f"{what} has {len(value)} values for {dims} spatial axes: PyTorch refuses it; "
            f"give one number or {dims}"
        )
    return axes(value, dims, what)


def _named_padding(
    padding: str, k: tuple[Expr, ...], s: tuple[Expr, ...], d: tuple[Expr, ...]
) -> tuple[tuple[Expr, Expr], ...]:
    if padding == "valid":
        return tuple((lift(0), lift(0)) for _ in k)
    if padding != "same":
        raise WrongInput(
            f"padding = {padding!r}: PyTorch knows 'valid' and 'same' (Invalid padding "
            "string); give one of them or amounts"
        )
    if any(a.constant is not None and a.constant != 1 for a in s):
        raise WrongInput(
            "padding = 'same' with a stride: PyTorch refuses it (padding='same' is not supported for "
            "strided convolutions); use stride=1, or pad by hand with F.pad and padding=0"
        )
    totals = [di * (ki - 1) for ki, di in zip(k, d, strict=True)]
    return tuple((t // 2, t - t // 2) for t in totals)


def check_weight(name: str, kernel: Shape, letters: str) -> None:
    """Refuse a weight with another number of axes than the function ``name`` takes."""
    says = "PyTorch says: weight should have at least three dimensions"
    check_axes(f"{name}: the weight", kernel, letters, says if len(kernel) < 3 else "")


def weight_groups(groups: Expr) -> str:
    """What PyTorch says of a weight that the groups do not divide."""
    return f"expected weight to be divisible by {groups} at dimension 0"


def check_groups(what: str, channels: Expr, groups: Expr, says: str = "") -> None:
    """Refuse channel counts that the groups do not divide."""
    c, g = channels.constant, groups.constant
    if c is not None and g is not None and c % g:
        raise WrongInput(
            f"{what} = {c}, groups = {g}: PyTorch refuses it "
            f"({says or f'{what} must be divisible by groups'}); choose groups that divide {c}"
        )
