# SPDX-License-Identifier: GPL-2.0
"""A git tree of kernels that are files, and run_tests.sh --bisect with made-up guests for them.

    python3 -m check.bisected BUILD ARGUMENT...     is run_tests.sh --bisect ARGUMENT...

A kernel says what becomes of its guests.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from check.pool_test import Fleet
from vm.ask.suite import Suite, Test
from vm.base import ROOT
from vm.machine.launch import NotBooted
from vm.run import bisect

TEST = Test("waits_test", "waits.ext4_punch.one", "ext4")
OTHER = Test("waits_test", "waits.ext4_punch.two", "ext4")
# One is left out, so that the guests are told the names of the others.
SUITE = Suite(Path("/nowhere"), [TEST, OTHER, Test("waits_test", "more.ext4.more", "ext4")], 10)

# What a kernel is made by; a.c, its only source, may say "unbuildable" or the like.
MAKEFILE = """\
tinyconfig:
	echo > .config
olddefconfig:
	grep -q FS_DAX Kconfig || sed -i /CONFIG_FS_DAX=/d .config
vmlinux: a.c
	@! grep -q unbuildable a.c || { echo "a.c:1: error: $$(head -1 a.c)"; exit 1; }
	@! grep -q slow a.c || { echo sleeps; sleep 60; }
	@echo "CC=$(CC)" | cat a.c - > vmlinux
	@mkdir -p include/config
	@echo 7.3.0 > include/config/kernel.release
"""
KCONFIG = "config FS_DAX\n"
FATES = {"fails": "not ok", "crashes": "crash"}


@contextlib.contextmanager
def guests(request, programs, logs: Path, kernel) -> Iterator[Fleet]:
    """Takes the place of guests.fleet(). What boots is noted in the file boots."""
    logs.mkdir(parents=True)
    with (logs.parent / "boots").open("a", encoding="utf-8") as boots:
        boots.write(kernel.version + "\n")
    word = kernel.image.read_text(encoding="utf-8").partition("\n")[0]
    if word == "dies":
        raise NotBooted("the guest did not boot")
    if word == "surprises":
        raise ValueError("nobody has thought of this")
    fleet = Fleet(logs, {TEST.name: FATES.get(word, "ok")})
    yield fleet
    if fleet.killed.is_set():
        (logs / "killed").touch()


def main(build: str, *argv: str) -> int:
    scratch = Path(build)
    with (mock.patch.multiple(bisect, BUILD=scratch, LOGS=scratch / "bisect", fleet=guests),
          mock.patch("vm.command.install")):
        return bisect.main([bisect.OPTION, *argv], SUITE)


class Toy(unittest.TestCase):
    """A git tree of kernels."""

    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.build, self.linux = self.scratch / "build", self.scratch / "linux"
        self.linux.mkdir()
        self.enterContext(mock.patch.dict(os.environ, KDIR=str(self.linux)))
        self.git("init", "-q")
        self.git("config", "user.name", "Toy")
        self.git("config", "user.email", "toy@example.org")
        self.commits: list[str] = []
        self.write("Makefile", MAKEFILE)
        self.commit("fine")

    def git(self, *words: str) -> str:
        return subprocess.run(["git", "-C", self.linux, *words], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def write(self, name: str, text: str) -> None:
        (self.linux / name).write_text(text, encoding="utf-8")

    def commit(self, word: str, kconfig: str = KCONFIG) -> None:
        """A commit of a kernel that is what @word says."""
        self.write("a.c", f"{word}\n{len(self.commits)}\n")
        self.write("Kconfig", kconfig)
        self.git("add", ".")
        # Which commit git tries in place of one that is skipped depends on their dates.
        with mock.patch.dict(os.environ, GIT_COMMITTER_DATE=f"@{10**9 + len(self.commits)} +0000"):
            self.git("commit", "-q", "-m", f"{len(self.commits)}: {word}")
        self.commits.append(self.git("rev-parse", "HEAD").strip())

    def command(self, *argv: str) -> list[str]:
        return [sys.executable, "-m", "check.bisected", str(self.build), *argv]

    def step(self, *argv: str, tests=(TEST.name,), **environment: str
             ) -> subprocess.CompletedProcess:
        return subprocess.run(self.command(*argv, *tests), cwd=ROOT, text=True, check=False,
                              env=os.environ | environment, capture_output=True)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
