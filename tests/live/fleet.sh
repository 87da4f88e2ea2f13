#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A fleet that fleetgen plays: every sensor gets its session, all are back within 60 s of an aggregator
# that was killed, and strangers on the port (silent, half through a handshake, with keys that nobody
# knows) disturb none for more than 5 s. LAMP_LONG=1: 500 sensors and 2,000 strangers.
# LAMP_FLEET="SENSORS PROCESSES STRANGERS" measures with other numbers (docs/PERFORMANCE.md).
. "$(dirname "$0")/topology.sh"

sizes=${LAMP_FLEET:-40 1 200}
[ -z "${LAMP_LONG:-}" ] || sizes=${LAMP_FLEET:-500 2 2000}
read -r sensors processes strangers <<<"$sizes"
endpoint="tcp://$LAMP_HQ_ADDRESS:$LAMP_LINK_PORT"
conf="$LAMP_RUN/aggregator.conf"
spread=$((sensors / 100 + 1))
limit=60 # the promise is for 500
[ "$sensors" -le 500 ] || limit=900
fleet=(--sensors "$sensors" --processes "$processes")

# play NAME WHAT OPTION...: fleetgen in the background, its figures in NAME.log.
play() {
    local name=$1 what=$2
    shift 2
    lamp_start "$name" "$hq" "$LAMP_BIN/../bench/fleetgen" "$what" "$endpoint" "$server_key" \
        --progress "$LAMP_RUN/$name.progress" "$@"
}

# now_is NAME FILTER: whether jq's FILTER says true of the newest line of progress.
now_is() { [ "$(tail -n 1 "$LAMP_RUN/$1.progress" 2>/dev/null | jq "$2" 2>/dev/null)" = true ]; }

# said_once NAME FILTER: whether it said so of any line.
said_once() { [ "$(jq -s "any(.[]; $2)" "$LAMP_RUN/$1.progress" 2>/dev/null)" = true ]; }

# figures NAME FILTER
figures() { tail -n 1 "$LAMP_RUN/$1.log" | jq -r "$2"; }

# held NAME FILTER: whether jq's FILTER says true of the figures.
held() { [ "$(figures "$1" "$2")" = true ]; }

check "a headquarters stands" lamp_internet_up "$prefix" "$hq"
lamp_aggregator_conf "$conf" "$LAMP_RUN/aggregator" 127.0.0.1:8080
server_key=$(lamp_keys "$conf" server)
"$LAMP_BIN/../bench/fleetgen" keys "${fleet[@]}" >"$LAMP_RUN/aggregator/sensors"
start_aggregator
wait_for $patience "the aggregator serves" api_is 'length > 0' status

play restart run "${fleet[@]}" --seconds 0 --interval $((2000 + sensors)) --spread $spread --sets
wait_for $((10 * spread + patience)) "all $sensors have a session" now_is restart ".up == $sensors"
lamp_stop aggregator KILL
wait_for $patience "all have noticed that it is gone" said_once restart ".lost >= $sensors"
start_aggregator
wait_for $limit "all are back after its restart" now_is restart ".up == $sensors"
lamp_stop restart TERM
say "after a restart: $(figures restart '"away \(.back_ms.p50) ms in the median, \(.back_ms.max) ms at most; acknowledged \(.acked) summaries, waiting \(.waiting)"')"
check "all that was made is acknowledged" held restart '.waiting == 0 and .acked > 0'

# The fleet connects among the strangers, and goes on among them.
play strangers strangers --sensors "$strangers" --seconds 0
wait_for $patience "$strangers strangers have knocked" now_is strangers ".sessions >= $strangers"
play among run "${fleet[@]}" --seconds $((spread + 5)) --interval $((1000 + sensors)) --spread $spread
wait_for $((10 * spread + patience)) "the fleet was among them" lamp_is_gone among
lamp_stop strangers TERM
say "among strangers: $(figures among '"sessions \(.sessions), lost \(.lost), first within \(.first_ms.max) ms, acknowledged in \(.ack_ms.p50) ms in the median, \(.ack_ms.max) ms at most"'), strangers came $(figures strangers .sessions) times"
check "no sensor lost its session" held among ".lost == 0 and .up == $sensors"
check "none waited longer than 5 s for its session" held among '.first_ms.max <= 5000'
check "nor for an acknowledgement" held among '.waiting == 0 and .ack_ms.max <= 5000'
passed
