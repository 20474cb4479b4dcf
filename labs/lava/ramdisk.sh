#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A small Debian that the suite runs in, as a ramdisk for guests and boards.
#
#   labs/lava/ramdisk.sh OUT.cpio.gz
#
# It takes root, mmdebstrap and cpio. The user is root, without a password. Kernel modules
# are not part of it: LAVA adds them, and the suite.

set -euo pipefail

# What boots it; what the programs of the suite run, and what they are linked with.
packages=systemd-sysv,udev,kmod,procps,ndctl,xfsprogs,e2fsprogs,liburing2,libndctl6,libblkid1,libpmem2

if [ $# -ne 1 ]; then
	echo "usage: $0 OUT.cpio.gz" >&2
	exit 2
fi
for command in mmdebstrap cpio; do
	if ! command -v $command >/dev/null; then
		echo "$0: there is no $command; run as root: apt-get install mmdebstrap cpio" >&2
		exit 2
	fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

mmdebstrap --quiet --variant=minbase --include="$packages" \
	--dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' \
	bookworm "$root"
chroot "$root" passwd --quiet --delete root
echo dax-break >"$root/etc/hostname"
ln -s sbin/init "$root/init"
(cd "$root" && find . | cpio --quiet -o -H newc) | gzip -1 >"$work/ramdisk"
mv "$work/ramdisk" "$1"
