"""The registry of rules. A rule is a function; its docstring and arguments are its page.

@rule("duplicate-volume-name", Severity.ERROR, fix="Give each volume a unique name.")
def duplicate_volume_name(pod: PodView, ctx: Context) -> Problems:
    \"\"\"Two volumes of a pod have the same name.

    Mounts refer to volumes by name, so the API server rejects duplicate names.
    \"\"\"
    seen: dict[str, View] = {}
    for volume in pod.each("volumes"):
        first = seen.setdefault(volume.text("name"), volume)
        if first is not volume:
            yield problem(volume.at("name"), "...", related=(Related("first", first.at("name")),))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from sidecarctl.errors import InputError
from sidecarctl.findings import PathTuple, Related, Severity
from sidecarctl.lazy_pattern import lazy_pattern
from sidecarctl.validate.rule import Check, Context, Definition, Layer, Problem, Problems, Rule, Scope, examples_of

__all__ = [
    "Check",
    "Context",
    "Definition",
    "Layer",
    "Problem",
    "Problems",
    "Rule",
    "Scope",
    "current_name",
    "declare",
    "examples_of",
    "help_line",
    "problem",
    "registered",
    "rule",
    "rules",
]

_C = TypeVar("_C", bound=Check)
_registered: dict[str, Rule] = {}


def rule(
    name: str,
    severity: Severity,
    *,
    fix: str,
    scope: Scope = "pod",
    layer: Layer = "api",
    roles: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    needs: tuple[str, ...] = (),
    since: str = "",
    until: str = "",
    on: bool = True,
    given: Context | None = None,
) -> Callable[[_C], _C]:
    """Register the decorated function as a rule. `Rule` describes the arguments.

    Raise ValueError if the function does not have the name of the rule, or if its docstring has no second paragraph.
    """

    def register(check: _C) -> _C:
        if check.__name__.replace("_", "-") != name:
            raise ValueError(f"the function of rule {name} has another name: {check.__name__}")
        docstring = check.__doc__ or ""
        if not all(part.strip() for part in docstring.strip().partition("\n\n")[::2]):
            raise ValueError(f"the docstring of rule {name} needs two paragraphs: what and why")
        definition = Definition(docstring, fix, given or Context(), check)
        _add(Rule(name, severity, layer, scope, roles, kinds, needs, since, until, on, True, lambda: definition))
        return check

    return register


def declare(
    name: str,
    severity: Severity,
    *,
    what: str,
    why: str,
    fix: str,
    layer: Layer = "structure",
    scope: Scope = "object",
) -> None:
    """Register a rule that is checked outside the registry."""
    definition = Definition(f"{what}\n\n{why}", fix)
    _add(Rule(name, severity, layer, scope, (), (), (), "", "", True, False, lambda: definition))


def _add(new: Rule) -> None:
    if new.name in _registered:
        raise ValueError(f"duplicate rule {new.name}")
    _registered[new.name] = new


def registered() -> Mapping[str, Rule]:
    """Return the rules of the modules that are imported so far."""
    return MappingProxyType(_registered)


def current_name(name: str) -> str:
    """Return the current name of a rule that was renamed, else the name itself."""
    return name if name in rules() else _renamed().get(name, name)


@cache
def _renamed() -> Mapping[str, str]:
    """Return the current names of renamed rules by their old names."""
    lines = (Path(__file__).parent / "rules" / "renamed.txt").read_text("utf-8").splitlines()
    return dict(line.split() for line in lines if not line.startswith("#"))


@cache
def rules() -> Mapping[str, Rule]:
    """Return all rules by name, sorted, from the index. The module of a rule is imported when its check or page is used.

    Raises InputError for an incomplete installation: validation would find nothing, and say so.
    """
    import json

    try:
        index: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "rules" / "index.json").read_bytes())
    except OSError as error:
        raise _incomplete(error) from None
    return MappingProxyType({name: _read_entry(name, entry) for name, entry in index.items()})


# Fields of a rule in the index, with their defaults there.
INDEX_DEFAULTS: dict[str, Any] = {
    "layer": "api",
    "scope": "pod",
    "roles": [],
    "kinds": [],
    "needs": [],
    "since": "",
    "until": "",
    "on": True,
    "checks": True,
}


def _incomplete(error: Exception) -> InputError:
    return InputError(f"incomplete installation: {error}", hint="install sidecarctl again")


def _read_entry(name: str, entry: Mapping[str, Any]) -> Rule:
    def define() -> Definition:
        try:
            import_module(entry["module"])
        except ModuleNotFoundError as error:
            raise _incomplete(error) from None
        return _registered[name].define()

    values = {**INDEX_DEFAULTS, **entry, "name": name, "severity": Severity(entry["severity"]), "define": define}
    del values["module"]
    lists = {field: tuple(value) for field, value in values.items() if isinstance(value, list)}
    return Rule(**{**values, **lists})


def problem(
    path: PathTuple,
    message: str,
    *,
    help: str = "",
    on_key: bool = False,
    related: tuple[Related, ...] = (),
    severity: Severity | None = None,
    expected: tuple[str, ...] = (),
) -> Problem:
    """Return a problem for a rule to yield. `help` and `severity` override those of the rule.

    `on_key` underlines the key instead of the value. `expected` is known valid content, which fixes use.
    """
    return Problem(path, message, help, on_key, related, severity, expected)


def help_line(sentences: str) -> str:
    """Return sentences in the form of a help line: lowercase, separated by semicolons, without the final period."""
    clauses = _SENTENCE_END.split(sentences.removesuffix("."))
    return "; ".join(_CAPITAL.sub(lambda word: word.group().lower(), clause) for clause in clauses)


_SENTENCE_END = lazy_pattern(r"\.\s+(?=[A-Z])")
# The capital of an ordinary word, not of an identifier such as PodSpec or NFS.
_CAPITAL = lazy_pattern(r"\A[A-Z](?=[a-z]*[ ,])")
