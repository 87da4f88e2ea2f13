/* SPDX-License-Identifier: Apache-2.0 */
/* kernel: sensor/enforce against the real nftables and connection tracking of the namespace it is
 * started in. Part of kernel.sh and enforce.sh; `kernel` alone lists its commands. */
#include "common/clock.h"
#include "sensor/enforce/enforce.h"
#include "tests/support/block_lists.h"
#include "tests/support/rng.h"

#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>

#define SECOND_US UINT64_C(1000000)

static char folder[64];
static struct lamp_nft_backend used; /* by the one enforce there is */

/* cmocka's assertions jump into its runner, which is not here. */
#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "kernel: line %d: not so: %s\n", __LINE__, #cond);                     \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint64_t now_us(void)
{
    return lamp_clock_real_us();
}

/* ---- an enforce without a link ---- */

static lamp_enforce *start(unsigned confirm_s)
{
    struct lamp_enforce_cfg cfg = {
        .set = { .site = "north", .dir = folder },
        .mode = LAMP_ENFORCE_ON,
        .priority = -10,
        .confirm_s = confirm_s,
        .root = "",
    };
    memcpy(cfg.set.list_key, list_public_key, sizeof(cfg.set.list_key));
    lamp_enforce *e = NULL;
    CHECK(lamp_nft_open(&used) == LAMP_OK);
    CHECK(lamp_cut_open(&cfg.cut) == LAMP_OK);
    cfg.backend = used;
    CHECK(lamp_enforce_new(&cfg, now_us(), &e) == LAMP_OK);
    return e;
}

static void stop(lamp_enforce *e)
{
    lamp_enforce_free(e);
    lamp_nft_close(&used);
}

static int send_msg(lamp_enforce *e, const struct lamp_msg *m)
{
    uint8_t *data;
    size_t len;
    CHECK(lamp_msg_pack(m, &data, &len) == LAMP_OK);
    const int err = lamp_enforce_message(e, (struct lamp_bytes){ data, len }, now_us());
    free(data);
    return err;
}

/* Sends a list; *took_us: from its last message until it is in the kernel. */
static int send_list(lamp_enforce *e, const struct list *what, uint64_t *took_us)
{
    static struct answer a;
    struct list l = *what;
    l.epoch = 1;
    l.approved = true;
    l.expires_us = now_us() + 7200 * SECOND_US;
    make_answer(&l, &a);
    int err = send_msg(e, &a.begin);
    for (uint32_t i = 0; !err && i < a.begin.u.set_begin.chunks; i++) {
        const struct lamp_msg m = list_chunk(&a, i);
        err = send_msg(e, &m);
    }
    const uint64_t began_us = lamp_clock_mono_us();
    if (!err)
        err = send_msg(e, &a.end);
    if (took_us)
        *took_us = lamp_clock_mono_us() - began_us;
    answer_done(&a);
    const struct lamp_msg m = { .type = LAMP_MSG_LOCAL_ANSWER,
                                .u.local_answer.have = lamp_enforce_head(e, LAMP_SET_BLOCK) };
    CHECK(send_msg(e, &m) == LAMP_OK);
    return err;
}

static struct lamp_set_status status(lamp_enforce *e)
{
    struct lamp_set_status s = { 0 };
    (void)lamp_enforce_status(e, now_us() + 600 * SECOND_US, &s);
    return s;
}

/* ---- shapes ---- */

static const struct {
    const char *prefix;
    uint8_t proto;
    uint16_t port;
    bool inside;
} shapes[] = {
    { "192.0.2.1", 0, 0, false },       { "192.0.2.2", 6, 3333, false },
    { "192.0.2.3", 6, 53, false },      { "192.0.2.4", 17, 0, false },
    { "198.51.100.0/24", 0, 0, false }, { "192.0.2.0/24", 17, 53, false },
    { "2001:db8::1", 0, 0, false },     { "2001:db8:1::/64", 6, 443, false },
    { "2001:db8:2::/48", 0, 0, false }, { "2001:db8::/64", 17, 0, false },
    { "10.0.0.7", 0, 0, true },         { "10.0.0.7", 6, 3333, true },
    { "10.0.1.0/24", 0, 0, true },      { "fd00::7", 17, 0, true },
};

