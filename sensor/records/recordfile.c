/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/records/recordfile.h"

#include "common/min.h"
#include "sensor/recog/jsonline.h"
#include "sensor/records/nfcapd.h"
#include "sensor/records/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

enum {
    HEAD = 4096,
    COLUMNS = 96,
    ETHERNET = 14,  /* bytes of its header, which Suricata counts, */
    VLAN_TAG = 4,   /* and of a tag in it, */
    TAGS = 2,       /* of which there may be so many */
    IP_PACKET = 20, /* the smallest (RFC 791) */
};

/* nfdump's csv(1.7.1), and that of later ones. */
static const struct lamp_row_name nfdump_names[] = {
    { "sa", LAMP_ROW_SRC },
    { "srcAddr", LAMP_ROW_SRC },
    { "da", LAMP_ROW_DST },
    { "dstAddr", LAMP_ROW_DST },
    { "sp", LAMP_ROW_SRC_PORT },
    { "srcPort", LAMP_ROW_SRC_PORT },
    { "dp", LAMP_ROW_DST_PORT },
    { "dstPort", LAMP_ROW_DST_PORT },
    { "pr", LAMP_ROW_PROTO },
    { "proto", LAMP_ROW_PROTO },
    { "ts", LAMP_ROW_FIRST },
    { "firstSeen", LAMP_ROW_FIRST },
    { "te", LAMP_ROW_LAST },
    { "lastSeen", LAMP_ROW_LAST },
    { "td", LAMP_ROW_DURATION },
    { "duration", LAMP_ROW_DURATION },
    { "ibyt", LAMP_ROW_BYTES },
    { "bytes", LAMP_ROW_BYTES },
    { "ipkt", LAMP_ROW_PACKETS },
    { "packets", LAMP_ROW_PACKETS },
    { "obyt", LAMP_ROW_BYTES_BACK },
    { "outBytes", LAMP_ROW_BYTES_BACK },
    { "opkt", LAMP_ROW_PACKETS_BACK },
    { "outPackets", LAMP_ROW_PACKETS_BACK },
    { "svln", LAMP_ROW_VLAN },
    { "srcVlan", LAMP_ROW_VLAN },
    { NULL, 0 },
};
/* Zeek: base/protocols/conn/main.zeek, Conn::Info. */
static const struct lamp_row_name zeek_names[] = {
    { "id.orig_h", LAMP_ROW_SRC },
    { "id.resp_h", LAMP_ROW_DST },
    { "id.orig_p", LAMP_ROW_SRC_PORT },
    { "id.resp_p", LAMP_ROW_DST_PORT },
    { "proto", LAMP_ROW_PROTO },
    { "ts", LAMP_ROW_FIRST },
    { "duration", LAMP_ROW_DURATION },
    { "orig_ip_bytes", LAMP_ROW_BYTES },
    { "orig_pkts", LAMP_ROW_PACKETS },
    { "resp_ip_bytes", LAMP_ROW_BYTES_BACK },
    { "resp_pkts", LAMP_ROW_PACKETS_BACK },
    { "vlan", LAMP_ROW_VLAN },
    { NULL, 0 },
};
/* Suricata: eve-json-format, event types flow and netflow. */
static const struct lamp_row_name eve_names[] = {
    { "src_ip", LAMP_ROW_SRC },        { "dest_ip", LAMP_ROW_DST },
    { "src_port", LAMP_ROW_SRC_PORT }, { "dest_port", LAMP_ROW_DST_PORT },
    { "proto", LAMP_ROW_PROTO },       { NULL, 0 },
};
static const struct lamp_row_name eve_flow_names[] = {
    { "start", LAMP_ROW_FIRST },
    { "end", LAMP_ROW_LAST },
    { "bytes_toserver", LAMP_ROW_BYTES },
    { "pkts_toserver", LAMP_ROW_PACKETS },
    { "bytes_toclient", LAMP_ROW_BYTES_BACK },
    { "pkts_toclient", LAMP_ROW_PACKETS_BACK },
    { "bytes", LAMP_ROW_BYTES },
    { "pkts", LAMP_ROW_PACKETS },
    { NULL, 0 },
};

struct reader {
    lamp_record_fn *fn;
    void *arg;
    struct lamp_recordfile_counts *n;
    struct lamp_row_memory memory;
    uint8_t columns[COLUMNS]; /* enum lamp_row_part of each; LAMP_ROW_PARTS: none of ours */
    size_t n_columns;
    char separator;
    bool over;        /* what follows are sums */
    const char *kind; /* of events that are flows: the first of this file; NULL: none came */
    unsigned link;    /* bytes of a packet that are the link's, in the line at hand */
    struct lamp_jsonline json;
};

/* Leaves of all bytes those of IP. */
static void take_link_off(struct lamp_record *io, unsigned link)
{
    for (unsigned i = 0; i < 2; i++) {
        const uint64_t least = lamp_min_u64(io->bytes[i], io->packets[i] * IP_PACKET);
        const uint64_t off = io->packets[i] * link;
        io->bytes[i] = io->bytes[i] > least + off ? io->bytes[i] - off : least;
    }
}

