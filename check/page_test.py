# SPDX-License-Identifier: GPL-2.0
"""What is made of a record for people and for other tools: a page, JUnit's XML."""

import re
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from check.recorded import OUTCOMES, recorded
from vm.base import ROOT, RunError
from vm.report import junit
from vm.report.page import Page
from vm.report.record import Crash, Entry, Problem, Record

VOID = {"meta"}
NASTY = "<script>alert(1)</script> & \"quoted\" ' ]]> \0 \x1b[31m \ud800"
LIMIT = 3_000_000       # bytes of a page


class Structure(HTMLParser):
    """Elements that are open, anchors, and links to them."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.links: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids[value] += 1
            elif name in ("href", "src"):
                self.links.add(value)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError(f"</{tag}> at {self.getpos()} ends something else")


def large(failing: int, console: int) -> Record:
    """As large a run as the suite's; @failing tests with so many lines of a @console."""
    run = recorded("fine")
    line = "[   46.834759] Code: " + "e3 06 " * 30
    run.tests = []
    for n in range(4034):
        fs, failed = ("ext4", "xfs", "virtiofs")[n % 3], n < failing
        run.tests.append(Entry(
            f"fixture_{n % 70}.{fs}_copy_range_to_vmsplice.test_{n}", "waits_test",
            fs, "virtiofs" if fs == "virtiofs" else "nvdimm", "failed" if failed else "passed",
            0.1, failed and n % 2 == 0, [1] * failed, "P1 broken: why " * 8 * failed, "corrupts",
            "", again="./run_tests.sh it", lines=["# line " * 9] * 6, guest="nvdimm.1",
            console=[line] * (console * failed)))
    return run


class Pages(unittest.TestCase):
    def run_with_all(self) -> Record:
        run = recorded(*OUTCOMES)
        run.problems = [Problem("xfs:a_test", "ended with signal 11")]
        run.crashes = [Crash("nvdimm.7", "the guest crashed", "x", ["BUG: y"])]
        run.facts = {"xfs waits": ["punch"]}
        return run

    def check(self, text: str) -> Structure:
        """Elements are closed; no link leads nowhere, or elsewhere; nothing is a script."""
        found = Structure(text)
        self.assertEqual(found.open, [])
        self.assertEqual([name for name, times in found.ids.items() if times > 1], [])
        self.assertEqual({link for link in found.links if link[1:] not in found.ids
                          or link[0] != "#"}, set())
        self.assertFalse({"script", "link", "img", "iframe", "object"} & set(found.elements))
        self.assertNotRegex(text, r"url\(|@import|\bon\w+=")
        return found

    def test_what_matters_comes_first(self):
        text = Page(self.run_with_all()).text()
        self.check(text)
        ids = re.findall(r'<section id="(\w+)">', text)
        self.assertEqual(ids, ["new", "crashes", "known", "gone", "picture", "durations",
                               "skipped", "facts", "all"])
        section = dict(zip(ids, text.split("<section ")[1:]))
        for name, words in (
                ("new", "punch returned 0|before|WARNING: &lt;b&gt;|ended with signal 11"),
                ("crashes", "nvdimm.7|BUG: y"), ("gone", "it is not woken"),
                ("known", "XFS spins|a race|it sleeps"), ("facts", "xfs waits|punch"),
                ("skipped", "no ublk: modprobe ublk_drv"), ("all", "lacks.xfs_punch.t|WARNING")):
            for word in words.split("|"):
                self.assertIn(word, section[name])
        self.assertLess(section["known"].index("a race"), section["known"].index("XFS spins"),
                        "the worst first")

    def test_each_test_is_a_square(self):
        run = self.run_with_all()
        found = self.check(Page(run).text())
        squares = re.findall(r'<a class="([\w-]+)" href="#(t\d+)"', Page(run).text())
        self.assertEqual([kind for kind, _ in sorted(squares, key=lambda s: int(s[1][1:]))],
                         ["passed", "passed", "new", "known", "known", "skipped", "not-run"])
        self.assertEqual(len({anchor for _, anchor in squares} & set(found.ids)), len(run.tests))

    def test_without_anything(self):
        for names in (("fine",), ("lacks",), ("later",), ("old",)):
            text = Page(recorded(*names)).text()
            self.check(text)
            self.assertIn("There are none.", text)

    def test_nothing_breaks_out(self):
        run = self.run_with_all()
        calm = Structure(Page(run).text()).elements
        run.verdict = run.command = run.origin = run.baseline = NASTY
        run.host = {"system": NASTY, "machine": NASTY}
        run.facts = {NASTY: [NASTY]}
        run.problems = [Problem(NASTY, NASTY)]
        run.crashes = [Crash(NASTY, NASTY, NASTY, [NASTY])]
        for entry in run.tests:
            entry.name = f"{entry.name}{NASTY}"
            entry.diagnosis, entry.again = entry.diagnosis and NASTY, NASTY
            entry.bug = entry.bug and NASTY + entry.bug
            entry.program = entry.guest = NASTY
            entry.lines = entry.before = [NASTY]
            entry.console = entry.console and [NASTY]
        text = Page(run).text()
        self.check(text)
        self.assertEqual(Structure(text).elements - calm, Counter())

    def test_size(self):
        """As ever, and where each test has failed and each kernel has had a lot to say."""
        for failing, console in ((400, 4), (4034, 0), (4034, 200)):
            text = Page(large(failing, console)).text()
            self.assertEqual("Not all that kernels" in text, failing == 4034)
            self.assertLess(len(text.encode()), LIMIT, (failing, console))
            self.check(text)


