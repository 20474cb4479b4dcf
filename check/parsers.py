# SPDX-License-Identifier: GPL-2.0
"""Parsers of results that are not ours: kunit.py of the kernel, Perl's TAP::Parser, tap.py.

    python3 -m check.parsers FILE

says how many tests have passed, failed, been skipped in a KTAP, by each of them and by
check/ktap.py. Two of them know nothing of nested tests, as KTAP has them, and get each
level by itself.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from collections import Counter
from functools import cache
from pathlib import Path

from check import ktap
from vm import command, errors
from vm.base import BUILD, RunError
from vm.command import Status
from vm.kernel import source

# A test's result (ok, not ok, skip), by the names of what it is nested in, and its own.
Seen = dict[tuple[str, str], str]

STATUS = {"PASS": "ok", "FAIL": "not ok", "SKIP": "skip"}

# Both read levels that are divided by a form feed, and write a line for each test.
PERL = r"""
use TAP::Parser;
for my $level (split /\f/, do { local $/; <STDIN> }) {
    my $parser = TAP::Parser->new({ tap => $level });
    while (my $line = $parser->next) {
        next unless $line->is_test;
        print join("\t", $line->has_skip ? "skip" : $line->is_actual_ok ? "ok" : "not ok",
                   $line->description), "\n";
    }
    print "error\t$_\n" for $parser->parse_errors;
    print "\f";
}
"""
TAPPY = r"""
import sys
from tap.parser import Parser
for level in sys.stdin.read().split("\f"):
    plan, seen = None, 0
    for line in Parser().parse_text(level):
        if line.category == "plan":
            plan = line.expected_tests
        elif line.category == "test":
            seen += 1
            status = "skip" if line.skip else "ok" if line.ok else "not ok"
            print(status, line.description, sep="\t")
    if plan != seen:
        print("error", f"{seen} tests of {plan}", sep="\t")
    print(end="\f")
"""
LEVEL_READERS = {"TAP::Parser": ("perl", "-e", PERL),
                 "tap.py": ("/usr/bin/python3", "-c", TAPPY)}


@cache
def kunit_py() -> Path:
    tree = os.environ.get("KDIR") or source.newest(BUILD, BUILD / "linux-source",
                                                   members=source.FRAMEWORK)
    return Path(tree, "tools/testing/kunit/kunit.py").resolve()


def there() -> list[str]:
    """Those of LEVEL_READERS that this machine has: of tap.py it may only lack the library."""
    lacks = subprocess.run(["/usr/bin/python3", "-c", "import tap.parser"],
                           capture_output=True, check=False).returncode
    return [name for name in LEVEL_READERS if not (lacks and name == "tap.py")]


def kunit(lines: list[str]) -> Seen:
    """What kunit.py parse sees; AssertionError if it misses anything."""
    with tempfile.TemporaryDirectory() as scratch:
        file, seen = Path(scratch, "ktap"), Path(scratch, "json")
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", kunit_py(), "parse", f"--json={seen}", file],
                              capture_output=True, text=True, check=False)
        if not seen.exists():
            raise AssertionError(f"kunit.py: {done.stderr}{done.stdout}")
        top = json.loads(seen.read_text(encoding="utf-8"))
    if top["misc"]["crashed"] or top["misc"]["errors"]:
        bad = [line for line in done.stdout.splitlines() if re.search("CRASHED|ERROR]", line)]
        raise AssertionError(f"kunit.py: {bad}")
    return {(group["name"] if group is not top else "", case["name"]): STATUS[case["status"]]
            for group in (top, *top["sub_groups"]) for case in group["test_cases"]}


def levels(lines: list[str], indent: str = ktap.INDENT) -> dict[str, list[str]]:
    """What is nested in each test of the outermost level, by its name; that level itself is ""."""
    found: dict[str, list[str]] = {"": []}
    inner: list[str] = []
    for line in lines:
        if line.startswith(indent):
            inner.append(line.removeprefix(indent))
            continue
        found[""].append(line)
        if match := re.match(r"(?:not )?ok \d+ ([^#]*[^# ])", line):
            found[match[1]], inner = inner, []
    return {name: level for name, level in found.items() if level}


def by_levels(reader: str, nested: dict[str, list[str]]) -> Seen:
    """What one of LEVEL_READERS sees in each level; AssertionError if it finds a fault."""
    text = "\f".join("\n".join(level) + "\n" for level in nested.values())
    done = subprocess.run(LEVEL_READERS[reader], input=text, capture_output=True, text=True,
                          check=True)
    seen: Seen = {}
    for level, said in zip(nested, done.stdout.split("\f")):
        for status, tab, name in (line.partition("\t") for line in said.splitlines()):
            if status == "error":
                raise AssertionError(f"{reader}, {level or 'the outermost level'}: {name}")
            if tab:
                seen[level, name.partition(" # ")[0]] = status
    return seen


def ours(lines: list[str]) -> Seen:
    results = ktap.read(lines)
    return {("", program.name): program.status for program in results} | {
        (program.name, test.name): test.status for program in results for test in program.nested}


def agree(lines: list[str]) -> Counter[str]:
    """How many nested tests have which result, for all parsers; AssertionError tells of one."""
    expected = ours(lines)
    nested = {names: status for names, status in expected.items() if names[0]}
    seen = [("kunit.py", nested, kunit(lines))]
    seen += [(reader, expected, by_levels(reader, levels(lines))) for reader in there()]
    for reader, wanted, saw in seen:
        unittest.TestCase().assertEqual(saw, wanted, reader)
    return Counter(nested.values())


def main(argv: list[str]) -> Status:
    parser = command.Parser("python3 -m check.parsers", __doc__)
    parser.add_argument("file", type=Path, metavar="FILE")
    file = parser.parse_args(argv).file
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
        everybody = {"ours": ours(lines), "kunit.py": kunit(lines)}
        everybody |= {reader: by_levels(reader, levels(lines)) for reader in there()}
    except (AssertionError, UnicodeDecodeError) as error:
        raise RunError(f"{file} is not whole KTAP: {' '.join(str(error).split())}") from None
    for reader, seen in everybody.items():
        counts = Counter(status for (program, _), status in seen.items() if program)
        errors.say(f"{reader}: {counts['ok']} passed, {counts['not ok']} failed, "
                   f"{counts['skip']} skipped")
    return Status.PASSED


if __name__ == "__main__":
    sys.exit(command.run("check.parsers", lambda: main(sys.argv[1:])))
