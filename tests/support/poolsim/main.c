/* SPDX-License-Identifier: Apache-2.0 */
/* poolsim: scripted pools, miners and other traffic, on sockets or in capture files. It never
 * hashes anything and never talks to a real pool: shares are made up, at exponential
 * intervals, so the true hash rate is known. */
#include "common/util.h"
#include "tests/support/poolsim/commands.h"

#include <signal.h>
#include <stdio.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    { "pool", sim_cmd_pool, "a pool that hands out jobs and answers shares" },
    { "client", sim_cmd_client, "a miner of known hash rate" },
    { "write", sim_cmd_write, "a capture file from a script" },
    { "noise", sim_cmd_noise, "a plain download, server or client, that measures its stalls" },
    { "record", sim_cmd_record, "counts (and keeps) the frames of an interface" },
};

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
        if (streq(argv[1], commands[i].name))
            return commands[i].run(argc, argv);
    }
    FILE *out = argc > 1 && streq(argv[1], "--help") ? stdout : stderr;
    fputs("usage: poolsim COMMAND [--help] [OPTION...]\n", out);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
    return out == stdout ? 0 : 2;
}
