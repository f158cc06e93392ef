"""Find the ports that an earlier run changed again: under their key, in a place that moved, or in an object that was renamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

from sidecarctl.inject.retarget_entries import NO_NAMESPACE, Port, RetargetedPod, split_key
from sidecarctl.inject.retarget_ports import SelectedPods
from sidecarctl.lazy_dataclass import dataclass, field
from sidecarctl.validate.surroundings import Reference

# A pod, and the key of an entry of its record.
Match = tuple[RetargetedPod, str]
_Object = tuple[str, str, str]
_ANY = "*"  # for a namespace
_Place = tuple[str, str, "int | str | None"]
# A pod, and its entries that have no reference with the written port, with the references of each one's key.
_Lost = tuple[RetargetedPod, dict[str, list[int]]]


@dataclass
class Matches:
    """Which reference each entry of a record belongs to.

    by_reference  the entries of each reference, by its number, that has the port which was written
    changed       the same for references that a person changed: they have the key, but another port
    absent        entries whose reference is not in the run
    obsolete      entries whose object selects other pods now, which remember its port
    """

    by_reference: dict[int, list[Match]] = field(default_factory=dict)
    changed: dict[int, list[Match]] = field(default_factory=dict)
    absent: list[Match] = field(default_factory=list)
    obsolete: list[Match] = field(default_factory=list)


def match_entries(pods: Sequence[RetargetedPod], references: Sequence[Reference], selected: SelectedPods) -> Matches:
    """Match the entries of records with the references of a run.

    An object that selects the pod comes first: under the name of the entry, then under another one. An object of that name
    that does not select it is the last choice, if no other pod has an entry for it: its selector may have changed.
    """
    found = Matches()
    by_object: dict[_Object, list[int]] = {}
    for number, reference in enumerate(references):
        one = reference.object
        by_object.setdefault((one.kind, one.namespace, one.name), []).append(number)
        by_object.setdefault((one.kind, _ANY, one.name), []).append(number)
    lost: dict[int, _Lost] = {}
    for pod in pods:
        selects = partial(selected.selects, pod=pod)
        rest = _match_objects(pod, pod.known, references, by_object, selects, found)
        if rest:
            lost[id(pod)] = pod, rest
    _match_renamed(lost, references, selected.find, found)
    taken = frozenset(found.by_reference)
    for pod, rest in lost.values():
        unknown = [key for key, places in rest.items() if not places]
        named = Matches()
        by_name = _match_objects(pod, unknown, references, by_object, lambda _: True, named)
        for number, matched in named.by_reference.items():
            if number in taken:
                found.obsolete += matched
            else:
                found.by_reference.setdefault(number, []).extend(matched)
        for key, places in ({key: rest[key] for key in rest if rest[key]} | by_name).items():
            for number in places:
                found.changed.setdefault(number, []).append((pod, key))
            if not places:
                found.absent.append((pod, key))
    return found


def _match_objects(
    pod: RetargetedPod,
    known: Iterable[str],
    references: Sequence[Reference],
    by_object: Mapping[_Object, Sequence[int]],
    fits: Callable[[Reference], bool],
    found: Matches,
) -> dict[str, list[int]]:
    """Match entries of a pod with the objects that they name and that fit.

    Return the other entries, with the references of each one's key.
    """
    rest: dict[str, list[int]] = {}
    for (kind, name), keys in _group(known).items():
        left: dict[str, list[int]] = {key: [] for key in keys}
        matched = set[str]()
        fitting = (each for each in _find_object(pod, kind, name, by_object) if fits(references[each]))
        # Several objects can have one name, as in two environments.
        for _, group in groupby(fitting, key=lambda each: id(references[each].object)):
            numbers = list(group)
            by_key: dict[str, list[int]] = {}
            for number in numbers:
                by_key.setdefault(f"{kind}/{name}/{references[number].key}", []).append(number)
            for written, entries in _group_by_port(pod, keys).items():
                ports = [number for number in numbers if references[number].value == written]
                for key, number in _pair(pod, entries, ports, by_key):
                    found.by_reference.setdefault(number, []).append((pod, key))
                    matched.add(key)
            for key in by_key.keys() & left.keys():
                left[key] += by_key[key]
        rest.update((key, places) for key, places in left.items() if key not in matched)
    return rest


def _find_object(pod: RetargetedPod, kind: str, name: str, by_object: Mapping[_Object, Sequence[int]]) -> Sequence[int]:
    """Return the references of the object that an entry names: in the namespace of the pod unless it names another one.

    Earlier records have no namespace for a PodMonitor in another one.
    """
    namespace, _, own_name = name.rpartition("/")
    if namespace:
        return by_object.get((kind, "" if namespace == NO_NAMESPACE else namespace, own_name), ())
    found = by_object.get((kind, pod.view.object.namespace, name), ())
    return found or (by_object.get((kind, _ANY, name), ()) if kind == "PodMonitor" else ())


def _pair(
    pod: RetargetedPod, entries: Sequence[str], ports: Sequence[int], by_key: Mapping[str, Sequence[int]]
) -> Iterator[tuple[str, int]]:
    """Yield entries and references of one object and port.

    Rules of a NetworkPolicy and endpoints of a PodMonitor have numbers, which change when a person adds one. If there are as
    many references as entries, they are in the same order; else those with the same key belong together, and of the others any
    two are alike if they had the same port.
    """
    numbered = split_key(entries[0])[0] != "Service"
    if numbered and len(entries) == len(ports) and all(len(each) == 1 for each in by_key.values()):
        yield from zip(entries, ports)
        return
    left = dict.fromkeys(ports)
    others = []
    for key in entries:
        exact = [number for number in by_key.get(key, ()) if number in left]
        yield from ((key, number) for number in exact)
        others += [] if exact else [key]
        for number in exact:
            del left[number]
    if len({pod.known[key][0] for key in others}) == 1:
        yield from zip(others, left)


def _group(keys: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for key in keys:
        kind, name, _ = split_key(key)
        found.setdefault((kind, name), []).append(key)
    return found


def _group_by_port(pod: RetargetedPod, keys: Sequence[str]) -> dict[Port, list[str]]:
    """Return the keys by the port that was written, in the order of the references."""
    found: dict[Port, list[str]] = {}
    for key in sorted(keys, key=_rank):
        found.setdefault(pod.known[key][1], []).append(key)
    return found


def _rank(key: str) -> list[int]:
    """Return the numbers of a rule and its entry; keys of Services keep their order."""
    kind, _, port = split_key(key)
    steps = port.split("/")
    return [int(step) for step in steps] if kind != "Service" and all(map(_is_index, steps)) else []


def _is_index(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def _match_renamed(
    lost: Mapping[int, _Lost],
    references: Sequence[Reference],
    select: Callable[[Reference], Sequence[RetargetedPod]],
    found: Matches,
) -> None:
    """Match entries with objects of another name, as kustomize gives them one: by kind, place, and written port.

    There must be one such entry, and one such reference that selects the pod.
    """
    wanted = {number: _index_lost(*each) for number, each in lost.items()}
    places = {place for each in wanted.values() for place in each}
    claims: dict[tuple[int, str], list[int]] = {}
    for number, reference in enumerate(references if places else ()):
        place = reference.object.kind, reference.key, reference.value
        if place not in places:
            continue
        matched = {id(pod) for pod, _ in found.by_reference.get(number, ())}
        for pod in select(reference):
            key = wanted.get(id(pod), {}).get(place)
            if key and id(pod) not in matched:
                claims.setdefault((id(pod), key), []).append(number)
    for (pod_id, key), numbers in claims.items():
        if len(numbers) == 1:
            pod, rest = lost[pod_id]
            del rest[key]
            found.by_reference.setdefault(numbers[0], []).append((pod, key))


def _index_lost(pod: RetargetedPod, rest: Mapping[str, Sequence[int]]) -> dict[_Place, str]:
    """Return the entries whose key no object has, by kind, place, and written port; those that share these are left out."""
    found: dict[_Place, list[str]] = {}
    for key, numbers in rest.items():
        if not numbers:
            kind, _, port = split_key(key)
            found.setdefault((kind, port, pod.known[key][1]), []).append(key)
    return {place: keys[0] for place, keys in found.items() if len(keys) == 1}
