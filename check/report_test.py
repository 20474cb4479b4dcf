# SPDX-License-Identifier: GPL-2.0
"""What a person is told of a run, while it goes on and at its end; the table known-bugs."""

import fnmatch
import itertools
import re
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from check.example import TESTS, feed, summary
from vm.ask import suite
from vm.ask.suite import Test
from vm.base import BUILD, SOURCE, RunError, version
from vm.machine.guest import End
from vm.report import known
from vm.report.results import Case, Results
from vm.report.tally import Kind, Tally, clock
from vm.report.harm import HARM
from vm.report.text import HAS_NOT, Report
from vm.report.words import Finding, last_words


class Summary(unittest.TestCase):
    """What matters most to a person comes first."""

    NAMES = ("new", "quiet", "hang", "corrupt", "crash", "lacks", "none", "fine", "lucky", "rare")

    def setUp(self):
        self.tests = [Test("t_test", f"{name}.xfs_punch.t", "xfs") for name in self.NAMES]
        self.results = Results(self.tests)
        self.results.kernel = "7.3.4-x"
        self.results.recorded["xfs waits for more"] = ["punch"]
        words = last_words(End.CRASHED, "kernel BUG at fs/inode.c:776!")
        for name, *end in (
                ("new", "failed", Finding(3, "it cannot be killed")),
                ("quiet", "failed", Finding(9, "the kernel says: WARNING")),
                ("hang", "failed", Finding(2, "it sleeps"), Finding(9, "a WARNING")),
                ("corrupt", "failed", Finding(9, "a WARNING"), Finding(5, "page 1 is lost")),
                ("crash", "failed", words),
                ("lacks", "skipped", "no ublk: modprobe ublk_drv"),
                ("none", "skipped", "this kernel's xfs does not have write_zeroes"),
                ("fine", "passed"), ("lucky", "passed"), ("rare", "passed")):
            self.results.cases[f"{name}.xfs_punch.t"].end(end[0], end[1:])
        self.known = [known.KnownBug((), (), (f"{name}.*",), chance, (), f"bug {name}")
                      for name, chance in (("quiet", ()), ("hang", ()), ("corrupt", ()),
                                           ("crash", ()), ("lucky", ()), ("rare", ("rare.*",)))]

    def text(self) -> str:
        return Report(self.results, self.known, "./again", {"test": 2.0}).text()

    def test_order(self):
        verdict = "7.3.4-x: 1 new failure; 4 known bugs, 2 of which crash or corrupt"
        self.assertEqual(re.findall(r"^(?:FAILED|KNOWN|PASSED|skipped|recorded|kernel|7).*",
                                    self.text(), flags=re.M), [
            verdict,
            "FAILED new.xfs_punch.t",
            "KNOWN bug crash", "KNOWN bug corrupt", "KNOWN bug hang", "KNOWN bug quiet",
            "PASSED though a bug is known: lucky.xfs_punch.t (bug lucky)",
            "skipped 1: no ublk: modprobe ublk_drv",
            "skipped 1: a filesystem does not have the operation: xfs write_zeroes",
            "recorded: xfs waits for more: punch", "kernel 7.3.4-x", verdict])

    def test_the_worst_of_a_bug_is_told(self):
        self.known = [known.KnownBug((), (), ("quiet.*", "crash.*", "hang.*"), (), (), "it")]
        self.assertIn("KNOWN it\n    crashes; found by crash.xfs_punch.t and 2 other tests\n"
                      "    P9 broken: the guest crashed", self.text())

    def test_what_another_test_is_to_blame_for(self):
        """It is old news if that one's failure is, whatever is known of the test itself."""
        case = self.results.cases["new.xfs_punch.t"]
        case.reached, case.blame = False, "hang.xfs_punch.t"
        self.assertNotIn("FAILED", self.text())
        self.assertIn("KNOWN bug hang\n    hangs; found by hang.xfs_punch.t and 1 other test\n",
                      self.text())
        self.results.cases["quiet.xfs_punch.t"].blame = "unheard.xfs_punch.t"
        self.assertIn("FAILED quiet.xfs_punch.t\n", self.text())

    def test_verdicts(self):
        def verdict() -> str:
            return Report(self.results, self.known, "./again", {}).verdict()

        self.results.cases["crash.xfs_punch.t"].status = "passed"
        self.results.cases["new.xfs_punch.t"].status = "passed"
        self.assertEqual(verdict(), "7.3.4-x: no new failure; 3 known bugs, 1 of which crashes "
                         "or corrupts")
        self.known = self.known[2:3]
        self.assertEqual(verdict(), "7.3.4-x: 2 new failures; 1 known bug, which crashes or "
                         "corrupts")
        self.results.groups["xfs:t_test"].problem = "ended with signal 11 after its last test"
        self.assertRegex(verdict(), "3 new failures; 1")
        self.results = Results(self.tests)
        self.assertEqual(verdict(), "unknown kernel: nothing has been tested; 10 tests not run")

    def test_every_promise_has_its_rank(self):
        names = re.findall(r"^\tP(\d+)_", (SOURCE / "include/finding.h").read_text(), flags=re.M)
        self.assertEqual(list(HARM), [int(name) for name in names])

    def test_words_of_the_suite(self):
        """What it says of a lack that nobody can do anything about is known by its words."""
        for name in ("lib/op/probe.c", "held_up_test.c"):
            said = re.search(r'"(this kernel.*does not have.*)"', (SOURCE / name).read_text())[1]
            self.assertRegex(said.replace("%s", "x"), HAS_NOT, name)

    def test_kinds(self):
        report = Report(self.results, self.known, "./again", {})
        self.assertEqual([report.kind(self.results.cases[f"{name}.xfs_punch.t"])
                          for name in ("new", "hang", "lacks", "lucky")],
                         [Kind.NEW, Kind.KNOWN, Kind.SKIPPED, Kind.PASSED])


