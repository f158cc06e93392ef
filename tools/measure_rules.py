"""Measure how often each advice rule reports something in valid manifests.

python tools/measure_rules.py DIRECTORY...

A file counts if it has a workload and the API server accepts all of its documents. Writes the number of such files, and
of those with a finding of each rule, to sidecarctl/validate/rules/rates.txt.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from sidecarctl.kube.workload import workloads
from sidecarctl.validate.check_document import is_rejection
from sidecarctl.validate.check_files import SourceText, validate_texts
from sidecarctl.validate.registry import rules
from sidecarctl.validate.rule_selection import OF_MANIFESTS, RuleSelection, select_rules
from sidecarctl.yamltext.stream import split

RATES = Path(__file__).resolve().parents[1] / "sidecarctl" / "validate" / "rules" / "rates.txt"


def main(folders: list[str]) -> int:
    """Measure the files of the folders and write the rates."""
    names = [rule.name for rule in rules().values() if rule.layer in OF_MANIFESTS]
    selection = RuleSelection(select_rules().context, names=frozenset(names), ignores=False)
    counts: Counter[str] = Counter()
    files = 0
    for folder in folders:
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in (".yaml", ".yml") and path.is_file():
                found = _advice(path, selection)
                files += found is not None
                counts.update(found or ())
    if not files:
        print("no valid file with a workload: name directories of manifests", file=sys.stderr)
        return 1
    advice = [rule for rule in rules().values() if rule.layer == "advice"]
    lines = [
        f"# Valid files, and those with a finding of each rule. tools/measure_rules.py writes this file.\nfiles {files}"
    ]
    lines += [f"{rule.name} {counts[rule.name]}" for rule in advice]
    RATES.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for rule in sorted(advice, key=lambda one: -counts[one.name])[:20]:
        print(f"{counts[rule.name]:6} {counts[rule.name] / files:6.1%} {'on ' if rule.on else 'off'} {rule.name}")
    print(f"{files} files")
    return 0


def _advice(path: Path, selection: RuleSelection) -> set[str] | None:
    """Return the advice rules that report something in a file, None for a file that does not count."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    if "containers" not in text or "apiVersion" not in text:
        return None
    verdict = validate_texts([SourceText(text, str(path))], selection)
    if verdict.unparsed or any(is_rejection(one) for one in verdict.findings):
        return None
    if not any(list(workloads(document.value)) for document in split(text, str(path))):
        return None
    return {one.rule for one in verdict.findings if rules()[one.rule].layer == "advice"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
