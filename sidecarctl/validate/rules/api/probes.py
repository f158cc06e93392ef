"""Rules about probes and lifecycle hooks: what they do, and their numbers. Knows nothing of the app behind them."""

from __future__ import annotations

from sidecarctl.findings import PathTuple, Severity, quote
from sidecarctl.kube import names
from sidecarctl.validate.fields import Sources, chosen, listed, strange
from sidecarctl.validate.registry import Context, Problems, problem, rule
from sidecarctl.validate.rules.api.containers import LARGEST_PORT
from sidecarctl.validate.views import ContainerView, Data, PodView

# Ordinary init and ephemeral containers can't have any: other rules say so.
_ROLES = ("app", "classic", "sidecar")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HOOKS = ("postStart", "preStop")
_OF_PROBES = ("exec", "httpGet", "tcpSocket", "grpc")
_OF_HOOKS = ("exec", "httpGet", "tcpSocket", "sleep")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_PROBE_FIELDS = frozenset((*_OF_PROBES, *_NUMBERS, "terminationGracePeriodSeconds"))
_DEFAULT_GRACE = 30


@rule(
    "invalid-probe-handler",
    Severity.ERROR,
    needs=_PROBES,
    scope="container",
    roles=_ROLES,
    fix="Give the probe exactly one of exec, httpGet, tcpSocket and grpc.",
)
def invalid_probe_handler(container: ContainerView, ctx: Context) -> Problems:
    """A probe does not say what to do, or says two things.

    The API server wants exactly one of exec, httpGet, tcpSocket and grpc.
    """
    for probe, where in _probes(container):
        yield from _one_handler(probe, where, _OF_PROBES, _PROBE_FIELDS)


@rule(
    "invalid-hook-handler",
    Severity.ERROR,
    needs=("lifecycle",),
    scope="container",
    roles=_ROLES,
    fix="Give the hook exactly one of exec, httpGet and, since Kubernetes 1.30, sleep.",
)
def invalid_hook_handler(container: ContainerView, ctx: Context) -> Problems:
    """A lifecycle hook does not say what to do, or says two things.

    The API server wants exactly one of exec, httpGet, sleep and, though nothing acts on it, tcpSocket.
    """
    for hook, where in _hooks(container):
        yield from _one_handler(hook, where, _OF_HOOKS, frozenset(_OF_HOOKS))


def _one_handler(holder: Data, where: PathTuple, kinds: tuple[str, ...], known: frozenset[str]) -> Problems:
    found = chosen(holder, kinds)
    for late in found[1:]:
        yield problem((*where, late), f"it has a handler already: {found[0]}", on_key=True)
    if not found and not strange(holder, known):
        yield problem(where, f"it does not say what to do: there must be one of {', '.join(kinds)}")


@rule(
    "missing-handler-command",
    Severity.ERROR,
    needs=(*_PROBES, "lifecycle"),
    scope="container",
    roles=_ROLES,
    fix="Give the command as a list of words; for a line of shell [sh, -c, LINE].",
)
def missing_handler_command(container: ContainerView, ctx: Context) -> Problems:
    """A probe or hook that runs a command has none.

    The API server refuses it.
    """
    for holder, where in _handlers(container):
        run = holder.get("exec")
        if isinstance(run, dict) and not run.get("command") and not strange(run, frozenset(("command",))):
            if run.get("command") in (None, []):
                yield problem((*where, "exec", "command"), "there is no command to run")


@rule(
    "invalid-handler-port",
    Severity.ERROR,
    needs=(*_PROBES, "lifecycle"),
    scope="container",
    roles=_ROLES,
    fix="Use a number from 1 to 65535 without quotes, or the name of a port.",
)
def invalid_handler_port(container: ContainerView, ctx: Context) -> Problems:
    """A probe or hook goes to what is neither a number nor a name of a port.

    A number in quotes is read as a name, and names need a letter. The API server refuses the pod.
    """
    for holder, where in _handlers(container):
        for kind in ("httpGet", "tcpSocket", "grpc"):
            action = holder.get(kind)
            if not isinstance(action, dict):
                continue
            port = action.get("port")
            if port.__class__ is int and not 1 <= port <= LARGEST_PORT:
                yield problem((*where, kind, "port"), f"{port} is no port number")
            elif isinstance(port, str) and kind != "grpc" and (fault := names.port_name(port)):
                hint = f"Remove the quotes: {port}." if port.isdigit() else ""
                yield problem((*where, kind, "port"), f"{quote(port)} is no name of a port: it {fault}", help=hint)


