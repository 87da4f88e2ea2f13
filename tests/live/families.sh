#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every family that poolsim speaks, in all that may stand around it, over real sockets past a real
# sensor: the aggregator names the family, the verdict and the shares. And a pool that is added to the catalogue
# is known after SIGHUP, without a restart.
. "$(dirname "$0")/topology.sh"

shares=4
user=47davyLampSamp1e.rig7

# Port, family, wrapper ("-": the family's own), family and verdict to be found, the user.
cases=()
add() {
    cases+=("$((20000 + ${#cases[@]})) $1 $2 $3 ${4:-confirmed} ${5:-$user}")
}
for family in stratum-v1 cryptonote eth-proxy ethereum-stratum zcash kawpow kaspa ergo alephium conflux \
    ckb ironfish xelis warthog nexa handshake beam grin qatum; do
    add "$family" - "$family"
done
add getwork - getwork
add getblocktemplate - getblocktemplate
add eth-getwork - eth-getwork confirmed 0x646176796c616d702d73616d706c652d30303031.rig7
add monero-rpc - monero-rpc
add websocket-miner - websocket-miner
add stratum-v2 - stratum-v2 suspected
for wrapper in socks4a socks5 http-connect proxy-protocol websocket; do
    add cryptonote "$wrapper" cryptonote
    add stratum-v1 "$wrapper" stratum-v1
done
add eth-proxy socks5 eth-proxy
add beam http-connect beam

pool_address=203.0.113.10

# start_pair PORT FAMILY WRAPPER USER
start_pair() {
    local wrap=()
    [ "$3" = - ] || wrap=(--wrap "$3")
    lamp_start "pool-$1" "$prefix-net" "$LAMP_BIN/poolsim" pool --listen "$pool_address:$1" \
        --family "$2" "${wrap[@]}" --job-every 2 --seed "$1"
    lamp_start "miner-$1" "$prefix-north-lan" "$LAMP_BIN/poolsim" client \
        --connect "$pool_address:$1" --family "$2" "${wrap[@]}" --user "$4" --shares "$shares" \
        --share-every 0.6 --idle-every 1 --timeout 60 --reconnect --seed "$1"
}

# report PORT FILTER: from the last line of the miner of that port.
report() {
    jq -es --argjson n "$shares" "last | select(.event == \"report\") | $2" \
        "$LAMP_RUN/miner-$1.log" >/dev/null 2>&1
}

connections() {
    local id
    id=$(api miners | jq -s '.[0].id // empty') && [ -n "$id" ] && api miners "$id" |
        jq -c '.connection_list[]'
}

# found PORT FAMILY VERDICT SHARES
found() {
    connections | jq -es --argjson port "$1" --arg family "$2" --arg verdict "$3" \
        --argjson shares "$4" 'any(.[]; .server.port == $port and .family == $family and
        .verdict == $verdict and ($shares == 0 or .shares.submitted == $shares) and
        (.evidence | length > 0 and all(.[]; .time != null and .seen_in != null)))' >/dev/null
}

check "two sites, a pool and headquarters stand" build_topology
start_fleet
lamp_internet_address "$prefix" "$pool_address" || fail "no address for the pools"

for case in "${cases[@]}"; do
    read -r port family wrapper _ _ account <<<"$case"
    start_pair "$port" "$family" "$wrapper" "$account"
done
for case in "${cases[@]}"; do
    read -r port family wrapper want verdict _ <<<"$case"
    wait_for $patience "$family ($wrapper) mines" report "$port" '.shares.submitted >= $n and
        .shares.accepted == .shares.submitted'
    counted=$(jq -s 'last.shares.submitted' "$LAMP_RUN/miner-$port.log")
    [ "$family" = stratum-v2 ] && counted=0 # nobody can read them
    wait_for 20 "$family ($wrapper) is $want, $verdict, $counted shares" \
        found "$port" "$want" "$verdict" "$counted"
done

# ---- the catalogue ----

# pool_of PORT NAME: a connection to that port is known to be to that pool ("": to none).
pool_of() {
    connections | jq -es --argjson port "$1" --arg pool "$2" \
        'any(.[]; .server.port == $port and (.pool // "") == $pool)' >/dev/null
}

# start_getwork PORT: a miner that names the pool's host, for longer than a summary takes.
start_getwork() {
    lamp_start "pool-$1" "$prefix-net" "$LAMP_BIN/poolsim" pool --listen "$pool_address:$1" \
        --family getwork --seed "$1"
    lamp_start "miner-$1" "$prefix-north-lan" "$LAMP_BIN/poolsim" client \
        --connect "$pool_address:$1" --family getwork --host pool.davylamp.example --user "$user" \
        --share-every 0.5 --duration 40 --timeout 60 --reconnect --seed "$1"
}

lamp_stop sensor-north
cp -r "$LAMP_SOURCE/data" "$LAMP_RUN/catalogue"
sed -i "s|catalogue = .*|catalogue = \"$LAMP_RUN/catalogue\";|" "$LAMP_RUN/sensor-north.conf"
start_sensor north
wait_for $patience "the sensor with a catalogue of its own is online" both_online
start_getwork 21001
wait_for $patience "a pool that nobody lists has no name" pool_of 21001 ""

echo 'Made Up,pool.davylamp.example,21002,BTC,sha256d,getwork,no,pool-endpoint,active,A,test' \
    >>"$LAMP_RUN/catalogue/pools.csv"
# watches_again: the interface is watched more often than before the signal.
watches_again() {
    [ "$(grep -c 'capture: watching' "$LAMP_RUN/sensor-north.log")" -gt "$watched" ]
}

pid=$(lamp_pid sensor-north)
watched=$(grep -c 'capture: watching' "$LAMP_RUN/sensor-north.log")
kill -HUP "$pid"
wait_for $patience "SIGHUP is taken, and the interface watched again" watches_again
start_getwork 21002
wait_for $patience "the pool that was added is named" pool_of 21002 "Made Up"
check "the sensor is the same process" kill -0 "$pid"

echo 'no row at all' >>"$LAMP_RUN/catalogue/pools.csv"
kill -HUP "$pid"
wait_for $patience "a catalogue with a mistake is refused by file and line" \
    grep -qE 'pools.csv:[0-9]+.*keeping the old one' "$LAMP_RUN/sensor-north.log"
passed
