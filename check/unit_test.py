# SPDX-License-Identifier: GPL-2.0
"""The runner's parsers and tables, without a guest."""

import concurrent.futures
import contextlib
import fnmatch
import io
import itertools
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
from dataclasses import replace
from pathlib import Path

from check import defects_test
from vm import command
from vm.ask import options, suite
from vm.ask.request import DEBUG_PATIENCE, TIMEOUT, Request
from vm.ask.suite import Need, Suite, Test, plan
from vm.base import BUILD, ROOT, SOURCE, RunError, version
from vm.kernel import choose, kbuild
from vm.kernel.image import required
from vm.kernel.kbuild import read_patches
from vm.kernel.choose import Kind, Spec
from vm.machine.backend import DISKS_ORDER
from vm.machine.guest import End
from vm.report import known
from vm.report.results import Case, Feed, Finding, Results, last_words
from vm.report.text import Report
from vm.run import bench, defects
from vm.run.cli import Turns
from vm.run.defects import Hunt, Reference, Usual
from vm.run.guests import SuiteGuests

TESTS = [Test("a_test", f"waits.{fs}_punch.{name}", fs) for fs in ("ext4", "xfs")
         for name in ("one", "one_more")]
CRASH = Test("b_test", "shares.xfs_clone.bug", "xfs", frozenset({Need.ALONE}))
SUITE = Suite(Path("/nowhere"), TESTS, 10)


def feed(*messages: str, tests=TESTS) -> tuple[Results, list[str]]:
    """What a guest's @messages come to, and the KTAP that is made of them."""
    ktap: list[str] = []
    results = Results(tests)
    guest_feed = Feed(results, ktap.append, tests)
    for message in messages:
        guest_feed.feed(message)
    return results, ktap


def summary(results: Results, bugs=()) -> Report:
    return Report(results, list(bugs), "./again", {})


class Selection(unittest.TestCase):
    def names(self, fs, filters):
        return [t.name for t in SUITE.select(fs, filters)]

    def test_whole_name_means_just_that_test(self):
        self.assertEqual(self.names([], ["waits.xfs_punch.one"]), ["waits.xfs_punch.one"])

    def test_glob_part_and_program(self):
        self.assertEqual(len(self.names([], ["*.one"])), 2)
        self.assertEqual(len(self.names([], ["more"])), 2)
        self.assertEqual(len(self.names(["xfs"], ["a_test"])), 2)

    def test_unknown_names(self):
        with self.assertRaisesRegex(RunError, "unknown filesystem 'btrfs'.*ext4, xfs"):
            SUITE.select(["btrfs"], [])
        with self.assertRaisesRegex(RunError, "no test matches 'nothing'"):
            SUITE.select([], ["nothing"])

    def test_arguments_only_for_a_part_of_a_program(self):
        self.assertEqual(SUITE.arguments("a_test", TESTS), [])
        self.assertEqual(SUITE.arguments("a_test", TESTS[:1]), ["-r", TESTS[0].name])


class Listing(unittest.TestCase):
    """What a program says of its tests."""

    def test_fields(self):
        test = Test.read("w_test", "window.virtiofs.refault virtiofs alone small-window")
        self.assertEqual((test.fixture, test.fs, test.backend), ("window", "virtiofs", "virtiofs"))
        self.assertEqual(test.needs, {Need.ALONE, Need.SMALL_WINDOW})
        self.assertFalse(Test.read("w_test", "alone.xfs_alone.alone ext4").alone)

    def test_bad_lines_are_named(self):
        for line in ("waits.ext4_punch.one", "a.b.c xfs quiet"):
            with self.assertRaisesRegex(RunError, f"w_test -l says '{line}'"):
                Test.read("w_test", line)


