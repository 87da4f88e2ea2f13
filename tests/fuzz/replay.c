/* SPDX-License-Identifier: Apache-2.0 */
/* replay: main() for fuzz targets built without libFuzzer. Runs the target once over every
 * regular file of the folders (or the files) given as arguments. */
#include "common/io.h"
#include "tests/support/guarded.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 16 * 1024 * 1024 };

/* Returns how many inputs ran; -1 when one could not be read. */
static int replay_file(const char *path)
{
    LAMP_AUTO_FREE char *text = NULL;
    size_t len = 0;
    int rc = lamp_io_read_file(path, INPUT_MAX, &text, &len);
    if (rc) {
        fprintf(stderr, "%s: %s\n", path, lamp_strerror(rc));
        return -1;
    }
    uint8_t *copy = guarded_dup(text, len);
    LLVMFuzzerTestOneInput(copy, len);
    guarded_free(copy);
    return 1;
}

static int replay(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        perror(path);
        return -1;
    }
    if (!S_ISDIR(st.st_mode))
        return replay_file(path);
    DIR *dir = opendir(path);
    if (!dir) {
        perror(path);
        return -1;
    }
    int count = 0;
    struct dirent *entry;
    while (count >= 0 && (entry = readdir(dir))) {
        char file[PATH_MAX];
        int len = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || len >= (int)sizeof(file))
            continue;
        int n = replay(file);
        count = n < 0 ? -1 : count + n;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;
    for (int i = 1; i < argc; i++) {
        int n = replay(argv[i]);
        if (n < 0)
            return 1;
        total += n;
    }
    printf("%d inputs\n", total);
    return total > 0 ? 0 : 1; /* an empty corpus tests nothing */
}
