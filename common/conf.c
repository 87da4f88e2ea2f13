/* SPDX-License-Identifier: Apache-2.0 */
#include "common/conf.h"

#include "common/text.h"
#include "common/version.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <libconfig.h>
#include <limits.h>

enum { LIST_MAX = 256, STR_MAX = 4096, WHERE_MAX = 512 };

struct loader {
    const struct lamp_conf_spec *spec;
    void *conf;
    FILE *errors;
    unsigned n_errors;
};

static void complain(struct loader *l, const char *where, const char *key, const char *what)
{
    fprintf(l->errors, "%s: %s: %s: %s\n", l->spec->program, where, key, what);
    l->n_errors++;
}

static void *field(const struct loader *l, const struct lamp_opt *o)
{
    return (char *)l->conf + o->offset;
}

static void strlist_clear(struct lamp_strlist *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i]);
    free(list->v);
    *list = (struct lamp_strlist){ 0 };
}

static int strlist_add(struct lamp_strlist *list, const char *s, size_t len)
{
    if (list->n == LIST_MAX)
        return LAMP_EFULL;
    char **v = realloc(list->v, (list->n + 1) * sizeof(*v));
    if (!v)
        return LAMP_ENOMEM;
    list->v = v;
    v[list->n] = strndup(s, len);
    if (!v[list->n])
        return LAMP_ENOMEM;
    list->n++;
    return LAMP_OK;
}

/* Splits at commas; blanks around an entry, and empty entries, are dropped. */
static int set_list(struct lamp_strlist *list, const char *text)
{
    strlist_clear(list);
    while (*text) {
        const size_t len = strcspn(text, ",");
        size_t from = lamp_min(strspn(text, " "), len), to = len;
        while (to > from && text[to - 1] == ' ')
            to--;
        if (to > from) {
            const int err = strlist_add(list, text + from, to - from);
            if (err)
                return err;
        }
        text += len + (text[len] == ',');
    }
    return LAMP_OK;
}

/* The index of text within "a|b|c", or -1. */
static int enum_index(const char *values, const char *text)
{
    const size_t want = strlen(text);
    for (int i = 0; *values; i++) {
        const size_t len = strcspn(values, "|");
        if (len == want && memcmp(values, text, len) == 0)
            return i;
        values += len + (values[len] == '|');
    }
    return -1;
}

static void enum_name(const char *values, int index, char *buf, size_t size)
{
    for (; index > 0; index--)
        values += strcspn(values, "|") + 1;
    snprintf(buf, size, "%.*s", (int)strcspn(values, "|"), values);
}

static int parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = { "true", "yes", "on", "1" };
    static const char *const no[] = { "false", "no", "off", "0" };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (streq(text, yes[i]) || streq(text, no[i])) {
            *out = streq(text, yes[i]);
            return LAMP_OK;
        }
    }
    return LAMP_EFORMAT;
}

/* "1..64 s", "off|on", "text": what a value may be. */
static void describe_range(const struct lamp_opt *o, char *buf, size_t size)
{
    const char *unit = o->unit ? o->unit : "";
    switch (o->type) {
    case LAMP_OPT_INT:
    case LAMP_OPT_DOUBLE:
        snprintf(buf, size, "%" PRId64 "..%" PRId64 "%s%s", o->min, o->max, *unit ? " " : "", unit);
        break;
    case LAMP_OPT_ENUM:
        snprintf(buf, size, "%s", o->values);
        break;
    case LAMP_OPT_BOOL:
        snprintf(buf, size, "true|false");
        break;
    case LAMP_OPT_LIST:
        snprintf(buf, size, "list");
        break;
    case LAMP_OPT_STR:
        snprintf(buf, size, "text");
        break;
    }
}

static int set_str(char **slot, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return LAMP_ENOMEM;
    free(*slot);
    *slot = copy;
    return LAMP_OK;
}

