"""What a text is: a manifest, or why it is none."""

from __future__ import annotations

import time

import pytest

from sidecarctl.files.classify import classify, is_partial_object
from sidecarctl.skipped import COMPOSITION, KUSTOMIZATION, OTHER, PARTIAL, PATCH, TEMPLATE
from tests.repository import WORKLOAD

JSON = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}\n'
TEXTS = {
    "a manifest": (WORKLOAD.format(name="web"), ""),
    "quoted keys": ('"apiVersion": v1\n"kind": Service\n"spec": {}\n', ""),
    "flow style": ("{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n", ""),
    "JSON": (JSON, ""),
    "an indented document": ("  apiVersion: v1\n  kind: Namespace\n", ""),
    "CRLF": ("apiVersion: v1\r\nkind: Namespace\r\n", ""),
    "a byte order mark and a comment": ("\ufeff# a\n---\napiVersion: v1\nkind: Namespace\n", ""),
    "a manifest after another file": ("a: 1\n---\napiVersion: v1\nkind: Namespace\n", ""),
    "a manifest without kind": ("apiVersion: v1\nmetadata: {name: a}\n", ""),
    "a manifest without apiVersion": ("kind: Service\nspec: {}\n", ""),
    "a manifest with a syntax error": ("apiVersion: v1\nkind: Pod\nspec: [\n", ""),
    "a List": ("apiVersion: v1\nkind: List\nitems: []\n", ""),
    "a quoted template value": ('apiVersion: v1\nkind: Namespace\nmetadata: {name: "{{ name }}"}\n', ""),
    "Go text in a ConfigMap": ("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    {{ range . }}\n", ""),
    "JSON and an empty document": (JSON + "---\n", ""),
    "JSON after a comment and a separator": ("# head\n---\n" + JSON, ""),
    "JSON after a directive": ("%YAML 1.2\n---\n" + JSON, ""),
    "JSON after a document with a kind": ("kind: pipeline\n---\n" + JSON, ""),
    "JSON after a composition": ("apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\n---\n" + JSON, ""),
    "JSON after a JSON patch": ('[{"op": "remove", "path": "/a"}]\n---\n' + JSON, ""),
    "JSON and a document that cannot be parsed": (JSON + "---\na: [\n", ""),
    "JSON after a comment with template markup": ("# {{ a }}\n---\n" + JSON, ""),
    "JSON in the line of the separator": ("--- " + JSON, ""),
    "JSON with escaped keys": ('{"api\\u0056ersion": "v1", "k\\u0069nd": "Namespace"}\n', ""),
    "quoted keys with escapes": ('"api\\x56ersion": v1\n"k\\x69nd": Namespace\n', ""),
    "an indented document and an empty one": ("  apiVersion: v1\n  kind: Namespace\n---\n", ""),
    "keys with anchors": ("&a apiVersion: v1\n&b kind: Namespace\n", ""),
    "keys with tags": ("!!str apiVersion: v1\n!!str kind: Namespace\n", ""),
    "keys with tags after others": ("metadata: {name: a}\n!!str apiVersion: v1\n!!str kind: Namespace\n", ""),
    "keys behind a question mark": ("? apiVersion\n: v1\n? kind\n: Namespace\n", ""),
    "keys of a merge": ("a: &a {apiVersion: v1, kind: Namespace}\n<<: *a\n", ""),
    "flow style with a tag": ("!!map {apiVersion: v1, kind: Namespace}\n", ""),
    "flow style with an anchor": ("&a {apiVersion: v1, kind: Namespace}\n", ""),
    "no object": ("a: 1\nb: 2\n", OTHER),
    "nothing": ("", OTHER),
    "a comment": ("# nothing\n", OTHER),
    "a pipeline with a kind": ("kind: pipeline\nname: default\nsteps: []\n", OTHER),
    "a chart description": ("apiVersion: v2\nname: a\nversion: 1.0.0\n", OTHER),
    "values with an object in them": ("extra:\n- apiVersion: v1\n  kind: ConfigMap\n", OTHER),
    "a list of objects": ("- apiVersion: v1\n  kind: ConfigMap\n", OTHER),
    "an OpenAPI document": ('{"definitions": {"a": {"properties": {"apiVersion": {}, "kind": {}}}}}', OTHER),
    "JSON without its last brace": ('{"apiVersion": "v1", "kind": "Pod"\n', ""),
    "flow style without its last brace": ("{apiVersion: v1,\n kind: Pod\n", ""),
    "an indented document with a duplicate key": ("  apiVersion: v1\n  kind: Pod\n  kind: Pod\n", ""),
    "a list that cannot be parsed": ("- {apiVersion: v1, kind: Pod\n", OTHER),
    "JSON with comments": ('{\n  // apiVersion kind\n  "a": 1,\n}\n', OTHER),
    "a kubeconfig": ("apiVersion: v1\nkind: Config\nclusters: []\n", OTHER),
    "a JSON patch": ("- op: add\n  path: /a\n  value: 1\n", PATCH),
    "a JSON patch in JSON": ('[{"op": "remove", "path": "/a"}]\n', PATCH),
    "a JSON patch that starts with the path": ("- path: /a\n  op: remove\n", PATCH),
    "a patch directive": ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\n$patch: delete\n", PATCH),
    "a patch directive in a list": (
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - $patch: replace\n  - name: a\n    image: b\n",
        PATCH,
    ),
    "a patch directive in a block scalar": (
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    kind: Pod\n    $patch: delete\n\n  b: c\n",
        "",
    ),
    "a patch directive in a block scalar of an item": (
        "apiVersion: v1\nkind: A\nspec:\n  a:\n  - |\n    $patch: delete\n  - b: >-  # c\n      $patch: delete\n",
        "",
    ),
    "a patch directive in a policy": (
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nspec:\n  rules:\n  - mutate:\n"
        "      patchStrategicMerge:\n        spec:\n          $patch: delete\n---\napiVersion: v1\nkind: Namespace\n",
        "",
    ),
    "a patch directive and a syntax error": ("apiVersion: v1\nkind: Pod\nspec:\n  $patch: delete\n  a: [\n", PATCH),
    "a patch directive in flow style": ("apiVersion: v1\nkind: Pod\nspec: {a: {$patch: delete}}\n", PATCH),
    "a patch directive behind a block scalar of an item": (
        "apiVersion: v1\nkind: A\nspec:\n  a:\n  - b: |\n      c\n    $patch: delete\n",
        PATCH,
    ),
    "a script with ytt markup in a block scalar": (
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    #@ b\n    c #@ d\n",
        "",
    ),
    "a partial workload": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 2}\n",
        PARTIAL,
    ),
    "a partial container": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n      containers:\n"
        "      - name: a\n        env: []\n",
        PARTIAL,
    ),
    "a partial workload with a new container": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n      containers:\n"
        "      - name: a\n      - name: b\n        image: b:1\n",
        PARTIAL,
    ),
    "a workload that lacks its image": (
        WORKLOAD.format(name="web").replace("        image: registry.example/web:2.3.1\n", ""),
        "",
    ),
    "a workload that lacks its selector": (
        WORKLOAD.format(name="web").replace("  selector:\n    matchLabels:\n      app: web\n", ""),
        "",
    ),
    "a partial definition": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n",
        PARTIAL,
    ),
    "a Helm template": ("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n", TEMPLATE),
    "a template with a comment": (
        "{# a #}\napiVersion: v1\nkind: Pod\nmetadata: {name: {{ a }}, namespace: b}\n",
        TEMPLATE,
    ),
    "a template with blocks": ("{{- if .Values.a }}\napiVersion: v1\nkind: Pod\n{{- end }}\n", TEMPLATE),
    "a Jinja template": ("{% for a in b %}\napiVersion: v1\nkind: Pod\n{% endfor %}\n", TEMPLATE),
    "a template with an expression in quotes that breaks them": (
        'apiVersion: v1\nkind: Pod\nmetadata: {name: "{{ a | default "b" }}"}\n',
        TEMPLATE,
    ),
    "a template with lines in place of a value": (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  labels: {{- toYaml .a | nindent 4 }}\n    b: c\n",
        TEMPLATE,
    ),
    "a template with expressions as keys": (
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  {{ .a }}: {{ .b }}\n  {{ .c }}: {{ .d }}\n",
        TEMPLATE,
    ),
    "a template with a line of two expressions": (
        "apiVersion: v1\nkind: Pod\n  {{ if .a }} {{ if .b }}\n spec: {}\n{{ end }}{{ end }}\n",
        TEMPLATE,
    ),
    "a template with braces in a string": (
        'apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ "{{" }} a {{ "}}" }}\n',
        TEMPLATE,
    ),
    "a template with a line in a block scalar that ends it": (
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    b\n{{- if .c }}\n    d\n{{- end }}\n",
        TEMPLATE,
    ),
    "a syntax error and markup in quotes": (
        'apiVersion: v1\nkind: Pod\nmetadata: {name: "{{ a }}"}\n<<<<<<< HEAD\nspec: {}\n',
        "",
    ),
    "a syntax error and markup in a comment": ("apiVersion: v1\nkind: Pod # {{ a }}\nspec: [\n", ""),
    "a syntax error and markup in a block scalar": (
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    {{ range . }}\n\n    b\n  b: [\n",
        "",
    ),
    "a syntax error and markup without an end": ("apiVersion: v1\nkind: Pod\nspec: [ # {{ a\n", ""),
    "a ytt template": (
        "#@ load('@ytt:data', 'data')\napiVersion: v1\nkind: Pod\nspec: #@ data.values.spec\n",
        TEMPLATE,
    ),
    "a kustomization under another name": (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        KUSTOMIZATION,
    ),
    "a built-in transformer": ("apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\n", KUSTOMIZATION),
    "a Flux kustomization": ("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {}\n", ""),
    "a composition": ("apiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\nspec: {}\n", COMPOSITION),
    "a composition after a byte order mark": (
        "\ufeffapiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\n",
        COMPOSITION,
    ),
    "a composition after a separator and a byte order mark": (
        "# a\n---\n\ufeffapiVersion: sidecarctl.dev/v1alpha1\nkind: Composition\n",
        COMPOSITION,
    ),
    "a composition in JSON": ('{"apiVersion": "sidecarctl.dev/v1alpha1", "kind": "Composition"}\n', COMPOSITION),
    "a composition in flow style": ("{apiVersion: sidecarctl.dev/v1alpha1, kind: Composition}\n", COMPOSITION),
    "an indented composition": ("  apiVersion: sidecarctl.dev/v1alpha1\n  kind: Composition\n", COMPOSITION),
    "a kustomization in JSON": (
        '{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}\n',
        KUSTOMIZATION,
    ),
    "a kubeconfig in JSON": ('{"apiVersion": "v1", "kind": "Config", "clusters": []}\n', OTHER),
    "a kubeconfig after a byte order mark": ("\ufeffapiVersion: v1\nkind: Config\nclusters: []\n", OTHER),
}


