"""The playground adds sidecars in Chromium exactly as the command line does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecarctl.authoring.test_cases import find_cases, read_case
from sidecarctl.authoring.trial import Trial
from sidecarctl.catalog.catalog import open_catalog
from tests.command import ROOT, run
from tests.site.playground import LOGGER_INPUT, START, Playground, find_accessibility_problems, make_fragment
from tools.docs_site.pages import as_text

pytestmark = pytest.mark.browser

SIDECARS = sorted(path.parent.name for path in (ROOT / "library").glob("*/sidecar.yaml") if "@" not in path.parent.name)


@pytest.fixture(scope="module")
def opened(browser: Any, origin: str) -> Iterator[Playground]:
    """Return a playground that is ready, for all tests of this module."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    playground = Playground(page)
    playground.open(f"{origin}/playground/app/")
    yield playground
    page.close()


def plain_trials(name: str) -> list[Trial]:
    """Return the test cases of a shipped sidecar that need nothing but a manifest, parameters, and a version."""
    sidecar = open_catalog([], {}).find(name)
    trials = [read_case(sidecar, case) for case in find_cases(sidecar) if not case.refused]
    return [one for one in trials if not one.mode and not one.instance and not one.containers]


@pytest.mark.parametrize("name", SIDECARS)
def test_every_sidecar_has_the_bytes_of_the_command_line(opened: Playground, name: str, tmp_path: Path) -> None:
    trials = sorted(plain_trials(name), key=lambda one: len(one.given))
    for trial in (trials[0], trials[-1]):
        parameters = {key: as_text(value) for key, value in trial.given.items()}
        (tmp_path / "manifest.yaml").write_text(trial.text, encoding="utf-8", newline="")
        command = ["sidecarctl", "add", name, "-f", "manifest.yaml", "--kube-version", trial.kube_version]
        for key, value in parameters.items():
            command += ["--set", f"{key}={value}"]
        expected = run(command, tmp_path, env={"COLUMNS": "80"})
        assert expected.code == 0, expected.stderr
        opened.choose(trial.text, name, parameters, trial.kube_version)
        assert opened.text("#exit") == "exit code 0", opened.text("#report")
        assert opened.result == expected.stdout
        assert opened.text("#report") == expected.stderr


def test_a_field_changes_the_result(opened: Playground) -> None:
    opened.choose(LOGGER_INPUT.read_text(encoding="utf-8"), "logger", {})
    assert "/srv/logs" not in opened.text("#result")
    opened.set("logDir", "/srv/logs")
    opened.wait()
    assert "mountPath: /srv/logs" in opened.text("#result")
    assert "--set logDir=/srv/logs" in opened.text("#command")
    assert "+          mountPath: /srv/logs" in opened.text("#diff")
    opened.page.click("#tab-graph")
    assert opened.page.locator("#graph-image").evaluate("image => image.decode().then(() => image.naturalWidth)") > 300


def test_own_manifest_drops_the_parameters_of_the_example(opened: Playground) -> None:
    fields = (
        "[...document.querySelectorAll('[data-parameter]')].filter(one => one.value).map(one => one.dataset.parameter)"
    )
    example = opened.page.locator("#example option").first.get_attribute("value")
    opened.page.select_option("#example", example)
    opened.wait()
    assert "repo" in opened.page.evaluate(fields)
    opened.set("period", "7m")
    opened.page.fill("#manifest", opened.page.input_value("#manifest") + "# more\n")
    opened.wait()
    assert "repo" in opened.page.evaluate(fields)
    opened.page.fill("#manifest", LOGGER_INPUT.read_text(encoding="utf-8").replace("apps/v1", "apps/v1 # own"))
    opened.wait()
    assert opened.page.evaluate(fields) == ["period"]
    opened.page.select_option("#example", example)
    opened.page.select_option("#example", "")
    opened.wait()
    assert opened.page.input_value("#manifest") == ""
    assert opened.page.evaluate(fields) == []


