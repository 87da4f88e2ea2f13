#!/bin/sh
# What the release build's programs are protected by, read from the programs themselves:
# position-independent, all relocations read-only before main, no executable stack, no writable
# code, stack protector, checked string functions, no library path of the build machine.
# Usage: hardening.sh PROGRAM...
set -eu
if ! command -v readelf >/dev/null; then
    echo "skipped: readelf (binutils) is not installed"
    exit 77
fi
bad=0
for program in "$@"; do
    headers=$(readelf -W -h -l "$program")
    dynamic=$(readelf -W -d "$program")
    symbols=$(readelf -W --dyn-syms "$program")
    # has TEXT PATTERN WHAT, lacks TEXT PATTERN WHAT
    has() { echo "$1" | grep -qE "$2" || { echo "${program##*/}: no $3"; bad=1; }; }
    lacks() { ! echo "$1" | grep -qE "$2" || { echo "${program##*/}: $3"; bad=1; }; }
    has "$headers" 'Type: +DYN' "position-independent code (-pie)"
    has "$headers" 'GNU_RELRO' "read-only relocations (-z relro)"
    has "$dynamic" 'BIND_NOW|Flags:.* NOW' "binding at start (-z now)"
    has "$headers" 'GNU_STACK .* RW +0x' "stack without execution"
    lacks "$headers" ' RWE ' "a segment is writable and executable"
    lacks "$dynamic" 'TEXTREL' "relocations in code"
    lacks "$dynamic" 'R(UN)?PATH' "a library path of the build machine"
    has "$symbols" '__stack_chk_fail' "stack protector"
    has "$symbols" '__[a-z]+_chk(@|$)' "checked string functions (_FORTIFY_SOURCE)"
done
[ $bad -eq 0 ] && echo "hardened: $*"
exit $bad
