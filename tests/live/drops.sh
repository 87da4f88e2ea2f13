#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the kernel drops is counted: a sensor that cannot keep up (its capture process is stopped)
# reports, when it goes on, as many drops as the kernel had to make between the wire and its ring
# (PACKET_STATISTICS); with the packets that it saw that is what was sent, to the packet. With one thread, and
# with three, each of which has a ring of its own.
. "$(dirname "$0")/topology.sh"

frames=100000 # several times what the ring holds
router=$prefix-north-router

check "a site and headquarters stand" eval 'lamp_internet_up "$prefix" "$hq" &&
    lamp_site_up "$prefix" "$hq" north 1'
# A wire on which nobody else speaks.
ip -n "$router" link add cap0 type veth peer name gen0 || fail "no veth pair"
for end in cap0 gen0; do
    ip netns exec "$router" sysctl -qw "net.ipv6.conf.$end.disable_ipv6=1"
    ip -n "$router" link set "$end" arp off up
done
"$LAMP_BIN/../bench/gencap" small --flows 2000 --out "$LAMP_RUN/small.pcap" >/dev/null ||
    fail "no frames to send"
conf="$LAMP_RUN/aggregator.conf"
lamp_aggregator_conf "$conf" "$LAMP_RUN/aggregator" 127.0.0.1:8080
lamp_sensor_conf "$LAMP_RUN/sensor-north.conf" "$LAMP_RUN/sensor-north" north 1 "$conf" ||
    fail "no configuration for the sensor"
sed -i 's/interfaces = .*/interfaces = ("cap0"); ring = 4194304;/' "$LAMP_RUN/sensor-north.conf"
lamp_allow_sensor "$LAMP_RUN/aggregator/sensors" "$LAMP_RUN/sensor-north.conf" north ||
    fail "the sensor has no key"
start_aggregator
wait_for $patience "the aggregator serves" api_is 'length > 0' status

# figure NAME: of the sensor, as headquarters knows it.
figure() {
    api sensors | jq -s "map(select(.site == \"north\"))[0].$1 // 0"
}

# What the kernel received on the wire.
received() {
    ip netns exec "$router" cat /sys/class/net/cap0/statistics/rx_packets
}

capture() {
    local parent pid comm
    parent=$(lamp_pid sensor-north)
    # shellcheck disable=SC2013 # process ids are words
    for pid in $(cat "/proc/$parent/task/$parent/children"); do
        read -r comm <"/proc/$pid/comm" && [ "$comm" = lamp-capture ] && echo "$pid"
    done
}

# send COUNT OPTION...
send() {
    local count=$1
    shift
    ip netns exec "$router" "$LAMP_BIN/../tests/send_frames" --count "$count" "$@" gen0 \
        "$LAMP_RUN/small.pcap" || fail "nothing was sent"
}

all_accounted() {
    [ $(($(figure packets) + $(figure drops))) -eq "$1" ]
}

# More than COUNT batches, of a sensor that is there.
heard_again() { api_is "any(.[]; .online and .batches > $1)" sensors; }

# run THREADS
total=0
run() {
    local pid seen dropped before
    sed -i "s/ threads = [0-9]*;//; s/^capture = {/& threads = $1;/" "$LAMP_RUN/sensor-north.conf"
    seen=$(figure packets) dropped=$(figure drops) before=$(received)
    pid=$(figure batches)
    start_sensor north
    wait_for $patience "the sensor is online with $1 threads" heard_again "$pid"

    send 500 --rate 1000
    total=$((total + 500))
    wait_for $patience "what was sent while it ran was seen" all_accounted $total
    check "nothing was dropped" [ "$(figure drops)" -eq "$dropped" ]

    pid=$(capture)
    kill -STOP "$pid"
    send $frames
    kill -CONT "$pid"
    total=$((total + frames))
    check "the wire carried all" [ "$(received)" -eq $total ]
    wait_for $patience "packets seen and dropped are what was sent" all_accounted $total
    seen=$(($(figure packets) - seen)) dropped=$(($(figure drops) - dropped))
    say "$1 threads: seen $seen, dropped $dropped"
    check "some were seen" [ "$seen" -gt 500 ]
    check "some were dropped" [ "$dropped" -gt 0 ]
    check "the drops are what the kernel received and capture did not see" \
        [ "$dropped" -eq $(($(received) - before - seen)) ]
    lamp_stop sensor-north
}

run 1
run 3
passed