static size_t all_shapes(struct lamp_element out[ARRAY_LEN(shapes)], unsigned ttl_s)
{
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        out[i] = (struct lamp_element){ .ip_proto = shapes[i].proto,
                                        .port = shapes[i].port,
                                        .inside = shapes[i].inside,
                                        .until_us = now_us() + ttl_s * SECOND_US,
                                        .id = i + 1 };
        CHECK(lamp_prefix_parse(shapes[i].prefix, &out[i].prefix) == LAMP_OK);
    }
    qsort(out, ARRAY_LEN(shapes), sizeof(*out), lamp_element_cmp);
    return ARRAY_LEN(shapes);
}

static void run(const struct lamp_nft_backend *kernel, char *text)
{
    char why[LAMP_NFT_WHY] = "";
    if (kernel->apply(kernel->arg, text, why) != LAMP_OK) {
        fprintf(stderr, "kernel: %s\n%s", why, text);
        exit(1);
    }
    free(text);
}

static void write_table(const struct lamp_nft_backend *kernel, const struct lamp_nft_table *t)
{
    char *text = NULL;
    CHECK(lamp_nft_render(t, now_us(), &text) == LAMP_OK);
    run(kernel, text);
}

static struct lamp_nft_seen read_back(const struct lamp_nft_backend *kernel,
                                      const struct lamp_never *never, struct lamp_element *v,
                                      size_t n)
{
    char *json = NULL;
    struct lamp_nft_seen seen = { .missing = SIZE_MAX };
    CHECK(kernel->list(kernel->arg, false, &json) == LAMP_OK);
    CHECK(lamp_nft_parse(json, never, v, n, now_us(), &seen) == LAMP_OK);
    free(json);
    return seen;
}

/* Every shape of element is taken, read back, renewed and dropped, in each mode. */
static int do_shapes(void)
{
    static struct lamp_never never;
    struct lamp_element v[ARRAY_LEN(shapes)];
    struct lamp_nft_backend kernel;
    lamp_never_add_fixed(&never);
    (void)lamp_never_add_machine(&never, "");
    CHECK(lamp_nft_open(&kernel) == LAMP_OK);
    struct lamp_nft_table t = { LAMP_ENFORCE_ON, -10, &never, v, all_shapes(v, 60) };
    static const enum lamp_enforce_mode modes[] = { LAMP_ENFORCE_ON, LAMP_ENFORCE_DRY_RUN,
                                                    LAMP_ENFORCE_ON };
    struct lamp_nft_seen seen;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        t.mode = modes[i];
        write_table(&kernel, &t);
        seen = read_back(&kernel, &never, v, t.n);
        CHECK(seen.missing == 0 && seen.foreign == 0);
    }
    const struct lamp_nft_seen before = seen;
    struct lamp_nft_change changes[ARRAY_LEN(shapes)];
    struct lamp_element renewed[ARRAY_LEN(shapes)];
    memcpy(renewed, v, sizeof(v));
    for (size_t i = 0; i < t.n; i++) {
        renewed[i].until_us += 3600 * SECOND_US;
        changes[i] = (struct lamp_nft_change){ &v[i], i % 2 ? &renewed[i] : NULL };
    }
    char *text;
    CHECK(lamp_nft_render_changes(changes, t.n, now_us(), &text) == LAMP_OK);
    run(&kernel, text);
    size_t kept = 0;
    for (size_t i = 1; i < t.n; i += 2)
        renewed[kept++] = renewed[i];
    seen = read_back(&kernel, &never, renewed, kept);
    CHECK(seen.missing == 0 && seen.foreign == 0);
    CHECK(memcmp(seen.rules, before.rules, sizeof(seen.rules)) == 0);
    t.mode = LAMP_ENFORCE_OFF;
    write_table(&kernel, &t);
    char *json;
    CHECK(kernel.list(kernel.arg, false, &json) == LAMP_ENOENT);
    lamp_nft_close(&kernel);
    printf("shapes: %zu taken, read back, renewed and dropped\n", t.n);
    return 0;
}

