#!/usr/bin/env bash
# Receives a webhook from Callbox and believes none that is not signed. Needs bash and openssl.
#
# It speaks HTTP on standard input and output; anything that listens can run it, once for each request:
#
#   export CALLBOX_SIGNING_SECRET=whsec_… CALLBOX_RECEIVED=/var/log/callbox.jsonl
#   socat TCP-LISTEN:9000,reuseaddr,fork EXEC:examples/receiver.sh
#
# or a systemd socket with Accept=yes, or inetd. Two secrets with a space between are fine, while one is rotated. The key is an
# argument of openssl: where other people may list this machine's processes, use receiver.py.
set -euf -o pipefail

tolerance=300    # seconds: whoever recorded a request cannot send it again tomorrow
most=1048576     # bytes of a body
patience=10      # seconds that a sender may take

answer() {
    printf 'HTTP/1.1 %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n' "$1"
    exit 0
}

hex() { od -An -v -tx1 | tr -d ' \n'; }

# The bytes that a secret stands for, in hex: base64 behind whsec_, or the text itself.
key() {
    case $1 in
        whsec_*) printf '%s' "${1#whsec_}" | openssl base64 -d -A | hex ;;
        *) printf '%s' "$1" | hex ;;
    esac
}

# Whether two texts are equal, by a comparison whose duration tells nothing: what is compared nobody else can know.
salt=$(openssl rand -hex 32)
same() { [ "$(printf '%s%s' "$salt" "$1" | openssl dgst -sha256)" = "$(printf '%s%s' "$salt" "$2" | openssl dgst -sha256)" ]; }

[ -n "${CALLBOX_SIGNING_SECRET:-}" ] || answer '500 No secret'
body=$(mktemp)
trap 'rm -f "$body"' EXIT

# The header: names in lower case.
declare -A header=()
IFS= read -r -t "$patience" request || exit 0
while IFS= read -r -t "$patience" line && line=${line%$'\r'} && [ -n "$line" ]; do
    [ ${#header[@]} -lt 100 ] || answer '431 Too many fields'
    value=${line#*:}
    name=${line%%:*}
    header["${name,,}"]=${value#"${value%%[![:space:]]*}"}
done
case $request in "POST "*) ;; *) answer '405 POST only' ;; esac

# The body: its bytes as they came, in a file, because a variable holds no NUL.
length=${header[content-length]:-}
[[ $length =~ ^[0-9]{1,9}$ ]] || answer '411 Length required'
[ "$((10#$length))" -le "$most" ] || answer '413 Too large'
timeout "$patience" head -c "$((10#$length))" >"$body" || answer '408 Too slow'

# Signed with one of the secrets, just now? See https://www.standardwebhooks.com.
id=${header[webhook-id]:-}
at=${header[webhook-timestamp]:-}
[[ -n $id && $at =~ ^[0-9]{1,12}$ ]] || answer '401 Not signed'
age=$(($(date +%s) - 10#$at))
[ "${age#-}" -le "$tolerance" ] || answer '401 Too old'
verified=no
for secret in $CALLBOX_SIGNING_SECRET; do
    wanted=$({ printf '%s.%s.' "$id" "$at"; cat "$body"; } |
        openssl dgst -sha256 -mac HMAC -macopt "hexkey:$(key "$secret")" -binary | openssl base64 -A)
    read -r -a given <<<"${header[webhook-signature]:-}"
    for one in "${given[@]}"; do
        if same "$one" "v1,$wanted"; then verified=yes; fi
    done
done
[ "$verified" = yes ] || answer '401 Not signed by Callbox'

# What you make of it. A delivery that comes twice has the same webhook-id.
printf '%s\t%s\n' "$id" "$(tr -d '\n\0' <"$body")" >>"${CALLBOX_RECEIVED:-/dev/null}"
answer '204 Thanks'
