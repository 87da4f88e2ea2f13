#!/bin/sh
# The unit files: systemd finds no mistake in them, and what they leave open is little: an
# exposure of at most 2.0 (systemd-analyze(1) counts from 0 to 10, in tenths for --threshold).
# Usage: units.sh FOLDER PROGRAMS, the unit files and the folder of the programs they name.
set -u
folder=$1 programs=$2
if ! command -v systemd-analyze >/dev/null; then
    echo "skipped: systemd-analyze is not installed"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
for unit in "$folder"/*.service; do
    # systemd also looks whether the program is there: the one just built will do.
    sed "s|^ExecStart=/[^ ]*/|ExecStart=$programs/|" "$unit" >"$work/${unit##*/}"
    if ! systemd-analyze verify --man=no "$work/${unit##*/}" >"$work/said" 2>&1 || [ -s "$work/said" ]; then
        echo "${unit##*/}: systemd-analyze verify says:"
        cat "$work/said"
        bad=1
    fi
    if ! systemd-analyze security --offline=true --threshold=20 --no-pager "$work/${unit##*/}" \
        >"$work/said" 2>&1; then
        echo "${unit##*/}: too much left open:"
        cat "$work/said"
        bad=1
    fi
    grep 'Overall exposure' "$work/said" | sed 's/[^ -~]//g' || bad=1
done
exit $bad
