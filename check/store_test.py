# SPDX-License-Identifier: GPL-2.0
"""Where snapshots are kept, and what each depends on, without a guest."""

import os
import subprocess
import sys
import tempfile
import unittest
from dataclasses import replace
from pathlib import Path
from unittest import mock

from vm.base import ROOT
from vm.kernel.image import Kernel
from vm.machine import backend, initramfs, launch, snapshot
from vm.machine.backend import BACKENDS, Files
from vm.machine.guest import End
from vm.machine.launch import Launcher
from vm.machine.machine import Machine
from vm.machine.monitor import MonitorError
from vm.machine.snapshot import STATE, USE, Store

MIB = 1 << 20


class Stores(unittest.TestCase):
    """What is there is found, what is in use stays, and there are not too many."""

    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()), "snapshots")
        self.store = self.open()

    def open(self) -> Store:
        """As another run has it."""
        return self.enterContext(Store(self.directory))

    def make(self, name: str, mib: int = 1, age: int = 0) -> Path:
        with self.store.make(name) as part:
            (part / STATE).write_bytes(b"x" * mib * MIB)
        home = self.directory / name
        when = home.stat().st_mtime - age
        os.utime(home, (when, when))
        return home

    def names(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir())

    def dead_pid(self) -> int:
        child = subprocess.Popen(["true"])
        child.wait()
        return child.pid

    def test_made_and_found(self):
        self.assertIsNone(self.store.find("a"))
        home = self.make("a")
        self.assertEqual(self.store.find("a"), home)
        self.assertEqual((home / STATE).stat().st_size, MIB)
        self.assertEqual(self.names(), ["a"])

    def test_not_made(self):
        """Whatever has prevented it, nothing is left."""
        for error in (OSError("full"), KeyboardInterrupt()):
            with self.assertRaises(type(error)), self.store.make("a") as part:
                (part / STATE).touch()
                raise error
            self.assertIsNone(self.store.find("a"))
            self.assertEqual(self.names(), [])

    def test_two_runs_make_the_same(self):
        with self.store.make("a") as part:
            (part / STATE).write_text("second")
            with mock.patch("os.getpid", return_value=1), self.open().make("a") as other:
                (other / STATE).write_text("first")
        self.assertEqual(self.names(), ["a"])
        self.assertEqual((self.store.find("a") / STATE).read_text(), "first")

    def test_two_threads_may_not_make_the_same_but_another_one(self):
        with self.store.make("a"), self.store.make("b"):
            pass
        self.assertEqual(self.names(), ["a", "b"])

    def test_the_oldest_goes(self):
        for name, age in (("b", 20), ("a", 30), ("c", 10)):
            self.make(name, 2, age)
        self.store.tidy(6)
        self.assertEqual(self.names(), ["a", "b", "c"])
        self.store.tidy(5)
        self.assertEqual(self.names(), ["b", "c"])
        self.store.tidy(1)
        self.assertEqual(self.names(), [])

    def test_two_runs_remove_the_same(self):
        for name, age in (("a", 20), ("b", 10)):
            self.make(name, 2, age)
        measure = snapshot._size_mib

        def removed_meanwhile(home: Path) -> int:
            if home.name == "a":
                self.open().remove("a")
            return measure(home)

        with mock.patch("vm.machine.snapshot._size_mib", removed_meanwhile):
            self.store.tidy(3)
        self.assertEqual(self.names(), ["b"])

    def test_what_was_used_lately_is_not_old(self):
        for name, age in (("a", 30), ("b", 20)):
            self.make(name, 2, age)
        with self.open() as other:
            other.find("a")
        self.store.tidy(3)
        self.assertEqual(self.names(), ["a"])

    def test_what_is_in_use_stays(self):
        self.make("a", 2)
        other = self.open()
        home = other.find("a")
        self.store.tidy(1)
        self.assertEqual(self.names(), ["a"])
        other.__exit__()
        self.store.tidy(1)
        self.assertFalse(home.exists())

    def test_several_runs_use_one(self):
        self.make("a")
        self.assertEqual(self.store.find("a"), self.open().find("a"))

    def test_what_killed_runs_have_left_goes(self):
        self.directory.mkdir()
        mine, dead = (self.directory / f"a.{pid}.part" for pid in (os.getpid(), self.dead_pid()))
        for part in (mine, dead):
            part.mkdir()
        self.store.tidy()
        self.assertEqual(self.names(), [mine.name])

    def test_a_run_that_is_killed_uses_nothing_any_longer(self):
        self.make("a", 2)
        code = ("import os, signal, sys; from pathlib import Path; from vm.machine.snapshot import "
                "Store; Store(Path(sys.argv[1])).find('a'); os.kill(os.getpid(), signal.SIGKILL)")
        subprocess.run([sys.executable, "-c", code, self.directory], cwd=ROOT, check=False)
        self.store.tidy(1)
        self.assertEqual(self.names(), [])

    def test_one_that_does_not_load_is_made_again(self):
        """Also while others use it."""
        self.make("a")
        self.open().find("a")
        self.store.find("a")
        self.store.remove("a")
        self.assertIsNone(self.store.find("a"))
        self.make("a", 2)
        self.assertEqual((self.store.find("a") / STATE).stat().st_size, 2 * MIB)

    def test_one_that_is_being_removed(self):
        """Without what tells that it is whole."""
        (self.make("a") / USE).unlink()
        self.assertIsNone(self.store.find("a"))
        self.make("a")
        self.assertIsNotNone(self.store.find("a"))


