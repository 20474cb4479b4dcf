# SPDX-License-Identifier: GPL-2.0
"""run_tests.sh --bisect: judges the commit that a kernel tree is at, for git bisect run.

Builds the kernel as small as can be, runs the tests named up to the first that fails, and
tells in one line what it thinks of the commit. Whether a failure is known is not asked:
what has become of the test in this commit is what the bisection is about. The suite
is built without regard to the tree, so that it is the same for all commits.
"""

import os
import shutil
import subprocess
import sys
import traceback
from dataclasses import replace
from enum import IntEnum
from pathlib import Path

from .. import command
from ..ask import options, suite
from ..ask.durations import Durations
from ..ask.request import Request
from ..ask.suite import Suite, Test
from ..base import BUILD, KernelError, RunError
from ..command import Status
from ..kernel import kbuild
from ..kernel.image import Kernel
from ..report import watch
from ..report.results import Case, Results
from ..report.watch import Watch
from .guests import fleet
from .pool import Pool
from .schedule import plan

OPTION = "--bisect"
LOGS = BUILD / "bisect"
NAME = "run_tests.sh"


class Verdict(IntEnum):
    """Exit status, as git bisect run takes it. Anything from 128 on ends the bisection."""

    GOOD, BAD, SKIPPED, STOP = 0, 1, 125, 255

    def __str__(self) -> str:
        return self.name.lower()


def judge(results: Results) -> tuple[Verdict, str]:
    """A verdict, and why. Only a commit on which all tests passed is good."""
    failed = results.with_status("failed")
    for case in failed:
        if case.reached:
            return Verdict.BAD, f"{case.test.title} failed: {case.diagnosis}"
    for case in failed:
        return Verdict.SKIPPED, f"{case.test.title} did not run: {case.diagnosis}"
    for problem in results.problems:
        return Verdict.BAD, problem
    for case in results.with_status("skipped"):
        return Verdict.SKIPPED, f"{case.test.title} was skipped: {case.diagnosis}"
    for case in results.with_status(""):
        return Verdict.SKIPPED, f"{case.test.title} did not run"
    passed = results.with_status("passed")
    return Verdict.GOOD, f"{passed[0].test.title} passed" if len(passed) == 1 else (
        f"all {len(passed)} tests passed")


def tree() -> Path:
    """The kernel tree that is being bisected."""
    where = Path(os.environ.get("KDIR") or ".").resolve()
    if not all((where / name).exists() for name in (".git", "Makefile", "Kconfig")):
        raise RunError(f"{where} is not a git tree of the kernel: run git bisect in one, "
                       "or name it by KDIR=")
    return where


def commit(source: Path) -> str:
    """The commit that is to be judged, for people."""
    done = subprocess.run(["git", "-C", source, "log", "-1", "--format=%h (%s)"],
                          capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise RunError(f"git in {source}: {(done.stderr.strip().splitlines() or ['failed'])[0]}")
    return done.stdout.strip()


def chosen(request: Request, the_suite: Suite | None) -> tuple[Suite, list[Test]]:
    """The suite, built unless it is given, and the tests that tell good from bad."""
    command.install("kbuild", allowed=request.install)
    if not the_suite:
        command.make("programs", LOGS / "build.log")
        the_suite = suite.load(BUILD / "selftests")
    return the_suite, the_suite.select(request.filesystems, request.tests, request.backends)


def tested(request: Request, the_suite: Suite, tests: list[Test], kernel: Kernel,
           view: Watch, logs: Path) -> Results:
    """Runs @tests, up to the first that fails."""
    results = Results(tests)
    durations = Durations.read()
    with fleet(request, the_suite.programs, logs, kernel) as guests:
        pool = Pool(guests, the_suite, request, results,
                    plan(tests, durations.of, request.jobs), request.jobs, view)

        def told(case: Case) -> None:
            if case.status == "failed" and case.reached:
                pool.stop()

        results.on_case = told
        pool.run(pool.workers(request.jobs))
    return results


def step(request: Request, the_suite: Suite | None) -> Verdict:
    """Judges the commit. RunError if none could be judged."""
    source = tree()
    os.environ.pop("KDIR", None)        # or the suite would be built with what it has
    name = commit(source)
    logs = LOGS / f"{source.name}-{kbuild.identity(source)}"
    shutil.rmtree(logs, ignore_errors=True)
    # No other commit will ever start from a snapshot of this one.
    request = replace(request, snapshots=False)
    with watch.open(sys.stdout) as view:
        the_suite, tests = chosen(request, the_suite)
        try:
            made = kbuild.Tree(BUILD, request.kernel == options.DEBUG, source).kernel()
            verdict, why = judge(tested(request, the_suite, tests, made, view, logs))
        except KernelError as error:
            verdict, why = Verdict.SKIPPED, str(error)
    print(f"{name} is {verdict}: {why}", flush=True)
    return verdict


def main(argv: list[str], the_suite: Suite | None = None) -> Verdict:
    """Whatever it does not foresee ends the bisection: a wrong verdict would mislead it."""
    def body() -> int:
        try:
            return step(options.parse(argv), the_suite)
        except (RunError, OSError):
            raise
        except Exception:
            traceback.print_exc()
            raise RunError("this is a bug of dax_break") from None

    status = command.run(NAME, body)
    return Verdict.STOP if status == Status.NOT_RUN else Verdict(status)
