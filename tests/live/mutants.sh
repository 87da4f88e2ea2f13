#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds the programs that tests/live/mutants/*.patch make wrong, and runs each through the scenario its
# patch names: a mutant that passes is a hole in the tests. mutants.sh BUILD_FOLDER FAULTS_PROGRAM [NAME...]
set -eu
build=$1 faults=$2
shift 2
here=$(cd "$(dirname "$0")/mutants" && pwd)
work=$(mktemp -d /tmp/lamp-mutants.XXXXXX)
trap 'rm -rf "$work"' EXIT
[ $# -gt 0 ] || set -- $(cd "$here" && ls -- *.patch | sed 's/\.patch$//')

command -v patch >/dev/null || { echo "patch is not installed"; exit 77; }
cmake --build "$build" -j "$(nproc)" --target mutants >"$work/build.log" 2>&1 || {
    tail -40 "$work/build.log"
    echo "a patch no longer fits its source: change the patch in tests/live/mutants"
    exit 1
}

# head FIELD NAME: a line of the patch's head.
head_of() { sed -n "s/^# $1: //p" "$here/$2.patch"; }

# try_one NAME: 0 when it is caught. (Three at a time: the scenarios mostly wait.)
try_one() {
    local side scenario log="$work/$1.log"
    side=$(head_of side "$1") scenario=$(head_of scenario "$1")
    # shellcheck disable=SC2086 # words
    if timeout 400 "$faults" --seed 7 --"$side" "$build/tests/mutant_$1" $scenario >"$log" 2>&1; then
        echo "mutants: $1 PASSED $scenario: $(sed -n '1s/^# //p' "$here/$1.patch")"
        return 1
    fi
    if ! grep -q FAILED "$log"; then
        echo "mutants: $1: $scenario did not run to its end"
        tail -20 "$log"
        return 1
    fi
    echo "mutants: $1 caught by $scenario: $(grep -hE '^check: |FAILED' "$log" | head -n 1)"
}

caught=0 total=0
while [ $# -gt 0 ]; do
    names=("${@:1:3}")
    shift "${#names[@]}"
    pids=()
    for name in "${names[@]}"; do
        try_one "$name" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do
        total=$((total + 1))
        if wait "$pid"; then caught=$((caught + 1)); fi
    done
done
echo "mutants: $caught of $total caught"
[ "$caught" -eq "$total" ]
