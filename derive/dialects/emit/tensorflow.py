"""TensorFlow calls (``tf.nn``, channels last) for steps of our operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from derive.dialects.emit.common import Lines, Piece, PieceWriter, nested, one, options
from derive.expr import Expr

NAMED = ("VALID", "SAME")
MODES = {"zero": "CONSTANT", "reflect": "REFLECT"}


def conv(piece: Piece) -> Iterator[Lines]:
    """``tf.nn.conv`` with a named padding, with amounts, or after ``tf.pad``."""
    if any(e != 1 for e in piece.axes("base_dilation")):
        return
    mode = piece.parameters.get("padding_mode", "zero")
    padding = piece.pairs()
    if mode == "zero":
        for name in NAMED:
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
    """``tf.nn.conv_transpose``: as the transpose of a VALID or a SAME convolution."""
    if piece.parameters.get("groups", 1) != 1:
        return
    lengths = piece.output
    shape = nested([piece.batch, *lengths, piece.kernel[1]], "[]")
    strides = _all(piece.axes("stride"), piece.dims)
    dilation = options([("dilations", one(piece.axes("dilation")), "1")])
    name = f"tf.nn.conv{piece.dims}d_transpose"
    for padding in ("SAME", "VALID"):
        yield (f"{name}(x, kernel, {shape}, {strides}, {padding!r}{dilation})",)


def pool(kind: str) -> Callable[[Piece], Iterator[Lines]]:
    """``tf.nn.avg_pool`` or ``tf.nn.max_pool``; ``tf.nn.pool`` where there is a dilation."""

    def write_pool(piece: Piece) -> Iterator[Lines]:
        if piece.parameters.get("divisor_override") is not None:
            return
        k = piece.axes("k")
        s = piece.axes("stride") if piece.parameters.get("stride") is not None else k
        d = piece.axes("dilation")
        calls = {}
        for padding in NAMED:
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

    return write_pool


def _list(values: Sequence[Expr]) -> str:
    return nested(tuple(values), "[]")


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
    "conv_transpose": conv_transpose,
    "avg_pool": pool("avg"),
    "max_pool": pool("max"),
    "pad": pad,
    "depth_to_space": shuffle,
    "space_to_depth": shuffle,
}
