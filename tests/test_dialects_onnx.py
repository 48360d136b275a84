"""ONNX's operators: what each means, and what the user is told where they are wrong."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from derive import conformance
from derive.dialects.layer import apply, outline
from derive.dialects.registry import CALLS, load, read_layer
from derive.errors import NotSupported, WrongInput
from derive.form import tensor
from derive.numeric.frameworks.onnx_draws import DRAWS, KNOWN

Ints = tuple[int, ...]
SHAPES: list[tuple[str, Ints, dict[str, Ints], Ints]] = [
    (
        'onnx.helper.make_node("Conv", inputs=["x", "W"], outputs=["y"], pads=[1, 1, 1, 1])',
        (1, 3, 8, 9),
        {"W": (5, 3, 3, 3)},
        (1, 5, 8, 9),
    ),
    ('helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2])', (1, 3, 8), {}, (1, 3, 7)),
    (
        "onnx.Conv(kernel_shape=[3], pads=[1, 0], strides=[2])",
        (1, 2, 7),
        {"W": (4, 2, 3)},
        (1, 4, 3),
    ),
    ("onnx.Conv()", (1, 2, 7, 6, 5), {"W": (4, 2, 3, 2, 1)}, (1, 4, 5, 5, 5)),
    (
        "onnx.Conv(auto_pad='SAME_LOWER', strides=[2, 2])",
        (1, 1, 5, 5),
        {"W": (1, 1, 3, 3)},
        (1, 1, 3, 3),
    ),
    (
        "onnx.ConvTranspose(strides=[3, 2], pads=[1, 2, 1, 2])",
        (1, 1, 3, 3),
        {"W": (1, 2, 3, 3)},
        (1, 2, 7, 3),
    ),
    (
        "onnx.ConvTranspose(strides=[3, 2], output_shape=[10, 8])",
        (1, 1, 3, 3),
        {"W": (1, 2, 3, 3)},
        (1, 2, 10, 8),
    ),
    (
        "onnx.ConvTranspose(strides=[2, 2], auto_pad='SAME_UPPER')",
        (1, 1, 3, 3),
        {"W": (1, 2, 3, 3)},
        (1, 2, 6, 6),
    ),
    (
        "onnx.MaxPool(kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)",
        (1, 1, 3, 4),
        {},
        (1, 1, 2, 2),
    ),
    (
        "onnx.AveragePool(kernel_shape=[3, 3], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1)",
        (1, 1, 2, 2),
        {},
        (1, 1, 1, 1),
    ),
    ("onnx.LpPool(kernel_shape=[2], p=3)", (1, 1, 9), {}, (1, 1, 8)),
    ("onnx.GlobalAveragePool()", (2, 3, 4, 5, 6), {}, (2, 3, 1, 1, 1)),
    ("onnx.GlobalMaxPool()", (2, 3, 4), {}, (2, 3, 1)),
    ("onnx.Pad(pads=[0, 0, 1, 2, 0, 0, 3, -1])", (1, 2, 5, 6), {}, (1, 2, 9, 7)),
    ("onnx.Pad(pads=[1, 2], axes=[-1], mode='edge')", (2, 5), {}, (2, 8)),
    ("onnx.Resize(scales=[1, 1, 2, 0.6])", (1, 1, 2, 4), {}, (1, 1, 4, 2)),
    ("onnx.Resize(sizes=[7, 8], axes=[2, 3], mode='linear')", (1, 1, 2, 2), {}, (1, 1, 7, 8)),
    (
        "onnx.Resize(sizes=[7, 8], axes=[2, 3], keep_aspect_ratio_policy='not_larger')",
        (1, 1, 2, 2),
        {},
        (1, 1, 7, 7),
    ),
    ("onnx.Upsample(scales=[1, 1, 2, 3])", (1, 1, 2, 2), {}, (1, 1, 4, 6)),
    ("onnx.DepthToSpace(blocksize=2, mode='CRD')", (1, 8, 2, 3), {}, (1, 2, 4, 6)),
    ("onnx.SpaceToDepth(blocksize=2)", (1, 2, 4, 6), {}, (1, 8, 2, 3)),
    ("onnx.Col2Im(image_shape=[5, 5], block_shape=[1, 5])", (1, 5, 5), {}, (1, 1, 5, 5)),
    ("onnx.MaxUnpool(kernel_shape=[2, 2], strides=[2, 2])", (1, 1, 2, 2), {}, (1, 1, 4, 4)),
    (
        "onnx.MaxUnpool(kernel_shape=[2, 2], strides=[2, 2], output_shape=[1, 1, 5, 5])",
        (1, 1, 2, 2),
        {},
        (1, 1, 5, 5),
    ),
]
REFUSED = [
    ("onnx.Conv(kernel_shape=3)", "kernel_shape = 3: ONNX takes a list with one number for each"),
    (
        "onnx.Conv(strides=[2, 2], pads=[1, 1])",
        "pads = 2 values for 2 spatial axes: ONNX lists the beginnings",
    ),
    ("onnx.Conv(strides=[0, 1])", "strides = 0: strides is at least 1 (Attribute strides must"),
    ("onnx.Conv(pads=[-1, 0])", "pads = -1: pads is at least 0 (must not contain negative"),
    (
        "onnx.Conv(auto_pad='SAME')",
        "auto_pad = 'SAME': ONNX knows NOTSET, SAME_UPPER, SAME_LOWER, VALID",
    ),
    ("onnx.Conv(auto_pad='VALID', pads=[1, 1])", "ONNX takes one of the two (cannot be used"),
    ("onnx.Conv(strides=[1], dilations=[1, 1])", "dilations has 2 values for 1 spatial axes"),
    ("onnx.Conv(kernel=[3])", "there is no argument 'kernel' (ONNX says: Unrecognized"),
    ("onnx.MaxPool(strides=[2])", "kernel_shape is required (Required attribute 'kernel_shape'"),
    ("onnx.MaxPool(kernel_shape=[2], ceil_mode=2)", "ceil_mode = 2: 0 or 1 was expected"),
    ("onnx.AveragePool(kernel_shape=[2], count_include_pad=3)", "count_include_pad = 3: 0 or 1"),
    ("onnx.LpPool(kernel_shape=[2], p=0)", "p = 0: p is at least 1; give 1 or more"),
    ("onnx.Pad(pads=[1, 1], mode='symmetric')", "ONNX knows constant, edge, reflect, wrap; choose"),
    ("onnx.Pad(data, pads)", "pads = pads: its numbers are needed, as the shape depends on them"),
    ("onnx.Pad(pads=[1, 1, 1])", "pads has 3 values for 1 axes: ONNX lists the beginnings of all"),
    (
        "onnx.Pad(pads=[1, 1], axes=[9])",
        "axes = (9,): different axes between -4 and 3 were expected",
    ),
    ("onnx.Resize()", "but not both of them); give e.g. scales=[1, 1, 2, 2]"),
    ("onnx.Resize(scales=[1, 0])", "value should be greater than 0); give a positive scale"),
    ("onnx.Resize(scales=[2], mode='area')", "mode = 'area': ONNX knows nearest, linear, cubic"),
    ("onnx.Resize(scales=[2], nearest_mode='even')", "nearest_mode = 'even': ONNX knows"),
    ("onnx.Resize(sizes=[2, 2], axes=[1])", "sizes has 2 values for 1 axes; give one for each"),
    (
        "onnx.Resize(sizes=[2], coordinate_transformation_mode='tf_crop_and_resize', roi=[0])",
        "roi has 1 values for 1 axes: the starts of all axes and then the ends; give 2 values",
    ),
    (
        "onnx.Upsample(scales=[1, 0.5])",
        "Scale value should be greater than or equal to 1); use Resize to shrink",
    ),
    ("onnx.DepthToSpace(mode='DCR')", "'blocksize' is missing); give e.g. blocksize=2"),
    ("onnx.DepthToSpace(blocksize=2, mode='RDC')", "mode = 'RDC': ONNX knows DCR and CRD"),
    ("onnx.Col2Im(image_shape=[5, 5])", "block_shape = None: its numbers are needed"),
    ("onnx.MaxUnpool(X, I)", "'kernel_shape' is missing); give e.g. kernel_shape=[2, 2]"),
    (
        'helper.make_node("Gemm", ["x"], ["y"])',
        "helper.make_node('Gemm', …): the operator is unknown",
    ),
    (
        'helper.make_node("Conv", "x", "y")',
        "the operator, the inputs and the outputs were expected",
    ),
]
NOT_SUPPORTED = [
    (
        "onnx.Pad(pads=[1, 1], constant_value=2)",
        "constant_value = 2: only padding with 0 is understood",
    ),
    ("onnx.Resize(scales=[2], mode='cubic')", "mode = 'cubic': only 'nearest' and 'linear'"),
    ("onnx.Resize(scales=[2], antialias=1)", "filters that depend on the scale are not understood"),
    (
        "onnx.Resize(sizes=[2], coordinate_transformation_mode='tf_crop_and_resize', roi=[0, 1.5])",
        "roi from 0 to 1.5: outside of the input tf_crop_and_resize gives extrapolation_value",
    ),
]
FOR_SHAPES: list[tuple[str, Ints, dict[str, Ints], str]] = [
    (
        "onnx.Conv()",
        (1, 3, 5),
        {"W": (4, 2, 3)},
        "X has 3 channels but W reads 2 for each of group = 1",
    ),
    (
        "onnx.Conv(group=2)",
        (1, 4, 5),
        {"W": (3, 2, 3)},
        "W makes 3 channels, which group = 2 does not divide",
    ),
    (
        "onnx.Conv(kernel_shape=[2])",
        (1, 2, 5),
        {"W": (3, 2, 3)},
        "kernel_shape = (2,) but W has a kernel of (3)",
    ),
    ("onnx.Conv()", (1, 2, 5), {"W": (3, 2, 3, 3)}, "W has 4 axes; give 3, two of channels"),
    (
        "onnx.ConvTranspose()",
        (1, 3, 5),
        {"W": (2, 2, 3)},
        "X has 3 channels but W reads 2 (onnxruntime: filter number not equal",
    ),
    (
        "onnx.ConvTranspose(group=2)",
        (1, 3, 5),
        {"W": (3, 2, 3)},
        "X has 3 channels, which group = 2 does not divide",
    ),
    (
        "onnx.ConvTranspose(strides=[2], output_padding=[2])",
        (1, 2, 5),
        {"W": (2, 2, 3)},
        "output_padding = 2 with strides = 2: onnxruntime refuses it (must be less than",
    ),
    (
        "onnx.ConvTranspose(strides=[2], output_shape=[13])",
        (1, 2, 5),
        {"W": (2, 2, 3)},
        "output_shape = 13 is too long: the scatter reaches 11, and less than strides = 2 can be added",
    ),
    (
        "onnx.MaxPool(kernel_shape=[2], pads=[2, 0])",
        (1, 1, 5),
        {},
        "onnxruntime refuses it (pads[dim] < kernel_shape[dim])",
    ),
    (
        "onnx.Pad(pads=[1, 0], mode='reflect')",
        (1,),
        {},
        "mode = 'reflect' on 1 samples: onnxruntime refuses it",
    ),
    ("onnx.Pad(pads=[3, 0], mode='reflect')", (3,), {}, "mode = 'reflect' with 3 on 3 samples"),
    (
        "onnx.DepthToSpace(blocksize=2)",
        (1, 6, 2, 2),
        {},
        "6 channels are no multiple of blocksize² = 4",
    ),
    (
        "onnx.SpaceToDepth(blocksize=2)",
        (1, 6, 2, 3),
        {},
        "the length 3 is no multiple of blocksize = 2",
    ),
    (
        "onnx.Col2Im(image_shape=[5], block_shape=[2])",
        (1, 3, 4),
        {},
        "3 channels are no multiple of the block's 2",
    ),
    (
        "onnx.Col2Im(image_shape=[5], block_shape=[2])",
        (1, 2, 3),
        {},
        "3 columns, but the image has 4 blocks",
    ),
    (
        "onnx.Col2Im(image_shape=[2], block_shape=[3])",
        (1, 3, 1),
        {},
        "an image of 2 has no room for a block",
    ),
]


@pytest.mark.parametrize(("text", "x", "weights", "expected"), SHAPES)
def test_shape(text: str, x: Ints, weights: dict[str, Ints], expected: Ints) -> None:
    given = {name: tensor(name, *shape) for name, shape in weights.items()}
    assert outline(read_layer(text), tensor("x", *x), given).shape == expected


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(WrongInput, match=re.escape(message)):
        apply(read_layer(text), tensor("x", 2, 6))


@pytest.mark.parametrize(("text", "message"), NOT_SUPPORTED)
def test_not_supported(text: str, message: str) -> None:
    with pytest.raises(NotSupported, match=re.escape(message)):
        read_layer(text)


@pytest.mark.parametrize(("text", "x", "weights", "message"), FOR_SHAPES)
def test_refused_for_the_shapes(text: str, x: Ints, weights: dict[str, Ints], message: str) -> None:
    given = {name: tensor(name, *shape) for name, shape in weights.items()}
    with pytest.raises(WrongInput, match=re.escape(message)):
        apply(read_layer(text), tensor("x", *x), given)


def test_a_scale_may_be_a_name() -> None:
    from derive.symbols import size

    form = apply(read_layer("onnx.Resize(scales=[1, 1, s, s])"), tensor("x", 1, 1, 3, size("n")))
    assert [str(n) for n in form.shape] == ["1", "1", "3*s", "n*s"]


def test_a_node_with_three_inputs_has_a_bias() -> None:
    layer = read_layer('helper.make_node("Conv", ["x", "W", "B"], ["y"], kernel_shape=[3])')
    form = apply(layer, tensor("x", 1, 2, 5), {"W": tensor("W", 4, 2, 3)})
    assert [name for name, _ in form.tensors] == ["B", "W", "x"]


def test_every_call_has_a_draw() -> None:
    load()
    mine = {name for name, spec in CALLS.items() if spec.dialect == "ONNX"}
    assert mine == set(DRAWS)


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_a_few_configurations_against_onnxruntime(name: str) -> None:
    pytest.importorskip("onnxruntime")
    load()
    framework, spec = conformance.FRAMEWORKS["onnx"], CALLS[name]
    for dims in [d for d in spec.ranks or (spec.dims,) if d < 3]:
        tally = conformance.Tally(name, dims)
        for number in range(12):
            seed = f"test {name} {dims} {number}"
            drawn = DRAWS[name](Random(seed), dims)
            conformance.compare(
                spec, dims, drawn, framework.runner(), framework.known(), tally, seed
            )
        assert [str(d) for d in tally.differences if not d.known] == []


DEFECTS: list[tuple[str, dict[str, Any], Ints, dict[str, Ints], str]] = [
    (
        "Conv",
        {"dilations": (2,), "auto_pad": "SAME_UPPER"},
        (2, 3, 7),
        {"W": (4, 3, 2)},
        "accepted by us",
    ),
    (
        "AveragePool",
        {"kernel_shape": (2,), "dilations": (3,), "auto_pad": "SAME_LOWER"},
        (1, 1, 11),
        {},
        "shape",
    ),
    (
        "MaxPool",
        {"kernel_shape": (1,), "strides": (3,), "auto_pad": "SAME_UPPER"},
        (2, 1, 5),
        {},
        "accepted by us",
    ),
    ("AveragePool", {"kernel_shape": (5,), "strides": (2,)}, (1, 1, 4), {}, "refused by us"),
    (
        "MaxPool",
        {"kernel_shape": (2,), "strides": (3,), "auto_pad": "VALID", "ceil_mode": 1},
        (2, 1, 7),
        {},
        "shape",
    ),
    (
        "ConvTranspose",
        {"strides": (2,), "auto_pad": "SAME_UPPER"},
        (1, 1, 4),
        {"W": (1, 1, 1)},
        "shape",
    ),
    (
        "Col2Im",
        {"image_shape": (3,), "block_shape": (2,), "dilations": (2,)},
        (1, 4, 1),
        {},
        "value",
    ),
]


@pytest.mark.parametrize(("kind", "arguments", "x", "weights", "expected"), DEFECTS)
def test_each_known_difference_is_still_there(
    kind: str, arguments: dict[str, Any], x: Ints, weights: dict[str, Ints], expected: str
) -> None:
    """And where the reference evaluator runs the node, it is on our side."""
    pytest.importorskip("onnxruntime")
    from derive.numeric.frameworks import Drawn, integers
    from derive.numeric.frameworks.onnx_runner import reference
    from derive.numeric.plan_runner import forward

    load()
    drawn, spec = Drawn(arguments, x, weights), CALLS[f"onnx.{kind}"]
    tally = conformance.Tally(spec.name, 1)
    runner = conformance.FRAMEWORKS["onnx"].runner()
    conformance.compare(spec, 1, drawn, runner, KNOWN, tally, "defect")
    assert [(d.kind, bool(d.known)) for d in tally.differences] == [(expected, True)]
    if expected in ("shape", "value") and kind != "AveragePool":
        data = integers("x", x)
        tensors = {k: integers(k, s) for k, s in weights.items()}
        theirs = reference(spec.name, arguments, data, tensors)
        layer = read_layer(f"{spec.name}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})")
        mine = forward(layer, data, tensors)
        assert mine.shape == theirs.shape
        if kind != "ConvTranspose":  # the two add the zeros on different sides
            assert (mine == theirs).all()
