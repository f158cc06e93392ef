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

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from sidecarctl.errors import InputError
from sidecarctl.findings import PathTuple, Related, Severity
from sidecarctl.kube.versions import NEWEST, at_least
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.lazy_pattern import lazy_pattern

Layer = Literal["structure", "api", "advice", "composing", "library"]
Scope = Literal["container", "pod", "object", "stream"]


@dataclass(frozen=True)
class Context:
    """The input of rules besides the manifest.

    kube_version          target Kubernetes version, parsed: "1.34"
    pod_security          required Pod Security level: privileged, baseline, or restricted
    pod_security_version  version of the standard, "" for the target version
    options               options of single rules, by rule name
    """

    kube_version: str = NEWEST
    pod_security: str = "privileged"
    pod_security_version: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def since(self, version: str) -> bool:
        """Return True if the target version is `version` ("1.29") or later."""
        return at_least(self.kube_version, version)


@dataclass(frozen=True)
class Problem:
    """A problem that a rule reports. Name, severity, and page of the rule make it a finding."""

    path: PathTuple
    message: str
    help: str = ""
    on_key: bool = False
    related: tuple[Related, ...] = ()
    severity: Severity | None = None
    expected: tuple[str, ...] = ()


Problems = Iterator[Problem]
Check = Callable[[Any, Context], Problems]
_C = TypeVar("_C", bound=Check)


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule and its page. Rules compare by identity: there is one per name.

    docstring  of the check function: `what` is its first paragraph, `why` the rest
    fix        how to fix a finding; its help unless the problem has its own
    scope      argument of `check`: each container, each pod, each object, or the whole stream
    roles      roles of the containers to check, () for all
    kinds      kinds of the objects to check, () for all; only for scope "object"
    needs      keys of which the argument must have at least one, () for any argument
    since      first Kubernetes version that the rule applies to, "" for all
    until      last Kubernetes version that the rule applies to, "" for all
    on         False if the rule runs only when selected
    given      context in which the examples are checked
    check      None for a rule that is checked outside the registry
    """

    name: str
    severity: Severity
    layer: Layer
    docstring: str
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

    @property
    def what(self) -> str:
        """What the rule reports, in one sentence."""
        return " ".join(self.docstring.strip().split("\n\n")[0].split())

    @property
    def why(self) -> str:
        """Why it matters, in one or more paragraphs."""
        import textwrap

        _, _, rest = self.docstring.strip().partition("\n\n")
        return textwrap.dedent(rest).strip()

    @property
    def bad(self) -> str:
        """The manifest, or part of one, that the rule reports: `bad` in examples/<name>.yaml."""
        return examples_of(self.name)["bad"]

    @property
    def good(self) -> str:
        """The fixed example: `good` in examples/<name>.yaml."""
        return examples_of(self.name)["good"]

    @property
    def rate(self) -> str:
        """How often an advice rule reports something in valid manifests, "" for other rules."""
        files, own = _rates()["files"], _rates().get(self.name)
        return "" if own is None else f"in {own} of {files:,} valid files ({100 * own / files:.1f} %)"

    def applies(self, ctx: Context) -> bool:
        """Return True if the rule applies to the target version."""
        older = self.since and not at_least(ctx.kube_version, self.since)
        newer = self.until and not at_least(self.until, ctx.kube_version)
        return not older and not newer

    @property
    def reason(self) -> str:
        """The first paragraph of `why` on one line: the reason in findings."""
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
    """Register the decorated function as a rule. `Rule` describes the arguments.

    Raise ValueError if the function does not have the name of the rule, or if its docstring has no second paragraph.
    """

    def register(check: _C) -> _C:
        if check.__name__.replace("_", "-") != name:
            raise ValueError(f"the function of rule {name} has another name: {check.__name__}")
        docstring = check.__doc__ or ""
        if not all(part.strip() for part in docstring.strip().partition("\n\n")[::2]):
            raise ValueError(f"the docstring of rule {name} needs two paragraphs: what and why")
        _add(
            Rule(
                name,
                severity,
                layer,
                docstring,
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
    """Register a rule that is checked outside the registry."""
    _add(Rule(name, severity, layer, f"{what}\n\n{why}", fix, scope))


def _add(new: Rule) -> None:
    if new.name in _registered:
        raise ValueError(f"duplicate rule {new.name}")
    _registered[new.name] = new


@cache
def _rates() -> Mapping[str, int]:
    """Return the number of valid files with a finding of each advice rule; `files` is the number of all."""
    lines = (Path(__file__).parent / "rules" / "rates.txt").read_text("utf-8").splitlines()
    return {name: int(number) for name, number in (line.split() for line in lines if not line.startswith("#"))}


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
    """Return all rules by name, sorted. The first call imports all modules in `validate.rules`.

    Raises InputError for an installation without them: validation would find nothing, and say so.
    """
    for name in _RULE_PACKAGES:
        # Asks the importer instead of the directory: an archive or a frozen program has no .py files.
        found = [each.name for each in iter_modules(import_module(name).__path__) if not each.ispkg]
        if not found:
            raise InputError(f"incomplete installation: {name} has no modules", hint="install sidecarctl again")
        for module in found:
            import_module(f"{name}.{module}")
    return MappingProxyType(dict(sorted(_registered.items())))


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

_EXAMPLES = Path(__file__).parent / "rules" / "examples"


def examples_of(rule: str) -> dict[str, str]:
    """Return the examples of a rule with the keys "bad" and "good". Raise FileNotFoundError for an unknown rule."""
    import textwrap

    # The file has two literal blocks, so that `sidecarctl rules` does not load the YAML parser.
    bad, _, good = (_EXAMPLES / f"{rule}.yaml").read_text("utf-8").removeprefix("bad: |\n").partition("good: |\n")
    return {"bad": textwrap.dedent(bad), "good": textwrap.dedent(good)}
