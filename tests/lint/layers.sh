#!/bin/sh
# Holds the layers of DESIGN section 3: fails on an #include against tests/lint/layers.txt.
set -eu
git ls-files -co --exclude-standard 'common/*.[ch]' 'proto/*.[ch]' 'sensor/*.[ch]' 'aggregator/*.[ch]' |
while read -r file; do
    if [ -e "$file" ]; then
        sed -n "s|^ *# *include \"\\([^\"]*\\)\".*|$file \\1|p" "$file"
    fi
done | awk -v rules=tests/lint/layers.txt '
    # The longest part that a path begins with, or "".
    function part_of(path,    p, best) {
        best = ""
        for (p in allowed)
            if (index(path, p) == 1 && length(p) > length(best))
                best = p
        return best
    }
    BEGIN {
        while ((getline line < rules) > 0) {
            if (line ~ /^#/ || line ~ /^ *$/)
                continue
            split(line, half, ":")
            allowed[half[1]] = half[2]
        }
    }
    $2 ~ /^(common\/version\.h|fleet\.pb-c\.h)$/ && ($1 ~ /^proto\/wire/ || $2 ~ /^common/) { next }
    {
        from = part_of($1); to = part_of($2); seen++
        if (from == "") { print $1 ": no part in " rules " covers it"; bad++; next }
        if (to == from || to == "common/")
            next
        n = split(allowed[from], may, " ")
        ok = 0
        for (i = 1; i <= n; i++)
            if (to == may[i] || (index($2, may[i]) == 1))
                ok = 1
        if (!ok) { print $1 ": includes " $2 ", which " rules " does not allow for " from; bad++ }
    }
    END {
        if (seen < 50) { print "only " seen + 0 " includes found: is this the right folder?"; bad++ }
        exit bad > 0
    }'
