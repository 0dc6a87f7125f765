#!/usr/bin/env bash
# setup.sh SYSTEM...   Makes a virtual environment for each of tensorflow, torch, mxnet under target/peers. Runs again in no
# time when all is there. PYTHON names the interpreter: 3.11, the only one that all of them run on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

python=${PYTHON:-python3.11}
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || {
    echo "peers: $python is no Python 3.11: install one, or name it in PYTHON" >&2
    exit 1
}

# An environment is made anew whenever its pins or the interpreter change; the stamp is written last.
for system in "$@"; do
    pins=benches/peers/requirements/$system.txt
    venv=target/peers/$system
    [ -f "$pins" ] || { echo "peers: there is no $pins" >&2; exit 1; }
    stamp="$(sha256sum <"$pins") $("$python" --version)"
    if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ]; then continue; fi
    echo "peers: making the environment of $system"
    rm -rf "$venv"
    mkdir -p target/peers
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$pins"
    printf '%s\n' "$stamp" >"$venv/stamp"
done
