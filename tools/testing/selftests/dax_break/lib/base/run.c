// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>

#include "base/run.h"

__u64 run_token(void)
{
	const char *token = getenv(RUN_ENV);

	return token ? strtoull(token, NULL, 16) : 0;
}
