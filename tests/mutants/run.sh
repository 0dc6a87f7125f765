#!/usr/bin/env bash
# Puts known bugs back, one after the other, in a copy of the tree, and sees whether what should catch each does.
#
#   tests/mutants/run.sh [NAME...]        all of them without names
#
# A mutant is tests/mutants/NAME.patch, which `git apply` takes. Before its first hunk stand lines that say what it breaks
# and what catches it:
#
#   # Breaks: a push is taken from whoever sends it.
#   # Caught by: sim
#   # Caught by: test -p tfcoord-ps-core the_name_of_a_test
#
# `sim` is a thousand seeds of the simulator; anything else is given to cargo. The working tree's state is what is copied,
# so a change can be tried before it is committed. Ends with 1 if a mutant is not caught, or does not apply or build.
set -euo pipefail
cd "$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)"

root=$PWD
copy=$root/target/mutants/tree
log=$root/target/mutants/log
export CARGO_TARGET_DIR=$root/target/mutants/build
export RUST_BACKTRACE=0
# A test whose tool is missing catches nothing.
export CI="${CI:-1}"
# A mutant that goes round in circles is caught too.
readonly SECONDS_MAX=900

# The copy's files keep their times where nothing has changed, so that little is built again.
prepare() {
    mkdir -p "$log"
    if ! git worktree list --porcelain | grep -qxF "worktree $copy"; then
        git worktree prune
        rm -rf "$copy"
        git worktree add --quiet --detach "$copy" HEAD
    fi
    git -C "$copy" checkout --quiet --force --detach "$(git rev-parse HEAD)"
    git -C "$copy" clean --quiet -fd
    git diff --binary HEAD >"$log/working.diff"
    if [[ -s $log/working.diff ]]; then
        git -C "$copy" apply "$log/working.diff"
    fi
    mkdir -p "$copy/target"
    ln -sfn "$root/target/tools" "$copy/target/tools"
    git ls-files --others --exclude-standard -z | xargs -0 -r cp --parents --preserve=timestamps --target-directory="$copy"
}

# What is built already of other people's crates is not built again.
warm_up() {
    local from=$root/target/debug to=$CARGO_TARGET_DIR/debug
    if [[ -d $to || ! -d $from ]]; then
        return
    fi
    mkdir -p "$to/deps"
    cp -a "$from/build" "$from/.fingerprint" "$to/"
    find "$from/deps" -maxdepth 1 -type f ! -name '*tfcoord*' \( -name '*.rlib' -o -name '*.rmeta' -o -name '*.so' -o -name '*.d' \) \
        -exec cp -a -t "$to/deps" {} +
}

caught_by() {
    sed -n 's/^# Caught by: //p' "$1" | head -n 1
}

# Runs what should catch it: 0 if all passes.
run() {
    if [[ $1 == sim ]]; then
        builds sim && timeout "$SECONDS_MAX" "$CARGO_TARGET_DIR/debug/tfcoord-sim" --until-failure 0 1000
    else
        # shellcheck disable=SC2086
        timeout "$SECONDS_MAX" "${CARGO:-cargo}" $1
    fi
}

builds() {
    if [[ $1 == sim ]]; then
        "${CARGO:-cargo}" build --quiet -p tfcoord-sim
    else
        # shellcheck disable=SC2086
        "${CARGO:-cargo}" ${1/test /test --no-run }
    fi
}

prepare
warm_up
cd "$copy"
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
    for patch in "$root"/tests/mutants/*.patch; do
        names+=("$(basename "$patch" .patch)")
    done
fi

# What catches nothing on the tree as it is.
for by in $(for name in "${names[@]}"; do caught_by "$root/tests/mutants/$name.patch" | tr ' ' '~'; done | sort -u); do
    by=${by//\~/ }
    if ! run "$by" >"$log/as-it-is.log" 2>&1; then
        printf 'without any mutant "%s" fails:\n' "$by"
        tail -n 20 "$log/as-it-is.log"
        exit 1
    fi
done

caught=0
missed=()
for name in "${names[@]}"; do
    patch=$root/tests/mutants/$name.patch
    by=$(caught_by "$patch")
    if ! git apply "$patch" 2>"$log/$name.log"; then
        missed+=("$name (does not apply: see target/mutants/log/$name.log)")
        continue
    fi
    if ! builds "$by" >"$log/$name.log" 2>&1; then
        missed+=("$name (does not build: see target/mutants/log/$name.log)")
    elif run "$by" >"$log/$name.log" 2>&1; then
        missed+=("$name")
    else
        caught=$((caught + 1))
        printf 'caught  %-36s %s\n' "$name" "$(grep -m 1 -oE '^seed .*|^test .* FAILED' "$log/$name.log" | cut -c 1-110)"
    fi
    git apply --reverse "$patch"
done

printf 'caught %d of %d\n' "$caught" "${#names[@]}"
for name in "${missed[@]}"; do
    printf 'missed  %s\n' "$name"
done
[[ $caught -eq ${#names[@]} ]]
