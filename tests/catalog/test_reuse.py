"""Tests of reused renderings: equal inputs render once, with the same output as a new rendering."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from library_kit import entry, inputs

from sidecarctl import limited_worker
from sidecarctl.catalog import render as rendering
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.catalog.engines import jinja
from sidecarctl.catalog.parameters import resolve
from sidecarctl.catalog.render import render
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, SidecarctlError

WRITES = """\
{% set owner = workload.name or instance %}
{% set pairs = [["owner", owner], ["where", workload.namespace ~ "/x"]] %}
{% macro line(key, value) %}{{ key }}={{ value }}{% endmacro %}
containers: [{name: a, image: b}]
pod:
  labels: {{ {"owner": owner} | to_json }}
documents:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: {{ companion }}}
  data:
    config: |
      {% set text %}
      {% for key, value in pairs %}{{ line(key, value) }}
      {% endfor %}
      {% endset %}
      {{ text | trim | indent(6) }}
    {{ workload.name | quote }}: {{ workload.name }}
"""
LOOKS = [
    "{% if workload.name == 'web' %}x{% endif %}",
    "{{ workload.name | length }}",
    "{{ workload.name | upper }}",
    "{{ (workload.name ~ 'x') | length }}",
    "{% set t %}{{ workload.name }}{% endset %}{{ t[:2] }}",
    "{% set t %}{{ workload.name }}{% endset %}{{ t | config_hash }}",
    "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(workload.name) | replace('e', 'f') }}",
    "{{ 'same' if workload.name in ['web'] else 'other' }}",
    "{{ workload.name is string }}",
    "{{ workload.name | int(7) }}",
    "{{ workload.name | dns_name }}",
    "{{ workload.name | default('x') | truncate(3, true, '', 0) }}",
    "{% filter upper %}{{ workload.name }}{% endfilter %}",
    "{{ [workload.name, 'web1'] | sort | first }}",
    "{{ ['web', workload.name] | unique | join('-') }}",
    "{{ {'web': 1}.get(workload.name) or 'none' }}",
    "{{ workload.name.startswith('web') }}",
    "{{ workload | config_hash }}",
    "{{ workload['name'] | upper }}",
    "{% set w = workload %}{{ w.name | upper }}",
    "{% for c in workload.name %}{{ c }}.{% endfor %}",
    "{{ (workload.name, 1) == ('web', 1) }}",
    "{% if 'w' in workload.name %}x{% endif %}",
    "{{ ('x' ~ workload.name) is string }}",
    "{{ workload.get('name') }}",
    "{% for key, value in workload.items() %}{{ value if key == 'name' }}{% endfor %}",
    "{{ (workload.values() | list)[1] }}",
]


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Count renderings."""
    count = [0]
    whole = jinja.render

    def counting(sidecar: Sidecar, data: Any) -> str:
        count[0] += 1
        return whole(sidecar, data)

    monkeypatch.setattr(jinja, "render", counting)
    yield count


def _fresh(sidecar: Sidecar, name: str, **changes: Any) -> Any:
    parameters = resolve(sidecar, {})
    data = rendering.template_inputs(parameters, inputs(name, **changes))
    return rendering.build_fragment(rendering._render_data(sidecar, parameters, data))


def test_renders_once_for_workloads_that_differ_in_names(
    library: Path, find: Callable[[str], Sidecar], rendered: list[int]
) -> None:
    entry(library, jinja=WRITES)
    sidecar = find("agent")
    results = [render(sidecar, resolve(sidecar, {}), inputs(f"app-{number}x")) for number in range(20)]
    assert rendered == [1]
    assert results[7].documents[0]["metadata"]["name"] == "app-7x-agent"
    assert results[7] == _fresh(sidecar, "app-7x")


@pytest.mark.parametrize("template", LOOKS)
def test_template_that_inspects_a_name_gets_the_name(
    library: Path, find: Callable[[str], Sidecar], template: str
) -> None:
    entry(library, jinja=f'containers: [{{name: a, image: "i:{template}"}}]\n')
    sidecar = find("agent")
    for name in ("web", "worker", "web"):
        assert render(sidecar, resolve(sidecar, {}), inputs(name)) == _fresh(sidecar, name)


NAMED = "{name: {{ workload.name }}, "
COINCIDING = [
    "documents: [{apiVersion: v1, kind: A, metadata: {name: {{ companion }}}}, {apiVersion: v1, kind: A, metadata: {name: web-agent}}]",
    "containers: [NAMEDimage: b}, {name: web, image: b}]",
    "containers: [NAMEDimage: b}]\ninitContainers: [{name: web, image: b}]",
    "volumes: [NAMEDemptyDir: {}}, {name: web, emptyDir: {}}]",
    "app: {env: [NAMEDvalue: a}, {name: web, value: b}]}",
    "app: {volumeMounts: [{name: a, mountPath: '/{{ workload.name }}'}, {name: b, mountPath: /web}]}",
]


