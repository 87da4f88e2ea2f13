#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deploy/examples/enroll-fleet lets a hundred sensors in, says which it could not and why, and passes
# over those that are in when it is run again. Ten share an address, as a source may not ask more often.
. "$(dirname "$0")/topology.sh"

sensors=100
conf="$LAMP_RUN/aggregator.conf"
fleet="$LAMP_RUN/fleet.txt"

check "a headquarters stands" lamp_internet_up "$prefix" "$hq"
for n in $(seq 0 9); do lamp_ns "$hq" ip addr add "10.9.0.$n/32" dev lo; done
lamp_aggregator_conf "$conf" "$LAMP_RUN/aggregator" 127.0.0.1:8080
sed -i "s|tcp://$LAMP_HQ_ADDRESS:$LAMP_LINK_PORT|tcp://0.0.0.0:$LAMP_LINK_PORT|" "$conf"
start_aggregator
wait_for $patience "the aggregator serves" api_is 'length > 0' status

echo "# HOST SITE NAME" >"$fleet"
for n in $(seq "$sensors"); do
    host="router-$n" site="branch-$((n % 7))"
    cat >"$LAMP_RUN/$host.conf" <<TEXT
sensor = { name = "$host"; state_dir = "$LAMP_RUN/$host"; };
capture = { interfaces = ("lo"); };
link = { endpoint = "tcp://10.9.0.$((n % 10)):$LAMP_LINK_PORT"; };
TEXT
    echo "$host $site $host" >>"$fleet"
done
rm "$LAMP_RUN/router-100.conf" # one that is not ready

enroll_fleet() {
    PATH="$LAMP_BIN:$PATH" lamp_ns "$hq" "$LAMP_SOURCE/deploy/examples/enroll-fleet" \
        --with "davylamp-sensor -c $LAMP_RUN/{host}.conf enroll -" --jobs 4 \
        --url http://127.0.0.1:8080 --token-file "$LAMP_RUN/aggregator/token" \
        <"$fleet" >"$LAMP_RUN/enroll-fleet.log" 2>&1
}
enrolled() { api_is "[.[].keys[] | select(.state == \"active\")] | length == $1" sensors keys; }

if enroll_fleet; then fail "it says nothing of the sensor that has no configuration"; fi
check "it says which failed" grep -q '^FAILED router-100 of site branch-2 (router-100): .*router-100.conf' "$LAMP_RUN/enroll-fleet.log"
check "and that one failed" grep -q 'enroll-fleet: 1 failed' "$LAMP_RUN/enroll-fleet.log"
check "all others are let in" enrolled $((sensors - 1))

sed 's/router-1\b/router-100/; s/10\.9\.0\.1:/10.9.0.0:/; s|/router-1"|/router-100"|' "$LAMP_RUN/router-1.conf" >"$LAMP_RUN/router-100.conf"
echo "router-1 branch-1 bad name" >>"$fleet"
echo '; branch-1 $(id)' >>"$fleet"
if enroll_fleet; then fail "it takes lines that make no sense"; fi
check "lines that make no sense are named" test "$(grep -c '^FAILED line 10[23]: expected HOST SITE NAME' "$LAMP_RUN/enroll-fleet.log")" = 2
check "those that are in are passed over" grep -q "^$((sensors - 1)) had a key already" "$LAMP_RUN/enroll-fleet.log"
check "all $sensors are let in" enrolled "$sensors"
check "each at its site" api_is 'all(.[].keys[]; .site == "branch-\((.sensor | ltrimstr("router-") | tonumber) % 7)")' sensors keys
passed
