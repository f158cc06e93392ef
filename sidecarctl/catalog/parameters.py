"""Resolve the parameters of a sidecar: parse, validate, and fill in defaults."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import Any

from sidecarctl.catalog import common_parameters
from sidecarctl.catalog.assignments import Origins, RawText, assign, hide_value, merge, parse_set, read_values
from sidecarctl.catalog.json_schema import SchemaFault, SchemaProblem, find_problems, path_text
from sidecarctl.catalog.parameter_values import (
    convert,
    has_secrets,
    remove_defaults,
    with_defaults,
    with_nulls,
)
from sidecarctl.catalog.renamed_parameters import current_name
from sidecarctl.catalog.sidecar import Sidecar
from sidecarctl.errors import LibraryError, UsageError, did_you_mean
from sidecarctl.lazy_dataclass import dataclass, field, replace
from sidecarctl.yamltext.parse import SyntaxProblem

__all__ = ["Parameters", "RawText", "assign", "has_secrets", "parse_set", "read_values", "resolve"]


_LISTED = 10


@dataclass(frozen=True)
class Parameters:
    """The validated parameters of a sidecar.

    values    its own parameters with defaults; declared ones without a value are None
    recorded  values that differ from the defaults, without secrets, for the record
    common    given common parameters, normalized
    shared    names of common parameters that are given for all sidecars at once
    secrets   the texts of given secrets, to keep them out of messages
    secret_paths  the paths of given secrets
    where     origin of the parameters as a whole; `origins` has the origin of each, for messages
    """

    values: dict[str, Any]
    recorded: dict[str, Any]
    common: dict[str, Any]
    shared: tuple[str, ...] = field(default=(), compare=False)
    where: str = field(default="", compare=False)
    origins: Origins = field(default_factory=dict, compare=False)
    secrets: frozenset[str] = field(default=frozenset(), compare=False, repr=False)
    secret_paths: tuple[tuple[str, ...], ...] = field(default=(), compare=False)

    def without_shared(self) -> Parameters:
        """Return the parameters of a sidecar without containers: what is given for all sidecars does not apply to it."""
        kept = {name: value for name, value in self.recorded.items() if name not in self.shared}
        return replace(self, recorded=kept)


def resolve(
    sidecar: Sidecar,
    given: Mapping[str, object],
    where: str = "",
    origins: Origins | None = None,
    shared: Mapping[str, object] | None = None,
) -> Parameters:
    """Return the parameters of a sidecar.

    `where` is the origin of `given`, `origins` the origin of each parameter; `shared` are common parameters for all sidecars,
    below `given`. Null for a parameter that is not nullable selects its default. Raise UsageError for an unknown, invalid, or
    missing parameter, LibraryError for an invalid schema or default. Schemas of other libraries than the shipped
    one have a time limit: by a timer in the main thread, in a child process in other threads.
    """
    if sidecar.is_shipped:
        return _resolve(sidecar, given, where, origins, shared)
    from sidecarctl.catalog.time_limit import library_time_limit
    from sidecarctl.cpu_time import has_timer, run_in_child

    with library_time_limit(f"invalid parameter schema of {sidecar}: validating parameters", str(sidecar.file)):
        if has_timer():
            return _resolve(sidecar, given, where, origins, shared)
        answer = run_in_child(_answer, (sidecar, given, where, shared))
    return _from_answer(answer, origins)


def _answer(request: tuple[Sidecar, Mapping[str, object], str, Mapping[str, object] | None]) -> dict[str, Any]:
    """Return parameters, or the error about them, as JSON."""
    sidecar, given, where, shared = request
    try:
        found = _resolve(sidecar, given, where, None, shared)
    except UsageError as error:
        is_fault = isinstance(error, LibraryError)
        return {"message": error.message, "hint": error.hint, "where": error.where, "is_fault": is_fault}
    return {
        **{name: getattr(found, name) for name in ("values", "recorded", "common", "shared", "where")},
        "secrets": sorted(found.secrets),
        "secret_paths": found.secret_paths,
    }


def _from_answer(answer: dict[str, Any], origins: Origins | None) -> Parameters:
    """Return the parameters of an answer. Raises its error."""
    if "message" in answer:
        kind = LibraryError if answer["is_fault"] else UsageError
        raise kind(answer["message"], hint=answer["hint"], where=answer["where"])
    secrets = frozenset(answer.pop("secrets"))
    shared, paths = tuple(answer.pop("shared")), tuple(map(tuple, answer.pop("secret_paths")))
    return Parameters(**answer, shared=shared, secrets=secrets, secret_paths=paths, origins=origins or {})


def _resolve(
    sidecar: Sidecar,
    given: Mapping[str, object],
    where: str,
    origins: Origins | None,
    shared: Mapping[str, object] | None,
) -> Parameters:
    schema = sidecar.parameters
    names = frozenset(common_parameters.NAMES) - schema.get("properties", {}).keys()  # a sidecar's own parameter wins
    shared = {name: value for name, value in (shared or {}).items() if name in names}
    inherited = tuple(name for name in shared if name not in given)
    given = merge(shared, given)
    try:
        common = convert(
            {k: v for k, v in given.items() if k in names},
            common_parameters.SCHEMA,
            common_parameters.SCHEMA,
        )
        own = convert({k: v for k, v in given.items() if k not in names}, schema, schema)
        filled = with_defaults(own, schema, schema)
        problems = find_problems(common_parameters.SCHEMA, common) or find_problems(schema, filled)
        if problems:
            _check_defaults(sidecar)
            raise _to_error(sidecar, _hide_secrets(problems, own, schema), where)
        defaults, complete = with_defaults({}, schema, schema), with_nulls(filled, schema, schema)
        recorded = remove_defaults(filled, defaults, schema, schema)
        secrets, paths = frozenset[str](), tuple[tuple[str, ...], ...]()
        if has_secrets(schema):
            from sidecarctl.catalog.secret_parameters import remove_secrets, secret_paths, secret_texts

            recorded = remove_secrets(recorded, schema)
            secrets, paths = secret_texts(own, schema), secret_paths(own, schema)
    except SchemaFault as fault:
        raise LibraryError(f"invalid parameter schema of {sidecar}: {fault}", where=str(sidecar.file)) from None
    except SyntaxProblem as problem:
        problem.hide_content()
        raise UsageError(
            f"invalid parameter of sidecar {sidecar.name}: {problem.message}",
            where=where,
            hint=problem.hint or "quote it",
        ) from None
    return Parameters(
        complete,
        {**recorded, **common},
        common_parameters.normalize(common),
        inherited,
        where,
        origins or {},
        secrets,
        paths,
    )


def _hide_secrets(problems: list[SchemaProblem], given: object, schema: Any) -> list[SchemaProblem]:
    """Return problems without the texts of secrets; a path ends before a key that is one."""
    if not has_secrets(schema):
        return problems
    from sidecarctl.catalog.masking import mentions
    from sidecarctl.catalog.secret_parameters import secret_texts

    secrets, out = secret_texts(given, schema), []
    for problem in problems:
        if mentions(str(problem), secrets):
            path = tuple(takewhile(lambda step: not _is_secret_text(step, secrets), problem.path))
            problem = SchemaProblem(path, "invalid value (hidden: the parameter is secret)")
        out.append(problem)
    return out


def _is_secret_text(step: str | int, secrets: frozenset[str]) -> bool:
    """Return whether a key is a secret: their texts have no white space around them."""
    return isinstance(step, str) and step.strip() in secrets


def _check_defaults(sidecar: Sidecar) -> None:
    """Raise LibraryError if the defaults of a sidecar violate its schema, which is not an error of the user."""
    schema = sidecar.parameters
    for problem in find_problems({**schema, "required": []}, with_defaults({}, schema, schema)):
        raise LibraryError(
            f"invalid default in {sidecar}: {problem}",
            where=str(sidecar.file),
            hint="fix the default or the schema",
        )


def _to_error(sidecar: Sidecar, problems: list[SchemaProblem], where: str) -> UsageError:
    texts = [_describe_problem(sidecar, problem) for problem in problems[:_LISTED]]
    message = "\n  ".join(text for text, _ in texts)
    more = f"\n  and {len(problems) - _LISTED} more" if len(problems) > _LISTED else ""
    hints = dict.fromkeys(hint for _, hint in texts if hint)
    return UsageError(message + more, hint="\n".join(hints), where=where)


def _describe_problem(sidecar: Sidecar, problem: SchemaProblem) -> tuple[str, str]:
    key = path_text(problem.path)
    if problem.on_key and len(problem.path) == 1:
        known = [*sidecar.parameters.get("properties", {}), *common_parameters.NAMES]
        if key in sidecar.renamed_parameters:
            hint = f"it was renamed to {current_name(key, sidecar.renamed_parameters)}"
            return f'unknown parameter "{key}" for sidecar {sidecar.name}', hint
        hint = did_you_mean(key, known) or f"parameters: {', '.join(known)}"
        return f'unknown parameter "{hide_value(key)}" for sidecar {sidecar.name}', hint
    if problem.on_key:
        owner = path_text(problem.path[:-1])
        return f'{sidecar.name}: unknown field "{problem.path[-1]}" in parameter "{owner}"', problem.hint
    if problem.missing:
        full = path_text((*problem.path, problem.missing))
        hint = f"set it with --set {sidecar.name}.{full}=<value>" + (f": {problem.hint}" if problem.hint else "")
        return f'{sidecar.name}: missing required parameter "{full}"', hint
    if not key:
        return f"{sidecar.name}: {problem.message}", problem.hint
    separator = " " if problem.message.startswith("must") else ": "
    return f'{sidecar.name}: parameter "{key}"{separator}{problem.message}', problem.hint
