#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Block lists at a router: no packet leaks while they are replaced; a list that cuts the way to the
# aggregator takes itself back; what somebody changes in the table is put right; panic; and when all
# our programs are killed the sets empty themselves. LAMP_LONG=1: with the times that ship.
. "$(dirname "$0")/topology.sh"
LAMP_KERNEL=${LAMP_KERNEL:?the program kernel}

packets=1000000 confirm=8 list_ttl=20
[ -z "${LAMP_LONG:-}" ] || confirm=60
router="$prefix-north-router" lan="$prefix-north-lan" net="$prefix-net"
target=203.0.113.10 away=198.51.100.99

counted() { sed -n 's/^count: //p' "$LAMP_RUN/$1.log"; }
on_router() { lamp_ns "$router" "$@"; }
set_has() { on_router nft list set inet davylamp outhost4 2>/dev/null | grep -qF "$1 "; }
set_lacks() { ! set_has "$1"; }
no_table() { ! on_router nft list table inet davylamp >/dev/null 2>&1; }

# flood NAME [ARGUMENT of churn]: packets at the target while lists change; how many came through.
flood() {
    lamp_start "$1-churn" "$router" "$LAMP_KERNEL" churn $target ${2:-}
    wait_for 10 "$1: the first list is in force" grep -q ready "$LAMP_RUN/$1-churn.log"
    lamp_start "$1-count" "$net" "$LAMP_KERNEL" count $target:9000
    wait_for 5 "$1: the receiver listens" grep -q ready "$LAMP_RUN/$1-count.log"
    check "$1: $packets packets are sent" eval \
        'lamp_ns "$lan" "$LAMP_KERNEL" send $target:9000 $packets >/dev/null'
    lamp_stop "$1-churn"
    lamp_stop "$1-count"
    say "$1: $(cat "$LAMP_RUN/$1-churn.log" | tail -n 1); through: $(counted "$1-count")"
}

check "two sites and an internet stand" build_topology
lamp_internet_address "$prefix" $target
lamp_internet_address "$prefix" $away

flood whole
check "none of $packets packets leaked" [ "$(counted whole-count)" = 0 ]
packets=200000
flood in-two in-two
check "changes in two transactions would have leaked" [ "$(counted in-two-count)" -gt 0 ]
on_router nft delete table inet davylamp

# The aggregator is out there, and the sensor reaches it through a host inside, whose traffic the
# router forwards: so a list can cut the way, which the sensor's never list cannot know.
hq=$net
conf="$LAMP_RUN/aggregator.conf"
lamp_aggregator_conf "$conf" "$LAMP_RUN/aggregator" 127.0.0.1:8080
sed -i "s,tcp://$LAMP_HQ_ADDRESS,tcp://$away," "$conf"
echo "block = { list_ttl = 7200; };" >>"$conf"
lamp_sensor_conf "$LAMP_RUN/sensor-north.conf" "$LAMP_RUN/sensor-north" north 2 "$conf" ||
    fail "no configuration for the sensor"
sed -i "s,tcp://$LAMP_HQ_ADDRESS,tcp://10.21.0.2,; s,mode = \"enforce\";,& confirm = $confirm; resolvers = (\"203.0.113.53\");," \
    "$LAMP_RUN/sensor-north.conf"
lamp_allow_sensor "$LAMP_RUN/aggregator/sensors" "$LAMP_RUN/sensor-north.conf" north ||
    fail "the sensor has no key"
# It goes on from another address: the one the sensor talks to is on its never list.
way=$(lamp_host_add "$prefix" north 1 21)
ip -n "$lan" route add $away via 10.21.0.1 src "$way"
lamp_start relay "$lan" "$LAMP_KERNEL" relay 10.21.0.2:$LAMP_LINK_PORT $away:$LAMP_LINK_PORT
start_aggregator
wait_for 30 "the aggregator serves" api_is 'length > 0' status
start_sensor north
online() { api_is '[.[] | select(.online)] | length == 1' sensors; }
wait_for 30 "the sensor is online" online

check "a block is taken" api_is '.[0].id > 0' block $target --reason "live test"
wait_for 15 "it is in the kernel" set_has $target
state_is() { api_is ".[0].enforcement.state == \"$1\"" sensors; }
wait_for 15 "it is confirmed" state_is confirmed

began=$(now_ms)
check "a block of the aggregator's own address is taken" api_is '.[0].id > 0' block $away
wait_for 15 "it is in the kernel and cuts the way" set_has $away
wait_for $((confirm + 6)) "it takes itself back" set_lacks $away
check "after $(($(now_ms) - began)) ms, the promise is 75 s" [ $(($(now_ms) - began)) -lt 75000 ]
check "the block before it is there again" set_has $target
rejected() { api_is 'any(.[].sensors[]; .state == "failed")' blocks; }
wait_for 60 "the aggregator hears of it" rejected
check "its serial is not taken again" set_lacks $away
api unblock "$(api blocks | jq -r "select(.target == \"$away\") | .id")" >/dev/null
wait_for 60 "the list without it is in force" state_is confirmed

on_router nft flush set inet davylamp outhost4
wait_for 20 "a flushed set is put right" set_has $target
on_router nft delete table inet davylamp
wait_for 20 "a deleted table is put right" set_has $target
on_router "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/sensor-north.conf" panic >/dev/null
check "panic takes the table away" no_table
on_router "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/sensor-north.conf" resume >/dev/null
wait_for 20 "and resume brings it back" set_has $target

# A name: what the resolver of the site answers for it is blocked, what a stranger answers is not.
# Asked from $way: the host that the sensor takes for the aggregator is never blocked.
resolver=203.0.113.53 stranger=203.0.113.54 named=203.0.113.77 framed=203.0.113.78
for address in $resolver $stranger $named $framed; do lamp_internet_address "$prefix" $address; done
lamp_start names "$net" python3 "$LAMP_SOURCE/tests/support/resolver.py" \
    serve $resolver=$named $stranger=$framed $named=$named $framed=$framed
wait_for 10 "the name servers listen" grep -q ready "$LAMP_RUN/names.log"
ask() { lamp_ns "$lan" python3 "$LAMP_SOURCE/tests/support/resolver.py" ask "$way" "$@" >/dev/null; }
check "a name is blocked" api_is '.[0].id > 0' block wanted.example
looked_up() {
    ask $stranger www.wanted.example
    ask $resolver pool.wanted.example
    set_has $named
}
wait_for 20 "its address is in the kernel" looked_up
check "nothing comes from there any more" eval '! ask $named other.example'
check "what a stranger says blocks nobody" eval 'set_lacks $framed && ask $framed other.example'

# A list that lives for a short time; then nobody is left to renew it.
lamp_stop aggregator
sed -i "s,list_ttl = 7200,list_ttl = $list_ttl," "$conf"
start_aggregator
wait_for 30 "the aggregator is back" online
short() { on_router nft list set inet davylamp outhost4 | grep -qE "$target .*timeout (1[0-9]|20)s"; }
wait_for 60 "the block lives $list_ttl s without renewal" short
for pid in $(ip netns pids "$router"); do kill -KILL "$pid"; done
wait_for 5 "no program of ours is left on the router" eval '[ -z "$(ip netns pids "$router")" ]'
wait_for $((list_ttl + 5)) "the set has emptied itself" set_lacks $target
check "the table is still there" eval '! no_table'
passed
