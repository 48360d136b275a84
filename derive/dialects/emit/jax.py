"""JAX calls (``jax.lax``, ``jax.image``, Flax's average) for steps of our operators.

The calls of ``jax.lax`` speak of every axis: they are written for the source's own layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derive.dialects.emit.common import Lines, Piece, PieceWriter, interpolated, nested, options
from derive.dialects.layer import SPATIAL
from derive.expr import Expr

MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge", "symmetric": "symmetric"}
SEQUENCES = ("full", "same", "valid")
PADDINGS = ("VALID", "SAME")


def conv(piece: Piece) -> Iterator[Lines]:
    """``lax.conv_general_dilated``, with pairs or where they depend on the input with a name."""
    mode = piece.parameters.get("padding_mode", "zero")
    settings = options(
        [
            ("lhs_dilation", nested(piece.axes("base_dilation")), nested((1,) * piece.dims)),
            ("rhs_dilation", nested(piece.axes("dilation")), nested((1,) * piece.dims)),
            ("feature_group_count", str(piece.groups), "1"),
        ]
    )
    strides, pairs = nested(piece.axes("stride")), nested(piece.pairs(), "[]()")
    if mode != "zero":
        none = nested([(0, 0)] * piece.dims, "[]()")
        yield (_pad(piece, mode), _general(piece, strides, none, settings))
        return
    if piece.at_run_time(piece.pairs()):
        for name in ("SAME", "SAME_LOWER"):
            yield (_general(piece, strides, repr(name), settings),)
    yield (_general(piece, strides, pairs, settings),)


def sequence(name: str) -> PieceWriter:
    """``jnp.convolve`` or ``jnp.correlate`` of two sequences, else the general convolution."""

    def write_sequence(piece: Piece) -> Iterator[Lines]:
        if piece.dims == 1 and piece.alone:
            for mode in SEQUENCES:
                yield (f"jnp.{name}(x, kernel, mode={mode!r})",)
        yield from conv(piece)

    return write_sequence


def _pad(piece: Piece, mode: str) -> str:
    return f"jnp.pad(x, {piece.pads(piece.pairs())}, mode={MODES[mode]!r})"


def _general(piece: Piece, strides: str, padding: str, settings: str) -> str:
    spatial = SPATIAL[piece.dims]
    kernel = f"{spatial}IO" if piece.layout.endswith("C") else f"OI{spatial}"
    return (
        f"lax.conv_general_dilated(x, kernel, {strides}, {padding}{settings}, "
        f"dimension_numbers={(piece.layout, kernel, piece.layout)!r})"
    )


def conv_transpose(piece: Piece) -> Iterator[Lines]:
    """``lax.conv_general_dilated`` with a dilated input and the flipped kernel."""
    rest, k = piece.axes("output_padding", 0), piece.kernel[2:]
    reach = [d * (ki - 1) for d, ki in zip(piece.axes("dilation"), k, strict=True)]
    padding = [
        (a - lo, a - hi + r) for a, (lo, hi), r in zip(reach, piece.pairs(), rest, strict=True)
    ]
    settings = options(
        [
            ("lhs_dilation", nested(piece.axes("stride")), nested((1,) * piece.dims)),
            ("rhs_dilation", nested(piece.axes("dilation")), nested((1,) * piece.dims)),
            ("feature_group_count", str(piece.groups), "1"),
        ]
    )
    yield (_general(piece, nested((1,) * piece.dims), nested(padding, "[]()"), settings),)


def max_pool(piece: Piece) -> Iterator[Lines]:
    """``lax.reduce_window`` with the maximum."""
    yield from _windows(piece, "-jnp.inf, lax.max")


def sum_pool(piece: Piece) -> Iterator[Lines]:
    """``lax.reduce_window`` with the sum."""
    yield from _windows(piece, "0.0, lax.add")


def _windows(piece: Piece, reduction: str) -> Iterator[Lines]:
    k, s, d = piece.axes("k"), piece.stride, piece.axes("dilation")
    dilation = "" if all(a == 1 for a in d) else f", window_dilation={_all(piece, d)}"
    paddings = [piece.covered() if piece.parameters.get("ceil_mode") else piece.pairs()]
    named = piece.at_run_time(paddings[0])
    written = [*(repr(name) for name in PADDINGS if named), piece.pads(paddings[0])]
    for padding in written:
        ends = f"{_all(piece, k)}, {_all(piece, s)}, {padding}{dilation}"
        yield (f"lax.reduce_window(x, {reduction}, {ends})",)


def _all(piece: Piece, values: Sequence[Expr]) -> str:
    return nested(piece.placed(values, 1, 1))


def avg_pool(piece: Piece) -> Iterator[Lines]:
    """Flax's ``avg_pool``; ``ceil_mode`` is padding that does not count."""
    if any(d != 1 for d in piece.axes("dilation")):
        return
    if piece.parameters.get("divisor_override") is not None:
        return
    ceil = bool(piece.parameters.get("ceil_mode"))
    counts = bool(piece.parameters.get("count_include_pad", True)) and not ceil
    pairs = piece.covered() if ceil else piece.pairs()
    settings = options([("count_include_pad", str(counts), "True")])
    window = f"{nested(piece.axes('k'))}, {nested(piece.stride)}"
    if all(a == 0 for pair in pairs for a in pair):
        yield (f"linen.avg_pool(x, {window})",)
        return
    if piece.at_run_time(pairs):
        for name in PADDINGS[::-1]:
            yield (f"linen.avg_pool(x, {window}, {name!r}{settings})",)
    yield (f"linen.avg_pool(x, {window}, {nested(pairs)}{settings})",)


def global_pool(piece: Piece) -> Iterator[Lines]:
    """Flax's ``avg_pool`` over the whole input, or over its parts."""
    yield from avg_pool(piece.pooled())


def resized(piece: Piece) -> Iterator[Lines]:
    """``jax.image.resize``, which shrinks through a wider window unless ``antialias`` is off."""
    kind = interpolated(piece)
    if kind == "align_corners":
        return
    shape = nested(piece.placed(piece.output, piece.batch, piece.channels))
    plain = kind == "nearest" or piece.factors() is not None
    yield (f"jax.image.resize(x, {shape}, {kind!r}{'' if plain else ', antialias=False'})",)


def pad(piece: Piece) -> Iterator[Lines]:
    """``lax.pad``, which crops where an amount is negative."""
    mode = piece.parameters.get("mode", "zero")
    if mode != "zero":
        yield (_pad(piece, mode),)
    else:
        yield (_zeros(piece, [(lo, hi, 0) for lo, hi in piece.pairs()]),)


def crop(piece: Piece) -> Iterator[Lines]:
    """``lax.pad`` with negative amounts."""
    yield (_zeros(piece, [(-lo, -hi, 0) for lo, hi in piece.pairs("amount")]),)


def _zeros(piece: Piece, amounts: list[tuple[object, ...]]) -> str:
    return f"lax.pad(x, 0.0, {piece.pads(amounts, (0, 0, 0))})"


PIECES: dict[str, PieceWriter] = {
    "correlate": sequence("correlate"),
    "convolve": sequence("convolve"),
    "conv_transpose": conv_transpose,
    "max_pool": max_pool,
    "sum_pool": sum_pool,
    "avg_pool": avg_pool,
    "global_avg_pool": global_pool,
    "adaptive_avg_pool": global_pool,
    "nearest_upsample": resized,
    "bilinear_upsample": resized,
    "resize": resized,
    "pad": pad,
    "extend": pad,
    "crop": crop,
}
