# SPDX-License-Identifier: GPL-2.0
"""From results to KTAP, without a guest: a line for each test, and the same for the same."""

import unittest

from check import ktap
from check.example import EXT4, TESTS, Told, feed
from vm.machine.guest import End
from vm.report.words import Finding, last_words, steady

REASON = Finding(9, "the guest crashed")


class Stopped(unittest.TestCase):
    """A run that ends before its time: each test has a line nevertheless."""

    def stopped(self, error: str = "") -> tuple[Told, list[ktap.Result]]:
        """After the last of four tests has passed."""
        told = Told(TESTS)
        told.feed(TESTS[2:], f"out ok 1 {TESTS[3].name}")
        return told, ktap.read(told.close(error))

    def test_at_the_first_failure(self):
        """As it was told to: what was not run is skipped."""
        told, (ext4, xfs) = self.stopped()
        self.assertEqual([r.status for r in (ext4, *ext4.nested, xfs, *xfs.nested)],
                         ["skip"] * 3 + ["ok", "skip", "ok"])
        why = "SKIP not run: another test has failed, with --fail-fast"
        self.assertEqual([r.directive for r in (ext4, *ext4.nested, xfs, *xfs.nested)],
                         [why] * 3 + ["", why, ""])
        self.assertIn("  # Totals: pass:1 fail:0 xfail:0 xpass:0 skip:1 error:0", told.ktap)
        self.assertEqual(len(told.results.with_status("")), 3)

    def test_by_an_error(self):
        """Nothing that is left may be taken for good."""
        told, (ext4, xfs) = self.stopped("the disk\nis full")
        self.assertEqual([r.status for r in (ext4, *ext4.nested, xfs, *xfs.nested)],
                         ["not ok"] * 5 + ["ok"])
        self.assertEqual({r.directive for r in (*ext4.nested, xfs.nested[0])},
                         {"ERROR not run: the disk is full"})
        self.assertIn("  # Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:1", told.ktap)

    def test_before_anything_was_run(self):
        told = Told(TESTS)
        told.results.kernel = ""
        self.assertEqual(len(ktap.read(told.close("no such kernel"))), 2)

    def test_each_result_is_told_once(self):
        seen = []
        told = Told(TESTS)
        told.results.on_case = seen.append
        guest = told.feed(EXT4, *[f"out ok 1 {EXT4[0].name}"] * 2, f"out ok 2 {EXT4[1].name}")
        guest.finish(REASON)
        self.assertEqual([case.test for case in seen], EXT4)


class Words(unittest.TestCase):
    """Whatever tests and programs print, the KTAP is KTAP."""

    def test_what_is_no_diagnostic(self):
        name = EXT4[0].name
        _, lines = feed("begin a_test", "out mkfs.xfs: it is small", f"out #  RUN    {name} ...",
                        "out   KTAP version 1", "out a line of a child", "out 1..7",
                        f"out ok 1 {name}", f"out ok 2 {EXT4[1].name}", "end a_test 0")
        ktap.read(lines)
        self.assertIn("  # a line of a child", lines)
        self.assertEqual(lines[-2], "# mkfs.xfs: it is small")

    def test_what_parsers_would_take_for_something_else(self):
        name = EXT4[0].name
        _, lines = feed(f"out #  RUN    {name} ...", "out # Subtest: mine", "out # a\rok 7 b",
                        "out # c\x0cnot ok 8 d\x85# e", f"out ok 1 {name}", tests=EXT4[:1])
        self.assertEqual(lines[7:10], ["  # # Subtest: mine", "  # a ok 7 b",
                                       "  # c not ok 8 d # e"])
        self.assertEqual("\n".join(lines).splitlines(), lines)

    def test_it_does_not_matter_how_a_program_was_cut(self):
        """The harness counts what is skipped in each part."""
        hint = "Consider enabling relevant config options to improve coverage."
        lines = [feed(f"out # {n} skipped test(s) detected. {hint}",
                      *(f"out ok 1 {test.name}" for test in EXT4))[1] for n in (1, 2)]
        self.assertEqual(lines[0], lines[1])

    def test_facts_in_an_order_of_their_own(self):
        facts = [f"out # recorded: fact {n}: ext4" for n in range(5)]
        first = feed(*facts)[1]
        self.assertEqual(feed(*reversed(facts))[1], first)


