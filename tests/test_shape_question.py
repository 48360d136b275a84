"""Shape questions about one call: what is printed is compared with numbers found without it."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import pytest

import derive
from derive.dialects.answers import as_dict, latex, text
from derive.dialects.calls import Call, read_calls
from derive.dialects.formula import condition, flattened, name_latex, plain, tree, value
from derive.dialects.named import with_names
from derive.dialects.question import LayerShape, layer_shape
from derive.dialects.request import ask, parse_shape
from derive.document.text import escape_latex
from derive.errors import DeriveError, WrongInput
from derive.expr import Expr, all_of, any_of, divides, lift, maximum, minimum
from derive.symbols import offset, sizes

CONV = "nn.Conv2d(3, 16, 3, stride=2, padding=1)"


def one(call: str, *args: Any, **kwargs: Any) -> LayerShape:
    found = derive.shape(call, *args, **kwargs)
    assert isinstance(found, LayerShape)
    return found


def windows(n: int, k: int, s: int, p: int, d: int) -> int:
    """Count the windows that fit, one by one."""
    padded = n + 2 * p
    return sum(1 for start in range(0, padded, s) if start + d * (k - 1) < padded)


@pytest.mark.parametrize("seed", range(25))
def test_convolutions_and_pools_count_their_windows(seed: int) -> None:
    rng = random.Random(seed)
    k, s, d = rng.randint(1, 5), rng.randint(1, 4), rng.randint(1, 3)
    p = rng.randint(0, k // 2)
    n = rng.randint(d * (k - 1) + 1, 40)
    m = windows(n, k, s, p, d)
    wanted = [i for i in range(1, 120) if windows(i, k, s, p, d) == m]
    conv = one(f"nn.Conv1d(2, 4, {k}, stride={s}, padding={p}, dilation={d})", n)
    pool = one(f"nn.MaxPool1d({k}, {s}, {p}, {d})", n)
    for found in (conv, pool):
        axis = found.axes[1]
        assert (axis.axis, axis.output) == ("L", m)
        assert axis.inverse is not None
        assert [i for i in range(1, 120) if i in axis.inverse] == wanted
        assert axis.numbers.endswith(f" = {m}")
        assert axis.reason.endswith(str(m))
    back = conv.axes[1].output_padding
    assert back is not None
    returned = one(
        f"nn.ConvTranspose1d(4, 2, {k}, {s}, {p}, {back}, 1, True, {d})"
        if back < max(s, d)
        else CONV,
        m,
    )
    if back < max(s, d) and s > 1:
        assert returned.axes[1].output == n


@pytest.mark.parametrize("seed", range(25))
def test_unread_positions_are_those_that_no_window_reaches(seed: int) -> None:
    rng = random.Random(seed)
    k, s, p = rng.randint(1, 4), rng.randint(2, 5), rng.randint(0, 1)
    n = rng.randint(k, 30)
    found = one(f"nn.Conv1d(1, 1, {k}, {s}, {p})", n).axes[1]
    last = s * (windows(n, k, s, p, 1) - 1) + k - 1 - p  # the last input position that is read
    lost = list(range(last + 1, n))
    numbers = re.search(r"input positions? (\d+)(?: to (\d+))?", found.unread)
    shown = []
    if numbers:
        shown = list(range(int(numbers[1]), int(numbers[2] or numbers[1]) + 1))
    assert shown == lost
    padding = re.search(r"the last (?:(\d+) )?positions? of the padding", found.unread)
    assert (int(padding[1] or 1) if padding else 0) == n + p - 1 - max(last, n - 1)


@pytest.mark.parametrize(
    ("call", "formula"),
    [
        (
            CONV,
            "H_out = ⌊(H_in + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌋ + 1",
        ),
        (
            "nn.Conv2d(3, 16, (3, 5), padding=(1, 2))",
            "W_out = ⌊(W_in + 2·padding[1] − dilation·(kernel_size[1] − 1) − 1)/stride⌋ + 1",
        ),
        (
            "nn.ConvTranspose1d(3, 4, 5, stride=2)",
            "L_out = (L_in − 1)·stride − 2·padding + dilation·(kernel_size − 1) + output_padding + 1",
        ),
        ("nn.Conv1d(4, 8, 3, padding='same')", "L_out = L_in"),
        (
            "F.conv1d(x, w, stride=3)",
            "L_out = ⌊(L_in + 2·padding − dilation·(w[2] − 1) − 1)/stride⌋ + 1",
        ),
        (
            "nn.Conv1d(4, 8, k, stride=s)",
            "L_out = ⌊(L_in + 2·padding − dilation·(k − 1) − 1)/s⌋ + 1",
        ),
        (
            "nn.MaxPool1d(3, 2, ceil_mode=True)",
            (
                "L_out = min(⌈(L_in + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌉ + 1, "
                "⌊(L_in + padding − 1)/stride⌋ + 1)"
            ),
        ),
        ("keras.layers.Conv1D(8, 3, strides=2, padding='same')", "L_out = ⌈L_in/strides⌉"),
        ("nn.Upsample(scale_factor=2)", "H_out = H_in·scale_factor"),
    ],
)
def test_formulas_have_the_parameters_own_names(call: str, formula: str) -> None:
    assert formula in [a.formula for a in one(call).axes]


def test_a_value_that_the_framework_insists_on_is_no_parameter() -> None:
    """The formula of padding='same' must not speak of strides that PyTorch refuses."""
    assert "stride" not in str(one("nn.Conv1d(4, 8, 3, padding='same')").axes)


@pytest.mark.parametrize(
    "call",
    [
        CONV,
        "nn.Conv2d(4, 16, (3, 5), stride=(2, 3), padding=(1, 2), dilation=(1, 2))",
        "nn.ConvTranspose2d(3, 4, 4, stride=3, padding=1, output_padding=2)",
        "nn.AvgPool2d(3, 2, 1, ceil_mode=True)",
        "tf.nn.conv2d(x, w[3, 4, 3, 8], strides=2, padding='SAME')",
        "lax.conv_general_dilated(x[1,3,28,28], w[16,3,3,4], (2,3), 'SAME')",
        "nn.PixelShuffle(3)",
        "nn.Unfold(3, stride=2)",
    ],
)
def test_what_is_printed_is_the_shape_rule(call: str) -> None:
    """The printed formula, read back as Python, has the value of the shape at many lengths."""
    written = read_calls(call)[-1].value
    assert isinstance(written, Call)
    for h, w in itertools.product((9, 14, 23, 31), (11, 16, 30)):
        asked = ask(written)
        lengths = {"H_in": h, "W_in": w}
        x = tuple(
            {"H": h, "W": w}.get(a, 2 if a == "N" else int(n.constant or 18))
            for a, n in zip(asked.layout, asked.x, strict=True)
        )
        named = with_names(ask(written, x))
        sizes_ = {s.name: int(v) for s, v in named.values.items()} | lengths
        sizes_ |= {"N": 2, "C_in": x[asked.layout.index("C")]}
        found = layer_shape(written, x)
        for e, m in zip(named.shape, found.output, strict=True):
            assert value(tree(e), sizes_) == m
            assert evaluated(plain(tree(e)), sizes_) == m
        for axis in found.axes:
            assert evaluated(axis.formula.split(" = ")[1], sizes_) == axis.output


def evaluated(formula: str, sizes_: dict[str, int]) -> int:
    """A printed formula as Python: floors and ceilings by their brackets."""
    plain_text = formula
    for sup, number in zip("²³", "23", strict=True):
        plain_text = plain_text.replace(sup, f"**{number}")
    for name in sorted(sizes_, key=len, reverse=True):
        plain_text = re.sub(
            rf"(?<![\w\[]){re.escape(name)}(?![\w\[])", str(sizes_[name]), plain_text
        )
    for sup, number in zip("²³", "23", strict=True):
        plain_text = plain_text.replace(sup, f"**{number}")
    while True:  # innermost brackets first
        found = re.search(r"([⌊⌈])([^⌊⌈⌋⌉]*)/([^/⌊⌈⌋⌉]*)[⌋⌉]", plain_text)
        if found is None:
            break
        sign = "" if found[1] == "⌊" else "-"
        inner = f"({sign}(({sign}({found[2]}))//({found[3]})))"
        plain_text = plain_text[: found.start()] + inner + plain_text[found.end() :]
    plain_text = plain_text.replace("·", "*").replace("−", "-")
    assert re.fullmatch(r"[-+*/()0-9, minax]*", plain_text), plain_text
    return int(eval(plain_text, {"min": min, "max": max, "__builtins__": {}}))


@pytest.mark.parametrize("seed", range(60))
def test_random_trees_are_the_expressions_they_are_made_of(seed: int) -> None:
    rng = random.Random(seed)
    names = sizes("n_in k s")
    p = offset("padding")

    def made(depth: int) -> Expr:
        if depth == 0:
            return rng.choice([*names, p, names[0] - 1, names[1] * names[2]]) * rng.choice(
                [1, 1, -2]
            )
        a, b = made(depth - 1), made(depth - 1)
        kind = rng.randint(0, 4)
        by = rng.choice([*names, lift(2), lift(3), lift(5)])
        return [a + b, a - b, a // by, maximum(a, b), minimum(a, -b)][kind]

    e = made(3)
    for _ in range(10):
        at = {x: rng.randint(1, 9) for x in ("n_in", "k", "s")} | {"padding": rng.randint(-3, 4)}
        assert value(tree(e), at) == e.at(at)
        assert value(tree(flattened(e)), at) == e.at(at)
        assert evaluated(plain(tree(e)), at) == e.at(at)


def test_a_quotient_by_a_number_that_rounds_up_is_written_so() -> None:
    n, k = sizes("n_in k")
    assert plain(tree(-(-n // 3))) == "⌈n_in/3⌉"
    assert plain(tree(2 * -(-(n + k - 1) // 5) + k)) == "2·⌈(n_in + k − 1)/5⌉ + k"
    assert plain(tree(n - 2 * n // 3 - k)) == "⌈n_in/3⌉ − k"
    assert plain(tree(k - 2 * n // 3)) == "−⌊2·n_in/3⌋ + k"  # nothing to take it from


def test_conditions_in_words() -> None:
    n, k, s = sizes("n k s")
    assert condition(n >= k + 1) == "n ≥ k + 1"
    assert condition(n + 3 >= k) == "n + 3 ≥ k"
    assert condition(n <= 31) == "n ≤ 31"
    assert condition(all_of(n <= 2 * k, n >= k)) == "k ≤ n ≤ 2·k"
    assert condition(divides(s, n - k)) == "s divides n − k"
    assert condition(~divides(2, n)) == "2 does not divide n"
    assert condition(any_of(all_of(n >= 3, k >= 2), n <= 1)) == "(n ≥ 3 and k ≥ 2) or n ≤ 1"


# -- inputs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shape"),
    [
        ("1,3,28,30", (1, 3, 28, 30)),
        ("1x3x28x30", (1, 3, 28, 30)),
        ("3,28,30", (3, 28, 30)),
        ("28x30", ("N", 3, 28, 30)),
        (28, ("N", 3, 28, 28)),
        ((28, 30), ("N", 3, 28, 30)),
        ("N,3,H,2*W", ("N", 3, "H", "2·W")),
        (None, ("N", 3, "H_in", "W_in")),
    ],
)
def test_shapes_as_people_give_them(given: Any, shape: tuple[object, ...]) -> None:
    assert one(CONV, given).input == shape


def test_mixed_sizes() -> None:
    found = one("nn.Conv2d(3, 16, k, padding=p)", "N,3,28,W")
    assert found.output == ("N", 16, "2·p − k + 29", "W + 2·p − k + 1")
    assert found.weights[0] == ("weight", "OIHW", (16, 3, "k", "k"))


def test_all_inputs_for_a_symbolic_output() -> None:
    axis = one("nn.Conv1d(3, 16, 3, stride=2, padding=1)").axes[1]
    assert axis.inverse_text == "2·L_out − 1 ≤ L_in ≤ 2·L_out"
    general = one("nn.Conv1d(3, 16, k, stride=s)").axes[1].inverse_text
    assert general == "s·(L_out − 1) + k ≤ L_in ≤ L_out·s + k − 1"


def test_all_inputs_for_an_output_of_same_padding() -> None:
    found = one("onnx.Conv(x, w, strides=[2], auto_pad='SAME_UPPER')").axes[1]
    assert found.formula == "L_out = ⌈L_in/strides⌉"
    assert found.inverse_text == "2·L_out − 1 ≤ L_in ≤ 2·L_out"
    for n in range(1, 40):
        given = one("onnx.Conv(x, w[2, 3, 3], strides=[2], auto_pad='SAME_UPPER')", n).axes[1]
        m = given.output
        assert isinstance(m, int)
        assert 2 * m - 1 <= n <= 2 * m


def test_an_output_that_nothing_gives() -> None:
    axis = one("nn.ConvTranspose1d(3, 16, 4, stride=2, padding=1)", output=15).axes[1]
    assert axis.inverse is not None
    assert axis.inverse.empty
    assert axis.inverse_text == "no input gives 15: L_in = 7 gives 14, L_in = 8 gives 16"
    fixed = one("nn.AdaptiveAvgPool1d(7)", output=5).axes[1]
    assert fixed.inverse_text == "no input: the output is always 7"


def test_another_output_than_the_one_that_comes_out() -> None:
    found = one(CONV, 28, output=7)
    assert found.notes == ("the output is 14, not 7",)
    assert str(found.axes[1].inverse) == "13 and 14"


# -- messages --------------------------------------------------------------------------------------

WRONG = [
    ("nn.Conv2d(3, 16, 3, strid=2)", {}, "there is no argument 'strid' .*; did you mean 'stride'"),
    ("nn.ReLU()", {"input": (2, 3, 4, 5, 6, 7)}, "has 6 axes; give 2 to 5, or put some of them"),
    ("nn.Conv2d(3, 16, 3, stride=0)", {}, "stride is at least 1 .*non-positive stride.*give 1 or"),
    (
        "nn.Conv2d(3, 16, 3, stride=2, padding='same')",
        {},
        "padding = 'same' with a stride: PyTorch refuses it .*not supported for strided.*use stride=1",
    ),
    (
        "nn.ConvTranspose2d(3, 16, 3, stride=2, output_padding=2)",
        {},
        "output_padding = 2 with stride = 2, dilation = 1: PyTorch refuses it .*must be smaller.*give",
    ),
    (
        "nn.Conv2d(3, 16)",
        {},
        "'kernel_size'.*; it is called as nn.Conv2d\\(in_channels, out_channels",
    ),
    (
        "nn.Conv2d(3, 16, 3, groups=2)",
        {},
        "in_channels = 3, groups = 2: PyTorch refuses it .*divisible by groups.*choose groups",
    ),
    (
        "nn.Conv2d(3, 16, 7)",
        {"input": 5},
        (
            "along H the padded input \\(5\\) is shorter than the kernel \\(7\\) \\(PyTorch says: "
            "Calculated padded input size per channel: \\(5 x 5\\). Kernel size: \\(7 x 7\\).*; give at "
            "least 7, more padding, or a smaller kernel"
        ),
    ),
    (
        "nn.Conv1d(3, 16, 4, dilation=3)",
        {"input": 9},
        "along L the padded input \\(9\\) is shorter than the dilated kernel \\(10\\)",
    ),
    ("nn.MaxPool2d(7)", {"input": 5}, "PyTorch says: Output size is too small"),
    (
        "nn.ConvTranspose1d(1, 1, 2, padding=3)",
        {"input": 3},
        "along L the output would have the length -2.*; give a longer input or less padding",
    ),
    (CONV, {"input": "1,4,28,28"}, "the input has 4 channels but in_channels = 3; give 3 channels"),
    (CONV, {"input": "1,2,3,4,5"}, "has 5 axes; give 4, 3 \\(no batch\\) in the order NCHW"),
    (CONV, {"input": "0"}, "0 is no length; lengths are 1 or more"),
    (CONV, {"input": "5x"}, "this is no shape; write numbers or names"),
    (CONV, {"output": "1,2,3"}, "3 lengths for an output with the axes NCHW; give all 4"),
    (CONV, {"weights": {"w": "3"}}, "takes no tensors beside its input; leave --weight out"),
    (
        "F.conv1d(x, w)",
        {"weights": {"v": "3"}},
        "takes the tensors weight, bias; name one of them, as NAME=SHAPE",
    ),
    (CONV, {"dialect": "Keras"}, "nn.Conv2d is a call of PyTorch; leave --dialect out"),
    (CONV, {"dialect": "Caffe"}, "it is none of PyTorch, .*; choose one of them"),
    ("nn.Conv2d(3, 16, 3", {}, "reading the call: '\\(' was never closed"),
    ("x", {}, "this is no call; write one"),
    ("nn.Conf2d(3, 16, 3)", {}, "the call 'nn.Conf2d' is unknown; did you mean nn.Conv2d"),
]


@pytest.mark.parametrize(("call", "given", "message"), WRONG)
def test_wrong_calls_get_the_message_that_the_user_needs(
    call: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(WrongInput, match=message) as caught:
        derive.shape(call, **given)
    assert "\n" not in str(caught.value) or "^" in str(caught.value)


@pytest.mark.parametrize(
    "junk", ["", "(", "nn.Conv2d(*a)", "lambda: 0", "nn.Conv2d(3, 'x', 3)", "1"]
)
def test_junk_is_never_a_traceback(junk: str) -> None:
    with pytest.raises(DeriveError):
        derive.shape(junk)


# -- what is written -------------------------------------------------------------------------------


def test_text() -> None:
    assert text(one(CONV, (1, 3, 28, 28))).splitlines() == [
        CONV,
        "(1, 3, 28, 28) → (1, 16, 14, 14)   PyTorch, NCHW",
        "weight (16, 3, 3, 3) OIHW, bias (16) O",
        "",
        "C_out = out_channels",
        "H_out = ⌊(H_in + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌋ + 1",
        "      = ⌊(28 + 2·1 − 1·(3 − 1) − 1)/2⌋ + 1 = 14",
        (
            "  why      28 + 2·1 = 30 padded positions, the kernel spans 3, a window every 2: "
            "⌊(30 − 3)/2⌋ + 1 = 14"
        ),
        "  inverse  14 comes from H_in = 27 and 28",
        (
            "  rest     no window reaches the last position of the padding behind; the transposed call "
            "returns to 28 with output padding 1"
        ),
        "  and      W_out likewise",
    ]


def test_axes_that_differ_are_both_shown() -> None:
    lines = text(one("nn.Conv2d(3, 16, 3)", (28, 30))).splitlines()
    assert sum(line.startswith(("H_out", "W_out")) for line in lines) == 2


def test_data_is_plain() -> None:
    import json

    for call in (CONV, "nn.Unfold(3)", "F.conv2d(x, w)"):
        found = as_dict(one(call, 28))
        assert json.loads(json.dumps(found)) == found
        assert found["kind"] == "layer"


def test_what_the_user_wrote_is_escaped_in_latex() -> None:
    call = "nn.Conv2d(c_1, 16, k_a, padding_mode='zeros', device='$x_y%&#{')"
    written = latex(one(call))
    assert r"\$x\_y\%\&\#\{" in written
    assert r"\mathrm{dilation} \cdot \left(k_{\mathrm{a}} - 1\right)" in written
    assert name_latex("ж") == r"\mathrm{U436}"
    assert name_latex("weight[2]") == r"\mathrm{weight}_{2}"


def test_shapes_are_read_not_run() -> None:
    with pytest.raises(WrongInput, match="this is no shape"):
        parse_shape("__import__('os').getcwd()", "--input")


@pytest.mark.parametrize(
    ("call", "formula", "default"),
    [
        (
            "nn.MaxPool2d(2)",
            "H_out = ⌊(H_in + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌋ + 1",
            ("stride = kernel_size",),
        ),
        (
            "nn.MaxPool2d(k)",
            "H_out = ⌊(H_in + 2·padding − dilation·(k − 1) − 1)/stride⌋ + 1",
            ("stride = k",),
        ),
        (
            "nn.AvgPool2d((2, 3))",
            "H_out = ⌊(H_in + 2·padding − kernel_size[0])/stride[0]⌋ + 1",
            ("stride = kernel_size",),
        ),
        (
            "keras.layers.MaxPooling2D(2)",
            "H_out = ⌊(H_in − pool_size)/strides⌋ + 1",
            ("strides = pool_size",),
        ),
        ("onnx.MaxPool(X, kernel_shape=(1, 1))", "H_out = H_in − kernel_shape + 1", ()),
        (
            "nn.MaxPool2d(2, 3)",
            "H_out = ⌊(H_in + 2·padding − dilation·(kernel_size − 1) − 1)/stride⌋ + 1",
            (),
        ),
    ],
)
def test_a_stride_that_is_not_given(call: str, formula: str, default: tuple[str, ...]) -> None:
    found = one(call)
    assert next(a.formula for a in found.axes if a.axis == "H") == formula
    assert found.defaults == default
    assert all(f"with {escape_latex(d)}, as it is not given" in latex(found) for d in default)
    lines = [f"  with     {d}, as it is not given" for d in default]
    assert [t for t in text(found).splitlines() if t.startswith("  with")] == lines


def test_an_output_that_depends_on_a_name() -> None:
    found = one("nn.MaxPool2d(k)", 28, output=7)
    assert found.notes == ("the output depends on k; add --solve to find all values that give 7",)
    found = one("nn.MaxPool2d(k)", output=7)
    assert "add --solve and --input" in found.notes[0]


@pytest.mark.parametrize(
    ("call", "requires"),
    [
        ("nn.Conv1d(1, 1, 3, padding=1)", ()),
        ("nn.Conv1d(1, 1, 3)", ("L_in + 2·padding ≥ dilation·(kernel_size − 1) + 1",)),
        ("keras.layers.AveragePooling1D(3, padding='same')", ()),
    ],
)
def test_needs_that_say_something(call: str, requires: tuple[str, ...]) -> None:
    assert one(call).requires == requires


def test_quotients_of_quotients_are_one() -> None:
    found = derive.shape("nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2))")
    assert found.output == ("N", "C_in", "⌊H_in/4⌋", "⌊W_in/4⌋")


def test_a_kernel_and_a_padding_with_one_name() -> None:
    found = one("nn.Conv2d(3, 16, 2*p + 1, padding=p)", 28)
    assert found.output == ("N", 16, 28, 28)
    assert found.axes[1].reason == ""
