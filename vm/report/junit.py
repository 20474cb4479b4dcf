# SPDX-License-Identifier: GPL-2.0
"""A run as JUnit's XML, which most continuous integration servers show."""

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType

from ..base import RunError
from .record import NOT_RUN, Entry, Record

# What XML cannot hold, however it is escaped.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def library() -> ModuleType:
    """junitparser; RunError tells how to get it."""
    importlib.invalidate_caches()       # it may have been installed by this run
    try:
        return importlib.import_module("junitparser")
    except ImportError:
        raise RunError(f"--junit needs junitparser, which {sys.executable} does not have: apt-get "
                       "install python3-junitparser, or pip install junitparser") from None


def _text(said: str) -> str:
    return NOT_XML.sub("\N{REPLACEMENT CHARACTER}", said)


def write(run: Record, path: Path) -> None:
    lib = library()
    suites: dict[str, list[Entry]] = {}
    for entry in run.tests:
        suites.setdefault(entry.group, []).append(entry)
    xml = lib.JUnitXml("dax_break")
    for name, entries in suites.items():
        suite = lib.TestSuite(name)
        suite.timestamp = run.started
        for key, value in (("kernel", run.kernel), ("origin", run.origin),
                           ("accelerator", run.accelerator), ("command", run.command),
                           ("baseline", run.baseline), *run.host.items()):
            suite.add_property(key, _text(value))
        for entry in entries:
            suite.append(_case(lib, entry))     # add_testcase() counts all of them again
        for problem in run.problems:
            if problem.where == name:
                suite.append(_problem(lib, problem.where, problem.what))
        suite.update_statistics()
        xml.append(suite)
    xml.update_statistics()
    xml.write(str(path))


def _case(lib: ModuleType, entry: Entry):
    case = lib.TestCase(entry.name, f"dax_break.{entry.group}", entry.seconds)
    if entry.status == "failed":
        failed = lib.Failure(_text(entry.diagnosis), "new" if entry.news else "known")
        failed.text = _text("\n".join(_story(entry)))
        case.result = [failed]
    elif entry.status in ("skipped", NOT_RUN):
        case.result = [lib.Skipped(_text(entry.diagnosis or entry.status))]
    return case


def _story(entry: Entry) -> list[str]:
    """Of a failure, what there is no attribute for."""
    lines = [entry.diagnosis, f"new: {'yes' if entry.news else 'no'}",
             f"known bug: {entry.bug or 'none'}"]
    if entry.harm:
        lines.append(f"harm: {entry.harm}")
    lines += [f"again: {entry.again}", "", *entry.lines]
    if entry.console:
        lines += ["", f"the kernel ({entry.guest}):", *entry.console]
    return lines


def _problem(lib: ModuleType, where: str, what: str):
    """What is wrong with no single test is the error of a test that there is not."""
    case = lib.TestCase("ends well", f"dax_break.{where}", 0)
    case.result = [lib.Error(_text(what), "program")]
    return case
