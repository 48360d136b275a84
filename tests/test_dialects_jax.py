"""JAX's and NumPy's calls: what each means, and what the user is told where they refuse."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from random import Random

import numpy as np
import pytest

from derive import conformance
from derive.decide.equality import decide_equal
from derive.decide.verdict import Proved, Refuted
from derive.dialects.layer import apply, outline
from derive.dialects.registry import CALLS, load, read_layer
from derive.errors import NotSupported, WrongInput
from derive.form import tensor
from derive.numeric import plan_runner
from derive.numeric.frameworks import integers
from derive.numeric.frameworks.jax_draws import DRAWS
from derive.symbols import sizes

Ints = tuple[int, ...]
GROUPED = (
    "lax.conv_general_dilated(x, w, (1, 1), 'VALID', None, None, "
    "lax.ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2)), 3)"
)
SHAPES: list[tuple[str, Ints, dict[str, Ints], Ints]] = [
    ("lax.conv(x, w, (2, 2), 'SAME')", (1, 3, 8, 9), {"rhs": (4, 3, 3, 2)}, (1, 4, 4, 5)),
    (
        "jax.lax.conv_general_dilated(x, w, [1], [(2, -1)], [2], [3], ('NWC', 'WIO', 'NWC'))",
        (1, 9, 3),
        {"rhs": (3, 3, 4)},
        (1, 12, 4),
    ),
    (
        GROUPED,
        (1, 8, 9, 3),
        {"rhs": (3, 4, 1, 6)},
        (1, 6, 6, 6),
    ),
    (
        "lax.conv_with_general_padding(x, w, (2,), [(1, 2)], (3,), (2,))",
        (1, 2, 5),
        {"rhs": (4, 2, 3)},
        (1, 4, 6),
    ),
    (
        "lax.conv_transpose(x, w, (2, 2), 'SAME')",
        (1, 8, 9, 3),
        {"rhs": (3, 4, 3, 5)},
        (1, 16, 18, 5),
    ),
    (
        "lax.conv_transpose(x, w, (2, 3), 'VALID', transpose_kernel=True)",
        (1, 8, 9, 3),
        {"rhs": (3, 2, 5, 3)},
        (1, 17, 27, 5),
    ),
    (
        "lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), 'SAME')",
        (2, 7, 8, 3),
        {},
        (2, 4, 4, 3),
    ),
    (
        "lax.reduce_window(x, 0., lax.add, (2, 3), (1, 2), ((0, 1), (2, -1)), (2, 1), (1, 2))",
        (7, 8),
        {},
        (13, 3),
    ),
    ("lax.pad(x, 0., ((0, 0, 0), (1, -1, 2)))", (3, 5), {}, (3, 13)),
    ("jnp.pad(x, 2, mode='reflect')", (3, 5), {}, (7, 9)),
    ("np.pad(x, ((0, 0), (9, 1)), 'wrap')", (3, 5), {}, (3, 15)),
    ("jax.image.resize(x, (1, 8, 9, 3), 'nearest')", (1, 4, 4, 3), {}, (1, 8, 9, 3)),
    ("np.convolve(a, v)", (5,), {"v": (8,)}, (12,)),
    ("np.convolve(a, v, 'same')", (5,), {"v": (8,)}, (8,)),
    ("np.correlate(a, v)", (9,), {"v": (4,)}, (6,)),
    ("scipy.signal.correlate(a, b, 'same')", (5, 7), {"in2": (3, 4)}, (5, 7)),
    (
        "linen.avg_pool(x, (2, 2), strides=(2, 2), padding='SAME', count_include_pad=False)",
        (1, 7, 7, 2),
        {},
        (1, 4, 4, 2),
    ),
]
FLAX: list[tuple[str, Ints, Ints]] = [
    ("linen.Conv(4, (3, 3), strides=2, padding='CIRCULAR')", (1, 8, 9, 3), (1, 4, 5, 4)),
    ("flax.linen.Conv(features=4, kernel_size=3, padding='CAUSAL')", (8, 3), (8, 4)),
    ("linen.Conv(4, (3, 2), padding=(1, (0, 2)), use_bias=False)", (2, 8, 9, 3), (2, 8, 10, 4)),
    ("linen.ConvTranspose(4, (3, 3), strides=(2, 3))", (1, 5, 6, 3), (1, 10, 18, 4)),
    ("linen.ConvTranspose(4, (3,), padding='VALID', transpose_kernel=True)", (1, 5, 3), (1, 7, 4)),
]
REFUSED = [
    ("linen.Conv(4, (3, 3), padding='CAUSAL')", "(Causal padding is only implemented for 1D"),
    (
        "linen.Conv(4, (3, 3), padding='CIRCULAR', input_dilation=2)",
        "padding = 'CIRCULAR' with input_dilation: JAX refuses it",
    ),
    ("linen.Conv(4, (3, 3), padding=(1, 1, 1))", "or a (low, high) pair for each of the 2 axes"),
    (
        "lax.conv(x, w, 2, 'SAME')",
        "window_strides = 2: JAX takes one number for each axis; give (2, 2)",
    ),
    (
        "lax.conv(x, w, (2, 0), 'SAME')",
        (
            "window_strides = 0: window_strides is at least 1 (expects window to have positive "
            "stride); give 1 or more"
        ),
    ),
    ("lax.conv(x, w, (1, 1), 'FULL')", "Unrecognized padding type: expected 'VALID', 'SAME', or"),
    (
        "lax.conv_general_dilated(x, w, (1, 1), 'SAME', lhs_dilation=(2, 1))",
        "padding = 'SAME' with lhs_dilation: JAX refuses it (String padding is not implemented for",
    ),
    (
        "lax.conv_general_dilated(x, w, (1, 1), (1, 1))",
        "or a (low, high) pair for each of the 2 axes; give ((0, 0), (0, 0)) for none",
    ),
    (
        "lax.conv_general_dilated(x, w, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHC'))",
        "'NHC' needs 4 different letters, among them N and C; give e.g. ('NHWC', 'HWIO', 'NHWC')",
    ),
    (
        "lax.conv_general_dilated(x, w, (1, 1), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NXYC'))",
        "the three have different spatial letters; use the same ones in each",
    ),
    (
        "lax.conv_general_dilated(x, w, (1,), 'VALID', dimension_numbers=lax.ConvDimensionNumbers(1, 2, 3))",
        "ConvDimensionNumbers(lhs_spec, rhs_spec, out_spec) with three orders of 0…2 was expected",
    ),
    (
        "lax.conv_general_dilated(x, w, (1, 1, 1, 1), 'VALID')",
        "the arguments are for 4 spatial axes; give values for one of 1, 2, 3",
    ),
    (
        "lax.conv_general_dilated(x, w, (1, 1), 'VALID', rhs_dilation=(1,))",
        "rhs_dilation has 1 values for 2 axes; give one for each of the 2",
    ),
    (
        "lax.conv_transpose(x, w, (2, 2), 'SAME_LOWER')",
        "lax.conv_transpose knows 'SAME' and 'VALID' (String padding is not implemented",
    ),
    (
        "lax.conv_transpose(x, w, (2, 2), 'same', use_consistent_padding=True)",
        "with use_consistent_padding: JAX refuses it (Invalid padding mode)",
    ),
    (
        "lax.reduce_window(x, 1, lax.add, (2,))",
        "init_value = 1 with lax.add: sums are understood from 0 only",
    ),
    (
        "lax.reduce_window(x, 0, lax.max, (2,))",
        "init_value = 0 with lax.max: maxima are understood from minus infinity only; give -jnp.inf",
    ),
    (
        "lax.reduce_window(x, 1, lax.mul, (2,))",
        "computation = lax.mul: only lax.add and lax.max are understood; give one of them",
    ),
    (
        "lax.reduce_window(x, 0, lax.add, (2, 2), padding='SAME')",
        "padding = 'SAME' without window_strides: JAX refuses it",
    ),
    ("lax.pad(x, 0, ((1, 1),))", "(low, high, interior) for every axis was expected"),
    ("lax.pad(x, 0, ((1, 1, -1),))", "interior padding = -1: JAX refuses it (interior padding in"),
    ("jnp.pad(x, -1)", "pad_width = -1: NumPy and JAX refuse negative widths"),
    ("jnp.pad(x, (1, 2, 3))", "one width, (before, after), or such a pair for each of the 2 axes"),
    (
        "jnp.pad(x, 1, 'replicate')",
        "the modes understood are 'constant', 'edge', 'wrap', 'reflect'",
    ),
    ("np.convolve(a, v, 'center')", "mode = 'center': 'full', 'same' or 'valid' was expected"),
    ("scipy.signal.convolve(a, b, method='slow')", "'auto', 'direct' or 'fft' was expected"),
    ("jax.image.resize(x, 4, 'linear')", "shape = 4: the lengths of all axes were expected"),
]
NOT_SUPPORTED = [
    (
        "linen.ConvTranspose(4, (3,), padding='CIRCULAR')",
        "the wrapped transposed convolution of Flax is not understood; give 'SAME', 'VALID' or pairs",
    ),
    (
        "lax.conv_general_dilated(x, w, (1, 1), 'VALID', batch_group_count=2)",
        "batch_group_count = 2: only 1 is understood; split the batch and call it for each part",
    ),
    ("lax.pad(x, 1, ((1, 1, 0),))", "padding_value = 1: only padding with 0 is understood"),
    ("jnp.pad(x, 1, constant_values=3)", "constant_values = 3: only padding with 0 is understood"),
    ("jnp.pad(x, 1, 'reflect', reflect_type='odd')", "reflect_type = 'odd': only 'even'"),
    ("jax.image.resize(x, (4,), 'cubic')", "method = 'cubic': only 'nearest' and 'linear'"),
]


@pytest.mark.parametrize(("text", "x", "weights", "expected"), SHAPES)
def test_shape(text: str, x: Ints, weights: dict[str, Ints], expected: Ints) -> None:
    given = {name: tensor(name, *shape) for name, shape in weights.items()}
    assert outline(read_layer(text), tensor("x", *x), given).shape == expected


@pytest.mark.parametrize(("text", "x", "expected"), FLAX)
def test_shape_of_a_flax_layer(text: str, x: Ints, expected: Ints) -> None:
    assert apply(read_layer(text), tensor("x", *x)).shape == expected


def test_groups_that_do_not_divide() -> None:
    layer = read_layer("linen.Conv(4, (3,), feature_group_count=3)")
    with pytest.raises(WrongInput, match="4 features and feature_group_count = 3: Flax refuses it"):
        apply(layer, tensor("x", 1, 9, 3))


@pytest.mark.parametrize("number", [0, 1])
def test_xla_still_ends_the_process_without_our_flags(number: int) -> None:
    """When this fails, XLA has been mended, and the flag of the runner can go."""
    pytest.importorskip("jax")
    from derive.numeric.frameworks.jax_runner import ABORTS

    function, shapes = ABORTS[number]
    tensors = ", ".join(f"jnp.ones({shape})" for shape in shapes)
    text = f"import jax.numpy as jnp; from jax import jit, lax; jit({function})({tensors})"
    plain = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {"JAX_PLATFORMS": "cpu"}
    ended = subprocess.run(
        [sys.executable, "-c", text], env=plain, capture_output=True, text=True, check=False
    )
    assert ended.returncode < 0
    assert "Check failed" in ended.stderr


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(WrongInput, match=re.escape(message)):
        read_layer(text)


@pytest.mark.parametrize(("text", "message"), NOT_SUPPORTED)
def test_not_supported(text: str, message: str) -> None:
    with pytest.raises(NotSupported, match=re.escape(message)):
        read_layer(text)


@pytest.mark.parametrize(
    ("text", "x", "weights", "message"),
    [
        (
            "lax.conv(x, w, (1, 1), 'SAME')",
            (1, 3, 5, 5),
            {"rhs": (4, 2, 3, 3)},
            "the input has 3 channels but the kernel reads 2 for each of feature_group_count = 1",
        ),
        (
            "lax.conv_general_dilated(x, w, (1,), 'SAME', feature_group_count=2)",
            (1, 4, 5),
            {"rhs": (3, 2, 3)},
            "the kernel has 3 output channels and feature_group_count = 2",
        ),
        (
            "lax.conv(x, w, (1, 1), 'SAME')",
            (1, 3, 5, 5),
            {"rhs": (4, 3, 3)},
            "rhs has 3 axes; give 4, in the order OIHW",
        ),
        (
            "signal.convolve(a, b, 'valid')",
            (4, 6),
            {"in2": (5, 3)},
            "with arrays of which neither is the larger one on every axis: SciPy refuses it",
        ),
        ("signal.convolve(a, b)", (4, 6), {"in2": (5,)}, "in1 has 2 axes and in2 1; give as many"),
    ],
)
def test_refused_for_the_shapes(text: str, x: Ints, weights: dict[str, Ints], message: str) -> None:
    given = {name: tensor(name, *shape) for name, shape in weights.items()}
    with pytest.raises(WrongInput, match=re.escape(message)):
        apply(read_layer(text), tensor("x", *x), given)


def test_shrinking_with_antialias() -> None:
    with pytest.raises(NotSupported, match="shrinking from 5 to 3 with antialias averages over"):
        apply(read_layer("jax.image.resize(x, (3,), 'linear')"), tensor("x", 5))


def test_a_maximum_over_a_dilated_base_has_a_shape_only() -> None:
    text = "lax.reduce_window(x, -jnp.inf, lax.max, (2,), base_dilation=(2,))"
    assert [int(n) for n in outline(read_layer(text), tensor("x", 5)).shape] == [8]
    with pytest.raises(NotSupported, match="reads minus infinity between the samples"):
        apply(read_layer(text), tensor("x", 5))


def test_transpose_kernel_gives_the_gradient_of_a_convolution() -> None:
    """For all lengths: the VALID transpose with ``transpose_kernel`` is PyTorch's for k >= s."""
    n, k = sizes("n k")
    x, w = tensor("x", 1, n, 1), tensor("w", k, 1, 1)
    lax = read_layer("lax.conv_transpose(x, w, (1,), 'VALID', transpose_kernel=True)")
    y = apply(lax, x, {"rhs": w})
    plain = read_layer("lax.conv_transpose(x, w, (1,), 'VALID')")
    full = read_layer(
        "lax.conv_general_dilated(x, w, (1,), [(k - 1, k - 1)], None, None, ('NWC', 'WIO', 'NWC'))"
    )
    assert isinstance(decide_equal(apply(plain, x, {"rhs": w}), apply(full, x, {"rhs": w})), Proved)
    assert isinstance(decide_equal(y, apply(plain, x, {"rhs": w})), Refuted)


