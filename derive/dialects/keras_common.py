"""What the layers of Keras have in common: layouts, tuples of numbers, arguments without effect."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from derive.dialects.layer import SPATIAL, Layer, Shape, integer
from derive.dialects.registry import Meaning
from derive.errors import WrongInput
from derive.expr import Expr

ABOVE_ZERO = "do not satisfy `value > 0`"
SAYS = {
    "kernel_size": ABOVE_ZERO,
    "strides": ABOVE_ZERO,
    "dilation_rate": ABOVE_ZERO,
    "pool_size": ABOVE_ZERO,
    "size": ABOVE_ZERO,
    "output_padding": "do not satisfy `value >= 0`",
    "filters": "Expected a strictly positive value",
    "depth_multiplier": "Expected a strictly positive value",
    "groups": "The number of groups must be a positive integer",
    "units": "expected a positive integer",
    "padding": "Paddings must be non-negative",
}
COMMON = {"name": None, "dtype": None, "trainable": True, "input_shape": None, "autocast": True}
COMMON |= {"batch_input_shape": None, "batch_size": None, "activity_regularizer": None}
KERNEL = {
    "kernel_initializer": "glorot_uniform",
    "bias_initializer": "zeros",
    "kernel_regularizer": None,
    "bias_regularizer": None,
    "activity_regularizer": None,
    "kernel_constraint": None,
    "bias_constraint": None,
}


def without_effect(*groups: Mapping[str, Any]) -> Callable[[Meaning], Meaning]:
    """Let a call take further arguments, by name or after the others, that do not change what it
    computes: initial values, regularizers, names.

    >>> @without_effect({"name": None})
    ... def layer(dims, filters): return filters
    >>> layer(2, filters=3, name="first")
    3
    """
    defaults = {name: value for group in groups for name, value in group.items()}

    def extend(meaning: Meaning) -> Meaning:
        signature = inspect.signature(meaning)
        own = signature.parameters
        more = [
            inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=v)
            for n, v in defaults.items()
            if n not in own
        ]

        @wraps(meaning)
        def taking(*args: Any, **kwargs: Any) -> Layer:
            bound = full.bind(*args, **kwargs).arguments
            return meaning(**{n: v for n, v in bound.items() if n in own})

        full = signature.replace(parameters=[*own.values(), *more])
        taking.__signature__ = full  # type: ignore[attr-defined]
        return taking

    return extend


def keras_layout(data_format: Any, dims: int) -> str:
    """``channels_last`` (the default) or ``channels_first``.

    >>> keras_layout("channels_first", 2)
    'NCHW'
    """
    given = data_format.lower() if isinstance(data_format, str) else data_format
    if given is None or given == "channels_last":
        return f"N{SPATIAL[dims]}C"
    if given == "channels_first":
        return f"NC{SPATIAL[dims]}"
    raise WrongInput(
        f"data_format = {data_format!r}: Keras takes 'channels_last' and 'channels_first'; "
        "choose one of them"
    )


def numbers(value: Any, dims: int, what: str, least: int = 1, says: str | None = None) -> Shape:
    """One number for all axes, or a tuple with one for each; none below ``least``.

    ``says`` is what Keras says of smaller ones where it is not what it says in most layers.

    >>> numbers(2, 3, "strides") == (2, 2, 2)
    True
    """
    values = value if isinstance(value, tuple) else (value,) * dims
    if len(values) != dims:
        raise WrongInput(
            f"{what} has {len(values)} values; Keras takes one number or a tuple of {dims} "
            f"for {dims} spatial axes"
        )
    found = tuple(integer(v, what) for v in values)
    said = SAYS.get(what, "") if says is None else says
    for v in found:
        if v.constant is not None and v.constant < least:
            quote = f" ({said})" if said else ""
            raise WrongInput(f"{what} = {v}: Keras refuses it{quote}; give {least} or more")
    return found


def count(value: Any, what: str) -> Expr:
    """A number of filters or of groups: at least 1."""
    return numbers((value,), 1, what)[0]


def named_padding(padding: Any, known: tuple[str, ...] = ("valid", "same")) -> str:
    """The name of a padding, in capitals as TensorFlow writes it.

    >>> named_padding("same")
    'SAME'
    """
    if isinstance(padding, str) and padding.lower() in known:
        return padding.upper()
    listed = " or ".join([", ".join(map(repr, known[:-1])), repr(known[-1])])
    if padding == "causal":
        raise WrongInput("padding = 'causal': it is for Conv1D alone; use ZeroPadding and 'valid'")
    shown = repr(padding) if isinstance(padding, str) else "an amount"
    raise WrongInput(
        f"padding = {shown}: Keras takes {listed}; for amounts put a ZeroPadding layer in front"
    )


def more_than_one(values: Shape) -> bool:
    """Is one of the values a number above 1?"""
    return any(v.constant is not None and v.constant > 1 for v in values)


def not_both(strides: Shape, dilation: Shape, what: str = "dilation_rate") -> None:
    """Refuse strides together with dilation."""
    if more_than_one(strides) and more_than_one(dilation):
        raise WrongInput(
            f"strides and {what}: `strides > 1` not supported in conjunction with "
            f"`{what} > 1`; make one of them 1"
        )
