"""Programs as people paste them: what they claim, and what is true of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from derive.claims.derived import execute, parted, shapes_of
from derive.claims.files import Entry
from derive.claims.helpers import find_helper, vocabulary
from derive.claims.judge import judge
from derive.claims.program import is_program, last_claim, printed, statements
from derive.claims.report import make_row
from derive.cli import run
from derive.decide.verdict import Proved, Refuted
from derive.errors import DeriveError, WrongInput

SHORT = """
out = conv2d(x, w, padding='VALID')
d_x = conv2d(d_out, rot180(w), padding='FULL')
d_w = conv2d(x, d_out, padding='VALID')
"""
BY_INPUT = """
# Method 1: TF's autodiff
d_x = tf.gradients(f, x)[0]
# Method 2: manually using conv2d
d_x_manual = tf.nn.conv2d(input=tf_pad_to_full_conv2d(d_out, w_size),
                          filter=tf_rot180(w),
                          strides=strides,
                          padding='VALID')
# Method 3: conv2d_backprop_input
d_x_backprop_input = tf.nn.conv2d_backprop_input(input_sizes=x_shape,
                                                 filter=w,
                                                 out_backprop=d_out,
                                                 strides=strides,
                                                 padding='VALID')
# Method 4: conv2d_transpose
d_x_transpose = tf.nn.conv2d_transpose(value=d_out,
filter=w,
output_shape=x_shape,
strides=strides,
padding='VALID')
"""
BY_FILTER = """
# Method 1: TF's autodiff
d_w = tf.gradients(f, w)[0]
# Method 2: manually using conv2d
d_w_manual = tf_NHWC_to_HWIO(tf.nn.conv2d(input=x,
filter=tf_NHWC_to_HWIO(d_out),
strides=strides,
padding='VALID'))
# Method 3: conv2d_backprop_filter
d_w_backprop_filter = tf.nn.conv2d_backprop_filter(input=x,
filter_sizes=w_shape,
out_backprop=d_out,
strides=strides,
padding='VALID')
"""
UPSCALED = """
a = np.array([[0, 0, 1.5],
[0, 1, 0],
[0, 0, 0]]).reshape(1,3,3,1)
filt = np.array([[1, 2],
[3, 4.0]]).reshape(2,2,1,1)
b = tf.nn.conv2d_transpose(a,
filt,
output_shape=[1,6,6,1],
strides=[1,2,2,1],
padding='SAME')
print(tf.squeeze(b))
tf.Tensor(
[[0. 0. 0. 0. 1.5 3. ]
[0. 0. 0. 0. 4.5 6. ]
[0. 0. 1. 2. 0. 0. ]
[0. 0. 3. 4. 0. 0. ]
[0. 0. 0. 0. 0. 0. ]
[0. 0. 0. 0. 0. 0. ]], shape=(6, 6), dtype=float64)
"""
MNIST = """
activations = sess.run(h_conv1,feed_dict={x:np.reshape(image,[1,784])})
W_conv1 = weight_variable([7, 7, 1, 32])
b_conv1 = bias_variable([32])
h_conv1 = conv2d(x, W_conv1, strides=[1, 1, 1, 1], padding='SAME') + b_conv1
deconv = conv2d_transpose(activations,W_conv1, output_shape=[1,28,28,1],padding='SAME')
transposed_weights = tf.transpose(W_conv1, perm=[0, 1, 3, 2])
for i in range(n_filters):
# Flip the weights by 180 degrees
transposed_and_flipped_weights[:,:,i,0] = sess.run(tf.reverse(transposed_weights[:,:,i,0], axis=[0, 1]))
strides = [1,1,1,1]
deconv = conv2d(activations,transposed_and_flipped_weights,strides=strides,padding='SAME')
deconv = conv2d_backprop_input([1,28,28,1],W_conv1,activations, strides=strides, padding='SAME')
"""
SHOWN = """
In [15]: X.reshape(n, m)
Out[15]:
array([[ 0, 1, 2],
[ 5, 6, 7]])
In [16]: y_resh
Out[16]:
array([[ 0., 0., 1., 1., 2., 2.],
[ 0., 0., 1., 1., 2., 2.],
[ 5., 5., 6., 6., 7., 7.],
[ 5., 5., 6., 6., 7., 7.]], dtype=float32)
"""
KERAS_1 = """
input_img = Input(shape=(1, h, w))
x = Convolution2D(16, 7, 7, activation='relu', border_mode='valid')(input_img)
d = Deconvolution2D(1, 7, 7, (None, 1, 2*h, 2*w))
x = d(x)
"""


def verdicts(text: str) -> dict[str, tuple[str, str]]:
    """The claims of a program with their verdicts and conditions."""
    found = {}
    for entry in parted(Entry(text)):
        row = make_row(entry, judge(entry.claim, 90.0), 0.0)
        assert row["error"] is None
        found[row["claim"]] = (row["verdict"], row["condition"] or "")
    return found


def test_the_short_answer_is_proved() -> None:
    assert verdicts(SHORT) == {
        "d_x == gradient(out, x, d_out)": ("proved", ""),
        "d_w == gradient(out, w, d_out)": ("proved", ""),
    }


@pytest.mark.parametrize(
    "wrong",
    [
        SHORT.replace("rot180(w)", "w"),
        SHORT.replace("rot180(w), padding='FULL'", "rot180(w), padding='SAME'"),
        SHORT.replace("conv2d(x, d_out", "conv2d(x, rot180(d_out)"),
    ],
)
def test_a_wrong_line_is_found(wrong: str) -> None:
    assert {v for v, _ in verdicts(wrong).values()} != {"proved"}


@pytest.mark.parametrize(
    ("text", "name", "condition"),
    [
        (BY_INPUT, "d_x", "C == 1 and (strides == 1 or (H == 1 and W == 1))"),
        (
            BY_FILTER,
            "d_w",
            "C == 1 and (strides == 1 or (k_h == 1 and k_w == 1 and strides >= H and strides >= W))",
        ),
    ],
)
def test_the_manual_method_is_true_for_one_channel_and_stride_1(
    text: str, name: str, condition: str
) -> None:
    manual, *others = parted(Entry(text))
    row = make_row(manual, judge(manual.claim, 90.0), 0.0)
    assert row["verdict"] == "holds exactly when"
    lines = manual.claim.rsplit("\n", 1)[0]
    stated = judge(f"{lines}\n{name}_manual == {name} iff {condition}", 90.0)
    assert isinstance(stated.verdict, Proved), str(stated)
    assert "C == " in " ".join(row["assumed"])  # channels: they only fit where they are alike
    assert "out, whose gradient is d_out, is tf.nn.conv2d(x, w" in str(row["reading"])
    for entry in others:
        assert isinstance(judge(entry.claim).verdict, Proved), entry.claim


def test_a_printed_result_is_a_claim() -> None:
    assert list(verdicts(UPSCALED).values()) == [("proved", "")]
    wrong = UPSCALED.replace("4.5 6. ", "4.5 7. ")
    assert isinstance(judge(wrong).verdict, Refuted)


def test_the_same_name_made_in_three_ways() -> None:
    found = verdicts(MNIST)
    assert list(found) == ["deconv_2 == deconv_1", "deconv_3 == deconv_1"]
    assert {v for v, _ in found.values()} == {"proved"}
    straight = MNIST.replace(
        "tf.reverse(transposed_weights[:,:,i,0], axis=[0, 1])", "transposed_weights[:,:,i,0]"
    )
    assert verdicts(straight)["deconv_2 == deconv_1"][0] != "proved"


def test_what_is_printed_of_an_unknown_name_defines_it() -> None:
    with pytest.raises(WrongInput, match=r"it makes no claim; add a line such as `y_resh == …`"):
        judge(SHOWN)
    assert isinstance(judge(f"{SHOWN}\ny_resh == nearest_upsample(X, 2)").verdict, Proved)
    assert isinstance(judge(f"{SHOWN}\ny_resh == nearest_upsample(X, (2, 1))").verdict, Refuted)


@pytest.mark.parametrize(
    ("more", "shape"),
    [
        ("", "(N, 1, h, w)"),
        (", subsample=(2, 2)", "(N, 1, 2*h - 7, 2*w - 7)"),
    ],
)
def test_keras_1_gives_another_shape_than_it_is_asked_for(more: str, shape: str) -> None:
    text = KERAS_1.replace("2*w))", f"2*w){more})")
    assert list(verdicts(text)) == ["shape(x) == (N, 1, 2 * h, 2 * w)"]
    assert isinstance(judge(text).verdict, Refuted)
    assert isinstance(judge(f"{text}shape(x) == {shape}").verdict, Proved)


FORMS: list[tuple[str, Any]] = [
    (("x = torch.randn(1, 1, 8, 8)\nw = torch.randn(1, 1, 3, 3)\ny = F.conv2d(x, w)\n"
     "d_x = torch.autograd.grad(y, x, grad_outputs=d_y)[0]\n"
     "d_x_manual = F.conv_transpose2d(d_y, w)"), Proved),
    (("with tf.GradientTape() as tape:\n    tape.watch(x)\n"
     "    out = tf.nn.conv2d(x, w, strides=1, padding='SAME')\n"
     "d_x = tape.gradient(out, x, output_gradients=d_out)\n"
     "d_x_transpose = tf.nn.conv2d_transpose(d_out, w, x.shape, strides=1, padding='SAME')"), Proved),
    (("y = F.conv2d(x, w)\nloss = (y * d_y).sum()\ng = torch.autograd.grad(loss, x)[0]\n"
     "g == F.conv_transpose2d(d_y, w)"), Proved),
    ("a = np.arange(6).reshape(2, 3)\nnp.testing.assert_allclose(a.T, [[0, 3], [1, 4], [2, 5]])", Proved),
    ("a = np.arange(6).reshape(2, 3)\nassert np.flip(a, axis=1) == a", Refuted),
    ("a = np.arange(6).reshape(2, 3)\nassert a[::-1, :] == [[3, 4, 5], [0, 1, 2]]", Proved),
    ("y = nn.Conv2d(3, 8, 3, stride=2)(x)\nassert y.shape == (N, 8, (H - 3)//2 + 1, (W - 3)//2 + 1)", Proved),
    ("conv = nn.Conv1d(1, 1, 3, bias=False)\ny = conv(conv(x))\nz = conv(x)\nconv(z) == y", Proved),
    ("y = nn.Conv1d(1, 1, 3)(x)\nz = nn.Conv1d(1, 1, 3)(x)\ny == z", Refuted),
    ("x = tf.placeholder(tf.float32, [None, 8, 8, 1])\ny = tf.expand_dims(tf.squeeze(x, axis=3), -1)\ny == x", Proved),
]  # fmt: skip


@pytest.mark.parametrize(("text", "verdict"), FORMS)
def test_forms_that_people_use(text: str, verdict: type) -> None:
    assert isinstance(judge(text).verdict, verdict), str(judge(text))


def test_what_tensorflow_itself_gives() -> None:
    """The condition of the manual input gradient, against TensorFlow on random integers."""
    tf = pytest.importorskip("tensorflow")
    np = pytest.importorskip("numpy")
    rng = np.random.default_rng(7)
    seen = set()
    for n, k, s in [(1, 1, 1), (3, 3, 2), (4, 2, 1), (5, 3, 1), (5, 3, 2), (6, 2, 3), (1, 1, 3)]:
        x = tf.constant(rng.integers(-5, 6, (1, n, n, 1)), tf.float64)
        w = tf.constant(rng.integers(1, 9, (k, k, 1, 1)), tf.float64)
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = tf.nn.conv2d(x, w, strides=s, padding="VALID")
        d_out = tf.constant(rng.integers(1, 9, out.shape), tf.float64)
        d_x = tape.gradient(out, x, output_gradients=d_out).numpy()
        full = tf.pad(d_out, [[0, 0], [k - 1, k - 1], [k - 1, k - 1], [0, 0]])
        manual = tf.nn.conv2d(full, tf.reverse(w, [0, 1]), strides=s, padding="VALID").numpy()
        same = manual.shape == d_x.shape and bool((manual == d_x).all())
        assert same == (s == 1 or n == 1)
        seen.add(same)
    assert seen == {True, False}


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("out = conv2d(x, w)", True),
        (">>> y = flip(x)", True),
        ("flip(flip(x)) == x", False),
        ("correlate(x, w,\n  stride=2) == x", False),
        ("flip(x) = x", False),
        ("print(x)\n[1. 2.]", True),
    ],
)
def test_what_a_program_is(text: str, program: bool) -> None:
    assert is_program(text) is program


def test_printed_arrays() -> None:
    assert (
        printed("array([[ 0.,  1.],\n       [-2.,  3.5]], dtype=float32)").text
        == "[[0, 1], [-2, 7/2]]"
    )
    assert printed("[1e2 2]").shape == (2,)
    assert Fraction(printed("tensor([0.25])").text.strip("[]")) == Fraction(1, 4)


def test_helpers_are_known_by_their_last_name() -> None:
    assert find_helper("tf_rot180") is find_helper("rot180")
    assert find_helper("np.transpose") is find_helper("tf.transpose")
    assert find_helper("frobnicate") is None
    assert {"rot180", "pad_to_full_conv2d", "NHWC_to_HWIO", "transpose"} <= set(vocabulary())


def test_a_line_may_use_what_a_later_one_defines() -> None:
    assert [s for s, _, _ in shapes_of("y = flip(z)\nz = np.ones([3])")] == ["z", "y"]


def test_claims_end_a_program() -> None:
    text = "y = np.ones([2, 3])\nshape(y) == (2, 3) for n >= 1"
    assert last_claim(text) == "shape(y) == (2, 3) for n >= 1"
    assert isinstance(judge(text).verdict, Proved)
    assert statements(text)[-1].claim


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = foo(y)", r"the operator 'foo' is unknown"),
        ("y = rot180(w)", r"rot180: 'w' is not defined; add a line that makes it, or give its shape"),
        ("y = np.ones([2]).foo(3)", r"\.foo\(…\) is not known; write it with another function"),
        ("d_x = tf.gradients(f, x)[0]", r"gradient: 'f' is not defined; add a line that makes it"),
        ("x = conv2d(x, w", r"reading the program: '\(' was never closed"),
        ("def f(x):\n    return x\ny = f(x)", r"write what a function does as lines"),
        ("while x:\n    y = 1", r"an assignment `name = …`, a call, a printed result or a claim"),
        ("a = np.ones([2, 2])\nprint(a)\n[[1 2]\n [3]]", r"rows of unequal length"),
        ("print(np.ones([2]))\n[1. ... 1.]", r"cut short with …"),
        ("print(np.ones([2]))\narray([1e999999999, 1.])", r"the number 1e999999999 is too large or too exact"),
        (f"print(np.ones([2]))\narray([{'9' * 5000}, 1.])", r"\(5000 characters\) is too large or too exact"),
        (f"y = np.ones([{'9' * 5000}])", r"numbers go up to 1000000; use a symbol"),
        ("print(np.ones([2]))\narray([1. 1.], shape=(3,))", r"says shape=\(3,\) but its rows have the shape \(2,\)"),
        ("x = np.ones([2])\ny = x[0, 1]", r"2 indices of an array with 1 axes"),
        ("a = np.arange(6).reshape(4, 2)", r"reshape: 6 entries do not fill the shape \(4, 2\)"),
        ("out = conv2d(x, w[3, 3, 1, 1], padding='FULL')", r"TensorFlow has no padding='FULL'"),
        ("for i in range(3):\n    a[i + 1] = 2", r"an assignment to a part of an array was expected"),
        ("x = 1\n" * 500, r"it has over 400 lines; shorten it"),
        ("y = __import__('os').system('ls')", r"names that begin with underscores mean nothing here"),
        ("y = lambda x: x", r"a lambda cannot be part of a claim"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(text: str, message: str) -> None:
    with pytest.raises(WrongInput, match=message):
        judge(text)


@pytest.mark.parametrize("grow", ["{0} + {0}", "{0} * {0}", "{0} * {0} + {0}"])
def test_programs_do_not_grow_without_bound(grow: str) -> None:
    lines = ["x0 = placeholder(shape=[3])"]
    lines += [f"x{i + 1} = {grow.format(f'x{i}')}" for i in range(60)]
    with pytest.raises(DeriveError, match="too many terms"):
        execute("\n".join(lines))


# -- the command line ------------------------------------------------------------------------------


Asked = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Asked:
    """``derive`` with arguments and standard input: the exit code and what is printed."""

    def asked(*arguments: str, text: str = "") -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        code = run(list(arguments))
        return code, capsys.readouterr().out

    return asked


def test_a_program_on_the_command_line(ask: Asked) -> None:
    code, told = ask("check", SHORT)
    assert code == 0
    assert "2 proved" in told
    code, told = ask("check", "-", text=KERAS_1)
    assert code == 1
    assert "the left side is (1, 1, 7, 7), the right side (1, 1, 14, 14)" in told
    code, told = ask("check", "out = conv2d(x, w, padding='VALID')")
    assert code == 2
    assert "out: (H - k_h + 1, W - k_w + 1)" in told


def test_shapes_of_a_program(ask: Asked) -> None:
    code, told = ask("shape", "-", text=BY_INPUT)
    assert code == 0
    assert "d_x_transpose       (N, H, W, C) NHWC" in told
    assert "(N, 1, h, w)" in ask("shape", "-", text=KERAS_1)[1]
    assert '"kind": "program"' in ask("shape", "-", "--json", text=MNIST)[1]
