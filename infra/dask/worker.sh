#!/usr/bin/env bash
# worker.sh ADDRESS [options of `dask worker`]: the workers of one machine, such as `worker.sh tls://host:8786`.
#   CERTIFICATES=DIR  what certificates.sh wrote, as the scheduler has it
#   WORKERS=auto      how many processes of one thread each; auto: one a core
#   MEMORY=auto       of a process, such as 2GiB; one that takes more is started again; auto: its share of the machine
#   DASHBOARD=127.0.0.1:0  where Prometheus reads a process's counters, unencrypted; 0: any port
set -euo pipefail
address=${1:?"usage: worker.sh ADDRESS [options]"}
shift
here=$(dirname "$0")
# shellcheck source=tls.sh
source "$here/tls.sh"
workers=${WORKERS:-auto}
[[ $workers != auto ]] || workers=$(nproc)
exec "${PYTHON:-python}" -m dask worker "$address" --protocol "$protocol" ${tls[@]+"${tls[@]}"} \
  --nworkers "$workers" --nthreads 1 --memory-limit "${MEMORY:-auto}" \
  --dashboard-address "${DASHBOARD:-127.0.0.1:0}" --preload pipelines.engines.preload "$@"
