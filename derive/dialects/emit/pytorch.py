"""PyTorch calls for steps of our operators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derive.dialects.emit.common import Lines, Piece, PieceWriter, one, options, symmetric, whole
from derive.expr import Expr

MODES = {"zero": "constant", "circular": "circular", "reflect": "reflect", "replicate": "replicate"}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def conv(piece: Piece) -> Iterator[Lines]:
    """``nn.Conv`` with its own padding where both sides are alike, else after ``F.pad``."""
    if any(e != 1 for e in piece.axes("base_dilation")):
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
    for sides in _sides(padding):
        settings = [
            ("padding", one(sides), "0"),
            ("ceil_mode", str(ceil), "False"),
            ("count_include_pad", str(counts), "True"),
            ("divisor_override", str(divisor), "None"),
        ]
        yield (_window("AvgPool", piece, settings),)
    if counts and not ceil:
        yield (_pad(padding), _window("AvgPool", piece, []))


def max_pool(piece: Piece) -> Iterator[Lines]:
    """``nn.MaxPool``."""
    for sides in _sides(piece.pairs()):
        settings = [
            ("padding", one(sides), "0"),
            ("dilation", one(piece.axes("dilation")), "1"),
            ("ceil_mode", str(bool(piece.parameters.get("ceil_mode", False))), "False"),
        ]
        yield (_window("MaxPool", piece, settings),)


def _sides(padding: Sequence[tuple[Expr, Expr]]) -> list[tuple[Expr, ...]]:
    """The amount in front of each axis for both sides; then the one behind."""
    front, behind = tuple(lo for lo, _ in padding), tuple(hi for _, hi in padding)
    return [front] if front == behind else [front, behind]


def _window(name: str, piece: Piece, settings: Sequence[tuple[str, str, str]]) -> str:
    k = one(piece.axes("k"))
    stride = one(piece.axes("stride")) if piece.parameters.get("stride") is not None else k
    return f"nn.{name}{piece.dims}d({k}{options([('stride', stride, k), *settings])})"


def adaptive(piece: Piece) -> Iterator[Lines]:
    """``nn.AdaptiveAvgPool``."""
    m = (1,) * piece.dims if piece.operator == "global_avg_pool" else piece.axes("m")
    yield (f"nn.AdaptiveAvgPool{piece.dims}d({one(m)})",)


def nearest(piece: Piece) -> Iterator[Lines]:
    """``nn.Upsample`` by a whole factor."""
    yield (f"nn.Upsample(scale_factor={one(piece.axes('s'))})",)


def linear(piece: Piece) -> Iterator[Lines]:
    """``nn.Upsample`` with linear interpolation."""
    corners = bool(piece.parameters.get("align_corners", False))
    settings = options([("align_corners", str(corners), "False")])
    mode = LINEAR[piece.dims]
    yield (f"nn.Upsample(scale_factor={one(piece.axes('s'))}, mode={mode!r}{settings})",)


def pad(piece: Piece) -> Iterator[Lines]:
    """``F.pad``, whose amounts begin with the last axis."""
    yield (_pad(piece.pairs(), MODES[piece.parameters.get("mode", "zero")]),)


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
    "conv_transpose": conv_transpose,
    "avg_pool": avg_pool,
    "max_pool": max_pool,
    "adaptive_avg_pool": adaptive,
    "global_avg_pool": adaptive,
    "nearest_upsample": nearest,
    "bilinear_upsample": linear,
    "pad": pad,
    "crop": crop,
    "depth_to_space": shuffle,
    "space_to_depth": shuffle,
}
