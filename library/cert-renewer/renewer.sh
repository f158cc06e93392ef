#!/bin/sh
# Gets a certificate, keeps it fresh, and puts it where the app reads it. step reads its flags from the STEP_ variables.
# Usage: renewer.sh issue    get a certificate unless there is one that is good
#        renewer.sh run      the same, then renew it again and again
#        renewer.sh install  put it where the app reads it, and tell the app
#        renewer.sh check    fail when its time is over
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
    # The certificate last: without it the pair is not good, and is asked for anew.
    rm -f "$own.crt"
    mv "$own.new.key" "$own.key"
    mv "$own.new.crt" "$own.crt"
  fi
  install
}

# Whoever reads a file sees the old one or the new one, never half of it.
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
