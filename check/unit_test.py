# SPDX-License-Identifier: GPL-2.0
"""The runner's parsers and tables, without a guest."""

import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from check import defects_test
from vm import accel, bench, boots, defects, guest, kbuild, kconfig, qemu, report
from vm.errors import RunError
from vm.results import Case, Feed, Results
from vm.suite import ROOT, Suite, Test

TESTS = [Test("a_test", f"waits.{fs}_punch.{name}") for fs in ("ext4", "xfs")
         for name in ("one", "one_more")]
SUITE = Suite(Path("/nowhere"), TESTS, 10)


def feed(*messages: str, tests=None) -> tuple[Results, list[str]]:
    ktap: list[str] = []
    results = Results(TESTS if tests is None else tests)
    guest_feed = Feed(results, ktap.append, results.chosen)
    for message in messages:
        guest_feed.feed(message)
    return results, ktap


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


class Outcomes(unittest.TestCase):
    """Every chosen test ends as exactly one of passed, failed, skipped, not run."""

    def test_diagnosis_is_the_broken_promise(self):
        name = TESTS[0].name
        results, ktap = feed("boot 7.3.4-x", "begin a_test", f"out #  RUN           {name} ...",
                             "out # a_test.c:12:one:Expected 1 == 0",
                             "out # lib/dax_break.h:34:one:P1 broken: it returned",
                             f"out not ok 1 {name}", tests=TESTS[:1])
        self.assertEqual(results.cases[name].why, "P1 broken: it returned")
        self.assertEqual(results.cases[name].status, "failed")
        self.assertIn(f"  not ok 1 {name}", ktap)

    def test_diagnosis_is_rather_the_tests_own_words(self):
        name = TESTS[0].name
        results, _ = feed("begin a_test", f"out #  RUN           {name} ...",
                          "out # a_test.c:12:one:Expected 0 (0) == __rc (-28)",
                          "out # a_test.c:12:one:cannot write: no space",
                          f"out not ok 1 {name}", tests=TESTS[:1])
        self.assertEqual(results.cases[name].why, "cannot write: no space")

    def test_skip_keeps_its_reason(self):
        name = TESTS[0].name
        results, _ = feed("begin a_test", f"out ok 1 {name} # SKIP no ublk", "end a_test 0",
                          tests=TESTS[:1])
        self.assertEqual((results.cases[name].status, results.cases[name].why),
                         ("skipped", "no ublk"))

    def test_facts_are_summed_up(self):
        results, _ = feed("begin a_test", "out # recorded: ext4 waits for more: punch",
                          "out # recorded: ext4 waits for more: zero")
        said = report.Report(results, [], "./again", {}).text()
        self.assertIn("recorded: ext4 waits for more: punch, zero", said)

    def test_whole_program_skipped(self):
        results, ktap = feed("begin a_test", "out 1..0 # SKIP no pmem", "end a_test 4")
        self.assertEqual(len(results.with_status("skipped")), 4)
        self.assertEqual(ktap[-1], "ok 1 a_test # SKIP no pmem")

    def test_silence_is_failure(self):
        results, ktap = feed("begin a_test", "out Bail out! mkfs failed", "end a_test 1")
        self.assertEqual(len(results.with_status("failed")), 4)
        self.assertIn("mkfs failed", results.cases[TESTS[0].name].why)
        self.assertEqual(ktap[-1], "not ok 1 a_test")

    def test_timeout_is_failure(self):
        results, _ = feed("begin a_test", f"out ok 1 {TESTS[0].name}", "end a_test timeout")
        self.assertEqual(len(results.with_status("passed")), 1)
        self.assertEqual(len(results.with_status("failed")), 3)
        said = report.Report(results, [], "./again", {}).text()
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
    def read(self, text: str) -> list[report.KnownBug]:
        with tempfile.NamedTemporaryFile("w", suffix="known") as file:
            file.write(text)
            file.flush()
            return report.read_known_bugs(Path(file.name))

    def test_ranges(self):
        bug = self.read("6.15-7.3 | *.one | wrong | abc\n")[0]
        for kernel, covered in (("6.14.11", False), ("6.15", True), ("6.15.1-rc1", True),
                                ("7.3.4+deb13-amd64", True), ("7.4", False), ("8.0", False)):
            self.assertEqual(bug.covers(report.version(kernel), "a.b.one"), covered, kernel)
        self.assertFalse(bug.covers((7, 0), "a.b.two"))

    def test_open_ranges(self):
        upto, since = self.read("-6.14 | * | x |\n6.15- | * | y |\n")
        self.assertTrue(upto.covers((6, 14, 3), "x"))
        self.assertFalse(upto.covers((6, 15), "x"))
        self.assertTrue(since.covers((9, 0), "x"))

    def test_several_globs_and_exceptions(self):
        bug = self.read("- | a.* b.* !*.fine | x |\n")[0]
        for name, covered in (("a.one", True), ("b.one", True), ("c.one", False),
                              ("a.fine", False)):
            self.assertEqual(bug.covers((6, 1), name), covered, name)

    def test_bad_line_is_named(self):
        with self.assertRaisesRegex(RunError, ":2: not"):
            self.read("# fine\n6.1 | x\n")

    def test_the_table_itself(self):
        self.assertTrue(report.read_known_bugs())

    def test_report_tells_old_news_from_new(self):
        old, new = TESTS[0].name, TESTS[1].name
        results, _ = feed("boot 6.12.1", "begin a_test", f"out not ok 1 {old}",
                          f"out not ok 2 {new}", "end a_test 1", tests=TESTS[:2])
        said = report.Report(results, self.read("-6.14 | *.one | wrong | abc\n"), "./again", {})
        self.assertEqual([c.test.name for c in said.new_failures()], [new])
        self.assertIn(f"KNOWN wrong (fixed by abc)\n    found by {old}\n", said.text())
        self.assertIn(f"again: ./again {new}", said.text())


