"""What the helper functions of programs mean: rearrangements, arrays, gradients, names as people use them.

Only what a name says in general is read: ``rot180`` turns a kernel around, ``tf_pad_to_full_conv2d``
pads by the kernel's length minus 1 on both sides, ``NHWC_to_HWIO`` reorders axes.  Arrays keep the axes
as they are stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from derive.claims.arrays import array
from derive.claims.functions import numbers
from derive.claims.names import Names
from derive.claims.values import Op, aligned, combined, mapped, turned
from derive.errors import CannotBe, WrongInput
from derive.expr import TRUE, Expr, Integer, eq, lift
from derive.form import Form, Ratio, build, constant, sigmas, vjp
from derive.operators import OPERATORS, flip, permute, select

STORED = "abcdefgh"  # axes of which only the order is known
SPATIAL = "DHW"
MAX_ENTRIES = 1024

Helper = Callable[..., Any]
HELPERS: dict[str, Helper] = {}
"""By the last part of the name: ``transpose`` for ``tf.transpose`` and ``np.transpose``."""


def helper(*names: str) -> Callable[[Helper], Helper]:
    """Register the decorated function under the names that people give it."""

    def register(f: Helper) -> Helper:
        for name in names:
            HELPERS[name] = f
        return f

    return register


def find_helper(name: str) -> Helper | None:
    """The helper that a dotted name means: by its last part, with or without ``tf_`` or ``np_``.

    >>> find_helper("tf_rot180") is find_helper("rot180")
    True
    """
    last = re.sub(r"^(tf|np|numpy|torch|jnp)_", "", name.rsplit(".", 1)[-1])
    if last in HELPERS:
        return HELPERS[last]
    letters = re.fullmatch(r"([NCDHWIO]{3,5})_?(?:to|2)_?([NCDHWIO]{3,5})", last)
    if letters is None or len(letters[1]) != len(letters[2]):
        return None
    return lambda names, f: _by_letters(f, letters[1], letters[2])


def stored(f: Op) -> Op:
    """The operator with axes of which only the order is known."""
    return mapped(f, lambda form: form, STORED[: f.form.rank])


def concrete(shape: Sequence[Expr]) -> tuple[int, ...] | None:
    """The shape in numbers; None where a size is a symbol."""
    known = [n.constant for n in shape]
    return tuple(n for n in known if n is not None) if None not in known else None


def whole(value: Any, what: str) -> int:
    """A number of axes or of an axis, as an int."""
    found = numbers(value)
    if isinstance(found, tuple) and len(found) == 1:
        found = found[0]
    if isinstance(found, bool) or not isinstance(found, int):
        raise WrongInput(f"{what} = {value}: a whole number was expected; give one")
    return found


def _axes(f: Op, axis: Any, what: str) -> list[int]:
    given = axis if isinstance(axis, tuple) else (axis,)
    found = [whole(a, f"{what}: axis") for a in given]
    for a in found:
        if not -f.form.rank <= a < f.form.rank:
            raise WrongInput(f"{what}: there is no axis {a} of {f.form.rank}; name another")
    return [a % f.form.rank for a in found]


# -- rearrangements --------------------------------------------------------------------------------


def reversed_axes(f: Op, axes: Sequence[int]) -> Op:
    """The operator read backwards along some axes."""

    def change(form: Form) -> Form:
        order = [*(a for a in range(form.rank) if a not in axes), *axes]
        back = [order.index(a) for a in range(form.rank)]
        if order == sorted(order):
            return flip(form, dims=len(axes))
        return permute(flip(permute(form, order), dims=len(axes)), back)

    return mapped(f, change, f.axes)


@helper("rot180", "rotate180", "rotate_180", "flip180")
def _rot180(names: Names, w: Op) -> Op:
    """A kernel turned by 180 degrees: backwards along its spatial axes."""
    spatial = [i for i, a in enumerate(w.axes) if a in SPATIAL]
    if not spatial:
        if w.form.rank > 2 and not w.axes:
            raise WrongInput("rot180: which axes are spatial is not known; use tf.reverse(w, axis)")
        spatial = [0, 1] if w.form.rank > 2 else [*range(w.form.rank)]
    return reversed_axes(w, spatial)


@helper("reverse", "flip", "reverse_v2", "fliplr", "flipud")
def _reverse(names: Names, f: Op, axis: Any = None, dims: Any = None) -> Op:
    """Backwards along the given axes, all by default."""
    given = axis if axis is not None else dims
    axes = [*range(f.form.rank)] if given is None else _axes(f, given, "reverse")
    return reversed_axes(f, axes)


@helper("rot90")
def _rot90(names: Names, f: Op, k: Any = lift(1), axes: Any = None) -> Op:
    """Two quarter turns: backwards along the first two axes."""
    if whole(k, "rot90: k") % 4 != 2:
        raise WrongInput("rot90: only k=2, a turn by 180 degrees, is read; write it with reverse")
    return reversed_axes(f, [0, 1] if axes is None else _axes(f, axes, "rot90"))


@helper("transpose", "permute", "permute_dimensions")
def _transpose(names: Names, f: Op, *order: Any, perm: Any = None, axes: Any = None) -> Op:
    """The axes in another order, backwards by default."""
    given = perm if perm is not None else axes
    if given is None and order:
        given = order[0] if len(order) == 1 else order
    if given is None:
        wanted = [*reversed(range(f.form.rank))]
    else:
        wanted = _axes(f, given if isinstance(given, tuple) else (given,), "transpose")
    return stored(mapped(f, lambda form: permute(form, wanted)))


def _by_letters(f: Op, axes: str, wanted: str) -> Op:
    """``NHWC_to_HWIO``: a batch becomes what a kernel reads, its channels what it makes."""
    if f.form.rank != len(axes):
        raise WrongInput(f"{axes}_to_{wanted}: the tensor has {f.form.rank} axes; give {len(axes)}")
    renamed = axes
    if not set(wanted) <= set(axes):
        table: dict[str, str | int | None] = (
            {"N": "I", "C": "O"} if "I" in wanted else {"I": "N", "O": "C"}
        )
        renamed = axes.translate(str.maketrans(table))
    if sorted(renamed) != sorted(wanted):
        raise WrongInput(f"{axes}_to_{wanted}: the letters do not name the same axes; mend them")
    order = [renamed.index(a) for a in wanted]
    return mapped(f, lambda form: permute(form, order), wanted)


@helper("squeeze")
def _squeeze(names: Names, f: Op, axis: Any = None, dim: Any = None) -> Op:
    """Without the axes of length 1."""
    given = axis if axis is not None else dim
    drop = (
        [a for a, n in enumerate(f.form.shape) if n == 1]
        if given is None
        else _axes(f, given, "squeeze")
    )
    for a in drop:
        if f.form.shape[a] != 1:
            raise WrongInput(f"squeeze: axis {a} has the length {f.form.shape[a]}, not 1")

    def change(form: Form) -> Form:
        for a in sorted(drop, reverse=True):
            form = select(form, a, 0)
        return form

    return stored(mapped(f, change)) if drop else f


@helper("expand_dims", "unsqueeze")
def _expand(names: Names, f: Op, axis: Any = lift(0), dim: Any = None) -> Op:
    """With a further axis of length 1."""
    at = whole(axis if dim is None else dim, "expand_dims: axis") % (f.form.rank + 1)

    def change(form: Form) -> Form:
        shape = (*form.shape[:at], lift(1), *form.shape[at:])
        return build(shape, lambda *i: form[(*i[:at], *i[at + 1 :])])

    return stored(mapped(f, change))


@helper("reshape", "view")
def _reshape(names: Names, f: Op, *shape: Any, newshape: Any = None) -> Op:
    """The same entries in row-major order with another shape."""
    given = newshape if newshape is not None else shape[0] if len(shape) == 1 else shape
    wanted = [lift(v) for v in (given if isinstance(given, tuple) else (given,))]
    old = concrete(f.form.shape)
    if old is not None and any(n == -1 for n in wanted):
        rest = 1
        for n in wanted:
            rest *= n.constant if n.constant not in (None, -1) else 1
        total = 1
        for m in old:
            total *= m
        wanted = [lift(total // rest) if n == -1 else n for n in wanted]
    kept, ours = [n for n in f.form.shape if n != 1], [n for n in wanted if n != 1]
    new = concrete(wanted)
    call = f.form.call
    if call is not None and call.operator == "array" and new is not None:
        values: tuple[Fraction, ...] = dict(call.parameters)["values"]  # type: ignore[assignment]
        return Op(array([_ratio(v) for v in values], _fits(values, new)), axes=STORED[: len(new)])
    if kept == ours:
        return stored(mapped(f, lambda form: _ones(form, wanted)))
    if old is None or new is None:
        raise WrongInput(
            f"reshape: from ({', '.join(map(str, f.form.shape))}) to ({', '.join(map(str, wanted))}): "
            "only axes of length 1 come and go where sizes are symbols; give numbers"
        )
    _fits(range(_product(old)), new)
    return stored(mapped(f, lambda form: _refolded(form, old, new)))


def _ratio(value: Fraction) -> Ratio:
    return Ratio(lift(value.numerator), lift(value.denominator))


def _product(shape: Sequence[int]) -> int:
    total = 1
    for n in shape:
        total *= n
    return total


def _fits(values: Sequence[Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    if _product(shape) != len(values):
        raise WrongInput(f"reshape: {len(values)} entries do not fill the shape {shape}; mend it")
    return shape


def _ones(form: Form, wanted: Sequence[Expr]) -> Form:
    def body(*i: Expr) -> Any:
        rest = iter(a for a, n in zip(i, wanted, strict=True) if n != 1)
        return form[tuple(lift(0) if n == 1 else next(rest) for n in form.shape)]

    return build(wanted, body)


def _refolded(form: Form, old: Sequence[int], new: Sequence[int]) -> Form:
    def body(*i: Expr) -> Any:
        flat = lift(0)
        for a, n in zip(i, new, strict=True):
            flat = flat * n + a
        at: list[Expr] = []
        for n in reversed(old):
            at.append(flat % n)
            flat = flat // n
        return form[tuple(reversed(at))]

    return build([lift(n) for n in new], body)


@helper("pad_to_full_conv2d", "pad_to_full", "pad_full")
def _pad_to_full(names: Names, f: Op, k: Any) -> Op:
    """Zeros of the kernel's length minus 1 around the spatial axes, so that VALID becomes FULL."""
    spatial = [i for i, a in enumerate(f.axes) if a in SPATIAL] or [*range(f.form.rank)][-2:]
    lengths = k if isinstance(k, tuple) else (k,) * len(spatial)
    if len(lengths) != len(spatial):
        raise WrongInput(
            f"padding to full: {len(lengths)} kernel lengths; give one or {len(spatial)}"
        )

    def change(form: Form) -> Form:
        order = [*(a for a in range(form.rank) if a not in spatial), *spatial]
        back = [order.index(a) for a in range(form.rank)]
        amounts = tuple((lift(a) - 1, lift(a) - 1) for a in lengths)
        padded = OPERATORS["pad"].build(permute(form, order), amounts, dims=len(spatial))
        return permute(padded, back)

    return mapped(f, change, f.axes)


