# SPDX-License-Identifier: GPL-2.0
"""From what guests say to results, without a guest."""

import itertools
import random
import unittest
from pathlib import Path
from unittest import mock

from check import ktap
from check.example import CRASH, EXT4, TESTS, Told, feed, summary
from vm.ask.request import Request
from vm.ask.suite import Need, Suite, Test
from vm.machine.guest import End
from vm.report.watch import Watch
from vm.report.words import Finding, last_words
from vm.run import host

FINAL = frozenset({Need.FINAL})
REASON = Finding(9, "the guest crashed")


class Outcomes(unittest.TestCase):
    """Every chosen test ends as exactly one of passed, failed, skipped, not run."""

    def test_diagnosis(self):
        """The broken promise, or what else the test says, rather than the harness' words."""
        name = EXT4[0].name
        for said, reason in (("P1 broken: it returned", Finding(1, "it returned")),
                             ("cannot write: no space", "cannot write: no space")):
            results, lines = feed("begin a_test", f"out #  RUN           {name} ...",
                                  "out # a_test.c:12:one:Expected 0 (0) == __rc (-28)",
                                  f"out # lib/dax_break.h:34:one:{said}",
                                  f"out not ok 1 {name}", "end a_test 1", tests=EXT4[:1])
            case = results.cases[name]
            self.assertEqual((case.status, case.reasons), ("failed", [reason]))
            self.assertEqual(case.diagnosis, said)
            self.assertIn(f"  not ok 1 {name}", lines)

    def test_skip_keeps_its_reason(self):
        name = EXT4[0].name
        results, lines = feed("begin a_test", f"out ok 1 {name} # SKIP no ublk", "end a_test 0",
                              tests=EXT4[:1])
        self.assertEqual((results.cases[name].status, results.cases[name].diagnosis),
                         ("skipped", "no ublk"))
        self.assertIn(f"  ok 1 {name} # SKIP no ublk", lines)

    def test_facts_are_summed_up(self):
        fact = "out # recorded: ext4 waits for more:"
        results, lines = feed(f"{fact} punch", f"{fact} zero", f"{fact} punch")
        self.assertIn("recorded: ext4 waits for more: punch, zero", summary(results).text())
        self.assertEqual(len([line for line in lines if "recorded" in line]), 2)

    def test_whole_program_skipped(self):
        results, lines = feed("begin a_test", "out 1..0 # SKIP no pmem", "end a_test 4")
        self.assertEqual(len(results.with_status("skipped")), 2)
        self.assertEqual(lines[-1], "ok 1 ext4:a_test # SKIP no pmem")

    def test_silence_is_failure(self):
        results, lines = feed("begin a_test", "out Bail out! mkfs failed", "end a_test 1")
        self.assertEqual(len(results.with_status("failed")), 2)
        self.assertIn("mkfs failed", results.cases[EXT4[0].name].diagnosis)
        self.assertEqual(lines[-1], "not ok 1 ext4:a_test")

    def test_timeout_is_failure(self):
        results, _ = feed("begin a_test", "end a_test timeout")
        self.assertEqual(len(results.with_status("failed")), 2)
        said = summary(results).text()
        self.assertRegex(said, "FAILED a_test, 2 tests\n.* ran out of time before this test")
        self.assertIn("again: ./again a_test\n", said)

    def test_a_dead_testbed_is_nobodys_failure(self):
        """But of the test that has killed it. Those behind it have no result yet."""
        told = Told(EXT4)
        hangs, behind = (t.name for t in EXT4)
        guest = told.feed(EXT4, "begin a_test", f"out #  RUN           {hangs} ...",
                          f"out # {hangs}: Test terminated by timeout", f"out not ok 1 {hangs}",
                          f"out #  RUN           {behind} ...",
                          f"out # dead testbed: ext4: nothing ends, since {hangs} has run",
                          f"out #          FAIL  {behind}", f"out not ok 2 {behind}",
                          "end a_test 1")
        self.assertEqual(guest.dead, f"ext4: nothing ends, since {hangs} has run")
        self.assertEqual([case.test.name for case in guest.finish("")], [behind])
        self.assertEqual(told.results.cases[hangs].status, "failed")
        self.assertEqual(told.results.cases[behind].status, "")
        self.assertEqual(told.results.problems, [])

    def test_a_host_whose_testbed_is_dead(self):
        """There is no other one: what is left there has failed, and says why."""
        tests = [*TESTS, *(Test("b_test", f"late.{fs}.one", fs) for fs in ("ext4", "xfs"))]
        told, ran = Told(tests), []

        def run_one(the_suite, program, chosen, environment, tell) -> str:
            ran.append(chosen[0].group)
            for test in chosen:
                tell(f"out #  RUN           {test.name} ...")
                if test.fs == "ext4":
                    tell(f"out # dead testbed: ext4: nothing ends, since {EXT4[0].name} has run")
                tell(f"out {'not ' if test.fs == 'ext4' else ''}ok 1 {test.name}")
            return "1"

        with mock.patch.object(host, "run_one", run_one):
            host.run(Request(host=True), Suite(Path("/nowhere"), tests, 10), told.results,
                     mock.Mock(spec=Watch))
        self.assertEqual(ran, ["ext4:a_test", "xfs:a_test", "xfs:b_test"])
        for case in told.results.cases.values():
            self.assertEqual((case.status, case.diagnosis), ("passed", "") if case.test.fs == "xfs"
                             else ("failed", "the testbed had died (ext4: nothing ends, "
                                   f"since {EXT4[0].name} has run) before this test"))

    def test_death_after_the_last_test_is_failure(self):
        results, lines = feed("begin a_test", f"out ok 1 {EXT4[0].name}", "end a_test signal 11",
                              tests=EXT4[:1])
        self.assertEqual(results.problems,
                         ["ext4:a_test a_test ended with signal 11 after its last test"])
        self.assertEqual(lines[-1], "not ok 1 ext4:a_test")

    def test_a_crash_is_its_tests_failure(self):
        told = Told([CRASH])
        words = last_words(End.CRASHED, "x\n[ 1.2] kernel BUG at fs/inode.c:793!\n"
                           "RIP: 0010:clear_inode+0x73/0x80\nRIP: 0033:0x7f02\n"
                           "Kernel panic - not syncing")
        guest = told.feed([CRASH], "begin b_test", f"out #  RUN           {CRASH.name} ...")
        self.assertEqual(guest.finish(words), [])
        self.assertEqual(told.results.cases[CRASH.name].diagnosis, "P9 broken: the guest crashed: "
                         "kernel BUG at fs/inode.c:793! in clear_inode+0x73/0x80")
        self.assertEqual(told.ktap[-1], "not ok 1 xfs:b_test")

    def test_a_guest_that_is_cut_off_after_its_result(self):
        told = Told([CRASH])
        guest = told.feed([CRASH], "begin b_test")
        self.assertTrue(guest.untold)
        guest.feed(f"out ok 1 {CRASH.name}")
        self.assertFalse(guest.untold)
        guest.finish("")
        self.assertEqual(told.ktap[-1], "ok 1 xfs:b_test")


