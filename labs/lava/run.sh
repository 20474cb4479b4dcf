#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the suite on a machine of LAVA, and tells LAVA each result. dax_break.yaml says
# what KSELFTEST, PMEM, TESTS and TIMEOUT are.

set -eu

here=$(cd "$(dirname "$0")" && pwd)

# What is not the kernel's fault is not a result: the job ends incomplete.
die() {
	lava-test-raise "dax_break: $*"
	exit 1
}

# Memory that the kernel's command line has set aside (memmap=SIZE!START) is nobody's: it
# was RAM when the machine was switched on. It has no labels: a region is a namespace.
claim_memmap() {
	grep -q 'memmap=[^ ]*!' /proc/cmdline ||
		die "PMEM is memmap, but the kernel's command line has no memmap=SIZE!START"
	PMEM=
	for directory in /sys/devices/platform/e820_pmem/ndbus*/region*/namespace*.0; do
		namespace=${directory##*/}
		uuid=$(ndctl create-namespace -f -e "$namespace" -m fsdax |
		       sed -n 's/.*"uuid":"\([^"]*\)".*/\1/p' | head -n 1)
		[ -n "$uuid" ] || die "ndctl cannot make a namespace of $namespace"
		PMEM=$PMEM${PMEM:+,}$namespace=$uuid
	done
}

case $KSELFTEST in
http*://*)
	mkdir kselftest
	wget -q -O kselftest.tar "$KSELFTEST" || die "cannot fetch $KSELFTEST"
	tar -xaf kselftest.tar -C kselftest || die "cannot unpack $KSELFTEST"
	KSELFTEST=kselftest ;;
esac
cd "$KSELFTEST" || die "$KSELFTEST is not there: the job should put kselftest's tarball into it"
grep -q ^dax_break: kselftest-list.txt || die "kselftest's tarball was made without dax_break"

# No device announces itself that would make udev load these.
modprobe -aq ublk_drv fuse || true
if [ "$PMEM" = memmap ]; then
	claim_memmap
fi
export DAX_BREAK_PMEM="$PMEM"

set --
for test in $TESTS; do
	set -- "$@" -t "dax_break:$test"
done
[ $# -gt 0 ] || set -- -c dax_break
if [ -n "$TIMEOUT" ]; then
	set -- "$@" -o "$TIMEOUT"
fi
./run_kselftest.sh "$@" 2>&1 | "$here/report.sh"