@pytest.mark.parametrize("template", COINCIDING)
def test_name_that_coincides_with_another_one_is_found(
    library: Path, find: Callable[[str], Sidecar], template: str
) -> None:
    entry(library, jinja=template.replace("NAMED", NAMED) + "\n")
    sidecar = find("agent")
    assert render(sidecar, resolve(sidecar, {}), inputs("shop"))
    with pytest.raises(SidecarctlError, match="web"):
        render(sidecar, resolve(sidecar, {}), inputs("web"))


def test_long_name_of_a_port_is_found(library: Path, find: Callable[[str], Sidecar]) -> None:
    entry(library, jinja="fronts: [{upstream: 80, port: 90, portName: {{ companion }}, stage: proxy}]\n")
    sidecar = find("agent")
    assert render(sidecar, resolve(sidecar, {}), inputs("shop")).fronts[0]["portName"] == "shop-agent"
    with pytest.raises(SidecarctlError, match="at most 15"):
        render(sidecar, resolve(sidecar, {}), inputs("shop-of-books"))


@pytest.mark.parametrize(
    ("given", "env"),
    [
        ({"env": {"web": "new"}}, [{"name": "web", "value": "new"}]),
        ({"patch": {"env": [{"name": "web", "$patch": "delete"}]}}, []),
        ({"patch": {"env": [{"name": "web", "value": "new"}]}}, [{"name": "web", "value": "new"}]),
    ],
)
def test_common_parameter_reaches_an_item_with_the_name_of_the_workload(
    library: Path, find: Callable[[str], Sidecar], given: dict[str, Any], env: list[Any]
) -> None:
    entry(library, jinja=f"containers: [{{name: a, image: b, env: [{NAMED}value: old}}]}}]\n")
    sidecar = find("agent")
    render(sidecar, resolve(sidecar, given), inputs("shop"))
    (container,) = render(sidecar, resolve(sidecar, given), inputs("web")).containers
    assert container.get("env", []) == env


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,60}[a-z0-9])?", fullmatch=True)
    | st.sampled_from(["on", "y", "null", "e5", "n", "123", "0x1", "", "zqcompanionqz", "1e3"]),
    prefix=st.sampled_from(["", "1", "0x", "o", "tr"]),
    namespace=st.sampled_from(["", "prod", "no", "7"]),
)
def test_reused_rendering_equals_a_new_one(tmp_path: Path, name: str, prefix: str, namespace: str) -> None:
    text = 'containers: [{name: a, image: b, args: ["<{{ workload.name }}", {{ [workload.name] | to_json }}[0]]}]'
    text = "pod: {labels: {a: PREFIX{{ workload.name }}, b: {{ workload.namespace | quote }}}}\n".replace(
        "PREFIX", prefix
    )
    text += "documents: [{apiVersion: v1, kind: A, metadata: {name: a}, x: [{{ companion }}, {{ [workload.name] | to_json }}]}]\n"
    text += "app: {env: [{name: A, value: {{ (workload.name ~ '-x') | quote }}}]}\n"
    library = tmp_path / f"lib-{prefix or 'none'}"
    if not library.exists():
        entry(library, jinja=text)
    sidecar = open_catalog([library], {}).find("agent")
    facts = {"workload": {**inputs().workload, "name": name, "namespace": namespace}}
    results = []
    for go in (
        lambda: render(sidecar, resolve(sidecar, {}), inputs(name, **facts)),
        lambda: _fresh(sidecar, name, **facts),
    ):
        try:
            results.append(go())
        except Exception as error:
            results.append(str(error))
    assert results[0] == results[1]


OWN_TEXT = "containers: [{name: a, image: b, args: [{{ companion }}, TEXT]}]\n"


@pytest.mark.parametrize("text", ["zqcompanionqz", "zqworkloadnameqz", "zqworkloadnamespaceqz"])
@pytest.mark.parametrize("included", [False, True])
def test_own_text_of_a_template_that_equals_a_placeholder_stays(
    library: Path, find: Callable[[str], Sidecar], text: str, included: bool
) -> None:
    place = entry(library, jinja=OWN_TEXT.replace("TEXT", "{% include 'parts/text.j2' %}" if included else text))
    (place / "parts").mkdir()
    (place / "parts" / "text.j2").write_text(text)
    sidecar = find("agent")
    for name in ("web", "worker"):
        assert render(sidecar, resolve(sidecar, {}), inputs(name)).containers[0]["args"] == [f"{name}-agent", text]


def test_joined_text_of_a_template_that_equals_an_unused_placeholder_stays(
    library: Path, find: Callable[[str], Sidecar]
) -> None:
    entry(library, jinja=OWN_TEXT.replace("TEXT", "{{ 'zqworkload' ~ 'nameqz' }}"))
    sidecar = find("agent")
    rendered = render(sidecar, resolve(sidecar, {}), inputs("web"))
    assert rendered.containers[0]["args"] == ["web-agent", "zqworkloadnameqz"]


