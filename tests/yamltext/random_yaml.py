"""Generates random manifests in random styles, and random edits for them. The output depends only on the random.Random."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

from sidecarctl.findings import PathTuple
from sidecarctl.yamltext.edits import Edit, Insert, Remove, Replace, Restore
from sidecarctl.yamltext.nodes import Alias, Mapping, Node, Scalar, Sequence

KEYS = (
    *("name", "spec", "a", "volumes", "with space", "yes", "0644", "é😀"),
    *("x/y.z", "a:b", "#k", "-d", "1.5", "<x", "k'q", 'k"q'),
)
WORDS = (
    *("nginx:1.27", "web", "true", "0755", "1e3", "a b  c", "x#y", "http://h:80/p?q#f"),
    *("-", "é😀ü", "it's", 'say "x"', "~x", "*x", "&y"),
)
PLAIN = (
    "nginx:1.27",
    "web",
    "true",
    "0755",
    "1e3",
    "a b  c",
    "x#y",
    "http://h:80/p",
    "é😀ü",
    "it's",
    "null",
    "3",
    "1.5",
    "-x",
)
TEXTS = (
    *("one\ntwo\n", "one\n two\n", "one\n\ntwo", "x\n", "a: b\n# c\n- d\n"),
    *("tab\there\nend\n", "trailing \nx\n", "a\nb\n\n", "\nlead\n"),
)
BREAKS = ("\n", "\n", "\n", "\r\n")


class Handwriting:
    """Writes one document. Style choices are random, made once for each file or anew at each position."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.out: list[str] = []
        self.newline = rng.choice(BREAKS)
        self.noise = rng.choice((0.0, 0.1, 0.4))
        self.anchors: list[tuple[str, bool]] = []
        self.named = 0
        self.steps = (2,) if rng.random() < 0.5 else (1, 2, 3, 4, 8)
        self.offsets = (rng.choice((0, 2)),) if rng.random() < 0.5 else (0, 1, 2, 4)

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def document(self) -> str:
        rng = self.rng
        if self.chance(0.1):
            self.out.append("# head" + self.newline)
        shape = rng.random()
        if shape < 0.12:
            self.out.append(self.flow(self.data(0, collection=True), 0) + self.newline)
        elif shape < 0.75:
            self.mapping(0, rng.choice((0, 0, 0, 2)))
        else:
            self.sequence(0, rng.choice((0, 0, 0, 3)))
        self.comments()
        if self.chance(0.1):
            self.out.append("..." + self.newline)
        text = "".join(self.out)
        if self.chance(0.25):
            text = text.removesuffix(self.newline)
        return ("\ufeff" if self.chance(0.05) else "") + text

    def comments(self) -> None:
        while self.chance(self.noise):
            if self.chance(0.4):
                self.out.append(self.rng.choice(("", "", "  ", "      ")) + self.newline)
            else:
                self.out.append(" " * self.rng.choice((0, 0, 1, 2, 4, 6, 9)) + "# noise" + self.newline)

    def rest_of_line(self, tab: str = "\t") -> None:
        self.out.append(self.rng.choice(("", " ", " # c", tab + "# c", "  # 'x' [")) if self.chance(self.noise) else "")
        self.out.append(self.newline)

    def key(self) -> str:
        key = self.rng.choice(KEYS)
        if key[0] not in "#-" and not self.chance(0.2):
            return key
        return self.rng.choice((json.dumps(key, ensure_ascii=False), "'" + key.replace("'", "''") + "'"))

    def keys(self, n: int) -> list[str]:
        found: dict[str, str] = {}
        for _ in range(n):
            key = self.key()
            found.setdefault(key.strip("'\"").replace("''", "'").replace('\\"', '"'), key)
        return list(found.values())

    def mapping(self, depth: int, column: int, inline: bool = False) -> None:
        rng = self.rng
        keys = self.keys(rng.randint(1, 4))
        if self.chance(0.15) and any(m for _, m in self.anchors):
            keys.insert(rng.randrange(len(keys) + 1), "<<")
        for index, key in enumerate(keys):
            if index or not inline:
                self.comments()
                self.out.append(" " * column)
            if key == "<<":
                self.out.append("<<: *" + rng.choice([n for n, m in self.anchors if m]))
                self.rest_of_line()
                continue
            explicit = self.chance(0.04)
            self.out.append(
                f"? {key}{self.newline}{' ' * column}:" if explicit else key + rng.choice(("", "", "", " ")) + ":"
            )
            self.tab = " " if explicit else "\t"
            self.value(depth, column, " " if explicit else rng.choice((" ", " ", " ", "   ", "\t")))

    def value(self, depth: int, column: int, blank: str) -> None:
        rng = self.rng
        name = None
        if self.chance(0.12):
            self.named += 1
            name = f"n{self.named}"
            blank = f" &{name} "
        kind = rng.random() + depth * 0.12
        if kind < 0.3:
            self.out.append(blank.rstrip() if name else "")
            self.rest_of_line(self.tab)
            self.mapping(depth + 1, column + rng.choice(self.steps))
            self.add(name, True)
        elif kind < 0.55:
            self.out.append(blank.rstrip() if name else "")
            self.rest_of_line(self.tab)
            self.sequence(depth + 1, column + rng.choice(self.offsets))
            self.add(name, False)
        elif kind < 0.65:
            data = self.data(depth, collection=True)
            self.out.append(blank + self.flow(data, column + 1))
            self.rest_of_line()
            self.add(name, isinstance(data, dict))
        elif kind < 0.78:
            empty = rng.choice(("[]", "{}", "null", "~", "[ ]", ""))
            self.out.append(blank + empty if empty else "")
            self.rest_of_line(self.tab)
            self.add(name if empty else None, empty == "{}")
        elif kind < 0.9:
            self.block_scalar(column, "" if name is None else f"&{name} ")
            self.add(name, False)
        elif self.anchors and self.chance(0.3):
            self.out.append(" *" + rng.choice(self.anchors)[0])
            self.rest_of_line()
        else:
            self.scalar(blank, column)
            self.add(name, False)

    def add(self, name: str | None, mapping: bool) -> None:
        if name is not None:
            self.anchors.append((name, mapping))

    def scalar(self, blank: str, column: int) -> None:
        rng = self.rng
        word = rng.choice(WORDS)
        forms = [rng.choice(PLAIN), json.dumps(word, ensure_ascii=False), "'" + word.replace("'", "''") + "'"]
        if self.chance(0.15):
            forms = [
                f"two{self.newline}{' ' * (column + 2)}lines",
                f'"two{self.newline}{self.newline}{" " * (column + 1)}lines"',
            ]
        self.out.append(blank + rng.choice(forms))
        self.rest_of_line()

    def block_scalar(self, column: int, properties: str = "") -> None:
        rng = self.rng
        indent = rng.choice((1, 2, 4))
        head = rng.choice("|>") + rng.choice(("", "", "-", "+")) + rng.choice(("", "", str(indent)))
        self.out.append(" " + properties + head + rng.choice(("", "", " # c")) + self.newline)
        lead = "  " if head[-1].isdigit() and self.chance(0.5) else ""
        for line in (lead + "text", "", " more", "# no comment", "end")[: rng.randint(1, 5)]:
            self.out.append((" " * (column + indent) + line if line else "") + self.newline)
        for _ in range(rng.choice((0, 0, 0, 1, 2))):
            self.out.append(
                rng.choice(("", "", " ", " " * (column + indent), " " * (column + indent + 2))) + self.newline
            )

    def sequence(self, depth: int, column: int, inline: bool = False) -> None:
        rng = self.rng
        for index in range(rng.randint(1, 3)):
            if index or not inline:
                self.comments()
                self.out.append(" " * column)
            gap = rng.choice((1, 1, 1, 2, 3))
            kind = rng.random() + depth * 0.1
            if kind < 0.35:
                self.out.append("-" + " " * gap)
                self.mapping(depth + 1, column + 1 + gap, inline=True)
            elif kind < 0.42:
                self.out.append("-")
                self.rest_of_line(" ")
                self.mapping(depth + 1, column + rng.choice((1, 2, 4)))
            elif kind < 0.5:
                self.out.append("-" + " " * gap)
                self.sequence(depth + 1, column + 1 + gap, inline=True)
            elif kind < 0.56:
                self.out.append("-" + rng.choice(("", " null", " []", " {}")))
                self.rest_of_line(" ")
            elif kind < 0.65:
                self.out.append("- " + self.flow(self.data(depth, collection=True), column + 1))
                self.rest_of_line()
            elif kind < 0.75:
                self.out.append("-")
                self.block_scalar(column)
            elif self.anchors and self.chance(0.15):
                self.out.append("- *" + rng.choice(self.anchors)[0])
                self.rest_of_line()
            else:
                self.out.append("-")
                self.scalar(" " * gap, column)

    def data(self, depth: int, *, collection: bool = False) -> Any:
        rng = self.rng
        kind = rng.random() + depth * 0.1
        if collection or kind < 0.5:
            if self.chance(0.5):
                return {rng.choice(KEYS): self.data(depth + 1) for _ in range(rng.randint(0, 3))}
            return [self.data(depth + 1) for _ in range(rng.randint(0, 3))]
        return rng.choice((None, True, 3, "x", "http://h:80", "a, b", "0644", "two\nlines", "", "é😀"))

    def flow(self, data: Any, column: int) -> str:
        """Return the value in a JSON style, or in YAML flow style with comments and unusual line breaks."""
        rng = self.rng
        if self.chance(0.5):
            indent = rng.choice((None, None, 2, 4, "\t"))
            separators = None if indent is not None or self.chance(0.7) else (",", ":")
            text = json.dumps(
                data, indent=indent, separators=separators, ensure_ascii=not self.out and rng.random() < 0.3
            )
            return text.replace("\n", self.newline + " " * column)
        return self.flow_yaml(data, column + 2)

    def flow_yaml(self, data: Any, column: int) -> str:
        spread = self.chance(0.3)
        gap = self.newline + " " * column if spread else self.rng.choice((" ", " ", ""))
        if isinstance(data, dict):
            parts = [f"{self.quoted(k)}: {self.flow_yaml(v, column + 2)}" for k, v in data.items()]
            return self.brackets("{", parts, "}", gap, spread, column)
        if isinstance(data, list):
            parts = [self.flow_yaml(v, column + 2) for v in data]
            return self.brackets("[", parts, "]", gap, spread, column)
        return self.quoted(data) if isinstance(data, str) else json.dumps(data)

    def quoted(self, text: str) -> str:
        plain = text in ("x", "web", "name", "spec", "a", "volumes", "http://h:80", "x/y.z", "with space")
        return text if plain and self.chance(0.6) else json.dumps(text, ensure_ascii=False)

    def brackets(self, opening: str, parts: list[str], closing: str, gap: str, spread: bool, column: int) -> str:
        if not parts:
            return opening + self.rng.choice(("", " ")) + closing
        out = opening + (gap if spread or self.chance(0.3) else "")
        while self.chance(self.noise / 4):
            out += f" # first{self.newline}{' ' * column}"
        for index, part in enumerate(parts):
            final = index == len(parts) - 1
            comma = "," if not final or self.chance(0.2) else ""
            early = self.chance(0.1) and spread and comma
            out += part + (f" # before{self.newline}{' ' * column}" if early else "") + comma
            if spread and self.chance(self.noise):
                out += " # why"
                out += self.newline + " " * column if not final else ""
            elif not final:
                out += gap if comma else ""
            if final:
                out += self.newline + " " * (column - 1) if spread else self.rng.choice(("", " "))
        return out + closing


