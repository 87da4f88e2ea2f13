#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The whole loop: packets at two branches become miners in the API; a block made there stops
# the mining at the router and nothing else; lifting it lets it go on; an aggregator
# that is killed in between loses nothing and counts nothing twice.
. "$(dirname "$0")/topology.sh"

btc_pool=203.0.113.10:3333 xmr_pool=203.0.113.11:10300 etc_pool=203.0.113.12:19999
btc_wallet=bc1qv3shv7tvv9khqttnv9khqmr995crqvp3c3nk2u
xmr_wallet=45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsaD8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPGR6HxsfPk
etc_wallet=0x646176796c616d702d73616d706c652d30303031

# start_pool NAME ENDPOINT FAMILY DIFFICULTY
start_pool() {
    lamp_internet_address "$prefix" "${2%:*}" || fail "no address for pool $1"
    lamp_start "pool-$1" "$prefix-net" "$LAMP_BIN/poolsim" pool --listen "$2" --family "$3" \
        --difficulty "$4" --job-every 3 --reject 0.04 --seed 11
}

# start_recorder NAME SITE PORT: counts the pool's frames where the sensor sees them.
start_recorder() {
    lamp_start "record-$1" "$prefix-$2-router" "$LAMP_BIN/poolsim" record --interface lan0 \
        --filter "tcp port $3" --server-port "$3" --out "$LAMP_RUN/$1.pcap"
    wait_for $patience "recorder $1 listens" grep -q listening "$LAMP_RUN/record-$1.log"
}

# start_miner NAME SITE ADDRESS ENDPOINT FAMILY USER HASHRATE SEED
start_miner() {
    lamp_start "miner-$1" "$prefix-$2-lan" "$LAMP_BIN/poolsim" client --bind "$3" --connect "$4" \
        --family "$5" --user "$6" --hashrate "$7" --seed "$8" --agent "sample/1.0" --events \
        --idle-every 10 --timeout 60 --reconnect
}

# reported NAME FILTER: from the final report of a program.
reported() {
    jq -er "select(.event == \"report\") | $2" "$LAMP_RUN/$1.log"
}

# accepted NAME: how many shares the miner knows were accepted by now.
accepted() {
    jq -r 'select(.event == "accepted") | .shares.accepted' "$LAMP_RUN/miner-$1.log" |
        tail -n 1 | grep . || echo 0
}

accepted_more_than() {
    [ "$(accepted "$1")" -gt "$2" ]
}

