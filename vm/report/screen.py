# SPDX-License-Identifier: GPL-2.0
"""The lower end of a terminal: a few lines that change, below text that stays.

By python3-rich; whoever imports this has to do without if that is not there.
"""

import sys
import textwrap
import threading
from collections.abc import Callable
from typing import IO

from rich.console import Console
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType
from rich.text import Text

PERIOD = 0.25           # seconds between two looks at what the lines are now
INDENT = 4
MARGIN = 3              # columns that stay free: neither "^C" nor the cursor may wrap
ERASE_ROW = (ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1)

Line = tuple[str, str]  # text, and its style


class Screen:
    """Shows what @lines returns, which is asked now and then, for a width and a height.

    Whoever writes to the terminal has @lock; so has @lines when it is asked.
    """

    def __init__(self, stream: IO[str], lines: Callable[[int, int], list[Line]],
                 lock: threading.RLock) -> None:
        self._lines, self._lock = lines, lock
        self._drawn: list[int] = []     # the lengths of the lines that are there
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._width = self._console.width
        # What others print goes above the lines as well, if it goes to a terminal.
        self._live = Live(console=self._console, get_renderable=self._draw, transient=True,
                          auto_refresh=False, vertical_overflow="crop",
                          redirect_stdout=sys.stdout.isatty(), redirect_stderr=sys.stderr.isatty())
        self._over = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self._live.start()
        self._ticker.start()

    def say(self, text: str, style: str = "", more: str = "") -> None:
        """Prints @text above the lines, and @more indented below it, as wide as the terminal."""
        with self._lock:
            self._refresh()
            width = max(self._width - 1, INDENT + 1)
            parts = [Text(textwrap.fill(text, width, break_on_hyphens=False), style)]
            if more:
                parts.append(Text(textwrap.indent(textwrap.fill(
                    more, width - INDENT, break_on_hyphens=False), " " * INDENT)))
            self._console.print(*parts, sep="\n")

    def close(self) -> None:
        """Leaves nothing of the lines, and shows the cursor again."""
        self._over.set()
        try:
            self._ticker.join()
            with self._lock:
                self._live.stop()
        finally:
            self._console.show_cursor(True)

    def _tick(self) -> None:
        while not self._over.wait(PERIOD):
            with self._lock:
                self._refresh()

    def _refresh(self) -> None:
        if not self._over.is_set():
            self._live.refresh()

    def _draw(self) -> Text:
        width, height = self._console.size
        if width < self._width:
            self._erase_wrapped(width)
        self._width = width
        room = max(width - MARGIN, 1)
        lines = [(text if len(text) <= room else text[:max(room - 2, 0)] + "..", style)
                 for text, style in self._lines(room, max(height - 1, 1))]
        self._drawn = [len(text) for text, _ in lines]
        return Text("\n", no_wrap=True).join(Text(*line) for line in lines)

    def _erase_wrapped(self, width: int) -> None:
        """Erases the rows that the lines take in addition once the terminal is narrower.

        Most terminals wrap them then; rich erases as many rows as there are lines.
        """
        more = sum(max(length - 1, 0) // width for length in self._drawn)
        self._console.control(Control(*ERASE_ROW * more))