/* ---- random lists against random networks, as in test_plan, in the kernel ---- */

static struct lamp_prefix random_prefix(struct lamp_rng *r)
{
    static const uint8_t nets[][4] = { { 203, 0, 113, 0 }, { 198, 51, 100, 0 }, { 192, 0, 2, 0 } };
    const uint8_t *net = nets[lamp_rng_u64(r) % 3];
    const uint8_t v4[] = { net[0], net[1], net[2], (uint8_t)(lamp_rng_u64(r) % 64) };
    struct lamp_prefix p = { lamp_addr_from_v4(v4), 128 };
    if (lamp_rng_u64(r) % 3 == 0) {
        p = (struct lamp_prefix){ { { 0x20, 1, 0xd, 0xb8 } }, 128 };
        p.addr.b[15] = (uint8_t)(lamp_rng_u64(r) % 64);
    }
    if (lamp_rng_u64(r) % 2)
        p.len = (uint8_t)(120 + lamp_rng_u64(r) % 9);
    for (unsigned bit = p.len; bit < 128; bit++)
        p.addr.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return p;
}

static size_t random_list(struct lamp_rng *r, struct lamp_set_entry *out, size_t max)
{
    static const uint8_t protos[] = { 0, 6, 17 };
    uint8_t digest[LAMP_WIRE_DIGEST_LEN];
    size_t kept = 0, n = lamp_rng_u64(r) % max;
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct lamp_set_entry){ .prefix = random_prefix(r), .ttl_s = 600, .id = i + 1 };
        out[i].inside = lamp_rng_u64(r) % 4 == 0;
        out[i].port = lamp_rng_u64(r) % 3 ? 0 : (uint16_t)(1 + lamp_rng_u64(r) % 3);
        out[i].ip_proto = protos[lamp_rng_u64(r) % 3];
    }
    qsort(out, n, sizeof(*out), lamp_set_entry_cmp);
    for (size_t i = 0; i < n; i++) {
        out[kept] = out[i];
        kept += lamp_set_digest(out, kept + 1, digest) == LAMP_OK;
    }
    return kept;
}

static int do_random(unsigned long runs)
{
    struct lamp_rng rng = { 5 };
    struct lamp_set_entry entries[48];
    static struct lamp_never never;
    struct lamp_nft_backend kernel;
    CHECK(lamp_nft_open(&kernel) == LAMP_OK);
    size_t elements = 0;
    for (unsigned long i = 0; i < runs; i++) {
        never = (struct lamp_never){ .n = 0 };
        for (uint64_t n = lamp_rng_u64(&rng) % 6; n > 0; n--) {
            const struct lamp_prefix p = random_prefix(&rng);
            lamp_never_add(&never, &p, "test");
        }
        const struct lamp_plan_in in = { .entries = entries,
                                         .n_entries = random_list(&rng, entries, 48),
                                         .accepted_us = now_us(),
                                         .expires_us = now_us() + 600 * SECOND_US,
                                         .never = &never };
        struct lamp_plan p;
        CHECK(lamp_plan_make(&in, now_us(), &p) == LAMP_OK);
        const struct lamp_nft_table t = { LAMP_ENFORCE_ON, -10, &never, p.v, p.n };
        write_table(&kernel, &t);
        /* Nothing but what is planned is there, and nothing planned is protected. */
        const struct lamp_nft_seen seen = read_back(&kernel, &never, p.v, p.n);
        CHECK(seen.missing == 0 && seen.foreign == 0);
        for (size_t k = 0; k < p.n; k++)
            CHECK(p.v[k].seen && !lamp_never_hit(&never, &p.v[k].prefix, p.v[k].inside));
        elements += p.n;
        lamp_plan_done(&p);
    }
    lamp_nft_close(&kernel);
    printf("random: %lu lists, %zu elements in the kernel, 0 protected\n", runs, elements);
    return 0;
}

