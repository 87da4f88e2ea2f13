#!/bin/sh
# Calls that STYLE bans, sleeps in tests, and words that do not belong into the tree.
set -eu
bad=0

# look LABEL PATTERN FILE...: prints and counts the lines that match.
look() {
    label=$1 pattern=$2
    shift 2
    found=$(git ls-files -co --exclude-standard -- "$@" | xargs -r grep -nE "$pattern" -- 2>/dev/null || true)
    if [ -n "$found" ]; then
        printf '%s:\n%s\n' "$label" "$found"
        bad=1
    fi
}

look 'calls that the style bans' '(^|[^_[:alnum:]])(atoi|atol|strtok|sprintf|vsprintf|strcpy|strcat|gets|rand|srand)\(' \
    '*.c' '*.h'
look 'sleeps (wait for a condition with a deadline)' '(^|[^_[:alnum:]])(sleep|usleep|nanosleep)\(|waitForTimeout' \
    '*.c' '*.h' '*.mjs' '*.ts'
look 'sleeps (wait for a condition with a deadline)' '(^|[^_[:alnum:]])sleep [0-9]' 'tests/*.sh'
look 'HTML from text (use text nodes)' 'innerHTML|outerHTML|insertAdjacentHTML|\{@html' 'web/src/*'
look 'unfinished marks' '\b(TODO|FIXME|XXX|HACK)\b' '*.c' '*.h' '*.ts' '*.svelte' '*.mjs' '*.cmake'
exit $bad
