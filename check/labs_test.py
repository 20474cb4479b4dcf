# SPDX-License-Identifier: GPL-2.0
"""What laboratories use: jobs for LAVA, and how results get there; parts of KernelCI's."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from vm.base import ROOT

LAVA, KERNELCI = ROOT / "labs/lava", ROOT / "labs/kernelci"
# Debian's, which sees the packages that come with LAVA.
PYTHON = "/usr/bin/python3"
SCHEMA = "/usr/share/lava-common/lava-schema.py"
# Machines, and what their examples set, which is different in each lab.
URLS = ("kernel=https://lab.example/kernel/bzImage",
        "modules=https://lab.example/kernel/modules.tar.xz",
        "kselftest=https://lab.example/kernel/kselftest.tar.xz",
        "repository=https://lab.example/dax_break.git")
MACHINES = {
    "qemu": (*URLS, "rootfs=https://lab.example/rootfs/dax_break.cpio.gz"),
    "optane": (*URLS, "initrd=https://lab.example/rootfs/initrd.cpio.gz",
               "rootfs=https://lab.example/rootfs/full.rootfs.tar.xz",
               "pmem=namespace0.0=00000000-0000-0000-0000-000000000000,"
               "namespace0.1=11111111-1111-1111-1111-111111111111")}

# What run_kselftest.sh prints: lines of the kernel's harness, run by the kernel's runner.
OUTPUT = """\
TAP version 13
1..3
# timeout set to 300
# selftests: dax_break: some_test
# TAP version 13
# 1..4
# # Starting 4 tests from 2 test cases.
# #  RUN           some.ext4_punch.passes ...
# #            OK  some.ext4_punch.passes
# ok 1 some.ext4_punch.passes
# # some_test.c:31:fails:P1 broken: punch returned 0 (Success), not ok 9 in.the.middle
# not ok 2 some.xfs_punch.fails
# ok 3 some.xfs_punch.lacks # SKIP no io_uring in this kernel
# # FAILED: 2 / 3 tests passed.
# # Totals: pass:1 fail:1 xfail:0 xpass:0 skip:1 error:0
not ok 1 selftests: dax_break: some_test # exit=1
# timeout set to 300
# selftests: dax_break: hangs_test
# TAP version 13
# 1..3
# ok 1 hangs.ext4_punch.passes
#
not ok 2 selftests: dax_break: hangs_test # TIMEOUT 300 seconds
# timeout set to 300
# selftests: dax_break: none_test
# 1..0 # SKIP no persistent memory
ok 3 selftests: dax_break: none_test # SKIP
# Totals: pass:0 fail:2 xfail:0 xpass:0 skip:1 error:0
"""
TOLD = """\
set start some_test
case some.ext4_punch.passes --result pass
case some.xfs_punch.fails --result fail
case some.xfs_punch.lacks --result skip
case some.xfs_punch.no_turn --result unknown
set stop
case some_test --result fail
set start hangs_test
case hangs.ext4_punch.passes --result pass
case hangs.ext4_punch.passes_too --result unknown
case hangs.ext4_punch.hangs --result unknown
set stop
case hangs_test --result fail
set start none_test
set stop
case none_test --result skip
"""
# What PROGRAM -l prints.
LISTED = {"some_test": "some.ext4_punch.passes ext4\nsome.xfs_punch.fails xfs\n"
                       "some.xfs_punch.lacks xfs\nsome.xfs_punch.no_turn xfs\n",
          "hangs_test": "hangs.ext4_punch.passes_too ext4\nhangs.ext4_punch.passes ext4\n"
                        "hangs.ext4_punch.hangs ext4\n"}


def program(path: Path, script: str):
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def run(*words, **options) -> subprocess.CompletedProcess:
    return subprocess.run([str(w) for w in words], capture_output=True, text=True, check=False,
                          **options)


class Results(unittest.TestCase):
    def test_all_are_told(self):
        with tempfile.TemporaryDirectory() as scratch:
            tools, kselftest = Path(scratch, "bin"), Path(scratch, "kselftest")
            kselftest.mkdir()
            for name in ("case", "set"):
                program(tools / f"lava-test-{name}", f'echo {name} "$@" >>{scratch}/told')
            for name, tests in LISTED.items():
                program(kselftest / "dax_break" / name, f"cat <<'EOF'\n{tests}EOF")
            done = run(LAVA / "report.sh", input=OUTPUT, cwd=kselftest,
                       env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(done.stdout, OUTPUT)
            self.assertEqual(Path(scratch, "told").read_text(encoding="utf-8"), TOLD)

    def test_shellcheck(self):
        done = run("shellcheck", *LAVA.glob("*.sh"))
        self.assertEqual((done.returncode, done.stdout), (0, ""))


class Jobs(unittest.TestCase):
    def render(self, *words) -> subprocess.CompletedProcess:
        done = run(PYTHON, LAVA / "render.py", *words)
        if "apt-get install" in done.stderr:
            self.skipTest(done.stderr.strip())
        return done

    def yaml(self, text: str) -> dict:
        """By way of JSON: the running python3 may not have yaml."""
        done = run(PYTHON, "-c", "import json, sys, yaml; "
                                 "json.dump(yaml.safe_load(sys.stdin), sys.stdout)", input=text)
        if "No module named 'yaml'" in done.stderr:
            self.skipTest("no yaml: apt-get install python3-yaml")
        self.assertEqual(done.stderr, "")
        return json.loads(done.stdout)

    def assert_fits(self, kind: str, text: str):
        if not os.path.exists(SCHEMA):
            self.skipTest("no LAVA schema: apt-get install lava-common")
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8") as job:
            job.write(text)
            job.flush()
            done = run(PYTHON, SCHEMA, kind, *(["--strict"] if kind == "job" else []), job.name)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_examples_are_what_is_rendered(self):
        for machine, values in MACHINES.items():
            with self.subTest(machine):
                done = self.render(LAVA / f"{machine}.yaml", *values)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, (LAVA / f"examples/{machine}.yaml").read_text(),
                                 f"labs/lava/render.py labs/lava/{machine}.yaml "
                                 f"{' '.join(values)} >labs/lava/examples/{machine}.yaml")

    def test_jobs_fit(self):
        for machine, values in MACHINES.items():
            for more in ((), ("modules=", "tests=cost_test dirty_test", "timeout=1200",
                              "branch=1.0", 'tags=["no", "5"]', "kernel_args=a: b #c",
                              *(["kvm=false"] if machine == "qemu" else []))):
                with self.subTest(machine, more=more):
                    job = self.render(LAVA / f"{machine}.yaml", *values, *more).stdout
                    test = self.yaml(job)["actions"][-1]["test"]["definitions"][0]
                    self.assertTrue((ROOT / test["path"]).is_file())
                    known = self.yaml((LAVA / "dax_break.yaml").read_text())["params"]
                    self.assertEqual(set(test["parameters"]), set(known))
                    self.assert_fits("job", job)

    def test_device_fits(self):
        self.assert_fits("device", (LAVA / "device.yaml").read_text())

    def test_memory_is_enough_and_apart(self):
        """Regions that touch would be one, and the suite needs one for each filesystem."""
        job = self.yaml(self.render(LAVA / "qemu.yaml", *MACHINES["qemu"]).stdout)
        command_line = job["actions"][0]["deploy"]["images"]["kernel"]["image_arg"]
        regions = [word.removeprefix("memmap=").split("!") for word in command_line.split()
                   if word.startswith("memmap=")]
        sizes, starts = ([int(n.removesuffix("M")) for n in each] for each in zip(*regions))
        self.assertGreaterEqual(min(sizes), 352)
        self.assertGreater(starts[1], starts[0] + sizes[0])
        self.assertLess(starts[1] + sizes[1], job["context"]["memory"])

    def assert_refused(self, done: subprocess.CompletedProcess, says: str):
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, rf"^[^\n]*{re.escape(says)}[^\n]*\n$")

    def test_values_that_are_refused(self):
        quoted = "has a quote"
        for word, says in {"kvm": "kvm is not NAME=VALUE", "foo=bar": "foo is not a variable of",
                           "initrd=URL": "initrd is not a variable of a guest",
                           "timeout=abc": "timeout='abc' is not a number",
                           "timeout=[": "timeout='[' is not a number",
                           "test_minutes=q": "test_minutes='q' is not a number",
                           "boot_minutes=0": "boot_minutes=0 is not a number above 0",
                           "memory=true": "memory=True is not a number",
                           "kvm=2": "kvm=2 is neither true nor false",
                           "tags=fast": "tags='fast' is not a list", "tags=[1]": "is not text",
                           'tests=waits_test "x': "is not the names of programs",
                           'branch="x': quoted, "pmem='": quoted, "kernel={x}": quoted,
                           "rootfs=a\nb": quoted}.items():
            with self.subTest(word):
                self.assert_refused(self.render(LAVA / "qemu.yaml", *MACHINES["qemu"], word), says)

    def test_what_is_not_set(self):
        """Each is named; none gets a value that nobody has given."""
        for machine, values in MACHINES.items():
            names = [value.partition("=")[0] for value in values]
            done = self.render(LAVA / f"{machine}.yaml")
            self.assert_refused(done, "not set")
            self.assertEqual(set(done.stderr.rpartition(": ")[2].strip().split(", ")), set(names))
            for name in set(names) - {"modules"}:
                with self.subTest(machine, name=name):
                    self.assert_refused(self.render(LAVA / f"{machine}.yaml", *values, f"{name}="),
                                        f"by NAME=VALUE: {name}")

    def test_machines_that_are_refused(self):
        self.assert_refused(self.render(LAVA / "none.yaml"), "No such file or directory")
        self.assert_refused(self.render(), "see --help")
        for text, says in {b"": "sets no variables", b"a": "sets no variables",
                           b"a: [": "is not YAML", b"a: \xff": "is not YAML",
                           b"a: 2026-99-99": "is not YAML", b"1: a": "1 is not a variable",
                           b"branch: 1.0": "branch=1.0 is not text"}.items():
            with self.subTest(text), tempfile.NamedTemporaryFile(suffix=".yaml") as machine:
                machine.write(text)
                machine.flush()
                self.assert_refused(self.render(machine.name), says)

    def test_standard_output(self):
        done = self.render("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("MACHINE [NAME=VALUE ...]", done.stdout)
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PYTHON, LAVA / "render.py", LAVA / "qemu.yaml",
                                   *MACHINES["qemu"]], stdout=full, stderr=subprocess.PIPE,
                                  text=True, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^[^\n]*standard output: No space left on device\n$")

    def test_kernelci_parts_are_whole(self):
        parts = self.yaml((KERNELCI / "jobs.yaml").read_text())
        job = parts["jobs"]["kselftest-dax_break"]
        self.assertTrue((KERNELCI / f"{job['params']['test_method']}.jinja2").is_file())
        for entry in parts["scheduler"]:
            self.assertIn(entry["job"], parts["jobs"])
        build = parts["scheduler"][1]["event"]["name"]
        self.assertLessEqual(set(parts["fragments"]),
                             set(parts["jobs"][build]["params"]["fragments"]))