class Kconfig(unittest.TestCase):
    def test_missing_options_are_named(self):
        wanted = kconfig.required()
        have = set(wanted) - {"CONFIG_FS_DAX"}
        with tempfile.NamedTemporaryFile("w") as config:
            config.write("".join(f"{o}=m\n" for o in have) + "# CONFIG_FS_DAX is not set\n")
            config.flush()
            self.assertEqual(kconfig.missing(Path(config.name), wanted), ["CONFIG_FS_DAX"])

    def test_optional_options_are_not_required(self):
        self.assertNotIn("CONFIG_BLK_DEV_UBLK", kconfig.required())


class Boots(unittest.TestCase):
    """Which guests there are, and how they share one stream."""

    def test_a_guest_for_each_filesystem_and_each_crash(self):
        crash = Test("b_test", "crash.xfs_clone.bug")
        planned = boots.plan([crash, *TESTS])
        self.assertEqual([(b.name, b.alone) for b in planned],
                         [("ext4", False), ("xfs", False), (crash.name, True)])
        self.assertEqual([t.name for b in planned[:2] for t in b.tests], [t.name for t in TESTS])

    def test_the_longest_first(self):
        planned = boots.plan([*TESTS, Test("b_test", "waits.xfs_punch.two")])
        self.assertEqual([b.name for b in planned], ["xfs", "ext4"])

    def test_turns(self):
        out: list[str] = []
        turns = boots.Turns(out.append, 3)
        first, second, third = (turns.writer(i) for i in range(3))
        third("3a")
        first("1a")
        second("2a")
        self.assertEqual(out, ["1a"], "live, and nobody else's")
        turns.end(1)
        turns.end(0)
        third("3b")
        self.assertEqual(out, ["1a", "2a", "3a", "3b"])

    def test_results_are_numbered_through(self):
        ktap: list[str] = []
        results = Results(TESTS)
        xfs = Feed(results, ktap.append, TESTS[2:], 2, "xfs:")
        for message in ("begin a_test", f"out ok 1 {TESTS[2].name}",
                        f"out ok 2 {TESTS[3].name}", "end a_test 0"):
            xfs.feed(message)
        self.assertEqual(ktap[-1], "ok 2 xfs:a_test")

    def test_a_crash_is_its_tests_failure(self):
        ktap: list[str] = []
        test = Test("b_test", "crash.xfs_clone.bug")
        results = Results([test])
        alone = Feed(results, ktap.append, [test], 5, "xfs:")
        alone.feed("begin b_test")
        words = guest.last_words(guest.End.CRASHED, "x\n[ 1.2] kernel BUG at fs/inode.c:793!\n"
                                 "RIP: 0010:clear_inode+0x73/0x80\nRIP: 0033:0x7f02\n"
                                 "Kernel panic - not syncing")
        alone.cut_off(words)
        self.assertEqual(results.cases[test.name].status, "failed")
        self.assertEqual(results.cases[test.name].why, "P9 broken: the guest crashed: "
                         "kernel BUG at fs/inode.c:793! in clear_inode+0x73/0x80")
        self.assertEqual(ktap[-1], "not ok 5 xfs:b_test")

    def test_a_guest_that_is_cut_off_after_its_result(self):
        ktap: list[str] = []
        test = Test("b_test", "crash.xfs_clone.bug")
        results = Results([test])
        alone = Feed(results, ktap.append, [test])
        alone.feed("begin b_test")
        self.assertFalse(alone.all_told())
        alone.feed(f"out ok 1 {test.name}")
        self.assertTrue(alone.all_told())
        alone.cut_off("the guest crashed")
        self.assertEqual(results.cases[test.name].status, "passed")
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
        for spec in ("built:defects/nonesuch", "built:nonesuch", "built:../defects/nonesuch"):
            with self.assertRaisesRegex(RunError, "no kernel"):
                kbuild.resolve(spec, Path("/nowhere"))

    def test_every_defect_tells_promise_and_harm(self):
        for patch in kbuild.read_patches("defects"):
            self.assertRegex(patch.fields["Promise"], r"^P[1-9]$", patch.name)
            self.assertTrue(patch.what and patch.fields["Harm"], patch.name)


