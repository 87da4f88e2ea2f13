#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# quality: the quality report on captures whose truth poolsim tells. Two flows of the truth are given
# wrong labels on purpose, one is left out, and a silent port is claimed to mine, so that the report
# has something of every kind to count.
# Usage: quality.sh POOLSIM QUALITY SCRIPT
set -eu
poolsim=$1 quality=$2 script=$3
command -v jq > /dev/null || { echo "jq is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/pos" "$work/neg"
"$poolsim" write --out "$work/pos/a.pcap" "$script" > "$work/truth.json"
cp "$work/pos/a.pcap" "$work/neg/b.pcap"

{
    printf 'file\tclient_ip\tclient_port\tserver_ip\tserver_port\trole\tfamily\tcoin'
    printf '\ttrue_hashrate_hs\taccepted\n'
    jq -r 'select(.kind != "http") | ["pos/a.pcap", .client.ip, .client.port, .server.ip, .server.port,
        (if .flow == "half" then "ambiguous" else "mining" end),
        (if .flow == "midway" then "beam" else .kind end), (.coin // ""),
        (.hashrate // 0), .shares.accepted] | @tsv' "$work/truth.json"
    printf 'pos/a.pcap\t10.9.9.9\t1\t10.9.9.8\t2\tmining\tstratum-v1\tBTC\t0\t0\n'
} > "$work/TRUTH.tsv"

"$quality" --no-ndpi --json "$work/report.json" "$work" > "$work/table"
cat "$work/table"
expect() {
    got=$(jq -c "$2" "$work/report.json")
    [ "$got" = "$3" ] && return
    echo "FAIL $1: $got, want $3"
    exit 1
}
mining=$(jq -s '[.[] | select(.kind != "http")] | length' "$work/truth.json")
expect "every mining flow but the ambiguous one, and the silent port, are rows" \
    '.classes.plaintext.rows' "$mining"
expect "the silent port is not found" '.classes.plaintext.found' "$((mining - 1))"
expect "the wrong label is noticed" '.classes.plaintext.mislabelled' 1
expect "a miner among what does not mine is a false alarm" '.not_mining.alarms > 0' true
expect "in one quiet file" '[.not_mining.files, .not_mining.files_hit]' '[1,1]'
expect "most true rates are within their intervals" \
    '.hashrate.rows >= 3 and .hashrate.inside >= .hashrate.rows - 1' true
expect "the first line decides" '.first_verdict.packets_median <= 6' true
expect "precision counts the copies" \
    '[.families[] | select(.alarms > 0)] | all(.true_alarms < .alarms)' true
