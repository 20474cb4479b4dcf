# SPDX-License-Identifier: GPL-2.0
"""Does the suite catch kernels that are broken on purpose? (make defects, make fixes)

    python3 -m vm.run.defects defects|fixes [NAME]...   names or globs; default: all

Each of defects/ breaks one promise. One kernel is built that has them all, and a guest is
told which one is in force (kernel/switches.py); what cannot be had like that gets a kernel
of its own. It runs the tests that the header of the defect names, until one of each fixture
among them has failed that does not fail like that on the unbroken kernel; if none does,
all others, until one fails. A guest that crashes has failed the test that it was running.
The outcome is kept in build/defects, and told again as long as neither defect nor suite
change. The table of all outcomes, and of the fixtures that none of the defects makes fail,
is docs/defects.md.

Each of fixes/ mends a known bug: on its kernel the tests that its header names must
pass, and all others must do what they do on the unmended one.
"""

import fnmatch
import functools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from .. import command
from ..ask import quick, suite
from ..ask.request import Request
from ..ask.suite import Suite, Test
from ..base import BUILD, ROOT, RunError
from ..command import Status
from ..errors import write_text
from ..kernel.image import Kernel
from ..kernel.choose import PATCHES
from ..kernel.patches import Patch, read_patches
from ..report import watch
from .cover import write_quick
from .hunt import STATE, Hunt, Reference, Usual, digest, load, save

Built = Callable[[], Kernel | None]     # builds it, if that is not done

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
defects`, which builds a small kernel that has all of [defects](../defects), each behind a
switch (and one of its own for each that cannot be switched), and in it runs the tests that
the defect names first, and if the unbroken kernel shows all their failures as well, all
others. `./run_tests.sh --defect NAME` does one of them by hand, in a kernel of its own.
Seconds are from the start of the first test to the first failure, without booting.

"""


@dataclass
class Outcome:
    """What became of a defect."""

    status: str                 # CAUGHT, MISSED, UNUSABLE
    test: str = ""              # that caught it
    why: str = ""               # its diagnosis; why a defect could not be tried
    seconds: float = 0.0        # of the guest, from its first test to that failure
    fixtures: list[str] = field(default_factory=list)   # of tests that fail
    tests: list[str] = field(default_factory=list)      # all of these that were seen to fail
    key: str = ""               # of all that this depends on

    def __str__(self) -> str:
        if self.status == CAUGHT:
            return f"by {self.test} after {self.seconds:.1f} s: {self.why}"
        return self.why


def named(the_suite: Suite, patch: Patch) -> list[Test]:
    """The tests that the header of @patch names."""
    return [t for t in the_suite.tests if any(t.matches(p) for p in patch.tests)]


def kernels(reference: Reference, patches: list[Patch]) -> Iterator[tuple[Patch, Built]]:
    """Yields @patches and how to get their kernels, which are valid until the next one.

    RunError if what lets one image hold them all changes it without one, too.
    """
    names = set(quick.read())
    tests = [t for t in reference.suite.tests if t.name in names]
    reference.unbroken(tests)
    choices = reference.tree.choices(patches)
    if wrong := reference.new_on(choices[""], tests):
        raise RunError(f"the kernel in which all defects wait to be chosen fails without one: "
                       f"{wrong[0].test.name}: {wrong[0].diagnosis}")
    for patch in patches:
        if patch.name in choices:
            yield patch, functools.partial(choices.get, patch.name)
    for patch in patches:
        if patch.name not in choices:
            yield patch, functools.partial(reference.tree.kernel, patch)


def try_defect(reference: Reference, patch: Patch, kernel: Built,
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
            results = reference.run(kernel(), tests, Request(), hunt)
        except RunError as error:       # it cannot be built, or does not boot
            return Outcome(UNUSABLE, why=str(error))
        ended = hunt.when or time.monotonic()
        seconds += ended - (results.first_test or ended)
        if hunt.failed:
            case = hunt.failed[0]
            return Outcome(CAUGHT, case.test.name, case.diagnosis, seconds, sorted(hunt.found),
                           sorted(c.test.name for c in hunt.failed))
    return Outcome(MISSED, why="no test fails", seconds=seconds)


def try_fix(reference: Reference, patch: Patch) -> list[str]:
    """Builds its kernel, and runs all tests. Returns what is not as it should be."""
    kernel = reference.tree.kernel(patch)
    mended = {t.name for t in named(reference.suite, patch)}
    results = reference.run(kernel, reference.suite.tests, Request(), lambda case: False)
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
            reference.view.message(
                f"{outcomes[patch.name].status:8} {patch.name} {outcomes[patch.name]}")
    if new:
        reference.unbroken(reference.suite.tests)
    for number, (patch, kernel) in enumerate(kernels(reference, new), 1):
        reference.view.step(f"{number} of {len(new)}: {patch.name}", number / len(new))
        outcome = outcomes[patch.name] = try_defect(reference, patch, kernel)
        outcome.key = keys[patch.name]
        save(file, {name: asdict(o) for name, o in outcomes.items()})
        write_text(TABLE, table(read_patches("defects"), outcomes,
                                never_failing(reference, outcomes)))
        reference.view.message(f"{outcome.status:8} {patch.name} {outcome}")
    if all(p.name in outcomes for p in read_patches("defects")):
        write_quick(reference, {p.name: outcomes[p.name].tests for p in read_patches("defects")})
    missed = any(outcomes[p.name].status != CAUGHT and "Missed" not in p.fields for p in patches)
    return Status.FAILED if missed else Status.PASSED


def run_fixes(reference: Reference, patches: list[Patch]) -> Status:
    reference.unbroken(reference.suite.tests)
    status = Status.PASSED
    for patch in patches:
        wrong = try_fix(reference, patch)
        reference.view.message(
            "\n    ".join([f"{'wrong' if wrong else 'mended':8} {patch.name}", *wrong]))
        if wrong:
            status = Status.FAILED
    return status


def make_reference(view: watch.Watch) -> Reference:
    command.install("kbuild")
    command.make("programs", STATE / "build.log")
    return Reference(suite.load(BUILD / "selftests"), view)


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
    with watch.open(sys.stdout) as view:
        return (run_defects if args.kind == "defects" else run_fixes)(make_reference(view), patches)


if __name__ == "__main__":
    sys.exit(command.run((sys.argv[1:] or ["defects"])[0], lambda: main(sys.argv[1:])))
