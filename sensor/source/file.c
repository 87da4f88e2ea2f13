/* SPDX-License-Identifier: Apache-2.0 */
/* file: capture files through libpcap: pcap and pcapng, any byte order, micro- and nanoseconds. */
#include "sensor/source/impl.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { BUFFER = 256 << 10 }; /* of stdio: its own 4 KiB cost a system call every few frames */

struct file {
    lamp_source base;
    pcap_t *pcap; /* owns the FILE */
    char *path, *buffer;
    int linktype;
    bool over; /* the end or damage was reported */
};

static void file_close(lamp_source *s)
{
    struct file *f = (struct file *)s;
    if (f->pcap)
        pcap_close(f->pcap);
    free(f->buffer); /* after the FILE that uses it */
    free(f->path);
    free(f);
}

/* Turns libpcap's complaint into an error of ours and a sentence. */
static int complain(const char *path, const char *text, char why[LAMP_SOURCE_WHY])
{
    if (strstr(text, "truncated"))
        return lamp_source_fail(LAMP_ETRUNC, why, "%s: the file ends too early (cut short?): %s",
                                path, text);
    /* libpcap takes a pcapng file only if all its interfaces are alike */
    if (strstr(text, "different from the type of the first interface") ||
        strstr(text, "different from the snapshot length of the first interface"))
        return lamp_source_fail(LAMP_EUNSUPPORTED, why,
                                "%s: interfaces of different link types or snapshot lengths in"
                                " one file are not supported, split it by interface: %s",
                                path, text);
    if (strstr(text, "unknown file format"))
        return lamp_source_fail(LAMP_EFORMAT, why, "%s: not a capture file (pcap or pcapng)", path);
    return lamp_source_fail(LAMP_EFORMAT, why, "%s: damaged capture file: %s", path, text);
}

static int file_next(lamp_source *s, struct lamp_frame *out, char why[LAMP_SOURCE_WHY])
{
    struct file *f = (struct file *)s;
    if (f->over)
        return LAMP_ECLOSED;
    struct pcap_pkthdr *header;
    const u_char *data;
    int rc = pcap_next_ex(f->pcap, &header, &data);
    if (rc == 1) {
        lamp_source_frame(header, data, f->linktype, out);
        return LAMP_OK;
    }
    f->over = true;
    if (rc == PCAP_ERROR_BREAK)
        return LAMP_ECLOSED;
    return complain(f->path, pcap_geterr(f->pcap), why);
}

static const struct lamp_source_ops file_ops = { .next = file_next, .close = file_close };

/* Opens what may be a capture file; names the common mistakes. */
static int open_stream(const char *path, FILE **out, char why[LAMP_SOURCE_WHY])
{
    FILE *stream = fopen(path, "rbe");
    if (!stream) {
        int err = errno;
        return lamp_source_fail(err == ENOENT ? LAMP_ENOENT : -err, why, "%s: %s", path,
                                lamp_strerror(-err));
    }
    struct stat st;
    const char *problem = NULL;
    if (fstat(fileno(stream), &st) == 0) {
        if (S_ISDIR(st.st_mode))
            problem = "a folder, not a capture file";
        else if (S_ISREG(st.st_mode) && st.st_size == 0)
            problem = "the file is empty";
    }
    if (problem) {
        fclose(stream);
        return lamp_source_fail(LAMP_EFORMAT, why, "%s: %s", path, problem);
    }
    *out = stream;
    return LAMP_OK;
}

int lamp_source_open_file(const char *path, lamp_source **out, char why[LAMP_SOURCE_WHY])
{
    FILE *stream = NULL;
    int err = open_stream(path, &stream, why);
    if (err != LAMP_OK)
        return err;

    struct file *f = calloc(1, sizeof(*f));
    char *copy = strdup(path), *buffer = malloc(BUFFER);
    if (!f || !copy || !buffer) {
        free(f);
        free(copy);
        free(buffer);
        fclose(stream);
        return lamp_source_fail(LAMP_ENOMEM, why, "%s: %s", path, lamp_strerror(LAMP_ENOMEM));
    }
    *f = (struct file){ .base = { &file_ops }, .path = copy, .buffer = buffer };
    setvbuf(stream, buffer, _IOFBF, BUFFER);

    char text[PCAP_ERRBUF_SIZE] = "";
    f->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_MICRO, text);
    if (f->pcap) {
        f->linktype = lamp_source_linktype(f->pcap);
        err = lamp_source_check_linktype(f->pcap, path, why);
    } else {
        fclose(stream);
        err = complain(path, text, why);
    }
    if (err != LAMP_OK) {
        file_close(&f->base);
        return err;
    }
    *out = &f->base;
    return LAMP_OK;
}
