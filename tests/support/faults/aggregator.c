/* SPDX-License-Identifier: Apache-2.0 */
/* Linked with the aggregator's main program: its clock can be set, its disk filled up. */
#include "common/clock.h"
#include "tests/support/faults/control.h"
#include "tests/support/faults/disk.h"

static struct control *control;

uint64_t __real_lamp_clock_real_us(void);
uint64_t __wrap_lamp_clock_real_us(void);

uint64_t __wrap_lamp_clock_real_us(void)
{
    atomic_store(&control->clock_us, lamp_clock_mono_us());
    return __real_lamp_clock_real_us() + (uint64_t)atomic_load(&control->step_us);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv(FAULT_CONTROL);
    control = path ? control_map(path) : NULL;
    if (!control)
        abort();
    disk_full_flag(&control->disk_full);
}
