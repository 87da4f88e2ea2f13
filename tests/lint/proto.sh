#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# proto: every repeated, bytes and string field of fleet.proto states its maximum ("max:"),
# no field number is used twice in a message, and no message contains itself, directly or
# through others. Takes another file as its argument (the check's own test).
set -eu
exec awk '
function fail(text) {
    printf "%s:%d: %s\n", FILENAME, FNR, text
    bad = 1
}
/^message / { message = $2; known[message] = 1; next }
/^}/ { message = ""; next }
message == "" { next }
{ code = $0; sub(/\/\/.*/, "", code) }
code ~ /=/ {
    n = split(code, word, /[ \t=;]+/)
    first = word[1] == "" ? 2 : 1
    type = word[first] == "repeated" ? word[first + 1] : word[first]
    number = code
    gsub(/.*=[ \t]*|[ \t]*;.*/, "", number)
    if ((message, number) in used)
        fail("number " number " is used twice in " message)
    used[message, number] = 1
    if ((word[first] == "repeated" || type == "bytes" || type == "string") && $0 !~ /max: [0-9n]/)
        fail("a " (word[first] == "repeated" ? "repeated" : type) " field states no max:")
    if (type ~ /^[A-Z]/)
        part[++parts] = message " " type
}
END {
    # Take away, again and again, messages made only of finished ones; what stays is a loop.
    do {
        progress = 0
        for (m in known) {
            if (m in finished)
                continue
            open = 0
            for (i = 1; i <= parts; i++) {
                split(part[i], edge, " ")
                if (edge[1] == m && (edge[2] in known) && !(edge[2] in finished))
                    open = 1
            }
            if (!open) {
                finished[m] = 1
                progress = 1
            }
        }
    } while (progress)
    for (m in known) {
        count++
        if (!(m in finished)) {
            printf "%s: message %s contains itself or a message that does\n", FILENAME, m
            bad = 1
        }
    }
    if (count == 0) {
        print FILENAME ": no message found"
        bad = 1
    }
    exit bad
}' "${1:-proto/fleet.proto}"
