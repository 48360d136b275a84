"""Writers: from steps of our operators to calls of a framework.

A writer proposes; it is never believed (see :mod:`derive.dialects.translate`).  It yields programs, the
simplest first, each a tuple of lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from derive.dialects.emit import jax, keras, onnx, pytorch, tensorflow
from derive.dialects.emit.common import Lines, Piece

Writer = Callable[[Sequence[Piece]], Iterator[Lines]]

WRITERS: dict[str, Writer] = {
    "PyTorch": pytorch.write,
    "TensorFlow": tensorflow.write,
    "Keras": keras.write,
    "JAX": jax.write,
    "ONNX": onnx.write,
}
