"""Tests of `sidecarctl list`: all entries, including invalid ones, within the terminal width."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from time import process_time

import pytest

from sidecarctl.authoring.sidecar_search import search
from sidecarctl.authoring.word_stems import stem
from sidecarctl.catalog.catalog import open_catalog
from sidecarctl.errors import UsageError
from tests.authoring.library_kit import command, entry


def test_lists_shipped_sidecars_with_version_and_summary(tmp_path: Path) -> None:
    done = command("list", tmp_path)
    assert done.code == 0
    for one in open_catalog([], {}).entries():
        assert one.sidecar
        assert f"{one.name} " in done.stdout
        assert one.sidecar.summary.split()[0] in done.stdout


def test_lines_fit_the_terminal(tmp_path: Path) -> None:
    entry(tmp_path / "lib", summary="Word " * 20 + "end.")
    for columns in ("40", "80"):
        done = command("list --library lib", tmp_path, COLUMNS=columns)
        assert max(map(len, done.stdout.splitlines())) <= int(columns)


def test_lists_shadowed_entries(tmp_path: Path) -> None:
    entry(tmp_path / "lib", "logger")
    done = command("list --library lib", tmp_path)
    assert "shadowed: lib takes precedence" in done.stdout
    assert "library: lib" in done.stdout


def test_lists_invalid_entries_with_their_location(tmp_path: Path) -> None:
    entry(tmp_path / "lib", "good")
    entry(tmp_path / "lib", "bad", spec="  engin: jinja\n")
    done = command("list --library lib", tmp_path)
    assert done.code == 0
    assert 'did you mean "engine"' in " ".join(done.stdout.split())
    assert "at: lib/bad/sidecar.yaml:9:3" in done.stdout
    assert "1 broken" in done.stdout
    assert "good" in done.stdout


def test_reports_template_syntax_errors(tmp_path: Path) -> None:
    entry(tmp_path / "lib", template="containers:\n{% for x in %}\n")
    done = command("list --library lib", tmp_path)
    assert "broken" in done.stdout
    assert "lib/agent/template.yaml.j2:2" in done.stdout


def test_reports_duplicate_entries(tmp_path: Path) -> None:
    entry(tmp_path / "lib", "agent")
    entry(tmp_path / "lib", "agent", folder="agent@1.0.0")
    assert "duplicate sidecar" in command("list --library lib", tmp_path).stdout


def test_json_format(tmp_path: Path) -> None:
    entry(tmp_path / "lib", "bad", spec="  engin: jinja\n")
    listed = {each["name"]: each for each in json.loads(command("list --format json --library lib", tmp_path).stdout)}
    assert listed["logger"]["library"] == "shipped"
    assert listed["bad"]["error"]["where"].endswith("sidecar.yaml:9:3")


def test_color_is_optional(tmp_path: Path) -> None:
    assert "\x1b" not in command("list", tmp_path).stdout
    colored = command("list", tmp_path, NO_COLOR="", FORCE_COLOR="1").stdout
    assert "\x1b[1mlogger\x1b[0m" in colored


def test_escapes_terminal_control_characters(tmp_path: Path) -> None:
    entry(tmp_path / "lib", summary='"\\e[31mred\\e]0;title\\a."')
    assert "\x1b" not in command("list --library lib", tmp_path).stdout


def test_older_versions_are_shown_with_the_newest(tmp_path: Path) -> None:
    entry(tmp_path / "lib", version="1.10.0", summary="The newest.")
    for version in ("1.9.0", "1.2.0"):
        entry(tmp_path / "lib", version=version, folder=f"agent@{version}", summary="An older one.")
    done = command("list --library lib", tmp_path)
    lines = [line for line in done.stdout.splitlines() if line.startswith("agent ")]
    assert len(lines) == 1
    assert lines[0].split()[:2] == ["agent", "1.10.0"]
    assert "older: 1.9.0, 1.2.0" in done.stdout
    found = [
        one
        for one in json.loads(command("list --library lib --format json", tmp_path).stdout)
        if one["name"] == "agent"
    ]
    assert [(one["version"], one.get("newestVersion")) for one in found] == [
        ("1.10.0", None),
        ("1.9.0", "1.10.0"),
        ("1.2.0", "1.10.0"),
    ]


def test_newest_version_can_be_in_the_directory_with_a_version(tmp_path: Path) -> None:
    entry(tmp_path / "lib", version="1.0.0")
    entry(tmp_path / "lib", version="2.0.0", folder="agent@2.0.0")
    assert "older: 1.0.0" in command("list --library lib", tmp_path).stdout
    assert '"properties": {' in command("schema values --library lib", tmp_path).stdout
    assert "agent 2.0.0" in command("show agent --library lib", tmp_path).stdout
    assert "agent 1.0.0" in command("show agent@1.0.0 --library lib", tmp_path).stdout


def test_values_schema_has_the_parameters_of_the_newest_version(tmp_path: Path) -> None:
    parameters = "  parameters: {{properties: {{{}: {{type: string, description: A path.}}}}}}\n"
    entry(tmp_path / "lib", version="2.0.0", spec=parameters.format("path"))
    entry(tmp_path / "lib", version="1.0.0", folder="agent@1.0.0", spec=parameters.format("logDir"))
    schema = json.loads(command("schema values --library lib", tmp_path).stdout)
    assert "path" in schema["$defs"]["agent"]["properties"]


def test_all_versions_are_tested(tmp_path: Path) -> None:
    entry(tmp_path / "lib", version="2.0.0")
    entry(tmp_path / "lib", version="1.0.0", folder="agent@1.0.0")
    assert [
        line for line in command("test --library lib", tmp_path).stdout.splitlines() if line.startswith("agent@")
    ] == [
        "agent@2.0.0",
        "agent@1.0.0",
    ]
    assert "agent@2.0.0" not in command("test --library lib agent@1.0.0", tmp_path).stdout


# A word that users type: the first sidecars found, and some that are not.
SEARCHES = {
    "logging": (("log-tail", "logger"), ("oauth2-proxy", "cloud-sql-proxy")),
    "log": (("log-tail", "logger"), ("oauth2-proxy", "git-sync", "config-sync")),
    "ssl": (("nginx-tls",), ("logger", "git-sync")),
    "auth": (("oauth2-proxy",), ("logger", "cloud-sql-proxy")),
    "login": (("oauth2-proxy",), ("logger",)),
    "secrets": (("config-reloader", "config-sync", "vault-agent"), ("logger",)),
    "monitoring": (("metrics", "auto-instrumentation"), ("logger",)),
    "tracing": (("auto-instrumentation", "otel-collector"), ("metrics",)),
    "database": (("cloud-sql-proxy", "metrics"), ("logger",)),
    "reverse-proxy": (("cloud-sql-proxy", "oauth2-proxy", "proxy"), ("logger", "git-sync")),
    "service-mesh": (("open-service-mesh", "consul-dataplane", "istio", "linkerd"), ("proxy",)),
    "prom": (("metrics",), ("logger",)),
    "rate limit": (("haproxy", "proxy"), ("metrics",)),
}


@pytest.mark.parametrize("words", SEARCHES)
def test_search_finds_words_by_their_stems_and_synonyms(words: str, tmp_path: Path) -> None:
    expected, others = SEARCHES[words]
    found = [each["name"] for each in json.loads(command(f"list {words} --format json", tmp_path).stdout)]
    assert set(found[: len(expected)]) == set(expected)
    assert not set(found) & set(others)


def test_search_without_a_match_is_an_error(tmp_path: Path) -> None:
    done = command("list backup", tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert 'no sidecar matches "backup"' in done.stderr


@pytest.mark.parametrize(
    ("word", "expected"),
    [("logging", "log"), ("logger", "log"), ("logs", "log"), ("proxies", "proxy"), ("tls", "tls"), ("traces", "trac")],
)
def test_stems_have_no_endings(word: str, expected: str) -> None:
    assert stem(word) == expected


_LOG_WORDS = ["-".join(each) for each in product(("log", "logs", "logging", "logger", "logged"), repeat=6)]


@pytest.mark.parametrize("words", [list(map(str, range(20_000))), _LOG_WORDS])
def test_time_of_a_search_grows_with_the_number_of_words(words: list[str]) -> None:
    entries = open_catalog([], {}).entries()
    start = process_time()
    if words is _LOG_WORDS:
        assert "logger" in [entry.name for entry in search(entries, words)]
    else:
        with pytest.raises(UsageError, match="no sidecar matches"):
            search(entries, words)
    assert process_time() - start < 10
