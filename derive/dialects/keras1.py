"""Keras 1: the convolution layers under their old names.

The defaults are those of Keras 1.0 (2016): channels first (``dim_ordering='th'``), and a
``Deconvolution2D`` whose length follows from its input, whatever ``output_shape`` says.  From 1.1 on
the default is ``dim_ordering='tf'``, and from 1.2 on the layer announces ``output_shape``; write
``dim_ordering`` to be sure.  Values are those of the TensorFlow backend (Theano turns kernels
around); ``border_mode='full'``, which Keras 1.2 takes, is Theano's alone and is a convolution.

Sources: ``keras/layers/convolutional.py``, ``keras/utils/np_utils.py`` and
``keras/backend/tensorflow_backend.py`` of Keras 1.0.7 and 1.2.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from derive.dialects.keras_common import COMMON, count, not_both, numbers, without_effect
from derive.dialects.layer import SPATIAL, Layer, Operand, Plan, Shape, Step, integer, step
from derive.dialects.registry import call
from derive.dialects.tensorflow_common import (
    Pairs,
    activated,
    bias_operand,
    channels_first,
    correlation,
    kernel_axes,
    same,
)
from derive.errors import WrongInput
from derive.expr import lift
from derive.form import Form, build
from derive.operators import permute

OLD = {
    "W_regularizer": None,
    "b_regularizer": None,
    "activity_regularizer": None,
    "W_constraint": None,
    "b_constraint": None,
    "input_dim": None,
    "input_length": None,
}
MODES = ("valid", "same", "full")


def ordering(dim_ordering: Any, dims: int) -> str:
    """The layout of a ``dim_ordering``: ``'th'`` (the default of Keras 1.0) is channels first.

    >>> ordering("default", 2), ordering("tf", 2)
    ('NCHW', 'NHWC')
    """
    if dim_ordering in ("default", "th"):
        return f"NC{SPATIAL[dims]}"
    if dim_ordering == "tf":
        return f"N{SPATIAL[dims]}C"
    raise WrongInput(
        f"dim_ordering = {dim_ordering!r}: dim_ordering must be in {{tf, th}}; choose one of them"
    )


def border(border_mode: Any, known: Sequence[str] = MODES) -> str:
    """The name of a padding as Keras 1 takes it."""
    if border_mode in known:
        return str(border_mode)
    raise WrongInput(
        f"border_mode = {border_mode!r}: Keras 1 takes {', '.join(map(repr, known))}; "
        "choose one of them"
    )


def tupled(value: Any, dims: int, what: str) -> Shape:
    """A tuple with one number for each axis; Keras 1 takes no single number there."""
    if not isinstance(value, tuple):
        raise WrongInput(
            f"{what} = {value}: Keras 1 takes a tuple of {dims}; "
            f"write ({', '.join([str(value)] * dims)}{',' if dims == 1 else ''})"
        )
    return numbers(value, dims, what)


def kernel(name: str, dims: int, layout: str, k: Shape, read: Any, made: Any) -> Operand:
    """A kernel in the order of the layout: (out, in, *k) for ``'th'``, (*k, in, out) for ``'tf'``."""
    if layout.startswith("NC"):
        return Operand(name, "OI" + SPATIAL[dims], (made, read, *k))
    return Operand(name, kernel_axes(dims), (*k, read, made), channels_first)


def steps_of(mode: str, x: Shape, k: Shape, s: Shape, d: Shape, weight: str) -> tuple[Step, ...]:
    """The step of a convolution; ``'full'`` turns the kernel around, as Theano does."""
    if mode != "full":
        none: Pairs = tuple((lift(0), lift(0)) for _ in k)
        return correlation(
            weight, s, same(x[1:], k, s, d, cropping=True) if mode == "same" else none, d
        )
    reach = tuple((di * (ki - 1), di * (ki - 1)) for ki, di in zip(k, d, strict=True))
    return (step("convolve", weight=weight, stride=s, padding=reach, dilation=d, dims=len(s)),)


def convolution(
    dims: int,
    layout: str,
    sizes: tuple[Any, Shape, Shape, Shape],
    border_mode: Any,
    activation: Any,
    bias: Any,
) -> Layer:
    """The layer of a convolution; ``sizes`` are ``(nb_filter, k, s, d)``."""
    nb_filter, k, s, d = sizes
    made, mode = count(nb_filter, "nb_filter"), border(border_mode)
    not_both(s, d, "atrous_rate")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        weight = kernel("W", dims, layout, k, x[0], made)
        return Plan(
            steps_of(mode, x, k, s, d, "W"),
            (weight, *_bias(bias, made)),
            (),
            "b" if bias else "",
            activated(activation),
        )

    return Layer(dims, layout, plan)


def _bias(bias: Any, made: Any) -> tuple[Operand, ...]:
    return tuple(Operand("b", o.axes, o.shape) for o in bias_operand(bias, made))


@call("Keras 1", "keras1.Convolution1D", dims=(1,))
@without_effect(OLD, COMMON)
def convolution_1d(
    dims: int,
    nb_filter: Any,
    filter_length: Any,
    init: Any = "glorot_uniform",
    activation: Any = None,
    weights: Any = None,
    border_mode: Any = "valid",
    subsample_length: Any = 1,
    bias: Any = True,
) -> Layer:
    """``Convolution1D`` of Keras 1: channels last, kernels (out, in, k, 1)."""
    return _one_axis((nb_filter, filter_length, subsample_length, 1), border_mode, activation, bias)


@call("Keras 1", "keras1.AtrousConvolution1D", dims=(1,))
@without_effect(OLD, COMMON)
def atrous_1d(
    dims: int,
    nb_filter: Any,
    filter_length: Any,
    init: Any = "glorot_uniform",
    activation: Any = None,
    weights: Any = None,
    border_mode: Any = "valid",
    subsample_length: Any = 1,
    atrous_rate: Any = 1,
    bias: Any = True,
) -> Layer:
    """``AtrousConvolution1D`` of Keras 1: a dilated ``Convolution1D``."""
    made = (nb_filter, filter_length, subsample_length, atrous_rate)
    return _one_axis(made, border_mode, activation, bias)


def _one_axis(
    made: tuple[Any, Any, Any, Any], border_mode: Any, activation: Any, bias: Any
) -> Layer:
    """``made``: the number of filters, their length, stride and dilation."""
    filters, length, stride, rate = made
    k, s = numbers((length,), 1, "filter_length"), numbers((stride,), 1, "subsample_length")
    d = numbers((rate,), 1, "atrous_rate")
    layer = convolution(1, ordering("tf", 1), (filters, k, s, d), border_mode, activation, bias)
    return _with_unit_axis(layer)


def _with_unit_axis(layer: Layer) -> Layer:
    """The kernels of the 1-D layers have a last axis of length 1: (out, in, k, 1)."""

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        found = layer.plan(x, given)
        operands = tuple(
            o
            if o.name != "W"
            else Operand("W", "OIWH", (o.shape[2], o.shape[1], o.shape[0], lift(1)), _flat)
            for o in found.operands
        )
        return Plan(found.steps, operands, found.requires, found.bias, found.shape_only)

    return Layer(layer.dims, layer.layout, plan)


def _flat(w: Form) -> Form:
    return build(w.shape[:3], lambda o, i, t: w[o, i, t, 0])


@call("Keras 1", "keras1.Convolution2D", dims=(2,))
@without_effect(OLD, COMMON)
def convolution_2d(
    dims: int,
    nb_filter: Any,
    nb_row: Any,
    nb_col: Any,
    init: Any = "glorot_uniform",
    activation: Any = None,
    weights: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    dim_ordering: Any = "default",
    bias: Any = True,
) -> Layer:
    """``Convolution2D`` of Keras 1."""
    k, s = _rows(nb_row, nb_col), tupled(subsample, dims, "subsample")
    one = tuple(lift(1) for _ in k)
    layout = ordering(dim_ordering, dims)
    return convolution(dims, layout, (nb_filter, k, s, one), border_mode, activation, bias)


@call("Keras 1", "keras1.AtrousConvolution2D", dims=(2,))
@without_effect(OLD, COMMON)
def atrous_2d(
    dims: int,
    nb_filter: Any,
    nb_row: Any,
    nb_col: Any,
    init: Any = "glorot_uniform",
    activation: Any = None,
    weights: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    atrous_rate: Any = (1, 1),
    dim_ordering: Any = "default",
    bias: Any = True,
) -> Layer:
    """``AtrousConvolution2D`` of Keras 1: one rate for both axes, stride 1 when it is above 1."""
    k, s = _rows(nb_row, nb_col), tupled(subsample, dims, "subsample")
    d = tupled(atrous_rate, dims, "atrous_rate")
    if d[0].constant is not None and d[1].constant is not None and d[0].constant != d[1].constant:
        raise WrongInput(
            f"atrous_rate = ({d[0]}, {d[1]}): the TensorFlow backend takes one rate for both axes; "
            "make them equal"
        )
    layout = ordering(dim_ordering, dims)
    return convolution(dims, layout, (nb_filter, k, s, d), border_mode, activation, bias)


def _rows(nb_row: Any, nb_col: Any) -> Shape:
    for what, value in (("nb_row", nb_row), ("nb_col", nb_col)):
        if isinstance(value, tuple):
            raise WrongInput(
                f"{what} = {value}: Keras 1 takes two numbers, nb_row and nb_col; for a "
                "kernel_size as in Keras 2 and 3 write Conv2D"
            )
    return (
        numbers((nb_row,), 1, "nb_row")[0],
        numbers((nb_col,), 1, "nb_col")[0],
    )


@call("Keras 1", "keras1.Convolution3D", dims=(3,))
@without_effect(OLD, COMMON)
def convolution_3d(
    dims: int,
    nb_filter: Any,
    kernel_dim1: Any,
    kernel_dim2: Any,
    kernel_dim3: Any,
    init: Any = "glorot_uniform",
    activation: Any = None,
    weights: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1, 1),
    dim_ordering: Any = "default",
    bias: Any = True,
) -> Layer:
    """``Convolution3D`` of Keras 1."""
    k = numbers((kernel_dim1, kernel_dim2, kernel_dim3), 3, "kernel_dim")
    s, one = tupled(subsample, dims, "subsample"), tuple(lift(1) for _ in range(3))
    layout = ordering(dim_ordering, dims)
    return convolution(dims, layout, (nb_filter, k, s, one), border_mode, activation, bias)


@call("Keras 1", "keras1.Deconvolution2D", dims=(2,))
@without_effect(OLD, COMMON)
def deconvolution_2d(
    dims: int,
    nb_filter: Any,
    nb_row: Any,
    nb_col: Any,
    output_shape: Any = None,
    init: Any = "glorot_uniform",
    activation: Any = None,
    weights: Any = None,
    border_mode: Any = "valid",
    subsample: Any = (1, 1),
    dim_ordering: Any = "default",
    bias: Any = True,
) -> Layer:
    """``Deconvolution2D`` of Keras 1.0: the gradient of a ``Convolution2D`` by its input.

    Its length is ``s(m-1) + k - 2p`` with ``p = 0`` (valid) or ``⌊k/2⌋`` (same), the smallest that
    the convolution can have come from when k is odd; ``output_shape`` does not change it.
    """
    k, s = _rows(nb_row, nb_col), tupled(subsample, dims, "subsample")
    made, mode = count(nb_filter, "nb_filter"), border(border_mode, ("valid", "same"))
    layout = ordering(dim_ordering, dims)
    _four(output_shape)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        pads = deconvolution_padding(mode, k, s)
        fields = {"stride": s, "padding": pads, "dims": dims}
        channels_first_layout = layout.startswith("NC")
        shape = (made, x[0], *k) if channels_first_layout else (*k, x[0], made)
        axes = "OI" + SPATIAL[dims] if channels_first_layout else kernel_axes(dims)
        turn = _swap if channels_first_layout else _swap_last
        return Plan(
            (step("conv_transpose", weight="W", **fields),),
            (Operand("W", axes, shape, turn), *_bias(bias, made)),
            (),
            "b" if bias else "",
            activated(activation),
        )

    return Layer(dims, layout, plan)


def _four(output_shape: Any) -> None:
    if output_shape is None:
        raise WrongInput(
            "the argument 'output_shape' is missing; Keras 1 wants it, although the length follows "
            "from the input: give (None, nb_filter, rows, cols)"
        )
    if not isinstance(output_shape, tuple) or len(output_shape) != 4:
        raise WrongInput(
            "output_shape: Keras 1 takes four values, the first of them None; "
            "give (None, nb_filter, rows, cols)"
        )
    for value in output_shape[1:]:
        if value is not None:
            integer(value, "output_shape")


def deconvolution_padding(mode: str, k: Shape, s: Shape) -> Pairs:
    """The padding whose removal gives the length ``s(m-1) + k - 2p`` that Keras 1 announces.

    ``valid`` removes nothing, ``same`` removes ``⌊k/2⌋`` on both sides: for odd ``k`` as TensorFlow's
    SAME does, for even ``k``, where TensorFlow refuses that length, as Theano's ``half``.

    >>> deconvolution_padding("same", (lift(3),), (lift(2),)) == ((1, 1),)
    True
    """
    if mode == "valid":
        return tuple((lift(0), lift(0)) for _ in k)
    return tuple((ki // 2, ki // 2) for ki in k)


def _swap(w: Form) -> Form:
    """(out, in, *k) as (in, out, *k)."""
    return permute(w, (1, 0, *range(2, w.rank)))


def _swap_last(w: Form) -> Form:
    """(*k, in, out) as (in, out, *k)."""
    dims = w.rank - 2
    return permute(w, (dims, dims + 1, *range(dims)))
