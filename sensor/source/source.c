/* SPDX-License-Identifier: Apache-2.0 */
#include "sensor/source/source.h"

#include "sensor/source/impl.h"

#include <stdarg.h>
#include <stdio.h>

int lamp_source_next(lamp_source *s, struct lamp_frame *out, char why[LAMP_SOURCE_WHY])
{
    return s->ops->next(s, out, why);
}

int lamp_source_read(lamp_source *s, struct lamp_frame *frames, size_t max, size_t *out_n,
                     char why[LAMP_SOURCE_WHY])
{
    if (s->ops->read)
        return s->ops->read(s, frames, max, out_n, why);
    int err = max ? s->ops->next(s, &frames[0], why) : LAMP_EINVAL;
    if (err == LAMP_OK)
        *out_n = 1;
    return err;
}

int lamp_source_fd(const lamp_source *s)
{
    return s->ops->fd ? s->ops->fd(s) : -1;
}

uint64_t lamp_source_size(const lamp_source *s)
{
    return s->ops->size ? s->ops->size(s) : UINT64_MAX;
}

void lamp_source_stats(lamp_source *s, struct lamp_source_stats *out)
{
    *out = (struct lamp_source_stats){ 0 };
    if (s->ops->stats)
        s->ops->stats(s, out);
}

void lamp_source_skip(lamp_source *s, uint64_t t_us)
{
    if (s->ops->skip)
        s->ops->skip(s, t_us);
}

lamp_source *lamp_source_close(lamp_source *s)
{
    if (s)
        s->ops->close(s);
    return NULL;
}

int lamp_source_fail(int err, char why[LAMP_SOURCE_WHY], const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, LAMP_SOURCE_WHY, fmt, args); /* cutting a sentence is fine */
    va_end(args);
    return err;
}

int lamp_source_linktype(int dlt)
{
    /* the only one we read whose two numbers differ (pcap-linktype(7)) */
    return dlt == DLT_RAW ? LAMP_LINK_RAW : dlt;
}

int lamp_source_check_linktype(int linktype, const char *name, char why[LAMP_SOURCE_WHY])
{
    if (lamp_linktype_known(linktype))
        return LAMP_OK;
    const char *label = pcap_datalink_val_to_name(linktype);
    return lamp_source_fail(LAMP_EUNSUPPORTED, why, "%s: link type %d (%s) is not supported", name,
                            linktype, label ? label : "no known name");
}

void lamp_source_frame(const struct pcap_pkthdr *h, const uint8_t *data, int linktype,
                       struct lamp_frame *out)
{
    /* libpcap reads a file's unsigned 32-bit seconds as signed: from 2038 on they are negative */
    uint64_t sec = h->ts.tv_sec < 0 ? (uint32_t)h->ts.tv_sec : (uint64_t)h->ts.tv_sec;
    const uint64_t max_sec = UINT64_C(1) << 40;
    *out = (struct lamp_frame){
        .data = data,
        .cap_len = h->caplen,
        .orig_len = h->len > h->caplen ? h->len : h->caplen,
        .t_us = (sec < max_sec ? sec : max_sec) * 1000000 + (uint32_t)h->ts.tv_usec,
        .linktype = linktype,
    };
}
