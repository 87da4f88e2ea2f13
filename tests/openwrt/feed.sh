#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# feed.sh SENSOR: the OpenWrt feed as far as it can be tried without OpenWrt: what render.awk makes of UCI,
# by each awk there is, is what the table says and what `SENSOR --check-config` takes; and the init script,
# in dash and busybox ash, with a stub of rc.common and procd, prepares, starts and says what it is to.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sensor=$1
feed=$here/../../deploy/openwrt/davylamp-sensor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
faults=0
fault() { echo "FAIL $*"; faults=$((faults + 1)); }

command -v busybox >/dev/null || { echo "skipped: no busybox"; exit 77; }
awks=(awk "busybox awk")
# The program looks at what the first makes; the second has to make the same.
takes() {
    [ "$awk" = awk ] || return 0
    "$sensor" --config "$work/out.conf" --check-config >"$work/why" 2>&1
}

# What the program wants before it runs, in each case that is right.
whole="davylamp.capture=davylamp
davylamp.capture.interfaces='eth1'
davylamp.link=davylamp
davylamp.link.endpoint='tcp://192.0.2.1:5667'
davylamp.link.server_key='$(printf '0%.0s' {1..64})'
davylamp.link.list_key='$(printf '1%.0s' {1..64})'"

# LABEL | lines of `uci show davylamp` besides, \n between them | devices | a line that has to come out
right=(
    "memory spares flash|davylamp.sensor=davylamp||spool = \"memory\";"
    "no samples on flash|davylamp.sensor=davylamp||sample_quota = \"0\";"
    "one of a list|davylamp.capture.inside='10.0.0.0/8'||inside = \"10.0.0.0/8\";"
    "several|davylamp.capture.inside='10.0.0.0/8' '2001:db8::/32'||inside = (\"10.0.0.0/8\", \"2001:db8::/32\");"
    "number|davylamp.capture.interval='30'||interval = \"30\";"
    "bool|davylamp.capture.promiscuous='false'||promiscuous = \"false\";"
    "own choice over ours|davylamp.link.spool='disk'||spool = \"disk\";"
    "section without a name|davylamp.@enforce[0]=enforce\ndavylamp.@enforce[0].mode='off'||mode = \"off\";"
    "blank, hash, backslash and quotes|davylamp.sensor.name='a \"b\" # \\\\c'\\''d'||name = \"a \\\"b\\\" # \\\\c'd\";"
    "devices and interfaces|davylamp.main.enabled='1'|br-lan br-guest|interfaces = (\"br-lan\", \"br-guest\", \"eth1\");"
    "networks are the init script's|davylamp.capture.network='lan' 'guest'||interfaces = (\"eth1\");"
)
# LABEL | lines besides | what is said of them; "check": by the program
wrong=(
    "two sections of one name|davylamp.@link[1].spool='disk'|another section"
    "value of two lines|davylamp.sensor.name='a\nb'|cannot be read"
    "no value|davylamp.sensor.name=|cannot be read"
    "not quoted|davylamp.sensor.name=\$(reboot)|cannot be read"
    "another file|network.lan.proto='static'|not one of"
    "another folder|davylamp.sensor.state_dir='/mnt'|sensor.state_dir is"
    "unknown option|davylamp.capture.colour='red'|check"
    "unknown section|davylamp.weather.rain='1'|check"
    "no number|davylamp.capture.interval='often'|check"
    "breaks out of quotes|davylamp.sensor.name='\"; log = { level = \"debug\"; }; x = \"'|harmless"
)

render() { # AWK DEVICES LINES
    printf '%s\n%b\n' "$whole" "$3" | $1 -v devices="$2" -v storage=/etc/davylamp/keys -v state=/var/lib/davylamp-sensor -f "$feed/files/render.awk" \
        >"$work/out.conf" 2>"$work/why"
}
for awk in "${awks[@]}"; do
    for row in "${right[@]}"; do
        IFS='|' read -r label lines devices want <<<"$row"
        if ! render "$awk" "$devices" "$lines"; then
            fault "$awk: $label: $(cat "$work/why")"
        elif ! grep -qxF "    $want" "$work/out.conf"; then
            fault "$awk: $label: no line $want in: $(cat "$work/out.conf")"
        elif ! takes; then
            fault "$awk: $label: $(cat "$work/why")"
        fi
        cat "$work/out.conf" >>"$work/all.$awk"
    done
    for row in "${wrong[@]}"; do
        IFS='|' read -r label lines said <<<"$row"
        rendered=yes
        render "$awk" "" "$lines" || rendered=no
        case $said in
        check)
            if [ $rendered = no ] || { [ "$awk" = awk ] && takes; }; then
                fault "$awk: $label: not refused by the program"
            fi ;;
        harmless)
            if [ $rendered = no ] || grep -q '^log' "$work/out.conf" || ! takes; then
                fault "$awk: $label: $(cat "$work/why" "$work/out.conf")"
            fi ;;
        *)
            if [ $rendered = yes ] || ! grep -q "$said" "$work/why" || [ -s "$work/out.conf" ]; then
                fault "$awk: $label: not refused with '$said': $(cat "$work/why")"
            fi ;;
        esac
    done
done

cmp "$work/all.awk" "$work/all.busybox awk" || fault "awks differ"

# Every option that has a default of one word can be said in UCI, and comes out as said.
"$sensor" --help | sed -nE 's/^ +--(capture|records|link|enforce|log)-([a-z-]+) .*default ([^ ]+)\]$/\1 \2 \3/p' |
    grep -v ' none$' | tr - _ | sed 's/dry_run/dry-run/; s/ _10$/ -10/' >"$work/options"