/* Makes a value of text. On errors msg says what is expected. */
static int parse_text(const struct lamp_opt *o, const char *text, void *value, char *msg,
                      size_t size)
{
    int err = LAMP_OK, choice;
    size_t longest = o->max ? (size_t)o->max : STR_MAX;
    char range[128];
    describe_range(o, range, sizeof(range));
    snprintf(msg, size, "expected %s, got '%.64s'", range, text);

    switch (o->type) {
    case LAMP_OPT_BOOL:
        err = parse_bool(text, value);
        break;
    case LAMP_OPT_INT:
        err = lamp_text_int(text, o->min, o->max, value);
        break;
    case LAMP_OPT_DOUBLE:
        err = lamp_text_double(text, (double)o->min, (double)o->max, value);
        break;
    case LAMP_OPT_ENUM:
        choice = enum_index(o->values, text);
        if (choice >= 0)
            *(int *)value = choice;
        else
            err = LAMP_EFORMAT;
        break;
    case LAMP_OPT_STR:
        snprintf(msg, size, "longer than %zu bytes", longest);
        err = strlen(text) > longest ? LAMP_ERANGE : set_str(value, text);
        break;
    case LAMP_OPT_LIST:
        snprintf(msg, size, "more than %d entries", LIST_MAX);
        err = set_list(value, text);
        break;
    }
    if (err == LAMP_ENOMEM)
        snprintf(msg, size, "%s", lamp_strerror(err));
    return err;
}

/* Where is noted that somebody set the option. */
static void note_given(const struct loader *l, const struct lamp_opt *o)
{
    uint64_t bits;
    if (!l->spec->given)
        return;
    assert(l->spec->n_opts <= 64);
    memcpy(&bits, (char *)l->conf + l->spec->given, sizeof(bits));
    bits |= UINT64_C(1) << (o - l->spec->opts);
    memcpy((char *)l->conf + l->spec->given, &bits, sizeof(bits));
}

/* Sets one option from text, wherever it came from. */
static void set_text(struct loader *l, const struct lamp_opt *o, const char *text,
                     const char *where)
{
    char msg[256];
    note_given(l, o);
    if (parse_text(o, text, field(l, o), msg, sizeof(msg)) != LAMP_OK)
        complain(l, where, o->key, msg);
}

static const struct lamp_opt *find_key(const struct lamp_conf_spec *spec, const char *key)
{
    for (size_t i = 0; i < spec->n_opts; i++)
        if (streq(spec->opts[i].key, key))
            return &spec->opts[i];
    return NULL;
}

/* Whether key is the group part of some option ("link" of "link.endpoint"). */
static bool is_group(const struct lamp_conf_spec *spec, const char *key)
{
    const size_t n = strlen(key);
    for (size_t i = 0; i < spec->n_opts; i++)
        if (strncmp(spec->opts[i].key, key, n) == 0 && spec->opts[i].key[n] == '.')
            return true;
    return false;
}

static void setting_text(const config_setting_t *s, char *buf, size_t size)
{
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        snprintf(buf, size, "%lld", config_setting_get_int64(s));
        break;
    case CONFIG_TYPE_FLOAT:
        snprintf(buf, size, "%.17g", config_setting_get_float(s));
        break;
    case CONFIG_TYPE_BOOL:
        snprintf(buf, size, "%s", config_setting_get_bool(s) ? "true" : "false");
        break;
    default:
        snprintf(buf, size, "%s", config_setting_get_string(s) ? config_setting_get_string(s) : "");
    }
}

static void set_from_list(struct loader *l, const struct lamp_opt *o, config_setting_t *s,
                          const char *where)
{
    struct lamp_strlist *list = field(l, o);
    note_given(l, o);
    strlist_clear(list);
    for (int i = 0; i < config_setting_length(s); i++) {
        const char *text = config_setting_get_string_elem(s, i);
        if (!text) {
            complain(l, where, o->key, "expected a list of strings");
            return;
        }
        if (strlist_add(list, text, strlen(text)) != LAMP_OK) {
            complain(l, where, o->key, "too many entries");
            return;
        }
    }
}

static void set_from_file(struct loader *l, config_setting_t *s, const char *key, const char *path)
{
    char where[WHERE_MAX], text[STR_MAX + 2];
    const char *file = config_setting_source_file(s);
    snprintf(where, sizeof(where), "%s:%u", file ? file : path, config_setting_source_line(s));

    const struct lamp_opt *o = find_key(l->spec, key);
    if (!o) {
        complain(l, where, key, "unknown key (see --help for the list)");
        return;
    }
    const bool aggregate = config_setting_is_aggregate(s);
    if (aggregate && o->type == LAMP_OPT_LIST && !config_setting_is_group(s)) {
        set_from_list(l, o, s, where);
        return;
    }
    if (aggregate) {
        complain(l, where, key, "expected a single value");
        return;
    }
    if (o->type == LAMP_OPT_STR && config_setting_type(s) != CONFIG_TYPE_STRING) {
        complain(l, where, key, "expected text in quotes");
        return;
    }
    const char *string = config_setting_get_string(s);
    setting_text(s, text, sizeof(text));
    set_text(l, o, string ? string : text, where);
}

