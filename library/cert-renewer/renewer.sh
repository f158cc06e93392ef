#!/bin/sh
# Requests a certificate, renews it, and installs it for the app. step reads its flags from STEP_ variables.
# Usage: renewer.sh issue    request a certificate unless a valid one exists
#        renewer.sh run      issue, then renew periodically
#        renewer.sh install  copy the certificate to the shared volume and notify the app
#        renewer.sh check    fail if the certificate has expired
set -eu
umask 077
own=$STEPPATH/certificate

good() {
  [ -s "$own.crt" ] && [ -s "$own.key" ] || return 1
  code=0
  step certificate needs-renewal "$own.crt" --expires-in 5s || code=$?
  [ "$code" -eq 1 ]
}

issue() {
  if [ -n "${STEP_FINGERPRINT:-}" ] && [ ! -s "$STEP_ROOT" ]; then
    step ca root --force "$STEP_ROOT"
  fi
  if ! good; then
    if [ -n "${TOKEN_FILE:-}" ]; then
      STEP_TOKEN=$(cat "$TOKEN_FILE")
      export STEP_TOKEN
    fi
    step ca certificate --force "$SUBJECT" "$own.new.crt" "$own.new.key"
    unset STEP_TOKEN
    # Write the certificate last: without it, the pair is invalid and is requested again.
    rm -f "$own.crt"
    mv "$own.new.key" "$own.key"
    mv "$own.new.crt" "$own.crt"
  fi
  install
}

# Replace files atomically, so that the app never reads a partial file.
put() {
  part=${2%/*}/.${2##*/}.part
  cp "$1" "$part"
  chmod "$3" "$part"
  mv "$part" "$2"
}

install() {
  if cmp -s "$own.crt" "$CERTIFICATE"; then
    return
  fi
  read_before=
  if [ -e "$CERTIFICATE" ]; then
    read_before=yes
  fi
  put "$STEP_ROOT" "$CA" 0644
  put "$own.key" "$KEY" "$PERMS"
  put "$own.crt" "$CERTIFICATE" 0644
  if [ -n "$read_before" ]; then
    notify || echo "the certificate is renewed, and the app could not be told" >&2
  fi
}

lowest() {
  for comm in /proc/[0-9]*/comm; do
    if [ "$(cat "$comm" 2>/dev/null)" = "$PROCESS" ]; then
      pid=${comm#/proc/}
      echo "${pid%/comm}"
    fi
  done | sort -n | head -n 1
}

notify() {
  case $NOTIFY in
    http)
      curl --silent --show-error --fail --insecure --output /dev/null --max-time 10 \
        --retry 5 --retry-delay 2 --retry-all-errors --request POST "$RELOAD_URL" || return 1
      echo "called $RELOAD_URL"
      ;;
    signal)
      pid=$(lowest)
      if [ -z "$pid" ] || ! kill -s "$SIGNAL" "$pid"; then
        echo "found no process $PROCESS that takes a signal from here; is the user the same?" >&2
        return 1
      fi
      echo "sent $SIGNAL to $PROCESS ($pid)"
      ;;
  esac
}

case $1 in
  issue) issue ;;
  install) install ;;
  check) good ;;
  run)
    issue
    exec step ca renew --daemon --exec "/bin/sh $0 install" "$own.crt" "$own.key"
    ;;
esac
