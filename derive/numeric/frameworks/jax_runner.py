"""JAX as an oracle: outputs and, by ``jax.vjp``, the gradients, in float64 on the CPU.

XLA's algebraic simplifier (jax 0.10.2, CPU) ends the whole process with a failed check for some
legal calls: it takes windows of one sample for the identity although a negative padding crops, and it
exchanges the operands of a convolution whose input is dilated.  :data:`ABORTS` has the smallest
examples.  That pass is therefore switched off here, which also compiles faster.

Layers and poolings of Flax are run by Flax itself, with our weights in the place of its own.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
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
LAYERS = ("linen.Conv", "linen.ConvTranspose")
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


@cache
def _flax() -> Any:
    _jax()  # first, so that it is set up as above
    return importlib.import_module("flax")


def version() -> str:
    """The versions of JAX and Flax."""
    return f"{_jax().__version__} (Flax {_flax().__version__})"


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
        names = tuple(n for n in ("kernel", "bias") if n in weights)
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
        return lambda x, *weights, **k: _layer(name, x, weights, k)
    if name == "jax.image.resize":
        return lambda x, **k: jax.image.resize(x, **k)
    module, _, last = name.partition(".")
    home = _flax().linen if module == "linen" else {"lax": jax.lax, "jnp": jax.numpy}[module]
    found: Callable[..., Any] = getattr(home, last)
    return found


def _layer(name: str, x: Any, weights: Sequence[Any], given: Mapping[str, Any]) -> Any:
    """A layer of Flax with these weights, or with its own where there are none."""
    module = getattr(_flax().linen, name.partition(".")[2])(**given)
    if not weights:
        return module.init_with_output(_jax().random.key(0), x)[0]
    return module.apply({"params": dict(zip(("kernel", "bias"), weights, strict=False))}, x)