@pytest.mark.parametrize("what", TEXTS)
def test_text_is_classified(what: str) -> None:
    text, kind = TEXTS[what]
    assert classify(text) == kind


@pytest.mark.parametrize("line_break", ["\r", "\x85", "\u2028", "\u2029"], ids=ascii)
def test_every_line_break_of_yaml_ends_a_line(line_break: str) -> None:
    for text, kind in (
        TEXTS["a composition"],
        TEXTS["a patch directive"],
        ("apiVersion: v1\nkind: Namespace\n", ""),
    ):
        assert classify(text.replace("\n", line_break)) == kind


def test_partial_object_lacks_more_than_one_required_field() -> None:
    pod = {"kind": "Pod", "spec": {"containers": [{"name": "a"}, {"name": "b", "image": "c"}]}}
    assert not is_partial_object(pod)
    assert is_partial_object({"kind": "Pod", "spec": {"containers": [{"name": "a"}]}})
    assert is_partial_object({"kind": "CronJob", "spec": {"schedule": "* * * * *"}})
    assert not is_partial_object({"kind": "Service", "spec": {}})


@pytest.mark.parametrize(
    "text", ["#" * 5000 + "\na: 1\n", "# # " * 2000 + "\n- a\n", "--- " * 2000 + "\na\n", "\n" * 50000 + "a"]
)
def test_classification_takes_linear_time(text: str) -> None:
    started = time.process_time()
    assert classify(text) == OTHER
    assert time.process_time() - started < 1


def test_workload_that_gets_its_selector_from_a_kustomization_is_partial() -> None:
    text = WORKLOAD.format(name="web").replace("  selector:\n    matchLabels:\n      app: web\n", "")
    assert (classify(text), classify(text, gets_selectors=True)) == ("", PARTIAL)
    assert classify(WORKLOAD.format(name="web"), gets_selectors=True) == ""


@pytest.mark.parametrize("part", ["{{", "{{ ", '{{ "', "{{`", "{%", "<%", "{ ", "} ", "{{ a }}", ": |\n", "\t"])
def test_search_for_template_markup_takes_linear_time(part: str) -> None:
    started = time.process_time()
    classify("apiVersion: v1\nkind: Pod\nspec: [ # {{ a\n" + part * 20_000)
    assert time.process_time() - started < 1