class Fates(unittest.TestCase):
    """Whatever becomes of a test, its line says so as ktap.rst has it."""

    def lines(self, *messages: str, words: Finding | str = "") -> list[ktap.Result]:
        """Of a program of two tests, of whose first the @messages tell."""
        told = Told(EXT4)
        feed = told.feed(EXT4, f"out #  RUN           {EXT4[0].name} ...", *messages)
        for case in feed.finish(words):
            feed.give_up(case, "it has ended early")
        program, = ktap.read(told.ktap)
        return program.nested

    def said(self, *messages: str, words: Finding | str = "") -> list[tuple[str, str]]:
        return [(r.status, r.directive) for r in self.lines(*messages, words=words)]

    LOST = ("not ok", "ERROR it has ended early before this test")

    def test_result(self):
        for line, result in (("ok 1 {}", ("ok", "")), ("not ok 1 {}", ("not ok", "")),
                             ("ok 1 {} # SKIP not here", ("skip", "SKIP not here"))):
            name, other = (test.name for test in EXT4)
            self.assertEqual(self.said("out " + line.format(name), f"out ok 2 {other}"),
                             [result, ("ok", "")])

    def test_crash(self):
        """It is what the test has found."""
        words = last_words(End.CRASHED, "kernel BUG at fs/inode.c:776!")
        self.assertEqual(self.said(words=words), [("not ok", ""), self.LOST])

    def test_hang(self):
        words = last_words(End.OUT_OF_TIME, "")
        self.assertEqual(self.said(words=words), [
            ("not ok", "TIMEOUT P9 broken: the guest ran out of time"), self.LOST])
        self.assertEqual(self.said("end a_test timeout"), [
            ("not ok", "TIMEOUT a_test ran out of time"), self.LOST])

    def test_a_program_that_dies(self):
        self.assertEqual(self.said("end a_test signal 11"), [("not ok", ""), self.LOST])

    def test_skipped_for_several_reasons(self):
        _, lines = feed(f"out ok 1 {EXT4[0].name} # SKIP this", f"out ok 2 {EXT4[1].name} # SKIP x")
        self.assertEqual(lines[-1], "ok 1 ext4:a_test # SKIP for several reasons")


class Steady(unittest.TestCase):
    """Two runs that find the same say the same."""

    def test_words_of_kernels(self):
        for words, same in (
                ("WARNING: fs/dax.c:452 at f.isra.0+0x9c/0xc0, CPU#1: cow_test/7991",
                 "WARNING: fs/dax.c:452 at f.isra.0+0x9c/0xc0"),
                ("WARNING: CPU: 1 PID: 488 at fs/dax.c:380 f+0x9c/0xc0 [ext4]",
                 "WARNING: at fs/dax.c:380 f+0x9c/0xc0 [ext4]"),
                ("BUG: Bad page map in process crash_test  pte:8000000110805025",
                 "BUG: Bad page map in process crash_test  pte:..."),
                ("INFO: task waits_test:488 blocked for more than 120 seconds.",
                 "INFO: task waits_test blocked for more than 120 seconds."),
                ("watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [waits_test:488]",
                 "watchdog: BUG: soft lockup - a CPU stuck for 23s! [waits_test]"),
                ("EXT4-fs error (device pmem0): f:12: inode #15: comm a: bad block 1234567",
                 "EXT4-fs error (device pmem0): f:12: inode #15: comm a: bad block 1234567")):
            self.assertEqual(steady(words), same)

    def test_complaint(self):
        said = "out # a.h:1:t:P9 broken: the kernel says: WARNING: a.c:1 at f+0x1/0x2"
        results, lines = feed(f"out #  RUN           {EXT4[0].name} ...",
                              f"{said}, CPU#1: cow_test/7991", f"out not ok 1 {EXT4[0].name}",
                              tests=EXT4[:1])
        self.assertIn("  " + said.removeprefix("out "), lines)
        self.assertEqual(results.cases[EXT4[0].title].diagnosis,
                         "P9 broken: the kernel says: WARNING: a.c:1 at f+0x1/0x2")

    def test_crash(self):
        words = [last_words(End.CRASHED, "BUG: unable to handle page fault for address: "
                            f"ffffea000425{n}188\nRIP: 0010:f+0x10/0x60\n") for n in range(2)]
        self.assertEqual(words[0], words[1])
        self.assertEqual(words[0].text, "the guest crashed: BUG: unable to handle page fault for "
                         "address: ... in f+0x10/0x60")


class Reader(unittest.TestCase):
    """The reader of KTAP that these tests use is strict."""

    GOOD = ["KTAP version 1", "# kernel 7", "1..1", "  KTAP version 1", "  # Subtest: p", "  1..2",
            "  # it", "  ok 1 a", "  not ok 2 b # TIMEOUT 1 s", "  # Totals", "not ok 1 p"]

    def test_good(self):
        result, = ktap.read(self.GOOD)
        self.assertEqual([r.name for r in result.nested], ["a", "b"])

    def test_bad(self):
        for at, line in ((0, "TAP version 13"), (2, "1..2"), (3, "  # none"), (4, "  # Subtest: q"),
                         (4, "  # it"), (5, "  1..3"), (5, "  1..1"), (6, "  it"), (7, "  ok 2 a"),
                         (7, "  ok 1"), (7, "  ok 1 b"), (7, "  not ok 1 a # SKIP"),
                         (8, "  ok 2 b # TIMEOUT 1 s"), (8, "  not ok 2 b # SKIP why"),
                         (10, "ok 1 p"), (10, "not ok 2 p"), (10, "# end")):
            lines = list(self.GOOD)
            lines[at] = line
            with self.subTest(line), self.assertRaises(ktap.NoKtap):
                ktap.read(lines)
