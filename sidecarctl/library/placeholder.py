"""A text that is not known yet while a template renders: it may be written, passed on and joined, never looked at."""

from __future__ import annotations

from typing import Any, NoReturn


class Looked(BaseException):
    """A template looked at a placeholder. No Exception, so that nothing between takes it for an answer."""


class Placeholder:
    """Stands for a text that is not empty, nothing more is known: so it is true, and any other question raises Looked.

    `_text` is what stands for it in the rendered text; `_bare` is False where other text has been joined to it.
    """

    __slots__ = ("_bare", "_text")

    def __init__(self, text: str, bare: bool = False) -> None:
        self._text = text
        self._bare = bare

    def __bool__(self) -> bool:
        return True

    def _looked(self, *_: Any, **__: Any) -> NoReturn:
        raise Looked

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __contains__ = __getitem__ = _looked
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _looked
    __int__ = __float__ = __index__ = __abs__ = __neg__ = __pos__ = __round__ = _looked
    __add__ = __radd__ = __mul__ = __rmul__ = __mod__ = __rmod__ = __sub__ = __rsub__ = __call__ = _looked
    __getattr__ = _looked
