/* SPDX-License-Identifier: Apache-2.0 */
/* tshark: what decode finds in the labelled captures of LAMP_CAPTURES, compared with what tshark
 * finds there. First every file with the number of TCP and UDP streams in INDEX.tsv, then the
 * frames of a seeded sample of files, which has each encapsulation of INDEX.tsv at least once,
 * with tshark itself: protocol, addresses and ports of the innermost TCP or UDP packet. The two
 * tables below are the differences there may be, and why; any other is a fault. LAMP_LONG=1
 * compares the frames of all files. Exit 77: no captures or no tshark here. */
#include "sensor/engine/decode.h"
#include "sensor/source/source.h"
#include "tests/support/rng.h"

#include <stdio.h>

enum { MAX_FILES = 8192, MAX_LAYERS = 64, SAMPLE = 16, SEED = 20240607, MAX_TOLD = 40 };

enum column { FILE_NAME, TCP_STREAMS = 7, UDP_STREAMS, PROTOCOLS, ENCAP, COLUMNS };

struct row {
    char *line, *cell[COLUMNS];
};

static struct row rows[MAX_FILES];
static size_t n_rows;

/* One end-to-end packet, comparable with memcmp(). */
struct ends {
    struct lamp_addr src, dst;
    uint16_t src_port, dst_port;
    uint32_t ip_proto;
};

struct seen {
    struct ends packet; /* of nothing but zeros if there is none */
    enum lamp_decode outcome;
};

/* What decode found in one file. */
struct findings {
    struct seen *frames;
    size_t n, n_outcome[LAMP_DECODE_COUNT];
    size_t n_flows[2]; /* TCP, UDP */
    bool complete;     /* the file could be read to its end */
};

static unsigned faults;

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += len)
        if ((p == list || p[-1] == ' ' || p[-1] == ':') &&
            (p[len] == '\0' || p[len] == ' ' || p[len] == ':'))
            return true;
    return false;
}

static bool has_any(const char *list, const char *const *words)
{
    for (; *words; words++)
        if (has_word(list, *words))
            return true;
    return false;
}

/* ---- our side ---- */

static struct ends ends_of(const struct lamp_pkt *pkt)
{
    return (struct ends){ pkt->src, pkt->dst, pkt->src_port, pkt->dst_port, pkt->ip_proto };
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct ends));
}

/* Conversations among the packets of one protocol. */
static size_t count_flows(const struct findings *f, uint32_t ip_proto)
{
    struct ends *all = calloc(f->n + 1, sizeof(*all));
    if (!all)
        abort();
    size_t n = 0, flows = 0;
    for (size_t i = 0; i < f->n; i++) {
        struct ends e = f->frames[i].packet;
        if (e.ip_proto != ip_proto)
            continue;
        struct ends back = { e.dst, e.src, e.dst_port, e.src_port, e.ip_proto };
        all[n++] = by_bytes(&e, &back) < 0 ? e : back;
    }
    qsort(all, n, sizeof(*all), by_bytes);
    for (size_t i = 0; i < n; i++)
        flows += i == 0 || by_bytes(&all[i - 1], &all[i]) != 0;
    free(all);
    return flows;
}

static struct findings decode_file(const char *file)
{
    char why[LAMP_SOURCE_WHY];
    struct findings f = { 0 };
    lamp_source *source;
    lamp_decoder *decoder;
    if (lamp_source_open_file(file, &source, why) != LAMP_OK)
        return f;
    if (lamp_decoder_new(&(struct lamp_decoder_cfg){ 0 }, &decoder) != LAMP_OK)
        abort();
    struct lamp_frame frame;
    struct lamp_pkt pkt;
    int err;
    while ((err = lamp_source_next(source, &frame, why)) == LAMP_OK) {
        if ((f.n & (f.n - 1)) == 0)
            f.frames = reallocarray(f.frames, f.n ? 2 * f.n : 1, sizeof(*f.frames));
        if (!f.frames)
            abort();
        struct seen *s = &f.frames[f.n++];
        *s = (struct seen){ .outcome = lamp_decode_frame(decoder, &frame, &pkt) };
        if (lamp_decode_is_packet(s->outcome))
            s->packet = ends_of(&pkt);
        f.n_outcome[s->outcome]++;
    }
    f.complete = err == LAMP_ECLOSED;
    lamp_decoder_free(decoder);
    lamp_source_close(source);
    f.n_flows[0] = count_flows(&f, LAMP_IPPROTO_TCP);
    f.n_flows[1] = count_flows(&f, LAMP_IPPROTO_UDP);
    return f;
}

/* ---- streams of every file ---- */

struct file_case {
    const struct row *row;
    const struct findings *f;
    size_t ours, theirs;
    bool is_tcp;
};

