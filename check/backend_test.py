# SPDX-License-Identifier: GPL-2.0
"""What the filesystems of a guest are on, and the QEMU that it takes, without a guest."""

import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from check.unit_test import SUITE, TESTS, FakeQemu
from vm import apt, backend, boots, guest, qemu, report
from vm.errors import RunError
from vm.kernel import Kernel
from vm.machines import Machines
from vm.results import Feed, Results


class Backends(unittest.TestCase):
    """What the filesystems of a guest are on: what QEMU is told, and what is told of it."""

    def words(self, name: str, accelerator: str = "tcg") -> str:
        return " ".join(guest.Machine(Path("/k"), Path("/i"), Path("/d"), accelerator, 1024,
                                      backend.BACKENDS[name]).command())

    def test_what_qemu_is_told(self):
        self.assertRegex(self.words("nvdimm"),
                         r"-machine q35,nvdimm=on .*mem-path=/d/nvdimm0.img,size=2050M,.*"
                         r"-device nvdimm,memdev=nvdimm0,id=nv0,label-size=2M")
        self.assertEqual(self.words("virtio-pmem").count("-device virtio-pmem-pci,memdev=virtio"),
                         backend.REGIONS)
        self.assertRegex(self.words("cxl"), "-cpu max,hypervisor=off -machine q35,cxl=on .*"
                                            "-device cxl-type3,.*lsa=labels")
        self.assertIn("-cpu host,hypervisor=off", self.words("cxl", "kvm"))
        self.assertRegex(self.words("virtiofs"),
                         "-device vhost-user-test-device-pci,chardev=server,virtio-id=26,.*"
                         "-object memory-backend-memfd,id=ram,share=on,size=1024M")

    def test_memmap_takes_ram_that_is_there_and_not_needed(self):
        """Apart, so that each is a region, and within what the guest has more of it."""
        words = self.words("memmap")
        at = [int(word) for word in re.findall(r" memmap=320M!(\d+)M", words)]
        self.assertEqual(len(at), backend.REGIONS)
        self.assertTrue(all(b - a > 320 for a, b in zip(at, at[1:])), at)
        ram = int(re.search(r"-m (\d+)M", words)[1])
        self.assertEqual(ram, 1024 + 320 * len(at))
        self.assertLess(at[-1] + 320, ram)

    def test_lists(self):
        self.assertEqual(backend.parse("cxl,memmap,cxl"), ["cxl", "memmap"])
        self.assertEqual(backend.parse("all"), list(backend.BACKENDS))
        with self.assertRaisesRegex(RunError, "unknown backend ''"):
            backend.parse("")

    def test_tests_on_each_that_has_their_filesystem(self):
        other = backend.Backend(lambda directory: [], filesystems=("xfs",))
        with mock.patch.dict(backend.BACKENDS, other=other):
            tests = SUITE.on_backends(TESTS, ["nvdimm", "other"])
            self.assertEqual([t.title for t in tests[4:]],
                             ["other:waits.xfs_punch.one", "other:waits.xfs_punch.one_more"])
            self.assertEqual([b.name for b in boots.plan(tests)], ["ext4", "other:xfs", "xfs"])
            with self.assertRaisesRegex(RunError, "can be on other"):
                SUITE.on_backends(TESTS[:2], ["other"])

    def test_results_name_it(self):
        tests = SUITE.on_backends(TESTS[:1], ["nvdimm", "memmap"])
        results, ktap = Results(tests), []
        Feed(results, ktap.append, tests[:1], 1, "ext4:").feed(f"out ok 1 {tests[0].name}")
        other = Feed(results, ktap.append, tests[1:], 2, "memmap:ext4:")
        for message in ("begin a_test", f"out not ok 1 {tests[1].name}", "end a_test 1"):
            other.feed(message)
        self.assertEqual(ktap[-1], "not ok 2 memmap:ext4:a_test")
        said = report.Report(results, [], "./again", {}).text()
        self.assertIn(f"FAILED memmap:{tests[1].name}\n", said)
        self.assertIn(f"again: ./again --backend memmap {tests[1].name}\n", said)
        self.assertRegex(said, r"\n  ext4 +1 passed.*\n  memmap:ext4 +0 passed, 1 failed")

    def test_no_guest(self):
        tests = SUITE.on_backends(TESTS[:2], ["cxl"])
        results, ktap = Results(tests), []
        Feed(results, ktap.append, tests, 1, "cxl:ext4:").skip(["a_test"], "no QEMU")
        self.assertEqual(ktap[-1], "ok 1 cxl:ext4:a_test # SKIP no QEMU")
        self.assertEqual([c.why for c in results.with_status("skipped")], ["no QEMU"] * 2)


