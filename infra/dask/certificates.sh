#!/usr/bin/env bash
# certificates.sh DIR: a certificate authority, and one certificate for scheduler, workers and drivers.
# Whoever holds DIR/key.pem may run code on the cluster. ca-key.pem signs more certificates: keep it elsewhere.
set -euo pipefail
directory=${1:?"usage: certificates.sh DIR"}
days=${DAYS:-365}
mkdir -p "$directory"
cd "$directory"
if [[ -e cert.pem ]]; then
  echo "$directory/cert.pem is there already: remove it first, and renew it wherever it was copied to" >&2
  exit 2
fi
umask 077
curve=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
openssl req -x509 "${curve[@]}" -days "$days" -subj "/CN=hanmill authority" -keyout ca-key.pem -out ca.pem 2>/dev/null
openssl req "${curve[@]}" -subj "/CN=hanmill" -keyout key.pem -out request.pem 2>/dev/null
openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days "$days" -out cert.pem 2>/dev/null
rm request.pem ca.srl
echo "$directory: ca.pem, cert.pem and key.pem, for $days days"
