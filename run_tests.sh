#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Front door: ./run_tests.sh --help. All it does itself is see to a python3.

set -euo pipefail

# What is closed would be the next file that is opened, which is this script if it was bash
# that did.
self=${BASH_SOURCE[0]}
[[ -e /dev/fd/0 && ! /dev/fd/0 -ef $self ]] || exec 0</dev/null
[[ -e /dev/fd/1 && ! /dev/fd/1 -ef $self ]] || exec 1>/dev/null
[[ -e /dev/fd/2 && ! /dev/fd/2 -ef $self ]] || exec 2>/dev/null

here=$(cd "$(dirname "$(readlink -f "$self")")" && pwd)

if ! command -v python3 >/dev/null; then
	# git bisect run takes 2 for the verdict that a commit is bad, and 255 for none.
	case " $* " in
	*" --bisect "*)	cannot=255 ;;
	*)		cannot=2 ;;
	esac
	case " $* " in
	*" --no-install "*)	"$here/vm/packages.sh" --no-install || exit $cannot ;;
	*)			"$here/vm/packages.sh" || exit $cannot ;;
	esac
fi

export PYTHONPATH=$here PYTHONPYCACHEPREFIX=$here/build/pycache
exec "$here/vm/python.sh" -m vm.run.cli "$@"
