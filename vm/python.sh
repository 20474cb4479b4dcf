#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Is python3, with the same arguments. On a terminal it is Debian's if that has rich, to
# show what is going on: one that comes first in PATH may not see Debian's packages.

set -euo pipefail

python=python3
if [ -t 1 ] &&
   /usr/bin/python3 -c 'import rich, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
	python=/usr/bin/python3
fi
exec "$python" "$@"