/* ---- how long a replacement takes ---- */

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Replaces 10,000 entries by 10,000 (of which each has another lease), the whole way from the last
 * message of the list. The least of the runs is held to the limit: what else the machine does only
 * adds to them. */
static int do_replace(unsigned long runs, unsigned long limit_ms)
{
    lamp_enforce *e = start(60);
    uint64_t took[64];
    CHECK(runs > 0 && runs <= ARRAY_LEN(took));
    for (unsigned long i = 0; i <= runs; i++) {
        const struct list l = { .serial = i + 1, .many = 10000, .ttl_s = i % 2 ? 7200 : 60 };
        uint64_t us;
        CHECK(send_list(e, &l, &us) == LAMP_OK);
        CHECK(status(e).elements == 10000);
        if (i > 0)
            took[i - 1] = us; /* the first replaces nothing */
    }
    qsort(took, runs, sizeof(took[0]), by_value);
    printf("replace: 10000 entries, %lu times: least %llu ms, median %llu ms, worst %llu ms, limit "
           "%lu ms\n",
           runs, (unsigned long long)took[0] / 1000, (unsigned long long)took[runs / 2] / 1000,
           (unsigned long long)took[runs - 1] / 1000, limit_ms);
    stop(e);
    return took[0] <= limit_ms * 1000 ? 0 : 1;
}

/* ---- lists that change all the time ---- */

static volatile sig_atomic_t stop_flag;

static void on_stop(int signo)
{
    (void)signo;
    stop_flag = 1;
}

static void change_in_two(const char *target, unsigned long *n)
{
    struct lamp_nft_backend kernel;
    char commands[128];
    CHECK(lamp_nft_open(&kernel) == LAMP_OK);
    while (!stop_flag) {
        char why[LAMP_NFT_WHY];
        CHECK(kernel.apply(kernel.arg, "flush set inet davylamp outhost4", why) == LAMP_OK);
        snprintf(commands, sizeof(commands),
                 "add element inet davylamp outhost4 { %s timeout 60s }", target);
        CHECK(kernel.apply(kernel.arg, commands, why) == LAMP_OK);
        (*n)++;
    }
    lamp_nft_close(&kernel);
}

/* Replaces the list until SIGTERM: the target is in all of them, with another lease each time (so it
 * is dropped and added in one transaction), among few entries (elements change) and many (the table
 * is made anew). in_two: as it must not be done, to show that the test would see it. */
static int do_churn(const char *target, bool in_two)
{
    signal(SIGTERM, on_stop);
    lamp_enforce *e = start(60);
    unsigned long n = 0;
    struct list l = { .serial = 1, .targets = { target } };
    CHECK(send_list(e, &l, NULL) == LAMP_OK);
    printf("ready\n");
    fflush(stdout);
    if (in_two)
        change_in_two(target, &n);
    while (!stop_flag) {
        l = (struct list){ .serial = n + 2, .targets = { target }, .many = n % 4 < 2 ? 3 : 300 };
        l.ttl_s = n % 2 ? 60 : 7200;
        CHECK(send_list(e, &l, NULL) == LAMP_OK);
        n++;
    }
    printf("churn: %lu replacements\n", n);
    stop(e);
    return n > 0 ? 0 : 1;
}

/* ---- packets ---- */

static struct sockaddr_in endpoint(const char *text)
{
    struct sockaddr_in a = { .sin_family = AF_INET };
    struct lamp_addr addr;
    uint16_t port;
    CHECK(lamp_endpoint_parse(text, &addr, &port) == LAMP_OK);
    memcpy(&a.sin_addr, addr.b + 12, 4);
    a.sin_port = htons(port);
    return a;
}

