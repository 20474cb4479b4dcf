# SPDX-License-Identifier: GPL-2.0
"""The runner with bad input and bad guests: exit status, bound, nothing left behind."""

import shutil
import signal
import subprocess
import time
import unittest
import unittest.mock
from pathlib import Path

from check.running import Run, fixture_suite, qemus
from vm.base import BUILD, ROOT, RunError
from vm.command import Status
from vm.kernel import debian
from vm.machine import guest, qemu
from vm.machine.backend import BACKENDS, Backend, Files
from vm.machine.guest import End, Guest
from vm.machine.machine import Machine
from vm.run import guests


class BadInput(Run):
    """Exit status 2, and one line that names the cause and the remedy."""

    def refused(self, regex: str, *argv: str):
        err = self.cannot_run(regex, *argv)
        self.assertEqual(err.count("\n"), 1, err)

    def test_bad_usage(self):
        for regex, *argv in (
                ("unrecognized arguments: --bogus; see --help", "--bogus"),
                ("'lots' is not a size", "--memory", "lots"),
                ("'soon' is not a number of seconds", "--timeout", "soon"),
                ("invalid choice: 'magic'", "--accel", "magic"),
                ("--host runs no guest", "--host", "--shell"),
                ("which only --host uses", "--pmem", "carve"),
                ("leave .* --backend out", "--host", "--backend", "cxl"),
                ("unknown backend 'floppy': there are nvdimm, .*cxl", "--backend", "floppy"),
                ("--shell is for one guest", "--shell", "--backend", "memmap,cxl"),
                ("unknown filesystem 'btrfs'", "--fs", "btrfs"),
                ("no test matches 'nonesuch'", "nonesuch"),
                ("cannot write /nonesuch/file", "--ktap", "/nonesuch/file"),
                ("cannot write /nonesuch/page: there is no", "--html", "/nonesuch/page"),
                ("cannot read /nonesuch: No such file", "--baseline", "/nonesuch"),
                ("COPYING is not what --json writes", "--compare", "COPYING", "COPYING"),
                ("expected 2 arguments", "--compare", "a.json"),
                ("--compare A B runs nothing", "--compare", "a", "b", "waits")):
            with self.subTest(argv):
                self.refused(regex, *argv)

    def test_no_such_kernel(self):
        for kernel in ("/nonesuch/bzImage", str(ROOT / "README.md"), str(ROOT / "vm"),
                       "debian:2.6"):
            with self.subTest(kernel):
                self.refused(kernel.removeprefix("debian:"), "--kernel", kernel)

    def test_too_much_memory(self):
        self.refused("no memory for the guest", "--memory", "900000G")

    def test_full_disk(self):
        with unittest.mock.patch("vm.machine.initramfs.write",
                                 side_effect=OSError(28, "No space", "img")):
            self.refused("img: No space", "--no-snapshot", "reload")

    def test_config_without_dax(self):
        good = debian.newest("", BUILD)
        shutil.copy(good.image.with_name("vmlinuz"), self.scratch)
        text = good.config.read_text().replace("CONFIG_FS_DAX=y", "# CONFIG_FS_DAX is not set")
        (self.scratch / "config").write_text(text)
        self.refused("it lacks CONFIG_FS_DAX", "--kernel", str(self.scratch / "vmlinuz"))


