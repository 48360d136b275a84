"""PyTorch as an oracle: values by its own operators and VJPs by its autograd, in float64.

``TABLE[name](*operands, cotangent=None, **parameters)`` takes the operands and parameters of the
function of that name in :mod:`derive.numeric.loops` and gives a :class:`Result`.  Operands must
be exact in float64; on moderate integers PyTorch's sums then are exact too, so results can be
compared with ``==``.  Asymmetric or negative paddings go through ``F.pad``; a combination PyTorch
has no operator for is a ValueError.  PyTorch is imported only when something is computed.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from derive.numeric.loops.geometry import Array, Padding, PerAxis, pairs, per_axis

Tensor = Any  # torch.Tensor, without importing torch


@dataclass(frozen=True)
class Result:
    """What PyTorch computed.

    ``vjps`` has one gradient per operand, empty without a cotangent; ``selection`` is the rank of
    the winning tap in every window of a max pooling.
    """

    value: Array
    vjps: tuple[Array, ...] = ()
    selection: Array | None = None


def available() -> bool:
    """Whether PyTorch is installed."""
    return importlib.util.find_spec("torch") is not None


def _torch() -> Any:
    return importlib.import_module("torch")


def _functional(name: str) -> Any:
    return getattr(importlib.import_module("torch.nn.functional"), name)


def _evaluate(
    operator: Callable[..., Tensor],
    *operands: npt.ArrayLike,
    cotangent: npt.ArrayLike | None = None,
    **parameters: Any,
) -> Result:
    """Value, and VJPs if there is a cotangent, of one operator of the table."""
    tensors = [_tensor(x).requires_grad_() for x in operands]
    out = operator(*tensors, **parameters)
    out, selection = out if isinstance(out, tuple) else (out, None)
    vjps: tuple[Tensor, ...] = ()
    if cotangent is not None:
        vjps = _torch().autograd.grad(out, tensors, _tensor(cotangent))
    return Result(_array(out), tuple(_array(v) for v in vjps), selection)


def _tensor(x: npt.ArrayLike) -> Tensor:
    given = np.asarray(x)
    floats = given.astype(np.float64)
    if not np.array_equal(given.astype(object), floats.astype(object)):
        raise ValueError("an operand is not exact in float64")
    return _torch().tensor(floats)


def _array(x: Tensor) -> Array:
    return np.array(x.detach().numpy())


# Geometry -----------------------------------------------------------------------------------


def _lift(x: Tensor, dims: int, channels: bool) -> Tensor:
    """``x`` as (batch, channel, *n)."""
    cut = x.dim() - dims - channels
    channel = x.shape[cut] if channels else 1
    return x.reshape(math.prod(x.shape[:cut]), channel, *x.shape[x.dim() - dims :])


def _lower(y: Tensor, lead: Sequence[int], dims: int) -> Tensor:
    """Give ``y`` the leading axes ``lead``."""
    return y.reshape(*lead, *y.shape[y.dim() - dims :])


def _spatial_pad(x: Tensor, ends: Sequence[Sequence[int]], value: float = 0.0) -> Tensor:
    flat = [v for pair in reversed(ends) for v in pair]
    return _functional("pad")(x, flat, value=value) if any(flat) else x


def _insert(x: Tensor, s: Sequence[int], trailing: Sequence[int]) -> Tensor:
    cut = x.dim() - len(s)
    length = [q * (n - 1) + 1 + e for q, n, e in zip(s, x.shape[cut:], trailing, strict=True)]
    y = x.new_zeros(*x.shape[:cut], *length)
    y[(..., *(slice(None, None, q) for q in s))][(..., *(slice(0, n) for n in x.shape[cut:]))] = x
    return y


def _symmetric(ends: Sequence[tuple[int, int]]) -> bool:
    return all(lo == hi >= 0 for lo, hi in ends)


# Convolutions -------------------------------------------------------------------------------


def _correlate(
    x: Tensor,
    w: Tensor,
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    base_dilation: PerAxis = 1,
    groups: int = 1,
    dims: int | None = None,
) -> Tensor:
    dims = w.dim() if dims is None else dims
    channels = w.dim() == dims + 2
    z = _insert(_lift(x, dims, channels), per_axis(base_dilation, dims, "base"), (0,) * dims)
    z = _spatial_pad(z, pairs(padding, dims))
    kernel = w if channels else w[None, None]
    y = _functional(f"conv{dims}d")(
        z,
        kernel,
        stride=per_axis(stride, dims, "stride"),
        dilation=per_axis(dilation, dims, "dilation"),
        groups=groups,
    )
    batch = x.shape[: x.dim() - dims - channels]
    return _lower(y, (*batch, *([y.shape[1]] if channels else [])), dims)


def _convolve(x: Tensor, w: Tensor, *, dims: int | None = None, **parameters: Any) -> Tensor:
    dims = w.dim() if dims is None else dims
    return _correlate(x, _flip(w, dims), dims=dims, **parameters)


def _conv_transpose(
    x: Tensor,
    w: Tensor,
    *,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    output_padding: PerAxis = 0,
    groups: int = 1,
    dims: int | None = None,
) -> Tensor:
    """PyTorch's own padding where it can express it, else its full output through F.pad."""
    dims = w.dim() if dims is None else dims
    channels = w.dim() == dims + 2
    s, d = per_axis(stride, dims, "stride"), per_axis(dilation, dims, "dilation")
    ends, extra = pairs(padding, dims), per_axis(output_padding, dims, "output_padding")
    direct = _symmetric(ends) and all(e < max(s[a], d[a]) for a, e in enumerate(extra))
    y = _functional(f"conv_transpose{dims}d")(
        _lift(x, dims, channels),
        w if channels else w[None, None],
        stride=s,
        dilation=d,
        padding=tuple(lo for lo, _ in ends) if direct else 0,
        output_padding=extra if direct else 0,
        groups=groups,
    )
    if not direct:
        y = _spatial_pad(y, [(-lo, e - hi) for (lo, hi), e in zip(ends, extra, strict=True)])
    batch = x.shape[: x.dim() - dims - channels]
    return _lower(y, (*batch, *([y.shape[1]] if channels else [])), dims)


