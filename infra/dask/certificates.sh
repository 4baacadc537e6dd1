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
quietly() { said=$("$@" 2>&1) || { echo "$said" >&2; exit 1; }; }
curve=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
quietly openssl req -x509 "${curve[@]}" -days "$days" -subj "/CN=hanmill authority" -keyout ca-key.pem -out ca.pem
quietly openssl req "${curve[@]}" -subj "/CN=hanmill" -keyout key.pem -out request.pem
quietly openssl x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days "$days" -out cert.pem
rm request.pem ca.srl
echo "$directory: ca.pem, cert.pem and key.pem, for $days days"
