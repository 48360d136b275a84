"""``derive matrix``: the options as text, and the matrix as text, LaTeX or numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from derive.errors import WrongInput, clipped

if TYPE_CHECKING:
    from derive.matrix import Matrix
    from derive.operators import Operator

NAMED = ("stride", "padding", "dilation", "base_dilation", "groups")
"""The options of ``--set`` that have an option of their own."""

WIDTH = 100
EPILOG = """\b
Examples:
  derive matrix correlate --n 7 --k 3 --stride 2 --padding 1,0
  derive matrix correlate --n 28x28 --k 3 --latex
  derive matrix conv_transpose --n 4 --k 3 --stride 2 --channels 2,4 --groups 2
  derive matrix correlate --n 7 --k 3 --stride 2 --transpose
  derive matrix avg_pool --n 7 --k 3 --stride 2 --set ceil_mode=true --numpy
  derive matrix max_pool --n 6 --k 2 --taps 1,0,1
  derive matrix pixel_shuffle --n 3 --channels 4 --set r=2
  derive matrix "nn.Conv2d(1, 1, 3, padding=1)" --n 5x5
  derive matrix "F.conv_transpose1d(x, w, stride=2)" --n 4 --k 3

Exit code: 0, or 2 for wrong input.
"""


class Operators(click.Command):
    """A command whose help lists the registered operators with their options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the operators before the examples."""
        from derive.operators import OPERATORS
        from derive.request import parameters

        rows = [(name, ", ".join(parameters(op))) for name, op in OPERATORS.items() if op.tensors]
        with formatter.section("Operators and their options (--set)"):
            formatter.write_dl(rows)
        super().format_epilog(ctx, formatter)


@click.command("matrix", cls=Operators, epilog=EPILOG)
@click.argument("operator")
@click.option("--n", required=True, metavar="N[xN…]", help="Input length, or 28x28 in 2-D.")
@click.option("--k", metavar="K[xK…]", help="Kernel length, or 3x2; one is used for every axis.")
@click.option("--stride", metavar="S[,S…]", help="Stride (or the factor of an upsampling).")
@click.option(
    "--padding",
    metavar="LO,HI",
    help="LO,HI or one number; per axis LO,HI;LO,HI; or same, full, ….",
)
@click.option("--dilation", metavar="D[,D…]", help="Dilation of the kernel.")
@click.option("--base-dilation", metavar="E[,E…]", help="Dilation of the input.")
@click.option("--groups", metavar="G", help="Groups of channels.")
@click.option(
    "--channels", metavar="C_IN[,C_OUT]", help="Channels; without it there is no channel axis."
)
@click.option("--batch", metavar="B", help="Length of a batch axis; without it there is none.")
@click.option(
    "--set", "settings", metavar="NAME=VALUE", multiple=True, help="Any option of the operator."
)
@click.option(
    "--taps", metavar="T,T…", help="Max pooling: the tap that wins in each window (0x1,… in 2-D)."
)
@click.option(
    "--wrt", metavar="NAME", help="The operand that the columns count.  [default: the first]"
)
@click.option("--transpose", is_flag=True, help="The matrix of the gradient (VJP) instead.")
@click.option("--text", is_flag=True, help="Plain text (the default).")
@click.option("--latex", is_flag=True, help="LaTeX.")
@click.option("--numpy", is_flag=True, help="Numbers, with --kernel for the other operand.")
@click.option(
    "--kernel", metavar="V,V…", help="Values for --numpy, row by row.  [default: 1,2,3,…]"
)
def matrix_command(
    operator: str,
    n: str,
    k: str | None,
    channels: str | None,
    batch: str | None,
    settings: tuple[str, ...],
    taps: str | None,
    wrt: str | None,
    transpose: bool,
    text: bool,
    latex: bool,
    numpy: bool,
    kernel: str | None,
    **named: str | None,
) -> int:
    """Print the matrix of OPERATOR, or of a framework's call, at concrete sizes."""
    from derive.request import find_operator, matrix_of

    if "(" in operator:
        options: dict[str, Any] = {k: v for k, v in named.items() if v is not None}
        options |= {s.partition("=")[0]: s for s in settings}
    else:
        options = _options(find_operator(operator), named, settings)
    style = _style({"text": text, "latex": latex, "numpy": numpy})
    if kernel is not None and style != "numpy":
        raise WrongInput("--kernel gives numbers; ask for --numpy as well")
    found = matrix_of(
        operator,
        lengths("--n", n),
        None if k is None else lengths("--k", k),
        channels=None if channels is None else lengths("--channels", channels),
        batch=None if batch is None else whole("--batch", batch),
        wrt=wrt,
        transpose=transpose,
        taps=None if taps is None else [lengths("--taps", t) for t in taps.split(",")],
        **options,
    )
    click.echo(_written(found, style, kernel))
    return 0


