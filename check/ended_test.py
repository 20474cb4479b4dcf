# SPDX-License-Identifier: GPL-2.0
"""Commands that are ended while they build or fetch something: it ends with them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from check.source_test import FRAMEWORK, copy_to
from vm import command, supervisor
from vm.base import ROOT
from vm.command import Status

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
SECONDS = 60            # for something to begin on a busy machine,
GONE_SECONDS = 8        # and to end: less than it would take by itself


def below(pid: int) -> dict[int, str]:
    """Processes below @pid, and their names."""
    with mock.patch("os.getpid", return_value=pid):
        return supervisor.descendants()


def runs(pid: int, name: str) -> bool:
    """Is process @pid still the one of that @name, and has not ended?"""
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
        return f"({name}) " in stat and f"({name}) Z" not in stat
    return False


class Ended(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def end(self, number: int, name: str, *words, **options) -> int:
        """Ends a command once something called @name runs below it. Returns its exit status."""
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              **options) as running:
            until = time.monotonic() + SECONDS
            while name not in (found := below(running.pid)).values():
                self.assertIsNone(running.poll())
                self.assertLess(time.monotonic(), until, found)
                time.sleep(0.02)
            running.send_signal(number)
            found |= below(running.pid)
            status = running.wait(SECONDS)
        until = time.monotonic() + GONE_SECONDS
        while left := {pid: what for pid, what in found.items() if runs(pid, what)}:
            self.assertLess(time.monotonic(), until, left)
            time.sleep(0.02)
        return status

    def python(self, number: int, name: str, code: str, **environment) -> int:
        """The same for a command that does what @code says."""
        code = ("import sys; from pathlib import Path; from vm import command\n"
                f"def body():\n    {code}\nsys.exit(command.run('it', body))")
        return self.end(number, name, sys.executable, "-c", code, cwd=ROOT,
                        env=os.environ | environment)

    def tool(self, name: str, script: str) -> None:
        """A program of that @name is first in what path() returns."""
        tool = self.scratch / name
        tool.write_text(f"#!/bin/bash\n{script}\n")
        tool.chmod(0o755)

    def path(self) -> str:
        return f"{self.scratch}:{os.environ['PATH']}"

    def test_build(self):
        """In a checkout whose path has a space."""
        checkout = self.scratch / "a checkout"
        copy_to(checkout)
        (checkout / "build").mkdir()
        (checkout / "build/framework").symlink_to(FRAMEWORK)
        for number in (signal.SIGTERM, signal.SIGKILL):
            status = self.end(number, "cc1", checkout / "run_tests.sh", "--no-install", "--list")
            self.assertEqual(status, -number if number == signal.SIGKILL else Status.NOT_RUN)
        # A half of an object would be taken for the whole.
        for file in (checkout / "build").rglob("*.o"):
            subprocess.run(["readelf", "-h", file], check=True, stdout=subprocess.DEVNULL)

    def test_whatever_it_runs(self):
        """Make, patches, packages: all of it has children that nobody else knows of."""
        script = "setsid sleep 1000 & sleep 1001"
        self.tool("make", f"(trap '' TERM INT HUP; nice sleep 1002) & {script}")
        self.tool("apt-get", script)
        bodies = {"logged": "command.logged('make', log=Path('/dev/null'))",
                  "fetched": "from vm.kernel import apt; apt.run('apt-get')",
                  "installed": f"command.ROOT = Path('{self.scratch}'); command.install()"}
        (self.scratch / "vm").mkdir()
        self.tool("vm/packages.sh", script)
        for number in SIGNALS:
            for what, code in bodies.items():
                if what != "logged" and number in (signal.SIGINT, signal.SIGHUP):
                    continue        # as SIGTERM
                with self.subTest(what, number=number):
                    status = self.python(number, "sleep", code, PATH=self.path())
                    self.assertEqual(status, -number if number == signal.SIGKILL
                                     else Status.NOT_RUN)

    def test_what_is_half_made(self):
        """Every child can tidy up, but not for ever."""
        self.tool("make", f"trap 'rm {self.scratch}/part; exit' TERM; touch {self.scratch}/part\n"
                          "sleep 1000 & wait")
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.python(number, "sleep", "command.logged('make', log=Path('/dev/null'))",
                        PATH=self.path())
            self.assertFalse((self.scratch / "part").exists())

    def test_an_installation_is_not_interrupted(self):
        shutil.copy("/bin/sleep", self.scratch / "dpkg")
        self.tool("make", f"dpkg 3 && touch {self.scratch}/installed; sleep 1000")
        self.python(signal.SIGTERM, "dpkg", "command.logged('make', log=Path('/dev/null'))",
                    PATH=self.path())
        self.assertTrue((self.scratch / "installed").exists())

    def test_terminal(self):
        """Ctrl-C: all of the terminal's foreground get it, and the command says so."""
        code = "command.logged('sleep', '1000', log=Path('/dev/null'))"
        code = ("import sys; from pathlib import Path; from vm import command\n"
                f"sys.exit(command.run('it', lambda: {code}))")
        with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE,
                              text=True, start_new_session=True) as running:
            while "sleep" not in (found := below(running.pid)).values():
                time.sleep(0.02)
            os.killpg(running.pid, signal.SIGINT)
            self.assertEqual(running.communicate(timeout=SECONDS)[1], "it: interrupted\n")
        self.assertEqual([pid for pid, what in found.items() if runs(pid, what)], [])

    def test_status(self):
        """That of the program, as if nobody had been in between."""
        for script, status in (("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 128 + 9)):
            with command.child("sh", "-c", script) as running:
                self.assertEqual(running.wait(), status)
        with command.child("sh", "-c", "kill -PIPE $$; exit 1") as running:
            self.assertEqual(running.wait(), 128 + signal.SIGPIPE, "it ignores what Python does")
