"""The HTML book in a real browser: it opens, shows no raw TeX, and fits on a phone."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from derive.document.book import write_book
from derive.prove import prove
from derive.theorems import load

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
    "--allow-file-access-from-files",
)  # fmt: skip
SHOWN = ("input-gradient-general", "transpose-is-not-inverse", "conv-output-length")
"""An equality, one that fails with exact conditions, and one about integers."""
DESKTOP, PHONE = (1280, 900), (390, 844)
PAGES = ("index", *SHOWN)

# The page under test stands in a frame of the width of a phone; the script is the check's, not its.
WRAPPER = """<!DOCTYPE html><meta charset="utf-8"><title>check</title>
<iframe src="{page}" style="width:{width}px;height:{height}px;border:0"></iframe>
<pre id="found">nothing</pre>
<script>
addEventListener("load", () => {{
  const root = document.querySelector("iframe").contentDocument.documentElement;
  document.getElementById("found").textContent =
    "width " + root.clientWidth + " content " + root.scrollWidth;
}});
</script>
"""


class Text(HTMLParser):
    """The text of a page that a reader sees."""

    HIDDEN = ("script", "style", "title")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.scripts = 0
        self._hidden = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in self.HIDDEN
        self.scripts += tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self.HIDDEN

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.pieces.append(data)


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("there is no Chromium")
    return found


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    catalogue = load()
    out = tmp_path_factory.mktemp("book")
    write_book([prove(catalogue[name]()) for name in SHOWN], out, ["html"])
    return out


def opened(browser: str, profile: Path, page: Path, *flags: str) -> str:
    """What the browser prints of a page; it must end well."""
    command = [browser, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return done.stdout.decode()


def shape_of_png(path: Path) -> tuple[int, int]:
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    return int(width), int(height)


def test_every_page_is_there(book: Path) -> None:
    assert {f"{name}.html" for name in PAGES} <= {p.name for p in book.iterdir()}


@pytest.mark.parametrize("name", PAGES)
def test_what_a_reader_sees_has_no_raw_tex(
    name: str, browser: str, book: Path, tmp_path: Path
) -> None:
    dom = opened(browser, tmp_path, book / f"{name}.html", "--dump-dom")
    page = Text(dom)
    assert page.scripts == 0
    text = " ".join(page.pieces)
    assert len(text) > 400
    assert "</html>" in dom
    commands = re.findall(r"\\[a-zA-Z{}()\[\],;!|]+|\$|[_^]\{", text)
    assert not commands, commands[:10]
    assert "\N{REPLACEMENT CHARACTER}" not in dom
    assert "parsererror" not in dom
    if name != "index":
        assert "<math" in dom


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("window", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_can_be_painted(
    window: tuple[int, int], name: str, browser: str, book: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "page.png"
    shown = (f"--screenshot={picture}", f"--window-size={window[0]},{window[1]}")
    opened(browser, tmp_path / "profile", book / f"{name}.html", *shown)
    assert shape_of_png(picture)[0] >= window[0]
    # a blank page of this size compresses to a few kilobytes
    assert picture.stat().st_size > 10_000


def measured(browser: str, folder: Path, page: str, window: tuple[int, int]) -> tuple[int, int]:
    """The width of the view and that of the content at this window, as the browser lays it out."""
    folder.mkdir(exist_ok=True)
    wrapper = folder / "check.html"
    width, height = window
    wrapper.write_text(WRAPPER.format(page=page, width=width, height=height))
    dom = opened(browser, folder / "profile", wrapper, "--dump-dom", "--virtual-time-budget=5000")
    found = re.search(r"width (\d+) content (\d+)", dom[dom.index('id="found"') :])
    assert found, dom[-300:]
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_wider_than_a_phone(name: str, browser: str, book: Path, tmp_path: Path) -> None:
    page = (book / f"{name}.html").as_uri()
    view, content = measured(browser, tmp_path / "check", page, PHONE)
    assert view == PHONE[0]
    assert content <= view


def test_the_check_of_the_width_notices_a_wide_page(browser: str, tmp_path: Path) -> None:
    wide = tmp_path / "wide.html"
    wide.write_text("<!DOCTYPE html><title>wide</title><div style='width:900px'>wide</div>")
    view, content = measured(browser, tmp_path / "check", wide.as_uri(), PHONE)
    assert content > view
