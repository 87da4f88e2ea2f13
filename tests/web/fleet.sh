#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The dashboard of a real aggregator, whose sensors replay what poolsim made, in Chromium: what each page
# shows is what the API says; 300 hostile strings came through packets and are text. On loopback; needs no
# privilege. LAMP_KEEP=1 leaves everything running until Enter is pressed; LAMP_HOURS is how long the
# captures are, LAMP_SITES which sites there are.
set -u
command -v node >/dev/null || { echo "fleet: skipped: node is not installed"; exit 77; }
[ -x /usr/bin/chromium ] || { echo "fleet: skipped: chromium is not installed"; exit 77; }
LAMP_BIN=${LAMP_BIN:?the folder of the programs}
LAMP_SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
. "$LAMP_SOURCE/deploy/lib/namespaces.sh"
. "$LAMP_SOURCE/deploy/lib/processes.sh"
. "$LAMP_SOURCE/deploy/lib/fleet.sh"
LAMP_RUN=$(mktemp -d /tmp/davylamp-webfleet.XXXXXX)
clear_away() {
    lamp_stop_all
    rm -rf "$LAMP_RUN"
}
trap clear_away EXIT
trap 'exit 1' INT TERM
fail() {
    echo "fleet: FAILED: $*"
    tail -n 8 "$LAMP_RUN"/*.log 2>/dev/null
    exit 1
}

LAMP_HQ_ADDRESS=127.0.0.1
LAMP_LINK_PORT=$((20000 + $$ % 5000 * 2))
http=127.0.0.1:$((LAMP_LINK_PORT + 10000))
conf="$LAMP_RUN/aggregator.conf"
sites=${LAMP_SITES:-oslo lima pune hostile}
serves() { curl -sf "http://$http/api/v1/health" >/dev/null; }

lamp_aggregator_conf "$conf" "$LAMP_RUN/aggregator" "$http"
cat >>"$conf" <<TEXT
sites = { places = ("59.91 10.75 oslo", "-12.05 -77.04 lima", "18.52 73.86 pune"); };
block = { never = ("203.0.113.254/32", "2001:db8:ffff::/48"); };
TEXT
if perl -MMaxMind::DB::Writer::Tree -e 1 2>/dev/null; then
    perl "$LAMP_SOURCE/tests/support/mmdb.pl" "$LAMP_RUN" || fail "no geo files"
    echo "geo = { files = (\"$LAMP_RUN/world.mmdb\", \"$LAMP_RUN/systems.mmdb\"); attribution = \"Places made up for tests\"; };" >>"$conf"
fi
for site in $sites; do
    lamp_sensor_conf "$LAMP_RUN/$site.conf" "$LAMP_RUN/sensor-$site" "$site" 10 "$conf" || fail "no configuration"
    sed -i -e '/interfaces =/d' -e 's/mode = "enforce"/mode = "off"/' "$LAMP_RUN/$site.conf"
    lamp_allow_sensor "$LAMP_RUN/aggregator/sensors" "$LAMP_RUN/$site.conf" "$site" || fail "no key"
done
lamp_start aggregator "" "$LAMP_BIN/davylamp-aggregator" -c "$conf"
lamp_wait 60 serves || fail "the aggregator does not serve"

node "$LAMP_SOURCE/tests/web/fleet_scripts.mjs" "$LAMP_RUN" "${LAMP_HOURS:-1}" || fail "no scripts"
for site in $sites; do
    "$LAMP_BIN/poolsim" write --out "$LAMP_RUN/$site.pcap" "$LAMP_RUN/$site.script" >"$LAMP_RUN/$site.truth" 2>"$LAMP_RUN/poolsim.log" || fail "no capture of $site"
    "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/$site.conf" --replay-files="$LAMP_RUN/$site.pcap" --replay-speed=0 >>"$LAMP_RUN/$site.log" 2>&1 ||
        fail "the sensor at $site did not end well"
done

# Two of the sensors stay, and see their miners go on.
for site in oslo lima; do
    "$LAMP_BIN/poolsim" write --out "$LAMP_RUN/$site-live.pcap" "$LAMP_RUN/$site-live.script" >/dev/null || fail "no capture of $site"
    lamp_start "$site" "" "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/$site.conf" --replay-files="$LAMP_RUN/$site-live.pcap" --replay-speed=1
done

# A sensor of nobody's asks to be let in.
lamp_sensor_conf "$LAMP_RUN/stranger.conf" "$LAMP_RUN/sensor-stranger" "<b>annex</b>" 10 "$conf" || fail "no configuration"
lamp_start stranger "" "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/stranger.conf" enroll
export LAMP_FLEET_URL=http://$http LAMP_FLEET_TOKEN LAMP_FLEET_PASSWORD
LAMP_FLEET_PASSWORD=$(lamp_first_password "$LAMP_RUN/aggregator.log")
LAMP_FLEET_TOKEN=$(cat "$LAMP_RUN/aggregator/token")
[ -n "$LAMP_FLEET_PASSWORD" ] || fail "no password in the log of the aggregator"
if [ -n "${LAMP_KEEP:-}" ]; then
    echo "$LAMP_FLEET_URL admin $LAMP_FLEET_PASSWORD"
    read -r _
    exit 0
fi
node "$LAMP_SOURCE/tests/web/fleet.mjs"
