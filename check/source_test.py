# SPDX-License-Identifier: GPL-2.0
"""The sources: no warnings, the kernel's style, and a kselftest from the first day."""

import ast
import email
import email.utils
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path

from check import circles
from vm.base import BUILD, ROOT, SOURCE

FRAMEWORK = Path(os.environ.get("KDIR", ROOT / "build/framework")).resolve()

FUNCTION_LINES = 50


def run(*words, **options) -> str:
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def copy_to(checkout: Path) -> None:
    """Copies all files of this checkout that git knows."""
    for name in tracked():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, checkout / name, follow_symlinks=False)


def tracked(*patterns: str) -> list[str]:
    """Without early forms, which are fragments: what is made of them is checked in patches."""
    return [name for name in run("git", "ls-files", *patterns, cwd=ROOT).split()
            if not name.startswith("tree/early/")]


class Sources(unittest.TestCase):
    """Each check names the files that it finds fault with."""

    def test_builds_without_warnings(self):
        """Checkout and kernel tree are in a path with spaces."""
        with tempfile.TemporaryDirectory() as scratch:
            checkout, tree = Path(scratch, "a check out"), Path(scratch, "a 'tree'")
            copy_to(checkout)
            tree.symlink_to(FRAMEWORK)
            run("make", "-C", checkout, f"KDIR={tree}", "USERCFLAGS=-Werror", "programs")
            # A fork copies the mappings of every library, and a test forks a lot.
            for program in (checkout / "build/selftests").glob("*_test"):
                needed = re.findall(r"NEEDED.*\[(\w+)", run("readelf", "-d", program))
                self.assertLessEqual(set(needed), {"liburing", "libc"}, program)

    def test_shellcheck(self):
        scripts = [f for f in tracked() if
                   (ROOT / f).is_file() and (ROOT / f).read_bytes()[:12] == b"#!/bin/bash\n"]
        self.assertIn("run_tests.sh", scripts)
        run("shellcheck", *scripts, cwd=ROOT)
        for script in scripts:
            self.assertIn("\nset -euo pipefail\n", (ROOT / script).read_text(), script)

    def test_checkpatch(self):
        run("perl", FRAMEWORK / "scripts/checkpatch.pl", "--no-tree", "--strict", "--terse",
            "--no-summary", "-f", *tracked("*.c", "*.h"), cwd=ROOT)

    def test_sparse(self):
        flags = run("pkg-config", "--cflags", "liburing", "libpmem2", "libndctl",
                    "blkid").split()
        gcc = Path(run("gcc", "-print-file-name=include").strip()).parent
        found = []
        for source in tracked("*.c"):
            # Of the headers of others, which it also reads, it has much to say.
            out = run("sparse", "-D_GNU_SOURCE", '-DBUILT_WITHOUT=""', "-gcc-base-dir", gcc,
                      f"-I{SOURCE}/include", f"-I{SOURCE}/lib",
                      f"-I{FRAMEWORK}/tools/testing/selftests", *flags, source, cwd=ROOT)
            found += [line for line in out.splitlines() if line.startswith(f"{source}:")
                      and ": note:" not in line]
        self.assertEqual(found, [])

    def test_license_tags(self):
        for name in tracked():
            path = ROOT / name
            if path.is_symlink() or name in ("COPYING",) or not path.is_file():
                continue
            head = path.read_text(encoding="utf-8")[:300]
            self.assertIn("SPDX-License-Identifier: GPL-2.0", head, name)


