"""Which rules run and how much each matters: the flags of a run, and what stands beside a file. Knows no rule by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace

from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.findings import Finding, Severity
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.lazy_dataclass import dataclass
from sidecarctl.validate.podsecurity.levels import PRIVILEGED, parse_level, parse_version
from sidecarctl.validate.registry import Context, Rule, rules

ALL = "all"
OFF = "off"
# Layers that are about manifests; the others are about a run that composes, and about libraries.
OF_MANIFESTS = ("structure", "api", "advice")

Severities = Mapping[str, str]


def no_severities(file: str) -> Severities:
    """The `severities` of a run where nothing says otherwise."""
    return {}


@dataclass(frozen=True)
class Choice:
    """How manifests are checked.

    level       what an unknown field is: strict an error, warn a warning, ignore nothing
    names       the rules that run
    severities  by file: rules with another severity (error, warning, info) or "off"
    ignores     False: ignores in manifests count for nothing
    """

    context: Context
    level: str = "strict"
    names: frozenset[str] = frozenset()
    kinds: Kinds = DEFAULT_KINDS
    severities: Callable[[str], Severities] = field(default=no_severities)
    ignores: bool = True

    def graded(self, found: Finding, file: str) -> Finding | None:
        """Return a finding with the severity that it has in a file, None where it is left out."""
        if found.rule not in self.names:
            return None
        if found.rule == "unknown-field" and self.level != "strict":
            return None if self.level == "ignore" else replace(found, severity=Severity.WARNING)
        said = self.severities(file).get(found.rule)
        if said is None:
            return found
        return None if said == OFF else replace(found, severity=Severity(said))


def choice(
    *,
    kube_version: str | None = None,
    level: str = "strict",
    pod_security: str | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    ignores: bool = True,
    kinds: Kinds = DEFAULT_KINDS,
    severities: Callable[[str], Severities] = no_severities,
) -> Choice:
    """Return what flags ask for; `pod_security` is LEVEL or LEVEL:VERSION.

    Raises UsageError for a version, a level or a rule that does not exist.
    """
    security, colon, of_version = (pod_security or PRIVILEGED).partition(":")
    if colon:
        parse_version(of_version)
    context = Context(
        versions.parse(kube_version) if kube_version else versions.NEWEST, parse_level(security), of_version
    )
    known = {rule.name: rule for rule in rules().values() if rule.layer in OF_MANIFESTS}
    asked, unwanted = _names(select, known, "--select"), _names(ignore, known, "--ignore")
    on = {name for name, rule in known.items() if rule.on}
    names = (asked - {ALL} | (on if ALL in asked else set())) if asked else on
    return Choice(context, level, frozenset(names - unwanted), kinds, severities, ignores)


def _names(given: Iterable[str], known: Collection[str], flag: str) -> set[str]:
    """The names in values of a flag, which may hold several each."""
    names = {name for text in given for name in text.replace(",", " ").split()}
    for name in sorted(names):
        if name not in known and not (name == ALL and flag == "--select"):
            raise unknown(name, known, flag)
    return names


def unknown(name: str, known: Collection[str], where: str) -> UsageError:
    """Return the error about a rule that does not exist; of one that is not about manifests it says so."""
    other = rules().get(name)
    hint = did_you_mean(name, known) or "`sidecarctl rules` lists all rules"
    if other is not None:
        hint = (
            f"it is about {'a library' if other.layer == 'library' else 'adding sidecars'}; `sidecarctl rules {name}`"
        )
        return UsageError(f'the rule "{name}" is not one of validate', hint=hint, where=where)
    return UsageError(f'there is no rule "{name}"', hint=hint, where=where)


def checked(chosen: Choice) -> list[Rule]:
    """Return the rules with a check of their own that run."""
    return [rule for name, rule in rules().items() if name in chosen.names and rule.check]
