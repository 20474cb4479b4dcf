# SPDX-License-Identifier: GPL-2.0
"""A strict reader of KTAP (Documentation/dev-tools/ktap.rst of the kernel)."""

import re
from dataclasses import dataclass, field

VERSION = "KTAP version 1"
RESULT = re.compile(r"(ok|not ok) (\d+) (\S+)(?: # (SKIP|TODO|XFAIL|TIMEOUT|ERROR)(?: .*)?)?")
INDENT = "  "


class NoKtap(AssertionError):
    """It is not what a parser expects."""


@dataclass
class Result:
    """A result, and those of the tests nested in it."""

    status: str             # ok, not ok, skip
    name: str
    nested: list["Result"] = field(default_factory=list)


def read(lines: list[str]) -> list[Result]:
    """The results of the outermost level; NoKtap names what is wrong.

    Every level has its version line and its plan, and as many results, which are numbered.
    Where a test is not ok, so is that which it is nested in. Whatever else there is are
    diagnostics, which begin with "#".
    """
    results, rest = _level(lines, "")
    if rest:
        raise NoKtap(f"after the last result: {rest[0]}")
    return results


def _level(lines: list[str], indent: str) -> tuple[list[Result], list[str]]:
    """The results at @indent, and the lines after those."""
    if lines[:1] != [indent + VERSION]:
        raise NoKtap(f"no version line but {lines[:1]}")
    plan = re.fullmatch(rf"{indent}1\.\.(\d+)", "".join(lines[1:2]))
    if not plan:
        raise NoKtap(f"no plan but {lines[1:2]}")
    results: list[Result] = []
    nested: list[Result] = []
    lines = lines[2:]
    while lines and lines[0].startswith(indent) and len(results) < int(plan[1]):
        line, text = lines[0], lines[0].removeprefix(indent)
        if text == INDENT + VERSION:
            if nested:
                raise NoKtap(f"two nested tests have one result: {line}")
            nested, lines = _level(lines, indent + INDENT)
            continue
        lines = lines[1:]
        if match := RESULT.fullmatch(text):
            results.append(_result(match, nested, len(results) + 1))
            nested = []
        elif not text.startswith("#"):
            raise NoKtap(f"neither a result nor a diagnostic: {line}")
    if len(results) != int(plan[1]) or nested:
        raise NoKtap(f"{len(results)} results where there should be {plan[1]}")
    while lines and lines[0].startswith(f"{indent}#"):
        lines = lines[1:]
    return results, lines


def _result(match: re.Match[str], nested: list[Result], number: int) -> Result:
    verdict, said, name, directive = match.groups()
    if int(said) != number:
        raise NoKtap(f"result {said} where {number} should be: {match[0]}")
    if verdict == "ok" and any(inner.status == "not ok" for inner in nested):
        raise NoKtap(f"{name} is ok, and a test in it is not")
    return Result("skip" if directive == "SKIP" else verdict, name, nested)
