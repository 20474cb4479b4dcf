# SPDX-License-Identifier: GPL-2.0
"""Where things are, how versions compare, and the error that ends a run."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"          # where everything that is made goes
SOURCE = ROOT / "tools/testing/selftests/dax_break"


class RunError(Exception):
    """The run cannot go on, which is no failure of a test.

    One line for the user names the cause and the remedy.
    """


class KernelError(RunError):
    """A kernel does not build, lacks options or does not boot. Another one may."""


def version(text: str) -> tuple[int, ...]:
    """1:6.12.107+deb13-amd64 -> (6, 12, 107); empty if it does not begin with numbers."""
    match = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in match[1].split(".")) if match else ()
