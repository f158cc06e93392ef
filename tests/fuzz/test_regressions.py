"""What the search found once, each in its smallest form: `<layer>-<choices>-<what>.yaml`. They hold now, and must go on to."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.laws import LAYERS
from tests.fuzz.mutate import LONGEST, mutated, seeds

FOLDER = Path(__file__).parent / "regressions"
FOUND = sorted(FOLDER.iterdir())


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.stem)
def test_what_broke_a_law_once_breaks_none_now(file: Path) -> None:
    layer, choices, _ = file.name.split("-", 2)
    LAYERS[layer](file.read_bytes(), int(choices))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_few_hundred_inputs_break_no_law(layer: str) -> None:
    """A look at the search itself, with the same inputs every time; `make fuzz` takes new ones, and many more."""
    rng, inputs = Random(2024), seeds()
    ways = {LAYERS[layer](mutated(rng.choice(inputs), inputs, rng), number % 16) for number in range(200)}
    assert len(ways) > 20
    assert all(len(one) <= LONGEST for one in inputs)
