"""Find what a label selector selects without comparing each object with each selector."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from sidecarctl.kube.workload import as_list, as_mapping

T = TypeVar("T")
_Group = tuple[str, dict[str, str], list[int]]


class LabelSelector:
    """A label selector: matchLabels and matchExpressions. An empty one matches everything; malformed parts are ignored."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self.labels = as_mapping(value.get("matchLabels"))
        self.expressions = tuple(
            (
                one["key"],
                str(one.get("operator")),
                {each for each in as_list(one.get("values")) if isinstance(each, str)},
            )
            for one in as_list(value.get("matchExpressions"))
            if isinstance(one, dict) and isinstance(one.get("key"), str)
        )

    def matches(self, labels: Mapping[str, Any]) -> bool:
        """Return True if the labels match."""
        if any(labels.get(key) != value for key, value in self.labels.items()):
            return False
        for key, operator, values in self.expressions:
            among = key in labels and labels[key] in values
            met = {"In": among, "NotIn": not among, "Exists": key in labels, "DoesNotExist": key not in labels}
            if not met.get(operator, True):
                return False
        return True

    def required(self) -> Iterator[list[tuple[str, Any]]]:
        """Yield sets of labels. Whatever matches has one of each set."""
        yield from ([label] for label in self.labels.items())
        yield from (
            [(key, value) for value in values] for key, operator, values in self.expressions if operator == "In"
        )

    def named_keys(self) -> Iterator[str]:
        """Yield the keys of the labels that decide whether the selector matches."""
        yield from self.labels
        yield from (key for key, _, _ in self.expressions)


class LabelIndex(Generic[T]):
    """The items of a run, such as pods or Services, by namespace and labels.

    Items whose labels are equal, as far as the selectors name them, are compared once. Equal selectors share a result.

    items      each item with its namespace and its labels
    selectors  all selectors of the run
    """

    def __init__(
        self, items: Iterable[tuple[T, str, Mapping[str, Any]]], selectors: Iterable[Mapping[str, Any]]
    ) -> None:
        keys = {key for selector in selectors for key in LabelSelector(selector).named_keys()}
        groups: dict[tuple[str, frozenset[tuple[str, str]]], list[int]] = {}
        self._items: list[T] = []
        for number, (item, namespace, labels) in enumerate(items):
            self._items.append(item)
            named = frozenset((key, labels[key]) for key in keys & labels.keys() if isinstance(labels[key], str))
            groups.setdefault((namespace, named), []).append(number)
        self._groups: list[_Group] = [(where, dict(named), numbers) for (where, named), numbers in groups.items()]
        self._by_label: dict[tuple[str, str], list[_Group]] = {}
        for group in self._groups:
            for label in group[1].items():
                self._by_label.setdefault(label, []).append(group)
        self._found: dict[tuple[frozenset[str] | None, str], tuple[T, ...]] = {}

    def find(self, selector: Mapping[str, Any], namespaces: frozenset[str] | None) -> tuple[T, ...]:
        """Return the items that a selector matches in some namespaces, None for all, in their order.

        The result for an equal selector is the same tuple.
        """
        key = (namespaces, json.dumps(selector, default=str))
        if key not in self._found:
            compiled = LabelSelector(selector)
            numbers = [
                number
                for namespace, labels, members in self._candidates(compiled)
                if (namespaces is None or namespace in namespaces) and compiled.matches(labels)
                for number in members
            ]
            self._found[key] = tuple(self._items[number] for number in sorted(numbers))
        return self._found[key]

    def _candidates(self, selector: LabelSelector) -> Iterable[_Group]:
        """Return the groups that have the rarest label that a selector requires, all if it requires none."""
        lists = [
            [self._by_label.get(label, []) for label in labels if isinstance(label[1], str)]
            for labels in selector.required()
        ]
        rarest = min(lists, key=lambda each: sum(map(len, each)), default=[self._groups])
        return (group for groups in rarest for group in groups)
