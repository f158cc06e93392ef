"""content-refresher's script, settings, mounts and probe agree; the script itself runs against a real server where it can."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sidecar_cases import all_containers, breaches, cases, mounted, rendered

from sidecarctl.catalog.fragment import Fragment
from sidecarctl.errors import LibraryError, UsageError

CASES = cases("content-refresher")
SOURCE = "https://www.example.com/"
MODES = ["native", "classic", "init"]
MANIFEST = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "site"},
    "spec": {"template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1"}]}}},
}


def refresher(source: str = SOURCE, mode: str = "native", **params: Any) -> Fragment:
    return rendered("content-refresher", params={"source": source, **params}, manifest=MANIFEST, mode=mode)


def env(container: Any) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"]}


def settings(fragment: Fragment) -> dict[str, str]:
    """curl's settings: name -> value as curl reads it; switches have the value ''."""
    lines = fragment.documents[0]["data"]["curl.conf"].splitlines()
    found = (re.fullmatch(r'([a-z-]+)(?: = (?:"(.*)"|(\S+)))?', line) for line in lines)
    pairs = [(each[1], each[2] if each[3] is None else each[3]) for each in found if each is not None]
    assert len(pairs) == len(lines), "a line is no setting"
    return {name: re.sub(r"\\(.)", r"\1", value or "") for name, value in pairs}


# --- what holds in every case ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_every_case_keeps_the_house_rules(case: str, mode: str) -> None:
    assert breaches(rendered("content-refresher", case, mode=mode)) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_every_directory_of_the_script_is_mounted_and_writable_where_it_writes(case: str, mode: str) -> None:
    fragment = rendered("content-refresher", case, mode=mode)
    script = fragment.documents[0]["data"]["refresh.sh"]
    paths = dict(re.findall(r"^(config|secret|state)=(\S+)$", script, re.M))
    for container in all_containers(fragment):
        mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
        assert mounts[paths["config"]]["readOnly"] and container["command"][1] == f"{paths['config']}/refresh.sh"
        assert not mounts[paths["state"]].get("readOnly")
        content = mounted(container, fragment, env(container)["STATIC_FILE"])
        assert content is not None and content["name"] == fragment.volume_mounts[0]["name"]
        assert not mounts["/content"].get("readOnly")
        secret = mounted(container, fragment, f"{paths['secret']}/token")
        if secret:
            files = {item["path"] for item in secret["secret"]["items"]}
            assert files in ({"token"}, {"username", "password"})
            assert all(f"$secret/{name}" in script for name in files)
        assert set(re.findall(r"\$\{?([A-Z_]+)", script)) == set(env(container))
        authority = settings(fragment).get("cacert")
        assert authority is None or mounted(container, fragment, authority) is not None


@pytest.mark.parametrize("case", CASES)
def test_the_app_waits_for_the_very_file_that_is_written(case: str) -> None:
    (container,) = rendered("content-refresher", case).containers
    assert container["startupProbe"]["exec"]["command"] == ["test", "-s", env(container)["STATIC_FILE"]]


# --- modes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "wait", "init", "beside", "probe"),
    [
        ("native", True, [], ["content-refresher"], True),
        ("native", False, [], ["content-refresher"], False),
        ("classic", True, ["content-refresher-init"], ["content-refresher"], False),
        ("classic", False, [], ["content-refresher"], False),
        ("init", True, [], ["content-refresher"], False),
    ],
)
def test_what_runs_follows_mode_and_wait(
    mode: str, wait: bool, init: list[str], beside: list[str], probe: bool
) -> None:
    fragment = refresher(mode=mode, wait=wait)
    assert [each["name"] for each in fragment.init_containers] == init
    assert [each["name"] for each in fragment.containers] == beside
    assert any("startupProbe" in each for each in all_containers(fragment)) == probe
    for container in all_containers(fragment):
        once = container in fragment.init_containers or mode == "init"
        assert (env(container)["PERIOD"] == "") == once == (env(container)["MAX_FAILURES"] != "")


def test_a_source_that_is_away_does_not_take_the_app_out_of_service() -> None:
    (container,) = refresher().containers
    assert "readinessProbe" not in container and "livenessProbe" not in container


