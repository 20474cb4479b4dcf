#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Prints a job for LAVA.

    labs/lava/render.py MACHINE [NAME=VALUE ...]

MACHINE is a file like qemu.yaml or optane.yaml, in YAML, which sets variables of
job.jinja2. Each NAME=VALUE takes precedence over it. All variables must be set, but for:
"""

import os
import re
import sys
from pathlib import Path

try:
    import jinja2
    import yaml
except ImportError as error:
    print(f"{sys.argv[0]}: there is no {error.name}; "
          "run as root: apt-get install python3-jinja2 python3-yaml", file=sys.stderr)
    sys.exit(2)

# The variables of the template, those of a guest of QEMU, and those of a board.
BOTH = {"guest": bool, "device_type": str, "tags": list, "directory": str, "kernel": str,
        "kernel_args": str, "modules": str, "kselftest": str, "rootfs": str, "repository": str,
        "branch": str, "pmem": str, "tests": str, "timeout": int, "boot_minutes": int,
        "test_minutes": int}
GUEST = {"kvm": bool, "memory": int}
BOARD = {"initrd": str, "boot_method": str}
# What a machine need not set.
DEFAULTS = {
    "guest": False,             # of QEMU; otherwise a board
    "tags": [],
    "directory": "/opt/kselftests/mainline",
    "branch": "",
    "tests": "",                # programs; none means all
    "timeout": "",              # seconds for a program; none means the suite's settings
    "boot_minutes": 10,
    "test_minutes": 60,
}
# What may be set to nothing.
EMPTY = ("tags", "branch", "tests", "timeout", "modules", "kernel_args")

# These have a meaning in YAML's quotes, in a shell's, or in what LAVA fills in.
UNSAFE = re.compile(r"[\"'\\{}]")


class Fault(Exception):
    """Why there is no job to print, in one line."""


def read(machine: Path) -> dict:
    with machine.open("rb") as file:
        try:
            values = yaml.safe_load(file)
        except (yaml.YAMLError, ValueError) as wrong:
            raise Fault(f"{machine} is not YAML: {' '.join(str(wrong).split())}") from None
    if not isinstance(values, dict):
        raise Fault(f"{machine} sets no variables: it should have lines like 'name: value'")
    return values


def given(assignments: list[str]) -> dict:
    """The values of the command line. Text is taken as it stands."""
    values = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise Fault(f"{assignment} is not NAME=VALUE")
        if {**BOTH, **GUEST, **BOARD}.get(name) is not str and value:
            try:
                value = yaml.safe_load(value)
            except (yaml.YAMLError, ValueError):
                pass            # it is no number, nor whatever else is asked for
        values[name] = value
    return values


def bad_text(text: object) -> str:
    """What is wrong with @text; empty: nothing."""
    if not isinstance(text, str):
        return "is not text; put it in quotes"
    if UNSAFE.search(text) or not text.isprintable():
        return "has a quote, a backslash, a brace or a control character, which a job cannot pass on"
    return ""


def bad(name: str, kind: type, value: object) -> str:
    """What is wrong with the @value of a variable; empty: nothing."""
    if kind is int:
        return "" if type(value) is int and value > 0 else "is not a number above 0"
    if kind is bool:
        return "" if isinstance(value, bool) else "is neither true nor false"
    if kind is list:
        if not isinstance(value, list):
            return "is not a list, such as [one, another]"
        return next(filter(None, map(bad_text, value)), "")
    if name == "tests" and not re.fullmatch(r"[\w -]*", str(value)):
        return "is not the names of programs, with spaces between them"
    return bad_text(value)


def check(machine: Path, values: dict) -> None:
    """Fault unless a job can be made of @values."""
    what, kinds = ("guest", GUEST) if values["guest"] is True else ("board", BOARD)
    kinds = {**BOTH, **kinds}
    for name, value in values.items():
        if name not in kinds:
            raise Fault(f"{name} is not a variable of a {what}: {', '.join(sorted(kinds))} are")
        if value != "" and (why := bad(name, kinds[name], value)):
            raise Fault(f"{name}={value!r} {why}")
    lacking = [name for name in kinds if name not in values
               or values[name] == "" and name not in EMPTY]
    if lacking:
        raise Fault(f"not set, neither in {machine} nor by NAME=VALUE: {', '.join(lacking)}")


def render(machine: Path, assignments: list[str]) -> str:
    values = {**DEFAULTS, **read(machine), **given(assignments)}
    values = {name: "" if value is None else value for name, value in values.items()}
    check(machine, values)
    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True,
                               lstrip_blocks=True, keep_trailing_newline=True)
    template = (Path(__file__).parent / "job.jinja2").read_text(encoding="utf-8")
    return jinja.from_string(template).render(values, machine=machine.name)


def show(text: str) -> None:
    """Prints all of @text, or OSError."""
    try:
        print(text, end="", flush=True)
    except OSError as wrong:
        # Python would try again at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        wrong.filename = "standard output"
        raise


def main(words: list[str]) -> int:
    try:
        if "--help" in words or "-h" in words:
            show(f"{__doc__}\n    {', '.join(DEFAULTS)}\n")
        elif not words:
            raise Fault("which MACHINE? see --help")
        else:
            show(render(Path(words[0]), words[1:]))
        return 0
    except Fault as fault:
        why = str(fault)
    except OSError as wrong:
        why = f"{wrong.filename}: {wrong.strerror}"
    print(f"{sys.argv[0]}: {why}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
