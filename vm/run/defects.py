# SPDX-License-Identifier: GPL-2.0
"""Does the suite catch kernels that are broken on purpose? (make defects, make fixes)

    python3 -m vm.run.defects defects|fixes [NAME]...   names or globs; default: all

Each of defects/ breaks one promise. Its kernel runs the tests that its header names,
until one of each fixture among them has failed that does not fail like that on the
unbroken kernel; if none does, all others, until one fails. A guest that crashes has
failed the test that it was running. The outcome is kept in build/defects, and told
again as long as neither defect nor suite change. The table of all outcomes, and of the
fixtures that none of the defects makes fail, is docs/defects.md.

Each of fixes/ mends a known bug: on its kernel the tests that its header names must
pass, and all others must do what they do on the unmended one.
"""

import fnmatch
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from .. import command
from ..ask import suite
from ..ask.request import Request
from ..ask.suite import Boot, Suite, Test, plan
from ..base import BUILD, ROOT, SOURCE, RunError
from ..command import Status
from ..kernel.image import Kernel
from ..kernel.kbuild import Patch, Tree, read_patches
from ..kernel.choose import PATCHES
from ..machine.guest import End
from ..report.results import Case, Feed, Results, last_words
from .guests import SuiteGuests

STATE = BUILD / "defects"
TABLE = ROOT / "docs/defects.md"
CAUGHT, MISSED, UNUSABLE = "caught", "missed", "unusable"

# Fixtures that no kernel is expected to make fail, and why they stay.
CONTROLS = {
    "races_dma": "tells whether the races had DMA from every source, or prove less than it seems",
}

INTRODUCTION = """\
<!-- SPDX-License-Identifier: GPL-2.0 -->
# Defects

Kernels that are broken on purpose, and which test of the suite notices. Made by `make
defects`, which puts each of [defects](../defects) into a small kernel of its own, and
runs the tests that the defect names first, and if the unbroken kernel shows all their
failures as well, all others. `./run_tests.sh --defect NAME` does one of them by hand.
Seconds are from the start of the first test to the first failure, without booting.

"""


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
    part.write_text(json.dumps(data, indent=1, sort_keys=True), encoding="utf-8")
    part.rename(path)


class Reference:
    """How the suite does on the unbroken kernel, and the means to run it on others."""

    def __init__(self, the_suite: Suite) -> None:
        self.suite = the_suite
        self.tree = Tree(BUILD)
        STATE.mkdir(parents=True, exist_ok=True)
        sources = [p for p in SOURCE.rglob("*") if p.is_file()]
        sources += [ROOT / "vm/init.c", *self.tree.fragments]
        self.key = digest(*(p.read_bytes() for p in sorted(sources)), bytes(self.tree.source))
        self._file = STATE / "reference.json"
        self._unbroken = {name: Usual(**usual) for name, usual
                          in load(self._file).get(self.key, {}).items()}

    def unbroken(self, tests: list[Test]) -> dict[str, Usual]:
        """How these tests (at least) do on the unbroken kernel."""
        unknown = [t for t in tests if t.name not in self._unbroken]
        if unknown:
            results = self.run(self.tree.kernel(), unknown, lambda case: False)
            self._unbroken |= {c.test.name: Usual(c.status, sorted(c.promises))
                               for c in results.cases.values()}
            save(self._file, {self.key: {name: asdict(usual)
                                         for name, usual in self._unbroken.items()}})
        return self._unbroken

    def is_new(self, case: Case) -> bool:
        """Is it a failure that the unbroken kernel does not show?"""
        usual = self._unbroken.get(case.test.name)
        return (case.status == "failed" and usual is not None and
                (usual.status != "failed" or bool(case.promises.difference(usual.promises))))

    def run(self, kernel: Kernel, tests: list[Test],
            enough: Callable[[Case], bool]) -> Results:
        """Runs @tests, guest by guest, up to the first whose result is @enough."""
        results = Results(tests)
        with SuiteGuests.open(Request(), self.suite, STATE, kernel) as guests:
            for boot in plan(tests):
                if self._boot(guests, boot, results, enough):
                    break
        return results

    def _boot(self, guests: SuiteGuests, boot: Boot, results: Results,
              enough: Callable[[Case], bool]) -> bool:
        """Runs the tests of @boot. Was that enough?"""
        cases = [results.cases[t.name] for t in boot.tests]
        feed = Feed(results, lambda line: None, boot.tests)
        found = False

        def seen(text: str) -> bool:
            nonlocal found
            if text.startswith(("out not ok", "end ")):
                found = found or any(c.status == "failed" and enough(c) for c in cases)
            return found

        end, console = guests.run(boot, feed, seen)
        untold = [c for c in cases if not c.status]
        if untold and not found:
            if end is End.NOT_BOOTED:
                raise RunError(f"{end.value} ({STATE}/console.{boot.name}.log)")
            case = results.cases.get(feed.running, untold[0])
            case.end("failed", last_words(end, console))
            found = enough(case)
        return found


