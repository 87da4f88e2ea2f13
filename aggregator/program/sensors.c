/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect: the database says it, and the sensors file adds to it. */
#include "aggregator/program/program.h"
#include "aggregator/sensors_file.h"
#include "aggregator/writer/keyring.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/text.h"

#include <stdio.h>

/* Lets a key in: at the start through a keyring of main's own, later through the writer. */
static bool let_in(struct lamp_aggregator *g, lamp_keyring *ring, const struct lamp_allowed *k)
{
    struct lamp_command c = { .kind = LAMP_CMD_ADMIT, .actor = "file" };
    struct lamp_command_result r = { 0 };
    memcpy(c.key, k->key, sizeof(c.key));
    memcpy(c.site, k->site, sizeof(c.site));
    snprintf(c.name, sizeof(c.name), "%s", k->id);
    int err = ring ? lamp_keyring_command(ring, &c, lamp_clock_real_us(), &r)
                   : lamp_commands_run(g->commands, &c, LAMP_PROGRAM_WAIT_MS, &r);
    if (!err)
        err = r.err;
    if (err)
        lamp_log(LAMP_LOG_WARN, "main", "sensors file: %s of site %s was not let in: %s", k->id,
                 k->site, *r.why ? r.why : lamp_strerror(err));
    return !err;
}

/* The database says who may connect; the file only adds to it. A line that tells another story than
 * the database is pointed out, since taking a key out of the file does not revoke it. */
void lamp_aggregator_take_sensors(struct lamp_aggregator *g, lamp_keyring *ring)
{
    struct lamp_allowed *v = NULL, known;
    size_t n = 0, n_new = 0, n_ended = 0;
    if (lamp_sensors_file_read(g->conf.sensors, stderr, &v, &n) != LAMP_OK) {
        lamp_log(LAMP_LOG_WARN, "main", "the sensors file has mistakes, ignoring it path=%s",
                 g->conf.sensors);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (lamp_allow_known(g->allow, v[i].key, &known) != LAMP_OK)
            n_new += let_in(g, ring, &v[i]);
        else if (!known.active)
            n_ended++;
        else if (!streq(known.id, v[i].id) || !streq(known.site, v[i].site))
            lamp_log(LAMP_LOG_WARN, "main",
                     "sensors file: the key of %s at %s belongs to %s at %s, ignoring the line",
                     v[i].id, v[i].site, known.id, known.site);
    }
    if (n)
        lamp_log(LAMP_LOG_INFO, "main", "sensors file read path=%s lines=%zu new=%zu ended=%zu",
                 g->conf.sensors, n, n_new, n_ended);
    free(v);
}

static void nobody_is_connected(const char *sensor, void *arg)
{
    (void)sensor, (void)arg;
}

int lamp_aggregator_load_sensors(struct lamp_aggregator *g)
{
    lamp_keyring *ring = NULL;
    int err = lamp_allow_new(&g->allow);
    if (!err)
        err = lamp_keyring_load(g->store, g->allow);
    if (!err)
        err = lamp_keyring_new(g->store, g->allow, (uint32_t)g->conf.overlap_s, &ring);
    if (!err)
        err = lamp_store_begin(g->store);
    if (!err) {
        lamp_aggregator_take_sensors(g, ring);
        err = lamp_store_commit(g->store);
    }
    if (!err)
        lamp_keyring_committed(ring, nobody_is_connected, NULL);
    lamp_keyring_free(ring);
    if (err)
        return lamp_complain(err == LAMP_ESTORE ? lamp_store_why(g->store) : lamp_strerror(err));
    return 0;
}
