# SPDX-License-Identifier: GPL-2.0
"""The sources: no warnings, the kernel's style, and a kselftest from the first day."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from vm.suite import ROOT, SOURCE

FRAMEWORK = Path(os.environ.get("KDIR", ROOT / "build/framework")).resolve()


def run(*words, **options) -> str:
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode:
        raise AssertionError(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stdout}")
    return done.stdout


def tracked(*patterns: str) -> list[str]:
    return run("git", "ls-files", *patterns, cwd=ROOT).split()


class Sources(unittest.TestCase):
    """Each check names the files that it finds fault with."""

    def test_builds_without_warnings(self):
        with tempfile.TemporaryDirectory() as build:
            run("make", "-C", ROOT, f"BUILD={build}", f"KDIR={FRAMEWORK}", "USERCFLAGS=-Werror",
                "programs")

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
            out = run("sparse", "-D_GNU_SOURCE", '-DBUILT_WITHOUT=""', "-gcc-base-dir", gcc, f"-I{SOURCE}/lib",
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

    def test_kselftest_in_a_kernel_tree(self):
        """Copied into a kernel tree it builds and runs there; without pmem it skips."""
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch, "linux")
            shutil.copytree(FRAMEWORK, tree, symlinks=True,
                            ignore=shutil.ignore_patterns("dax_break"))
            target = tree / "tools/testing/selftests/dax_break"
            shutil.copytree(SOURCE, target)
            out = run("make", "-C", tree / "tools/testing/selftests", "TARGETS=dax_break",
                      "run_tests", timeout=300)
            programs = sorted(p.stem for p in SOURCE.glob("*_test.c"))
            for number, program in enumerate(programs, 1):
                self.assertIn(f"ok {number} selftests: dax_break: {program} # SKIP", out)