class BadGuest(Run):
    """What was found before the guest went wrong is kept and printed."""

    def test_panic(self):
        """The running test has failed, and no other: those behind it run in another guest."""
        suite = fixture_suite("a_test:passes", "a_test:panics", "a_test:is_after",
                              "b_test:passes_too")
        status, out, err = self.run_tests("--jobs", "1", the_suite=suite)
        self.assertEqual(status, Status.CRASHED, err)
        self.assertIn("the guest crashed", err)
        self.assertIn("Kernel panic", err)
        self.assertEqual(self.results(), {"passes": "ok", "panics": "not ok", "is_after": "ok",
                                          "passes_too": "ok"})
        self.assertRegex(out, "FAILED runner.ext4.panics\n    P9 broken: the guest crashed: "
                              "Kernel panic - not syncing: sysrq triggered crash")
        self.assertIn("3 passed, 1 failed, 0 skipped\n", out)

    def test_crash_that_was_to_be_feared(self):
        """In a guest of its own, it is that test's failure and nobody else's."""
        suite = fixture_suite("a_test:feared:alone", "b_test:passes")
        status, out, err = self.run_tests(the_suite=suite)
        self.assertEqual(status, Status.FAILED, err)
        self.assertRegex(out, "FAILED runner.ext4.feared\n    P9 broken: the guest crashed: "
                              "Kernel panic - not syncing: sysrq triggered crash")
        self.assertEqual(self.results(), {"feared": "not ok", "passes": "ok"})

    def test_hang(self):
        suite = fixture_suite("stuck_test:is_stuck", limit=1000)
        status, out, err = self.run_tests("--timeout", "30", the_suite=suite, limit=80)
        self.assertEqual(status, Status.CRASHED, err)
        self.assertRegex(err, "ran out of time .*; --timeout gives it more")
        self.assertRegex(err, r"task:stuck_test\s+state:D")
        self.assertRegex(out, "FAILED runner.ext4.is_stuck\n    .*the guest ran out of time")

    def test_program_out_of_time(self):
        suite = fixture_suite("a_test:sleeps", "a_test:is_after", "b_test:passes")
        status, out, err = self.run_tests(the_suite=suite)
        self.assertEqual(status, Status.FAILED, err)
        self.assertIn("a_test ran out of time", out)
        self.assertEqual(self.results(), {"sleeps": "not ok", "is_after": "ok", "passes": "ok"})

    def test_first_failure(self):
        """--fail-fast ends there, and says what was not run."""
        suite = fixture_suite("a_test:passes", "a_test:fails", "a_test:sleeps", "a_test:is_after",
                              limit=1000)
        status, out, err = self.run_tests("--fail-fast", "--jobs", "1", the_suite=suite)
        self.assertEqual(status, Status.FAILED, err)
        self.assertRegex(out, ": 1 new failure; no known bug; 2 tests not run\n")
        self.assertRegex(out, "FAILED runner.ext4.fails\n")
        self.assertEqual([line for line in self.lines() if "ok " in line],
                         ["  ok 1 runner.ext4.passes", "  not ok 2 runner.ext4.fails",
                          *(f"  ok {n} runner.ext4.{name} # SKIP not run: another test has failed, "
                            "with --fail-fast" for n, name in ((3, "sleeps"), (4, "is_after"))),
                          "not ok 1 ext4:a_test"])

    def test_no_pmem(self):
        with unittest.mock.patch.dict(BACKENDS, none=Backend(lambda files: [])):
            status, out, err = self.run_tests("--no-snapshot", "--backend", "none", "reload")
        self.assertEqual(status, Status.SKIPPED, err)
        self.assertIn("no persistent memory region", out)

    def test_kernel_without_support(self):
        """A bare image, no modules, no .config: the guest itself finds what is missing."""
        image = debian.newest("", BUILD).image
        shutil.copy(image.with_name("vmlinuz"), self.scratch)
        self.cannot_run("it lacks .*CONFIG_EXT4_FS CONFIG_XFS_FS CONFIG_LIBNVDIMM", "--kernel",
                        str(self.scratch / "vmlinuz"))

    def machine_without_init(self, kernel: Path | None = None) -> Machine:
        image = self.scratch / "initramfs"
        image.write_bytes(b"nothing")
        return Machine(kernel or debian.newest("", BUILD).image, image, Files(self.scratch), "tcg",
                       512)

    def boot(self, machine: Machine) -> tuple[End | None, bytes]:
        """How it ends, and what it prints."""
        said: list[bytes] = []
        with Guest(machine, 60, print, said.append) as running:
            return running.ready(), b"".join(said)

    def test_no_init(self):
        end, said = self.boot(self.machine_without_init())
        self.assertEqual(end, End.NOT_BOOTED)
        self.assertIn(b"Kernel panic", said)

    def test_qemu_fails(self):
        with self.assertRaisesRegex(RunError, "^QEMU failed: qemu.*nonesuch"):
            self.boot(self.machine_without_init(Path("/nonesuch")))

    def test_never_boots(self):
        machine = self.machine_without_init()       # which may take a look at the mirror
        with unittest.mock.patch.object(guest, "BOOT_LIMIT", 0.5):
            start = time.monotonic()
            self.assertEqual(self.boot(machine)[0], End.NOT_BOOTED)
            self.assertLess(time.monotonic() - start, 5)


