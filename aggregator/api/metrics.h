/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: figures as Prometheus reads them (text format 0.0.4,
 * prometheus.io/docs/instrumenting/exposition_formats). */
#pragma once

#include <stdint.h>
#include <stdio.h>

enum lamp_metric_type { LAMP_METRIC_COUNTER, LAMP_METRIC_GAUGE };

/* What a metric is: written once, before its samples. The name is one of ours: [a-z_]. */
void lamp_metric(FILE *out, enum lamp_metric_type type, const char *name, const char *help);

/* One sample; label NULL: none. The value of the label is a word of ours, which needs no quoting. */
void lamp_metric_sample(FILE *out, const char *name, const char *label, const char *value,
                        double sample);

/* A metric with one sample. */
void lamp_metric_one(FILE *out, enum lamp_metric_type type, const char *name, const char *help,
                     double sample);
