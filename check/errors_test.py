# SPDX-License-Identifier: GPL-2.0
"""Files that cannot be written: which one that is, and what to do about it."""

import contextlib
import io
import itertools
import os
import pwd
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from vm import command, errors
from vm.base import BUILD, ROOT, RunError
from vm.command import Status
from vm.kernel import apt, kbuild
from vm.machine import backend, initramfs
from vm.run import cli, hunt

FULL = Path("/dev/full")
NOBODY = 65534
FAST = ("--no-install", "--host", "longterm")       # builds nothing, and skips everything


def run_tests(*argv: str, shell: str = "") -> tuple[int, str]:
    """Exit status and what it says, if its standard output is not asked for."""
    done = subprocess.run(["bash", "-c", f'"$0" "$@" {shell}', ROOT / "run_tests.sh", *argv],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


class Full(unittest.TestCase):
    """Whatever is written, the file that is full is named."""

    def test_outputs(self):
        """The one that is full, however many there are, and never build/."""
        full = "No space left on device; make room and run this again\n"
        for argv, name in ((("--ktap", "/dev/full"), "/dev/full"), ((), "standard output")):
            shell = "" if argv else ">/dev/full"
            self.assertEqual(run_tests(*FAST, *argv, shell=shell),
                             (Status.NOT_RUN, f"run_tests.sh: {name}: {full}"), argv)
        for option in ("--list", "--help"):
            self.assertEqual(run_tests("--no-install", option, shell=">/dev/full"),
                             (Status.NOT_RUN, f"run_tests.sh: standard output: {full}"))
        self.assertEqual([left for left in BUILD.glob("run-*")
                          if not Path("/proc", left.name.removeprefix("run-")).exists()], [])

    def test_nobody_reads(self):
        status, err = run_tests("--list", shell="| true; exit ${PIPESTATUS[0]}")
        self.assertEqual((status, err), (2, "run_tests.sh: standard output: Broken pipe\n"))

    def test_standard_error(self):
        status, _ = run_tests("--bogus", shell="2>/dev/full")
        self.assertEqual(status, Status.NOT_RUN)

    def test_results(self):
        with tempfile.TemporaryDirectory() as scratch:
            good = Path(scratch, "good")
            with (self.assertRaises(OSError) as caught,
                  cli.ktap_sink(good, FULL, to_stdout=False) as emit):
                emit("ok 1")
            self.assertEqual(caught.exception.filename, str(FULL))
            self.assertEqual(good.read_text(), "ok 1\n")

    def test_every_writer(self):
        """A link to a full file takes the place of what each of them writes."""
        def image(path: Path) -> None:
            with mock.patch.object(initramfs, "HOST_PROGRAMS", ()):
                initramfs.write(path, ROOT / "README.md", [], [], [])

        for write in (image, lambda path: errors.write_text(path, "x"),
                      lambda path: hunt.save(path.with_suffix(".json"), {})):
            with tempfile.TemporaryDirectory() as scratch:
                path = Path(scratch, "it.part")
                path.symlink_to(FULL)
                with self.assertRaises(OSError) as caught:
                    write(path)
                self.assertEqual(str(caught.exception.filename), str(path))

    def test_disk(self):
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch, "disk.img")
            with (mock.patch("struct.pack", side_effect=OSError(28, "No space left")),
                  self.assertRaises(OSError) as caught):
                backend.make_disk(path)
            self.assertEqual(caught.exception.filename, str(path))


class Closed(unittest.TestCase):
    def test_standard_descriptors(self):
        """Any of them may be closed: what would be printed there is lost, and nothing else."""
        for number in range(1, 4):
            for closed in itertools.combinations(("<&-", ">&-", "2>&-"), number):
                shell = " ".join(closed)
                self.assertEqual(run_tests("--help", shell=shell)[0], Status.PASSED, shell)
                self.assertEqual(run_tests("--bogus", shell=shell)[0], Status.NOT_RUN, shell)
        for shell in ("2>&-", "<&- >&- 2>&-"):      # with a build
            self.assertEqual(run_tests("--no-install", "--list", shell=shell)[0], Status.PASSED)


