# SPDX-License-Identifier: GPL-2.0
"""Kernels that are broken on purpose: all can be made, and a sample of them is caught.

The sample is another one every day. All of them are for make defects.
"""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from check.sample import of_today
from vm.base import RunError
from vm.kernel import kbuild
from vm.kernel.patches import Patch, read_patch, read_patches
from vm.report.watch import Watch
from vm.run import defects

SAMPLE = 4


# All that kbuild wants of a kernel tree. The "kernel" is its only source file.
MAKEFILE = """\
tinyconfig:
	echo > .config
olddefconfig:
vmlinux: a.c
	cp a.c vmlinux
	mkdir -p include/config
	echo 7.3.0 > include/config/kernel.release
"""
PATCH = """\
// SPDX-License-Identifier: GPL-2.0
//
// Breaks it.
//
// Test: any
// File: a.c

@@
@@
- wait();
"""


class Trees(unittest.TestCase):
    """A tree that is patched differs from its source in just that, and is built anew."""

    def setUp(self):
        scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.kdir, self.build = scratch / "linux", scratch / "build"
        self.kdir.mkdir()
        (self.kdir / "Makefile").write_text(MAKEFILE, encoding="utf-8")
        self.write("void f(void) { wait(); go(); }\n")
        for words in (["init", "-q"], ["add", "."]):
            subprocess.run(["git", "-C", self.kdir, *words], check=True)
        self.enterContext(mock.patch.dict(os.environ, KDIR=str(self.kdir)))
        self.enterContext(mock.patch("sys.stderr"))
        self.patch = self.read("break-it", "wait")
        self.other = self.read("break-more", "go")

    def read(self, name: str, call: str) -> Patch:
        path = self.kdir.parent / f"{name}.cocci"
        path.write_text(PATCH.replace("wait", call), encoding="utf-8")
        return read_patch(path)

    def write(self, text: str):
        (self.kdir / "a.c").write_text(text, encoding="utf-8")

    def made(self, *patches: Patch) -> str:
        """The kernel, made by a run of its own."""
        tree = kbuild.Tree(self.build)
        try:
            return tree.kernel(*patches).image.read_text(encoding="utf-8")
        finally:
            tree.close()

    def test_patched_and_back(self):
        self.assertIn("wait", self.made())
        self.assertNotIn("wait", self.made(self.patch))
        self.assertIn("wait", (self.kdir / "a.c").read_text(encoding="utf-8"))
        self.assertIn("wait", self.made())

    def test_patches_one_after_the_other(self):
        self.assertNotRegex(self.made(self.patch, self.other), "wait|go")
        self.assertRegex(self.made(self.other), "wait")
        with self.assertRaisesRegex(RunError, "break-it does not apply"):
            self.made(self.patch, self.other, self.patch)

    def test_what_is_not_in_git_is_not_copied(self):
        (self.kdir / ".config").touch()
        (self.kdir / "vmlinux").write_text("stale", encoding="utf-8")
        self.assertIn("wait", self.made())

    def test_source_that_changes(self):
        self.made(self.patch)
        self.write("void f(void) { wait(); stop(); }\n")
        self.assertIn("wait(); stop();", self.made())

    def test_patch_that_does_not_apply(self):
        self.write("void f(void) { go(); }\n")
        with self.assertRaisesRegex(RunError, "break-it does not apply: it finds nothing in a.c"):
            self.made(self.patch)

    def test_source_that_has_been_built_in(self):
        subprocess.run(["rm", "-r", self.kdir / ".git"], check=True)
        (self.kdir / ".config").touch()
        with self.assertRaisesRegex(RunError, "make mrproper there first"):
            self.made()


class Defects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.reference = defects.make_reference(Watch(sys.stdout))
        cls.addClassCleanup(cls.reference.tree.close)
        cls.patches = read_patches("defects")

    def test_all_apply(self):
        for each in self.patches + read_patches("fixes"):
            with self.subTest(each.name):
                try:
                    self.reference.tree.patched(each)
                except RunError as error:
                    self.fail(str(error))
        self.reference.tree.patched(*read_patches("fixes"))

    def test_all_name_tests(self):
        for each in self.patches + read_patches("fixes"):
            for pattern in each.tests:
                self.assertTrue([t for t in self.reference.suite.tests if t.matches(pattern)],
                                f"{each.name}: no test is called {pattern}")

    def test_a_sample_is_caught(self):
        """By a test that the defect names."""
        expected = [p for p in self.patches if "Missed" not in p.fields]
        chosen = of_today(expected, SAMPLE)
        tests = {t.name: t for p in chosen for t in defects.named(self.reference.suite, p)}
        self.reference.unbroken(list(tests.values()))
        for each, kernel in defects.kernels(self.reference, chosen):
            with self.subTest(each.name):
                outcome = defects.try_defect(self.reference, each, kernel, only_named=True)
                print(f"{outcome.status} {each.name} {outcome}", flush=True)
                self.assertEqual(outcome.status, defects.CAUGHT)
