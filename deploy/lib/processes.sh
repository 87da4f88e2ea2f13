# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# processes.sh: background programs of deploy/quickstart and tests/live: each has a log and a
# note of who it is (process id and start time) in $LAMP_RUN, so that nothing else is ever
# ended by mistake. Source it; needs namespaces.sh and LAMP_RUN, a folder.

# When a process started, in ticks since boot: with the id it names a process for good.
lamp_started_at() {
    awk '{ sub(/.*\) /, ""); print $20 }' "/proc/$1/stat" 2>/dev/null
}

# lamp_start NAME NAMESPACE COMMAND...: runs the command in the background.
lamp_start() {
    local name=$1 ns=$2
    shift 2
    lamp_ns_exec "$ns" "$@" </dev/null >>"$LAMP_RUN/$name.log" 2>&1 &
    echo "$! $(lamp_started_at $!)" >"$LAMP_RUN/$name.pid"
    disown
}

# The process becomes the command (no shell stays in between), in a session of its own.
lamp_ns_exec() {
    local ns=$1
    shift
    if [ -n "$ns" ]; then
        exec ip netns exec "$ns" setsid "$@"
    else
        exec setsid "$@"
    fi
}

# lamp_pid NAME: the process id if the program still runs.
lamp_pid() {
    local pid started
    read -r pid started 2>/dev/null <"$LAMP_RUN/$1.pid" || return 1
    [ -n "$started" ] && [ "$(lamp_started_at "$pid")" = "$started" ] || return 1
    case $(awk '{ sub(/.*\) /, ""); print $1 }' "/proc/$pid/stat" 2>/dev/null) in
    Z | X | "") return 1 ;;
    esac
    echo "$pid"
}

lamp_runs() {
    lamp_pid "$1" >/dev/null
}

lamp_is_gone() {
    ! lamp_runs "$1"
}

# lamp_stop NAME [SIGNAL]: ends a program and waits for its end, by force after 10 s.
lamp_stop() {
    local pid
    if pid=$(lamp_pid "$1"); then
        kill "-${2:-TERM}" "$pid" 2>/dev/null
        lamp_wait 10 lamp_is_gone "$1" || kill -KILL "$pid" 2>/dev/null
    fi
    rm -f "$LAMP_RUN/$1.pid"
}

# Ends every program that $LAMP_RUN knows of: all are told before any is waited for.
lamp_stop_all() {
    local name pid
    local -a names=()
    for name in "$LAMP_RUN"/*.pid; do
        [ -e "$name" ] || continue
        name=${name##*/} name=${name%.pid}
        names+=("$name")
        if pid=$(lamp_pid "$name"); then
            kill "$pid" 2>/dev/null
        fi
    done
    for name in "${names[@]}"; do
        lamp_stop "$name"
    done
}
