"""Lazy dataclasses behave like those of `dataclasses`."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from sidecarctl.findings import Finding, Place, Severity
from sidecarctl.lazy_dataclass import _COMPILE_AFTER, _compiled_init, dataclass, field, field_names, replace

ROOT = Path(__file__).resolve().parent.parent


def lazy_classes() -> list[type]:
    found = []
    for file in sorted((ROOT / "sidecarctl").rglob("*.py")):
        if "lazy_dataclass import" in file.read_text(encoding="utf-8"):
            module = import_module(".".join(file.relative_to(ROOT).with_suffix("").parts))
            own = (value for value in vars(module).values() if inspect.isclass(value))
            found += [one for one in own if one.__module__ == module.__name__ and "__lazy_dataclass__" in vars(one)]
    return found


@pytest.mark.parametrize("cls", lazy_classes(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_init_has_the_parameters_of_a_real_dataclass(cls: type) -> None:
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    asked = list(inspect.signature(_compiled_init(cls)).parameters.values())[1:]
    assert [one.name for one in asked] == [one.name for one in fields]
    assert all(one.init and not one.kw_only for one in fields)
    optional = [one.default is not one.empty for one in asked]
    missing = dataclasses.MISSING
    assert optional == [one.default is not missing or one.default_factory is not missing for one in fields]


@dataclass(frozen=True)
class Base:
    a: int
    b: list[int] = field(default_factory=list, compare=False)


@dataclass(frozen=True)
class Below(Base):
    c: str = "c"

    def __post_init__(self) -> None:
        object.__setattr__(self, "a", self.a + 1)


@dataclass
class Open:
    a: int = 0


def test_lazy_dataclass_behaves_like_a_dataclass() -> None:
    one, other = Below(1), Below(1, [2])
    assert one == other and hash(one) == hash(other) and one.b is not Below(1).b
    assert repr(one) == "Below(a=2, b=[], c='c')"
    assert dataclasses.replace(one, c="d") == Below(2, c="d")
    assert one != Base(2) and dataclasses.asdict(Base(1)) == {"a": 1, "b": []}
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.a = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        hash(Open())
    assert Open(1) == Open(1) != Open(2)


@pytest.mark.parametrize("number", range(1, _COMPILE_AFTER + 3))
def test_every_instance_is_created_alike(number: int) -> None:
    @dataclass(frozen=True)
    class Each(Base):
        c: str = "c"

        def __post_init__(self) -> None:
            object.__setattr__(self, "c", self.c * 2)

    created = [Each(1, c="d") for _ in range(number)][-1]
    assert vars(created) == {"a": 1, "b": [], "c": "dd"}
    assert vars(Each(1, [2], "e")) == vars(Each(c="e", b=[2], a=1)) == {"a": 1, "b": [2], "c": "ee"}


@pytest.mark.parametrize(
    ("values", "named", "message"),
    [
        ((), {}, "missing 1 required positional argument: 'a'"),
        ((), {"b": []}, "missing 1 required positional argument: 'a'"),
        ((1,), {"a": 2}, "multiple values for argument 'a'"),
        ((1,), {"z": 2}, "unexpected keyword argument 'z'"),
        ((1, [], 2), {}, "takes from 2 to 3 positional arguments but 4 were"),
    ],
)
def test_wrong_arguments_are_refused_from_the_first_instance_on(
    values: tuple[object, ...], named: dict[str, object], message: str
) -> None:
    @dataclass
    class Each(Base):
        pass

    with pytest.raises(TypeError, match=message):
        Each(*values, **named)  # type: ignore[arg-type]
    assert vars(Each(1)) == {"a": 1, "b": []}


def test_field_of_dataclasses_is_refused() -> None:
    @dataclass
    class Each:
        a: list[int] = dataclasses.field(default_factory=list)

    with pytest.raises(TypeError, match=r"Each\.a has a field of another module"):
        Each()


def test_replace_copies_lazy_and_other_dataclasses() -> None:
    @dataclasses.dataclass(frozen=True)
    class Real:
        a: int
        b: int = 2

    assert replace(Real(1), a=3) == Real(3)
    assert replace(Base(1, [2]), a=3).b == [2]
    assert field_names(Below(1)) == ("a", "b", "c")
    with pytest.raises(TypeError):
        replace(Base(1), z=2)


def test_unpickled_instance_works_in_a_new_process() -> None:
    """Unpickling can be the first use of a class, and does not call `__init__`."""
    found = Finding("rule", "message", Severity.INFO, ("spec", 0), place=Place("a", 1, 2, 3, 4))
    program = "import pickle, sys; a = pickle.load(sys.stdin.buffer); b = pickle.loads(pickle.dumps(a)); print(a == b, hash(a) == hash(b))"
    done = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(found), capture_output=True, cwd=ROOT, check=True
    )
    assert done.stdout.split() == [b"True", b"True"]
