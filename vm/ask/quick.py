# SPDX-License-Identifier: GPL-2.0
"""The few tests that show most of what can be wrong with a kernel: the table vm/quick.

make defects computes it from what each defect makes fail (run/cover.py). --quick runs
nothing else, and every other run begins with these.
"""

from pathlib import Path

from ..base import ROOT

TABLE = ROOT / "vm/quick"


def read(path: Path = TABLE) -> list[str]:
    """Names of tests."""
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8").splitlines()
            if line and not line.startswith("#")]