class Hunt:
    """Watches a run of @tests for failures that are new.

    That is enough if there is one; or with @all_fixtures, one of each fixture.
    """

    def __init__(self, reference: Reference, tests: list[Test], all_fixtures: bool) -> None:
        self.is_new = reference.is_new
        self.wanted = {t.fixture for t in tests} if all_fixtures else set()
        self.found: dict[str, Case] = {}        # by fixture
        self.when = 0.0                         # the first: time.monotonic()

    def __call__(self, case: Case) -> bool:
        # A test that its program never reached counts only if nothing else has failed.
        if self.is_new(case) and not (self.found and not case.reached):
            self.found.setdefault(case.test.fixture, case)
            self.when = self.when or time.monotonic()
        return bool(self.found) and self.wanted <= self.found.keys()


@dataclass
class Outcome:
    """What became of a defect."""

    status: str                 # CAUGHT, MISSED, UNUSABLE
    test: str = ""              # that caught it
    why: str = ""               # its diagnosis; why a defect could not be tried
    seconds: float = 0.0        # of the guest, from its first test to that failure
    fixtures: list[str] = field(default_factory=list)   # of tests that fail
    key: str = ""               # of all that this depends on

    def __str__(self) -> str:
        if self.status == CAUGHT:
            return f"by {self.test} after {self.seconds:.1f} s: {self.why}"
        return self.why


def named(the_suite: Suite, patch: Patch) -> list[Test]:
    """The tests that the header of @patch names."""
    return [t for t in the_suite.tests if any(t.matches(p) for p in patch.tests)]


def build(tree: Tree, patch: Patch) -> Kernel:
    """The kernel with @patch. Its image is a copy, so that the next one can be built."""
    kernel = tree.kernel(patch)
    return replace(kernel, image=shutil.copyfile(kernel.image, STATE / f"vmlinux.{patch.name}"))


def build_ahead(tree: Tree, patches: list[Patch]) -> Iterator[tuple[Patch, Future[Kernel]]]:
    """Builds the kernels of @patches; while the caller tries one, the next is built."""
    with ThreadPoolExecutor(1) as builder:
        builds: list[Future[Kernel]] = []
        for i, patch in enumerate(patches):
            for ahead in patches[len(builds):i + 2]:
                builds.append(builder.submit(build, tree, ahead))
            yield patch, builds[i]
            (STATE / f"vmlinux.{patch.name}").unlink(missing_ok=True)


def try_defect(reference: Reference, patch: Patch, built: Future[Kernel],
               only_named: bool = False) -> Outcome:
    """Looks for the first test that shows the defect.

    It must be known by now how those tests do on the unbroken kernel.
    """
    first = named(reference.suite, patch)
    rest = [] if only_named else [t for t in reference.suite.tests if t not in first]
    seconds = 0.0
    for tests in (first, rest):
        if not tests:
            continue
        hunt = Hunt(reference, tests, tests is first)
        try:
            results = reference.run(built.result(), tests, hunt)
        except RunError as error:       # it cannot be built, or does not boot
            return Outcome(UNUSABLE, why=str(error))
        ended = hunt.when or time.monotonic()
        seconds += ended - (results.first_test or ended)
        if hunt.found:
            case = next(iter(hunt.found.values()))
            return Outcome(CAUGHT, case.test.name, case.diagnosis, seconds,
                           sorted(hunt.found))
    return Outcome(MISSED, why="no test fails", seconds=seconds)


def try_fix(reference: Reference, patch: Patch) -> list[str]:
    """Builds its kernel, and runs all tests. Returns what is not as it should be."""
    kernel = reference.tree.kernel(patch)
    mended = {t.name for t in named(reference.suite, patch)}
    results = reference.run(kernel, reference.suite.tests, lambda case: False)
    wrong = []
    for name, case in results.cases.items():
        usual = reference.unbroken([])[name]
        if name in mended and usual.status == "failed":
            usual = Usual("passed", [])
        # What still fails may break less: who gets a freed block next, for one, is chance.
        if case.status != usual.status or case.promises.difference(usual.promises):
            wrong.append(f"{name} {case.status} instead of {usual.status}: {case.diagnosis}")
    return wrong


