# SPDX-License-Identifier: GPL-2.0
"""The suite in steps, each of which is a patch: tree/series/ says what is in which."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from vm.base import ROOT, SOURCE, RunError

from .closure import Kept, Suite
from .pieces import merge, pieces

HERE = Path(__file__).parent
STEPS = HERE / "series"
EARLY = HERE / "early"
# What goes into a kernel tree, as in tree.sh.
SHIPPED = re.compile(r"\.[ch]$|^(Makefile|config|settings|\.gitignore|README\.rst)$")
FIELD = re.compile(r"(Takes|Config): (.*)")

Tree = dict[str, str]           # path in the suite's directory -> text


@dataclass(frozen=True)
class Step:
    """One patch."""

    name: str
    takes: tuple[str, ...]      # files, as globs, and rows, as TABLE.ROW
    config: tuple[str, ...]     # kernel options that come with it
    message: str                # subject, empty line, text


def read_step(path: Path) -> Step:
    """A file of tree/series/."""
    fields: dict[str, list[str]] = {"Takes": [], "Config": []}
    head, _, message = path.read_text(encoding="utf-8").partition("\n\n")
    for line in head.splitlines()[1:]:
        match = FIELD.fullmatch(line)
        if not match:
            raise RunError(f"{path}: \"{line}\" is neither Takes: nor Config:")
        fields[match[1]] += match[2].split()
    return Step(path.name.partition("-")[2], tuple(fields["Takes"]), tuple(fields["Config"]), message)


@cache
def steps() -> tuple[Step, ...]:
    """All steps, in their order."""
    return tuple(read_step(path) for path in sorted(STEPS.iterdir()))


@cache
def final() -> Tree:
    """The suite as it is."""
    return {str(path.relative_to(SOURCE)): path.read_text(encoding="utf-8")
            for path in sorted(SOURCE.rglob("*")) if path.is_file() and SHIPPED.search(path.name)}


def _early(number: int) -> list[Tree]:
    """What is different in step @number: first what stays so for the longest time."""
    found = []
    for step in reversed(steps()[number + 1:]):
        root = EARLY / step.name
        found.append({str(path.relative_to(root)): path.read_text(encoding="utf-8")
                      for path in sorted(root.rglob("*")) if path.is_file()})
    return found


def _is_code(path: str) -> bool:
    return path.endswith((".c", ".h"))


def _makefile(text: str, later: set[str]) -> str:
    """The Makefile without the programs and libraries that come @later."""
    lines = []
    for line in text.splitlines(keepends=True):
        if match := re.match(r"(?:#\t|USERS_|AT_LEAST_|\$\(OUTPUT\)/)(\w+)", line):
            if match[1] in later:
                continue
        if re.match(r"(WITH_LIB|LIBRARIES|TEST_GEN_PROGS_EXTENDED) :=", line):
            line = re.sub(r" (\w+)", lambda m: "" if m[1] in later else m[0], line)
        lines.append(line)
    return re.sub(r"^# Not tests:\n(?!#\t)", "", "".join(lines), flags=re.M)


def _others(number: int, tree: Tree, code: Tree) -> Tree:
    """The files of step @number that are no code."""
    found = {path: text for path, text in tree.items() if not _is_code(path) and
             any(path in step.takes for step in steps()[:number + 1])}
    later = {option for step in steps()[number + 1:] for option in step.config}
    found["config"] = "".join(
        line for line in tree["config"].splitlines(keepends=True) if line.split("=")[0] not in later)
    found["config"] = re.sub(r"^# Optional: .*\n(?=#|\Z)", "", found["config"], flags=re.M)
    missing = {Path(path).stem for path in final() if path not in code and
               re.fullmatch(r"\w+\.c|lib/without/\w+\.c", path)}
    found["Makefile"] = _makefile(found["Makefile"], missing)
    found[".gitignore"] = "".join(
        line for line in tree[".gitignore"].splitlines(keepends=True)
        if line.strip() not in missing)
    return found


@cache
def tree_of(number: int) -> Tree:
    """The suite after the patch of step @number, from 0 on."""
    tree = dict(final())
    if number == len(steps()) - 1:
        return tree
    files = {path: pieces(path, text) for path, text in tree.items() if _is_code(path)}
    for early in _early(number):
        for path, text in early.items():
            if _is_code(path):
                files[path] = merge(path, files.get(path, []), text)
            else:
                tree[path] = text
    suite = Suite(files)
    roots: Kept = set()
    for step in steps()[:number + 1]:
        for pattern in step.takes:
            if _is_code(pattern) or pattern not in tree:
                roots |= suite.roots(pattern)
    kept = suite.needs(roots)
    code = {path: text for path in suite.files if (text := suite.text(path, kept))}
    return _others(number, tree, code) | code
