#!/bin/sh
# Downloads STATIC_SOURCE to STATIC_FILE. Replaces the file atomically, so that readers never see a partial file.
set -u
umask 022
config=/etc/content-refresher
secret=/etc/content-refresher-secret
state=/run/content-refresher
folder=${STATIC_FILE%/*}
part=$folder/.${STATIC_FILE##*/}.part
child=

# As process 1, the shell handles SIGTERM only with a trap, and a trap runs only after a foreground command ends.
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

# Passed to curl on stdin, because every process in the pod can read command-line arguments.
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
