# SPDX-License-Identifier: GPL-2.0
"""Kernel configurations, and the fragments that say what a kernel must have."""

import re
from collections.abc import Iterable
from pathlib import Path

from .suite import ROOT, SOURCE

# What the tests need, and what the guest needs around them.
FRAGMENTS = (SOURCE / "config", ROOT / "vm/config")
# From here on in a fragment: tests that need it are skipped without it.
OPTIONAL = "# Optional"


def demanded(fragment: Path) -> list[str]:
    """Options that @fragment demands, those after its "Optional" line left out."""
    text = fragment.read_text(encoding="utf-8").partition(OPTIONAL)[0]
    return re.findall(r"^(CONFIG_\w+)=[ym]", text, flags=re.M)


def required() -> list[str]:
    """Options without which nothing can be run."""
    return [option for fragment in FRAGMENTS for option in demanded(fragment)]


def missing(config: Path, options: Iterable[str]) -> list[str]:
    """Which of these @options a kernel with this .config does not have."""
    text = config.read_text(encoding="utf-8", errors="replace")
    enabled = set(re.findall(r"^(CONFIG_\w+)=[ym]", text, flags=re.M))
    return [o for o in options if o not in enabled]
