// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "why.h"

static __thread char reason[512] = "no reason given";

int why_set(int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	return -err;
}

int why_broken(int err, enum promise promise, const char *fmt, ...)
{
	va_list ap;
	size_t len;

	snprintf(reason, sizeof(reason), FINDING_FORMAT, promise);
	len = strlen(reason);
	va_start(ap, fmt);
	vsnprintf(reason + len, sizeof(reason) - len, fmt, ap);
	va_end(ap);
	return -err;
}

const char *why(void)
{
	return reason;
}