class Structure(unittest.TestCase):
    """Whoever reads a file has to know only what that uses, and a function fits on a page."""

    def test_no_circles(self):
        for directory in (BUILD / "selftests/lib", BUILD / "selftests/virtiofs"):
            self.assertEqual(circles.found(circles.objects(directory)), [], directory)
        for package in ("vm", "check", "tree"):
            self.assertEqual(circles.found(circles.imports(ROOT, package)), [])

    def test_no_row_is_in_the_library(self):
        """Nothing refers to it there, so it would be in no program."""
        symbols = run("nm", BUILD / "selftests/lib/dax_break.a")
        self.assertEqual(re.findall(r" row_(\w+)", symbols), [])

    def test_table_of_rooms(self):
        """It names all rooms, and of each just those that it uses."""
        text = (SOURCE / "README.rst").read_text()
        room, said = "", {}
        for line in re.search(r"^room .*\n=.*\n((?:.+\n)+?)=", text, re.M)[1].splitlines():
            room = line[:16].strip("` ") or room
            said.setdefault(room, set()).update(re.findall(r"\w+", line[72:]))
        del said["without"]
        self.assertEqual(said, circles.folders(circles.objects(BUILD / "selftests/lib")))

    def test_map_of_the_runner(self):
        """It names all modules, each after those that it imports."""
        words, package = [], ""
        for indent, name, slash in re.findall(r"^( +)(\w+)(  |/)",
                                              (ROOT / "vm/__init__.py").read_text(), flags=re.M):
            if slash == "/":
                package = f"{name}."
            else:
                words.append(f"vm.{package if len(indent) > 4 else ''}{name}")
        graph = circles.imports(ROOT, "vm")
        self.assertEqual(sorted(words), sorted(graph))
        at = {name: words.index(name) for name in graph}
        self.assertEqual([f"{name} before {other}" for name, others in graph.items()
                          for other in others if at[other] > at[name]], [])

    def test_functions_are_short(self):
        long = []
        for name in tracked("*.c", "*.h"):
            begin = 0
            for number, line in enumerate((ROOT / name).read_text().splitlines(), 1):
                if line == "{":
                    begin = number
                elif line == "}" and begin:
                    if number - begin > FUNCTION_LINES:
                        long.append(f"{name}:{begin}")
                    begin = 0
        for name in tracked("*.py"):
            for node in ast.walk(ast.parse((ROOT / name).read_text())):
                if (isinstance(node, ast.FunctionDef)
                        and node.end_lineno - node.lineno > FUNCTION_LINES):
                    long.append(f"{name}:{node.lineno}")
        self.assertEqual(long, [])


def addresses(mail: str, field: str) -> list[str]:
    """The local parts of those in a header of @mail."""
    found = email.utils.getaddresses(email.message_from_string(mail).get_all(field, []))
    return [address.partition("@")[0] for _, address in found]


