#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Passes on what run_kselftest.sh prints, and tells LAVA each result at once: whatever
# becomes of the machine, LAVA has all of them up to then.
#
#   cd DIRECTORY-OF-RUN_KSELFTEST.SH && ./run_kselftest.sh -c dax_break | report.sh
#
# Every program is a test set, with a case for each of its tests, called as the test is.
# After that it is a case itself. If it was killed, its tests that have no result are
# "unknown".

set -eu

seen=$(mktemp)
trap 'rm -f "$seen"' EXIT

# RESULT LINE-FROM-THE-NUMBER-ON: a test's.
tell_test() {
	name=${2#* }
	name=${name%% *}
	case $2 in
	*" # SKIP"*)	result=skip ;;
	*)		result=$1 ;;
	esac
	echo "$name" >>"$seen"
	lava-test-case "$name" --result "$result"
}

tell_missing() {
	"dax_break/$1" -l | cut -d' ' -f1 | grep -vxFf "$seen" | while read -r name; do
		lava-test-case "$name" --result unknown
	done
}

# RESULT LINE: a program's, "selftests: dax_break: NAME" and what there is to say.
tell_program() {
	name=${2##*dax_break: }
	case $2 in
	*" # SKIP"*)	result=skip ;;
	*)		result=$1 ;;
	esac
	case $2 in
	*" # TIMEOUT"*|*" # exit="*)	tell_missing "${name%% *}" ;;
	esac
	lava-test-set stop
	lava-test-case "${name%% *}" --result "$result"
}

while IFS= read -r line; do
	printf '%s\n' "$line"
	case $line in
	"# selftests: dax_break: "*)
		: >"$seen"
		lava-test-set start "${line##*: }" ;;
	"# ok "[0-9]*)		tell_test pass "${line#\# ok }" ;;
	"# not ok "[0-9]*)	tell_test fail "${line#\# not ok }" ;;
	"ok "[0-9]*)		tell_program pass "$line" ;;
	"not ok "[0-9]*)	tell_program fail "$line" ;;
	esac
done
