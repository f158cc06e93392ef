"""Minimized inputs that once broke a law, as `<layer>-<choices>-<what>.yaml`. They must keep all laws."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.laws import LAYERS
from tests.fuzz.mutate import LONGEST, mutated, seeds

FOLDER = Path(__file__).parent / "regressions"
FOUND = sorted(FOLDER.iterdir())


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.stem)
def test_past_failures_keep_all_laws(file: Path) -> None:
    layer, choices, _ = file.name.split("-", 2)
    LAYERS[layer](file.read_bytes(), int(choices))


@pytest.mark.parametrize("layer", LAYERS)
def test_random_inputs_keep_all_laws(layer: str) -> None:
    """A short search with fixed inputs. `make fuzz` runs many more, with new seeds."""
    rng, inputs = Random(2024), seeds()
    runs = 60 if layer == "sequences" else 200  # a sequence is up to seven commands
    ways = {LAYERS[layer](mutated(rng.choice(inputs), inputs, rng), number % 16) for number in range(runs)}
    assert len(ways) > 20
    assert all(len(one) <= LONGEST for one in inputs)