# Moves --------------------------------------------------------------------------------------


def _pad(x: Tensor, *, padding: Padding, mode: str = "zero", dims: int | None = None) -> Tensor:
    dims = x.dim() if dims is None else dims
    flat = [v for pair in reversed(pairs(padding, dims)) for v in pair]
    name = "constant" if mode == "zero" else mode
    y = _functional("pad")(_lift(x, dims, False), flat, mode=name)
    return _lower(y, x.shape[: x.dim() - dims], dims)


def _flip(x: Tensor, dims: int | None = None) -> Tensor:
    dims = x.dim() if dims is None else dims
    return x.flip(tuple(range(-dims, 0)))


def _shift(x: Tensor, *, offset: PerAxis, dims: int | None = None) -> Tensor:
    dims = x.dim() if dims is None else dims
    return _spatial_pad(x, [(v, -v) for v in per_axis(offset, dims, "offset")])


def _decimate(x: Tensor, *, s: PerAxis, offset: PerAxis = 0, dims: int | None = None) -> Tensor:
    dims = x.dim() if dims is None else dims
    steps, starts = per_axis(s, dims, "s"), per_axis(offset, dims, "offset")
    return x[(..., *(slice(o, None, q) for o, q in zip(starts, steps, strict=True)))]


def _zero_insert(
    x: Tensor, *, s: PerAxis, trailing: PerAxis = 0, dims: int | None = None
) -> Tensor:
    dims = x.dim() if dims is None else dims
    return _insert(x, per_axis(s, dims, "s"), per_axis(trailing, dims, "trailing"))


def _shuffle(name: str, x: Tensor, *, r: int, dims: int | None = None) -> Tensor:
    dims = x.dim() - 1 if dims is None else dims
    if dims != 2 or not isinstance(r, int):
        raise ValueError(f"PyTorch has {name} on two axes with one factor only")
    return _functional(name)(x, r)