class Log(unittest.TestCase):
    """The line of a build's log that tells why it failed."""

    def test_cause(self):
        for line, *around in (
                ("x.c:1:2: error: 'y' undeclared", "x.c:9: warning: bad", "*",
                 "   1 |  y", "make[1]: *** [Makefile:3: x.o] Error 1"),
                ("/bin/sh: 1: flex: not found", "  LEX x", "*", "make: *** [M:3: x] Error 127"),
                ("make: *** No rule to make target '/tmp/a', needed by 'programs'.  Stop.",
                 "make: Entering directory '/tmp'", "*", "make: Leaving directory '/tmp'"),
                ("Makefile:64: *** mixed implicit and normal rules.  Stop.", "*"),
                ("as: cannot write x.o: No space left on device", "*", "gcc: error: as failed",
                 "make: *** [x] Error 1"),
                ("the script thinks better of it", "CC x.o", "*",
                 "make: *** [x] Error 1", "make: Leaving directory '/tmp'"),
                ("make: *** [x] Error 1", "make: Entering directory '/'", "*"),
                ("it said nothing",)):
            log = [line if other == "*" else other for other in around]
            self.assertEqual(errors.cause(log), line)

    def test_no_kernel_in_such_a_path(self):
        for name in ("a b", "a:b"):
            with (tempfile.TemporaryDirectory(prefix=name) as build,
                  self.assertRaisesRegex(RunError, "^no kernel can be built below .*; move this")):
                kbuild.check_place(Path(build))


@unittest.skipIf(os.getuid(), "only root can become somebody else")
class Somebody(unittest.TestCase):
    """What root has made in build/ is named to others, and what to do about it."""

    def setUp(self):
        self.build = Path(self.enterContext(tempfile.TemporaryDirectory())) / "build"
        self.build.mkdir()
        self.build.parent.chmod(0o755)
        self.enterContext(mock.patch.object(errors, "BUILD", self.build))
        self.enterContext(mock.patch.object(errors, "ROOT", self.build.parent))
        pwd.getpwuid(0)

    def ends(self, body) -> str:
        """What a command of somebody else says, whose exit status is 2."""
        read, write = os.pipe()
        if not (child := os.fork()):
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            with contextlib.redirect_stderr(io.StringIO()) as err:
                status = command.run("it", body)
            os.write(write, err.getvalue().encode())
            os._exit(status)
        os.close(write)
        with open(read, encoding="utf-8") as said:
            err = said.read()
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), Status.NOT_RUN, err)
        return err

    def refused(self, body, what: Path) -> None:
        self.assertRegex(self.ends(body), rf"^it: .*; {what} is root's: run this as root, or .*\n$")

    def test_all_of_it(self):
        self.refused((self.build / "runs").mkdir, self.build)
        self.refused(lambda: apt.Apt(self.build).scratch().__enter__(), self.build)

    def test_a_part(self):
        self.build.chmod(0o777)
        part = self.build / "selftests/lib"
        part.mkdir(parents=True)
        self.refused(lambda: errors.write_text(part / "x", "y"), part.parent)
        file = self.build / "durations.json"
        file.touch()
        self.refused(lambda: errors.write_text(file, "y"), file)
        part.parent.chmod(0o700)        # not even to be looked at
        self.refused(lambda: errors.write_text(part / "x", "y"), part.parent)

    def test_what_make_writes(self):
        self.build.chmod(0o777)
        (self.build / "init").touch()
        log = self.build / "log"
        words = "echo ld: cannot open output file build/init: Permission denied; exit 2"
        with mock.patch("sys.executable", "/usr/bin/python3"):
            self.refused(lambda: command.logged("sh", "-c", words, log=log), self.build / "init")

    def test_elsewhere(self):
        self.assertRegex(self.ends(lambda: cli.unbuffered(self.build.parent / "results.ktap")),
                         rf"cannot write .*results.ktap: Perm.*; {self.build.parent} is root's")

    def test_read_only(self):
        error = PermissionError(13, "Permission denied", str(self.build))
        with mock.patch("os.access", return_value=False):
            self.assertRegex(errors.explain(error), r"build is read-only: chmod u\+w it$")
