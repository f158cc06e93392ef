"""The report as other programs read it: one module a format, each a function from `Report` to text."""

from __future__ import annotations

from importlib import import_module

from sidecarctl.report.model import Report

FORMATS = ("json", "sarif", "github", "gitlab", "junit", "markdown")


def render(report: Report, format_name: str) -> str:
    """Return the report in one of `FORMATS`, ending with a line end; ValueError for another name."""
    if format_name not in FORMATS:
        raise ValueError(f"no format {format_name!r}")
    module = import_module(f"{__name__}.{format_name}")  # only the one that is asked for
    text: str = module.render(report)
    return text
