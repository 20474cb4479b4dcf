#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Front door: ./run_tests.sh --help. All it does itself is see to a python3.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! command -v python3 >/dev/null; then
	case " $* " in
	*" --no-install "*)	"$here/vm/packages.sh" --no-install ;;
	*)			"$here/vm/packages.sh" ;;
	esac
fi

export PYTHONPATH=$here PYTHONPYCACHEPREFIX=$here/build/pycache
exec "$here/vm/python.sh" -m vm.run.cli "$@"
