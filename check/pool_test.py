# SPDX-License-Identifier: GPL-2.0
"""Guests that share the tests of a run: which come again after a crash, which end early.

The guests are made up: each follows its orders at once, and says what a real one would.
"""

import contextlib
import os
import tempfile
import threading
import unittest
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from check import ktap
from check.example import CRASH
from vm.ask.durations import Cost
from vm.ask.request import Request
from vm.ask.suite import Need, Suite, Test
from vm.machine.guest import End
from vm.machine.launch import NoTestbed
from vm.report.ktap import Ktap
from vm.report.results import Results
from vm.report.watch import Watch
from vm.run import pool as pool_module
from vm.run.pool import DEATHS, TRIES, Pool
from vm.run.schedule import guests, plan

TESTS = [Test(program, f"{program}.{fs}_punch.{n}", fs) for program in ("a", "b")
         for fs in ("ext4", "xfs") for n in range(8)]
PANIC = "Kernel panic - not syncing: sysrq triggered crash\n"


class Guest:
    """Follows orders. @fates: of tests that do not pass, by name; what becomes of them."""

    def __init__(self, console: Path, fates: dict[str, str], ran: list[str]):
        self.console, self.fates, self.ran = console, fates, ran
        self.on_message: Callable[[str], None] = print
        self.soiled = False
        self.pid = os.getpid()
        self.orders: list[str] = []

    def obey(self, orders, enough) -> End | None:
        self.orders = list(orders)
        words = self.orders[-1].split()
        self.on_message(f"begin {words[2]}")
        dead = ""
        for name in words[4::2]:
            self.on_message(f"out #  RUN           {name} ...")
            if dead:
                self.on_message(f"out # dead testbed: xfs: it hangs, since {dead} has run")
                self.on_message(f"out #          FAIL  {name}")
                self.on_message(f"out not ok 1 {name}")
                continue
            self.ran.append(name)
            fate = self.fates.get(name, "ok")
            if fate == "hang":
                dead, fate = name, "not ok"
            if fate == "crash":
                with self.console.open("a", encoding="utf-8") as out:
                    out.write(PANIC)
                return End.CRASHED
            if fate == "exit":
                self.on_message("end a 1")
                return None
            self.on_message(f"out {fate} 1 {name}")
        if enough():
            return None
        self.on_message("end a 0")
        return None


class Fleet:
    """Guests as machine/fleet.py has them."""

    launcher = mock.Mock(release="7.3.4-x")

    def __init__(self, directory: Path, fates: dict[str, str]):
        self.directory, self.fates = directory, fates
        self.started: list[str] = []
        self.ran: list[str] = []        # names of tests, whenever one begins
        self.running: Counter[str] = Counter()
        self.guests: list[Guest] = []
        self.killed = threading.Event()

    def obstacle(self, backend: str) -> str:
        return f"{backend}: no QEMU" if backend == "cxl" else ""

    def room(self, guests: int, backends) -> int:
        return guests

    def console(self, name: str) -> Path:
        return self.directory / name

    @contextlib.contextmanager
    def guest(self, name: str, backend: str, small_window: bool):
        if backend == "virtiofs":
            self.started.append(name)
            raise NoTestbed("virtiofs cannot be mounted")
        self.console(name).touch()
        self.started.append(name)
        self.guests.append(Guest(self.console(name), self.fates, self.ran))
        self.running[name] += 1
        yield self.guests[-1]
        self.running[name] -= 1

    def kill(self) -> None:
        self.killed.set()


