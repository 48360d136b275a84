"""What the matrix of a convolution is: Toeplitz matrices and blocks of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from derive.errors import CannotBe
from derive.expr import Cond, Expr, Integer, between, eq, lift
from derive.form import Form, Term, Value, build, sigma, sigmas, tensor
from derive.operators import correlate, decimate, permute, zero_insert
from derive.shapes import conv_length
from derive.symbols import offset, sizes
from derive.theorems.model import Equal, Part, Source, Step, Theorem, Twin, theorem

GUIDE = Source(
    "Dumoulin & Visin: A guide to convolution arithmetic for deep learning",
    "https://arxiv.org/abs/1603.07285",
)
GRAY = Source(
    "Gray: Toeplitz and Circulant Matrices: A Review",
    "https://ee.stanford.edu/~gray/toeplitz.pdf",
)
TORCH_CONV = Source(
    "PyTorch documentation: torch.nn.Conv2d",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html",
)
XLA_CONV = Source(
    "XLA: operation semantics, Conv (convolution)",
    "https://openxla.org/xla/operation_semantics#conv_convolution",
)
KRONECKER = Source(
    "Van Loan: The ubiquitous Kronecker product",
    "https://doi.org/10.1016/S0377-0427(00)00393-9",
)


def entry(y: Form, wrt: str, row: Sequence[Integer], column: Sequence[Integer]) -> Value:
    """An entry of the matrix of an operator: the coefficient of ``wrt[column]`` in ``y[row]``.

    Args:
        y: an operator, linear in ``wrt``.
        wrt: the tensor that the matrix multiplies.
        row: an output index.
        column: an index of ``wrt``.

    Returns:
        a value in the other tensors that ``y`` reads; zero where ``row`` or ``column`` is outside.

    Raises :class:`derive.errors.CannotBe` where a term does not read ``wrt`` exactly once.

    Source: the definition of the matrix of a linear map.

    >>> from derive.symbols import size
    >>> y = tensor("x", size("n"))
    >>> i, j = sizes("i j")
    >>> [str(c) for c in entry(y, "x", (i,), (j,)).terms[0].where if isinstance(c, type(eq(i, j)))]
    ['i == j']
    """
    found = y[tuple(row)]
    inside = tuple(between(0, lift(a), n) for a, n in zip(column, y.tensor_shape(wrt), strict=True))
    terms: list[Term] = []
    for t in found.terms:
        reads = [r for r in t.reads if r.tensor == wrt]
        if len(reads) != 1:
            raise CannotBe(
                f"the matrix with respect to {wrt!r}: a term reads it {len(reads)} times; "
                "give an operator that is linear in it"
            )
        others = tuple(r for r in t.reads if r is not reads[0])
        same = tuple(eq(a, b) for a, b in zip(reads[0].at, column, strict=True))
        rest = replace(found, terms=(replace(t, reads=others),))
        terms += rest.where(*same, *inside).terms
    tensors = tuple((name, shape) for name, shape in found.tensors if name != wrt)
    return replace(found, terms=tuple(terms), tensors=tensors)


def from_entries(
    shape: Sequence[Integer], x: Form, matrix: Callable[[tuple[Expr, ...], tuple[Expr, ...]], Value]
) -> Form:
    """A matrix times a tensor: ``y[i] = Σ_j A[i, j]·x[j]`` over all positions ``j`` of ``x``.

    Args:
        shape: the output lengths.
        x: the tensor that is multiplied.
        matrix: the entry at an output index and an input index.

    Returns:
        the operator.

    Source: the definition of the matrix of a linear map.

    >>> from derive.symbols import size
    >>> x = tensor("x", size("n"))
    >>> from_entries(x.shape, x, lambda i, j: x[j].where(eq(i[0], j[0]))).shape == x.shape
    True
    """
    return build(shape, lambda *i: sigmas(x.shape, lambda j: matrix(i, j) * x[j]))


@theorem
def toeplitz_1d() -> Theorem:
    """Correlation with stride 1 and no padding is a banded Toeplitz matrix."""
    n, k = sizes("n k")
    fits = n >= k
    x, w, u = tensor("x", n), tensor("w", k), tensor("u", n - 1)
    m = n - k + 1
    y = correlate(x, w)

    banded = from_entries((m,), x, lambda i, j: w[j[0] - i[0]])
    by_taps = from_entries((m,), x, lambda i, j: sigma(k, lambda t: w[t].where(eq(j[0], i[0] + t))))
    down = build(
        (m - 1,), lambda i: sigma(n - 1, lambda j: entry(y, "x", (i + 1,), (j + 1,)) * u[j])
    )
    here = build((m - 1,), lambda i: sigma(n - 1, lambda j: entry(y, "x", (i,), (j,)) * u[j]))
    mirrored = from_entries((m,), x, lambda i, j: w[k - 1 - (j[0] - i[0])])

    return Theorem(
        id="toeplitz-1d",
        family="toeplitz",
        title="Correlation is a banded Toeplitz matrix",
        sentence=(
            "The matrix of a correlation with stride 1 and no padding has the entries "
            "$A[i,j] = w[j-i]$ where $0 \\le j-i < k$ and zeros elsewhere: every row is the kernel, "
            "moved one place to the right, and every diagonal is constant."
        ),
        parts=(
            Part(
                sentence=(
                    "The matrix has $n-k+1$ rows and $n$ columns, and $A[i,j] = w[j-i]$; the kernel "
                    "is zero outside its $k$ taps, so the matrix is banded:"
                ),
                statement=Equal(y, banded),
                hypotheses=(fits,),
                via=(
                    Step("name the position that is read, $j = i+t$, and sum over it", by_taps),
                    Step("there is one tap with $j = i+t$, namely $t = j-i$", banded),
                ),
                instance={"n": 5, "k": 2},
                wrt="x",
            ),
            Part(
                sentence=(
                    "Its diagonals are constant, $A[i+1,j+1] = A[i,j]$: the matrix without its "
                    "first row and column is the matrix without its last row and column:"
                ),
                statement=Equal(down, here),
                hypotheses=(fits,),
                instance={"n": 5, "k": 2},
                wrt="u",
            ),
        ),
        twin=Twin("the band of the flipped kernel", Equal(y, mirrored), (fits,)),
        sources=(GRAY, GUIDE),
    )


def _toeplitz_columns() -> tuple[Part, ...]:
    """The structure along the rows and the columns."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    padding = (p_lo, p_hi)

    x, w = tensor("x", n), tensor("w", k)
    y = correlate(x, w, stride=s, padding=padding, dilation=d)
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)
    padded = tensor("x_padded", n + p_lo + p_hi)
    valid = correlate(padded, w, stride=s, dilation=d)
    down = build(
        (m - 1,), lambda i: sigma(n - s, lambda j: entry(y, "x", (i + 1,), (j + s,)) * x[j])
    )
    here = build((m - 1,), lambda i: sigma(n - s, lambda j: entry(y, "x", (i,), (j,)) * x[j]))
    columns = from_entries((m,), x, lambda i, j: entry(valid, "x_padded", i, (j[0] + p_lo,)))
    return (
        Part(
            sentence=(
                "It is a strided Toeplitz matrix: $A[i+1,j+s] = A[i,j]$ wherever both are "
                "entries (both sides multiply the first $n-s$ values of $x$):"
            ),
            statement=Equal(down, here),
            hypotheses=(fits,),
            instance={"n": 7, "k": 3, "s": 2, "d": 1, "p_lo": 1, "p_hi": 3},
            wrt="x",
        ),
        Part(
            sentence=(
                "Column $j$ is column $j+p_{lo}$ of the matrix of the same correlation without "
                "padding on an input of length $n+p_{lo}+p_{hi}$, and zero if there is none:"
            ),
            statement=Equal(y, columns),
            hypotheses=(fits,),
            instance={"n": 5, "k": 3, "s": 2, "d": 1, "p_lo": 2, "p_hi": -1},
            wrt="x",
        ),
    )


