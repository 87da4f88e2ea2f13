#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What one site proves, a server on 443 and a wallet, is evidence at the other within a minute. A policy blocks by itself: a host that begins to mine is cut off within 20 s of its first line (25 s
# with sanitizers), while a sanctioned rig at the same site goes on at the same pool. And the settings that
# sensors get from here: taken where the sensor's own configuration leaves them open, said so where it does
# not, and kept over a restart of the sensor without its aggregator.
. "$(dirname "$0")/topology.sh"

pool=203.0.113.11:443 promise_ms=${LAMP_SANITIZED:+25000}
promise_ms=${promise_ms:-20000}
wallet=45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsaD8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPGR6HxsfPk

# start_miner NAME ADDRESS SEED [SITE]
start_miner() {
    lamp_start "miner-$1" "$prefix-${4:-north}-lan" "$LAMP_BIN/poolsim" client --bind "$2" --connect "$pool" \
        --family cryptonote --user "$wallet.$1" --hashrate 3000 --seed "$3" --events --idle-every 10 \
        --timeout 60 --reconnect
}

accepted() {
    jq -r 'select(.event == "accepted") | .shares.accepted' "$LAMP_RUN/miner-$1.log" |
        tail -n 1 | grep . || echo 0
}

accepted_more_than() {
    [ "$(accepted "$1")" -gt "$2" ]
}

check "two sites and an internet stand" build_topology
start_fleet
lamp_internet_address "$prefix" "${pool%:*}" || fail "no address for the pool"
lamp_start pool "$prefix-net" "$LAMP_BIN/poolsim" pool --listen "$pool" --family cryptonote \
    --difficulty 1000 --job-every 3 --seed 11
rig=$(lamp_host_add "$prefix" north 1 21)
thief=$(lamp_host_add "$prefix" north 1 22)

