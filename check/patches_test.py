# SPDX-License-Identifier: GPL-2.0
"""Defects and fixes: their headers, what counts as caught, and their tables."""

import re
import tempfile
import unittest
from pathlib import Path

from check.example import TESTS
from check.sample import sample
from vm.ask.suite import Suite, Test
from vm.base import SOURCE, RunError
from vm.kernel import kbuild
from vm.kernel.patches import Patch, read_patch, read_patches
from vm.report.results import Case
from vm.report.words import Finding
from vm.run import cover, defects
from vm.run.hunt import Hunt, Reference, Usual

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
    def read(self, text: str) -> Patch:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "break-it.cocci")
            path.write_text(text, encoding="utf-8")
            return read_patch(path)

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
        seen = [p for day in range(4) for p in sample(patches, 3, day)]
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
        hunt = Hunt(self.reference, self.tests, thorough=False)
        self.assertTrue(hunt(self.cases[1]))

    def test_each_fixture(self):
        hunt = Hunt(self.reference, self.tests[:2], thorough=True)
        self.assertFalse(hunt(self.cases[1]))
        self.assertTrue(hunt(self.cases[0]))
        self.assertEqual([case.test.fixture for case in hunt.failed], ["b", "a"])
        self.assertEqual(hunt.found.keys(), {"a", "b"})

    def test_no_test_that_fails_anyway(self):
        """A new failure of a test that fails on the unbroken kernel is not all."""
        self.reference._unbroken["a.ext4.t"] = Usual("failed", [2])
        hunt = Hunt(self.reference, self.tests[:1], thorough=True)
        self.assertFalse(hunt(self.cases[0]))
        self.assertTrue(hunt(self.cases[1]))
        self.assertEqual(len(hunt.failed), 2)

    def test_fixtures_that_never_fail(self):
        self.reference._unbroken["c.ext4.t"] = Usual("failed", [2])
        caught = defects.Outcome(defects.CAUGHT, "a.ext4.t", fixtures=["a"])
        self.assertEqual(defects.never_failing(self.reference, {"x": caught}), ["b"])


class Quick(unittest.TestCase):
    """The selection of tests that catches most defects and takes little time."""

    def cover(self, failing: dict[str, str], share: float = 1.0, **seconds: float) -> list[str]:
        return cover.cover({name: set(tests) for name, tests in failing.items()},
                           lambda test: seconds.get(test, 1.0), lambda test: ("program", 0.5),
                           share)

    def test_one_that_catches_all(self):
        self.assertEqual(self.cover({"x": "ab", "y": "bc", "z": "bd"}), ["b"])

    def test_cheap_ones_rather_than_one_that_is_dear(self):
        self.assertEqual(sorted(self.cover({"x": "ab", "y": "bc"}, b=100.0)), ["a", "c"])

    def test_what_came_early_and_is_not_needed_any_longer(self):
        """b catches the most, but a and c, which are needed, catch the same."""
        self.assertEqual(sorted(self.cover({"1": "ab", "2": "ab", "3": "bc", "4": "bc", "5": "a",
                                            "6": "c"})), ["a", "c"])

    def test_a_share(self):
        """What nothing catches, or only with much effort, is not caught."""
        failing = {str(n): "a" for n in range(19)}
        self.assertEqual(self.cover(failing | {"dear": "b"}, 0.95, b=1000.0), ["a"])
        self.assertEqual(self.cover({"x": "a", "missed": ""}), ["a"])
