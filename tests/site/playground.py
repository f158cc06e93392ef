"""The playground as a person uses it: open it, wait for Python, change fields, read the result."""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.command import ROOT

START = 120_000  # milliseconds until Python must be ready, on a busy machine
ANSWER = 30_000
LOGGER_INPUT = ROOT / "library" / "logger" / "tests" / "deployment-defaults" / "input.yaml"


@dataclass
class Playground:
    """One open page. `requests` are the addresses that it asked for, `errors` what it wrote to the console as an error."""

    page: Any
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        """Open the page and wait for its first result."""
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda line: line.type == "error" and self.errors.append(line.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(address)
        self.wait(START)

    def wait(self, patience: int = ANSWER) -> None:
        """Wait until the result of the newest input is shown."""
        self.page.locator("html[data-state=done]").wait_for(state="attached", timeout=patience)

    def choose(self, manifest: str, sidecar: str, parameters: dict[str, str], kube_version: str = "") -> None:
        """Fill in the form, and wait for the result."""
        self.page.fill("#manifest", manifest)
        self.page.select_option("#sidecar", sidecar)
        self.page.click("#reset")
        self.page.select_option("#kube-version", kube_version)
        self.page.fill("#container", "")
        self.page.uncheck("#retarget")
        for name, value in parameters.items():
            self.set(name, value)
        self.wait()

    def set(self, name: str, value: str) -> None:
        """Set one parameter."""
        place = self.page.locator(f'[data-parameter="{name}"]')
        place.evaluate(
            "field => { for (let each = field; each; each = each.parentElement) if ('open' in each) each.open = true }"
        )
        if place.evaluate("field => field.tagName") == "SELECT":
            place.select_option(value)
        else:
            place.fill(value)

    @property
    def result(self) -> str:
        """The resulting manifest, as `Download` saves it."""
        with self.page.expect_download() as saved:
            self.page.click("#download")
        return saved.value.path().read_bytes().decode("utf-8")

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.page.locator(selector).text_content())


def make_fragment(text: str) -> str:
    """Return the fragment of a link with any text as its state."""
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(text.encode()) + packer.flush()
    return f"#s={base64.urlsafe_b64encode(packed).decode().rstrip('=')}"


def find_accessibility_problems(page: Any, ignored: tuple[str, ...] = ()) -> list[str]:
    """Return what axe reports for a page, at WCAG 2.2 level AA."""
    script = ROOT / "site" / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        pytest.skip("axe-core is not installed: run `make site`")
    page.evaluate(script.read_text(encoding="utf-8"))
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["id"] not in ignored
        for node in one["nodes"]
    ]