static void walk_group(struct loader *l, config_setting_t *group, const char *path)
{
    const char *prefix = config_setting_name(group);
    for (int i = 0; i < config_setting_length(group); i++) {
        config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        char key[256];
        snprintf(key, sizeof(key), "%s%s%s", prefix ? prefix : "", prefix ? "." : "",
                 config_setting_name(s));
        if (!prefix && config_setting_is_group(s) && is_group(l->spec, key))
            walk_group(l, s, path);
        else
            set_from_file(l, s, key, path);
    }
}

static void load_file(struct loader *l, const char *path)
{
    config_t cfg;
    config_init(&cfg);
    errno = 0;
    const bool read = config_read_file(&cfg, path) == CONFIG_TRUE;
    const int read_errno = errno ? errno : EIO;
    if (read) {
        walk_group(l, config_root_setting(&cfg), path);
    } else {
        char where[WHERE_MAX];
        const char *file = config_error_file(&cfg);
        const bool parse = config_error_type(&cfg) == CONFIG_ERR_PARSE;
        if (parse)
            snprintf(where, sizeof(where), "%s:%d", file ? file : path, config_error_line(&cfg));
        else
            snprintf(where, sizeof(where), "%s", path);
        complain(l, where, parse ? "syntax" : "cannot be read",
                 parse ? config_error_text(&cfg) : lamp_strerror(-read_errno));
    }
    config_destroy(&cfg);
}

/* The file, then FILE's folder/conf.d (all *.conf files in order of their names). */
static void load_file_and_parts(struct loader *l, const char *path)
{
    load_file(l, path);

    char pattern[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(pattern, sizeof(pattern), "%.*sconf.d/*.conf", slash ? (int)(slash - path + 1) : 0,
             path);
    glob_t g;
    if (glob(pattern, 0, NULL, &g) != 0)
        return;
    for (size_t i = 0; i < g.gl_pathc; i++)
        load_file(l, g.gl_pathv[i]);
    globfree(&g);
}

/* "link.endpoint" as --link-endpoint or DAVYLAMP_LINK_ENDPOINT. */
static void option_name(const char *key, bool environment, char *buf, size_t size)
{
    size_t n = (size_t)snprintf(buf, size, "%s", environment ? "DAVYLAMP_" : "--");
    for (; *key && n + 1 < size; key++) {
        const bool mark = *key == '.' || *key == '_' || *key == '-';
        buf[n++] = environment ? (char)(mark ? '_' : toupper((unsigned char)*key))
                   : mark      ? '-'
                               : *key;
    }
    buf[n] = '\0';
}

static void load_environment(struct loader *l)
{
    for (size_t i = 0; i < l->spec->n_opts; i++) {
        char name[256];
        option_name(l->spec->opts[i].key, true, name, sizeof(name));
        const char *text = getenv(name);
        if (text)
            set_text(l, &l->spec->opts[i], text, name);
    }
}

static void load_defaults(struct loader *l)
{
    for (size_t i = 0; i < l->spec->n_opts; i++)
        set_text(l, &l->spec->opts[i], l->spec->opts[i].def, "default");
    if (l->spec->given)
        memset((char *)l->conf + l->spec->given, 0, sizeof(uint64_t));
}

struct arguments {
    const char *file;
    bool check, print;
    int first; /* the first argument that is no option */
};

static const struct lamp_opt *find_option(const struct lamp_conf_spec *spec, const char *arg,
                                          size_t len)
{
    for (size_t i = 0; i < spec->n_opts; i++) {
        char name[256];
        option_name(spec->opts[i].key, false, name, sizeof(name));
        if (strlen(name) == len && memcmp(name, arg, len) == 0)
            return &spec->opts[i];
    }
    return NULL;
}

/* Goes over argv; with apply == false only looks for --config and the actions. */
static enum lamp_conf_action walk_arguments(struct loader *l, int argc, char **argv,
                                            struct arguments *a, bool apply)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        char *arg = argv[i];
        if (streq(arg, "--")) {
            i++;
            break;
        }
        if (streq(arg, "-h") || streq(arg, "--help")) {
            lamp_conf_help(l->spec, stdout);
            return LAMP_CONF_EXIT_OK;
        }
        if (streq(arg, "-V") || streq(arg, "--version")) {
            printf("%s %s\n", l->spec->program, LAMP_VERSION);
            return LAMP_CONF_EXIT_OK;
        }
        if (streq(arg, "--check-config")) {
            a->check = true;
            continue;
        }
        if (streq(arg, "--print-config")) {
            a->print = true;
            continue;
        }
        const char *value = strchr(arg, '=');
        const size_t len = value ? (size_t)(value - arg) : strlen(arg);
        const bool config = streq(arg, "-c") || (len == 8 && memcmp(arg, "--config", 8) == 0);
        const struct lamp_opt *o = config ? NULL : find_option(l->spec, arg, len);
        if (!config && !o) {
            if (apply)
                complain(l, "command line", arg, "unknown option (see --help)");
            continue;
        }
        if (value) {
            value++;
        } else if (o && o->type == LAMP_OPT_BOOL) {
            value = "true";
        } else if (i + 1 < argc) {
            value = argv[++i];
        } else {
            if (apply)
                complain(l, "command line", arg, "needs a value");
            continue;
        }
        if (config)
            a->file = value;
        else if (apply)
            set_text(l, o, value, "command line");
    }
    a->first = i;
    return LAMP_CONF_RUN;
}

