# Sets `protocol` and `tls`, the options of Dask's commands, from CERTIFICATES.
protocol=tcp
tls=()
if [[ -n ${CERTIFICATES:-} ]]; then
  protocol=tls
  tls=(--tls-ca-file "$CERTIFICATES/ca.pem" --tls-cert "$CERTIFICATES/cert.pem" --tls-key "$CERTIFICATES/key.pem")
fi
