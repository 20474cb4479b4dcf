# SPDX-License-Identifier: GPL-2.0
"""Kernel sources from Debian's packages linux-source-*.

    python3 -m vm.kernel.source BUILD

makes BUILD/framework, a kernel tree with kselftest, for those who name none (KDIR=).
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from .. import command
from ..base import RunError, version
from .apt import Apt, run

# What building, running and installing a kselftest takes, checkpatch.pl (with
# --no-tree), and kunit.py, which reads results. A directory stands for all that
# is in it; the * of a pattern does not match a slash. tools/include is left out
# on purpose: without "make headers" its headers do not fit those of the C library.
FRAMEWORK = (
    "Makefile",                         # names the version
    "scripts/checkpatch.pl",
    "scripts/const_structs.checkpatch",
    "scripts/spelling.txt",
    "scripts/subarch.include",
    "tools/testing/selftests/Makefile",
    "tools/testing/selftests/lib.mk",
    "tools/testing/selftests/*.h",
    "tools/testing/selftests/*.sh",
    "tools/testing/selftests/kselftest*",
    "tools/testing/kunit/*.py",
)


def newest(build: Path, dest: Path, prefix: str = "", members: Iterable[str] = ()) -> Path:
    """The newest source in @dest/@prefixVERSION, or else Debian's, which is put there.

    Of the package only @members are kept, as patterns; none means all of it. Once there
    it stays: remove it to get a newer one. One that lacks some of @members, since fewer
    were wanted when it was put there, is replaced.
    """
    have = [tree for tree in dest.glob(f"{prefix}[0-9]*")
            if all(any(tree.glob(member)) for member in members)]
    if have:
        return max(have, key=lambda tree: version(tree.name.removeprefix(prefix)))
    apt = Apt(build)
    apt.update()
    packages = apt.versions(r"linux-source-\d+\.\d+")
    if not packages:
        raise RunError("the Debian mirror offers no linux-source package: "
                       "set DEBIAN_MIRROR=URL or KDIR=TREE")
    package, latest = max(packages, key=lambda p: version(p[0].removeprefix("linux-source-")))
    home = dest / (prefix + package.removeprefix("linux-source-"))
    print(f"fetching {package} ({latest})", file=sys.stderr)
    with apt.scratch() as work:
        apt.unpack([f"{package}={latest}"], work)
        tree = work / "tree"
        tree.mkdir()
        run("tar", "-x", "-f", work / f"usr/src/{package}.tar.xz", "-I", "xz -T0",
            "-C", tree, "--strip-components=1", "--wildcards", "--no-wildcards-match-slash",
            *(f"{package}/{member}" for member in members))
        dest.mkdir(parents=True, exist_ok=True)
        if home.exists():
            home.rename(work / "replaced")
        return tree.rename(home)


def main(build: Path) -> int:
    link = build / "framework"
    tree = newest(build, build / "linux-source", members=FRAMEWORK).resolve()
    link.unlink(missing_ok=True)
    link.symlink_to(tree)
    return command.Status.PASSED


if __name__ == "__main__":
    sys.exit(command.run("framework", lambda: main(Path(sys.argv[1]))))
