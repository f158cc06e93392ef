"""What a rule is, and which there are. A rule is one function with its page beside it; knows no rule by name.

@rule("duplicate-volume-name", Severity.ERROR, fix="Give each volume a name of its own.")
def duplicate_volume_name(pod: PodView, ctx: Context) -> Problems:
    \"\"\"Two volumes of a pod have the same name.

    A mount names its volume, so the API server refuses names that stand for two.
    \"\"\"
    seen: dict[str, View] = {}
    for volume in pod.each("volumes"):
        first = seen.setdefault(volume.text("name"), volume)
        if first is not volume:
            yield problem(volume.at("name"), "...", related=(Related("the first", first.at("name")),))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from sidecarctl.findings import PathTuple, Related, Severity
from sidecarctl.kube.versions import NEWEST, at_least
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.examples import examples_of

Layer = Literal["structure", "api", "advice", "composing", "library"]
Scope = Literal["container", "pod", "object", "stream"]


@dataclass(frozen=True)
class Context:
    """What a verdict depends on besides the manifest.

    kube_version          the target, as `kube.versions.parse` gives it
    pod_security          level to hold pods to: privileged, baseline or restricted
    pod_security_version  the version of that level's definition, "" for the target's
    options               settings of single rules, by name
    """

    kube_version: str = NEWEST
    pod_security: str = "privileged"
    pod_security_version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def since(self, version: str) -> bool:
        """True where the target is `version` ("1.29") or newer."""
        return at_least(self.kube_version, version)


@dataclass(frozen=True)
class Problem:
    """What a rule says about one place; the rule's own name, severity and page make it a finding."""

    path: PathTuple
    message: str
    help: str = ""
    on_key: bool = False
    related: tuple[Related, ...] = ()
    severity: Severity | None = None
    wants: tuple[str, ...] = ()


Problems = Iterator[Problem]
Check = Callable[[Any, Context], Problems]
_C = TypeVar("_C", bound=Check)


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule and its page. There is one of each name, so that a rule is only itself.

    said        the function's docstring: `what` is its first line, `why` the rest of it
    fix         how to put it right; a finding's help where the problem has none of its own
    given       the context that the examples need
    scope       what `check` gets: each container, each pod, each object, or the whole stream
    roles       the roles of containers that it looks at, () for all
    kinds       the kinds of objects that it looks at, () for all; for rules of scope "object" alone
    needs       keys of which what it gets must have one, or there is nothing to find; () for no such keys
    since       the first Kubernetes version it applies to, until the last; "" for no bound
    on          False: only when asked for by name
    check       None for a rule that a module of its own looks after (the structure's)
    """

    name: str
    severity: Severity
    layer: Layer
    said: str
    fix: str
    scope: Scope = "pod"
    roles: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    on: bool = True
    given: Context = Context()
    check: Check | None = None

    # Pages are read by few runs: nothing is put in order before.

    @property
    def what(self) -> str:
        """One sentence."""
        return " ".join(self.said.strip().split("\n\n")[0].split())

    @property
    def why(self) -> str:
        """Paragraphs."""
        import textwrap

        _, _, rest = self.said.strip().partition("\n\n")
        return textwrap.dedent(rest).strip()

    @property
    def bad(self) -> str:
        """A manifest, or a part of one, that the rule finds: `bad` in examples/<name>.yaml."""
        return examples_of(self.name)["bad"]

    @property
    def good(self) -> str:
        """The corrected example: `good` in examples/<name>.yaml."""
        return examples_of(self.name)["good"]

    def applies(self, ctx: Context) -> bool:
        """True where the target version is one that the rule is about."""
        older = self.since and not at_least(ctx.kube_version, self.since)
        newer = self.until and not at_least(self.until, ctx.kube_version)
        return not older and not newer

    @property
    def reason(self) -> str:
        """The first paragraph of `why`, on one line: what a finding says."""
        return " ".join(self.why.split("\n\n")[0].split())


_RULE_PACKAGES = ("sidecarctl.validate.rules", "sidecarctl.validate.rules.api", "sidecarctl.validate.rules.advice")
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
    """Register the decorated function as the rule `name`; see `Rule` for the rest.

    The function's name is the rule's with underscores, its docstring the page. ValueError where that does not hold.
    """

    def register(check: _C) -> _C:
        if check.__name__.replace("_", "-") != name:
            raise ValueError(f"the function of rule {name} is called {check.__name__}")
        said = check.__doc__ or ""
        if not all(part.strip() for part in said.strip().partition("\n\n")[::2]):
            raise ValueError(f"the docstring of rule {name} has to say what, and after a blank line why")
        _add(
            Rule(
                name,
                severity,
                layer,
                said,
                fix,
                scope,
                roles,
                kinds,
                needs,
                since,
                until,
                on,
                given or Context(),
                check,
            )
        )
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
    """Register the page of a rule that a module of its own looks after."""
    _add(Rule(name, severity, layer, f"{what}\n\n{why}", fix, scope))


def _add(new: Rule) -> None:
    if new.name in _registered:
        raise ValueError(f"there are two rules called {new.name}")
    _registered[new.name] = new


@cache
def rules() -> Mapping[str, Rule]:
    """Return all rules by name, sorted. The first call imports the modules of `validate.rules`."""
    for name in _RULE_PACKAGES:
        package = import_module(name)
        for file in sorted(Path(package.__path__[0]).glob("*.py")):
            if file.stem != "__init__":
                import_module(f"{name}.{file.stem}")
    return MappingProxyType(dict(sorted(_registered.items())))


def problem(
    path: PathTuple,
    message: str,
    *,
    help: str = "",
    on_key: bool = False,
    related: tuple[Related, ...] = (),
    severity: Severity | None = None,
    wants: tuple[str, ...] = (),
) -> Problem:
    """Return what a rule yields: where and what. `help` and `severity` only where they differ from the rule's.

    `on_key` underlines the key instead of the value; `wants` is what a fix needs to know, as in a Finding.
    """
    return Problem(path, message, help, on_key, related, severity, wants)
