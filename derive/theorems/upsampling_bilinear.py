"""Linear interpolation by an integer factor."""

from __future__ import annotations

from derive.expr import any_of, eq, offset, sizes
from derive.form import Form, tensor
from derive.operators import bilinear_upsample, conv_transpose, crop, pad, triangle
from derive.theorems.model import Equal, EqualIff, Part, Source, Theorem, Twin, theorem

FCN = Source(
    "Long, Shelhamer & Darrell: Fully Convolutional Networks for Semantic Segmentation",
    "https://arxiv.org/abs/1411.4038",
)
TORCH_UPSAMPLE = Source(
    "PyTorch: Upsample", "https://docs.pytorch.org/docs/stable/generated/torch.nn.Upsample.html"
)


@theorem
def bilinear_upsample_() -> Theorem:
    raise NotImplementedError
