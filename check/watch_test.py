# SPDX-License-Identifier: GPL-2.0
"""What a terminal shows of a run: tmux is the terminal, and tells what is on it."""

import contextlib
import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from vm import progress
from vm.base import ROOT
from vm.report import watch
from vm.report.watch import Kind

from . import watched

PATIENCE = 20           # seconds until something should be on the terminal
WHY = ("punch returned 0 (Success) after 31.755 ms, with page 3 pinned by an O_DIRECT read; then "
       "page 1 of another file, at 0xfc07000 of the device, was overwritten")
NEW = ("told", "waits.xfs_punch.first", WHY, "NEW")
TIME = r"(, \d:\d\d)?$"     # that a line has been the same; it tells if that is long
PASSED = ("told", "waits.xfs_punch.second", "", "PASSED")


def python_with_rich() -> str | None:
    """The python3 that runs, or Debian's, whose packages others do not see."""
    for python in (sys.executable, "/usr/bin/python3"):
        with contextlib.suppress(OSError):
            if not subprocess.run([python, "-c", "import rich"], capture_output=True,
                                  check=False).returncode:
                return python
    return None


class Terminal:
    """A program, at a terminal of tmux's, which follows orders."""

    def __init__(self, python: str, columns: int, rows: int, directory: Path) -> None:
        self._tmux_command = ["tmux", "-S", str(directory / "tmux"), "-f", os.devnull]
        fifo = directory / "orders"
        os.mkfifo(fifo)
        program = shlex.join(["env", f"PYTHONPATH={ROOT}", python, "-m", "check.watched",
                              str(fifo)])
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows),
                  f"{program}; echo status $?; read rest")
        self._orders = fifo.open("w", encoding="utf-8")

    def tmux(self, *words: str) -> str:
        return subprocess.run([*self._tmux_command, *words], capture_output=True, text=True,
                              check=True).stdout

    def order(self, *orders: tuple) -> None:
        for order in orders:
            print(json.dumps(order), file=self._orders, flush=True)

    def rows(self) -> list[str]:
        """All that is on it, from what has scrolled away on."""
        return self.tmux("capture-pane", "-p", "-S", "-").rstrip("\n").split("\n")

    def cursor(self) -> bool:
        return self.tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"

    def until(self, seen: Callable[[list[str]], object]) -> list[str]:
        """Its rows, once @seen says that they are as they should be."""
        end = time.monotonic() + PATIENCE
        while not seen(rows := self.rows()):
            if time.monotonic() > end:
                raise AssertionError("the terminal shows\n" + "\n".join(rows))
            time.sleep(0.02)
        return rows

    def until_last(self, pattern: str) -> list[str]:
        """The same, for what stands in the last row."""
        return self.until(lambda rows: re.search(pattern, rows[-1]) is not None)

    def close(self) -> None:
        self.tmux("kill-server")
        with contextlib.suppress(BrokenPipeError):
            self._orders.close()