@pytest.mark.parametrize(
    "name", ["np.convolve", "np.correlate", "signal.convolve", "signal.correlate"]
)
@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_numpy_and_scipy_sequences(name: str, mode: str) -> None:
    signal = pytest.importorskip("scipy.signal")

    module, function = name.split(".")
    of = getattr({"np": np, "signal": signal}[module], function)
    second = "v" if module == "np" else "in2"
    for n in range(1, 9):
        for k in range(1, 9):
            a, v = integers(f"a{n}", (n,)), integers(f"v{k}", (k,))
            found = plan_runner.forward(read_layer(f"{name}(a, v, {mode!r})"), a, {second: v})
            assert np.array_equal(found, np.round(of(a, v, mode)))


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_scipy_planes(mode: str) -> None:
    signal = pytest.importorskip("scipy.signal")

    rng = Random(7)
    for _ in range(40):
        n, k = ([rng.randint(1, 6) for _ in range(2)] for _ in range(2))
        a, b = integers(f"a{n}", tuple(n)), integers(f"b{k}", tuple(k))
        for function in ("convolve", "correlate"):
            layer = read_layer(f"signal.{function}(a, b, {mode!r})")
            try:
                expected = getattr(signal, function)(a, b, mode, method="direct")
            except ValueError:
                with pytest.raises(WrongInput, match="neither is the larger one"):
                    plan_runner.forward(layer, a, {"in2": b})
                continue
            assert np.array_equal(plan_runner.forward(layer, a, {"in2": b}), expected)


