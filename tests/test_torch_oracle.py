"""The loop oracles against PyTorch: equal values, equal VJPs, no tolerance.

Loop VJPs are brute force (unit vectors) or loops of their own, never the formulas under proof.
Without PyTorch these tests are skipped, except on CI (CI=true), where they fail.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from derive.numeric import loops, torch_oracle
from derive.numeric.loops.cases import Case, cases, integers
from derive.numeric.torch_oracle import TABLE, Result

pytestmark = pytest.mark.skipif(
    not torch_oracle.available() and os.environ.get("CI") != "true",
    reason="torch is not installed",
)

ALL = [case for dims in (1, 2, 3) for case in cases(dims, 8, seed=11)]
FLAT = [case for dims in (1, 2) for case in cases(dims, 12, seed=12)]
POOLS = [
    case
    for dims in (1, 2, 3)
    for symmetric in (False, True)
    for case in cases(dims, 7, seed=13, symmetric=symmetric, dilated=False)
]
MAX_POOLS = [
    case
    for dims in (1, 2, 3)
    for symmetric in (False, True)
    for case in cases(dims, 7, seed=14, symmetric=symmetric, covered=True)
]
NATIVE = [case for case in POOLS if all(lo == hi for lo, hi in case.padding)]
_GROUPS = itertools.cycle([(1, 2, 3), (2, 2, 4), (3, 3, 6), (2, 4, 2), (1, 3, 1)])
CHANNELS = [(case, *next(_GROUPS)) for case in ALL]

each_case = pytest.mark.parametrize("case", ALL, ids=str)
each_flat = pytest.mark.parametrize("case", FLAT, ids=str)
each_grouped = pytest.mark.parametrize(("case", "groups", "c_in", "c_out"), CHANNELS, ids=str)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    if torch_oracle.available():
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(before)
    else:
        yield


def geometry(case: Case) -> dict[str, Any]:
    return {"stride": case.stride, "padding": case.padding, "dilation": case.dilation}


def same(a: Any, b: Any) -> bool:
    return np.shape(a) == np.shape(b) and np.array_equal(a, b)


def check(
    name: str,
    x: Any,
    seed: int,
    back: Callable[[Any], Any] | None = None,
    scale: int = 1,
    **parameters: Any,
) -> Result:
    """Value and VJP of a linear one-operand operator; ``back`` defaults to brute force.

    ``scale`` multiplies the data, so that PyTorch's divisions come out whole.
    """
    x = np.asarray(x) * scale
    f = getattr(loops, name)
    y = f(x, **parameters)
    g = integers(seed + 1, *y.shape) * scale
    result = TABLE[name](x, cotangent=g, **parameters)
    assert same(result.value, y)
    gx = loops.vjp(lambda v: f(v, **parameters), x, g) if back is None else back(g)
    assert same(result.vjps[0], gx)
    return result


def small(case: Case, most: int = 4) -> tuple[int, ...]:
    """Spatial lengths cut down so that brute force stays cheap."""
    cap = {1: 12, 2: most + 1, 3: most}[case.dims]
    return tuple(min(n, cap + axis) for axis, n in enumerate(case.n))


def test_torch_is_there_on_ci() -> None:
    assert torch_oracle.available(), "CI=true, but torch is not installed"


def test_table_names_loop_oracles() -> None:
    assert all(callable(getattr(loops, name)) for name in TABLE)
    with pytest.raises(ValueError, match="float64"):
        TABLE["flip"](np.array([2**53 + 1], dtype=object))
    with pytest.raises(ValueError, match="float64"):
        TABLE["flip"](np.array([Fraction(1, 3)], dtype=object))
    assert TABLE["flip"]([1, 2]).vjps == ()


# Convolutions --------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize("base", [1, 2])
def test_correlate(case: Case, base: int) -> None:
    x, w = integers(case.seed, 2, *case.n), integers(case.seed + 1, *case.k)
    options = {**geometry(case), "base_dilation": base}
    y = loops.correlate(x, w, **options)
    g = integers(case.seed + 2, *y.shape)
    result = TABLE["correlate"](x, w, cotangent=g, **options)
    assert same(result.value, y)
    assert same(result.vjps[0], loops.correlate_input_grad(g, w, x.shape, **options))
    assert same(result.vjps[1], loops.correlate_weight_grad(g, x, w.shape, **options))


@each_grouped
def test_correlate_with_groups(case: Case, groups: int, c_in: int, c_out: int) -> None:
    options = {**geometry(case), "groups": groups, "dims": case.dims}
    x = integers(case.seed, 2, c_in, *case.n)
    w = integers(case.seed + 1, c_out, c_in // groups, *case.k)
    y = loops.correlate(x, w, **options)
    g = integers(case.seed + 2, *y.shape)
    result = TABLE["correlate"](x, w, cotangent=g, **options)
    assert same(result.value, y)
    assert same(result.vjps[0], loops.correlate_input_grad(g, w, x.shape, **options))
    assert same(result.vjps[1], loops.correlate_weight_grad(g, x, w.shape, **options))
    assert same(TABLE["correlate"](x[0], w, **options).value, y[0])


@each_grouped
def test_convolve(case: Case, groups: int, c_in: int, c_out: int) -> None:
    options = {**geometry(case), "groups": groups, "dims": case.dims}
    x = integers(case.seed, c_in, *case.n)
    w = integers(case.seed + 1, c_out, c_in // groups, *case.k)
    y = loops.convolve(x, w, **options)
    g = integers(case.seed + 2, *y.shape)
    result = TABLE["convolve"](x, w, cotangent=g, **options)
    assert same(result.value, y)
    turned = loops.flip(w, case.dims)
    assert same(result.vjps[0], loops.correlate_input_grad(g, turned, x.shape, **options))
    gw = loops.flip(loops.correlate_weight_grad(g, x, w.shape, **options), case.dims)
    assert same(result.vjps[1], gw)


@each_grouped
@pytest.mark.parametrize("native", [True, False])
def test_conv_transpose(case: Case, groups: int, c_in: int, c_out: int, native: bool) -> None:
    """``native``: PyTorch's own padding and output_padding; otherwise its full output, cropped."""
    m = tuple(2 + (v + axis) % 3 for axis, v in enumerate(case.n))
    ends = tuple(
        (max(0, lo - 1), max(0, lo - 1)) if native else (lo, hi) for lo, hi in case.padding
    )
    rest = tuple(
        min(1, max(s, d) - 1) if native else axis + 2
        for axis, (s, d) in enumerate(zip(case.stride, case.dilation, strict=True))
    )
    lengths = zip(m, case.k, case.stride, case.dilation, ends, rest, strict=True)
    if min(s * (n - 1) + d * (k - 1) + 1 - lo - hi + e for n, k, s, d, (lo, hi), e in lengths) < 1:
        ends = tuple((0, 0) if native else (-1, 0) for _ in ends)
    options = {**geometry(case), "padding": ends, "groups": groups, "dims": case.dims}
    x = integers(case.seed, 2, c_in, *m)
    w = integers(case.seed + 1, c_in, c_out // groups, *case.k)
    y = loops.conv_transpose(x, w, output_padding=rest, **options)
    g = integers(case.seed + 2, *y.shape)
    result = TABLE["conv_transpose"](x, w, cotangent=g, output_padding=rest, **options)
    assert same(result.value, y)
    options["padding"] = tuple((lo, hi - e) for (lo, hi), e in zip(ends, rest, strict=True))
    assert same(result.vjps[0], loops.correlate(g, w, **options))
    assert same(result.vjps[1], loops.correlate_weight_grad(x, g, w.shape, **options))


@each_flat
def test_conv_transpose_by_brute_force(case: Case) -> None:
    x, w = integers(case.seed, 2 + case.n[0] % 3, *case.n[1:]), integers(case.seed + 1, *case.k)
    options = {**geometry(case), "padding": tuple((-lo, -hi) for lo, hi in case.padding)}
    options["output_padding"] = 4
    y = loops.conv_transpose(x, w, **options)
    g = integers(case.seed + 2, *y.shape)
    result = TABLE["conv_transpose"](x, w, cotangent=g, **options)
    assert same(result.value, y)
    assert same(result.vjps[0], loops.vjp(lambda v: loops.conv_transpose(v, w, **options), x, g))
    assert same(result.vjps[1], loops.vjp(lambda v: loops.conv_transpose(x, v, **options), w, g))


# Moves ---------------------------------------------------------------------------------------


@each_case
@pytest.mark.parametrize("mode", ["zero", "circular", "reflect", "replicate"])
def test_pad(case: Case, mode: str) -> None:
    """Within the widths PyTorch allows, and for circular without mixed signs."""
    n = small(case)
    ends = tuple(
        (min(lo, v - 1), min(hi, v - 1)) for v, (lo, hi) in zip(n, case.padding, strict=True)
    )
    if mode == "circular":
        ends = tuple((lo, hi) if lo * hi >= 0 else (abs(lo), abs(hi)) for lo, hi in ends)
    check("pad", integers(case.seed, *n), case.seed, padding=ends, mode=mode)


def test_circular_padding_that_also_crops() -> None:
    """The documented difference: PyTorch crops first and wraps what is left."""
    x, ends = np.array([[2, 3, 4, 5]]), ((-1, 2),)
    assert same(loops.pad(x, ends, "circular", 1), [[3, 4, 5, 2, 3]])
    assert same(TABLE["pad"](x, padding=ends, mode="circular", dims=1).value, [[3, 4, 5, 3, 4]])


@each_case
def test_moves(case: Case) -> None:
    x = integers(case.seed, 2, *small(case))
    start = tuple(min(k, n) - 1 for k, n in zip(case.k, x.shape[1:], strict=True))
    offset = tuple(hi for _, hi in case.padding)
    dims = case.dims
    check("flip", x, case.seed, dims=dims)
    check("shift", x, case.seed, offset=offset, dims=dims)
    check("decimate", x, case.seed, s=case.stride, offset=start, dims=dims)
    window: Any = (..., *(slice(0, n) for n in x.shape[1:]))
    check(
        "zero_insert",
        x,
        case.seed,
        back=lambda g: loops.decimate(g, case.stride, dims=dims)[window],
        s=case.stride,
        trailing=start,
        dims=dims,
    )


@pytest.mark.parametrize("seed", range(20))
def test_pixel_shuffle(seed: int) -> None:
    r, c, n, m = 2 + seed % 2, 1 + seed % 3, 1 + seed % 5, 4 - seed % 4
    x = integers(seed, 2, c * r * r, n, m)
    check("pixel_shuffle", x, seed, lambda g: loops.pixel_unshuffle(g, r, 2), r=r, dims=2)
    y = integers(seed, 2, c, n * r, m * r)
    check("pixel_unshuffle", y, seed, lambda g: loops.pixel_shuffle(g, r, 2), r=r, dims=2)


@each_flat
def test_im2col_and_col2im(case: Case) -> None:
    shared = {**geometry(case), "k": case.k, "channels": True}
    x = integers(case.seed, 2, 3, *case.n)
    check(
        "im2col",
        x,
        case.seed,
        lambda g: loops.col2im(g, case.n, **shared),
        dims=case.dims,
        **shared,
    )
    cols = integers(case.seed, *loops.im2col(x, dims=case.dims, **shared).shape)
    check(
        "col2im",
        cols,
        case.seed,
        lambda g: loops.im2col(g, dims=case.dims, **shared),
        n=case.n,
        **shared,
    )
    check("im2col", x[0, 0], case.seed, **{**shared, "channels": False})


# Pooling -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [*ALL, *POOLS], ids=str)
def test_sum_pool(case: Case) -> None:
    x = integers(case.seed, 2, *case.n)
    shared = {**geometry(case), "k": case.k, "dims": case.dims}
    check("sum_pool", x, case.seed, lambda g: loops.sum_pool_grad(g, x.shape, **shared), **shared)


@pytest.mark.parametrize("case", POOLS, ids=str)
@pytest.mark.parametrize("override", [None, 7])
def test_avg_pool(case: Case, override: int | None) -> None:
    x = integers(case.seed, 2, *case.n)
    shared: dict[str, Any] = {
        "k": case.k,
        "stride": case.stride,
        "padding": case.padding,
        "divisor_override": override,
        "dims": case.dims,
    }
    check(
        "avg_pool",
        x,
        case.seed,
        lambda g: loops.avg_pool_grad(g, x.shape, **shared),
        scale=7 * math.prod(case.k),
        **shared,
    )


@pytest.mark.parametrize("case", NATIVE, ids=str)
@pytest.mark.parametrize("ceil", [False, True])
@pytest.mark.parametrize("include", [False, True])
def test_avg_pool_divisors(case: Case, ceil: bool, include: bool) -> None:
    x = integers(case.seed, 2, *case.n)
    shared: dict[str, Any] = {
        "k": case.k,
        "stride": case.stride,
        "padding": case.padding,
        "ceil_mode": ceil,
        "count_include_pad": include,
        "dims": case.dims,
    }
    check(
        "avg_pool",
        x,
        case.seed,
        lambda g: loops.avg_pool_grad(g, x.shape, **shared),
        scale=math.lcm(*range(1, 7)) ** case.dims,
        **shared,
    )


@pytest.mark.parametrize("n", range(2, 11))
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("s", [2, 3, 4, 6])
def test_output_size_of_pooling(n: int, k: int, s: int) -> None:
    """Every small length in ceil mode, by value; where PyTorch finds no output, nor do we."""
    x = integers(n, 1, n) * 60
    for p in range(k // 2 + 1):
        shared: dict[str, Any] = {"k": k, "stride": s, "padding": (p, p), "dims": 1}
        for ceil in (False, True):
            try:
                y = loops.avg_pool(x, ceil_mode=ceil, **shared)
            except ValueError:
                with pytest.raises(RuntimeError, match=r"[oO]utput size"):
                    TABLE["avg_pool"](x, ceil_mode=ceil, **shared)
            else:
                assert same(TABLE["avg_pool"](x, ceil_mode=ceil, **shared).value, y)
                values, selection = loops.max_pool(x, ceil_mode=ceil, **shared)
                result = TABLE["max_pool"](x, ceil_mode=ceil, **shared)
                assert same(result.value, values)
                assert same(result.selection, selection)


@pytest.mark.parametrize("case", MAX_POOLS, ids=str)
@pytest.mark.parametrize("spread", [2, 9])
def test_max_pool(case: Case, spread: int) -> None:
    """Values, gradients, and the same choice among ties (plenty with spread 2)."""
    x = integers(case.seed, 2, *case.n, spread=spread)
    shared = {**geometry(case), "k": case.k, "dims": case.dims}
    native = all(lo == hi for lo, hi in case.padding)
    for ceil in (False, True) if native else (False,):
        values, selection = loops.max_pool(x, ceil_mode=ceil, **shared)
        g = integers(case.seed + 1, *values.shape)
        result = TABLE["max_pool"](x, cotangent=g, ceil_mode=ceil, **shared)
        assert same(result.value, values)
        assert same(result.selection, selection)
        gx = loops.max_pool_grad(g, selection, x.shape, ceil_mode=ceil, **shared)
        assert same(result.vjps[0], gx)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_max_pool_with_selection(case: Case) -> None:
    """Any selection, also one that lies on the padding."""
    x = integers(case.seed, 2, *case.n)
    shared = {**geometry(case), "k": case.k, "dims": case.dims}
    shape = loops.sum_pool(x, **shared).shape
    chosen = np.random.default_rng(case.seed).integers(0, math.prod(case.k), shape)
    check(
        "max_pool_with_selection",
        x,
        case.seed,
        lambda g: loops.max_pool_grad(g, chosen, x.shape, **shared),
        selection=chosen,
        **shared,
    )


@pytest.mark.parametrize("seed", range(24))
def test_max_unpool(seed: int) -> None:
    """Disjoint windows, where PyTorch's assignment is the additive scatter."""
    dims = 1 + seed % 3
    k = tuple(2 + (seed + axis) % 2 for axis in range(dims))
    s = tuple(v + seed // 3 % 2 for v in k)
    n = tuple(v * q + v for v, q in zip((3, 2, 2), s, strict=False))
    x = integers(seed, 2, *n)
    y, selection = loops.max_pool(x, k, s, dims=dims)
    shared: dict[str, Any] = {"selection": selection, "k": k, "stride": s}
    check(
        "max_unpool",
        y.astype(np.int64),
        seed,
        lambda g: loops.max_pool_with_selection(g, dims=dims, **shared),
        n=n,
        **shared,
    )


# Resampling ----------------------------------------------------------------------------------


@each_case
def test_averages(case: Case) -> None:
    n = small(case)
    x = integers(case.seed, *n)
    m = tuple(1 + (k + s) % n for k, s, n in zip(case.k, case.stride, n, strict=True))
    check("adaptive_avg_pool", x, case.seed, scale=math.prod(map(_multiple, n)), m=m)
    check("global_avg_pool", x[None], case.seed, scale=math.prod(n), dims=case.dims)


def _multiple(n: int) -> int:
    return math.lcm(*range(1, n + 1))


@each_case
def test_nearest_upsample(case: Case) -> None:
    s = case.stride
    x = integers(case.seed, 2, *small(case, 3))
    total: Callable[[Any], Any] = lambda g: loops.sum_pool(g, s, dims=case.dims)  # noqa: E731
    check("nearest_upsample", x, case.seed, total, s=s, dims=case.dims)


@each_case
@pytest.mark.parametrize("align", [False, True])
def test_bilinear_upsample(case: Case, align: bool) -> None:
    """PyTorch rounds thirds and the like; its floats name exactly one fraction of our grid."""
    n, s = small(case, 2), tuple(min(v, 3) for v in case.stride)
    x = integers(case.seed, *n)
    y = loops.bilinear_upsample(x, s, align)
    g = integers(case.seed + 1, *y.shape)
    result = TABLE["bilinear_upsample"](x, cotangent=g, s=s, align_corners=align)
    grid = math.prod((q * v - 1 or 1) if align else 2 * q for q, v in zip(s, n, strict=True))
    assert same(_on_grid(result.value, grid), y)
    gx = loops.vjp(lambda v: loops.bilinear_upsample(v, s, align), x, g)
    assert same(_on_grid(result.vjps[0], grid), gx)


def _on_grid(values: Any, grid: int) -> Any:
    """The multiples of 1/grid that the floats are, each within a millionth of a step."""
    found = np.array([Fraction(round(Fraction(v) * grid), grid) for v in values.flat])
    steps = [abs(Fraction(v) - f) * grid for v, f in zip(values.flat, found, strict=True)]
    assert max(steps) < Fraction(1, 10**6)
    return found.reshape(values.shape)


@pytest.mark.parametrize("seed", range(20))
def test_bilinear_upsample_without_rounding(seed: int) -> None:
    """Factors 2 and 4 have dyadic weights: floats are exact."""
    dims = 1 + seed % 3
    n = tuple(2 + (seed + axis) % (5 - dims) for axis in range(dims))
    s = tuple(2 if (seed + axis) % 2 else 4 for axis in range(dims))
    check("bilinear_upsample", integers(seed, *n), seed, s=s)


# What PyTorch cannot do ----------------------------------------------------------------------

_X = np.arange(24).reshape(2, 3, 4)
_UNSUPPORTED: dict[str, Callable[[], Any]] = {
    "ceil, asymmetric": lambda: TABLE["sum_pool"](_X, k=2, padding=(0, 1), ceil_mode=True),
    "count, asymmetric": lambda: TABLE["avg_pool"](
        _X, k=2, padding=(0, 1), count_include_pad=False
    ),
    "dilated average": lambda: TABLE["avg_pool"](_X, k=2, dilation=2),
    "unfold in 3-D": lambda: TABLE["im2col"](_X, k=2),
    "shuffle in 1-D": lambda: TABLE["pixel_shuffle"](_X, r=2, dims=1),
    "unpool twice": lambda: TABLE["max_unpool"]([1, 2], selection=[1, 0], n=(3,), k=2, stride=1),
}


@pytest.mark.parametrize("call", _UNSUPPORTED.values(), ids=_UNSUPPORTED.keys())
def test_unsupported(call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match="PyTorch"):
        call()
