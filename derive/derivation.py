"""The derivation that a person would write, done by SymPy at one small size.

The pairing ``⟨g, A x⟩`` is written out with a symbol for every element, SymPy differentiates it by
every ``x[j]``, and the gradient that comes out is compared with the operator that is claimed to
compute it: as polynomials, by expanding, never by ``simplify``.  This is *instance* evidence; for
all sizes see :mod:`derive.decide`.

>>> from derive.form import tensor
>>> from derive.operators import conv_transpose, correlate
>>> x, w, g = tensor("x", 4), tensor("w", 2), tensor("g", 3)
>>> d = derive_gradient(correlate(x, w), "x", conv_transpose(g, w), {})
>>> d.agrees, d.gradient[1]
(True, g_0*w_1 + g_1*w_0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from derive.errors import CannotBe
from derive.form import Form
from derive.matrix import Matrix, element_latex, element_symbol, matrix, same, to_latex
from derive.recognise import Structure, recognise
from derive.table import Sizes, coefficients, concrete, shape_at

if TYPE_CHECKING:
    import sympy

LINES = 4  # derivatives, and groups of the pairing, that are shown
TERMS = 6  # terms of one sum that are shown


@dataclass(frozen=True)
class Derivation:
    """A gradient that SymPy found, beside the operator that is claimed to compute it.

    ``outputs`` are the elements of ``A x``, ``pairing`` is their sum weighted with ``g``, and
    ``gradient`` its derivative by each element of the operand, expanded.  ``read_off`` is the
    matrix of the coefficients of ``g`` in the gradient, ``operator`` is ``A``, ``claimed`` the
    matrix of the claimed operator (which acts on ``g``).  ``agrees`` says that the claimed
    operator gives exactly that gradient, in the shape of the operand.
    """

    operand: str
    cotangent: str
    outputs: tuple[sympy.Expr, ...]
    pairing: sympy.Expr
    gradient: tuple[sympy.Expr, ...]
    read_off: sympy.SparseMatrix
    operator: Matrix
    claimed: Matrix
    agrees: bool
    structures: tuple[Structure, ...]

    @property
    def transposed(self) -> Matrix:
        """The transpose of ``A``."""
        return self.operator.transpose()


@dataclass(frozen=True)
class MatrixComparison:
    """Two operators as matrices; ``difference`` is the first entry at which they differ.

    Where the shapes differ the matrices do not agree and ``difference`` is None.
    """

    left: Matrix
    right: Matrix
    agrees: bool
    difference: tuple[int, int] | None
    structures: tuple[Structure, ...]


def derive_gradient(
    form: Form, wrt: str, claimed: Form, sizes: Sizes | None = None, cotangent: str = "g"
) -> Derivation:
    """Differentiate ``⟨g, form⟩`` by every element of ``wrt`` and compare with ``claimed``.

    ``claimed`` is a form in ``cotangent`` (and the other tensors) that is said to be the gradient.

    Raises :class:`derive.errors.CannotBe` when ``form`` is not linear in ``wrt`` or reads a tensor
    of the cotangent's name.
    """
    import sympy

    given: Sizes = sizes or {}
    if any(name == cotangent for name, _ in form.tensors):
        raise CannotBe(
            f"pairing with {cotangent!r}: the operator reads a tensor of that name itself; "
            "give the incoming gradient another name"
        )
    operator = matrix(form, wrt, given)
    acting = matrix(claimed, cotangent, given)
    outputs = output_expressions(form, given)
    g = elements(cotangent, shape_at(form, given))
    x = elements(wrt, tuple(concrete(n, given) for n in form.tensor_shape(wrt)))
    pairing = sympy.Add(*(a * y for a, y in zip(g, outputs, strict=True)))
    gradient = tuple(sympy.expand(sympy.diff(pairing, v)) for v in x)
    read_off = _read_off(gradient, g)
    if operator.transpose().sympy() != read_off:
        raise AssertionError("the matrix and SymPy's derivative of the pairing disagree")
    fits = acting.row_shape == operator.column_shape and acting.column_shape == operator.row_shape
    agrees = fits and _gives(acting, g, gradient)
    return Derivation(
        wrt,
        cotangent,
        outputs,
        pairing,
        gradient,
        read_off,
        operator,
        acting,
        agrees,
        recognise(acting),
    )


def _read_off(gradient: Sequence[sympy.Expr], g: Sequence[sympy.Symbol]) -> sympy.SparseMatrix:
    """The coefficient of each ``g[i]`` in each derivative (which is linear in g)."""
    import sympy

    found: dict[tuple[int, int], Any] = {}
    for j, derivative in enumerate(gradient):
        spoken = derivative.free_symbols
        for i, v in enumerate(g):
            if v in spoken:
                found[j, i] = sympy.expand(sympy.diff(derivative, v))
    return sympy.SparseMatrix(len(gradient), len(g), found)


def _gives(acting: Matrix, g: Sequence[sympy.Symbol], gradient: Sequence[sympy.Expr]) -> bool:
    """Is the matrix times ``g`` the gradient?  Polynomials are equal iff they expand alike."""
    import sympy

    image = acting.sympy() * sympy.Matrix(list(g)) if g else sympy.zeros(len(gradient), 1)
    return all(sympy.expand(image[j] - v) == 0 for j, v in enumerate(gradient))


def elements(name: str, shape: tuple[int, ...]) -> tuple[sympy.Symbol, ...]:
    """The SymPy symbols for all elements of a tensor, row-major."""
    return tuple(element_symbol((name, at)) for at in product(*map(range, shape)))


def output_expressions(form: Form, sizes: Sizes | None = None) -> tuple[sympy.Expr, ...]:
    """Every output of a form as a polynomial in the elements of its tensors, row-major.

    >>> from derive.form import tensor
    >>> from derive.operators import correlate
    >>> output_expressions(correlate(tensor("x", 3), tensor("w", 2)))
    (w_0*x_0 + w_1*x_1, w_0*x_1 + w_1*x_2)
    """
    import sympy

    given: Sizes = sizes or {}
    parts: dict[tuple[int, ...], list[Any]] = {}
    for (output, reads), c in coefficients(form, given).items():
        number = sympy.Rational(c.numerator, c.denominator)
        parts.setdefault(output, []).append(sympy.Mul(number, *map(element_symbol, reads)))
    places = product(*map(range, shape_at(form, given)))
    return tuple(sympy.Add(*parts.get(at, [])) for at in places)


def compare_matrices(
    left: Form, right: Form, wrt: str, sizes: Sizes | None = None
) -> MatrixComparison:
    """Both forms as matrices that act on ``wrt``, compared entry by entry.

    >>> from derive.form import tensor
    >>> from derive.operators import flip, shift
    >>> x = tensor("x", 3)
    >>> compare_matrices(flip(x), shift(x, 1), "x").difference
    (0, 2)
    """
    a, b = matrix(left, wrt, sizes), matrix(right, wrt, sizes)
    shapes = (a.row_shape, a.column_shape) == (b.row_shape, b.column_shape)
    differ = sorted(
        at for at in a.entries.keys() | b.entries.keys() if a.entries.get(at) != b.entries.get(at)
    )
    first = differ[0] if shapes and differ else None
    return MatrixComparison(a, b, shapes and same(a, b), first, recognise(a))


def instance_evidence(
    left: Form, right: Form, wrt: str, sizes: Sizes | None = None
) -> Derivation | MatrixComparison:
    """The evidence at one size for ``left == right``.

    Where the left side is a gradient (a VJP of a plain tensor ``g``) that the right side computes
    from ``g``, it is derived with :func:`derive_gradient`; otherwise both sides are compared as
    matrices that act on ``wrt``.
    """
    call = left.call
    if call is not None and call.operator == "vjp" and len(call.operands) == 2:
        form, incoming = call.operands
        named = incoming.call
        operand = dict(call.parameters).get("wrt")
        if named is not None and named.operator == "tensor" and isinstance(operand, str):
            name = str(dict(named.parameters)["name"])
            if any(t == name for t, _ in right.tensors):
                return derive_gradient(form, operand, right, sizes, name)
    return compare_matrices(left, right, wrt, sizes)


# -- in LaTeX -------------------------------------------------------------------------------------


def sum_latex(e: sympy.Expr, limit: int = TERMS) -> str:
    r"""An expression in LaTeX; of a sum of more than ``limit`` terms the middle is ``\cdots``.

    >>> import sympy
    >>> print(sum_latex(sum(sympy.symbols("w_:9")), limit=4))
    w_{0} + w_{1} + w_{2} + \cdots + w_{8}
    """
    import sympy

    terms = e.as_ordered_terms()
    kept = terms if len(terms) <= limit else [*terms[: limit - 1], None, terms[-1]]
    text = ""
    for t in kept:
        part = r"\cdots" if t is None else sympy.latex(t)
        if not text:
            text = part
        elif part.startswith("- "):
            text += " " + part
        else:
            text += " + " + part
    return text


def pairing_latex(d: Derivation, limit: int = LINES) -> tuple[str, ...]:
    r"""``⟨g, A x⟩`` as lines, one for each output: ``g_i (A x)_i``, the middle left out.

    An output that is zero at this size is left out of the sum.
    """
    import sympy

    g = elements(d.cotangent, d.operator.row_shape)
    groups = [(v, y) for v, y in zip(g, d.outputs, strict=True) if y != 0]
    kept: list[tuple[Any, Any] | None] = list(groups)
    if len(groups) > limit:
        kept = [*groups[: limit - 1], None, groups[-1]]
    start = rf"\langle {d.cotangent},\, A\,{d.operand} \rangle = "
    if not kept:
        return (start + "0",)
    lines: list[str] = []
    for group in kept:
        if group is None:
            body = r"\cdots"
        else:
            inside = sum_latex(group[1])
            grouped = group[1].is_Add or inside.startswith("-")
            whole = rf"\left({inside}\right)" if grouped else inside
            body = f"{sympy.latex(group[0])} {whole}"
        lines.append((start if not lines else "{} + ") + body)
    return tuple(lines)


def gradient_latex(d: Derivation, limit: int = LINES) -> tuple[str, ...]:
    """The first few derivatives by elements of the operand and the last one, one a line."""
    places = list(product(*map(range, d.operator.column_shape)))
    lines = []
    kept: list[int | None] = list(range(len(places)))
    if len(places) > limit:
        kept = [*range(limit - 1), None, len(places) - 1]
    for j in kept:
        if j is None:
            lines.append(r"\vdots")
            continue
        by = element_latex((d.operand, places[j]))
        pairing = rf"\langle {d.cotangent},\, A\,{d.operand} \rangle"
        lines.append(rf"\frac{{\partial}}{{\partial {by}}} {pairing} = {sum_latex(d.gradient[j])}")
    return tuple(lines)


def latex_pieces(d: Derivation, limit: int = 12) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The derivation as sentences, each with the lines of LaTeX that follow it.

    The last sentence says whether the claimed operator has the same matrix, as found.
    """
    g, x = d.cotangent, d.operand
    verdict = (
        "The claimed operator has the same matrix, compared entry by entry as polynomials:"
        if d.agrees
        else "The claimed operator has another matrix:"
    )
    return (
        (f"The pairing of ${g}$ with the output, written out:", pairing_latex(d)),
        (f"Differentiated by the elements of ${x}$:", gradient_latex(d)),
        (
            f"The matrix of the operator as it acts on ${x}$:",
            (f"A = {to_latex(d.operator, limit)}",),
        ),
        (
            f"The coefficients of ${g}$ in those derivatives are the transpose:",
            (rf"A^{{\mathsf{{T}}}} = {to_latex(d.transposed, limit)}",),
        ),
        (verdict, (to_latex(d.claimed, limit),)),
    )
