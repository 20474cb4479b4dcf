# SPDX-License-Identifier: GPL-2.0
"""git bisect run with --bisect: the verdicts, and what must not be taken for one."""

import os
import re
import signal
import subprocess
import time
import unittest
from unittest import mock

from check.bisected import KCONFIG, OTHER, TEST, Toy
from vm.base import ROOT, KernelError, RunError
from vm.kernel import kbuild
from vm.report.results import Results
from vm.run import bisect
from vm.run.bisect import Verdict


class Bisection(Toy):
    def start(self) -> None:
        self.git("bisect", "start", self.commits[-1], self.commits[0])

    def run_git(self, *words: str, **options) -> subprocess.Popen:
        """git bisect run, in the tree. It is not named by KDIR=."""
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        del environment["KDIR"]
        return subprocess.Popen(["git", "bisect", "run", *words], cwd=self.linux, text=True,
                                env=environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, **options)

    def test_finds_the_commit(self):
        """Though some cannot be judged. No more guests boot than must."""
        self.commit("fine")
        self.commit("fine", kconfig="")
        for word in ("fine", "unbuildable", "dies", "fine", "fails", "fails", "fails", "fails"):
            self.commit(word)
        self.start()
        with self.run_git(*self.command(TEST.name)) as running:
            out = running.communicate(timeout=120)[0]
        self.assertEqual(running.returncode, 0, out)
        self.assertIn(f"{self.commits[7]} is the first bad commit", out)
        boots = (self.build / "bisect/boots").read_text(encoding="utf-8").splitlines()
        self.assertLessEqual(len(boots), 5, out)
        said = re.findall(r"^\w{7,} \((\d+): .*?\) is (\w+)", out, re.M)
        self.assertEqual(out.count("running "), len(said), out)     # says git of each step
        self.assertEqual([], [(n, verdict) for n, verdict in said if verdict != (
            "skipped" if n in "245" else "bad" if int(n) >= 7 else "good")])
        self.assertIn(("5", "skipped"), said)

    def test_interrupted(self):
        """It is no verdict: git stops, and goes on from there when it is told to."""
        for _ in range(3):
            self.commit("slow")
        self.start()
        log = self.git("bisect", "log")
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number), self.run_git(
                    "sh", "-c", 'echo $$ > ../pid; exec "$@"', "sh", *self.command(TEST.name)
                    ) as running:
                self.await_build()
                os.kill(int((self.scratch / "pid").read_text()), number)
                out = running.communicate(timeout=30)[0]
                self.assertNotEqual(running.returncode, 0)
                self.assertIn("run_tests.sh: interrupted", out)
                self.assertEqual(self.git("bisect", "log"), log)

    def await_build(self) -> None:
        """Returns once make sleeps, which it has not told of when it did so earlier."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            for log in self.build.glob("kbuild/built-*.log"):
                if "sleeps" in log.read_text(encoding="utf-8"):
                    log.write_text("", encoding="utf-8")
                    return
            time.sleep(0.05)
        self.fail("nothing is built")

    def test_interrupted_together_with_git(self):
        """As by Ctrl-C, which all processes of a terminal get."""
        for _ in range(3):
            self.commit("slow")
        self.start()
        log = self.git("bisect", "log")
        with self.run_git(*self.command(TEST.name), start_new_session=True) as running:
            self.await_build()
            os.killpg(running.pid, signal.SIGINT)
            running.communicate(timeout=30)
        self.assertNotEqual(running.returncode, 0)
        self.assertEqual(self.git("bisect", "log"), log)


class Steps(Toy):
    """Exit status and the one line of a single step."""

    def test_crash_is_bad(self):
        self.commit("crashes")
        done = self.step()
        self.assertEqual(done.returncode, Verdict.BAD, done.stderr)
        self.assertRegex(done.stdout, r"^\w+ \(1: crashes\) is bad: waits.*Kernel panic.*\n$")

    def test_first_failure_is_enough(self):
        for word, killed in (("fine", []), ("fails", ["killed"])):
            self.commit(word)
            self.step(tests=("waits.ext4",))
            self.assertEqual([path.name for path in self.build.glob("bisect/linux-*/killed")],
                             killed)

    def test_skipped(self):
        for word, kconfig, why in (
                ("fine", "", r"its source does not have CONFIG_FS_DAX\b"),
                ("unbuildable", KCONFIG, "make failed: a.c:1: error: unbuildable"),
                ("dies", KCONFIG, "the guest did not boot")):
            self.commit(word, kconfig)
            done = self.step()
            self.assertEqual(done.returncode, Verdict.SKIPPED, done.stderr)
            self.assertRegex(done.stdout, rf"^\w+ \(\d: {word}\) is skipped: .*{why}.*\n$")

    def test_good(self):
        done = self.step(tests=("waits.ext4",))
        self.assertEqual(done.returncode, Verdict.GOOD, done.stderr)
        self.assertRegex(done.stdout, r"^\w+ \(0: fine\) is good: all 2 tests passed\n$")

    def stops(self, regex: str, done: subprocess.CompletedProcess) -> None:
        self.assertEqual(done.returncode, Verdict.STOP, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr.splitlines()[-1], f"^run_tests.sh: .*{regex}")

    def test_what_is_not_the_fault_of_the_commit(self):
        for regex, *argv in (
                ("unrecognized arguments: --bogus", "--bogus"),
                ("no test matches 'nonesuch'", "nonesuch"),
                ("leave --kernel, ", "--kernel", "host"),
                ("leave --host out", "--host"),
                ("leave --list out", "--list"),
                ("leave --json out", "--json", "/nowhere")):
            with self.subTest(argv):
                self.stops(regex, self.step(*argv))
        self.stops("name them", self.step(tests=()))
        self.stops("is not a git tree of the kernel", self.step(KDIR=str(self.scratch)))
        self.commit("unbuildable: No space left on device")
        self.stops("No space left on device", self.step())

    def test_bug_of_ours(self):
        self.commit("surprises")
        done = self.step()
        self.stops("a bug of dax_break", done)
        self.assertIn("nobody has thought of this", done.stderr)

    def test_no_python(self):
        bin_ = self.scratch / "bin"
        bin_.mkdir()
        for name in ("cat", "dirname", "id"):
            (bin_ / name).symlink_to(f"/usr/bin/{name}")
        for status, *argv in ((2,), (Verdict.STOP, bisect.OPTION, TEST.name)):
            done = subprocess.run([ROOT / "run_tests.sh", "--no-install", *argv], check=False,
                                  env={"PATH": str(bin_)}, capture_output=True, text=True)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn("missing: ", done.stderr)


class Judge(unittest.TestCase):
    """From results to a verdict."""

    def check(self, verdict: Verdict, why: str, *ends: tuple, problem: str = ""):
        results = Results([TEST, OTHER])
        for case, (status, reason) in zip(results.cases.values(), ends):
            case.reached = reason != "before"
            case.end(status, [reason])
        next(iter(results.groups.values())).problem = problem
        found = bisect.judge(results)
        self.assertEqual(found[0], verdict, found)
        self.assertIn(why, found[1])

    def test_all(self):
        passed, skipped = ("passed", ""), ("skipped", "no XDP"),
        failed, unreached = ("failed", "P1 broken: no"), ("failed", "before")
        self.check(Verdict.GOOD, "all 2 tests passed", passed, passed)
        self.check(Verdict.BAD, "P1 broken: no", skipped, failed)
        self.check(Verdict.BAD, "P1 broken: no", unreached, failed)
        self.check(Verdict.BAD, "leaks", passed, passed, problem="leaks")
        self.check(Verdict.SKIPPED, f"{OTHER.name} was skipped: no XDP", passed, skipped)
        self.check(Verdict.SKIPPED, "did not run: before", passed, unreached)
        self.check(Verdict.SKIPPED, "did not run", passed)


class Versions(Toy):
    """One copy that becomes one version of the source after the other."""

    def made(self) -> kbuild.Kernel:
        tree = kbuild.Tree(self.build, source=self.linux)
        try:
            return tree.kernel()
        finally:
            tree.close()

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch("sys.stderr"))

    def test_what_git_has_no_more_is_gone(self):
        self.write("gone.h", "")
        self.commit("fine")
        copy = self.made().image.parent
        self.assertTrue((copy / "gone.h").exists())
        (self.linux / "gone.h").unlink()
        self.commit("fine")
        self.made()
        self.assertFalse((copy / "gone.h").exists())

    def test_options_that_come_back(self):
        self.made()
        self.commit("fine", kconfig="")
        with self.assertRaisesRegex(KernelError, "CONFIG_FS_DAX"):
            self.made()
        self.commit("fine")
        self.made()

    def test_another_compiler(self):
        with mock.patch.dict(os.environ, MAKEFLAGS="CC=gcc-8"):
            self.assertIn("CC=gcc-8", self.made().image.read_text(encoding="utf-8"))

    def test_who_is_to_blame(self):
        self.commit("unbuildable")
        with self.assertRaises(KernelError):
            self.made()
        for words in ("Killed signal terminated program cc1", "C compiler 'gcc-99' not found"):
            self.commit(f"unbuildable: {words}")
            with self.subTest(words), self.assertRaises(RunError) as caught:
                self.made()
            self.assertNotIsInstance(caught.exception, KernelError)
