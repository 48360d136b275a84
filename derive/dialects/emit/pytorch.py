"""PyTorch calls for steps of our operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from derive.dialects.emit.common import (
    Lines,
    Piece,
    PieceWriter,
    interpolated,
    one,
    options,
    symmetric,
    whole,
)
from derive.expr import Expr

MODES = {"zero": "constant", "circular": "circular", "reflect": "reflect", "replicate": "replicate"}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def conv(piece: Piece) -> Iterator[Lines]:
    """``nn.Conv`` with its own padding where both sides are alike, else after ``F.pad``."""
    if any(e != 1 for e in piece.axes("base_dilation")):
        made = piece.transposed()
        yield from conv_transpose(made) if made is not None else ()
        return
    mode = piece.parameters.get("padding_mode", "zero")
    padding = piece.pairs()
    if symmetric(padding):
        modes = "" if mode == "zero" else f", padding_mode={mode!r}"
        yield (_conv(piece, one([lo for lo, _ in padding]), modes),)
    yield (_pad(padding, MODES[mode]), _conv(piece, "0"))


def _conv(piece: Piece, padding: str, extra: str = "") -> str:
    settings = options(
        [
            ("stride", one(piece.axes("stride")), "1"),
            ("padding", padding, "0"),
            ("dilation", one(piece.axes("dilation")), "1"),
            ("groups", str(piece.parameters.get("groups", 1)), "1"),
            ("bias", str(piece.bias), "True"),
        ]
    )
    k = one(piece.kernel[2:])
    return f"nn.Conv{piece.dims}d({piece.channels}, {piece.kernel[0]}, {k}{settings}{extra})"


def _pad(padding: Sequence[tuple[Expr, Expr]], mode: str = "constant") -> str:
    amounts = ", ".join(f"{lo}, {hi}" for lo, hi in reversed(padding))
    return f"F.pad(x, ({amounts}){'' if mode == 'constant' else f', mode={mode!r}'})"


def conv_transpose(piece: Piece) -> Iterator[Lines]:
    """``nn.ConvTranspose`` with ``padding`` from the front and what is missing as output padding,
    else all of it and then cut (or lengthened) by ``F.pad``.
    """
    rest = piece.axes("output_padding", 0)
    padding = piece.pairs()
    missing = tuple(r - hi + lo for r, (lo, hi) in zip(rest, padding, strict=True))
    front = tuple(lo for lo, _ in padding)
    if all(whole(a) for a in (*front, *missing)):
        yield (_transposed(piece, one(front), one(missing)),)
    ends = [(-lo, r - hi) for r, (lo, hi) in zip(rest, padding, strict=True)]
    yield (_transposed(piece, "0", "0"), _pad(ends))


def _transposed(piece: Piece, padding: str, output_padding: str) -> str:
    g = piece.parameters.get("groups", 1)
    settings = options(
        [
            ("stride", one(piece.axes("stride")), "1"),
            ("padding", padding, "0"),
            ("output_padding", output_padding, "0"),
            ("groups", str(g), "1"),
            ("bias", str(piece.bias), "True"),
            ("dilation", one(piece.axes("dilation")), "1"),
        ]
    )
    c_out, k = piece.kernel[1] * g, one(piece.kernel[2:])
    return f"nn.ConvTranspose{piece.dims}d({piece.channels}, {c_out}, {k}{settings})"


def avg_pool(piece: Piece) -> Iterator[Lines]:
    """``nn.AvgPool``; after ``F.pad`` where the sides differ and the padding counts."""
    if any(d != 1 for d in piece.axes("dilation")):
        return
    padding = piece.pairs()
    counts = bool(piece.parameters.get("count_include_pad", True))
    ceil = bool(piece.parameters.get("ceil_mode", False))
    divisor = piece.parameters.get("divisor_override")
    for sides, rounded in _sides(padding, ceil):
        settings = [
            ("padding", one(sides), "0"),
            ("ceil_mode", str(rounded), "False"),
            ("count_include_pad", str(counts), "True"),
            ("divisor_override", str(divisor), "None"),
        ]
        yield (_window("AvgPool", piece, settings),)
    if counts and not ceil:
        yield (_pad(padding), _window("AvgPool", piece, []))


def max_pool(piece: Piece) -> Iterator[Lines]:
    """``nn.MaxPool``."""
    for sides, rounded in _sides(piece.pairs(), bool(piece.parameters.get("ceil_mode", False))):
        settings = [
            ("padding", one(sides), "0"),
            ("dilation", one(piece.axes("dilation")), "1"),
            ("ceil_mode", str(rounded), "False"),
        ]
        yield (_window("MaxPool", piece, settings),)


def _sides(padding: Sequence[tuple[Expr, Expr]], ceil: bool) -> list[tuple[tuple[Expr, ...], bool]]:
    """The amount for both sides of each axis, and ``ceil_mode``: where the sides differ the one in
    front, also with a last window that reaches over the end, then the one behind.
    """
    front, behind = tuple(lo for lo, _ in padding), tuple(hi for _, hi in padding)
    if front == behind:
        return [(front, ceil)]
    return list(dict.fromkeys([(front, ceil), (front, True), (behind, ceil)]))


def _window(name: str, piece: Piece, settings: Sequence[tuple[str, str, str]]) -> str:
    k = one(piece.axes("k"))
    stride = one(piece.stride)
    return f"nn.{name}{piece.dims}d({k}{options([('stride', stride, k), *settings])})"


def adaptive(piece: Piece) -> Iterator[Lines]:
    """``nn.AdaptiveAvgPool``."""
    m = (1,) * piece.dims if piece.operator == "global_avg_pool" else piece.axes("m")
    yield (f"nn.AdaptiveAvgPool{piece.dims}d({one(m)})",)


def resized(piece: Piece) -> Iterator[Lines]:
    """``nn.Upsample`` by whole factors or to lengths, at half pixels where nearest is "exact"."""
    kind, factors = interpolated(piece), piece.factors()
    mode = "nearest" if kind == "nearest" else LINEAR.get(piece.dims)
    ends = f"size={one(piece.output)}" if factors is None else f"scale_factor={one(factors)}"
    if kind != "nearest":
        corners = ", align_corners=True" if kind == "align_corners" else ""
        if mode is not None:
            yield (f"nn.Upsample({ends}, mode={mode!r}{corners})",)
        return
    ways = [f"nn.Upsample({ends})", f"nn.Upsample({ends}, mode='nearest-exact')"]
    exact = any(a != 0 for a in piece.axes("start", 0)) and factors is None
    yield from ((way,) for way in (ways[::-1] if exact else ways))


def sum_pool(piece: Piece) -> Iterator[Lines]:
    """``nn.AvgPool`` with the divisor 1, which the one for sequences does not take."""
    if piece.dims > 1:
        yield from avg_pool(replace(piece, parameters={**piece.parameters, "divisor_override": 1}))


def pad(piece: Piece) -> Iterator[Lines]:
    """``F.pad``, whose amounts begin with the last axis."""
    mode = piece.parameters.get("mode", "zero")
    if mode in MODES:
        yield (_pad(piece.pairs(), MODES[mode]),)


def crop(piece: Piece) -> Iterator[Lines]:
    """``F.pad`` with negative amounts."""
    yield (_pad([(-lo, -hi) for lo, hi in piece.pairs("amount")]),)


def shuffle(piece: Piece) -> Iterator[Lines]:
    """``nn.PixelShuffle``, in two dimensions."""
    if piece.dims == 2:
        name = "PixelShuffle" if piece.operator == "depth_to_space" else "PixelUnshuffle"
        yield (f"nn.{name}({piece.parameters['r']})",)


PIECES: dict[str, PieceWriter] = {
    "correlate": conv,
    "convolve": conv,
    "conv_transpose": conv_transpose,
    "avg_pool": avg_pool,
    "max_pool": max_pool,
    "adaptive_avg_pool": adaptive,
    "global_avg_pool": adaptive,
    "sum_pool": sum_pool,
    "nearest_upsample": resized,
    "bilinear_upsample": resized,
    "resize": resized,
    "pad": pad,
    "extend": pad,
    "crop": crop,
    "depth_to_space": shuffle,
    "space_to_depth": shuffle,
}