class KernelTree(unittest.TestCase):
    """In a kernel tree, as much of it as the framework is."""

    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.tree = self.scratch / "linux"
        shutil.copytree(FRAMEWORK, self.tree, symlinks=True,
                        ignore=shutil.ignore_patterns("dax_break", ".git"))
        self.selftests = self.tree / "tools/testing/selftests"
        maintainers = self.tree / "MAINTAINERS"
        if not maintainers.exists():
            maintainers.write_text("Maintainers List\n\nFILESYSTEM DIRECT ACCESS (DAX)\n"
                                   "M:\tSomebody\n\nFILESYSTEMS\nM:\tSomebody\n")

    def make(self, *words) -> str:
        return run("make", "-C", self.selftests, "TARGETS=dax_break", *words, timeout=300)

    def top(self, target: str, *words) -> str:
        return run("make", "-s", "-C", ROOT, target, f"KDIR={self.tree}", *words)

    def files(self) -> list[Path]:
        return sorted(self.tree.rglob("*"))

    def check_skipped(self, out: str) -> None:
        for number, program in enumerate(sorted(p.stem for p in SOURCE.glob("*_test.c")), 1):
            self.assertRegex(out, f"(?m)^ok {number} selftests: dax_break: {program} # SKIP")
            self.assertIn("# 1..0 # SKIP no persistent memory", out)

    def test_kselftest(self):
        """It goes in and out; builds, runs, is installed; without pmem it skips at once."""
        makefile = self.selftests / "Makefile"
        before, text = self.files(), makefile.read_text()
        self.top("install-tree")
        self.top("install-tree")
        targets = re.findall(r"^TARGETS \+= (\S+)$", makefile.read_text(), flags=re.M)
        at = targets.index("dax_break")
        self.assertLess(targets[at - 1], "dax_break")
        self.assertGreater(targets[at + 1], "dax_break")
        self.assertEqual(targets.count("dax_break"), 1)

        installed = self.files()
        out = [f"O={self.scratch}/out", f"INSTALL_PATH={self.scratch}/installed"]
        self.check_skipped(self.make(*out, "run_tests"))
        self.make(*out, "install")
        self.assertTrue((self.scratch / "installed/dax_break/virtiofs_server").exists())
        start = time.monotonic()
        self.check_skipped(run("./run_kselftest.sh", "-c", "dax_break",
                               cwd=self.scratch / "installed"))
        programs = len(list(SOURCE.glob("*_test.c")))
        self.assertLess(time.monotonic() - start, programs)
        self.assertEqual(self.files(), installed, "O= was not heeded")

        self.top("uninstall-tree")
        self.top("uninstall-tree")
        self.assertEqual(self.files(), before)
        self.assertEqual(makefile.read_text(), text)

    def test_no_kernel_tree(self):
        for name in (self.scratch, self.tree / "nonesuch", self.scratch / "none such"):
            with self.assertRaisesRegex(AssertionError, "no such kernel tree|is not a kernel tree: "
                                                        "name one by KDIR="):
                run("make", "-s", "-C", ROOT, "install-tree", f"KDIR={name}")

    def test_tree_with_a_space(self):
        spaced = self.scratch / "a tree's"
        self.tree.rename(spaced)
        self.tree = spaced
        before = self.files()
        self.top("install-tree")
        self.assertTrue((spaced / "tools/testing/selftests/dax_break/settings").exists())
        self.top("uninstall-tree")
        self.assertEqual(self.files(), before)

    def test_patch(self):
        """The series applies, is in good style, and all of the suite is in it."""
        author = {"GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "user.name",
                  "GIT_CONFIG_VALUE_0": "A. U. Thor", "GIT_CONFIG_KEY_1": "user.email",
                  "GIT_CONFIG_VALUE_1": "author@example.org"}
        (self.tree / "scripts").mkdir(exist_ok=True)
        (self.tree / "scripts/get_maintainer.pl").write_text(
            "my $list = $ARGV[-1] =~ m{^fs/(ext4|xfs|fuse)/} ? $1 : 'fsdevel';\n"
            'print "Some Body <somebody\\@example.org>\nM $list <m-$list\\@example.org>\n";\n'
            'print "A. U. Thor <author\\@example.org>\n$list\\@example.org\n";\n')
        with unittest.mock.patch.dict(os.environ, author):
            self.top("patch", f"BUILD={self.scratch}")
        cover, *patches = sorted((self.scratch / "patch").iterdir())
        self.assertIn("Subject: [PATCH 00/", cover.read_text())
        self.assertNotIn("***", cover.read_text())
        run("git", "init", "-q", cwd=self.tree)
        run("git", "apply", *patches, cwd=self.tree)
        for name in tracked(str(SOURCE)):
            file = self.tree / name
            self.assertEqual(file.read_bytes(), (ROOT / name).read_bytes(), name)
        for patch in patches:
            text = patch.read_text()
            self.assertIn("From: \"A. U. Thor\" <author@example.org>", text)
            self.assertEqual(addresses(text, "To"), ["somebody", "m-fsdevel"])
            self.assertEqual(addresses(text, "Cc"), ["fsdevel", "m-ext4", "ext4", "m-xfs", "xfs",
                                                     "m-fuse", "fuse"])
            self.assertIn("Signed-off-by: A. U. Thor <author@example.org>", text)
        self.assertIn("+M:\tA. U. Thor <author@example.org>", patches[0].read_text())
        run("perl", FRAMEWORK / "scripts/checkpatch.pl", "--no-tree", "--strict", "--terse",
            "--no-summary", "--ignore", "FILE_PATH_CHANGES", *patches)

    def test_libc_only(self):
        """Without the other libraries it is built all the same, and tells what it lacks."""
        self.top("install-tree")
        out = self.make(f"O={self.scratch}/out", "PKG_CONFIG=false", "USERCFLAGS=-Werror",
                        "FORCE_TARGETS=1", "all")
        self.assertIn("is built without liburing libndctl blkid libpmem2", out)
        listing = run(next(self.scratch.rglob("waits_test")), "-l")
        self.assertIn("waits.ext4_punch_dio_read.two_pins_one_by_one", listing)
