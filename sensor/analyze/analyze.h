/* SPDX-License-Identifier: Apache-2.0 */
/* analyze: `davylamp-sensor analyze`, mining in capture files and folders of them, with no
 * server at all. Each file gets an engine of its own, so memory does not grow with input. */
#pragma once

/* The command: argv[0] is "analyze". Returns the exit code: 0 done, 1 some input could not be
 * read (named on stderr and in the summary), 2 wrong usage. */
int lamp_analyze_main(int argc, char **argv);
