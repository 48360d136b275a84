"""PyTorch: ``nn.ZeroPad``, ``ConstantPad``, ``ReflectionPad``, ``ReplicationPad``, ``CircularPad``
and ``F.pad``, whose amounts go from the last axis to the first.

Sources: the PyTorch documentation (2.x), ``aten/src/ATen/native/PadNd.cpp``.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from derive.dialects.layer import CANONICAL, Layer, Plan, Step, integer, step
from derive.dialects.registry import call
from derive.errors import WrongInput
from derive.expr import Expr, lift
from derive.form import Ratio

Pairs = tuple[tuple[Expr, Expr], ...]
MODES = {"constant": "zero", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def amounts(padding: tuple[Any, ...], what: str) -> Pairs:
    """``(left, right, top, bottom, …)`` as one pair for each axis, the first axis first.

    >>> [str(lo) for lo, _ in amounts((1, 2, 3, 4), "pad")]
    ['3', '1']
    """
    if len(padding) % 2:
        raise WrongInput(
            f"{what} has {len(padding)} values: PyTorch refuses it (Padding length must be divisible "
            "by 2); give two for each axis, the last axis first"
        )
    values = [integer(v, what) for v in padding]
    return tuple((values[a], values[a + 1]) for a in range(len(values) - 2, -1, -2))


def steps(pairs: Pairs, mode: str, value: Any = 0) -> tuple[Step, ...]:
    """The padding as steps.  In circular mode negative amounts crop before the rest is wrapped."""
    dims = len(pairs)
    if mode == "circular":
        crops = tuple((_negative(lo), _negative(hi)) for lo, hi in pairs)
        if any(c != 0 for pair in crops for c in pair):
            wraps = tuple((lo - a, hi - b) for (lo, hi), (a, b) in zip(pairs, crops, strict=True))
            return (
                step("pad", padding=crops, dims=dims),
                step("pad", padding=wraps, mode="circular", dims=dims),
            )
    if value != 0:
        return (step("pad", padding=pairs, dims=dims, value=value),)
    return (step("pad", padding=pairs, mode=mode, dims=dims),)


def _negative(amount: Expr) -> Expr:
    number = amount.constant
    return amount if number is not None and number < 0 else lift(0)


def layered(dims: int, padding: Any, mode: str, value: Any = 0) -> Layer:
    """A padding layer for ``dims`` axes: one amount, or two for each axis."""
    if not isinstance(padding, tuple):
        padding = (padding,) * (2 * dims)
    pairs = _fitting(dims, amounts(padding, "padding"), mode, "padding")
    return _padding(dims, pairs, mode, filling(value))


def _padding(dims: int, pairs: Pairs, mode: str, value: Any) -> Layer:
    plan = Plan(steps(pairs, mode, value) if pairs else ())

    def accepts(rank: int) -> None:
        most = rank if mode == "zero" else rank - 1
        if len(pairs) > most:
            raise WrongInput(
                f"{2 * len(pairs)} amounts for an input with {rank} axes: PyTorch refuses them in "
                f"this mode{_unsupported(pairs, mode, rank)}; give at most {2 * most}"
            )

    return Layer(dims, CANONICAL[dims], lambda x, given: plan, unbatched=True, accepts=accepts)


def _unsupported(pairs: Pairs, mode: str, rank: int) -> str:
    """What PyTorch says of amounts for another number of axes, where it is not a constant."""
    if mode == "zero":
        return ""
    return f" (Padding size {2 * len(pairs)} is not supported for {rank}D input tensor)"


def _fitting(dims: int, pairs: Pairs, mode: str, what: str) -> Pairs:
    """The amounts, where their number is one that PyTorch takes for an input with this many axes:
    any number of axes may be padded with a constant, else the spatial ones (or all but the first).
    """
    most = dims + 2 if mode == "zero" else min(dims + 1, 3)
    least = 0 if mode == "zero" else max(dims, 1)
    if not least <= len(pairs) <= most:
        raise WrongInput(
            f"{what} has {2 * len(pairs)} values for an input with {dims + 2} axes: PyTorch takes "
            f"{2 * least} to {2 * most} in this mode{_unsupported(pairs, mode, dims + 2)}; give two "
            "for each padded axis, the last axis first"
        )
    return pairs


def filling(value: Any) -> Any:
    """The constant that fills, as our operator takes it."""
    if isinstance(value, Fraction):
        return Ratio(lift(value.numerator), lift(value.denominator))
    return integer(value, "value")


@call("PyTorch", "nn.ZeroPad{d}d")
def zero_pad(dims: int, padding: Any) -> Layer:
    """``torch.nn.ZeroPad1d``, ``2d``, ``3d``."""
    return layered(dims, padding, "zero")


@call("PyTorch", "nn.ConstantPad{d}d")
def constant_pad(dims: int, padding: Any, value: Any) -> Layer:
    """``torch.nn.ConstantPad1d``, ``2d``, ``3d``: affine unless the value is 0."""
    return layered(dims, padding, "zero", value)


@call("PyTorch", "nn.ReflectionPad{d}d")
def reflection_pad(dims: int, padding: Any) -> Layer:
    """``torch.nn.ReflectionPad1d``, ``2d``, ``3d``."""
    return layered(dims, padding, "reflect")


@call("PyTorch", "nn.ReplicationPad{d}d")
def replication_pad(dims: int, padding: Any) -> Layer:
    """``torch.nn.ReplicationPad1d``, ``2d``, ``3d``."""
    return layered(dims, padding, "replicate")


@call("PyTorch", "nn.CircularPad{d}d")
def circular_pad(dims: int, padding: Any) -> Layer:
    """``torch.nn.CircularPad1d``, ``2d``, ``3d``."""
    return layered(dims, padding, "circular")


@call("PyTorch", "F.pad", dims=(2, 1, 3, 0), tensors=("input",))
def pad(
    dims: int,
    input: Any,  # noqa: A002  PyTorch's own name
    pad: Any,
    mode: Any = "constant",
    value: Any = None,
) -> Layer:
    """``torch.nn.functional.pad``: two amounts for each axis, from the last axis on."""
    if not isinstance(pad, tuple):
        raise WrongInput(
            f"pad = {pad}: PyTorch takes a list or tuple here; give two amounts for each axis, the "
            "last axis first"
        )
    if mode not in MODES:
        raise WrongInput(f"mode = {mode!r}: PyTorch knows {', '.join(MODES)}; choose one of them")
    pairs, fill = amounts(pad, "pad"), filling(0 if value is None else value)
    if mode != "constant" and fill != 0:
        raise WrongInput(
            f'value = {value} with mode = {mode!r}: PyTorch refuses it (Padding mode "{mode}" '
            "doesn't take in value argument); leave it out"
        )
    _fitting(dims, pairs, MODES[mode], "pad")
    return _padding(dims, pairs, MODES[mode], fill)
