/* SPDX-License-Identifier: Apache-2.0 */
/* commands: poolsim's commands, one file each. argv[0] is the program, argv[1] the command.
 * Each returns the exit code: 0 done, 1 failed (said on stderr), 2 usage. */
#pragma once

int sim_cmd_pool(int argc, char **argv);
int sim_cmd_client(int argc, char **argv);
int sim_cmd_write(int argc, char **argv);
int sim_cmd_noise(int argc, char **argv);
int sim_cmd_record(int argc, char **argv);
