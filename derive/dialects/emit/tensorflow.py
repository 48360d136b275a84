"""TensorFlow calls (``tf.nn``, channels last) for steps of our operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from derive.dialects.emit.common import (
    Lines,
    Piece,
    PieceWriter,
    interpolated,
    nested,
    one,
    options,
)
from derive.errors import NotSupported
from derive.expr import Expr

NAMED = ("VALID", "SAME")
MODES = {
    "zero": "CONSTANT",
    "reflect": "REFLECT",
    "symmetric": "SYMMETRIC",
    "replicate": "SYMMETRIC",  # the same for one sample
}


def conv(piece: Piece) -> Iterator[Lines]:
    """``tf.nn.conv`` with a named padding, with amounts, or after ``tf.pad``."""
    if any(e != 1 for e in piece.axes("base_dilation")):
        made = piece.transposed()
        yield from conv_transpose(made) if made is not None else ()
        return
    mode = piece.parameters.get("padding_mode", "zero")
    padding = piece.pairs()
    if piece.groups == piece.channels and piece.groups != 1 and piece.dims == 2:
        yield from _depthwise(piece, mode)
        return
    if mode == "zero":
        for name in piece.likely(*NAMED):
            yield (_conv(piece, repr(name)),)
        if piece.dims == 2:
            yield (_conv(piece, _amounts(padding)),)
    if mode in MODES:
        yield (*_pad(padding, MODES[mode]), _conv(piece, "'VALID'"))


def _amounts(padding: Sequence[tuple[Expr, Expr]]) -> str:
    return nested([(0, 0), *padding, (0, 0)], "[]")


def _conv(piece: Piece, padding: str) -> str:
    dilation = options([("dilations", one(piece.axes("dilation")), "1")])
    strides = _all(piece.axes("stride"), piece.dims)
    return f"tf.nn.conv{piece.dims}d(x, kernel, {strides}, {padding}{dilation})"


def _depthwise(piece: Piece, mode: str) -> Iterator[Lines]:
    strides = nested([1, *piece.axes("stride"), 1], "[]")
    dilations = options([("dilations", _list(piece.axes("dilation")), "[1, 1]")])
    padding = piece.pairs()

    def call(amounts: str) -> str:
        return f"tf.nn.depthwise_conv2d(x, kernel, {strides}, {amounts}{dilations})"

    if mode == "zero":
        for name in piece.likely(*NAMED):
            yield (call(repr(name)),)
        yield (call(_amounts(padding)),)
    if mode in MODES:
        yield (*_pad(padding, MODES[mode]), call("'VALID'"))


def _all(values: Sequence[Expr], dims: int) -> str:
    """One value where all are alike, which ``conv1d`` and ``conv2d`` take, else one for each axis."""
    if dims < 3 and all(v == values[0] for v in values):
        return str(values[0])
    return nested([1, *values, 1], "[]")


def _pad(padding: Sequence[tuple[Expr, Expr]], mode: str = "CONSTANT") -> Lines:
    if all(a == 0 for pair in padding for a in pair):
        return ()
    extra = "" if mode == "CONSTANT" else f", mode={mode!r}"
    return (f"tf.pad(x, {_amounts(padding)}{extra})",)


def conv_transpose(piece: Piece) -> Iterator[Lines]:
    """``tf.nn.conv_transpose``: as the transpose of a SAME or a VALID one, or of one with amounts."""
    if piece.groups != 1:
        raise NotSupported("tf.nn.conv_transpose knows no groups of channels")
    lengths = piece.output
    shape = nested([piece.batch, *lengths, piece.kernel[1]], "[]")
    strides = _all(piece.axes("stride"), piece.dims)
    dilation = options([("dilations", one(piece.axes("dilation")), "1")])
    name = f"tf.nn.conv{piece.dims}d_transpose"
    for padding in ("'SAME'", "'VALID'", *([_amounts(piece.pairs())] if piece.dims == 2 else [])):
        yield (f"{name}(x, kernel, {shape}, {strides}, {padding}{dilation})",)


def pool(kind: str) -> Callable[[Piece], Iterator[Lines]]:
    """``tf.nn.avg_pool`` or ``tf.nn.max_pool``; ``tf.nn.pool`` where there is a dilation."""

    def write_pool(piece: Piece) -> Iterator[Lines]:
        if piece.parameters.get("divisor_override") is not None:
            return
        k, s, d = piece.axes("k"), piece.stride, piece.axes("dilation")
        calls = {}
        for padding in piece.likely(*NAMED):
            plain = f"tf.nn.{kind}_pool{piece.dims}d(x, {_list(k)}, {_list(s)}, {padding!r})"
            pooled = (
                f"tf.nn.pool(x, {_list(k)}, {kind.upper()!r}, {_list(s)}, {padding!r}, "
                f"dilations={_list(d)})"
            )
            calls[padding] = plain if all(a == 1 for a in d) else pooled
            yield (calls[padding],)
        counts = piece.parameters.get("count_include_pad", True)
        if kind == "avg" and counts and not piece.parameters.get("ceil_mode"):
            yield (*_pad(piece.pairs()), calls["VALID"])
        if kind == "max" and all(a == 1 for a in d):
            ends = piece.covered() if piece.parameters.get("ceil_mode") else piece.pairs()
            name = f"tf.nn.max_pool{piece.dims}d" if piece.dims == 2 else "tf.nn.max_pool"
            yield (f"{name}(x, {_list(k)}, {_list(s)}, {_amounts(ends)})",)

    return write_pool


def _list(values: Sequence[Expr]) -> str:
    return nested(tuple(values), "[]")


def global_pool(piece: Piece) -> Iterator[Lines]:
    """``tf.nn.avg_pool`` over the whole input, or over its parts."""
    found = piece.pooled()
    window = f"{_list(found.axes('k'))}, {_list(found.stride)}"
    yield (f"tf.nn.avg_pool{piece.dims}d(x, {window}, 'VALID')",)


def resized(piece: Piece) -> Iterator[Lines]:
    """``tf.image.resize``, which has its samples at half pixels, in two dimensions."""
    kind = interpolated(piece)
    if piece.dims != 2:
        raise NotSupported("tf.image.resize takes images, with two spatial axes")
    if kind == "align_corners":
        raise NotSupported("tf.image.resize does not align corners")
    method = "'nearest'" if kind == "nearest" else "'bilinear'"
    yield (f"tf.image.resize(x, {_list(piece.output)}, {method})",)


def crop(piece: Piece) -> Iterator[Lines]:
    """A slice, which is no call."""
    del piece
    raise NotSupported("TensorFlow cuts with a slice, which is no call")


def pad(piece: Piece) -> Iterator[Lines]:
    """``tf.pad``."""
    mode = piece.parameters.get("mode", "zero")
    if mode in MODES:
        yield _pad(piece.pairs(), MODES[mode])


def shuffle(piece: Piece) -> Iterator[Lines]:
    """``tf.nn.depth_to_space``, which orders the channels in another way than PyTorch."""
    if piece.dims == 2:
        name = "depth_to_space" if piece.operator == "depth_to_space" else "space_to_depth"
        yield (f"tf.nn.{name}(x, {piece.parameters['r']})",)


PIECES: dict[str, PieceWriter] = {
    "correlate": conv,
    "convolve": conv,
    "conv_transpose": conv_transpose,
    "avg_pool": pool("avg"),
    "max_pool": pool("max"),
    "global_avg_pool": global_pool,
    "adaptive_avg_pool": global_pool,
    "nearest_upsample": resized,
    "bilinear_upsample": resized,
    "resize": resized,
    "pad": pad,
    "extend": pad,
    "crop": crop,
    "depth_to_space": shuffle,
    "space_to_depth": shuffle,
}
