"""Claim files: Markdown with fenced ``claim`` blocks, or a YAML list.

In Markdown a claim stands in a fenced block whose info string begins with ``claim``, with its
attributes on the fence or as ``key: value`` lines in front of it::

    ```claim id=full-padding
    expect: proved
    source: A forum answer <https://example.org/1>
    vjp(correlate(x, w), x, g) == correlate(g, flip(w), padding='full')
    ```

In YAML a file is a list of ``{id, statement, source: {title, url}, claim, expected}``.  Only ``claim``
is needed.  Two more attributes are for readers: claims with the same ``row`` share a page, and
``reading`` says in words how the claim is read.  Files are untrusted: their size and
depth are bounded before anything is built, and every YAML scalar is read as text.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derive.errors import WrongInput

MAX_BYTES = 2_000_000
MAX_CLAIMS = 2_000
MAX_YAML_NODES = 60_000
MAX_YAML_DEPTH = 12
MAX_YAML_ALIASES = 2_000
SUFFIXES = (".md", ".markdown", ".yaml", ".yml")
KEYS = ("id", "expect", "expected", "source", "url", "statement", "when", "row", "reading")
VERDICTS = ("proved", "refuted", "undecided", "cannot be")

FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*(.*?)\s*$")
HEADER = re.compile(rf"^\s*({'|'.join(KEYS)})\s*:\s(.*)$")


@dataclass(frozen=True)
class Entry:
    """A claim as it is asked for.

    ``statement`` is the claim in words, ``source`` and ``url`` say who made it, ``expected`` is a
    verdict (``"proved"``, ``"refuted"``, ``"undecided"``, ``"cannot be"``) or ``"holds when CONDITION"``;
    ``place`` is the file and the line, for messages.  Claims with the same ``row`` are told together;
    ``reading`` says how the claim is read.
    """

    claim: str
    id: str = ""
    statement: str = ""
    source: str = ""
    url: str = ""
    expected: str = ""
    place: str = ""
    row: str = ""
    reading: str = ""


def read_file(path: Path) -> tuple[Entry, ...]:
    """The claims of a file in order.

    Args:
        path: a Markdown or YAML file.

    Returns:
        the claims, with their line numbers in ``place``.

    Raises:
        WrongInput: for a folder, a missing or huge file, one that is not UTF-8, one without claims,
            and for what is malformed in it, with the line.
    """
    if path.is_dir():
        raise WrongInput(f"--file {path}: it is a folder; name a .md or .yaml file")
    if path.suffix.lower() not in SUFFIXES:
        raise WrongInput(
            f"--file {path}: {path.suffix or 'no ending'} is no kind of claim file; "
            f"name a file that ends in {', '.join(SUFFIXES)}"
        )
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise WrongInput(f"--file {path}: there is no such file; check the path") from None
    except OSError as e:
        fact = (e.strerror or str(e)).lower()
        raise WrongInput(f"--file {path}: it cannot be read ({fact}); name another file") from None
    text = decode(data, f"--file {path}")
    kind = markdown if path.suffix.lower() in (".md", ".markdown") else yaml_list
    entries = tuple(kind(text, str(path)))
    if not entries:
        raise WrongInput(
            f"--file {path}: there is no claim in it; write one in a block that begins with ```claim"
            if kind is markdown
            else f"--file {path}: there is no claim in it; write a list of items with the key `claim`"
        )
    _check_ids(entries)
    return entries


def decode(data: bytes, what: str) -> str:
    """Bytes as text.  Raises :class:`derive.errors.WrongInput` when too many or not UTF-8.

    >>> decode(b"flip(x) == x", "standard input")
    'flip(x) == x'
    """
    if len(data) > MAX_BYTES:
        raise WrongInput(f"{what}: it is longer than {MAX_BYTES} bytes; split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise WrongInput(f"{what}: byte {e.start} is not UTF-8; save it as UTF-8") from None


def read_text(text: str, what: str = "standard input") -> tuple[Entry, ...]:
    """Claims from standard input: Markdown if there is a ``claim`` block in it, else one claim.

    >>> [e.claim for e in read_text("flip(flip(x)) == x")]
    ['flip(flip(x)) == x']
    """
    if any(m and m[2].split()[:1] == ["claim"] for m in map(FENCE.match, text.splitlines())):
        entries = tuple(markdown(text, what))
        _check_ids(entries)
        return entries
    return (Entry(text.strip(), place=what),)


def _check_ids(entries: tuple[Entry, ...]) -> None:
    if len(entries) > MAX_CLAIMS:
        raise WrongInput(
            f"{entries[0].place}: {len(entries)} claims, the limit is {MAX_CLAIMS}; split the file"
        )
    seen: dict[str, str] = {}
    for e in entries:
        if e.id and e.id in seen:
            raise WrongInput(f"{e.place}: the id {e.id!r} was used at {seen[e.id]}; choose another")
        seen[e.id] = e.place


# -- Markdown --------------------------------------------------------------------------------------


def markdown(text: str, name: str) -> Iterator[Entry]:
    r"""The claims of a Markdown text.

    >>> [e.id for e in markdown("```claim id=a\nflip(flip(x)) == x\n```\n", "text")]
    ['a']
    """
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opening = FENCE.match(lines[at])
        at += 1
        if opening is None or (opening[1][0] == "`" and "`" in opening[2]):
            continue
        start, fence = at, opening[1]
        while at < len(lines) and not _closes(lines[at], fence):
            at += 1
        body = lines[start:at]
        if opening[2].split()[:1] == ["claim"]:
            place = f"{name}:{start}"
            if at == len(lines):
                raise WrongInput(f"{place}: the claim block is not closed; close it with {fence}")
            yield _block(opening[2], body, place)
        at += 1


def _closes(line: str, fence: str) -> bool:
    bare = line.strip()
    return (
        len(line) - len(line.lstrip()) <= 3 and len(bare) >= len(fence) and set(bare) == {fence[0]}
    )


def _block(info: str, body: list[str], place: str) -> Entry:
    given: dict[str, str] = {}
    try:
        words = shlex.split(info)[1:]
    except ValueError:
        raise WrongInput(f"{place}: a quote on the fence is not closed; close it") from None
    for word in words:
        key, equals, value = word.strip("{},").partition("=")
        if word.strip("{},").startswith("#") and not equals:
            key, equals, value = "id", "=", key[1:]
        if not equals or key not in KEYS:
            raise WrongInput(
                f"{place}: {word!r} on the fence is no attribute; write key=value with one of {_keys()}"
            )
        _set(given, key, value, place)
    rest = list(body)
    while rest:
        header = HEADER.match(rest[0])
        if header is None:
            if rest[0].strip():
                break
        else:
            _set(given, header[1], header[2].strip(), place)
        rest.pop(0)
    claim = "\n".join(rest).strip()
    if not claim:
        raise WrongInput(f"{place}: the block has no claim; write one after its attributes")
    return _entry(given, claim, place)


def _keys() -> str:
    return ", ".join(KEYS)


def _set(given: dict[str, str], key: str, value: str, place: str) -> None:
    key = "expected" if key == "expect" else key
    if key in given:
        raise WrongInput(f"{place}: {key!r} is given twice; give it once")
    given[key] = value


def _entry(given: Mapping[str, str], claim: str, place: str) -> Entry:
    expected = given.get("expected", "")
    if "when" in given:
        if expected and expected != "holds":
            raise WrongInput(f"{place}: both `when` and another expected verdict; give one of them")
        expected = f"holds when {given['when']}"
    title, url = source(given.get("source", ""))
    return Entry(
        claim,
        given.get("id", ""),
        given.get("statement", ""),
        title,
        given.get("url", url),
        expectation(expected, place),
        place,
        given.get("row", ""),
        given.get("reading", ""),
    )


def source(text: str) -> tuple[str, str]:
    """A title and an address from ``Title <address>``, ``[Title](address)``, a title or an address.

    >>> source("[An answer](https://example.org/1)"), source("A book")
    (('An answer', 'https://example.org/1'), ('A book', ''))
    """
    text = text.strip()
    for pattern in (r"\[([^\]]*)\]\((\S+)\)", r"(.*?)\s*<(\S+)>"):
        found = re.fullmatch(pattern, text)
        if found:
            return found[1] or found[2], found[2]
    return (text, text) if re.fullmatch(r"https?://\S+", text) else (text, "")


def expectation(text: str, place: str = "expected") -> str:
    """An expected verdict in its standard spelling.

    Raises :class:`derive.errors.WrongInput` for anything else.

    >>> expectation("Proved"), expectation("holds exactly when k == 1"), expectation("")
    ('proved', 'holds when k == 1', '')
    """
    plain = " ".join(text.split())
    if not plain or plain.lower() in VERDICTS:
        return plain.lower()
    found = re.fullmatch(r"holds (?:exactly )?when (.+)", plain, re.IGNORECASE)
    if found:
        return f"holds when {found[1]}"
    raise WrongInput(
        f"{place}: the expected verdict {_cut(plain)!r} is none; "
        f"write {', '.join(VERDICTS)}, or holds when CONDITION"
    )


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


# -- YAML ------------------------------------------------------------------------------------------


def yaml_list(text: str, name: str) -> Iterator[Entry]:
    r"""The claims of a YAML text.

    >>> [e.expected for e in yaml_list("- claim: flip(flip(x)) == x\n  expected: proved\n", "text")]
    ['proved']
    """
    import yaml

    loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        _bound(yaml, yaml.parse(text, Loader=loader), name)
        root = yaml.compose(text, Loader=loader)
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark is not None else name
        fact = " ".join(str(getattr(e, "problem", None) or e).split())
        raise WrongInput(f"{place}: this is not YAML ({fact}); mend it") from None
    if root is None:
        return
    if not isinstance(root, yaml.SequenceNode):
        raise WrongInput(f"{name}: a list of claims was expected; begin each with `- claim: …`")
    for item in root.value:
        place = f"{name}:{item.start_mark.line + 1}"
        if not isinstance(item, yaml.MappingNode):
            raise WrongInput(
                f"{place}: an item with the key `claim` was expected; write `- claim: …`"
            )
        given = _mapping(item, place)
        if "claim" not in given:
            raise WrongInput(f"{place}: the item has no key `claim`; add it")
        yield _entry(given, given.pop("claim"), place)


def _bound(yaml: Any, events: Iterator[Any], name: str) -> None:
    """Refuse too many aliases, too much depth and length.

    An alias stands for a node that is shared, never copied, and only two levels are ever read.
    """
    depth = aliases = 0
    for number, event in enumerate(events):
        place = f"{name}:{event.start_mark.line + 1}"
        aliases += isinstance(event, yaml.AliasEvent)
        if aliases > MAX_YAML_ALIASES:
            raise WrongInput(
                f"{place}: over {MAX_YAML_ALIASES} YAML aliases (*); write the text out"
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_YAML_DEPTH:
            raise WrongInput(
                f"{place}: it nests deeper than {MAX_YAML_DEPTH}; a list of items is enough"
            )
        if number > MAX_YAML_NODES:
            raise WrongInput(f"{place}: over {MAX_YAML_NODES} YAML nodes; split the file")


def _mapping(node: Any, place: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for key_node, value in node.value:
        line = f"{place.rsplit(':', 1)[0]}:{key_node.start_mark.line + 1}"
        key = str(key_node.value)
        if key == "source" and isinstance(value.value, list) and _pairs(value):
            inner = {str(k.value): str(v.value) for k, v in value.value if isinstance(v.value, str)}
            unknown = sorted(set(inner) - {"title", "url"})
            if unknown or len(inner) != len(value.value):
                raise WrongInput(f"{line}: a source has the keys title and url, as text; mend it")
            _set(given, "source", inner.get("title", ""), line)
            if "url" in inner:
                _set(given, "url", inner["url"], line)
            continue
        if key not in (*KEYS, "claim"):
            raise WrongInput(f"{line}: the key {_cut(key)!r} is unknown; use claim, {_keys()}")
        if not isinstance(value.value, str):
            raise WrongInput(f"{line}: {key!r} is a text; put it in quotes")
        _set(given, key, value.value.strip(), line)
    return given


def _pairs(node: Any) -> bool:
    return all(isinstance(p, tuple) for p in node.value)
