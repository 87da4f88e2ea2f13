/* SPDX-License-Identifier: Apache-2.0 */
/* geo: where an address is and whose it is, from MaxMind DB files (MaxMind DB File Format 2.0) that
 * the operator supplies: any number of files, each with places, with autonomous systems or
 * both, for IPv4, IPv6 or both. Two layouts are read: that of GeoIP2 (country.iso_code,
 * location.latitude, autonomous_system_number) and the flat one of converted tables
 * (country_code, latitude as float or double). Thread-safe: look-ups run beside a reload. */
#pragma once

#include "common/addr.h"
#include "common/err.h"

typedef struct lamp_geo lamp_geo;

enum {
    LAMP_GEO_FILES = 8, /* at most */
    LAMP_GEO_TEXT = 96, /* bytes of a name with its NUL; longer ones are cut */
    LAMP_GEO_OLD_DAYS = 45,
};

/* What the files say of one address. "" and 0 are unknown; untrusted text as valid UTF-8. */
struct lamp_place {
    char country[4];                                 /* ISO 3166-1, two letters */
    char region[LAMP_GEO_TEXT], city[LAMP_GEO_TEXT]; /* English where there is a choice */
    bool has_coordinates;
    double latitude, longitude; /* degrees, WGS 84; of the town, not of the machine */
    uint8_t place_source;       /* index for lamp_geo_sources(), if country or city is known */
    uint32_t asn;               /* 0: unknown */
    char as_name[LAMP_GEO_TEXT];
    uint8_t as_source;
};

/* One open file, for the operator and for the attribution that licences ask for. */
struct lamp_geo_source {
    const char *name;        /* file name without its folder */
    const char *type, *text; /* database_type and English description, as the file says */
    uint64_t built_us;       /* build_epoch */
    bool old;                /* built more than LAMP_GEO_OLD_DAYS ago */
};

/* Notes the n paths; nothing is open, so nothing known, before lamp_geo_reload(). LAMP_EFULL: more
 * than LAMP_GEO_FILES. LAMP_ENOMEM. */
LAMP_CHECK int lamp_geo_new(const char *const *paths, size_t n, lamp_geo **out);
lamp_geo *lamp_geo_free(lamp_geo *g);

/* Opens the files, also when they are open. After an error those that were open stay in use, and
 * `why` says which file it was and what was wrong. LAMP_EFORMAT, negated errno. */
LAMP_CHECK int lamp_geo_reload(lamp_geo *g, char *why, size_t why_size);

/* What is known of the address; all unknown for private ones. The first file that knows a place
 * tells the place, the first that knows a system the system. A damaged record is unknown. */
void lamp_geo_find(lamp_geo *g, const struct lamp_addr *a, struct lamp_place *out);

/* Lends each file, in their order. */
typedef void lamp_geo_source_fn(const struct lamp_geo_source *s, void *arg);
void lamp_geo_sources(lamp_geo *g, uint64_t now_us, lamp_geo_source_fn *fn, void *arg);
