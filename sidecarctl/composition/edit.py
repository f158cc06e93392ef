"""Edits the text of a composition file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sidecarctl.composition.composition_file import choose_document
from sidecarctl.yamltext.edits import Edit
from sidecarctl.yamltext.splice import splice
from sidecarctl.yamltext.stream import join, split


def edit_composition(text: str, file: str, find_edits: Callable[[Any], Sequence[Edit]]) -> str:
    """Return the text of a composition after the edits that `find_edits` returns for its value.

    Documents without a value, such as a license comment above `---`, are kept. Raises InputError for invalid YAML,
    UsageError unless there is one composition, EditRefused for an edit that cannot be written.
    """
    documents = list(split(text, file))
    own = choose_document(documents, file)
    assert own.root is not None
    edited = own.with_text(splice(own.text, own.root, find_edits(own.value)).text)
    return join(edited if each is own else each for each in documents)
