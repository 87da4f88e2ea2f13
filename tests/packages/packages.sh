#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Debian packages: packages.sh BUILD. They are made, and lintian finds no error. With LAMP_LONG=1, as
# root, they are also installed in a bare Debian 12 of their own (debootstrap, 200 MB from the mirror
# that apt uses): the services' own commands start there, the dashboard answers, a purge leaves nothing.
set -u
build=${1:?the folder of the release build}
source=$(cd "$(dirname "$0")/../.." && pwd)
. "$source/deploy/lib/namespaces.sh"
. "$source/deploy/lib/processes.sh"
LAMP_RUN=$(mktemp -d /tmp/davylamp-packages.XXXXXX)
root="$LAMP_RUN/root"
clear_away() {
    lamp_stop_all
    for place in proc dev; do mountpoint -q "$root/$place" && umount "$root/$place"; done
    rm -rf --one-file-system "$LAMP_RUN"
}
trap clear_away EXIT
trap 'exit 1' INT TERM
fail() {
    echo "packages: FAILED: $*"
    tail -n 20 "$LAMP_RUN"/*.log 2>/dev/null
    exit 1
}
# check TEXT COMMAND...
check() {
    local text=$1
    shift
    "$@" || fail "$text"
    echo "packages: ok: $text"
}

made="$LAMP_RUN/made"
pack() { (cd "$build" && cpack -G DEB -B "$made") >"$LAMP_RUN/cpack.log" 2>&1; }
check "cpack makes them" pack
for name in davylamp davylamp-sensor davylamp-aggregator davylamp-data; do
    set -- "$made/${name}"_*.deb
    check "$name is one package" [ $# = 1 ]
    check "it is named so" [ "$(dpkg-deb -f "$1" Package)" = "$name" ]
done
contains() { dpkg-deb -c "$made/$1"_*.deb | grep " \./$2\$" >/dev/null; }
check "the dashboard is in the aggregator's" contains davylamp-aggregator usr/share/davylamp/web/index.html
check "the unit is in the sensor's" contains davylamp-sensor usr/lib/systemd/system/davylamp-sensor.service
# The address of whoever packs it comes from DEBEMAIL.
no_error() {
    lintian --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog --fail-on error "$made"/*.deb
}
if command -v lintian >/dev/null; then
    check "lintian finds no error" no_error
fi
[ -n "${LAMP_LONG:-}" ] || exit 0

[ "$(id -u)" -eq 0 ] || { echo "packages: left out without root: the bare system"; exit 0; }
command -v debootstrap >/dev/null || { echo "packages: left out without debootstrap: the bare system"; exit 0; }
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
bare() { debootstrap --variant=minbase bookworm "$root" "$mirror" >"$LAMP_RUN/debootstrap.log" 2>&1; }
check "a bare Debian 12" bare
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
mount -t proc proc "$root/proc" && mount --bind /dev "$root/dev" || fail "no /proc and /dev there"
cp "$made"/*.deb "$root/tmp/"
inside() { DEBIAN_FRONTEND=noninteractive LC_ALL=C chroot "$root" "$@"; }
traces() {
    inside find / -xdev \( -path /proc -o -path /tmp \) -prune -o -name '*davylamp*' -print
    inside getent passwd | grep davylamp
}
check "it has no compiler and no node" eval '! inside sh -c "command -v cc node"'
inside sh -c 'apt-get update -qq; apt-get install -y --no-install-recommends /tmp/*.deb' >"$LAMP_RUN/apt.log" 2>&1 ||
    fail "they do not install"
check "they install" eval 'inside dpkg -s davylamp davylamp-sensor davylamp-aggregator davylamp-data >/dev/null'
for account in davylamp davylamp-enforce davylamp-aggregator; do
    check "account $account" eval 'inside getent passwd "$account" >/dev/null'
done
check "both units are enabled" [ "$(inside sh -c 'ls /etc/systemd/system/multi-user.target.wants' | grep -c davylamp)" = 2 ]

# What the unit would do before ExecStart.
inside install -d -o davylamp-aggregator -m 0700 /var/lib/davylamp-aggregator
port=$((20000 + $$ % 10000))
sensors=tcp://127.0.0.1:$((port + 1))
lamp_start aggregator "" chroot "$root" runuser -u davylamp-aggregator -- /usr/sbin/davylamp-aggregator \
    --listen-http=127.0.0.1:$port --listen-sensors=$sensors
dashboard() { curl -sf "http://127.0.0.1:$port/" | grep -q '<title>Davylamp'; }
lamp_wait 60 dashboard || fail "the dashboard does not answer"
echo "packages: ok: the dashboard answers"
cli() {
    inside davylamp --url http://127.0.0.1:$port --token-file /var/lib/davylamp-aggregator/token --json "$@"
}
check "so does the command line" eval 'cli status >/dev/null'
token=$(cli enroll --site bare --name here | grep -o 'lamp1-[^"]*')
inside install -d -o davylamp -m 0700 /var/lib/davylamp-sensor
check "the sensor is enrolled" inside runuser -u davylamp -- /usr/sbin/davylamp-sensor \
    --link-endpoint=$sensors enroll "$token"
lamp_start sensor "" chroot "$root" /usr/sbin/davylamp-sensor --link-endpoint=$sensors \
    --capture-interfaces=lo --enforce-mode=off
online() { cli sensors | grep -q '"online": *true'; }
lamp_wait 60 online || fail "the sensor is not online"
echo "packages: ok: the sensor is online"
lamp_stop sensor
lamp_stop aggregator

inside sh -c 'echo ours >/etc/davylamp/ours'
inside apt-get remove -y davylamp-sensor davylamp-aggregator davylamp davylamp-data >"$LAMP_RUN/remove.log" 2>&1
check "a removal keeps configuration and state" inside test -f /etc/davylamp/sensor.conf -a -d /var/lib/davylamp-aggregator
inside apt-get purge -y davylamp-sensor davylamp-aggregator davylamp davylamp-data >"$LAMP_RUN/purge.log" 2>&1
check "a purge keeps what the administrator made" inside test -f /etc/davylamp/ours
inside rm -r /etc/davylamp
left=$(traces)
check "and nothing else: $left" [ -z "$left" ]
echo "packages: passed in $SECONDS s"
