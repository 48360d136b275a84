"""Claim files: what is read from them, and the message for what cannot be."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from derive.claims.files import (
    MAX_BYTES,
    Entry,
    decode,
    expectation,
    markdown,
    read_file,
    read_text,
    source,
    yaml_list,
)
from derive.errors import WrongInput

POST = """\
# A post

Text with `code`, and

```python
flip(x) == x
```

```claim id=a expect="holds when k == 1"
statement: The gradient: full padding
source: An answer <https://example.org/1>

vjp(correlate(x, w), x, g)
  == correlate(g, w, padding='full')
```

   ~~~~claim
expected: Proved
exists v: correlate(x, v) == x
~~~
~~~~

``` claim {#c}
when: n == 1
url: https://example.org/2
flip(x) == x
```
"""


def test_claim_blocks_of_a_post() -> None:
    first, second, third = markdown(POST, "post.md")
    claim = "vjp(correlate(x, w), x, g)\n  == correlate(g, w, padding='full')"
    words = "The gradient: full padding"
    expected = "holds when k == 1"
    address = "https://example.org/1"
    assert first == Entry(claim, "a", words, "An answer", address, expected, "post.md:9")
    assert second.claim == "exists v: correlate(x, v) == x\n~~~"
    assert (second.expected, second.place) == ("proved", "post.md:17")
    assert (third.id, third.expected, third.url) == (
        "c",
        "holds when n == 1",
        "https://example.org/2",
    )


def test_a_yaml_list() -> None:
    text = """\
- id: a
  statement: Twice flipped is not flipped
  source: {title: A book, url: "https://example.org"}
  claim: >
    flip(flip(x))
    == x
  expected: proved
- claim: "flip(x) == x"
  source: "[An answer](https://example.org/2)"
  when: n == 1
"""
    first, second = yaml_list(text, "c.yaml")
    words = "Twice flipped is not flipped"
    claim, book = "flip(flip(x)) == x", "A book"
    assert first == Entry(claim, "a", words, book, "https://example.org", "proved", "c.yaml:1")
    assert (second.source, second.url) == ("An answer", "https://example.org/2")
    assert (second.expected, second.place) == ("holds when n == 1", "c.yaml:8")


def test_a_source_may_be_shared() -> None:
    text = """\
- claim: n == 1
  row: T1
  reading: as it stands
  source: &here {title: A book, url: "https://example.org"}
- claim: n == 2
  source: *here