class NewFailures(unittest.TestCase):
    """What counts as caught: a failure that the unbroken kernel does not show."""

    def is_new(self, before: list[str] | None, status: str, why: str) -> bool:
        reference = defects.Reference.__new__(defects.Reference)
        reference._unbroken = {TESTS[0].name: before} if before else {}
        return reference.is_new(Case(TESTS[0], status, why))

    def test_failure_of_a_test_that_passed(self):
        self.assertTrue(self.is_new(["passed", ""], "failed", "P1 broken: it returned"))
        self.assertFalse(self.is_new(["passed", ""], "passed", ""))
        self.assertFalse(self.is_new(["passed", ""], "skipped", "no ublk"))

    def test_failure_that_is_old(self):
        self.assertFalse(self.is_new(["failed", "P2 broken: 5 ms"], "failed", "P2 broken: 7 ms"))

    def test_another_promise(self):
        old = ["failed", "P2 broken: spins"]
        self.assertTrue(self.is_new(old, "failed", "P1 broken: done"))
        self.assertTrue(self.is_new(old, "failed", "P2 broken: spins; P9 broken: WARNING"))

    def test_a_test_that_nobody_ran_before(self):
        self.assertFalse(self.is_new(None, "failed", "P1 broken: it returned"))

    def test_sample_comes_round(self):
        patches = list(range(10))
        seen = [p for day in range(4) for p in defects_test.sample(patches, 3, day)]
        self.assertEqual(set(seen), set(patches))

    def test_table(self):
        patches = kbuild.read_patches("defects")[:3]
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
        self.tests = [Test("p", f"{name}.ext4.t") for name in ("a", "b", "c")]
        self.reference = defects.Reference.__new__(defects.Reference)
        self.reference.suite = Suite(Path(), self.tests, 45)
        self.reference._unbroken = {t.name: ["passed", ""] for t in self.tests}
        self.cases = [Case(t, "failed", "P1 broken: it returned") for t in self.tests]

    def test_first_is_enough(self):
        hunt = defects.Hunt(self.reference, self.tests, all_fixtures=False)
        self.assertTrue(hunt(self.cases[1]))

    def test_each_fixture(self):
        hunt = defects.Hunt(self.reference, self.tests[:2], all_fixtures=True)
        self.assertFalse(hunt(self.cases[1]))
        self.assertTrue(hunt(self.cases[0]))
        self.assertEqual(list(hunt.found), ["b", "a"])

    def test_fixtures_that_never_fail(self):
        self.reference._unbroken["c.ext4.t"] = ["failed", "P2 broken: spins"]
        caught = defects.Outcome(defects.CAUGHT, "a.ext4.t", fixtures=["a"])
        self.assertEqual(defects.never_failing(self.reference, {"x": caught}), ["b"])


