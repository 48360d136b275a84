"""The fixed ids of the catalogue, in their order: documents, links and tests use them.

This is a list of names and nothing more: what a theorem says is in its family's modules, and
whether it holds is computed.
"""

from __future__ import annotations

FAMILIES = ("toeplitz", "gradient", "pooling", "upsampling", "composition", "shapes")
"""The families in the order of the book."""

IDS: dict[str, tuple[str, ...]] = {
    "toeplitz": (
        "toeplitz-1d",
        "toeplitz-general",
        "toeplitz-2d",
        "toeplitz-channels-groups",
        "correlate-convolve-flip",
        "circulant-dft",
        "im2col",
    ),
    "gradient": (
        "input-gradient-is-transpose",
        "input-gradient-stride-1",
        "input-gradient-general",
        "input-gradient-channels-groups",
        "input-gradient-same",
        "input-gradient-polyphase",
        "weight-gradient-stride-1",
        "weight-gradient-general",
        "bias-gradient",
        "trilinear-symmetry",
        "conv-transpose-gradients",
        "padding-modes-adjoint",
        "transpose-is-not-inverse",
        "vjp-order",
    ),
    "pooling": (
        "avg-pool-is-conv",
        "sum-pool-adjoint",
        "avg-pool-gradient-upsample",
        "avg-pool-gradient-general",
        "adaptive-avg-pool",
        "global-avg-pool",
        "max-pool-gradient-selection",
        "max-pool-gradient-mask",
        "max-pool-gradient-general",
        "max-pool-no-fixed-kernel",
        "max-pool-fixed-selection",
        "max-pool-ties",
    ),
    "upsampling": (
        "zero-insertion-adjoint",
        "conv-transpose-is-zero-insert-conv",
        "nearest-upsample-is-conv-transpose",
        "nearest-then-conv",
        "conv-transpose-as-nearest-conv",
        "pixel-shuffle",
        "bilinear-upsample",
        "overlap-uniform",
        "overlap-none",
    ),
    "composition": (
        "conv-conv",
        "conv-conv-same",
        "noble-identities",
        "receptive-field",
        "pad-fold",
    ),
    "shapes": (
        "conv-output-length",
        "conv-preimages",
        "conv-transpose-output-length",
        "output-padding-range",
        "same-lengths",
        "ceil-mode-length",
        "guide-relationships",
    ),
}
"""The ids of each family in the order of the book.  Further theorems of a family come after them."""