/* Sends n small UDP packets, as fast as they go. */
static int do_send(const char *to, unsigned long n)
{
    enum { BATCH = 64 };
    const struct sockaddr_in a = endpoint(to);
    char byte = 'x';
    struct iovec iov = { &byte, 1 };
    struct mmsghdr m[BATCH] = { 0 };
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0);
    for (size_t i = 0; i < BATCH; i++)
        m[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
    unsigned long sent = 0;
    while (sent < n) {
        const int got = sendmmsg(fd, m, (unsigned)lamp_min(BATCH, n - sent), 0);
        if (got > 0)
            sent += (unsigned long)got;
    }
    close(fd);
    printf("sent %lu\n", sent);
    return 0;
}

/* Counts UDP packets until SIGTERM. */
static int do_count(const char *at)
{
    const struct sockaddr_in a = endpoint(at);
    unsigned long n = 0;
    struct sigaction sa = { .sa_handler = on_stop };
    sigaction(SIGTERM, &sa, NULL);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0);
    printf("ready\n");
    fflush(stdout);
    while (!stop_flag) {
        char byte;
        while (recv(fd, &byte, 1, 0) == 1)
            n++;
        (void)poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 100);
    }
    printf("count: %lu\n", n);
    return 0;
}

/* ---- a way through an inside host ---- */

static int listen_at(const char *text)
{
    const struct sockaddr_in a = endpoint(text);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    CHECK(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
    CHECK(bind(fd, (const struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 16) == 0);
    return fd;
}

/* Passes on what one end says to the other; false when either has ended. */
static bool pass(int from, int to)
{
    char buf[16384];
    const ssize_t n = recv(from, buf, sizeof(buf), 0);
    return n > 0 && send(to, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

static void relay_one(int fd, const char *to)
{
    const struct sockaddr_in a = endpoint(to);
    const int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open = connect(out, (const struct sockaddr *)&a, sizeof(a)) == 0;
    while (open) {
        struct pollfd p[] = { { .fd = fd, .events = POLLIN }, { .fd = out, .events = POLLIN } };
        CHECK(poll(p, 2, -1) > 0);
        open = (!p[0].revents || pass(fd, out)) && (!p[1].revents || pass(out, fd));
    }
    close(out);
    close(fd);
}

/* Relays TCP connections until it is killed. */
static int do_relay(const char *at, const char *to)
{
    signal(SIGCHLD, SIG_IGN);
    const int fd = listen_at(at);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        const int one = accept(fd, NULL, NULL);
        if (one >= 0 && fork() == 0) {
            relay_one(one, to);
            _exit(0);
        }
        if (one >= 0)
            close(one);
    }
}

/* ---- the command line ---- */

static unsigned long number(const char *text)
{
    char *end;
    const unsigned long n = text ? strtoul(text, &end, 10) : 0;
    CHECK(text && *text && !*end);
    return n;
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "", *one = argc > 2 ? argv[2] : NULL,
               *two = argc > 3 ? argv[3] : NULL;
    if (streq(name, "shapes"))
        return do_shapes();
    if (streq(name, "random"))
        return do_random(number(one));
    if (streq(name, "replace"))
        return do_replace(number(one), number(two));
    if (streq(name, "churn") && one)
        return do_churn(one, two != NULL);
    if (streq(name, "send") && one)
        return do_send(one, number(two));
    if (streq(name, "count") && one)
        return do_count(one);
    if (streq(name, "relay") && one && two)
        return do_relay(one, two);
    fputs(
        "kernel shapes | random LISTS | replace TIMES LIMIT_MS | churn TARGET [in-two] |\n"
        "       send ADDRESS:PORT PACKETS | count ADDRESS:PORT | relay ADDRESS:PORT ADDRESS:PORT\n",
        stderr);
    return 2;
}

int main(int argc, char **argv)
{
    CHECK(sodium_init() >= 0);
    crypto_sign_keypair(list_public_key, list_secret_key);
    snprintf(folder, sizeof(folder), "/tmp/lamp-kernel-XXXXXX");
    CHECK(mkdtemp(folder));
    const int result = dispatch(argc, argv);
    char cmd[96];
    snprintf(cmd, sizeof(cmd), "rm -rf %s", folder);
    return system(cmd) == 0 ? result : 1;
}
