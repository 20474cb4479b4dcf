# SPDX-License-Identifier: GPL-2.0
"""Does the suite catch kernels that are broken on purpose? (make defects, make fixes)

Each of defects/ breaks one promise. Its kernel runs the tests that its header names,
until one of each fixture among them has failed that does not fail like that on the
unbroken kernel; if none does, all others, until one fails. A guest that crashes has
failed the test that it was running. What came of it is kept in build/defects, and told
again for as long as neither defect nor suite change; the table of it all is
docs/defects.md, and which fixtures none of the defects makes fail.

Each of fixes/ mends a known bug: on its kernel the tests that its header names must
pass, and all others must do what they do on the unmended one.
"""

import argparse
import concurrent.futures
import fnmatch
import hashlib
import itertools
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from . import boots, cli, guest, kbuild, options, suite
from .boots import Boot
from .errors import RunError
from .guest import End
from .kbuild import Patch, Tree
from .kernel import Kernel
from .machines import Machines, run_directory
from .results import Case, Feed, Results
from .suite import ROOT, SOURCE, Suite, Test

STATE = cli.BUILD / "defects"
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


@dataclass
class Outcome:
    """What became of a defect."""

    status: str                 # CAUGHT, MISSED, UNUSABLE
    test: str = ""              # that caught it
    why: str = ""               # its diagnosis; why a defect could not be tried
    seconds: float = 0.0        # of the guest, from its first test to that failure
    build: float = 0.0          # of the kernel, in seconds
    fixtures: list[str] = field(default_factory=list)   # of tests that fail
    key: str = ""               # of all that this depends on

    def __str__(self) -> str:
        if self.status == CAUGHT:
            return f"by {self.test} after {self.seconds:.1f} s: {self.why}"
        return self.why


def promises(why: str) -> set[str]:
    """What a diagnosis says is broken."""
    return set(re.findall(r"P\d(?= broken: )", why))


