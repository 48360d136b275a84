"""Writers: from steps of our operators to calls of a framework.

A writer proposes; it is never believed (see :mod:`derive.dialects.translate`).  It yields programs, the
simplest first, each a tuple of lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from derive.dialects.emit import jax, keras, onnx, pytorch, tensorflow
from derive.dialects.emit.common import Lines, Piece, programs

Writer = Callable[[Sequence[Piece]], Iterator[Lines]]

WRITERS: dict[str, Writer] = {
    "PyTorch": partial(programs, pytorch.PIECES),
    "TensorFlow": partial(programs, tensorflow.PIECES),
    "Keras": partial(programs, keras.PIECES),
    "JAX": partial(programs, jax.PIECES),
    "ONNX": partial(programs, onnx.PIECES),
}
