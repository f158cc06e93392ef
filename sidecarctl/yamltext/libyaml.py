"""libyaml's parser without the Python package ruamel.yaml, for a process that runs one command line.

The C extension of ruamel.yaml imports the classes of the events that it creates and the errors that it raises from that package,
by name. Importing the package takes a tenth of the run for one manifest, and an event of it three calls. `load` offers the
extension a package that contains only the classes in this module. From then on, `ruamel.yaml` does not work in the process, so
only `__main__` enables it. Otherwise, events are those of ruamel.yaml, which have the same attributes.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class YAMLError(Exception):
    """An error of the parser."""


class MarkedYAMLError(YAMLError):
    """An error with its position in the text, and that of the construct around it."""

    def __init__(
        self, context: Any = None, context_mark: Any = None, problem: Any = None, problem_mark: Any = None
    ) -> None:
        super().__init__(context, problem)
        self.context, self.context_mark = context, context_mark
        self.problem, self.problem_mark = problem, problem_mark


class ReaderError(YAMLError):
    """A character that YAML does not allow."""

    def __init__(self, name: Any, position: Any, character: Any, encoding: Any, reason: Any) -> None:
        super().__init__(reason)
        self.reason = reason


class _Event:
    __slots__ = ("end_mark", "start_mark")

    def __init__(self, start_mark: Any, end_mark: Any, *_rest: Any) -> None:
        self.start_mark, self.end_mark = start_mark, end_mark


class StreamStartEvent(_Event):
    """Start of the text."""


class StreamEndEvent(_Event):
    """End of the text."""


class DocumentStartEvent(_Event):
    """Start of a document."""


class DocumentEndEvent(_Event):
    """End of a document."""


class SequenceEndEvent(_Event):
    """End of a sequence."""


class MappingEndEvent(_Event):
    """End of a mapping."""


class AliasEvent(_Event):
    """An alias."""

    __slots__ = ("anchor",)

    def __init__(self, anchor: Any, start_mark: Any, end_mark: Any) -> None:
        self.anchor, self.start_mark, self.end_mark = anchor, start_mark, end_mark


class ScalarEvent:
    """A scalar."""

    __slots__ = ("anchor", "ctag", "end_mark", "start_mark", "style", "value")

    def __init__(
        self, anchor: Any, tag: Any, implicit: Any, value: Any, start_mark: Any, end_mark: Any, style: Any
    ) -> None:
        self.anchor, self.ctag, self.value, self.style = anchor, tag, value, style
        self.start_mark, self.end_mark = start_mark, end_mark


class _CollectionStart:
    __slots__ = ("anchor", "ctag", "end_mark", "flow_style", "start_mark")

    def __init__(self, anchor: Any, tag: Any, implicit: Any, start_mark: Any, end_mark: Any, flow_style: Any) -> None:
        self.anchor, self.ctag, self.flow_style = anchor, tag, flow_style
        self.start_mark, self.end_mark = start_mark, end_mark


class SequenceStartEvent(_CollectionStart):
    """Start of a sequence."""


class MappingStartEvent(_CollectionStart):
    """Start of a mapping."""


class _Unused:
    """A class that only the other parts of the extension use: tokens, nodes, and the emitter."""


_EVENTS = (
    StreamStartEvent,
    StreamEndEvent,
    DocumentStartEvent,
    DocumentEndEvent,
    SequenceStartEvent,
    SequenceEndEvent,
    MappingStartEvent,
    MappingEndEvent,
    AliasEvent,
    ScalarEvent,
)
# Names that the extension imports, by module of ruamel.yaml.
_USED: dict[str, dict[str, type]] = {
    "error": {"YAMLError": YAMLError},
    "reader": {"ReaderError": ReaderError},
    "scanner": {"ScannerError": MarkedYAMLError},
    "parser": {"ParserError": MarkedYAMLError},
    "composer": {"ComposerError": MarkedYAMLError},
    "events": {each.__name__: each for each in _EVENTS},
}
_UNUSED: dict[str, str] = {
    "constructor": "ConstructorError",
    "emitter": "EmitterError",
    "serializer": "SerializerError",
    "representer": "RepresenterError",
    "nodes": "ScalarNode SequenceNode MappingNode",
    "tokens": "StreamStartToken StreamEndToken DirectiveToken DocumentStartToken DocumentEndToken BlockSequenceStartToken "
    "BlockMappingStartToken BlockEndToken FlowSequenceStartToken FlowMappingStartToken FlowSequenceEndToken "
    "FlowMappingEndToken KeyToken ValueToken BlockEntryToken FlowEntryToken AliasToken AnchorToken TagToken ScalarToken",
}


_enabled = False


def enable() -> None:
    """Let `load` do its work in this process."""
    global _enabled
    _enabled = True


def load() -> bool:
    """Load the extension with the classes of this module; return False if ruamel.yaml must load it.

    That is the case if this module is not enabled or the package is in use, and if a new version of the extension imports a name
    that is not listed here.
    """
    if not _enabled or "_ruamel_yaml" in sys.modules or "ruamel.yaml" in sys.modules:
        return False
    unused: dict[str, dict[str, type]] = {
        module: dict.fromkeys(names.split(), _Unused) for module, names in _UNUSED.items()
    }
    content = {**_USED, **unused}
    offered = {f"ruamel.yaml.{module}": ModuleType(module) for module in content}
    for module, names in zip(offered.values(), content.values()):
        vars(module).update(names)
    sys.modules.update(offered)
    try:
        import _ruamel_yaml  # noqa: F401
    except (ImportError, AttributeError):
        return False
    finally:
        for name in offered:
            del sys.modules[name]
    return True