def _style(given: Mapping[str, bool]) -> str:
    """The one way of writing the matrix that was asked for."""
    asked = [name for name, value in given.items() if value]
    if len(asked) > 1:
        flags = " ".join(f"--{name}" for name in asked)
        raise WrongInput(f"{flags}: a matrix is written in one way; give one of them")
    return asked[0] if asked else "text"


def _options(
    op: Operator, named: Mapping[str, str | None], settings: tuple[str, ...]
) -> dict[str, Any]:
    from derive.request import FACTOR, parameters

    known = parameters(op)
    texts = {name: (f"--{name.replace('_', '-')}", v) for name, v in named.items() if v is not None}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise WrongInput(f"--set {clipped(setting)}: no value; write --set NAME=VALUE")
        if name in texts:
            raise WrongInput(f"--set {setting}: {name} is given twice; give it once")
        texts[name] = (f"--set {name}", value)
    found = {}
    for name, (flag, text) in texts.items():
        meant = FACTOR[1] if name == FACTOR[0] and name not in known else name
        kind = str(known[meant].annotation) if meant in known else "PerAxis"
        found[name] = parse(flag, kind, text)
    return found


def parse(flag: str, kind: str, text: str) -> Any:
    """The value of an option whose parameter has the annotation ``kind``.

    >>> parse("--padding", "Padding", "1,0;0,2"), parse("--padding", "Padding", "same")
    (((1, 0), (0, 2)), 'same')
    >>> parse("--set ceil_mode", "bool", "true"), parse("--stride", "PerAxis", "2,1")
    (True, (2, 1))
    """
    if kind == "bool":
        if text.lower() not in ("true", "false"):
            raise WrongInput(f"{flag} {text}: neither true nor false; write one of them")
        return text.lower() == "true"
    if kind == "str":
        return text
    if kind in ("int", "Integer", "Integer | None"):
        return whole(flag, text)
    if kind == "Padding":
        return padding(flag, text)
    values = lengths(flag, text)
    return values if len(values) > 1 or kind.startswith("Sequence") else values[0]


def padding(flag: str, text: str) -> Any:
    """Amounts of padding: a number, ``LO,HI``, ``LO,HI;LO,HI``, or a name."""
    if re.fullmatch(r"[a-z_]+", text):
        return text
    axes = [lengths(flag, axis) for axis in text.split(";")]
    if len(axes) == 1:
        return axes[0] if len(axes[0]) > 1 else axes[0][0]
    return tuple(axes)


def lengths(flag: str, text: str) -> tuple[int, ...]:
    """Whole numbers between ``x`` or commas.

    >>> lengths("--n", "28x28"), lengths("--n", "7")
    ((28, 28), (7,))
    """
    return tuple(whole(flag, part, text) for part in re.split(r"[x,]", text))


def whole(flag: str, text: str, request: str | None = None) -> int:
    """A whole number."""
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text.strip()):
        shown = clipped(text if request is None else request)
        raise WrongInput(
            f"{flag} {shown}: {clipped(text)!r} is no whole number of at most 9 digits; write it in digits"
        )
    return int(text)


def _written(found: Matrix, style: str, kernel: str | None) -> str:
    from derive.matrix import to_latex, to_text

    if style == "latex":
        return to_latex(found)
    if style == "numpy":
        return _numbers(found, kernel)
    rows, columns = found.shape
    count = len(found.entries)
    entries = "entry" if count == 1 else "entries"
    return f"{rows} x {columns}, {count} non-zero {entries}\n{to_text(found)}"


def _numbers(found: Matrix, kernel: str | None) -> str:
    import numpy as np

    elements = {e for v in found.entries.values() for monomial, _ in v for e in monomial}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, at in elements:
        before = shapes.get(name, (0,) * len(at))
        shapes[name] = tuple(max(b, a + 1) for b, a in zip(before, at, strict=True))
    values = {}
    for name, shape in shapes.items():
        size = int(np.prod(shape))
        numbers = range(1, size + 1) if kernel is None else lengths("--kernel", kernel)
        if len(numbers) != size:
            raise WrongInput(
                f"--kernel {kernel}: {len(numbers)} values, but {name} has {size}; give {size}"
            )
        values[name] = np.array(numbers, dtype=np.int64).reshape(shape)
    if kernel is not None and not shapes:
        raise WrongInput("--kernel: this matrix has no other operand; leave it out")
    dense = found.dense_numpy(values)
    if dense.dtype == object:
        dense = dense.astype(np.float64)
    return np.array2string(dense, separator=", ", max_line_width=WIDTH, threshold=1000)
