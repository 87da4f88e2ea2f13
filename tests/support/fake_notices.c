/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of a fake store's alerts: there is none. */
#include "aggregator/store/notices.h"

int lamp_notices_open(const char *path, lamp_notices **out, char why[LAMP_NOTICES_WHY])
{
    (void)path, (void)out;
    why[0] = '\0';
    return LAMP_ESTORE;
}

lamp_notices *lamp_notices_close(lamp_notices *q)
{
    (void)q;
    return NULL;
}

const char *lamp_notices_why(const lamp_notices *q)
{
    (void)q;
    return "";
}

int lamp_notices_cursor(lamp_notices *q, const char *receiver, int64_t newest_alert, int64_t *out)
{
    (void)q, (void)receiver, (void)newest_alert, (void)out;
    return LAMP_ESTORE;
}

int lamp_notices_begin(lamp_notices *q)
{
    (void)q;
    return LAMP_ESTORE;
}

int lamp_notices_put(lamp_notices *q, const char *receiver, const struct lamp_alert_view *v,
                     uint64_t now_us)
{
    (void)q, (void)receiver, (void)v, (void)now_us;
    return LAMP_ESTORE;
}

int lamp_notices_end(lamp_notices *q, const char *receiver, int64_t cursor)
{
    (void)q, (void)receiver, (void)cursor;
    return LAMP_ESTORE;
}

void lamp_notices_rollback(lamp_notices *q)
{
    (void)q;
}

int lamp_notices_take(lamp_notices *q, const char *receiver, const struct lamp_pace *pace,
                      uint64_t now_us, struct lamp_message *m, uint64_t *out_due_us)
{
    (void)q, (void)receiver, (void)pace, (void)now_us, (void)m, (void)out_due_us;
    return LAMP_ESTORE;
}

int lamp_notices_sent(lamp_notices *q, const char *receiver, const struct lamp_message *m,
                      uint64_t now_us)
{
    (void)q, (void)receiver, (void)m, (void)now_us;
    return LAMP_ESTORE;
}

int lamp_notices_failed(lamp_notices *q, const char *receiver, const struct lamp_message *m,
                        const char *error, uint64_t now_us, uint64_t due_us)
{
    (void)q, (void)receiver, (void)m, (void)error, (void)now_us, (void)due_us;
    return LAMP_ESTORE;
}

int lamp_notices_retry(lamp_notices *q, const char *receiver, uint64_t now_us, uint64_t *out_n)
{
    (void)q, (void)receiver, (void)now_us, (void)out_n;
    return LAMP_ESTORE;
}

int lamp_notices_counts(lamp_notices *q, const char *receiver, struct lamp_receiver_counts *out)
{
    (void)q, (void)receiver, (void)out;
    return LAMP_ESTORE;
}

int lamp_notices_dead(lamp_notices *q, const char *receiver, uint32_t limit, lamp_dead_view_fn *fn,
                      void *arg)
{
    (void)q, (void)receiver, (void)limit, (void)fn, (void)arg;
    return LAMP_ESTORE;
}
