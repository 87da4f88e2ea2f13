/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of pools in use and blocked, for tools that share such knowledge: a STIX 2.1 bundle (OASIS
 * Standard, docs.oasis-open.org/cti/stix/v2.1) and a MISP event (misp-standard.org, core format) or a free
 * text feed of one value a line. Inside addresses, and pools at them, are not in them. */
#include "aggregator/api/impl.h"

#include "aggregator/notify/ids.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

enum { INDICATORS_MAX = 5000 };

#define DAY_US UINT64_C(86400000000)
#define WEEK_US (7 * DAY_US)
#define TECHNIQUE "Resource Hijacking - T1496"
#define TECHNIQUE_URL "https://attack.mitre.org/techniques/T1496/"
#define NO_TIME "1970-01-01T00:00:00.000Z"

/* A server that miners use, or that is blocked. */
struct indicator {
    struct lamp_prefix prefix;
    char domain[254]; /* "": the prefix */
    uint16_t port;    /* 0: any */
    bool blocked;
    char coins[64];             /* "XMR, BTC"; "" unknown */
    uint64_t from_us, until_us; /* what is known is of that time; until_us 0: open */
    uint64_t last_us;
};

struct indicators {
    struct indicator *v;  /* INDICATORS_MAX places */
    size_t n, first_pool; /* those of blocks stand before the pools */
    uint64_t now_us;
};

static bool is_foreign(const struct lamp_addr *a)
{
    return !lamp_addr_is_private(a) && !lamp_addr_is_multicast(a);
}

static struct indicator *add(struct indicators *l)
{
    if (l->n == INDICATORS_MAX)
        return NULL;
    return memset(&l->v[l->n++], 0, sizeof(l->v[0]));
}

/* Coins come with a row for each of a server. */
static bool add_pool(const struct lamp_coin_view *c, void *arg)
{
    struct indicators *l = arg;
    struct indicator *x = NULL;
    if (c->mining_bytes == 0 || !is_foreign(&c->addr))
        return true;
    for (size_t i = l->first_pool; i < l->n && !x; i++)
        if (l->v[i].port == c->port && lamp_addr_eq(&l->v[i].prefix.addr, &c->addr))
            x = &l->v[i];
    if (!x && !(x = add(l)))
        return false;
    const size_t len = strlen(x->coins);
    if (*c->coin && len + strlen(c->coin) + 3 < sizeof(x->coins))
        snprintf(x->coins + len, sizeof(x->coins) - len, "%s%s", len ? ", " : "", c->coin);
    x->prefix = (struct lamp_prefix){ c->addr, 128 };
    x->port = c->port;
    if (c->last_us > x->last_us)
        x->last_us = c->last_us;
    /* An object of a day each, so that one that is told again is the same, or a newer version. */
    x->from_us = x->last_us / DAY_US * DAY_US;
    x->until_us = x->from_us + WEEK_US;
    return true;
}

static bool add_block(const struct lamp_block_view *b, void *arg)
{
    struct indicators *l = arg;
    const bool domain = b->kind == LAMP_BLOCK_DOMAIN;
    if (b->kind == LAMP_BLOCK_HOST || (!domain && !is_foreign(&b->prefix.addr)) ||
        b->approval == LAMP_APPROVAL_WAITING || b->approval == LAMP_APPROVAL_REFUSED ||
        (b->expires_us && b->expires_us <= l->now_us))
        return true;
    struct indicator *x = add(l);
    if (!x)
        return false;
    x->prefix = b->prefix;
    snprintf(x->domain, sizeof(x->domain), "%s", domain ? b->name : "");
    x->port = domain ? 0 : b->port;
    x->blocked = true;
    x->from_us = x->last_us = b->created_us;
    x->until_us = b->expires_us;
    return true;
}

