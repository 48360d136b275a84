"""PyTorch: max, average, adaptive and power-average pooling, by layer and by function.

Sources: the PyTorch documentation (2.x) and ``aten/src/ATen/native/Pool.h``; power-average
(``LPPool``), adaptive and fractional max pooling are known by their shapes alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from derive.dialects.layer import (
    CANONICAL,
    Layer,
    Plan,
    Requirement,
    Shape,
    at_least,
    axes,
    integer,
    step,
)
from derive.dialects.pytorch import each_axis
from derive.dialects.registry import call
from derive.errors import WrongInput
from derive.expr import Expr, lift

NOT_LINEAR = "it is not linear in its input"
SAYS = {
    "stride": "stride should not be zero",
    "padding": "pad must be non-negative",
    "dilation": "dilation should be greater than zero",
    "half": "pad should be at most half of effective kernel size",
}
HALF_UNDILATED = "pad should be smaller than or equal to half of kernel size"
SAYS_MAX_1D = {  # where no gradient is asked for
    "stride": "stride must be greater than zero",
    "padding": "padding must be non-negative",
    "dilation": "dilation must be greater than zero",
    "half": "padding should be at most half of kernel size",
}
Axes = tuple[Expr, ...]


def window_axes(
    dims: int, kernel_size: Any, stride: Any, says: Mapping[str, str] = SAYS
) -> tuple[Axes, Axes]:
    """Kernel and stride; the stride is the kernel where it is None or an empty tuple."""
    k = at_least(1, axes(kernel_size, dims, "kernel_size"), "kernel_size")
    if stride is None or stride == ():
        return k, k
    return k, at_least(1, axes(stride, dims, "stride"), "stride", says["stride"])


def padded_axes(
    dims: int, padding: Any, k: Axes, says: Mapping[str, str] = SAYS, d: Axes = ()
) -> Axes:
    """The padding: PyTorch pads a pooling by no more than half the kernel, dilated or not."""
    if isinstance(padding, str):
        raise WrongInput(
            f"padding = {padding!r}: PyTorch's pooling takes amounts; give integers, or pad first"
        )
    p = at_least(0, axes(padding, dims, "padding"), "padding", says["padding"])
    half = says["half"]
    if (
        dims > 1
        and d
        and not any(_beyond(pi, di * (ki - 1) + 1) for pi, ki, di in zip(p, k, d, strict=True))
    ):
        half = HALF_UNDILATED  # PyTorch looks at the dilated kernels first
    for pi, ki in zip(p, k, strict=True):
        amount, length = pi.constant, ki.constant
        if amount is not None and length is not None and 2 * amount > length:
            raise WrongInput(
                f"padding = {amount} with kernel_size = {length}: PyTorch refuses it "
                f"({half}); give at most {length // 2}, or pad before with F.pad"
            )
    return p


def _beyond(p: Expr, length: Expr) -> bool:
    """Is the padding, a number, more than half of the length?"""
    return p.constant is not None and length.constant is not None and 2 * int(p) > int(length)


def _half(p: Axes, k: Axes) -> tuple[Requirement, ...]:
    return tuple(
        Requirement(2 * a <= b, f"padding = {a} is more than half of the kernel {b}; give less")
        for a, b in zip(p, k, strict=True)
    )


def _symmetric(p: Axes) -> tuple[tuple[Expr, Expr], ...]:
    return tuple((a, a) for a in p)


def _pooled(dims: int, plan: Plan) -> Layer:
    return Layer(dims, CANONICAL[dims], lambda x, given: plan, unbatched=True)


def max_pooling(
    dims: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any
) -> Layer:
    """Max pooling with the first of equal maxima, as a layer."""
    says = SAYS_MAX_1D if dims == 1 else SAYS
    k, s = window_axes(dims, kernel_size, stride, says)
    d = at_least(1, axes(dilation, dims, "dilation"), "dilation", says["dilation"])
    p = padded_axes(dims, padding, k, says, d)
    pooled = step(
        "max_pool",
        k=k,
        stride=s,
        padding=_symmetric(p),
        dilation=d,
        ceil_mode=bool(ceil_mode),
        dims=dims,
    )
    return _pooled(dims, Plan((pooled,), requires=_half(p, k)))


@call("PyTorch", "nn.MaxPool{d}d")
def max_pool(
    dims: int,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    return_indices: Any = False,
    ceil_mode: Any = False,
) -> Layer:
    """``torch.nn.MaxPool1d``, ``2d``, ``3d``."""
    return max_pooling(dims, kernel_size, stride, padding, dilation, ceil_mode)


@call("PyTorch", "F.max_pool{d}d", tensors=("input",))
def max_pool_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: Any = False,
    return_indices: Any = False,
) -> Layer:
    """``torch.nn.functional.max_pool1d``, ``2d``, ``3d``: the last two in another order."""
    return max_pooling(dims, kernel_size, stride, padding, dilation, ceil_mode)


def average_pooling(
    dims: int,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: Any,
    count_include_pad: Any,
    divisor_override: Any = None,
) -> Layer:
    """Average pooling with PyTorch's divisors, as a layer."""
    k, s = window_axes(dims, kernel_size, stride)
    p = padded_axes(dims, padding, k)
    divisor = None
    if divisor_override is not None:
        divisor = integer(divisor_override, "divisor_override")
        if divisor == 0:
            raise WrongInput(
                "divisor_override = 0: PyTorch refuses it (divisor must be not zero); "
                "give another number or None"
            )
    pooled = step(
        "avg_pool",
        k=k,
        stride=s,
        padding=_symmetric(p),
        ceil_mode=bool(ceil_mode),
        count_include_pad=bool(count_include_pad),
        divisor_override=divisor,
        dims=dims,
    )
    return _larger(dims, k, Plan((pooled,), requires=_half(p, k)))


