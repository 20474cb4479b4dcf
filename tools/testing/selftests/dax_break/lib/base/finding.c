// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "finding.h"

void finding_set(struct finding *finding, enum promise promise, const char *fmt, ...)
{
	va_list ap;

	finding->promise = promise;
	va_start(ap, fmt);
	vsnprintf(finding->text, sizeof(finding->text), fmt, ap);
	va_end(ap);
}