n=$(wc -l <"$work/options")
[ "$n" -ge 15 ] || fault "only $n options in --help"
if ! render awk "" "$(sed -E "s/^([a-z]+) ([a-z_]+) (.*)/davylamp.\1.\2='\3'/" "$work/options")" ||
    ! "$sensor" --config "$work/out.conf" --check-config >"$work/why" 2>&1; then
    fault "all options: $(cat "$work/why")"
fi
while read -r group option value; do
    grep -qF "    $option = \"$value\";" "$work/out.conf" || fault "$group.$option is not $value"
done <"$work/options"

# -- the init script ------------------------------------------------------------------

mkdir -p "$work/bin" "$work/root"
cat >"$work/bin/uci" <<'STUB'
#!/bin/sh
# uci -q show davylamp | uci -q get KEY, out of the file $UCI
case $2 in
show) cat "$UCI" ;;
get) sed -n "s/^$3='\\(.*\\)'\$/\\1/p" "$UCI" | sed "s/' '/ /g" | grep . ;;
esac
STUB
cat >"$work/bin/logger" <<'STUB'
#!/bin/sh
sed 's/^/log: /' >>"$CALLS"
STUB
# The sensor, but for what would change this machine's rules.
cat >"$work/bin/sensor" <<STUB
#!/bin/sh
case \$3 in
panic | resume) echo "sensor \$3" >>"\$CALLS" ;;
*) exec "$sensor" "\$@" ;;
esac
STUB
chmod +x "$work/bin/uci" "$work/bin/logger" "$work/bin/sensor"
cat >"$work/network.sh" <<'STUB'
network_get_device() { [ "$2" = lan ] || return 1; eval "$1=br-$2"; }
STUB
cat >"$work/rc" <<'STUB'
for f in open_instance set_param close_instance add_reload_trigger add_reload_interface_trigger; do
    eval "procd_$f() { echo \"$f \$*\" >>\"\$CALLS\"; }"
done
. "$INIT"
"$@"
STUB
export PATH=$work/bin:$PATH CALLS=$work/calls UCI=$work/uci INIT=$feed/files/davylamp-sensor.init PROGRAM=$work/bin/sensor
export RENDER=$feed/files/render.awk NETWORK_SH=$work/network.sh
export CONF=$work/root/var/etc/sensor.conf STATE=$work/root/var/lib/davylamp-sensor STORAGE=$work/root/etc/davylamp/keys
for shell in dash "busybox ash"; do
    call() { : >"$CALLS"; $shell "$work/rc" "$@" >"$work/said" 2>&1; }
    has() { grep -qF -- "$1" "$CALLS" || fault "$shell: $2: no '$1' in: $(cat "$CALLS" "$work/said")"; }
    rm -rf "$work/root"
    printf '%s\n%s\n' "$whole" "davylamp.main.enabled='0'" >"$UCI"
    call start_service || fault "$shell: disabled: $(cat "$work/said")"
    [ ! -s "$CALLS" ] || fault "$shell: started though disabled"

    printf '%s\n%s\n%s\n' "$whole" "davylamp.main.enabled='1'" "davylamp.capture.network='lan' 'none'" >"$UCI"
    call start_service || fault "$shell: start: $(cat "$work/said" "$CALLS")"
    has "set_param command $PROGRAM --config $CONF" start
    has "set_param file $CONF" start
    grep -qxF '    interfaces = ("br-lan", "eth1");' "$CONF" || fault "$shell: interfaces: $(cat "$CONF")"
    grep -qxF "    key_file = \"$STORAGE/sensor.key\";" "$CONF" || fault "$shell: key file: $(cat "$CONF")"
    call service_triggers
    has "add_reload_trigger davylamp network" triggers
    has "add_reload_interface_trigger lan" triggers

    # The key is made in storage; a restart with an empty /var finds it.
    call key || fault "$shell: key: $(cat "$work/said")"
    first=$(cat "$work/said")
    rm -rf "$work/root/var"
    call key
    [ "$(cat "$work/said")" = "$first" ] || fault "$shell: another key after a restart"

    # So does a panic; resume ends it.
    call panic
    has "sensor panic" panic
    rm -rf "$work/root/var"
    call start_service
    [ -e "$STATE/enforce/off" ] || fault "$shell: a panic is forgotten by a restart"
    call resume
    has "sensor resume" resume
    rm -rf "$work/root/var"
    call start_service
    [ ! -e "$STATE/enforce/off" ] || fault "$shell: a panic that was ended comes back"

    # A slip leaves the configuration before in force; after a restart there is none.
    printf '%s\n%s\n%s\n' "$whole" "davylamp.main.enabled='1'" "davylamp.capture.colour='red'" >"$UCI"
    call start_service || fault "$shell: ended by an unknown option"
    has colour "unknown option"
    has "log: going on with the configuration before" "unknown option"
    has "set_param command" "unknown option"
    ! grep -q colour "$CONF" || fault "$shell: an unknown option in the file"
    rm -rf "$work/root/var"
    ! call start_service || fault "$shell: started with an unknown option"
    has "log: " "unknown option"
    has colour "unknown option"
    ! grep -q set_param "$CALLS" || fault "$shell: started with an unknown option"
done

echo "$((${#right[@]} + ${#wrong[@]})) cases by ${#awks[@]} awks, $n options, 2 shells: $faults faults"
[ $faults = 0 ]
