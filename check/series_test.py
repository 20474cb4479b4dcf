# SPDX-License-Identifier: GPL-2.0
"""The series of patches: every file is in a step, and every step is small, and builds.

Which of them are built is another sample every day; CHECK_ALL=1 builds all.
"""

import os
import subprocess
import tempfile
import unittest
import unittest.mock
from pathlib import Path

from check.sample import of_today
from tree import series
from tree.closure import Suite
from tree.pieces import pieces
from vm.base import ROOT

FRAMEWORK = Path(os.environ.get("KDIR", ROOT / "build/framework")).resolve()
LINES = 1500        # of a patch, added
SAMPLE = 6


def write(tree: series.Tree, before: series.Tree, suite: Path) -> None:
    """Makes @suite, which holds @before, hold @tree; what is the same keeps its time."""
    for path in before.keys() - tree.keys():
        (suite / path).unlink()
    for path, text in tree.items():
        if before.get(path) != text:
            (suite / path).parent.mkdir(parents=True, exist_ok=True)
            (suite / path).write_text(text, encoding="utf-8")


class Pieces(unittest.TestCase):
    def test_nothing_is_lost(self):
        for path, text in series.final().items():
            if path.endswith((".c", ".h")):
                self.assertEqual("".join(piece.text for piece in pieces(path, text)), text, path)

    def left(self, root: str, text: str) -> str:
        """What a step that takes @root has of a file lib/a.c with @text."""
        suite = Suite({"lib/a.c": pieces("lib/a.c", text)})
        return suite.text("lib/a.c", suite.needs(suite.roots(root)))

    def test_what_is_not_needed(self):
        text = ("#include <stdio.h>\n\nstruct thing {\n\tint (*run)(void);\n\tint other;\n};\n\n"
                "static int run(void)\n{\n\treturn 0;\n}\n\n"
                "static int unused(struct thing *thing)\n{\n\treturn thing->other;\n}\n\n"
                "ROW(things, struct thing, a) = {\n\t.run = run,\n\t.other = 1,\n};\n\n"
                "ROW(things, struct thing, b) = {\n\t.other = 2,\n};\n")
        left = self.left("things.b", text)
        self.assertNotIn("unused", left)
        self.assertNotIn("run", left)
        self.assertIn("ROW(things, struct thing, b)", left)
        self.assertNotIn("thing, a", left)

    def test_structures_of_the_kernel_stay_whole(self):
        text = ("struct ask {\n\t__u32 used;\n\t__u32 pad;\n};\n\n"
                "ROW(things, struct thing, a) = {\n\t.run = (struct ask){ .used = 1 },\n};\n")
        suite = pieces("lib/a.c", text)
        self.assertEqual(suite[0].parts, [])


class Steps(unittest.TestCase):
    def test_the_last_is_the_suite(self):
        self.assertEqual(series.tree_of(len(series.steps()) - 1), series.final())

    def test_early_forms_belong_to_a_step(self):
        names = {step.name for step in series.steps()}
        self.assertLessEqual({path.name for path in series.EARLY.iterdir()}, names)

    def test_every_file_is_in_a_step(self):
        """In one that takes it on purpose, not in the last one, which takes all."""
        here = series.tree_of(len(series.steps()) - 2)
        self.assertEqual(series.final().keys() - here.keys(), {"README.rst"})

    def test_subjects_are_short(self):
        for step in series.steps():
            self.assertLess(len(step.message.partition("\n")[0]), 75, step.name)

    def test_config(self):
        """No heading has nothing under it, and an option comes with what needs it."""
        for number, step in enumerate(series.steps()):
            config = series.tree_of(number)["config"]
            self.assertNotRegex(config.partition("\n")[2], r"(?m)^#.*\n(#|\Z)", step.name)
            for option in step.config:
                self.assertIn(f"{option}=", config, step.name)
                self.assertNotIn(f"{option}=", series.tree_of(number - 1)["config"], step.name)

    def test_no_step_is_large(self):
        with tempfile.TemporaryDirectory() as directory:
            def git(*words: str) -> str:
                return subprocess.run(["git", "-C", directory, "-c", "user.name=check", "-c",
                                       "user.email=check@example.org", *words], text=True,
                                      capture_output=True, check=True).stdout
            suite, before = Path(directory, "suite"), {}
            git("init", "-q")
            for number, step in enumerate(series.steps()):
                write(series.tree_of(number), before, suite)
                before = series.tree_of(number)
                git("add", "-A", "--force", ".")
                git("commit", "-qm", step.name)
                added = sum(int(line.split()[0]) for line in
                            git("show", "--format=", "--numstat").splitlines())
                # The first one also has the entry in MAINTAINERS, and the target.
                self.assertLessEqual(added + (0 if number else 9), LINES, step.name)

    def test_they_build(self):
        with tempfile.TemporaryDirectory() as directory:
            suite, built, before = Path(directory, "dax_break"), Path(directory, "built"), {}
            built.mkdir()
            for number in of_today(range(len(series.steps())), SAMPLE):
                write(series.tree_of(number), before, suite)
                before = series.tree_of(number)
                done = subprocess.run(
                    ["make", "-s", "-C", suite, "-I", FRAMEWORK /
                     "tools/testing/selftests/kselftest", f"OUTPUT={built}", "USERCFLAGS=-Werror -O0",
                     f"-j{os.cpu_count()}", "all"], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, f"{series.steps()[number].name}: {done.stderr}")


class Author(unittest.TestCase):
    """Without an author, nothing is done, and one line says what to do."""

    def patch(self, **environment: str) -> tuple[int, str, list[str]]:
        with tempfile.TemporaryDirectory() as directory:
            tree = Path(directory, "linux")
            (tree / "tools/testing/selftests").mkdir(parents=True)
            (tree / "MAINTAINERS").write_text("Maintainers List\n\nZERO\nM:\tSomebody\n")
            (tree / "tools/testing/selftests/Makefile").write_text("TARGETS += exec\n")
            with unittest.mock.patch.dict(os.environ, environment | {
                    "HOME": directory, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_COUNT": "0"}):
                for name in list(os.environ):
                    if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER")) or name == "EMAIL" or \
                            name in ("GIT_CONFIG_GLOBAL", "XDG_CONFIG_HOME"):
                        if name not in environment:
                            del os.environ[name]
                done = subprocess.run([ROOT / "tree/tree.sh", "patch", tree, f"{directory}/out"],
                                      capture_output=True, text=True, check=False, cwd=directory)
            return done.returncode, done.stderr, [p.name for p in Path(directory).glob("out")]

    def test_no_author(self):
        status, said, made = self.patch()
        self.assertEqual((status, made), (2, []))
        self.assertEqual(said.count("\n"), 1, said)
        self.assertIn("git does not know who the author is: git config --global user.email", said)

    def test_half_an_author(self):
        """An address without a name, as git itself may get one from the machine."""
        self.assertIn("who the author is", self.patch(GIT_AUTHOR_NAME="A. U. Thor")[1])

    def test_no_whole_kernel_tree(self):
        author = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER")
                  for what, text in (("NAME", "A. U. Thor"), ("EMAIL", "author@example.org"))}
        status, said, _ = self.patch(**author)
        self.assertEqual(status, 2)
        self.assertIn("has no scripts/get_maintainer.pl: KDIR= must be a whole kernel tree", said)