class Requests(unittest.TestCase):
    def test_kernels(self):
        for text, meant in (("debian", Spec()), ("debian:6.12", Spec(Kind.DEBIAN, "6.12")),
                            ("host", Spec(Kind.HOST)), ("built", Spec(Kind.BUILT)),
                            ("built:debug", Spec(Kind.BUILT, "debug")),
                            ("built:fixes/a*", Spec(Kind.BUILT, "fixes/a*")),
                            (__file__, Spec(Kind.LOCAL, __file__))):
            self.assertEqual(choose.parse(text), meant)
            self.assertEqual(str(meant), text)
        for text in ("", "built:nonesuch", "built:../defects/x", "built:fixes/", "/nonesuch"):
            with self.assertRaisesRegex(RunError, f"no kernel '{text}'"):
                choose.parse(text)

    def test_modules(self):
        with self.assertRaisesRegex(RunError, "debian has modules of its own"):
            options.parse(["--modules", "/lib"])
        request = options.parse(["--kernel", __file__, "--modules", "/lib"])
        self.assertEqual(request.again(), f"./run_tests.sh --kernel {__file__} --modules /lib")

    def test_patched_kernels(self):
        self.assertEqual(options.parse(["--fix", "*"]).kernel, Spec(Kind.BUILT, "fixes/*"))
        with self.assertRaisesRegex(RunError, "--defect: not allowed with argument --kernel"):
            options.parse(["--kernel", "host", "--defect", "busy-if-mapped"])

    def test_time(self):
        self.assertEqual(options.parse([]), Request())
        slow = options.parse(["--debug-kernel"])
        self.assertEqual((slow.timeout, slow.patience), (TIMEOUT * DEBUG_PATIENCE, DEBUG_PATIENCE))
        self.assertEqual(options.parse(["--debug-kernel", "--timeout", "7"]).timeout, 7)


class Commands(unittest.TestCase):
    """Whatever ends a command, it says so in one line, and its status is known."""

    def ends(self, body) -> tuple[int, str]:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            return command.run("it", body), err.getvalue()

    def test_errors(self):
        self.assertEqual(self.ends(lambda: command.Status.CRASHED), (3, ""))
        self.assertEqual(self.ends(lambda: open("/nonesuch")),
                         (2, "it: /nonesuch: No such file or directory\n"))
        for number in command.SIGNALS:
            self.assertEqual(self.ends(lambda number=number: signal.raise_signal(number)),
                             (2, "it: interrupted\n"))
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory, "log")
            words = ["sh", "-c", "echo cc -Werror; echo x.c:1: error: no; exit 2"]
            self.assertEqual(self.ends(lambda: command.logged(*words, log=log)),
                             (2, f"it: sh failed: x.c:1: error: no (all of it: {log})\n"))

    def test_a_thread_that_runs_make_is_interrupted(self):
        def body():
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                log = Path(os.devnull)
                work = pool.submit(command.logged, "sleep", "60", log=log)
                while not work.running():
                    time.sleep(0.01)
                signal.raise_signal(signal.SIGTERM)

        start = time.monotonic()
        self.assertEqual(self.ends(body), (2, "it: interrupted\n"))
        self.assertLess(time.monotonic() - start, 10)


