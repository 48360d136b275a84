"""Sources and small forms that the theorems about gradients share."""

from __future__ import annotations

from dataclasses import dataclass

from derive.expr import Cond, Expr, eq
from derive.form import Form, Value, build, constant, sigmas, vjp
from derive.shapes import conv_length, conv_remainder
from derive.symbols import offset, size
from derive.theorems.model import Source

GUIDE = Source(
    "Dumoulin & Visin: A guide to convolution arithmetic for deep learning",
    "https://arxiv.org/abs/1603.07285",
)
MATRIX_CALCULUS = Source(
    "Parr & Howard: The Matrix Calculus You Need For Deep Learning",
    "https://arxiv.org/abs/1802.01528",
)
AUTODIFF = Source(
    "Baydin, Pearlmutter, Radul & Siskind: Automatic differentiation in machine learning: a survey",
    "https://arxiv.org/abs/1502.05767",
)
TORCH_CONV = Source(
    "PyTorch documentation: torch.nn.Conv2d",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html",
)
TORCH_CONV_TRANSPOSE = Source(
    "PyTorch documentation: torch.nn.ConvTranspose2d",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html",
)
TORCH_PAD = Source(
    "PyTorch documentation: torch.nn.functional.pad",
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html",
)
TF_SAME = Source(
    "TensorFlow documentation: tf.nn, notes on padding",
    "https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2",
)
TOEPLITZ = Source(
    "Gray: Toeplitz and Circulant Matrices: A Review",
    "https://ee.stanford.edu/~gray/toeplitz.pdf",
)
POLYPHASE = Source(
    "Vaidyanathan: Multirate digital filters, filter banks, polyphase networks, and applications: "
    "a tutorial (Proceedings of the IEEE 78, 1990)",
    "https://doi.org/10.1109/5.52200",
)


def inner(a: Form, b: Form) -> Form:
    """The inner product ``⟨a, b⟩`` of two forms of the same shape: a form without axes.

    Args:
        a: the first form.
        b: the second form, of the same shape.

    Returns:
        the sum over all positions of the product of the two values.

    Source: the definition.

    >>> from derive.symbols import size
    >>> from derive.form import tensor
    >>> inner(tensor("g", size("n")), tensor("x", size("n"))).shape
    ()
    """
    return build((), lambda: sigmas(a.shape, lambda i: a[i] * b[i]))


def gradient(scalar: Form, wrt: str) -> Form:
    """The gradient of a form without axes: its VJP with the cotangent 1.

    Args:
        scalar: a form without axes, linear in ``wrt``.
        wrt: the tensor to differentiate with respect to.

    Returns:
        a form of the shape of ``wrt``.

    Raises:
        derive.errors.CannotBe: where a term reads ``wrt`` twice.

    Source: the definition.

    >>> from derive.symbols import size
    >>> from derive.form import tensor
    >>> n = size("n")
    >>> str(gradient(inner(tensor("g", n), tensor("x", n)), "x").shape[0])
    'n'
    """
    return vjp(scalar, wrt, build((), lambda: constant(1)))


def apply_matrix(a: Form, x: Form) -> Form:
    """The matrix-vector product ``y[i] = Σ_j A[i, j]·x[j]``, with several axes ``i`` and ``j`` too.

    Args:
        a: a form of shape ``(*m, *n)``.
        x: a form of shape ``n``.

    Returns:
        a form of shape ``m``.

    Source: the definition.

    >>> from derive.symbols import sizes
    >>> from derive.form import tensor
    >>> m, n = sizes("m n")
    >>> str(apply_matrix(tensor("A", m, n), tensor("x", n)).shape[0])
    'm'
    """
    rows = a.shape[: a.rank - x.rank]
    return build(rows, lambda *i: sigmas(x.shape, lambda j: a[(*i, *j)] * x[j]))


