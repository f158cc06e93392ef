"""What the documentation tells people to install is what the release workflow publishes."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sidecarctl import __version__
from tests.command import ROOT

PAGE = (ROOT / "docs" / "install.md").read_text()
BEFORE, RELEASE = PAGE.split("\n## From a release\n")
WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
PROJECT = (ROOT / "pyproject.toml").read_text()
REPOSITORY = "https://github.com/sidecarctl/sidecarctl"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def published() -> set[str]:
    """Return the names of the files of a release, from the commands of the workflow."""
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    script = "\n".join(step.get("run", "") for step in jobs["build"]["steps"])
    names = {f"sidecarctl-{__version__}-py3-none-any.whl", f"sidecarctl-{__version__}.tar.gz"}  # of hatchling
    (loop,) = re.findall(r"for platform in (.*); do", script)
    names |= {f"sidecarctl-{platform}.pyz" for platform in loop.split()}
    (krew,) = re.findall(r"tools/krew\.py dist (.*)", script)
    names |= {f"kubectl-sidecar-{one.replace('/', '-')}.tar.gz" for one in re.findall(r"--platform (\S+)", krew)}
    names |= set(re.findall(r"dist/([\w.-]+\.tar\.gz)", script))
    assert "tools/homebrew.py dist" in script and "> SHA256SUMS" in script
    return names | {"sidecarctl.rb", "sidecar.yaml", "SHA256SUMS"}


def test_page_lists_every_file_of_a_release_and_no_other() -> None:
    table = RELEASE.partition("| file | content |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([^`]+)`", table)) | {"SHA256SUMS"} == published()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_downloads_in_the_documentation_are_files_of_this_release(page: Path) -> None:
    text = page.read_text()
    for version, name in re.findall(rf"{REPOSITORY}/releases/download/v([^/\s]+)/([\w.-]+)", text):
        assert (version, name in published()) == (__version__, True)
    for tag in re.findall(r"ghcr\.io/sidecarctl/sidecarctl:([\w.]+)", text):
        assert tag == __version__


def test_image_of_the_documentation_is_the_one_that_is_published() -> None:
    assert "ghcr.io/sidecarctl/sidecarctl:${GITHUB_REF_NAME#v}" in WORKFLOW.read_text()
    assert f"ghcr.io/sidecarctl/sidecarctl:{__version__}" in RELEASE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_packages_in_the_documentation_have_the_name_of_the_project(page: Path) -> None:
    assert re.search(r'^name = "sidecarctl"$', PROJECT, re.MULTILINE)
    for line in page.read_text().splitlines():
        for source in re.findall(r"(?:uv tool install|uvx --from|pipx install|pip install) ['\"]?([^\s`'\"]+)", line):
            if "sidecarctl" in source:
                assert re.fullmatch(rf"sidecarctl(\[\w+\])?(==[\w.]+)?|git\+{REPOSITORY}(\.git)?(@\S+)?", source), (
                    source
                )


def test_instructions_before_the_first_release_need_no_release() -> None:
    commands = re.findall(r"^\| .* \| `([^`]+)` \|$", BEFORE, re.MULTILINE)
    assert len(commands) >= 5
    assert all(REPOSITORY in command and "releases" not in command for command in commands)
    targets = set(re.findall(r"^make (\S+)$", PAGE, re.MULTILINE))
    assert targets == {"pyz", "man"}
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"\n{target}:" in makefile for target in targets)


def test_every_program_of_the_package_is_documented() -> None:
    scripts = re.findall(r'^([\w-]+) = "sidecarctl\.', PROJECT, re.MULTILINE)
    text = PAGE + (ROOT / "docs" / "integrations" / "kubectl.md").read_text()
    assert len(scripts) == 3 and all(f"`{script}`" in text for script in scripts)


def test_only_the_package_is_published_to_pypi() -> None:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"]
    names = [step.get("with", {}).get("name") for step in jobs["publish"]["steps"]]
    assert names[0] == "packages"
    uploads = [step["with"]["name"] for step in jobs["build"]["steps"] if "upload-artifact" in step.get("uses", "")]
    assert uploads == ["packages", "dist"]  # the first one before anything else is built


def test_formula_installs_the_files_of_the_release(tmp_path: Path) -> None:
    for name in published():
        (tmp_path / name).write_text(name)
    subprocess.run([sys.executable, "tools/homebrew.py", str(tmp_path)], cwd=ROOT, check=True)
    formula = tmp_path / "sidecarctl.rb"
    urls = re.findall(r'url "(.*)"', formula.read_text())
    assert {url.rpartition("/")[2] for url in urls} <= published() and len(urls) == 5
    assert all(url.startswith(f"{REPOSITORY}/releases/download/v{__version__}/") for url in urls)
    if shutil.which("ruby"):
        subprocess.run(["ruby", "-c", str(formula)], check=True, capture_output=True)


def test_manual_pages_cover_every_command_and_option(tmp_path: Path) -> None:
    from sidecarctl.cli.command_table import COMMANDS
    from sidecarctl.cli.options import Option
    from sidecarctl.cli.parser import describe

    subprocess.run([sys.executable, "tools/gen_man.py", str(tmp_path)], cwd=ROOT, check=True, capture_output=True)
    assert {path.name for path in tmp_path.iterdir()} == {
        "sidecarctl.1",
        *(f"sidecarctl-{one.name}.1" for one in COMMANDS),
    }
    for info in COMMANDS:
        page = (tmp_path / f"sidecarctl-{info.name}.1").read_text().replace("\\-", "-")
        for one in describe(info.load()).values():
            if isinstance(one.spec, Option):
                assert all(flag in page for flag in one.spec.flags), (info.name, one.spec.flags)
    if shutil.which("groff"):
        pages = [str(path) for path in sorted(tmp_path.iterdir())]
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww", "-z", *pages], capture_output=True, text=True, check=True
        )
        assert done.stderr == ""
