# SPDX-License-Identifier: GPL-2.0
"""What is asked for. Nothing changes a request; dataclasses.replace() makes another."""

import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

from ..kernel.choose import Spec

RUNS = 20               # of which build/runs has what came of them
TIMEOUT = 1200          # seconds for a guest; four times as long as a slow machine takes
DEBUG_PATIENCE = 10     # how much longer everything may take on a kernel that finds errors


@dataclass(frozen=True)
class Request:
    """A run of run_tests.sh, or of another command that boots guests."""

    kernel: Spec = Spec()
    tests: tuple[str, ...] = ()         # names, parts of names, globs, programs; none: all
    filesystems: tuple[str, ...] = ()   # none: all
    backends: tuple[str, ...] = ()      # none: what each filesystem usually is on
    host: bool = False          # on this machine instead of in guests ...
    pmem: str = ""              # ... with this of its persistent memory ...
    destructive: bool = False   # ... and with tests that may crash it
    list_only: bool = False
    shell: bool = False
    keep: bool = False          # the guests' files
    verbose: bool = False
    install: bool = True        # packages that are missing
    ktap: Path | None = None    # where to write it, too
    json: Path | None = None    # where to write all of the run ...
    junit: Path | None = None   # ... as other tools read it ...
    html: Path | None = None    # ... and as people do
    baseline: Path | None = None    # the json of the run whose failures are old
    strict: bool = False        # old failures are failures
    compare: tuple[Path, ...] = ()  # the json of two runs: run nothing, tell what changed
    accel: str = "auto"
    memory_mib: int = 1024      # of a guest, beside its persistent memory
    timeout: int = TIMEOUT      # seconds for what a guest does at once
    patience: int = 1           # a factor for the time limits of programs
    environment: tuple[str, ...] = ()   # NAME=VALUE, for the programs
    snapshots: bool = True      # guests may start from one
    jobs: int = os.cpu_count() or 1     # processors to keep busy
    quick: bool = False         # only the tests that show most of what can be wrong
    runs: int = RUNS            # to keep what came of them, this one included
    fail_fast: bool = False     # up to the first failure that is new
    bisect: bool = False        # a step of git bisect run
    argv: tuple[str, ...] = ()  # as it was asked for

    def command(self) -> str:
        """The command as it was given."""
        return shlex.join(["./run_tests.sh", *self.argv])

    def slower(self, times: int) -> "Request":
        """The same, where everything may take so many @times as long."""
        return replace(self, timeout=self.timeout * times, patience=self.patience * times)

    def again(self) -> str:
        """The command of this run, without its selection of tests."""
        words = ["./run_tests.sh"]
        if self.host:
            words.append("--host")
        if self.pmem:
            words += ["--pmem", self.pmem]
        if self.destructive:
            words.append("--destructive")
        if self.kernel != Spec():
            words += ["--kernel", str(self.kernel)]
        if self.kernel.modules:
            words += ["--modules", str(self.kernel.modules)]
        return shlex.join(words)