def _unfold_parameters(
    k: PerAxis, stride: PerAxis, padding: Padding, dilation: PerAxis, dims: int
) -> tuple[dict[str, Any], tuple[tuple[int, int], ...]]:
    """Arguments of unfold and fold (which know two axes only), and the padding on those axes."""
    if dims > 2:
        raise ValueError("PyTorch unfolds one or two axes only")
    ones, zero = (1,) * (2 - dims), ((0, 0),) * (2 - dims)
    arguments = {
        "kernel_size": ones + per_axis(k, dims, "kernel"),
        "stride": ones + per_axis(stride, dims, "stride"),
        "dilation": ones + per_axis(dilation, dims, "dilation"),
    }
    return arguments, zero + pairs(padding, dims)


def _im2col(
    x: Tensor,
    *,
    k: PerAxis,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    channels: bool = False,
    dims: int | None = None,
) -> Tensor:
    dims = x.dim() - channels if dims is None else dims
    arguments, ends = _unfold_parameters(k, stride, padding, dilation, dims)
    z = _lift(x, dims, channels)
    z = _spatial_pad(z.unsqueeze(2) if dims == 1 else z, ends)
    return _lower(_functional("unfold")(z, **arguments), x.shape[: x.dim() - dims - channels], 2)


def _col2im(
    cols: Tensor,
    *,
    n: Sequence[int],
    k: PerAxis,
    stride: PerAxis = 1,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    channels: bool = False,
) -> Tensor:
    dims = len(n)
    arguments, ends = _unfold_parameters(k, stride, padding, dilation, dims)
    size = [v + lo + hi for v, (lo, hi) in zip((1,) * (2 - dims) + tuple(n), ends, strict=True)]
    z = cols.reshape(math.prod(cols.shape[:-2]), *cols.shape[-2:])
    y = _functional("fold")(z, size, **arguments)
    y = _spatial_pad(y, [(-lo, -hi) for lo, hi in ends])
    lead = (*cols.shape[:-2], *([y.shape[1]] if channels else []))
    return y.reshape(*lead, *n)


# Pooling ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Pooling:
    """The parameters every pooling shares, one value per axis."""

    k: tuple[int, ...]
    stride: tuple[int, ...]
    ends: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    ceil: bool

    @property
    def dims(self) -> int:
        return len(self.k)

    @property
    def native(self) -> bool:
        """Whether PyTorch's pooling takes this padding itself: symmetric, at most half."""
        return _symmetric(self.ends) and all(
            2 * lo <= k for (lo, _), k in zip(self.ends, self.k, strict=True)
        )

    def padded(self, x: Tensor, value: float) -> Tensor:
        """``x`` padded explicitly, for the paddings that are not native."""
        if self.ceil:
            raise ValueError("PyTorch has ceil_mode with its own symmetric padding only")
        return _spatial_pad(x, self.ends, value)


def _pooling(
    x: Tensor,
    k: PerAxis,
    stride: PerAxis | None,
    padding: Padding,
    dilation: PerAxis,
    ceil_mode: bool,
    dims: int | None,
) -> tuple[_Pooling, Tensor]:
    """Normalised parameters, and ``x`` as (batch, 1, *n)."""
    dims = x.dim() if dims is None else dims
    kernel = per_axis(k, dims, "kernel")
    step = kernel if stride is None else per_axis(stride, dims, "stride")
    dilations = per_axis(dilation, dims, "dilation")
    window = _Pooling(kernel, step, pairs(padding, dims), dilations, ceil_mode)
    return window, _lift(x, dims, False)


