# SPDX-License-Identifier: GPL-2.0
"""The one way in which all commands run programs in guests."""

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..ask.request import Request
from ..ask.suite import Test
from ..base import BUILD, RunError
from ..errors import say
from ..kernel.choose import choose
from ..kernel.image import Kernel
from ..machine.fleet import Fleet, Settings
from ..machine.launch import TOOLS

PROGRAMS = "programs"           # in the run_directory(): those of this run
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
          kernel: Kernel | None = None, directory: Path | None = None) -> Iterator[Fleet]:
    """Guests for @request with @programs in them, on its kernel if not on @kernel.

    @directory: the run_directory(), if that is there already, with PROGRAMS.
    """
    tools = directory / PROGRAMS if directory else TOOLS
    programs = [*programs, tools / "with_pmem"]     # by which they get a filesystem
    logs.mkdir(parents=True, exist_ok=True)
    settings = Settings(request.accel, request.memory_mib, request.timeout, request.verbose,
                        request.snapshots, tools)
    with contextlib.ExitStack() as stack:
        directory = directory or stack.enter_context(run_directory(request.keep))
        yield stack.enter_context(Fleet(kernel or choose(request.kernel, BUILD), programs,
                                        directory, logs, settings))


def run_program(request: Request, name: str, program: str, orders: list[str], logs: Path,
                on_line: Callable[[str], None]) -> int:
    """Runs a program of the suite that is no test, in a guest called @name.

    @orders for init.c say how. Lines of its output go to @on_line. Returns its exit status.
    """
    ends: list[str] = []

    def hear(message: str) -> None:
        if message.startswith("out "):
            on_line(message[4:])
        elif message.startswith("end "):
            ends.append(message.rpartition(" ")[2])

    with fleet(request, [TOOLS / program], logs) as ours:
        ours.room(1)
        say(f"# {ours.about}")
        # It makes a testbed of its own, of another size than the tests need.
        with ours.guest(name, testbed=False) as guest:
            guest.on_message = hear
            end = guest.obey([*(f"env {setting}" for setting in request.environment), *orders])
    if end or not ends or not ends[0].isdigit():
        raise RunError(f"{program} did not end well: {end.value if end else ends}; "
                       f"see {ours.console(name)}")
    return int(ends[0])


def shell(ours: Fleet, chosen: list[Test]) -> int:
    """A guest with a shell for a person. Returns QEMU's exit status."""
    backend = chosen[0].backend
    ours.room(1, [backend])
    return ours.shell(backend, [f"env DAX_BREAK_FS={filesystems(chosen)}", SHELL, "off"])


def filesystems(tests: list[Test]) -> str:
    return " ".join(sorted({t.fs for t in tests}))
