#!/usr/bin/env bash
# scheduler.sh [options of `dask scheduler`]: the scheduler of a cluster.
#   CERTIFICATES=DIR  what certificates.sh wrote: all traffic is encrypted, and others are refused
#   PORT=8786         where drivers and workers connect
#   DASHBOARD=:8787   where people and Prometheus look
set -euo pipefail
here=$(dirname "$0")
# shellcheck source=tls.sh
source "$here/tls.sh"
exec "${PYTHON:-python}" -m dask scheduler --protocol "$protocol" ${tls[@]+"${tls[@]}"} \
  --port "${PORT:-8786}" --dashboard-address "${DASHBOARD:-:8787}" --preload pipelines.engines.preload "$@"
