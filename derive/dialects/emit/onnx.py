"""ONNX nodes for steps of our operators (channels first)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from derive.dialects.emit.common import Lines, Piece, PieceWriter, interpolated, nested, options
from derive.errors import NotSupported
from derive.expr import Expr, lift

MODES = {"zero": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
AUTO = ("SAME_UPPER", "SAME_LOWER")
FLOOR = "round_prefer_floor"  # the default, which only nearest looks at
COORDINATES = {
    "nearest": (
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_ceil"),
        ("half_pixel", FLOOR),
        ("asymmetric", FLOOR),
    ),
    "linear": (("half_pixel", FLOOR), ("asymmetric", FLOOR)),
    "align_corners": (("align_corners", FLOOR),),
}


def conv(piece: Piece) -> Iterator[Lines]:
    """``Conv`` with amounts, or with ``auto_pad``."""
    if any(e != 1 for e in piece.axes("base_dilation")):
        made = piece.transposed()
        yield from conv_transpose(made) if made is not None else ()
        return
    mode = piece.parameters.get("padding_mode", "zero")
    k = piece.kernel[2:]
    plain = [
        f"kernel_shape={_list(k)}",
        f"strides={_list(piece.axes('stride'))}",
        f"dilations={_list(piece.axes('dilation'))}",
        f"group={piece.parameters.get('groups', 1)}",
    ]
    if mode != "zero":
        yield (_pad(piece.pairs(), MODES[mode]), _node("Conv", [_tensors(piece), *plain]))
        return
    yield from _padded("Conv", [_tensors(piece), *plain], piece)


def _padded(name: str, settings: Sequence[str], piece: Piece) -> Iterator[Lines]:
    """A node with amounts, and with ``auto_pad``; amounts are attributes, which know no lengths."""
    if not piece.at_run_time(piece.pairs()):
        yield (_node(name, [*settings, f"pads={_pads(piece.pairs())}"]),)
    elif all(k == 1 for k in piece.kernel[2:] or piece.axes("k")):  # onnxruntime refuses SAME there
        yield (_node(name, [*settings, f"pads={_pads(((lift(0), lift(0)),) * piece.dims)}"]),)
    for auto in AUTO:
        yield (_node(name, [*settings, f"auto_pad={auto!r}"]),)


def _tensors(piece: Piece) -> str:
    return "x, kernel, bias" if piece.bias else "x, kernel"


def conv_transpose(piece: Piece) -> Iterator[Lines]:
    """``ConvTranspose`` with amounts."""
    padding = piece.pairs()
    ends = [(lo, hi) for lo, hi in padding]
    yield (
        _node(
            "ConvTranspose",
            [
                _tensors(piece),
                f"kernel_shape={_list(piece.kernel[2:])}",
                f"strides={_list(piece.axes('stride'))}",
                f"dilations={_list(piece.axes('dilation'))}",
                f"group={piece.parameters.get('groups', 1)}",
                f"pads={_pads(ends)}",
                f"output_padding={_list(piece.axes('output_padding', 0))}",
            ],
        ),
    )


def pool(name: str) -> Callable[[Piece], Iterator[Lines]]:
    """``AveragePool`` or ``MaxPool``."""

    def write_pool(piece: Piece) -> Iterator[Lines]:
        if piece.parameters.get("divisor_override") is not None:
            return
        k, s = piece.axes("k"), piece.stride
        settings = [
            f"kernel_shape={_list(k)}",
            f"strides={_list(s)}",
            f"dilations={_list(piece.axes('dilation'))}",
        ]
        if piece.parameters.get("ceil_mode"):
            settings.append("ceil_mode=1")
        if name == "AveragePool" and piece.parameters.get("count_include_pad", True):
            settings.append("count_include_pad=1")
        yield from _padded(name, settings, piece)

    return write_pool


def global_pool(piece: Piece) -> Iterator[Lines]:
    """``GlobalAveragePool``; ``AveragePool`` over parts of a known length."""
    if piece.operator == "global_avg_pool" or all(m == 1 for m in piece.axes("m")):
        yield ("onnx.GlobalAveragePool()",)
        return
    if any(n.symbols() for n in piece.lengths):
        raise NotSupported("onnx.AveragePool takes windows of known lengths: give the input's")
    yield from pool("AveragePool")(piece.pooled())


def resized(piece: Piece) -> Iterator[Lines]:
    """``Resize`` by whole factors or to lengths."""
    kind, factors = interpolated(piece), piece.factors()
    if factors is None:
        at = [place for place, a in enumerate(piece.layout) if a not in "NC"]
        ends = [f"sizes={_list(piece.output)}", f"axes={nested(at, '[]')}"]
    else:
        ends = [f"scales={nested([1, 1, *factors], '[]')}"]
    ways = COORDINATES[kind]
    if kind == "nearest" and any(a != 0 for a in piece.axes("start", 0)):
        ways = ways[1:] + ways[:1]  # half pixels first
    for coordinates, rounding in ways:
        settings = options(
            [
                ("mode", repr("nearest" if kind == "nearest" else "linear"), "'nearest'"),
                ("coordinate_transformation_mode", repr(coordinates), "'half_pixel'"),
                ("nearest_mode", repr(rounding), "'round_prefer_floor'"),
            ]
        )
        yield (_node("Resize", ends).removesuffix(")") + f"{settings})",)


def pad(piece: Piece) -> Iterator[Lines]:
    """``Pad``."""
    mode = piece.parameters.get("mode", "zero")
    if mode in MODES:
        yield (_pad(piece.pairs(), MODES[mode]),)


def crop(piece: Piece) -> Iterator[Lines]:
    """``Pad`` with negative amounts."""
    yield (_pad([(-lo, -hi) for lo, hi in piece.pairs("amount")], "constant"),)


def shuffle(piece: Piece) -> Iterator[Lines]:
    """``DepthToSpace`` in PyTorch's order of the channels, ``SpaceToDepth``."""
    if piece.dims != 2:
        return
    r = piece.parameters["r"]
    if piece.operator == "depth_to_space":
        yield (f"onnx.DepthToSpace(blocksize={r}, mode={piece.parameters['mode']!r})",)
    else:
        yield (f"onnx.SpaceToDepth(blocksize={r})",)


def _node(name: str, settings: Sequence[str]) -> str:
    return f"onnx.{name}({', '.join(settings)})"


def _list(values: Sequence[Expr]) -> str:
    return nested(tuple(values), "[]")


def _pads(padding: Sequence[tuple[Expr, Expr]]) -> str:
    return _list([*(lo for lo, _ in padding), *(hi for _, hi in padding)])


def _pad(padding: Sequence[tuple[Expr, Expr]], mode: str) -> str:
    extra = "" if mode == "constant" else f", mode={mode!r}"
    none = [(0, 0), (0, 0)]
    return f"onnx.Pad(pads={_pads([*none, *padding])}{extra})"  # type: ignore[list-item]


PIECES: dict[str, PieceWriter] = {
    "correlate": conv,
    "convolve": conv,
    "conv_transpose": conv_transpose,
    "avg_pool": pool("AveragePool"),
    "max_pool": pool("MaxPool"),
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
