# SPDX-License-Identifier: GPL-2.0
"""The runner's parsers and tables, without a guest."""

import concurrent.futures
import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from check.example import SUITE, TESTS
from vm import command
from vm.ask import options
from vm.ask.request import DEBUG_PATIENCE, TIMEOUT, Request
from vm.ask.suite import Need, Test
from vm.base import ROOT, SOURCE, RunError
from vm.kernel import choose, source
from vm.kernel.choose import Kind, Spec
from vm.kernel.image import enabled_in, required
from vm.machine.backend import BACKENDS
from vm.run import bench


class Selection(unittest.TestCase):
    def names(self, fs, filters):
        return [t.name for t in SUITE.select(fs, filters)]

    def test_whole_name_means_just_that_test(self):
        self.assertEqual(self.names([], ["waits.xfs_punch.one"]), ["waits.xfs_punch.one"])

    def test_glob_part_and_program(self):
        self.assertEqual(len(self.names([], ["*.one"])), 2)
        self.assertEqual(len(self.names([], ["more"])), 2)
        self.assertEqual(len(self.names(["xfs"], ["a_test"])), 2)

    def test_what_looks_like_a_whole_name_may_be_a_part(self):
        self.assertEqual(self.names([], ["waits.xfs_punch.o"]),
                         ["waits.xfs_punch.one", "waits.xfs_punch.one_more"])
        self.assertEqual(len(self.names([], ["its.xfs_punch.one"])), 2)

    def test_unknown_names(self):
        with self.assertRaisesRegex(RunError, "unknown filesystem 'btrfs'.*ext4, xfs"):
            SUITE.select(["btrfs"], [])
        with self.assertRaisesRegex(RunError, "no test matches 'nothing'"):
            SUITE.select([], ["nothing"])

    def test_arguments_only_for_a_part_of_a_program(self):
        self.assertEqual(SUITE.arguments("a_test", TESTS), [])
        self.assertEqual(SUITE.arguments("a_test", TESTS[:1]), ["-r", TESTS[0].name])


class Listing(unittest.TestCase):
    """What a program says of its tests."""

    def test_fields(self):
        test = Test.read("w_test", "window.virtiofs.refault virtiofs alone small-window")
        self.assertEqual((test.fixture, test.fs, test.backend), ("window", "virtiofs", "virtiofs"))
        self.assertEqual(test.needs, {Need.ALONE, Need.SMALL_WINDOW})
        self.assertFalse(Test.read("w_test", "alone.xfs_alone.alone ext4").alone)

    def test_bad_lines_are_named(self):
        for line in ("waits.ext4_punch.one", "a.b.c xfs quiet"):
            with self.assertRaisesRegex(RunError, f"w_test -l says '{line}'"):
                Test.read("w_test", line)


class Requests(unittest.TestCase):
    def test_kernels(self):
        for text, meant in (("debian", Spec()), ("debian:6.12", Spec(Kind.DEBIAN, "6.12")),
                            ("host", Spec(Kind.HOST)), ("built", Spec(Kind.BUILT)),
                            ("built:debug", Spec(Kind.BUILT, "debug")),
                            ("built:fixes/a*", Spec(Kind.BUILT, "fixes/a*")),
                            (__file__, Spec(Kind.LOCAL, __file__))):
            self.assertEqual(choose.parse(text), meant)
            self.assertEqual(str(meant), text)
        for text in ("", "built:nonesuch", "built:../defects/x", "built:fixes/", "/nonesuch"):
            with self.assertRaisesRegex(RunError, f"no kernel '{text}'"):
                choose.parse(text)

    def test_modules(self):
        with self.assertRaisesRegex(RunError, "debian has modules of its own"):
            options.parse(["--modules", "/lib"])
        request = options.parse(["--kernel", __file__, "--modules", "/lib"])
        self.assertEqual(request.again(), f"./run_tests.sh --kernel {__file__} --modules /lib")

    def test_patched_kernels(self):
        self.assertEqual(options.parse(["--fix", "*"]).kernel, Spec(Kind.BUILT, "fixes/*"))
        with self.assertRaisesRegex(RunError, "--defect: not allowed with argument --kernel"):
            options.parse(["--kernel", "host", "--defect", "busy-if-mapped"])

    def test_time(self):
        self.assertEqual(options.parse([]), Request())
        slow = options.parse(["--debug-kernel"])
        self.assertEqual((slow.timeout, slow.patience), (TIMEOUT * DEBUG_PATIENCE, DEBUG_PATIENCE))
        self.assertEqual(options.parse(["--debug-kernel", "--timeout", "7"]).timeout, 7)


class Commands(unittest.TestCase):
    """Whatever ends a command, it says so in one line, and its status is known."""

    def ends(self, body) -> tuple[int, str]:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            return command.run("it", body), err.getvalue()

    def test_errors(self):
        self.assertEqual(self.ends(lambda: command.Status.CRASHED), (3, ""))
        self.assertEqual(self.ends(lambda: open("/nonesuch")),
                         (2, "it: /nonesuch: No such file or directory\n"))
        for number in command.SIGNALS:
            self.assertEqual(self.ends(lambda number=number: signal.raise_signal(number)),
                             (2, "it: interrupted\n"))
        with tempfile.TemporaryDirectory() as directory:
            log = Path(directory, "log")
            words = ["sh", "-c", "echo cc -Werror; echo x.c:1: error: no; exit 2"]
            self.assertEqual(self.ends(lambda: command.logged(*words, log=log)),
                             (2, f"it: sh failed: x.c:1: error: no (all of it: {log})\n"))

    def test_a_thread_that_runs_make_is_interrupted(self):
        def body():
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                log = Path(os.devnull)
                work = pool.submit(command.logged, "sleep", "60", log=log)
                while not work.running():
                    time.sleep(0.01)
                signal.raise_signal(signal.SIGTERM)

        start = time.monotonic()
        self.assertEqual(self.ends(body), (2, "it: interrupted\n"))
        self.assertLess(time.monotonic() - start, 10)
        command.logged("true", log=Path(os.devnull))     # that is over


