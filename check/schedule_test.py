# SPDX-License-Identifier: GPL-2.0
"""Which tests run together, in which order, and how long all of it takes."""

import json
import random
import tempfile
import unittest
from collections import Counter
from pathlib import Path
from unittest import mock

from vm.ask import durations, suite
from vm.ask.durations import UNKNOWN, Cost, Durations
from vm.ask.suite import Need, Test
from vm.base import BUILD
from vm.run import schedule
from vm.run.schedule import Chunk, Kind, Queue, chunk, cut, plan, simulate

# The length of a run, of what it would be if no processor were ever idle.
TOLERANCE = 1.15


def test(name: str, program: str = "a", fs: str = "ext4", *needs: Need) -> Test:
    return Test(program, f"f.{fs}_{program}.{name}", fs, frozenset(needs))


def one_second(_: Test) -> Cost:
    return Cost(1.0, 0.5)


class Cuts(unittest.TestCase):
    """A program is cut into parts."""

    def test_nothing_is_lost_and_the_order_stays(self):
        chance = random.Random(1)
        tests = [test(str(n), "a", "ext4", *[Need.ALONE] * (chance.random() < 0.1))
                 for n in range(200)]
        seconds = {t.name: chance.expovariate(1.0) for t in tests}
        parts = cut(tests, lambda t: Cost(seconds[t.name], 0.1), 3.0)
        self.assertEqual([t for part in parts for t in part], tests)
        for part in parts:
            self.assertTrue(len(part) == 1 or sum(seconds[t.name] for t in part) <= 3.0)
            self.assertTrue(len(part) == 1 or not any(t.alone for t in part))

    def test_no_more_parts_than_need_be(self):
        tests = [test(str(n)) for n in range(12)]
        self.assertEqual([len(p) for p in cut(tests, one_second, 5.0)], [5, 5, 2])
        self.assertEqual(cut([], one_second, 5.0), [])


class Plans(unittest.TestCase):
    """All tests become chunks, each for one guest."""

    def setUp(self):
        self.tests = [test(str(n), program, fs) for program in ("a", "b")
                      for fs in ("ext4", "xfs") for n in range(30)]

    def names(self, chunks: list[Chunk]) -> list[list[str]]:
        return [[t.name for t in c.tests] for c in chunks]

    def test_every_test_once(self):
        for jobs in (1, 3, 16):
            chunks = plan(self.tests, one_second, jobs)
            self.assertEqual(Counter(t for c in chunks for t in c.tests), Counter(self.tests))
            for c in chunks:
                self.assertEqual(len({(t.group, Kind.of(t)) for t in c.tests}), 1)
                order = [self.tests.index(t) for t in c.tests]
                self.assertEqual(order, sorted(order))

    def test_more_processors_more_chunks(self):
        lengths = [max(c.cost.seconds for c in plan(self.tests, one_second, jobs))
                   for jobs in (1, 2, 8)]
        self.assertEqual(lengths, sorted(lengths, reverse=True))
        self.assertGreaterEqual(lengths[-1], schedule.SHORTEST)

    def test_a_crash_has_a_guest_of_its_own(self):
        """Its program's other tests, and their final check, are not its business."""
        crash, final = test("bug", "a", "xfs", Need.ALONE), test("z", "a", "xfs", Need.FINAL)
        chunks = plan([test("0", "a", "xfs"), crash, test("1", "a", "xfs"), final], one_second, 2)
        self.assertIn([crash.name], self.names(chunks))
        for c in chunks:
            self.assertEqual(c.alone, c.tests == (crash,))

    def test_a_small_window_is_only_for_tests_that_need_one(self):
        small = test("small", "a", "virtiofs", Need.SMALL_WINDOW)
        chunks = plan([test("0", "a", "virtiofs"), small], one_second, 2)
        self.assertEqual([(c.kind.small_window, len(c.tests)) for c in chunks],
                         [(False, 1), (True, 1)])

    def test_a_final_check_ends_every_part(self):
        final = test("z", "a", "xfs", Need.FINAL)
        first = "f.xfs_a.7"
        chunks = plan([*self.tests, final], one_second, 8, [first])
        mine = [c for c in chunks if c.tests[0].group == final.group]
        self.assertGreater(len(mine), 2)
        for c in mine:
            self.assertEqual(c.tests.index(final), len(c.tests) - 1)
        self.assertIn([first, final.name], self.names(chunks))
        self.assertEqual(self.names(plan([final], one_second, 8)), [[final.name]])

    def test_the_quick_ones_first(self):
        quick = ["f.xfs_b.3", "f.ext4_a.9"]
        queue = Queue(plan(self.tests, one_second, 4, quick), 4)
        kind, taken = None, []
        while c := queue.take(kind, 0.0):
            taken.append(c)
            kind = c.kind
        self.assertEqual(sorted(t.name for c in taken[:2] for t in c.tests), sorted(quick))
        self.assertEqual(sum(len(c.tests) for c in taken), len(self.tests))