# -- arrays ----------------------------------------------------------------------------------------


@helper(
    "array", "constant", "tensor", "asarray", "convert_to_tensor", "Variable", "float32", "cast"
)
def _array(names: Names, f: Any, *rest: Any, **types: Any) -> Any:
    """The array itself: element types do not count."""
    if not isinstance(f, Op):
        raise WrongInput("array: rows of numbers were expected; write them in brackets")
    return f if f.axes else stored(f)


@helper("run", "numpy", "eval", "identity", "stop_gradient", "astype", "double", "float", "detach",
        "contiguous", "clone", "copy", "watch", "requires_grad_", "block_until_ready")  # fmt: skip
def _same(names: Names, f: Op, *rest: Any, **more: Any) -> Op:
    """The operator itself."""
    return f


@helper("arange", "range")
def _arange(names: Names, n: Any, *rest: Any, dtype: Any = None) -> Op:
    """The numbers from 0 up to n - 1."""
    count = whole(n, "arange")
    if rest or not 0 < count <= MAX_ENTRIES:
        raise WrongInput(f"arange: one number from 1 to {MAX_ENTRIES} was expected; give it")
    return Op(array([Ratio(lift(i)) for i in range(count)], (count,)), axes="a")


@helper("ones", "zeros")
def _filled(names: Names, shape: Any, dtype: Any = None) -> Op:
    """Replaced by the caller, who knows which of the two it is."""
    raise WrongInput("ones: a shape was expected; give one")


