#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The suite in a kernel tree.
#
#   tree/tree.sh install TREE	   copies it there, and adds it to the kselftest targets
#   tree/tree.sh uninstall TREE	   takes both back
#   tree/tree.sh patch TREE DIR    writes a series of patches against TREE to DIR, ready to
#				   be mailed; tree/series/ says what is in which
#
# Each may be repeated. A TREE is only changed below tools/testing/selftests.

set -euo pipefail

name=dax_break
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
selftests=tools/testing/selftests

die() {
	echo "$0: $1" >&2
	exit 2
}

# Before the first target that sorts after ours; the list is all but sorted.
add_target() {
	local makefile=$1/$selftests/Makefile

	grep -qx "TARGETS += $name" "$makefile" && return
	LC_ALL=C awk -v line="TARGETS += $name" '
		!done && /^TARGETS \+= / && $0 > line { print line; done = 1 }
		{ print }
	' "$makefile" >"$makefile.new"
	cat "$makefile.new" >"$makefile"
	rm "$makefile.new"
	grep -qx "TARGETS += $name" "$makefile" || die "$makefile: no place for $name"
}

remove_target() {
	sed -i "/^TARGETS += $name\$/d" "$1/$selftests/Makefile"
}

# Sources only: it may have been built in its place.
install() {
	rm -rf "${1:?}/$selftests/$name"
	(cd "$here/../$selftests" &&
	 find "$name" \( -name '*.[ch]' -o -name Makefile -o -name config -o -name settings \
		-o -name .gitignore -o -name README.rst \) -print0 |
	 xargs -0 cp --parents -t "$1/$selftests")
	add_target "$1"
}

uninstall() {
	rm -rf "${1:?}/$selftests/$name"
	remove_target "$1"
}

# The entry goes before the one whose title is next in the alphabet, wherever that is.
add_maintainers() {
	local list=$1 entry=$2 next

	next=$(sed '0,/^Maintainers List/d' "$list" | grep '^[A-Z0-9].[^:]' | grep -v '^[A-Z]:' |
	       LC_ALL=C awk -v title="${entry%%$'\n'*}" \
			'$0 > title && (!next_one || $0 < next_one) { next_one = $0 }
			 END { print next_one }') ||
		die "$list: no entry that ours could stand before"
	NEXT=$next ENTRY=$entry awk '
		$0 == ENVIRON["NEXT"] && !done { print ENVIRON["ENTRY"] "\n"; done = 1 }
		{ print }
	' "$list" >"$list.new"
	mv "$list.new" "$list"
}

# In a repository that has no more than the files that the patches are about. Who the author
# is comes first: git looks for it in more places than one.
patch() {
	local tree=$1 out=$2 work who

	if ! who=$(git -c user.useConfigOnly=true var GIT_AUTHOR_IDENT 2>/dev/null) ||
	   ! git -c user.useConfigOnly=true var GIT_COMMITTER_IDENT >/dev/null 2>&1; then
		die "git does not know who the author is: git config --global user.email you@example.org, and user.name"
	fi
	who=${who%>*}
	work=$(mktemp -d)
	# shellcheck disable=SC2064
	trap "rm -rf '$work'" EXIT
	mkdir -p "$work/$selftests" "$out"
	out=$(cd "$out" && pwd)
	cp "$tree/MAINTAINERS" "$work"
	cp "$tree/$selftests/Makefile" "$work/$selftests"
	git -C "$work" init -q
	git -C "$work" config user.name "${who% <*}"
	git -C "$work" config user.email "${who##*<}"
	git -C "$work" add .
	git -C "$work" commit -qm base
	add_target "$work"
	add_maintainers "$work/MAINTAINERS" "$(sed "/^#/d" "$here/maintainers")"
	sed -i "s/@AUTHOR@/${who//[&\/\\]/\\&}>/" "$work/MAINTAINERS"
	cd "$here/.."
	vm/python.sh -m tree.mail "$tree" "$work" "$out"
}

[ $# -ge 2 ] || die "usage: install TREE | uninstall TREE | patch TREE DIR"
if ! [ -f "$2/MAINTAINERS" ] || ! [ -f "$2/$selftests/Makefile" ]; then
	die "$2 is not a kernel tree: name one by KDIR="
fi
tree=$(cd "$2" && pwd)
case $1 in
install)	install "$tree" ;;
uninstall)	uninstall "$tree" ;;
patch)		patch "$tree" "${3:?DIR}" ;;
*)		die "$1: install, uninstall or patch" ;;
esac