@pytest.mark.parametrize("mode", ["constant", "edge", "wrap", "reflect", "symmetric"])
def test_numpy_pad(mode: str) -> None:
    rng = Random(mode)
    for _ in range(40):
        n = tuple(rng.randint(1, 5) for _ in range(2))
        widths = tuple((rng.randint(0, 9), rng.randint(0, 9)) for _ in n)
        x = integers(f"{n}", n)
        found = plan_runner.forward(read_layer(f"np.pad(x, {widths}, {mode!r})"), x)
        assert np.array_equal(found, np.pad(x, widths, mode))  # type: ignore[call-overload]


def test_every_call_has_a_draw() -> None:
    load()
    assert {name for name, spec in CALLS.items() if spec.dialect == "JAX"} == set(DRAWS)


@pytest.mark.parametrize("name", sorted(DRAWS))
def test_a_few_configurations_against_jax(name: str) -> None:
    pytest.importorskip("jax")
    load()
    framework, spec = conformance.FRAMEWORKS["jax"], CALLS[name]
    for dims in [d for d in spec.ranks or (spec.dims,) if d < 3]:
        tally = conformance.Tally(name, dims)
        for number in range(4):
            seed = f"test {name} {dims} {number}"
            drawn = DRAWS[name](Random(seed), dims)
            conformance.compare(
                spec, dims, drawn, framework.runner(), framework.known(), tally, seed
            )
        assert [str(d) for d in tally.differences if not d.known] == []
        assert tally.legal + tally.illegal == 4
