#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Prints a job for LAVA.

    labs/lava/render.py MACHINE [NAME=VALUE ...]

MACHINE is a file like qemu.yaml or optane.yaml, which sets what job.jinja2 asks for.
Each NAME=VALUE, with the value in YAML, takes precedence over it.
"""

import sys
from pathlib import Path

try:
    import jinja2
    import yaml
except ImportError as error:
    sys.exit(f"{sys.argv[0]}: there is no {error.name}; "
             "run as root: apt-get install python3-jinja2 python3-yaml")

# What a machine need not set.
DEFAULTS = {
    "guest": False,             # of QEMU; otherwise a board
    "tags": [],
    "directory": "/opt/kselftests/mainline",
    "modules": "",
    "branch": "",
    "tests": "",                # programs; none means all
    "timeout": "",              # seconds for a program; none means the suite's settings
    "boot_minutes": 10,
    "test_minutes": 60,
}


def render(machine: Path, assignments: list[str]) -> str:
    values = {**DEFAULTS, "machine": machine.name,
              **yaml.safe_load(machine.read_text(encoding="utf-8"))}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals:
            sys.exit(f"{sys.argv[0]}: {assignment} is not NAME=VALUE")
        values[name] = yaml.safe_load(value) if value else ""
    jinja = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True,
                               lstrip_blocks=True, keep_trailing_newline=True)
    template = (Path(__file__).parent / "job.jinja2").read_text(encoding="utf-8")
    try:
        return jinja.from_string(template).render(values)
    except jinja2.UndefinedError as error:
        sys.exit(f"{sys.argv[0]}: {machine} lacks something: {error}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    try:
        print(render(Path(sys.argv[1]), sys.argv[2:]), end="")
    except OSError as failure:
        sys.exit(f"{sys.argv[0]}: {failure.filename}: {failure.strerror}")
