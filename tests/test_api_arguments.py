"""Every argument of the Python API: an invalid one is an error of sidecarctl that names it, never another exception."""

from __future__ import annotations

import enum
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sidecarctl
from sidecarctl.api_arguments import check_words
from sidecarctl.errors import SidecarctlError

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: "nginx:1.27"}]}
"""
LOG_DIR = {"log-tail": {"logDir": "/var/log/app"}}
COMPOSITION = """\
apiVersion: sidecarctl.dev/v1alpha1
kind: Composition
metadata: {name: x}
spec:
  rules: [{select: {all: true}, sidecars: [{name: log-tail, parameters: {logDir: /a}}]}]
"""


def recursive() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = [value]
    return value


def deep(levels: int = 5000) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"a": value}
    return value


def wide() -> dict[str, Any]:
    """A value that is small in memory and has 2^40 values."""
    value: dict[str, Any] = {"a": 1}
    for _ in range(40):
        value = {"a": value, "b": value}
    return value


# Values that no argument of type string accepts.
NO_STRINGS = ["\ud800", "a\udcffb", b"web", None, 5, 10**5000, float("nan"), {}, object()]
NO_PARAMETERS = [
    *("\ud800", {"a": "\ud800"}, {"\ud800": 1}, ["\udcff"], b"x", {"a": b"x"}, object(), {1, 2}),
    *({1: 2}, {None: 1}, {(1, 2): 3}, float("nan"), [float("inf")], -(10**5000), recursive(), deep(), wide()),
]
STRINGS: dict[str, Callable[[Any, Path], object]] = {
    "add(text)": lambda value, _: sidecarctl.add(value, ["log-tail"], LOG_DIR),
    "upgrade(text)": lambda value, _: sidecarctl.upgrade(value),
    "remove(text)": lambda value, _: sidecarctl.remove(value),
    "render(text)": lambda value, path: sidecarctl.render(value, path),
    "check(text)": lambda value, _: sidecarctl.check(value),
    "add(sidecars)": lambda value, _: sidecarctl.add(POD, [value]),
    "upgrade(sidecars)": lambda value, _: sidecarctl.upgrade(POD, [value]),
    "remove(names)": lambda value, _: sidecarctl.remove(POD, [value]),
    "render(composition)": lambda value, _: sidecarctl.render(POD, value),
    "render(environment)": lambda value, path: sidecarctl.render(POD, path, environment=value),
    "render(kube_version)": lambda value, path: sidecarctl.render(POD, path, kube_version=value),
    "render(file)": lambda value, path: sidecarctl.render(POD, path, file=value),
    "render(libraries)": lambda value, path: sidecarctl.render(POD, path, libraries=[value]),
    "Session(libraries)": lambda value, _: sidecarctl.Session([value]).add(POD, ["log-tail"], LOG_DIR),
    "parameters: sidecar": lambda value, _: sidecarctl.add(POD, ["log-tail"], {value: {}}),
    "parameters: key": lambda value, _: sidecarctl.add(POD, ["log-tail"], {"log-tail": {value: 1}}),
    "check(pod_security)": lambda value, _: sidecarctl.check(POD, pod_security=value),
    "check(select)": lambda value, _: sidecarctl.check(POD, select=[value]),
    "check(ignore)": lambda value, _: sidecarctl.check(POD, ignore=[value]),
    **{
        f"add({name})": lambda value, _, name=name: sidecarctl.add(POD, ["log-tail"], LOG_DIR, **{name: value})  # type: ignore[misc]
        for name in ("instance", "mode", "on_conflict", "kube_version", "file")
    },
    **{
        f"upgrade({name})": lambda value, _, name=name: sidecarctl.upgrade(POD, **{name: value})  # type: ignore[misc]
        for name in ("on_conflict", "kube_version", "file")
    },
    **{
        f"{call.__name__}({name})": lambda value, _, call=call, name=name: call(POD, **{name: value})  # type: ignore[misc]
        for call in (sidecarctl.remove, sidecarctl.check)
        for name in ("kube_version", "file")
    },
}


@pytest.fixture
def composition(tmp_path: Path) -> Path:
    (tmp_path / "sidecarctl.yaml").write_text(COMPOSITION)
    return tmp_path / "sidecarctl.yaml"


@pytest.mark.parametrize("argument", STRINGS)
def test_string_argument_that_is_no_string_is_an_error(argument: str, composition: Path) -> None:
    for value in NO_STRINGS:
        if argument.startswith("parameters") and value == {}:
            continue  # cannot be a key
        with pytest.raises(SidecarctlError) as caught:
            STRINGS[argument](value, composition)
        assert caught.value.message
        os.fsencode(caught.value.message)  # the name of a file can have bytes that are not UTF-8


def test_lone_surrogate_in_a_text_has_a_position() -> None:
    for call in (sidecarctl.remove, sidecarctl.check, sidecarctl.upgrade):
        with pytest.raises(SidecarctlError, match=r"lone surrogate U\+D800") as caught:
            call(POD + "# é\n# ab\ud800\n", file="web.yaml")
        assert (caught.value.where, caught.value.exit_code) == ("web.yaml:6:5", 3)
    assert sidecarctl.remove(POD + "# é 😀\n").text == POD + "# é 😀\n"


@pytest.mark.parametrize("value", NO_PARAMETERS, ids=lambda value: type(value).__name__)
def test_parameter_that_json_cannot_hold_is_an_error(value: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIDECARCTL_MAX_VALUES", "20000")
    for parameters in (value, {"log-tail": value}, {"log-tail": {"logDir": value}}, {"log-tail": {"patch": value}}):
        if parameters is value and isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()):
            continue  # a mapping of sidecars
        with pytest.raises(SidecarctlError) as added:
            sidecarctl.add(POD, ["log-tail"], parameters)
        with pytest.raises(SidecarctlError) as upgraded:
            sidecarctl.upgrade(POD, [], parameters)
        for caught in (added, upgraded):
            caught.value.message.encode("utf-8")
            assert len(caught.value.message) < 500


@pytest.mark.parametrize("value", ["log-tail", b"log-tail", 5, None, object(), {"log-tail": 1}])
def test_list_argument_that_is_no_list_is_an_error(value: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: sidecarctl.add(POD, value),
        lambda: sidecarctl.add(POD, ["log-tail"], LOG_DIR, containers=value),
        lambda: sidecarctl.upgrade(POD, value),
        lambda: sidecarctl.check(POD, select=value),
        lambda: sidecarctl.check(POD, ignore=value),
        lambda: sidecarctl.add(POD, ["log-tail"], LOG_DIR, libraries=value),
    ]
    calls += [] if value is None else [lambda: sidecarctl.remove(POD, value)]
    for call in calls:
        with pytest.raises(SidecarctlError, match="expected a list"):
            call()


@pytest.mark.parametrize("value", ["", "a\0b", "x" * 5000, "\ud800"])
def test_path_that_cannot_exist_is_an_error(value: str) -> None:
    for call in (lambda: sidecarctl.render(POD, value), lambda: sidecarctl.Session([value])):
        with pytest.raises(SidecarctlError):
            call()


def test_unknown_conflict_policy_is_an_error() -> None:
    with pytest.raises(SidecarctlError, match='invalid on_conflict "kep"') as caught:
        sidecarctl.add(POD, ["log-tail"], LOG_DIR, on_conflict="kep")
    assert caught.value.hint == 'did you mean "keep"?'


def test_parameters_can_be_any_mapping_and_sequence() -> None:
    from types import MappingProxyType

    env = ({"name": "A", "value": "b"},)
    given = MappingProxyType({"log-tail": MappingProxyType({"logDir": "/a", "env": env})})
    done = sidecarctl.add(POD, ("log-tail",), given)
    assert "name: A" in done.text
    assert not done.failed


def test_set_of_words_is_sorted() -> None:
    words = {f"sidecar-{number}" for number in range(20)}
    assert check_words("sidecars", words) == check_words("sidecars", frozenset(words)) == tuple(sorted(words))
    with pytest.raises(SidecarctlError, match="expected a string"):
        check_words("sidecars", {"a", 1, None})


class Image(str, enum.Enum):
    TAIL = "busybox:1.37.0"


class User(enum.IntEnum):
    APP = 8081


def test_member_of_an_enum_is_its_value() -> None:
    plain = {"logDir": "/x", "path": "a", "image": "busybox:1.37.0", "securityContext": {"runAsUser": 8081}}
    members = {**plain, "image": Image.TAIL, "securityContext": {"runAsUser": User.APP}}
    results = [sidecarctl.add(POD, ["log-tail"], {"log-tail": each}) for each in (members, plain)]
    assert results[0].text == results[1].text
    assert "busybox:1.37.0" in results[0].text


class Ambiguous:
    """An object without a truth value, like an array."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


