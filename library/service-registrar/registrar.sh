#!/bin/sh
# Registers this pod, renews its lease while the app is healthy, and deregisters it. With the argument "stop" (preStop): only deregisters.
set -u
here=/etc/service-registrar
state=/run/service-registrar
id=$SERVICE-$POD_NAME
child=

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"
}

# The token is passed on stdin, because every process in the pod can read command-line arguments.
ask() {
  path=$1
  shift
  if [ -f "$here-token/token" ]; then
    printf 'header = "X-Consul-Token: %s"\n' "$(tr -d '\r\n' <"$here-token/token" | sed 's/[\\"]/\\&/g')"
  fi | curl -q --config "$here/curl.conf" --config - --url "$REGISTRY_ADDRESS$path" "$@"
}

filled() {
  sed "s|@POD_IP@|$POD_IP|g; s|@POD_NAME@|$POD_NAME|g" "$here/$1"
}

base() {
  printf '%s' "$1" | base64 | tr -d '\n'
}

register_consul() {
  ask '/v1/agent/service/register?replace-existing-checks=true' --request PUT --data "$(filled service.json)"
}

keep_consul() {
  ask "/v1/agent/check/pass/service:$id" --request PUT
}

deregister_consul() {
  ask "/v1/agent/service/deregister/$id" --request PUT
}

register_etcd() {
  lease=$(ask /v3/lease/grant --data "{\"TTL\":\"$TTL\"}" | sed -n 's/.*"ID":"\([0-9]*\)".*/\1/p')
  [ -n "$lease" ] || return 1
  echo "$lease" >"$state/lease"
  ask /v3/kv/put --data \
    "{\"key\":\"$(base "$KEY_PREFIX/$SERVICE/$POD_NAME")\",\"value\":\"$(base "$(filled service.json)")\",\"lease\":\"$lease\"}"
}

# For an expired lease, etcd responds with success but without a TTL.
keep_etcd() {
  ask /v3/lease/keepalive --data "{\"ID\":\"$(cat "$state/lease")\"}" | grep -q '"TTL":"[1-9]'
}

deregister_etcd() {
  [ -f "$state/lease" ] || return 0
  ask /v3/lease/revoke --data "{\"ID\":\"$(cat "$state/lease")\"}"
}

well() {
  [ -z "$HEALTH_URL" ] || curl -q --silent --fail --insecure --max-time 2 --output /dev/null --url "$HEALTH_URL"
}

stop() {
  trap '' TERM INT
  [ -z "$child" ] || kill "$child" 2>/dev/null
  : >"$state/stopped"
  [ -f "$state/registered" ] || return 0
  if "deregister_$REGISTRY" >/dev/null; then
    rm -f "$state/registered"
    say "deregistered $id"
  else
    say "could not deregister $id; it goes when its lease has run out"
  fi
}

# As process 1, the shell handles SIGTERM only with a trap, and a trap runs only after a foreground command ends.
pause() {
  sleep "$1" &
  child=$!
  wait "$child"
  child=
}

if [ "${1-}" = stop ]; then
  stop
  exit 0
fi

trap 'stop; exit 0' TERM INT
rm -f "$state/stopped" "$state/registered" "$state/lease"
while :; do
  if [ -f "$state/stopped" ] || ! well; then
    :
  elif [ -f "$state/registered" ] && "keep_$REGISTRY" >/dev/null; then
    :
  elif "register_$REGISTRY" >/dev/null; then
    : >"$state/registered"
    "keep_$REGISTRY" >/dev/null
    say "registered $id"
    # preStop may have run in the meantime.
    [ ! -f "$state/stopped" ] || "deregister_$REGISTRY" >/dev/null
  else
    say "could not register $id"
  fi
  pause "$PERIOD"
done
