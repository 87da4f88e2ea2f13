/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/tls/records.h"

#include "common/cursor.h"

enum { BODY_MAX = (1 << 14) + 2048 }; /* RFC 5246 section 6.2.3; 1.3 allows less */

static bool is_header(const uint8_t *p)
{
    const unsigned len = lamp_be16(p + 3);
    return p[0] >= LAMP_TLS_CHANGE_CIPHER && p[0] <= LAMP_TLS_DATA && p[1] == 3 && p[2] <= 4 &&
           len > 0 && len <= BODY_MAX;
}

static struct lamp_bytes take(struct lamp_bytes *bytes, size_t n)
{
    const struct lamp_bytes piece = { bytes->data, lamp_min(n, bytes->len) };
    bytes->data += piece.len;
    bytes->len -= piece.len;
    return piece;
}

bool lamp_records_next(struct lamp_records *r, struct lamp_bytes *bytes, struct lamp_record *out)
{
    bool begins = false;
    if (r->left == 0) {
        while (r->n_head < sizeof(r->head) && bytes->len > 0)
            r->head[r->n_head++] = take(bytes, 1).data[0];
        if (r->n_head < sizeof(r->head))
            return false;
        r->n_head = 0;
        if (!is_header(r->head)) {
            r->broken = !r->lost;
            r->lost = true;
            (void)take(bytes, bytes->len);
            return false;
        }
        r->lost = false;
        r->left = lamp_be16(r->head + 3);
        begins = true;
    }
    *out = (struct lamp_record){ r->head[0], begins, lamp_be16(r->head + 3), { 0 } };
    if (!begins && bytes->len == 0)
        return false;
    out->piece = take(bytes, r->left);
    r->left = (uint16_t)(r->left - out->piece.len);
    return true;
}

void lamp_records_gap(struct lamp_records *r, uint32_t missing)
{
    if (missing <= r->left) {
        r->left = (uint16_t)(r->left - missing);
        return;
    }
    r->left = r->n_head = 0;
    r->lost = true;
}