@pytest.mark.parametrize("value", ["false", 1, None, [1], Ambiguous()])
@pytest.mark.parametrize("flag", ["adopt", "keep_qos", "retarget", "hooks"])
def test_flag_that_is_neither_true_nor_false_is_an_error(flag: str, value: Any) -> None:
    with pytest.raises(SidecarctlError, match=f"{flag}: expected True or False"):
        sidecarctl.add(POD, ["logger"], **{flag: value})


def test_parameters_of_an_unknown_sidecar_are_an_error() -> None:
    with pytest.raises(SidecarctlError, match="unknown sidecar") as caught:
        sidecarctl.add(POD, ["logger"], {"loger": {"logDir": "/srv/log"}})
    assert 'did you mean "logger"?' in caught.value.hint
    with pytest.raises(SidecarctlError, match="unknown sidecar"):
        sidecarctl.upgrade(POD, parameters={"loger": {"logDir": "/srv/log"}})


class OddPath:
    """An object that says that it is a path, and gives a number."""

    def __fspath__(self) -> Any:
        return 3


class OddText(str):
    """A string that denies what it contains."""

    def __contains__(self, _: object) -> bool:
        return False


@pytest.mark.parametrize("path", [OddPath(), OddText("a\0b")])
def test_odd_path_is_an_error(path: Any) -> None:
    for call in (lambda: sidecarctl.Session([path]), lambda: sidecarctl.render(POD, path)):
        with pytest.raises(SidecarctlError, match="path"):
            call()
