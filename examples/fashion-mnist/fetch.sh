#!/usr/bin/env bash
# Fetches all of Fashion-MNIST (60,000 + 10,000 pictures) into a folder, by default data/fashion-mnist: Debian's package is
# downloaded and unpacked, not installed, and each file must have the sum noted here. Takes no root where apt's lists exist.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${1:-"$here/../../data/fashion-mnist"}
package=dataset-fashion-mnist

verified() { (cd "$1" && sha256sum --quiet --check "$here/full.sha256"); }

if [ -d "$target" ] && verified "$target" >/dev/null 2>&1; then
    echo "Fashion-MNIST is in $target"
    exit 0
fi

for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || {
        echo "$tool is missing; put the four .gz files of Fashion-MNIST into $target yourself, the sums are in $here/full.sha256" >&2
        exit 1
    }
done

mkdir -p "$(dirname "$target")"
fetch=$(mktemp -d "$(dirname "$target")/fetch.XXXXXX")
trap 'rm -rf "$fetch"' EXIT
download() { (cd "$fetch" && apt-get download -qq "$package"); }
download 2>/dev/null || {
    echo "apt does not know $package yet: updating its lists"
    apt-get update -qq && download
} || {
    echo "cannot download the Debian package $package" >&2
    exit 1
}
dpkg-deb -x "$fetch/$package"_*.deb "$fetch/unpacked"
files=$fetch/unpacked/usr/share/datasets/fashion-mnist
verified "$files" || {
    echo "the files of $package are not those that are expected; nothing was put into $target" >&2
    exit 1
}
mkdir -p "$target"
cp "$files"/*.gz "$target/"
cp "$fetch/unpacked/usr/share/doc/$package/copyright" "$target/LICENSE"
echo "Fashion-MNIST is in $target"
