#!/bin/sh
# The layout of every C file is what .clang-format says.
set -eu
command -v clang-format >/dev/null || { echo "clang-format is not installed"; exit 77; }
git ls-files -co --exclude-standard '*.c' '*.h' | while read -r file; do
    if [ -e "$file" ]; then echo "$file"; fi
done | xargs clang-format --dry-run --Werror --ferror-limit=5
