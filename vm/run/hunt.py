# SPDX-License-Identifier: GPL-2.0
"""How the suite does on the unbroken kernel, and what it finds on others beside that."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..ask.durations import Durations
from ..ask.request import Request
from ..ask.suite import Suite, Test
from ..base import BUILD, ROOT, SOURCE
from ..errors import write_text
from ..kernel.image import Kernel
from ..kernel.kbuild import Tree
from ..report.results import Case, Results
from ..report.watch import Watch
from .guests import fleet
from .pool import Pool
from .schedule import plan

STATE = BUILD / "defects"


@dataclass(frozen=True)
class Usual:
    """What became of a test on the unbroken kernel."""

    status: str
    promises: list[int]         # that are broken


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(path: Path, data: dict) -> None:
    part = path.with_suffix(".part")
    write_text(part, json.dumps(data, indent=1, sort_keys=True))
    part.rename(path)


class Reference:
    """How the suite does on the unbroken kernel, and the means to run it on others."""

    def __init__(self, the_suite: Suite, view: Watch) -> None:
        self.suite, self.view = the_suite, view
        self.tree = Tree(BUILD)
        self.durations = Durations.read()
        STATE.mkdir(parents=True, exist_ok=True)
        sources = [p for p in SOURCE.rglob("*") if p.is_file()]
        sources += [*(ROOT / "vm/init").iterdir(), *self.tree.fragments]
        self.key = digest(*(p.read_bytes() for p in sorted(sources)), bytes(self.tree.source))
        self._file = STATE / "reference.json"
        self._unbroken = {name: Usual(**usual) for name, usual
                          in load(self._file).get(self.key, {}).items()}

    def unbroken(self, tests: list[Test]) -> dict[str, Usual]:
        """How these tests (at least) do on the unbroken kernel."""
        unknown = [t for t in tests if t.name not in self._unbroken]
        if unknown:
            request = Request()
            results = self.run(self.tree.kernel(), unknown, request, lambda case: False)
            self._unbroken |= {c.test.name: Usual(c.status, sorted(c.promises))
                               for c in results.cases.values()}
            save(self._file, {self.key: {name: asdict(usual)
                                         for name, usual in self._unbroken.items()}})
        return self._unbroken

    def passes(self, test: Test) -> bool:
        """Does it pass on the unbroken kernel?"""
        usual = self._unbroken.get(test.name)
        return usual is not None and usual.status == "passed"

    def is_new(self, case: Case) -> bool:
        """Is it a failure that the unbroken kernel does not show?"""
        usual = self._unbroken.get(case.test.name)
        return (case.status == "failed" and usual is not None and
                (usual.status != "failed" or bool(case.promises.difference(usual.promises))))

    def new_on(self, kernel: Kernel, tests: list[Test]) -> list[Case]:
        """The failures of @tests on @kernel that are new."""
        results = self.run(kernel, tests, Request(), lambda case: False)
        return [case for case in results.cases.values() if self.is_new(case)]

    def run(self, kernel: Kernel, tests: list[Test], request: Request,
            enough: Callable[[Case], bool]) -> Results:
        """Runs @tests, up to the first whose result is @enough."""
        results = Results(tests)
        with fleet(request, self.suite.programs, STATE, kernel) as guests:
            pool = Pool(guests, self.suite, request, results,
                        plan(tests, self.durations.of, request.jobs), request.jobs, self.view)
            lock = threading.Lock()

            def told(case: Case) -> None:
                with lock:
                    if enough(case):
                        pool.stop()

            results.on_case = told
            pool.run(pool.workers(request.jobs))
        return results


class Hunt:
    """Watches a run of @tests for failures that are new.

    That is enough if there is one; or with @thorough, one of each fixture, and one of a test
    that passes on the unbroken kernel: only such a test tells a user that the bug is new.
    """

    def __init__(self, reference: Reference, tests: list[Test], thorough: bool) -> None:
        self._reference = reference
        self._thorough = thorough
        self._wanted = {t.fixture for t in tests} if thorough else set()
        self.failed: list[Case] = []            # all that are new, in the order of the run
        self.when = 0.0                         # the first: time.monotonic()

    @property
    def found(self) -> dict[str, Case]:
        """The first failure of each fixture."""
        return {case.test.fixture: case for case in reversed(self.failed)}

    def __call__(self, case: Case) -> bool:
        # A test that its program never reached counts only if nothing else has failed.
        if self._reference.is_new(case) and not (self.failed and not case.reached):
            self.failed.append(case)
            self.when = self.when or time.monotonic()
        return bool(self.failed) and (not self._thorough or self._complete())

    def _complete(self) -> bool:
        return (self._wanted <= self.found.keys() and
                any(self._reference.passes(case.test) for case in self.failed))
