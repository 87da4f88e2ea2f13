#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# nft_apply.sh PROGRAM: every shape of block entry loads into the kernel as one transaction.
# Needs root for a network namespace of its own; reports itself skipped without.
set -eu
if ! unshare -n true 2>/dev/null; then
    echo "skipped: cannot make a network namespace (not root)"
    exit 77
fi
exec unshare -n "$1"
