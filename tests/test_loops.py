"""The naive-loop oracles: against published and hand-computed numbers, NumPy, and each other."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from derive.numeric import loops
from derive.numeric.loops.cases import Case, cases, integers

ALL = [case for dims in (1, 2, 3) for case in cases(dims, 8, seed=1)]
PLAIN = [case for dims in (1, 2, 3) for case in cases(dims, 8, seed=2, symmetric=True)]
COVERED = [case for dims in (1, 2, 3) for case in cases(dims, 8, seed=5, covered=True)]
GROUPS = itertools.cycle([(1, 2, 3), (2, 2, 4), (3, 3, 6), (2, 4, 2), (1, 3, 1)])
CHANNELS = [(case, *next(GROUPS)) for dims in (1, 2, 3) for case in cases(dims, 7, seed=3)]

each_case = pytest.mark.parametrize("case", ALL, ids=str)
each_pool = pytest.mark.parametrize("case", [*ALL, *PLAIN], ids=str)
each_grouped = pytest.mark.parametrize(("case", "groups", "c_in", "c_out"), CHANNELS, ids=str)


def geometry(case: Case) -> dict[str, Any]:
    return {"stride": case.stride, "padding": case.padding, "dilation": case.dilation}


def same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.array_equal(a, b)


def adjoint(f: Callable[..., Any], x: Any, back: Callable[..., Any], seed: int) -> bool:
    """<g, f(x)> = <back(g), x>."""
    y = f(x)
    g = integers(seed, *y.shape)
    return loops.inner(g, y) == loops.inner(back(g), x)


# The configurations themselves ---------------------------------------------------------------


def test_configurations_are_asymmetric() -> None:
    for case in ALL:
        for axis in zip(case.n, case.k, case.stride, case.dilation, case.padding, strict=True):
            *values, (lo, hi) = axis
            assert len({*values, lo, hi}) == 6
    assert {k % 2 for case in ALL for k in case.k} == {0, 1}
    assert any(v < 0 for case in ALL for ends in case.padding for v in ends)
    assert not np.isin(integers(0, 1000), (0, 1)).any()


# Correlation ---------------------------------------------------------------------------------


def test_correlate_published_example() -> None:
    """Dumoulin & Visin, A guide to convolution arithmetic, figure 1.1."""
    x = [[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]]
    w = [[0, 1, 2], [2, 2, 0], [0, 1, 2]]
    assert same(loops.correlate(x, w), [[12, 12, 17], [10, 17, 19], [9, 6, 14]])


def test_correlate_by_hand() -> None:
    x, w = [1, 2, 3, 4, 5], [10, 1]
    assert same(loops.correlate(x, w), [12, 23, 34, 45])
    assert same(loops.convolve(x, w), [21, 32, 43, 54])
    assert same(loops.correlate(x, w, padding=(1, 2), stride=3), [1, 34, 0])
    assert same(loops.correlate(x, w, padding=(-1, -1), dilation=2), [24])
    assert same(loops.correlate([1, 2], [1, 10, 100], base_dilation=2, padding=(1, 0)), [10, 201])
    assert same(loops.conv_transpose([1, 2], [3, 4, 5], stride=2), [3, 4, 11, 8, 10])
    y = loops.conv_transpose([1, 2], [3, 4, 5], stride=2, padding=(1, 2), output_padding=1)
    assert same(y, [4, 11, 8])


def test_batch_is_carried() -> None:
    x, w = integers(1, 2, 3, 7), integers(2, 4)
    y = loops.correlate(x, w, stride=2, padding=(1, 0))
    assert y.shape == (2, 3, 3)
    assert same(y[1, 2], loops.correlate(x[1, 2], w, stride=2, padding=(1, 0)))


@pytest.mark.parametrize("size", [(5, 3), (7, 4), (9, 2), (12, 5)])
def test_correlate_is_numpys(size: tuple[int, int]) -> None:
    x, w = integers(3, size[0]), integers(4, size[1])
    assert same(loops.correlate(x, w), np.correlate(x, w, "valid"))
    full = (size[1] - 1, size[1] - 1)
    assert same(loops.convolve(x, w, padding=full), np.convolve(x, w))


@each_case
@pytest.mark.parametrize("base", [1, 2])
def test_correlate_gradients(case: Case, base: int) -> None:
    x, w = integers(case.seed, *case.n), integers(case.seed + 1, *case.k)
    options = {**geometry(case), "base_dilation": base}
    assert adjoint(
        lambda v: loops.correlate(v, w, **options),
        x,
        lambda g: loops.correlate_input_grad(g, w, case.n, **options),
        seed=case.seed + 2,
    )
    assert adjoint(
        lambda v: loops.correlate(x, v, **options),
        w,
        lambda g: loops.correlate_weight_grad(g, x, case.k, **options),
        seed=case.seed + 2,
    )


@each_grouped
def test_grouped_gradients(case: Case, groups: int, c_in: int, c_out: int) -> None:
    options = {**geometry(case), "groups": groups, "dims": case.dims}
    x = integers(case.seed, 2, c_in, *case.n)
    w = integers(case.seed + 1, c_out, c_in // groups, *case.k)
    y = loops.correlate(x, w, **options)
    g = integers(case.seed + 2, *y.shape)
    value = loops.inner(g, y)
    assert value == loops.inner(loops.correlate_input_grad(g, w, x.shape, **options), x)
    assert value == loops.inner(loops.correlate_weight_grad(g, x, w.shape, **options), w)
    assert same(loops.correlate(x[1], w, **options), y[1])
    per_group = [
        loops.correlate(a, b, **{**options, "groups": 1})
        for a, b in zip(np.split(x, groups, axis=1), np.split(w, groups), strict=True)
    ]
    assert same(np.concatenate(per_group, axis=1), y)


@pytest.mark.parametrize("case", cases(1, 12, seed=4) + cases(2, 8, seed=4), ids=str)
def test_gradients_by_brute_force(case: Case) -> None:
    x, w = integers(case.seed, *case.n), integers(case.seed + 1, *case.k)
    options = geometry(case)
    g = integers(case.seed + 2, *loops.correlate(x, w, **options).shape)
    gx = loops.vjp(lambda v: loops.correlate(v, w, **options), x, g)
    assert same(gx, loops.correlate_input_grad(g, w, x.shape, **options))
    gw = loops.vjp(lambda v: loops.correlate(x, v, **options), w, g)
    assert same(gw, loops.correlate_weight_grad(g, x, w.shape, **options))


@each_case
def test_geometry_reduces_to_plain_correlation(case: Case) -> None:
    """Stride = decimation after, padding = pad before, dilation = a kernel with zeros."""
    x, w = integers(case.seed, *case.n), integers(case.seed + 1, *case.k)
    wide = loops.correlate(loops.pad(x, case.padding), loops.zero_insert(w, case.dilation))
    assert same(loops.correlate(x, w, **geometry(case)), loops.decimate(wide, case.stride))
    holes = loops.correlate(loops.zero_insert(x, case.stride), w, padding=(3, 2))
    assert same(loops.correlate(x, w, padding=(3, 2), base_dilation=case.stride), holes)
    turned = loops.correlate(x, loops.flip(w), **geometry(case))
    assert same(loops.convolve(x, w, **geometry(case)), turned)


@each_case
def test_convolution_commutes(case: Case) -> None:
    x, w = integers(case.seed, *case.n), integers(case.seed + 1, *case.k)
    full_w = tuple((k - 1, k - 1) for k in case.k)
    full_x = tuple((n - 1, n - 1) for n in case.n)
    assert same(loops.convolve(x, w, padding=full_w), loops.convolve(w, x, padding=full_x))


@each_grouped
def test_conv_transpose_is_the_adjoint(case: Case, groups: int, c_in: int, c_out: int) -> None:
    """Up to rows no window reads, which output_padding fills: n - 1 - (reach of the windows)."""
    options = {**geometry(case), "groups": groups, "dims": case.dims}
    x = integers(case.seed, 2, c_in, *case.n)
    w = integers(case.seed + 1, c_out, c_in // groups, *case.k)
    y = loops.correlate(x, w, **options)
    g = integers(case.seed + 2, *y.shape)
    rest = tuple(
        (n + sum(p) - d * (k - 1) - 1) % s
        for n, p, d, k, s in zip(
            case.n, case.padding, case.dilation, case.k, case.stride, strict=True
        )
    )
    back = loops.conv_transpose(g, w, output_padding=rest, **options)
    assert same(back, loops.correlate_input_grad(g, w, x.shape, **options))


# Moves ---------------------------------------------------------------------------------------

_NUMPY_PADS = {"zero": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge"}


def test_moves_by_hand() -> None:
    x = [1, 2, 3, 4]
    assert same(loops.pad(x, (2, 1)), [0, 0, 1, 2, 3, 4, 0])
    assert same(loops.pad(x, (2, 1), "circular"), [3, 4, 1, 2, 3, 4, 1])
    assert same(loops.pad(x, (2, 1), "reflect"), [3, 2, 1, 2, 3, 4, 3])
    assert same(loops.pad(x, (2, -1), "replicate"), [1, 1, 1, 2, 3])
    assert same(loops.pad(x, (-1, 2), "circular"), [2, 3, 4, 1, 2])
    assert same(loops.flip(x), [4, 3, 2, 1])
    assert same(loops.flip([[1, 2], [3, 4]], 1), [[2, 1], [4, 3]])
    assert same(loops.shift(x, 1), [0, 1, 2, 3])
    assert same(loops.shift(x, -3), [4, 0, 0, 0])
    assert same(loops.decimate(x, 3), [1, 4])
    assert same(loops.decimate(x, 2, 1), [2, 4])
    assert same(loops.zero_insert([1, 2], 3, 1), [1, 0, 0, 2, 0])


@each_case
@pytest.mark.parametrize("mode", list(_NUMPY_PADS))
def test_pad_is_numpys(case: Case, mode: str) -> None:
    x = integers(case.seed, *case.n)
    wide = tuple((lo + 5, hi + 6) for lo, hi in case.padding)
    expected: Any = np.pad
    assert same(loops.pad(x, wide, mode), expected(x, wide, mode=_NUMPY_PADS[mode]))
    crop = tuple((-1, -1) for _ in case.n)
    assert same(loops.pad(loops.pad(x, (1, 1), mode), crop, mode), x)


@each_case
def test_moves_against_slices(case: Case) -> None:
    x, dims = integers(case.seed, 2, *case.n), case.dims
    start = tuple(max(0, lo) for lo, _ in case.padding)
    kept: Any = (..., *(slice(o, None, s) for o, s in zip(start, case.stride, strict=True)))
    assert same(loops.decimate(x, case.stride, start, dims), x[kept])
    assert same(loops.flip(x, dims), np.flip(x, tuple(range(1, dims + 1))))
    offsets = tuple(lo for lo, _ in case.padding)
    by = tuple((o, -o) for o in offsets)
    assert same(loops.shift(x, offsets, dims), loops.pad(x, by, dims=dims))
    holes = loops.zero_insert(x, case.stride, tuple(k - 1 for k in case.k), dims)
    full: Any = (..., *(slice(0, s * n, s) for s, n in zip(case.stride, case.n, strict=True)))
    cut: Any = (..., *(slice(0, n) for n in case.n))
    assert same(holes[full][cut], x)
    assert np.count_nonzero(holes) == np.count_nonzero(x)


@each_case
def test_decimation_is_the_adjoint_of_zero_insertion(case: Case) -> None:
    x = integers(case.seed, *case.n)
    tail = tuple(s - 1 for s in case.stride)
    assert adjoint(
        lambda v: loops.zero_insert(v, case.stride, tail),
        x,
        lambda g: loops.decimate(g, case.stride),
        case.seed,
    )


def test_pixel_shuffle_by_hand() -> None:
    """Channel order of torch.nn.PixelShuffle: row offset first, then column offset."""
    x = np.arange(8).reshape(8, 1, 1)
    assert same(loops.pixel_shuffle(x, 2), [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    assert same(loops.pixel_shuffle([[1, 2], [3, 4], [5, 6]], 3), [[1, 3, 5, 2, 4, 6]])


@each_case
def test_pixel_shuffle_inverts(case: Case) -> None:
    many = math.prod(case.stride)
    x = integers(case.seed, 2, 3 * many, *case.n)
    y = loops.pixel_shuffle(x, case.stride, case.dims)
    assert y.shape == (2, 3, *(s * n for s, n in zip(case.stride, case.n, strict=True)))
    assert same(loops.pixel_unshuffle(y, case.stride, case.dims), x)
    corner = loops.decimate(y, case.stride, dims=case.dims)
    assert same(corner, x[:, ::many])


@each_grouped
def test_im2col_makes_correlation_a_product(case: Case, groups: int, c_in: int, c_out: int) -> None:
    options = geometry(case)
    x, w = integers(case.seed, 2, c_in, *case.n), integers(case.seed + 1, c_out, c_in, *case.k)
    y = loops.correlate(x, w, dims=case.dims, **options)
    cols = loops.im2col(x, case.k, channels=True, dims=case.dims, **options)
    product = w.reshape(c_out, -1).astype(object) @ cols
    assert same(product.reshape(y.shape), y)
    single = loops.im2col(x[0, 0], case.k, **options)
    assert same(single, cols[0, : single.shape[0]])


@each_case
def test_col2im_is_the_adjoint_of_im2col(case: Case) -> None:
    options = geometry(case)
    x = integers(case.seed, 2, 3, *case.n)
    assert adjoint(
        lambda v: loops.im2col(v, case.k, channels=True, dims=case.dims, **options),
        x,
        lambda g: loops.col2im(g, case.n, case.k, channels=True, **options),
        case.seed,
    )


# Pooling -------------------------------------------------------------------------------------


def test_pooling_by_hand() -> None:
    x = [3, 1, 4, 1, 5, 9, 2]
    assert same(loops.sum_pool(x, 3), [8, 15])
    assert same(loops.sum_pool(x, 3, 2, (1, 1)), [4, 6, 15, 11])
    assert same(loops.sum_pool(x, 3, ceil_mode=True), [8, 15, 2])
    thirds = [Fraction(v, 3) for v in (4, 6, 15, 11)]
    assert same(loops.avg_pool(x, 3, 2, (1, 1)), thirds)
    halves = [Fraction(4, 2), Fraction(6, 3), Fraction(15, 3), Fraction(11, 2)]
    assert same(loops.avg_pool(x, 3, 2, (1, 1), count_include_pad=False), halves)
    assert same(loops.avg_pool(x, 3, 2, (1, 1), divisor_override=2), [2, 3, Fraction(15, 2), 5.5])
    values, selection = loops.max_pool([-3, -1, -4, -1, -5, -9, -2], 3, 2, (1, 1))
    assert same(values, [-1, -1, -1, -2])
    assert same(selection, [2, 0, 0, 1])


def test_ceil_mode_rules() -> None:
    """The last window is kept when it starts on data or left padding, and clipped at n + hi."""
    assert same(loops.sum_pool([1, 2, 3, 4], 2, 3, ceil_mode=True), [3, 4])
    assert same(loops.avg_pool([1, 2, 3, 4], 2, 3, ceil_mode=True), [Fraction(3, 2), 4])
    assert same(loops.sum_pool([1, 2, 3], 2, 4, (1, 1), ceil_mode=True), [1])
    clipped = loops.avg_pool([1, 2, 3, 4, 5], 3, 3, (1, 1), ceil_mode=True)
    assert same(clipped, [1, 4, Fraction(0)][:2])
    clipped = loops.avg_pool([1, 2, 3, 4, 5, 6], 3, 3, (1, 1), ceil_mode=True)
    assert same(clipped, [1, 4, 3])


def test_ties_select_the_first_maximum_on_data() -> None:
    values, selection = loops.max_pool([[0, 0], [0, 0]], 2, 1, (1, 1))
    assert same(selection, [[3, 2, 2], [1, 0, 0], [1, 0, 0]])
    assert not values.any()


@each_pool
@pytest.mark.parametrize("ceil", [False, True])
def test_sum_and_average_gradients(case: Case, ceil: bool) -> None:
    x = integers(case.seed, *case.n)
    options = {**geometry(case), "ceil_mode": ceil}
    assert adjoint(
        lambda v: loops.sum_pool(v, case.k, **options),
        x,
        lambda g: loops.sum_pool_grad(g, case.n, case.k, **options),
        case.seed,
    )
    for rule in ({}, {"count_include_pad": False}, {"divisor_override": 3}):
        both: dict[str, Any] = {**options, **rule}
        assert adjoint(
            lambda v, both=both: loops.avg_pool(v, case.k, **both),
            x,
            lambda g, both=both: loops.avg_pool_grad(g, case.n, case.k, **both),
            case.seed,
        )


@each_case
@pytest.mark.parametrize("ceil", [False, True])
def test_negative_padding_crops_before_pooling(case: Case, ceil: bool) -> None:
    x = integers(case.seed, *case.n)
    ends = tuple((lo, -1 - axis % 2) for axis, (lo, _) in enumerate(case.padding))
    x = loops.pad(x, (0, 7 - 2 * case.dims), "circular")
    cropped = loops.pad(x, tuple((min(0, lo), min(0, hi)) for lo, hi in ends))
    rest = tuple((max(0, lo), max(0, hi)) for lo, hi in ends)
    shared: dict[str, Any] = {
        "k": case.k,
        "stride": case.stride,
        "dilation": case.dilation,
        "ceil_mode": ceil,
    }
    y = loops.sum_pool(x, padding=ends, **shared)
    assert same(y, loops.sum_pool(cropped, padding=rest, **shared))
    for include in (False, True):
        mean = loops.avg_pool(x, padding=ends, count_include_pad=include, **shared)
        again = loops.avg_pool(cropped, padding=rest, count_include_pad=include, **shared)
        assert same(mean, again)
    g = integers(case.seed + 1, *y.shape)
    gx = loops.sum_pool_grad(g, x.shape, padding=ends, **shared)
    kept = loops.sum_pool_grad(g, cropped.shape, padding=rest, **shared)
    assert same(gx, loops.pad(kept, tuple((-min(0, lo), -min(0, hi)) for lo, hi in ends)))


@each_pool
def test_pooling_is_correlation(case: Case) -> None:
    x, options = integers(case.seed, 2, *case.n), geometry(case)
    ones = np.ones(case.k, dtype=int)
    total = loops.correlate(x, ones, **options)
    assert same(loops.sum_pool(x, case.k, dims=case.dims, **options), total)
    mean = loops.avg_pool(x, case.k, dims=case.dims, **options)
    assert same(mean * math.prod(case.k), total)
    inside = loops.correlate(np.ones_like(x), ones, **options)
    average = loops.avg_pool(x, case.k, dims=case.dims, count_include_pad=False, **options)
    assert same(average * inside, np.where(inside != 0, total, 0))


@each_pool
@pytest.mark.parametrize("ceil", [False, True])
def test_max_pool_gradient(case: Case, ceil: bool) -> None:
    x = integers(case.seed, 2, *case.n, spread=3)
    options = {**geometry(case), "ceil_mode": ceil}
    inside = loops.sum_pool(np.ones(case.n, dtype=int), case.k, **options)
    if not inside.all():
        with pytest.raises(ValueError, match="nothing but padding"):
            loops.max_pool(x, case.k, dims=case.dims, **options)
        return
    values, selection = loops.max_pool(x, case.k, dims=case.dims, **options)
    read = {**options, "k": case.k}
    assert same(loops.max_pool_with_selection(x, selection, dims=case.dims, **read), values)
    g = integers(case.seed + 1, *values.shape)
    gx = loops.max_pool_grad(g, selection, x.shape, dims=case.dims, **read)
    assert loops.inner(g, values) == loops.inner(gx, x)
    assert same(loops.max_unpool(g, selection, case.n, **read), gx)


@pytest.mark.parametrize("case", COVERED, ids=str)
def test_max_pool_by_windows(case: Case) -> None:
    """Against im2col of the data raised above every padding zero; any selection, any adjoint."""
    x, options = integers(case.seed, *case.n, spread=4), geometry(case)
    cols = loops.im2col(x + 100, case.k, **options)
    values, selection = loops.max_pool(x, case.k, **options)
    assert same(values.ravel(), cols.max(axis=0) - 100)
    assert same(selection.ravel(), cols.argmax(axis=0))
    rng = np.random.default_rng(case.seed)
    chosen = rng.integers(0, math.prod(case.k), selection.shape)
    read = {**options, "k": case.k}
    g = integers(case.seed, *selection.shape)
    gx = loops.max_pool_grad(g, chosen, x.shape, **read)
    assert same(gx, loops.max_unpool(g, chosen, case.n, **read))
    if case.dims < 3:
        f = functools.partial(loops.max_pool_with_selection, selection=chosen, **read)
        assert same(gx, loops.vjp(f, x, g))
    assert loops.inner(gx, x) == loops.inner(g, loops.max_pool_with_selection(x, chosen, **read))


# Resampling ----------------------------------------------------------------------------------


def test_resampling_by_hand() -> None:
    assert same(loops.nearest_upsample([1, 2], 3), [1, 1, 1, 2, 2, 2])
    quarters = [Fraction(v, 4) for v in (4, 5, 7, 8)]
    assert same(loops.bilinear_upsample([1, 2], 2), quarters)
    thirds = [1, Fraction(4, 3), Fraction(5, 3), 2]
    assert same(loops.bilinear_upsample([1, 2], 2, align_corners=True), thirds)
    assert same(loops.bilinear_upsample([7], 3), [7, 7, 7])
    assert same(loops.adaptive_avg_pool([1, 2, 3, 4, 5], 3), [Fraction(3, 2), 3, Fraction(9, 2)])
    assert same(loops.adaptive_avg_pool([1, 3], 3), [1, 2, 3])
    assert same(loops.global_avg_pool([[1, 2], [3, 5]], 1), [[Fraction(3, 2)], [4]])
    assert same(loops.global_avg_pool([[1, 2], [3, 5]]), [[Fraction(11, 4)]])


@each_case
def test_resampling_identities(case: Case) -> None:
    s, dims = case.stride, case.dims
    x = integers(case.seed, *case.n)
    boxes = loops.conv_transpose(x, np.ones(s, dtype=int), stride=s)
    assert same(loops.nearest_upsample(x, s), boxes)
    assert same(loops.avg_pool(boxes, s), x)
    assert same(loops.adaptive_avg_pool(boxes, case.n), x)
    assert same(loops.adaptive_avg_pool(x, 1), loops.global_avg_pool(x))
    assert same(loops.adaptive_avg_pool(x[None], 1, dims)[0], loops.global_avg_pool(x))


@each_case
@pytest.mark.parametrize("align", [False, True])
def test_linear_upsampling_identities(case: Case, align: bool) -> None:
    """Constants stay, mirror images stay mirror images, axes separate."""
    n = tuple(min(v, 7 - 2 * case.dims + axis) for axis, v in enumerate(case.n))
    s = tuple(min(v, 3) for v in case.stride)
    x = integers(case.seed, *n)
    y = loops.bilinear_upsample(x, s, align)
    turned = loops.bilinear_upsample(loops.flip(x), s, align)
    assert same(turned, loops.flip(y))
    assert same(loops.bilinear_upsample(np.full(n, 7), s, align), np.full(y.shape, 7))
    for axis, factor in enumerate(s):
        alone = np.moveaxis(np.asarray(x, dtype=object), axis, -1)
        x = np.moveaxis(loops.bilinear_upsample(alone, factor, align, 1), -1, axis)
    assert same(x, y)


@pytest.mark.parametrize(("n", "s"), [(2, 3), (4, 3), (5, 2), (7, 4)])
def test_aligned_upsampling_draws_the_line(n: int, s: int) -> None:
    ramp = loops.bilinear_upsample(np.arange(n), s, align_corners=True)
    assert same(ramp, [Fraction(i * (n - 1), s * n - 1) for i in range(s * n)])


# Brute force, and bad arguments --------------------------------------------------------------


def test_jacobian() -> None:
    table = loops.jacobian(lambda v: loops.correlate(v, [2, 5]), [3, 7, 8])
    assert same(table, [[2, 5, 0], [0, 2, 5]])
    with pytest.raises(ValueError, match="not linear"):
        loops.jacobian(lambda v: v * v, [3, 7])
    assert same(loops.vjp(lambda v: loops.flip(v), [[1, 2]], [[10, 20]]), [[20, 10]])


def test_arithmetic_is_exact() -> None:
    big = 10**30
    assert loops.correlate(np.array([2**62, 2**62]), [3, 5])[0] == 8 * 2**62
    assert loops.avg_pool(np.array([big, big + 1], dtype=object), 2)[0] == big + Fraction(1, 2)
    half = np.array([Fraction(1, 2), 3], dtype=object)
    assert loops.correlate(half, [2, 1])[0] == 4
    with pytest.raises(ValueError, match="exact"):
        loops.correlate([1.0, 2.0], [1])
    with pytest.raises(ValueError, match="exact"):
        loops.flip(np.array([1, 0.5], dtype=object))


_X = np.arange(6)
_BAD: dict[str, Callable[[], Any]] = {
    "stride": lambda: loops.correlate(_X, [1, 2], stride=0),
    "dilation": lambda: loops.correlate(_X, [1, 2], dilation=0),
    "base dilation": lambda: loops.correlate(_X, [1, 2], base_dilation=0),
    "no output": lambda: loops.correlate(_X, np.arange(7)),
    "all cropped": lambda: loops.correlate(_X, [1], padding=(-3, -3)),
    "stride per axis": lambda: loops.correlate(_X, [1, 2], stride=(1, 2)),
    "fractional stride": lambda: loops.correlate(_X, [1, 2], stride=1.5),  # type: ignore[arg-type]
    "padding": lambda: loops.correlate(_X, [1, 2], padding=1),  # type: ignore[arg-type]
    "padding per axis": lambda: loops.correlate(_X, [1, 2], padding=((1, 2), (3, 4))),
    "kernel rank": lambda: loops.correlate(_X, [[1, 2]], dims=1),
    "empty kernel": lambda: loops.correlate(_X, np.zeros(0, dtype=int)),
    "groups": lambda: loops.correlate(
        np.ones((4, 6), int), np.ones((3, 2, 2), int), groups=2, dims=1
    ),
    "groups without channels": lambda: loops.correlate(_X, [1, 2], groups=2),
    "channels": lambda: loops.correlate(np.ones((3, 6), int), np.ones((4, 2, 2), int), dims=1),
    "missing channels": lambda: loops.correlate(_X, np.ones((4, 2, 2), int), dims=1),
    "transpose cropped": lambda: loops.conv_transpose(_X, [1, 2], padding=(4, 3)),
    "transpose stride": lambda: loops.conv_transpose(_X, [1, 2], stride=0),
    "transpose channels": lambda: loops.conv_transpose(
        np.ones((3, 6), int), np.ones((4, 2, 2), int), dims=1
    ),
    "cotangent": lambda: loops.correlate_input_grad(_X, [1, 2], (6,)),
    "cotangent of w": lambda: loops.correlate_weight_grad(_X, _X, (2,)),
    "mode": lambda: loops.pad(_X, (1, 1), "mirror"),
    "reflect one": lambda: loops.pad([1], (1, 1), "reflect"),
    "crop all": lambda: loops.pad(_X, (-3, -3)),
    "dims": lambda: loops.flip(_X, 2),
    "step": lambda: loops.decimate(_X, 0),
    "offset": lambda: loops.decimate(_X, 2, 6),
    "shuffle": lambda: loops.pixel_shuffle(np.ones((3, 2), int), 2),
    "unshuffle": lambda: loops.pixel_unshuffle(np.ones((3, 2), int), 3),
    "shuffle without channels": lambda: loops.pixel_shuffle(_X, 2),
    "columns": lambda: loops.col2im(np.ones((2, 3), int), (6,), 2),
    "pool stride": lambda: loops.max_pool(_X, 2, 0),
    "pool": lambda: loops.sum_pool(_X, 7),
    "divisor": lambda: loops.avg_pool(_X, 2, divisor_override=0),
    "only padding": lambda: loops.max_pool(_X, 1, 1, (1, 0)),
    "selection": lambda: loops.max_pool_with_selection(_X, [0, 1, 2], 2),
    "selection shape": lambda: loops.max_pool_grad([1, 2], [0, 1], (6,), 2),
    "bins": lambda: loops.adaptive_avg_pool(_X, 0),
    "factor": lambda: loops.nearest_upsample(_X, 0),
}


@pytest.mark.parametrize("call", _BAD.values(), ids=_BAD.keys())
def test_bad_arguments(call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"\S") as caught:
        call()
    assert str(caught.value)
    assert "\n" not in str(caught.value)
