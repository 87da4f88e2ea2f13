# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# fleet.sh: configuration files and keys of an aggregator and its sensors, for deploy/quickstart
# and tests/live. Source it after namespaces.sh; needs LAMP_BIN, the folder of the programs, and
# LAMP_SOURCE, the source folder.

LAMP_LINK_PORT=5667

# lamp_aggregator_conf FILE STATE_DIR HTTP: serves sensors on the headquarters' bridge.
lamp_aggregator_conf() {
    mkdir -p "$2" && chmod 700 "$2"
    cat >"$1" <<TEXT
state_dir = "$2";
sensors = "$2/sensors";
web = "$LAMP_BIN/../web/dist";
catalogue = "$LAMP_SOURCE/data";
price = 0.3;
sample_mode = true;
listen = { sensors = "tcp://$LAMP_HQ_ADDRESS:$LAMP_LINK_PORT"; http = "$3"; };
TEXT
}

# lamp_keys AGGREGATOR_CONF WHICH: the aggregator's public key, "server" or "list".
lamp_keys() {
    "$LAMP_BIN/davylamp-aggregator" -c "$1" keys | awk -v w="$2" '$1 == w { print $2 }'
}

# lamp_sensor_conf FILE STATE_DIR SITE INTERVAL_S AGGREGATOR_CONF: a sensor at the router of a
# site, on its inside interface. (Z85 text has no quote and no backslash.)
lamp_sensor_conf() {
    local server list
    server=$(lamp_keys "$5" server) && list=$(lamp_keys "$5" list) || return 1
    [ -n "$server" ] && [ -n "$list" ] || return 1
    mkdir -p "$2"
    cat >"$1" <<TEXT
sensor = {
    name = "router-$3";
    site = "$3";
    state_dir = "$2";
    catalogue = "$LAMP_SOURCE/data";
};
capture = {
    interfaces = ("lan0");
    interval = $4;
};
link = {
    endpoint = "tcp://$LAMP_HQ_ADDRESS:$LAMP_LINK_PORT";
    server_key = "$server";
    list_key = "$list";
};
enforce = { mode = "enforce"; };
TEXT
}

# lamp_allow_sensor SENSORS_FILE SENSOR_CONF SITE: makes the sensor's key, if it has none, and
# lets it in at the aggregator (which reads the file at its start and on SIGHUP).
lamp_allow_sensor() {
    local key
    key=$("$LAMP_BIN/davylamp-sensor" -c "$2" key | head -n 1) && [ -n "$key" ] || return 1
    grep -qsF -- "$key $3 " "$1" || echo "$key $3 router-$3" >>"$1"
}

# lamp_first_password LOG: what the aggregator said at its first start; empty if it did not.
lamp_first_password() {
    sed -n 's/.*"admin", its password is \([^ ]*\).*/\1/p' "$1" | tail -n 1
}