class Pools(unittest.TestCase):
    def run_tests(self, tests: list[Test] | None = None, jobs: int = 2, on_case=None,
                  seconds: float = 1.0, **fates: str) -> Pool:
        """The pool after a run. @fates: by name of the test, with __ for each dot."""
        self.tests = tests or TESTS
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.fleet = Fleet(directory, {n.replace("__", "."): fate for n, fate in fates.items()})
        self.results, self.lines = Results(self.tests), []
        writer, lock = Ktap(self.results, self.lines.append), threading.Lock()

        def told(case):
            with lock:
                writer.told(case)
            if on_case:
                on_case(pool, case)

        def left():
            with lock:
                writer.left()

        self.results.on_case, self.results.on_left = told, left
        # Something is left out, so that every test is named in the orders.
        suite = Suite(Path("/nowhere"), [*self.tests, *(Test(p, f"{p}.more.more", "ext4")
                                                        for p in ("a", "b"))], 10)
        request = Request(environment=("SEED=7",), patience=3)
        pool = Pool(self.fleet, suite, request, self.results,
                    plan(self.tests, lambda test: Cost(seconds, 0.5), jobs), jobs,
                    mock.Mock(spec=Watch))
        pool.run(pool.workers(jobs))
        writer.close()
        self.assertEqual(self.fleet.running.total(), 0, "a guest was left behind")
        return pool

    def statuses(self) -> dict[str, str]:
        """Of the tests that have not passed."""
        return {t.name: self.results.cases[t.title].status for t in self.tests
                if self.results.cases[t.title].status != "passed"}

    def test_the_same_whatever_the_number(self):
        fates = {"a__xfs_punch__3": "not ok", "b__ext4_punch__0": "crash"}
        self.run_tests(jobs=1, **fates)
        lines = self.lines
        self.assertEqual(len(ktap.read(lines)), 4)
        for jobs in (2, 3, 7):
            pool = self.run_tests(jobs=jobs, **fates)
            self.assertEqual(self.lines, lines, jobs)
            self.assertEqual(len(pool.crashes), 1)
        self.assertEqual(Counter(self.fleet.ran), Counter(t.name for t in TESTS))

    def test_guests_go_on(self):
        """None is started for what another one can do that runs."""
        self.run_tests(jobs=1)
        self.assertLessEqual(len(self.fleet.started), guests(1))

    def test_after_a_crash(self):
        """The running test has failed; those behind it run in another guest."""
        pool = self.run_tests(a__ext4_punch__2="crash")
        self.assertEqual(self.statuses(), {"a.ext4_punch.2": "failed"})
        self.assertRegex(self.results.cases["a.ext4_punch.2"].diagnosis,
                         "^P9 broken: the guest crashed: Kernel panic - not syncing: sysrq")
        self.assertEqual(Counter(self.fleet.ran), Counter(t.name for t in TESTS))
        self.assertEqual([(crash.end, crash.case) for crash in pool.crashes],
                         [(End.CRASHED, self.results.cases["a.ext4_punch.2"])])
        console = self.results.cases["a.ext4_punch.2"].console
        self.assertEqual((console.guest, console.lines),
                         (pool.crashes[0].guest, (PANIC.strip(),)))
        self.assertEqual(self.results.cases["a.ext4_punch.1"].console.lines, ())

    def test_after_a_program_that_has_ended_early(self):
        pool = self.run_tests(a__ext4_punch__2="exit")
        self.assertEqual(self.statuses(), {"a.ext4_punch.2": "failed"})
        self.assertEqual(pool.crashes, [])

    def test_giving_up(self):
        """A program that crashes again and again in one place does so TRIES times."""
        tests = [t for t in TESTS if t.group == "ext4:a"] + TESTS[-2:]
        pool = self.run_tests(tests, 1, seconds=0.1, **{t.name.replace(".", "__"): "crash"
                                                        for t in tests if t.group == "ext4:a"})
        self.assertEqual(len(pool.crashes), TRIES)
        cases = [self.results.cases[t.title] for t in tests[:-2]]
        self.assertEqual({case.status for case in cases}, {"failed"})
        self.assertEqual(sum(case.reached for case in cases), TRIES)
        self.assertRegex(cases[-1].diagnosis, f"ended early {TRIES} times before this test")
        self.assertEqual([r.status for r in ktap.read(self.lines)], ["not ok", "ok"])

    def test_after_the_death_of_a_testbed(self):
        """The test that has killed it has failed; those behind it run in another guest."""
        pool = self.run_tests(seconds=0.1, a__xfs_punch__2="hang")
        self.assertEqual(self.statuses(), {"a.xfs_punch.2": "failed"})
        self.assertEqual(Counter(self.fleet.ran), Counter(t.name for t in TESTS))
        self.assertEqual(pool.crashes, [])
        dead = [line for line in self.lines if "dead testbed" in line]
        self.assertEqual(dead, ["# dead testbed: xfs: it hangs, since a.xfs_punch.2 has run"])

    def test_deaths_in_a_row(self):
        """A filesystem that hangs all the time is given up; nothing else is."""
        hangs = {t.name.replace(".", "__"): "hang" for t in TESTS if t.fs == "xfs"}
        for jobs in (1, 2, 3):
            self.run_tests(jobs=jobs, **hangs)
            self.assertEqual({t.fs for t in TESTS if self.results.cases[t.title].status
                              != "failed"}, {"ext4"})
            ran = [name for name in self.fleet.ran if ".xfs_" in name]
            self.assertGreaterEqual(len(ran), DEATHS)
            self.assertLess(len(ran), DEATHS + guests(jobs))
            left = [self.results.cases[t.title] for t in TESTS
                    if t.fs == "xfs" and t.name not in ran]
            self.assertTrue(left)
            for case in left:
                self.assertFalse(case.reached)
                self.assertRegex(case.diagnosis, rf"died in {DEATHS} guests in a row \(xfs: .* "
                                 r"has run\) before this test")
            self.assertEqual(len(ktap.read(self.lines)), 4)

    def test_deaths_with_life_between(self):
        """These are of single tests: everything else is run."""
        hangs = ["a.xfs_punch.0", "a.xfs_punch.4", "b.xfs_punch.4"]
        tests = [t for t in TESTS if t.fs == "xfs"]
        with mock.patch.object(pool_module, "guests", lambda jobs: 1):
            self.run_tests(tests, 1, **{name.replace(".", "__"): "hang" for name in hangs})
        self.assertGreater(len(hangs), DEATHS)
        self.assertEqual(self.statuses(), dict.fromkeys(hangs, "failed"))
        self.assertEqual(Counter(self.fleet.ran), Counter(t.name for t in tests))

    def test_testbeds_that_cannot_be_made(self):
        """The same, but nothing runs there at all, nor does what is alone."""
        tests = [Test("v", f"v.virtiofs_punch.{n}", "virtiofs", needs, backend="virtiofs")
                 for needs in (frozenset(), frozenset({Need.ALONE}))
                 for n in (range(8) if not needs else range(8, 11))]
        for jobs in (1, 3):
            self.run_tests([*tests, *TESTS], jobs)
            self.assertEqual(self.statuses(), {t.name: "failed" for t in tests})
            self.assertEqual({self.results.cases[t.title].diagnosis for t in tests},
                             {f"the testbed had died in {DEATHS} guests in a row "
                              "(virtiofs cannot be mounted) before this test"})
            tried = [name for name in self.fleet.started if "virtiofs" in name]
            self.assertLess(len(tried), DEATHS + guests(jobs) + 3)

    def test_death_of_what_is_alone(self):
        """A guest of its own for each: none of them costs another one its result."""
        lone = [Test("c", f"c.xfs_clone.{n}", "xfs", frozenset({Need.ALONE})) for n in range(5)]
        self.run_tests([*lone, *TESTS], 1, **{t.name.replace(".", "__"): "hang"
                                              for t in TESTS if t.fs == "xfs"})
        self.assertEqual({self.results.cases[t.title].status for t in lone}, {"passed"})

    def test_a_crash_that_was_to_be_feared(self):
        """It costs nothing but its own guest, and is no crash of the run."""
        pool = self.run_tests([CRASH, *TESTS], shares__xfs_clone__bug="crash")
        self.assertEqual(self.statuses(), {CRASH.name: "failed"})
        self.assertEqual(pool.crashes, [])
        self.assertEqual(self.fleet.started.count(CRASH.name), 1)

    def test_no_guest_for_a_backend(self):
        self.run_tests([Test("a", "a.xfs_punch.0", "xfs", backend="cxl"), TESTS[0]])
        self.assertEqual(self.statuses(), {"a.xfs_punch.0": "skipped"})
        self.assertEqual(len(self.fleet.started), 1)

    def test_a_failed_final_check(self):
        """One part has left something behind: another guest for the rest."""
        final = Test("a", "z.ext4_punch.clean", "ext4", frozenset({Need.FINAL}))
        self.run_tests([*TESTS[:8], final], jobs=1, z__ext4_punch__clean="not ok")
        self.assertEqual(self.statuses(), {final.name: "failed"})
        parts = self.fleet.ran.count(final.name)
        self.assertGreater(parts, 1)
        self.assertEqual(len(self.fleet.started), parts)
        self.assertEqual(len(ktap.read(self.lines)[0].nested), 9)

    def test_stopped(self):
        """Whoever is told of a result may end the run, from any thread; each has one at most."""
        seen = []

        def enough(pool: Pool, case) -> None:
            seen.append(case.test.name)
            if case.status == "failed":
                pool.stop()

        self.run_tests(jobs=3, on_case=enough, a__ext4_punch__1="not ok")
        self.assertTrue(self.fleet.killed.is_set())
        self.assertEqual(len(seen), len(set(seen)))
        self.assertLess(len(self.fleet.ran), len(TESTS))
        self.assertEqual(len(self.results.with_status("failed")), 1)

    def test_an_error_ends_all(self):
        with mock.patch.object(Guest, "obey", side_effect=OSError("no space")):
            with self.assertRaisesRegex(OSError, "no space"):
                self.run_tests(jobs=3)

    def test_orders(self):
        """The environment, then what to run, and what only a guest may that can crash."""
        self.run_tests([CRASH])
        self.assertEqual(self.fleet.guests[0].orders, [
            "env SEED=7", "env DAX_BREAK_DESTRUCTIVE=1", "write /proc/sys/kernel/panic_on_oops 1",
            "run 30 /bin/b_test"])
        self.run_tests(TESTS[:2])
        self.assertEqual(self.fleet.guests[0].orders, [
            "env SEED=7", "run 30 /bin/a -r a.ext4_punch.0 -r a.ext4_punch.1"])