static bool not_read(const struct file_case *c)
{
    return !c->f->complete;
}

static bool is_damaged(const struct file_case *c)
{
    return strncmp(c->row->cell[FILE_NAME], "malformed/", 10) == 0;
}

static bool has_tunnel(const struct file_case *c)
{
    static const char *const words[] = { "gtp",  "vxlan", "geneve",  "teredo", "gre", "erspan",
                                         "l2tp", "wlan",  "openvpn", "ipv6",   NULL };
    return has_any(c->row->cell[ENCAP], words);
}

static bool is_used_again(const struct file_case *c)
{
    return c->is_tcp && c->ours < c->theirs && c->ours > 0;
}

static bool is_quoted(const struct file_case *c)
{
    return c->ours < c->theirs && (c->f->n_outcome[LAMP_DECODE_OTHER_IP] > 0 || c->theirs < 3);
}

static bool is_restarted(const struct file_case *c)
{
    return !c->is_tcp && c->ours < c->theirs && c->ours > 0;
}

static bool is_fragmented(const struct file_case *c)
{
    return c->f->n_outcome[LAMP_DECODE_FRAGMENT] + c->f->n_outcome[LAMP_DECODE_UDP_FRAGMENT] > 0;
}

static bool has_lies(const struct file_case *c)
{
    const size_t *n = c->f->n_outcome;
    return c->ours + n[LAMP_DECODE_UDP_LENGTH] + n[LAMP_DECODE_IP_LENGTH] +
               n[LAMP_DECODE_TCP_HEADER] >=
           c->theirs;
}

static bool is_one_call(const struct file_case *c)
{
    return has_word(c->row->cell[PROTOCOLS], "portmap");
}

/* Why a file's streams may differ, in the order in which they are asked; and how many files may,
 * a little more than did when this was written. */
static struct {
    const char *why;
    bool (*is_it)(const struct file_case *c);
    unsigned limit, n;
} file_classes[] = {
    { "a link type or file that is not read", not_read, 60, 0 },
    { "damaged on purpose: tshark shows ports of headers that lie", is_damaged, 120, 0 },
    { "tunnel: tshark also counts the streams around it", has_tunnel, 60, 0 },
    { "fragments without their first", is_fragmented, 10, 0 },
    { "headers that lie about lengths: tshark shows their ports", has_lies, 10, 0 },
    { "a new connection on the same ports", is_used_again, 30, 0 },
    { "quoted in an error or a sample", is_quoted, 30, 0 },
    { "tshark starts a UDP stream afresh for a new session", is_restarted, 20, 0 },
    { "tshark joins the ports of a call to its portmapper", is_one_call, 2, 0 },
};

static void compare_streams(const struct row *row, const struct findings *f, bool is_tcp)
{
    struct file_case c = { row, f, f->n_flows[!is_tcp],
                           strtoul(row->cell[is_tcp ? TCP_STREAMS : UDP_STREAMS], NULL, 10),
                           is_tcp };
    if (c.ours == c.theirs)
        return;
    for (size_t i = 0; i < ARRAY_LEN(file_classes); i++) {
        if (file_classes[i].is_it(&c)) {
            file_classes[i].n++;
            return;
        }
    }
    printf("FAIL %s: %zu %s streams, tshark %zu\n", row->cell[FILE_NAME], c.ours,
           is_tcp ? "TCP" : "UDP", c.theirs);
    faults++;
}

/* ---- frames of a sample ---- */

/* What tshark says of a frame: lists of all its layers, comma-separated. */
enum field {
    NUMBER,
    LAYERS,
    IP4_SRC,
    IP6_SRC,
    IP4_DST,
    IP6_DST,
    TCP_SRC,
    TCP_DST,
    UDP_SRC,
    UDP_DST,
    FIELDS
};
static const char tshark_fields[] =
    "-e frame.number -e frame.protocols -e ip.src -e ipv6.src -e ip.dst -e ipv6.dst "
    "-e tcp.srcport -e tcp.dstport -e udp.srcport -e udp.dstport";

/* The n-th of a comma-separated list in out; false if it has fewer. */
static bool nth(const char *list, unsigned n, char *out, size_t size)
{
    while (n-- > 0) {
        list = strchr(list, ',');
        if (!list++)
            return false;
    }
    size_t len = strcspn(list, ",");
    if (len == 0 || len >= size)
        return false;
    memcpy(out, list, len);
    out[len] = '\0';
    return true;
}

static bool nth_addr(const char *list, unsigned n, struct lamp_addr *out)
{
    char text[64];
    return nth(list, n, text, sizeof(text)) && lamp_addr_parse(text, out) == LAMP_OK;
}

