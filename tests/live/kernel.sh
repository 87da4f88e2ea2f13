#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# kernel.sh PROGRAM LISTS LIMIT_MS: every shape of block entry, LISTS random lists and the replacement
# of 10,000 entries in the real kernel. Needs root for a network namespace of its own.
set -eu
if ! unshare -n true 2>/dev/null; then
    echo "skipped: cannot make a network namespace (not root)"
    exit 77
fi
for command in shapes "random $2" "replace 9 $3"; do
    # shellcheck disable=SC2086
    unshare -n "$1" $command
done
