"""TensorFlow: depth to space, padding, and resizing of images.

Sources as in :mod:`derive.dialects.tensorflow`; for resizing also
``core/util/image_resizer_state.h`` (half pixel centers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.calls import show
from derive.dialects.layer import CANONICAL, Layer, Plan, Requirement, Shape, Step, integer, step
from derive.dialects.registry import call
from derive.dialects.tensorflow import layout_of
from derive.dialects.tensorflow_common import one_of, positive
from derive.errors import NotSupported, WrongInput
from derive.expr import Expr, all_of, divides

VECTOR = ("NCHW_VECT_C",)
METHODS = (
    *("bilinear", "nearest", "bicubic", "area"),
    *("lanczos3", "lanczos5", "gaussian", "mitchellcubic"),
)


@call("TensorFlow", "tf.nn.depth_to_space", dims=(2,), tensors=("input",))
def depth_to_space(
    dims: int,
    input: Any,  # noqa: A002  TensorFlow's own name
    block_size: Any,
    data_format: Any = "NHWC",
    name: Any = None,
) -> Layer:
    """``tf.nn.depth_to_space``: the place in the block is the slower part of the channel (DCR)."""
    block, layout = _block(block_size), _layout(data_format, dims)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        cells = block * block
        fits = Requirement(
            divides(cells, x[0]),
            f"the input has {x[0]} channels with block_size = {block}: TensorFlow refuses it (Input "
            f"depth dimension {x[0]} should be divisible by: {cells}); give a multiple of {cells}",
        )
        return Plan((step("depth_to_space", r=block, mode="DCR", dims=dims),), requires=(fits,))

    return Layer(dims, layout, plan)


@call("TensorFlow", "tf.nn.space_to_depth", dims=(2,), tensors=("input",))
def space_to_depth(
    dims: int,
    input: Any,  # noqa: A002
    block_size: Any,
    data_format: Any = "NHWC",
    name: Any = None,
) -> Layer:
    """``tf.nn.space_to_depth``: the inverse of ``depth_to_space``."""
    block, layout = _block(block_size), _layout(data_format, dims)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        fits = Requirement(
            all_of(*(divides(block, n) for n in x[1:])),
            f"block_size = {block}: TensorFlow refuses it (Image width {x[2]} and height {x[1]} should "
            f"be divisible by block_size: {block}); pad or crop the image",
        )
        return Plan((step("space_to_depth", r=block, mode="DCR", dims=dims),), requires=(fits,))

    return Layer(dims, layout, plan)


def _block(block_size: Any) -> Expr:
    block = integer(block_size, "block_size")
    if block.constant is not None and block.constant < 2:
        raise WrongInput(
            f"block_size = {block}: TensorFlow refuses it (must be at least minimum 2); give 2 or more"
        )
    return block


def _layout(data_format: Any, dims: int) -> str:
    if data_format in VECTOR:
        raise NotSupported(f"data_format = {data_format!r}: it is for int8 on a GPU; use 'NCHW'")
    return layout_of(data_format, dims)


@call("TensorFlow", "tf.pad", dims=(2, 1, 3), tensors=("tensor",))
def pad(
    dims: int,
    tensor: Any,
    paddings: Any,
    mode: Any = "CONSTANT",
    constant_values: Any = 0,
    name: Any = None,
) -> Layer:
    """``tf.pad``: an amount in front and one behind for every axis of the tensor."""
    layout = layout_of(None, dims)
    kind = one_of(mode.upper() if isinstance(mode, str) else mode, MODES, "mode")
    pairs = _pairs(paddings, layout)
    amounts = tuple(pairs[layout.index(a)] for a in CANONICAL[dims])
    if kind == "SYMMETRIC" and any(p.constant != 0 for p in amounts[0]):
        raise NotSupported("mode = 'SYMMETRIC' along the first axis is not read here; give [0, 0]")

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        reach = {"CONSTANT": None, "REFLECT": 1, "SYMMETRIC": 0}[kind]
        requires = []
        for n, (lo, hi) in zip(x, amounts[1:], strict=True):
            if reach is not None:
                relation = "less" if reach else "no greater"
                message = (
                    f"paddings = [{lo}, {hi}] with mode = {kind!r} on {n} samples: TensorFlow refuses "
                    f"it (paddings must be {relation} than the dimension size); pad twice"
                )
                requires.append(Requirement(all_of(lo <= n - reach, hi <= n - reach), message))
        says = (
            f"constant_values = {constant_values} adds a constant" if constant_values != 0 else ""
        )
        return Plan(
            (_padding(kind, amounts),),
            requires=tuple(requires),
            shape_only=says if kind == "CONSTANT" else "",
        )

    return Layer(dims, layout, plan)


MODES = ("CONSTANT", "REFLECT", "SYMMETRIC")


def _padding(kind: str, amounts: tuple[tuple[Expr, Expr], ...]) -> Step:
    if kind == "SYMMETRIC":
        return step("extend", padding=amounts, mode="symmetric")
    return step("pad", padding=amounts, mode="zero" if kind == "CONSTANT" else "reflect")


def _pairs(paddings: Any, layout: str) -> tuple[tuple[Expr, Expr], ...]:
    fits = isinstance(paddings, tuple) and len(paddings) == len(layout)
    if not fits or not all(isinstance(p, tuple) and len(p) == 2 for p in paddings):
        raise WrongInput(
            f"paddings: an input with {len(layout)} axes takes {len(layout)} pairs; "
            "give [lo, hi] for each axis"
        )
    found = tuple((integer(p[0], "paddings"), integer(p[1], "paddings")) for p in paddings)
    for lo, hi in found:
        if any(p.constant is not None and p.constant < 0 for p in (lo, hi)):
            raise WrongInput(
                f"paddings = [{lo}, {hi}]: TensorFlow refuses it (Paddings must be non-negative); "
                "crop with a slice"
            )
    return found


@call("TensorFlow", "tf.image.resize", dims=(2,), tensors=("images",), aliases={"image": "images"})
def resize(
    dims: int,
    images: Any,
    size: Any,
    method: Any = "bilinear",
    preserve_aspect_ratio: Any = False,
    antialias: Any = False,
    name: Any = None,
) -> Layer:
    """``tf.image.resize`` (2.x): samples sit at half pixels, positions beyond the ends read the end.

    Nearest and bilinear have values here, the other methods and antialiasing have shapes.
    """
    kind = one_of(str(method).rsplit(".", 1)[-1].lower(), METHODS, "method")
    if preserve_aspect_ratio not in (False, None):
        raise NotSupported("preserve_aspect_ratio = True is not read here; give the size itself")
    if not isinstance(size, tuple) or len(size) != dims:
        raise WrongInput(
            f"size = {show(size)}: TensorFlow refuses it ('size' must be a 1-D Tensor of 2 elements: "
            "new_height, new_width); give both"
        )
    m = positive(tuple(integer(v, "size") for v in size), "size")
    if kind not in ("bilinear", "nearest"):
        reason = f"method={kind!r} is not among the operators here"
    else:
        reason = "antialias=True widens the kernel" if antialias and kind == "bilinear" else ""
    return Layer(dims, layout_of(None, dims), lambda x, given: _resized(x[1:], m, kind, reason))


def _resized(n: Shape, m: Shape, kind: str, reason: str) -> Plan:
    return Plan((half_pixel(n, m, kind == "bilinear"),), shape_only=reason)


def half_pixel(n: Shape, m: Shape, linear: bool) -> Step:
    """The step that resizes lengths ``n`` to ``m``: output ``i`` sits at ``(i + 1/2)n/m - 1/2``."""
    starts = [ni - mi if linear else ni for ni, mi in zip(n, m, strict=True)]
    return step(
        "resize",
        length=m,
        top=tuple(2 * ni for ni in n),
        den=tuple(2 * mi for mi in m),
        start=tuple(starts),
        mode="linear" if linear else "floor",
        dims=len(n),
    )
