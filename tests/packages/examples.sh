#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The examples in deploy/examples do what they say: examples.sh BIN. The Ansible playbook is checked, run dry, and
# by LAMP_LONG=1 run here on a folder of its own, where it configures an aggregator and enrolls a sensor with it (over loopback;
# systemctl and runuser are stubs); a second run changes nothing. Each option in compose.yaml is one of the program.
set -u
bin=${1:?the folder of the programs}
source=$(cd "$(dirname "$0")/../.." && pwd)
examples=$source/deploy/examples
. "$source/deploy/lib/namespaces.sh"
. "$source/deploy/lib/processes.sh"
command -v ansible-playbook >/dev/null || { echo "examples: skipped: ansible-core is not installed"; exit 77; }
LAMP_RUN=$(mktemp -d /tmp/davylamp-examples.XXXXXX)
trap 'lamp_stop_all; rm -rf "$LAMP_RUN"' EXIT
trap 'exit 1' INT TERM
fail() {
    echo "examples: FAILED: $*"
    tail -n 30 "$LAMP_RUN"/*.log
    exit 1
}
check() {
    local text=$1
    shift
    "$@" || fail "$text"
    echo "examples: ok: $text"
}

options() { "$bin/$1" --help | grep -oE '^  --[a-z-]+' | tr -d ' '; }
composed() {
    python3 - "$examples/compose.yaml" <<'TEXT'
import sys, yaml
words = yaml.safe_load(open(sys.argv[1]))["services"]["aggregator"]["command"]
print("\n".join(words))
TEXT
}
composed >"$LAMP_RUN/compose" || fail "compose.yaml is no YAML"
check "compose.yaml starts the aggregator" [ "$(head -n 1 "$LAMP_RUN/compose")" = davylamp-aggregator ]
unknown=$(tail -n +2 "$LAMP_RUN/compose" | cut -d= -f1 | sort -u | grep -vxF -e "$(options davylamp-aggregator)")
check "with options that it has: $unknown" [ -z "$unknown" ]
mapfile -t words < <(tail -n +2 "$LAMP_RUN/compose")
check "which make a configuration" "$bin/davylamp-aggregator" --state-dir="$LAMP_RUN/compose-state" --catalogue="$source/data" \
    "${words[@]}" --check-config

# What the playbook finds on the machines.
base=$((20000 + $$ % 10000))
mkdir -p "$LAMP_RUN/path" "$LAMP_RUN/etc" "$LAMP_RUN/packages" "$LAMP_RUN/aggregator" "$LAMP_RUN/sensor"
chmod 700 "$LAMP_RUN/aggregator" "$LAMP_RUN/sensor"
touch "$LAMP_RUN"/packages/davylamp{,-sensor,-aggregator,-data}_0_all.deb
stub() { cat >"$LAMP_RUN/path/$1" && chmod 755 "$LAMP_RUN/path/$1"; }
stub systemctl <<TEXT
#!/bin/sh
echo "\$*" >>"$LAMP_RUN/systemctl"
case \$1 in show) printf 'LoadState=loaded\nActiveState=active\n' ;; is-enabled) echo enabled ;; esac
TEXT
stub runuser <<'TEXT'
#!/bin/sh
shift 3
exec "$@"
TEXT
stub davylamp <<TEXT
#!/bin/sh
exec "$bin/davylamp" --url http://127.0.0.1:$base --token-file "$LAMP_RUN/aggregator/token" "\$@"
TEXT
for program in davylamp-aggregator davylamp-sensor; do
    printf '#!/bin/sh\nDAVYLAMP_%s="%s/data" exec "%s" "$@"\n' \
        "$([ $program = davylamp-sensor ] && echo SENSOR_CATALOGUE || echo CATALOGUE)" "$source" "$bin/$program" | stub $program
done
cat >"$LAMP_RUN/inventory" <<TEXT
[aggregator]
centre ansible_connection=local davylamp_state=$LAMP_RUN/aggregator
[sensors]
router-17 ansible_connection=local davylamp_site=branch-17 davylamp_interfaces='["lo"]' davylamp_state=$LAMP_RUN/sensor davylamp_mode=off
[all:vars]
ansible_become=false
davylamp_etc=$LAMP_RUN/etc
davylamp_packages=$LAMP_RUN/packages
davylamp_never=["192.0.2.0/24", "198.51.100.7"]
davylamp_listen_sensors=tcp://127.0.0.1:$((base + 1))
davylamp_listen_http=127.0.0.1:$base
davylamp_endpoint=tcp://127.0.0.1:$((base + 1))
TEXT
export ANSIBLE_PIPELINING=true PATH="$LAMP_RUN/path:$PATH" ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_NOCOLOR=1 ANSIBLE_HOME="$LAMP_RUN/home" \
    ANSIBLE_LOCAL_TEMP="$LAMP_RUN/home" ANSIBLE_REMOTE_TEMP="$LAMP_RUN/home" LC_ALL=C.UTF-8
play() { ansible-playbook -i "$LAMP_RUN/inventory" "$@" "$examples/ansible/site.yml" >"$LAMP_RUN/play.log" 2>&1; }
check "the playbook is one" play --syntax-check
check "so is the inventory beside it" eval 'ansible-inventory -i "$examples/ansible/inventory.ini" --list >/dev/null 2>&1'
check "it runs dry" play --check --tags packages,configuration
check "and changes nothing so" [ -z "$(ls "$LAMP_RUN/etc")" ]
if [ -z "${LAMP_LONG:-}" ]; then
    echo "examples: passed in $SECONDS s (LAMP_LONG=1 runs the playbook for real, too)"
    exit
fi
check "it configures the aggregator" play --limit centre --tags configuration,service
check "which is started anew" grep -q '^restart davylamp-aggregator' "$LAMP_RUN/systemctl"
lamp_start aggregator "" davylamp-aggregator -c "$LAMP_RUN/etc/aggregator.conf"
lamp_wait 60 eval 'davylamp status >/dev/null 2>&1' || fail "the aggregator does not serve"
check "it enrolls a sensor" play --tags configuration,enroll,service
check "the aggregator has its key" eval 'davylamp sensors keys | grep -q "branch-17 *router-17"'
check "again it changes nothing" play --tags configuration,enroll,service
check "none of it: $(grep -c 'changed=0' "$LAMP_RUN/play.log")" [ "$(grep -c 'changed=0' "$LAMP_RUN/play.log")" = 2 ]
echo "examples: passed in $SECONDS s"
