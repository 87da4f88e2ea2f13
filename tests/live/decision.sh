#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From decision to kernel: blocks are entered one by one over the API, and a look at the router's
# sets each tenth of a second says when each was there. Prints the median and the 95th percentile, which
# has to be within 5 s for 1,000 entries (LAMP_LONG=1; else for 200). One person is enough here.
. "$(dirname "$0")/topology.sh"

entries=200 promise_ms=5000
[ -z "${LAMP_LONG:-}" ] || entries=1000
router="$prefix-north-router"
entered="$LAMP_RUN/entered" seen="$LAMP_RUN/seen"

# A line for each look: the time in ms, then every address of the set. Ends with a line into the pipe.
look() {
    until read -rt 0.1 -u "$enough" _; do
        lamp_ns "$router" nft list set inet davylamp outhost4 2>/dev/null |
            grep -o '192\.0\.[0-9.]*' | awk -v t="$(now_ms)" '!had[$0]++ { print t, $0 } END { fflush() }'
    done | awk '!had[$2]++ { print; fflush() }' >"$seen"
}

# One connection, one request for each block.
enter() {
    local i
    for ((i = 0; i < entries; i++)); do
        [ "$i" -eq 0 ] || echo next
        printf '%s\n' 'url = "http://127.0.0.1:8080/api/v1/blocks"' \
            "header = \"Authorization: Bearer $token\"" 'header = "Content-Type: application/json"' \
            "data = \"{\\\"target\\\":\\\"192.0.$((2 + i / 250)).$((1 + i % 250))\\\",\\\"ttl\\\":3600}\"" \
            'output = /dev/null' fail silent
    done >"$LAMP_RUN/requests"
    lamp_ns "$hq" curl -K "$LAMP_RUN/requests"
}

check "two sites and an internet stand" build_topology
start_fleet
lamp_stop aggregator
echo "block = { approvals = false; };" >>"$LAMP_RUN/aggregator.conf"
start_aggregator
wait_for 30 "both sensors are online" both_online
token=$(sed -n '1s/[[:space:]]*$//p' "$LAMP_RUN/aggregator/token")
mkfifo "$LAMP_RUN/enough"
exec {enough}<>"$LAMP_RUN/enough"
look &
looker=$!
end_look() { echo >&"$enough" && wait "$looker"; }
trap 'end_look; clear_away' EXIT
check "$entries blocks are entered" enter
all_seen() { [ "$(wc -l <"$seen")" -ge "$entries" ]; }
wait_for 60 "all of them are in the kernel" all_seen
# The decision is when the aggregator entered the block.
api blocks | jq -r '"\(.created * 1000 | floor) \(.target)"' >"$entered"
p95=$(awk 'NR == FNR { at[$2] = $1; next } $2 in at { print $1 - at[$2] }' "$entered" "$seen" | sort -n |
    awk '{ v[NR] = $1 } END { print v[int(NR / 2) + 1], v[int(NR * 0.95 + 0.999)] }')
say "decision to kernel, $entries entries: median ${p95% *} ms, 95 % within ${p95#* } ms"
check "95 % within $promise_ms ms" [ "${p95#* }" -le "$promise_ms" ]
passed
