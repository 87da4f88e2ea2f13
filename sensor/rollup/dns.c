/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/rollup/dns.h"

#include "common/cursor.h"
#include "sensor/rollup/host.h"

enum {
    HEADER = 12,
    TYPE_A = 1,
    TYPE_CNAME = 5,
    TYPE_AAAA = 28,
    CLASS_IN = 1,
    TTL_MAX = 7 * 24 * 3600, /* RFC 8767 section 4: seven days are long enough for anybody */
    WIRE_MAX = 255,
};

/* Reads a name at *pos of the message and moves *pos past it. Pointers must lead to before
 * the place they stand at (so loops are impossible), whatever was read before. */
static int read_name(struct lamp_bytes m, size_t *pos, char out[LAMP_DNS_NAME])
{
    size_t at = *pos, limit = m.len, len = 0, wire = 1;
    bool jumped = false;
    for (unsigned hops = 0;;) {
        if (at >= limit)
            return jumped ? LAMP_EFORMAT : LAMP_ETRUNC;
        const uint8_t n = m.data[at];
        if (n == 0) {
            if (!jumped)
                *pos = at + 1;
            break;
        }
        if ((n & 0xc0) == 0xc0) {
            if (at + 1 >= m.len)
                return LAMP_ETRUNC;
            size_t target = (size_t)(n & 0x3f) << 8 | m.data[at + 1];
            if (!jumped)
                *pos = at + 2;
            if (target >= at || target < HEADER || ++hops > LAMP_DNS_HOPS)
                return LAMP_EFORMAT;
            /* what lies behind the pointer may be read up to where we came from only */
            limit = at;
            at = target;
            jumped = true;
            continue;
        }
        wire += 1U + n;
        if (n & 0xc0 || wire > WIRE_MAX)
            return LAMP_EFORMAT;
        if (n >= limit - at)
            return jumped ? LAMP_EFORMAT : LAMP_ETRUNC;
        if (len > 0)
            out[len++] = '.';
        for (size_t i = 1; i <= n; i++) {
            char c = lamp_host_char(m.data[at + i]);
            if (!c || c == '.')
                return LAMP_EFORMAT;
            out[len++] = c;
        }
        at += 1U + n;
    }
    out[len] = '\0';
    return LAMP_OK;
}

/* The answer section, as far as it is there. `alias` starts as the question's name and
 * follows the CNAMEs, which stand in order in what resolvers send. */
static void read_answers(struct lamp_bytes m, size_t pos, unsigned n, struct lamp_dns *d)
{
    char alias[LAMP_DNS_NAME], owner[LAMP_DNS_NAME];
    memcpy(alias, d->name, sizeof(alias));
    uint32_t least_ttl = TTL_MAX;
    for (unsigned i = 0; i < n; i++) {
        if (i == LAMP_DNS_RECORDS || read_name(m, &pos, owner) != LAMP_OK || m.len - pos < 10) {
            d->cut = true;
            return;
        }
        const uint8_t *p = m.data + pos;
        const uint16_t type = lamp_be16(p), class = lamp_be16(p + 2), len = lamp_be16(p + 8);
        uint32_t ttl = lamp_be32(p + 4);
        pos += 10;
        if (m.len - pos < len) {
            d->cut = true;
            return;
        }
        const uint8_t *data = m.data + pos;
        size_t data_pos = pos;
        pos += len;
        if (ttl > INT32_MAX) /* RFC 2181 section 8 */
            ttl = 0;
        if (class != CLASS_IN || !streq(owner, alias))
            continue;
        if (ttl < least_ttl)
            least_ttl = ttl;
        char target[LAMP_DNS_NAME];
        if (type == TYPE_CNAME && read_name(m, &data_pos, target) == LAMP_OK && data_pos == pos) {
            memcpy(alias, target, sizeof(alias));
            continue;
        }
        if (!(type == TYPE_A && len == 4) && !(type == TYPE_AAAA && len == 16))
            continue;
        if (d->n_addrs == LAMP_DNS_ADDRS) {
            d->cut = true;
            return;
        }
        struct lamp_dns_addr *a = &d->addrs[d->n_addrs++];
        a->ttl_s = least_ttl;
        if (len == 4)
            a->addr = lamp_addr_from_v4(data);
        else
            memcpy(a->addr.b, data, sizeof(a->addr.b));
    }
}

int lamp_dns_parse(struct lamp_bytes message, struct lamp_dns *out)
{
    struct lamp_cursor c = lamp_cursor_of(message.data, message.len);
    lamp_cursor_skip(&c, 2);
    const uint16_t flags = lamp_cursor_be16(&c), questions = lamp_cursor_be16(&c),
                   answers = lamp_cursor_be16(&c);
    lamp_cursor_skip(&c, 4);
    /* opcode 0, the reserved bit 0, one question: RFC 1035 4.1.1, RFC 9619 */
    if (c.bad || flags & 0x7840 || questions != 1)
        return LAMP_EFORMAT;
    struct lamp_dns d = { .is_response = flags >> 15, .rcode = flags & 0xf };
    if (!d.is_response && (answers != 0 || d.rcode != 0))
        return LAMP_EFORMAT;
    size_t pos = HEADER;
    if (read_name(message, &pos, d.name) != LAMP_OK || message.len - pos < 4)
        return LAMP_EFORMAT;
    d.type = lamp_be16(message.data + pos);
    if (lamp_be16(message.data + pos + 2) != CLASS_IN)
        return LAMP_EFORMAT;
    if (d.is_response && d.rcode == 0)
        read_answers(message, pos + 4, answers, &d);
    *out = d;
    return LAMP_OK;
}
