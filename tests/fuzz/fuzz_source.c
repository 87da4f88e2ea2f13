/* SPDX-License-Identifier: Apache-2.0 */
/* Capture files, compressed or not: every frame that comes out is whole, and the file ends. */
#include "sensor/source/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads every byte of a frame, so that the sanitizers see those that are not there. */
static void touch(const struct lamp_frame *f)
{
    for (uint32_t i = 0; i < f->cap_len; i++)
        (void)*(const volatile uint8_t *)(f->data + i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    lamp_source *s = NULL;
    char why[LAMP_SOURCE_WHY] = "";
    struct lamp_frame frames[32];
    size_t n = 0;
    int err = lamp_source_open_file(path, &s, why);
    /* what a small input unpacks to has no end that is worth waiting for */
    for (unsigned turns = 0; !err && turns < 1000; turns++) {
        err = lamp_source_read(s, frames, ARRAY_LEN(frames), &n, why);
        for (size_t i = 0; !err && i < n; i++) {
            if (frames[i].cap_len > frames[i].orig_len)
                abort();
            touch(&frames[i]);
        }
    }
    if (err && err != LAMP_ECLOSED && why[0] == '\0')
        abort();
    lamp_source_close(s);
    close(fd);
    return 0;
}
