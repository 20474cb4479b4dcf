# SPDX-License-Identifier: GPL-2.0
"""Is KVM usable here? /dev/kvm can exist, open, and still never run a guest."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

from .errors import RunError

DEVICE = Path("/dev/kvm")
# A usable KVM needs milliseconds for the trial; a useless one never ends it.
TRIAL_SECONDS = 3
# isa-debug-exit makes QEMU exit with (value << 1) | 1.
TRIAL_VALUE = 0x10


def trial_rom() -> bytes:
    """A BIOS that is nothing but a reset vector: out 0xf4, TRIAL_VALUE; hlt."""
    code = bytes([0xba, 0xf4, 0x00, 0xb0, TRIAL_VALUE, 0xee, 0xf4])
    return (b"\xf4" * (0x10000 - 16) + code).ljust(0x10000, b"\xf4")


def trial_boot() -> bool:
    with tempfile.NamedTemporaryFile(prefix="dax_break-rom-") as rom:
        rom.write(trial_rom())
        rom.flush()
        command = ["qemu-system-x86_64", "-accel", "kvm", "-nodefaults", "-no-user-config",
                   "-display", "none", "-m", "16M", "-bios", rom.name,
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                  timeout=TRIAL_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == (TRIAL_VALUE << 1) | 1


def kvm_problem() -> str | None:
    """Why KVM cannot be used here; None if it can."""
    if not DEVICE.exists():
        return f"there is no {DEVICE}"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"no permission for {DEVICE}"
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    if not re.search(r"^flags\s*:.*\b(vmx|svm)\b", flags, flags=re.M):
        return f"{DEVICE} exists, but the processor offers no virtualization"
    if not trial_boot():
        return f"{DEVICE} exists, but does not run a trial guest"
    return None


def choose(wanted: str) -> tuple[str, str]:
    """QEMU's accelerator for --accel @wanted, and a word on why."""
    if wanted == "tcg":
        return "tcg", "as asked"
    problem = kvm_problem()
    if not problem:
        return "kvm", "usable"
    if wanted == "kvm":
        raise RunError(f"KVM is not usable here: {problem}; --accel tcg works without it")
    return "tcg", problem