def _toeplitz_base_dilation() -> tuple[Part, ...]:
    """With base dilation."""
    n, k, s, d, e = sizes("n k s d e")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits_e = e * (n - 1) + 1 + p_lo + p_hi >= d * (k - 1) + 1
    padding = (p_lo, p_hi)

    x, w = tensor("x", n), tensor("w", k)
    z = correlate(x, w, stride=s, padding=padding, dilation=d, base_dilation=e)
    by_taps_e = from_entries(
        (conv_length(n, k, s, d, e, p_lo, p_hi),),
        x,
        lambda i, j: sigma(k, lambda t: w[t].where(eq(e * j[0], s * i[0] + d * t - p_lo))),
    )
    spread = tensor("x_spread", e * (n - 1) + 1)
    dense = correlate(spread, w, stride=s, padding=padding, dilation=d)
    kept = from_entries(z.shape, x, lambda i, j: entry(dense, "x_spread", i, (e * j[0],)))
    return (
        Part(
            sentence=(
                "With base dilation $e$ the entries are "
                "$\\sum_t w[t]\\,[\\,e j = s i + d t - p_{lo}\\,]$:"
            ),
            statement=Equal(z, by_taps_e),
            hypotheses=(fits_e,),
            instance={"n": 4, "k": 3, "s": 2, "d": 1, "e": 3, "p_lo": 1, "p_hi": 2},
            wrt="x",
        ),
        Part(
            sentence=(
                "which is every $e$-th column of the matrix for an input of length $e(n-1)+1$:"
            ),
            statement=Equal(z, kept),
            hypotheses=(fits_e,),
            instance={"n": 4, "k": 3, "s": 2, "d": 1, "e": 3, "p_lo": 1, "p_hi": 2},
            wrt="x",
        ),
    )


