#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the build and the runner need from the machine they run on, and its
# installation.
#
#   vm/packages.sh [--no-install] [check] [kbuild] [bench] [junit]
#
# That is what it takes to build the tests and boot a guest; check adds the tools
# of the source checks, kbuild what builds kernels, bench those of the benchmark,
# junit what writes JUnit's XML.
# Nothing is printed, and the exit status is 0, when nothing is missing. As root,
# whatever is missing is installed with apt-get; otherwise, and with --no-install,
# one line tells what is missing and how to install it, and the exit status is 2.
# What is only nice to have is installed along with the rest, and never missing.
#
# Nothing beyond the tools that every Debian has (dpkg-deb, apt-get, coreutils)
# is taken for granted.

set -euo pipefail

# group, probe, Debian package, what for. A probe is
#   cmd:NAME   a command, administrator's ones included
#   pc:NAME    a library that pkg-config knows
#   file:PATH  a file
# gcc only recommends libc6-dev. qemu-system-x86 depends on all that booting a
# kernel with -kernel takes (seabios, ipxe-qemu, qemu-system-data). Every
# Debian has a perl command (perl-base), but not the modules that checkpatch
# uses: prove comes with those.
table() {
	cat <<-'EOF'
	run	cmd:gcc				gcc			builds the tests
	run	file:/usr/include/stdio.h	libc6-dev		builds the tests
	run	cmd:make			make			builds the tests
	run	cmd:pkg-config			pkg-config		finds the libraries
	run	pc:liburing			liburing-dev		serves ublk devices
	run	pc:libpmem2			libpmem2-dev		maps persistent memory
	run	pc:libndctl			libndctl-dev		creates namespaces
	run	pc:blkid			libblkid-dev		recognizes data on a device
	run	cmd:python3			python3			runs the guest
	run	cmd:qemu-system-x86_64		qemu-system-x86		boots the guest
	run	cmd:busybox			busybox-static		is the guest's shell
	run	cmd:mkfs.xfs			xfsprogs		makes and checks XFS
	run	cmd:mkfs.ext4			e2fsprogs		makes and checks ext4
	run	cmd:xz				xz-utils		unpacks kernels
	run	cmd:zstd			zstd			unpacks kernels
	run	file:/usr/share/keyrings/debian-archive-keyring.gpg	debian-archive-keyring	verifies downloaded kernels
	nice	file:/usr/lib/python3/dist-packages/rich	python3-rich	shows what guests do
	check	file:/usr/lib/python3/dist-packages/rich	python3-rich	shows what guests do
	check	file:/usr/lib/python3/dist-packages/junitparser	python3-junitparser	writes JUnit's XML
	junit	file:/usr/lib/python3/dist-packages/junitparser	python3-junitparser	writes JUnit's XML
	check	cmd:tmux			tmux			is a terminal to show it on
	check	cmd:shellcheck			shellcheck		checks shell scripts
	check	cmd:sparse			sparse			checks C code
	check	cmd:git				git			lists the files to check
	check	cmd:prove			perl			runs checkpatch, reads results
	check	file:/usr/lib/python3/dist-packages/tap	python3-tap	reads results
	check	cmd:rsync			rsync			installs kselftests
	check	file:/usr/lib/python3/dist-packages/jinja2	python3-jinja2	makes jobs for LAVA
	check	file:/usr/share/lava-common/lava-schema.py	lava-common	checks them
	kbuild	cmd:rsync			rsync			copies kernel sources
	kbuild	cmd:spatch			coccinelle		breaks and mends kernels
	kbuild	cmd:flex			flex			configures kernels
	kbuild	cmd:bison			bison			configures kernels
	kbuild	cmd:bc				bc			builds kernels
	kbuild	file:/usr/include/gelf.h	libelf-dev		builds kernels
	bench	cmd:gnuplot			gnuplot-nox		plots a benchmark
	EOF
}

usage() {
	echo "usage: $0 [--no-install] [check] [kbuild] [bench] [junit]" >&2
	exit 2
}

present() {
	case $1 in
	cmd:*)	command -v "${1#cmd:}" >/dev/null ;;
	pc:*)	pkg-config --exists "${1#pc:}" 2>/dev/null ;;
	file:*)	[ -e "${1#file:}" ] ;;
	esac
}

# Sets packages, the Debian packages to install, and two texts for people:
# probes, what was looked for in vain, and reasons, what each package is for.
find_missing() {
	local group probe package reason
	packages=() probes="" reasons=""
	while read -r group probe package reason; do
		[[ $wanted == *" $group "* ]] || continue
		present "$probe" && continue
		[[ " ${packages[*]} " == *" $package "* ]] && continue
		packages+=("$package")
		probes+="${probes:+, }${probe#*:}"
		reasons+="${reasons:+, }$package ($reason)"
	done < <(table)
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get install -y \
		--no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
}

# A fresh machine has no package lists, and old lists name files that the
# mirror no longer has: get new ones then, and only then.
install() {
	if [ -n "$(apt-get indextargets)" ] && apt_install "$@"; then
		return
	fi
	apt-get update && apt_install "$@"
}

wanted=" run "
may_install=yes
for arg; do
	case $arg in
	--no-install)	may_install=no ;;
	check|kbuild|bench|junit)	wanted+="$arg " ;;
	*)		usage ;;
	esac
done

PATH=$PATH:/usr/sbin:/sbin

find_missing
[ ${#packages[@]} -gt 0 ] || exit 0
wanted+="nice "
find_missing

if ! command -v apt-get >/dev/null; then
	echo "missing: $probes; install them (there is no apt-get here to do it)" >&2
	exit 2
fi
remedy="run as root: apt-get install -y --no-install-recommends ${packages[*]}"
if [ $may_install = no ] || [ "$(id -u)" -ne 0 ]; then
	echo "missing: $probes; $remedy" >&2
	exit 2
fi

echo "installing: $reasons" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! install "${packages[@]}" >"$log" 2>&1; then
	cat "$log" >&2
	echo "cannot install ${packages[*]}: apt-get failed as shown above; repair that and run this again" >&2
	exit 2
fi

hash -r
wanted=${wanted/ nice / }
find_missing
if [ ${#packages[@]} -gt 0 ]; then
	echo "still missing after installing ${packages[*]}: $probes" >&2
	exit 2
fi
