#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# same.sh NATIVE FOREIGN POOLSIM CAPTURES SCRIPT...: golden_packed of this machine and of another processor
# (FOREIGN runs in the emulator) print the same: the same bytes are sent, and analyze says the same. Of
# captures that poolsim makes of SCRIPTs, and of one in 16 of CAPTURES (LAMP_LONG=1: all) where they are there.
# Exit 77: there is no NATIVE (it is of the debug-asan build).
set -eu

# shellcheck disable=SC2034 # foreign is read by its name
native=$1 foreign=$2 poolsim=$3 captures=$4
shift 4
[ -x "$native" ] || { echo "skipped: no $native to compare with"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

share=16
[ "${LAMP_LONG:-}" != 1 ] || share=1
mkdir "$work/made"
for script in "$@"; do
    # Made over there, so that a capture too is the same.
    "$poolsim" write --out "$work/made/$(basename "$script").pcap" "$script" >"$work/truth"
done
for who in native foreign; do
    "${!who}" 1 1 "$work/made" >"$work/$who"
    [ ! -d "$captures" ] || "${!who}" $share 7 "$captures" >>"$work/$who"
done
diff "$work/native" "$work/foreign" | head -40
cmp "$work/native" "$work/foreign"
grep -c ' records, ' "$work/native" | sed 's/$/ captures, the same bytes/'
