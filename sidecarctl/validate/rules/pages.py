"""The pages of what putting sidecars into a workload, or taking them out, may find; the rooms that do it look after them."""

from __future__ import annotations

from sidecarctl.findings import Severity
from sidecarctl.validate.registry import declare

# Examples are of `sidecarctl add logger` with a sidecar that shares /var/log/app with the app.


declare(
    "container-conflict",
    Severity.ERROR,
    layer="composing",
    what="The pod has a container of the name that a sidecar wants.",
    why="Names of containers are unique in a pod. What sidecarctl did not add it does not touch.",
    fix="Give the sidecar another instance name with `--as NAME`, or remove the container.",
)
declare(
    "volume-conflict",
    Severity.ERROR,
    layer="composing",
    what="The pod has a volume of the name that a sidecar wants, with another source.",
    why="Names of volumes are unique in a pod. One with the same source is used as it is.",
    fix="Give the sidecar another instance name with `--as NAME`, or rename the volume.",
)
declare(
    "mount-conflict",
    Severity.ERROR,
    layer="composing",
    what="What the app mounts where a sidecar wants to share files can't be shared.",
    why="""
        The sidecar mounts the app's own volume where there is one. It can't where the volume is read-only and the
        sidecar writes, where its path depends on the container's variables, or where two containers of the app have
        different volumes there.
    """,
    fix="Let the sidecar use another directory, or share with one container only: `--container NAME`.",
)
declare(
    "mount-shadows",
    Severity.WARNING,
    layer="composing",
    what="A sidecar's volume hides a directory of a volume that the app mounts further up.",
    why="What the app writes there goes to the new volume from now on, and what was there is not seen any more.",
    fix="Let the sidecar use the directory that is mounted, if they are meant to share it.",
)
declare(
    "env-conflict",
    Severity.ERROR,
    layer="composing",
    what="The app sets a variable that a sidecar needs to another value.",
    why="One of the two would not do what it is meant to. A variable with the same value stays the app's.",
    fix="Remove the variable, or give it the value that the sidecar needs.",
)

for _word, _key in (("annotation", "prometheus.io/port"), ("label", "logs")):
    declare(
        f"{_word}-conflict",
        Severity.ERROR,
        layer="composing",
        what=f"The pod has the {_word} that a sidecar sets, with another value.",
        why=f"Who reads the {_word} would be told something else. One with the same value stays the app's.",
        fix=f"Remove the {_word}, or give it the value that the sidecar needs.",
    )

declare(
    "pod-setting-kept",
    Severity.WARNING,
    layer="composing",
    what="A sidecar wants a setting of the pod that the pod has otherwise.",
    why="The pod's own setting stays: it is for the app too. The sidecar may lack what it asked for.",
    fix="Set it to what the sidecar wants, if that suits the app.",
)
declare(
    "pod-setting-conflict",
    Severity.ERROR,
    layer="composing",
    what="A sidecar can't do without a setting of the pod that the pod has otherwise.",
    why="""
        A sidecar that signals the app has to see its processes, and no others: `shareProcessNamespace: true`. A pod that
        says `false`, or that sees the processes of its node by `hostPID`, says so for a reason.
    """,
    fix="Leave the setting out, or let the sidecar notify the app in another way.",
)
declare(
    "edit-refused",
    Severity.ERROR,
    layer="composing",
    what="The text can't be edited in this place without changing something else.",
    why="""
        Nothing but what is added may change. Where an anchor, a merge key or a value of another type is in the way,
        the edit would change what other parts of the document say.
    """,
    fix="Put the place right as the finding says; usually by writing out what an alias brings.",
)
declare(
    "unreadable-record",
    Severity.ERROR,
    layer="composing",
    what="The record of what sidecarctl added can't be read.",
    why="""
        The annotation sidecarctl.dev/sidecars says what was added. Without it nothing can be removed or brought up to
        date, and adding again would make everything double.
    """,
    fix="Restore the annotation, or remove it together with all that sidecarctl added.",
)
declare(
    "instance-taken-over",
    Severity.WARNING,
    layer="composing",
    what="A composition takes over a sidecar that another composition added.",
    why="If both are in use each will change what the other one did, for ever.",
    fix="Let one of them name its instance otherwise with `as`, or remove the wish from one of them.",
)
declare(
    "rule-selects-nothing",
    Severity.WARNING,
    layer="composing",
    what="A rule of a composition selects no workload.",
    why="A misspelt name or label is silent otherwise: the sidecar is simply not there.",
    fix="Correct what it selects by, or remove the rule.",
)


declare(
    "outdated",
    Severity.ERROR,
    layer="composing",
    what="A workload is not what the composition makes of it.",
    why="As a validator sidecarctl changes nothing: it says what `sidecarctl render` would change.",
    fix="Run the transformer, or `sidecarctl render`, before the check.",
)