static void use(struct reader *r, const struct lamp_row *row)
{
    struct lamp_record record;
    if (!lamp_row_record(row, &r->memory, &record)) {
        r->n->unusable++;
        return;
    }
    take_link_off(&record, r->link);
    r->n->records++;
    r->fn(&record, r->arg);
}

/* ---- columns ---- */

/* The next field of a line, of which *io is what is left; false: there was none. */
static bool next_field(struct lamp_bytes *io, char separator, struct lamp_bytes *out)
{
    if (!io->data)
        return false;
    const uint8_t *end = memchr(io->data, separator, io->len);
    const size_t len = end ? (size_t)(end - io->data) : io->len;
    *out = (struct lamp_bytes){ io->data, len };
    *io = end ? (struct lamp_bytes){ end + 1, io->len - len - 1 } : (struct lamp_bytes){ NULL, 0 };
    return true;
}

static void read_head(struct reader *r, struct lamp_bytes line, const struct lamp_row_name *names)
{
    struct lamp_bytes field;
    for (r->n_columns = 0; r->n_columns < COLUMNS && next_field(&line, r->separator, &field);) {
        uint8_t part = LAMP_ROW_PARTS;
        for (const struct lamp_row_name *n = names; n->name; n++)
            if (lamp_bytes_eq(field, n->name))
                part = (uint8_t)n->part;
        r->columns[r->n_columns++] = part;
    }
}

static void read_columns(struct reader *r, struct lamp_bytes line)
{
    struct lamp_row row = { .parts = { { NULL, 0 } } };
    struct lamp_bytes field;
    for (size_t i = 0; i < r->n_columns && next_field(&line, r->separator, &field); i++)
        if (r->columns[i] < LAMP_ROW_PARTS && !lamp_bytes_eq(field, "-"))
            row.parts[r->columns[i]] = field;
    use(r, &row);
}

static void csv_line(struct reader *r, struct lamp_bytes line)
{
    if (r->n_columns == 0)
        read_head(r, line, nfdump_names);
    else if (lamp_bytes_eq(line, "Summary"))
        r->over = true;
    else
        read_columns(r, line);
}

static void zeek_line(struct reader *r, struct lamp_bytes line)
{
    static const char fields[] = "#fields\t";
    const size_t n = sizeof(fields) - 1;
    if (line.len > n && memcmp(line.data, fields, n) == 0)
        read_head(r, (struct lamp_bytes){ line.data + n, line.len - n }, zeek_names);
    else if (line.data[0] == '#')
        r->n->other++;
    else
        read_columns(r, line);
}

/* ---- JSON ---- */

static void take_members(const struct lamp_jsonline *j, const struct lamp_jsonvalue *in,
                         const struct lamp_row_name *names, struct lamp_row *io)
{
    for (const struct lamp_jsonvalue *v = in + 1; v < j->v + in->after; v = j->v + v->after)
        for (const struct lamp_row_name *n = names; n->name; n++)
            if (v->key.len > 0 && v->key.data[0] == (uint8_t)n->name[0] &&
                lamp_bytes_eq(v->key, n->name))
                io->parts[n->part] = v->text;
}

/* The event's object that tells of a flow. Where a file has both kinds, they tell of the same traffic: the one that
 * came first counts. NULL: none, or the other kind. */
static const struct lamp_jsonvalue *flow_of(struct reader *r, const struct lamp_jsonvalue *event)
{
    const char *kind = lamp_bytes_eq(event->text, "flow")      ? "flow"
                       : lamp_bytes_eq(event->text, "netflow") ? "netflow"
                                                               : NULL;
    const struct lamp_jsonvalue *flow =
        kind ? lamp_jsonline_member(&r->json, r->json.v, kind) : NULL;
    if (!flow || flow->type != LAMP_JSON_OBJECT || (r->kind && !streq(r->kind, kind)))
        return NULL;
    r->kind = kind;
    return flow;
}

static void json_line(struct reader *r, struct lamp_bytes line)
{
    struct lamp_row row = { .parts = { { NULL, 0 } } };
    const struct lamp_jsonline *j = &r->json;
    if (lamp_jsonline_parse(line, &r->json) != LAMP_OK) {
        r->n->unusable++;
        return;
    }
    r->link = 0;
    const struct lamp_jsonvalue *event = lamp_jsonline_member(j, j->v, "event_type");
    if (event) {
        const struct lamp_jsonvalue *flow = flow_of(r, event);
        if (!flow) {
            r->n->other++;
            return;
        }
        take_members(j, j->v, eve_names, &row);
        take_members(j, flow, eve_flow_names, &row);
        const struct lamp_jsonvalue *vlans = lamp_jsonline_member(j, j->v, "vlan");
        const struct lamp_jsonvalue *vlan = lamp_jsonline_item(j, vlans, 0);
        if (vlan)
            row.parts[LAMP_ROW_VLAN] = vlan->text;
        r->link = ETHERNET;
        for (size_t i = 0; i < TAGS && lamp_jsonline_item(j, vlans, i); i++)
            r->link += VLAN_TAG;
    } else {
        take_members(j, j->v, zeek_names, &row);
    }
    use(r, &row);
}

