# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# sample.sh: the made-up company of deploy/quickstart: three branches, their miners, the pools
# they mine at (addresses of the kind that pools have; here they exist inside a namespace
# only) and some honest traffic. Source it after namespaces.sh and processes.sh; needs LAMP_BIN.
# Wallets are invented: they spell "davylamp-sample" where a key would be.

LAMP_SAMPLE_SITES="oslo lima pune"
LAMP_SAMPLE_MINERS=9

# NAME ADDRESS:PORT FAMILY DIFFICULTY
lamp_sample_pools() {
    cat <<'TEXT'
btc   203.107.32.162:3333   stratum-v1  131072
xmr   51.15.65.182:10300    cryptonote  40000
etc   51.89.96.41:10100     eth-proxy   2000000000
TEXT
}

# SITE HOST POOL WALLET WORKER HASHRATE AGENT
lamp_sample_miners() {
    local btc=bc1qv3shv7tvv9khqttnv9khqmr995crqvp3c3nk2u
    local btc2=bc1qv3shv7tvv9khqttnv9khqmr995crqvpjkzxqyr
    local xmr=45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsaD8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPGR6HxsfPk
    local xmr2=45RjqWpk9j2KmGEe2p8qKi8bvzrgDDxqGHyRH3yuDsed8m4aE7kZBDWKmGEe2p8qKi8c3Xp7fBmN4MGZgoypJPLq6ES9BUi
    local etc=0x646176796c616d702d73616d706c652d30303031
    cat <<TEXT
oslo 21 xmr $xmr    front-desk   7200    XMRig/6.21.0 (Windows NT 10.0; Win64; x64) libuv/1.44.2
oslo 22 xmr $xmr    build-server 14800   XMRig/6.21.0 (Linux x86_64) libuv/1.44.2 gcc/11.2.0
oslo 40 btc $btc    s19-12       1.05e14 cgminer/4.12.1
lima 21 etc $etc    gpu-rig-1    3.9e8   ethminer/0.19.0
lima 22 etc $etc    gpu-rig-2    2.4e8   ethminer/0.19.0
lima 35 xmr $xmr    warehouse    4100    XMRig/6.18.1 (Windows NT 10.0; Win64; x64) libuv/1.44.1
pune 50 btc $btc2   s19-31       9.6e13  cgminer/4.12.1
pune 51 btc $btc2   s19-32       1.02e14 cgminer/4.12.1
pune 23 xmr $xmr2   lab-7        9300    XMRig/6.21.0 (Linux x86_64) libuv/1.44.2 gcc/11.2.0
TEXT
}

# lamp_sample_start PREFIX: pools first, then everybody who talks to them.
lamp_sample_start() {
    local prefix=$1 name endpoint family difficulty
    while read -r name endpoint family difficulty; do
        lamp_internet_address "$prefix" "${endpoint%:*}" || return 1
        lamp_start "pool-$name" "$prefix-net" "$LAMP_BIN/poolsim" pool --listen "$endpoint" \
            --family "$family" --difficulty "$difficulty" --job-every 20 --reject 0.02
    done < <(lamp_sample_pools)
    lamp_internet_address "$prefix" 198.51.100.80 || return 1
    lamp_start web "$prefix-net" "$LAMP_BIN/poolsim" noise --serve 198.51.100.80:80 \
        --rate 30000 --bytes 100000000000
    lamp_sample_miners_start "$prefix"
}

lamp_sample_miners_start() {
    local prefix=$1 site host pool wallet worker rate agent seed=0
    local number address endpoint family separator
    while read -r site host pool wallet worker rate agent; do
        seed=$((seed + 1))
        number=$(lamp_sample_number "$site")
        address=$(lamp_host_add "$prefix" "$site" "$number" "$host") || return 1
        read -r _ endpoint family _ < <(lamp_sample_pools | grep "^$pool ")
        separator=.
        [ "$family" != eth-proxy ] || separator=/
        lamp_start "miner-$site-$host" "$prefix-$site-lan" "$LAMP_BIN/poolsim" client \
            --bind "$address" --connect "$endpoint" --family "$family" --agent "$agent" \
            --user "$wallet$separator$worker" --hashrate "$rate" --seed "$seed" \
            --idle-every 10 --claim "$rate" --reconnect
    done < <(lamp_sample_miners)
    for site in $LAMP_SAMPLE_SITES; do
        address=$(lamp_host_add "$prefix" "$site" "$(lamp_sample_number "$site")" 99) || return 1
        lamp_start "reader-$site" "$prefix-$site-lan" "$LAMP_BIN/poolsim" noise --bind "$address" \
            --get 198.51.100.80:80
    done
}

# The number of a site: its place in the list, from 1.
lamp_sample_number() {
    local site n=0
    for site in $LAMP_SAMPLE_SITES; do
        n=$((n + 1))
        [ "$site" = "$1" ] && echo "$n"
    done
}
