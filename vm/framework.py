# SPDX-License-Identifier: GPL-2.0
"""BUILD/framework: a kernel tree with kselftest, for who has named none (KDIR=)."""

import sys
from pathlib import Path

from .apt import source_tree
from .errors import RunError


def main(build: Path) -> int:
    try:
        tree = source_tree(build).resolve()
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    link = build / "framework"
    link.unlink(missing_ok=True)
    link.symlink_to(tree)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