class JUnit(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def write(self, run: Record) -> ElementTree.Element:
        """By a python3 that has the library, which vm/python.sh looks for."""
        run.write(self.scratch / "run.json")
        code = ("from pathlib import Path; from vm.report import junit, record; "
                "junit.write(record.read(Path('run.json')), Path('run.xml'))")
        done = subprocess.run([ROOT / "vm/python.sh", "-c", code, "--junit"], cwd=self.scratch,
                              env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return ElementTree.parse(self.scratch / "run.xml").getroot()

    def test_results(self):
        run = recorded(*OUTCOMES)
        run.problems = [Problem("xfs:a_test", "ended with signal 11")]
        root = self.write(run)
        suite, = root
        self.assertEqual({key: suite.get(key) for key in ("name", "tests", "failures", "errors",
                                                          "skipped", "time")},
                         {"name": "xfs:a_test", "tests": "8", "failures": "3", "errors": "1",
                          "skipped": "2", "time": "3.5"})
        cases = {case.get("name").partition(".")[0]: case for case in suite.iter("testcase")}
        self.assertEqual(cases["bad"].find("failure").attrib,
                         {"message": "P1 broken: punch returned 0", "type": "new"})
        self.assertRegex(cases["bad"].find("failure").text,
                         r"(?s)known bug: none.*again: .*bad.xfs_punch.t.*WARNING: <b>")
        self.assertEqual(cases["old"].find("failure").get("type"), "known")
        self.assertIn("known bug: XFS spins", cases["old"].find("failure").text)
        self.assertEqual(cases["lacks"].find("skipped").get("message"),
                         "no ublk: modprobe ublk_drv")
        self.assertEqual(cases["later"].find("skipped").get("message"), "not run")
        self.assertEqual(cases["ends well"].find("error").get("message"), "ended with signal 11")

    def test_what_xml_cannot_hold(self):
        run = recorded("bad")
        run.command = run.tests[0].diagnosis = NASTY
        run.tests[0].console = [NASTY]
        text = self.write(run).find(".//failure").get("message")
        self.assertTrue(text.startswith("<script>alert(1)</script> & \"quoted\" ' ]]> \ufffd"))

    def test_without_the_library(self):
        """One line that says which python3 lacks it, and how to get it."""
        with (unittest.mock.patch("importlib.import_module", side_effect=ImportError),
              self.assertRaisesRegex(RunError, "^--junit needs junitparser, which "
                                     f"{re.escape(sys.executable)} does not have: apt-get ")):
            junit.library()
