"""Generates docs/graph.md and docs/graphs/*.svg: the picture of every example. Run it as `python tools/gen_graphs.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sidecarctl.inject.pipeline import Options
from sidecarctl.inject.pod_graph import read_pods
from sidecarctl.report.graph import mermaid, svg, tree

ROOT = Path(__file__).resolve().parent.parent
_SHOWN = "two-sidecars"
_PAGE = """\
# Pictures of pods

`sidecarctl graph` draws what a manifest means: the containers in the order in which they start, what lets the next one
start, who mounts which volume where and who can write to it, ports, and what each sidecar added. It reads manifests and
nothing else; a pod without sidecars has a picture, too.

```sh
sidecarctl graph -f web.yaml                              # a tree, in the terminal
sidecarctl graph -f web.yaml --format svg -o web.svg      # light and dark, as the reader's system is
sidecarctl graph -f web.yaml --format mermaid             # for a pull request
sidecarctl graph -f web.yaml --format markdown >> "$GITHUB_STEP_SUMMARY"
```

- The numbers are steps of the start. Init containers run one after the other. A native sidecar lets the next step begin
  when its startup probe has passed, or when it has started if it has none. The app's containers share one step.
- Containers of the app are told to stop together, native sidecars after them in reverse order.
- A container *writes* a volume where nothing stops it: no `readOnly`, and a source that can be written to.

## In the terminal

```console
$ sidecarctl graph -f {shown}/expected.yaml
{tree}```

## In a pull request

```mermaid
{mermaid}```

## The examples

{examples}
"""


def pages() -> Iterator[tuple[Path, str]]:
    """Yield each generated file with its text."""
    sections = []
    for source in sorted((ROOT / "examples").glob("*/expected.yaml")):
        name = source.parent.name
        found = list(read_pods(source.read_text(encoding="utf-8"), Options()))
        if name == _SHOWN:
            shown = found
        yield ROOT / "docs" / "graphs" / f"{name}.svg", svg.render(found)
        command = (source.parent / "cmd").read_text(encoding="utf-8").strip()
        sections.append(f"### {name}\n\n```sh\n{command}\n```\n\n![The pod of {name}](graphs/{name}.svg)")
    yield (
        ROOT / "docs" / "graph.md",
        _PAGE.format(
            shown=_SHOWN,
            tree=tree.render(shown, color=False, width=80),
            mermaid=mermaid.render(shown),
            examples="\n\n".join(sections),
        ),
    )


if __name__ == "__main__":
    for path, text in pages():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