"""
    first, second = yaml_list(text, "c.yaml")
    assert (
        (second.source, second.url)
        == (first.source, first.url)
        == ("A book", "https://example.org")
    )


def test_the_kinds_of_file(tmp_path: Path) -> None:
    (tmp_path / "a.MD").write_text("```claim\nflip(x) == x\n```\n", encoding="utf-8-sig")
    (tmp_path / "b.yml").write_text("- claim: flip(x) == x\n")
    for name in ("a.MD", "b.yml"):
        (entry,) = read_file(tmp_path / name)
        assert entry.claim == "flip(x) == x"
        assert entry.place.startswith(str(tmp_path / name))


def test_standard_input_is_a_claim_or_markdown() -> None:
    assert [e.claim for e in read_text("flip(x)\n == x\n")] == ["flip(x)\n == x"]
    assert [e.id for e in read_text(POST)] == ["a", "", "c"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A book", ("A book", "")),
        ("An answer <https://e.org/a>", ("An answer", "https://e.org/a")),
        ("<https://e.org/a>", ("https://e.org/a", "https://e.org/a")),
        ("https://e.org/a", ("https://e.org/a", "https://e.org/a")),
        ("", ("", "")),
    ],
)
def test_sources(text: str, found: tuple[str, str]) -> None:
    assert source(text) == found


def test_expected_verdicts() -> None:
    given = ("PROVED", "refuted", " undecided ", "cannot  be", "Holds exactly when n == 1", "")
    found = ("proved", "refuted", "undecided", "cannot be", "holds when n == 1", "")
    assert tuple(expectation(text) for text in given) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("```claim\nflip(x) == x\n", "c.md:1: the claim block is not closed; close it with ```"),
        (
            "\n```claim\nid: a\n```",
            "c.md:2: the block has no claim; write one after its attributes",
        ),
        ("```claim id\nn == 1\n```", "c.md:1: 'id' on the fence is no attribute; write key=value"),
        ("```claim color=red\nn == 1\n```", "'color=red' on the fence is no attribute"),
        ('```claim id="a\nn == 1\n```', "c.md:1: a quote on the fence is not closed; close it"),
        ("```claim id=a\nid: b\nn == 1\n```", "c.md:1: 'id' is given twice; give it once"),
        (
            "```claim\nexpect: true\nn == 1\n```",
            "the expected verdict 'true' is none; write proved, ",
        ),
        (
            "```claim\nexpect: proved\nwhen: n == 1\nn == 1\n```",
            "both `when` and another expected verdict; give one of them",
        ),
        (
            "```claim id=a\nn == 1\n```\n```claim id=a\nn == 1\n```",
            "c.md:4: the id 'a' was used at ",
        ),
        (
            "no claims here",
            "there is no claim in it; write one in a block that begins with ```claim",
        ),
    ],
)
def test_malformed_markdown(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.md"
    path.write_text(text)
    with pytest.raises(WrongInput, match=re.escape(message)):
        read_file(path)


BOMB = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- claim: [", "this is not YAML ("),
        ("claim: n == 1", "c.yaml: a list of claims was expected; begin each with `- claim: …`"),
        ("- n == 1", "c.yaml:1: an item with the key `claim` was expected"),
        ("- id: a", "c.yaml:1: the item has no key `claim`; add it"),
        (
            "- claim: n == 1\n  colour: red",
            "c.yaml:2: the key 'colour' is unknown; use claim, id, ",
        ),
        ("- claim: n == 1\n  claim: n == 2", "c.yaml:2: 'claim' is given twice; give it once"),
        ("- claim: [n == 1]", "c.yaml:1: 'claim' is a text; put it in quotes"),
        ("- claim: n == 1\n  source: {name: x}", "a source has the keys title and url, as text"),
        ("- claim: n == 1\n  expected: yes", "the expected verdict 'yes' is none"),
        (BOMB, "c.yaml: a list of claims was expected"),
        (f"- &a [{'*a, ' * 3_000}]", "over 2000 YAML aliases (*); write the text out"),
        ("- &a\n  claim: *a", "c.yaml:2: 'claim' is a text; put it in quotes"),
        ("[" * 10_000, "c.yaml:1: it nests deeper than 12; a list of items is enough"),
        ("- a\n" * 70_000, "over 60000 YAML nodes; split the file"),
        ("- !!python/object/apply:os.system ['true']", "an item with the key `claim` was expected"),
        ("", "there is no claim in it; write a list of items with the key `claim`"),
        ("- claim: \x07", "this is not YAML"),
    ],
)
def test_malformed_or_hostile_yaml(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    start = time.perf_counter()
    with pytest.raises(WrongInput) as error:
        read_file(path)
    assert time.perf_counter() - start < 5
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_bytes(b"flip(x) \xff")
    (tmp_path / "huge.yaml").write_bytes(b"\0" * (MAX_BYTES + 10))
    (tmp_path / "c.txt").write_text("n == 1")
    messages = {
        tmp_path: "it is a folder; name a .md or .yaml file",
        tmp_path / "none.md": "there is no such file; check the path",
        tmp_path / "bad.md": "byte 8 is not UTF-8; save it as UTF-8",
        tmp_path / "huge.yaml": f"it is longer than {MAX_BYTES} bytes; split it",
        tmp_path / "c.txt": ".txt is no kind of claim file; name a file that ends in .md",
    }
    for path, message in messages.items():
        with pytest.raises(WrongInput, match=re.escape(f"--file {path}: {message}")):
            read_file(path)


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(WrongInput, match="standard input: byte 0 is not UTF-8"):
        decode(b"\xff\xfe", "standard input")