class Progress(unittest.TestCase):
    """How far a run has come."""

    def tally(self, expected: float | None, passed: int, new: int = 0,
              seconds: float = 1.0) -> Tally:
        test = Test("t_test", "a.xfs_punch.t", "xfs")
        with unittest.mock.patch("time.monotonic", return_value=0.0):
            tally = Tally(1000, expected)
        for kind, number in ((Kind.PASSED, passed), (Kind.NEW, new)):
            for _ in range(number):
                tally.add(Case(test, seconds=seconds), kind)
        return tally

    def left(self, tally: Tally) -> float | None:
        with unittest.mock.patch("time.monotonic", return_value=30.0):
            return tally.left()

    def test_time_left(self):
        """Half of the work took 30 s. On a slow machine expectations are soon useless."""
        self.assertIsNone(self.left(self.tally(200, 0)))
        self.assertEqual(self.left(self.tally(200, 100)), 30.0)
        self.assertEqual(self.left(self.tally(None, 500)), 30.0)
        self.assertEqual(self.left(self.tally(200, 500)), 30.0)
        self.assertEqual((clock(75), clock(3601)), ("1:15", "1:00:01"))

    def test_words_for_each_width(self):
        tally = self.tally(2000, 400, 100)
        with unittest.mock.patch("time.monotonic", return_value=75.0):
            self.assertEqual([tally.words(width) for width in (90, 60, 37, 20)], [
                "500 of 1000 done, 400 passed, 100 new failures, 0 known, 0 skipped, 3:45 left",
                "500 of 1000, 100 new failures, 0 known, 3:45 left",
                "500/1000, 100 new, 0 known, 3:45", "500/1000, 100 new"])


class KnownBugs(unittest.TestCase):
    def read(self, text: str) -> list[known.KnownBug]:
        with tempfile.NamedTemporaryFile("w", suffix="known") as file:
            file.write(text)
            file.flush()
            return known.read(Path(file.name))

    def test_which_kernels_and_tests(self):
        for entry, test, covered, others in (
                ("6.15-7.3 | a.*.one | wrong | abc\n", "a.b.one",
                 ("6.15", "6.15.1-rc1", "7.3.4+deb13-amd64"), ("6.14.11", "7.4", "8.0")),
                ("6.15-7.3 | a.*.one | wrong | abc\n", "a.b.two", (), ("7.0",)),
                ("ever-6.14 | a.* | x |\n", "a.b.c", ("6.14.3",), ("6.15",)),
                ("6.15- | a.* | y |\n", "a.b.c", ("9.0",), ("6.14",))):
            bug, = self.read(entry)
            for kernel in (*covered, *others):
                self.assertEqual(bug.covers(version(kernel), test), kernel in covered, kernel)

    def test_several_globs_and_exceptions(self):
        """In an entry of several lines."""
        bug = self.read("ever- | a.*\n  b.* !*.fine |\n  x y |\n")[0]
        self.assertEqual([name for name in ("a.one", "b.one", "c.one", "a.fine")
                          if bug.covers((6, 1), name)], ["a.one", "b.one"])
        self.assertEqual(bug.what, "x y")

    def test_what_shows_now_and_then(self):
        bug, = self.read("ever- | a.* ~b.* !b.*.fine | x |\n")
        self.assertEqual([(name, bug.covers((6, 1), name), bug.always_shown_by(name))
                          for name in ("a.b.c", "b.b.c")],
                         [("a.b.c", True, True), ("b.b.c", True, False)])
        self.assertFalse(bug.covers((6, 1), "b.b.fine"))

    def test_bad_entries_are_named(self):
        for bad, why in (("6.1 | x", "not"), ("6.1- | [ab]*.c | x |", "name the fixture in full"),
                         ("6.1- | ~a*.c | x |", "name the fixture in full"),
                         ("-6.1 | a.* | x |", "since when")):
            with self.assertRaisesRegex(RunError, f"known:2: .*{why}"):
                self.read(f"# fine\n{bad}\n  \n")

    def test_the_table_itself(self):
        """Each glob matches a test, each exception one of those."""
        names = [t.name for t in suite.load(BUILD / "selftests").tests]
        for bug in known.read():
            covered = {glob: fnmatch.filter(names, glob) for glob in bug.globs}
            for glob, found in covered.items():
                self.assertTrue(found, f"no test is called {glob}")
            for glob in bug.exceptions:
                self.assertTrue(fnmatch.filter(itertools.chain(*covered.values()), glob),
                                f"{' '.join(bug.globs)}: there is no {glob} among these")

    def test_report_tells_old_news_from_new(self):
        old, new = TESTS[0].name, TESTS[1].name
        results, _ = feed("begin a_test", f"out not ok 1 {old}", f"out not ok 2 {new}",
                          "end a_test 1")
        results.kernel = "6.12.1"
        said = summary(results, self.read("ever-6.14 | waits.*.one | wrong | abc\n"))
        self.assertEqual([c.test.name for c in said.new_failures()], [new])
        self.assertIn(f"KNOWN wrong (fixed by abc)\n    found by {old}\n", said.text())
        self.assertIn(f"again: ./again {new}", said.text())