@theorem
def toeplitz_general() -> Theorem:
    """Stride, dilation and padding, of any sign, as operations on a Toeplitz matrix."""
    n, k, s, d = sizes("n k s d")
    p_lo, p_hi = offset("p_lo"), offset("p_hi")
    fits = n + p_lo + p_hi >= d * (k - 1) + 1
    padding = (p_lo, p_hi)

    x, w = tensor("x", n), tensor("w", k)
    y = correlate(x, w, stride=s, padding=padding, dilation=d)
    m = conv_length(n, k, s, d, 1, p_lo, p_hi)

    by_taps = from_entries(
        (m,),
        x,
        lambda i, j: sigma(k, lambda t: w[t].where(eq(j[0], s * i[0] + d * t - p_lo))),
    )
    rows = decimate(correlate(x, w, padding=padding, dilation=d), s)
    dilated = correlate(x, zero_insert(w, d), stride=s, padding=padding)
    swapped = correlate(x, w, stride=s, padding=(p_hi, p_lo), dilation=d)
    sizes_shown = {"n": 6, "k": 3, "s": 3, "d": 2, "p_lo": 1, "p_hi": 4}

    return Theorem(
        id="toeplitz-general",
        family="toeplitz",
        title="Stride, dilation and padding of the Toeplitz matrix",
        sentence=(
            "With stride $s$, dilation $d$ and padding $(p_{lo}, p_{hi})$ of any sign the entries are "
            "$A[i,j] = \\sum_t w[t]\\,[\\,j = s i + d t - p_{lo}\\,]$. The stride keeps every "
            "$s$-th row of the stride-1 matrix, the dilation is that of the kernel with $d-1$ zeros "
            "between its taps, and padding cuts columns off the matrix of the padded input "
            "(negative padding adds columns of zeros). A base dilation $e$ keeps every $e$-th column."
        ),
        parts=(
            Part(
                sentence="The entries, for every stride, dilation and padding:",
                statement=Equal(y, by_taps),
                hypotheses=(fits,),
                instance=sizes_shown,
                wrt="x",
            ),
            Part(
                sentence="The strided matrix is every $s$-th row of the matrix with stride 1:",
                statement=Equal(y, rows),
                hypotheses=(fits,),
                instance=sizes_shown,
                wrt="x",
            ),
            Part(
                sentence=(
                    "It is the (strided) matrix of the dilated kernel, which has $d(k-1)+1$ taps:"
                ),
                statement=Equal(y, dilated),
                hypotheses=(fits,),
                instance=sizes_shown,
                wrt="x",
            ),
            *_toeplitz_columns(),
            *_toeplitz_base_dilation(),
        ),
        twin=Twin("the padding in front and behind exchanged", Equal(y, swapped), (fits,)),
        sources=(GUIDE, GRAY, XLA_CONV),
    )


