"""A small repository as they come: charts, kustomizations, and other YAML and JSON beside the manifests."""

from __future__ import annotations

from pathlib import Path

WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels:
    app: {name}
spec:
  selector:
    matchLabels:
      app: {name}
  template:
    metadata:
      labels:
        app: {name}
    spec:
      containers:
      - name: {name}
        image: registry.example/{name}:2.3.1
        ports:
        - containerPort: 8080
"""

FILES: dict[str, str] = {
    # Manifests.
    "deploy/web.yaml": WORKLOAD.format(name="web"),
    "deploy/api.yaml": WORKLOAD.format(name="api")
    + "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: api\nspec:\n  selector:\n    app: api\n  ports:\n  - port: 80\n    targetPort: 8080\n",
    "base/cache.yaml": WORKLOAD.format(name="cache"),
    "flux/worker.yaml": WORKLOAD.format(name="worker").replace(
        "  labels:\n", "  namespace: ${NAMESPACE}\n  labels:\n", 1
    ),
    "chart/crds/widget.yaml": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: widgets.example.com\n"
        "spec:\n  group: example.com\n  scope: Namespaced\n  names:\n    kind: Widget\n    plural: widgets\n"
        "  versions:\n  - name: v1\n    served: true\n    storage: true\n    schema:\n      openAPIV3Schema:\n        type: object\n"
    ),
    # A Helm chart.
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "chart/values.yaml": "image:\n  repository: registry.example/shop\n  tag: 1.0.0\nextraObjects: []\n",
    "chart/values.schema.json": '{"$schema": "https://json-schema.org/draft-07/schema#", "type": "object"}\n',
    "chart/templates/deployment.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ .Release.Name }}\n"
        "spec:\n  replicas: {{ .Values.replicas }}\n  {{- toYaml .Values.extra | nindent 2 }}\n"
    ),
    "chart/templates/plain.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: plain\n",
    # Kustomizations with patches, generators, and settings.
    "base/kustomization.yaml": "resources:\n- cache.yaml\n",
    "overlays/prod/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- ../../base\n"
        "patches:\n- path: replicas.yaml\n- path: ops.yaml\n  target:\n    kind: Deployment\n"
        "configMapGenerator:\n- name: settings\n  files:\n  - app.yaml=settings.yaml\n"
        "configurations:\n- names.yaml\ncomponents:\n- ../../components/limits\n"
    ),
    "overlays/prod/replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: cache\nspec:\n  replicas: 4\n",
    "overlays/prod/ops.yaml": "- op: replace\n  path: /spec/replicas\n  value: 2\n",
    "overlays/prod/settings.yaml": "apiVersion: v1\nkind: Settings\nmetadata: {}\n",
    "overlays/prod/names.yaml": "nameReference:\n- kind: ConfigMap\n",
    "components/limits/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- path: limits.yaml\n"
    ),
    "components/limits/limits.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: cache\nspec:\n  template:\n    spec:\n      containers:\n"
        "      - name: cache\n        resources:\n          limits:\n            memory: 256Mi\n"
    ),
    "patches/delete.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: api\n$patch: delete\n",
    "patches/scale.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 9\n",
    # Test assertions.
    "tests/e2e/01-assert.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nstatus:\n  readyReplicas: 1\n",
    "tests/chainsaw/chainsaw-test.yaml": (
        "apiVersion: chainsaw.kyverno.io/v1alpha1\nkind: Test\nmetadata:\n  name: ready\nspec:\n  steps:\n  - try:\n"
        "    - assert:\n        file: ready.yaml\n"
    ),
    "tests/chainsaw/ready.yaml": "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n",
    # No Kubernetes objects.
    "docker-compose.yaml": "services:\n  web:\n    image: registry.example/web:2.3.1\n",
    "ci/workflow.yml": "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n    - run: make test\n",
    "package.json": '{"name": "shop", "version": "1.0.0"}\n',
    "tsconfig.json": '{\n  // strict for everybody\n  "compilerOptions": {"strict": true},\n}\n',
    "openapi.yaml": "openapi: 3.0.0\ninfo:\n  title: shop\n  version: '1'\npaths: {}\n",
    "dashboards/shop.json": '{"apiVersion": 1, "title": "Shop", "panels": [{"kind": "graph"}]}\n',
    "templates/job.yaml": "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {{ name }}\nspec: {}\n",
    # Left out by name.
    ".github/workflows/ci.yml": "on: push\njobs: {}\n",
    "node_modules/pkg/manifest.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: vendored}\n",
    "build/out.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: generated}\n",
    ".gitignore": "/build/\n*.local.yaml\n",
    "deploy/mine.local.yaml": "apiVersion: v1\nkind: Namespace\nmetadata: {name: local}\n",
}
MANIFESTS = (
    "base/cache.yaml",
    "chart/crds/widget.yaml",
    "deploy/api.yaml",
    "deploy/web.yaml",
    "flux/worker.yaml",
    "tests/chainsaw/chainsaw-test.yaml",
)


def build(directory: Path) -> Path:
    """Write the repository and return its root."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (directory / ".git").mkdir()
    return directory
