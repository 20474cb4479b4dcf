# SPDX-License-Identifier: GPL-2.0
"""Kernel configurations, and the fragments that say what a kernel must have."""

import re
from pathlib import Path

from .suite import ROOT, SOURCE

# What the tests need, and what the guest needs around them.
FRAGMENTS = (SOURCE / "config", ROOT / "vm/config")
# From here on in a fragment: tests that need it are skipped without it.
OPTIONAL = "# Optional"


def required(fragment: Path) -> list[str]:
    """Options that @fragment demands, those after its "Optional" line left out."""
    text = fragment.read_text(encoding="utf-8").partition(OPTIONAL)[0]
    return re.findall(r"^(CONFIG_\w+)=[ym]", text, flags=re.M)


def missing(config: Path) -> list[str]:
    """Required options that a kernel with this .config does not have."""
    text = config.read_text(encoding="utf-8", errors="replace")
    enabled = set(re.findall(r"^(CONFIG_\w+)=[ym]", text, flags=re.M))
    return [o for f in FRAGMENTS for o in required(f) if o not in enabled]
