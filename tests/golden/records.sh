#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Flow records, of the programs themselves: softflowd reads captures of what poolsim made and exports them as NetFlow 5,
# NetFlow 9 and IPFIX to a sensor that watches nothing else. Each miner is found, at its pool, as flow-only; the IP
# bytes and packets in the aggregator's database are those that softflowd says it counted. Then files: what nfcapd
# writes of it, as it is and as `nfdump -o csv` prints it, has the sums that nfdump prints, and the same miner. On
# loopback; needs no privilege, but where it may it has a network and processes of its own, which end with it. Exit 77:
# no softflowd, or no nfdump.
#
# records.sh BIN POOLSIM
set -u
if [ -z "${LAMP_APART:-}" ] && unshare -npf --kill-child --mount-proc true 2>/dev/null; then
    exec env LAMP_APART=yes unshare -npf --kill-child --mount-proc "$0" "$@"
fi
[ -z "${LAMP_APART:-}" ] || ip link set lo up || exit 1
LAMP_BIN=$1 poolsim=$2
LAMP_SOURCE=$(cd "$(dirname "$0")/../.." && pwd)
. "$LAMP_SOURCE/deploy/lib/namespaces.sh"
. "$LAMP_SOURCE/deploy/lib/processes.sh"
. "$LAMP_SOURCE/deploy/lib/fleet.sh"

