"""JAX and NumPy on whole arrays: padding, resizing, and the convolutions of sequences.

Sources: the documentation of ``jax.lax.pad``, ``jax.numpy.pad``, ``jax.image.resize`` (0.10),
``numpy.convolve``, ``numpy.correlate``, ``scipy.signal.convolve`` and ``correlate``, and where their
words leave it open (what ``same`` keeps of an even overlap) their sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derive.dialects.calls import Name, show
from derive.dialects.jax_windows import spatial_only, spread
from derive.dialects.layer import (
    SPATIAL,
    Layer,
    Operand,
    Plan,
    Requirement,
    Shape,
    Step,
    integer,
    step,
)
from derive.dialects.registry import call
from derive.errors import NotSupported, WrongInput
from derive.expr import Expr, all_of, any_of, indicator, lift, maximum, minimum
from derive.symbols import size

PAD_MODES = {
    "constant": "zero",
    "edge": "replicate",
    "wrap": "circular",
    "reflect": "reflect",
    "symmetric": "symmetric",
}
LIMITS = {"circular": 0, "reflect": 1}  # what `pad` takes: at most n less this
NEAREST = ("nearest",)
LINEAR = ("linear", "bilinear", "trilinear", "triangle")
RANKS = (2, 1, 3, 4, 5)


def _config_count(given: Mapping[str, Any]) -> int | None:
    config = given["padding_config"]
    return len(config) if isinstance(config, tuple) else None


@call("JAX", "lax.pad", dims=RANKS, tensors=("operand",), count=_config_count)
def lax_pad(dims: int, operand: Any, padding_value: Any, padding_config: Any) -> Layer:
    """``jax.lax.pad``: ``(low, high, interior)`` for every axis; negative amounts crop what the
    insertion of ``interior`` zeros between samples has given.
    """
    _zero("padding_value", padding_value)
    if not isinstance(padding_config, tuple) or not all(
        isinstance(p, tuple) and len(p) == 3 for p in padding_config
    ):
        raise WrongInput(
            f"padding_config = {show(padding_config)}: (low, high, interior) for every axis was "
            "expected; give e.g. ((1, 1, 0), (0, 2, 1))"
        )
    rows = [tuple(integer(v, "padding_config") for v in p) for p in padding_config]
    for _, _, interior in rows:
        if interior.constant is not None and interior.constant < 0:
            raise WrongInput(
                f"interior padding = {interior}: JAX refuses it (interior padding in padding_config "
                "must be nonnegative); give 0 or more"
            )
    layout = spread([all(v == 0 for v in row) for row in rows])
    inner = spatial_only(rows, layout)
    count = len(inner)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        steps = []
        if any(i != 0 for _, _, i in inner):
            steps.append(step("zero_insert", s=tuple(i + 1 for _, _, i in inner), dims=count))
        steps.append(step("pad", padding=tuple((lo, hi) for lo, hi, _ in inner), dims=count))
        return Plan(tuple(steps))

    return Layer(count, layout, plan)


def _zero(what: str, value: Any) -> None:
    if not (isinstance(value, int) and value == 0):
        raise NotSupported(
            f"{what} = {show(value)}: only padding with 0 is understood, as other values are no linear "
            "operation; give 0"
        )


def _widths_count(given: Mapping[str, Any]) -> int | None:
    widths = given["pad_width"]
    if isinstance(widths, tuple) and len(widths) > 1 and isinstance(widths[0], tuple):
        return len(widths)
    return None


@call("NumPy", "np.pad", dims=RANKS, tensors=("array",), count=_widths_count)
@call("JAX", "jnp.pad", dims=RANKS, tensors=("array",), count=_widths_count)
def jnp_pad(
    dims: int,
    array: Any,
    pad_width: Any,
    mode: Any = "constant",
    constant_values: Any = 0,
    reflect_type: Any = "even",
) -> Layer:
    """``numpy.pad`` and ``jax.numpy.pad``: the same width everywhere, a pair, or a pair an axis."""
    if mode not in PAD_MODES:
        raise WrongInput(
            f"mode = {show(mode)}: the modes understood are {', '.join(map(repr, PAD_MODES))}; "
            "choose one of them"
        )
    _zero("constant_values", constant_values)
    if reflect_type != "even":
        raise NotSupported(
            f"reflect_type = {show(reflect_type)}: only 'even' is understood; leave it out"
        )
    pairs = _widths(pad_width, dims)
    layout = spread([lo == 0 and hi == 0 for lo, hi in pairs])
    inner = spatial_only(pairs, layout)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        return Plan((padded(inner, x[len(x) - len(inner) :], PAD_MODES[mode]),))

    return Layer(len(inner), layout, plan)


def _widths(value: Any, dims: int) -> tuple[tuple[Expr, Expr], ...]:
    rows = value if isinstance(value, tuple) else (value,)
    if all(isinstance(r, tuple) for r in rows):
        pairs = [r * 2 if len(r) == 1 else r for r in rows]
    else:
        pairs = [rows * 2 if len(rows) == 1 else rows]
    pairs = pairs * dims if len(pairs) == 1 else pairs
    if len(pairs) != dims or not all(len(p) == 2 for p in pairs):
        raise WrongInput(
            f"pad_width = {show(value)}: one width, (before, after), or such a pair for each of the "
            f"{dims} axes was expected; give one of them"
        )
    found = tuple((integer(a, "pad_width"), integer(b, "pad_width")) for a, b in pairs)
    for amount in (a for pair in found for a in pair):
        if amount.constant is not None and amount.constant < 0:
            raise WrongInput(
                f"pad_width = {amount}: NumPy and JAX refuse negative widths (index can't contain "
                "negative values); crop with x[a:b], or use lax.pad"
            )
    return found


def padded(pairs: tuple[tuple[Expr, Expr], ...], n: Shape, mode: str) -> Step:
    """The step that pads: with the limited operator where the amounts are known to stay below it."""
    if mode in LIMITS or mode == "symmetric":
        small = mode in LIMITS and all(
            a.constant is not None
            and ni.constant is not None
            and a.constant <= ni.constant - LIMITS[mode]
            for pair, ni in zip(pairs, n, strict=True)
            for a in pair
        )
        if not small:
            return step("extend", padding=pairs, mode=mode, dims=len(pairs))
    return step("pad", padding=pairs, mode=mode, dims=len(pairs))


def _shape_count(given: Mapping[str, Any]) -> int | None:
    return len(given["shape"]) if isinstance(given["shape"], tuple) else None


@call("JAX", "jax.image.resize", dims=RANKS, tensors=("image",), count=_shape_count)
def image_resize(
    dims: int, image: Any, shape: Any, method: Any, antialias: Any = True, precision: Any = None
) -> Layer:
    """``jax.image.resize``: to a shape of all axes, nearest (at half pixels) or linear."""
    name = method.name.rsplit(".", 1)[-1].lower() if isinstance(method, Name) else method
    if name not in (*NEAREST, *LINEAR):
        raise NotSupported(
            f"method = {show(method)}: only 'nearest' and 'linear' (or 'bilinear', 'trilinear', "
            "'triangle') are understood; choose one of them"
        )
    if not isinstance(shape, tuple):
        raise WrongInput(
            f"shape = {show(shape)}: the lengths of all axes were expected; give a tuple"
        )
    m = tuple(integer(v, "shape") for v in shape)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        conds: tuple[Requirement, ...] = ()
        if name in LINEAR and antialias:
            _no_shrinking(x, m)
            says = "shrinking with antialias averages over a wider window; give antialias=False"
            conds = tuple(Requirement(b >= a, says) for a, b in zip(x, m, strict=True))
        step_of = half_pixel(x, m, "linear" if name in LINEAR else "floor")
        return Plan((step_of,), (), conds)

    return Layer(dims, SPATIAL[dims], plan)


def _no_shrinking(n: Shape, m: Shape) -> None:
    for a, b in zip(n, m, strict=True):
        if a.constant is not None and b.constant is not None and b.constant < a.constant:
            raise NotSupported(
                f"jax.image.resize: shrinking from {a} to {b} with antialias averages over a wider "
                "window, which is not understood; give antialias=False"
            )


def half_pixel(n: Shape, m: Shape, mode: str) -> Step:
    """Resizing at ``(i + 1/2)·n/m - 1/2`` (linear), or the sample below ``(i + 1/2)·n/m``."""
    start = tuple(a - b if mode == "linear" else a for a, b in zip(n, m, strict=True))
    return step(
        "resize",
        length=m,
        top=tuple(2 * a for a in n),
        start=start,
        den=tuple(2 * b for b in m),
        mode=mode,
        dims=len(m),
    )


def _sequence(kind: str, mode: Any, first: str) -> Layer:
    """NumPy's convolution (or correlation) of two sequences.

    ``same`` keeps as many as the longer one has, from place ``(S-1)//2`` of the full result where
    ``S`` is the shorter length, in a correlation with a longer second one from ``S//2``, as it is
    computed with the two exchanged and then reversed.
    """
    _known_mode(mode)

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        n, k = x[0], given.get("v", (size("k"),))[0]
        short, long = minimum(n, k), maximum(n, k)
        start = {"full": lift(0), "valid": short - 1}.get(mode)
        if start is None:
            turned = indicator(k > n) if kind == "correlate" else lift(0)
            start = (short - 1 + turned) // 2
        length = {"full": n + k - 1, "same": long, "valid": long - short + 1}[mode]
        return _kept(kind, (n,), (k,), (start,), (length,), "v")

    return Layer(1, "W", plan, tensors=("v",))


def _known_mode(mode: Any) -> None:
    if mode not in ("full", "same", "valid"):
        raise WrongInput(
            f"mode = {show(mode)}: 'full', 'same' or 'valid' was expected; give one of them"
        )


def _kept(
    kind: str,
    n: Shape,
    k: Shape,
    start: Shape,
    length: Shape,
    name: str,
    conds: tuple[Requirement, ...] = (),
) -> Plan:
    """The part ``[start, start + length)`` of the full result, by its padding."""
    padding = tuple(
        (b - 1 - s, m + b - 1 - a - (b - 1 - s))
        for a, b, s, m in zip(n, k, start, length, strict=True)
    )
    operator = "convolve" if kind == "convolve" else "correlate"
    made = step(operator, weight=name, padding=padding, dims=len(n))
    return Plan((made,), (Operand(name, SPATIAL[len(n)], k),), conds)


@call("NumPy", "np.convolve", dims=(1,), tensors=("a", "v"))
def np_convolve(dims: int, a: Any, v: Any, mode: Any = "full") -> Layer:
    """``numpy.convolve``."""
    return _sequence("convolve", mode, "a")


@call("JAX", "jnp.convolve", dims=(1,), tensors=("a", "v"))
def jnp_convolve(
    dims: int,
    a: Any,
    v: Any,
    mode: Any = "full",
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Layer:
    """``jax.numpy.convolve``."""
    return _sequence("convolve", mode, "a")


@call("NumPy", "np.correlate", dims=(1,), tensors=("a", "v"))
def np_correlate(dims: int, a: Any, v: Any, mode: Any = "valid") -> Layer:
    """``numpy.correlate``."""
    return _sequence("correlate", mode, "a")


@call("JAX", "jnp.correlate", dims=(1,), tensors=("a", "v"))
def jnp_correlate(
    dims: int,
    a: Any,
    v: Any,
    mode: Any = "valid",
    precision: Any = None,
    preferred_element_type: Any = None,
) -> Layer:
    """``jax.numpy.correlate``."""
    return _sequence("correlate", mode, "a")


def _signal(kind: str, dims: int, mode: Any, method: Any) -> Layer:
    """SciPy's convolution (or correlation) of arrays: ``same`` keeps the first array's shape, from
    place ``(k-1)//2`` of the full result.
    """
    _known_mode(mode)
    if method not in ("auto", "direct", "fft"):
        raise WrongInput(
            f"method = {show(method)}: 'auto', 'direct' or 'fft' was expected; give one of them"
        )

    def plan(x: Shape, given: Mapping[str, Shape]) -> Plan:
        k = given.get("in2", tuple(size(f"k{a.lower()}") for a in SPATIAL[dims]))
        if len(k) != len(x):
            raise WrongInput(f"in1 has {len(x)} axes and in2 {len(k)}; give as many to both")
        pairs = tuple(zip(x, k, strict=True))
        starts: Mapping[str, Shape] = {
            "full": (lift(0),) * dims,
            "same": tuple((b - 1) // 2 for b in k),
            "valid": tuple(minimum(a, b) - 1 for a, b in pairs),
        }
        lengths: Mapping[str, Shape] = {
            "full": tuple(a + b - 1 for a, b in pairs),
            "same": x,
            "valid": tuple(maximum(a, b) - minimum(a, b) + 1 for a, b in pairs),
        }
        larger = any_of(all_of(*(a >= b for a, b in pairs)), all_of(*(b >= a for a, b in pairs)))
        message = (
            "mode = 'valid' with arrays of which neither is the larger one on every axis: SciPy refuses "
            "it (For 'valid' mode, one must be at least as large as the other in every dimension); "
            "use 'same' or 'full'"
        )
        conds = (Requirement(larger, message),) if mode == "valid" else ()
        return _kept(kind, x, k, starts[mode], lengths[mode], "in2", conds)

    return Layer(dims, SPATIAL[dims], plan, tensors=("in2",))


@call("NumPy", "signal.convolve", dims=(1, 2, 3), tensors=("in1", "in2"))
def signal_convolve(
    dims: int, in1: Any, in2: Any, mode: Any = "full", method: Any = "auto"
) -> Layer:
    """``scipy.signal.convolve``."""
    return _signal("convolve", dims, mode, method)


@call("NumPy", "signal.correlate", dims=(1, 2, 3), tensors=("in1", "in2"))
def signal_correlate(
    dims: int, in1: Any, in2: Any, mode: Any = "full", method: Any = "auto"
) -> Layer:
    """``scipy.signal.correlate``."""
    return _signal("correlate", dims, mode, method)
