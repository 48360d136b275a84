"""Configurations of JAX's calls, legal and illegal, drawn from a seed.

Most are legal; about one in seven spoils one argument, and small inputs make others illegal by
themselves.  An output without any element is refused by us and counts as refused by JAX.
"""

from __future__ import annotations

from random import Random
from typing import Any

from derive.dialects.calls import Call, Name, Sum
from derive.numeric.frameworks import Draw, Drawn, Ints, Known

SPOILED = 0.15
LENGTHS = {1: (2, 12), 2: (2, 7), 3: (2, 4)}
KERNELS = {1: (1, 5), 2: (1, 4), 3: (1, 3)}
MINUS_INFINITY = Sum("-", 0, Name("jnp.inf"))
NAMED = ("SAME", "VALID", "SAME_LOWER", "same")
LAYOUTS = {
    1: (("NWC", "WIO", "NWC"), ("NCW", "OIW", "NWC"), ("NWC", "OIW", "CNW")),
    2: (("NHWC", "HWIO", "NHWC"), ("NCHW", "HWIO", "NHWC"), ("NHWC", "OWHI", "CNWH")),
    3: (("NDHWC", "DHWIO", "NDHWC"), ("NCDHW", "OIDHW", "NCDHW"), ("NXYZC", "XYZIO", "NZYXC")),
}


def each(rng: Random, dims: int, low: int, high: int) -> Ints:
    """A value for each axis."""
    return tuple(rng.randint(low, high) for _ in range(dims))


def pairs(rng: Random, dims: int, low: int, high: int) -> tuple[Ints, ...]:
    """A pair for each axis."""
    return tuple(each(rng, 2, low, high) for _ in range(dims))


def lengths(rng: Random, dims: int) -> Ints:
    """Spatial lengths."""
    return each(rng, dims, *LENGTHS[dims])


def spoil(rng: Random, arguments: dict[str, Any], wrong: dict[str, list[Any]]) -> None:
    """Now and then replace one argument by one that is likely to be refused."""
    if rng.random() < SPOILED:
        name = rng.choice(sorted(wrong))
        arguments[name] = rng.choice(wrong[name])


def _wrong(dims: int) -> dict[str, list[Any]]:
    zero = (*(2,) * (dims - 1), 0)
    return {
        "window_strides": [zero, (1,) * (dims + 1)],
        "padding": ["FULL", ((0, 0),) * (dims + 1), ((-20, 1),) * dims, (1,) * dims],
        "lhs_dilation": [zero, (1,) * (dims + 1)],
        "rhs_dilation": [zero, (1,) * (dims + 1)],
    }


def _by_letters(rng: Random, sizes: dict[str, int], specs: tuple[str, str, str] | None) -> Any:
    """The shapes of the input and the kernel for an order of axes."""
    return tuple(tuple(sizes[a] for a in spec) for spec in specs or ())


def _sizes(
    rng: Random, dims: int, letters: str, groups: int, group_out: bool = True
) -> tuple[dict[str, int], dict[str, int]]:
    per, out = rng.randint(1, 2), rng.randint(1, 2) * (groups if group_out else 1)
    n, k = lengths(rng, dims), each(rng, dims, *KERNELS[dims])
    lhs = {"N": rng.randint(1, 2), "C": per * groups, **dict(zip(letters, n, strict=True))}
    return lhs, {"I": per, "O": out, **dict(zip(letters, k, strict=True))}


def _shapes(rng: Random, dims: int, specs: tuple[str, str, str], groups: int) -> tuple[Ints, Ints]:
    letters = "".join(a for a in specs[1] if a not in "OI")
    lhs, rhs = _sizes(rng, dims, letters, groups)
    if rng.random() < 0.06:
        rhs["I" if rng.random() < 0.5 else "O"] += 1
    return tuple(lhs[a] for a in specs[0]), tuple(rhs[a] for a in specs[1])


def _default(dims: int) -> tuple[str, str, str]:
    s = {1: "W", 2: "HW", 3: "DHW"}[dims]
    return ("NC" + s, "OI" + s, "NC" + s)


def conv(rng: Random, dims: int) -> Drawn:
    """``lax.conv``: a named padding."""
    x, w = _shapes(rng, dims, _default(dims), 1)
    arguments: dict[str, Any] = {
        "window_strides": each(rng, dims, 1, 3),
        "padding": rng.choice(NAMED),
    }
    wrong = _wrong(dims)
    spoil(rng, arguments, {k: wrong[k] for k in ("window_strides", "padding")})
    return Drawn(arguments, x, {"rhs": w})