class Queues(unittest.TestCase):
    """What a guest does next."""

    def chunk(self, name: str, seconds: float, load: float = 1.0, fs: str = "ext4",
              *needs: Need) -> Chunk:
        one = test(name, "a", fs, *needs)
        backend = "virtiofs" if fs == "virtiofs" else one.backend
        return chunk([Test("a", one.name, fs, one.needs, backend)],
                     lambda _: Cost(seconds, seconds * load))

    def take_all(self, queue: Queue, kind: Kind | None) -> list[Chunk]:
        return list(iter(lambda: queue.take(kind, 0.0), None))

    def test_the_longest_first(self):
        chunks = [self.chunk(str(n), n) for n in (3, 9, 1, 7)]
        taken = self.take_all(Queue(chunks, 2), chunks[0].kind)
        self.assertEqual([c.tests[0].name[-1] for c in taken], ["9", "7", "3", "1"])

    def test_a_guest_goes_on_with_its_own_kind(self):
        nvdimm, virtiofs = self.chunk("0", 1.0), self.chunk("0", 9.0, 1.0, "virtiofs")
        alone = self.chunk("bug", 20.0, 1.0, "ext4", Need.ALONE)
        queue = Queue([nvdimm, virtiofs, alone], 2)
        self.assertEqual(queue.take(nvdimm.kind, 0.0), nvdimm)
        self.assertEqual(queue.take(nvdimm.kind, 0.0), alone)
        self.assertEqual(queue.take(nvdimm.kind, 0.0), virtiofs)
        self.assertIsNone(queue.take(nvdimm.kind, 0.0))
        self.assertFalse(queue)

    def test_no_more_than_the_processors_can_do(self):
        busy, idle = self.chunk("0", 9.0), self.chunk("1", 8.0, 0.1)
        queue = Queue([busy, idle], 2)
        self.assertEqual(queue.take(busy.kind, 1.8), idle)
        self.assertIsNone(queue.take(busy.kind, 1.8))
        self.assertEqual(queue.take(busy.kind, 1.0), busy)

    def test_whatever_it_is_somebody_takes_it(self):
        """A single processor, and a chunk that needs more than all of it."""
        self.assertIsNotNone(Queue([self.chunk("0", 9.0)], 1).take(None, 0.0))

    def test_another_try_is_taken_in_its_turn(self):
        queue = Queue([self.chunk("0", 3.0)], 1)
        first = self.chunk("1", 0.1)
        queue.add(Chunk(first.tests, first.cost, first=True))
        self.assertEqual(queue.take(None, 0.0).tests, first.tests)


class Length(unittest.TestCase):
    """The default suite, with the durations that every first run has."""

    @classmethod
    def setUpClass(cls):
        if not durations.TABLE.exists():
            raise unittest.SkipTest(f"{durations.TABLE} is missing")
        cls.tests = suite.load(BUILD / "selftests").tests
        with mock.patch.object(durations, "MEASURED", Path("/nonesuch")):
            cls.durations = Durations.read()

    def test_processors_are_busy_up_to_the_end(self):
        seconds = sum(self.durations.of(test).seconds for test in self.tests)
        for jobs in (2, 4, 8, 16):
            with self.subTest(jobs=jobs):
                chunks = plan(self.tests, self.durations.of, jobs)
                work = sum(c.cost.cpu for c in chunks)
                length = simulate(chunks, jobs, schedule.guests(jobs))
                print(f"{jobs} processors: {length:.1f} s, {work / jobs:.1f} s of work each, "
                      f"{seconds / jobs:.1f} s of tests")
                self.assertLessEqual(length, TOLERANCE * work / jobs + schedule.GUEST_SECONDS)
                self.assertLessEqual(length, TOLERANCE * seconds / jobs + schedule.GUEST_SECONDS)

    def test_most_tests_are_in_the_table(self):
        unknown = {t.fixture for t in self.tests if self.durations.of(t) == UNKNOWN}
        self.assertLess(len(unknown), 10, unknown)


class Kept(unittest.TestCase):
    """What earlier runs have measured."""

    def setUp(self):
        scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.measured, self.table = scratch / "durations.json", scratch / "durations"
        self.enterContext(mock.patch.multiple(durations, MEASURED=self.measured,
                                              TABLE=self.table))

    def test_what_was_measured_counts_more_than_the_table(self):
        self.table.write_text("# it\nf ext4 2.5 1.25\n", encoding="utf-8")
        known, other, unknown = test("0"), test("1"), Test("a", "g.ext4_a.0", "ext4")
        Durations.read().learn({known.title: (7.0, 0.5)})
        costs = Durations.read()
        self.assertEqual([costs.of(t) for t in (known, other, unknown)],
                         [Cost(7.0, 0.5), Cost(2.5, 1.25), UNKNOWN])

    def test_unreadable_files(self):
        for text in ("", "{", "[1]", '{"f": 1}', '{"f": [1]}', '{"f": ["a", "b", "c"]}', "\0"):
            self.measured.write_text(text, encoding="utf-8")
            self.assertEqual(Durations.read().of(test("0")), UNKNOWN, text)
        self.measured.write_bytes(b"\xff")
        self.assertEqual(Durations.read().of(test("0")), UNKNOWN)

    def test_learning_keeps_what_others_have_measured(self):
        Durations.read().learn({"a.b.c": (1.0, 1.0)})
        Durations.read().learn({"d.e.f": (2.00049, 0.5)})
        self.assertEqual(json.loads(self.measured.read_text(encoding="utf-8")),
                         {"a.b.c": [1.0, 1.0], "d.e.f": [2.0, 0.5]})
        self.assertEqual(list(self.measured.parent.glob("[!.]*")), [self.measured])

    def test_table(self):
        """A row for each fixture and filesystem, which is read as it was written."""
        tests = [test("0"), test("1"), test("0", "a", "xfs"), test("2")]
        costs = Durations.read()
        costs.learn({tests[0].title: (1.0, 0.5), tests[1].title: (3.0, 0.5),
                     tests[2].title: (4.0, 4.0)})
        self.table.write_text(costs.table(tests), encoding="utf-8")
        self.assertIn("\nf ext4 2.000 0.500\nf xfs 4.000 4.000\n", self.table.read_text())
        self.measured.unlink()
        self.assertEqual([Durations.read().of(t) for t in tests],
                         [Cost(2.0, 0.5), Cost(2.0, 0.5), Cost(4.0, 4.0), Cost(2.0, 0.5)])
