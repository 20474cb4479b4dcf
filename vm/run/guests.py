# SPDX-License-Identifier: GPL-2.0
"""The one way in which all commands run programs in guests."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..ask.request import Request
from ..ask.suite import Boot, Suite, Test
from ..base import BUILD, RunError
from ..kernel.choose import choose
from ..kernel.image import Kernel
from ..machine import guest
from ..machine.backend import DISKS_ORDER
from ..machine.fleet import Fleet
from ..machine.guest import End
from ..report.results import Feed

SHELL = "shell /bin/with_pmem /bin/sh"      # an order for init.c


@contextlib.contextmanager
def run_directory(keep: bool = False) -> Iterator[Path]:
    """A directory for this run's images and memory. What killed runs left is removed."""
    for old in BUILD.glob("run-*"):
        dead = not Path("/proc", old.name.rpartition("-")[2]).exists()
        if dead and not (old / "keep").exists():
            shutil.rmtree(old, ignore_errors=True)
    directory = BUILD / f"run-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        if keep:
            (directory / "keep").touch()
            print(f"kept: {directory}", file=sys.stderr)
        else:
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def fleet(request: Request, programs: list[Path], logs: Path,
          kernel: Kernel | None = None) -> Iterator[Fleet]:
    """Guests for @request with @programs in them, on its kernel if not on @kernel."""
    programs = [*programs, BUILD / "selftests/with_pmem"]       # by which they get a filesystem
    logs.mkdir(parents=True, exist_ok=True)
    with run_directory(request.keep) as directory:
        yield Fleet(kernel or choose(request.kernel, BUILD), programs, directory, logs,
                    accelerator=request.accel, memory_mib=request.memory_mib,
                    seconds=request.timeout, verbose=request.verbose)


def environment(request: Request, filesystems: str) -> list[str]:
    """Orders for init.c: what all programs of the suite are told."""
    return [f"env DAX_BREAK_FS={filesystems}", DISKS_ORDER,
            *(f"env {setting}" for setting in request.environment)]


def run_program(request: Request, name: str, program: str, orders: list[str], logs: Path,
                on_line: Callable[[str], None]) -> int:
    """Runs a program of the suite that is no test, in a guest called @name.

    @orders for init.c say how. Lines of its output go to @on_line. Returns its exit status.
    """
    ends: list[str] = []

    def feed(message: str) -> None:
        if message.startswith("out "):
            on_line(message[4:])
        elif message.startswith("end "):
            ends.append(message.rpartition(" ")[2])

    with fleet(request, [BUILD / "selftests" / program], logs) as ours:
        ours.room(1)
        end = ours.run(name, orders, feed)[0]
    if end is not End.DONE or not ends or not ends[0].isdigit():
        raise RunError(f"{program} did not end well: {end.value}; see {logs}/console.{name}.log")
    return int(ends[0])


@dataclass(frozen=True)
class SuiteGuests:
    """Guests in which tests of @suite are run."""

    request: Request
    suite: Suite
    fleet: Fleet

    @classmethod
    @contextlib.contextmanager
    def open(cls, request: Request, suite: Suite, logs: Path,
             kernel: Kernel | None = None) -> Iterator["SuiteGuests"]:
        with fleet(request, suite.programs, logs, kernel) as ours:
            yield cls(request, suite, ours)

    def environment(self, tests: list[Test]) -> list[str]:
        return environment(self.request, " ".join(sorted({t.fs for t in tests})))

    def orders(self, boot: Boot) -> list[str]:
        """What the guest is to do, as init.c reads it."""
        tests = list(boot.tests)
        limit = self.suite.timeout * self.request.patience
        return [*self.environment(tests),
                *(["env DAX_BREAK_DESTRUCTIVE=1"] if boot.alone else []),
                *(" ".join(["run", str(limit), f"/bin/{program}",
                            *self.suite.arguments(program, tests)]) for program in boot.programs)]

    def run(self, boot: Boot, feed: Feed,
            enough: Callable[[str], bool] = lambda text: False) -> tuple[End, str]:
        """Runs the tests of @boot in a guest; @feed is told what becomes of them."""
        if obstacle := self.fleet.obstacle(boot.backend):
            feed.skip(boot.programs, obstacle)
            return End.DONE, ""
        # A test that had to be alone may leave a kernel that does not even shut down.
        return self.fleet.run(boot.name, self.orders(boot), feed.feed, backend=boot.backend,
                              alone=boot.alone, small_window=boot.small_window,
                              enough=lambda text: enough(text) or (boot.alone and feed.all_told()))

    def shell(self, chosen: list[Test]) -> int:
        """A guest with a shell for a person. Returns QEMU's exit status."""
        backend = chosen[0].backend
        self.fleet.room(1, [backend])
        there = [t for t in chosen if t.backend == backend]
        return guest.shell(self.fleet.make("shell", [*self.environment(there), SHELL],
                                           backend=backend))
