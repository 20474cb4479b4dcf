# SPDX-License-Identifier: GPL-2.0
"""A strict reader of KTAP (Documentation/dev-tools/ktap.rst of the kernel)."""

import re
from dataclasses import dataclass, field

VERSION = "KTAP version 1"
RESULT = re.compile(r"(ok|not ok) (\d+) (\S+)(?: # ((SKIP|TIMEOUT|ERROR)(?: .+)?))?")
INDENT = "  "


class NoKtap(AssertionError):
    """It is not what a parser expects."""


@dataclass
class Result:
    """A result, and those of the tests nested in it."""

    status: str             # ok, not ok, skip
    name: str
    directive: str = ""     # the word, and what goes with it
    nested: list["Result"] = field(default_factory=list)


def read(lines: list[str]) -> list[Result]:
    """The results of the outermost level; NoKtap names what is wrong.

    Every level has its version line and its plan, and as many results, which are numbered
    and have different names; a nested one also has the name of its result. Where a test is
    not ok, so is that which it is nested in. Whatever else there is are diagnostics, which
    begin with "#", are no more indented than what they are about, and precede that.
    """
    results, rest = _level(lines, "")
    if rest:
        raise NoKtap(f"after the last result: {rest[0]}")
    return results


def _level(lines: list[str], indent: str) -> tuple[list[Result], list[str]]:
    """The results at @indent, and the lines after those."""
    size, lines = _head(lines, indent)
    results: list[Result] = []
    nested: list[Result] = []
    name = ""
    while lines and lines[0].startswith(indent) and len(results) < size:
        line, text = lines[0], lines[0].removeprefix(indent)
        if text == INDENT + VERSION:
            if nested:
                raise NoKtap(f"two nested tests have one result: {line}")
            name = "".join(lines[1:2]).partition("# Subtest: ")[2]
            nested, lines = _level(lines, indent + INDENT)
            continue
        lines = lines[1:]
        if match := RESULT.fullmatch(text):
            results.append(_result(match, nested, name, results))
            nested, name = [], ""
        elif not text.startswith("#"):
            raise NoKtap(f"neither a result nor a diagnostic: {line}")
    if len(results) != size or nested:
        raise NoKtap(f"{len(results)} results where there should be {size}")
    while indent and lines and lines[0].startswith(f"{indent}#"):
        lines = lines[1:]
    return results, lines


def _head(lines: list[str], indent: str) -> tuple[int, list[str]]:
    """The plan of a level, and the lines after that."""
    if lines[:1] != [indent + VERSION]:
        raise NoKtap(f"no version line but {lines[:1]}")
    about = "# Subtest: " if indent else "# kernel "
    lines = lines[2:] if "".join(lines[1:2]).startswith(indent + about) else lines[1:]
    plan = re.fullmatch(rf"{indent}1\.\.(\d+)", "".join(lines[:1]))
    if not plan:
        raise NoKtap(f"no plan but {lines[:1]}")
    return int(plan[1]), lines[1:]


def _result(match: re.Match[str], nested: list[Result], subtest: str,
            before: list[Result]) -> Result:
    verdict, number, name, directive, word = match.groups()
    if int(number) != len(before) + 1:
        raise NoKtap(f"result {number} where {len(before) + 1} should be: {match[0]}")
    if name in (result.name for result in before):
        raise NoKtap(f"two tests are called {name}")
    if nested and subtest != name:
        raise NoKtap(f"{name} has the results of {subtest}")
    if verdict == "ok" and any(inner.status == "not ok" for inner in nested):
        raise NoKtap(f"{name} is ok, and a test in it is not")
    if word and (word == "SKIP") != (verdict == "ok"):
        raise NoKtap(f"it cannot be both: {match[0]}")
    return Result("skip" if word == "SKIP" else verdict, name, directive or "", nested)