/* ---- files ---- */

typedef void line_fn(struct reader *r, struct lamp_bytes line);

struct form {
    const char *name;
    line_fn *line; /* NULL: nfcapd's */
    char separator;
};

static const struct form forms[] = {
    { "nfcapd file", NULL, 0 },           { "nfdump CSV", csv_line, ',' },
    { "Zeek conn.log", zeek_line, '\t' }, { "Zeek conn.log", json_line, 0 },
    { "Suricata EVE", json_line, 0 },
};

static bool has(struct lamp_bytes head, const char *text)
{
    return memmem(head.data, head.len, text, strlen(text)) != NULL;
}

static bool begins(struct lamp_bytes head, const char *text)
{
    return head.len >= strlen(text) && memcmp(head.data, text, strlen(text)) == 0;
}

static const struct form *form_of(struct lamp_bytes head)
{
    if (lamp_nfcapd_is(head.data, head.len))
        return &forms[0];
    if (begins(head, "ts,te,td,") || begins(head, "firstSeen,"))
        return &forms[1];
    if (begins(head, "#separator \\x09") && has(head, "id.orig_h"))
        return &forms[2];
    if (begins(head, "{") && has(head, "\"id.orig_h\""))
        return &forms[3];
    if (begins(head, "{") && has(head, "\"event_type\""))
        return &forms[4];
    return NULL;
}

/* Opens a regular file and looks at how it begins; NULL: it is none of ours. */
static FILE *open_file(const char *path, const struct form **out)
{
    uint8_t head[HEAD];
    struct stat st;
    /* a pipe is not even opened: its writer waits for who reads it */
    const bool is_file = stat(path, &st) == 0 && S_ISREG(st.st_mode);
    const int fd = is_file ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    const ssize_t n =
        fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, head, HEAD, 0) : -1;
    const struct form *form = n > 0 ? form_of((struct lamp_bytes){ head, (size_t)n }) : NULL;
    FILE *f = form ? fdopen(fd, "r") : NULL;
    if (!f && fd >= 0)
        close(fd);
    *out = form;
    return f;
}

const char *lamp_recordfile_kind(const char *path)
{
    const struct form *form;
    FILE *f = open_file(path, &form);
    if (!f)
        return NULL;
    (void)fclose(f);
    return form->name;
}

/* Lines of any length; those longer than LAMP_RECORDFILE_LINE are passed over. */
static int read_lines(FILE *f, struct reader *r, line_fn *fn, char why[LAMP_RECORDFILE_WHY])
{
    char *line = NULL;
    size_t used = 0;
    bool skips = false;
    int err = LAMP_OK;
    line = malloc(LAMP_RECORDFILE_LINE);
    if (!line)
        return LAMP_ENOMEM;
    while (!r->over) {
        const size_t n = fread(line + used, 1, LAMP_RECORDFILE_LINE - used, f);
        const bool ended = n == 0;
        size_t from = 0;
        used += n;
        for (char *end; !r->over && from < used; from = (size_t)(end - line) + 1) {
            end = memchr(line + from, '\n', used - from);
            if (!end && !ended)
                break;
            if (!end)
                end = line + used;
            size_t len = (size_t)(end - line) - from;
            len -= len > 0 && line[from + len - 1] == '\r';
            if (!skips && len > 0)
                fn(r, (struct lamp_bytes){ (const uint8_t *)line + from, len });
            skips = false;
        }
        if (ended)
            break;
        from = lamp_min(from, used);
        memmove(line, line + from, used - from);
        used -= from;
        if (used == LAMP_RECORDFILE_LINE) {
            r->n->unusable += !skips;
            skips = true;
            used = 0;
        }
    }
    if (ferror(f)) {
        err = -EIO;
        snprintf(why, LAMP_RECORDFILE_WHY, "cannot be read");
    }
    free(line);
    return err;
}

int lamp_recordfile_read(const char *path, lamp_record_fn *fn, void *arg,
                         struct lamp_recordfile_counts *out, char why[LAMP_RECORDFILE_WHY])
{
    const struct form *form;
    *out = (struct lamp_recordfile_counts){ 0 };
    snprintf(why, LAMP_RECORDFILE_WHY, "no flow records");
    FILE *f = open_file(path, &form);
    if (!f)
        return LAMP_EFORMAT;
    int err = LAMP_ENOMEM;
    struct reader *r = calloc(1, sizeof(*r));
    if (r) {
        r->fn = fn;
        r->arg = arg;
        r->n = out;
        r->separator = form->separator;
        err =
            form->line ? read_lines(f, r, form->line, why) : lamp_nfcapd_read(f, fn, arg, out, why);
    }
    free(r);
    (void)fclose(f);
    return err;
}
