/* SPDX-License-Identifier: Apache-2.0 */
/* What can be read of TLS: hello, certificate, and the lengths of records. */
#include "common/text.h"
#include "sensor/engine/opaque_impl.h"
#include "sensor/tls/certificate.h"

enum {
    HANDSHAKE_HEADER = 4,
    HANDSHAKE_MAX = LAMP_PIECES_MAX,
};

/* False: it is of no interest. */
static bool on_hello(lamp_opaque *o, lamp_dim *d, struct lamp_bytes message, uint64_t t_us)
{
    struct lamp_tls_hello hello;
    d->is_hello_over = true;
    if (lamp_tls_hello_message(message, &hello) != LAMP_OK)
        return true;
    d->hello_us = t_us;
    if (hello.sni.len > 0)
        lamp_dim_identify_name(o, d, "tls-name", hello.sni, t_us);
    d->offers_protocol = hello.alpn.len > 0;
    if (d->offers_protocol && d->identity.mass.mining < lamp_mass_front.mining) {
        o->n.browsers++;
        return false;
    }
    lamp_text_utf8(hello.sni.data, hello.sni.len, d->sni, sizeof(d->sni));
    lamp_tls_offer_of(&hello, &d->offer);
    lamp_grounds_add(&d->grounds, LAMP_GROUND_SHAPE,
                     d->offers_protocol ? lamp_mass_browser : lamp_mass_plain_hello);
    if (d->is_answered)
        lamp_dim_evaluate(o, d, t_us);
    return true;
}

static void on_certificate(lamp_opaque *o, lamp_dim *d, struct lamp_bytes message, uint64_t t_us)
{
    struct lamp_certificate cert;
    if (lamp_certificate_message(message, &cert) != LAMP_OK)
        return;
    d->self_signed = cert.self_signed;
    for (size_t i = 0; i < cert.n_names; i++) {
        struct lamp_bytes name = cert.names[i];
        if (name.len > 2 && name.data[0] == '*' && name.data[1] == '.')
            name = (struct lamp_bytes){ name.data + 2, name.len - 2 };
        lamp_dim_identify_name(o, d, "tls-certificate", name, t_us);
    }
    lamp_dim_evaluate(o, d, t_us);
}

/* Whole handshake messages of what is there so far. False: the connection is of no interest. */
static bool read_messages(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes all,
                          uint64_t t_us)
{
    enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, CERTIFICATE = 11, SERVER_DONE = 14 };
    while (all.len >= HANDSHAKE_HEADER) {
        const uint8_t type = all.data[0];
        const size_t len =
            HANDSHAKE_HEADER + ((size_t)all.data[1] << 16 | (size_t)all.data[2] << 8 | all.data[3]);
        if (len > HANDSHAKE_MAX)
            d->shaken[dir] = true;
        if (len > all.len)
            return true;
        const struct lamp_bytes message = { all.data, len };
        if (dir == LAMP_UP) {
            d->shaken[dir] = true;
            return type != CLIENT_HELLO || d->is_hello_over || on_hello(o, d, message, t_us);
        }
        if (type == SERVER_HELLO && !d->version)
            (void)lamp_tls_server_hello(message, &d->version);
        if (type == CERTIFICATE)
            on_certificate(o, d, message, t_us);
        if (type == CERTIFICATE || type == SERVER_DONE)
            d->shaken[dir] = true;
        if (d->shaken[dir])
            return true;
        all.data += len;
        all.len -= len;
    }
    return true;
}

/* A piece of a handshake record. What comes in one piece is read where it stands. */
static bool on_handshake(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes piece,
                         uint64_t t_us)
{
    struct lamp_held *h = &d->held[dir];
    struct lamp_bytes all;
    if (!lamp_held_whole(o->pieces, h, piece, &all)) {
        d->shaken[dir] = true;
        return true;
    }
    if (!read_messages(o, d, dir, all, t_us))
        return false;
    /* what stays is read again with more: a hello and a flight are a few pieces */
    if (!d->shaken[dir] && !lamp_held_add(o->pieces, h, piece))
        d->shaken[dir] = true;
    return true;
}

/* A record of data has begun. Where it is part of the handshake (TLS 1.3: the server's up to the
 * client's first, which is its Finished) it tells nothing. */
static void on_data(lamp_dim *d, enum lamp_dir dir, uint32_t len, uint64_t t_us)
{
    if (dir == LAMP_UP)
        d->n_up_records++;
    if (d->version == 0x0304 && (d->n_up_records == 0 || (dir == LAMP_UP && d->n_up_records == 1)))
        return;
    const uint32_t unasked = d->behaviour.unasked;
    lamp_behaviour_message(&d->behaviour, dir, len, t_us);
    if (d->behaviour.unasked != unasked && t_us >= d->facts.first_us)
        d->heard_ms[d->n_heard++ % LAMP_DIM_HEARD] = (uint32_t)((t_us - d->facts.first_us) / 1000);
}

bool lamp_dim_take_tls(lamp_opaque *o, lamp_dim *d, enum lamp_dir dir, struct lamp_bytes bytes,
                       uint64_t t_us)
{
    struct lamp_record r;
    while (lamp_records_next(&d->records[dir], &bytes, &r)) {
        if (r.type == LAMP_TLS_HANDSHAKE && !d->shaken[dir]) {
            if (!on_handshake(o, d, dir, r.piece, t_us))
                return false;
        } else if (!d->shaken[dir]) {
            d->shaken[dir] = r.type == LAMP_TLS_CHANGE_CIPHER || r.type == LAMP_TLS_DATA;
        }
        if (d->shaken[dir])
            lamp_held_drop(&d->held[dir]);
        if (dir == LAMP_DOWN && !d->is_answered) {
            d->is_answered = true;
            lamp_dim_evaluate(o, d, t_us);
        }
        if (r.begins && r.type == LAMP_TLS_DATA)
            on_data(d, dir, r.length + 5U, t_us);
    }
    return !d->records[dir].broken;
}
