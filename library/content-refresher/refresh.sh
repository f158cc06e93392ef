#!/bin/sh
# Fetches STATIC_SOURCE into STATIC_FILE. Readers see the old file or the new one, never half of one.
set -u
umask 022
config=/etc/content-refresher
secret=/etc/content-refresher-secret
state=/run/content-refresher
folder=${STATIC_FILE%/*}
part=$folder/.${STATIC_FILE##*/}.part
child=

# The shell is process 1: without a trap it would not hear SIGTERM, and a trap waits for what runs in front.
stop() {
  [ -z "$child" ] || kill "$child" 2>/dev/null
  rm -f "$part"
  exit 0
}
trap stop TERM INT

finish() {
  child=$!
  wait "$child"
  set -- $?
  child=
  return "$1"
}

pause() {
  sleep "$1" &
  finish
}

say() {
  echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $*"
}

quoted() {
  tr -d '\r\n' <"$1" | sed 's/[\\"]/\\&/g'
}

# As curl's settings on its standard input: arguments could be read by every process of the pod.
credentials() {
  if [ -f "$secret/token" ]; then
    printf 'oauth2-bearer = "%s"\n' "$(quoted "$secret/token")"
  elif [ -f "$secret/password" ]; then
    printf 'user = "%s:%s"\n' "$(quoted "$secret/username")" "$(quoted "$secret/password")"
  fi
}

refresh() {
  mkdir -p "$folder" || return
  [ -f "$STATIC_FILE" ] || rm -f "$state/etag"
  rm -f "$part" "$state/etag.new"
  : >>"$state/etag"
  credentials | curl -q --config "$config/curl.conf" --config - \
    --etag-compare "$state/etag" --etag-save "$state/etag.new" \
    --output "$part" --write-out '%{http_code}' --url "$STATIC_SOURCE" >"$state/status" &
  finish || return
  [ "$(cat "$state/status")" != 304 ] || return 0
  if [ ! -s "$part" ]; then
    say "$STATIC_SOURCE gave an empty answer"
    return 1
  fi
  if cmp -s "$part" "$STATIC_FILE"; then
    rm -f "$part"
  else
    mv -f "$part" "$STATIC_FILE" || return
    say "wrote $STATIC_FILE"
  fi
  [ ! -f "$state/etag.new" ] || mv -f "$state/etag.new" "$state/etag"
}

failures=0
until refresh; do
  rm -f "$part"
  failures=$((failures + 1))
  [ -z "$MAX_FAILURES" ] || [ "$failures" -lt "$MAX_FAILURES" ] || exit 1
  pause "$RETRY_PERIOD"
done

while [ -n "$PERIOD" ]; do
  pause "$PERIOD"
  if ! refresh; then
    rm -f "$part"
    say "kept $STATIC_FILE as it was"
  fi
done