def conv_with_general_padding(rng: Random, dims: int) -> Drawn:
    """``lax.conv_with_general_padding``: both dilations."""
    x, w = _shapes(rng, dims, _default(dims), 1)
    arguments: dict[str, Any] = {
        "window_strides": each(rng, dims, 1, 3),
        "padding": pairs(rng, dims, -1, 4),
        "lhs_dilation": rng.choice((None, each(rng, dims, 1, 3))),
        "rhs_dilation": rng.choice((None, each(rng, dims, 1, 3))),
    }
    if rng.random() < 0.3:
        arguments |= {"padding": rng.choice(NAMED), "lhs_dilation": None}
    spoil(rng, arguments, _wrong(dims))
    return Drawn(arguments, x, {"rhs": w})


def conv_general_dilated(rng: Random, dims: int) -> Drawn:
    """``lax.conv_general_dilated``: layouts and groups too."""
    groups = rng.choice((1, 1, 2, 3))
    specs = rng.choice(LAYOUTS[dims]) if rng.random() < 0.6 else _default(dims)
    x, w = _shapes(rng, dims, specs, groups)
    arguments: dict[str, Any] = {
        "window_strides": each(rng, dims, 1, 3),
        "padding": rng.choice(NAMED) if rng.random() < 0.3 else pairs(rng, dims, -2, 4),
    }
    if rng.random() < 0.5 and not isinstance(arguments["padding"], str):
        arguments["lhs_dilation"] = each(rng, dims, 1, 3)
    if rng.random() < 0.5:
        arguments["rhs_dilation"] = each(rng, dims, 1, 3)
    if specs != _default(dims):
        written: Any = _numbers(specs) if rng.random() < 0.3 else specs
        arguments["dimension_numbers"] = written
    if groups > 1:
        arguments["feature_group_count"] = groups
    wrong = _wrong(dims) | {
        "feature_group_count": [0, 4],
        "dimension_numbers": [("NCX", "OIX", "NCX"), ("NCHWD", "OIHWD", "NCHWD")[:2]],
    }
    spoil(rng, arguments, wrong)
    return Drawn(arguments, x, {"rhs": w})


def _numbers(specs: tuple[str, str, str]) -> Call:
    """``ConvDimensionNumbers``: places of the axes, the spatial ones in the kernel's order."""
    spatial = [a for a in specs[1] if a not in "OI"]
    orders = tuple(
        tuple(spec.index(a) for a in (*pair, *spatial))
        for spec, pair in zip(specs, ("NC", "OI", "NC"), strict=True)
    )
    return Call("lax.ConvDimensionNumbers", orders, ())


def conv_transpose(rng: Random, dims: int) -> Drawn:
    """``lax.conv_transpose``: its own SAME, pairs, both readings of the kernel."""
    s = {1: "H", 2: "HW", 3: "HWD"}[dims]
    specs = (f"N{s}C", f"{s}IO", f"N{s}C")
    if rng.random() < 0.4:
        specs = rng.choice(LAYOUTS[dims])
    letters = "".join(a for a in specs[1] if a not in "OI")
    lhs, rhs = _sizes(rng, dims, letters, 1)
    arguments: dict[str, Any] = {
        "strides": each(rng, dims, 1, 4),
        "padding": rng.choice(("SAME", "VALID")) if rng.random() < 0.6 else pairs(rng, dims, -1, 4),
    }
    if rng.random() < 0.4:
        arguments["rhs_dilation"] = each(rng, dims, 1, 3)
    if rng.random() < 0.5:
        arguments["transpose_kernel"] = rng.random() < 0.7
    if rng.random() < 0.3:
        arguments["use_consistent_padding"] = True
    if specs != (f"N{s}C", f"{s}IO", f"N{s}C"):
        arguments["dimension_numbers"] = specs
    if arguments.get("transpose_kernel"):
        rhs["I"], rhs["O"] = rhs["O"], rhs["I"]
    if rng.random() < 0.06:
        rhs["I"] += 1
    wrong = _wrong(dims)
    bad: dict[str, list[Any]] = {
        "strides": wrong["window_strides"],
        "padding": [*wrong["padding"][:3], "SAME_LOWER", "same"],
        "rhs_dilation": wrong["rhs_dilation"],
    }
    spoil(rng, arguments, bad)
    x, w = tuple(lhs[a] for a in specs[0]), tuple(rhs[a] for a in specs[1])
    return Drawn(arguments, x, {"rhs": w})