/* What is in use within a span, and what is blocked now; free() l->v. False after answering why not. */
static bool collect(lamp_api *api, const struct lamp_request *req, struct lamp_reply *reply,
                    struct indicators *l)
{
    struct lamp_coin_filter f = { .by = LAMP_COINS_BY_POOL, .limit = INDICATORS_MAX };
    const struct lamp_block_filter blocks = { .id = 0 };
    f.to_us = req->now_us;
    f.from_us = req->now_us - DAY_US;
    *l = (struct indicators){ .now_us = req->now_us };
    if (!lamp_api_span_of(req, reply, 31 * DAY_US, &f.from_us, &f.to_us))
        return false;
    if (!lamp_request_query(req, "from"))
        f.from_us = f.to_us - DAY_US;
    l->v = calloc(INDICATORS_MAX, sizeof(*l->v));
    if (!l->v) {
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
        return false;
    }
    lamp_store *s = lamp_api_reader(api, req->who.scope);
    int err = lamp_store_blocks(s, &blocks, add_block, l);
    l->first_pool = l->n;
    if (!err)
        err = lamp_store_coins(s, &f, add_pool, l);
    if (err)
        lamp_api_store_failed(s, reply);
    lamp_api_reader_done(api, s);
    if (err)
        free(l->v);
    return !err;
}

/* ---- words for one ---- */

static const char *time_text(uint64_t t_us, char buf[32])
{
    const time_t t = (time_t)(t_us / 1000000);
    struct tm tm;
    char day[24];
    gmtime_r(&t, &tm);
    strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf, 32, "%s.%03uZ", day, (unsigned)(t_us / 1000 % 1000));
    return buf;
}

/* "203.0.113.7:3333", "[2001:db8::7]:3333", "203.0.113.0/24", "pool.example". */
static const char *value_of(const struct indicator *x, char *buf, size_t size)
{
    char prefix[LAMP_PREFIX_STRLEN];
    const char *what = *x->domain ? x->domain : lamp_prefix_str(&x->prefix, prefix);
    const bool quoted = x->port && !lamp_addr_is_v4(&x->prefix.addr);
    if (x->port)
        snprintf(buf, size, quoted ? "[%s]:%u" : "%s:%u", what, x->port);
    else
        snprintf(buf, size, "%s", what);
    return buf;
}

static const char *name_of(const struct indicator *x, char *buf, size_t size)
{
    char value[300];
    value_of(x, value, sizeof(value));
    if (x->blocked)
        snprintf(buf, size, "Blocked for mining: %s", value);
    else
        snprintf(buf, size, "Mining pool in use: %s%s%s%s", value, *x->coins ? " (" : "", x->coins,
                 *x->coins ? ")" : "");
    return buf;
}

/* What makes it the same thing the next time. */
static const char *key_of(const struct indicator *x, char *buf, size_t size)
{
    char value[300];
    snprintf(buf, size, "%s %s %llu", x->blocked ? "block" : "pool",
             value_of(x, value, sizeof(value)), (unsigned long long)x->from_us);
    return buf;
}

/* ---- STIX ---- */

static void write_id(struct lamp_json *j, const char *key, const char *type, const char *name)
{
    char uuid[LAMP_UUID], id[64];
    snprintf(id, sizeof(id), "%s--%s", type, lamp_uuid_of(name, uuid));
    lamp_json_str(j, key, id);
}

static void begin_object(struct lamp_json *j, const char *type, const char *name,
                         const char *created, const char *modified)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "type", type);
    lamp_json_str(j, "spec_version", "2.1");
    write_id(j, "id", type, name);
    lamp_json_str(j, "created", created);
    lamp_json_str(j, "modified", modified);
}

/* STIX 2.1 section 9: a text stands between ', in which ' and \ stand behind a \. What is no host name has no
 * place here anyway. */
