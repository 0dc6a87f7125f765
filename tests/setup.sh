#!/usr/bin/env bash
# Installs what the tests judge by into target/tools: a Python environment (TensorBoard's reader, scikit-learn, numpy),
# promtool, and HDFS where a JDK and Maven are; and of the system what is missing of iproute2, for the tests between network
# namespaces, and of MIT's Kerberos and faketime, for those of HDFS. Runs again in no time when all is there. What cannot be installed is named at the end; without it some tests print SKIP, or fail where CI is set. Data of the
# examples that are not shipped are fetched into data/; without them it fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools=target/tools
mkdir -p "$tools"
missing=()

say() { printf 'setup: %s\n' "$*"; }

# apt for root only; the lists are fetched once, and only when something was not found without.
apt_updated=
apt_update() {
    [ -z "$apt_updated" ] || return 0
    apt_updated=yes
    [ "$(id -u)" = 0 ] && apt-get update -qq
}
apt_install() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "cannot install $1: that takes root and apt-get"
        return 1
    fi
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$1")
    "${install[@]}" >/dev/null || { apt_update && "${install[@]}" >/dev/null; }
}

need_ip() {
    command -v ip >/dev/null || [ -x /sbin/ip ] || [ -x /usr/sbin/ip ] || apt_install iproute2
}

# Unpacks promtool alone from its package: installing it would start a server.
need_promtool() {
    local folder=$tools/promtool
    if [ -x "$folder/promtool" ]; then return 0; fi
    mkdir -p "$folder"
    if command -v promtool >/dev/null; then
        ln -s "$(command -v promtool)" "$folder/promtool"
        return 0
    fi
    if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
        say "no apt-get to fetch promtool with"
        return 1
    fi
    say "fetching promtool"
    local fetch=$folder/fetch
    rm -rf "$fetch" && mkdir "$fetch"
    (cd "$fetch" && apt-get download -qq prometheus 2>/dev/null) ||
        { apt_update && (cd "$fetch" && apt-get download -qq prometheus 2>/dev/null); } ||
        { rm -rf "$fetch"; return 1; }
    dpkg-deb --fsys-tarfile "$fetch"/prometheus_*.deb | tar -xO ./usr/bin/promtool >"$fetch/promtool"
    chmod +x "$fetch/promtool"
    mv "$fetch/promtool" "$folder/promtool"
    rm -rf "$fetch"
}

# A real KDC, and clocks that go wrong.
need_kerberos() {
    local path=$PATH:/usr/sbin:/sbin
    PATH=$path command -v krb5kdc >/dev/null || apt_install krb5-kdc || return 1
    PATH=$path command -v kadmin.local >/dev/null || apt_install krb5-admin-server || return 1
    command -v kinit >/dev/null || apt_install krb5-user || return 1
    command -v curl >/dev/null || apt_install curl || return 1
    command -v faketime >/dev/null || apt_install faketime || return 1
    command -v openssl >/dev/null || apt_install openssl || return 1
    # What clients open at run time; there already, unless somebody took it away.
    local libraries
    libraries=$(PATH=$path ldconfig -p)
    [[ $libraries == *libkrb5.so.3* ]] || apt_install libkrb5-3 || return 1
    [[ $libraries == *libgssapi_krb5.so.2* ]] || apt_install libgssapi-krb5-2
}

# Hadoop's jars, ours, and an archive of their classes that saves a third of a start. The stamp is written last.
need_hadoop() {
    local hadoop=$tools/hadoop new stamp
    if ! command -v java >/dev/null || ! command -v mvn >/dev/null; then
        say "SKIPPING HDFS: it takes a JDK (17 or later) and Maven, and they are yours to install"
        return 1
    fi
    stamp="$(find tests/hadoop/bed -type f -print0 | sort -z | xargs -0 cat | sha256sum | cut -d' ' -f1) $(java --version | head -1)"
    if [ -f "$hadoop/bed.jsa" ] && [ "$(cat "$hadoop/stamp" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    say "fetching Hadoop and building the bed"
    new=$(mktemp -d "$(realpath "$tools")/hadoop.XXXXXX")
    chmod 755 "$new"
    if ! mvn -q -B -f tests/hadoop/bed package dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$new/lib"; then
        rm -rf "$new"
        return 1
    fi
    cp target/hadoop-bed/bed.jar "$new/"
    rm -rf "$hadoop" && mv "$new" "$hadoop" && tests/hadoop/archive.sh "$hadoop" || return 1
    printf '%s\n' "$stamp" >"$hadoop/stamp"
}

# The environment is made anew whenever the pins or the interpreter change; the stamp is written last.
need_venv() {
    local venv=$tools/venv stamp
    command -v python3 >/dev/null || apt_install python3 || return 1
    stamp="$(sha256sum tests/requirements.txt | cut -d' ' -f1) $(python3 --version)"
    if [ -x "$venv/bin/python" ] && [ "$(cat "$venv/stamp" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    say "making the Python environment"
    rm -rf "$venv"
    if ! python3 -m venv "$venv" >/dev/null 2>&1; then
        rm -rf "$venv"
        apt_install python3-venv && python3 -m venv "$venv" >/dev/null || return 1
    fi
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r tests/requirements.txt || return 1
    printf '%s\n' "$stamp" >"$venv/stamp"
}

# Says why it cannot, which the examples' own scripts do before.
need_data() {
    "examples/$1/fetch.sh" "data/$1" >/dev/null && return 0
    say "cannot fetch data/$1, which tests of the examples train on: see above; \`examples/$1/fetch.sh data/$1\` tries it again"
    exit 1
}

need_ip || missing+=("iproute2 (tests between network namespaces)")
need_promtool || missing+=("promtool (checks of the metrics endpoints)")
need_venv || missing+=("Python environment (TensorBoard's reader, scikit-learn)")
need_kerberos || missing+=("MIT Kerberos, faketime (tests of secured HDFS)")
need_hadoop || missing+=("HDFS (tests of hdfs://)")

if [ ${#missing[@]} -gt 0 ]; then
    say "NOT INSTALLED:"
    printf 'setup:   - %s\n' "${missing[@]}"
    [ -z "${CI:-}" ] || say "CI is set: the tests that need them will fail"
else
    say "all tools are in $tools"
fi

for example in adult stocks fashion-mnist; do
    need_data "$example"
done
say "all data are in data"