miner_is_known() {
    api_is "any(.[]; .site == \"$1\" and .host == \"$2\" and (.verdict == \"confirmed\") and
        (.coins | index(\"$3\")) and (.wallets | index(\"$4\")) and (.workers | index(\"$5\")))" \
        miners
}

# The stated interval holds the rate that the script set.
rate_holds() {
    api_is "any(.[]; .host == \"$1\" and .hashrate != null and .hashrate.low <= $2 and
        .hashrate.high >= $2)" miners
}

# The sums of one miner equal what its client and the recorder counted.
sums_are() {
    local host=$1 name=$2
    local want
    want=$(jq -s 'map(select(.event == "report"))
        | {shares: .[0].shares, bytes: .[1].bytes, packets: .[1].packets}' \
        "$LAMP_RUN/miner-$name.log" "$LAMP_RUN/record-$name.log") || return 1
    api miners | jq -es --argjson want "$want" --arg host "$host" 'map(select(.host == $host))[0]
        | .shares.submitted == $want.shares.submitted and
          .shares.accepted == $want.shares.accepted and
          .shares.rejected + .shares.stale == $want.shares.rejected and
          .bytes == $want.bytes and .packets == $want.packets' >/dev/null
}

miner_id() {
    api miners | jq -s "map(select(.host == \"$1\"))[0].id"
}

# The minutes of the history add up to the same.
minutes_add_up() {
    api miners "$(miner_id "$1")" | jq -es '.[0] | [.minutes[].shares.submitted] as $shares
        | [.minutes[].bytes.up] as $up | [.minutes[].packets.down] as $down
        | ($shares | add) == .shares.submitted and ($up | add) == .bytes.up and
          ($down | add) == .packets.down' >/dev/null
}

show_minutes() {
    api miners "$(miner_id "$1")" | jq -c '{host, shares, bytes, packets, minutes}'
}

show_sums() {
    api miners | jq -c 'select(.host == "'"$1"'") | {shares, bytes, packets, jobs}'
    jq -c 'select(.event == "report")' "$LAMP_RUN/miner-$2.log" "$LAMP_RUN/record-$2.log"
}

block_is() {
    api_is "any(.[]; .target == \"${btc_pool%:*}\" and (.sensors | length) == 2 and
        all(.sensors[]; .state == \"$1\"))" blocks
}

check "two sites, a pool and headquarters stand" build_topology
start_fleet

has_sets() {
    api_is 'all(.[]; [.sets[] | select(.state == "confirmed") | .kind] | contains(["watch", "never"]))' \
        sensors
}
wait_for 30 "both sensors hold watch and never list" has_sets

start_pool btc $btc_pool stratum-v1 0.002
start_pool xmr $xmr_pool cryptonote 1000
start_pool etc $etc_pool eth-proxy 1000000
lamp_internet_address "$prefix" 198.51.100.80
lamp_start web "$prefix-net" "$LAMP_BIN/poolsim" noise --serve 198.51.100.80:80 --rate 200000 \
    --bytes 4000000
start_recorder btc north 3333
start_recorder xmr south 10300
start_recorder etc south 19999
north=$(lamp_host_add "$prefix" north 1 21)
south=$(lamp_host_add "$prefix" south 2 21)
south2=$(lamp_host_add "$prefix" south 2 22)

# About three shares a second each: 0.002 * 2^32 / 3e7, 1000 / 3000, 1e6 / 3e6.
start_miner btc north "$north" $btc_pool stratum-v1 $btc_wallet.rig01 3e7 5
start_miner xmr south "$south" $xmr_pool cryptonote $xmr_wallet.office 3000 6
start_miner etc south "$south2" $etc_pool eth-proxy $etc_wallet.gpu7 3e6 7
wait_for 15 "the miner at north has coin, wallet and worker" \
    miner_is_known north "$north" BTC $btc_wallet rig01
wait_for 15 "the first miner at south has coin, wallet and worker" \
    miner_is_known south "$south" XMR $xmr_wallet office
wait_for 15 "the second miner at south has coin, wallet and worker" \
    miner_is_known south "$south2" ETC $etc_wallet gpu7

wait_for $patience "ten shares of each miner" eval \
    'accepted_more_than btc 10 && accepted_more_than xmr 10 && accepted_more_than etc 10'
lamp_stop aggregator KILL
say "aggregator killed"
seen=$(accepted btc)
wait_for $patience "mining goes on without it" accepted_more_than btc $((seen + 9))
start_aggregator
wait_for $patience "the aggregator is back, both sensors are online" both_online
wait_for $patience "north: the interval holds the true hash rate" rate_holds "$north" 3e7
wait_for $patience "south: the interval holds the true hash rate" rate_holds "$south" 3000
wait_for $patience "south: the interval of the second holds it" rate_holds "$south2" 3e6

lamp_start download "$prefix-north-lan" "$LAMP_BIN/poolsim" noise --get 198.51.100.80:80
began=$(now_ms)
check "the block is taken" api_is '.[0].id > 0' block "${btc_pool%:*}" --reason "live test"
wait_for 10 "both sensors have applied the block" block_is applied
quiet_while_xmr_mines() {
    local btc
    btc=$(accepted btc)
    lamp_wait 8 accepted_more_than xmr $(($(accepted xmr) + 2)) && [ "$(accepted btc)" = "$btc" ]
}
wait_for 10 "the blocked miner gets no answers" quiet_while_xmr_mines
last=$(jq -r 'select(.event == "accepted") | .time * 1000 | floor' "$LAMP_RUN/miner-btc.log" |
    tail -n 1)
check "mining stopped $((last - began)) ms after the block" [ $((last - began)) -lt 10000 ]
seen=$(accepted xmr)
wait_for $patience "the other miners go on" accepted_more_than xmr "$seen"

block=$(api blocks | jq -r .id | head -n 1)
seen=$(accepted btc)
check "the block is lifted" eval 'api unblock "$block" >/dev/null'
wait_for $patience "the miner mines again" accepted_more_than btc "$seen"
wait_for $patience "the download is through" lamp_is_gone download
check "the download noticed nothing (longest silence $(reported download .longest_stall_ms) ms)" \
    reported download '.error == null and .bytes == .expected and .wrong == 0 and
        .longest_stall_ms < 1000'

for name in btc xmr etc; do lamp_stop "miner-$name"; done
for name in btc xmr etc; do lamp_stop "pool-$name"; done
for name in btc xmr etc; do lamp_stop "record-$name"; done
for pair in "$north btc" "$south xmr" "$south2 etc"; do
    # shellcheck disable=SC2086
    lamp_wait $patience sums_are $pair || { show_sums $pair; fail "sums of $pair differ"; }
    # shellcheck disable=SC2086
    show_sums $pair
    say "ok: shares, bytes and packets of $pair equal what client and recorder counted"
    lamp_wait $patience minutes_add_up "${pair% *}" || { show_minutes "${pair% *}"; fail "minutes of $pair"; }
    say "ok: the minutes of $pair add up to the same"
done
check "no sensor declared a loss" api_is 'all(.[]; .lost == 0)' sensors
passed
