#!/usr/bin/env bash
# scheduler.sh [options of `dask scheduler`]: the scheduler of a cluster.
#   CERTIFICATES=DIR          what certificates.sh wrote: traffic of the cluster is encrypted, others are refused
#   PORT=8786                 where drivers and workers connect
#   DASHBOARD=127.0.0.1:8787  where people and Prometheus look, unencrypted; :8787 lets other machines look too
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=tls.sh
source "$here/tls.sh"
exec "${PYTHON:-python}" -m dask scheduler --protocol "$protocol" ${tls[@]+"${tls[@]}"} \
  --port "${PORT:-8786}" --dashboard-address "${DASHBOARD:-127.0.0.1:8787}" --preload pipelines.engines.preload "$@"
