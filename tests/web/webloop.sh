#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The loop as an operator sees it: the dashboard of a real aggregator in Chromium, a miner that
# starts while the page is open, the block made there and applied at both sensors, its end. The
# fleet is that of the live tests; the browser runs at headquarters.
command -v node >/dev/null || { echo "webloop: skipped: node is not installed"; exit 77; }
[ -x /usr/bin/chromium ] || { echo "webloop: skipped: chromium is not installed"; exit 77; }
. "$(dirname "$0")/../live/topology.sh"

pool=203.0.113.11:10300
wallet=45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsaD8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPGR6HxsfPk

[ -f "$LAMP_BIN/../web/dist/index.html" ] || skip "the dashboard is not built (target web)"
check "two sites, a pool and headquarters stand" build_topology
start_fleet
password=$(lamp_first_password "$LAMP_RUN/aggregator.log")
[ -n "$password" ] || fail "no password in the log of the aggregator"

lamp_internet_address "$prefix" "${pool%:*}" || fail "no address for the pool"
lamp_start pool "$prefix-net" "$LAMP_BIN/poolsim" pool --listen "$pool" --family cryptonote \
    --difficulty 1000 --job-every 3 --seed 11
host=$(lamp_host_add "$prefix" north 1 21) || fail "no inside host"

export LAMP_LOOP_URL=http://127.0.0.1:8080 LAMP_LOOP_PASSWORD=$password LAMP_LOOP_HOST=$host
export LAMP_LOOP_WALLET=$wallet LAMP_LOOP_POOL=$pool
lamp_start browser "$hq" node "$(dirname "$0")/webloop.mjs"
wait_for 240 "the dashboard is open" grep -q '^ready$' "$LAMP_RUN/browser.log"
lamp_start miner "$prefix-north-lan" "$LAMP_BIN/poolsim" client --bind "$host" --connect "$pool" \
    --family cryptonote --user "$wallet.office" --hashrate 3000 --seed 6 --agent sample/1.0 \
    --events --timeout 60 --reconnect
wait_for 300 "the browser is through" lamp_is_gone browser
sed -n 's/^ok /webloop: ok: /p' "$LAMP_RUN/browser.log"
check "the loop is closed in the browser" grep -q '^passed$' "$LAMP_RUN/browser.log"
passed