def reduce_window(rng: Random, dims: int) -> Drawn:
    """``lax.reduce_window`` over an array of that many axes, mostly with batch and channels."""
    idle = 2 if dims > 2 and rng.random() < 0.7 else max(0, dims - 3)  # batch and channels
    first = rng.random() < 0.5
    count = dims - idle
    n, k = lengths(rng, count), each(rng, count, *KERNELS[count])

    def spread(value: tuple[Any, ...], nothing: Any) -> tuple[Any, ...]:
        if first or idle < 2:
            return (nothing,) * idle + value
        return (nothing, *value, *(nothing,) * (idle - 1))

    kind = rng.choice(("add", "max"))
    arguments: dict[str, Any] = {
        "init_value": 0 if kind == "add" else MINUS_INFINITY,
        "computation": Name(f"lax.{kind}"),
        "window_dimensions": spread(k, 1),
    }
    if rng.random() < 0.7:
        arguments["window_strides"] = spread(each(rng, count, 1, 3), 1)
    if rng.random() < 0.7:
        arguments["padding"] = (
            rng.choice(NAMED) if rng.random() < 0.5 else spread(pairs(rng, count, -1, 3), (0, 0))
        )
    if rng.random() < 0.3:
        arguments["window_dilation"] = spread(each(rng, count, 1, 2), 1)
    if rng.random() < 0.3 and kind == "add":
        arguments["base_dilation"] = spread(each(rng, count, 1, 3), 1)
    wrong: dict[str, list[Any]] = {
        "window_dimensions": [(0,) * dims, (2,) * (dims + 1)],
        "window_strides": [(0,) * dims, (1,) * (dims + 1)],
        "padding": ["FULL"],
        "window_dilation": [(0,) * dims],
    }
    spoil(rng, arguments, wrong)
    shape = spread(n, 2)
    return Drawn(arguments, shape)


def lax_pad(rng: Random, dims: int) -> Drawn:
    """``lax.pad`` with interior padding and crops."""
    config = tuple((*each(rng, 2, -2, 3), rng.choice((0, 0, 1, 2))) for _ in range(dims))
    arguments: dict[str, Any] = {"padding_value": 0, "padding_config": config}
    bad = ((0, 0, -1),) * dims
    spoil(
        rng, arguments, {"padding_config": [bad, ((-9, -9, 0),) * dims, ((0, 0, 0),) * (dims + 1)]}
    )
    return Drawn(arguments, each(rng, dims, 1, 5))


def jnp_pad(rng: Random, dims: int) -> Drawn:
    """``jnp.pad``: all modes, widths beyond a period too."""
    widths: list[Any] = [rng.randint(0, 4), each(rng, 2, 0, 4), pairs(rng, dims, 0, 6)]
    arguments: dict[str, Any] = {
        "pad_width": rng.choice((widths[0], widths[1], widths[2], widths[2]))
    }
    if rng.random() < 0.85:
        arguments["mode"] = rng.choice(("constant", "edge", "wrap", "reflect", "symmetric"))
    spoil(rng, arguments, {"pad_width": [-1, (1, 2, 3)], "mode": ["replicate"]})
    return Drawn(arguments, each(rng, dims, 1, 5))


def image_resize(rng: Random, dims: int) -> Drawn:
    """``jax.image.resize``: nearest and linear, larger and smaller."""
    n = each(rng, dims, 1, 6)
    method = rng.choice(("nearest", "linear", "bilinear"))
    shape = tuple(rng.choice((v, rng.randint(1, 9))) for v in n)
    arguments: dict[str, Any] = {"shape": shape, "method": method}
    if method != "nearest" and any(a < b for a, b in zip(shape, n, strict=True)):
        arguments["antialias"] = False
    spoil(rng, arguments, {"shape": [(*shape, 2)], "method": ["box"]})
    return Drawn(arguments, n)


def sequence(rng: Random, dims: int) -> Drawn:
    """``jnp.convolve`` and ``jnp.correlate``: either one the longer."""
    arguments: dict[str, Any] = {}
    if rng.random() < 0.8:
        arguments["mode"] = rng.choice(("full", "same", "valid"))
    spoil(rng, arguments, {"mode": ["circular"]})
    return Drawn(arguments, (rng.randint(1, 9),), {"v": (rng.randint(1, 9),)})