def random_value(rng: Random, depth: int = 0) -> Any:
    """Return a value to insert."""
    kind = rng.random() + depth * 0.15
    if kind < 0.35:
        return {rng.choice(KEYS): random_value(rng, depth + 1) for _ in range(rng.randint(0, 3))}
    if kind < 0.55:
        return [random_value(rng, depth + 1) for _ in range(rng.randint(0, 3))]
    return rng.choice((None, True, 1, 0.5, *WORDS, *TEXTS))


def random_inserts(rng: Random, root: Node) -> list[Insert]:
    """Return one to five valid inserts for a document: new keys, items at any index, and content for empty values."""
    places = list(_places(root, ()))
    out: list[Insert] = []
    taken: set[PathTuple] = set()
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        path, node = rng.choice(places)
        value = random_value(rng)
        if node.value is None or (node.value in ([], {}) and rng.random() < 0.3):
            new: PathTuple = (*path, rng.choice((0, "new")))
            if node.value is not None:
                new = (*path, 0 if isinstance(node, Sequence) else "new")
        elif isinstance(node, Mapping):
            new = (*path, rng.choice(("new", "other", "yes2", "k: v")))
            if rng.random() < 0.3:
                new = (*new, rng.choice((0, "deep")))
        else:
            new = (*path, rng.randint(0, len(node.value)))
        # The path of an edit must not go through a value that another edit inserts.
        if any(
            p[: len(new)] == new or new[: len(p)] == p
            for p in taken
            if p[-1].__class__ is str or new[-1].__class__ is str
        ):
            continue
        taken.add(new)
        out.append(Insert(new, value))
    # A missing value cannot become both a list and a mapping.
    shapes: dict[PathTuple, type] = {}
    return [
        one
        for one in out
        if all(shapes.setdefault(one.path[:depth], type(step)) is type(step) for depth, step in enumerate(one.path))
    ]