def filled(shape: Sequence[Integer], value: int) -> Op:
    """An array with one number everywhere."""
    form = build([lift(n) for n in shape], lambda *i: constant(value))
    return Op(form, axes=STORED[: len(shape)])


@helper("reduce_sum", "sum")
def _sum(names: Names, f: Op, axis: Any = None) -> Op:
    """The sum of all entries."""
    if axis is not None:
        raise WrongInput("sum: only the sum of all entries is read; leave the axis out")
    return combined(lambda form: build((), lambda: sigmas(form.shape, lambda i: form[i])), f)


@helper("vdot", "tensordot", "inner")
def _inner(names: Names, a: Op, b: Op) -> Op:
    """The sum of the products of the entries."""
    a, b = aligned((a, b))
    shape = a.form.shape
    return combined(lambda f, g: build((), lambda: sigmas(shape, lambda i: f[i] * g[i])), a, b)


# -- gradients -------------------------------------------------------------------------------------


@helper("gradients", "grad")
def _gradients(names: Names, ys: Op, xs: Any, *rest: Any, **options: Any) -> tuple[Op, ...]:
    """The gradients by several tensors: a list, of one gradient where there is one tensor."""
    wanted = xs if isinstance(xs, tuple) else (xs,)
    return tuple(_gradient(names, ys, x, *rest, **options) for x in wanted)


