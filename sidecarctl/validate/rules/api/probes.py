"""Rules about probes and lifecycle hooks: handlers, ports, headers, and timing."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.validate.custom_templates import sets_probe_ports
from sidecarctl.validate.fields import Sources, has_unknown_keys, listed, present_keys
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.containers import LARGEST_PORT
from sidecarctl.validate.views import ContainerView, Data, PodView

# Other rules report probes and hooks on init and ephemeral containers.
_ROLES = ("app", "classic", "sidecar")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_PROBE_FIELDS = frozenset((*_PROBE_HANDLERS, *_NUMBERS, "terminationGracePeriodSeconds"))
_DEFAULT_GRACE = 30


@rule(
    "invalid-probe-handler",
    Severity.ERROR,
    needs=_PROBES,
    scope="container",
    roles=_ROLES,
    fix="Set exactly one of exec, httpGet, tcpSocket, and grpc.",
)
def invalid_probe_handler(container: ContainerView, ctx: Context) -> Problems:
    """A probe has no handler, or more than one.

    The API server requires exactly one of exec, httpGet, tcpSocket, and grpc.
    """
    for probe, where in _probes(container):
        if sets_probe_ports(container.pod) and not present_keys(probe, _PROBE_HANDLERS):
            continue
        yield from _check_handler(probe, where, _PROBE_HANDLERS, _PROBE_FIELDS)


@rule(
    "invalid-hook-handler",
    Severity.ERROR,
    needs=("lifecycle",),
    scope="container",
    roles=_ROLES,
    fix="Set exactly one of exec, httpGet, and, since Kubernetes 1.30, sleep.",
)
def invalid_hook_handler(container: ContainerView, ctx: Context) -> Problems:
    """A lifecycle hook has no handler, or more than one.

    The API server requires exactly one of exec, httpGet, sleep, and tcpSocket. The kubelet ignores tcpSocket.
    """
    for hook, where in _hooks(container):
        yield from _check_handler(hook, where, _HOOK_HANDLERS, frozenset(_HOOK_HANDLERS))


def _check_handler(holder: Data, where: PathTuple, kinds: tuple[str, ...], known: frozenset[str]) -> Problems:
    found = present_keys(holder, kinds)
    for late in found[1:]:
        yield problem((*where, late), f"multiple handlers: {found[0]} and {late}", on_key=True)
    if not found and not has_unknown_keys(holder, known):
        yield problem(where, f"no handler, expected one of {', '.join(kinds)}")


@rule(
    "missing-handler-command",
    Severity.ERROR,
    needs=(*_PROBES, "lifecycle"),
    scope="container",
    roles=_ROLES,
    fix="Write the command as a list of arguments, or as `[sh, -c, <script>]`.",
)
def missing_handler_command(container: ContainerView, ctx: Context) -> Problems:
    """An exec handler of a probe or hook has no command.

    The API server rejects the pod.
    """
    for holder, where in _handlers(container):
        run = holder.get("exec")
        if isinstance(run, dict) and not run.get("command") and not has_unknown_keys(run, frozenset(("command",))):
            if run.get("command") in (None, []):
                yield problem((*where, "exec", "command"), "missing required field: command")


@rule(
    "invalid-handler-port",
    Severity.ERROR,
    needs=(*_PROBES, "lifecycle"),
    scope="container",
    roles=_ROLES,
    fix="Use a number from 1 to 65535 without quotes, or a port name.",
)
def invalid_handler_port(container: ContainerView, ctx: Context) -> Problems:
    """Invalid port of a probe or hook.

    A port is a number from 1 to 65535 or a port name. A number in quotes counts as a name, and a name must contain a
    letter, so the API server rejects the pod.
    """
    for holder, where in _handlers(container):
        for kind in ("httpGet", "tcpSocket", "grpc"):
            action = holder.get(kind)
            if not isinstance(action, dict):
                continue
            port = action.get("port")
            if port == 0 and sets_probe_ports(container.pod):
                continue
            if port.__class__ is int and not 1 <= port <= LARGEST_PORT:
                yield problem((*where, kind, "port"), f"invalid port {port}: use a number from 1 to {LARGEST_PORT}")
            elif isinstance(port, str) and kind != "grpc" and (fault := names.check_port_name(port)):
                hint = f"Remove the quotes: {port}." if port.isdigit() else ""
                yield problem((*where, kind, "port"), f"invalid port name {quote(port)}: {fault}", help=hint)


@rule(
    "invalid-handler-header",
    Severity.ERROR,
    needs=(*_PROBES, "lifecycle"),
    scope="container",
    roles=_ROLES,
    fix="Use letters, digits, and hyphens.",
)
def invalid_handler_header(container: ContainerView, ctx: Context) -> Problems:
    """Invalid HTTP header name in a probe or hook.

    The API server accepts only letters, digits, and hyphens in header names.
    """
    for holder, where in _handlers(container):
        action = holder.get("httpGet")
        if isinstance(action, dict) and action.get("httpHeaders"):
            for index, header in listed(action, "httpHeaders"):
                name = header.get("name")
                if isinstance(name, str) and (fault := names.check_header_name(name)):
                    at = (*where, "httpGet", "httpHeaders", index, "name")
                    yield problem(at, f"invalid header name {quote(name)}: {fault}")


@rule(
    "invalid-probe-number",
    Severity.ERROR,
    needs=_PROBES,
    scope="container",
    roles=_ROLES,
    fix="Use a positive number, or 0 for the default.",
)
def invalid_probe_number(container: ContainerView, ctx: Context) -> Problems:
    """A delay, timeout, period, or threshold of a probe is negative.

    The API server rejects negative numbers in probes.
    """
    for probe, where in _probes(container):
        for field in _NUMBERS:
            number = probe.get(field)
            if number.__class__ is int and number < 0:
                yield problem((*where, field), f"invalid {field} {number}: must not be negative")


@rule(
    "invalid-success-threshold",
    Severity.ERROR,
    needs=_PROBES,
    scope="container",
    roles=_ROLES,
    fix="Remove successThreshold.",
)
def invalid_success_threshold(container: ContainerView, ctx: Context) -> Problems:
    """A liveness or startup probe has a successThreshold above 1.

    Only readiness probes can require several consecutive successes. The API server requires 1 for other probes.
    """
    for probe, where in _probes(container):
        number = probe.get("successThreshold")
        if number.__class__ is int and number > 1 and where[-1] != "readinessProbe":
            yield problem(
                (*where, "successThreshold"), f"invalid successThreshold {number}: must be 1 in a {where[-1]}"
            )


@rule(
    "invalid-probe-grace-period",
    Severity.ERROR,
    needs=_PROBES,
    scope="container",
    roles=_ROLES,
    fix="Remove it from readiness probes. In other probes, use a positive number.",
)
def invalid_probe_grace_period(container: ContainerView, ctx: Context) -> Problems:
    """Invalid terminationGracePeriodSeconds of a probe.

    A failed readiness probe does not stop the container, so the API server rejects a grace period there. In other
    probes the grace period must be positive.
    """
    for probe, where in _probes(container):
        seconds = probe.get("terminationGracePeriodSeconds")
        at = (*where, "terminationGracePeriodSeconds")
        if seconds is not None and where[-1] == "readinessProbe":
            yield problem(at, "terminationGracePeriodSeconds is not supported on a readinessProbe", on_key=True)
        elif seconds.__class__ is int and seconds <= 0:
            yield problem(at, f"invalid terminationGracePeriodSeconds {seconds}: must be positive")


@rule(
    "hook-sleep-too-long",
    Severity.ERROR,
    needs=("lifecycle",),
    scope="container",
    roles=_ROLES,
    since="1.30",
    fix="Shorten the sleep, or raise the pod's terminationGracePeriodSeconds.",
)
def hook_sleep_too_long(container: ContainerView, ctx: Context) -> Problems:
    """A hook sleeps longer than the pod's termination grace period.

    The API server rejects a sleep longer than terminationGracePeriodSeconds (default: 30), a negative sleep, and before
    Kubernetes 1.33 a sleep of 0 seconds.
    """
    for hook, where in _hooks(container):
        sleep = hook.get("sleep")
        seconds = (0 if sleep.get("seconds") is None else sleep["seconds"]) if isinstance(sleep, dict) else None
        if seconds.__class__ is not int:
            continue
        grace = _grace(container.pod)
        if seconds < 0 or (seconds == 0 and not ctx.since("1.33")):
            least = "0" if ctx.since("1.33") else "1"
            yield problem((*where, "sleep", "seconds"), f"invalid sleep {seconds}: must be {least} seconds or more")
        elif grace is not None and seconds > grace:
            message = f"sleep of {seconds} seconds is longer than the termination grace period of {grace} seconds"
            yield problem((*where, "sleep", "seconds"), message)


def _grace(pod: PodView) -> int | None:
    """Return the pod's termination grace period in seconds, None if it is unreadable; negative means 1 in a Pod."""
    if not pod.has("terminationGracePeriodSeconds"):
        return _DEFAULT_GRACE
    seconds = pod.number("terminationGracePeriodSeconds")
    return 1 if seconds is not None and seconds < 0 and pod.object.kind == "Pod" else seconds


