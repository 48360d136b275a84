"""ONNX's own backend node tests: each one passes, or is listed here with the reason why not."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx")

from derive.errors import CannotBe
from derive.numeric.frameworks import onnx_backend

CUBIC = "mode = 'cubic': only 'nearest' and 'linear' are understood"
FILTERED = "filters that depend on the scale are not understood"
VALUE = "only padding with 0 is understood, as other values are no linear operation"
OUTSIDE = "extrapolation_value, which is no linear operation"
OUT_OF_SCOPE = {
    "test_constant_pad": VALUE,
    "test_constant_pad_axes": VALUE,
    "test_constant_pad_negative_axes": VALUE,
    "test_resize_downsample_scales_cubic": CUBIC,
    "test_resize_downsample_scales_cubic_A_n0p5_exclude_outside": CUBIC,
    "test_resize_downsample_scales_cubic_align_corners": CUBIC,
    "test_resize_downsample_scales_cubic_antialias": CUBIC,
    "test_resize_downsample_scales_linear_antialias": FILTERED,
    "test_resize_downsample_sizes_cubic": CUBIC,
    "test_resize_downsample_sizes_cubic_antialias": CUBIC,
    "test_resize_downsample_sizes_linear_antialias": FILTERED,
    "test_resize_tf_crop_and_resize_extrapolation_value": OUTSIDE,
    "test_resize_upsample_scales_cubic": CUBIC,
    "test_resize_upsample_scales_cubic_A_n0p5_exclude_outside": CUBIC,
    "test_resize_upsample_scales_cubic_align_corners": CUBIC,
    "test_resize_upsample_scales_cubic_asymmetric": CUBIC,
    "test_resize_upsample_sizes_cubic": CUBIC,
}
SHAPE_ONLY = {"LpPool": "LpPool is not linear", "MaxUnpool": "its indices speak of the tensor"}
AT_LEAST = {
    "AveragePool": 20,
    "Col2Im": 5,
    "Conv": 6,
    "ConvTranspose": 11,
    "DepthToSpace": 2,
    "GlobalAveragePool": 2,
    "MaxPool": 19,
    "Pad": 3,
    "Resize": 20,
    "SpaceToDepth": 4,
    "Upsample": 1,
}


@pytest.mark.parametrize("name", list(onnx_backend.node_tests()))
def test_node_test(name: str) -> None:
    found = onnx_backend.outcome(name)
    if name in OUT_OF_SCOPE:
        assert found.verdict == "out of scope"
        assert OUT_OF_SCOPE[name] in found.reason
    elif found.operator in SHAPE_ONLY:
        assert found.verdict == "shape passes"
        assert SHAPE_ONLY[found.operator] in found.reason
    else:
        assert found.verdict == "passes"


def test_every_listed_test_exists() -> None:
    assert set(OUT_OF_SCOPE) <= set(onnx_backend.node_tests())


def test_enough_of_each_operator_is_in_scope() -> None:
    counts = dict.fromkeys(AT_LEAST, 0)
    for name, case in onnx_backend.node_tests().items():
        kind = case.model.graph.node[0].op_type
        if kind in counts and name not in OUT_OF_SCOPE:
            counts[kind] += 1
    assert all(counts[kind] >= least for kind, least in AT_LEAST.items()), counts


def test_a_wrong_output_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    case = onnx_backend.node_tests()["test_conv_with_strides_padding"]
    inputs, (expected,) = case.data_sets[0]
    changed = expected.copy()
    changed[0, 0, 1, 2] += 1
    monkeypatch.setattr(case, "data_sets", [(inputs, [changed])])
    with pytest.raises(CannotBe, match="the output differs from the expected one by 1"):
        onnx_backend.outcome("test_conv_with_strides_padding")
