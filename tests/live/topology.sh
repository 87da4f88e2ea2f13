# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# topology.sh: what every live test starts with: a headquarters and two sites (north, south) in
# network namespaces of its own, a folder for everything it writes, and the clearing away of
# both however the test ends. Source it first.
#
# Environment: LAMP_BIN, the folder of the programs; LAMP_KEEP=1 keeps the folder.
set -u
LAMP_SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$LAMP_SOURCE/deploy/lib/namespaces.sh"
. "$LAMP_SOURCE/deploy/lib/processes.sh"
. "$LAMP_SOURCE/deploy/lib/fleet.sh"

test_name=$(basename "$0" .sh)
prefix="lamp-t$$"
hq="$prefix-hq"
LAMP_BIN=${LAMP_BIN:?the folder of the programs}
LAMP_RUN=
result=1
patience=60 # seconds for what nobody promised a time for; a busy machine is no failure

say() { echo "$test_name: $*"; }

# The last words of every program, for whoever reads the failure.
show_logs() {
    local log
    for log in "$LAMP_RUN"/*.log; do
        [ -s "$log" ] || continue
        echo "--- ${log##*/}"
        tail -n 15 "$log"
    done
}

clear_away() {
    lamp_stop_all
    lamp_namespaces_down "$prefix" "$hq"
    if [ "$result" -ne 0 ] && [ "$result" -ne 77 ]; then
        show_logs
    fi
    if [ -n "${LAMP_KEEP:-}" ]; then
        say "kept $LAMP_RUN"
    else
        rm -rf "$LAMP_RUN"
    fi
    exit "$result"
}

skip() {
    say "skipped: $*"
    result=77
    exit 77
}

fail() {
    say "FAILED: $*"
    exit 1
}

# check TEXT CONDITION...: the condition is a command.
check() {
    local text=$1
    shift
    "$@" || fail "$text"
    say "ok: $text"
}

# wait_for SECONDS TEXT COMMAND...: fails the test when the time is up; says how long it took.
wait_for() {
    local limit=$1 text=$2 began
    shift 2
    began=$(now_ms)
    lamp_wait "$limit" "$@" || fail "$text: not within $limit s"
    say "ok: $text ($(($(now_ms) - began)) ms, limit $limit s)"
}

now_ms() { date +%s%3N; }

# passed: the test says so itself, at its end.
passed() {
    result=0
    say "passed in $SECONDS s"
}

[ "$(id -u)" -eq 0 ] || { say "skipped: network namespaces need root"; exit 77; }
for tool in ip nft jq; do
    command -v "$tool" >/dev/null || { say "skipped: $tool is not installed"; exit 77; }
done
lamp_can_make_namespaces || { say "skipped: the kernel lets us make no network namespaces"; exit 77; }

LAMP_RUN=$(mktemp -d "/tmp/davylamp-$test_name.XXXXXX")
chmod 755 "$LAMP_RUN"
trap clear_away EXIT
trap 'exit 1' INT TERM

build_topology() {
    lamp_internet_up "$prefix" "$hq" &&
        lamp_site_up "$prefix" "$hq" north 1 &&
        lamp_site_up "$prefix" "$hq" south 2
}

# api ARGUMENT...: the command line tool at headquarters, JSON out.
api() {
    lamp_ns "$hq" "$LAMP_BIN/davylamp" --url "http://127.0.0.1:8080" \
        --token-file "$LAMP_RUN/aggregator/token" --json "$@" 2>"$LAMP_RUN/api.log"
}

# api_is FILTER ARGUMENT...: whether jq's FILTER says true about all lines of an answer.
api_is() {
    local filter=$1
    shift
    api "$@" | jq -es "$filter" >/dev/null 2>&1
}

start_aggregator() {
    lamp_start aggregator "$hq" "$LAMP_BIN/davylamp-aggregator" -c "$LAMP_RUN/aggregator.conf"
}

# start_sensor SITE
start_sensor() {
    lamp_start "sensor-$1" "$prefix-$1-router" "$LAMP_BIN/davylamp-sensor" \
        -c "$LAMP_RUN/sensor-$1.conf"
}

both_online() {
    api_is '[.[] | select(.online)] | length == 2' sensors
}

# The aggregator at headquarters and a sensor at each site, talking to each other.
start_fleet() {
    local site conf="$LAMP_RUN/aggregator.conf"
    lamp_aggregator_conf "$conf" "$LAMP_RUN/aggregator" 127.0.0.1:8080
    for site in north south; do
        lamp_sensor_conf "$LAMP_RUN/sensor-$site.conf" "$LAMP_RUN/sensor-$site" "$site" 2 "$conf" ||
            fail "no configuration for the sensor at $site"
        lamp_allow_sensor "$LAMP_RUN/aggregator/sensors" "$LAMP_RUN/sensor-$site.conf" "$site" ||
            fail "the sensor at $site has no key"
    done
    start_aggregator
    wait_for $patience "the aggregator serves" api_is 'length > 0' status
    for site in north south; do start_sensor "$site"; done
    wait_for $patience "both sensors are online" both_online
    wait_for $patience "both have sent a summary" api_is 'all(.[]; .batches > 0)' sensors
}
