#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Is python3, with the same arguments. It is Debian's instead if that has, or can get, a
# module that is of use, and the one that comes first in PATH does not see Debian's modules:
# rich shows what is going on on a terminal, junitparser is for --junit.

set -euo pipefail

# Is Debian's python new enough? With a module, does it have that?
debians() {
	/usr/bin/python3 -c "import sys${1:+, $1}; sys.exit(sys.version_info < (3, 11))" 2>/dev/null
}

python=python3
if [[ " $* " == *" --junit"[\ =]* ]]; then
	if ! python3 -c 'import junitparser' 2>/dev/null && debians; then
		python=/usr/bin/python3
	fi
elif [ -t 1 ] && debians rich; then
	python=/usr/bin/python3
fi
exec "$python" "$@"
