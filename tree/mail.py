# SPDX-License-Identifier: GPL-2.0
"""The steps as patches, ready to be mailed: python3 -m tree.mail TREE WORK OUT.

WORK is a repository with what the patches change of the kernel TREE, and with what else
belongs into the first patch. The patches go to OUT.
"""

import email.utils
import re
import subprocess
import sys
from pathlib import Path

from vm import command
from vm.base import ROOT, RunError

from . import series

SUITE = "tools/testing/selftests/dax_break"
# What is tested: whoever looks after it is asked, too.
TESTED = "fs/dax.c"
# The filesystems that call it: whoever looks after one of them gets copies.
CALLERS = ("fs/ext4/inode.c", "fs/xfs/xfs_inode.c", "fs/fuse/dax.c", "fs/fuse/virtio_fs.c")


def git(work: Path, *words: str | Path, text: str = "") -> str:
    done = subprocess.run(["git", "-C", work, *words], input=text, capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise RunError(f"git {words[0]} fails: {(done.stderr.strip() or '?').splitlines()[-1]}")
    return done.stdout


def commit(work: Path) -> None:
    """Makes a commit of each step."""
    before: series.Tree = {}
    for number, step in enumerate(series.steps()):
        tree = series.tree_of(number)
        for path in before.keys() - tree.keys():
            (work / SUITE / path).unlink()
        for path, text in tree.items():
            if before.get(path) != text:
                (work / SUITE / path).parent.mkdir(parents=True, exist_ok=True)
                (work / SUITE / path).write_text(text, encoding="utf-8")
        git(work, "add", "-A", "--force", ".")
        git(work, "commit", "-qs", "-F", "-", text=step.message)
        before = tree


def asked(script: Path, where: Path, *files: str) -> list[str]:
    """Whom get_maintainer.pl names for @files of the tree @where."""
    found: list[str] = []
    for file in files:
        done = subprocess.run(["perl", script, "--no-tree", "--no-git", "--no-git-fallback",
                               "--no-rolestats", "-f", file], cwd=where, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise RunError(f"{script} fails: {(done.stderr.strip() or '?').splitlines()[0]}")
        found += done.stdout.splitlines()
    return found


def unique(people: list[str], but: set[str]) -> list[str]:
    """Each address once, without those in @but, to which it adds them."""
    found = []
    for who in people:
        address = email.utils.parseaddr(who)[1].lower()
        if address not in but:
            but.add(address)
            found.append(who)
    return found


def recipients(script: Path, tree: Path, work: Path) -> tuple[list[str], list[str]]:
    """To whom, and with copies to whom and to which lists; not to the author."""
    found = asked(script, work, f"{SUITE}/Makefile") + asked(script, tree, TESTED)
    lists = [who for who in found if "<" not in who]
    seen = {git(work, "config", "user.email").strip().lower()}
    to = unique([who for who in found if "<" in who], seen)
    return to, unique(lists + asked(script, tree, *CALLERS), seen)


def write(work: Path, out: Path, to: list[str], copies: list[str]) -> None:
    """The patches and their cover letter."""
    for old in out.glob("*.patch"):
        old.unlink()
    git(work, "format-patch", "-q", "-o", out, "--cover-letter", f"-{len(series.steps())}",
        *(f"--to={who}" for who in to), *(f"--cc={who}" for who in copies))
    cover = next(out.glob("0000-*.patch"))
    subject, _, text = re.sub(r"^#.*\n", "", (ROOT / "tree/changelog").read_text(encoding="utf-8"),
                              flags=re.M).partition("\n\n")
    letter = cover.read_text(encoding="utf-8")
    letter = letter.replace("*** SUBJECT HERE ***", subject)
    cover.write_text(letter.replace("*** BLURB HERE ***", text.strip()), encoding="utf-8")


def main() -> int:
    tree, work, out = map(Path, sys.argv[1:])
    script = tree / "scripts/get_maintainer.pl"
    if not script.exists():
        raise RunError(f"{tree} has no scripts/get_maintainer.pl: KDIR= must be a whole kernel "
                       "tree, which says to whom the patches go")
    commit(work)
    to, copies = recipients(script, tree, work)
    write(work, out, to, copies)
    print(f"{out}: a cover letter and {len(series.steps())} patches; the recipients are in them")
    print(f"git send-email {out}/*.patch")
    return command.Status.PASSED


if __name__ == "__main__":
    sys.exit(command.run("make patch", main))
