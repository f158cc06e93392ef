"""Pages of the rules whose checks are outside `validate`: composing and ignore comments."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

# The examples show `sidecarctl add logger` with a sidecar that shares /var/log/app with the app.

declare(
    "placeholder",
    Severity.INFO,
    layer="structure",
    what="A value is a placeholder that another tool substitutes.",
    why="The value is unknown, so it is not validated. One note for each file lists the placeholders.",
    fix="Substitute the placeholders first, and validate the result.",
)
declare(
    "container-conflict",
    Severity.ERROR,
    layer="composing",
    what="The pod already has a container with the name of the sidecar container.",
    why="Container names are unique in a pod. sidecarctl does not change containers that it did not add.",
    fix="Take ownership of the container with `--adopt`, choose another instance name with `--as NAME`, or remove it.",
)
declare(
    "lost-record",
    Severity.ERROR,
    layer="composing",
    what="A container looks like that of a sidecar, but the record does not have it.",
    why="""
        The annotation `sidecarctl.dev/sidecars` lists what sidecarctl added. Tools that drop annotations lose it, and people
        rename containers. `add` would add a second sidecar, and `remove` would leave the container.

        `add --adopt` writes the record again. It records the container, its volumes, the app's mounts of them, and the
        companions that name the instance as their owner, so that `remove` removes all of them.

        In `remove`, it is a warning.
    """,
    fix="Run `sidecarctl add SIDECAR --adopt` with the parameters that it was added with, or restore the annotation.",
)
declare(
    "volume-conflict",
    Severity.ERROR,
    layer="composing",
    what="The pod already has a volume with the name of the sidecar volume but another source.",
    why="Volume names are unique in a pod. A volume with the same source is reused.",
    fix="Choose another instance name with `--as NAME`, or rename the volume.",
)
declare(
    "mount-conflict",
    Severity.ERROR,
    layer="composing",
    what="A directory that a sidecar shares with the app is already a mount that cannot be shared.",
    why="""
        The sidecar mounts the volume of the app if there is one. It cannot do so if the volume is read-only and the
        sidecar writes to it, if the path depends on environment variables of the container, or if two app containers
        mount different volumes there.
    """,
    fix="Use another directory for the sidecar, or share it with one container only: `--container NAME`.",
)
declare(
    "mount-shadows",
    Severity.WARNING,
    layer="composing",
    what="A sidecar volume hides a directory in a volume that the app mounts at a parent path.",
    why="The app writes to the new volume from now on, and the existing files in the directory are no longer visible.",
    fix="Use the mounted directory for the sidecar if the two containers share it.",
)
declare(
    "env-conflict",
    Severity.ERROR,
    layer="composing",
    what="The app sets an environment variable that the sidecar requires to another value.",
    why="With either value, one of the two does not work. A variable with the same value is left unchanged.",
    fix="Remove the variable, or set it to the value that the sidecar requires.",
)

for _word, _article in (("annotation", "an"), ("label", "a")):
    declare(
        f"{_word}-conflict",
        Severity.ERROR,
        layer="composing",
        what=f"The pod has {_article} {_word} that the sidecar sets to another value.",
        why=f"Programs that read the {_word} rely on its value. The same value is left unchanged.",
        fix=f"Remove the {_word}, or set it to the value that the sidecar requires.",
    )

declare(
    "pod-setting-kept",
    Severity.WARNING,
    layer="composing",
    what="A sidecar prefers another value for a pod setting.",
    why="The setting also applies to the app, so the value of the pod is kept. The sidecar may not work as intended.",
    fix="Set the field to the value that the sidecar prefers, if the app supports it.",
)
declare(
    "pod-setting-conflict",
    Severity.ERROR,
    layer="composing",
    what="A sidecar requires another value for a pod setting.",
    why="""
        A sidecar that sends signals to the app requires `shareProcessNamespace: true`. It cannot be added to a pod that
        sets the field to `false` or that uses the process namespace of the node with `hostPID`.
    """,
    fix="Remove the setting, or configure the sidecar to notify the app in another way.",
)
declare(
    "edit-refused",
    Severity.ERROR,
    layer="composing",
    what="The text cannot be edited here without changing another part of the document.",
    why="""
        sidecarctl changes only what it adds. With an anchor, a merge key, or a value of another type in this place, the
        edit would also change other parts of the document.
    """,
    fix="Change the text as the finding says, usually by replacing an alias with its content.",
)
declare(
    "instance-taken-over",
    Severity.WARNING,
    layer="composing",
    what="A composition changes an instance that another composition added.",
    why="If both compositions are in use, each one reverts the changes of the other.",
    fix="Choose another instance name with `as`, or remove the sidecar from one of the compositions.",
)
declare(
    "rule-selects-nothing",
    Severity.WARNING,
    layer="composing",
    what="A rule of a composition selects no workloads.",
    why="Often a name or label is misspelled, and the sidecar is missing from the workload.",
    fix="Correct the selector, or remove the rule.",
)


declare(
    "outdated",
    Severity.ERROR,
    layer="composing",
    what="A workload differs from what the composition renders.",
    why="A KRM function that validates does not change its input. The finding lists what `sidecarctl render` would change.",
    fix="Run the transformer, or `sidecarctl render`, before the validator.",
)


declare(
    "missing-sidecar",
    Severity.ERROR,
    layer="composing",
    what="A workload does not have a sidecar that is requested.",
    why="A rule of the composition or an annotation requests it. `sidecarctl status` reports it in the formats of CI systems.",
    fix="Run `sidecarctl render`.",
)
declare(
    "edited-sidecar",
    Severity.ERROR,
    layer="composing",
    what="A field that a sidecar added was edited.",
    why="Upgrades keep edited fields, so the workload can differ from what the library intends. `sidecarctl status` "
    "reports it in the formats of CI systems.",
    fix="Restore the field, or set its value with a parameter. `sidecarctl render --enforce` overwrites edited fields.",
)
declare(
    "unknown-sidecar-state",
    Severity.WARNING,
    layer="composing",
    what="Whether a sidecar was edited cannot be determined.",
    why="The library does not have the recorded version, or a secret parameter is not recorded. If the record itself cannot "
    "be read, it is an error.",
    fix="Add the library that has the version, or upgrade the sidecar.",
)


declare(
    "unknown-injected-sidecar",
    Severity.ERROR,
    layer="composing",
    what="An annotation requests a sidecar that is in no library.",
    why="The workload would run without the sidecar.",
    fix="Use a name that `sidecarctl list` prints.",
)
declare(
    "invalid-inject-parameter",
    Severity.ERROR,
    layer="composing",
    what="An annotation sets an unknown parameter of a sidecar, or an invalid value.",
    why="The sidecar would run without the setting.",
    fix="Use the parameters and values that `sidecarctl show NAME` prints.",
)
declare(
    "unused-parameter-annotation",
    Severity.WARNING,
    layer="composing",
    what="An annotation sets a parameter of a sidecar that the workload does not request.",
    why="The annotation has no effect.",
    fix="Add the sidecar to the annotation sidecarctl.dev/inject, or remove the parameter annotation.",
)
declare(
    "adopted-differs",
    Severity.INFO,
    layer="composing",
    what="An adopted container differs from what the library renders.",
    why="Upgrades keep the differences, as they keep the edits of a person.",
    fix="Set parameters for the values to keep, and write the library's values with `sidecarctl upgrade --enforce`.",
)
declare(
    "upgrade-conflict",
    Severity.ERROR,
    layer="composing",
    what="A field was edited, and the upgrade changes it too.",
    why="Writing the library's value would undo the work of a person or a bot; keeping the edit would leave out the upgrade.",
    fix="Choose with `--on-conflict keep` or `--on-conflict overwrite`, or set the field to the value that you want.",
)
declare(
    "edit-overwritten",
    Severity.WARNING,
    layer="composing",
    what="An edited field gets the library's value, because the library is enforced.",
    why="With `--enforce`, or `enforce: true` in a composition, the library's value replaces every edit of a sidecar.",
    fix="Set a parameter, or the common parameter `patch`, to keep another value.",
)
declare(
    "companion-left-behind",
    Severity.WARNING,
    layer="composing",
    what="A companion of a removed sidecar is in no input file.",
    why="The object stays in the file that has it, and in the cluster.",
    fix="Remove the sidecar again with that file in the input, or delete the object by hand.",
)
declare(
    "unlisted-companion",
    Severity.WARNING,
    layer="composing",
    what="The owner annotation of an object names a sidecar whose record does not list the object.",
    why="Only what the record lists is removed with a sidecar. The object is a copy, or was annotated by hand.",
    fix="Delete the object by hand, or its owner annotation if it belongs to something else.",
)
declare(
    "recorded-container-missing",
    Severity.WARNING,
    layer="composing",
    what="A container that got variables or mounts of a sidecar is gone.",
    why="If a person renamed it, it keeps them, and the record does not list them under its new name.",
    fix="Restore the name of the container, or remove them from it.",
)
declare(
    "newer-than-library",
    Severity.WARNING,
    layer="composing",
    what="The recorded version of a sidecar is newer than the library's.",
    why="An older library would downgrade the sidecar.",
    fix="Update the library, or name the version: `sidecarctl upgrade <sidecar>@<version>`.",
)
declare(
    "sidecar-not-in-library",
    Severity.WARNING,
    layer="composing",
    what="No library has the sidecar of a recorded instance, so it is not upgraded.",
    why="The instance was added from another library.",
    fix="Name that library with `--library`.",
)


declare(
    "unused-ignore",
    Severity.WARNING,
    layer="advice",
    what="An ignore comment or annotation hides no finding.",
    why="An unused ignore would silently hide the next finding of its rule. Only rules that run are considered.",
    fix="Remove the rule name from the ignore, or remove the ignore.",
)
declare(
    "unknown-rule",
    Severity.ERROR,
    layer="advice",
    what="An ignore comment or annotation names an unknown rule.",
    why="An ignore with a misspelled rule name hides nothing.",
    fix="Use a rule name that `sidecarctl rules` prints.",
)
declare(
    "broken-proxy-chain",
    Severity.ERROR,
    layer="composing",
    what="Sidecars in front of the app would not form a chain from the client to the app.",
    why="""
        Two sidecars that forward to the same port work side by side: clients of one bypass the other, for example its login.
        A sidecar that forwards to a port on which nothing listens answers with an error.

        Without the parameter `upstreamPort`, sidecarctl arranges the chain: TLS first, then the login, then other proxies,
        then the app. When a sidecar is removed, the one in front of it forwards to the next.
    """,
    fix="Omit `upstreamPort`, or set it to the port of the next sidecar.",
)
declare(
    "secret-not-recorded",
    Severity.ERROR,
    layer="composing",
    what="A sidecar was given a secret parameter, which is needed again to change the sidecar.",
    why="""
        The record has the names of secret parameters (`writeOnly`) that a sidecar was given, but not their values. Without
        them, the sidecar cannot be rendered. A run that would change it ends with this error. If nothing was to change, the sidecar
        stays as it is, and the severity is info.
    """,
    fix="Give the parameters again with `--values`. To go without one, use `--unset`.",
)
declare(
    "retarget-skipped",
    Severity.WARNING,
    layer="composing",
    what="A port in an object around the pod stays as it is, although it does not fit the sidecars.",
    why="""
        With `--retarget`, sidecarctl changes ports of Services, NetworkPolicies, and PodMonitors that bypass a sidecar in
        front of the app. It leaves a port that a person changed since, an object that also selects workloads without the
        sidecar, a value that an anchor shares, and an object that is in no input file.
    """,
    fix="Set the port by hand, or name the file that has the object.",
)
