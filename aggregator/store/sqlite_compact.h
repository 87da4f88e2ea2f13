/* SPDX-License-Identifier: Apache-2.0 */
/* sqlite_compact: rows of other traffic become packs (packs.h) of minutes once their minute is settled, these packs
 * of hours once the hour is, and these packs of days. Each row is so written three times at most, always behind
 * all others of its time and never between them. What comes late for an hour (day) that was made is a pack more of it:
 * whoever reads adds up all there are, and of many one is made when there is nothing else to do. Private to
 * store/sqlite*.c. */
#pragma once

#include "aggregator/store/sqlite.h"

/* The last hour and day, with the last site of it, whose packs were made; by enum lamp_step, that of minutes is not
 * used. A site of INT64_MAX: all of it. What is behind is to be read from the minutes (hours). */
struct lamp_sqlite_made {
    struct {
        int64_t time, site;
    } at[3];
};
LAMP_CHECK int lamp_sqlite_made(struct lamp_sqlite *q, struct lamp_sqlite_made *out);

/* The first hour (day) of which not all packs may be made yet; of minutes INT64_MAX. */
int64_t lamp_sqlite_made_until(const struct lamp_sqlite_made *m, enum lamp_step step);

/* A slice of it: about so many rows from minutes before `settled`. io_more is set where there is more to do. LAMP_ESTORE,
 * LAMP_ENOMEM. */
struct lamp_maintained;
LAMP_CHECK int lamp_sqlite_compact(struct lamp_sqlite *q, uint64_t settled, uint32_t rows,
                                   const uint64_t floors[3], uint64_t now_us,
                                   struct lamp_maintained *io);

/* Once, as part of the upgrade that brought packs: makes them of the tables of before. LAMP_ESTORE, LAMP_ENOMEM. */
LAMP_CHECK int lamp_sqlite_pack_old(struct lamp_sqlite *q);
