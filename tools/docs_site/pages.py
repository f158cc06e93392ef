"""The pages of the site: docs/ and the documents at the top of the repository, and generated pages."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tools.docs_site import reference, rule_pages
from tools.docs_site.links import convert, section

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OWN = ROOT / "site" / "pages"
# Documents outside of docs/ that have a page.
DOCUMENTS = {
    "examples/README.md": "examples.md",
    "SECURITY.md": "project/security.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "ARCHITECTURE.md": "project/architecture.md",
    "CHANGELOG.md": "project/changelog.md",
}
# Pages of site/pages that belong somewhere else; others keep their name.
MOVED = {"record.md": "reference/record.md"}
# Documents of docs/ whose content the site has in another form.
REPLACED = {
    "docs/README.md": "index.md",
    "docs/rules.md": "rules/index.md",
    "README.md": "index.md",
}


def sources() -> dict[str, str]:
    """Return the page of every source file, both relative: to the repository and to the site."""
    files = [file.relative_to(ROOT).as_posix() for file in sorted(DOCS.rglob("*.md"))]
    found = {name: name.removeprefix("docs/").replace("README.md", "index.md") for name in files}
    return found | DOCUMENTS | REPLACED


def write(out: Path) -> dict[str, str]:
    """Write all pages to a directory, and return their texts by path. Raises BrokenLink."""
    made = {**rule_pages.pages(), **reference.pages(ROOT), **own_pages()}
    linked = sources()
    linked |= {f"docs/{page}": page for page in made}
    linked |= {f"docs/rules.md#{Path(page).stem}": page for page in made if page.startswith("rules/")}
    linked["docs/playground-app"] = "playground/app/"
    pictures = {file.relative_to(ROOT).as_posix(): f"pictures/{file.name}" for file in find_pictures()}
    linked |= pictures
    texts = {page: convert(text, "docs/index.md", page, linked, ROOT) for page, text in made.items()}
    for source, page in linked.items():
        if page not in texts and page.endswith(".md") and (ROOT / source).is_file():
            texts[page] = convert((ROOT / source).read_text(encoding="utf-8"), source, page, linked, ROOT)
    for page, text in texts.items():
        file = out / page
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    for source, picture in pictures.items():
        file = out / picture
        file.parent.mkdir(exist_ok=True)
        file.write_bytes((ROOT / source).read_bytes())
    return texts


def find_pictures() -> list[Path]:
    """Return the pictures that pages show."""
    return sorted([*DOCS.rglob("*.svg"), *(ROOT / "bench" / "results").glob("*.svg")])


def own_pages() -> dict[str, str]:
    """Return the pages of site/pages with what they take from other documents. Links are relative to docs/."""
    readme = (
        (ROOT / "README.md")
        .read_text(encoding="utf-8")
        .replace("](docs/", "](")
        .replace("](examples/", "](../examples/")
    )
    first = readme[readme.index("```sh") : readme.index("## Features")]
    parts = {
        "example": first.strip(),
        "features": section(readme, "Features"),
        "install": section(readme, "Install"),
        "try": section(readme, "Try it").partition("Next: ")[0],
        "record": json.dumps(example_record(), indent=2),
    }
    found = {}
    for file in sorted(OWN.glob("*.md")):
        text = file.read_text(encoding="utf-8")
        for name, part in parts.items():
            text = text.replace(f"{{{{{name}}}}}", part.strip())
        found[MOVED.get(file.name, file.name)] = text
    return found


def example_record() -> object:
    """Return the record of an example."""
    text = (ROOT / "examples" / "nginx-git" / "expected.yaml").read_text(encoding="utf-8")
    pods = [document["spec"]["template"] for document in yaml.safe_load_all(text) if document["kind"] == "Deployment"]
    return json.loads(pods[0]["metadata"]["annotations"]["sidecarctl.dev/sidecars"])
