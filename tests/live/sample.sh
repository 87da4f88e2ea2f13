#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Packet samples: an order becomes a file within its limits, to the packet; one that is under way when the aggregator
# and then the sensor is killed goes on where it was, and summaries go on beside it; a sensor without room on its disk
# refuses in words. Tracking: steps of the miner's traffic come from the sensor that sees it, before and after both are killed,
# and its ring has a sample.
. "$(dirname "$0")/topology.sh"

pool=203.0.113.11:10300 web=198.51.100.80:80
export DAVYLAMP_LINK_SAMPLE_RATE=8192 # so a sample of 225 KB is under way for half a minute, until the sensor is restarted

# The small disk goes before the folder that it is mounted below.
small_disk="$LAMP_RUN/sensor-south"
trap 'lamp_stop_all; umount -l "$small_disk" 2>/dev/null; clear_away' EXIT
mkdir -p "$small_disk"
mount -t tmpfs -o size=6m none "$small_disk" || skip "no tmpfs can be mounted"

# state_is ID STATE [FILTER]: of the one sensor of a sample.
state_is() {
    api_is ".[0].sensors | length == 1 and .[0].state == \"$2\" and (.[0] | ${3:-true})" sample "$1"
}

# packets_of FILE [FILTER]
packets_of() {
    tshark -r "$1" ${2:+-Y "$2"} 2>/dev/null | wc -l
}

value_of() { # FILTER ARGUMENT...
    local filter=$1
    shift
    api "$@" | jq -s "$filter"
}

order() {
    value_of '.[0].id' sample add "$@" --reason "a test of samples"
}

command -v tshark >/dev/null || skip "tshark is not installed"
check "two sites and an internet stand" build_topology
start_fleet
for address in "${pool%:*}" "${web%:*}"; do
    lamp_internet_address "$prefix" "$address" || fail "no address for $address"
done
lamp_start pool "$prefix-net" "$LAMP_BIN/poolsim" pool --listen "$pool" --family cryptonote \
    --difficulty 1000 --job-every 1 --seed 11
lamp_start web "$prefix-net" "$LAMP_BIN/poolsim" noise --serve "$web" --rate 2000000 --bytes 800000000
host=$(lamp_host_add "$prefix" north 1 21)
lamp_start miner "$prefix-north-lan" "$LAMP_BIN/poolsim" client --bind "$host" --connect "$pool" --family cryptonote \
    --user "davylamp.sample" --hashrate 3000 --seed 5 --timeout 120
lamp_start download "$prefix-north-lan" "$LAMP_BIN/poolsim" noise --get "$web"

wait_for $patience "the miner is known" api_is "any(.[]; .host == \"$host\")" miners
miner=$(value_of "map(select(.host == \"$host\"))[0].id" miners)
short=$(order miner "$miner" packets=12 packets_per_connection=5 duration=4)

track=$(value_of '.[0].id' track start host "$host" ring=1 --site north --reason "a test of tracking")
# tracked FILTER: of what is known of it.
tracked() {
    api_is ".[0] | $1" track show "$track"
}
wait_for $patience "the sensor tracks the miner" tracked '.sensors[0] | .state == "tracking" and .bytes > 0'
check "a policy takes samples" api_is '.[0].mode == "dry-run"' policies add keep sample=3
check "it is switched on" api_is '.[0].mode == "on"' policies on 1
kept_is() { api_is "any(.[]; .created_by == \"policy keep\" and .miner == $miner and .reason == \"policy keep\")" sample; }
wait_for $patience "it orders one of the miner by itself" kept_is
kept=$(value_of 'map(select(.created_by == "policy keep"))[0].id' sample)
check "and says so" api_is "any(.[]; .outcome == \"sample $kept ordered\")" policies 1
wait_for $patience "the sensor of its site takes it" state_is "$kept" running '.sensor == "router-north"'

refused=$(order host 10.2.0.99 bytes=4000000 --site south)
wait_for $patience "a full disk is refused in words" state_is "$refused" refused '.words | contains("the disk has")'

long=$(order remote "$web" packets=150 packets_per_connection=150 snaplen=1500 --site north) # frames on a veth are longer
wait_for $patience "it is on its way" state_is "$long" arriving '.landed > 0'
batches=$(value_of 'map(select(.site == "north"))[0].batches' sensors)
landed=$(value_of '.[0].sensors[0].landed' sample "$long")
lamp_stop aggregator KILL
start_aggregator
wait_for $patience "the aggregator is back" api_is 'length > 0' status
check "what landed is still there" api_is ".[0].sensors[0].landed >= $landed" sample "$long"
wait_for $patience "it goes on" api_is ".[0].sensors[0].landed > $landed" sample "$long"
landed=$(value_of '.[0].sensors[0].landed' sample "$long")
wait_for $patience "the miner's sample is here" state_is "$short" done '.packets == 5'
kill_sensor() { # all of its processes, so that nothing is put in order first
    local pid children
    pid=$(lamp_pid sensor-north) && children=$(cat "/proc/$pid/task/$pid/children") || return 1
    # shellcheck disable=SC2086 # these are some
    kill -KILL "$pid" $children
    lamp_wait 10 lamp_is_gone sensor-north
}
check "the sensor is killed" kill_sensor
export DAVYLAMP_LINK_SAMPLE_RATE=10000000
start_sensor north
rows=$(value_of '.[0].rows' track show "$track")
wait_for $patience "all of it is here" state_is "$long" done '.packets == 150'
check "nothing was sent twice" api_is ".[0].sensors[0] | .landed == .bytes" sample "$long"
wait_for $patience "summaries went on beside it" \
    api_is "map(select(.site == \"north\"))[0].batches > $batches" sensors
check "the file is fetched" api sample get "$long" router-north "$LAMP_RUN/long.pcapng"
check "it has 150 packets" [ "$(packets_of "$LAMP_RUN/long.pcapng")" -eq 150 ]
check "all are of that connection" \
    [ "$(packets_of "$LAMP_RUN/long.pcapng" "ip.addr == ${web%:*} && tcp.port == ${web#*:}")" -eq 150 ]
check "it says why it was taken" grep -qa "reason: a test of samples" "$LAMP_RUN/long.pcapng"

check "it is fetched" api sample get "$short" router-north "$LAMP_RUN/short.pcapng"
check "it has 5 packets of the one connection" \
    [ "$(packets_of "$LAMP_RUN/short.pcapng" "ip.addr == $host && ip.addr == ${pool%:*}")" -eq 5 ]
check "and no other" [ "$(packets_of "$LAMP_RUN/short.pcapng")" -eq 5 ]
wait_for $patience "the sensor tracks on after both were killed" tracked ".rows > $rows"
check "steps have both ways" api_is '.[0].steps | any(.bytes.out > 0 and .packets.in > 0)' track history "$track"
wait_for $patience "its ring has a sample" api_is "any(.[]; .tracking == $track)" sample
check "it is ended by hand" api track stop "$track"
check "and says so" tracked '.state == "over" and .ended_by != null'
check "no other was ordered within the day" api_is 'map(select(.created_by == "policy keep")) | length == 1' sample
check "the audit log knows who had it" api_is 'any(.[]; .action == "download")' audit
passed
