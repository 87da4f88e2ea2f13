/* SPDX-License-Identifier: Apache-2.0 */
/* fake_imports: a store with one import of one file. */
#include "aggregator/store/store.h"

int lamp_store_imports(lamp_store *s, const struct lamp_import_filter *f, lamp_import_fn *fn,
                       void *arg)
{
    (void)s;
    const struct lamp_import i = {
        .id = 1, .state = LAMP_IMPORT_DONE, .name = "a.pcap", .files = 1, .created_us = 1
    };
    if (f->id == 0 || f->id == i.id)
        fn(&i, arg);
    return LAMP_OK;
}

int lamp_store_import_files(lamp_store *s, int64_t id, lamp_import_file_fn *fn, void *arg)
{
    (void)s;
    if (id == 1)
        fn(&(struct lamp_import_file){ .no = 1, .name = "a.pcap" }, arg);
    return LAMP_OK;
}

int lamp_store_import_conns(lamp_store *s, const struct lamp_import_conn_filter *f,
                            lamp_import_conn_fn *fn, void *arg)
{
    (void)s;
    if (f->import_id == 1)
        fn(&(struct lamp_import_conn){ 1, 1, LAMP_VERDICT_CONFIRMED, "{}", 2 }, arg);
    return LAMP_OK;
}

int lamp_store_import_minutes(lamp_store *s, int64_t id, lamp_import_minute_fn *fn, void *arg)
{
    (void)s;
    if (id == 1)
        fn(&(struct lamp_import_minute){ .minute = 1, .packets = 1 }, arg);
    return LAMP_OK;
}
