"""The pages of the structural layer; `validate.structure` looks after its rules."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

declare(
    "yaml-syntax",
    Severity.ERROR,
    what="A document can't be read as YAML, or not as Kubernetes reads it.",
    why="""
        Nothing else in the document can be checked, and no cluster takes it.

        Kubernetes reads YAML 1.1, cuts a stream at lines that begin with `---` before it parses, and refuses a key that
        stands twice in one mapping. The other documents of the file are checked all the same.
    """,
    fix="Put right what the finding says; what stands before its place may be the cause.",
)
declare(
    "unknown-field",
    Severity.ERROR,
    what="A field does not exist in the target version of Kubernetes.",
    why="""
        The API server drops what it does not know, so that the manifest does not do what it says; with strict
        validation, kubectl's default, it refuses the object.

        Fields that came later, or have gone, are named with their version. `--validate warn` makes it a warning,
        `--validate ignore` says nothing of it.
    """,
    fix="Correct the name or its indentation, or target the version that has the field.",
)
declare(
    "wrong-type",
    Severity.ERROR,
    what="A value has another type than its field.",
    why="""
        The API server can't read the object and refuses it.

        The classic case is the value of a variable: 8080, true and 1.5 are no strings unless they stand in quotes.
        Scalars are read as the API server reads them: yes and on are booleans, 0644 is 420.
    """,
    fix="Write the value as its type: text in quotes, numbers and booleans without, lists with a dash before each item.",
)
declare(
    "missing-required",
    Severity.ERROR,
    what="A field that must be there is missing or empty.",
    why="""
        The API server refuses the object. Fields that it fills in itself, though the schema requires them, are a
        warning.
    """,
    fix="Add the field.",
)
declare(
    "invalid-enum",
    Severity.ERROR,
    what="A field that takes one of a few words has another one.",
    why="The API server refuses the object. Letters count: always is not Always.",
    fix="Use one of the words that the finding lists.",
)
declare(
    "invalid-quantity",
    Severity.ERROR,
    what="An amount is no quantity.",
    why="""
        The API server refuses the object. A quantity is a number with a unit or none: m for thousandths, k, M, G for
        powers of 1000, Ki, Mi, Gi for powers of 1024; not MB, and no blank before the unit.
    """,
    fix="Use a number with one of the units m, k, M, G, T, Ki, Mi, Gi, Ti.",
)
declare(
    "removed-api",
    Severity.ERROR,
    what="The apiVersion was removed before the target version of Kubernetes.",
    why="The API server no longer serves it and refuses the object.",
    fix="Use the successor, and look whether its fields are the same.",
)
declare(
    "deprecated-api",
    Severity.WARNING,
    what="The apiVersion is deprecated in the target version of Kubernetes.",
    why="It still works; a later version will refuse it.",
    fix="Use the successor where there is one.",
)
declare(
    "unknown-kind",
    Severity.ERROR,
    what="The kind is none of Kubernetes' own in the target version.",
    why="""
        A kind that does not exist under the apiVersion of a built-in group is misspelt, or came later: the API server
        refuses it.

        A kind of another group is a custom one; that is only mentioned, as its fields can't be checked. Of custom
        kinds known to hold pods the pod template is checked all the same.
    """,
    fix="Correct apiVersion and kind.",
)