def _larger(dims: int, k: Axes, plan: Plan) -> Layer:
    """On three axes PyTorch's average wants an input, without its padding, as long as the kernel."""
    if dims < 3:
        return _pooled(dims, plan)

    def larger(x: Shape, given: Mapping[str, Shape]) -> Plan:
        fits = tuple(
            Requirement(
                n >= ki,
                f"an input of {n} with kernel_size = {ki}: PyTorch refuses it on three axes, "
                "whatever the padding (smaller than kernel size); pad before with F.pad",
            )
            for n, ki in zip(x[1:], k, strict=True)
        )
        return replace(plan, requires=(*plan.requires, *fits))

    return Layer(dims, CANONICAL[dims], larger, unbatched=True)


@call("PyTorch", "nn.AvgPool{d}d", dims=(1,))
def avg_pool_1d(
    dims: int,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: Any = False,
    count_include_pad: Any = True,
) -> Layer:
    """``torch.nn.AvgPool1d``, which knows no ``divisor_override``."""
    return average_pooling(dims, kernel_size, stride, padding, ceil_mode, count_include_pad)


@call("PyTorch", "nn.AvgPool{d}d", dims=(2, 3))
def avg_pool(
    dims: int,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: Any = False,
    count_include_pad: Any = True,
    divisor_override: Any = None,
) -> Layer:
    """``torch.nn.AvgPool2d``, ``3d``."""
    return average_pooling(
        dims, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@call("PyTorch", "F.avg_pool{d}d", dims=(1,), tensors=("input",))
def avg_pool_1d_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: Any = False,
    count_include_pad: Any = True,
) -> Layer:
    """``torch.nn.functional.avg_pool1d``."""
    return average_pooling(dims, kernel_size, stride, padding, ceil_mode, count_include_pad)


@call("PyTorch", "F.avg_pool{d}d", dims=(2, 3), tensors=("input",))
def avg_pool_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: Any = False,
    count_include_pad: Any = True,
    divisor_override: Any = None,
) -> Layer:
    """``torch.nn.functional.avg_pool2d``, ``avg_pool3d``."""
    return average_pooling(
        dims, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def adaptive_lengths(dims: int, output_size: Any) -> tuple[Expr | None, ...]:
    """The output lengths; None keeps that of the input (on two or three axes)."""
    values: Sequence[Any] = output_size if isinstance(output_size, tuple) else (output_size,) * dims
    if len(values) != dims:
        raise WrongInput(
            f"output_size has {len(values)} values for {dims} spatial axes: PyTorch refuses it; "
            f"give one number or {dims}"
        )
    if dims == 1 and None in values:
        raise WrongInput(
            "output_size = None: PyTorch takes None on two or three axes only; give a length"
        )
    return tuple(None if v is None else integer(v, "output_size") for v in values)


def adaptive(dims: int, output_size: Any, shape_only: str = "") -> Layer:
    """Adaptive pooling; for the maximum only the shape is known."""
    lengths = adaptive_lengths(dims, output_size)
    at_least(1, tuple(m for m in lengths if m is not None), "output_size")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        m = tuple(n if a is None else a for a, n in zip(lengths, x[1:], strict=True))
        return Plan((step("adaptive_avg_pool", m=m, dims=dims),), shape_only=shape_only)

    return Layer(dims, CANONICAL[dims], plan, unbatched=True)


@call("PyTorch", "nn.AdaptiveAvgPool{d}d")
def adaptive_avg_pool(dims: int, output_size: Any) -> Layer:
    """``torch.nn.AdaptiveAvgPool1d``, ``2d``, ``3d``."""
    return adaptive(dims, output_size)


@call("PyTorch", "F.adaptive_avg_pool{d}d", tensors=("input",))
def adaptive_avg_pool_functional(dims: int, input: Any, output_size: Any) -> Layer:  # noqa: A002
    """``torch.nn.functional.adaptive_avg_pool1d``, ``2d``, ``3d``."""
    return adaptive(dims, output_size)


@call("PyTorch", "nn.AdaptiveMaxPool{d}d")
def adaptive_max_pool(dims: int, output_size: Any, return_indices: Any = False) -> Layer:
    """``torch.nn.AdaptiveMaxPool1d``, ``2d``, ``3d``: the shape."""
    return adaptive(dims, output_size, NOT_LINEAR)


@call("PyTorch", "F.adaptive_max_pool{d}d", tensors=("input",))
def adaptive_max_pool_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    output_size: Any,
    return_indices: Any = False,
) -> Layer:
    """``torch.nn.functional.adaptive_max_pool1d``, ``2d``, ``3d``: the shape."""
    return adaptive(dims, output_size, NOT_LINEAR)


