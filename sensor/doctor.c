/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/doctor.h"

#include "common/clock.h"
#include "common/fingerprint.h"
#include "sensor/enforce/nft.h"
#include "sensor/link/enroll.h"
#include "sensor/link/keychain.h"
#include "sensor/link/uplink.h"
#include "sensor/process/privilege.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>

enum {
    TEXT = 400,
    CONNECT_MS = 3000,
    HANDSHAKE_MS = 20 * 1000,
    TURN_MS = 20,
};

struct doctor {
    struct lamp_sensor_conf *conf;
    lamp_doctor_tell_fn *tell;
    void *arg;
    unsigned handshake_ms;
};

static void say(struct doctor *d, enum lamp_health health, const char *what, const char *advice,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void say(struct doctor *d, enum lamp_health health, const char *what, const char *advice,
                const char *fmt, ...)
{
    char found[TEXT];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(found, sizeof(found), fmt, ap);
    va_end(ap);
    d->tell(d->arg, health, what, found, health == LAMP_HEALTH_OK ? "" : advice);
}

/* ---- the machine ---- */

static void look_at_configuration(struct doctor *d)
{
    char why[LAMP_CONF_WHY] = "out of memory";
    int err = lamp_enroll_fill(d->conf);
    if (!err)
        err = lamp_sensor_conf_check(d->conf, why);
    say(d, err ? LAMP_HEALTH_FAULT : LAMP_HEALTH_OK, "configuration",
        "correct the option; davylamp-sensor --check-config says whether it is right", "%s",
        err ? why : "can be used");
}

static void look_at_users(struct doctor *d)
{
    const char *const users[] = { d->conf->user, d->conf->enforce.user };
    for (size_t i = 0; i < ARRAY_LEN(users); i++) {
        uid_t uid;
        gid_t gid;
        if (geteuid() == 0 && lamp_privilege_user(users[i], &uid, &gid) != LAMP_OK)
            say(d, LAMP_HEALTH_FAULT, "users",
                "systemd-sysusers, or name another in the configuration", "there is no user %s",
                users[i]);
    }
}

static uint64_t capabilities(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct have[2] = { { 0 } };
    if (syscall(SYS_capget, &head, have) < 0)
        return 0;
    return have[0].effective | (uint64_t)have[1].effective << 32;
}

static void look_at_privileges(struct doctor *d)
{
    const bool watches = d->conf->replay.files.n == 0 && d->conf->capture.interfaces.n > 0;
    const bool blocks = d->conf->enforce.mode != LAMP_ENFORCE_OFF;
    const struct {
        int number;
        const char *name, *use;
        bool wanted;
    } needed[] = {
        { CAP_NET_RAW, "CAP_NET_RAW", "open an interface", watches },
        { CAP_NET_ADMIN, "CAP_NET_ADMIN", "make an interface promiscuous, and block",
          blocks || (watches && d->conf->capture.promiscuous) },
    };
    const uint64_t have = capabilities();
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        const bool has = !needed[i].wanted || have >> needed[i].number & 1;
        all = all && has;
        if (!has)
            say(d, LAMP_HEALTH_FAULT, "privileges",
                geteuid() == 0
                    ? "something takes it from root here: a container, or a drop-in of the "
                      "unit (CapabilityBoundingSet)"
                    : "ask again as root, whose privileges the unit has",
                "%s is missing, without which it cannot %s", needed[i].name, needed[i].use);
    }
    if (all)
        say(d, LAMP_HEALTH_OK, "privileges", "", "all that it needs");
}

static void look_at_interface(struct doctor *d, const char *name)
{
    struct ifreq r = { 0 };
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &r) < 0)
        say(d, LAMP_HEALTH_FAULT, "interface",
            "ip link shows those that there are: capture.interfaces", "there is no interface %s",
            name);
    else if (!(r.ifr_flags & IFF_UP))
        say(d, LAMP_HEALTH_FAULT, "interface", "ip link set it up", "%s is down", name);
    else if (!(r.ifr_flags & IFF_RUNNING))
        say(d, LAMP_HEALTH_DOUBT, "interface", "look at the cable and the other end",
            "%s is up and has no carrier", name);
    else
        say(d, LAMP_HEALTH_OK, "interface", "", "%s is up", name);
    if (fd >= 0)
        close(fd);
}

static void look_at_interfaces(struct doctor *d)
{
    if (d->conf->replay.files.n > 0)
        return;
    for (size_t i = 0; i < d->conf->capture.interfaces.n; i++)
        if (!streq(d->conf->capture.interfaces.v[i], "any"))
            look_at_interface(d, d->conf->capture.interfaces.v[i]);
}

