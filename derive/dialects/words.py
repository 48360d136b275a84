"""What the frameworks themselves say of a wrong call, where they say it of many calls alike.

Every text is a part of the framework's own message; ``tests/test_framework_words.py`` makes the real
frameworks say it.  Where a framework says nothing, or nothing of use, the text is empty.
"""

from __future__ import annotations

from collections.abc import Sequence

PYTHON = "got an unexpected keyword argument {argument!r}"
BUILTIN = "received an invalid combination of arguments"
OVERLOADED = ("F.conv",)  # functions of several signatures, which PyTorch tries one by one
SPACE_TO_BATCH = ("tf.nn.atrous", "tf.nn.convolution", "tf.nn.pool", "tf.nn.depthwise")


def unknown(dialect: str, name: str, argument: str) -> str:
    """What is said of an argument that the call ``name`` does not have.

    >>> unknown("JAX", "lax.conv", "stride")
    "got an unexpected keyword argument 'stride'"
    """
    last = name.rsplit(".", 1)[-1]
    if dialect == "PyTorch" and name.startswith(OVERLOADED):
        return BUILTIN
    if dialect == "TensorFlow":
        return f"Got an unexpected keyword argument {argument!r}"
    if dialect == "Keras" and last[0].isupper():
        return f"Unrecognized keyword arguments passed to {last}"
    if dialect == "ONNX":
        return f"Unrecognized attribute: {argument} for operator {last}"
    return "" if dialect == "Keras 1" else PYTHON.format(argument=argument)


def missing(dialect: str, name: str, arguments: Sequence[str]) -> str:
    """What is said where ``arguments`` are left out.

    >>> missing("PyTorch", "nn.Conv2d", ["out_channels", "kernel_size"])
    "missing 2 required positional arguments: 'out_channels' and 'kernel_size'"
    """
    if not arguments or dialect in ("ONNX", "Keras 1", "NumPy") or name.startswith("F."):
        return ""
    if dialect == "TensorFlow":
        return "Missing required positional argument"
    quoted = [repr(a) for a in arguments]
    comma = ", and " if len(quoted) > 2 else " and "
    listed = comma.join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
    plural = "s" if len(quoted) > 1 else ""
    return f"missing {len(quoted)} required positional argument{plural}: {listed}"


def short_window(
    dialect: str,
    name: str,
    kind: str,
    padded: Sequence[int],
    spans: Sequence[int],
    axis: int,
    m: int = 0,
) -> str:
    """What is said where the padded input is shorter than the kernel.

    Args:
        dialect: the framework.
        name: the call.
        kind: ``correlate`` or ``pool``.
        padded: the padded lengths of all axes.
        spans: the lengths of the dilated kernel along them.
        axis: the first axis that is too short.
        m: the length that the framework reckons there, rounded towards zero.

    >>> short_window("PyTorch", "nn.Conv1d", "correlate", [5], [7], 0)[:51]
    'Calculated padded input size per channel: (5). Kern'
    """
    if dialect == "PyTorch" and kind == "correlate":
        inputs, kernels = (" x ".join(map(str, v)) for v in (padded, spans))
        return (
            f"Calculated padded input size per channel: ({inputs}). Kernel size: ({kernels}). "
            "Kernel size can't be greater than actual input size"
        )
    if name in ("nn.MaxPool1d", "F.max_pool1d"):  # where no gradient is asked for
        return "Invalid computed output size"
    if dialect == "PyTorch":
        return "Output size is too small"
    if dialect == "TensorFlow" and not name.startswith(SPACE_TO_BATCH):
        return f"Negative dimension size caused by subtracting {spans[axis]} from {padded[axis]}"
    if dialect == "Keras":
        return "Computed output size would be zero or negative"
    if dialect == "ONNX" and kind == "correlate":
        return "Invalid input shape"
    return "Calculated output dimension is negative" if dialect == "ONNX" and m < 0 else ""


def no_window(dialect: str, name: str, operator: str) -> str:
    """What follows where the length is exactly 0: only some ways of calling refuse it.

    TensorFlow, and so Keras in its pools and functions, refuse it in a graph or a model alone.

    >>> no_window("TensorFlow", "tf.nn.avg_pool2d", "avg_pool")
    ' in a graph, and gives an output without elements on tensors; derive asks for one position'
    """
    if dialect == "TensorFlow":
        where = "in a graph"
    elif dialect == "Keras" and (operator != "correlate" or name.startswith("keras.ops.")):
        where = "in a model"
    else:
        return ""
    if operator == "avg_pool":
        return f" {where}, and gives an output without elements on tensors; derive asks for one position"
    return f" {where}, and may not refuse it on tensors; derive asks for one position"


def no_scatter(dialect: str, m: int) -> str:
    """What follows where a transposed convolution would have the length ``m``, 0 or less.

    PyTorch leaves many of them in float32 to oneDNN, which has words of its own for a negative
    length, and none for 0.

    >>> no_scatter("PyTorch", 0)
    ', or gives a tensor without elements where oneDNN computes it; derive asks for one position'
    """
    if dialect != "PyTorch":
        return ""
    if m < 0:
        return ", or another error where oneDNN computes it"
    return ", or gives a tensor without elements where oneDNN computes it; derive asks for one position"


def short_scatter(dialect: str) -> str:
    """What is said where a transposed convolution has no output."""
    return {
        "PyTorch": "Output size is too small",
        "ONNX": "Computed output dimension is <= 0",
    }.get(dialect, "")
