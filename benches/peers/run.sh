#!/usr/bin/env bash
# The same training job on tfcoord and on other systems, in interleaved rounds of one run. `run.sh --help` says how.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

usage() {
    cat <<'TEXT'
run.sh [--rounds N] [--limit SECONDS] [--quiet SECONDS] [CASE...]

A case is SYSTEM-MODEL; without any: tfcoord, tensorflow, mxnet and torch, each with m1 and m2.

SYSTEM  tfcoord         1 coordinator, 1 server, 2 workers
        tensorflow      ParameterServerStrategy: coordinator, 1 server, 2 workers
        tensorflow20    the same, 20 steps a call
        mxnet           dist_sync: scheduler, 1 server, 2 workers
        torch           DistributedDataParallel over gloo: 2 workers
MODEL   m1              mlp 784-256-128-10, 3 epochs of Fashion-MNIST
        m2              cnn of examples/fashion-mnist/full.json, 1 epoch

--rounds N        how often (2); all cases once, then all again
--limit SECONDS   the longest a case may take (900)
--quiet SECONDS   wait up to so long for a quiet machine before each (30)

Environments are made under target/peers (Python 3.11; PYTHON names another interpreter), data come from `make data`.
Results: target/peers/results/TIME.jsonl, logs beside them; the summary is printed at the end.
TEXT
}

rounds=2 limit=900 quiet=30 cases=()
while [ $# -gt 0 ]; do
    case $1 in
        --help | -h) usage; exit 0 ;;
        --rounds | --limit | --quiet)
            [[ ${2:-} =~ ^[0-9]+$ ]] || { echo "$1 wants a number" >&2; exit 2; }
            printf -v "${1#--}" %s "$2"
            shift 2 ;;
        -*) echo "unknown option $1; see --help" >&2; exit 2 ;;
        *) cases+=("$1"); shift ;;
    esac
done
[ ${#cases[@]} -gt 0 ] || cases=({tfcoord,tensorflow,mxnet,torch}-m{1,2})

systems=()
for name in "${cases[@]}"; do
    case $name in
        tfcoord-m[12]) ;;
        tensorflow-m[12] | tensorflow20-m[12]) systems+=(tensorflow) ;;
        mxnet-m[12] | torch-m[12]) systems+=("${name%-*}") ;;
        *) echo "unknown case $name; see --help" >&2; exit 2 ;;
    esac
done

tfcoord=${TFCOORD_BIN_DIR:-$root/target/release}/tfcoord
[ -x "$tfcoord" ] || { echo "$tfcoord is missing: run make bench-peers, which builds it" >&2; exit 1; }
[ ${#systems[@]} -eq 0 ] || "$here/setup.sh" "${systems[@]}"
make -s -C "$root" data

peers=$root/target/peers
mkdir -p "$peers/results"
results=$peers/results/$(date -u +%Y-%m-%dT%H%M%SZ).jsonl
export FASHION_MNIST=$root/data/fashion-mnist OMP_NUM_THREADS=1

# What a case runs, in `command`.
command_of() {
    local system=${1%-*} model=${1##*-} work
    case $model in m1) work=(mlp 3) ;; m2) work=(cnn 1) ;; esac
    case $system in
        tfcoord) command=(python3 "$here/tfcoord_job.py" "$tfcoord" "$here/$model.json") ;;
        tensorflow) command=("$peers/tensorflow/bin/python" "$here/tensorflow_cluster.py" "${work[@]}") ;;
        tensorflow20) command=(env CALL=20 "$peers/tensorflow/bin/python" "$here/tensorflow_cluster.py" "${work[@]}") ;;
        mxnet) command=("$peers/mxnet/bin/python" "$here/mxnet_cluster.py" "${work[@]}") ;;
        torch) command=("$peers/torch/bin/python" -m torch.distributed.run --standalone --nproc_per_node 2
            "$here/torch_task.py" "${work[@]}") ;;
    esac
}

echo "results go to ${results#"$root/"}"
for round in $(seq "$rounds"); do
    for name in "${cases[@]}"; do
        command_of "$name"
        # A fresh coordinator numbers its jobs from the beginning, and does not touch what another one's job has left.
        rm -rf "$peers/out" && mkdir -p "$peers/out"
        MODEL_OUT=$peers/out/$name PYTHONDONTWRITEBYTECODE=1 python3 "$here/measure.py" --case "$name" --round "$round" \
            --results "$results" --log "${results%.jsonl}.log" --limit "$limit" --quiet "$quiet" -- "${command[@]}" ||
            echo "$name failed: see ${results%.jsonl}.log" >&2
    done
done

# Without OMP_NUM_THREADS, which nproc would believe.
cores=$(env -u OMP_NUM_THREADS nproc)
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
printf '\n%s, %s cores of %s, %s rounds\n' "$(date -u +%Y-%m-%d)" "$cores" "$cpu" "$rounds"
python3 "$here/summary.py" "$results"
