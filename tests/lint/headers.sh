#!/bin/sh
# Every source names its licence, every header guards itself, and a .c includes its own
# header before any other of ours, so that the header proves itself complete.
set -eu
bad=0
for file in $(git ls-files -co --exclude-standard '*.c' '*.h'); do
    [ -e "$file" ] || continue
    case $(head -n 1 "$file") in
    *'SPDX-License-Identifier: Apache-2.0'*) ;;
    *) echo "$file: the first line does not name the licence"; bad=1 ;;
    esac
    case $file in
    *.h) grep -q '^#pragma once' "$file" || { echo "$file: no #pragma once"; bad=1; } ;;
    tests/*) ;;
    *.c)
        own="${file%.c}.h"
        if [ -e "$own" ]; then
            first=$(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file" | head -n 1)
            [ "$first" = "$own" ] || { echo "$file: includes \"$first\" before its own header"; bad=1; }
        fi
        ;;
    esac
done
exit $bad
