"""Suggestions for misspelled words are those of difflib; words that differ too much are not compared."""

from __future__ import annotations

import difflib
from pathlib import Path
from random import Random

import pytest

import sidecarctl
from sidecarctl import errors
from sidecarctl.authoring.lint_parameters import Subject, undeclared_parameter
from sidecarctl.catalog.sidecar import read_sidecar
from sidecarctl.errors import Suggester, did_you_mean
from sidecarctl.validate.registry import rules
from tests.authoring.library_kit import entry
from tests.calls import count_calls

KNOWN = [*rules(), "name", "image", "pod", "as"]


@pytest.mark.parametrize("seed", range(200))
def test_suggestion_is_that_of_difflib(seed: int) -> None:
    rng = Random(seed)
    letters = list(rng.choice(KNOWN))
    for _ in range(rng.randint(0, 6)):
        place = rng.randrange(len(letters) + 1)
        letters[place : place + rng.randint(0, 2)] = rng.choices("abcdefgh-xyz", k=rng.randint(0, 2))
    word = "".join(letters)
    close = difflib.get_close_matches(word, KNOWN, n=1, cutoff=0.6)
    assert did_you_mean(word, KNOWN) == (f'did you mean "{close[0]}"?' if close else "")


def test_word_without_close_ones_is_hardly_compared() -> None:
    did_you_mean("zzzzzzzzzz", KNOWN)
    cheap = count_calls(lambda: did_you_mean("zzzzzzzzzz", KNOWN)).total()
    assert cheap < count_calls(lambda: difflib.get_close_matches("zzzzzzzzzz", KNOWN)).total() / 3


def test_list_of_unknown_words_takes_linear_time() -> None:
    def suggest(count: int) -> int:
        known, suggester = [f"name-{number}" for number in range(count)], Suggester()
        work = lambda: [suggester.did_you_mean(f"neme-{number}", known) for number in range(count)]  # noqa: E731
        return count_calls(work, errors._may_be_close.__code__).total()

    assert suggest(2_000) <= 1.5 * suggest(1_000)


def test_suggester_compares_the_first_words() -> None:
    suggester = Suggester()
    found = [suggester.did_you_mean("imege", KNOWN) for _ in range(10_000)]
    assert found[0] == found[100] == 'did you mean "image"?'
    assert found[-1] == ""


def test_first_word_is_compared_with_any_number_of_names() -> None:
    assert Suggester().did_you_mean("imege", [str(number) for number in range(200_000)] + ["image"])


def test_unknown_volumes_are_compared_in_linear_time() -> None:
    volumes = "".join(f"  - {{name: data-{number}, emptyDir: {{}}}}\n" for number in range(400))
    mounts = "".join(f"    - {{name: deta-{number}, mountPath: /x{number}}}\n" for number in range(400))
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n"
        f"  volumes:\n{volumes}  containers:\n  - name: web\n    image: x:1\n    volumeMounts:\n{mounts}"
    )
    compared = count_calls(lambda: sidecarctl.check(text), errors._may_be_close.__code__).total()
    assert 400 <= compared <= errors._MOST_COMPARISONS + 400


def test_undeclared_parameters_are_compared_in_linear_time(tmp_path: Path) -> None:
    declared = "".join(f"      name-{number}: {{type: string}}\n" for number in range(400))
    used = "".join(f"# {{{{ params['neme-{number}'] }}}}\n" for number in range(400))
    home = entry(tmp_path, spec=f"  parameters:\n    properties:\n{declared}", template=used)
    subject = Subject(read_sidecar(home, "test"), ())
    compared = count_calls(lambda: list(undeclared_parameter(subject)), errors._may_be_close.__code__).total()
    assert 400 <= compared <= errors._MOST_COMPARISONS + 400
