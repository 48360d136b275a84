"""PyTorch: the layers between: activations and normalisations (shapes), ``Flatten``, ``Linear``.

Activations, normalisations and dropout keep the shape; their values are out of scope, since they
are not linear in the input (or random).  Source: the PyTorch documentation (2.x).
"""

from __future__ import annotations

import inspect
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
    integer,
    step,
)
from derive.dialects.registry import call
from derive.errors import NotSupported, WrongInput
from derive.expr import divides, eq
from derive.form import Form, build

RANKS = (2, 1, 3, 0)
NOT_LINEAR = "it is not linear in its input"
NORMALISED = "it divides by statistics of its input"

ACTIVATIONS: dict[str, dict[str, Any]] = {
    "ReLU": {"inplace": False},
    "ReLU6": {"inplace": False},
    "LeakyReLU": {"negative_slope": 0.01, "inplace": False},
    "PReLU": {"num_parameters": 1, "init": 0.25, "device": None, "dtype": None},
    "ELU": {"alpha": 1.0, "inplace": False},
    "SELU": {"inplace": False},
    "CELU": {"alpha": 1.0, "inplace": False},
    "GELU": {"approximate": "none"},
    "SiLU": {"inplace": False},
    "Mish": {"inplace": False},
    "Sigmoid": {},
    "Tanh": {},
    "Softplus": {"beta": 1.0, "threshold": 20.0},
    "Softsign": {},
    "LogSigmoid": {},
    "Hardtanh": {"min_val": -1.0, "max_val": 1.0, "inplace": False},
    "Hardswish": {"inplace": False},
    "Hardsigmoid": {"inplace": False},
    "Softmax": {"dim": None},
    "LogSoftmax": {"dim": None},
}
FUNCTIONS: dict[str, dict[str, Any]] = {
    "relu": {"inplace": False},
    "relu6": {"inplace": False},
    "leaky_relu": {"negative_slope": 0.01, "inplace": False},
    "elu": {"alpha": 1.0, "inplace": False},
    "selu": {"inplace": False},
    "gelu": {"approximate": "none"},
    "silu": {"inplace": False},
    "sigmoid": {},
    "tanh": {},
    "softplus": {"beta": 1.0, "threshold": 20.0},
    "dropout": {"p": 0.5, "training": True, "inplace": False},
}


def keeps_shape(dims: int, why: str, requires: Any = None) -> Layer:
    """A layer that keeps the shape and whose values are out of scope."""

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        return Plan((), (), requires(x) if requires else (), shape_only=why)

    return Layer(dims, CANONICAL[dims], plan, unbatched=requires is None)


def _register(
    name: str,
    parameters: Mapping[str, Any],
    why: str,
    tensors: tuple[str, ...],
    ranks: tuple[int, ...] = RANKS,
) -> None:
    """One call that keeps the shape, with the framework's own parameters."""

    def meaning(dims: int, **arguments: Any) -> Layer:
        return keeps_shape(dims, why)

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = [inspect.Parameter(p, kind) for p in ("dims", *tensors)]
    signature += [inspect.Parameter(p, kind, default=v) for p, v in parameters.items()]
    meaning.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    meaning.__doc__ = f"``torch.{name}``: the shape."
    call("PyTorch", name, dims=ranks, tensors=tensors)(meaning)


for _name, _parameters in ACTIVATIONS.items():
    _register(f"nn.{_name}", _parameters, NOT_LINEAR, ())
for _name, _parameters in FUNCTIONS.items():
    _register(f"F.{_name}", _parameters, NOT_LINEAR, ("input",))
for _name, _ranks in (
    ("Dropout", RANKS),
    ("Dropout1d", (1, 0)),
    ("Dropout2d", (2, 1)),
    ("Dropout3d", (3, 2)),
):
    _register(f"nn.{_name}", {"p": 0.5, "inplace": False}, "it is random in training", (), _ranks)


def _channels(count: Any, what: str) -> Any:
    c = integer(count, what)

    def requires(x: Shape) -> tuple[Requirement, ...]:
        message = f"the input has {x[0]} channels but {what} = {c}; give {c} channels"
        return (Requirement(eq(x[0], c), message),)

    return requires


