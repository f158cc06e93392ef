"""Renders what a run did: one item for each workload, with what was added or why it was skipped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.report.terminal import paint, visible, width_of, wrap
from sidecarctl.results import ABSENT, ACTIONS, SERVICE_STEP, FieldChange, InstanceChange, WorkloadChange, plural

_INDENT = "    "
_NEXT = "next: "
_MOST = 12  # fields of an update that are shown without -v
_LONGEST = 60
_WOULD = {"added": "would add", "updated": "would update", "removed": "would remove"}
_STYLES = {"added": "added", "updated": "changed", "removed": "removed", "unchanged": "dim", "skipped": "warning"}


@dataclass
class NextSteps:
    """What to do after adding sidecars: the text of the first added instance by sidecar, and the number of instances."""

    texts: dict[str, tuple[str, int]] = field(default_factory=dict)

    def collect(self, changes: Iterable[WorkloadChange], *, has_service: bool = False) -> None:
        """Collect the next steps of added instances. A Service of the run was changed, or is in the findings."""
        for change in changes:
            for instance in change.instances:
                lines = instance.next_steps.split("\n") if instance.next_steps else []
                if has_service:
                    lines = [line for line in lines if not line.startswith(SERVICE_STEP)]
                if lines:
                    text, count = self.texts.get(instance.sidecar, ("\n".join(lines), 0))
                    self.texts[instance.sidecar] = text, count + 1


def render_changes(
    changes: Sequence[WorkloadChange], *, color: bool, width: int, verbose: bool = False, dry_run: bool = False
) -> str:
    """Return the report in input order: a line for each workload, wrapped at `width` columns (0: no wrapping).

    With several files, each gets a heading. `verbose` adds the requests, limits, and QoS class of the pod before and
    after, and the cost over all replicas. `dry_run` reports what would change.
    """
    several = len({change.file for change in changes}) > 1
    lines: list[str] = []
    for file, group in groupby(changes, key=lambda change: change.file):
        if several:
            lines.append(paint(visible(file), "bold", color))
        for change in group:
            lines += _workload(change, "  " if several else "", color, width, dry_run, verbose)
            lines += _facts(change, ("  " if several else "") + _INDENT, color) if verbose else []
    return "".join(f"{line}\n" for line in lines)


def render_next_steps(steps: NextSteps, *, color: bool, width: int) -> str:
    """Return one `next:` item per sidecar, broken at `width` columns (0: never)."""
    lines: list[str] = []
    said: set[str] = set()
    for whole, count in steps.texts.values():
        # Several sidecars in front of one app ask for the same.
        kept = [line for line in whole.split("\n") if line not in said]
        said.update(kept)
        text = "\n".join(kept)
        if not kept:
            continue
        more = f" (also for {plural(count - 1, 'other instance')})" if count > 1 else ""
        first, *rest = wrap(visible(text, "\n") + more, width, _NEXT, " " * len(_NEXT))
        lines += [paint(_NEXT, "bold", color) + first.removeprefix(_NEXT), *rest]
    return "".join(f"{line}\n" for line in lines)


def changes_line(changes: Iterable[WorkloadChange]) -> str:
    """Return the last line: `3 workloads: 2 changed, 1 skipped`, or `no workloads`."""
    states = [_state(change) for change in changes]
    counted = [f"{states.count(state)} {state}" for state in ("changed", "unchanged", "skipped") if state in states]
    return (f"{plural(len(states), 'workload')}: {', '.join(counted)}" if states else "no workloads") + "\n"


def _state(change: WorkloadChange) -> str:
    if change.changed:
        return "changed"
    skipped = change.skipped or any(one.action == "skipped" for one in change.instances)
    return "skipped" if skipped else "unchanged"


def _workload(change: WorkloadChange, indent: str, color: bool, width: int, dry_run: bool, verbose: bool) -> list[str]:
    """Return the item of a workload: on one line if it fits, else each instance below with its parts."""
    head = indent + paint(visible(change.label), "bold", color)
    taken = width_of(indent + visible(change.label)) + 2
    if change.skipped or not change.instances:
        word, reason = ("skipped", change.skipped) if change.skipped else ("unchanged", "")
        text = visible(f"{word}: {reason}" if reason else word)
        first, *rest = wrap(text, width, " " * taken, indent + _INDENT)
        return [f"{head}: {_painted(first[taken:], word, color)}", *rest]
    instances = sorted(change.instances, key=lambda one: ACTIONS.index(one.action))
    clauses = [_clause(one, dry_run) + _parts(one) for one in instances]
    detailed = any(_details(one) for one in instances)
    if not detailed and (not width or taken + width_of("; ".join(clauses)) <= width):
        painted = (_painted(clause, one.action, color) for clause, one in zip(clauses, instances, strict=True))
        return [f"{head}: {'; '.join(painted)}"]
    if len(instances) == 1:
        (one,) = instances
        return [f"{head}: {_painted(_clause(one, dry_run), one.action, color)}", *_below(one, indent, width, verbose)]
    lines = [f"{head}:"]
    for one in instances:
        lines.append(f"{indent}  {_painted(_clause(one, dry_run), one.action, color)}")
        lines += _below(one, indent, width, verbose)
    return lines


def _clause(one: InstanceChange, dry_run: bool) -> str:
    """Return `added logger 1.0.0 (native)`, `updated logger 1.0.0 -> 1.1.0`, or `added proxy 1.0.0 as tls`."""
    version = f"{one.previous} -> {one.version}" if one.previous and one.previous != one.version else one.version
    alias = f"as {one.name}" if one.sidecar and one.sidecar != one.name else ""
    mode = f"({one.mode})" if one.mode and one.action in ("added", "updated") else ""
    action = _WOULD.get(one.action, one.action) if dry_run else one.action
    return visible(" ".join(filter(None, (action, one.sidecar or one.name, version, alias, mode))))


def _parts(one: InstanceChange) -> str:
    told = visible(", ".join(filter(None, (one.reason, *one.parts))))
    return f": {told}" if told else ""


def _details(one: InstanceChange) -> list[str]:
    """Return what an update changes, with old and new values."""
    lines = [f"parameter {change.path}: {_values(change, '(default)')}" for change in one.parameters]
    lines += [f"{change.path}: {_values(change, '(not set)')}" for change in one.fields]
    return lines


def _values(change: FieldChange, absent: str) -> str:
    before, after = (absent if each is ABSENT else _shown(each) for each in (change.before, change.after))
    return f"{before} -> {after}"


def _shown(value: object) -> str:
    text = value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _below_update(one: InstanceChange, lead: str, width: int, verbose: bool) -> list[str]:
    """Return the changed parameters and fields of an update, one per item, and the changelog of the sidecar."""
    details = _details(one)
    shown = details if verbose or len(details) <= _MOST else details[: _MOST - 1]
    lines = [line for text in shown for line in wrap(visible(text), width, lead, lead + "  ")]
    if len(shown) < len(details):
        lines.append(f"{lead}and {plural(len(details) - len(shown), 'more field')} (-v shows all)")
    for version, text in one.changelog:
        lines.append(f"{lead}changes in {visible(version)}:")
        lines += [
            each
            for line in text.splitlines()
            if line
            for each in wrap(visible(line), width, lead + "  ", lead + "    ")
        ]
    return lines


def _below(one: InstanceChange, indent: str, width: int, verbose: bool) -> list[str]:
    """Return reason and parts below their clause, wrapped after commas where possible."""
    lead = indent + _INDENT
    if _details(one):
        return _below_update(one, lead, width, verbose)
    lines: list[str] = []
    for part in filter(None, (one.reason, *one.parts)):
        text = visible(part)
        if lines and width_of(lines[-1]) + 2 + width_of(text) + 1 <= width:
            lines[-1] += f", {text}"
        else:
            lines[-1:] = [f"{line}," for line in lines[-1:]]
            lines += wrap(text, width, lead, lead)
    return lines


def _painted(text: str, action: str, color: bool) -> str:
    """Color the word that names the action."""
    word = next(each for each in (action, _WOULD.get(action, action)) if text.startswith(each))
    rest = text[len(word) :]
    return paint(word, _STYLES[action], color) + rest


def _facts(change: WorkloadChange, indent: str, color: bool) -> list[str]:
    """Return a small table: each resource before and after."""
    before, after = change.before, change.after
    if not before or not after:
        return []
    rows = [*_amounts("requests", before.requests, after.requests), *_amounts("limits", before.limits, after.limits)]
    rows += [("QoS class", "", visible(before.qos), visible(after.qos))] if after.qos else []
    sizes = [max(map(width_of, column)) for column in zip(*[row[:3] for row in rows], strict=True)] if rows else []
    lines = []
    for title, resource, old, new in rows:
        pairs = zip((title, resource), sizes, strict=False)
        cells = "  ".join(cell + " " * (size - width_of(cell)) for cell, size in pairs)
        was = old + " " * (sizes[2] - width_of(old))
        told = paint(new, "dim", color) if old == new else f"{was} -> {paint(new, 'bold', color)}"
        lines.append(f"{indent}{cells}  {told}")
    if change.cost:
        freed = all(amount.startswith("-") for amount in change.cost.values())
        amounts = (f"{name} {amount.lstrip('-') if freed else amount}" for name, amount in change.cost.items())
        over = f" over {plural(change.replicas, 'replica')}" if change.replicas is not None else ""
        text = f"{'frees' if freed else 'costs'} {', '.join(amounts)}{over}"
        lines.append(indent + paint(visible(text), "dim", color))
    return lines


def _amounts(title: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
    """Return a row for each resource, with the title on the first; `none` if there are none."""
    names = list(dict.fromkeys((*before, *after)))
    return [
        (title if not index else "", visible(name), visible(before.get(name, "none")), visible(after.get(name, "none")))
        for index, name in enumerate(names)
    ]