enum lamp_conf_action lamp_conf_load(const struct lamp_conf_spec *spec, int argc, char **argv,
                                     void *conf, int *out_first)
{
    struct loader l = { spec, conf, stderr, 0 };
    struct arguments a = { 0 };
    enum lamp_conf_action action = walk_arguments(&l, argc, argv, &a, false);
    if (action != LAMP_CONF_RUN)
        return action;

    load_defaults(&l);
    if (a.file)
        load_file_and_parts(&l, a.file);
    else if (spec->default_file && access(spec->default_file, F_OK) == 0)
        load_file_and_parts(&l, spec->default_file);
    load_environment(&l);
    (void)walk_arguments(&l, argc, argv, &a, true);
    if (l.n_errors)
        return LAMP_CONF_EXIT_USAGE;
    char why[LAMP_CONF_WHY] = "out of memory";
    if (a.check && spec->check && spec->check(conf, why) != LAMP_OK) {
        fprintf(stderr, "%s: %s\n", spec->program, why);
        return LAMP_CONF_EXIT_USAGE;
    }
    if (a.print)
        lamp_conf_print(spec, conf, stdout);
    else if (a.check)
        printf("%s: configuration is good\n", spec->program);
    if (a.print || a.check)
        return LAMP_CONF_EXIT_OK;
    *out_first = a.first;
    return LAMP_CONF_RUN;
}

int lamp_conf_load_file(const struct lamp_conf_spec *spec, const char *path, void *conf,
                        FILE *errors)
{
    struct loader l = { spec, conf, errors, 0 };
    load_defaults(&l);
    load_file_and_parts(&l, path);
    load_environment(&l);
    return l.n_errors ? LAMP_EFORMAT : LAMP_OK;
}

bool lamp_conf_is_given(const struct lamp_conf_spec *spec, const void *conf, const char *key)
{
    const struct lamp_opt *o = find_key(spec, key);
    uint64_t bits;
    assert(spec->given);
    memcpy(&bits, (const char *)conf + spec->given, sizeof(bits));
    return o && (bits >> (o - spec->opts) & 1);
}

static bool is_plain(const struct lamp_opt *o)
{
    return o->type != LAMP_OPT_STR && o->type != LAMP_OPT_LIST;
}

int lamp_conf_set(const struct lamp_conf_spec *spec, void *conf, const char *key, const char *text,
                  char why[LAMP_CONF_WHY])
{
    const struct lamp_opt *o = find_key(spec, key);
    if (!o || !is_plain(o))
        return LAMP_ENOENT;
    return parse_text(o, text, (char *)conf + o->offset, why, LAMP_CONF_WHY) ? LAMP_EFORMAT
                                                                             : LAMP_OK;
}