def never_failing(reference: Reference, outcomes: dict[str, Outcome]) -> list[str]:
    """The fixtures that neither a defect nor a bug of the unbroken kernel makes fail."""
    failing = {f for o in outcomes.values() for f in o.fixtures}
    failing |= {t.fixture for t in reference.suite.tests
                if reference.unbroken([])[t.name].status == "failed"}
    return sorted({t.fixture for t in reference.suite.tests} - failing)


def table(patches: list[Patch], outcomes: dict[str, Outcome], never: list[str]) -> str:
    """The table as Markdown; what has not been tried says so. @never: never_failing()."""
    tried = [outcomes[p.name] for p in patches if p.name in outcomes]
    caught = sorted(o.seconds for o in tried if o.status == CAUGHT)
    lines = [f"{len(patches)} defects, {len(tried)} tried, {len(caught)} caught"
             + (f", half of them within {caught[len(caught) // 2]:.1f} s." if caught else "."),
             "", "| defect | promise | caught by | seconds |", "|---|---|---|---|"]
    notes = []
    for patch in patches:
        outcome = outcomes.get(patch.name)
        by, seconds = "not tried", ""
        if outcome and outcome.status == CAUGHT:
            by, seconds = f"`{outcome.test}`", f"{outcome.seconds:.1f}"
        elif outcome:
            by = f"**{outcome.status}**"
            notes.append(f"- {patch.name}: {patch.fields.get('Missed', outcome.why)}")
        lines.append(f"| [{patch.name}](../{patch.path.relative_to(ROOT)}) "
                     f"| {patch.fields['Promise']} | {by} | {seconds} |")
    lines += ["", "What each of them is:", ""]
    lines += [f"- {patch.name}: {patch.what}" for patch in patches]
    if notes:
        lines += ["", "Not caught, and why:", "", *notes]
    lines += ["", "Fixtures that neither one of these makes fail nor a bug of the unbroken kernel:",
              ""]
    lines += [f"- `{name}`: {CONTROLS.get(name, '**nothing has shown yet that it can**')}"
              for name in never] or ["none"]
    return INTRODUCTION + "\n".join(lines) + "\n"


def run_defects(reference: Reference, patches: list[Patch]) -> Status:
    """Tries those of @patches for which there is no result yet; writes the table."""
    file = STATE / "results.json"
    outcomes = {name: Outcome(**fields) for name, fields in load(file).items()}
    keys = {p.name: digest(reference.key.encode(), p.path.read_bytes()) for p in patches}
    new = [p for p in patches if p.name not in outcomes or outcomes[p.name].key != keys[p.name]]
    for patch in patches:
        if patch not in new:
            print(f"{outcomes[patch.name].status:8} {patch.name} {outcomes[patch.name]}",
                  flush=True)
    if new:
        reference.unbroken(reference.suite.tests)
    for patch, built in build_ahead(reference.tree, new):
        outcome = outcomes[patch.name] = try_defect(reference, patch, built)
        outcome.key = keys[patch.name]
        save(file, {name: asdict(o) for name, o in outcomes.items()})
        TABLE.write_text(table(read_patches("defects"), outcomes,
                               never_failing(reference, outcomes)), encoding="utf-8")
        print(f"{outcome.status:8} {patch.name} {outcome}", flush=True)
    missed = any(outcomes[p.name].status != CAUGHT and "Missed" not in p.fields for p in patches)
    return Status.FAILED if missed else Status.PASSED


def run_fixes(reference: Reference, patches: list[Patch]) -> Status:
    reference.unbroken(reference.suite.tests)
    status = Status.PASSED
    for patch in patches:
        wrong = try_fix(reference, patch)
        print(f"{'wrong' if wrong else 'mended':8} {patch.name}", *wrong, sep="\n    ", flush=True)
        if wrong:
            status = Status.FAILED
    return status


def make_reference() -> Reference:
    command.install("kbuild")
    command.make("programs", STATE / "build.log")
    return Reference(suite.load(BUILD / "selftests"))


def main(argv: list[str]) -> int:
    parser = command.Parser("defects", __doc__)
    parser.add_argument("kind", choices=PATCHES)
    parser.add_argument("names", nargs="*", default=["*"])
    args = parser.parse_args(argv)
    patches = [p for p in read_patches(args.kind)
               if any(fnmatch.fnmatch(p.name, glob) for glob in args.names)]
    for glob in args.names:
        if not any(fnmatch.fnmatch(p.name, glob) for p in patches):
            raise RunError(f"{args.kind}/ has no {glob}")
    return (run_defects if args.kind == "defects" else run_fixes)(make_reference(), patches)


if __name__ == "__main__":
    sys.exit(command.run((sys.argv[1:] or ["defects"])[0], lambda: main(sys.argv[1:])))