class Resources(unittest.TestCase):
    def test_memory(self):
        with self.assertRaisesRegex(RunError, "no memory for the guest.*--memory"):
            guest.check_resources(1 << 40, 0, Path("/tmp"), 1)

    def test_disk(self):
        full = mock.Mock(f_bavail=1, f_frsize=4096)
        with mock.patch("os.statvfs", return_value=full):
            with self.assertRaisesRegex(RunError, "no disk space"):
                guest.check_resources(1, 2050, Path("/tmp"), 1)

    def test_as_many_at_once_as_there_is_room_for(self):
        room = mock.Mock(f_bavail=3000 << 8, f_frsize=4096)
        with mock.patch("os.cpu_count", return_value=8):
            self.assertEqual(guest.check_resources(1, 0, Path("/tmp"), 3), 3)
            with mock.patch("os.statvfs", return_value=room):
                self.assertEqual(guest.check_resources(1, 2050, Path("/tmp"), 3), 1)


class FakeQemu(unittest.TestCase):
    """The QEMU that is found first is a script."""

    def setUp(self):
        self.bin = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def script(self, name: str, text: str):
        path = self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def fake_qemu(self, text: str):
        self.script(qemu.PROGRAM, text)
        self.enterContext(mock.patch.dict(os.environ, {
            "PATH": f"{self.bin}:{os.environ['PATH']}"}))


class Accelerator(FakeQemu):
    """/dev/kvm may be there and useless."""

    def test_a_trial_that_hangs_is_ended(self):
        self.fake_qemu(f"echo $$ > {self.bin}/pid; exec sleep 100")
        self.enterContext(mock.patch.object(accel, "TRIAL_SECONDS", 0.5))
        start = time.monotonic()
        self.assertFalse(accel.trial_boot())
        self.assertLess(time.monotonic() - start, 5)
        pid = (self.bin / "pid").read_text().strip()
        self.assertFalse(Path("/proc", pid).exists())

    def test_a_trial_that_fails(self):
        self.fake_qemu("exit 1")
        self.assertFalse(accel.trial_boot())

    def test_a_trial_that_works(self):
        self.fake_qemu("exit 33")
        self.assertTrue(accel.trial_boot())

    def test_the_trial_image_runs(self):
        """The trial's own code does what it should, seen under emulation."""
        run = subprocess.run
        with mock.patch("subprocess.run", lambda words, **kw: run(
                ["tcg" if w == "kvm" else w for w in words], **kw)):
            self.assertTrue(accel.trial_boot())

    def test_useless_kvm_falls_back_or_says_so(self):
        with mock.patch.object(accel, "kvm_problem", return_value="broken"):
            self.assertEqual(accel.choose("auto"), ("tcg", "broken"))
            with self.assertRaisesRegex(RunError, "KVM is not usable here: broken"):
                accel.choose("kvm")


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
