"""Laws of runs over several files: whatever file a companion is moved to, no object is lost, doubled, or changed by accident."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from random import Random

import yaml
from hypothesis import given, settings

from tests.command import run
from tests.inject.test_laws import QUICK, SEEDS
from tests.repository import WORKLOAD

# The workload ends in a block scalar, which the line break at the end of its file is part of.
LAST = "        env:\n        - name: KEY\n          value: |\n            end\n"
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: b} # ours\n"
# An object that only names an owner.
CLAIM = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: claim, annotations: {sidecarctl.dev/owner: Deployment/one/logger}}\n"
COMMANDS = (
    "add logger . -i",
    "add proxy . -i --set upstreamPort=8080",
    "add metrics . -i --set exporter=nginx --set scrape=podmonitor",
    "upgrade logger . -i --set flush=7",
    "remove logger . -i",
    "remove proxy . -i",
)


def read_documents(folder: Path) -> list[tuple[Path, str]]:
    return [
        (file, text) for file in sorted(folder.iterdir()) for text in file.read_text().split("---\n") if text.strip()
    ]


def move_companion(folder: Path, rng: Random) -> None:
    """Move a random companion to the end of another file, or to a file of its own, perhaps without a final line break."""
    found = [
        (file, text)
        for file, text in read_documents(folder)
        if "sidecarctl.dev/owner" in text and "name: claim" not in text
    ]
    if not found:
        return
    file, text = rng.choice(found)
    left = [each for each in file.read_text().split("---\n") if each != text]
    file.write_text("---\n".join(left))
    target = rng.choice([*(each for each in folder.iterdir() if each != file), folder / f"{rng.randrange(9)}.yaml"])
    before = target.read_text() if target.exists() else ""
    before += "\n" if before and not before.endswith("\n") else ""
    target.write_text(before + ("---\n" if before else "") + text)
    if rng.random() < 0.3:
        target.write_text(target.read_text().removesuffix("\n"))


def check_objects(folder: Path) -> None:
    """Each companion that a record lists is there once, and each object exists once."""
    objects = [yaml.safe_load(text) for _, text in read_documents(folder)]
    names = [f"{each['kind']}/{each['metadata']['name']}" for each in objects]
    assert len(names) == len(set(names)), names
    owners = [each["metadata"].get("annotations", {}).get("sidecarctl.dev/owner") for each in objects]
    for each in objects:
        template = each.get("spec", {}).get("template")
        if not template:
            continue
        workload = each["metadata"]["name"]
        for volume in template["spec"].get("volumes", ()):
            if "configMap" in volume:
                assert f"ConfigMap/{volume['configMap']['name']}" in names
        if any(one["name"] == "metrics" for one in template["spec"].get("initContainers", ())):
            assert f"Deployment/{workload}/metrics" in owners


@settings(QUICK, max_examples=max(QUICK.max_examples // 12, 5))
@given(SEEDS)
def test_companions_in_any_file_are_kept_and_removed(seed: int) -> None:
    rng = Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="sidecarctl-laws-"))
    try:
        given_files = {f"{name}.yaml": WORKLOAD.format(name=name) + LAST for name in ("one", "two")}
        given_files["other.yaml"] = OTHER % "own"
        if rng.random() < 0.5:
            given_files["claim.yaml"] = CLAIM
        for name, text in given_files.items():
            (folder / name).write_text(text)
        for _ in range(6):
            command = rng.choice(COMMANDS)
            outcome = run(f"sidecarctl {command} -q", folder)
            assert outcome.code in (0, 1), outcome.stderr
            check_objects(folder)
            if rng.random() < 0.6:
                move_companion(folder, rng)
        outcome = run("sidecarctl remove --all . -i -q", folder)
        assert outcome.code == 0, outcome.stderr
        left = {path.name: path.read_text() for path in folder.iterdir() if path.read_text().strip()}
        assert {name: text.rstrip("\n") for name, text in left.items()} == {
            name: text.rstrip("\n") for name, text in given_files.items()
        }
        for name in ("one.yaml", "two.yaml"):
            assert yaml.safe_load(left[name]) == yaml.safe_load(given_files[name])
    finally:
        shutil.rmtree(folder)