class Live(unittest.TestCase):
    """A line for each guest, one for the run, and new failures above them."""

    def terminal(self, columns: int, rows: int = 24) -> Terminal:
        python = python_with_rich()
        if not python:
            self.skipTest("no python3 has rich: vm/packages.sh check")
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        terminal = Terminal(python, columns, rows, directory)
        self.addCleanup(terminal.close)
        return terminal

    def begin(self, columns: int, rows: int = 24) -> Terminal:
        terminal = self.terminal(columns, rows)
        terminal.order(("message", "# building the suite"), ("begin", 4, 4.0),
                       ("doing", "virtiofs 1", "booting"),
                       ("doing", "xfs 2", "waits.xfs_punch_dio_read.two_pins_one_by_one"),
                       PASSED, NEW)
        terminal.until(lambda rows: self.whole(rows) and "1 new" in rows[-1])
        return terminal

    def whole(self, rows: list[str]) -> bool:
        """Is each thing there once? A terminal that has wrapped it adds spaces."""
        starts = ("vir.*fs 1  ", "xfs 2  ", "2/4|2 of 4", "FAILED", "# building")
        return (all(len([row for row in rows if re.match(words, row)]) == 1 for words in starts)
                and "".join("".join(rows[2:-3]).split()) == f"P1 broken: {WHY}".replace(" ", ""))

    def test_a_screen_of_80_columns(self):
        rows = self.begin(80).rows()
        self.assertEqual(rows[:2], ["# building the suite", "FAILED waits.xfs_punch.first"])
        self.assertRegex(rows[-3], "^virtiofs 1  booting" + TIME)
        self.assertRegex(rows[-2],
                         "^xfs 2       waits.xfs_punch_dio_read.two_pins_one_by_one" + TIME)
        self.assertRegex(rows[-1], r"^2 of 4 done, 1 passed, 1 new failure, 0 known, 0 skipped, "
                                   r"\d:\d\d left$")

    def test_a_screen_of_40_columns(self):
        """Less of each line, but none goes on in the next; of a failure nothing is missing."""
        rows = self.begin(40).rows()
        self.assertLess(max(map(len, rows)), 40)
        self.assertRegex(rows[-3], "^virtiofs 1  booting" + TIME)
        self.assertRegex(rows[-2], r"^xfs 2       waits\.x\w*\.\.\w*_by_one" + TIME)
        self.assertRegex(rows[-1], r"^2/4, 1 new, 0 known")

    def test_resized(self):
        """No line is left over, and none of what stays is lost."""
        terminal = self.begin(100)
        for columns, total in ((40, "^2/4"), (30, "^2/4"), (100, "^2 of 4 done")):
            terminal.tmux("resize-window", "-x", str(columns))
            terminal.until(lambda rows: self.whole(rows) and re.match(total, rows[-1]))

    def test_more_guests_than_rows(self):
        terminal = self.terminal(80, 10)
        terminal.order(("begin", 4, None), *(("doing", f"xfs {n:02}", "booting")
                                             for n in range(1, 31)))
        terminal.until(lambda rows: rows[-2:] == ["and 23 more", "0 of 4 done, 0 passed, no new "
                                                  "failure, 0 known, 0 skipped"] and
                       rows[0].startswith("xfs 01  booting") and len(rows) == 9)

    def test_guests_and_steps_go(self):
        terminal = self.begin(80)
        terminal.order(("step", "building linux", 0.25), ("doing", "xfs 2", ""))
        terminal.until(lambda rows: re.match("building linux: 25%" + TIME, rows[-2])
                       and not any(row.startswith("xfs 2") for row in rows))
        terminal.order(("step", ""))
        terminal.until(lambda rows: re.match("2 of 4", rows[-1]) and rows[-2].startswith("virtio"))

    def test_the_end(self):
        """Only what was said stays, and the cursor is seen again."""
        terminal = self.begin(80)
        self.assertFalse(terminal.cursor())
        terminal.order(("close",), ("message", "said after that"), ("close",))
        terminal.until_last("said after that")
        self.assertTrue(terminal.cursor())
        rows = terminal.rows()
        self.assertEqual([row for row in rows if re.match("xfs 2|virtiofs|2 of", row)], [])
        self.assertTrue(all(rows), rows)

    def test_interrupted(self):
        terminal = self.begin(80)
        terminal.tmux("send-keys", "C-c")
        rows = terminal.until_last("^status 2$")
        self.assertTrue(terminal.cursor())
        self.assertRegex(rows[-2], "watched: interrupted$")
        self.assertEqual(" ".join(row.strip() for row in rows[2:-2]), f"P1 broken: {WHY}")


