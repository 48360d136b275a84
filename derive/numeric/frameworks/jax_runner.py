"""JAX as an oracle: outputs and, by ``jax.vjp``, the gradients, in float64 on the CPU.

XLA's algebraic simplifier (jax 0.10.2, CPU) ends the whole process with a failed check for some
legal calls: it takes windows of one sample for the identity although a negative padding crops, and it
exchanges the operands of a convolution whose input is dilated.  :data:`ABORTS` has the smallest
examples.  That pass is therefore switched off here, which also compiles faster.

Flax is not needed: its poolings are run as the ``jax.lax`` calls that they are made of.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np

from derive.dialects.calls import Call, Name, Sum
from derive.numeric.frameworks import Array, Gradient, Ran, Refused

PRECISION = 1e-12
XLA_FLAGS = "--xla_backend_optimization_level=0 --xla_disable_hlo_passes=algsimp"
ABORTS: tuple[tuple[str, tuple[tuple[int, ...], ...]], ...] = (  # a function, its shapes
    ("lambda x: lax.reduce_window(x, 0., lax.add, (1,), (1,), ((0, -1),))", ((4,),)),
    (
        "lambda x, w: lax.conv_general_dilated(x, w, (1, 1), ((2, 2), (0, 0)), (1, 2), (2, 1))",
        ((1, 1, 3, 5), (1, 1, 4, 2)),
    ),
)
LAYERS = {"linen.Conv": ("kernel", "bias"), "linen.ConvTranspose": ("kernel", "bias")}
EMPTY = "an output without any element, which counts as refused here"
REFUSALS = (ValueError, TypeError, RuntimeError, ZeroDivisionError, AssertionError)
TENSORS: dict[str, tuple[str, ...]] = {  # the weights of a call, in the order of its arguments
    "lax.conv": ("rhs",),
    "lax.conv_with_general_padding": ("rhs",),
    "lax.conv_general_dilated": ("rhs",),
    "lax.conv_transpose": ("rhs",),
    "jnp.convolve": ("v",),
    "jnp.correlate": ("v",),
}


@cache
def _jax() -> Any:
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("XLA_FLAGS", XLA_FLAGS)
    jax: Any = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    return jax


def version() -> str:
    """The version of JAX."""
    return str(_jax().__version__)


def run(
    name: str,
    dims: int,
    arguments: Mapping[str, Any],
    x: Array,
    weights: Mapping[str, Array],
    g: Gradient,
) -> Ran:
    """The output of a call and the gradients of the input and the weights.

    Raises :class:`Refused` where JAX refuses it, and for an output without any element.
    """
    jax = _jax()
    given = {k: resolved(v) for k, v in arguments.items()}
    names = TENSORS.get(name, ())
    if name in LAYERS:
        names = tuple(n for n in LAYERS[name] if n in weights)
    tensors = [jax.numpy.asarray(t) for t in (x, *(weights[n] for n in names))]
    function = _function(jax, name)

    def apply(*values: Any) -> Any:
        return function(*values, **given)

    def both(cotangent: Any, *values: Any) -> Any:
        y, back = jax.vjp(apply, *values)
        return y, back(cotangent)

    try:
        with np.errstate(divide="ignore"):
            shape = tuple(jax.eval_shape(apply, *tensors).shape)
        if 0 in shape:
            raise Refused(EMPTY)
    except REFUSALS as error:
        raise Refused(_first_line(error)) from None
    try:  # one compilation for all is far quicker than one for each operation
        y, found = jax.jit(both)(jax.numpy.asarray(g(shape)), *tensors)
    except (NotImplementedError, *REFUSALS):  # there is no gradient, or nothing at all
        return _plain(jax.jit(apply), tensors)
    return Ran(np.asarray(y), dict(zip(("x", *names), map(np.asarray, found), strict=True)))


def _plain(apply: Any, tensors: list[Any]) -> Ran:
    try:
        return Ran(np.asarray(apply(*tensors)))
    except REFUSALS as error:
        raise Refused(_first_line(error)) from None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def resolved(value: Any) -> Any:
    """A written argument as JAX's own object."""
    jax = _jax()
    match value:
        case Name(name=name):
            return {"lax.add": jax.lax.add, "lax.max": jax.lax.max, "jnp.inf": np.inf}[name]
        case Sum(sign="-", left=0, right=right):
            return -resolved(right)
        case Call(arguments=parts):
            return jax.lax.ConvDimensionNumbers(*parts)
        case tuple():
            return tuple(resolved(v) for v in value)
    return value


