/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/tls/certificate.h"

#include "common/cursor.h"

enum {
    CERTIFICATE = 11,
    DER_INTEGER = 0x02,
    DER_OCTETS = 0x04,
    DER_OID = 0x06,
    DER_BOOLEAN = 0x01,
    DER_SEQUENCE = 0x30,
    DER_SET = 0x31,
    DER_CONTEXT_0 = 0xa0,
    DER_CONTEXT_3 = 0xa3,
    SAN_DNS = 0x82,
    PARTS_MAX = 64, /* of a sequence that are looked at */
};

static size_t be24(struct lamp_cursor *c)
{
    const size_t high = lamp_cursor_u8(c);
    return high << 16 | lamp_cursor_be16(c);
}

/* The next element (ITU-T X.690 8.1), as far as it is there. False: there is none. */
static bool next(struct lamp_cursor *c, uint8_t *out_tag, struct lamp_cursor *out)
{
    const uint8_t tag = lamp_cursor_u8(c);
    size_t len = lamp_cursor_u8(c);
    if (len & 0x80) {
        size_t n = len & 0x7f;
        if (n == 0 || n > 3)
            return false;
        for (len = 0; n > 0; n--)
            len = len << 8 | lamp_cursor_u8(c);
    }
    if (c->bad)
        return false;
    const size_t there = lamp_min(len, lamp_cursor_left(c));
    *out_tag = tag;
    *out = lamp_cursor_of(lamp_cursor_take(c, there), there);
    return true;
}

static bool expect(struct lamp_cursor *c, uint8_t tag, struct lamp_cursor *out)
{
    uint8_t got;
    return next(c, &got, out) && got == tag;
}

static void add_name(struct lamp_certificate *cert, const struct lamp_cursor *c)
{
    if (cert->n_names < LAMP_CERTIFICATE_NAMES && lamp_cursor_left(c) > 0)
        cert->names[cert->n_names++] = (struct lamp_bytes){ c->p, lamp_cursor_left(c) };
}

/* Whether both hold the same bytes, some at least. */
static bool same(const struct lamp_cursor *a, const struct lamp_cursor *b)
{
    const size_t n = lamp_cursor_left(a);
    return n > 0 && n == lamp_cursor_left(b) && a->p && b->p && memcmp(a->p, b->p, n) == 0;
}

static bool is_oid(const struct lamp_cursor *c, const char *oid, size_t len)
{
    return lamp_cursor_left(c) == len && memcmp(c->p, oid, len) == 0;
}

/* Name ::= SEQUENCE OF SET OF SEQUENCE { type OID, value } */
static void read_subject(struct lamp_cursor name, struct lamp_certificate *cert)
{
    struct lamp_cursor set, pair, oid, value;
    uint8_t tag;
    for (unsigned i = 0; i < PARTS_MAX && expect(&name, DER_SET, &set); i++)
        if (expect(&set, DER_SEQUENCE, &pair) && expect(&pair, DER_OID, &oid) &&
            is_oid(&oid, "\x55\x04\x03", 3) && next(&pair, &tag, &value))
            add_name(cert, &value);
}

static void read_alternatives(struct lamp_cursor octets, struct lamp_certificate *cert)
{
    struct lamp_cursor names, name;
    uint8_t tag;
    if (!expect(&octets, DER_SEQUENCE, &names))
        return;
    for (unsigned i = 0; i < PARTS_MAX && next(&names, &tag, &name); i++)
        if (tag == SAN_DNS)
            add_name(cert, &name);
}

/* Extension ::= SEQUENCE { id OID, critical BOOLEAN DEFAULT FALSE, value OCTET STRING } */
static void read_extensions(struct lamp_cursor list, struct lamp_certificate *cert)
{
    struct lamp_cursor ext, oid, value;
    uint8_t tag;
    for (unsigned i = 0; i < PARTS_MAX && expect(&list, DER_SEQUENCE, &ext); i++) {
        if (!expect(&ext, DER_OID, &oid) || !is_oid(&oid, "\x55\x1d\x11", 3))
            continue;
        if (!next(&ext, &tag, &value) || (tag == DER_BOOLEAN && !next(&ext, &tag, &value)))
            continue;
        if (tag == DER_OCTETS)
            read_alternatives(value, cert);
    }
}

int lamp_certificate_message(struct lamp_bytes message, struct lamp_certificate *out)
{
    struct lamp_certificate cert = { 0 };
    struct lamp_cursor c = lamp_cursor_of(message.data, message.len);
    if (lamp_cursor_u8(&c) != CERTIFICATE)
        return LAMP_EFORMAT;
    (void)be24(&c); /* of the message */
    (void)be24(&c); /* of the list */
    const size_t said = be24(&c), len = lamp_min(said, lamp_cursor_left(&c));
    if (c.bad)
        return LAMP_EFORMAT;
    struct lamp_cursor in = lamp_cursor_of(lamp_cursor_take(&c, len), len);
    struct lamp_cursor whole, tbs, serial, skipped, issuer, subject, list;
    uint8_t tag;
    if (!expect(&in, DER_SEQUENCE, &whole) || !expect(&whole, DER_SEQUENCE, &tbs) ||
        !next(&tbs, &tag, &serial))
        return LAMP_EFORMAT;
    if (tag == DER_CONTEXT_0 && !next(&tbs, &tag, &serial))
        return LAMP_EFORMAT;
    if (tag != DER_INTEGER || !expect(&tbs, DER_SEQUENCE, &skipped) || /* algorithm */
        !expect(&tbs, DER_SEQUENCE, &issuer) || !expect(&tbs, DER_SEQUENCE, &skipped) || /* dates */
        !expect(&tbs, DER_SEQUENCE, &subject))
        return LAMP_EFORMAT;
    cert.self_signed = same(&issuer, &subject);
    read_subject(subject, &cert);
    while (next(&tbs, &tag, &skipped))
        if (tag == DER_CONTEXT_3 && expect(&skipped, DER_SEQUENCE, &list))
            read_extensions(list, &cert);
    *out = cert;
    return LAMP_OK;
}
