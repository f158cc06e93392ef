"""Verdicts of a real API server in the form of the oracle, so that both are compared in the same way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from apiserver import Answer, Server
from oracle import Problem, Verdict

from sidecarctl.findings import PathTuple
from sidecarctl.kube.workload import objects

THREADS = 4
_ATTEMPTS = 10
_STRICT = re.compile(r'(unknown|duplicate) field "((?:[^"\\]|\\.)*)"')

# What the admission plugins look up. An object that is missing in the cluster is created, and the request repeated:
# whether it exists is not a matter of the manifest.
_Provide = Callable[[Server, Mapping[str, Any], "re.Match[str]"], None]


def _namespace(server: Server, document: Mapping[str, Any], found: re.Match[str]) -> None:
    server.provide_namespace(found[1])


def _account(server: Server, document: Mapping[str, Any], found: re.Match[str]) -> None:
    server.provide_account(found[1], found[2])


def _named(api_version: str, kind: str, **fields: Any) -> _Provide:
    def provide(server: Server, document: Mapping[str, Any], found: re.Match[str]) -> None:
        server.create(
            {"apiVersion": api_version, "kind": kind, "metadata": {"name": found[1]}, **fields}, dry_run=False
        )

    return provide


_NEEDED: Sequence[tuple[str, _Provide]] = (
    (r'^namespaces "([^"]+)" not found', _namespace),
    (r'error looking up service account ([^/ ]+)/([^: ]+): serviceaccount "[^"]*" not found', _account),
    (r"no PriorityClass with name (\S+) was found", _named("scheduling.k8s.io/v1", "PriorityClass", value=0)),
    (r'RuntimeClass "([^"]+)" not found', _named("node.k8s.io/v1", "RuntimeClass", handler="default")),
)


def judge(server: Server, document: Any) -> Verdict:
    """Return the verdict of a server on one object, or on the items of a List together."""
    if not isinstance(document, dict):
        return _verdict(server, {}, Answer(400, {"message": "not an object"}))
    items = list(objects(document))
    if items and items[0][1]:
        return _of_list(server, document, items)
    answer = server.create(document)
    for _ in range(_ATTEMPTS):
        needed = ((re.search(pattern, answer.message), provide) for pattern, provide in _NEEDED)
        wanted = next(((found, provide) for found, provide in needed if found), None)
        if answer.accepted or wanted is None:
            break
        wanted[1](server, document, wanted[0])
        again = server.create(document)
        if again.message == answer.message:
            time.sleep(0.1)  # plugins see new objects a moment later
        answer = again
    return _verdict(server, document, answer)


def judge_all(server: Server, documents: Iterable[Any]) -> Iterator[Verdict]:
    """Yield the verdict on each document, in order."""
    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(lambda document: judge(server, document), documents)


def _of_list(server: Server, document: Mapping[str, Any], items: list[tuple[Any, PathTuple]]) -> Verdict:
    verdicts = [
        (judge(server, item), ".".join(map(str, path)).replace("items.", "items[") + "]") for item, path in items
    ]
    problems = [
        Problem(f"{place}.{problem.field}".rstrip("."), problem.type, problem.detail, problem.message)
        for verdict, place in verdicts
        for problem in verdict.errors
    ]
    supported = all(verdict.supported for verdict, _ in verdicts)
    return Verdict("v1", str(document["kind"]), supported, supported and not problems, errors=tuple(problems))


def _verdict(server: Server, document: Mapping[str, Any], answer: Answer) -> Verdict:
    api_version, kind = (str(document.get(key, "")) for key in ("apiVersion", "kind"))
    problems = () if answer.accepted else tuple(_problems(answer))
    groups = {own.rpartition("/")[0] for own, _ in server.resources}
    known = answer.body.get("reason") != "NotServed" or api_version.rpartition("/")[0] in groups
    return Verdict(
        api_version, kind, known, answer.accepted, errors=problems if known else (), warnings=answer.warnings
    )


def _problems(answer: Answer) -> Iterator[Problem]:
    """Yield the problems that a refusal names: its causes, unknown and duplicate fields, else its message."""
    causes = (answer.body.get("details") or {}).get("causes") or ()
    for cause in causes:
        yield Problem(cause.get("field", ""), cause.get("reason", "").removeprefix("FieldValue"), cause["message"])
    found = _STRICT.findall(answer.message) if "strict decoding error" in answer.message else ()
    for what, field in found:
        yield Problem(field, f"{what.title()}Field", f'{what} field "{field}"')
    if not causes and not found:
        yield Problem("", answer.body.get("reason", ""), answer.message, answer.message)