@call("PyTorch", "nn.BatchNorm1d", dims=(1, 0))
@call("PyTorch", "nn.BatchNorm{d}d", dims=(2, 3))
def batch_norm(
    dims: int,
    num_features: Any,
    eps: Any = 1e-05,
    momentum: Any = 0.1,
    affine: Any = True,
    track_running_stats: Any = True,
    device: Any = None,
    dtype: Any = None,
    *,
    bias: Any = True,
) -> Layer:
    """``torch.nn.BatchNorm1d``, ``2d``, ``3d``: the shape."""
    return keeps_shape(dims, NORMALISED, _channels(num_features, "num_features"))


@call("PyTorch", "nn.InstanceNorm{d}d")
def instance_norm(
    dims: int,
    num_features: Any,
    eps: Any = 1e-05,
    momentum: Any = 0.1,
    affine: Any = False,
    track_running_stats: Any = False,
    device: Any = None,
    dtype: Any = None,
    *,
    bias: Any = True,
) -> Layer:
    """``torch.nn.InstanceNorm1d``, ``2d``, ``3d``: the shape."""
    return keeps_shape(dims, NORMALISED)


@call("PyTorch", "nn.GroupNorm", dims=(2, 1, 3))
def group_norm(
    dims: int,
    num_groups: Any,
    num_channels: Any,
    eps: Any = 1e-05,
    affine: Any = True,
    device: Any = None,
    dtype: Any = None,
    *,
    bias: Any = True,
) -> Layer:
    """``torch.nn.GroupNorm``: the shape."""
    g, c = integer(num_groups, "num_groups"), integer(num_channels, "num_channels")
    if (
        g.constant is not None
        and c.constant is not None
        and (g.constant < 1 or c.constant % g.constant)
    ):
        raise WrongInput(
            f"num_groups = {g}, num_channels = {c}: PyTorch refuses it (num_channels ({c}) must be "
            f"divisible by num_groups ({g})); choose groups that divide {c}"
        )
    fits = _channels(num_channels, "num_channels")
    return keeps_shape(
        dims,
        NORMALISED,
        lambda x: (*fits(x), Requirement(divides(g, c), "the groups do not divide the channels")),
    )


@call("PyTorch", "nn.Identity", dims=RANKS)
def identity(dims: int) -> Layer:
    """``torch.nn.Identity``."""
    return Layer(dims, CANONICAL[dims], lambda x, given: Plan(()), unbatched=True)


@call("PyTorch", "nn.Flatten", dims=RANKS)
def flatten(dims: int, start_dim: Any = 1, end_dim: Any = -1) -> Layer:
    """``torch.nn.Flatten``: channels and spatial axes as one."""
    if (start_dim, end_dim) not in ((1, -1), (1, dims + 1)):
        raise NotSupported(
            f"nn.Flatten({start_dim}, {end_dim}): only the flattening of all axes but the first is "
            "covered; leave the arguments out"
        )
    plan = Plan((step("merge", axis=-dims - 1, count=dims + 1),))
    return Layer(dims, CANONICAL[dims], lambda x, given: plan, output="NC")


@call("PyTorch", "nn.Linear", dims=(0, 1, 2, 3))
def linear(
    dims: int,
    in_features: Any,
    out_features: Any,
    bias: Any = True,
    device: Any = None,
    dtype: Any = None,
) -> Layer:
    """``torch.nn.Linear``: a product along the last axis, weights (O, I)."""
    c_in, c_out = integer(in_features, "in_features"), integer(out_features, "out_features")
    ones = (1,) * dims

    def canonical(w: Form) -> Form:
        return build((*w.shape, *ones), lambda o, i, *t: w[o, i])

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        message = (
            f"the input has {x[0]} features but in_features = {c_in}; give {c_in} features, or "
            f"in_features={x[0]}"
        )
        operands = [Operand("weight", "OI", (c_out, c_in), canonical)]
        if bias:
            operands.append(Operand("bias", "O", (c_out,)))
        product = step("correlate", weight="weight", dims=dims)
        fits = Requirement(eq(x[0], c_in), message)
        return Plan((product,), tuple(operands), (fits,), "bias" if bias else "")

    return Layer(dims, f"N{SPATIAL[dims]}C", plan, unbatched=True)
