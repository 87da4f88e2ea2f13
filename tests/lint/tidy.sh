#!/bin/sh
# clang-tidy over the programs' sources, with the checks of .clang-tidy. Needs the compile commands
# of a clang build: tidy.sh BUILD_FOLDER.
set -eu
command -v clang-tidy >/dev/null || { echo "clang-tidy is not installed"; exit 77; }
git ls-files -co --exclude-standard 'common/*.c' 'proto/*.c' 'sensor/*.c' 'aggregator/*.c' |
    xargs -n 4 -P 2 clang-tidy -p "$1" --quiet 2>/dev/null