def test_report_and_graph_fit_a_phone(browser: Any, origin: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    playground = Playground(page)
    playground.open(f"{origin}/playground/app/")
    page.click("#tab-graph")
    widths = "id => { const one = document.querySelector(id); return [one.scrollWidth, one.clientWidth] }"
    for place in ("#report", "#command", "#panel-graph .scroll"):
        found, there = page.evaluate(widths, place)
        assert found <= there + 1, place
    assert page.locator("#graph-text").is_visible()
    bar = page.locator(".jump").evaluate("bar => getComputedStyle(bar).backgroundColor")
    assert bar not in ("transparent", "rgba(0, 0, 0, 0)")
    page.close()


def test_an_error_is_shown_as_the_command_line_shows_it(opened: Playground, tmp_path: Path) -> None:
    text = LOGGER_INPUT.read_text(encoding="utf-8")
    (tmp_path / "manifest.yaml").write_text(text, encoding="utf-8")
    command = ["sidecarctl", "add", "logger", "-f", "manifest.yaml", "--set", "logDir=logs"]
    expected = run(command, tmp_path, env={"COLUMNS": "80"})
    opened.choose(text, "logger", {"logDir": "logs"})
    assert opened.text("#exit") == "exit code 2"
    assert opened.text("#report") == expected.stderr
    assert opened.text("#result") == ""
    assert opened.page.locator("#download").is_disabled()


def test_findings_are_shown_at_their_lines(opened: Playground) -> None:
    opened.page.select_option("#example", "login-behind-tls")
    opened.page.uncheck("#retarget")
    opened.wait()
    note = opened.page.locator("#result .note.warning").first
    assert "service-bypasses-sidecar" in note.text_content()
    assert "targetPort" in note.evaluate("note => note.previousElementSibling.textContent")
    opened.page.check("#retarget")
    opened.wait()
    assert opened.page.locator("#result .note").count() == 0


def test_a_shared_link_restores_the_state(opened: Playground, browser: Any) -> None:
    opened.choose(LOGGER_INPUT.read_text(encoding="utf-8"), "logger", {"logDir": "/srv/logs"}, "1.28")
    opened.page.fill("#container", "web")
    opened.wait()
    command, result, link = opened.text("#command"), opened.text("#result"), opened.page.url
    other = Playground(browser.new_page())
    other.open(link)
    assert other.text("#command") == command
    assert other.text("#result") == result
    assert other.page.input_value("#container") == "web"
    other.page.close()


@pytest.mark.parametrize(
    ("fragment", "message"),
    [
        ("#s=AAAA", "the link is damaged"),
        ("#s=" + "A" * 40_000, "the link is too long"),
        (make_fragment("[" * 500_000), "the link is too long"),
        (make_fragment("[]"), "the link is damaged"),
        (make_fragment('{"sidecar": "constructor"}'), 'unknown sidecar "constructor" in the link'),
        (make_fragment('{"sidecar": "logger", "manifest": 1}'), "the link has an invalid value"),
    ],
    ids=["not-compressed", "long", "bomb", "list", "inherited-name", "wrong-type"],
)
def test_a_hostile_link_shows_a_message_and_an_example(opened: Playground, fragment: str, message: str) -> None:
    opened.page.evaluate("link => { location.hash = link }", fragment)
    expect = pytest.importorskip("playwright.sync_api").expect
    expect(opened.page.locator("#notice")).to_contain_text(f"Cannot open the link: {message}")
    opened.wait()
    assert opened.text("#exit") == "exit code 0"


def test_a_link_cannot_add_markup(opened: Playground) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    state = {"manifest": hostile, "sidecar": "logger", "parameters": {"logDir": hostile, hostile: hostile}}
    opened.page.evaluate("link => { location.hash = link }", make_fragment(json.dumps(state)))
    opened.page.locator("#notice", has_text="values that logger does not take").wait_for()
    opened.wait()
    assert opened.page.locator("img:not(#graph-image)").count() == 0
    assert opened.page.input_value("#manifest") == hostile


def test_keyboard_alone_is_enough(opened: Playground) -> None:
    opened.page.select_option("#example", "nginx-git")
    opened.wait()
    opened.page.locator("#example").focus()
    press = opened.page.keyboard.press
    press("Tab")
    press("Tab")
    assert focused(opened) == "sidecar"
    opened.page.keyboard.type("log-t")
    opened.wait()
    assert opened.page.input_value("#sidecar") == "log-tail"
    opened.page.locator("#tab-result").focus()
    press("ArrowRight")
    assert focused(opened) == "tab-diff"
    assert opened.page.locator("#diff").is_visible() and not opened.page.locator("#result").is_visible()
    press("End")
    assert focused(opened) == "tab-graph"
    press("ArrowRight")
    assert focused(opened) == "tab-result"


def focused(opened: Playground) -> str:
    """Return the ID of the focused element."""
    return str(opened.page.evaluate("document.activeElement.id"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_is_accessible_and_fits(opened: Playground, scheme: str, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.page.select_option("#example", "login-behind-tls")
    opened.wait()
    if opened.page.get_attribute("html", "data-theme") != scheme:
        opened.page.click("#theme")
    for tab in ("result", "diff", "findings", "graph"):
        opened.page.click(f"#tab-{tab}")
        assert find_accessibility_problems(opened.page) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_no_request_leaves_the_site(opened: Playground, origin: str) -> None:
    assert [address for address in opened.requests if not address.startswith((f"{origin}/", f"blob:{origin}/"))] == []
    assert opened.errors == []


def test_a_worker_that_hangs_is_ended(browser: Any, origin: str) -> None:
    hang = "onmessage = () => { for (;;); };"
    page = browser.new_page()
    playground = Playground(page)
    page.route(
        "**/worker.js",
        lambda route: route.fulfill(body=f"postMessage({{ready: true}}); {hang}", content_type="text/javascript"),
        times=1,
    )
    page.goto(f"{origin}/playground/app/")
    page.locator("html[data-runner=running]").wait_for(state="attached")
    page.locator("#problem", has_text="Stopped: no result after 20 seconds").wait_for(timeout=40_000)
    page.locator("html[data-runner=ready]").wait_for(state="attached", timeout=START)
    playground.set("period", "2m")
    playground.wait()
    assert playground.text("#exit") == "exit code 0"
    assert playground.text("#problem") == ""
    page.close()
