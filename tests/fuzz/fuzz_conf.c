/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration file of any content: what loads must print as something that loads again
 * and prints the same. Text is passed in memory; the file is a memfd. */
#include "common/conf.h"

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig loses the string it was reading when it meets a syntax error. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig.so";
}

struct settings {
    bool flag;
    int64_t whole;
    double real;
    char *text;
    struct lamp_strlist list;
    int choice;
};

static const struct lamp_opt options[] = {
    { "flag", LAMP_OPT_BOOL, offsetof(struct settings, flag), 0, 0, "false", NULL, NULL, "F." },
    { "a.whole", LAMP_OPT_INT, offsetof(struct settings, whole), INT64_MIN, INT64_MAX, "0", "s",
      NULL, "W." },
    { "a.real", LAMP_OPT_DOUBLE, offsetof(struct settings, real), -1000000, 1000000, "0", NULL,
      NULL, "R." },
    { "a.text", LAMP_OPT_STR, offsetof(struct settings, text), 0, 0, "", NULL, NULL, "T." },
    { "b.list", LAMP_OPT_LIST, offsetof(struct settings, list), 0, 0, "", NULL, NULL, "L." },
    { "b.choice", LAMP_OPT_ENUM, offsetof(struct settings, choice), 0, 0, "on", NULL, "off|on",
      "C." },
};

static const struct lamp_conf_spec spec = {
    .program = "fuzz", .usage = "", .about = "", .opts = options, .n_opts = ARRAY_LEN(options)
};

/* Loads the text and prints what was understood; NULL where it was refused. */
static char *load_and_print(const void *text, size_t len)
{
    char path[64], *printed = NULL, *errors = NULL;
    size_t printed_len, errors_len;
    struct settings settings = { 0 };
    int fd = memfd_create("conf", MFD_CLOEXEC);
    if (fd < 0 || write(fd, text, len) != (ssize_t)len)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    FILE *sink = open_memstream(&errors, &errors_len);
    const int rc = lamp_conf_load_file(&spec, path, &settings, sink);
    fclose(sink);
    if ((rc != LAMP_OK) != (errors_len > 0))
        abort();
    if (rc == LAMP_OK) {
        FILE *out = open_memstream(&printed, &printed_len);
        lamp_conf_print(&spec, &settings, out);
        fclose(out);
    }
    lamp_conf_free(&spec, &settings);
    free(errors);
    close(fd);
    return printed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char include[] = "@include"; /* would read other files */
    if (size > 65536 || (size >= sizeof(include) && memmem(data, size, include, 8)))
        return 0;
    char *once = load_and_print(data, size);
    if (once) {
        char *twice = load_and_print(once, strlen(once));
        if (!twice || !streq(once, twice))
            abort();
        free(twice);
    }
    free(once);
    return 0;
}
