# SPDX-License-Identifier: GPL-2.0
"""What QEMU is told, which QEMU that is, and what it may take, without a guest."""

import os
import re
import tempfile
import threading
import time
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

from check.example import SUITE, TESTS, Told, summary
from vm import arch
from vm.base import RunError
from vm.kernel import apt
from vm.kernel.image import Kernel
from vm.machine import backend, fleet, qemu
from vm.machine.backend import Files
from vm.machine.fleet import Fleet
from vm.machine.machine import Machine

HERE = arch.here()


class Backends(unittest.TestCase):
    """What the filesystems of a guest are on: what QEMU is told, and what is told of it."""

    def machine(self, name: str, accelerator: str = "tcg") -> Machine:
        return Machine(Path("/k"), Path("/i"), Files(Path("/d")), accelerator, 1024,
                       backend.BACKENDS[name])

    def words(self, name: str, accelerator: str = "tcg") -> str:
        return " ".join(self.machine(name, accelerator).command())

    def test_what_qemu_is_told(self):
        self.assertRegex(self.words("nvdimm"),
                         r"-machine q35,nvdimm=on .*id=nvdimm0,size=2050M,.*"
                         r"mem-path=/d/nvdimm0.img "
                         r"-device nvdimm,memdev=nvdimm0,id=nv0,label-size=2M")
        self.assertEqual(self.words("virtio-pmem").count("-device virtio-pmem-pci,memdev=virtio"),
                         backend.REGIONS)
        self.assertRegex(self.words("cxl"), "-cpu max.*,hypervisor=off -machine q35,cxl=on .*"
                                            "-device cxl-type3,.*lsa=labels")
        self.assertIn("-cpu host,hypervisor=off", self.words("cxl", "kvm"))
        self.assertRegex(self.words("virtiofs"),
                         "-object memory-backend-memfd,id=ram,share=on,size=1024M .*"
                         "-device vhost-user-test-device-pci,.*chardev=server,virtio-id=26,")

    def test_a_machine_that_goes_on(self):
        """The same hardware, its memory private; nothing to boot, nothing that is served."""
        for name in backend.BACKENDS:
            boots = replace(self.machine(name), ram_in_file=True)
            home = Files(Path("/d"), private=True)
            goes_on = replace(boots, files=home, state=Path("/d/state"))
            self.assertEqual([w.replace("share=off", "share=on") for w in goes_on.hardware()],
                             boots.hardware())
            words = " ".join(goes_on.command())
            self.assertRegex(words, "-incoming defer$")
            self.assertNotRegex(words, "-kernel|chardev=server|share=on")
            self.assertRegex(words, "mem-path=/d/ram.img -machine memory-backend=ram")

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
        self.assertEqual(backend.parse("cxl,memmap,cxl"), ("cxl", "memmap"))
        self.assertEqual(backend.parse("all"), tuple(backend.BACKENDS))
        with self.assertRaisesRegex(RunError, "unknown backend ''"):
            backend.parse("")

    def test_tests_on_each_that_has_their_filesystem(self):
        other = backend.Backend(lambda files: [], filesystems=("xfs",))
        with mock.patch.dict(backend.BACKENDS, other=other):
            tests = SUITE.select(backends=("nvdimm", "other"))
            self.assertEqual([t.title for t in tests[4:]],
                             ["other:waits.xfs_punch.one", "other:waits.xfs_punch.one_more"])
            self.assertEqual(list(dict.fromkeys(t.group for t in tests)),
                             ["ext4:a_test", "xfs:a_test", "other:xfs:a_test"])
            with self.assertRaisesRegex(RunError, "can be on other"):
                SUITE.select(("ext4",), backends=("other",))

    def test_results_name_it(self):
        tests = SUITE.select((), (TESTS[0].name,), ("nvdimm", "memmap"))
        told = Told(tests)
        told.feed(tests[:1], f"out ok 1 {tests[0].name}").finish("")
        told.feed(tests[1:], f"out not ok 1 {tests[1].name}", "end a_test 1").finish("")
        self.assertEqual(told.ktap[-1], "not ok 2 memmap:ext4:a_test")
        said = summary(told.results).text()
        self.assertIn(f"FAILED memmap:{tests[1].name}\n", said)
        self.assertIn(f"again: ./again --backend memmap {tests[1].name}\n", said)
        self.assertRegex(said, r"\n  ext4 +1 passed.*\n  memmap:ext4 +0 passed, 1 failed")


class Obstacles(unittest.TestCase):
    """A backend that cannot be had says why, and is looked for once."""

    def guests(self, *options: str) -> Fleet:
        config = self.enterContext(tempfile.NamedTemporaryFile("w"))
        config.write("".join(f"{option}=m\n" for option in options))
        config.flush()
        guests = Fleet.__new__(Fleet)
        guests.kernel = Kernel("7.3", Path("/k"), [], Path(config.name), "here")
        guests._obstacles, guests._qemu, guests._lock = {}, {}, threading.Lock()
        return guests

    def test_options_of_the_kernel(self):
        guests = self.guests("CONFIG_VIRTIO_PCI")
        self.assertEqual(guests.obstacle("nvdimm"), "")
        self.assertEqual(guests.obstacle("virtio-pmem"),
                         "virtio-pmem needs CONFIG_VIRTIO_PMEM, which this kernel lacks")

    def test_qemu(self):
        guests = self.guests(*backend.BACKENDS["cxl"].options)
        with mock.patch.object(qemu, "at_least", side_effect=RunError("no QEMU")) as looked:
            for _ in range(2):
                self.assertEqual(guests.obstacle("cxl"), "cxl: no QEMU")
        looked.assert_called_once()


