"""PyTorch: transposed convolution, ``nn.ConvTranspose1d`` to ``3d`` and their functional calls.

Sources: the PyTorch documentation (2.x), ``torch/nn/modules/conv.py`` for ``output_size``, and
``aten/src/ATen/native/Convolution.cpp``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive import shapes
from derive.dialects.layer import (
    CANONICAL,
    SPATIAL,
    Layer,
    Operand,
    Plan,
    Requirement,
    Shape,
    at_least,
    axes,
    integer,
    step,
)
from derive.dialects.pytorch import (
    EMPTY_DILATION,
    EMPTY_KERNEL,
    NO_GROUPS,
    NO_GROUPS_IN_FUNCTION,
    check_groups,
    check_weight,
    each_axis,
    weight_groups,
)
from derive.dialects.registry import call
from derive.errors import WrongInput
from derive.expr import Expr, any_of, divides, eq, lift

Axes = tuple[Expr, ...]


@call("PyTorch", "nn.ConvTranspose{d}d", applied=("output_size",))
def conv_transpose(
    dims: int,
    in_channels: Any,
    out_channels: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    bias: Any = True,
    dilation: Any = 1,
    padding_mode: Any = "zeros",
    device: Any = None,
    dtype: Any = None,
    *,
    output_size: Any = None,
) -> Layer:
    """``torch.nn.ConvTranspose1d``, ``2d``, ``3d``: weights (I, O/groups, k).

    ``output_size`` belongs to the second call, ``layer(x, output_size)``; it chooses the output
    padding, from 0 to ``stride - 1``.
    """
    c_in, c_out = integer(in_channels, "in_channels"), integer(out_channels, "out_channels")
    g = at_least(1, (integer(groups, "groups"),), "groups", NO_GROUPS)[0]
    k = at_least(1, each_axis(kernel_size, dims, "kernel_size"), "kernel_size", EMPTY_KERNEL)
    check_groups("in_channels", c_in, g)
    check_groups("out_channels", c_out, g)
    if padding_mode != "zeros":
        raise WrongInput(
            f'padding_mode = {padding_mode!r}: PyTorch refuses it (Only "zeros" padding mode is '
            f"supported for ConvTranspose{dims}d); leave it out"
        )
    geometry = _geometry(dims, stride, padding, output_padding, dilation, output_size is None)
    wanted = None if output_size is None else _wanted(output_size, dims)
    if wanted is not None:  # PyTorch then looks at each value
        for value, what in ((stride, "stride"), (padding, "padding"), (dilation, "dilation")):
            each_axis(value, dims, what)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        s, p, r, d = geometry
        fits = [
            Requirement(
                eq(x[0], c_in),
                f"the input has {x[0]} channels but in_channels = {c_in}; give {c_in} channels",
            )
        ]
        if wanted is not None:
            r, more = _chosen(x[1:], wanted, k, (s, p, d))
            fits += more
        operands = [Operand("weight", "IO" + SPATIAL[dims], (c_in, c_out // g, *k))]
        if bias:
            operands.append(Operand("bias", "O", (c_out,)))
        return _plan(dims, (s, p, r, d), g, operands, fits, bool(bias))

    def accepts(rank: int) -> None:
        if isinstance(output_size, tuple) and len(output_size) not in (dims, rank):
            raise WrongInput(
                f"output_size has {len(output_size)} values for an input with {rank} axes; "
                f"give {dims} or {rank}"
            )

    return Layer(dims, CANONICAL[dims], plan, unbatched=True, accepts=accepts)


@call("PyTorch", "F.conv_transpose{d}d", tensors=("input", "weight", "bias"))
def conv_transpose_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    dilation: Any = 1,
) -> Layer:
    """``torch.nn.functional.conv_transpose1d``, ``2d``, ``3d``."""
    g = at_least(1, (integer(groups, "groups"),), "groups", NO_GROUPS_IN_FUNCTION)[0]
    geometry = _geometry(dims, stride, padding, output_padding, dilation, True)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        kernel = given["weight"]
        check_weight(f"F.conv_transpose{dims}d", kernel, "IO" + SPATIAL[dims])
        at_least(1, kernel[2:], "the weight's kernel length", EMPTY_KERNEL)
        check_groups("weight.size(0)", kernel[0], g, weight_groups(g))
        fits = [
            Requirement(
                eq(x[0], kernel[0]),
                f"the input has {x[0]} channels but the weight takes {kernel[0]}; "
                f"give {kernel[0]} channels",
            )
        ]
        operands = [Operand("weight", "IO" + SPATIAL[dims], kernel)]
        if bias is not None:
            operands.append(Operand("bias", "O", (g * kernel[1],)))
        return _plan(dims, geometry, g, operands, fits, bias is not None)

    return Layer(dims, CANONICAL[dims], plan, unbatched=True, tensors=("weight", "bias"))


def _geometry(
    dims: int, stride: Any, padding: Any, output_padding: Any, dilation: Any, own: bool
) -> tuple[Axes, Axes, Axes, Axes]:
    """Stride, padding, output padding and dilation; ``own``: is the output padding the call's?"""
    s = at_least(1, axes(stride, dims, "stride"), "stride", "non-positive stride is not supported")
    d = at_least(1, axes(dilation, dims, "dilation"), "dilation", EMPTY_DILATION)
    if isinstance(padding, str):
        raise WrongInput(
            f"padding = {padding!r}: PyTorch refuses it for a transposed convolution (must be "
            "tuple of ints); give amounts"
        )
    p = at_least(0, axes(padding, dims, "padding"), "padding", "negative padding is not supported")
    r = axes(output_padding, dims, "output_padding")
    if own:
        at_least(0, r, "output_padding", "negative output_padding is not supported")
        for si, di, ri in zip(s, d, r, strict=True):
            _check_output_padding(ri, si, di)
    return s, p, r, d


