# SPDX-License-Identifier: GPL-2.0
"""A QEMU that is new enough, this machine's or Debian's, and an accelerator that works.

Some backends need a newer QEMU than the machine has. That one is not installed: it
lies in build/qemu with all that its packages depend on, the C library included, and is
started by its own dynamic loader. So it runs on an older Debian than it was built for.
And /dev/kvm can exist, open, and still never run a guest.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from .. import arch
from ..base import RunError, version
from ..command import die_with_parent
from ..kernel.apt import SUITES, Apt

FROM = SUITES[-1]       # the newest
KVM = Path("/dev/kvm")
# A usable KVM needs milliseconds for the trial; a useless one never ends it.
TRIAL_SECONDS = 3



def at_least(wanted: str, build: Path) -> list[str]:
    """The first words of a command that runs a QEMU of version @wanted or newer.

    Fetches one into @build if need be; RunError if there is none to be had.
    """
    here = arch.here()
    machines_own = [here.qemu]
    if version(said_by(machines_own)) >= version(wanted):
        return machines_own
    homes = _fetched(build)
    if not homes or version(homes[-1].name) < version(wanted):
        homes.append(_fetch(wanted, build))
    home = homes[-1]
    command = _command(home)
    if not said_by(command):
        raise RunError(f"the QEMU in {home} does not run here: remove it to get another, "
                       f"or install QEMU {wanted} or newer")
    return command


def newest(build: Path) -> list[str]:
    """The same for the newest that is here, fetched or not. Newer ones emulate faster."""
    here = arch.here()
    homes = _fetched(build)
    if not homes or version(homes[-1].name) <= version(said_by([here.qemu])):
        return [here.qemu]
    command = _command(homes[-1])
    return command if said_by(command) else [here.qemu]


def _fetched(build: Path) -> list[Path]:
    """Where unpacked ones are, the newest last."""
    return sorted((build / "qemu").resolve().glob("[0-9]*"), key=lambda home: version(home.name))


def _command(home: Path) -> list[str]:
    here = arch.here()
    return [str(home / here.loader), "--library-path", str(home / here.libraries),
            str(home / "usr/bin" / here.qemu),
            *(word for directory in here.firmware for word in ("-L", str(home / directory)))]


def said_by(command: list[str]) -> str:
    """The version of the QEMU that @command runs; empty if it does not run."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    found = re.search(r"version (\d[\d.]*)", done.stdout)
    return found[1] if found else ""


def _fetch(wanted: str, build: Path) -> Path:
    """Unpacks the newest QEMU that Debian has, and returns where."""
    apt = Apt(build)
    try:
        apt.update()
        packages = apt.closure(arch.here().qemu_package, FROM)
    except RunError as error:
        raise RunError(f"no QEMU {wanted} or newer here, nor to be fetched: {error}; "
                       "or install one") from error
    offered = packages[arch.here().qemu_package]
    if version(offered) < version(wanted):
        raise RunError(f"no QEMU {wanted} or newer here, and Debian's {FROM} has only {offered}: "
                       "install one")
    home = apt.build / "qemu" / offered.rpartition(":")[2]
    with apt.scratch() as work:
        if home.exists():               # another run has just done it
            return home
        print(f"fetching QEMU {offered} from the Debian mirror", file=sys.stderr)
        apt.unpack([f"{name}={packages[name]}" for name in packages], work / "root")
        home.parent.mkdir(exist_ok=True)
        return (work / "root").rename(home)


def trial_boot(accel: str = "kvm") -> bool:
    """Does a guest run whose BIOS does nothing but end it?"""
    here = arch.here()
    with tempfile.NamedTemporaryFile(prefix="dax_break-rom-") as rom:
        rom.write(here.trial_rom)
        rom.flush()
        command = [here.qemu, "-accel", accel, "-nodefaults", "-no-user-config",
                   "-display", "none", "-m", "16M", "-bios", rom.name,
                   "-device", here.trial_device]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=TRIAL_SECONDS, check=False, preexec_fn=die_with_parent)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == here.trial_status


def kvm_problem() -> str | None:
    """Why KVM cannot be used here; None if it can."""
    if not KVM.exists():
        return f"there is no {KVM}"
    if not os.access(KVM, os.R_OK | os.W_OK):
        return f"no permission for {KVM}"
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    if not re.search(arch.here().virtualization, flags, flags=re.M):
        return f"{KVM} exists, but the processor offers no virtualization"
    if not trial_boot():
        return f"{KVM} exists, but does not run a trial guest"
    return None


def accelerator(wanted: str) -> tuple[str, str]:
    """QEMU's accelerator for --accel @wanted, and a word on why."""
    if wanted == "tcg":
        return "tcg", "as asked"
    problem = kvm_problem()
    if not problem:
        return "kvm", "usable"
    if wanted == "kvm":
        raise RunError(f"KVM is not usable here: {problem}; --accel tcg works without it")
    return "tcg", problem