class Resources(unittest.TestCase):
    def test_disk(self):
        full = mock.Mock(f_bavail=1, f_frsize=4096)
        with mock.patch("os.statvfs", return_value=full):
            with self.assertRaisesRegex(RunError, "no disk space"):
                fleet.check_resources(1, 2050, Path("/tmp"), 1)

    def test_as_many_at_once_as_there_is_room_for(self):
        room = mock.Mock(f_bavail=3000 << 8, f_frsize=4096)
        with mock.patch("os.cpu_count", return_value=8):
            self.assertEqual(fleet.check_resources(1, 0, Path("/tmp"), 3), 3)
            with mock.patch("os.statvfs", return_value=room):
                self.assertEqual(fleet.check_resources(1, 2050, Path("/tmp"), 3), 1)


class FakeQemu(unittest.TestCase):
    """The QEMU that is found first is a script."""

    def setUp(self):
        self.bin = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def script(self, name: str, text: str):
        path = self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def fake_qemu(self, text: str):
        self.script(HERE.qemu, text)
        self.enterContext(mock.patch.dict(os.environ, {
            "PATH": f"{self.bin}:{os.environ['PATH']}"}))


class Accelerator(FakeQemu):
    """/dev/kvm may be there and useless."""

    def test_a_trial_that_hangs_is_ended(self):
        self.fake_qemu(f"echo $$ > {self.bin}/pid; exec sleep 100")
        self.enterContext(mock.patch.object(qemu, "TRIAL_SECONDS", 0.5))
        start = time.monotonic()
        self.assertFalse(qemu.trial_boot())
        self.assertLess(time.monotonic() - start, 5)
        pid = (self.bin / "pid").read_text().strip()
        self.assertFalse(Path("/proc", pid).exists())

    def test_what_a_trial_says(self):
        for status, works in ((1, False), (HERE.trial_status, True)):
            self.fake_qemu(f"exit {status}")
            self.assertEqual(qemu.trial_boot(), works)

    def test_the_trial_image_runs(self):
        """The trial's own code does what it should, seen under emulation."""
        with mock.patch.object(qemu, "TRIAL_SECONDS", 60):      # the machine may be busy
            self.assertTrue(qemu.trial_boot("tcg"))

    def test_useless_kvm_falls_back_or_says_so(self):
        with mock.patch.object(qemu, "kvm_problem", return_value="broken"):
            self.assertEqual(qemu.accelerator("auto"), ("tcg", "broken"))
            with self.assertRaisesRegex(RunError, "KVM is not usable here: broken"):
                qemu.accelerator("kvm")


class NewerQemu(FakeQemu):
    """The machine's QEMU if it is new enough, else one that is unpacked in build/qemu."""

    def setUp(self):
        super().setUp()
        self.fake_qemu("echo QEMU emulator version 7.2.22 '(Debian 1:7.2)'")

    def unpacked(self, version: str, script: str):
        """One in build/qemu, its loader a script."""
        self.script(f"qemu/{version}/{HERE.loader}", script)

    def offer(self, plan: str):
        for method, answer in (("update", None), ("_apt_get", plan)):
            self.enterContext(mock.patch.object(apt.Apt, method, return_value=answer))

    def test_the_guests_own(self):
        self.assertEqual(qemu.at_least("7.2", self.bin), [HERE.qemu])

    def test_the_newest_unpacked_one(self):
        self.unpacked("9.9.1+ds-1", "exit 1")
        self.unpacked("11.1.3+ds-1~bpo13+1", "echo QEMU emulator version 11.1.3")
        command = qemu.at_least("11.1", self.bin)
        home = self.bin / "qemu/11.1.3+ds-1~bpo13+1"
        self.assertEqual(command[:2], [str(home / HERE.loader), "--library-path"])
        self.assertIn(str(home / "usr/share/seabios"), command)

    def test_one_that_does_not_run(self):
        self.unpacked("11.1.3", "exit 1")
        with self.assertRaisesRegex(RunError, "11.1.3 does not run here: remove it"):
            qemu.at_least("11.1", self.bin)

    def test_debian_has_only_an_older_one(self):
        self.offer("Inst qemu-system-x86 (1:10.0.2+ds-2 Debian:13.8/stable [amd64])\n")
        with self.assertRaisesRegex(RunError, "no QEMU 11.1 .* only 1:10.0.2.*: install one"):
            qemu.at_least("11.1", self.bin)

    def test_it_comes_with_what_it_depends_on(self):
        self.offer("Reading package lists...\n"
                   "Inst libc6 (2.41-12+deb13u5 Debian:13.8/stable [amd64])\n"
                   "Inst qemu-system-x86 (1:11.1.3+ds-1 Debian Backports [amd64])\n"
                   "Conf libc6 (2.41-12+deb13u5 Debian:13.8/stable [amd64])\n")
        wanted = []

        def unpack(_, packages, dest):
            wanted.extend(packages)
            self.script(f"apt/scratch/root/{HERE.loader}", "echo QEMU emulator version 11.1.3")

        with mock.patch.object(apt.Apt, "unpack", unpack):
            command = qemu.at_least("11.1", self.bin)
        self.assertEqual(wanted, ["libc6=2.41-12+deb13u5", "qemu-system-x86=1:11.1.3+ds-1"])
        self.assertEqual(command[0], str(self.bin / "qemu/11.1.3+ds-1" / HERE.loader))

    def test_no_network(self):
        with mock.patch.object(apt.Apt, "update", side_effect=RunError("no route; check it")):
            with self.assertRaisesRegex(RunError, "no QEMU 11.1 .* fetched: no route; check it"):
                qemu.at_least("11.1", self.bin)