static void write_pattern(struct lamp_json *j, const struct indicator *x)
{
    char pattern[640], prefix[LAMP_PREFIX_STRLEN], domain[254];
    const char *type = lamp_addr_is_v4(&x->prefix.addr) ? "ipv4-addr" : "ipv6-addr";
    lamp_prefix_str(&x->prefix, prefix);
    size_t n = 0;
    for (const char *c = x->domain; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("-._", *c))
            domain[n++] = *c;
    domain[n] = '\0';
    if (n > 0)
        snprintf(pattern, sizeof(pattern), "[domain-name:value = '%s']", domain);
    else if (x->port)
        snprintf(pattern, sizeof(pattern),
                 "[network-traffic:dst_ref.type = '%s' AND network-traffic:dst_ref.value = '%s'"
                 " AND network-traffic:dst_port = %u]",
                 type, prefix, x->port);
    else
        snprintf(pattern, sizeof(pattern), "[%s:value = '%s']", type, prefix);
    lamp_json_str(j, "pattern", pattern);
    lamp_json_str(j, "pattern_type", "stix");
    lamp_json_str(j, "pattern_version", "2.1");
}

static void write_indicator(struct lamp_json *j, const struct indicator *x)
{
    char key[400], name[400], created[32], modified[32], until[32];
    key_of(x, key, sizeof(key));
    time_text(x->from_us, created);
    time_text(x->last_us, modified);
    begin_object(j, "indicator", key, created, modified);
    write_id(j, "created_by_ref", "identity", "davylamp");
    lamp_json_str(j, "name", name_of(x, name, sizeof(name)));
    lamp_json_array(j, "indicator_types");
    lamp_json_str(j, NULL, "anomalous-activity");
    lamp_json_end(j);
    lamp_json_array(j, "labels");
    lamp_json_str(j, NULL, "cryptocurrency-mining");
    lamp_json_str(j, NULL, x->blocked ? "blocked" : "in-use");
    lamp_json_end(j);
    write_pattern(j, x);
    lamp_json_str(j, "valid_from", created);
    if (x->until_us > x->from_us)
        lamp_json_str(j, "valid_until", time_text(x->until_us, until));
    lamp_json_end(j);
    char relation[420];
    snprintf(relation, sizeof(relation), "%s indicates", key);
    begin_object(j, "relationship", relation, created, created);
    write_id(j, "created_by_ref", "identity", "davylamp");
    lamp_json_str(j, "relationship_type", "indicates");
    write_id(j, "source_ref", "indicator", key);
    write_id(j, "target_ref", "attack-pattern", TECHNIQUE);
    lamp_json_end(j);
}

static void write_frame(struct lamp_json *j)
{
    begin_object(j, "identity", "davylamp", NO_TIME, NO_TIME);
    lamp_json_str(j, "name", "Davylamp");
    lamp_json_str(j, "identity_class", "system");
    lamp_json_end(j);
    begin_object(j, "attack-pattern", TECHNIQUE, NO_TIME, NO_TIME);
    write_id(j, "created_by_ref", "identity", "davylamp");
    lamp_json_str(j, "name", "Resource Hijacking");
    lamp_json_array(j, "external_references");
    lamp_json_object(j, NULL);
    lamp_json_str(j, "source_name", "mitre-attack");
    lamp_json_str(j, "external_id", "T1496");
    lamp_json_str(j, "url", TECHNIQUE_URL);
    lamp_json_end(j);
    lamp_json_end(j);
    lamp_json_end(j);
}

void lamp_api_get_stix(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct lamp_json *j = &reply->json;
    struct indicators l;
    char name[64];
    if (!collect(app, req, reply, &l))
        return;
    reply->type = "application/stix+json;version=2.1";
    snprintf(name, sizeof(name), "bundle %llu", (unsigned long long)req->now_us);
    lamp_json_object(j, NULL);
    lamp_json_str(j, "type", "bundle");
    write_id(j, "id", "bundle", name);
    lamp_json_array(j, "objects");
    write_frame(j);
    for (size_t i = 0; i < l.n; i++)
        write_indicator(j, &l.v[i]);
    lamp_json_end(j);
    lamp_json_end(j);
    free(l.v);
}

/* ---- MISP ---- */

