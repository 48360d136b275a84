"""Writing a folder of documents whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from derive.errors import WrongInput


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A temporary folder whose files move to ``out`` when the block ends without an error.

    Whether ``out`` can be written is known before the block runs, since the temporary folder lies
    in it, or in the first folder above it that exists.  Other files in ``out`` stay.

    Raises :class:`derive.errors.WrongInput` when ``out`` is a file or cannot be written.
    """
    base = out
    while not base.exists() and base != base.parent:
        base = base.parent
    if not base.is_dir():
        raise WrongInput(f"--out {out}: {base} is a file; name a folder")
    try:
        staging = Path(tempfile.mkdtemp(prefix=".derive-", dir=base))
    except OSError as error:
        raise WrongInput(_unwritable(out, base, error)) from error
    try:
        yield staging
        try:
            _move(staging, out)
        except OSError as error:
            raise WrongInput(_unwritable(out, out, error)) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move(staging: Path, out: Path) -> None:
    files = sorted(f for f in staging.rglob("*") if f.is_file())
    for file in files:
        target = out / file.relative_to(staging)
        if target.is_dir():
            raise IsADirectoryError(None, f"{target} is a folder")
    for file in files:
        target = out / file.relative_to(staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, target)


def _unwritable(out: Path, where: Path, error: OSError) -> str:
    fact = (error.strerror or str(error)).lower()
    return f"--out {out}: cannot write in {where} ({fact}); choose another folder"