guest=$(lamp_host_add "$prefix" south 2 31)
watch_serial() { api sensors | jq -s 'map(select(.id == "router-south"))[0].sets[] | select(.kind == "watch") | .serial'; }
holds_newer() { local at; at=$(watch_serial) && [ "$at" -gt "$1" ]; }
miner_of() { api miners | jq -es "map(select(.host == \"$1\"))[0].id"; }
# evidence_of HOST KIND TEXT: whether a connection of the host has such evidence.
evidence_of() {
    local of
    of=$(miner_of "$1") && api_is "any(.[0].connection_list[].evidence[]; .kind == \"$2\" and (.detail | contains(\"$3\")))" miners "$of"
}
# say_tls ADDRESS PORT: a TLS session of a host at south with the pool's endpoint, as frames on its wire.
say_tls() {
    local tls="$LAMP_RUN/tls" count
    printf 'start 1767600000\nflow t tls\nclient %s:%s\nserver %s\nhost proxy.example\nbytes 4000\nend\n' "$1" "$2" "$pool" >"$tls.script"
    "$LAMP_BIN/poolsim" write --out "$tls.pcap" "$tls.script" >/dev/null &&
        count=$("$LAMP_BIN/davylamp-sensor" analyze --json --catalogue "$LAMP_SOURCE/data" "$tls.pcap" | jq -s '.[-1].packets') &&
        lamp_ns "$prefix-south-lan" "$LAMP_BIN/../tests/send_frames" --count "$count" --rate 100 eth0 "$tls.pcap" >/dev/null
}
holds_one() { holds_newer 0; }
wait_for $patience "the sensor at south holds a watch list" holds_one
serial=$(watch_serial)
began=$(now_ms)
start_miner rig "$rig" 5
wait_for 60 "what north proves is on the list at south" holds_newer "$serial"
# The list is looked into from the sensor's next interval on, at what begins then: a session that began before tells nothing.
port=40000
is_met() { port=$((port + 1)) && say_tls "$guest" "$port" && evidence_of "$guest" address "on the watch list"; }
wait_for 60 "TLS of a host there with the server is suspect" is_met
start_miner guest "$guest" 7 south
wait_for 60 "and a login with the wallet" evidence_of "$guest" known-wallet "met at north, for 31 more days"
took=$(($(now_ms) - began))
check "that took $took ms from the first line at north, less than a minute" [ "$took" -lt 60000 ]
check "the origin and the end are listed" api_is "any(.[]; .wallet == \"$wallet\" and .site == \"north\" and .expires > .last) and
    any(.[]; .port == 443 and .site == \"north\" and .expires > .last)" knowledge
wait_for $patience "the guest at south is known" api_is "any(.[]; .host == \"$guest\" and .verdict == \"confirmed\")" miners
check "it is wanted too" api_is '.[0].state == "sanctioned"' mark "$(miner_of "$guest")" sanctioned
lamp_stop miner-guest
wait_for $patience "the rig is known" api_is "any(.[]; .host == \"$rig\" and .verdict == \"confirmed\")" miners
id=$(api miners | jq -s "map(select(.host == \"$rig\"))[0].id")
check "it is wanted" api_is '.[0].state == "sanctioned"' mark "$id" sanctioned
check "a policy is entered" api_is '.[0].mode == "dry-run" and .[0].confidence == 0.99' policies add all block=host lease=600 confidence=0.99
check "it is switched on" api_is '.[0].mode == "on"' policies on 1

start_miner thief "$thief" 6
# Not until a share is accepted: the block may come before that.
wait_for $patience "a host begins to mine" grep -q '"event":"connected"' "$LAMP_RUN/miner-thief.log"
began=$(now_ms)
is_applied() {
    api_is "any(.[]; .target == \"$thief\" and .created_by == \"policy all\" and .sensors[0].state == \"applied\")" blocks
}
wait_for $patience "it is blocked at the router" is_applied
took=$(($(now_ms) - began))
check "that took $took ms, no more than $promise_ms" [ "$took" -le "$promise_ms" ]
at_block=$(accepted thief) rig_then=$(accepted rig)
wait_for $patience "the rig mines on" accepted_more_than rig $((rig_then + 5))
check "the other does not" [ "$(accepted thief)" -le $((at_block + 1)) ]
check "only one host is blocked" api_is 'length == 1' blocks
check "the policy says why" api_is "length == 1 and .[0].host == \"$thief\" and (.[0].why | contains(\"confirmed\"))" policies 1
check "there is an alert of it, none of the rig" api_is "any(.[]; .kind == \"miner-confirmed\" and
    (.subject | startswith(\"$thief\"))) and all(.[]; (.subject | startswith(\"$rig \")) | not)" alerts
check "the audit log knows of the block" api_is 'any(.[]; .actor == "policy all" and .action == "block")' audit

# One sensor's configuration leaves the interval open (10 s), the other's says 2.
lamp_stop sensor-south
sed -i '/interval = /d' "$LAMP_RUN/sensor-south.conf"
start_sensor south
batches() { api sensors | jq -s 'map(select(.id == "router-south"))[0].batches'; }
more_batches() { [ "$(batches)" -ge "$1" ]; }
policy_set_is() {
    api_is "any(.[]; .id == \"router-$1\" and any(.sets[]; .kind == \"policy\" and .state == \"confirmed\" and $2))" sensors
}
wait_for $patience "the sensor is back" both_online
check "an interval is set" api_is '.[0].value == "1" and .[0].site == "south"' settings set capture.interval 1 --site south
wait_for $patience "the sensor of the site has it" policy_set_is south '.error == null'
first=$(batches)
wait_for 25 "it makes a summary a second" more_batches $((first + 8))
check "no nonsense can be set" eval '! api settings set capture.interval soon && ! api settings set sensor.site x'
check "more is set for all" api_is '.[0].site == null' settings set log.level debug
check "and an interval" api_is '.[0].value == "3"' settings set capture.interval 3
wait_for $patience "a sensor's own configuration stands, and it says so" policy_set_is north \
    '(.error | contains("capture.interval: set on this sensor"))'
wait_for $patience "the other logs more" grep -q ' debug ' "$LAMP_RUN/sensor-south.log"
check "a site's own goes before that" policy_set_is south '.error == null'
check "they are taken back" eval 'api settings unset capture.interval && api settings unset capture.interval --site south'
wait_for $patience "then it has nothing to say against them" policy_set_is north '.error == null'
check "one is left" api_is 'length == 1 and .[0].name == "log.level"' settings
check "the audit log knows of it" api_is 'any(.[]; .action == "set" and .object == "capture.interval at south" and .detail == "1")' audit
wait_for $patience "the sensor of the site follows" policy_set_is south '.error == null'
lamp_stop sensor-south
lamp_stop aggregator
: >"$LAMP_RUN/sensor-south.log"
start_sensor south
wait_for $patience "without its aggregator the sensor begins with what is set" grep -q 'debug  *enforce' "$LAMP_RUN/sensor-south.log"
passed
