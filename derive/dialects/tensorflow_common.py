"""What the calls of TensorFlow and of Keras have in common: layouts, SAME padding, steps.

Sources: the documentation of ``tf.nn`` (2.x) and, where it is silent, TensorFlow's
``python/ops/nn_ops.py`` and ``core/framework/common_shape_fns.cc``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from derive import shapes
from derive.dialects.layer import SPATIAL, Operand, Plan, Requirement, Shape, Step, integer, step
from derive.errors import NotSupported, WrongInput
from derive.expr import Expr, Sym, all_of, eq, lift, maximum
from derive.form import Form, build
from derive.operators import permute
from derive.symbols import size

Pairs = tuple[tuple[Expr, Expr], ...]
LINEAR = (None, "linear")
SAYS_POSITIVE = {
    "strides": "Stride must be > 0",
    "stride": "Stride must be > 0",
    "size": "output dimensions must be positive",
}
SAYS_DILATIONS = "Dilated rates should be larger than 0"
SAYS_RATE = "`dilation_rate` must be positive"  # where the input is spread by space_to_batch
STRIDED_AND_DILATED = (
    "strides and dilations: `strides > 1` not supported in conjunction with `dilation_rate > 1`; "
    "make one of them 1"
)


def kernel_axes(dims: int, last: str = "IO") -> str:
    """The letters of a kernel in TensorFlow's order: spatial axes, then channels.

    >>> kernel_axes(2), kernel_axes(1, "OI")
    ('HWIO', 'WOI')
    """
    return SPATIAL[dims] + last


def channels_first(w: Form) -> Form:
    """``(*k, a, b)`` as ``(b, a, *k)``: TensorFlow's kernels in the order that our operators take.

    >>> from derive.form import tensor
    >>> channels_first(tensor("w", 3, 5, 2, 7)).shape == (7, 2, 3, 5)
    True
    """
    dims = w.rank - 2
    return permute(w, (dims + 1, dims, *range(dims)))


def depthwise(w: Form) -> Form:
    """``(*k, c, q)`` as ``(c·q, 1, *k)``: output channel ``c·q + j`` reads input channel ``c``.

    >>> from derive.form import tensor
    >>> depthwise(tensor("w", 3, 5, 2, 7)).shape == (14, 1, 3, 5)
    True
    """
    dims = w.rank - 2
    *k, channels, multiplier = w.shape
    return build(
        (channels * multiplier, 1, *k),
        lambda o, i, *t: w[(*t[:dims], o // multiplier, o % multiplier)],
    )


def spatial_values(value: Any, layout: str, what: str, lengths: str = "1 n n+2") -> Shape:
    """One value for each spatial axis, of an int or of a list of 1, n or n + 2 values.

    In a list of n + 2 values those of the batch and the channels are 1.  ``lengths`` says which of
    the three the call takes.  Raises :class:`derive.errors.WrongInput` for another number of values.

    >>> spatial_values((1, 2, 3, 1), "NHWC", "strides") == (2, 3)
    True
    """
    n = len(layout) - 2
    taken = {"1": 1, "n": n, "n+2": n + 2}
    known = [taken[word] for word in lengths.split()]
    if isinstance(value, Expr) and value.constant is None:
        return (value,) * n  # a name stands for a list that is alike in all axes
    values = value if isinstance(value, tuple) else (value,)
    if len(values) not in known:
        counts = " or ".join(str(c) for c in sorted(set(known)))
        raise WrongInput(
            f"{what} has {len(values)} values; TensorFlow takes {counts} for {n} spatial axes"
        )
    if len(values) == n + 2:
        outer = [integer(v, what) for v, a in zip(values, layout, strict=True) if a in "NC"]
        if any(v.constant is not None and v.constant != 1 for v in outer):
            raise WrongInput(
                f"{what} = {_list(values)}: along the batch and the channels it is 1 in the layout "
                f"{layout}; give 1 there"
            )
        values = tuple(v for v, a in zip(values, layout, strict=True) if a not in "NC")
    elif len(values) == 1:
        values = values * n
    return tuple(integer(v, what) for v in values)


def _list(values: Sequence[Any]) -> str:
    return f"[{', '.join(map(str, values))}]"


def positive(values: Shape, what: str, says: str = "") -> Shape:
    """The values, none below 1; ``says`` is what TensorFlow says of others."""
    said = says or SAYS_POSITIVE.get(what, "")
    for v in values:
        if v.constant is not None and v.constant < 1:
            quote = f" ({said})" if said else ""
            raise WrongInput(f"{what} = {v}: {what} must be positive{quote}; give 1 or more")
    return values


def same(n: Shape, k: Shape, s: Shape, d: Shape, cropping: bool = False) -> Pairs:
    """SAME padding for each axis, the odd one behind.

    Where the stride may be longer than the window, samples behind the last window are left over;
    with ``cropping`` the padding behind is negative there, so that the length is plainly ``⌈n/s⌉``.

    >>> same((lift(6),), (lift(3),), (lift(2),), (lift(1),)) == ((0, 1),)
    True
    """
    found = []
    for ni, ki, si, di in zip(n, k, s, d, strict=True):
        reach = lift(shapes.effective_length(ki, di))
        total = (lift(shapes.same_length(ni, si)) - 1) * si + reach - ni
        over = (reach - si).constant
        if over is not None and over >= 0:  # then no sample is left over
            found.append((total // 2, total - total // 2))
            continue
        lo = maximum(0, total) // 2
        symbolic = cropping and total.constant is None
        found.append((lo, (total if symbolic else maximum(0, total)) - lo))
    return tuple(found)


def explicit(padding: Any, layout: str) -> Pairs:
    """Amounts ``[[0, 0], [top, bottom], [left, right], [0, 0]]``, in the order of the layout."""
    if len(padding) != len(layout) or not all(
        isinstance(p, tuple) and len(p) == 2 for p in padding
    ):
        raise WrongInput(
            f"padding = {_list(padding)}: TensorFlow takes 'SAME', 'VALID' or {len(layout)} pairs "
            f"in the order {layout}; give [lo, hi] for each axis, [0, 0] for the batch and channels"
        )
    found = []
    for letter, pair in zip(layout, padding, strict=True):
        lo, hi = (integer(p, "padding") for p in pair)
        if any(p.constant is not None and p.constant < 0 for p in (lo, hi)):
            raise WrongInput(
                f"padding = [{lo}, {hi}]: TensorFlow refuses it (All elements of explicit_paddings "
                "must be nonnegative); crop with a slice"
            )
        if letter not in "NC":
            found.append((lo, hi))
        elif any(p.constant is not None and p.constant != 0 for p in (lo, hi)):
            raise WrongInput(
                f"padding = [{lo}, {hi}] along {letter}: TensorFlow refuses it (Nonzero explicit "
                "padding in the batch or depth dimensions is not supported); give [0, 0] there"
            )
    return tuple(found)


def amounts(
    padding: Any, layout: str, n: Shape, k: Shape, s: Shape, d: Shape, cropping: bool = True
) -> Pairs:
    """The padding of a convolution (or, without ``cropping``, a pooling) of the lengths ``n``."""
    if isinstance(padding, tuple):
        return explicit(padding, layout)
    if padding == "SAME":
        return same(n, k, s, d, cropping)
    check_padding(padding)
    return tuple((lift(0), lift(0)) for _ in k)


def check_padding(padding: Any, takes_amounts: bool = True) -> None:
    """Refuse paddings that TensorFlow does not know."""
    if padding in ("SAME", "VALID") or (isinstance(padding, tuple) and takes_amounts):
        return
    upper = isinstance(padding, str) and padding.upper() in ("SAME", "VALID")
    more = " or explicit amounts" if takes_amounts else ""
    hint = f"write {padding.upper()!r}" if upper else "give one of them"
    raise WrongInput(
        f"padding = {padding!r}: TensorFlow takes 'SAME' or 'VALID'{more} (is not in the list of "
        f"allowed values); {hint}"
    )


def correlation(
    weight: str, s: Shape, p: Pairs, d: Shape, groups: Expr | None = None
) -> tuple[Step, ...]:
    """The step of a convolution."""
    g = lift(1) if groups is None else groups
    return (
        step("correlate", weight=weight, stride=s, padding=p, dilation=d, groups=g, dims=len(s)),
    )


def groups_of(channels: Expr, read: Expr, made: Expr) -> tuple[Expr, tuple[Requirement, ...]]:
    """The number of groups that the channels of the input and of the kernel imply.

    Sizes that are not numbers mean one group, but where the kernel reads one channel and makes a
    multiple of them all, as the kernel of a depthwise convolution does.
    """
    c, i, o = channels.constant, read.constant, made.constant
    if c is None and i == 1 and _multiple(made, channels):
        return channels, ()
    if c is None or i is None:
        fits = f"the input has {channels} channels but the filter reads {read}; make them equal"
        return lift(1), (Requirement(eq(channels, read), fits),)
    if i < 1 or c % i:
        raise WrongInput(
            f"the input has {c} channels but the filter reads {i} (input depth must be evenly "
            f"divisible by filter depth); give a filter of shape (…, {c}, out)"
        )
    if o is not None and o % (c // i):
        raise WrongInput(
            f"the filter makes {o} channels in {c // i} groups (output depth must be evenly "
            f"divisible by number of groups); give a multiple of {c // i}"
        )
    return lift(c // i), ()


def _multiple(made: Expr, channels: Expr) -> bool:
    split = None if channels.symbol is None else made.coefficient(channels.symbol)
    return split is not None and split[1] == 0 and (split[0].constant or 0) >= 1


def transposition(
    weight: str,
    padding: Any,
    axes: tuple[Shape, Shape, Shape, Shape, Shape],
    layout: str,
    what: str,
    groups: Expr | None = None,
) -> tuple[tuple[Step, ...], tuple[Requirement, ...]]:
    """The gradient of a convolution of an input of lengths ``n``, whose output has the lengths ``m``.

    ``axes`` are ``(m, n, k, s, d)`` and ``what`` is the name of the argument that gives ``n``.
    """
    m, n, k, s, d = axes
    if isinstance(padding, tuple):
        p = explicit(padding, layout)
    else:
        check_padding(padding)
        p = tuple((lift(0), lift(0)) for _ in k)
    found, remainders, requires = [], [], []
    for mi, ni, ki, si, di, (lo, hi) in zip(m, n, k, s, d, p, strict=True):
        reach = si * (mi - 1) + shapes.effective_length(ki, di)
        if padding == "SAME":
            total = di * (ki - 1) if si == 1 else maximum(0, reach - ni)
            lo, hi = total // 2, total - total // 2
            first, last = si * (mi - 1) + 1, si * mi
        else:
            first, last = reach - lo - hi, reach - lo - hi + si - 1
        allowed = f"{first} … {last}" if first != last else f"{first}"
        message = (
            f"{what} asks for the length {ni}, from which a convolution with padding = "
            f"{_padding(padding)} does not give the {mi} of the input (Size of out_backprop doesn't match "
            f"computed); give {allowed}"
        )
        requires.append(Requirement(all_of(ni >= first, ni <= last, ni >= 1), message))
        found.append((lo, hi))
        remainders.append(ni - (reach - lo - hi))
    made = step(
        "conv_transpose",
        weight=weight,
        stride=s,
        padding=tuple(found),
        dilation=d,
        output_padding=tuple(remainders),
        groups=lift(1) if groups is None else groups,
        dims=len(s),
    )
    return (made,), tuple(requires)


def _padding(padding: Any) -> str:
    return repr(padding) if isinstance(padding, str) else _list([_list(p) for p in padding])


def sizes(value: Any, layout: str, what: str) -> Shape:
    """A shape given as a list, in the order of the layout; a single name stands for the sizes
    ``name_N``, ``name_H``, ….

    >>> [str(e) for e in sizes(size("x_shape"), "NWC", "input_sizes")]
    ['x_shape_N', 'x_shape_W', 'x_shape_C']
    """
    if isinstance(value, Expr) and isinstance(value.symbol, Sym):
        return tuple(size(f"{value.symbol.name}_{letter}") for letter in layout)
    if not isinstance(value, tuple) or len(value) != len(layout):
        raise WrongInput(
            f"{what} has {len(value) if isinstance(value, tuple) else 1} values; "
            f"give {len(layout)}, in the order {layout}"
        )
    return tuple(lift(1) if v is None else integer(v, what) for v in value)


def by_letter(shape: Shape, layout: str) -> tuple[Expr, Shape]:
    """``(channels, spatial lengths)`` of a shape in a layout."""
    found = dict(zip(layout, shape, strict=True))
    return found["C"], tuple(found[a] for a in SPATIAL[len(layout) - 2])


def bias_operand(use_bias: Any, channels: Expr) -> tuple[Operand, ...]:
    """The bias of a layer, if it has one."""
    return (Operand("bias", "O", (channels,)),) if use_bias else ()


def activated(activation: Any) -> str:
    """Why a layer with an activation has no value here; empty for a linear one."""
    if activation in LINEAR:
        return ""
    return (
        f"activation={activation!r} is not linear"
        if isinstance(activation, str)
        else (f"the activation {activation} is not linear")
    )


def same_shape(reason: str) -> Callable[[Shape, Mapping[str, Shape]], Plan]:
    """The plan of a call that keeps the shape and whose values are out of scope."""
    return lambda x, given: Plan((), shape_only=reason)


def one_of(value: Any, known: Sequence[str], what: str) -> str:
    """The value, if it is one of those that are known."""
    if value not in known:
        raise WrongInput(
            f"{what} = {value!r}: it is one of {', '.join(map(repr, known))}; choose one of them"
        )
    return str(value)


def pooled(
    kind: str, k: Shape, s: Shape, p: Pairs, layout: str, d: Shape | None = None
) -> tuple[Step, ...]:
    """The step of a pooling; an average leaves the padding out of the count."""
    dims = len(layout) - 2
    rate = tuple(lift(1) for _ in k) if d is None else d
    common: dict[str, Any] = {"k": k, "stride": s, "padding": p, "dilation": rate, "dims": dims}
    if kind == "max":
        return (step("max_pool", **common),)
    return (step("avg_pool", count_include_pad=False, **common),)


def no_depth(value: Any, layout: str) -> None:
    """Refuse windows along the batch or the channels, which our operators do not have."""
    if not isinstance(value, tuple) or len(value) != len(layout):
        return
    for v, letter in zip(value, layout, strict=True):
        if letter == "C" and isinstance(v, int) and v > 1:
            raise NotSupported(
                f"ksize = {_list(value)}: pooling across the channels is out of scope; "
                "give 1 along the channels"
            )


def or_one(value: Any) -> Any:
    """The value, and 1 where none is given."""
    return 1 if value is None else value