def _check_output_padding(r: Expr, s: Expr, d: Expr) -> None:
    amount, stride, dilation = r.constant, s.constant, d.constant
    if amount is None or stride is None or dilation is None or amount < max(stride, dilation):
        return
    least = max(stride, dilation)
    raise WrongInput(
        f"output_padding = {amount} with stride = {stride}, dilation = {dilation}: PyTorch refuses "
        "it (output padding must be smaller than either stride or dilation); "
        f"give at most {least - 1}, or pad the output by hand with F.pad"
    )


def _wanted(output_size: Any, dims: int) -> Axes:
    """The spatial part of an ``output_size``."""
    if not isinstance(output_size, tuple):
        raise WrongInput(
            f"output_size = {output_size}: PyTorch takes a list or tuple here; "
            f"give {dims} lengths, as output_size=({', '.join(['…'] * dims)}{',' * (dims == 1)})"
        )
    if len(output_size) not in (dims, dims + 1, dims + 2):
        raise WrongInput(
            f"output_size has {len(output_size)} values for {dims} spatial axes; "
            f"give {dims}, or {dims + 2} with batch and channels"
        )
    return tuple(integer(v, "output_size") for v in output_size[len(output_size) - dims :])


def _chosen(
    n: Axes, wanted: Axes, k: Axes, geometry: tuple[Axes, Axes, Axes]
) -> tuple[Axes, list[Requirement]]:
    """The output padding that gives the wanted lengths, and that it lies in PyTorch's range."""
    found, fits = [], []
    first = tuple(
        lift(shapes.conv_transpose_length(ni, ki, si, di, pi, pi))
        for ni, ki, si, pi, di in zip(n, k, *geometry, strict=True)
    )
    last = tuple(least + si - 1 for least, si in zip(first, geometry[0], strict=True))
    low, high = (", ".join(map(str, lengths)) for lengths in (first, last))
    for wi, least, si in zip(wanted, first, geometry[0], strict=True):
        r = wi - least
        message = (
            f"output_size = {wi}: PyTorch refuses it (valid sizes range from [{low}] to [{high}]); "
            "give a length in that range"
        )
        fits += [Requirement(r >= 0, message), Requirement(r <= si - 1, message)]
        found.append(r)
    return tuple(found), fits


def _plan(
    dims: int,
    geometry: tuple[Axes, Axes, Axes, Axes],
    groups: Expr,
    operands: list[Operand],
    fits: list[Requirement],
    bias: bool,
) -> Plan:
    s, p, r, d = geometry
    for si, di, ri in zip(s, d, r, strict=True):
        message = (
            f"output_padding = {ri}: PyTorch refuses it (output padding must be smaller than either "
            "stride or dilation); give less"
        )
        fits.append(Requirement(any_of(ri < si, ri < di), message))
    fits.append(
        Requirement(
            divides(groups, operands[0].shape[0]),
            f"groups = {groups} do not divide {operands[0].shape[0]} channels; choose others",
        )
    )
    transposed = step(
        "conv_transpose",
        weight="weight",
        stride=s,
        padding=tuple((a, a) for a in p),
        dilation=d,
        output_padding=r,
        groups=groups,
        dims=dims,
    )
    return Plan((transposed,), tuple(operands), tuple(fits), "bias" if bias else "")