class Obstacles(unittest.TestCase):
    """A backend that cannot be had says why, and is looked for once."""

    def machines(self, *options: str) -> Machines:
        config = self.enterContext(tempfile.NamedTemporaryFile("w"))
        config.write("".join(f"{option}=m\n" for option in options))
        config.flush()
        machines = Machines.__new__(Machines)
        machines.kernel = Kernel("7.3", Path("/k"), [], Path(config.name), "here")
        machines._obstacles, machines._qemu = {}, {}
        return machines

    def test_options_of_the_kernel(self):
        machines = self.machines("CONFIG_VIRTIO_PCI")
        self.assertEqual(machines.obstacle("nvdimm"), "")
        self.assertEqual(machines.obstacle("virtio-pmem"),
                         "virtio-pmem needs CONFIG_VIRTIO_PMEM, which this kernel lacks")

    def test_qemu(self):
        machines = self.machines(*backend.BACKENDS["cxl"].options)
        with mock.patch.object(qemu, "at_least", side_effect=RunError("no QEMU")) as looked:
            for _ in range(2):
                self.assertEqual(machines.obstacle("cxl"), "cxl: no QEMU")
        looked.assert_called_once()


class NewerQemu(FakeQemu):
    """The machine's QEMU if it is new enough, else one that is unpacked in build/qemu."""

    def setUp(self):
        super().setUp()
        self.fake_qemu("echo QEMU emulator version 7.2.22 '(Debian 1:7.2)'")

    def unpacked(self, version: str, script: str):
        """One in build/qemu, its loader a script."""
        self.script(f"qemu/{version}/{qemu.LOADER}", script)

    def offer(self, plan: str):
        for method, answer in (("update", None), ("_apt_get", plan)):
            self.enterContext(mock.patch.object(apt.Apt, method, return_value=answer))

    def test_the_machines_own(self):
        self.assertEqual(qemu.at_least("7.2", self.bin), [qemu.PROGRAM])

    def test_the_newest_unpacked_one(self):
        self.unpacked("9.9.1+ds-1", "exit 1")
        self.unpacked("11.1.3+ds-1~bpo13+1", "echo QEMU emulator version 11.1.3")
        command = qemu.at_least("11.1", self.bin)
        home = self.bin / "qemu/11.1.3+ds-1~bpo13+1"
        self.assertEqual(command[:2], [str(home / qemu.LOADER), "--library-path"])
        self.assertIn(str(home / "usr/share/seabios"), command)

    def test_one_that_does_not_run(self):
        self.unpacked("11.1.3", "exit 1")
        with self.assertRaisesRegex(RunError, "11.1.3 does not run here: remove it"):
            qemu.at_least("11.1", self.bin)

    def test_debian_has_only_an_older_one(self):
        self.offer("Inst qemu-system-x86 (1:10.0.2+ds-2 Debian:13.8/stable [amd64])\n")
        with self.assertRaisesRegex(RunError, "no QEMU 11.1 or newer.* only 1:10.0.2.*: install one"):
            qemu.at_least("11.1", self.bin)

    def test_it_comes_with_what_it_depends_on(self):
        self.offer("Reading package lists...\n"
                   "Inst libc6 (2.41-12+deb13u5 Debian:13.8/stable [amd64])\n"
                   "Inst qemu-system-x86 (1:11.1.3+ds-1 Debian Backports [amd64])\n"
                   "Conf libc6 (2.41-12+deb13u5 Debian:13.8/stable [amd64])\n")
        wanted = []

        def download(_, packages, dest):
            wanted.extend(packages)
            self.script(f"apt/scratch/root/{qemu.LOADER}", "echo QEMU emulator version 11.1.3")
            return []

        with mock.patch.object(apt.Apt, "download", download):
            command = qemu.at_least("11.1", self.bin)
        self.assertEqual(wanted, ["libc6=2.41-12+deb13u5", "qemu-system-x86=1:11.1.3+ds-1"])
        self.assertEqual(command[0], str(self.bin / "qemu/11.1.3+ds-1" / qemu.LOADER))

    def test_no_network(self):
        with mock.patch.object(apt.Apt, "update", side_effect=RunError("no route; check it")):
            with self.assertRaisesRegex(RunError, "no QEMU 11.1 .* fetched: no route; check it"):
                qemu.at_least("11.1", self.bin)