def _separable_parts() -> tuple[Part, ...]:
    """For a separable kernel."""
    n, k, s, d, n2, k2, s2, d2 = sizes("n1 k1 s1 d1 n2 k2 s2 d2")
    p_lo, p_hi, q_lo, q_hi = map(offset, ("p_lo1", "p_hi1", "p_lo2", "p_hi2"))
    fits = (
        n + p_lo + p_hi >= d * (k - 1) + 1,
        n2 + q_lo + q_hi >= d2 * (k2 - 1) + 1,
    )
    padding = ((p_lo, p_hi), (q_lo, q_hi))

    x = tensor("x", n, n2)
    u, v = tensor("u", k), tensor("v", k2)
    m, m2 = conv_length(n, k, s, d, 1, p_lo, p_hi), conv_length(n2, k2, s2, d2, 1, q_lo, q_hi)
    outer = build((k, k2), lambda a, b: u[a] * v[b])
    y_outer = correlate(x, outer, stride=(s, s2), padding=padding, dilation=(d, d2))
    along_rows = correlate(x, v, stride=s2, padding=(q_lo, q_hi), dilation=d2)
    one_by_one = permute(
        correlate(permute(along_rows, (1, 0)), u, stride=s, padding=(p_lo, p_hi), dilation=d),
        (1, 0),
    )
    col = correlate(tensor("x_col", n), u, stride=s, padding=(p_lo, p_hi), dilation=d)
    row = correlate(tensor("x_row", n2), v, stride=s2, padding=(q_lo, q_hi), dilation=d2)
    kronecker = from_entries(
        (m, m2),
        x,
        lambda i, j: entry(col, "x_col", (i[0],), (j[0],)) * entry(row, "x_row", (i[1],), (j[1],)),
    )
    shown_general = {
        "n1": 3, "k1": 2, "s1": 2, "d1": 1, "p_lo1": 1, "p_hi1": 0,
        "n2": 4, "k2": 3, "s2": 1, "d2": 2, "p_lo2": 0, "p_hi2": 2,
    }  # fmt: skip
    return (
        Part(
            sentence=(
                "For a separable kernel $w[t,t'] = u[t]\\,v[t']$ the matrix is the Kronecker "
                "product of the matrices of the axes, "
                "$A[(i,i'),(j,j')] = A_u[i,j]\\,A_v[i',j']$:"
            ),
            statement=Equal(y_outer, kronecker),
            hypotheses=fits,
            instance=shown_general,
            wrt="x",
        ),
        Part(
            sentence=(
                "so that the two axes may be correlated one after the other "
                "($A_u \\otimes A_v = (A_u \\otimes I)(I \\otimes A_v)$):"
            ),
            statement=Equal(y_outer, one_by_one),
            hypotheses=fits,
            instance=shown_general,
            wrt="x",
        ),
    )


@theorem
def toeplitz_2d() -> Theorem:
    """Two (and three) axes: Toeplitz blocks in a Toeplitz arrangement; Kronecker products."""
    n, k, s, d, n2, k2, s2, d2 = sizes("n1 k1 s1 d1 n2 k2 s2 d2")
    p_lo, p_hi, q_lo, q_hi = map(offset, ("p_lo1", "p_hi1", "p_lo2", "p_hi2"))
    plain = (n >= k, n2 >= k2)
    fits = (
        n + p_lo + p_hi >= d * (k - 1) + 1,
        n2 + q_lo + q_hi >= d2 * (k2 - 1) + 1,
    )
    padding = ((p_lo, p_hi), (q_lo, q_hi))

    x, w = tensor("x", n, n2), tensor("w", k, k2)
    simple = correlate(x, w)
    y = correlate(x, w, stride=(s, s2), padding=padding, dilation=(d, d2))
    m, m2 = conv_length(n, k, s, d, 1, p_lo, p_hi), conv_length(n2, k2, s2, d2, 1, q_lo, q_hi)

    blocks = from_entries((n - k + 1, n2 - k2 + 1), x, lambda i, j: w[j[0] - i[0], j[1] - i[1]])
    by_taps = from_entries(
        (m, m2),
        x,
        lambda i, j: sigmas(
            (k, k2),
            lambda t: w[t].where(
                eq(j[0], s * i[0] + d * t[0] - p_lo), eq(j[1], s2 * i[1] + d2 * t[1] - q_lo)
            ),
        ),
    )
    transposed = from_entries((n - k + 1, n2 - k2 + 1), x, lambda i, j: w[j[1] - i[1], j[0] - i[0]])
    shown = {"n1": 4, "k1": 3, "n2": 5, "k2": 2}
    shown_general = {
        "n1": 3, "k1": 2, "s1": 2, "d1": 1, "p_lo1": 1, "p_hi1": 0,
        "n2": 4, "k2": 3, "s2": 1, "d2": 2, "p_lo2": 0, "p_hi2": 2,
    }  # fmt: skip

    return Theorem(
        id="toeplitz-2d",
        family="toeplitz",
        title="Two axes: a doubly block Toeplitz matrix",
        sentence=(
            "In two dimensions the entry in row $(i,i')$ and column $(j,j')$ of the matrix of a "
            "correlation with stride 1 and no padding is $w[j-i, j'-i']$. With rows and columns in "
            "row-major order the matrix consists of blocks; the block $(i,j)$ is the Toeplitz "
            "matrix of the kernel row $w[j-i,\\cdot]$ and depends on $j-i$ alone: it is doubly block "
            "Toeplitz. For a separable kernel it is a Kronecker product."
        ),
        parts=(
            Part(
                sentence="The entries are $A[(i,i'),(j,j')] = w[j-i, j'-i']$:",
                statement=Equal(simple, blocks),
                hypotheses=plain,
                instance=shown,
                wrt="x",
            ),
            *_block_parts(simple, x, w, plain, shown),
            Part(
                sentence=(
                    "With stride, dilation and padding of their own on each axis the entries are "
                    "$\\sum_{t,t'} w[t,t']\\,[\\,j = s_1 i + d_1 t - p_{lo1}\\,]"
                    "[\\,j' = s_2 i' + d_2 t' - p_{lo2}\\,]$, one condition for each axis:"
                ),
                statement=Equal(y, by_taps),
                hypotheses=fits,
                instance=shown_general,
                wrt="x",
            ),
            *_separable_parts(),
            _three_axes(),
        ),
        twin=Twin("the two kernel axes exchanged", Equal(simple, transposed), plain),
        sources=(GRAY, KRONECKER, GUIDE),
    )