def _function(jax: Any, name: str) -> Callable[..., Any]:
    if name == "lax.reduce_window":
        return lambda x, **k: jax.lax.reduce_window(
            x, np.float64(k.pop("init_value")), k.pop("computation"), **k
        )
    if name == "lax.pad":
        return lambda x, padding_value, padding_config: jax.lax.pad(
            x, np.float64(padding_value), padding_config
        )
    if name in LAYERS:
        return lambda x, kernel=None, bias=None, **k: _flax_conv(jax, name, x, kernel, bias, **k)
    if name == "linen.max_pool":
        return lambda x, **k: _flax_pool(jax, x, -np.inf, jax.lax.max, **k)
    if name == "linen.avg_pool":
        return lambda x, **k: _flax_average(jax, x, **k)
    if name == "jax.image.resize":
        return lambda x, **k: jax.image.resize(x, **k)
    module, _, last = name.partition(".")
    found: Callable[..., Any] = getattr({"lax": jax.lax, "jnp": jax.numpy}[module], last)
    return found


def _flax_pool(
    jax: Any,
    x: Any,
    init: float,
    reduce: Any,
    window_shape: Any,
    strides: Any = None,
    padding: Any = "VALID",
) -> Any:
    """``flax.linen.pooling.pool`` for a batch of channels-last arrays."""
    strides = strides or (1,) * len(window_shape)
    if len(window_shape) != len(strides):
        raise ValueError("len(window_shape) must equal len(strides)")
    if not isinstance(padding, str):
        padding = ((0, 0), *padding, (0, 0))
    return jax.lax.reduce_window(
        x, np.float64(init), reduce, (1, *window_shape, 1), (1, *strides, 1), padding
    )


def _flax_conv(jax: Any, name: str, x: Any, kernel: Any, bias: Any, **given: Any) -> Any:
    """``flax.linen.linear``: the padding is brought to the form that ``jax.lax`` takes."""
    size = given["kernel_size"]
    k = size if isinstance(size, tuple) else (size,)
    rank = len(k)
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError("the input does not fit kernel_size")
    kernel = _flax_kernel(jax, x, k, given) if kernel is None else kernel
    if x.ndim == rank + 1:
        return _flax_conv(jax, name, x[None], kernel, bias, **given)[0]

    def each(what: str) -> tuple[int, ...]:
        value = 1 if given.get(what) is None else given[what]
        return (value,) * rank if isinstance(value, int) else tuple(value)

    s, d = each("strides"), each("kernel_dilation")
    padding = _flax_padding(given.get("padding", "SAME"), rank)
    letters = {1: "W", 2: "HW", 3: "DHW"}[rank]
    order = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    if name == "linen.ConvTranspose":
        turned = given.get("transpose_kernel", False)
        y = jax.lax.conv_transpose(x, kernel, s, padding, d, order, turned)
    else:
        x, padding = _flax_wrapped(jax, x, k, d, padding)
        e, groups = each("input_dilation"), given.get("feature_group_count", 1)
        y = jax.lax.conv_general_dilated(x, kernel, s, padding, e, d, order, groups)
    return y if bias is None else y + bias


def _flax_kernel(jax: Any, x: Any, k: tuple[int, ...], given: Mapping[str, Any]) -> Any:
    """A kernel as the layer makes its own."""
    channels = [x.shape[-1] // given.get("feature_group_count", 1), given["features"]]
    if given.get("transpose_kernel"):
        channels.reverse()
    return jax.numpy.ones((*k, *channels))


def _flax_padding(padding: Any, rank: int) -> Any:
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    if isinstance(padding, tuple):
        if len(padding) != rank:
            raise ValueError("Invalid padding format")
        return tuple((p, p) if isinstance(p, int) else p for p in padding)
    return padding


def _flax_wrapped(
    jax: Any, x: Any, k: tuple[int, ...], d: tuple[int, ...], padding: Any
) -> tuple[Any, Any]:
    """The paddings that Flax does itself, before a VALID convolution."""
    if padding in ("CIRCULAR", "REFLECT"):
        full = [(a - 1) * b + 1 for a, b in zip(k, d, strict=True)]
        around = [(0, 0), *(((a - 1) // 2, a // 2) for a in full), (0, 0)]
        mode = {"CIRCULAR": "wrap", "REFLECT": "reflect"}[padding]
        return jax.numpy.pad(x, around, mode=mode), "VALID"
    if padding == "CAUSAL":
        if len(k) != 1:
            raise ValueError("Causal padding is only implemented for 1D convolutions.")
        return jax.numpy.pad(x, [(0, 0), (d[0] * (k[0] - 1), 0), (0, 0)]), "VALID"
    return x, padding


def _flax_average(
    jax: Any,
    x: Any,
    window_shape: Any,
    strides: Any = None,
    padding: Any = "VALID",
    count_include_pad: bool = True,
) -> Any:
    y = _flax_pool(jax, x, 0.0, jax.lax.add, window_shape, strides, padding)
    if count_include_pad:
        return y / np.prod(window_shape)
    counts = _flax_pool(
        jax, jax.numpy.ones_like(x), 0.0, jax.lax.add, window_shape, strides, padding
    )
    return y / counts
