#!/bin/sh
# page.sh PROGRAM PAGE.scd.in OUT: builds a manual page; the line @OPTIONS@ becomes the options that
# PROGRAM --help lists.
set -eu
program=$1 text=$2 out=$3
mkdir -p "$(dirname "$out")"
tmp=$out.tmp
trap 'rm -f "$tmp"' EXIT

"$program" --help | awk -v text="$text" '
    # scdoc reads _ and * as emphasis.
    function plain(s) { gsub(/[\\_*<>#]/, "\\\\&", s); return s }
    /^  -/ {
        line = substr($0, 3)
        gap = match(line, /  +/)
        name = gap ? substr(line, 1, gap - 1) : line
        help = gap ? substr(line, gap + RLENGTH) : ""
        options[++n] = "*" plain(name) "*"
        helps[n] = help
        next
    }
    /^          / && n { sub(/^ +/, ""); helps[n] = helps[n] (helps[n] ? " " : "") $0; next }
    END {
        while ((getline line < text) > 0) {
            if (line != "@OPTIONS@") { print line; continue }
            for (i = 1; i <= n; i++)
                printf "%s\n\t%s\n\n", options[i], plain(helps[i])
        }
    }' | scdoc > "$tmp"
mv "$tmp" "$out"
