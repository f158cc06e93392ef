"""A Git server over HTTP inside a pod: git's own CGI program behind a handler of the sandbox."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.sidecars.sandbox.servers import Answer, Handler, Request

_BACKEND = "/usr/lib/git-core/git-http-backend"
_ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    **{
        f"GIT_{who}_{what}": f"{who.lower()}@example.com"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
}


def commit(repository: Path, files: dict[str, str]) -> str:
    """Commit files, and return the hash. The repository is created by the first commit."""
    if not repository.exists():
        _git(repository.parent, "init", "--quiet", "--initial-branch=main", str(repository))
    for name, text in files.items():
        (repository / name).write_text(text)
    _git(repository, "add", "--all")
    _git(repository, "commit", "--quiet", "--message=Change")
    return _git(repository, "rev-parse", "HEAD").strip()


def serve_repository(repository: Path) -> Handler:
    """Return a handler that serves the repository at /site.git."""

    def handle(request: Request) -> Answer:
        path, _, query = request.path.partition("?")
        env = {
            **_ENV,
            "GIT_PROJECT_ROOT": str(repository),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path.replace("/site.git", "/.git", 1),
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "CONTENT_LENGTH": str(len(request.body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        }
        done = subprocess.run([_BACKEND], input=request.body, env=env, capture_output=True, check=True)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        return Answer(int(headers.pop("Status", "200").split()[0]), headers, body)

    return handle


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, env=_ENV, capture_output=True, text=True, check=True)
    return done.stdout