@helper("gradient")
def _gradient(
    names: Names,
    ys: Op,
    xs: Any,
    grad_ys: Any = None,
    output_gradients: Any = None,
    grad_outputs: Any = None,
    **options: Any,
) -> Any:
    """The gradient of the sum of ``ys``, weighted by the incoming gradient where there is one."""
    if isinstance(xs, tuple):
        return tuple(
            gradient(names, ys, x, grad_ys or output_gradients or grad_outputs) for x in xs
        )
    return gradient(names, ys, xs, grad_ys or output_gradients or grad_outputs)


def gradient(names: Names, y: Op, x: Op, g: Any = None) -> Op:
    """The gradient of ``⟨g, y⟩`` (of the sum of ``y`` without ``g``) by the tensor ``x``."""
    call = x.form.call
    if call is None or call.operator != "tensor":
        raise WrongInput(
            "gradient: the second argument is the tensor to differentiate by; name one"
        )
    if isinstance(g, tuple) and len(g) == 1:
        g = g[0]
    if y.selects or y.taps:
        raise CannotBe("gradient: a maximum takes part; write it as a claim with vjp")
    form = build(y.form.shape, lambda *i: constant(1)) if g is None else _as_output(y, g)
    name = str(dict(call.parameters)["name"])
    return Op(vjp(y.form, name, form), axes=x.axes)


def _as_output(y: Op, g: Op) -> Form:
    if sorted(g.axes) == sorted(y.axes):
        g = turned(g, y.axes)
    if g.form.rank != y.form.rank:
        raise WrongInput("gradient: the incoming gradient has the axes of the output; mend it")
    if g.form.shape == y.form.shape:
        return g.form
    same = [eq(a, b) for a, b in zip(g.form.shape, y.form.shape, strict=True)]
    return build(y.form.shape, lambda *i: g.form[i], [c for c in same if c != TRUE])


def vocabulary() -> tuple[str, ...]:
    """The names of the helpers, for the documentation."""
    return tuple(sorted((*HELPERS, "NHWC_to_HWIO")))
