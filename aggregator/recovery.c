/* SPDX-License-Identifier: Apache-2.0 */
#include "aggregator/recovery.h"

#include "aggregator/store/safety.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>

static void complain(const char *why)
{
    fprintf(stderr, "davylamp-aggregator: %s\n", why);
}

/* The descriptor stays open: the lock is gone with the process, however that ends. */
int lamp_recovery_lock(const struct lamp_recovery *r)
{
    char path[LAMP_STORE_PATH];
    snprintf(path, sizeof(path), "%.4000s.lock", r->database);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && lamp_io_give_to_folder(path) == LAMP_OK)
        return LAMP_OK;
    if (fd >= 0 && errno == EWOULDBLOCK) {
        fprintf(stderr,
                "davylamp-aggregator: %s is in use by another davylamp-aggregator: stop that "
                "first\n",
                r->database);
        close(fd);
        return LAMP_EAGAIN;
    }
    fprintf(stderr, "davylamp-aggregator: %s: %s\n", path, lamp_strerror(-errno));
    if (fd >= 0)
        close(fd);
    return LAMP_EIO;
}

int lamp_recovery_check(const struct lamp_recovery *r, uint32_t limit_s)
{
    char why[LAMP_STORE_WHY] = "";
    enum lamp_store_health health = LAMP_STORE_WHOLE;
    if (limit_s == 0)
        return LAMP_OK;
    const int err = lamp_store_check(r->backend, r->database, limit_s * 1000, &health, why);
    if (err) {
        complain(why);
        return err;
    }
    if (health == LAMP_STORE_UNFINISHED)
        lamp_log(LAMP_LOG_INFO, "main",
                 "no damage found in what was looked at of the database within store.check s=%u",
                 limit_s);
    if (health != LAMP_STORE_DAMAGED)
        return LAMP_OK;
    complain(why);
    fprintf(stderr,
            "davylamp-aggregator: the database is damaged and is not used. Nothing was changed. "
            "Either\n"
            "  davylamp-aggregator restore FILE   goes back to a backup: sensors send again what "
            "they still hold, or\n"
            "  davylamp-aggregator set-aside      gives it another name: the next start begins "
            "with an empty one,\n"
            "                                     without accounts, blocks, history and the keys "
            "of sensors\n"
            "(with the same options as now; the file stays in both cases).\n");
    return LAMP_EDIGEST;
}

/* Without these files sensors take what serves the database for somebody else. */
static void miss_keys(const struct lamp_recovery *r)
{
    static const char *const names[] = { "server.key", "list.key" };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[LAMP_STORE_PATH];
        snprintf(path, sizeof(path), "%.4000s/%s", r->state_dir, names[i]);
        if (access(path, F_OK) != 0)
            fprintf(stderr,
                    "davylamp-aggregator: %s is not there: bring it from the machine of the "
                    "backup before the start, or sensors will not know this aggregator\n",
                    path);
    }
}

int lamp_recovery_restore(const struct lamp_recovery *r, const char *file)
{
    char why[LAMP_STORE_WHY] = "";
    struct lamp_restored got;
    if (lamp_recovery_lock(r) != LAMP_OK)
        return 1;
    const int err =
        lamp_store_restore(r->backend, r->database, file, lamp_clock_real_us(), &got, why);
    if (err) {
        complain(*why ? why : lamp_strerror(err));
        complain(err == LAMP_EDIGEST ? "the backup is damaged; the database is as it was"
                                     : "the database is as it was");
        return 1;
    }
    printf("%s is restored from %s\n", r->database, file);
    if (*got.kept)
        printf("what was there before is %s\n", got.kept);
    printf("its epoch is %" PRIu64 ": sensors send again what they still hold once it is served\n",
           got.epoch);
    miss_keys(r);
    return 0;
}

int lamp_recovery_set_aside(const struct lamp_recovery *r)
{
    char why[LAMP_STORE_WHY] = "", kept[LAMP_STORE_PATH];
    enum lamp_store_health health = LAMP_STORE_WHOLE;
    if (lamp_recovery_lock(r) != LAMP_OK)
        return 1;
    int err = lamp_store_check(r->backend, r->database, 0, &health, why);
    if (!err && health == LAMP_STORE_WHOLE && access(r->database, F_OK) == 0) {
        complain("the database is whole: it is not set aside");
        return 1;
    }
    if (!err)
        err = lamp_store_set_aside(r->backend, r->database, lamp_clock_real_us(), kept, why);
    if (err) {
        complain(*why ? why : lamp_strerror(err));
        return 1;
    }
    printf("the database is %s now; the next start begins with an empty one\n", kept);
    return 0;
}