class Parts(unittest.TestCase):
    """A program that several guests run, each some of its tests, and its final check."""

    def setUp(self):
        self.tests = [Test(program, f"f.{fs}_{program}.{n}", fs) for program in ("a", "b")
                      for fs in ("ext4", "xfs") for n in range(6)]
        self.tests += [Test(program, f"z.{fs}_{program}.clean", fs, FINAL)
                       for program in ("a", "b") for fs in ("ext4", "xfs")]

    def said(self, test: Test, verdict: str) -> list[str]:
        """What a program prints of @test."""
        run = [f"out #  RUN           {test.name} ..."]
        if verdict == "not ok":
            run.append(f"out # {test.program}.c:7:t:P1 broken: {test.name} returned")
        skip = " # SKIP not here" if verdict == "skip" else ""
        return [*run, f"out {verdict.replace('skip', 'ok')} 1 {test.name}{skip}"]

    def verdict(self, test: Test) -> str:
        """Whatever it is, it is always the same."""
        return ("ok", "not ok", "skip", "ok")[sum(test.name.encode()) % 4]

    def chunks(self, chance: random.Random) -> list[list[Test]]:
        """All tests, each program cut at random, its final check at the end of each part."""
        chunks = []
        for group in {test.group: None for test in self.tests}:
            mine = [test for test in self.tests if test.group == group]
            plain = [test for test in mine if not test.final]
            cuts = sorted(chance.sample(range(1, len(plain)), chance.randrange(3)))
            for begin, end in itertools.pairwise([0, *cuts, len(plain)]):
                chunks.append(plain[begin:end] + [test for test in mine if test.final])
        chance.shuffle(chunks)
        return chunks

    def run_all(self, chance: random.Random) -> list[str]:
        """The KTAP of a run whose guests talk all at once."""
        chunks = self.chunks(chance)
        told = Told(self.tests)
        for test in self.tests:
            told.results.cases[test.title].parts = sum(test in chunk for chunk in chunks)
        talks = []
        for chunk in chunks:
            messages = [f"begin {chunk[0].program}", "out TAP version 13", f"out 1..{len(chunk)}",
                        f"out # recorded: it has {len(self.tests)} tests: {chunk[0].group}"]
            messages += [m for test in chunk for m in self.said(test, self.verdict(test))]
            messages += [f"out # Totals: pass:{len(chunk)}", f"end {chunk[0].program} 1"]
            talks.append((told.feed(chunk), messages))
        while talks:
            guest, messages = talk = chance.choice(talks)
            guest.feed(messages.pop(0))
            if not messages:
                self.assertEqual(guest.finish(""), [])
                talks.remove(talk)
        ktap_before = list(told.ktap)
        self.assertEqual(told.close(), ktap_before, "all was written when it was known")
        return told.ktap

    def test_the_same_ktap_whatever_the_chunks(self):
        expected = self.run_all(random.Random(0))
        for seed in range(1, 30):
            self.assertEqual(self.run_all(random.Random(seed)), expected, f"seed {seed}")

    def test_it_is_ktap(self):
        results = ktap.read(self.run_all(random.Random(0)))
        self.assertEqual([r.name for r in results], ["ext4:a", "xfs:a", "ext4:b", "xfs:b"])
        for result in results:
            mine = [test for test in self.tests if test.group == result.name]
            self.assertEqual([(r.name, r.status) for r in result.nested],
                             [(test.name, self.verdict(test)) for test in mine])

    def test_a_final_check_is_the_worst_of_its_parts(self):
        final = Test("a", "z.ext4_a.clean", "ext4", FINAL)
        for verdicts, expected in ((("ok", "ok"), "passed"), (("ok", "not ok"), "failed"),
                                   (("not ok", "ok"), "failed"), (("skip", "ok"), "passed"),
                                   (("ok", "skip"), "passed"), (("skip", "skip"), "skipped")):
            told = Told([final])
            case = told.results.cases[final.title]
            case.parts = 2
            for number, verdict in enumerate(verdicts):
                self.assertFalse(case.told)
                self.assertEqual(told.ktap, [], "it is not known yet")
                told.feed([final], *self.said(final, verdict), f"end a {number}").finish("")
            self.assertTrue(case.told)
            self.assertEqual(case.status, expected, verdicts)
            self.assertEqual(len(ktap.read(told.ktap)), 1)


