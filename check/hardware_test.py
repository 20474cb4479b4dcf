# SPDX-License-Identifier: GPL-2.0
"""A machine with others' data on its persistent memory: nothing of theirs is touched.

DAX_BREAK_KILLS=N	how many runs of each kind to kill at random points (default: 2)
DAX_BREAK_SEED=N	repeats those points
"""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from vm import accel, cli, guest, initramfs, kernel
from vm.backend import LABEL_MIB, LABELLED_MIB, Backend, nvdimm
from vm.guest import End
from vm.suite import ROOT

PROGRAMS = ("waits_test", "with_pmem", "dax_break_cleanup")
SECONDS_A_KILL = 60     # one of each kind, emulated on a busy machine

# An NVDIMM with labels, and room beside what is on it; one without, which is one
# namespace, whatever is on it.
SOMEBODYS = Backend(
    lambda directory: [*nvdimm(0, directory, 2 * LABELLED_MIB, LABEL_MIB),
                       *nvdimm(1, directory, 128)],
    machine=",nvdimm=on")


class Hardware(unittest.TestCase):
    """The programs of check/hardware in a guest that has not been given away."""

    @classmethod
    def setUpClass(cls):
        subprocess.run(["make", "-s", "-C", ROOT, "hardware"], check=True)

    def run_in_guest(self, program: str, seconds: int, *environment: str) -> None:
        """Runs @program; fails with all that it had to say, unless all of it passes."""
        the_kernel = kernel.resolve(os.environ.get("DAX_BREAK_KERNEL", "debian"), None, cli.BUILD)
        plan = [f"env {e}" for e in environment] + [f"run {seconds} /bin/{program}"]
        said, console = [], []
        with tempfile.TemporaryDirectory(dir=cli.BUILD) as scratch:
            image = Path(scratch, "initramfs")
            initramfs.write(image, cli.BUILD / "init", the_kernel.modules,
                            [cli.BUILD / "hardware" / program,
                             *(cli.BUILD / "selftests" / name for name in PROGRAMS)], plan)
            machine = guest.Machine(the_kernel.image, image, Path(scratch),
                                    accel.choose("auto")[0], 1024, SOMEBODYS, consent=False)
            end = guest.Guest(machine, said.append, console.append).run(seconds + 90)
        text = "\n".join(line.removeprefix("out ") for line in said)
        (cli.BUILD / f"{program}.log").write_bytes(b"".join(console))
        self.assertEqual(end, End.DONE, text)
        self.assertIn(f"end {program} 0", said, text)
        print("\n".join(line for line in text.splitlines() if line.startswith("# recorded")))

    def test_consent(self):
        self.run_in_guest("consent_test", 300)

    def test_killed_runs(self):
        kills = int(os.environ.get("DAX_BREAK_KILLS", "2"))
        self.run_in_guest("leftovers_test", 180 + SECONDS_A_KILL * kills,
                          f"DAX_BREAK_KILLS={kills}",
                          f"DAX_BREAK_SEED={os.environ.get('DAX_BREAK_SEED', os.getpid())}")
