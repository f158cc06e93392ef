"""What the API server refuses in labels, annotations' keys and label selectors, wherever they stand."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, quote
from sidecarctl.kube import names
from sidecarctl.kube.workload import as_mapping
from sidecarctl.validate.parts import listed
from sidecarctl.validate.registry import Problems, problem


def label_faults(labels: object, where: PathTuple) -> Problems:
    """Yield bad keys and values of a mapping of labels; as the server's ValidateLabels."""
    for key, value in as_mapping(labels).items():
        if isinstance(key, str) and (fault := names.qualified_name(key)):
            yield problem((*where, key), f"{quote(key)} is no key of a label: it {fault}", on_key=True)
        if isinstance(value, str) and (fault := names.label_value(value)):
            yield problem((*where, key), f"{quote(value)} is no value of a label: it {fault}")


def selector_faults(selector: object, where: PathTuple) -> Problems:
    """Yield what is wrong in a label selector; as the server's ValidateLabelSelector. Operators are the schema's."""
    data = as_mapping(selector)
    yield from label_faults(data.get("matchLabels"), (*where, "matchLabels"))
    for index, one in listed(data, "matchExpressions"):
        at = (*where, "matchExpressions", index)
        key, operator, values = one.get("key"), one.get("operator"), one.get("values")
        if isinstance(key, str) and (fault := names.qualified_name(key)):
            yield problem((*at, "key"), f"{quote(key)} is no key of a label: it {fault}")
        if operator in ("In", "NotIn") and values in (None, []):
            yield problem((*at, "values"), f"{operator} needs values")
        elif operator in ("Exists", "DoesNotExist") and values:
            yield problem((*at, "values"), f"{operator} takes no values")
        for number, value in enumerate(values if isinstance(values, list) else ()):
            if isinstance(value, str) and (fault := names.label_value(value)):
                yield problem((*at, "values", number), f"{quote(value)} is no value of a label: it {fault}")
