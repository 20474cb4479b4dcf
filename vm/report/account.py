# SPDX-License-Identifier: GPL-2.0
"""From the results of a run, and what is known of its kernel, to its record."""

from . import record
from .harm import harm
from .record import Entry, Problem, Record
from .results import Case
from .text import Report


def entry(report: Report, case: Case) -> Entry:
    """All that is known of @case."""
    test = case.test
    made = Entry(test.name, test.program, test.fs, test.backend, case.status or record.NOT_RUN,
                 seconds=round(case.seconds, 3), diagnosis=case.diagnosis, reached=case.reached,
                 again=report.command(test, test.name), lines=case.lines,
                 guest=case.console.guest)
    if case.status == "failed":
        bug = report.bug(case)
        made.news, made.promises = report.is_new(case), sorted(case.promises)
        made.harm = str(harm([case]))
        made.before, made.console = list(case.console.before), list(case.console.lines)
    else:
        bug = report.should_have_shown(case) if case.status == "passed" else None
    made.bug = bug.what if bug else ""
    return made


def fill(run: Record, report: Report) -> Record:
    """Adds to @run what @report tells."""
    results = report.results
    run.kernel = results.kernel
    run.verdict = report.verdict()
    run.baseline = str(report.earlier or "known-bugs")
    run.seconds = {name: round(seconds, 3) for name, seconds in report.phases.items()}
    run.tests = [entry(report, case) for case in results.cases.values()]
    run.problems = [Problem(group.name, group.problem, report.is_new_problem(group))
                    for group in results.groups.values() if group.problem]
    run.facts = {fact: sorted(whose) for fact, whose in sorted(results.recorded.items())}
    return run
