"""Layers of a composition: what a file or an environment says, and how layers are merged key by key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from sidecarctl.catalog.assignments import merge
from sidecarctl.errors import UsageError
from sidecarctl.files.patterns import Exclude
from sidecarctl.findings import Place
from sidecarctl.kube.kinds import GroupKind, Templates
from sidecarctl.lazy_dataclass import dataclass, field, replace

# The name in `defaults` that stands for all sidecars.
EVERY_SIDECAR = "*"
_MOST_MERGES = 10_000  # of rules of one name in two layers


@dataclass(frozen=True)
class SidecarEntry:
    """A sidecar in a rule or in the defaults: its data, its place, and the places of its parameters by name."""

    data: Mapping[str, Any]
    place: Place
    keys: Mapping[str, Place] = field(default_factory=dict)

    @property
    def instance(self) -> str:
        """The instance name."""
        return str(self.data.get("as") or str(self.data["name"]).partition("@")[0])

    def overlay(self, over: SidecarEntry) -> SidecarEntry:
        """Return the entry with another one merged over it, key by key."""
        data = merge(self.data, over.data)
        if "position" in over.data:
            data["position"] = over.data["position"]  # before and after exclude each other
        return SidecarEntry(data, over.place, {**self.keys, **over.keys})


@dataclass(frozen=True)
class RawRule:
    """A rule of one file. Another file may supply the missing fields."""

    name: str
    place: Place
    data: Mapping[str, Any]
    entries: Mapping[str, SidecarEntry] = field(default_factory=dict)
    selector_place: Place | None = None

    def label(self, number: int) -> str:
        """Return the name in messages: `rule "front"`, or `rule 2` for the second one of a list if it has no name."""
        return f'rule "{self.name}"' if self.name else f"rule {number}"

    def overlay(self, over: RawRule) -> RawRule:
        """Return the rule with another one merged over it: sidecars by instance name, other fields replaced."""
        entries = dict(self.entries)
        for instance, entry in over.entries.items():
            entries[instance] = entries[instance].overlay(entry) if instance in entries else entry
        return RawRule(
            self.name, over.place, {**self.data, **over.data}, entries, over.selector_place or self.selector_place
        )


@dataclass(frozen=True)
class Layer:
    """The content of a file, or of an environment in it. None is not set: a later layer can set false or an empty list."""

    kube_version: str = ""
    kube_version_place: Place | None = None
    libraries: tuple[tuple[Path, Place], ...] = ()
    kinds: Mapping[GroupKind, Templates] = field(default_factory=dict)
    manifests: tuple[str, ...] | None = None
    exclude: tuple[Exclude, ...] = ()
    exclude_namespaces: tuple[str, ...] = ()
    defaults: Mapping[str, SidecarEntry] = field(default_factory=dict)
    rules: tuple[RawRule, ...] = ()
    on_conflict: str = ""
    enforce: bool | None = None
    retarget: bool | None = None

    def overlay(self, over: Layer) -> Layer:
        """Return the layer with another one merged over it, key by key.

        Excluded namespaces and paths are added, and the libraries of `over` come first.
        """
        defaults = dict(self.defaults)
        for name, entry in over.defaults.items():
            defaults[name] = defaults[name].overlay(entry) if name in defaults else entry
        return replace(
            self,
            kube_version=over.kube_version or self.kube_version,
            kube_version_place=over.kube_version_place or self.kube_version_place,
            libraries=tuple(dict((*over.libraries, *self.libraries)).items()),
            kinds={**self.kinds, **over.kinds},
            manifests=self.manifests if over.manifests is None else over.manifests,
            exclude=tuple(dict.fromkeys((*self.exclude, *over.exclude))),
            exclude_namespaces=tuple(dict.fromkeys((*self.exclude_namespaces, *over.exclude_namespaces))),
            defaults=defaults,
            rules=_overlay_rules(self.rules, over.rules),
            on_conflict=over.on_conflict or self.on_conflict,
            enforce=over._sets_enforce(self.enforce),
            retarget=self.retarget if over.retarget is None else over.retarget,
        )

    def _sets_enforce(self, before: bool | None) -> bool | None:
        """Return whether edits are overwritten after this layer: its own value, no if it chooses another policy, or as before."""
        if self.enforce is None and self.on_conflict:
            return False
        return before if self.enforce is None else self.enforce


def _overlay_rules(under: Sequence[RawRule], over: Sequence[RawRule]) -> tuple[RawRule, ...]:
    """Return the rules of a layer with those of another one merged over them by name; rules with a new name or none are added.

    Each rule of `under` gets all of `over` with its name, so raises UsageError if both have a name many times.
    """
    named: dict[str, list[RawRule]] = {rule.name: [] for rule in under if rule.name}
    for rule in over:
        if rule.name in named:
            named[rule.name].append(rule)
    merges: dict[str, int] = {}
    rules: list[RawRule] = []
    for rule in under:
        changes = named.get(rule.name, [])
        merges[rule.name] = merges.get(rule.name, 0) + len(changes)
        if merges[rule.name] > _MOST_MERGES:
            raise UsageError(
                f'the name "{rule.name}" is used by too many rules that are merged with each other',
                where=str(changes[0].place),
                hint="give the rules of a file different names",
            )
        rules.append(reduce(RawRule.overlay, changes, rule))
    return (*rules, *(rule for rule in over if rule.name not in named))
