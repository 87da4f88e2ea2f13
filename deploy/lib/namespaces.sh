# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# namespaces.sh: a small company made of network namespaces, for deploy/quickstart and
# tests/live. Source it; it defines functions only. Nothing here reaches a real network:
#
#   PREFIX-SITE-lan     the inside hosts of a site, all on one interface (eth0)
#   PREFIX-SITE-router  its router: lan0 towards the hosts, wan0 towards "the internet"
#   PREFIX-net          "the internet": pools and web servers live on its loopback
#   headquarters        where the aggregator runs: a namespace, or the machine itself ("");
#                       it shares a bridge (169.254.77.0/24) with the routers and has no route
#                       to anything else, so no packet of a site can leave through it
#
# The number of a site (1..99) gives its addresses: hosts 10.(20+N).0.21 and up behind
# 10.(20+N).0.1, the router on the bridge at 169.254.77.(10+N), headquarters at 169.254.77.1.

LAMP_HQ_ADDRESS=169.254.77.1

lamp_can_make_namespaces() {
    local name="lamp-probe-$$"
    ip netns add "$name" 2>/dev/null || return 1
    ip -n "$name" link add lamp-probe type bridge 2>/dev/null
    local result=$?
    ip netns delete "$name"
    return "$result"
}

# lamp_ns NAMESPACE COMMAND...: runs a command there; "" is the machine itself.
lamp_ns() {
    local ns=$1
    shift
    if [ -n "$ns" ]; then
        ip netns exec "$ns" "$@"
    else
        "$@"
    fi
}

# A namespace with its loopback up and no IPv6 chatter of its own.
lamp_ns_add() {
    ip netns add "$1" || return 1
    ip -n "$1" link set lo up || return 1
    lamp_ns "$1" sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6' 2>/dev/null || true
}

lamp_forward() {
    lamp_ns "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
}

# lamp_internet_up PREFIX HQ: the namespaces that all sites share.
lamp_internet_up() {
    local prefix=$1 hq=$2
    lamp_ns_add "$prefix-net" || return 1
    lamp_forward "$prefix-net" || return 1
    if [ -n "$hq" ]; then
        lamp_ns_add "$hq" || return 1
    fi
    lamp_ns "$hq" ip link add lamp-hq type bridge || return 1
    lamp_ns "$hq" ip addr add "$LAMP_HQ_ADDRESS/24" dev lamp-hq || return 1
    lamp_ns "$hq" ip link set lamp-hq up
}

# lamp_site_up PREFIX HQ SITE NUMBER
lamp_site_up() {
    local prefix=$1 hq=$2 site=$3 n=$4
    local net="$prefix-net" router="$prefix-$site-router" lan="$prefix-$site-lan"
    lamp_ns_add "$router" || return 1
    lamp_ns_add "$lan" || return 1
    lamp_forward "$router" || return 1

    ip -n "$router" link add lan0 type veth peer name eth0 netns "$lan" || return 1
    ip -n "$router" addr add "10.$((20 + n)).0.1/24" dev lan0 || return 1
    ip -n "$router" link set lan0 up || return 1
    ip -n "$lan" link set eth0 up || return 1
    ip -n "$lan" addr add "10.$((20 + n)).0.2/24" dev eth0 || return 1
    ip -n "$lan" route add default via "10.$((20 + n)).0.1" || return 1

    ip -n "$router" link add wan0 type veth peer name "site$n" netns "$net" || return 1
    ip -n "$net" addr add "100.64.$n.1/30" dev "site$n" || return 1
    ip -n "$net" link set "site$n" up || return 1
    ip -n "$router" addr add "100.64.$n.2/30" dev wan0 || return 1
    ip -n "$router" link set wan0 up || return 1
    ip -n "$router" route add default via "100.64.$n.1" || return 1
    ip -n "$net" route add "10.$((20 + n)).0.0/24" via "100.64.$n.2" || return 1

    # Made on the router's side and handed over, since "" (the machine) has no name to give.
    lamp_ns "$hq" ip link add "lamp-hq$n" type veth peer name mgmt0 netns "$router" || return 1
    lamp_ns "$hq" ip link set "lamp-hq$n" master lamp-hq || return 1
    lamp_ns "$hq" ip link set "lamp-hq$n" up || return 1
    ip -n "$router" addr add "169.254.77.$((10 + n))/24" dev mgmt0 || return 1
    ip -n "$router" link set mgmt0 up
}

# lamp_host_add PREFIX SITE NUMBER HOST: one more inside host (HOST: 21..250). Prints its address.
lamp_host_add() {
    local address="10.$((20 + $3)).0.$4"
    ip -n "$1-$2-lan" addr add "$address/24" dev eth0 || return 1
    echo "$address"
}

# lamp_internet_address PREFIX ADDRESS: gives "the internet" a server address.
lamp_internet_address() {
    ip -n "$1-net" addr add "$2/32" dev lo
}

# lamp_namespaces PREFIX: the names of all namespaces of a prefix.
lamp_namespaces() {
    ip netns list 2>/dev/null | awk -v p="$1-" 'index($1, p) == 1 { print $1 }'
}

# lamp_namespaces_down PREFIX HQ: ends every process that runs in the namespaces of the prefix
# and removes them; what is not there is no error.
lamp_namespaces_down() {
    local prefix=$1 hq=$2 ns pid
    for ns in $(lamp_namespaces "$prefix"); do
        for pid in $(ip netns pids "$ns" 2>/dev/null); do
            kill -KILL "$pid" 2>/dev/null
        done
        ip netns delete "$ns" 2>/dev/null
    done
    if [ -z "$hq" ] && ip link show lamp-hq >/dev/null 2>&1; then
        ip link delete lamp-hq
    fi
    return 0
}

# lamp_wait SECONDS COMMAND...: repeats the command until it succeeds; 1 when the time is up.
lamp_wait() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}