class Plain(unittest.TestCase):
    """Terminals and machines on which lines cannot change, and pipes."""

    def seen(self, *orders: tuple, python: str = sys.executable, **environment: str) -> str:
        """All that a terminal gets to see of @orders."""
        fifo = Path(self.enterContext(tempfile.TemporaryDirectory())) / "orders"
        os.mkfifo(fifo)
        ours, theirs = pty.openpty()
        env = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"} | environment
        with subprocess.Popen([python, "-m", "check.watched", fifo], stdin=theirs, stdout=theirs,
                              stderr=theirs, env=env):
            os.close(theirs)
            with fifo.open("w", encoding="utf-8") as out:
                out.write("".join(json.dumps(order) + "\n" for order in orders))
            said = b""
            with contextlib.suppress(OSError):      # that is how a terminal ends
                while some := os.read(ours, 4096):
                    said += some
        os.close(ours)
        return said.decode().replace("\r\n", "\n")

    RUN = (("message", "# building the suite"), ("step", "building linux", 0.25), ("step", ""),
           ("begin", 4, 4.0), ("doing", "xfs 1", "booting"), PASSED, NEW,
           ("told", "waits.xfs_punch.third", "it is old news", "KNOWN"))
    LINES = ("# building the suite\n# building linux: 25%\n# 1 of 4 done, 1 passed, {0}\n"
             f"FAILED waits.xfs_punch.first\n    P1 broken: {WHY}\n"
             "# 2 of 4 done, 1 passed, 1 {1}\n# 3 of 4 done, 1 passed, 1 {1}\nthe end\n")

    def check_plain(self, said: str) -> None:
        self.assertEqual(re.sub(r"(no )?new failure, .*left", "new failure", said),
                         self.LINES.format("new failure", "new failure"))

    def test_dumb(self):
        self.check_plain(self.seen(*self.RUN, TERM="dumb"))

    def test_without_rich(self):
        directory = self.enterContext(tempfile.TemporaryDirectory())
        Path(directory, "rich.py").write_text("raise ImportError\n")
        path = f"{ROOT}:{directory}"
        hint, _, said = self.seen(*self.RUN, PYTHONPATH=path).partition("\n")
        self.assertIn("python3-rich", hint)
        self.check_plain(said)

    def test_no_color(self):
        if not (python := python_with_rich()):
            self.skipTest("no python3 has rich: vm/packages.sh check")
        color = r"\x1b\[[0-9;]*3[0-7]m"
        self.assertRegex(self.seen(*self.RUN, python=python), color)
        said = self.seen(*self.RUN, python=python, NO_COLOR="1")
        self.assertNotRegex(said, color)
        self.assertIn("\x1b[?25l", said, "lines change all the same")

    def test_a_program_that_ends_early_is_told_once(self):
        out = io.StringIO()
        lines = watch.Lines(out)
        for number in range(3):
            case = watched.case(f"waits.xfs_punch.{number}", "the guest ran out of time")
            case.reached = False
            lines.told(case, Kind.NEW)
        self.assertEqual(out.getvalue().count("FAILED"), 1)

    def test_pipes_and_ktap(self):
        """They get what must be said, and nothing that a parser of KTAP did not expect."""
        ours, theirs = pty.openpty()
        with os.fdopen(theirs, "w") as terminal, watch.open(terminal, ktap=True) as shown:
            self.assertIs(type(shown), watch.Watch)
        os.close(ours)
        out = io.StringIO()
        with watch.open(out) as shown:
            shown.begin(1)
            shown.told(watched.case("waits.xfs_punch.first", WHY), Kind.NEW)
            shown.step("building", 0.5)
            shown.message("# building the suite")
        self.assertEqual(out.getvalue(), "# building the suite\n")

    def test_steps_of_others(self):
        """Whoever listens is told, also of the end, and nobody else has to."""
        heard = []
        with progress.heard_by(lambda what, done: heard.append((what, done))):
            with self.assertRaises(ValueError), progress.step(lambda: "digging", lambda: 0.5):
                while not heard:
                    time.sleep(0.01)
                raise ValueError
        self.assertEqual([heard[0], heard[-1]], [("digging", 0.5), ("", None)])
        with progress.step(lambda: self.fail("nobody listens")):
            pass
