// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "finding.h"

static __thread char reason[512] = "no reason given";

void finding_set(struct finding *finding, enum promise promise, const char *fmt, ...)
{
	va_list ap;

	finding->promise = promise;
	va_start(ap, fmt);
	vsnprintf(finding->text, sizeof(finding->text), fmt, ap);
	va_end(ap);
}

void finding_tell(enum promise promise, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* As TH_LOG() writes it. */
	fprintf(stderr, "# %s:%d:%s:" FINDING_FORMAT "%s\n", __FILE__, __LINE__, __func__,
		promise, text);
}

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
