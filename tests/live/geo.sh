#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Geo files from davylamp-geo-update into a running aggregator: placed whole and checked, taken up on
# SIGHUP, kept when what comes is no good.
. "$(dirname "$0")/topology.sh"

perl -MMaxMind::DB::Writer::Tree -e 1 2>/dev/null || skip "libmaxmind-db-writer-perl is not installed"
update="$LAMP_SOURCE/deploy/geo/davylamp-geo-update --into $LAMP_RUN/geo"

perl "$LAMP_SOURCE/tests/support/mmdb.pl" "$LAMP_RUN"
cat >"$LAMP_RUN/table.csv" <<'CSV'
203.0.113.0,203.0.113.127,64501,"Example, Ltd"
2001:db8::,2001:db8:0:ffff:ffff:ffff:ffff:ffff,64502,Six
this is no row
CSV
mkdir -p "$LAMP_RUN/first" "$LAMP_RUN/bad"
ln "$LAMP_RUN/places.mmdb" "$LAMP_RUN/first/places.mmdb"
echo "no database" >"$LAMP_RUN/bad/places.mmdb"

# shellcheck disable=SC2086 # a command with its options
check "files of a folder and a table are placed" $update --folder "$LAMP_RUN/first" --csv "$LAMP_RUN/table.csv"
cp "$LAMP_RUN/geo/places.mmdb" "$LAMP_RUN/before"
# shellcheck disable=SC2086
! $update --folder "$LAMP_RUN/bad" 2>"$LAMP_RUN/err" || fail "a text file was taken for a database"
check "what is no database is named, and replaces nothing" grep -q 'places.mmdb: this is no MaxMind DB' "$LAMP_RUN/err"
check "the file stands as it was" cmp "$LAMP_RUN/before" "$LAMP_RUN/geo/places.mmdb"
mkdir "$LAMP_RUN/pack" && ln "$LAMP_RUN/systems.mmdb" "$LAMP_RUN/pack/systems.mmdb"
tar -C "$LAMP_RUN" -czf "$LAMP_RUN/edition.tar.gz" pack
# shellcheck disable=SC2086
check "an archive comes by URL" $update --url "file://$LAMP_RUN/edition.tar.gz"
check "with what is in it" cmp "$LAMP_RUN/systems.mmdb" "$LAMP_RUN/geo/systems.mmdb"

mkdir -m 700 "$LAMP_RUN/aggregator"
: >"$LAMP_RUN/aggregator/sensors"
cat >"$LAMP_RUN/aggregator.conf" <<TEXT
state_dir = "$LAMP_RUN/aggregator";
sensors = "$LAMP_RUN/aggregator/sensors";
web = "$LAMP_BIN/../web/dist";
listen = { sensors = "tcp://127.0.0.1:5667"; http = "127.0.0.1:8080"; };
geo = { files = ("$LAMP_RUN/geo/places.mmdb", "$LAMP_RUN/geo/asn.mmdb"); attribution = "Made up"; };
names = { reverse = false; };
pools = { resolve = false; };
TEXT
lamp_ns_add "$hq"
start_aggregator
# Of a look-up's two answers the one about the place.
is() { api_is "[.[] | select(.ip)] | length == 1 and all(.[]; $2)" lookup "$1"; }
wait_for $patience "the aggregator knows the place" is 203.0.113.9 '.country == "DE" and .city == "Nuremberg"'
check "and the system from the table" is 203.0.113.9 '.asn == 64501 and .as_name == "Example, Ltd" and .as_source == 1'
check "not outside its range" is 203.0.113.200 '.asn == null'
check "and IPv6" is 2001:db8::7 '.asn == 64502'

cp "$LAMP_RUN/bad/places.mmdb" "$LAMP_RUN/geo/places.mmdb.new" && mv "$LAMP_RUN/geo/places.mmdb.new" "$LAMP_RUN/geo/places.mmdb"
kill -HUP "$(lamp_pid aggregator)"
wait_for $patience "a bad file is told" grep -q 'geo file .*places.mmdb: .*going on' "$LAMP_RUN/aggregator.log"
check "and the old one still serves" is 203.0.113.9 '.country == "DE"'
cp "$LAMP_RUN/systems.mmdb" "$LAMP_RUN/geo/new" && mv "$LAMP_RUN/geo/new" "$LAMP_RUN/geo/asn.mmdb"
cp "$LAMP_RUN/before" "$LAMP_RUN/geo/new" && mv "$LAMP_RUN/geo/new" "$LAMP_RUN/geo/places.mmdb"
kill -HUP "$(lamp_pid aggregator)"
wait_for $patience "good files are taken up" is 203.0.113.9 '.asn == 64500'
passed
