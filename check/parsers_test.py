# SPDX-License-Identifier: GPL-2.0
"""Results in the eyes of parsers that are not ours: see check/parsers.py.

What they are shown is real: of guests and programs that fail, crash, hang, die half way.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from unittest import mock

from check import parsers
from check.example import EXT4, Told
from check.running import FIXTURES, Run, fixture_suite
from vm.ask import suite
from vm.base import BUILD, ROOT
from vm.command import Status
from vm.machine.guest import End
from vm.report.words import last_words

FRAMEWORK = Path(os.environ.get("KDIR", ROOT / "build/framework")).resolve()
SELFTESTS = FRAMEWORK / "tools/testing/selftests"


class Guests(Run):
    """What the runner makes of them."""

    def agreed(self, passed: int, failed: int, skipped: int) -> None:
        self.assertEqual(parsers.agree(self.lines()),
                         Counter({"ok": passed, "not ok": failed, "skip": skipped}))

    def test_each_fate(self):
        """In b_test, three guests or programs come to a bad end, and the rest is given up."""
        tests = fixture_suite("a_test:passes", "a_test:fails", "a_test:skips", "a_test:panics",
                              "a_test:sleeps", "a_test:is_after", "b_test:passes_too",
                              "b_test:ends", "b_test:panics_too", "b_test:ends_again",
                              "b_test:is_given_up", "b_test:is_given_up_too")
        status, out, err = self.run_tests("--jobs", "1", the_suite=tests, limit=120)
        self.assertEqual(status, Status.CRASHED, err)
        self.assertIn("3 passed, 8 failed, 1 skipped", out)
        self.agreed(3, 8, 1)
        directives = {line.split(" # ")[0].split()[-1].rpartition(".")[2]: line.split(" # ")[1]
                      for line in self.lines() if re.match(r" +(not )?ok .* # ", line)}
        self.assertEqual(directives, {
            "skips": "SKIP it is not here", "sleeps": "TIMEOUT a_test ran out of time",
            **{name: "ERROR b_test has ended early 3 times before this test"
               for name in ("is_given_up", "is_given_up_too")}})

    def test_a_guest_that_hangs(self):
        tests = fixture_suite("a_test:passes", "stuck_test:is_stuck", "b_test:passes_too",
                              limit=1000)
        status, _, err = self.run_tests("--jobs", "1", "--timeout", "40", the_suite=tests,
                                        limit=120)
        self.assertEqual(status, Status.CRASHED, err)
        self.agreed(2, 1, 0)
        self.assertRegex("\n".join(self.lines()), "not ok 1 .*is_stuck # TIMEOUT P9 broken: the "
                                                  "guest ran out of time")

    def test_first_failure(self):
        tests = fixture_suite("a_test:passes", "a_test:fails", "a_test:sleeps", "a_test:is_after",
                              limit=1000)
        status, _, err = self.run_tests("--fail-fast", "--jobs", "1", the_suite=tests, limit=120)
        self.assertEqual(status, Status.FAILED, err)
        self.agreed(1, 1, 2)

    def test_interruption(self):
        """The test that runs then, and that behind it, have no result of their own."""
        def doing(_, guest: str, what: str) -> None:
            if what.endswith(".sleeps"):
                os.kill(os.getpid(), signal.SIGTERM)

        tests = fixture_suite("a_test:passes", "a_test:sleeps", "a_test:is_after", limit=1000)
        with mock.patch("vm.report.watch.Watch.doing", doing):
            self.cannot_run("interrupted", the_suite=tests, limit=120)
        self.agreed(1, 2, 0)
        self.assertEqual(sum("# ERROR not run: interrupted" in line for line in self.lines()), 2)


class MadeUp(unittest.TestCase):
    """What no guest does when it is asked to."""

    def test_a_crash_after_the_last_test(self):
        """kunit.py counts it as another failure, since no test in the program has failed."""
        told = Told(EXT4)
        words = last_words(End.CRASHED, "kernel BUG at fs/inode.c:776!")
        told.feed(EXT4, *(f"out ok 1 {test.name}" for test in EXT4)).finish(words)
        self.assertEqual(parsers.agree(told.ktap), Counter({"ok": 2}))
        self.assertEqual(told.ktap[-1], "not ok 1 ext4:a_test")

    def test_one_that_cannot_run(self):
        self.assertEqual(parsers.agree(Told().close("no such kernel")), Counter({"not ok": 4}))

    def test_they_notice_what_is_missing(self):
        told = Told(EXT4)
        told.feed(EXT4, *(f"out ok 1 {test.name}" for test in EXT4)).finish("")
        lines = [line for line in told.ktap if not line.startswith("  ok 2")]
        for reader in (parsers.kunit, *(lambda lines, name=name: parsers.by_levels(
                name, parsers.levels(lines)) for name in parsers.there())):
            with self.assertRaises(AssertionError):
                reader(lines)

    def test_names_where_not_all_letters_are_allowed(self):
        """They stay different in databases that replace what is no letter, digit, _ or -."""
        slugs = Counter((test.program, re.sub(r"[^\w-]+", "_", test.name))
                        for test in suite.load(BUILD / "selftests").tests)
        self.assertEqual([slug for slug, count in slugs.items() if count > 1], [])


class Command(unittest.TestCase):
    """python3 -m check.parsers."""

    def run_it(self, *words) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, "-m", "check.parsers", *map(str, words)], cwd=ROOT,
                              env={**os.environ, "KDIR": str(FRAMEWORK)},
                              capture_output=True, text=True, check=False)

    def test_counts(self):
        told = Told(EXT4)
        told.feed(EXT4, *(f"out ok 1 {test.name}" for test in EXT4)).finish("")
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write("\n".join(told.close()) + "\n")
            file.flush()
            done = self.run_it(file.name)
        self.assertEqual((done.returncode, done.stderr), (Status.PASSED, ""))
        self.assertIn("kunit.py: 2 passed, 0 failed, 0 skipped\n", done.stdout)

    def test_errors_are_one_line(self):
        nested = b"KTAP version 1\n1..1\n  KTAP version 1\n"
        for text, says in {None: "the following arguments are required: FILE", b"": "no version line",
                           b'{"format": 1}\n': "is not whole KTAP", b"\xff": "is not whole KTAP",
                           nested: "is not whole KTAP"}.items():
            with self.subTest(text), tempfile.NamedTemporaryFile() as file:
                file.write(text or b"")
                file.flush()
                done = self.run_it(*([] if text is None else [file.name]))
                self.assertEqual((done.returncode, done.stdout), (Status.NOT_RUN, ""))
                self.assertRegex(done.stderr, rf"^[^\n]*{says}[^\n]*\n$")


class Kselftest(unittest.TestCase):
    """Programs of the harness, run by the kernel's own run_kselftest.sh, as labs do it.

    It prefixes what they print with "# ". Linaro's test-definitions look into that, with
    tap.py; the other parsers can read it once the prefix is gone.
    """

    PROGRAMS = ("dies_test", "stays_test", "whole_test")

    @classmethod
    def setUpClass(cls):
        home = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        shutil.copy(SELFTESTS / "run_kselftest.sh", home)
        shutil.copytree(SELFTESTS / "kselftest", home / "kselftest")
        directory = home / "lab"
        directory.mkdir()
        (directory / "settings").write_text("timeout=4\n")
        (home / "kselftest-list.txt").write_text("".join(f"lab:{p}\n" for p in cls.PROGRAMS))
        made = directory / cls.PROGRAMS[0]
        subprocess.run(["gcc", "-D_GNU_SOURCE", f"-I{SELFTESTS}", "-o", made,
                        FIXTURES / "harness_test.c"], check=True)
        for name in cls.PROGRAMS[1:]:
            shutil.copy(made, directory / name)
        done = subprocess.run(["./run_kselftest.sh", "-c", "lab"], cwd=home, capture_output=True,
                              text=True, check=False)
        cls.lines = done.stdout.splitlines()
        found = parsers.levels(cls.lines, "# ")
        cls.outer = {"": found.pop("")}
        # Before that, the runner has its say.
        cls.inner = {name.rpartition(" ")[2]: lines[lines.index("TAP version 13"):]
                     for name, lines in found.items()}

    def test_programs(self):
        expected = {("", f"selftests: lab: {name}"): "not ok" for name in self.PROGRAMS}
        self.assertEqual(parsers.kunit(self.lines), expected)
        for reader in parsers.there():
            self.assertEqual(parsers.by_levels(reader, self.outer), expected, reader)
        said = "\n".join(self.lines)
        for text in ("dies_test # exit=137", "stays_test # TIMEOUT 4 seconds",
                     "whole_test # exit=1"):
            self.assertIn(f"selftests: lab: {text}", said)

    def test_tests(self):
        expected = {("whole_test", name): status for name, status in {
            "limited.passes": "ok", "limited.hangs": "not ok", "global.fails": "not ok",
            "global.skips": "skip", "global.crashes": "not ok", "global.is_left_alone": "ok",
            "global.is_after": "ok"}.items()}
        whole = self.inner["whole_test"]
        self.assertEqual({("whole_test", name): status for (_, name), status
                          in parsers.kunit(whole).items()}, expected)
        for reader in parsers.there():
            self.assertEqual(parsers.by_levels(reader, {"whole_test": whole}), expected, reader)
        if "tap.py" not in parsers.there():
            self.skipTest("all others agree, but there is no python3-tap: vm/packages.sh check")

    def test_half_a_program(self):
        """Nobody can print the rest of it, but each parser tells that there is one."""
        for name in ("dies_test", "stays_test"):
            lines = self.inner[name]
            self.assertIn("not ok 3 global.crashes", lines)
            with self.assertRaisesRegex(AssertionError, "CRASHED"):
                parsers.kunit(lines)
            for reader in parsers.there():
                with self.assertRaises(AssertionError):
                    parsers.by_levels(reader, {name: lines})