def _sum_pool(
    x: Tensor,
    *,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> Tensor:
    """Average pooling with divisor 1; with a dilation, correlation with a kernel of ones."""
    window, z = _pooling(x, k, stride, padding, dilation, ceil_mode, dims)
    if any(d != 1 for d in window.dilation):
        y = _functional(f"conv{window.dims}d")(
            window.padded(z, 0.0),
            z.new_ones(1, 1, *window.k),
            stride=window.stride,
            dilation=window.dilation,
        )
    else:
        y = _average(z, window, True, 1)
    return _lower(y, x.shape[: x.dim() - window.dims], window.dims)


def _avg_pool(
    x: Tensor,
    *,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    dims: int | None = None,
) -> Tensor:
    window, z = _pooling(x, k, stride, padding, dilation, ceil_mode, dims)
    if any(d != 1 for d in window.dilation):
        raise ValueError("PyTorch has no dilated average pooling")
    y = _average(z, window, count_include_pad, divisor_override)
    return _lower(y, x.shape[: x.dim() - window.dims], window.dims)


def _average(z: Tensor, window: _Pooling, include: bool, override: int | None) -> Tensor:
    """avg_pool; one axis goes through avg_pool2d, which alone has divisor_override."""
    native, dims = window.native, max(2, window.dims)
    if not native and not include and override is None:
        raise ValueError("PyTorch has count_include_pad=False with its own padding only")
    inputs = z if native else window.padded(z, 0.0)
    one = (1,) * (dims - window.dims)
    y = _functional(f"avg_pool{dims}d")(
        inputs.unsqueeze(2) if one else inputs,
        one + window.k,
        one + window.stride,
        (0,) * len(one) + tuple(lo if native else 0 for lo, _ in window.ends),
        window.ceil,
        include,
        override,
    )
    return y.squeeze(2) if one else y


def _max_pool(
    x: Tensor,
    *,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> tuple[Tensor, Array]:
    window, z = _pooling(x, k, stride, padding, dilation, ceil_mode, dims)
    native = window.native
    inputs = z if native else window.padded(z, -math.inf)
    y, places = _functional(f"max_pool{window.dims}d")(
        inputs,
        window.k,
        window.stride,
        tuple(lo if native else 0 for lo, _ in window.ends),
        window.dilation,
        window.ceil,
        True,
    )
    offset = [lo if native else 0 for lo, _ in window.ends]
    ranks = _ranks(places.numpy(), inputs.shape[2:], window, offset)
    lead = x.shape[: x.dim() - window.dims]
    return _lower(y, lead, window.dims), ranks.reshape(*lead, *ranks.shape[2:])


def _ranks(places: Array, n: Sequence[int], window: _Pooling, offset: Sequence[int]) -> Array:
    """PyTorch's flat input indices as ranks of taps in their windows."""
    taps = []
    for axis, j in enumerate(np.unravel_index(places, tuple(n))):
        start = window.stride[axis] * np.indices(places.shape)[axis + 2] - offset[axis]
        taps.append((j - start) // window.dilation[axis])
    return np.asarray(np.ravel_multi_index(tuple(taps), window.k))


def _places(selection: npt.ArrayLike, n: Sequence[int], window: _Pooling) -> Array:
    """Ranks of taps as flat indices into an input of lengths ``n``, -1 on the padding."""
    ranks = np.asarray(selection, dtype=np.int64)
    lead = ranks.ndim - window.dims
    flat = np.zeros(ranks.shape, dtype=np.int64)
    inside = np.ones(ranks.shape, dtype=bool)
    for axis, t in enumerate(np.unravel_index(ranks, window.k)):
        i = np.indices(ranks.shape)[axis + lead]
        j = window.stride[axis] * i + window.dilation[axis] * t - window.ends[axis][0]
        inside &= (j >= 0) & (j < n[axis] + min(0, window.ends[axis][1]))
        flat = flat * n[axis] + j
    return np.where(inside, flat, -1)


def _max_pool_with_selection(
    x: Tensor,
    *,
    selection: npt.ArrayLike,
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    dims: int | None = None,
) -> Tensor:
    """A gather on the flattened spatial axes."""
    window, z = _pooling(x, k, stride, padding, dilation, ceil_mode, dims)
    flat = z.reshape(z.shape[0], -1)
    places = _torch().tensor(_places(selection, z.shape[2:], window).reshape(z.shape[0], -1))
    return (flat.gather(1, places.clamp(min=0)) * (places >= 0)).reshape(np.shape(selection))


def _max_unpool(
    y: Tensor,
    *,
    selection: npt.ArrayLike,
    n: Sequence[int],
    k: PerAxis,
    stride: PerAxis | None = None,
    padding: Padding = (0, 0),
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """F.max_unpool, which assigns: only for selections of distinct entries on the data."""
    window, z = _pooling(y, k, stride, padding, dilation, ceil_mode, len(n))
    places = _places(selection, n, window).reshape(z.shape)
    rows = [row[row >= 0] for row in places.reshape(z.shape[0], -1)]
    if places.min() < 0 or any(len(set(row)) < len(row) for row in map(list, rows)):
        raise ValueError("PyTorch unpools selections of distinct entries on the data only")
    x = _functional(f"max_unpool{window.dims}d")(
        z,
        _torch().tensor(places),
        window.k,
        window.stride,
        tuple(lo for lo, _ in window.ends) if _symmetric(window.ends) else 0,
        output_size=list(n),
    )
    return _lower(x, y.shape[: y.dim() - len(n)], len(n))


# Resampling ---------------------------------------------------------------------------------


def _adaptive_avg_pool(x: Tensor, *, m: PerAxis, dims: int | None = None) -> Tensor:
    dims = x.dim() if dims is None else dims
    size = per_axis(m, dims, "m")
    y = _functional(f"adaptive_avg_pool{dims}d")(_lift(x, dims, False), size)
    return _lower(y, x.shape[: x.dim() - dims], dims)


def _global_avg_pool(x: Tensor, *, dims: int | None = None) -> Tensor:
    return _adaptive_avg_pool(x, m=1, dims=dims)


def _interpolate(
    x: Tensor, s: PerAxis, dims: int | None, mode: str | None, **options: Any
) -> Tensor:
    dims = x.dim() if dims is None else dims
    mode = mode or {1: "linear", 2: "bilinear", 3: "trilinear"}[dims]
    factor = tuple(float(v) for v in per_axis(s, dims, "s"))
    y = _functional("interpolate")(_lift(x, dims, False), scale_factor=factor, mode=mode, **options)
    return _lower(y, x.shape[: x.dim() - dims], dims)


def _nearest_upsample(x: Tensor, *, s: PerAxis, dims: int | None = None) -> Tensor:
    return _interpolate(x, s, dims, "nearest")


def _bilinear_upsample(
    x: Tensor, *, s: PerAxis, align_corners: bool = False, dims: int | None = None
) -> Tensor:
    return _interpolate(x, s, dims, None, align_corners=align_corners)


_OPERATORS: dict[str, Callable[..., Any]] = {
    "correlate": _correlate,
    "convolve": _convolve,
    "conv_transpose": _conv_transpose,
    "pad": _pad,
    "flip": _flip,
    "shift": _shift,
    "decimate": _decimate,
    "zero_insert": _zero_insert,
    "pixel_shuffle": partial(_shuffle, "pixel_shuffle"),
    "pixel_unshuffle": partial(_shuffle, "pixel_unshuffle"),
    "im2col": _im2col,
    "col2im": _col2im,
    "sum_pool": _sum_pool,
    "avg_pool": _avg_pool,
    "max_pool": _max_pool,
    "max_pool_with_selection": _max_pool_with_selection,
    "max_unpool": _max_unpool,
    "global_avg_pool": _global_avg_pool,
    "adaptive_avg_pool": _adaptive_avg_pool,
    "nearest_upsample": _nearest_upsample,
    "bilinear_upsample": _bilinear_upsample,
}

TABLE: dict[str, Callable[..., Result]] = {
    name: partial(_evaluate, operator) for name, operator in _OPERATORS.items()
}
"""Name of a loop oracle -> the same computed by PyTorch."""