def _block_parts(
    y: Form, x: Form, w: Form, fits: tuple[Cond, ...], shown: dict[str, int]
) -> tuple[Part, ...]:
    """Row-major order: the flat matrix, and the two Toeplitz structures."""
    (n, n2), (m, m2) = x.shape, y.shape
    flat = tensor("x_flat", n * n2)
    unfolded = build((n, n2), lambda a, b: flat[n2 * a + b])
    stacked = build((m * m2,), lambda i: correlate(unfolded, w)[i // m2, i % m2])
    in_blocks = build(
        (m * m2,),
        lambda i: sigmas(
            (n, n2), lambda j: w[j[0] - i // m2, j[1] - i % m2] * flat[n2 * j[0] + j[1]]
        ),
    )

    def moved(a: int, b: int) -> Form:
        return build(
            (m - 1, m2 - 1),
            lambda i, i2: sigmas(
                (n - 1, n2 - 1),
                lambda j: entry(y, "x", (i + a, i2 + b), (j[0] + a, j[1] + b)) * x[j],
            ),
        )

    return (
        Part(
            sentence=(
                "Written flat, row $i m_2 + i'$ and column $j n_2 + j'$, $m_2 = n_2-k_2+1$: a matrix of "
                "blocks, in which the block $(i,j)$ is the Toeplitz matrix of the kernel row "
                "$w[j-i,\\cdot]$:"
            ),
            statement=Equal(stacked, in_blocks),
            hypotheses=fits,
            instance=shown,
            wrt="x_flat",
        ),
        Part(
            sentence=(
                "The blocks are in a Toeplitz arrangement, "
                "$A[(i+1,i'),(j+1,j')] = A[(i,i'),(j,j')]$:"
            ),
            statement=Equal(moved(1, 0), moved(0, 0)),
            hypotheses=fits,
            instance=shown,
            wrt="x",
        ),
        Part(
            sentence=(
                "and each block is a Toeplitz matrix, $A[(i,i'+1),(j,j'+1)] = A[(i,i'),(j,j')]$:"
            ),
            statement=Equal(moved(0, 1), moved(0, 0)),
            hypotheses=fits,
            instance=shown,
            wrt="x",
        ),
    )


def _three_axes() -> Part:
    n, k, s, d = (sizes(f"{a}1 {a}2 {a}3") for a in "nksd")
    lo, hi = (tuple(offset(f"{p}{a}") for a in (1, 2, 3)) for p in ("p_lo", "p_hi"))
    axes = range(3)
    x, w = tensor("x", *n), tensor("w", *k)
    y = correlate(x, w, stride=s, padding=tuple(zip(lo, hi, strict=True)), dilation=d)
    by_taps = from_entries(
        tuple(conv_length(n[a], k[a], s[a], d[a], 1, lo[a], hi[a]) for a in axes),
        x,
        lambda i, j: sigmas(
            k, lambda t: w[t].where(*(eq(j[a], s[a] * i[a] + d[a] * t[a] - lo[a]) for a in axes))
        ),
    )
    return Part(
        sentence=(
            "In three dimensions likewise, one condition for each axis, and so on for more: the index "
            "relation of an $N$-dimensional correlation is the product of those of its axes:"
        ),
        statement=Equal(y, by_taps),
        hypotheses=tuple(n[a] + lo[a] + hi[a] >= d[a] * (k[a] - 1) + 1 for a in axes),
        instance={
            "n1": 2, "k1": 2, "s1": 1, "d1": 1, "p_lo1": 1, "p_hi1": 0,
            "n2": 3, "k2": 2, "s2": 2, "d2": 1, "p_lo2": 0, "p_hi2": 1,
            "n3": 4, "k3": 2, "s3": 1, "d3": 3, "p_lo3": 0, "p_hi3": 0,
        },
        wrt="x",
    )  # fmt: skip
