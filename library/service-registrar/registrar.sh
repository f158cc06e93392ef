#!/bin/sh
# Registers the services of this pod, renews their lease while the app is healthy, and deregisters them.
# With the argument "stop" (preStop): only deregisters.
set -u
here=/etc/service-registrar
state=/run/service-registrar
child=

# The address of the node has no brackets, which a URL needs around an IPv6 address.
case $REGISTRY_ADDRESS in
  *://[!\[]*:*:*:*)
    authority=${REGISTRY_ADDRESS#*://}
    REGISTRY_ADDRESS=${REGISTRY_ADDRESS%%://*}://[${authority%:*}]:${authority##*:}
    ;;
esac

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"
}

quoted() {
  tr -d '\r\n' | sed 's/[\\"]/\\&/g'
}

# Secrets are passed on stdin, because every process in the pod can read command-line arguments.
secrets() {
  if [ -f "$here-token/token" ]; then
    printf 'header = "X-Consul-Token: %s"\n' "$(quoted <"$here-token/token")"
  fi
  if [ -s "$state/session" ]; then
    printf 'header = "Authorization: %s"\n' "$(quoted <"$state/session")"
  fi
}

ask() {
  path=$1
  shift
  secrets | curl -q --config "$here/curl.conf" --config - --url "$REGISTRY_ADDRESS$path" "$@"
}

# The definition of a service. That of the main service is in service.json.
filled() {
  file=$1.json
  [ "$1" != "$SERVICE" ] || file=service.json
  sed "s|@POD_IP@|$POD_IP|g; s|@POD_NAME@|$POD_NAME|g" "$here/$file"
}

# Runs a command for each service, and fails if it fails for one of them.
each() {
  failed=0
  for service in $SERVICES; do
    "$@" "$service" || failed=1
  done
  return "$failed"
}

base() {
  printf '%s' "$1" | base64 | tr -d '\n'
}

put_consul() {
  ask '/v1/agent/service/register?replace-existing-checks=true' --request PUT --data "$(filled "$1")"
}

pass_consul() {
  ask "/v1/agent/check/pass/service:$1-$POD_NAME" --request PUT
}

remove_consul() {
  ask "/v1/agent/service/deregister/$1-$POD_NAME" --request PUT
}

register_consul() {
  each put_consul
}

keep_consul() {
  each pass_consul
}

deregister_consul() {
  each remove_consul
}

# A session ends after some time. The lease is then registered again with a new session.
log_in() {
  rm -f "$state/session"
  [ -f "$here-user/password" ] || return 0
  body="{\"name\":\"$(quoted <"$here-user/username")\",\"password\":\"$(quoted <"$here-user/password")\"}"
  session=$(printf 'data = "%s"\n' "$(printf '%s' "$body" | quoted)" |
    curl -q --config "$here/curl.conf" --config - --url "$REGISTRY_ADDRESS/v3/auth/authenticate" |
    sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
  [ -n "$session" ] || return 1
  (umask 077 && echo "$session" >"$state/session")
}

put_etcd() {
  ask /v3/kv/put --data \
    "{\"key\":\"$(base "$KEY_PREFIX/$1/$POD_NAME")\",\"value\":\"$(base "$(filled "$1")")\",\"lease\":\"$lease\"}"
}

register_etcd() {
  log_in || return 1
  lease=$(ask /v3/lease/grant --data "{\"TTL\":\"$TTL\"}" | sed -n 's/.*"ID":"\([0-9]*\)".*/\1/p')
  [ -n "$lease" ] || return 1
  echo "$lease" >"$state/lease"
  each put_etcd
}

# For an expired lease, etcd responds with success but without a TTL.
keep_etcd() {
  ask /v3/lease/keepalive --data "{\"ID\":\"$(cat "$state/lease")\"}" | grep -q '"TTL":"[1-9]'
}

deregister_etcd() {
  [ -f "$state/lease" ] || return 0
  log_in || return 1
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
    say "deregistered $SERVICES"
  else
    say "failed to deregister $SERVICES; the registration expires with its lease"
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
rm -f "$state/stopped" "$state/registered" "$state/lease" "$state/session"
while :; do
  if [ -f "$state/stopped" ] || ! well; then
    :
  elif [ -f "$state/registered" ] && "keep_$REGISTRY" >/dev/null; then
    :
  elif "register_$REGISTRY" >/dev/null; then
    : >"$state/registered"
    "keep_$REGISTRY" >/dev/null
    say "registered $SERVICES"
    # preStop may have run in the meantime.
    [ ! -f "$state/stopped" ] || "deregister_$REGISTRY" >/dev/null
  else
    say "failed to register $SERVICES"
  fi
  pause "$PERIOD"
done
