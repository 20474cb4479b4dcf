# SPDX-License-Identifier: GPL-2.0
"""A run as a record, and what is news against another one."""

import contextlib
import io
import json
import tempfile
import unittest
import unittest.mock
from dataclasses import asdict
from pathlib import Path

from check.recorded import OUTCOMES, earlier, recorded, report, results, test
from vm.ask.request import Request
from vm.base import RunError
from vm.command import Status
from vm.machine.guest import End
from vm.report import account, record
from vm.report.compare import Comparison
from vm.report.console import Console, shortened
from vm.report.known import Earlier
from vm.report.record import Entry, Record
from vm.report.watch import Watch
from vm.report.words import Finding
from vm.run import cli, outputs
from vm.run.pool import Crash

OTHER = ("failed", Finding(1, "punch returned 0"), Finding(3, "it cannot be killed"))
PASSED = ("passed",)


class Scratch(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.file = self.scratch / "run.json"


class Files(Scratch):
    """The file that --json writes."""

    def test_all_of_a_run(self):
        """Is in it, and comes back as it was, whatever programs and kernels have printed."""
        run = recorded(*OUTCOMES)
        run.command = "./run_tests.sh --kernel \udcff'\"\\"
        run.tests[0].lines = ["\0\x1b[31m \ud800 </pre>"]
        run.problems = [record.Problem("xfs:a_test", "ended with signal 11")]
        run.crashes = [record.Crash("nvdimm.1", "the guest crashed", "x", ["BUG: y"])]
        run.write(self.file)
        self.assertEqual(record.read(self.file), run)
        self.assertEqual([entry.status for entry in run.tests],
                         ["passed", "passed", "failed", "failed", "failed", "skipped", "not run"])

    def test_entry(self):
        run = recorded("bad", "old", "gone", "lacks")
        bad, old, gone, lacks = run.tests
        self.assertEqual(bad, Entry(
            "bad.xfs_punch.t", "a_test", "xfs", "nvdimm", "failed", 0.5, True, [1],
            "P1 broken: punch returned 0", "corrupts", "", True,
            "./run_tests.sh bad.xfs_punch.t", ["#  RUN           bad.xfs_punch.t ..."],
            "nvdimm.1", ["before"], ["[1.0] WARNING: <b>"]))
        self.assertEqual((old.news, old.promises, old.bug), (False, [2, 9], "XFS spins"))
        self.assertEqual((gone.news, gone.bug, gone.console), (False, "it is not woken", []))
        self.assertEqual(lacks.diagnosis, "no ublk: modprobe ublk_drv")
        self.assertEqual((run.kernel, run.baseline), ("7.3.4-x", "known-bugs"))

    def test_what_later_versions_add(self):
        recorded("bad").write(self.file)
        data = json.loads(self.file.read_text())
        data["weather"] = data["tests"][0]["weather"] = "fine"
        self.file.write_text(json.dumps(data))
        self.assertEqual(record.read(self.file), recorded("bad"))

    def test_what_is_no_record(self):
        entry = asdict(Entry("bad.xfs_punch.t", "a_test", "xfs", "nvdimm", "failed"))
        good = {"format": record.FORMAT, "version": 1, "started": "", "command": "", "kernel": ""}
        for why, said in (("is not what", "no json"), ("is not what", ""),
                          ("is not what", [1]), ("is not what", {}),
                          ("has version 2", good | {"version": 2}), ("no tests", good),
                          ("is not what", good | {"tests": [1]}),
                          ("there is no 'program'", good | {"tests": [{"name": "x"}]}),
                          ("there is no 'started'", {"format": record.FORMAT, "version": 1}),
                          ("is not what", "[" * 100000),
                          ("null is no 'kernel'", good | {"kernel": None}),
                          ("7 is no 'name'", good | {"tests": [entry | {"name": 7}]}),
                          ("no 'status'", good | {"tests": [entry | {"status": "fine"}]}),
                          ("no 'promises'", good | {"tests": [entry | {"promises": ["a"]}]}),
                          ("is there 2 times", good | {"tests": [entry, entry]})):
            self.file.write_text(said if isinstance(said, str) else json.dumps(said))
            with self.assertRaisesRegex(RunError, why) as caught:
                record.read(self.file)
            self.assertNotIn("\n", str(caught.exception))
            self.assertIn(str(self.file), str(caught.exception))
        for path in (self.scratch / "nonesuch", self.scratch):
            with self.assertRaisesRegex(RunError, f"cannot read {path}: "):
                record.read(path)

    def test_console(self):
        """Of a failure: up to the next test, with what came before it."""
        path = self.scratch / "console"
        path.write_text("boot\n")
        console = Console("g", path)
        for name in ("a", "b"):
            console.begins(name)
            with path.open("a") as out:
                out.write(f"says {name}\n")
        self.assertEqual(console.around("a").before, ("boot",))
        self.assertEqual(console.around("a").lines, ("says a",))
        self.assertEqual(console.around("b").lines, ("says b",))
        self.assertEqual(console.around("c").lines, ())
        self.assertEqual(shortened(list("abcdef"), 2, 1), ["a", "b", "... 3 lines ...", "f"])

    def test_where_it_cannot_be_written(self):
        """That is told before a long run, not after it."""
        for path, why in (("/nonesuch/x", "there is no directory /nonesuch"),
                          (str(self.scratch), "it is a directory")):
            with self.assertRaisesRegex(RunError, f"cannot write {path}: {why}"):
                outputs.check(Request(json=Path(path)))
        with self.assertRaisesRegex(RunError, "cannot write /dev/full: No space"):
            outputs.write(recorded("bad"), Request(html=Path("/dev/full")), self.scratch)
        self.assertEqual(len(record.read(self.scratch / "results.json").tests), 1)


class News(Scratch):
    """Which failures are new, and which exit status that makes."""

    def new(self, names: tuple[str, ...], base: Earlier | None, **outcomes: tuple) -> list[str]:
        said = report(results(*names, **outcomes), base)
        return [case.test.fixture for case in said.new_failures()]

    def test_against_known_bugs(self):
        self.assertEqual(self.new(("bad", "old", "rare", "fine"), None), ["bad"])

    def test_against_an_earlier_run(self):
        """Unless a known bug is one that shows only now and then."""
        names = ("bad", "old", "rare", "fine")
        base = earlier(self.file, *names, old=PASSED, rare=PASSED)
        self.assertEqual(self.new(names, base), ["old"])
        self.assertEqual(self.new(names, base, bad=OTHER), ["bad", "old"])
        self.assertEqual(self.new(("gone", *names), base, gone=OTHER), ["gone", "old"])

    def test_text(self):
        names = ("bad", "old")
        base = earlier(self.file, *names, old=PASSED)
        text = report(results(*names), base).text()
        self.assertIn(f"7.3.4-x: 1 new failure against {self.file} (7.3.4-x); "
                      "1 other old failure\n", text)
        self.assertIn("FAILED old.xfs_punch.t\n    P2 broken: it sleeps; P9 broken: the kernel "
                      "says: WARNING\n    known: XFS spins\n    again: ", text)
        self.assertIn("FAILED BEFORE bad.xfs_punch.t\n    P1 broken: punch returned 0\n", text)

    def test_what_it_lacks(self):
        base = earlier(self.file, "bad", "later")
        self.assertEqual(base.lacks([test("bad")]), "")
        self.assertRegex(base.lacks([test("bad"), test("later")]),
                         "has no result of 1 of these tests, later.xfs_punch.t for one")
        with self.assertRaisesRegex(RunError, "has a result of none of these tests"):
            base.lacks([test("fine")])

    def test_one_that_cannot_go_on(self):
        """What there is is written, and no file of an earlier run is taken for this one's."""
        kept = unittest.mock.Mock(directory=self.scratch)
        ours = cli.Run(kept, Request(json=self.file), None, [test("bad"), test("later")],
                       Watch(io.StringIO()), lambda line: None, None, Record("", "", ""))
        ours.results.end(ours.results.cases[test("bad").title], "failed", ["no"])
        ours.abort(KeyboardInterrupt())
        run = record.read(self.file)
        self.assertEqual([(entry.status, entry.diagnosis) for entry in run.tests],
                         [("failed", "no"), (record.NOT_RUN, "")])
        self.assertEqual(run.status, Status.NOT_RUN)
        self.assertIn("1 test not run", run.verdict)

    def test_files_that_are_the_same(self):
        for one, other in (("json", "html"), ("junit", "ktap")):
            with self.assertRaisesRegex(RunError, "cannot be two of the files"):
                outputs.check(Request(**{one: self.file, other: self.file}))

    def status(self, found, crash: str = "", base: Earlier | None = None, **request) -> Status:
        ours = cli.Run(unittest.mock.Mock(), Request(**request), None, [], Watch(io.StringIO()),
                       lambda line: None, base, Record("", "", ""))
        ours.results = found
        ours.report = report(found, base)
        if crash:
            case = found.cases.get(test(crash).title)
            ours.crashes = [Crash("g", End.CRASHED, self.file, case)]
        return ours.status()

    def test_status(self):
        for names, crash, usual, strict in (
                (("fine", "bad"), "", Status.FAILED, Status.FAILED),
                (("fine", "old"), "", Status.PASSED, Status.FAILED),
                (("old", "rare"), "", Status.PASSED, Status.FAILED),
                (("lacks", "fine"), "", Status.PASSED, Status.PASSED),
                (("lacks",), "", Status.SKIPPED, Status.SKIPPED),
                (("fine", "old"), "old", Status.PASSED, Status.CRASHED),
                (("fine", "bad"), "bad", Status.CRASHED, Status.CRASHED),
                (("fine",), "nowhere", Status.CRASHED, Status.CRASHED)):
            with self.subTest(names):
                self.assertEqual(self.status(results(*names), crash), usual)
                self.assertEqual(self.status(results(*names), crash, strict=True), strict)

    def test_status_against_an_earlier_run(self):
        base = earlier(self.file, "fine", "bad", "old", old=PASSED)
        self.assertEqual(self.status(results("fine", "bad"), "bad", base), Status.PASSED)
        self.assertEqual(self.status(results("fine", "old"), "", base), Status.FAILED)

    def test_problem_of_a_program(self):
        """No entry of known-bugs is about one; an earlier run may have had the same."""
        found = results("fine")
        found.groups["xfs:a_test"].problem = "ended with signal 11"
        self.assertEqual(self.status(found), Status.FAILED)
        account.fill(Record("", "", ""), report(found)).write(self.file)
        base = Earlier(self.file)
        self.assertEqual(self.status(found, base=base), Status.PASSED)
        self.assertIn("FAILED BEFORE xfs:a_test ended with signal 11", report(found, base).text())


class Compared(Scratch):
    """run_tests.sh --compare."""

    NAMES = ("fine", "bad", "old", "lacks")

    def compare(self, before: Record, after: Record) -> tuple[int, str]:
        paths = [self.scratch / name for name in ("a.json", "b.json")]
        before.write(paths[0])
        after.write(paths[1])
        out = io.StringIO()
        with (contextlib.redirect_stdout(out),
              unittest.mock.patch("vm.command.made", side_effect=AssertionError)):
            status = cli.main(["--compare", *map(str, paths)])
        return status, out.getvalue()

    def test_nothing(self):
        status, said = self.compare(recorded(*self.NAMES), recorded(*self.NAMES))
        self.assertEqual(status, Status.PASSED)
        self.assertTrue(said.startswith("7.3.4-x -> 7.3.4-x: nothing worse, nothing better\n"))
        self.assertNotIn("ING:", said)

    def test_kinds(self):
        """What each test came to, then and later: under which heading, and is it worse?"""
        skipped = ("skipped", "no ublk")
        fewer = ("failed", Finding(2, "it sleeps"))
        for heading, worse, then, later in (
                ("NEWLY FAILING", 1, PASSED, OTHER), ("NEWLY FAILING", 1, skipped, OTHER),
                ("BREAKS OTHER PROMISES", 1, OUTCOMES["bad"], OTHER),
                ("NO LONGER FAILING", 0, OTHER, PASSED),
                ("KEEPS MORE PROMISES", 0, OUTCOMES["old"], fewer),
                ("NOW SKIPPED", 0, OTHER, skipped), ("NO LONGER SKIPPED", 0, skipped, PASSED),
                ("NO LONGER RUN", 0, PASSED, ())):
            with self.subTest(heading):
                status, said = self.compare(recorded("fine", "bad", fine=then),
                                            recorded("fine", "bad", fine=later))
                self.assertEqual(status, worse)
                self.assertRegex(said, f"(?s)\n{heading}: 1\n  fine.xfs_punch.t\n")
                self.assertEqual(said.count("xfs_punch"), 1, said)

    def test_other_tests(self):
        status, said = self.compare(recorded("fine", "old"), recorded("gone", "old"))
        self.assertEqual(status, Status.PASSED)
        self.assertIn("NEW TESTS: 1\n  gone.xfs_punch.t\n", said)
        self.assertIn("VANISHED TESTS: 1\n  fine.xfs_punch.t\n", said)
        self.assertEqual(self.compare(recorded("fine"), recorded("bad", "fine"))[0],
                         Status.FAILED)
        with contextlib.redirect_stderr(io.StringIO()) as err:
            self.assertEqual(self.compare(recorded("fine"), recorded("bad")), (2, ""))
        self.assertIn("have no test in common", err.getvalue())

    def test_problems(self):
        after = recorded("fine")
        after.problems = [record.Problem("xfs:a_test", "ended with signal 11")]
        status, said = self.compare(recorded("fine"), after)
        self.assertEqual(status, Status.FAILED)
        self.assertIn("NEW PROBLEMS\n  xfs:a_test ended with signal 11", said)

    def test_many(self):
        """A fixture's tests are told together."""
        runs = []
        for status in ("passed", "failed"):
            run = recorded("fine")
            run.tests = [Entry(f"f{n % 30}.xfs_punch.t{n}", "a_test", "xfs", "nvdimm", status)
                         for n in range(300)]
            runs.append(run)
        lines = Comparison(*runs).text().splitlines()
        self.assertIn("  f0.xfs_punch.t0 and 9 other tests", lines)
        self.assertIn("  ... and 100 tests of 10 other fixtures", lines)
        self.assertLess(len(lines), 60)
