/* SPDX-License-Identifier: Apache-2.0 */
/* The command backup: has the aggregator make a copy of its database, and fetches it. */
#include "aggregator/cli/cli.h"

#include "common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

enum { LOOK_MS = 200 };

static const char *text_of(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

static void show_progress(const json_t *answer)
{
    const json_int_t done = json_integer_value(json_object_get(answer, "bytes_done"));
    const json_int_t all = json_integer_value(json_object_get(answer, "bytes"));
    if (all > 0)
        fprintf(stderr, "\r%3d %% of %" PRId64 " MiB", (int)(100.0 * (double)done / (double)all),
                (int64_t)(all >> 20));
}

/* Until it is no longer being made; *out is the aggregator's last word. */
static int wait_for_it(lamp_client *c, json_t **out)
{
    const bool person = isatty(STDERR_FILENO);
    json_t *answer = NULL;
    for (;;) {
        if (lamp_client_call(c, "GET", "/backup", NULL, &answer) != LAMP_OK)
            return EXIT_FAILED;
        if (person)
            show_progress(answer);
        if (!streq(text_of(answer, "state"), "running"))
            break;
        json_decref(answer);
        poll(NULL, 0, LOOK_MS);
    }
    if (person)
        fputc('\n', stderr);
    *out = answer;
    if (streq(text_of(answer, "state"), "done"))
        return EXIT_GOOD;
    fprintf(stderr, "davylamp: no backup was made: %s\n",
            *text_of(answer, "error") ? text_of(answer, "error") : "somebody ended it");
    return EXIT_FAILED;
}

/* The file gets its name only once it is whole. */
static int fetch(lamp_client *c, const char *file)
{
    char part[4200];
    snprintf(part, sizeof(part), "%.4096s.part", file);
    const int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *to = fd >= 0 ? fdopen(fd, "wb") : NULL;
    if (!to) {
        fprintf(stderr, "davylamp: %s: %s\n", part, lamp_strerror(-errno));
        if (fd >= 0)
            close(fd);
        return EXIT_FAILED;
    }
    int err = lamp_client_fetch(c, "/backup/file", to);
    if (!err && (fflush(to) != 0 || fsync(fd) != 0)) {
        err = -errno;
        fprintf(stderr, "davylamp: %s: %s\n", part, lamp_strerror(err));
    }
    if (fclose(to) != 0 && !err)
        err = LAMP_EIO;
    if (!err && link(part, file) != 0) {
        err = -errno;
        fprintf(stderr, "davylamp: %s: %s\n", file, lamp_strerror(err));
    }
    (void)unlink(part);
    return err ? EXIT_FAILED : EXIT_GOOD;
}

static void show_done(const json_t *answer, const char *file)
{
    size_t i;
    json_t *name;
    printf("the database is copied to %s\n", file);
    fputs("a move to another machine takes besides: aggregator.conf and, from state_dir,", stdout);
    json_array_foreach(json_object_get(answer, "other_files"), i, name)
        printf(" %s", json_string_value(name));
    puts("\n'davylamp-aggregator restore FILE' goes back to it");
}

int lamp_cli_backup(lamp_client *c, const struct options *o, char **args, int n)
{
    json_t *answer = NULL;
    if (n > 0 && access(args[0], F_OK) == 0) {
        fprintf(stderr, "davylamp: %s is there already\n", args[0]);
        return EXIT_FAILED;
    }
    if (lamp_client_call(c, "POST", "/backup", NULL, &answer) != LAMP_OK)
        return EXIT_FAILED;
    json_decref(answer);
    answer = NULL;
    int result = wait_for_it(c, &answer);
    if (result == EXIT_GOOD && n > 0)
        result = fetch(c, args[0]);
    if (result == EXIT_GOOD && o->json)
        lamp_cli_print(answer);
    else if (result == EXIT_GOOD)
        show_done(answer, n > 0 ? args[0] : text_of(answer, "file"));
    json_decref(answer);
    answer = NULL;
    if (result == EXIT_GOOD && n > 0 && /* it is here now: not twice on that disk */
        lamp_client_call(c, "DELETE", "/backup", NULL, &answer) != LAMP_OK)
        result = EXIT_FAILED;
    json_decref(answer);
    return result;
}
