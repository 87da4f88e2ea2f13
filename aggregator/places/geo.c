/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/places/geo.h"

#include "common/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#define DAY_US UINT64_C(86400000000)

/* The files of one opening; replaced as a whole. */
struct files {
    MMDB_s db[LAMP_GEO_FILES];
    size_t n;
};

struct lamp_geo {
    char *paths[LAMP_GEO_FILES];
    size_t n_paths;
    pthread_rwlock_t lock; /* of files */
    struct files files;
};

/* ---- opening ---- */

static void close_files(struct files *f)
{
    for (size_t i = 0; i < f->n; i++)
        MMDB_close(&f->db[i]);
    f->n = 0;
}

static int open_files(const lamp_geo *g, struct files *out, char *why, size_t why_size)
{
    *out = (struct files){ .n = 0 };
    for (size_t i = 0; i < g->n_paths; i++) {
        errno = 0;
        const int status = MMDB_open(g->paths[i], MMDB_MODE_MMAP, &out->db[i]);
        const int cause = errno;
        if (status == MMDB_SUCCESS) {
            out->n++;
            continue;
        }
        const bool system = (status == MMDB_FILE_OPEN_ERROR || status == MMDB_IO_ERROR) && cause;
        snprintf(why, why_size, "%s: %s", g->paths[i],
                 system ? strerror(cause) : MMDB_strerror(status));
        close_files(out);
        return system ? -cause : LAMP_EFORMAT;
    }
    return LAMP_OK;
}

int lamp_geo_new(const char *const *paths, size_t n, lamp_geo **out)
{
    if (n > LAMP_GEO_FILES)
        return LAMP_EFULL;
    lamp_geo *g = calloc(1, sizeof(*g));
    if (!g)
        return LAMP_ENOMEM;
    pthread_rwlock_init(&g->lock, NULL);
    for (; g->n_paths < n; g->n_paths++) {
        g->paths[g->n_paths] = strdup(paths[g->n_paths]);
        if (!g->paths[g->n_paths]) {
            lamp_geo_free(g);
            return LAMP_ENOMEM;
        }
    }
    *out = g;
    return LAMP_OK;
}

lamp_geo *lamp_geo_free(lamp_geo *g)
{
    if (!g)
        return NULL;
    close_files(&g->files);
    for (size_t i = 0; i < g->n_paths; i++)
        free(g->paths[i]);
    pthread_rwlock_destroy(&g->lock);
    free(g);
    return NULL;
}

int lamp_geo_reload(lamp_geo *g, char *why, size_t why_size)
{
    struct files fresh, old;
    const int err = open_files(g, &fresh, why, why_size);
    if (err)
        return err;
    pthread_rwlock_wrlock(&g->lock);
    old = g->files;
    g->files = fresh;
    pthread_rwlock_unlock(&g->lock);
    close_files(&old);
    return LAMP_OK;
}

/* ---- reading one record ---- */

/* Paths to the same fact in the two layouts; the first that is there counts. */
static const char *const COUNTRY[][6] = { { "country", "iso_code" }, { "country_code" } };
static const char *const REGION[][6] = { { "subdivisions", "0", "names", "en" }, { "state1" } };
static const char *const CITY[][6] = { { "city", "names", "en" }, { "city" } };
static const char *const LATITUDE[][6] = { { "location", "latitude" }, { "latitude" } };
static const char *const LONGITUDE[][6] = { { "location", "longitude" }, { "longitude" } };
static const char *const AS_NUMBER[][6] = { { "autonomous_system_number" } };
static const char *const AS_NAME[][6] = { { "autonomous_system_organization" } };
#define FIND(entry, where, out) find((entry), (where), ARRAY_LEN(where), (out))

static bool find(MMDB_entry_s *entry, const char *const where[][6], size_t n,
                 MMDB_entry_data_s *out)
{
    for (size_t i = 0; i < n; i++)
        if (MMDB_aget_value(entry, out, where[i]) == MMDB_SUCCESS && out->has_data)
            return true;
    return false;
}

static void take_text(const MMDB_entry_data_s *d, char *out, size_t size)
{
    if (d->type == MMDB_DATA_TYPE_UTF8_STRING)
        lamp_text_utf8((const uint8_t *)d->utf8_string, d->data_size, out, size);
}

