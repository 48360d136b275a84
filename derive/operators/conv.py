"""Correlation (what frameworks call convolution), convolution, and the transposed convolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from derive import shapes
from derive.errors import CannotBe, WrongInput
from derive.expr import Cond, Expr, Integer, divides, eq, lift
from derive.form import Form, Value, build, sigmas
from derive.operators.registry import (
    Padding,
    PerAxis,
    operator,
    pairs,
    per_axis,
    positive_axes,
    spatial,
)
from derive.operators.sample import flip, pad, zero_insert

SPECIALS = ("valid", "same", "same_lower", "full", "causal")

CONV_SAMPLES: list[dict[str, Any]] = [
    {"x": (9,), "w": (3,), "stride": 2, "padding": (1, 4), "dilation": 3},
    {"x": (5,), "w": (2,), "stride": 3, "padding": (2, -1), "base_dilation": 2},
    {"x": (6, 5), "w": (3, 2), "stride": (2, 1), "padding": ((1, 0), (0, 2))},
    {"x": (2, 7), "w": (3, 2, 4), "stride": 2, "padding": (1, 2), "dims": 1},
    {"x": (4, 6), "w": (6, 2, 3), "groups": 2, "dims": 1},
    {"x": (2, 3, 5), "w": (3, 1, 2), "groups": 3, "dims": 1, "padding": (0, 1)},
    {"x": (3, 4, 3), "w": (2, 3, 2), "padding": (1, 0)},
    {"x": (6,), "w": (3,), "padding": "same", "stride": 2},
    {"x": (6,), "w": (4,), "padding": "full"},
    {"x": (5,), "w": (3,), "padding": (2, 1), "padding_mode": "circular"},
]


def resolve_padding(
    padding: Padding,
    n: tuple[Expr, ...],
    k: tuple[Expr, ...],
    s: tuple[Expr, ...],
    d: tuple[Expr, ...],
) -> tuple[tuple[Expr, Expr], ...]:
    """Padding amounts for every axis, the names resolved.

    ``"same"`` is TensorFlow's SAME (the odd one behind), ``"same_lower"`` puts it in front,
    ``"full"`` is ``d(k-1)`` on both sides, ``"causal"`` that in front only, ``"valid"`` none.
    """
    if not isinstance(padding, str):
        return pairs(padding, len(n))
    if padding not in SPECIALS:
        raise WrongInput(
            f"padding {padding!r} is unknown; give amounts or one of {', '.join(SPECIALS)}"
        )
    found: list[tuple[Expr, Expr]] = []
    for length, taps, stride, dilation in zip(n, k, s, d, strict=True):
        reach = dilation * (taps - 1)
        lo, hi = shapes.same_padding(length, taps, stride, dilation)
        found.append(
            {
                "valid": (lift(0), lift(0)),
                "same": (lo, hi),
                "same_lower": (hi, lo),
                "full": (reach, reach),
                "causal": (reach, lift(0)),
            }[padding]
        )
    return tuple(found)


@operator("conv", r"\operatorname{corr}", samples=CONV_SAMPLES)
def correlate(
    x: Form,
    w: Form,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    base_dilation: PerAxis = 1,
    groups: Integer = 1,
    dims: int | None = None,
    padding_mode: str = "zero",
) -> Form:
    """Cross-correlation: ``y[i] = Σ_t w[t]·x[s·i + d·t - p_lo]``.

    Defined for ``s, d, e >= 1``, a padded input at least as long as the dilated kernel, and groups
    that divide both channel counts.

    Args:
        x: the input ``(…, *n)``, or ``(…, c_in, *n)`` with channels; leading axes are a batch.
        w: the kernel ``(*k)``, or ``(c_out, c_in/groups, *k)`` with channels.
        stride: ``s``, for every axis or one for each.
        padding: amounts of zeros (negative crops), or ``valid``, ``same``, ``same_lower``, ``full``,
            ``causal``.
        dilation: ``d``, the distance of the taps.
        base_dilation: ``e``; ``e - 1`` zeros are put between the inputs before padding.
        groups: groups of channels.
        dims: the number of spatial axes; needed with channels, else those of ``w``.
        padding_mode: what lies outside, as for :func:`derive.operators.pad`.

    Returns:
        the form ``(…, *m)`` or ``(…, c_out, *m)`` with ``m = ⌊(n + p_lo + p_hi - d(k-1) - 1)/s⌋ + 1``.

    Raises:
        WrongInput: for ranks that do not fit and for values that no such parameter has.
        CannotBe: for groups that do not divide the channels.

    Source: PyTorch ``nn.Conv2d``; TensorFlow ``tf.nn.conv2d``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(correlate(tensor("x", 4), tensor("w", 2)), x=[1, 2, 4, 8], w=[3, 5])
    [13, 26, 52]
    """
    count = w.rank if dims is None else dims
    spatial(x, count, "correlate")
    k = w.shape[w.rank - count :]
    s, d = positive_axes(stride, count, "stride"), positive_axes(dilation, count, "dilation")
    xe = zero_insert(x, positive_axes(base_dilation, count, "base dilation"), dims=count)
    amounts = resolve_padding(padding, xe.shape[xe.rank - count :], k, s, d)
    xp = pad(xe, amounts, mode=padding_mode, dims=count)
    n = xp.shape[xp.rank - count :]
    m = tuple(shapes.conv_length(*a) for a in zip(n, k, s, d, strict=True))
    fits = tuple(a >= shapes.effective_length(b, c) for a, b, c in zip(n, k, d, strict=True))
    requires = (*fits, *(a >= 1 for a in (*s, *d)))
    if w.rank == count:
        _no_groups("correlate", groups, "(c_out, c_in/groups, *k)")
        batch = xp.shape[: xp.rank - count]

        def plain(*i: Expr) -> Value:
            at, out = i[: len(batch)], i[len(batch) :]
            return sigmas(k, lambda t: w[t] * xp[(*at, *_window(out, t, s, d))])

        return build((*batch, *m), plain, requires)
    return _with_channels(xp, w, count, lift(groups), (k, s, d, m), requires)


def _window(
    i: tuple[Expr, ...], t: tuple[Expr, ...], s: tuple[Expr, ...], d: tuple[Expr, ...]
) -> tuple[Expr, ...]:
    return tuple(si * ii + di * ti for ii, ti, si, di in zip(i, t, s, d, strict=True))


def _with_channels(
    xp: Form,
    w: Form,
    count: int,
    groups: Expr,
    axes: tuple[tuple[Expr, ...], ...],
    requires: tuple[Cond, ...],
) -> Form:
    k, s, d, m = axes
    check_ranks("correlate", xp, w, count, ("(c_out, c_in/groups, *k)", "(…, c_in, *n)"))
    batch, c_in = xp.shape[: xp.rank - count - 1], xp.shape[xp.rank - count - 1]
    c_out, per_group = w.shape[0], w.shape[1]
    check_channels("correlate", c_in, per_group, c_out, groups)

    def body(*i: Expr) -> Value:
        at, o, out = i[: len(batch)], i[len(batch)], i[len(batch) + 1 :]
        group = o // (c_out // groups) if groups != 1 else lift(0)

        def tap(ct: tuple[Expr, ...]) -> Value:
            c, t = ct[0], ct[1:]
            return w[(o, c, *t)] * xp[(*at, group * per_group + c, *_window(out, t, s, d))]

        return sigmas((per_group, *k), tap)

    fits = (*requires, eq(c_in, groups * per_group), divides(groups, c_out), groups >= 1)
    return build((*batch, c_out, *m), body, fits)


def _no_groups(what: str, groups: Integer, kernel: str) -> None:
    if lift(groups) != 1:
        raise WrongInput(
            f"{what}: groups = {groups} without channels; give dims, and a kernel of shape {kernel}"
        )


def check_ranks(what: str, x: Form, w: Form, dims: int, wanted: tuple[str, str]) -> None:
    """A kernel with channels has two axes more than the spatial ones, its input at least one."""
    if w.rank != dims + 2 or x.rank < dims + 1:
        raise WrongInput(
            f"{what}: a kernel with {w.rank} axes and an input with {x.rank} axes for {dims} spatial "
            f"ones; a kernel with channels is {wanted[0]} and its input {wanted[1]}"
        )


def check_channels(what: str, c_in: Expr, per_group: Expr, c_out: Expr, groups: Expr) -> None:
    """Numbers that cannot fit are an error at once (symbols become requirements)."""
    numbers = [e.constant for e in (c_in, per_group, c_out, groups)]
    cin, cg, cout, g = numbers
    if g is not None and g < 1:
        raise WrongInput(f"{what}: groups = {g}; give at least one group")
    for label, c in (("input", cin), ("output", cout)):
        if g is not None and c is not None and c % g:
            raise CannotBe(
                f"{what}: {c} {label} channels cannot be split into {g} groups; "
                "choose groups that divide both channel counts"
            )
    if cin is not None and cg is not None and g is not None and cin != g * cg:
        raise CannotBe(
            f"{what}: the kernel reads {cg} channels per group, {g * cg} in all, but the input has "
            f"{cin}; give a kernel of shape (c_out, {cin // g}, *k)"
        )


@operator("conv", r"\operatorname{conv}", samples=CONV_SAMPLES[:5])
def convolve(
    x: Form,
    w: Form,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    base_dilation: PerAxis = 1,
    groups: Integer = 1,
    dims: int | None = None,
    padding_mode: str = "zero",
) -> Form:
    """Convolution in the mathematical sense: correlation with the kernel flipped.

    ``y[i] = Σ_t w[k-1-t]·x[s·i + d·t - p_lo]``; hypotheses, arguments, shapes and errors are those of
    :func:`correlate`.  Source: ``numpy.convolve``, whose ``mode="valid"`` this is at stride 1.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> values(convolve(tensor("x", 4), tensor("w", 2)), x=[1, 2, 4, 8], w=[3, 5])
    [11, 22, 44]
    """
    count = w.rank if dims is None else dims
    return correlate(
        x, flip(w, dims=count), stride, padding, dilation, base_dilation, groups, dims, padding_mode
    )


@operator(
    "conv",
    r"\operatorname{conv}^{\mathsf{T}}",
    samples=[
        {"x": (4,), "w": (3,), "stride": 2, "padding": (1, 0), "dilation": 3},
        {"x": (3,), "w": (2,), "stride": 3, "padding": (0, 1), "output_padding": 2},
        {"x": (3, 2), "w": (2, 4), "stride": (2, 3), "padding": ((0, 1), (2, 1))},
        {"x": (4, 3), "w": (4, 2, 3), "groups": 2, "stride": 2, "dims": 1},
        {"x": (2, 3, 4), "w": (3, 2, 2), "dims": 1, "padding": (1, 0)},
    ],
)
def conv_transpose(
    x: Form,
    w: Form,
    stride: PerAxis = 1,
    padding: Padding = 0,
    dilation: PerAxis = 1,
    output_padding: PerAxis = 0,
    groups: Integer = 1,
    dims: int | None = None,
) -> Form:
    """Transposed convolution by its scatter: ``y[s·i + d·t - p_lo] += x[i]·w[t]``.

    Defined for ``s, d >= 1``, ``r >= 0``, output lengths of at least 1, and groups that divide the
    channels.

    Args:
        x: the input ``(…, *m)``, or ``(…, c_in, *m)`` with channels.
        w: the kernel ``(*k)``, or ``(c_in, c_out/groups, *k)`` with channels, as in PyTorch.
        stride: ``s``, for every axis or one for each.
        padding: what is cut off of the output, ``(p_lo, p_hi)``.
        dilation: ``d``, the distance of the taps.
        output_padding: ``r``, by which the output is longer behind.
        groups: groups of channels.
        dims: the number of spatial axes; needed with channels, else those of ``w``.

    Returns:
        the form ``(…, *n)`` or ``(…, c_out, *n)`` with ``n = s(m-1) + d(k-1) + 1 - p_lo - p_hi + r``.

    Raises:
        WrongInput: for ranks that do not fit and for values that no such parameter has.
        CannotBe: for groups that do not divide the channels.

    Source: PyTorch ``nn.ConvTranspose2d``.

    >>> from derive.form import tensor
    >>> from derive.table import values
    >>> y = conv_transpose(tensor("x", 2), tensor("w", 3), stride=2)
    >>> values(y, x=[1, 2], w=[3, 5, 7])
    [3, 5, 13, 10, 14]
    """
    count = w.rank if dims is None else dims
    spatial(x, count, "conv_transpose")
    k, m = w.shape[w.rank - count :], x.shape[x.rank - count :]
    s, d = positive_axes(stride, count, "stride"), positive_axes(dilation, count, "dilation")
    r, p = per_axis(output_padding, count, "output_padding"), pairs(padding, count)
    lo = tuple(a for a, _ in p)
    n = tuple(
        shapes.conv_transpose_length(mi, ki, si, di, a, b, ri)
        for mi, ki, si, di, (a, b), ri in zip(m, k, s, d, p, r, strict=True)
    )
    requires = (*(a >= 1 for a in (*n, *s, *d)), *(a >= 0 for a in r))

    def hits(u: tuple[Expr, ...], i: tuple[Expr, ...], t: tuple[Expr, ...]) -> tuple[Cond, ...]:
        reached = _window(i, t, s, d)
        return tuple(eq(ui + a, v) for ui, a, v in zip(u, lo, reached, strict=True))

    if w.rank != count:
        return _scatter_channels(x, w, lift(groups), (k, m, n), hits, requires)
    _no_groups("conv_transpose", groups, "(c_in, c_out/groups, *k)")
    batch = x.shape[: x.rank - count]

    def plain(*u: Expr) -> Value:
        at, out = u[: len(batch)], u[len(batch) :]
        return sigmas(
            m, lambda i: sigmas(k, lambda t: (x[(*at, *i)] * w[t]).where(*hits(out, i, t)))
        )

    return build((*batch, *n), plain, requires)


def _scatter_channels(
    x: Form,
    w: Form,
    g: Expr,
    axes: tuple[tuple[Expr, ...], ...],
    hits: Callable[..., tuple[Cond, ...]],
    requires: tuple[Cond, ...],
) -> Form:
    k, m, n = axes
    count = len(k)
    check_ranks("conv_transpose", x, w, count, ("(c_in, c_out/groups, *k)", "(…, c_in, *m)"))
    batch, c_in = x.shape[: x.rank - count - 1], x.shape[x.rank - count - 1]
    out_per_group = w.shape[1]
    c_out = g * out_per_group
    check_channels("conv_transpose", w.shape[0], w.shape[0] // g, c_out, g)
    in_per_group = c_in // g

    def body(*u: Expr) -> Value:
        at, o, out = u[: len(batch)], u[len(batch)], u[len(batch) + 1 :]
        group = o // out_per_group if g != 1 else lift(0)

        def tap(ct: tuple[Expr, ...]) -> Value:
            c, i, t = group * in_per_group + ct[0], ct[1 : 1 + count], ct[1 + count :]
            product = x[(*at, c, *i)] * w[(c, o - group * out_per_group, *t)]
            return product.where(*hits(out, i, t))

        return sigmas((in_per_group, *m, *k), tap)

    fits = (*requires, eq(c_in, w.shape[0]), divides(g, c_in), g >= 1)
    return build((*batch, c_out, *n), body, fits)
