"""The suite notices every wrong operator: each mutant changes one operator in one place.

A mutant is the package with one piece of source replaced; the laws that compare an operator with
the naive loops run against it and must fail.  That the same laws pass without a mutation is the
rest of the suite.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CONV, POOL, SAMPLE = "operators/conv.py", "operators/pool.py", "operators/sample.py"
UP, MOVE, SHAPES, FORM = "operators/upsample.py", "operators/rearrange.py", "shapes.py", "form.py"

MUTANTS: list[tuple[str, str, str, str, str]] = [
    # what is wrong, file, old, new, the operator whose laws must notice
    ("drop the flip", CONV, "x, flip(w, dims=count), stride", "x, w, stride", "convolve"),
    ("flip shifted by one", SAMPLE, "row(n - 1 - i)", "row(n - i)", "flip"),
    ("swap stride and dilation", CONV, "si * ii + di * ti for", "di * ii + si * ti for", "correlate"),
    ("dilation forgotten", CONV, "si * ii + di * ti for", "si * ii + ti for", "correlate"),
    ("stride forgotten", CONV, "si * ii + di * ti for", "ii + di * ti for", "correlate"),
    ("padding off by one", SAMPLE, "_padded(row, i - lo, n, mode)", "_padded(row, i - lo - 1, n, mode)", "pad"),
    ("padding on the wrong side", SAMPLE, "_padded(row, i - lo, n, mode)", "_padded(row, i - hi, n, mode)", "pad"),
    ("padding of the wrong length", SAMPLE, "            n + lo + hi,", "            n + lo + lo,", "pad"),
    ("SAME: the odd one in front", CONV, '"same": (lo, hi)', '"same": (hi, lo)', "correlate"),
    ("FULL forgets the dilation", CONV, "reach = dilation * (taps - 1)", "reach = taps", "correlate"),
    ("groups read the wrong channels", CONV, "group * per_group + c,", "c,", "correlate"),
    ("groups split the wrong side", CONV, "o // (c_out // groups)", "o // groups", "correlate"),
    ("base dilation ignored", CONV, 'positive_axes(base_dilation, count, "base dilation")', "1", "correlate"),
    ("output length one too long", SHAPES, "p_hi - d * (k - 1)) // s + 1", "p_hi - d * (k - 1)) // s + 2", "correlate"),
    ("output length forgets the dilation", SHAPES, "p_hi - d * (k - 1)) // s + 1", "p_hi - (k - 1)) // s + 1", "correlate"),
    ("output padding forgotten", SHAPES, "1 - p_lo - p_hi + r", "1 - p_lo - p_hi", "conv_transpose"),
    ("transposed padding of the wrong sign", CONV, "eq(ui + a, v)", "eq(ui - a, v)", "conv_transpose"),
    ("transposed groups", CONV, "c, i, t = group * in_per_group + ct[0]", "c, i, t = ct[0]", "conv_transpose"),
    ("circular is off by one", SAMPLE, '"circular": (j + n, j - n)', '"circular": (j + n - 1, j - n)', "pad"),
    ("reflect repeats the border", SAMPLE, '"reflect": (-j,', '"reflect": (-j - 1,', "pad"),
    ("replicate takes the other end", SAMPLE, '"replicate": (lift(0), n - 1)', '"replicate": (n - 1, lift(0))', "pad"),
    ("zero insertion starts late", SAMPLE, "eq(u, step[a] * i)", "eq(u, step[a] * i + 1)", "zero_insert"),
    ("trailing zeros forgotten", SAMPLE, "+ 1 + extra[a], read", "+ 1, read", "zero_insert"),
    ("decimation starts late", SAMPLE, "row(step[a] * i + first[a])", "row(step[a] * i + first[a] + 1)", "decimate"),
    ("shift the other way", SAMPLE, "row(i - by[a])", "row(i + by[a])", "shift"),
    ("pooling padding ignored", POOL, "si * ii + di * ti - lo for", "si * ii + di * ti for", "sum_pool"),
    ("ceil_mode keeps the last window", SHAPES, "return smaller(up, start_limit)", "return up", "avg_pool"),
    ("ceil_mode rounds down", SHAPES, "up = -((d * (k - 1) - n - p_lo - p_hi + 1) // s) + 1", "up = (n + p_lo + p_hi - d * (k - 1) - 1) // s + 1", "sum_pool"),
    ("wrong divisor", POOL, "divisor = divisor * ki", "divisor = divisor * (ki + 1)", "avg_pool"),
    ("divisor counts padding", POOL, "limit = ni + hi if count_include_pad else ni", "limit = ni + hi", "avg_pool"),
    ("divisor override ignored", POOL, "if divisor_override is not None:", "if False:", "avg_pool"),
    ("adaptive windows end early", SHAPES, "-((-(i + 1) * n) // m)", "((i + 1) * n) // m", "adaptive_avg_pool"),
    ("nearest picks the next sample", UP, "row(i // factor[a])", "row((i + 1) // factor[a])", "nearest_upsample"),
    ("bilinear is not half-pixel", UP, "else 1 - factor[a]", "else lift(0)", "bilinear_upsample"),
    ("align_corners ignored", UP, "(n - 1, maximum(length - 1, 1)) if align_corners else", "(lift(2), 2 * factor[a]) if align_corners else", "bilinear_upsample"),
    ("pixel shuffle in another order", MOVE, "inner = inner * factor + a % factor", "inner = inner + a % factor", "pixel_shuffle"),
    ("unshuffle in another order", MOVE, "inner // step % factor", "inner % factor", "pixel_unshuffle"),
    ("gradient at the wrong index", FORM, "tuple(eq(a, b) for a, b in zip(hit.at, j, strict=True))", "tuple(eq(a, b + 1) for a, b in zip(hit.at, j, strict=True))", "correlate"),
]  # fmt: skip

LAWS = "naive_loops or adjoint"


def run_laws(package: Path, operator: str) -> subprocess.CompletedProcess[str]:
    """Run the laws of one operator against a copy of the package."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["tests/test_laws.py", "-k", f"({LAWS}) and {operator}"]
    environment = {**os.environ, "PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("CI", None)
    return subprocess.run(
        command, cwd=package, env=environment, capture_output=True, text=True, check=False
    )


def copy_package(to: Path) -> None:
    """The package and the laws, without documents and other tests."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "derive", to / "derive", ignore=ignore)
    (to / "tests").mkdir()
    for name in ("test_laws.py", "operators.py", "__init__.py"):
        if (ROOT / "tests" / name).exists():
            shutil.copy(ROOT / "tests" / name, to / "tests" / name)
    (to / "pytest.ini").write_text("[pytest]\n")


def test_there_are_enough_mutants() -> None:
    assert len(MUTANTS) >= 25
    assert len({(file, old, new) for _, file, old, new, _ in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=[m[0].replace(" ", "-") for m in MUTANTS])
def test_the_suite_notices(mutant: tuple[str, str, str, str, str], tmp_path: Path) -> None:
    _, file, old, new, operator = mutant
    copy_package(tmp_path)
    source = (tmp_path / "derive" / file).read_text()
    assert source.count(old) == 1, f"the mutant's place is not found once in {file}: {old}"
    (tmp_path / "derive" / file).write_text(source.replace(old, new))
    result = run_laws(tmp_path, operator)
    assert result.returncode == 1, result.stdout[-2000:] + result.stderr[-2000:]
    assert "failed" in result.stdout or "error" in result.stdout