class Outcomes(unittest.TestCase):
    """Every chosen test ends as exactly one of passed, failed, skipped, not run."""

    def test_diagnosis(self):
        """The broken promise, or what else the test says, rather than the harness' words."""
        name = TESTS[0].name
        for said, reason in (("P1 broken: it returned", Finding(1, "it returned")),
                             ("cannot write: no space", "cannot write: no space")):
            results, ktap = feed("boot 7.3.4-x", "begin a_test", f"out #  RUN           {name} ...",
                                 "out # a_test.c:12:one:Expected 0 (0) == __rc (-28)",
                                 f"out # lib/dax_break.h:34:one:{said}",
                                 f"out not ok 1 {name}", tests=TESTS[:1])
            case = results.cases[name]
            self.assertEqual((case.status, case.reasons), ("failed", [reason]))
            self.assertEqual(case.diagnosis, said)
            self.assertIn(f"  not ok 1 {name}", ktap)

    def test_skip_keeps_its_reason(self):
        name = TESTS[0].name
        results, _ = feed("begin a_test", f"out ok 1 {name} # SKIP no ublk", "end a_test 0",
                          tests=TESTS[:1])
        self.assertEqual((results.cases[name].status, results.cases[name].diagnosis),
                         ("skipped", "no ublk"))

    def test_facts_are_summed_up(self):
        results, _ = feed("begin a_test", "out # recorded: ext4 waits for more: punch",
                          "out # recorded: ext4 waits for more: zero")
        said = summary(results).text()
        self.assertIn("recorded: ext4 waits for more: punch, zero", said)

    def test_whole_program_skipped(self):
        results, ktap = feed("begin a_test", "out 1..0 # SKIP no pmem", "end a_test 4")
        self.assertEqual(len(results.with_status("skipped")), 4)
        self.assertEqual(ktap[-1], "ok 1 a_test # SKIP no pmem")

    def test_silence_is_failure(self):
        results, ktap = feed("begin a_test", "out Bail out! mkfs failed", "end a_test 1")
        self.assertEqual(len(results.with_status("failed")), 4)
        self.assertIn("mkfs failed", results.cases[TESTS[0].name].diagnosis)
        self.assertEqual(ktap[-1], "not ok 1 a_test")

    def test_timeout_is_failure(self):
        results, _ = feed("begin a_test", f"out ok 1 {TESTS[0].name}", "end a_test timeout")
        self.assertEqual(len(results.with_status("passed")), 1)
        self.assertEqual(len(results.with_status("failed")), 3)
        said = summary(results).text()
        self.assertRegex(said, "FAILED a_test, 3 tests\n.* ran out of time before this test")
        self.assertIn("again: ./again a_test\n", said)

    def test_death_after_the_last_test_is_failure(self):
        results, ktap = feed("begin a_test", f"out ok 1 {TESTS[0].name}", "end a_test signal 11",
                             tests=TESTS[:1])
        self.assertEqual(results.problems, ["a_test ended with signal 11 after its last test"])
        self.assertEqual(ktap[-1], "not ok 1 a_test")

    def test_a_guest_that_dies_leaves_no_result(self):
        results, _ = feed("begin a_test", f"out ok 1 {TESTS[0].name}")
        self.assertEqual(len(results.with_status("")), 3)


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
        results, _ = feed("boot 6.12.1", "begin a_test", f"out not ok 1 {old}",
                          f"out not ok 2 {new}", "end a_test 1", tests=TESTS[:2])
        said = summary(results, self.read("ever-6.14 | waits.*.one | wrong | abc\n"))
        self.assertEqual([c.test.name for c in said.new_failures()], [new])
        self.assertIn(f"KNOWN wrong (fixed by abc)\n    found by {old}\n", said.text())
        self.assertIn(f"again: ./again {new}", said.text())


class Options(unittest.TestCase):
    def test_optional_options_are_not_required(self):
        self.assertNotIn("CONFIG_BLK_DEV_UBLK", required())


