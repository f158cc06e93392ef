#!/usr/bin/env bash
# Installs the programs that the end-to-end tests run, those that are missing, into .tools (or the folder given).
# Needs go and python3; `tools/e2e_tools.sh --small` leaves out what takes minutes to build (kyverno, the webhooks of OpenKruise).
set -euo pipefail
cd "$(dirname "$0")/.."

small=""
if [ "${1:-}" = "--small" ]; then small=yes; shift; fi
tools="${1:-.tools}"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"

KUSTOMIZE=v5.8.1
HELM4=v4.2.4
HELM3=v3.21.4
KYVERNO=v1.19.1
KRUISE=v1.8.0
PRE_COMMIT=4.4.0

# go_tool NAME MODULE@VERSION: a binary under a name of its own, since both Helms are called helm.
go_tool() {
  [ -x "$tools/$1" ] && return
  echo "installing $1 from $2" >&2
  local folder
  folder="$(mktemp -d)"
  GOBIN="$folder" go install -p 2 "$2"
  mv "$folder"/* "$tools/$1"
  rm -rf "$folder"
}

go_tool kustomize "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE"
go_tool helm4 "helm.sh/helm/v4/cmd/helm@$HELM4"
go_tool helm3 "helm.sh/helm/v3/cmd/helm@$HELM3"

if [ ! -x "$tools/pre-commit/bin/pre-commit" ]; then
  echo "installing pre-commit $PRE_COMMIT" >&2
  python3 -m venv "$tools/pre-commit"
  "$tools/pre-commit/bin/pip" install --quiet --disable-pip-version-check "pre-commit==$PRE_COMMIT"
fi

# crd MODULE@VERSION FILE: the CRD that an export is held against, out of the engine's own module.
crd() {
  local source
  [ -f "$tools/crds/$(basename "$2")" ] && return
  source="$(go mod download -json "$1" | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')"
  mkdir -p "$tools/crds"
  install -m 644 "$source/$2" "$tools/crds"
}

crd "github.com/openkruise/kruise@$KRUISE" config/crd/bases/apps.kruise.io_sidecarsets.yaml
crd "github.com/kyverno/kyverno@$KYVERNO" config/crds/policies.kyverno.io/policies.kyverno.io_mutatingpolicies.yaml

# build NAME MODULE@VERSION PACKAGE [SOURCE]: a program of a module with replace directives, which `go install` refuses.
# It is built in a copy of the module. SOURCE is a directory of ours that becomes the package.
build() {
  [ -n "$small" ] || [ -x "$tools/$1" ] && return
  echo "building $1 from $2" >&2
  local source folder
  source="$(go mod download -json "$2" | python3 -c 'import json, sys; print(json.load(sys.stdin)["Dir"])')"
  folder="$(mktemp -d)"
  cp -r "$source/." "$folder"
  chmod -R u+w "$folder"
  [ -z "${4:-}" ] || cp -r "$4" "$folder/$3"
  (cd "$folder" && go build -p 2 -trimpath -ldflags "-s -w" -o "$tools/$1" "./$3")
  rm -rf "$folder"
}

build kyverno "github.com/kyverno/kyverno@$KYVERNO" cmd/cli/kubectl-kyverno
build sidecarset "github.com/openkruise/kruise@$KRUISE" cmd/sidecarset tests/e2e/sidecarset

"$tools/kustomize" version
"$tools/helm4" version --short
"$tools/helm3" version --short
"$tools/pre-commit/bin/pre-commit" --version
if [ -x "$tools/kyverno" ]; then "$tools/kyverno" version; fi