class Reference:
    """How the suite does on the unbroken kernel, and the means to run it on others."""

    def __init__(self, the_suite: Suite, opts: argparse.Namespace) -> None:
        self.suite, self.opts = the_suite, opts
        self.tree = Tree(cli.BUILD)
        STATE.mkdir(parents=True, exist_ok=True)
        sources = [p for p in SOURCE.rglob("*") if p.is_file()]
        sources += [ROOT / "vm/init.c", *self.tree.fragments]
        self.key = digest(*(p.read_bytes() for p in sorted(sources)), bytes(self.tree.source))
        self._file = STATE / "unbroken.json"
        self._unbroken: dict[str, list[str]] = load(self._file).get(self.key, {})

    def unbroken(self, tests: list[Test]) -> dict[str, list[str]]:
        """Status and diagnosis of these tests (at least) on the unbroken kernel."""
        unknown = [t for t in tests if t.name not in self._unbroken]
        if unknown:
            results = self.run(self.tree.kernel(), unknown, lambda case: False)
            self._unbroken |= {c.test.name: [c.status, c.why] for c in results.cases.values()}
            save(self._file, {self.key: self._unbroken})
        return self._unbroken

    def is_new(self, case: Case) -> bool:
        """Is it a failure that the unbroken kernel does not show?"""
        before = self._unbroken.get(case.test.name)
        return (case.status == "failed" and before is not None and
                (before[0] != "failed" or bool(promises(case.why) - promises(before[1]))))

    def run(self, the_kernel: Kernel, tests: list[Test],
            enough: Callable[[Case], bool]) -> Results:
        """Runs @tests, guest by guest, up to the first whose result is @enough."""
        results = Results(tests)
        with run_directory(keep=False) as directory:
            machines = Machines(self.opts, self.suite, directory, STATE, the_kernel)
            for boot in boots.plan(tests):
                if self._boot(machines, boot, results, enough):
                    break
        return results

    def _boot(self, machines: Machines, boot: Boot, results: Results,
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

        end, console = machines.run_boot(boot, feed, seen)
        untold = [c for c in cases if not c.status]
        if untold and not found:
            if end is End.NOT_BOOTED:
                raise RunError(f"{end.value} ({STATE}/console.{boot.name}.log)")
            case = results.cases.get(feed.running, untold[0])
            case.status, case.why = "failed", guest.last_words(end, console)
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
        # Whose program never came to a test is blamed on that one only if need be.
        if self.is_new(case) and not (self.found and not case.reached):
            self.found.setdefault(case.test.fixture, case)
            self.when = self.when or time.monotonic()
        return bool(self.found) and self.wanted <= self.found.keys()


def digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def load(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def save(path: Path, data: dict) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(data, indent=1, sort_keys=True), encoding="utf-8")
    part.rename(path)


def named(the_suite: Suite, patch: Patch) -> list[Test]:
    """The tests that the header of @patch names."""
    return [t for t in the_suite.tests if any(t.matches(p) for p in patch.tests)]


@dataclass
class Built:
    """The kernel of a patch, or why there is none."""

    kernel: Kernel | None
    problem: str
    seconds: float


def build(tree: Tree, patch: Patch) -> Built:
    began = time.monotonic()
    try:
        the_kernel = tree.kernel(patch)
    except RunError as error:
        return Built(None, str(error), 0.0)
    # Of its own, so that the tree can go on to the next one.
    image = STATE / f"vmlinux.{patch.name}"
    shutil.copyfile(the_kernel.image, image)
    return Built(replace(the_kernel, image=image), "", time.monotonic() - began)


def build_ahead(tree: Tree, patches: list[Patch]) -> Iterator[tuple[Patch, Built]]:
    """Builds the kernels of @patches; while the caller tries one, the next is built."""
    with concurrent.futures.ThreadPoolExecutor(1) as builder:
        ahead = builder.submit(build, tree, patches[0]) if patches else None
        for patch, following in itertools.zip_longest(patches, patches[1:]):
            built = ahead.result()
            if following:
                ahead = builder.submit(build, tree, following)
            yield patch, built
            if built.kernel:
                built.kernel.image.unlink()


def try_defect(reference: Reference, patch: Patch, built: Built,
               only_named: bool = False) -> Outcome:
    """Looks for the first test that shows it.

    How those tests do on the unbroken kernel is known by now.
    """
    if not built.kernel:
        return Outcome(UNUSABLE, why=built.problem)
    first = named(reference.suite, patch)
    rest = [] if only_named else [t for t in reference.suite.tests if t not in first]
    seconds = 0.0
    for tests in (first, rest):
        if not tests:
            continue
        hunt = Hunt(reference, tests, tests is first)
        try:
            results = reference.run(built.kernel, tests, hunt)
        except RunError as error:       # it does not boot
            return Outcome(UNUSABLE, why=str(error), build=built.seconds)
        ended = hunt.when or time.monotonic()
        seconds += ended - (results.first_test or ended)
        if hunt.found:
            case = next(iter(hunt.found.values()))
            return Outcome(CAUGHT, case.test.name, case.why, seconds, built.seconds,
                           sorted(hunt.found))
    return Outcome(MISSED, why="no test fails", seconds=seconds, build=built.seconds)


def try_fix(reference: Reference, patch: Patch) -> list[str]:
    """Builds its kernel, and runs all tests. Returns what is not as it should be."""
    the_kernel = reference.tree.kernel(patch)
    mended = {t.name for t in named(reference.suite, patch)}
    results = reference.run(the_kernel, reference.suite.tests, lambda case: False)
    wrong = []
    for name, case in results.cases.items():
        status, why = reference.unbroken([])[name]
        if name in mended:
            status, why = ("passed", "") if status == "failed" else (status, why)
        # What still fails may break less: whose a freed block is next, for one, is chance.
        if case.status != status or promises(case.why) - promises(why):
            wrong.append(f"{name} {case.status} instead of {status}: {case.why}")
    return wrong


def never_failing(reference: Reference, outcomes: dict[str, Outcome]) -> list[str]:
    """The fixtures that neither a defect nor a bug of the unbroken kernel makes fail."""
    failing = {f for o in outcomes.values() for f in o.fixtures}
    failing |= {t.fixture for t in reference.suite.tests
                if reference.unbroken([])[t.name][0] == "failed"}
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


def run_defects(reference: Reference, patches: list[Patch]) -> int:
    """Tries those of @patches for which there is no result yet; writes the table."""
    file = STATE / "outcomes.json"
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
        TABLE.write_text(table(kbuild.read_patches("defects"), outcomes,
                               never_failing(reference, outcomes)), encoding="utf-8")
        print(f"{outcome.status:8} {patch.name} {outcome}", flush=True)
    return 1 if any(outcomes[p.name].status != CAUGHT and "Missed" not in p.fields
                    for p in patches) else 0


def run_fixes(reference: Reference, patches: list[Patch]) -> int:
    reference.unbroken(reference.suite.tests)
    bad = 0
    for patch in patches:
        wrong = try_fix(reference, patch)
        print(f"{'wrong' if wrong else 'mended':8} {patch.name}", flush=True)
        for line in wrong:
            print(f"    {line}", flush=True)
        bad += bool(wrong)
    return 1 if bad else 0


def make_reference() -> Reference:
    cli.install_packages(True, "kbuild")
    STATE.mkdir(parents=True, exist_ok=True)
    suite.build(cli.BUILD, STATE / "build.log")
    return Reference(suite.load(cli.BUILD / "selftests"), options.parse([]))


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python3 -m vm.defects", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("defects", "fixes"))
    parser.add_argument("names", nargs="*", help="globs; default: all")
    args = parser.parse_args(argv)
    patches = [p for p in kbuild.read_patches(args.kind)
               if not args.names or any(fnmatch.fnmatch(p.name, g) for g in args.names)]
    try:
        if not patches:
            raise RunError(f"{args.kind}/ has none of these")
        reference = make_reference()
        return (run_defects if args.kind == "defects" else run_fixes)(reference, patches)
    except RunError as error:
        print(f"{args.kind}: {error}", file=sys.stderr)
        return cli.NOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