static bool nth_port(const char *list, unsigned n, uint16_t *out)
{
    char text[16];
    if (!nth(list, n, text, sizeof(text)))
        return false;
    *out = (uint16_t)strtoul(text, NULL, 10);
    return true;
}

/* All TCP and UDP layers of a frame, outermost first; not those quoted in an ICMP error. */
static size_t layers_of(char *const *field, struct ends *out)
{
    unsigned n4 = 0, n6 = 0, n_tcp = 0, n_udp = 0;
    bool v6 = false;
    size_t n = 0;
    char copy[1024];
    snprintf(copy, sizeof(copy), "%s", field[LAYERS]);
    char *rest = copy;
    for (char *name; (name = strsep(&rest, ":")) && n < MAX_LAYERS;) {
        if (strncmp(name, "icmp", 4) == 0)
            break;
        bool tcp = streq(name, "tcp");
        if (streq(name, "ip") || streq(name, "ipv6")) {
            v6 = name[2];
            n4 += !v6;
            n6 += v6;
        } else if (tcp || streq(name, "udp")) {
            struct ends e = { .ip_proto = tcp ? LAMP_IPPROTO_TCP : LAMP_IPPROTO_UDP };
            unsigned at = v6 ? n6 : n4, port = tcp ? n_tcp++ : n_udp++;
            if (at > 0 && nth_addr(field[v6 ? IP6_SRC : IP4_SRC], at - 1, &e.src) &&
                nth_addr(field[v6 ? IP6_DST : IP4_DST], at - 1, &e.dst) &&
                nth_port(field[tcp ? TCP_SRC : UDP_SRC], port, &e.src_port) &&
                nth_port(field[tcp ? TCP_DST : UDP_DST], port, &e.dst_port))
                out[n++] = e;
        }
    }
    return n;
}

struct frame_case {
    const struct seen *ours;
    const struct ends *layers; /* tshark's */
    size_t n_layers;
};

static bool is_outer(const struct frame_case *c)
{
    for (size_t i = 0; i + 1 < c->n_layers; i++)
        if (memcmp(&c->layers[i], &c->ours->packet, sizeof(struct ends)) == 0)
            return true;
    return false;
}

static bool is_later_fragment(const struct frame_case *c)
{
    return c->ours->outcome == LAMP_DECODE_TCP_FRAGMENT ||
           c->ours->outcome == LAMP_DECODE_UDP_FRAGMENT;
}

static bool has_lying_header(const struct frame_case *c)
{
    switch (c->ours->outcome) {
    case LAMP_DECODE_IP_LENGTH:
    case LAMP_DECODE_TCP_HEADER:
    case LAMP_DECODE_UDP_LENGTH:
    case LAMP_DECODE_TCP_SHORT:
    case LAMP_DECODE_UDP_SHORT:
    case LAMP_DECODE_IP4_SHORT:
    case LAMP_DECODE_IP6_SHORT:
    case LAMP_DECODE_EXT_SHORT:
        return true;
    default:
        return false;
    }
}

static bool is_deep(const struct frame_case *c)
{
    return c->ours->outcome == LAMP_DECODE_TUNNEL_DEPTH ||
           c->ours->outcome == LAMP_DECODE_MPLS_DEPTH || c->ours->outcome == LAMP_DECODE_EXT_DEPTH;
}

static bool is_cut_short(const struct frame_case *c)
{
    return c->n_layers == 0 &&
           (c->ours->outcome == LAMP_DECODE_TCP_CUT || c->ours->outcome == LAMP_DECODE_UDP_CUT);
}

/* Why a frame may differ. */
static struct {
    const char *why;
    bool (*is_it)(const struct frame_case *c);
    unsigned n;
} frame_classes[] = {
    { "tshark opens a tunnel that decode does not (CAPWAP, L2TP, MPLS in UDP, ...)", is_outer, 0 },
    { "a later fragment: decode knows its first", is_later_fragment, 0 },
    { "lengths that lie, ports that are cut: tshark shows what is left", has_lying_header, 0 },
    { "past a limit of nesting", is_deep, 0 },
    { "cut so short that tshark shows no ports", is_cut_short, 0 },
};

static void compare_frame(const char *file, char *const *field, const struct seen *ours)
{
    static const struct ends nothing;
    struct ends layers[MAX_LAYERS];
    struct frame_case c = { ours, layers, layers_of(field, layers) };
    const struct ends *inner = c.n_layers ? &layers[c.n_layers - 1] : &nothing;
    if (memcmp(inner, &ours->packet, sizeof(*inner)) == 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(frame_classes); i++) {
        if (frame_classes[i].is_it(&c)) {
            frame_classes[i].n++;
            return;
        }
    }
    if (faults++ < MAX_TOLD)
        printf("FAIL %s frame %s: %s, tshark %s\n", file, field[NUMBER],
               lamp_decode_name(ours->outcome), field[LAYERS]);
}

