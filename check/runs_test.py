# SPDX-License-Identifier: GPL-2.0
"""What is kept of runs, and that runs leave each other's alone; without a guest."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from vm import command
from vm.ask import durations, options, suite
from vm.ask.durations import Durations
from vm.base import BUILD, ROOT, RunError
from vm.kernel.image import Kernel
from vm.run import runs


class Records(unittest.TestCase):
    """A directory for each run, and a link to the last one."""

    def setUp(self):
        scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.runs, self.last = scratch / "runs", scratch / "last-run"
        self.now = 1_800_000_000
        self.enterContext(mock.patch("time.time", lambda: self.now))

    def record(self, keep: int = 20, **how):
        return runs.keep(keep, runs=self.runs, last=self.last, **how)

    def run_once(self, version: str = "7.3", keep: int = 20) -> str:
        with self.record(keep) as ours:
            ours.name(version)
            return ours.directory.name

    def names(self) -> list[str]:
        return sorted(path.name for path in self.runs.iterdir() if path.is_dir())

    def test_name(self):
        """It is there from the start, so that the build can be followed."""
        with self.record() as ours:
            self.assertEqual(self.last.resolve(), ours.directory)
            self.assertEqual(self.names(), ["2027-01-15T08-00-00Z"])
            ours.write("build.log", "cc")
            ours.name("7.3/x")
            self.assertEqual(self.names(), ["2027-01-15T08-00-00Z-7.3_x"])
            self.assertEqual((self.last / "build.log").read_text(), "cc")
        self.assertFalse(os.readlink(self.last).startswith("/"), "a checkout may be moved")

    def test_at_once(self):
        """Two that begin in the same second; the link stays with the later one."""
        with self.record() as first, self.record() as second:
            second.name("7.3")
            first.name("7.3")
            self.assertNotEqual(first.directory, second.directory)
            self.assertEqual(self.last.resolve(), second.directory)
        self.assertEqual(self.names(), ["2027-01-15T08-00-00Z-7.3", "2027-01-15T08-00-00Z.2-7.3"])

    def test_the_oldest_goes(self):
        names = []
        for self.now in range(1_800_000_000, 1_800_000_005):
            names.append(self.run_once(keep=3))
        self.assertEqual(self.names(), names[2:])
        (self.runs / names[2]).rename(self.runs / "kept")
        self.now += 1
        names.append(self.run_once(keep=1))
        self.assertEqual(self.names(), [names[-1], "kept"])

    def test_eleven_in_a_second(self):
        names = [self.run_once() for _ in range(11)]
        self.run_once(keep=2)
        self.assertEqual(self.names(), [names[-1], names[-1].replace(".11-", ".12-")])

    def test_one_that_goes_on_stays(self):
        with self.record(1) as ours:
            ours.name("7.3")
            self.now += 1
            other = self.run_once(keep=1)
            self.assertEqual(self.names(), [ours.directory.name, other])
        self.now += 1
        self.assertEqual(self.names(), [ours.directory.name, other])
        self.assertEqual([self.run_once(keep=1)], self.names())

    def test_one_without_a_kernel(self):
        """It failed: that can be looked at until the next run, and displaces none."""
        first = self.run_once(keep=1)
        for _ in range(3):
            self.now += 1
            with self.assertRaises(RunError), self.record(2) as ours:
                raise RunError("no such kernel")
            self.assertEqual(self.names(), [first, ours.directory.name])
            self.assertEqual(self.last.resolve(), ours.directory)
            with self.record(passing=True):
                pass
            self.assertTrue(self.last.exists(), "--list takes it away")

    def test_list(self):
        """It is no run; if it fails, it leaves what tells why."""
        first = self.run_once(keep=1)
        with self.record(1, passing=True) as ours:
            self.assertTrue(ours.directory.exists())
        self.assertEqual(self.names(), [first])
        with self.assertRaises(RunError), self.record(1, passing=True):
            raise RunError("does not build")
        self.assertEqual(len(self.names()), 2)
        self.assertEqual(self.last.resolve().name, first)

    def test_directory_of_an_older_runner(self):
        self.last.mkdir()
        (self.last / "results.ktap").touch()
        os.utime(self.last, (1, 1))
        name = self.run_once()
        self.assertEqual(self.names(), ["1970-01-01T00-00-01Z-unknown", name])
        self.assertTrue((self.runs / "1970-01-01T00-00-01Z-unknown/results.ktap").exists())

    def test_what_is_kept(self):
        config = self.runs.parent / ".config"
        config.write_text("CONFIG_FS_DAX=y\n")
        with (mock.patch.dict(os.environ, KDIR="/a tree"),
              mock.patch.object(sys, "argv", ["cli.py", "--fs", "xfs", "mapped.*"]),
              self.record() as ours):
            ours.name("7.3", Kernel("7.3", Path("/k"), [], config, "the moon"))
            ours.add_version("QEMU for nvdimm", "7.2")
        self.assertEqual((self.last / "config").read_text(), "CONFIG_FS_DAX=y\n")
        self.assertRegex((self.last / "versions").read_text(),
                         r"\Akernel: 7.3 \(the moon\)\nsuite: ([0-9a-f]{40}|unknown).*\n"
                         r"(.*\n)*QEMU for nvdimm: 7.2\n\Z")
        self.assertEqual((self.last / "command").read_text(),
                         f"cd {os.getcwd()} && KDIR='/a tree' {ROOT}/run_tests.sh "
                         "--fs xfs 'mapped.*'\n")

    def test_killed(self):
        """It uses nothing any longer."""
        code = ("import os, sys; from pathlib import Path; from vm.run import runs\n"
                "with runs.keep(9, runs=Path(sys.argv[1]), last=Path(sys.argv[2])) as ours:\n"
                "    ours.name('6.12'); os.kill(os.getpid(), 9)")
        subprocess.run([sys.executable, "-c", code, self.runs, self.last], cwd=ROOT, check=False)
        killed, = self.names()
        self.assertNotIn(killed, [self.run_once(keep=1)])
        self.assertEqual(len(self.names()), 1)

    def test_bound(self):
        for text, runs_kept in (("", 20), ("3", 3)):
            with mock.patch.dict(os.environ, DAX_BREAK_RUNS=text):
                self.assertEqual(options.parse([]).runs, runs_kept)
        for text in ("0", "-1", "many"):
            with (mock.patch.dict(os.environ, DAX_BREAK_RUNS=text),
                  self.assertRaisesRegex(RunError, f"DAX_BREAK_RUNS={text} is not a number")):
                options.parse([])


class AtOnce(unittest.TestCase):
    """Of two runs from one checkout neither sees what the other one does."""

    def test_durations(self):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "durations.json")
            with mock.patch.object(durations, "MEASURED", file):
                first, second = Durations.read(), Durations.read()
                first.learn({"one": (1.0, 0.5)})
                second.learn({"two": (2.0, 1.0)})
            self.assertEqual(json.loads(file.read_text()), {"one": [1.0, 0.5], "two": [2.0, 1.0]})

    def test_build(self):
        """One builds after the other, and what it has built stays what it was."""
        with tempfile.TemporaryDirectory() as directory:
            home = Path(directory)
            built = home / "selftests/it_test"
            built.parent.mkdir()
            made = []

            def make(*_, log):
                made.append(log.name)
                with self.assertRaises(BlockingIOError), open(home / ".make.lock", "w") as other:
                    command.fcntl.flock(other, command.fcntl.LOCK_EX | command.fcntl.LOCK_NB)
                built.unlink(missing_ok=True)
                built.write_text(f"#!/bin/sh\necho test{len(made)} ext4")
                built.chmod(0o755)

            with (mock.patch.object(command, "logged", make),
                  mock.patch.object(command, "BUILD", home),
                  mock.patch.object(suite, "BUILD", home),
                  mock.patch.object(suite, "load", lambda where: where)):
                first = suite.build(home / "1.log", home / "first")
                second = suite.build(home / "2.log", home / "second")
            self.assertEqual(made, ["1.log", "2.log"])
            said = [subprocess.check_output([where / "it_test"], text=True).split()[0]
                    for where in (first, second)]
            self.assertEqual(said, ["test1", "test2"])

    def test_whoever_waits_says_so(self):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "lock")
            first = command.lock(file, BUILD)
            err = io.StringIO()
            with (contextlib.redirect_stderr(err),
                  mock.patch.object(command.fcntl, "flock", side_effect=[BlockingIOError, None])):
                command.lock(file, BUILD).close()
            first.close()
            self.assertEqual(err.getvalue(), f"waiting for another run that uses {BUILD}\n")
