/* SPDX-License-Identifier: Apache-2.0 */
/* download: an answer that is a file, as an attachment, read from disk as the client takes it. */
#pragma once

#include "aggregator/http/http.h"

struct lamp_download {
    const char *type,
        *name;        /* media type; the name it is to be kept under: letters, digits, ".-_" */
    const void *head; /* goes before the file's bytes; copied */
    size_t head_len;
    const char *path;
    uint64_t size; /* of the file, bytes that count */
};

/* Makes it the reply. LAMP_ENOENT: the file is not there, or shorter. LAMP_ENOMEM, negated errno. */
LAMP_CHECK int lamp_reply_download(struct lamp_reply *reply, const struct lamp_download *d);