/* Compares frame by frame; returns how many. */
static size_t compare_frames(const char *file, const struct findings *f)
{
    char command[2048];
    if (strpbrk(file, "'\\") ||
        snprintf(command, sizeof(command),
                 "tshark -n -r '%s' -o ip.defragment:FALSE -o ipv6.defragment:FALSE "
                 "-T fields -E occurrence=a %s 2>/dev/null",
                 file, tshark_fields) >= (int)sizeof(command))
        abort();
    FILE *tshark = popen(command, "re");
    if (!tshark)
        abort();
    char *line = NULL;
    size_t size = 0, n = 0;
    while (getline(&line, &size, tshark) > 0) {
        char *field[FIELDS], *rest = line;
        size_t n_fields = 0;
        line[strcspn(line, "\n")] = '\0';
        while (n_fields < FIELDS && rest)
            field[n_fields++] = strsep(&rest, "\t");
        if (n_fields < FIELDS)
            continue;
        size_t number = strtoul(field[NUMBER], NULL, 10);
        if (number >= 1 && number <= f->n) {
            compare_frame(file, field, &f->frames[number - 1]);
            n++;
        }
    }
    free(line);
    pclose(tshark);
    return n;
}

/* ---- the whole ---- */

static void read_index(FILE *index)
{
    char *line = NULL;
    size_t size = 0;
    for (bool header = true; getline(&line, &size, index) > 0; header = false) {
        struct row *r = &rows[n_rows];
        char *rest = r->line = strdup(line);
        size_t n = 0;
        while (n < COLUMNS && rest)
            r->cell[n++] = strsep(&rest, "\t\n");
        if (header || n < COLUMNS || n_rows + 1 == MAX_FILES)
            free(r->line);
        else
            n_rows++;
    }
    free(line);
}

/* Marks SAMPLE files at random and one for each word among the encapsulations. */
static void choose(bool *chosen)
{
    struct lamp_rng rng = { SEED };
    char words[1024] = " ";
    for (size_t i = 0; i < SAMPLE; i++)
        chosen[lamp_rng_u64(&rng) % n_rows] = true;
    size_t start = lamp_rng_u64(&rng) % n_rows;
    for (size_t k = 0; k < n_rows; k++) {
        size_t i = (start + k) % n_rows;
        char copy[256], *rest = copy;
        snprintf(copy, sizeof(copy), "%s", rows[i].cell[ENCAP]);
        for (char *word; (word = strsep(&rest, " "));) {
            size_t len = strlen(words);
            if (!*word || has_word(words, word) || len + strlen(word) + 2 > sizeof(words))
                continue;
            snprintf(words + len, sizeof(words) - len, "%s ", word);
            chosen[i] = true;
        }
    }
}

int main(void)
{
    static bool chosen[MAX_FILES];
    const char *folder = getenv("LAMP_CAPTURES");
    const bool all = getenv("LAMP_LONG") != NULL;
    FILE *index = folder && chdir(folder) == 0 ? fopen("INDEX.tsv", "re") : NULL;
    if (!index) {
        puts("skipped: no shared captures (LAMP_CAPTURES)");
        return 77;
    }
    if (system("tshark -v >/dev/null 2>&1") != 0) {
        puts("skipped: tshark is not installed");
        return 77;
    }
    read_index(index);
    fclose(index);
    choose(chosen);
    size_t n_sampled = 0, n_frames = 0;
    for (size_t i = 0; i < n_rows; i++) {
        struct findings f = decode_file(rows[i].cell[FILE_NAME]);
        compare_streams(&rows[i], &f, true);
        compare_streams(&rows[i], &f, false);
        if (f.n && (all || chosen[i])) {
            n_frames += compare_frames(rows[i].cell[FILE_NAME], &f);
            n_sampled++;
        }
        free(f.frames);
        free(rows[i].line);
    }
    printf("streams of %zu files compared; different in\n", n_rows);
    for (size_t i = 0; i < ARRAY_LEN(file_classes); i++) {
        printf("%6u  %s\n", file_classes[i].n, file_classes[i].why);
        faults += file_classes[i].n > file_classes[i].limit;
    }
    printf("%zu frames of %zu files compared; different\n", n_frames, n_sampled);
    for (size_t i = 0; i < ARRAY_LEN(frame_classes); i++)
        printf("%6u  %s\n", frame_classes[i].n, frame_classes[i].why);
    printf("%u faults\n", faults);
    return faults != 0 || n_rows == 0 || n_frames == 0;
}