static void look_at_firewall(struct doctor *d)
{
    char why[LAMP_NFT_WHY] = "";
    struct lamp_nft_backend kernel;
    if (d->conf->enforce.mode == LAMP_ENFORCE_OFF)
        return;
    int err = lamp_nft_open(&kernel);
    if (!err) {
        err = kernel.apply(kernel.arg, "list tables inet\n", why);
        lamp_nft_close(&kernel);
    }
    why[strcspn(why, "\n")] = '\0';
    if (err)
        say(d, LAMP_HEALTH_FAULT, "nftables",
            "a kernel with nf_tables (modprobe nf_tables) and CAP_NET_ADMIN, or enforce.mode = "
            "\"off\"",
            "the kernel's tables cannot be read: %s", *why ? why : lamp_strerror(err));
    else
        say(d, LAMP_HEALTH_OK, "nftables", "", "the kernel answers");
}

static void look_at_disk(struct doctor *d)
{
    struct statvfs v;
    const char *folder = d->conf->state_dir;
    const double need = (double)d->conf->link.spool_quota_bytes, mib = 1048576;
    if (statvfs(folder, &v) < 0) {
        say(d, LAMP_HEALTH_FAULT, "disk", "make it, for the user sensor.user", "%s: %s", folder,
            strerror(errno));
        return;
    }
    const double left = (double)v.f_bavail * (double)v.f_frsize;
    const bool used = d->conf->link.spool == LAMP_SPOOL_ON_DISK;
    if (used && left < mib)
        say(d, LAMP_HEALTH_FAULT, "disk", "make room: summaries that find none are lost",
            "%s is full", folder);
    else if (used && left < need)
        say(d, LAMP_HEALTH_DOUBT, "disk", "make room, or lower link.spool_quota",
            "%s has %.0f MiB left, the spool may take %.0f MiB", folder, left / mib, need / mib);
    else
        say(d, LAMP_HEALTH_OK, "disk", "", "%s has %.0f MiB left", folder, left / mib);
}

static void look_at_memory(struct doctor *d)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
            break;
    if (f)
        fclose(f);
    const uint64_t need = (uint64_t)d->conf->capture.memory_bytes;
    if (kib && kib * 1024 < need)
        say(d, LAMP_HEALTH_DOUBT, "memory", "lower capture.memory",
            "%llu MiB are free, capture.memory is %" PRIu64 " MiB", kib / 1024, need >> 20);
    else
        say(d, LAMP_HEALTH_OK, "memory", "", "%llu MiB are free", kib / 1024);
}

enum lamp_health lamp_doctor_clock(int state, int status)
{
    return state < 0 || state == TIME_ERROR || status & STA_UNSYNC ? LAMP_HEALTH_DOUBT
                                                                   : LAMP_HEALTH_OK;
}

static void look_at_clock(struct doctor *d)
{
    struct timex t = { 0 };
    const int state = adjtimex(&t);
    const enum lamp_health health = lamp_doctor_clock(state, t.status);
    say(d, health, "clock", "timedatectl; let chrony or systemd-timesyncd keep the time", "%s",
        health == LAMP_HEALTH_OK ? "is kept by a time service" : "nothing keeps it right");
}

/* ---- the aggregator ---- */

/* HOST and PORT of tcp://HOST:PORT, of tcp://[HOST]:PORT too. */
static bool split(const char *endpoint, char host[256], char port[8])
{
    static const char scheme[] = "tcp://";
    if (strncmp(endpoint, scheme, sizeof(scheme) - 1) != 0)
        return false;
    const char *from = endpoint + sizeof(scheme) - 1, *colon = strrchr(from, ':');
    if (!colon || colon == from)
        return false;
    const char *to = colon;
    if (*from == '[' && to[-1] == ']') {
        from++;
        to--;
    }
    return snprintf(host, 256, "%.*s", (int)(to - from), from) < 256 &&
           snprintf(port, 8, "%s", colon + 1) < 8;
}

/* Connects and closes. LAMP_ETIMEOUT, negated errno. */
static int try_address(const struct addrinfo *a)
{
    const int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int err = fd < 0 ? errno : 0;
    socklen_t len = sizeof(err);
    if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0 && errno != EINPROGRESS)
        err = errno;
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    const bool came = !err && poll(&p, 1, CONNECT_MS) == 1;
    if (came)
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
    if (fd >= 0)
        close(fd);
    return err ? -err : came ? LAMP_OK : LAMP_ETIMEOUT;
}

static bool port_is_open(struct doctor *d, const char *endpoint)
{
    char host[256], port[8];
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    if (!split(endpoint, host, port)) {
        say(d, LAMP_HEALTH_FAULT, "aggregator", "link.endpoint = \"tcp://HOST:PORT\"",
            "'%.100s' is no endpoint", endpoint);
        return false;
    }
    const int none = getaddrinfo(host, port, &hints, &list);
    if (none) {
        say(d, LAMP_HEALTH_FAULT, "aggregator", "look at /etc/resolv.conf and at link.endpoint",
            "the name %s is not known here: %s", host, gai_strerror(none));
        return false;
    }
    int err = LAMP_ETIMEOUT;
    for (const struct addrinfo *a = list; a && err; a = a->ai_next)
        err = try_address(a);
    freeaddrinfo(list);
    if (err == -ECONNREFUSED)
        say(d, LAMP_HEALTH_FAULT, "aggregator",
            "there: systemctl status davylamp-aggregator; is listen.sensors this port?",
            "%s: the port is closed", endpoint);
    else if (err)
        say(d, LAMP_HEALTH_FAULT, "aggregator",
            "a route to it, and a firewall on the way that lets this port through",
            "%s cannot be reached: %s", endpoint, lamp_strerror(err));
    return !err;
}

