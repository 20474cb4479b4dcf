# SPDX-License-Identifier: GPL-2.0
"""A QEMU that is new enough: this machine's, or one unpacked from Debian's packages.

Some of what backs a DAX filesystem takes a newer QEMU than the machine has. That one
is not installed: it lies in build/qemu with all that its packages depend on, the C
library included, and is started by its own dynamic loader. So it runs on an older
Debian than the one that it was built for.
"""

import re
import subprocess
import sys
from pathlib import Path

from .apt import SUITES, Apt
from .errors import RunError

PROGRAM = "qemu-system-x86_64"
PACKAGE = "qemu-system-x86"
FROM = SUITES[-1]       # the newest

# Where its packages put things. Firmware is looked for in each of the directories.
LOADER = "usr/lib64/ld-linux-x86-64.so.2"
LIBRARIES = "usr/lib/x86_64-linux-gnu"
FIRMWARE = ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu")


def at_least(version: str, build: Path) -> list[str]:
    """The first words of a command that runs a QEMU of @version or newer.

    Fetches one into @build if need be; RunError if there is none to be had.
    """
    if _new_enough(_said_by([PROGRAM]), version):
        return [PROGRAM]
    homes = sorted((build / "qemu").resolve().glob("[0-9]*"), key=lambda home: _numbers(home.name))
    if not homes or not _new_enough(homes[-1].name, version):
        homes.append(_fetch(version, build))
    command = _unpacked(homes[-1])
    if not _said_by(command):
        raise RunError(f"the QEMU in {homes[-1]} does not run here: remove it to get another, "
                       f"or install QEMU {version} or newer")
    return command


def _unpacked(home: Path) -> list[str]:
    return [str(home / LOADER), "--library-path", str(home / LIBRARIES),
            str(home / "usr/bin" / PROGRAM),
            *(word for directory in FIRMWARE for word in ("-L", str(home / directory)))]


def _said_by(command: list[str]) -> str:
    """The version of the QEMU that @command runs; empty if it does not run."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    found = re.search(r"version (\d[\d.]*)", done.stdout)
    return found[1] if found else ""


def _numbers(version: str) -> list[int]:
    """1:11.1.3+ds-1~bpo13+1 -> [11, 1, 3]; no numbers if there is no version."""
    found = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", version)
    return [int(number) for number in found[1].split(".")] if found else []


def _new_enough(version: str, wanted: str) -> bool:
    return _numbers(version) >= _numbers(wanted)


def _fetch(wanted: str, build: Path) -> Path:
    """Unpacks the newest QEMU that Debian has, and returns where."""
    apt = Apt(build)
    try:
        apt.update()
        packages = apt.closure(PACKAGE, FROM)
    except RunError as error:
        raise RunError(f"no QEMU {wanted} or newer here, nor to be fetched: {error}; "
                       "or install one") from error
    version = packages[PACKAGE]
    if not _new_enough(version, wanted):
        raise RunError(f"no QEMU {wanted} or newer here, and Debian's {FROM} has only {version}: "
                       "install one")
    home = apt.build / "qemu" / version.rpartition(":")[2]
    with apt.scratch() as work:
        if home.exists():               # another run has just done it
            return home
        print(f"fetching QEMU {version} from the Debian mirror", file=sys.stderr)
        for deb in apt.download([f"{name}={packages[name]}" for name in packages], work / "debs"):
            apt.unpack(deb, work / "root")
        home.parent.mkdir(exist_ok=True)
        return (work / "root").rename(home)