def flax_pool(rng: Random, dims: int) -> Drawn:
    """``flax.linen`` pooling."""
    k = each(rng, dims, *KERNELS[dims])
    arguments: dict[str, Any] = {"window_shape": k}
    if rng.random() < 0.7:
        arguments["strides"] = each(rng, dims, 1, 3)
    if rng.random() < 0.7:
        padding = tuple((rng.randint(0, v - 1), rng.randint(0, v - 1)) for v in k)
        arguments["padding"] = rng.choice((padding, rng.choice(NAMED)))
    wrong: dict[str, list[Any]] = {
        "window_shape": [(0,) * dims],
        "strides": [(0,) * dims, (1,) * (dims + 1)],
        "padding": ["FULL"],
    }
    spoil(rng, arguments, wrong)
    return Drawn(arguments, (rng.randint(1, 2), *lengths(rng, dims), rng.randint(1, 2)))


def flax_average(rng: Random, dims: int) -> Drawn:
    """``flax.linen.avg_pool``: with and without the padding in the count."""
    drawn = flax_pool(rng, dims)
    arguments = dict(drawn.arguments)
    if rng.random() < 0.5:
        arguments["count_include_pad"] = rng.random() < 0.5
    return Drawn(arguments, drawn.x)


def flax_conv(rng: Random, dims: int) -> Drawn:
    """``flax.linen.Conv``: all paddings, dilations and groups."""
    g, k = rng.choice((1, 1, 2)), each(rng, dims, *KERNELS[dims])
    arguments: dict[str, Any] = {"features": g * rng.randint(1, 2), "kernel_size": k}
    if rng.random() < 0.6:
        arguments["strides"] = rng.choice((rng.randint(1, 3), each(rng, dims, 1, 3)))
    if rng.random() < 0.8:
        named = ("SAME", "VALID", "CIRCULAR", "REFLECT", "CAUSAL", "SAME_LOWER")
        amount: list[Any] = [rng.randint(0, 2), each(rng, dims, 0, 2), pairs(rng, dims, -1, 3)]
        arguments["padding"] = rng.choice((rng.choice(named), rng.choice(amount)))
    if rng.random() < 0.3:
        arguments["kernel_dilation"] = each(rng, dims, 1, 2)
    if rng.random() < 0.2:
        arguments["input_dilation"] = each(rng, dims, 1, 2)
    if rng.random() < 0.5:
        arguments["use_bias"] = False
    if g > 1:
        arguments["feature_group_count"] = g
    wrong: dict[str, list[Any]] = {
        "strides": [0],
        "padding": ["FULL", (1,) * (dims + 1)],
        "feature_group_count": [3],
    }
    spoil(rng, arguments, wrong)
    return Drawn(arguments, (rng.randint(1, 2), *lengths(rng, dims), g * rng.randint(1, 2)))


def flax_conv_transpose(rng: Random, dims: int) -> Drawn:
    """``flax.linen.ConvTranspose``: named and explicit paddings, both readings of the kernel."""
    k = each(rng, dims, *KERNELS[dims])
    arguments: dict[str, Any] = {"features": rng.randint(1, 3), "kernel_size": k}
    if rng.random() < 0.7:
        arguments["strides"] = rng.choice((rng.randint(1, 3), each(rng, dims, 1, 4)))
    if rng.random() < 0.7:
        amount: list[Any] = [rng.randint(0, 2), each(rng, dims, 0, 2), pairs(rng, dims, -1, 3)]
        arguments["padding"] = rng.choice((rng.choice(("SAME", "VALID")), rng.choice(amount)))
    if rng.random() < 0.3:
        arguments["kernel_dilation"] = each(rng, dims, 1, 2)
    if rng.random() < 0.4:
        arguments["transpose_kernel"] = rng.random() < 0.7
    if rng.random() < 0.5:
        arguments["use_bias"] = False
    spoil(rng, arguments, {"strides": [0], "padding": ["FULL", (1,) * (dims + 1)]})
    return Drawn(arguments, (rng.randint(1, 2), *lengths(rng, dims), rng.randint(1, 3)))


DRAWS: dict[str, Draw] = {
    "linen.Conv": flax_conv,
    "linen.ConvTranspose": flax_conv_transpose,
    "lax.conv": conv,
    "lax.conv_with_general_padding": conv_with_general_padding,
    "lax.conv_general_dilated": conv_general_dilated,
    "lax.conv_transpose": conv_transpose,
    "lax.reduce_window": reduce_window,
    "lax.pad": lax_pad,
    "jnp.pad": jnp_pad,
    "jax.image.resize": image_resize,
    "jnp.convolve": sequence,
    "jnp.correlate": sequence,
    "linen.max_pool": flax_pool,
    "linen.avg_pool": flax_average,
}
KNOWN: tuple[Known, ...] = ()
