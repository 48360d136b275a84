"""What a matrix is: structures rebuild it, give the kernel back, and are not seen elsewhere."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from derive.errors import CannotBe
from derive.form import Form, tensor
from derive.matrix import Entry, Matrix, entry, identity, kronecker, matrix, same
from derive.operators import (
    OPERATORS,
    Operator,
    avg_pool,
    correlate,
    flip,
    max_pool,
    nearest_upsample,
    pad,
)
from derive.recognise import (
    banded,
    block_diagonal,
    circulant,
    describe,
    diagonal_blocks,
    is_toeplitz,
    rebuild,
    recognise,
    reshaped,
    toeplitz,
    toeplitz_text,
)
from derive.structures import (
    Banded,
    BlockDiagonal,
    BlockToeplitz,
    Circulant,
    Diagonal,
    Identity,
    IdentityKronecker,
    Level,
    Permutation,
    Selection,
    Structure,
    Toeplitz,
    Zero,
)


def letter(name: str, *at: int) -> Entry:
    return entry({((name, at),): Fraction(1)})


def number(value: int) -> Entry:
    return entry({(): Fraction(value)})


def of_rows(*rows: list[int]) -> Matrix:
    cells = {(i, j): number(v) for i, row in enumerate(rows) for j, v in enumerate(row) if v}
    return Matrix((len(rows),), (len(rows[0]),), cells)


def changed(a: Matrix, at: tuple[int, int]) -> Matrix:
    cells = dict(a.entries)
    cells[at] = letter("q", 9)
    return Matrix(a.row_shape, a.column_shape, {k: cells[k] for k in sorted(cells)}, a.operand)


def kinds(a: Matrix) -> set[type]:
    return {type(s) for s in recognise(a)}


def sample_form(op: Operator, sample: dict[str, Any]) -> Form:
    return op.build(**{k: tensor(k, *v) if k in op.tensors else v for k, v in sample.items()})


SAMPLES = [
    pytest.param(op, sample, id=f"{name}-{i}")
    for name, op in sorted(OPERATORS.items())
    for i, sample in enumerate(op.samples)
    if op.tensors
]


@pytest.mark.parametrize(("op", "sample"), SAMPLES)
def test_every_structure_of_every_operator_rebuilds_the_matrix(
    op: Operator, sample: dict[str, object]
) -> None:
    form = sample_form(op, sample)
    for wrt, _ in form.tensors:
        a = matrix(form, wrt, {})
        for s in recognise(a):
            assert describe(s)
            if not isinstance(s, Banded):
                assert same(rebuild(s), a), s


@pytest.mark.parametrize("seed", range(60))
def test_strided_toeplitz_gives_its_parameters_back(seed: int) -> None:
    rng = random.Random(seed)
    k, s, d, lo, hi = (rng.randint(*r) for r in ((2, 4), (1, 4), (1, 3), (-1, 2), (-1, 2)))
    n = d * (k - 1) + 1 + 3 * s + rng.randint(0, 3) - min(lo, 0) - min(hi, 0)
    form = correlate(tensor("x", n), tensor("w", k), stride=s, padding=(lo, hi), dilation=d)
    a = matrix(form, "x", {})
    found = toeplitz(a)
    assert found is not None
    m = a.shape[0]
    taps = tuple(((t,), letter("w", t)) for t in range(k))
    assert found == Toeplitz((Level(m, n, s, 1, d, -lo, k),), taps)
    assert same(rebuild(found), a)
    # the transpose has the steps exchanged
    back = toeplitz(a.transpose())
    assert back is not None and (back.levels[0].stride, back.levels[0].step) == (1, s)
    assert same(rebuild(back), a.transpose())
    # near miss: an entry with a neighbour one step on
    i, j = rng.choice([(i, j) for i, j in a.entries if i + 1 < m and j + s < n])
    near = changed(a, (i, j))
    other = toeplitz(near)
    assert other is None or (other != found and same(rebuild(other), near))
    assert other is None or (other.levels[0].stride, other.levels[0].step) != (s, 1)


def test_base_dilation_is_a_step_beside_the_stride() -> None:
    form = correlate(tensor("x", 6), tensor("w", 3), stride=3, padding=(2, 1), base_dilation=2)
    found = toeplitz(matrix(form, "x", {}))
    assert found is not None
    assert found.levels == (Level(4, 6, 3, 2, 1, -2, 3),)
    assert found.name == "strided and zero-inserted Toeplitz"


@pytest.mark.parametrize("seed", range(20))
def test_doubly_block_toeplitz_gives_its_kernel_back(seed: int) -> None:
    rng = random.Random(seed)
    s, p = (rng.randint(1, 2), rng.randint(1, 3)), (rng.randint(0, 1), rng.randint(0, 2))
    n = (2 + 2 * s[0] + rng.randint(0, 1), 3 + 2 * s[1] + rng.randint(0, 1))
    x, w = tensor("x", *n), tensor("w", 2, 3)
    a = matrix(correlate(x, w, stride=s, padding=((p[0], 1), (p[1], 0))), "x", {})
    found = toeplitz(a)
    assert found is not None
    assert found.taps == tuple(letter("w", u, v) for u in range(2) for v in range(3))
    assert [(x.stride, x.step, x.offset) for x in found.levels] == [
        (s[0], 1, -p[0]),
        (s[1], 1, -p[1]),
    ]
    assert "doubly block Toeplitz" in found.name
    assert same(rebuild(found), a)
    inner = [
        (i, j)
        for i, j in a.entries
        if all(
            v + 1 < m and u + t < length
            for v, m, u, t, length in zip(
                a.row_label(i), a.row_shape, a.column_label(j), s, n, strict=True
            )
        )
    ]
    near = toeplitz(changed(a, rng.choice(inner)))
    assert near is None or [(x.stride, x.step) for x in near.levels] != [(v, 1) for v in s]


def test_three_levels() -> None:
    a = matrix(correlate(tensor("x", 3, 4, 3), tensor("w", 2, 3, 2), padding=(1, 0)), "x", {})
    found = toeplitz(a)
    assert found is not None and found.name == "3-level block Toeplitz"
    assert len(found.kernel) == 12 and same(rebuild(found), a)
    # as a flat matrix it is not Toeplitz
    assert not is_toeplitz(a)
    assert toeplitz(reshaped(a, (a.shape[0],), (a.shape[1],))) is None


def test_28_by_28_is_recognised() -> None:
    a = matrix(correlate(tensor("x", 28, 28), tensor("w", 3, 3)), "x", {})
    found = toeplitz(a)
    assert found is not None and found.taps[5] == letter("w", 1, 2)
    assert toeplitz_text(found) == (
        "A[i0, i1, j0, j1] = w_{t0,t1} where j0 = i0 + t0, 0 <= t0 < 3; j1 = i1 + t1, 0 <= t1 < 3"
    )


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4)])
def test_circulant(shape: tuple[int, ...]) -> None:
    x, w = tensor("x", *shape), tensor("w", *(2 for _ in shape))
    a = matrix(correlate(pad(x, (0, 1), mode="circular"), w), "x", {})
    found = circulant(a)
    assert found is not None and found.lengths == shape
    assert dict(found.kernel)[(1,) * len(shape)] == letter("w", *(1 for _ in shape))
    assert same(rebuild(found), a)
    for at in list(a.entries)[:3]:
        assert circulant(changed(a, at)) is None
    zero_padded = matrix(correlate(pad(x, (0, 1)), w), "x", {})
    assert circulant(zero_padded) is None


def test_channels_groups_and_batch() -> None:
    x, w = tensor("x", 4, 5), tensor("w", 6, 2, 3)
    a = matrix(correlate(x, w, groups=2, dims=1, stride=2), "x", {})
    found = {type(s): s for s in recognise(a)}
    blocks = found[BlockToeplitz]
    assert isinstance(blocks, BlockToeplitz) and blocks.size == (2, 5)
    assert blocks.blocks[0][2] is None and blocks.blocks[3][0] is None
    first = blocks.blocks[4][3]
    assert first is not None and first.taps == tuple(letter("w", 4, 1, t) for t in range(3))
    diagonal_found = found[BlockDiagonal]
    assert isinstance(diagonal_found, BlockDiagonal) and len(diagonal_found.blocks) == 2
    batch = matrix(correlate(tensor("x", 3, 5), tensor("w", 2)), "x", {})
    kron = next(s for s in recognise(batch) if isinstance(s, IdentityKronecker))
    assert kron.copies == 3
    assert same(kron.block, matrix(correlate(tensor("x", 5), tensor("w", 2)), "x", {}))


def test_selections_and_permutations() -> None:
    flipped = matrix(flip(tensor("x", 4)), "x", {})
    assert {Permutation, Selection} <= kinds(flipped)
    assert Permutation((3, 2, 1, 0)) in recognise(flipped)
    nearest = matrix(nearest_upsample(tensor("x", 2), 3), "x", {})
    assert Selection((0, 0, 0, 1, 1, 1), 2) in recognise(nearest)
    pool = max_pool(tensor("x", 8), 3, 2, selection="choice")
    a = matrix(pool, "x", {"choice": lambda i: (i + 2) % 3})
    assert Selection((2, 2, 5), 8) in recognise(a)
    assert Selection not in kinds(changed(a, (1, 2)))
    assert Permutation not in kinds(nearest)


def test_identity_and_diagonal() -> None:
    a = matrix(avg_pool(tensor("x", 3), 1), "x", {})
    assert Identity(3) in recognise(a)
    diagonal = of_rows([2, 0, 0], [0, 0, 0], [0, 0, 5])
    assert Diagonal((number(2), (), number(5))) in recognise(diagonal)
    assert Identity not in kinds(diagonal) and Toeplitz not in kinds(diagonal)
    assert kinds(of_rows([2, 0], [1, 5])) == {Banded}


def test_band() -> None:
    a = of_rows([1, 2, 0, 0], [3, 4, 5, 0], [0, 6, 7, 8])
    assert banded(a) == Banded(1, 1)
    assert banded(of_rows([1, 2], [3, 4])) is None
    assert banded(of_rows([0, 0, 3], [0, 0, 0])) == Banded(0, 2)
    with pytest.raises(CannotBe, match="a band does not say"):
        rebuild(Banded(1, 1))


def test_block_diagonal_partitions() -> None:
    a = of_rows([1, 2, 0, 0, 0], [3, 4, 0, 0, 0], [0, 0, 5, 6, 7])
    found = block_diagonal(a)
    assert found is not None
    assert [b.shape for b in found.blocks] == [(2, 2), (1, 3)]
    assert same(rebuild(found), a)
    assert block_diagonal(changed(a, (0, 4))) is None
    assert diagonal_blocks(identity(6), 3) is not None and diagonal_blocks(identity(6), 4) is None
    inner = of_rows([1, 2, 3], [4, 0, 6])
    repeated = kronecker(identity(4), inner)
    assert IdentityKronecker(4, inner) in recognise(repeated)
    assert IdentityKronecker not in kinds(changed(repeated, (0, 0)))
    # a column of zeros belongs to some block, so that no block is empty
    gap = of_rows([1, 0, 0], [2, 0, 0], [0, 0, 3])
    cut = block_diagonal(gap)
    assert cut is not None and same(rebuild(cut), gap)


def test_small_matrices_are_everything_that_their_definitions_say() -> None:
    one = of_rows([7])
    assert kinds(one) == {Diagonal, Toeplitz, Circulant}
    assert recognise(Matrix((2,), (3,), {})) == (Zero((2, 3)),)
    assert same(rebuild(Zero((2, 3))), Matrix((2,), (3,), {}))
    # one row is Toeplitz by definition; a stride is only said where the entries show it
    assert kinds(of_rows([1, 0, 2])) == {Toeplitz}
    assert toeplitz(of_rows([1, 2, 0, 0], [0, 0, 0, 3])) is None
    shown = toeplitz(of_rows([1, 2, 0, 0], [0, 0, 1, 2]))
    assert shown is not None and shown.levels[0].stride == 2


@pytest.mark.parametrize("seed", range(30))
def test_random_matrices_have_no_false_structure(seed: int) -> None:
    rng = random.Random(seed)
    m, n = rng.randint(1, 4), rng.randint(1, 4)
    a = of_rows(*([rng.choice([0, 0, 1, 2]) for _ in range(n)] for _ in range(m)))
    found: tuple[Structure, ...] = recognise(a)
    for s in found:
        if not isinstance(s, Banded):
            assert same(rebuild(s), a), (s, a.entries)
    by_hand = all(a[i, j] == a[i + 1, j + 1] for i in range(m - 1) for j in range(n - 1))
    assert is_toeplitz(a) == by_hand
    if m == n:
        turned = all(a[i, j] == a[(i + 1) % n, (j + 1) % n] for i in range(n) for j in range(n))
        assert (circulant(a) is not None) == turned
