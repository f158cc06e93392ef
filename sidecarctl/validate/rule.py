"""A rule: what the index knows about it, and what its module says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from sidecarctl.findings import PathTuple, Related, Severity
from sidecarctl.kube.versions import NEWEST, at_least
from sidecarctl.lazy_dataclass import dataclass, field

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


@dataclass(frozen=True, eq=False)
class Definition:
    """What the module of a rule says about it.

    docstring  of the check function: the first paragraph is what the rule reports, the rest why
    fix        how to fix a finding; its help unless the problem has its own
    given      context in which the examples are checked
    check      None for a rule that is checked outside the registry
    """

    docstring: str
    fix: str
    given: Context = Context()
    check: Check | None = None


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule and its page. Rules compare by identity: there is one per name.

    scope      argument of `check`: each container, each pod, each object, or the whole stream
    roles      roles of the containers to check, () for all
    kinds      kinds of the objects to check, () for all; only for scope "object"
    needs      keys of which the argument must have at least one, () for any argument
    since      first Kubernetes version that the rule applies to, "" for all
    until      last Kubernetes version that the rule applies to, "" for all
    on         False if the rule runs only when selected
    checks     False for a rule that is checked outside the registry
    define     function that returns the definition; it imports the module of the rule
    """

    name: str
    severity: Severity
    layer: Layer
    scope: Scope
    roles: tuple[str, ...]
    kinds: tuple[str, ...]
    needs: tuple[str, ...]
    since: str
    until: str
    on: bool
    checks: bool
    define: Callable[[], Definition]

    @property
    def docstring(self) -> str:
        """What the rule reports, and why."""
        return self.define().docstring

    @property
    def fix(self) -> str:
        """How to fix a finding."""
        return self.define().fix

    @property
    def given(self) -> Context:
        """The context in which the examples are checked."""
        return self.define().given

    @property
    def check(self) -> Check | None:
        """The function that checks, None for a rule that is checked outside the registry."""
        return self.define().check if self.checks else None

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


@cache
def _rates() -> Mapping[str, int]:
    """Return the number of valid files with a finding of each advice rule; `files` is the number of all."""
    lines = (Path(__file__).parent / "rules" / "rates.txt").read_text("utf-8").splitlines()
    return {name: int(number) for name, number in (line.split() for line in lines if not line.startswith("#"))}


_EXAMPLES = Path(__file__).parent / "rules" / "examples"


def examples_of(rule: str) -> dict[str, str]:
    """Return the examples of a rule with the keys "bad" and "good". Raise FileNotFoundError for an unknown rule."""
    import textwrap

    # The file has two literal blocks, so that `sidecarctl rules` does not load the YAML parser.
    bad, _, good = (_EXAMPLES / f"{rule}.yaml").read_text("utf-8").removeprefix("bad: |\n").partition("good: |\n")
    return {"bad": textwrap.dedent(bad), "good": textwrap.dedent(good)}
