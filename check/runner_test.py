# SPDX-License-Identifier: GPL-2.0
"""The runner with bad input and bad guests: exit status, bound, nothing left behind."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path

from vm.ask.suite import Need, Suite, Test
from vm.command import Status
from vm.base import BUILD, ROOT, RunError
from vm.kernel import debian
from vm.machine import guest, qemu
from vm.machine.backend import BACKENDS, Backend
from vm.machine.guest import End, Guest, Machine
from vm.run import cli, guests

FIXTURES = Path(__file__).parent / "fixtures"
PROGRAM_LIMIT = 4       # seconds for a program of fixtures


def fixture_suite(directory: Path, *tests: str, limit: int = PROGRAM_LIMIT) -> Suite:
    """A suite of programs from fixtures/, given as PROGRAM:TEST or PROGRAM:TEST:NEED.

    A program that is not there is another pass_test.
    """
    words = [name.split(":") for name in tests]
    for program, *_ in words:
        if (source := FIXTURES / f"{program}.c").exists():
            subprocess.run(["gcc", "-static", "-o", directory / program, source], check=True)
        else:
            script = FIXTURES / program
            shutil.copy(script if script.exists() else FIXTURES / "pass_test", directory / program)
    return Suite(directory, [Test(program, f"runner.ext4.{test}", "ext4",
                                  frozenset(map(Need, needs))) for program, test, *needs in words],
                 limit)


def processes(*words: str) -> list[str]:
    """Command lines that hold all @words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if all(word in line for word in words):
                found.append(line)
    return found


class Run(unittest.TestCase):
    """A run of the runner inside this process, so that its pieces can be replaced."""

    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def tearDown(self):
        self.assertEqual(processes("qemu-system", f"run-{os.getpid()}/"), [])
        self.assertFalse((BUILD / f"run-{os.getpid()}").exists())

    def run_tests(self, *argv: str, limit: float = 60, **for_testing) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        start = time.monotonic()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = cli.main(argv, **for_testing)
        self.assertLess(time.monotonic() - start, limit, "took too long")
        return status, out.getvalue(), err.getvalue()

    def cannot_run(self, regex: str, *argv: str, **for_testing):
        status, _, err = self.run_tests(*argv, **for_testing)
        self.assertEqual(status, Status.NOT_RUN, err)
        self.assertRegex(err.splitlines()[-1], regex)
        return err


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
                ("cannot write /nonesuch/file", "--ktap", "/nonesuch/file")):
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
            self.refused("img: No space")

    def test_config_without_dax(self):
        good = debian.newest("", BUILD)
        shutil.copy(good.image.with_name("vmlinuz"), self.scratch)
        text = good.config.read_text().replace("CONFIG_FS_DAX=y", "# CONFIG_FS_DAX is not set")
        (self.scratch / "config").write_text(text)
        self.refused("it lacks CONFIG_FS_DAX", "--kernel", str(self.scratch / "vmlinuz"))


class BadGuest(Run):
    """What was found before the guest went wrong is kept and printed."""

    def test_panic(self):
        suite = fixture_suite(self.scratch, "panic_test:panics", "a_test:passes")
        status, out, err = self.run_tests(the_suite=suite)
        self.assertEqual(status, Status.CRASHED, err)
        self.assertIn("the guest crashed", err)
        self.assertIn("Kernel panic", err)
        self.assertIn("1 passed, 0 failed, 0 skipped, 1 not run", out)

    def test_crash_that_was_to_be_feared(self):
        """In a boot of its own, it is that test's failure and nobody else's."""
        suite = fixture_suite(self.scratch, "crash_test:panics:alone", "pass_test:passes")
        status, out, err = self.run_tests(the_suite=suite)
        self.assertEqual(status, Status.FAILED, err)
        self.assertRegex(out, "FAILED runner.ext4.panics\n    P9 broken: the guest crashed: "
                              "Kernel panic - not syncing: sysrq triggered crash")
        self.assertIn("1 passed, 1 failed, 0 skipped\n", out)

    def test_hang(self):
        suite = fixture_suite(self.scratch, "stuck_test:is_stuck", limit=1000)
        status, out, err = self.run_tests("--timeout", "40", the_suite=suite, limit=80)
        self.assertEqual(status, Status.CRASHED, err)
        self.assertRegex(err, "ran out of time .*; --timeout gives it more")
        self.assertRegex(err, r"task:stuck_test\s+state:D")
        self.assertIn("1 not run", out)

    def test_program_out_of_time(self):
        suite = fixture_suite(self.scratch, "slow_test:sleeps", "z_test:passes")
        status, out, err = self.run_tests(the_suite=suite)
        self.assertEqual(status, Status.FAILED, err)
        self.assertIn("slow_test ran out of time", out)
        self.assertIn("1 passed, 1 failed", out)

    def test_no_pmem(self):
        with unittest.mock.patch.dict(BACKENDS, none=Backend(lambda directory: [])):
            status, out, err = self.run_tests("--backend", "none", "longterm")
        self.assertEqual(status, Status.SKIPPED, err)
        self.assertIn("no persistent memory region", out)

    def test_kernel_without_support(self):
        """A bare image, no modules, no .config: the guest itself finds what is missing."""
        image = debian.newest("", BUILD).image
        shutil.copy(image.with_name("vmlinuz"), self.scratch)
        self.cannot_run("it lacks .*CONFIG_EXT4_FS CONFIG_XFS_FS CONFIG_LIBNVDIMM", "--kernel",
                        str(self.scratch / "vmlinuz"))

    def machine_without_init(self) -> Machine:
        image = self.scratch / "initramfs"
        image.write_bytes(b"nothing")
        return Machine(debian.newest("", BUILD).image, image, self.scratch, "tcg", 512)

    def test_no_init(self):
        said: list[bytes] = []
        running = Guest(self.machine_without_init(), print, said.append)
        self.assertEqual(running.run(60), End.NOT_BOOTED)
        self.assertIn(b"Kernel panic", b"".join(said))

    def test_qemu_fails(self):
        machine = self.machine_without_init()
        machine.kernel = Path("/nonesuch")
        with self.assertRaisesRegex(RunError, "^QEMU failed: qemu.*nonesuch"):
            Guest(machine, print, print).run(60)

    def test_never_boots(self):
        running = Guest(self.machine_without_init(), print, lambda data: None)
        with unittest.mock.patch.object(guest, "BOOT_LIMIT", 0.5):
            start = time.monotonic()
            self.assertEqual(running.run(60), End.NOT_BOOTED)
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
        self.assertIn("ok 1 cxl:ext4:reuse_test # SKIP cxl: no QEMU; buy one", out)
        self.assertIn("skipped 1: cxl: no QEMU; buy one", out)
        self.assertRegex(out, r"cxl:ext4 +0 passed, 0 failed, 1 skipped\n +ext4 +1 passed")


class Killed(unittest.TestCase):
    """The runner is killed in the middle: its guest goes with it."""

    def kill(self, number: int) -> tuple[int, str]:
        with subprocess.Popen([ROOT / "run_tests.sh"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as runner:
            for line in runner.stdout:
                if "RUN" in line:
                    break
            runner.send_signal(number)
            err = runner.communicate(timeout=20)[1]
        until = time.monotonic() + 5
        while processes("qemu-system", f"run-{runner.pid}/") and time.monotonic() < until:
            time.sleep(0.05)
        self.assertEqual(processes("qemu-system", f"run-{runner.pid}/"), [])
        self.run_directory = BUILD / f"run-{runner.pid}"
        return runner.returncode, err

    def test_term(self):
        status, err = self.kill(signal.SIGTERM)
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