int lamp_opt_check(const struct lamp_opt *o, const char *text, char why[LAMP_CONF_WHY])
{
    union {
        bool b;
        int choice;
        int64_t n;
        double d;
    } value;
    assert(is_plain(o));
    return parse_text(o, text, &value, why, LAMP_CONF_WHY) ? LAMP_EFORMAT : LAMP_OK;
}

void lamp_conf_free(const struct lamp_conf_spec *spec, void *conf)
{
    for (size_t i = 0; i < spec->n_opts; i++) {
        const struct lamp_opt *o = &spec->opts[i];
        void *p = (char *)conf + o->offset;
        if (o->type == LAMP_OPT_STR) {
            free(*(char **)p);
            *(char **)p = NULL;
        } else if (o->type == LAMP_OPT_LIST) {
            strlist_clear(p);
        }
    }
}

static void print_quoted(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            fprintf(out, "\\x%02x", *s);
        else
            fprintf(out, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    }
    fputc('"', out);
}

/* The shortest form that reads back as the same number, with the point libconfig asks for. */
static void print_double(FILE *out, double v)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    fprintf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_value(const struct lamp_opt *o, const void *p, FILE *out)
{
    char name[64];
    switch (o->type) {
    case LAMP_OPT_BOOL:
        fputs(*(const bool *)p ? "true" : "false", out);
        break;
    case LAMP_OPT_INT: {
        const int64_t v = *(const int64_t *)p;
        fprintf(out, "%" PRId64 "%s", v, v > INT32_MAX || v < INT32_MIN ? "L" : "");
        break;
    }
    case LAMP_OPT_DOUBLE:
        print_double(out, *(const double *)p);
        break;
    case LAMP_OPT_STR:
        print_quoted(out, *(char *const *)p);
        break;
    case LAMP_OPT_ENUM:
        enum_name(o->values, *(const int *)p, name, sizeof(name));
        print_quoted(out, name);
        break;
    case LAMP_OPT_LIST: {
        const struct lamp_strlist *list = p;
        fputc('[', out);
        for (size_t i = 0; i < list->n; i++) {
            fputs(i ? ", " : "", out);
            print_quoted(out, list->v[i]);
        }
        fputc(']', out);
        break;
    }
    }
}

void lamp_conf_print(const struct lamp_conf_spec *spec, const void *conf, FILE *out)
{
    const char *open = ""; /* the group of the line before, and its length */
    size_t open_len = 0;
    for (size_t i = 0; i < spec->n_opts; i++) {
        const struct lamp_opt *o = &spec->opts[i];
        const char *dot = strchr(o->key, '.');
        const size_t len = dot ? (size_t)(dot - o->key) : 0;
        if (len != open_len || memcmp(o->key, open, len) != 0) {
            if (open_len)
                fputs("};\n", out);
            if (len)
                fprintf(out, "%.*s = {\n", (int)len, o->key);
            open = o->key;
            open_len = len;
        }
        const char *indent = len ? "    " : "";
        fprintf(out, "%s# %s\n%s%s = ", indent, o->help, indent, dot ? dot + 1 : o->key);
        print_value(o, (const char *)conf + o->offset, out);
        fputs(";\n", out);
    }
    if (open_len)
        fputs("};\n", out);
}

void lamp_conf_help(const struct lamp_conf_spec *spec, FILE *out)
{
    fprintf(out, "%s\n\nUsage: %s\n\n", spec->about, spec->usage);
    fputs("Options (in the configuration file \"group.name\" is name in group = { ... }):\n", out);
    fputs("  -c, --config FILE       read FILE and the conf.d/*.conf files beside it", out);
    if (spec->default_file)
        fprintf(out, "\n                          (default %s)", spec->default_file);
    fputs("\n  --check-config          say whether the configuration is good, and stop\n"
          "  --print-config          print the configuration in force, and stop\n"
          "  -h, --help              print this, and stop\n"
          "  -V, --version           print the version, and stop\n",
          out);
    for (size_t i = 0; i < spec->n_opts; i++) {
        const struct lamp_opt *o = &spec->opts[i];
        char name[256], range[256];
        option_name(o->key, false, name, sizeof(name));
        describe_range(o, range, sizeof(range));
        fprintf(out, "  %-23s %s [%s; default %s]\n", name, o->help, range,
                *o->def ? o->def : "none");
    }
}
