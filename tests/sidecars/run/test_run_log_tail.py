"""log-tail runs as the manifest says: it prints what the app writes, follows rotation, and ends on SIGTERM."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sidecars.run.eventually import eventually
from tests.sidecars.sandbox.pod import Pod, added
from tests.sidecars.sandbox.workload import deployment

pytestmark = pytest.mark.e2e


def test_it_prints_what_the_app_writes_before_and_after_a_rotation(tmp_path: Path) -> None:
    with Pod(added("log-tail --set preStopSleep=0", deployment(8080), tmp_path), tmp_path) as pod:
        logs = pod.volumes["log-tail-logs"]
        tail = pod.start("log-tail")
        (logs / "app.log").write_text("first\n")
        eventually(lambda: "first\n" in tail.log())
        (logs / "app.log").rename(logs / "app.log.1")
        (logs / "app.log").write_text("second\n")
        eventually(lambda: "second\n" in tail.log())
        with (logs / "app.log").open("a") as file:
            file.write("last\n")
        assert pod.stop("log-tail") < 5
        assert tail.exit_code() == 0
        assert [line for line in tail.log().splitlines() if "tail:" not in line] == ["first", "second", "last"]
