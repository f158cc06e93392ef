"""The built pages: search, light and dark, no request to another host, and accessibility."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.command import ROOT
from tests.site.playground import find_accessibility_problems

pytestmark = pytest.mark.browser

PAGES = ("/", "/getting-started/", "/library/logger/", "/rules/", "/rules/duplicate-port/", "/reference/commands/add/")


@pytest.fixture
def page(browser: Any, origin: str) -> Iterator[Any]:
    """Return a page, which must not ask another host for anything."""
    opened = browser.new_page(base_url=origin)
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    opened.close()
    assert asked and [address for address in asked if not address.startswith(f"{origin}/")] == []


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_follow_the_color_scheme_of_the_system(page: Any, address: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(address)
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    red, green, blue = (int(part) for part in color.removeprefix("rgb(").removesuffix(")").split(","))
    assert (red + green + blue > 600) == (scheme == "light")


@pytest.mark.parametrize("address", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(page: Any, address: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(address)
    # The theme repeats the labels of its navigation.
    assert find_accessibility_problems(page, ("landmark-unique",)) == []


@pytest.mark.parametrize("address", PAGES)
def test_pages_fit_a_phone(page: Any, address: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_search_finds_a_rule(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("Control+k")
    page.keyboard.type("duplicate-port")
    page.locator("a[href*='rules/duplicate-port']").first.wait_for()


def test_home_leads_to_the_playground(page: Any) -> None:
    page.goto("/")
    page.get_by_role("link", name="Open the playground").click()
    page.wait_for_url("**/playground/app/**")


def test_schemas_have_the_addresses_of_their_ids(page: Any, origin: str) -> None:
    for name, path in (("composition", "composition.schema.json"), ("report", "report/v1.json")):
        answer = page.request.get(f"/schemas/{path}")
        assert answer.body() == (ROOT / "schemas" / f"{name}.schema.json").read_bytes()
    page.goto("/")
