"""Keras 3 layers for steps of our operators (channels last)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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

NAMED = ("valid", "same")


def conv(piece: Piece) -> Iterator[Lines]:
    """``Conv`` with a named padding, else after ``ZeroPadding`` or ``Cropping``."""
    if any(e != 1 for e in piece.axes("base_dilation")):
        made = piece.transposed()
        yield from conv_transpose(made) if made is not None else ()
        return
    if piece.parameters.get("padding_mode", "zero") != "zero":
        return
    for name in (*piece.likely(*NAMED), *(("causal",) if piece.dims == 1 else ())):
        yield (_conv(piece, name),)
    yield (*_resized(piece.pairs(), piece.dims), _conv(piece, "valid"))


def _conv(piece: Piece, padding: str) -> str:
    settings = options(
        [
            ("strides", one(piece.axes("stride")), "1"),
            ("padding", repr(padding), "'valid'"),
            ("dilation_rate", one(piece.axes("dilation")), "1"),
            ("groups", str(piece.parameters.get("groups", 1)), "1"),
            ("use_bias", str(piece.bias), "True"),
        ]
    )
    k = one(piece.kernel[2:])
    return f"keras.layers.Conv{piece.dims}D({piece.kernel[0]}, {k}{settings})"


def _resized(amounts: Sequence[tuple[Expr, Expr]], dims: int) -> Lines:
    """Zeros where the amounts are positive, cuts where they are negative."""
    added = [tuple(a if a.constant is None or a.constant > 0 else 0 for a in p) for p in amounts]
    cut = [
        tuple(-a if a.constant is not None and a.constant < 0 else 0 for a in p) for p in amounts
    ]
    found = []
    if any(a != 0 for p in added for a in p):
        found.append(f"keras.layers.ZeroPadding{dims}D({_sides(added)})")
    if any(a != 0 for p in cut for a in p):
        found.append(f"keras.layers.Cropping{dims}D({_sides(cut)})")
    return tuple(found)


def _sides(amounts: Sequence[tuple[object, ...]]) -> str:
    return nested(amounts) if len(amounts) > 1 else nested(amounts[0])


def conv_transpose(piece: Piece) -> Iterator[Lines]:
    """``ConvTranspose`` with a named padding, else "valid" and then cut or lengthened."""
    if piece.groups != 1:
        raise NotSupported(f"keras.layers.Conv{piece.dims}DTranspose knows no groups of channels")
    for name in piece.likely(*NAMED):
        yield (_transposed(piece, name),)
    rest = piece.axes("output_padding", 0)
    k, s, d = piece.kernel[2:], piece.axes("stride"), piece.axes("dilation")
    # with "valid", Keras gives max(k - s, 0) more than s·m, but never less than s·m
    longer = [
        0 if _below(si, di * (ki - 1) + 1) else si - di * (ki - 1) - 1
        for ki, si, di in zip(k, s, d, strict=True)
    ]
    ends = [
        (-lo, r - hi - extra)
        for r, (lo, hi), extra in zip(rest, piece.pairs(), longer, strict=True)
    ]
    yield (_transposed(piece, "valid"), *_resized(ends, piece.dims))


def _below(a: Expr, b: Expr) -> bool:
    difference = (b - a).constant
    return difference is None or difference >= 0


def _transposed(piece: Piece, padding: str) -> str:
    settings = options(
        [
            ("strides", one(piece.axes("stride")), "1"),
            ("padding", repr(padding), "'valid'"),
            ("dilation_rate", one(piece.axes("dilation")), "1"),
            ("use_bias", str(piece.bias), "True"),
        ]
    )
    k = one(piece.kernel[2:])
    return f"keras.layers.Conv{piece.dims}DTranspose({piece.kernel[1]}, {k}{settings})"


def avg_pool(piece: Piece) -> Iterator[Lines]:
    """``AveragePooling`` with a named padding, or after zeros that count."""
    if any(d != 1 for d in piece.axes("dilation")):
        return
    if piece.parameters.get("divisor_override") is not None:
        return
    for name in piece.likely(*NAMED):
        yield (_window("AveragePooling", piece, name),)
    if piece.parameters.get("count_include_pad", True) and not piece.parameters.get("ceil_mode"):
        yield (*_resized(piece.pairs(), piece.dims), _window("AveragePooling", piece, "valid"))


def max_pool(piece: Piece) -> Iterator[Lines]:
    """``MaxPooling`` with a named padding."""
    if any(d != 1 for d in piece.axes("dilation")):
        return
    for name in piece.likely(*NAMED):
        yield (_window("MaxPooling", piece, name),)


def _window(name: str, piece: Piece, padding: str) -> str:
    k = one(piece.axes("k"))
    stride = one(piece.stride)
    settings = options([("strides", stride, k), ("padding", repr(padding), "'valid'")])
    return f"keras.layers.{name}{piece.dims}D({k}{settings})"


def global_pool(piece: Piece) -> Iterator[Lines]:
    """``GlobalAveragePooling`` with its axes kept; ``AveragePooling`` over parts."""
    if piece.operator == "adaptive_avg_pool" and any(m != 1 for m in piece.axes("m")):
        yield (_window("AveragePooling", piece.pooled(), "valid"),)
        return
    yield (f"keras.layers.GlobalAveragePooling{piece.dims}D(keepdims=True)",)


def resized(piece: Piece) -> Iterator[Lines]:
    """``UpSampling`` by whole factors; between samples in two dimensions only."""
    kind, factors = interpolated(piece), piece.factors()
    if factors is None:
        raise NotSupported("keras.layers.UpSampling takes whole factors")
    if kind == "align_corners":
        raise NotSupported("keras.layers.UpSampling does not align corners")
    if kind == "linear" and piece.dims != 2:
        raise NotSupported("keras.layers.UpSampling interpolates in two dimensions only")
    between = ", interpolation='bilinear'" if kind == "linear" else ""
    yield (f"keras.layers.UpSampling{piece.dims}D({one(factors)}{between})",)


def pad(piece: Piece) -> Iterator[Lines]:
    """``ZeroPadding`` and ``Cropping``."""
    if piece.parameters.get("mode", "zero") == "zero":
        yield _resized(piece.pairs(), piece.dims)


def crop(piece: Piece) -> Iterator[Lines]:
    """``Cropping``."""
    yield _resized([(-lo, -hi) for lo, hi in piece.pairs("amount")], piece.dims)


PIECES: dict[str, PieceWriter] = {
    "correlate": conv,
    "convolve": conv,
    "conv_transpose": conv_transpose,
    "avg_pool": avg_pool,
    "max_pool": max_pool,
    "adaptive_avg_pool": global_pool,
    "global_avg_pool": global_pool,
    "nearest_upsample": resized,
    "bilinear_upsample": resized,
    "resize": resized,
    "pad": pad,
    "crop": crop,
}