declare(
    "unknown-injected-sidecar",
    Severity.ERROR,
    layer="composing",
    what="A workload asks by annotation for a sidecar that no library has.",
    why="It would run without it.",
    fix="Use a name that `sidecarctl list` shows.",
)
declare(
    "invalid-inject-parameter",
    Severity.ERROR,
    layer="composing",
    what="A workload gives a parameter by annotation that its sidecar does not take, or not with that value.",
    why="The sidecar would not do what the annotation says.",
    fix="`sidecarctl show NAME` lists the parameters and their values.",
)
declare(
    "unused-parameter-annotation",
    Severity.WARNING,
    layer="composing",
    what="An annotation gives a parameter of a sidecar that nothing asks for.",
    why="It does nothing, and whoever wrote it believes otherwise.",
    fix="Add the sidecar to the annotation sidecarctl.dev/inject, or remove this one.",
)
declare(
    "adopted-differs",
    Severity.INFO,
    layer="composing",
    what="An adopted container is not what the library would write.",
    why="It stays as it is. The next `add` without `--adopt`, or `render`, writes what the library has.",
    fix="Give parameters that keep what matters, field by field, before the next upgrade.",
)


declare(
    "unused-ignore",
    Severity.WARNING,
    layer="advice",
    what="An ignore hides nothing.",
    why="An ignore that has outlived its finding would silently hide the next one. It counts only for rules that ran.",
    fix="Delete the rule's name from the ignore, or the whole ignore.",
)
declare(
    "unknown-rule",
    Severity.ERROR,
    layer="advice",
    what="An ignore names a rule that does not exist.",
    why="A misspelt name hides nothing, and whoever wrote it believes otherwise.",
    fix="Use a name that `sidecarctl rules` lists.",
)


declare(
    "template-failure",
    Severity.ERROR,
    layer="library",
    what="A template fails, or renders no fragment, wherever it is tried.",
    why="Nobody can use the sidecar.",
    fix="Put right what the finding says; it names the template's line.",
)
declare(
    "unpinned-image",
    Severity.ERROR,
    layer="library",
    what="A sidecar's image is not pinned to an exact version.",
    why="Tomorrow the same manifest runs something else.",
    fix="Write the whole version (:1.4.2), or a digest (@sha256:…).",
)
declare(
    "missing-resources",
    Severity.ERROR,
    layer="library",
    what="A sidecar's container has no requests or no limits.",
    why="""
        A sidecar runs in many pods: what it takes must be known and bounded. Without a memory limit, which is the
        error, it can take all memory of the node; requests are a warning, a cpu limit is only mentioned.
    """,
    fix="Set requests and limits; a user can change them with `--set resources.…`.",
)
declare(
    "undefined-volume",
    Severity.ERROR,
    layer="library",
    what="A sidecar mounts a volume that nobody defines, or defines one that nobody mounts.",
    why="The pod would be refused; a volume too many, which is a warning, is only in the way.",
    fix="Add it to the fragment's volumes, or mount it.",
)
declare(
    "unbounded-volume",
    Severity.WARNING,
    layer="library",
    what="A sidecar's emptyDir has no sizeLimit.",
    why="It can fill the disk of the node, and all its pods suffer.",
    fix="Set sizeLimit.",
)
declare(
    "pod-security-claim",
    Severity.ERROR,
    layer="library",
    what="A sidecar does not pass the Pod Security level that it says it passes.",
    why="""
        Who relies on it gets pods that are turned away. Without a claim the level is restricted.

        A claim of a lower level than it needs is only mentioned.
    """,
    fix="Put the containers right, or say so in spec.podSecurity with level and reason.",
)
declare(
    "probed-admin-port",
    Severity.ERROR,
    layer="library",
    what="A probe leads to a port which the sidecar says listens on localhost only.",
    why="The kubelet asks from outside the pod, so the probe always fails.",
    fix="Probe a port that listens on all addresses.",
)
declare(
    "undeclared-parameter",
    Severity.ERROR,
    layer="library",
    what="A template uses a parameter that sidecar.yaml does not declare.",
    why="Nobody can set it, and Jinja stops where it is used.",
    fix="Declare it in spec.parameters, or correct its name.",
)
declare(
    "unused-parameter",
    Severity.WARNING,
    layer="library",
    what="No template uses a parameter.",
    why="Who sets it thinks that it does something.",
    fix="Use it, or delete it.",
)
declare(
    "missing-description",
    Severity.WARNING,
    layer="library",
    what="A sidecar or one of its parameters has no description.",
    why="`sidecarctl show`, completion and error messages have nothing to say of it.",
    fix="Add a description.",
)
declare(
    "missing-tests",
    Severity.WARNING,
    layer="library",
    what="A sidecar has no case.",
    why="Nobody notices when its template renders something else.",
    fix="Create tests/<case>/input.yaml and parameters.yaml, then run `sidecarctl test --update`.",
)