class Python(unittest.TestCase):
    def test_too_old(self):
        """One line, and a status that git bisect run does not take for a verdict."""
        for option, status in (("--list", 2), ("--bisect", 255)):
            code = ("import sys; sys.version_info = (3, 9, 2); "
                    f"sys.argv.append('{option}'); import vm")
            done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True,
                                  text=True, check=False)
            self.assertEqual(done.returncode, status)
            self.assertEqual(done.stderr, "dax_break: this python3 is 3.9, and 3.11 is needed: "
                                          "put a newer one first in PATH\n")


class Options(unittest.TestCase):
    def test_optional_options_are_not_required(self):
        self.assertNotIn("CONFIG_BLK_DEV_UBLK", required())
        self.assertNotIn("CONFIG_VIRTIO_FS", required())

    def test_the_suite_asks_for_all_that_virtiofs_needs(self):
        """So that a kernel made by kselftest-merge does not skip its tests."""
        asked = enabled_in((SOURCE / "config").read_text(encoding="utf-8"))
        self.assertLessEqual({"CONFIG_FUSE_FS", *BACKENDS["virtiofs"].options}, set(asked))


class Bench(unittest.TestCase):
    def test_a_curve_for_each_kernel_and_filesystem(self):
        columns = ("kernel", "fs", "measure", "entries", "pages", "median", "p99", "max")
        rows = [dict(zip(columns, (kernel, "xfs", measure, "pte", pages, "1.5", "2.5", "9.5")))
                for kernel in ("6.12", "7.3") for measure, pages in
                (("wake", "1"), ("break", "1"), ("break", "16"))]
        script = bench.script(rows, Path("/tmp/x.svg"))
        self.assertIn("set output '/tmp/x.svg'", script)
        self.assertIn("$break1 << EOD\n1 1.5\n16 1.5\nEOD", script)
        self.assertIn("plot $wake0 with linespoints title '6.12 xfs wake', "
                      "$wake1 with linespoints title '7.3 xfs wake'", script)


class Packages(unittest.TestCase):
    def test_missing_ones_are_named_in_one_line(self):
        with tempfile.TemporaryDirectory() as directory:
            for tool in ("bash", "cat", "id", "apt-get"):
                os.symlink(f"/usr/bin/{tool}", f"{directory}/{tool}")
            done = subprocess.run(["/bin/bash", ROOT / "vm/packages.sh", "--no-install"],
                                  env={"PATH": directory}, capture_output=True, text=True,
                                  check=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"\A.*apt-get install .*qemu-system-x86.*\n\Z")


class FakeApt:
    """Offers linux-source-9.1, which has the files a and b/c."""

    def __init__(self, build: Path):
        self.build = build

    def update(self) -> None:
        pass

    def versions(self, regex: str) -> list[tuple[str, str]]:
        return [("linux-source-9.1", "9.1.4-1")]

    @contextlib.contextmanager
    def scratch(self):
        with tempfile.TemporaryDirectory(dir=self.build) as work:
            yield Path(work)

    def unpack(self, packages: list[str], dest: Path) -> None:
        tree, archive = dest / "linux-source-9.1", dest / "usr/src/linux-source-9.1.tar.xz"
        for directory in (tree / "b", archive.parent):
            directory.mkdir(parents=True)
        (tree / "a").write_text("new")
        (tree / "b/c").write_text("new")
        subprocess.run(["tar", "-cJf", archive, "-C", dest, tree.name], check=True)


class Source(unittest.TestCase):
    """What is kept of a kernel's source, and what becomes of it when vm/ wants more of it."""

    def setUp(self):
        self.build = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.home = self.build / "linux-source/9.1"
        self.enterContext(mock.patch("vm.kernel.source.Apt", FakeApt))
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))

    def newest(self, *members: str) -> list[str]:
        tree = source.newest(self.build, self.build / "linux-source", members=members)
        self.assertEqual(tree, self.home)
        return sorted(str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file())

    def test_what_is_there_stays(self):
        self.assertEqual(self.newest("a"), ["a"])
        (self.home / "a").write_text("old")
        self.assertEqual(self.newest("a"), ["a"])
        self.assertEqual((self.home / "a").read_text(), "old")

    def test_one_that_lacks_what_is_wanted_now(self):
        """It is replaced; files that others have linked are left alone."""
        self.newest("a")
        (self.home / "a").write_text("old")
        os.link(self.home / "a", self.build / "link")
        self.assertEqual(self.newest("a", "b/*"), ["a", "b/c"])
        self.assertEqual(((self.home / "a").read_text(), (self.build / "link").read_text()),
                         ("new", "old"))
        self.assertEqual(sorted(path.name for path in self.build.iterdir()),
                         ["link", "linux-source"])