@rule(
    "invalid-handler-header",
    Severity.ERROR,
    needs=(*_PROBES, "lifecycle"),
    scope="container",
    roles=_ROLES,
    fix="Use letters, digits and dashes.",
)
def invalid_handler_header(container: ContainerView, ctx: Context) -> Problems:
    """A probe or hook sends a header with a name that it can't have.

    The API server takes letters, digits and dashes.
    """
    for holder, where in _handlers(container):
        action = holder.get("httpGet")
        if isinstance(action, dict) and action.get("httpHeaders"):
            for index, header in listed(action, "httpHeaders"):
                name = header.get("name")
                if isinstance(name, str) and (fault := names.header_name(name)):
                    at = (*where, "httpGet", "httpHeaders", index, "name")
                    yield problem(at, f"{quote(name)} is no name of a header: it {fault}")


@rule(
    "invalid-probe-number",
    Severity.ERROR,
    needs=_PROBES,
    scope="container",
    roles=_ROLES,
    fix="Use 0 for the default, or a positive number.",
)
def invalid_probe_number(container: ContainerView, ctx: Context) -> Problems:
    """A time or threshold of a probe is less than nothing.

    The API server refuses it.
    """
    for probe, where in _probes(container):
        for field in _NUMBERS:
            number = probe.get(field)
            if number.__class__ is int and number < 0:
                yield problem((*where, field), f"{field} must not be negative, and is {number}")


@rule(
    "invalid-success-threshold",
    Severity.ERROR,
    needs=_PROBES,
    scope="container",
    roles=_ROLES,
    fix="Remove it.",
)
def invalid_success_threshold(container: ContainerView, ctx: Context) -> Problems:
    """A liveness or startup probe is to succeed more than once.

    Only readiness probes can ask for several successes in a row: the API server wants 1 in the others.
    """
    for probe, where in _probes(container):
        number = probe.get("successThreshold")
        if number.__class__ is int and number > 1 and where[-1] != "readinessProbe":
            yield problem((*where, "successThreshold"), f"the successThreshold of a {where[-1]} must be 1")


@rule(
    "invalid-probe-grace-period",
    Severity.ERROR,
    needs=_PROBES,
    scope="container",
    roles=_ROLES,
    fix="Remove it from readiness probes; elsewhere use a positive number.",
)
def invalid_probe_grace_period(container: ContainerView, ctx: Context) -> Problems:
    """A probe's terminationGracePeriodSeconds is not positive, or its failure ends nothing.

    A readiness probe that fails does not end the container, so the API server refuses a grace period there.
    """
    for probe, where in _probes(container):
        seconds = probe.get("terminationGracePeriodSeconds")
        at = (*where, "terminationGracePeriodSeconds")
        if seconds is not None and where[-1] == "readinessProbe":
            yield problem(at, "a readinessProbe ends nothing, so it can't have a grace period", on_key=True)
        elif seconds.__class__ is int and seconds <= 0:
            yield problem(at, f"the grace period must be positive, and is {seconds}")


@rule(
    "hook-sleep-too-long",
    Severity.ERROR,
    needs=("lifecycle",),
    scope="container",
    roles=_ROLES,
    since="1.30",
    fix="Sleep less, or raise the pod's terminationGracePeriodSeconds.",
)
def hook_sleep_too_long(container: ContainerView, ctx: Context) -> Problems:
    """A hook sleeps longer than the pod has to end.

    The API server compares with terminationGracePeriodSeconds, which is 30 where nothing is said, and refuses a longer
    sleep, a negative one, and before Kubernetes 1.33 one of 0.
    """
    for hook, where in _hooks(container):
        sleep = hook.get("sleep")
        seconds = (0 if sleep.get("seconds") is None else sleep["seconds"]) if isinstance(sleep, dict) else None
        if seconds.__class__ is not int:
            continue
        grace = _grace(container.pod)
        if seconds < 0 or (seconds == 0 and not ctx.since("1.33")):
            least = "0" if ctx.since("1.33") else "1"
            yield problem((*where, "sleep", "seconds"), f"it must sleep for {least} seconds at least, not {seconds}")
        elif grace is not None and seconds > grace:
            message = f"it sleeps for {seconds} seconds, and the pod has {grace} to end"
            yield problem((*where, "sleep", "seconds"), message)


def _grace(pod: PodView) -> int | None:
    """Return the seconds that a pod has to end, None where they can't be read. Of a Pod a negative number means 1."""
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
    """A container sets the signal that stops it, which is off in Kubernetes.

    The API server drops lifecycle.stopSignal without a word unless ContainerStopSignals is switched on; then it also wants
    the pod's os.name.
    """
    lifecycle = container.value.get("lifecycle")
    if isinstance(lifecycle, dict) and lifecycle.get("stopSignal") is not None:
        message = "Kubernetes drops stopSignal unless ContainerStopSignals is switched on"
        yield problem(container.at("lifecycle", "stopSignal"), message, on_key=True)


def _probes(container: ContainerView) -> Sources:
    """Return the probes of a container with their paths, which end with the kind of probe."""
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
    """Return what has a handler: probes and hooks."""
    return [*_probes(container), *_hooks(container)]