static void write_uuid(struct lamp_json *j, const char *name)
{
    char uuid[LAMP_UUID];
    lamp_json_str(j, "uuid", lamp_uuid_of(name, uuid));
}

/* Numbers are texts in this format. */
static void write_seconds(struct lamp_json *j, const char *key, uint64_t t_us)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)(t_us / 1000000));
    lamp_json_str(j, key, text);
}

static void write_attribute(struct lamp_json *j, const struct indicator *x)
{
    char key[400], comment[400], value[300], prefix[LAMP_PREFIX_STRLEN];
    lamp_json_object(j, NULL);
    write_uuid(j, key_of(x, key, sizeof(key)));
    lamp_json_str(j, "type", *x->domain ? "domain" : x->port ? "ip-dst|port" : "ip-dst");
    lamp_json_str(j, "category", "Network activity");
    if (x->port)
        snprintf(value, sizeof(value), "%s|%u", lamp_prefix_str(&x->prefix, prefix), x->port);
    else
        value_of(x, value, sizeof(value));
    lamp_json_str(j, "value", value);
    lamp_json_bool(j, "to_ids", true);
    write_seconds(j, "timestamp", x->last_us);
    lamp_json_str(j, "comment", name_of(x, comment, sizeof(comment)));
    lamp_json_str(j, "distribution", "5");
    lamp_json_end(j);
}

static void write_tag(struct lamp_json *j, const char *name, const char *colour)
{
    lamp_json_object(j, NULL);
    lamp_json_str(j, "name", name);
    lamp_json_str(j, "colour", colour);
    lamp_json_end(j);
}

static void write_event(struct lamp_json *j, const struct indicators *l)
{
    char day[32];
    lamp_json_object(j, NULL);
    lamp_json_object(j, "Event");
    write_uuid(j, "event");
    lamp_json_str(j, "info", "Davylamp: servers of cryptocurrency mining");
    time_text(l->now_us, day);
    day[10] = '\0';
    lamp_json_str(j, "date", day);
    write_seconds(j, "timestamp", l->now_us);
    lamp_json_str(j, "threat_level_id", "3");
    lamp_json_str(j, "analysis", "2");
    lamp_json_str(j, "distribution", "0");
    lamp_json_bool(j, "published", false);
    lamp_json_object(j, "Orgc");
    lamp_json_str(j, "name", "Davylamp");
    write_uuid(j, "davylamp");
    lamp_json_end(j);
    lamp_json_array(j, "Tag");
    write_tag(j, "tlp:amber", "#FFC000");
    write_tag(j, "misp-galaxy:mitre-attack-pattern=\"" TECHNIQUE "\"", "#0088cc");
    lamp_json_end(j);
    lamp_json_array(j, "Attribute");
    for (size_t i = 0; i < l->n; i++)
        write_attribute(j, &l->v[i]);
    lamp_json_end(j);
    lamp_json_end(j);
    lamp_json_end(j);
}

static char *write_lines(const struct indicators *l)
{
    char *text = NULL, value[300];
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    if (!f)
        return NULL;
    for (size_t i = 0; i < l->n; i++)
        fprintf(f, "%s\n", value_of(&l->v[i], value, sizeof(value)));
    if (fclose(f) == 0)
        return text;
    free(text);
    return NULL;
}

void lamp_api_get_misp(void *app, const struct lamp_request *req, struct lamp_reply *reply)
{
    struct indicators l;
    const char *format = lamp_request_query(req, "format");
    if (format && !streq(format, "text") && !streq(format, "event")) {
        lamp_reply_error(reply, 400, "invalid", "format", "This must be text or event.");
        return;
    }
    if (!collect(app, req, reply, &l))
        return;
    if (format && *format == 'e') {
        write_event(&reply->json, &l);
    } else if ((reply->text = write_lines(&l))) {
        reply->type = "text/plain; charset=utf-8";
    } else {
        lamp_reply_error(reply, 503, "unavailable", NULL, "Out of memory: try again.");
    }
    free(l.v);
}