softflowd=$(PATH=$PATH:/usr/sbin:/sbin command -v softflowd) || {
    echo "no softflowd"
    exit 77
}
command -v nfcapd >/dev/null && command -v nfdump >/dev/null || {
    echo "no nfdump"
    exit 77
}
LAMP_RUN=$(mktemp -d /tmp/davylamp-records.XXXXXX)
clear_away() {
    lamp_stop_all
    rm -rf "$LAMP_RUN"
}
trap clear_away EXIT
fail() {
    echo "records: FAILED: $*"
    tail -n 5 "$LAMP_RUN"/*.log 2>/dev/null
    exit 1
}

LAMP_HQ_ADDRESS=127.0.0.1
LAMP_LINK_PORT=$((16000 + $$ % 4000)) # below what the kernel picks for others
http=127.0.0.1:$((LAMP_LINK_PORT + 4000))
records=$((LAMP_LINK_PORT + 8000))
files=$((LAMP_LINK_PORT + 12000))

api() {
    "$LAMP_BIN/davylamp" --url "http://$http" --token-file "$LAMP_RUN/aggregator/token" --json "$@" \
        2>/dev/null
}
serves() { api status | grep -q .; }
listens() { grep -q 'taking flow records' "$LAMP_RUN/sensor.log"; }

start() {
    lamp_aggregator_conf "$LAMP_RUN/aggregator.conf" "$LAMP_RUN/aggregator" "$http"
    lamp_sensor_conf "$LAMP_RUN/sensor.conf" "$LAMP_RUN/sensor" north 1 "$LAMP_RUN/aggregator.conf" ||
        fail "no configuration"
    sed -i -e '/interfaces =/d' -e 's/mode = "enforce"/mode = "off"/' "$LAMP_RUN/sensor.conf"
    echo "records = { listen = (\"127.0.0.1:$records\"); exporters = (\"127.0.0.1\"); };" >>"$LAMP_RUN/sensor.conf"
    lamp_allow_sensor "$LAMP_RUN/aggregator/sensors" "$LAMP_RUN/sensor.conf" north || fail "no key"
    lamp_start aggregator "" "$LAMP_BIN/davylamp-aggregator" -c "$LAMP_RUN/aggregator.conf"
    lamp_wait 60 serves || fail "the aggregator does not serve"
    lamp_start sensor "" "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/sensor.conf"
    lamp_wait 60 listens || fail "the sensor does not listen"
}

# capture FILE CLIENT AT MINUTE: a minute of a mining connection that began before, and of others.
capture() {
    cat >"$LAMP_RUN/script" <<TEXT
start $3
seed $((100 + $4))
flow miner stratum-v1
  client $2:49152
  server 203.0.113.9:3333
  midstream
  end open
  user bc1qv3shv7tvv9khqttnv9khqmr995crqvp3c3nk2u.rig
  agent cgminer/4.12.1
  difficulty 65536
  share-every 3
  duration 58
end
flow web http
  client $2:$((40000 + $4))
  server 203.0.113.7:80
  bytes 30000
end
flow name dns
  client $2:$((41000 + $4))
  server 203.0.113.53:53
end
TEXT
    "$poolsim" write --out "$1" "$LAMP_RUN/script" >/dev/null || fail "no capture"
}

# export VERSION CLIENT: five minutes, each as an exporter with an active timeout of a minute tells of it.
export_minutes() {
    local minute
    for minute in 0 1 2 3 4; do
        capture "$LAMP_RUN/$1-$minute.pcap" "$2" $((began + 60 * minute)) "$minute"
        "$softflowd" -r "$LAMP_RUN/$1-$minute.pcap" -n "127.0.0.1:$records" -v "$1" -a -d \
            >>"$LAMP_RUN/softflowd.txt" 2>&1 || fail "softflowd ended with $?"
    done
}

# What the aggregator has of connections, by its database, and of other traffic, by its API: packets and bytes.
kept() {
    python3 - "$LAMP_RUN/aggregator/davylamp.db" "http://$http/api/v1/traffic?limit=1" "$LAMP_RUN/aggregator/token" <<'PYTHON'
import json, sqlite3, sys, urllib.request
db = sqlite3.connect("file:%s?mode=ro" % sys.argv[1], uri=True, timeout=10)
sums = db.execute("SELECT total(packets_up + packets_down), total(bytes_up + bytes_down) FROM conn").fetchone()
ask = urllib.request.Request(sys.argv[2], headers={"Authorization": "Bearer " + open(sys.argv[3]).read().strip()})
total = json.load(urllib.request.urlopen(ask, timeout=10))["total"]
print(*(int(n + sum(total[what].values())) for n, what in zip(sums, ("packets", "bytes"))))
PYTHON
}
adds_up() { [ "$(kept)" = "$told" ]; }

start
began=$(($(date +%s) - 400))
export_minutes 5 10.1.0.5
export_minutes 9 10.1.0.9
export_minutes 10 10.1.0.10

# "            tcp (6):         869720         1560       0.14s       0.14s": octets, packets
told=$(awk '/^ +(tcp|udp) \([0-9]+\):/ { octets += $3; packets += $4 } END { print packets, octets }' \
    "$LAMP_RUN/softflowd.txt")
[ "${told#* }" -gt 100000 ] || fail "softflowd says it counted $told"
lamp_stop sensor # everything is over, and told
lamp_wait 60 adds_up || fail "softflowd counted $told packets and bytes, the aggregator has $(kept)"

for client in 10.1.0.5 10.1.0.9 10.1.0.10; do
    api miners | jq -es --arg host $client '.[] | select(.host == $host)' >"$LAMP_RUN/miner" ||
        fail "$client is not found: $(api miners)"
    jq -e '.verdict == "suspected" and (tostring | contains("flow-only"))' "$LAMP_RUN/miner" >/dev/null ||
        fail "$client: $(cat "$LAMP_RUN/miner")"
    jq -e 'tostring | contains("203.0.113.9") and contains("3333")' "$LAMP_RUN/miner" >/dev/null ||
        fail "$client: not at its pool: $(cat "$LAMP_RUN/miner")"
done
grep -q 'exporter=127.0.0.1 domain=[0-9]* version=10 .*missing=' "$LAMP_RUN/sensor.log" ||
    fail "the exporters are not named"
echo "records: $told packets and bytes, all there"

# summary FILE: flows, bytes and packets that analyze tells of.
summary() {
    "$LAMP_BIN/davylamp-sensor" analyze --json --catalogue "$LAMP_SOURCE/data" \
        --endpoints "$LAMP_RUN/endpoints.csv" "$1" >"$LAMP_RUN/analysis" || fail "analyze $1 ended with $?"
    jq -r 'select(.type == "summary") | "\(.flows),\(.bytes),\(.packets)"' "$LAMP_RUN/analysis"
}
listens_too() { [ -n "$(ss -Hlun "sport = :$files" 2>/dev/null)" ]; }
has_file() { ls "$LAMP_RUN"/nfcapd.2* >/dev/null 2>&1; }
printf 'address,port,pool,coin,since,until\n203.0.113.9,3333,Example Pool,BTC,2020-01-01,\n' >"$LAMP_RUN/endpoints.csv"
lamp_start nfcapd "" nfcapd -p "$files" -b 127.0.0.1 -w "$LAMP_RUN" -t 86400 # one file
lamp_wait 20 listens_too || fail "nfcapd does not listen"
for minute in 0 1 2 3 4; do
    "$softflowd" -r "$LAMP_RUN/9-$minute.pcap" -n "127.0.0.1:$files" -v 9 -a -d >/dev/null 2>&1
done
lamp_stop nfcapd INT
lamp_wait 20 has_file || fail "nfcapd wrote no file"
nfdump -r "$LAMP_RUN"/nfcapd.2* -o csv >"$LAMP_RUN/nfdump.csv" 2>/dev/null
printed=$(tail -n 1 "$LAMP_RUN/nfdump.csv" | cut -d, -f1-3)
[ "${printed%%,*}" -gt 20 ] || fail "nfdump prints $printed"
for file in "$LAMP_RUN"/nfcapd.2* "$LAMP_RUN/nfdump.csv"; do
    got=$(summary "$file")
    [ "$got" = "$printed" ] || fail "$file: nfdump prints $printed, analyze says $got"
    jq -es 'map(select(.verdict == "probable")) | length == 1 and (.[0] | .client.ip == "10.1.0.9"
        and .server.ip == "203.0.113.9" and .server.port == 3333 and .family == "flow-only"
        and .pool == "Example Pool")' "$LAMP_RUN/analysis" >/dev/null || fail "$file: $(cat "$LAMP_RUN/analysis")"
done
echo "records: $printed flows, bytes and packets in files"
