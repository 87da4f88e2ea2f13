#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A policy blocks by itself: a host that begins to mine is cut off within 20 s of its first line (25 s
# with sanitizers), while a sanctioned rig at the same site goes on at the same pool.
. "$(dirname "$0")/topology.sh"

pool=203.0.113.11:10300 promise_ms=${LAMP_SANITIZED:+25000}
promise_ms=${promise_ms:-20000}
wallet=45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsaD8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPGR6HxsfPk

# start_miner NAME ADDRESS SEED
start_miner() {
    lamp_start "miner-$1" "$prefix-north-lan" "$LAMP_BIN/poolsim" client --bind "$2" --connect "$pool" \
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

start_miner rig "$rig" 5
wait_for $patience "the rig is known" api_is "any(.[]; .host == \"$rig\" and .verdict == \"confirmed\")" miners
id=$(api miners | jq -s "map(select(.host == \"$rig\"))[0].id")
check "it is wanted" api_is '.[0].state == "sanctioned"' mark "$id" sanctioned
check "a policy is entered" api_is '.[0].mode == "dry-run"' policies add all block=host lease=600
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
check "the audit log knows" api_is 'any(.[]; .actor == "policy all" and .action == "block")' audit
passed
