/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/test.h"

#include "sensor/process/child.h"
#include "sensor/process/privilege.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* What a process of the sensor is after its start; 0: as it should be. */
static int started_process(void)
{
    int signo = 0;
    lamp_child_begin("lamp-test");
    if (lamp_child_drop("test", "nobody", 0) != LAMP_OK)
        return 1;
    if (prctl(PR_GET_PDEATHSIG, &signo) != 0 || signo != SIGTERM)
        return 2;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_DUMPABLE) != 0)
        return 3;
    if (geteuid() == 0)
        return 4;
    raise(SIGTERM);
    return lamp_child_stopping() ? 0 : 5;
}

/* It ends with its parent, also after it became another user. */
static void test_start(void **state)
{
    (void)state;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(started_process());
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_start) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
