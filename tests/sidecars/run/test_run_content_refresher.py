"""content-refresher runs as the manifest says: it downloads, replaces the file atomically, and keeps it when that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sidecars.run.eventually import eventually
from tests.sidecars.sandbox.network import FAMILIES
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.servers import Answer, Request
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("family", FAMILIES)
def test_the_app_waits_for_the_file_which_then_follows_the_source(family: str, tmp_path: Path) -> None:
    addresses = FAMILIES[family]
    answers = [Answer(503, {}, b"busy"), Answer(200, {}, b"one"), Answer(500, {}, b"broken"), Answer(200, {}, b"two")]

    def source(request: Request) -> Answer:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    words = "content-refresher --set source=http://source.example.com:8000/page --set period=1s --set retryPeriod=1s"
    manifest = added(words, deployment(8080), tmp_path)
    hosts = {"source.example.com": addresses.outside[0]}
    with Pod(manifest, tmp_path, addresses=addresses, hosts=hosts) as pod:
        pod.serve(8000, source, addresses.outside[0])
        refresher = pod.start("content-refresher")
        file = pod.volumes["content-refresher-content"] / "index.html"
        assert file.read_text() in ("one", "two"), "the startup probe waits for it"
        eventually(lambda: file.read_text() == "two")
        assert file.stat().st_mode & 0o777 == 0o644
        assert "kept /content/index.html" in refresher.log()
        assert pod.stop("content-refresher") < 5
        assert refresher.exit_code() == 0
        assert [each.name for each in file.parent.iterdir()] == ["index.html"]
