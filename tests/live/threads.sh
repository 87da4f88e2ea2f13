#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Capture on several threads finds what one finds: of the same frames on two interfaces the same number of
# packets, bytes, flows, and shares with their answers, which takes both directions of a flow in one
# thread; more than one thread has work; the sandbox holds for each of them; and when an interface goes
# away and comes back, all threads go on.
. "$(dirname "$0")/topology.sh"

router=$prefix-north-router
check "a site and headquarters stand" eval 'lamp_internet_up "$prefix" "$hq" &&
    lamp_site_up "$prefix" "$hq" north 1'
for n in 0 1; do # two wires on which nobody else speaks
    ip -n "$router" link add cap$n type veth peer name gen$n || fail "no veth pair"
    for end in cap$n gen$n; do
        ip netns exec "$router" sysctl -qw "net.ipv6.conf.$end.disable_ipv6=1"
        ip -n "$router" link set $end arp off up
    done
done
"$LAMP_BIN/poolsim" write --out "$LAMP_RUN/miners.pcap" "$LAMP_SOURCE/tests/golden/families.script" \
    >/dev/null && "$LAMP_BIN/poolsim" write --out "$LAMP_RUN/others.pcap" \
    "$LAMP_SOURCE/tests/golden/everyday.script" >/dev/null || fail "no frames to send"

# frames FILE: how many.
frames() {
    "$LAMP_BIN/davylamp-sensor" analyze --json --catalogue "$LAMP_SOURCE/data" "$1" |
        jq -s '.[-1].packets'
}
miners=$(frames "$LAMP_RUN/miners.pcap") others=$(frames "$LAMP_RUN/others.pcap")
total=$((miners + others))
check "there are frames of both kinds" [ "$miners" -gt 1000 -a "$others" -gt 1000 ]

conf="$LAMP_RUN/aggregator.conf"
figure() {
    api sensors | jq -s "map(select(.site == \"north\"))[0].$1 // 0"
}
send() { # INTERFACE FILE COUNT
    ip netns exec "$router" "$LAMP_BIN/../tests/send_frames" --count "$3" --rate 20000 "$1" "$2" \
        >/dev/null || fail "nothing was sent"
}
capture() {
    local parent pid comm
    parent=$(lamp_pid sensor-north) || return 1
    # shellcheck disable=SC2013 # process ids are words
    for pid in $(cat "/proc/$parent/task/$parent/children"); do
        read -r comm <"/proc/$pid/comm" && [ "$comm" = lamp-capture ] && echo "$pid"
    done
}
seen_all() { [ "$(($(figure packets) + $(figure drops)))" -eq "$1" ]; }
tasks() { find "/proc/$(capture)/task" -mindepth 1 -maxdepth 1 | wc -l; }
# confined THREADS: every thread of capture, of which there are that many, has nothing left.
confined() {
    local task n=0
    for task in "/proc/$(capture)/task"/*; do
        awk '$1 == "CapEff:" && $2 !~ /^0+$/ || $1 == "CapPrm:" && $2 !~ /^0+$/ { bad = 1 }
            $1 == "NoNewPrivs:" && $2 != 1 || $1 == "Seccomp:" && $2 != 2 { bad = 1 }
            END { exit bad }' "$task/status" || return 1
        n=$((n + 1))
    done
    [ "$n" -eq "$1" ]
}

# run THREADS: sends all and notes what was found.
found=()
run() {
    local threads=$1
    rm -rf "$LAMP_RUN/aggregator" "$LAMP_RUN/sensor-north" "$LAMP_RUN/sensor-north.log"
    lamp_aggregator_conf "$conf" "$LAMP_RUN/aggregator" 127.0.0.1:8080
    lamp_sensor_conf "$LAMP_RUN/sensor-north.conf" "$LAMP_RUN/sensor-north" north 1 "$conf" ||
        fail "no configuration for the sensor"
    sed -i -e 's/interfaces = .*/interfaces = ("cap0", "cap1"); duplicates = false;/' \
        -e "s/^capture = {/& threads = $threads;/" "$LAMP_RUN/sensor-north.conf"
    echo 'log = { level = "debug"; };' >>"$LAMP_RUN/sensor-north.conf"
    lamp_allow_sensor "$LAMP_RUN/aggregator/sensors" "$LAMP_RUN/sensor-north.conf" north ||
        fail "the sensor has no key"
    start_aggregator
    wait_for $patience "the aggregator serves" api_is 'length > 0' status
    start_sensor north
    wait_for $patience "$threads threads: the sensor is online" \
        api_is 'any(.[]; .online and .batches > 0)' sensors
    check "$threads threads capture" [ "$(tasks)" -eq "$threads" ]
    [ -n "${LAMP_SANITIZED:-}" ] ||
        check "each has no capability, no_new_privs and its filter" confined "$threads"
    send gen0 "$LAMP_RUN/miners.pcap" "$miners"
    send gen1 "$LAMP_RUN/others.pcap" "$others"
    wait_for $patience "packets seen and dropped are what was sent" seen_all $total
    check "nothing was dropped" [ "$(figure drops)" -eq 0 ]
    lamp_stop sensor-north
    # What each thread says at its end; then what headquarters knows.
    read -r busy packets flows < <(sed -n 's/.* thread=[0-9]* packets=\([0-9]*\) flows=\([0-9]*\)$/\1 \2/p' \
        "$LAMP_RUN/sensor-north.log" |
        awk '$1 > 0 { busy++ } { p += $1; f += $2 } END { print busy + 0, p + 0, f + 0 }')
    found+=("packets $packets flows $flows bytes $(figure bytes) miners $(api miners | jq -sc '
        [length, (map(.shares) | map([.submitted, .accepted, .rejected]) | transpose | map(add)),
         (map(.bytes) | map([.up, .down]) | transpose | map(add)), (map(.connections) | add)]')")
    say "$threads threads, of which $busy had work: ${found[-1]}"
    lamp_stop aggregator
}

run 1
run 3
check "more than one thread had work" [ "$busy" -gt 1 ]
check "three threads found what one finds" [ "${found[0]}" = "${found[1]}" ]
check "there was something to find" eval '[[ "${found[0]}" == *"flows "[1-9]* && "${found[0]}" == *"miners ["[1-9]* ]]'

start_aggregator
start_sensor north
watching() { [ "$(grep -c "watching interface=cap0 threads=3" "$LAMP_RUN/sensor-north.log")" -ge "$1" ]; }
wait_for $patience "the sensor watches again" watching 2
before=$(capture)
ip -n "$router" link delete cap0
gone() { [ ! -e "/proc/$before" ]; } # the next ones end at once while there is no interface
wait_for $patience "a process whose interface is gone makes way" gone
ip -n "$router" link add cap0 type veth peer name gen0 && ip -n "$router" link set gen0 up &&
    ip -n "$router" link set cap0 up || fail "no new veth pair"
wait_for $patience "the next one watches what came back" watching 3
wait_for $patience "with all threads" eval '[ "$(tasks)" -eq 3 ]'
lamp_stop sensor-north
passed