class Boots(unittest.TestCase):
    """Which guests there are, and how they share one stream."""

    def test_a_guest_for_each_filesystem_and_each_crash(self):
        planned = plan([CRASH, *TESTS])
        self.assertEqual([(b.name, b.alone) for b in planned],
                         [("ext4", False), ("xfs", False), (CRASH.name, True)])
        self.assertEqual([t.name for b in planned[:2] for t in b.tests], [t.name for t in TESTS])

    def test_the_longest_first(self):
        planned = plan([*TESTS, Test("b_test", "waits.xfs_punch.two", "xfs")])
        self.assertEqual([b.name for b in planned], ["xfs", "ext4"])

    def test_a_small_window_is_only_for_tests_that_need_one(self):
        small = replace(TESTS[0], needs=frozenset({Need.SMALL_WINDOW}))
        planned = plan([small, *TESTS[1:]])
        self.assertEqual([(b.name, b.small_window, b.alone) for b in planned],
                         [("xfs", False, False), ("ext4", False, False),
                          ("ext4-small-window", True, False)])

    def test_orders(self):
        """What the guest's init is told: the environment, then what to run."""
        request = Request(environment=("SEED=7",), patience=3)
        guests = SuiteGuests(request, replace(SUITE, tests=[*TESTS, CRASH]), None)
        shared, alone = plan([*TESTS[2:], CRASH])
        self.assertEqual(guests.orders(shared), [
            "env DAX_BREAK_FS=xfs", DISKS_ORDER, "env SEED=7", "run 30 /bin/a_test "
            "-r waits.xfs_punch.one -r waits.xfs_punch.one_more"])
        self.assertEqual(guests.orders(alone), [
            "env DAX_BREAK_FS=xfs", DISKS_ORDER, "env SEED=7", "env DAX_BREAK_DESTRUCTIVE=1",
            "run 30 /bin/b_test"])

    def test_turns(self):
        out: list[str] = []
        turns = Turns(out.append, 3)
        turns.write(2, "3a")
        turns.write(0, "1a")
        turns.write(1, "2a")
        self.assertEqual(out, ["1a"], "live, and nobody else's")
        turns.end(1)
        turns.end(0)
        turns.write(2, "3b")
        self.assertEqual(out, ["1a", "2a", "3a", "3b"])

    def test_a_crash_is_its_tests_failure(self):
        ktap: list[str] = []
        results = Results([CRASH])
        alone = Feed(results, ktap.append, [CRASH], 5, "xfs:")
        alone.feed("begin b_test")
        words = last_words(End.CRASHED, "x\n[ 1.2] kernel BUG at fs/inode.c:793!\n"
                           "RIP: 0010:clear_inode+0x73/0x80\nRIP: 0033:0x7f02\n"
                           "Kernel panic - not syncing")
        alone.cut_off(words)
        self.assertEqual(results.cases[CRASH.name].status, "failed")
        self.assertEqual(results.cases[CRASH.name].diagnosis, "P9 broken: the guest crashed: "
                         "kernel BUG at fs/inode.c:793! in clear_inode+0x73/0x80")
        self.assertEqual(ktap[-1], "not ok 5 xfs:b_test")

    def test_a_guest_that_is_cut_off_after_its_result(self):
        ktap: list[str] = []
        results = Results([CRASH])
        alone = Feed(results, ktap.append, [CRASH])
        alone.feed("begin b_test")
        self.assertFalse(alone.all_told())
        alone.feed(f"out ok 1 {CRASH.name}")
        self.assertTrue(alone.all_told())
        alone.cut_off("the guest crashed")
        self.assertEqual(results.cases[CRASH.name].status, "passed")
        self.assertEqual(ktap[-1], "ok 1 b_test")


PATCH = """\
// SPDX-License-Identifier: GPL-2.0
//
// What it breaks, and how,
// in two lines.
//
// Promise: P1
// Harm: much,
//   and more
// Test: waits.*.one precise_test
// File: fs/dax.c include/linux/dax.h

@@
@@
- break_me();
"""


class Patches(unittest.TestCase):
    def read(self, text: str) -> kbuild.Patch:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "break-it.cocci")
            path.write_text(text, encoding="utf-8")
            return kbuild.read_patch(path)

    def test_header(self):
        patch = self.read(PATCH)
        self.assertEqual(patch.name, "break-it")
        self.assertEqual(patch.what, "What it breaks, and how, in two lines.")
        self.assertEqual(patch.fields["Harm"], "much, and more")
        self.assertEqual(patch.tests, ["waits.*.one", "precise_test"])
        self.assertEqual(patch.files, ["fs/dax.c", "include/linux/dax.h"])

    def test_header_without_tests(self):
        with self.assertRaisesRegex(RunError, "break-it.cocci: no '// Test: '"):
            self.read(PATCH.replace("Test:", "Text:"))

    def test_no_such_patch(self):
        with self.assertRaisesRegex(RunError, "no kernel 'built:defects/nonesuch'"):
            kbuild.kernel("defects/nonesuch", Path("/nowhere"))

    def test_every_defect_tells_promise_and_harm(self):
        promises = re.findall(r"^\t(P\d+)_", (SOURCE / "include/finding.h").read_text(), flags=re.M)
        for each in read_patches("defects"):
            self.assertIn(each.fields["Promise"], promises, each.name)
            self.assertTrue(each.what and each.fields["Harm"], each.name)


