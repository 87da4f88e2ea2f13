#!/bin/sh
# check.sh PROGRAM PAGE: every option of PROGRAM --help is in the manual page.
set -eu
program=$1 page=$2
bad=0
"$program" --help | grep -oE '^  (-[a-zA-Z], )?--[a-z][a-z0-9-]*' | grep -oE -- '--[a-z0-9-]+' |
    sort -u > "$page.options"
[ -s "$page.options" ] || { echo "$program --help lists no option"; bad=1; }
while read -r option; do
    escaped=$(printf '%s' "$option" | sed 's/-/\\\\-/g')
    grep -qE -- "($option|$escaped)" "$page" || { echo "$page: $option is missing"; bad=1; }
done < "$page.options"
rm -f "$page.options"
exit $bad
