# SPDX-License-Identifier: GPL-2.0
"""The recipes of the suite's README.rst: each touches one file, and does what it says.

Their examples are put into a copy of the suite, which is built and asked for its tests.
"""

import os
import re
import shutil
import subprocess
import tempfile
import textwrap
import unittest
from pathlib import Path

from vm.base import ROOT, SOURCE

FRAMEWORK = Path(os.environ.get("KDIR", ROOT / "build/framework")).resolve()
# "Touch: ``PATH``", then the first literal block behind it that is a C file.
RECIPE = re.compile(r"^Touch: ``([\w/]+\.c)``(?:.*\S\n)*?.*::\n\n"
                    r"(\t// SPDX.*\n(?:\t.*\n|\n(?=\t))*)", re.M)


def examples() -> dict[str, str]:
    """The recipes' files, by their paths in the suite."""
    found = {}
    for path, code in RECIPE.findall((SOURCE / "README.rst").read_text(encoding="utf-8")):
        name = re.search(r'\.name = "(\w+)"|^\tTRIAL_FIXTURE\((\w+)', code, re.M)
        found[path.replace("NAME", name[1] or name[2])] = textwrap.dedent(code)
    return found


class Recipes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        suite, built = scratch / "dax_break", scratch / "built"
        shutil.copytree(SOURCE, suite)
        cls.files = examples()
        # Another one like it, which is only read.
        newfs = cls.files["lib/filesystem/newfs.c"]
        sealed = newfs.replace("newfs", "sealed").replace("FS_REFLINK", "FS_READ_ONLY")
        for path, code in [*cls.files.items(), ("lib/filesystem/sealed.c", sealed)]:
            (suite / path).write_text(code, encoding="utf-8")
        built.mkdir()
        # With the neighbour of lib.mk, as in the top Makefile.
        done = subprocess.run(["make", "-s", "-C", suite, "-I", FRAMEWORK /
                               "tools/testing/selftests/kselftest", f"OUTPUT={built}",
                               "USERCFLAGS=-Werror", f"-j{os.cpu_count()}", "all"],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(done.stderr)
        cls.listed = [line.split() for source in sorted(suite.glob("*_test.c"))
                      for line in subprocess.run([built / source.stem, "-l"], text=True,
                                                 capture_output=True, check=True)
                      .stdout.splitlines()]
        cls.names = {words[0] for words in cls.listed}

    def assert_listed(self, *names: str):
        for name in names:
            self.assertIn(name, self.names)

    def of_filesystem(self, name: str) -> set[str]:
        return {words[0] for words in self.listed if words[1] == name}

    def test_all_are_here(self):
        self.assertEqual(sorted(self.files),
                         ["lib/filesystem/newfs.c", "lib/holder/unix_socket.c",
                          "lib/longterm/newdev.c", "lib/op/punch_path.c", "simple_test.c"])

    def test_a_pin_meets_every_operation(self):
        for case in ("ext4_punch", "virtiofs_unlink", "xfs_clone_to", "newfs_punch_path"):
            self.assert_listed(f"waits.{case}_unix_socket.two_pins_one_by_one")

    def test_an_operation_meets_every_pin(self):
        self.assert_listed("waits.ext4_punch_path_dio_read.two_pins_one_by_one",
                           "pages.xfs_punch_path.first", "refault.virtiofs_punch_path.by_store",
                           "killed.ext4_punch_path.during_wait", "simple.xfs_punch_path.pinned")

    def test_a_filesystem_has_what_it_can(self):
        self.assert_listed("cow.newfs_write.pinned", "frozen.newfs_clone_from_higher.pinned",
                           "sibling.newfs_unshare.mapped", "races.newfs_share.is_quiet",
                           "reuse.newfs_punch.unmapped", "aftermath.newfs_waits_test.clean")
        names = self.of_filesystem("newfs")
        self.assertFalse([n for n in names if "exchange" in n or "swap" in n])
        self.assertFalse([n for n in names if n.startswith(("crash_window.", "failed."))])

    def test_a_filesystem_that_is_read_only_has_no_operations(self):
        self.assertEqual(self.of_filesystem("sealed"), set())

    def test_a_long_term_request_is_made_everywhere(self):
        self.assert_listed(*(f"longterm.{fs}_newdev.cold"
                             for fs in ("ext4", "newfs", "virtiofs", "xfs")))