def test_nginx_finds_the_page_without_any_setting() -> None:
    fragment = refresher()
    assert fragment.volume_mounts == (
        {"name": "content-refresher-content", "mountPath": "/usr/share/nginx/html", "readOnly": True},
    )
    assert env(fragment.containers[0])["STATIC_FILE"] == "/content/index.html"
    assert env(fragment.containers[0])["STATIC_SOURCE"] == SOURCE


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"source": "https://bob:secret@example.com/"}, "visible in the manifest"),
        ({"file": "../passwd"}, "inside mountPath"),
        ({"source": "http://example.com/", "ca": {"configMapName": "ca"}}, "ca requires HTTPS"),
        ({"mode": "init", "wait": False}, "wait=false has no effect"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(LibraryError, match=message):
        refresher(**params)


@pytest.mark.parametrize(
    "params",
    [
        {"source": "ftp://x/"},
        {"source": "file:///etc/passwd"},
        {"file": "/abs"},
        {"period": "60"},
        {"headers": {"A": "x\ny"}},
    ],
)
def test_values_that_curl_or_the_script_would_misread_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        refresher(**params)


def test_an_at_sign_in_the_path_or_the_query_is_no_credential() -> None:
    refresher("https://example.com/@site/logo.svg")
    refresher("https://example.com?mail=a@b")


def test_a_dollar_sign_in_the_url_is_not_taken_for_a_variable() -> None:
    (container,) = refresher("https://example.com/?q=$(PERIOD)").containers
    assert env(container)["STATIC_SOURCE"] == "https://example.com/?q=$$(PERIOD)"


def test_a_redirect_never_leaves_https() -> None:
    assert settings(refresher())["proto-redir"] == "=https"
    assert settings(refresher("http://example.com/"))["proto-redir"] == "=http,https"


def test_headers_reach_curl_as_they_were_given() -> None:
    assert settings(refresher(headers={"X-Note": 'a "b" \\ c'}))["header"] == 'X-Note: a "b" \\ c'


# --- the script at work ----------------------------------------------------------------------------------------------

SHELL = ["busybox", "sh"] if shutil.which("busybox") else ["sh"]
"""The image's shell is busybox; any other must do too."""


def at_work(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that runs the script."""
    found = all(shutil.which(name) for name in ("curl", "cmp", SHELL[0]))
    return pytest.mark.e2e(pytest.mark.skipif(not found, reason="needs curl, cmp and a shell")(test))


@dataclass
class Site:
    """What the server answers, and what it was asked."""

    body: bytes = b"one"
    status: int = 200
    etag: str = ""
    half: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def served(site: Site) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append({key.lower(): value for key, value in self.headers.items()})
            same = bool(site.etag) and self.headers.get("If-None-Match") == site.etag
            body = site.body  # read once: the test replaces it while a response is sent
            self.send_response(304 if same else site.status)
            if site.etag:
                self.send_header("ETag", site.etag)
            self.send_header("Content-Length", str(0 if same else len(body) * (2 if site.half else 1)))
            self.end_headers()
            if not same:
                self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def runnable(fragment: Fragment, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The container's command and environment, with its directories inside of `folder`."""
    (container,) = fragment.containers
    for name in ("config", "secret", "state", "content"):
        (folder / name).mkdir()
    for key, text in fragment.documents[0]["data"].items():
        for name, path in re.findall(r"^(config|secret|state)=(\S+)$", text, re.M):
            text = text.replace(f"{name}={path}\n", f"{name}={shlex.quote(str(folder / name))}\n")
        (folder / "config" / key).write_text(text)
    given = {key: value.replace("$$(", "$(") for key, value in env(container).items()}
    given["STATIC_FILE"] = given["STATIC_FILE"].replace("/content", str(folder / "content"), 1)
    return [*SHELL, str(folder / "config/refresh.sh")], {"PATH": os.environ["PATH"], **given}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def running(folder: Path, url: str, **params: Any) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    command, variables = runnable(refresher(url, period="1s", retryPeriod="1s", **params), folder)
    # `sleep` of the test machine takes fractions, which keeps the test short.
    variables |= {"PERIOD": "0.1", "RETRY_PERIOD": "0.1"}
    with subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process, Path(variables["STATIC_FILE"])
        finally:
            process.terminate()
            process.wait(10)


@at_work
def test_new_content_takes_the_place_of_the_old_and_equal_content_does_not(tmp_path: Path) -> None:
    site = Site()
    with served(site) as url, running(tmp_path, url) as (_, file):
        until(lambda: file.exists())
        first = file.stat()
        until(lambda: len(site.asked) > 2)
        assert (file.read_bytes(), file.stat().st_ino, file.stat().st_mtime_ns) == (
            b"one",
            first.st_ino,
            first.st_mtime_ns,
        )
        assert first.st_mode & 0o777 == 0o644, "another user serves it"
        site.body = b"two, and longer"
        until(lambda: file.read_bytes() == site.body)
        assert file.stat().st_ino != first.st_ino, "replaced, not overwritten"


@at_work
def test_an_unchanged_answer_is_not_sent_again(tmp_path: Path) -> None:
    site = Site(etag='"v1"')
    with served(site) as url, running(tmp_path, url) as (process, file):
        until(lambda: len(site.asked) > 2)
        assert [each.get("if-none-match") for each in site.asked[1:3]] == ['"v1"'] * 2
        file.unlink()
        until(file.exists)
        assert process.poll() is None


@at_work
@pytest.mark.parametrize(
    "bad", [{"status": 500}, {"status": 404}, {"body": b""}, {"half": True}, {"body": b"x" * 3000}]
)
@pytest.mark.parametrize("etag", ["", '"v2"'])
def test_a_bad_answer_leaves_the_last_good_file(bad: dict[str, Any], etag: str, tmp_path: Path) -> None:
    site = Site()
    with served(site) as url, running(tmp_path, url, **{"max-filesize": "2K", "max-time": 1}) as (_, file):
        until(file.exists)
        site.etag = etag
        for key, value in bad.items():
            setattr(site, key, value)
        asked = len(site.asked)
        until(lambda: len(site.asked) > asked + 2)
        assert file.read_bytes() == b"one"
        site.__dict__.update(status=200, body=b"three", half=False)
        until(lambda: file.read_bytes() == b"three")


@at_work
def test_the_first_fetch_is_tried_until_it_succeeds(tmp_path: Path) -> None:
    site = Site(status=503)
    with served(site) as url, running(tmp_path, url, file="a/b/page.html") as (_, file):
        until(lambda: len(site.asked) > 1)
        assert not file.exists()
        site.status = 200
        until(file.exists)


@at_work
def test_it_ends_at_once_on_sigterm_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    with served(Site(half=True)) as url, running(tmp_path, url) as (process, file):
        until(lambda: any(file.parent.iterdir()))
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - started < 2
        assert list(file.parent.iterdir()) == []


@at_work
@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1)])
def test_before_the_app_it_fetches_once_and_says_how_it_went(status: int, code: int, tmp_path: Path) -> None:
    site = Site(status=status)
    with served(site) as url:
        command, variables = runnable(refresher(url, mode="init", initMaxFailures=2), tmp_path)
        done = subprocess.run(command, env={**variables, "RETRY_PERIOD": "0.1"}, timeout=20, check=False)
    assert done.returncode == code
    assert len(site.asked) == (1 if status == 200 else 2)


@at_work
@pytest.mark.parametrize(
    ("scheme", "files", "header"),
    [
        ("bearer", {"token": 'a"b\\c\n'}, 'Bearer a"b\\c'),
        ("basic", {"username": "bob\n", "password": 'p"\\w:d'}, "Basic Ym9iOnAiXHc6ZA=="),
    ],
)
def test_credentials_are_sent_and_never_stand_among_the_arguments(
    scheme: str, files: dict[str, str], header: str, tmp_path: Path
) -> None:
    site = Site()
    with served(site) as url:
        fragment = refresher(url, mode="init", credentials={"secretName": "s", "scheme": scheme})
        command, variables = runnable(fragment, tmp_path)
        for name, text in files.items():
            (tmp_path / "secret" / name).write_text(text)
        subprocess.run(command, env=variables, timeout=20, check=True)
    assert site.asked[0]["authorization"] == header