class NewFailures(unittest.TestCase):
    """What counts as caught: a failure that the unbroken kernel does not show."""

    def test_what_is_new(self):
        reference = Reference.__new__(Reference)
        for before, status, promises, new in (
                (Usual("passed", []), "failed", [1], True),
                (Usual("passed", []), "passed", [], False),
                (Usual("passed", []), "skipped", [], False),
                (Usual("failed", [2]), "failed", [2], False),
                (Usual("failed", [2]), "failed", [1], True),
                (Usual("failed", [2]), "failed", [2, 12], True),
                (None, "failed", [1], False)):      # nobody ran it before
            reference._unbroken = {TESTS[0].name: before} if before else {}
            case = Case(TESTS[0], status, [Finding(p, "so") for p in promises])
            self.assertEqual(reference.is_new(case), new, (before, case))

    def test_sample_comes_round(self):
        patches = list(range(10))
        seen = [p for day in range(4) for p in defects_test.sample(patches, 3, day)]
        self.assertEqual(set(seen), set(patches))

    def test_table(self):
        patches = read_patches("defects")[:3]
        text = defects.table(patches, {
            patches[0].name: defects.Outcome(defects.CAUGHT, "a.b.c", "P1 broken: x", 2.0),
            patches[1].name: defects.Outcome(defects.UNUSABLE, why="finds nothing")},
                             ["lazy", "races_dma"])
        self.assertIn(f"- `races_dma`: {defects.CONTROLS['races_dma']}", text)
        self.assertIn("3 defects, 2 tried, 1 caught, half of them within 2.0 s.", text)
        self.assertIn("| `a.b.c` | 2.0 |", text)
        self.assertIn(f"- {patches[1].name}: finds nothing", text)
        self.assertIn("| not tried |", text)
        self.assertIn("\n- `lazy`: **nothing has shown yet that it can**\n", text)


class Hunts(unittest.TestCase):
    """A run on a broken kernel goes on until each fixture that is named has failed."""

    def setUp(self):
        self.tests = [Test("p", f"{name}.ext4.t", "ext4") for name in ("a", "b", "c")]
        self.reference = Reference.__new__(Reference)
        self.reference.suite = Suite(Path(), self.tests, 45)
        self.reference._unbroken = {t.name: Usual("passed", []) for t in self.tests}
        self.cases = [Case(t, "failed", [Finding(1, "it returned")]) for t in self.tests]

    def test_first_is_enough(self):
        hunt = Hunt(self.reference, self.tests, all_fixtures=False)
        self.assertTrue(hunt(self.cases[1]))

    def test_each_fixture(self):
        hunt = Hunt(self.reference, self.tests[:2], all_fixtures=True)
        self.assertFalse(hunt(self.cases[1]))
        self.assertTrue(hunt(self.cases[0]))
        self.assertEqual(list(hunt.found), ["b", "a"])

    def test_fixtures_that_never_fail(self):
        self.reference._unbroken["c.ext4.t"] = Usual("failed", [2])
        caught = defects.Outcome(defects.CAUGHT, "a.ext4.t", fixtures=["a"])
        self.assertEqual(defects.never_failing(self.reference, {"x": caught}), ["b"])


class Bench(unittest.TestCase):
    def test_a_curve_for_each_kernel_and_filesystem(self):
        columns = ("kernel", "fs", "measure", "entries", "pages", "median", "p99", "max")
        rows = [dict(zip(columns, (kernel, "xfs", measure, "pte", pages, "1.5", "2.5", "9.5")))
                for kernel in ("6.12", "7.3") for measure, pages in
                (("wake", "1"), ("break", "1"), ("break", "16"))]
        script = bench.script(rows, Path("/tmp/x.svg"))
        self.assertIn("set output '/tmp/x.svg'", script)
        self.assertIn("$break1 << EOD\n1 1.5\n16 1.5\nEOD", script)
        self.assertIn("plot $wake0 with linespoints title '6.12 xfs wake', "
                      "$wake1 with linespoints title '7.3 xfs wake'", script)


class Packages(unittest.TestCase):
    def test_missing_ones_are_named_in_one_line(self):
        with tempfile.TemporaryDirectory() as directory:
            for tool in ("bash", "cat", "id", "apt-get"):
                os.symlink(f"/usr/bin/{tool}", f"{directory}/{tool}")
            done = subprocess.run(["/bin/bash", ROOT / "vm/packages.sh", "--no-install"],
                                  env={"PATH": directory}, capture_output=True, text=True,
                                  check=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\A.*apt-get install .*qemu-system-x86.*\n\Z")