def test_template_with_an_unreadable_file_renders_for_each_workload(
    library: Path, find: Callable[[str], Sidecar], rendered: list[int]
) -> None:
    place = entry(library, jinja=WRITES)
    (place / "broken").symlink_to(place / "nowhere")
    sidecar = find("agent")
    for name in ("web", "worker"):
        assert render(sidecar, resolve(sidecar, {}), inputs(name)) == _fresh(sidecar, name)
    assert rendered == [4]


ENDLESS = (
    "{% set ns = namespace(x=[1]) %}{% for i in range(100000) %}{% set ns.x = [ns.x] %}{% endfor %}"
    "containers: [{name: a, image: b, args: [{{ companion }}]}]\n"
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_template_that_is_stopped_at_the_time_limit_is_not_rendered_again(
    library: Path, find: Callable[[str], Sidecar], rendered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDECARCTL_MAX_SECONDS", "1")
    entry(library, jinja=ENDLESS)
    sidecar = find("agent")
    with pytest.raises(LibraryError, match="run time exceeds 1 s"):
        render(sidecar, resolve(sidecar, {}), inputs("web"))
    assert rendered == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_template_that_runs_out_of_memory_is_not_rendered_again(
    library: Path, find: Callable[[str], Sidecar], rendered: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIDECARCTL_MAX_MEMORY", "100")
    limited_worker._child.stop()
    lists = "".join(f"{{% set l{number} = range(90000) | list %}}" for number in range(400))
    entry(library, jinja=f"{lists}containers: [{{name: a, image: b, args: [{{{{ companion }}}}]}}]\n")
    sidecar = find("agent")
    with pytest.raises(LibraryError, match=r"out of memory|memory exceeds"):
        render(sidecar, resolve(sidecar, {}), inputs("web"))
    limited_worker._child.stop()
    assert rendered == [1]


def test_template_with_another_error_is_rendered_again(
    library: Path, find: Callable[[str], Sidecar], rendered: list[int]
) -> None:
    entry(library, jinja="{% if workload.name %}{{ fail('no ' ~ workload.name) }}{% endif %}\n")
    sidecar = find("agent")
    with pytest.raises(LibraryError, match="no web"):
        render(sidecar, resolve(sidecar, {}), inputs("web"))
    assert rendered == [2]


def test_renders_again_after_an_edit(library: Path, find: Callable[[str], Sidecar]) -> None:
    place = entry(library, jinja="containers: [{name: a, image: b}]")
    sidecar = find("agent")
    assert render(sidecar, resolve(sidecar, {}), inputs()).containers[0]["image"] == "b"
    (place / "template.yaml.j2").write_text("containers: [{name: a, image: c}]")
    os.utime(place / "template.yaml.j2", ns=(1, 1))
    assert render(sidecar, resolve(sidecar, {}), inputs()).containers[0]["image"] == "c"


def test_renders_again_after_a_link_leads_to_another_library_of_the_same_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        place = entry(tmp_path / name, jinja=f"containers: [{{name: a, image: {name}}}]")
        for file in place.iterdir():
            os.utime(file, ns=(1, 1))
    link = tmp_path / "current"
    for name in ("one", "two", "one"):
        link.unlink(missing_ok=True)
        link.symlink_to(name)
        sidecar = open_catalog([link], {}).find("agent")
        assert render(sidecar, resolve(sidecar, {}), inputs()).containers[0]["image"] == name


@pytest.mark.parametrize("template", ["{% include 'parts/image.j2' %}", "{{ instance }}{% include 'parts/image.j2' %}"])
@pytest.mark.parametrize("how", ["write", "replace", "add"])
def test_renders_again_after_an_edit_of_an_included_file(
    library: Path, find: Callable[[str], Sidecar], template: str, how: str
) -> None:
    include = template.replace(" %}", " ignore missing %}") if how == "add" else template
    part = entry(library, jinja=f'containers: [{{name: a, image: "i{include}"}}]') / "parts" / "image.j2"
    part.parent.mkdir()
    if how != "add":
        part.write_text("one")
    sidecar = find("agent")
    before = render(sidecar, resolve(sidecar, {}), inputs()).containers[0]["image"]
    if how == "replace":
        other = part.with_name("other")
        other.write_text("two")
        other.replace(part)
    else:
        part.write_text("two")
    after = render(sidecar, resolve(sidecar, {}), inputs()).containers[0]["image"]
    assert (before[-3:] == "one") is (how != "add")
    assert after[-3:] == "two"


def test_ignores_unused_inputs(library: Path, find: Callable[[str], Sidecar], rendered: list[int]) -> None:
    entry(library, jinja="containers: [{name: {{ instance }}, image: b}]")
    sidecar = find("agent")
    for number in range(5):
        render(sidecar, resolve(sidecar, {}), inputs(targets=[{"name": f"c{number}"}], kube_version=f"1.{30 + number}"))
    assert rendered == [1]
