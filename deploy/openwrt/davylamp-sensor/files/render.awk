# SPDX-License-Identifier: Apache-2.0
# The configuration of davylamp-sensor out of UCI: `uci show davylamp` in, the file out; what is wrong goes
# to standard error, with exit code 1 and no file. Variables: devices, interfaces to watch beside those of
# capture.interfaces, with blanks between them; storage, the folder that survives a restart; state, the one
# that does not.
#
# A section is a group and an option an option of `davylamp-sensor --help`; the program reads numbers and
# words in quotes too, so nothing here knows their types. Not of the program: section main, capture.network.

function wrong(what) {
    print "davylamp: " what > "/dev/stderr"
    failed = 1
}

# A value as libconfig reads it. (Awks differ in what gsub makes of backslashes.)
function quoted(text,    i, c, out) {
    out = ""
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        out = out (c == "\\" || c == "\"" ? "\\" : "") c
    }
    return "\"" out "\""
}

# Takes apart what uci prints: words in single quotes, in which '\'' is a quote. Into word[1..n]; -1: it is
# something else.
function take_words(text,    n, i, c, open) {
    n = 0
    open = 0
    for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (open && c != "'")
            word[n] = word[n] c
        else if (open && substr(text, i, 4) == "'\\''") {
            word[n] = word[n] "'"
            i += 3
        } else if (open)
            open = 0
        else if (c == "'") {
            word[++n] = ""
            open = 1
        } else if (c != " ")
            return -1
    }
    return open ? -1 : n
}

function put(group, option, value) {
    if (!(group in has)) {
        order[++n_groups] = group
        has[group] = 1
    }
    if ((group, option) in at)
        line[at[group, option]] = "    " option " = " value ";"
    else {
        at[group, option] = ++n_lines
        of[n_lines] = group
        line[n_lines] = "    " option " = " value ";"
    }
}

function list_of(n,    i, text) {
    text = ""
    for (i = 1; i <= n; i++)
        text = text (i > 1 ? ", " : "") quoted(word[i])
    return "(" text ")"
}

BEGIN {
    # What spares the flash; davylamp.link.spool and so on are the operator's to set.
    put("sensor", "state_dir", quoted(state))
    put("link", "spool", quoted("memory"))
    put("link", "spool_quota", quoted("8388608"))
    put("link", "sample_quota", quoted("0"))
    put("link", "key_file", quoted(storage "/sensor.key"))
    put("capture", "memory", quoted("16777216"))
    put("capture", "ring", quoted("2097152"))
}

{
    eq = index($0, "=")
    n_parts = split(substr($0, 1, eq - 1), part, ".")
    if (eq == 0 || part[1] != "davylamp" || n_parts < 2) {
        wrong("line " NR " is not one of `uci show davylamp`: a value of several lines?")
        next
    }
    if (n_parts == 2)
        next # begins a section
    group = part[2]
    if (sub(/^@/, "", group) && !sub(/\[0\]$/, "", group)) {
        wrong(part[2] ": there is another section of this name")
        next
    }
    option = part[3]
    n_words = take_words(substr($0, eq + 1))
    if (n_words < 1 || n_parts > 3) {
        wrong("line " NR " cannot be read")
        next
    }
    if (group == "main" || (group == "capture" && option == "network"))
        next
    if (group == "capture" && option == "interfaces") {
        for (i = 1; i <= n_words; i++)
            devices = devices " " word[i]
        next
    }
    if (group == "sensor" && option == "state_dir") {
        wrong("sensor.state_dir is " state ": keys and a panic are looked for there")
        next
    }
    put(group, option, n_words == 1 ? quoted(word[1]) : list_of(n_words))
}

END {
    n_words = split(devices, word, " ")
    if (n_words)
        put("capture", "interfaces", list_of(n_words))
    if (failed)
        exit 1
    print "# Made of /etc/config/davylamp by /etc/init.d/davylamp-sensor: what is changed here is lost."
    for (g = 1; g <= n_groups; g++) {
        print order[g] " = {"
        for (i = 1; i <= n_lines; i++)
            if (of[i] == order[g])
                print line[i]
        print "};"
    }
}