def power_average(dims: int, kernel_size: Any, stride: Any, ceil_mode: Any) -> Layer:
    """Power-average pooling: the shape is that of an average pooling without padding."""
    if dims == 1 and isinstance(kernel_size, tuple):
        raise WrongInput(
            f"kernel_size = {kernel_size}: PyTorch refuses a tuple here; give a number"
        )
    each_axis(kernel_size, dims, "kernel_size")
    k, s = window_axes(dims, kernel_size, stride)
    pooled = step("sum_pool", k=k, stride=s, ceil_mode=bool(ceil_mode), dims=dims)
    return _larger(dims, k, Plan((pooled,), shape_only=NOT_LINEAR))


@call("PyTorch", "nn.LPPool{d}d")
def lp_pool(
    dims: int, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: Any = False
) -> Layer:
    """``torch.nn.LPPool1d``, ``2d``, ``3d``: the shape."""
    return power_average(dims, kernel_size, stride, ceil_mode)


@call("PyTorch", "F.lp_pool{d}d", tensors=("input",))
def lp_pool_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    norm_type: Any,
    kernel_size: Any,
    stride: Any = None,
    ceil_mode: Any = False,
) -> Layer:
    """``torch.nn.functional.lp_pool1d``, ``2d``, ``3d``: the shape."""
    return power_average(dims, kernel_size, stride, ceil_mode)


def fractional(dims: int, kernel_size: Any, output_size: Any, output_ratio: Any) -> Layer:
    """Fractional max pooling: the shape; its windows are random."""
    k = at_least(1, each_axis(kernel_size, dims, "kernel_size"), "kernel_size")
    if (output_size is None) == (output_ratio is None):
        says = (
            "requires specifying either an output size, or a pooling ratio"
            if output_size is None
            else "only one of output_size and output_ratio may be specified"
        )
        raise WrongInput(
            f"output_size and output_ratio: PyTorch takes exactly one of them ({says}); give one"
        )
    lengths = None if output_size is None else each_axis(output_size, dims, "output_size")
    ratios = None if output_ratio is None else _ratios(dims, output_ratio)
    at_least(1, lengths or (), "output_size")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        m = lengths or tuple(
            n * lift(q.numerator) // q.denominator for n, q in zip(x[1:], ratios or (), strict=True)
        )
        fits = [Requirement(a >= 1, f"an output length of {a}; give a larger ratio") for a in m]
        spare = dims - 2  # on three axes PyTorch wants one more element than the windows need
        fits += [
            Requirement(
                a + b - 1 + spare <= n,
                f"kernel_size = {b} for {n} → {a}: PyTorch refuses it (too large relative to input); "
                f"the output has at most {n - b + 1 - spare} elements",
            )
            for a, b, n in zip(m, k, x[1:], strict=True)
        ]
        pooled = step("adaptive_avg_pool", m=m, dims=dims)
        return Plan((pooled,), requires=tuple(fits), shape_only="its windows are random")

    return Layer(dims, CANONICAL[dims], plan, unbatched=True)


def _ratios(dims: int, output_ratio: Any) -> tuple[Fraction, ...]:
    values = output_ratio if isinstance(output_ratio, tuple) else (output_ratio,) * dims
    if len(values) != dims or not all(isinstance(v, Fraction) and 0 < v < 1 for v in values):
        raise WrongInput(
            f"output_ratio = {output_ratio}: PyTorch takes numbers between 0 and 1; "
            f"give one or {dims} of them"
        )
    return tuple(values)


@call("PyTorch", "nn.FractionalMaxPool{d}d", dims=(2, 3))
def fractional_max_pool(
    dims: int,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: Any = False,
    _random_samples: Any = None,
) -> Layer:
    """``torch.nn.FractionalMaxPool2d``, ``3d``: the shape."""
    return fractional(dims, kernel_size, output_size, output_ratio)


@call("PyTorch", "F.fractional_max_pool{d}d", dims=(2, 3), tensors=("input",))
def fractional_max_pool_functional(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: Any = False,
    _random_samples: Any = None,
) -> Layer:
    """``torch.nn.functional.fractional_max_pool2d``, ``3d``: the shape."""
    if output_size is not None:
        output_ratio = None  # the function, unlike the layer, takes both and reads the size
    if dims == 2 and output_ratio is not None and not isinstance(output_ratio, tuple):
        raise WrongInput(
            f"output_ratio = {output_ratio}: PyTorch's function takes two of them on two axes; "
            "give a tuple"
        )
    return fractional(dims, kernel_size, output_size, output_ratio)
