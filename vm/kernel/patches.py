# SPDX-License-Identifier: GPL-2.0
"""Semantic patches of kernels: those of defects/ break one, those of fixes/ mend it.

They are Coccinelle's: they say which code is meant, not on which line it is, and so apply
to more than one version. The comment that each begins with is read here.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ..base import ROOT, RunError


@dataclass(frozen=True)
class Patch:
    """A semantic patch; its header says what it is about."""

    path: Path
    what: str                   # the first paragraph
    fields: dict[str, str]      # "Key: value" lines, continued ones joined

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def files(self) -> list[str]:
        return self.fields["File"].split()

    @property
    def tests(self) -> list[str]:
        """Patterns of the tests that should show it, as on run_tests.sh's command line."""
        return self.fields["Test"].split()


def read_patch(path: Path) -> Patch:
    """Reads the comment that a patch begins with, but for the licence in its first line."""
    comment = re.match(r"(?://.*\n)*", path.read_text(encoding="utf-8"))[0].partition("\n")[2]
    what, *parts = re.split(r"^([A-Z][a-z]+): ", re.sub(r"^// *", "", comment, flags=re.M),
                            flags=re.M)
    fields = {key: " ".join(value.split()) for key, value in zip(parts[::2], parts[1::2])}
    for wanted in ("Test", "File"):
        if wanted not in fields:
            raise RunError(f"{path}: no '// {wanted}: ' line in its header")
    return Patch(path, " ".join(what.split("\n\n")[0].split()), fields)


def read_patches(directory: str) -> list[Patch]:
    """All of defects or fixes."""
    return [read_patch(path) for path in sorted((ROOT / directory).glob("*.cocci"))]
