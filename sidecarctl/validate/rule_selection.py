"""The rules that run and their severities, from flags and from the configuration of each file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from sidecarctl.errors import UsageError, did_you_mean
from sidecarctl.findings import Finding, Severity
from sidecarctl.kube import versions
from sidecarctl.kube.kinds import DEFAULT_KINDS, Kinds
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.validate.pod_security import PRIVILEGED, parse_level, parse_version
from sidecarctl.validate.registry import Context, Rule, current_name, rules

ALL = "all"
OFF = "off"
# Layers of `validate`; the other layers belong to composing and to libraries.
OF_MANIFESTS = ("structure", "api", "advice")

Severities = Mapping[str, str]


def no_severities(file: str) -> Severities:
    """Return no severities: the default of a run."""
    return {}


@dataclass(frozen=True)
class RuleSelection:
    """The rules to run, and how to report their findings.

    level       severity of unknown fields: strict (error), warn, or ignore
    names       names of the rules that run
    optional    names of the rules that run for a file whose configuration gives them a severity
    severities  function from a file name to severities by rule: error, warning, info, or off
    ignores     False to report findings that the manifest ignores
    """

    context: Context
    level: str = "strict"
    names: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    kinds: Kinds = DEFAULT_KINDS
    severities: Callable[[str], Severities] = field(default=no_severities)
    ignores: bool = True

    def names_for(self, file: str) -> frozenset[str]:
        """Return the names of the rules that run for a file."""
        if not self.optional:
            return self.names
        severities = self.severities(file)
        return self.names | {name for name in self.optional if severities.get(name, OFF) != OFF}

    def graded(self, found: Finding, file: str) -> Finding | None:
        """Return a finding with its severity in a file, None if it is not reported."""
        if found.rule not in self.names and found.rule not in self.names_for(file):
            return None
        if found.rule == "unknown-field" and self.level != "strict":
            return None if self.level == "ignore" else replace(found, severity=Severity.WARNING)
        severity = self.severities(file).get(found.rule)
        if severity is None:
            return found
        return None if severity == OFF else replace(found, severity=Severity(severity))


def select_rules(
    *,
    kube_version: str | None = None,
    level: str = "strict",
    pod_security: str | None = None,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    ignores: bool = True,
    kinds: Kinds = DEFAULT_KINDS,
    severities: Callable[[str], Severities] = no_severities,
) -> RuleSelection:
    """Return the rules that flags select; `pod_security` is LEVEL or LEVEL:VERSION.

    Raise UsageError for an unknown version, level, or rule.
    """
    security, colon, of_version = (pod_security or PRIVILEGED).partition(":")
    if colon:
        parse_version(of_version)
    context = Context(
        versions.parse_version(kube_version) if kube_version else versions.NEWEST, parse_level(security), of_version
    )
    known = {rule.name: rule for rule in rules().values() if rule.layer in OF_MANIFESTS}
    selected, ignored = _names(select, known, "--select"), _names(ignore, known, "--ignore")
    on = {name for name, rule in known.items() if rule.on}
    names = (selected - {ALL} | (on if ALL in selected else set())) if selected else on
    optional = frozenset() if selected else frozenset(known.keys() - on - ignored)
    return RuleSelection(context, level, frozenset(names - ignored), optional, kinds, severities, ignores)


def _names(values: Iterable[str], known: Collection[str], flag: str) -> set[str]:
    """Return the current rule names in the values of a flag, separated by commas or spaces."""
    names = {current_name(name) for text in values for name in text.replace(",", " ").split()}
    for name in sorted(names):
        if name not in known and not (name == ALL and flag == "--select"):
            raise unknown_rule_error(name, known, flag)
    return names


def unknown_rule_error(name: str, known: Collection[str], where: str) -> UsageError:
    """Return the error for a rule that does not exist, or that is not a rule of `validate`."""
    other = rules().get(name)
    hint = did_you_mean(name, known) or "run `sidecarctl rules` to list all rules"
    if other is not None:
        command = "`sidecarctl test`" if other.layer == "library" else "the commands that change workloads"
        hint = f"run `sidecarctl rules {name}` for details"
        return UsageError(f'rule "{name}" is not a rule of validate: {command} report it', hint=hint, where=where)
    return UsageError(f'unknown rule "{name}"', hint=hint, where=where)


def selected_rules(selection: RuleSelection, files: Iterable[str]) -> list[Rule]:
    """Return the rules to run for files that have a check function."""
    names = selection.names.union(*(selection.names_for(file) for file in dict.fromkeys(files)))
    return [rule for name, rule in rules().items() if name in names and rule.checks]
