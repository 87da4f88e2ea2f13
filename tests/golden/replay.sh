#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Conservation, of the programs themselves: a sensor replays capture files as fast as it can read them,
# over its processes, spool and link, to an aggregator; it ends by itself when all is delivered, and the
# aggregator's database adds up to what is in the files, to the byte. On loopback; needs no privilege.
#
# replay.sh CONSERVATION BIN poolsim POOLSIM SCRIPT   the captures that poolsim makes; besides, the times
#     that come to the aggregator are the capture's, and a replay at a speed takes as long as it should
# replay.sh CONSERVATION BIN shared FOLDER            300 captures of the folder, the same each time; all of
#     them with LAMP_LONG=1 (exit 77: no such folder)
set -u
conservation=$1 LAMP_BIN=$2 what=$3 seed=20261127 sample=300 # more than a sandboxed process may open
LAMP_SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
. "$LAMP_SOURCE/deploy/lib/namespaces.sh"
. "$LAMP_SOURCE/deploy/lib/processes.sh"
. "$LAMP_SOURCE/deploy/lib/fleet.sh"

if [ "$what" = shared ] && [ ! -r "$4/INDEX.tsv" ]; then
    echo "no captures at $4"
    exit 77
fi
LAMP_RUN=$(mktemp -d /tmp/davylamp-replay.XXXXXX)
clear_away() {
    lamp_stop_all
    rm -rf "$LAMP_RUN"
}
trap clear_away EXIT
fail() {
    echo "replay: FAILED: $*"
    tail -n 5 "$LAMP_RUN"/*.log 2>/dev/null
    exit 1
}

# Two ports that nobody listens on, or the test says so.
LAMP_HQ_ADDRESS=127.0.0.1
LAMP_LINK_PORT=$((20000 + $$ % 10000))
http=127.0.0.1:$((LAMP_LINK_PORT + 10000))

api() {
    "$LAMP_BIN/davylamp" --url "http://$http" --token-file "$LAMP_RUN/aggregator/token" --json "$@" \
        2>/dev/null
}
serves() { api status | grep -q .; }

start() {
    lamp_aggregator_conf "$LAMP_RUN/aggregator.conf" "$LAMP_RUN/aggregator" "$http"
    echo 'retention = { minutes = 0; hours = 0; };' >>"$LAMP_RUN/aggregator.conf" # captures are old
    lamp_sensor_conf "$LAMP_RUN/sensor.conf" "$LAMP_RUN/sensor" north 10 "$LAMP_RUN/aggregator.conf" ||
        fail "no configuration"
    sed -i -e '/interfaces =/d' -e 's/mode = "enforce"/mode = "off"/' "$LAMP_RUN/sensor.conf"
    lamp_allow_sensor "$LAMP_RUN/aggregator/sensors" "$LAMP_RUN/sensor.conf" north || fail "no key"
    lamp_start aggregator "" "$LAMP_BIN/davylamp-aggregator" -c "$LAMP_RUN/aggregator.conf"
    lamp_wait 60 serves || fail "the aggregator does not serve"
}

# replay SPEED STATUS PATH...: runs the sensor to its end, which has to be this one.
replay() {
    local speed=$1 want=$2 files
    shift 2
    files=$(IFS=,; echo "$*")
    "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/sensor.conf" --replay-files="$files" \
        --replay-speed="$speed" --capture-interval=${interval:-10} >"$LAMP_RUN/sensor.log" 2>&1
    local got=$?
    [ "$got" -eq "$want" ] || fail "the sensor ended with $got, not $want"
}

adds_up() {
    "$conservation" database "$LAMP_RUN/aggregator/davylamp.db" "$@" || fail "it does not add up"
}

start
mkdir "$LAMP_RUN/captures"
if [ "$what" = shared ]; then
    if [ -n "${LAMP_LONG:-}" ]; then
        find "$4" -type f ! -name '*.tsv' ! -name '*.md' -exec ln -s -t "$LAMP_RUN/captures" {} +
    else
        awk -F '\t' -v f="$4" 'NR > 1 { print f "/" $1 }' "$4/INDEX.tsv" |
            shuf -n $sample --random-source=<(yes $seed) |
            while read -r file; do ln -s "$file" "$LAMP_RUN/captures/"; done
    fi
    [ "$(find "$LAMP_RUN/captures" -type l | wc -l)" -ge $sample ] || fail "too few captures"
    # Some are damaged on purpose: the sensor names them and ends with 1.
    interval=60 replay 0 1 "$LAMP_RUN/captures"
    adds_up "$LAMP_RUN/captures"
    exit 0
fi

"$4" write --out "$LAMP_RUN/captures/a.pcap" "$5" >/dev/null || fail "no capture"
replay 0 0 "$LAMP_RUN/captures"
adds_up "$LAMP_RUN/captures"
# The script begins at this second and lasts some minutes.
first=$(sed -n 's/^start //p' "$5")
[ -n "$first" ] || fail "the script does not say when it begins"
api sensors | jq -e '.online and .lost == 0 and .drops == 0' >/dev/null || fail "the sensor's figures"
api miners | jq -es --argjson t "$first" \
    'length > 0 and all(.[]; .since >= $t and .last > .since and .last < $t + 7200)' \
    >/dev/null || fail "times are not those of the capture: $(api miners | jq -c "[.since, .last]")"

# Ten minutes at sixty times their speed take ten seconds.
began=$(date +%s%3N)
replay 60 0 "$LAMP_RUN/captures/a.pcap"
took=$(($(date +%s%3N) - began))
echo "replay: 60 times real time took $took ms"
[ "$took" -ge "${6:-9000}" ] || fail "faster than it should be"
adds_up "$LAMP_RUN/captures" "$LAMP_RUN/captures"

# What was read before a file that cannot be is kept; the end says so.
echo "no capture" >"$LAMP_RUN/b.pcap"
replay 0 1 "$LAMP_RUN/captures/a.pcap" "$LAMP_RUN/b.pcap"
grep -q 'replay.files: .*b.pcap: not a capture file' "$LAMP_RUN/sensor.log" || fail "b.pcap is not named"
adds_up "$LAMP_RUN/captures" "$LAMP_RUN/captures" "$LAMP_RUN/captures"
replay 0 1 "$LAMP_RUN/nosuch.pcap"
grep -q 'replay.files: .*nosuch.pcap' "$LAMP_RUN/sensor.log" || fail "nosuch.pcap is not named"
