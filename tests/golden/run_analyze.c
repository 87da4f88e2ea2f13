/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/golden/run_analyze.h"

#include "sensor/analyze/analyze.h"

#include <fcntl.h>
#include <stdio.h>

/* Turns a standard stream over to fd; the old one comes back. */
static int redirect(FILE *stream, int fd)
{
    fflush(stream);
    const int old = dup(fileno(stream));
    if (old < 0 || dup2(fd, fileno(stream)) < 0)
        abort();
    return old;
}

static void restore(FILE *stream, int old)
{
    fflush(stream);
    if (dup2(old, fileno(stream)) < 0)
        abort();
    close(old);
}

static char *read_all(FILE *f)
{
    if (fseek(f, 0, SEEK_END) != 0)
        abort();
    const long size = ftell(f);
    char *text = calloc(1, (size_t)size + 1);
    rewind(f);
    if (!text || fread(text, 1, (size_t)size, f) != (size_t)size)
        abort();
    return text;
}

int run_analyze(char *const *paths, size_t n_paths, char **out)
{
    char *head[] = { (char[]){ "analyze" }, (char[]){ "--json" }, (char[]){ "--catalogue" },
                     (char[]){ LAMP_DATA }, (char[]){ "--" } };
    char **argv = calloc(ARRAY_LEN(head) + n_paths + 1, sizeof(*argv));
    FILE *file = tmpfile();
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (!argv || !file || null < 0)
        abort();
    memcpy(argv, head, sizeof(head));
    memcpy(argv + ARRAY_LEN(head), paths, n_paths * sizeof(*paths));

    const int old_out = redirect(stdout, fileno(file)), old_err = redirect(stderr, null);
    const int code = lamp_analyze_main((int)(ARRAY_LEN(head) + n_paths), argv);
    restore(stdout, old_out);
    restore(stderr, old_err);
    *out = read_all(file);
    fclose(file);
    close(null);
    free(argv);
    return code;
}
