"""Seeds for fuzzing, and their mutations: changed bytes, moved lines, and replaced nodes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

from sidecarctl.errors import SidecarctlError
from sidecarctl.yamltext.nodes import Alias, Node, walk
from sidecarctl.yamltext.parse import parse

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 6_000  # bytes; long inputs find the same faults as short ones, 100 times slower
# Words with a meaning for a YAML parser or for sidecarctl.
WORDS = [
    *(
        ": ",
        ":",
        "- ",
        "-",
        "? ",
        "&a ",
        "*a",
        "&a\n",
        "<<: *a\n",
        "<<: ",
        "|",
        "|-\n",
        "|+\n",
        ">\n",
        ">2-\n",
        "#",
        " #",
    ),
    *(
        "'",
        '"',
        "''",
        '\\"',
        "{",
        "}",
        "[",
        "]",
        ",",
        "{}",
        "[]",
        "{a: *a}",
        "[*a, *a]",
        "null",
        "~",
        "Null",
        "true",
        "yes",
    ),
    *(
        "0644",
        "1e3",
        "0x10",
        ".inf",
        "1_000",
        "12:30:45",
        "!!str ",
        "!!binary ",
        "!!int ",
        "!foo ",
        "!!map ",
        "!!null ''",
    ),
    *(
        "\n",
        "\r\n",
        "\r",
        "\t",
        " ",
        "  ",
        "\x85",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\xa0",
        "\x00",
        "\x1b[31m",
        "\u202e",
        "\x7f",
    ),
    *("---\n", "--- # x\n", "...\n", "--- x\n", "%YAML 1.1\n", "\\u0041", "\\ud83d\\ude00", "\\x1b", "é", "😀"),
    *("containers:", "initContainers:", "volumes:", "volumeMounts:", "env:", "annotations:", "metadata:", "spec:"),
    *(
        "template:",
        "name: web",
        "kind: List\nitems:\n",
        "kind: Pod\n",
        "kind: Job\n",
        "apiVersion: v1\n",
        "emptyDir: {}",
    ),
    *(
        "sidecarctl.dev/sidecars: ",
        "sidecarctl.dev/inject: logger",
        "# sidecarctl: ignore[x] y\n",
        "restartPolicy: Always",
    ),
]
_TOKENS = [word.encode() for word in WORDS] + [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"]


def seeds() -> list[bytes]:
    """Return short real manifests: from the corpus if there is one, and from the repository."""
    folders = (ROOT.parent / "shared" / "corpus", ROOT.parents[1] / "shared" / "corpus", ROOT / "examples")
    folders += (ROOT / "tests" / "gallery", ROOT / "library", ROOT / "tests" / "fuzz" / "regressions")
    found = (f for folder in folders if folder.is_dir() for f in sorted(folder.rglob("*")))
    return list(dict.fromkeys(_pieces(f for f in found if f.suffix in (".yaml", ".yml", ".json") and f.is_file())))


def _pieces(files: Iterable[Path]) -> Iterable[bytes]:
    for file in files:
        data = file.read_bytes()
        if len(data) <= LONGEST:
            yield data
        else:
            yield from (part for part in data.split(b"\n---") if 40 < len(part) <= LONGEST and b"kind:" in part)


def mutated(data: bytes, others: list[bytes], rng: Random) -> bytes:
    """Return a mutated seed. Most mutations are small, some change almost everything."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 5, 9))):
        data = rng.choice(_WAYS)(data, others, rng)
    return data[:LONGEST]


def _span(data: bytes, rng: Random, longest: int = 40) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.randint(1, longest))


def _token(data: bytes, others: list[bytes], rng: Random) -> bytes:
    start, end = _span(data, rng, 8)
    return data[:start] + rng.choice(_TOKENS) + data[end if rng.random() < 0.5 else start :]


def _bytes(data: bytes, others: list[bytes], rng: Random) -> bytes:
    start, end = _span(data, rng)
    kind = rng.randrange(4)
    if kind == 0:
        return data[:start] + data[end:]
    if kind == 1:
        return data[:end] + data[start:]
    if kind == 2:
        return data[:start] + bytes([rng.randrange(256)]) + data[start + 1 :]
    return data[:start]


