"""Pages of the structure rules, which `validate.schema` implements."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

declare(
    "yaml-syntax",
    Severity.ERROR,
    what="Invalid YAML, or YAML that Kubernetes reads differently.",
    why="""
        The API server rejects the document, and nothing else in it can be checked.

        The other documents of the file are checked. Kubernetes reads YAML 1.1, splits a stream at lines that
        start with `---` before parsing, and rejects duplicate keys.
    """,
    fix="Fix the reported place. The cause can be earlier in the file.",
)
declare(
    "unknown-field",
    Severity.ERROR,
    what="Unknown field in the target Kubernetes version.",
    why="""
        The API server drops unknown fields, so the manifest does not do what it says. With strict validation,
        kubectl's default, the API server rejects the object.

        For a field that was added or removed in another version, the message names that version. `--validate
        warn` makes this a warning, `--validate ignore` turns it off.
    """,
    fix="Correct the name or the indentation, or target a version that has the field.",
)
declare(
    "wrong-type",
    Severity.ERROR,
    what="A value has the wrong type for its field.",
    why="""
        The API server can't read the object and rejects it.

        A common case is the value of an environment variable: 8080, true, and 1.5 are only strings in quotes.
        Scalars are read as the API server reads them: yes and on are booleans, and 0644 is 420.
    """,
    fix="Put strings in quotes, leave numbers and booleans unquoted, and start each list item with a hyphen.",
)
declare(
    "missing-required",
    Severity.ERROR,
    what="A required field is missing or empty.",
    why="""
        The API server rejects the object. Fields that the schema requires but the API server fills in are only
        a warning.
    """,
    fix="Add the field.",
)
declare(
    "invalid-enum",
    Severity.ERROR,
    what="Unsupported value for an enum field.",
    why="The API server rejects the object. Values are case-sensitive: use Always, not always.",
    fix="Use one of the listed values.",
)
declare(
    "invalid-quantity",
    Severity.ERROR,
    what="Invalid resource quantity.",
    why="""
        The API server rejects the object. A quantity is a number with an optional unit: m for thousandths, k,
        M, and G for powers of 1000, or Ki, Mi, and Gi for powers of 1024. MB is not a unit, and a space before
        the unit is not allowed.
    """,
    fix="Use a number with one of the units m, k, M, G, T, Ki, Mi, Gi, Ti.",
)
declare(
    "removed-api",
    Severity.ERROR,
    what="The target Kubernetes version no longer serves the apiVersion.",
    why="A Kubernetes version before the target removed the apiVersion, so the API server rejects the object.",
    fix="Use the replacement, and check that its fields are the same.",
)
declare(
    "disabled-api",
    Severity.ERROR,
    what="The API server does not serve the apiVersion by default.",
    why="""
        The API server of the target version has the apiVersion, but rejects the object unless its administrator
        enables the version. Alpha versions are off by default, and so are beta versions since Kubernetes 1.24.
    """,
    fix="Use a stable apiVersion. If your cluster serves this one, turn the rule off in a composition.",
)
declare(
    "deprecated-api",
    Severity.WARNING,
    what="The apiVersion is deprecated in the target Kubernetes version.",
    why="It still works, but a later Kubernetes version removes it.",
    fix="Use the replacement, if there is one.",
)
declare(
    "unknown-kind",
    Severity.ERROR,
    what="Unknown kind in the target Kubernetes version.",
    why="""
        If the API group is a built-in group, the kind is misspelled or newer than the target version, and the
        API server rejects it. If the group is not built in, the kind is a custom resource. This is only
        reported as info, because the fields can't be checked. Pod templates of known custom resources are still
        checked.
    """,
    fix="Correct apiVersion and kind.",
)
