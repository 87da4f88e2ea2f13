#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bad input at the edges of the system: each gets one clear line with what and where, and the
# good inputs of the same call are still done.
. "$(dirname "$0")/topology.sh"

# says FILE PATTERN: one line of the file, and one only, matches.
says() {
    [ "$(grep -cE "$2" "$1")" -eq 1 ] || { cat "$1"; return 1; }
}

# refuses CODE PATTERN COMMAND...: the command ends with the code and says why in one line.
refuses() {
    local code=$1 pattern=$2 got
    shift 2
    timeout 15 "$@" >"$LAMP_RUN/out" 2>"$LAMP_RUN/err"
    got=$?
    [ "$got" -eq "$code" ] || { echo "exit $got, not $code"; cat "$LAMP_RUN/err"; return 1; }
    says "$LAMP_RUN/err" "$pattern"
}

check "two sites, a pool and headquarters stand" build_topology
start_fleet

sed "s|$LAMP_RUN/aggregator\"|$LAMP_RUN/second\"|" "$LAMP_RUN/aggregator.conf" \
    >"$LAMP_RUN/second.conf"
check "a second aggregator on the port is told so" refuses 1 ':5667.*(in use|already)' \
    ip netns exec "$hq" "$LAMP_BIN/davylamp-aggregator" -c "$LAMP_RUN/second.conf"
check "the first one still serves" api_is 'length > 0' status

sed 's/"lan0"/"nosuch0"/' "$LAMP_RUN/sensor-north.conf" >"$LAMP_RUN/wrong.conf"
lamp_stop sensor-north
check "an unknown interface is named" refuses 1 'nosuch0' \
    ip netns exec "$prefix-north-router" "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/wrong.conf"

sed 's/interval *=/intervall =/' "$LAMP_RUN/sensor-north.conf" >"$LAMP_RUN/wrong.conf"
line=$(grep -n intervall "$LAMP_RUN/wrong.conf" | cut -d: -f1)
check "a wrong key is named with file and line" refuses 2 "wrong.conf:$line:.*intervall" \
    "$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/wrong.conf" --check-config
sed 's/state_dir *=/state_dirr =/' "$LAMP_RUN/aggregator.conf" >"$LAMP_RUN/wrong.conf"
line=$(grep -n state_dirr "$LAMP_RUN/wrong.conf" | cut -d: -f1)
check "so it is by the aggregator" refuses 2 "wrong.conf:$line:.*state_dirr" \
    "$LAMP_BIN/davylamp-aggregator" -c "$LAMP_RUN/wrong.conf" --check-config
for wrong in 'url = "ftp://history.example";' \
    'url = "https://history.example"; password_file = "/nowhere";'; do
    { cat "$LAMP_RUN/aggregator.conf"; echo "clickhouse = { $wrong };"; } >"$LAMP_RUN/wrong.conf"
    check "so is what is no ClickHouse: $wrong" refuses 2 'clickhouse\.' \
        "$LAMP_BIN/davylamp-aggregator" -c "$LAMP_RUN/wrong.conf" --check-config
done

for wrong in 'prices = [ "north" ]' 'places = [ "91 0 north" ]'; do
    { cat "$LAMP_RUN/aggregator.conf"; echo "sites = { $wrong; };"; } >"$LAMP_RUN/wrong.conf"
    check "so is what is no fact of a site: $wrong" refuses 2 "sites\\.${wrong%% *}.*north" \
        "$LAMP_BIN/davylamp-aggregator" -c "$LAMP_RUN/wrong.conf" --check-config
done

sed "s|$LAMP_RUN/sensor-north\"|$LAMP_RUN/stranger\"|" "$LAMP_RUN/sensor-north.conf" \
    >"$LAMP_RUN/sensor-stranger.conf"
"$LAMP_BIN/davylamp-sensor" -c "$LAMP_RUN/sensor-stranger.conf" key >/dev/null
lamp_start stranger "$prefix-north-router" "$LAMP_BIN/davylamp-sensor" \
    -c "$LAMP_RUN/sensor-stranger.conf"
wait_for $patience "the aggregator says that it refused an unknown key" \
    grep -qE '(unknown|not allowed|refused).*key|key.*(unknown|not allowed|refused)' \
    "$LAMP_RUN/aggregator.log"
check "no sensor came in by it" api_is 'length == 2' sensors

cat >"$LAMP_RUN/script" <<'SCRIPT'
flow miner cryptonote
  client 10.1.0.21:49152
  server 203.0.113.9:3333
  user 45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsaD8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPGR6HxsfPk.pc
  share-every 5
  shares 12
end
SCRIPT
"$LAMP_BIN/poolsim" write --out "$LAMP_RUN/good.pcap" "$LAMP_RUN/script" >/dev/null
echo "this is no capture" >"$LAMP_RUN/text.pcap"
: >"$LAMP_RUN/empty.pcap"
size=$(stat -c %s "$LAMP_RUN/good.pcap")
head -c $((size - 7)) "$LAMP_RUN/good.pcap" >"$LAMP_RUN/cut.pcap"
cd "$LAMP_RUN" || exit 1
"$LAMP_BIN/davylamp-sensor" analyze --json text.pcap empty.pcap good.pcap cut.pcap nosuch.pcap \
    >out 2>err
check "analyze ends with 1" [ $? -eq 1 ]
for file in text.pcap empty.pcap cut.pcap nosuch.pcap; do
    check "$file is named in one line" says err "$file"
done
check "the good capture is done, the cut one up to the cut" jq -es '
    [.[] | select(.type == "connection") | select(.shares.submitted >= 11)] |
    map(.file) | sort == ["cut.pcap", "good.pcap"]' out
check "the summary lists the four" jq -es '.[-1].errors | length == 4' out
passed