/* Who answers there, and whether it takes our key. */
static void shake_hands(struct doctor *d, const struct lamp_key *key, const char *server_key)
{
    lamp_uplink *u = NULL;
    enum lamp_uplink_event event;
    const char *endpoint = d->conf->link.endpoint;
    int err = lamp_uplink_new(key, endpoint, server_key, NULL, &u);
    if (!err)
        err = lamp_uplink_open(u);
    bool told = false;
    const uint64_t until_us = lamp_clock_mono_us() + d->handshake_ms * UINT64_C(1000);
    while (!err && !told && lamp_clock_mono_us() < until_us) {
        if (!lamp_uplink_next_event(u, &event)) {
            (void)poll(NULL, 0, TURN_MS);
            continue;
        }
        told = event != LAMP_UPLINK_DISCONNECTED;
        if (event == LAMP_UPLINK_CONNECTED)
            say(d, LAMP_HEALTH_OK, "aggregator", "", "%s answers and takes this sensor's key",
                endpoint);
        else if (event == LAMP_UPLINK_REFUSED)
            say(d, LAMP_HEALTH_FAULT, "aggregator",
                "there: davylamp sensors keys, and approve it; or enroll anew with a token",
                "%s refuses this sensor's key", endpoint);
        else if (event == LAMP_UPLINK_NO_HANDSHAKE)
            say(d, LAMP_HEALTH_FAULT, "aggregator",
                "there: davylamp-aggregator keys; set link.server_key to it, or enroll anew",
                "who answers at %s is not the aggregator that this sensor knows", endpoint);
    }
    lamp_uplink_free(u);
    if (err || !told)
        say(d, LAMP_HEALTH_FAULT, "aggregator", "is it an aggregator that listens at this port?",
            "%s: %s", endpoint,
            err ? lamp_strerror(err)
                : "the port is open, and nobody answers in the link's protocol");
}

static void look_at_link(struct doctor *d)
{
    struct lamp_key key;
    struct lamp_keychain chain;
    char path[PATH_MAX], print[LAMP_FINGERPRINT];
    int err = lamp_sensor_key_path(d->conf);
    if (!err)
        err = lamp_key_load(d->conf->key_path, &key);
    if (!err)
        err = lamp_keychain_path(d->conf->state_dir, path, sizeof(path));
    if (!err)
        err = lamp_keychain_load(path, &key, d->conf->server_key_z85, &chain);
    if (err) {
        say(d, LAMP_HEALTH_FAULT, "key",
            err == LAMP_EAUTH ? "chmod 600" : "davylamp-sensor enroll, as the user sensor.user",
            "%s: %s", d->conf->key_path ? d->conf->key_path : "link.key_file",
            err == LAMP_EAUTH ? "others may read it" : lamp_strerror(err));
        return;
    }
    sodium_memzero(&key, sizeof(key));
    say(d, LAMP_HEALTH_OK, "key", "", "fingerprint %s",
        lamp_fingerprint_z85(chain.own.public_z85, print));
    if (*d->conf->server_key_z85 && port_is_open(d, d->conf->link.endpoint))
        shake_hands(d, &chain.own, *chain.server ? chain.server : d->conf->server_key_z85);
    lamp_keychain_wipe(&chain);
}

void lamp_doctor_examine(struct lamp_sensor_conf *conf, unsigned handshake_ms,
                         lamp_doctor_tell_fn *tell, void *arg)
{
    static void (*const looks[])(struct doctor *) = {
        look_at_configuration, look_at_users,    look_at_privileges,
        look_at_interfaces,    look_at_firewall, look_at_disk,
        look_at_memory,        look_at_clock,    look_at_link,
    };
    struct doctor d = { .conf = conf, .tell = tell, .arg = arg, .handshake_ms = handshake_ms };
    for (size_t i = 0; i < ARRAY_LEN(looks); i++)
        looks[i](&d);
}

/* ---- the command ---- */

static void print(void *arg, enum lamp_health health, const char *what, const char *found,
                  const char *advice)
{
    static const char *const words[] = { "ok", "doubt", "FAULT" };
    int *worst = arg;
    if ((int)health > *worst)
        *worst = (int)health;
    printf("%-7s%-15s%s\n", words[health], what, found);
    if (*advice)
        printf("%22sto do: %s\n", "", advice);
}

int lamp_doctor_run(struct lamp_sensor_conf *conf)
{
    int worst = LAMP_HEALTH_OK;
    lamp_doctor_examine(conf, HANDSHAKE_MS, print, &worst);
    return worst == LAMP_HEALTH_FAULT;
}