class Keys(unittest.TestCase):
    """A snapshot is another one as soon as anything changes that it depends on."""

    def setUp(self):
        scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.files = {name: scratch / name for name in
                      ("image", "module", "config", "program", "libraries", "init", "mkfs", "qemu")}
        for file in self.files.values():
            file.write_text("one")
            file.chmod(0o755)
        self.enterContext(mock.patch.object(launch, "LIBRARIES", self.files["libraries"]))
        self.enterContext(mock.patch.object(initramfs, "HOST_PROGRAMS", ("mkfs",)))
        self.enterContext(mock.patch.object(initramfs, "host_program",
                                            return_value=self.files["mkfs"]))
        self.launcher = Launcher(Kernel("7.3", self.files["image"], [self.files["module"]],
                                        self.files["config"], "here"), [self.files["program"]],
                                 Store(scratch / "snapshots"), scratch)
        self.machine = Machine(self.files["image"], scratch / "run-1/initramfs",
                               Files(scratch / "run-1"), "tcg", 1024,
                               qemu=[str(self.files["qemu"])], ram_in_file=True)

    def key(self, *orders: str, **changes) -> str:
        return self.launcher._key(replace(self.machine, **changes), list(orders))

    def test_the_same(self):
        """Whichever run, and wherever its files are."""
        other = Path("/elsewhere")
        self.assertEqual(self.key(), self.key(image=other, files=Files(other)))

    def test_each_file(self):
        keys = [self.key()]
        for name, file in self.files.items():
            if name == "config":
                continue
            file.write_text("another")
            keys.append(self.key())
            self.assertNotEqual(keys[-1], keys[-2], name)
            os.utime(file, (1, 1))
            keys.append(self.key())
        self.assertEqual(len(set(keys)), len(keys))

    def test_each_word(self):
        keys = [self.key(), self.key("testbed 60"), self.key(consent=False),
                self.key(memory_mib=2048), self.key(accel="kvm"),
                self.key(disk=Path("/disk.img")),
                *(self.key(backend=one) for name, one in BACKENDS.items()
                  if name != backend.DEFAULT)]
        self.assertEqual(len(set(keys)), len(keys))

    def test_the_processor_only_with_kvm(self):
        with mock.patch.object(Path, "read_text", return_value="model name\t: another\n"):
            self.assertEqual(self.key(), self.key())
            other = self.key(accel="kvm")
        self.assertNotEqual(self.key(accel="kvm"), other)

    def test_words_are_told_apart(self):
        self.assertNotEqual(snapshot.key(["ab", "c"], []), snapshot.key(["a", "bc"], []))


class Starts(unittest.TestCase):
    """A guest that waits for its orders, if there is a way to have one."""

    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.store = self.enterContext(Store(self.directory))
        self.launcher = Launcher(Kernel("7.3", Path("/k"), [], None, "here"), [], self.store)
        self.enterContext(mock.patch.object(Launcher, "_key", return_value="a"))
        self.enterContext(mock.patch.object(Launcher, "write_image"))
        self.boots, self.loads = 0, 0

    def start(self, *ends: End | None, killed: bool = False, fails_to_save: bool = False):
        """@ends: what becomes of the guests that go on from a snapshot, one after the other."""
        fates = list(ends)

        def guest(machine: Machine):
            made = mock.MagicMock(killed=killed)
            made.__enter__.return_value = made
            made.ready.return_value = None
            if machine.state:
                self.loads += 1
                made.obey.return_value = fates.pop(0)
            else:
                self.boots += 1
                made.save.side_effect = MonitorError if fails_to_save else None
            return made

        machine = Machine(Path("/k"), Path("/i"), Files(Path("/d")), "tcg", 1024)
        start = launch.Start(machine, 60, print, Path(os.devnull))
        with mock.patch.object(launch.Start, "guest", side_effect=guest):
            self.launcher.start(start)
        return self.boots, self.loads

    def test_boots_once(self):
        self.assertEqual(self.start(None), (1, 1))
        self.assertEqual(self.start(None), (1, 2))

    def test_one_from_which_no_guest_goes_on_is_made_again(self):
        self.start(None)
        self.assertEqual(self.start(End.CRASHED, None), (2, 3))

    def test_in_the_end_it_boots(self):
        self.assertEqual(self.start(End.CRASHED, End.OUT_OF_TIME), (3, 2))

    def test_no_fault_of_the_snapshot(self):
        """The run is interrupted."""
        self.start(None)
        self.start(End.CRASHED, End.CRASHED, killed=True)
        self.assertIsNotNone(self.store.find("a"))

    def test_one_that_cannot_be_saved(self):
        boots, loads = self.start(fails_to_save=True)
        self.assertEqual((boots, loads), (2, 0), "once for the snapshot, and once without")
        self.assertEqual(list(self.directory.iterdir()), [])