def transposed(a: Form) -> Form:
    """The transpose of a matrix of shape ``(*m, *n)`` with as many axes ``m`` as ``n``.

    Args:
        a: a form with an even number of axes.

    Returns:
        a form of shape ``(*n, *m)``.

    Source: the definition.

    >>> from derive.symbols import sizes
    >>> from derive.form import tensor
    >>> m, n = sizes("m n")
    >>> [str(e) for e in transposed(tensor("A", m, n)).shape]
    ['n', 'm']
    """
    half = a.rank // 2
    return build((*a.shape[half:], *a.shape[:half]), lambda *ji: a[(*ji[half:], *ji[:half])])


@dataclass(frozen=True)
class Axis:
    """The parameters of a correlation along one axis: ``e·j = s·i + d·t - p_lo``."""

    n: Expr
    k: Expr
    s: Expr
    d: Expr
    e: Expr
    p_lo: Expr
    p_hi: Expr

    @property
    def fits(self) -> Cond:
        """The padded input is at least as long as the dilated kernel."""
        return self.e * (self.n - 1) + self.p_lo + self.p_hi >= self.reach

    @property
    def reach(self) -> Expr:
        """The distance from the first to the last tap, ``d(k - 1)``."""
        return self.d * (self.k - 1)

    @property
    def m(self) -> Expr:
        """The output length."""
        length: Expr = conv_length(self.n, self.k, self.s, self.d, self.e, self.p_lo, self.p_hi)
        return length

    @property
    def r(self) -> Expr:
        """The number of trailing positions that no window reaches."""
        rest: Expr = conv_remainder(self.n, self.k, self.s, self.d, self.e, self.p_lo, self.p_hi)
        return rest

    @property
    def padding(self) -> tuple[Expr, Expr]:
        """The padding of the correlation."""
        return self.p_lo, self.p_hi

    @property
    def back(self) -> tuple[Expr, Expr]:
        """The padding of its input gradient, ``(d(k-1) - p_lo, d(k-1) - p_hi + r)``."""
        return self.reach - self.p_lo, self.reach - self.p_hi + self.r

    def meets(self, i: Expr, t: Expr, j: Expr) -> Cond:
        """Output ``i`` reads input ``j`` through tap ``t``."""
        return eq(self.e * j, self.s * i + self.d * t - self.p_lo)


def axis(suffix: str = "") -> Axis:
    """An axis with all its parameters symbolic; ``suffix`` numbers the axes.

    Args:
        suffix: appended to every symbol.

    Returns:
        the axis; lengths, stride and dilations are at least 1, paddings are any integers.

    Source: Dumoulin & Visin 2016, with base dilation.

    >>> print(axis("1").fits)
    e1*(n1 - 1) + p_hi1 + p_lo1 >= d1*(k1 - 1)
    """
    n, k, s, d, e = (size(name + suffix) for name in ("n", "k", "s", "d", "e"))
    return Axis(n, k, s, d, e, offset("p_lo" + suffix), offset("p_hi" + suffix))


def toeplitz(w: Form, *axes: Axis) -> Form:
    """The matrix of a correlation, ``A[i, j] = Σ_t w[t]·[e·j = s·i + d·t - p_lo]``.

    Args:
        w: the kernel, with one spatial axis for each of ``axes``.
        axes: the parameters along each axis.

    Returns:
        a form of shape ``(*m, *n)`` that reads the kernel.

    Source: Gray, Toeplitz and Circulant Matrices; the index equation of a correlation.

    >>> from derive.form import tensor
    >>> a = axis()
    >>> toeplitz(tensor("w", a.k), a).rank
    2
    """
    count = len(axes)

    def entry(*ij: Expr) -> Value:
        def tap(t: tuple[Expr, ...]) -> Value:
            parts = zip(axes, ij[:count], t, ij[count:], strict=True)
            return w[t].where(*(a.meets(i, u, j) for a, i, u, j in parts))

        return sigmas([a.k for a in axes], tap)

    return build((*(a.m for a in axes), *(a.n for a in axes)), entry)