def _lines(data: bytes, others: list[bytes], rng: Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    start = rng.randrange(len(lines))
    end = start + rng.randint(1, 6)
    block = lines[start:end]
    kind = rng.randrange(6)
    if kind == 0:
        del lines[start:end]
    elif kind == 1:
        lines[start:start] = block
    elif kind == 2:
        shift = rng.choice((b" ", b"  ", b"    ", b"\t"))
        lines[start:end] = [shift + line for line in block]
    elif kind == 3:
        lines[start:end] = [line.removeprefix(rng.choice((b" ", b"  "))) for line in block]
    elif kind == 4:
        to = rng.randrange(len(lines))
        lines[to:to] = block
    else:
        ending = rng.choice((b"\r\n", b"\r", b" \n", b" # c\n", b"\n\n"))
        lines[start:end] = [line.rstrip(b"\r\n") + ending for line in block]
    return b"".join(lines)


def _crossed(data: bytes, others: list[bytes], rng: Random) -> bytes:
    other = rng.choice(others)
    start, end = _span(other, rng, 400)
    at = rng.randint(0, len(data))
    return data[:at] + other[start:end] + data[at:]


def _nodes(data: bytes, others: list[bytes], rng: Random) -> bytes:
    """Replace a node with another node or a short text. The result is usually still YAML."""
    try:
        text = data.decode("utf-8").partition("\n---")[0]
        root = parse(text)
    except (UnicodeDecodeError, SidecarctlError):
        return _lines(data, others, rng)
    found = [node for node in walk(root) if node.end > node.start] if root else []
    if not found:
        return _token(data, others, rng)
    here, there = rng.choice(found), rng.choice(found)
    new = _written(text, there, rng)
    changed = text[: here.start] + new + text[here.end :]
    if here.start > there.end and rng.random() < 0.3 and not isinstance(there, Alias):
        changed = text[: there.start] + "&a " + text[there.start : here.start] + "*a" + text[here.end :]
    return changed.encode("utf-8", "surrogatepass") + data[len(text.encode("utf-8")) :]


_SHORT = (
    "",
    "null",
    "~",
    "[]",
    "{}",
    "[ ]",
    "{ }",
    '""',
    "3",
    "true",
    "x",
    "- a",
    "{a: b}",
    "[a]",
    "|\n  x\n",
    "*a",
    "&a x",
)


def _written(text: str, node: Node, rng: Random) -> str:
    own = text[node.start : node.end]
    if rng.random() < 0.4:
        return rng.choice(_SHORT)
    return re.sub(r"\s*\n\s*", rng.choice((" ", "\n", "\n  ")), own) if rng.random() < 0.3 else own


# What a flow collection is made of; without a seed, since real manifests have few of them.
_FLOW_TOKENS = (
    *("{", "}", "[", "]", ",", ",", ":", ": ", " ", "\t", "\n ", "# c\n ", "? ", "- "),
    *("!", "!t", "!!null ", "&a", "&a ", "*a", "a", "a: ", "'a'", '"a !b"', "~", "null"),
)


def _flow(data: bytes, others: list[bytes], rng: Random) -> bytes:
    """Replace everything, or some bytes, with a short flow collection of random tokens."""
    opening, closing = rng.choice(("{}", "[]"))
    inner = "".join(rng.choice(_FLOW_TOKENS) for _ in range(rng.randint(1, 8)))
    new = f"{opening}{inner}{closing}".encode()
    if rng.random() < 0.5:
        return rng.choice((b"", b"x: ", b"- ", b"x: &a q\ny: ", b"!t ")) + new + rng.choice((b"\n", b"", b" # c\n"))
    start, end = _span(data, rng)
    return data[:start] + new + data[end:]


_WAYS: list[Callable[[bytes, list[bytes], Random], bytes]] = [
    _token,
    _token,
    _bytes,
    _lines,
    _lines,
    _crossed,
    _nodes,
    _nodes,
    _flow,
]
