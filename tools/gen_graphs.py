"""Generate docs/graph.md and docs/graphs/*.svg from the examples: `python tools/gen_graphs.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sidecarctl.inject.pipeline import Options
from sidecarctl.inject.pod_graph import read_pods
from sidecarctl.inject.pod_routes import read_services
from sidecarctl.report.graph import svg, tree

ROOT = Path(__file__).resolve().parent.parent
_SHOWN = "two-sidecars"
_PAGE = """\
# Graphs

`sidecarctl graph` draws a Pod: containers in start order, what each start waits for, volumes with their readers and writers, ports,
the Services of the input that lead to it, and what each sidecar added. It reads only manifests. Pods without sidecars work too.

```sh
sidecarctl graph -f web.yaml                              # tree for the terminal
sidecarctl graph -f web.yaml --format svg -o web.svg      # adapts to light and dark mode
sidecarctl graph -f web.yaml --format mermaid             # for a pull request
sidecarctl graph -f web.yaml --format markdown >> "$GITHUB_STEP_SUMMARY"
```

How to read a graph:

- The numbers are start steps. Init containers run one after the other. A native sidecar lets the next step begin when its startup
  probe succeeds, or, without a startup probe, when it has started. All app containers share one step.
- App containers stop first, all at once. Native sidecars stop after them, in reverse start order.
- A Service leads to the container that listens on its target port. A sidecar in front of the app leads to the next sidecar, or to
  the app. A Service that bypasses such sidecars is marked with *around*.
- A container *writes* a volume if the mount is not `readOnly` and the volume source is writable.

## In the terminal

```console
$ sidecarctl graph -f {shown}/expected.yaml
{tree}```

## In a pull request

```mermaid
{mermaid}```

## Examples

{examples}
"""


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each generated file with its text."""
    sections = []
    for source in sorted((ROOT / "examples").glob("*/expected.yaml")):
        name = source.parent.name
        text = source.read_text(encoding="utf-8")
        found = list(read_pods(text, Options(), services=list(read_services(text))))
        if name == _SHOWN:
            shown = found
        yield ROOT / "docs" / "graphs" / f"{name}.svg", svg.render_svg(found)
        command = (source.parent / "cmd").read_text(encoding="utf-8").strip()
        sections.append(f"### {name}\n\n```sh\n{command}\n```\n\n![Pod of the example {name}](graphs/{name}.svg)")
    yield (
        ROOT / "docs" / "graph.md",
        _PAGE.format(
            shown=_SHOWN,
            tree=tree.render_tree(shown, color=False, width=80),
            mermaid=tree.render_mermaid(shown),
            examples="\n\n".join(sections),
        ),
    )


if __name__ == "__main__":
    for path, text in pages():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
