"""``python -m derive`` is the same as ``derive``."""

from __future__ import annotations

from derive.cli import main

if __name__ == "__main__":
    main()