static bool take_degrees(const MMDB_entry_data_s *d, double limit, double *out)
{
    if (d->type == MMDB_DATA_TYPE_DOUBLE)
        *out = d->double_value;
    else if (d->type == MMDB_DATA_TYPE_FLOAT)
        *out = (double)d->float_value;
    else
        return false;
    return isfinite(*out) && fabs(*out) <= limit;
}

static uint32_t take_number(const MMDB_entry_data_s *d)
{
    switch (d->type) {
    case MMDB_DATA_TYPE_UINT16:
        return d->uint16;
    case MMDB_DATA_TYPE_UINT32:
        return d->uint32;
    default:
        return 0;
    }
}

static void read_place(MMDB_entry_s *entry, uint8_t source, struct lamp_place *out)
{
    MMDB_entry_data_s d, e;
    if (FIND(entry, COUNTRY, &d))
        take_text(&d, out->country, sizeof(out->country));
    if (FIND(entry, REGION, &d))
        take_text(&d, out->region, sizeof(out->region));
    if (FIND(entry, CITY, &d))
        take_text(&d, out->city, sizeof(out->city));
    out->has_coordinates = FIND(entry, LATITUDE, &d) && FIND(entry, LONGITUDE, &e) &&
                           take_degrees(&d, 90, &out->latitude) &&
                           take_degrees(&e, 180, &out->longitude);
    out->place_source = source;
}

static void read_system(MMDB_entry_s *entry, uint8_t source, struct lamp_place *out)
{
    MMDB_entry_data_s d;
    if (FIND(entry, AS_NUMBER, &d))
        out->asn = take_number(&d);
    if (out->asn && FIND(entry, AS_NAME, &d))
        take_text(&d, out->as_name, sizeof(out->as_name));
    out->as_source = source;
}

/* The socket form of the address; false where the file has no such addresses. IPv4 is asked for as
 * such, also of files with a tree of 128 bits: they keep it at ::/96, not at the mapped prefix. */
static bool to_sockaddr(const struct lamp_addr *a, const MMDB_s *db, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (lamp_addr_is_v4(a)) {
        struct sockaddr_in in = { .sin_family = AF_INET };
        memcpy(&in.sin_addr, a->b + 12, 4);
        memcpy(out, &in, sizeof(in));
        return true;
    }
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
    memcpy(&in6.sin6_addr, a->b, 16);
    memcpy(out, &in6, sizeof(in6));
    return db->metadata.ip_version == 6;
}

void lamp_geo_find(lamp_geo *g, const struct lamp_addr *a, struct lamp_place *out)
{
    memset(out, 0, sizeof(*out));
    if (lamp_addr_is_private(a) || lamp_addr_is_multicast(a))
        return;
    pthread_rwlock_rdlock(&g->lock);
    for (size_t i = 0; i < g->files.n; i++) {
        const MMDB_s *db = &g->files.db[i];
        struct sockaddr_storage sa;
        int status;
        if (!to_sockaddr(a, db, &sa))
            continue;
        MMDB_lookup_result_s hit = MMDB_lookup_sockaddr(db, (const struct sockaddr *)&sa, &status);
        if (status != MMDB_SUCCESS || !hit.found_entry)
            continue;
        if (!*out->country && !*out->city && !out->has_coordinates)
            read_place(&hit.entry, (uint8_t)i, out);
        if (!out->asn)
            read_system(&hit.entry, (uint8_t)i, out);
    }
    pthread_rwlock_unlock(&g->lock);
}

/* ---- the files themselves ---- */

static const char *english(const MMDB_description_s *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i]->language && list[i]->description && streq(list[i]->language, "en"))
            return list[i]->description;
    return "";
}

void lamp_geo_sources(lamp_geo *g, uint64_t now_us, lamp_geo_source_fn *fn, void *arg)
{
    pthread_rwlock_rdlock(&g->lock);
    for (size_t i = 0; i < g->files.n; i++) {
        const MMDB_metadata_s *m = &g->files.db[i].metadata;
        const char *slash = strrchr(g->paths[i], '/');
        const uint64_t built_us = m->build_epoch < UINT32_MAX ? m->build_epoch * 1000000 : 0;
        const struct lamp_geo_source s = {
            .name = slash ? slash + 1 : g->paths[i],
            .type = m->database_type ? m->database_type : "",
            .text = english((const MMDB_description_s *const *)m->description.descriptions,
                            m->description.count),
            .built_us = built_us,
            .old = now_us > built_us && now_us - built_us > LAMP_GEO_OLD_DAYS * DAY_US,
        };
        fn(&s, arg);
    }
    pthread_rwlock_unlock(&g->lock);
}
