"""Keeps secrets out of the status of an instance. One of its versions, the recorded or the newest one, says what is secret."""

from __future__ import annotations

from collections.abc import Iterable

from sidecarctl.catalog.parameter_values import has_secrets
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.inject.field_changes import hide_values
from sidecarctl.kube.secret_values import MASK
from sidecarctl.record.annotation import Instance
from sidecarctl.results import FieldChange


def may_write_secrets(instance: Instance, versions: Iterable[Sidecar]) -> bool:
    """Return True if one of the versions can write a secret, so that fields are shown without their values."""
    from sidecarctl.catalog import secret_fields

    return any(secret_fields.may_write_secrets(each, instance.parameters) for each in versions)


def recorded_secrets(instance: Instance, versions: Iterable[Sidecar]) -> frozenset[str]:
    """Return the texts of recorded parameters that another version makes secret."""
    found = frozenset[str]()
    for each in versions:
        if has_secrets(each.parameters):
            from sidecarctl.catalog.renamed_parameters import carry_over
            from sidecarctl.catalog.secret_parameters import secret_texts

            found |= secret_texts(carry_over(instance.parameters, each.renamed_parameters), each.parameters)
    return found


def hide_edits(
    edits: tuple[FieldChange, ...], instance: Instance, versions: Iterable[Sidecar], notes: list[str]
) -> tuple[FieldChange, ...]:
    """Return edits without their values, with a note, if one of the versions can write a secret."""
    from sidecarctl.catalog.secret_fields import has_placeholder

    if any(has_secrets(each.parameters) for each in versions):
        notes.append("secret parameters are not recorded: fields that depend on them may be reported as edited")
    elif any(has_placeholder(each, instance.parameters) for each in versions):
        notes.append(f"values are hidden: {MASK} takes the place of a secret")
    else:
        return edits
    return tuple(hide_values(edits))


def mask(text: str, secrets: frozenset[str]) -> str:
    """Return a text without the texts of secrets."""
    if not secrets:
        return text
    from sidecarctl.catalog import masking

    return masking.mask(text, secrets)