class Backends(Run):
    """Memory of other kinds than the default."""

    def test_each_gives_a_filesystem(self):
        """Where there is a QEMU for it."""
        status, out, err = self.run_tests("--backend", "memmap,virtio-pmem,cxl",
                                          "reuse.ext4_punch.unmapped", limit=120)
        self.assertEqual(status, Status.PASSED, err)
        for backend in ("memmap", "virtio-pmem", "cxl"):
            if f"SKIP {backend}: no QEMU" not in out:
                self.assertRegex(out, rf"\n +{backend}:ext4 +1 passed, 0 failed, 0 skipped\n")

    def test_one_that_cannot_be_had(self):
        """Its tests are skipped, saying why; those of the others run."""
        with unittest.mock.patch.object(qemu, "at_least", side_effect=RunError("no QEMU; buy one")):
            status, out, err = self.run_tests("--backend", "nvdimm,cxl",
                                              "reuse.ext4_punch.unmapped")
        self.assertEqual(status, Status.PASSED, err)
        self.assertIn("ok 2 cxl:ext4:reuse_test # SKIP cxl: no QEMU; buy one", out)
        self.assertIn("skipped 1: cxl: no QEMU; buy one", out)
        self.assertRegex(out, r"cxl:ext4 +0 passed, 0 failed, 1 skipped\n +ext4 +1 passed")


class Killed(unittest.TestCase):
    """The runner is killed in the middle: its guests go with it."""

    def kill(self, number: int, *argv: str) -> tuple[int, str]:
        """Exit status, and the last thing that is said, once a guest runs."""
        with subprocess.Popen([ROOT / "run_tests.sh", *argv], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as runner:
            self.run_directory = BUILD / f"run-{runner.pid}"
            until = time.monotonic() + 60
            while not (running := qemus(runner.pid)) and time.monotonic() < until:
                time.sleep(0.05)
            self.assertTrue(running)
            start = time.monotonic()
            runner.send_signal(number)
            running = list({*running, *qemus(runner.pid)})
            err = runner.communicate(timeout=20)[1]
            self.assertLess(time.monotonic() - start, 5)
        until = time.monotonic() + 5
        while any(Path("/proc", str(pid)).exists() for pid in running):
            self.assertLess(time.monotonic(), until, running)
            time.sleep(0.05)
        return runner.returncode, err

    def test_term(self):
        """Also while a guest boots, however long that takes."""
        for argv in ((), ("--no-snapshot",)):
            status, err = self.kill(signal.SIGTERM, *argv)
            self.assertEqual((status, err), (Status.NOT_RUN, "run_tests.sh: interrupted\n"))
            self.assertFalse(self.run_directory.exists())

    def test_interrupt(self):
        status, err = self.kill(signal.SIGINT, "--jobs", "4")
        self.assertEqual((status, err), (Status.NOT_RUN, "run_tests.sh: interrupted\n"))
        self.assertFalse(self.run_directory.exists())

    def test_kill(self):
        status, err = self.kill(signal.SIGKILL)
        self.assertEqual(status, -signal.SIGKILL, err)
        self.assertTrue(self.run_directory.exists())
        with guests.run_directory():
            self.assertFalse(self.run_directory.exists(), "the next run tidies up")


class FrontDoor(unittest.TestCase):
    def test_help(self):
        done = subprocess.run([ROOT / "run_tests.sh", "--help"], capture_output=True, text=True,
                              check=True)
        for heading in ("SYNOPSIS", "OPTIONS", "EXIT STATUS", "EXAMPLES"):
            self.assertIn(f"\n{heading}\n", done.stdout)

    def test_host(self):
        """This machine has not agreed to anything: all is skipped, saying why."""
        done = subprocess.run([ROOT / "run_tests.sh", "--host", "longterm"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, Status.SKIPPED, done.stderr)
        self.assertIn("no persistent memory to use", done.stdout)
