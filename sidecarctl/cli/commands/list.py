"""`sidecarctl list`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from sidecarctl.cli import options as o
from sidecarctl.errors import UsageError

# Above the function, which hides the type of its name.
Words = Annotated[
    list[str],
    o.Argument("[WORD...]", "Only sidecars about these words, the best match first.", required=False),
]
For = Annotated[
    list[str],
    o.Option(
        ("--for",), "Suggest sidecars for a manifest, directory, or - for stdin. Repeatable.", "PATH", panel=o.INPUT
    ),
]


def list(
    words: Words = [],  # noqa: B006
    for_: For = [],  # noqa: B006
    library: o.Library = [],  # noqa: B006
    format: o.Data = "text",
) -> int:
    """List the sidecars of the libraries, search them, or suggest those that fit a manifest."""
    from sidecarctl.authoring import sidecar_list
    from sidecarctl.cli.console import stream_style, write_text
    from sidecarctl.cli.libraries import open_libraries

    if for_:
        if words:
            raise UsageError("--for cannot be combined with words", hint="use one of them")
        return _suggest(for_, library, format)
    entries = sidecar_list.check_entries(open_libraries(library).entries())
    if words:
        from sidecarctl.authoring.sidecar_search import search

        entries = search(entries, words)
    style = stream_style()
    write_text(
        sidecar_list.list_data(entries)
        if format == "json"
        else sidecar_list.render_list(entries, color=style.color, width=style.width)
    )
    return 0


def _suggest(paths: Sequence[str], library: Sequence[str], format: str) -> int:
    from sidecarctl.cli import console, suggestions
    from sidecarctl.cli.build_request import pipeline_options
    from sidecarctl.cli.inputs import input_options, read_inputs
    from sidecarctl.cli.libraries import open_libraries
    from sidecarctl.cli.rule_config import nearest_exclude, nearest_kinds
    from sidecarctl.cli.selection import no_workload_error

    inputs = read_inputs(input_options(paths, o.InputFlags(), exclude=nearest_exclude()))
    settings = pipeline_options(None, "warn", nearest_kinds(), facts=False)
    offers, count = suggestions.find_offers(inputs, open_libraries(library), library, settings)
    for error in inputs.errors:
        console.report_error(error)
    if not count and not inputs.errors:
        raise no_workload_error([source.name for source, _ in inputs.sources])
    style = console.stream_style()
    console.write_text(
        suggestions.offers_data(offers)
        if format == "json"
        else suggestions.render_offers(offers, count, color=style.color, width=style.width)
    )
    console.report_skipped(inputs.skipped)
    return max((error.exit_code for error in inputs.errors), default=0)
