"""JAX calls (``jax.lax``, channels first) for steps of our operators."""

from __future__ import annotations

from collections.abc import Iterator

from derive.dialects.emit.common import Lines, Piece, PieceWriter, nested, options
from derive.dialects.layer import SPATIAL

MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge"}
NUMBERS = {d: f"('NC{a}', 'OI{a}', 'NC{a}')" for d, a in SPATIAL.items()}


def conv(piece: Piece) -> Iterator[Lines]:
    """``lax.conv_general_dilated``."""
    mode = piece.parameters.get("padding_mode", "zero")
    settings = options(
        [
            ("lhs_dilation", nested(piece.axes("base_dilation")), nested((1,) * piece.dims)),
            ("rhs_dilation", nested(piece.axes("dilation")), nested((1,) * piece.dims)),
            ("feature_group_count", str(piece.parameters.get("groups", 1)), "1"),
        ]
    )
    strides = nested(piece.axes("stride"))
    if mode == "zero":
        yield (_general(piece, strides, nested(piece.pairs(), "[]()"), settings),)
    else:
        none = nested([(0, 0)] * piece.dims, "[]()")
        yield (_pad(piece, mode), _general(piece, strides, none, settings))


def _pad(piece: Piece, mode: str) -> str:
    amounts = nested([(0, 0), (0, 0), *piece.pairs()], "[]()")
    return f"jnp.pad(x, {amounts}, mode={MODES[mode]!r})"


def _general(piece: Piece, strides: str, padding: str, settings: str) -> str:
    return (
        f"lax.conv_general_dilated(x, kernel, {strides}, {padding}{settings}, "
        f"dimension_numbers={NUMBERS[piece.dims]})"
    )


def conv_transpose(piece: Piece) -> Iterator[Lines]:
    """``lax.conv_general_dilated`` with a dilated input and the flipped kernel."""
    if piece.parameters.get("groups", 1) != 1:
        return
    rest, k = piece.axes("output_padding", 0), piece.kernel[2:]
    reach = [d * (ki - 1) for d, ki in zip(piece.axes("dilation"), k, strict=True)]
    padding = [
        (a - lo, a - hi + r) for a, (lo, hi), r in zip(reach, piece.pairs(), rest, strict=True)
    ]
    settings = options(
        [
            ("lhs_dilation", nested(piece.axes("stride")), nested((1,) * piece.dims)),
            ("rhs_dilation", nested(piece.axes("dilation")), nested((1,) * piece.dims)),
        ]
    )
    yield (_general(piece, nested((1,) * piece.dims), nested(padding, "[]()"), settings),)


def max_pool(piece: Piece) -> Iterator[Lines]:
    """``lax.reduce_window`` with the maximum."""
    k = piece.axes("k")
    s = piece.axes("stride") if piece.parameters.get("stride") is not None else k
    padding = nested([(0, 0), (0, 0), *piece.pairs()], "[]()")
    d = piece.axes("dilation")
    dilation = "" if all(a == 1 for a in d) else f", window_dilation={nested((1, 1, *d))}"
    ends = f"{nested((1, 1, *k))}, {nested((1, 1, *s))}, {padding}{dilation}"
    yield (f"lax.reduce_window(x, -jnp.inf, lax.max, {ends})",)


def pad(piece: Piece) -> Iterator[Lines]:
    """``lax.pad``, which crops where an amount is negative."""
    mode = piece.parameters.get("mode", "zero")
    if mode != "zero":
        yield (_pad(piece, mode),)
    else:
        amounts = [(0, 0, 0), (0, 0, 0), *((lo, hi, 0) for lo, hi in piece.pairs())]
        yield (f"lax.pad(x, 0.0, {nested(amounts, '[]()')})",)


PIECES: dict[str, PieceWriter] = {
    "correlate": conv,
    "conv_transpose": conv_transpose,
    "max_pool": max_pool,
    "pad": pad,
}
