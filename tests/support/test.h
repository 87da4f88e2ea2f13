/* SPDX-License-Identifier: Apache-2.0 */
/* test: cmocka with the headers it wants before it, and what every unit test uses. */
#pragma once

/* cmocka.h needs these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/util.h"
#include "tests/support/guarded.h"

#include <stdio.h>