def _places(node: Node, path: PathTuple) -> Iterator[tuple[PathTuple, Node]]:
    if isinstance(node, Alias):
        return
    if isinstance(node, (Mapping, Sequence)) or (node.value is None and path):
        yield path, node
    if isinstance(node, Mapping):
        for key, (_, value) in node.pairs.items():
            yield from _places(value, (*path, key))
    elif isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            yield from _places(item, (*path, index))


def random_removals(rng: Random, root: Node) -> list[Edit]:
    """Return one to four removals and replacements whose paths do not overlap."""
    found = list(_members(root, ()))
    out: list[Edit] = []
    for _ in range(rng.choice((1, 1, 2, 4)) if found else 0):
        path, node = rng.choice(found)
        if any(path[: len(one.path)] == one.path or one.path[: len(path)] == path for one in out):
            continue
        if isinstance(node, Scalar) and rng.random() < 0.3:
            out.append(Replace(path, rng.choice(("x", "yes", '{"a": "b"}', "l\nm\n", 3))))
        elif isinstance(node, (Mapping, Sequence)) and node.value and rng.random() < 0.2:
            out.append(Restore(path, " []", []))
        else:
            out.append(Remove(path))
    return out


def _members(node: Node, path: PathTuple) -> Iterator[tuple[PathTuple, Node]]:
    if isinstance(node, Mapping):
        below = [((*path, key), value) for key, (_, value) in node.pairs.items() if key != "<<"]
    else:
        below = [((*path, index), item) for index, item in enumerate(node.items)] if isinstance(node, Sequence) else []
    for where, inner in below:
        yield where, inner
        yield from _members(inner, where)