class Crashes(unittest.TestCase):
    """A guest or a program that does not come to its last test."""

    def setUp(self):
        self.tests = [Test("a", f"f.ext4_punch.{n}", "ext4") for n in range(5)]
        self.told = Told(self.tests)

    def crash(self, tests: list[Test], passed: int, words: Finding | str = REASON) -> list[Test]:
        """A guest that goes down after so many tests have @passed. Returns what is left."""
        said = ["begin a"]
        for test in tests[:passed]:
            said += [f"out #  RUN           {test.name} ...", f"out ok 1 {test.name}"]
        said += [f"out #  RUN           {tests[passed].name} ...", "out # half a sentence"]
        return [case.test for case in self.told.feed(tests, *said).finish(words)]

    def test_only_the_running_test_fails(self):
        left = self.crash(self.tests, 1)
        self.assertEqual(left, self.tests[2:])
        case = self.told.results.cases[self.tests[1].title]
        self.assertEqual((case.status, case.reasons, case.reached), ("failed", [REASON], True))
        self.assertEqual(len(self.told.results.with_status("")), 3)
        again = self.told.feed(left, *(f"out ok 1 {test.name}" for test in left), "end a 0")
        self.assertEqual(again.finish(""), [])
        result, = ktap.read(self.told.close())
        self.assertEqual([r.status for r in result.nested], ["ok", "not ok", "ok", "ok", "ok"])
        self.assertIn(f"  # {REASON}", self.told.ktap)
        self.assertIn("  # half a sentence", self.told.ktap)

    def test_what_it_had_found_is_told_first(self):
        said = (f"out #  RUN           {self.tests[0].name} ...",
                "out # a.c:3:t:P1 broken: it returned")
        self.told.feed(self.tests, *said).finish(REASON)
        self.assertEqual(self.told.results.cases[self.tests[0].title].reasons,
                         [Finding(1, "it returned"), REASON])

    def test_the_rest_is_given_up(self):
        left = self.crash(self.crash(self.tests, 0), 0)
        guest = self.told.feed(left)
        for name in left:
            guest.give_up(self.told.results.cases[name.title], "a has ended early 3 times")
        result, = ktap.read(self.told.close())
        self.assertEqual([r.status for r in result.nested], ["not ok"] * 5)
        cases = [self.told.results.cases[test.title] for test in self.tests]
        self.assertEqual([case.reached for case in cases], [True, True, False, False, False])
        self.assertEqual(cases[4].diagnosis, "a has ended early 3 times before this test")

    def test_a_program_that_does_not_begin_is_not_tried_again(self):
        guest = self.told.feed(self.tests, "begin a", "end a 127")
        self.assertEqual(guest.finish(""), [])
        self.assertEqual([r.status for r in ktap.read(self.told.ktap)[0].nested], ["not ok"] * 5)

    def test_a_crash_after_the_last_test(self):
        guest = self.told.feed(self.tests, *(f"out ok 1 {t.name}" for t in self.tests))
        guest.finish(REASON)
        self.assertEqual(self.told.results.problems, [f"ext4:a {REASON} after its last test"])
        self.assertEqual(self.told.results.with_status("failed"), [])

    def test_no_guest(self):
        self.told.feed(self.tests).skip("cxl: no QEMU")
        result, = ktap.read(self.told.ktap)
        self.assertEqual({r.status for r in result.nested} | {result.status}, {"skip"})