@rule(
    "stop-signal-disabled",
    Severity.WARNING,
    needs=("lifecycle",),
    scope="container",
    roles=_ROLES,
    since="1.33",
    fix="Set STOPSIGNAL in the image, or use a preStop hook.",
)
def stop_signal_disabled(container: ContainerView, ctx: Context) -> Problems:
    """A container sets lifecycle.stopSignal, which is disabled by default.

    The API server silently drops the field unless the feature gate ContainerStopSignals is enabled. With the gate
    enabled, it also requires the pod's os.name.
    """
    lifecycle = container.value.get("lifecycle")
    if isinstance(lifecycle, dict) and lifecycle.get("stopSignal") is not None:
        message = "Kubernetes drops stopSignal unless ContainerStopSignals is enabled"
        yield problem(container.at("lifecycle", "stopSignal"), message, on_key=True)


def _probes(container: ContainerView) -> Sources:
    """Return the probes of a container with their paths; the last path element is the probe's field name."""
    found: Sources | None = container.memo.get("probes")
    if found is None:
        given = ((container.value.get(field), field) for field in _PROBES)
        found = [(probe, container.at(field)) for probe, field in given if isinstance(probe, dict)]
        container.memo["probes"] = found
    return found


def _hooks(container: ContainerView) -> Sources:
    """Return the lifecycle hooks of a container with their paths."""
    lifecycle = container.value.get("lifecycle")
    if not isinstance(lifecycle, dict):
        return []
    given = ((lifecycle.get(field), field) for field in _HOOKS)
    return [(hook, container.at("lifecycle", field)) for hook, field in given if isinstance(hook, dict)]


def _handlers(container: ContainerView) -> Sources:
    """Return the probes and hooks of a container with their paths."""
    return [*_probes(container), *_hooks(container)]
