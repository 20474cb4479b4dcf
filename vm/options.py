# SPDX-License-Identifier: GPL-2.0
"""Options of run_tests.sh, and its help."""

import argparse
import re
from pathlib import Path

from . import backend
from .errors import RunError

TIMEOUT = 1200          # seconds for a guest; four times as long as a slow machine takes
DEBUG_KERNEL = "built:debug"
DEBUG_PATIENCE = 10     # with that one, everything may take so many times as long

HELP = """\
NAME
    run_tests.sh - does this kernel wait for pinned pages before it takes the
    blocks of a DAX file away?

SYNOPSIS
    ./run_tests.sh [OPTION]... [TEST]...

DESCRIPTION
    Builds the dax_break selftests, boots a kernel in QEMU with emulated
    persistent memory, in a guest for each filesystem at the same time, runs them
    there, and says what came of it: KTAP while they run, then a summary. Nothing
    of this machine is touched but packages that are missing (installed if root)
    and the directory build/.

    TEST selects tests: a full name, a glob, a part of names, or a program.

OPTIONS
    --vm              run in a guest (the default)
    --host            run on this machine's own persistent memory instead
    --pmem WHAT       what of it may be used, with --host: a DIRECTORY on a mounted DAX
                      filesystem; carve, for unallocated capacity; or
                      NAMESPACE=UUID[,...], empty; without it, none
    --kernel SPEC     what to boot (default: debian)
                        debian        newest kernel that Debian packages
                        debian:6.12   newest of that series
                        host          this machine's /boot/vmlinuz
                        built         built from source, with just what it takes
                        FILE          a bzImage or vmlinuz
                        DIRECTORY     a kernel tree, built
    --modules DIR     modules of a kernel FILE that has not all built in
    --debug-kernel    --kernel built, with lockdep, KASAN and the like: it takes, and
                      gets, ten times as long
    --defect NAME     --kernel built, broken by defects/NAME.cocci
    --fix NAME        --kernel built, mended by fixes/NAME.cocci; '*' for all of them
    --backend LIST    what the filesystems are on, all for all of them: ext4 and XFS on
                      nvdimm (the default), memmap, virtio-pmem, cxl; virtiofs on
                      virtiofs (by default, too); each takes guests of its own
    --fs LIST         only these filesystems: ext4, xfs, virtiofs
    --list            print the names of the selected tests, run nothing
    --ktap FILE       write the KTAP there, too
    --destructive     with --host: run tests, too, that may crash the machine; a
                      guest gets each of them in a boot of its own, at the end
    --timeout SECONDS for a whole guest (default: 1200)
    --accel HOW       auto (default), kvm or tcg
    --memory SIZE     of the guest besides its persistent memory (default: 1G)
    --shell           a root shell in the prepared guest instead of the tests
    --keep            keep the guest's image and memory in build/run-*
    --verbose         print the guest's console live
    --no-install      if packages are missing, print how to install them
    --help            this text

ENVIRONMENT
    KDIR              kernel tree to take the kselftest framework from, and
                      to build; default: Debian's linux-source package
    DAX_BREAK_SEED    what random orders begin with, to repeat those of
                      another run, which printed it
    DEBIAN_MIRROR     where to get Debian's packages; default: where this
                      machine's apt gets them

FILES
    build/last-run/   results.ktap and console.*.log of the last run, and what the
                      server of virtiofs says, server.*.log
    known-bugs        failures that are old news

EXIT STATUS
    0   all tests passed or were skipped, and at least one passed
    1   a test failed
    2   could not run: bad usage, no kernel, no QEMU, guest did not boot
    3   the guest crashed, hung or ran out of time
    4   all tests were skipped

EXAMPLES
    ./run_tests.sh
    ./run_tests.sh --kernel ~/linux --fs xfs
    ./run_tests.sh --kernel debian:6.12 'mapped.*.by_nobody'
"""


class Parser(argparse.ArgumentParser):
    """Errors are one line, and the help is HELP."""

    def error(self, message):
        raise RunError(f"{message}; see --help")

    def format_help(self):
        return HELP


def size_mib(text: str) -> int:
    match = re.fullmatch(r"(\d+)([MG])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size like 512M or 2G")
    return int(match[1]) * (1024 if match[2] == "G" else 1)


def seconds(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return int(text)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = Parser(prog="run_tests.sh", allow_abbrev=False)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--vm", action="store_true")
    where.add_argument("--host", action="store_true")
    parser.add_argument("--pmem", default="", metavar="WHAT")
    parser.add_argument("--kernel", default="debian", metavar="SPEC")
    parser.add_argument("--modules", type=Path, metavar="DIR")
    for option, what in (("--defect", "defects"), ("--fix", "fixes")):
        parser.add_argument(option, dest="kernel", type=f"built:{what}/{{}}".format,
                            metavar="NAME")
    parser.add_argument("--debug-kernel", dest="kernel", action="store_const",
                        const=DEBUG_KERNEL)
    parser.add_argument("--backend", type=backend.parse, default=[],
                        metavar="LIST")
    parser.add_argument("--fs", default="", metavar="LIST")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--ktap", type=Path, metavar="FILE")
    parser.add_argument("--destructive", action="store_true")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS")
    parser.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto")
    parser.add_argument("--memory", type=size_mib, default=1024, metavar="SIZE")
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--no-install", action="store_true")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    args = parser.parse_args(argv)
    args.patience = DEBUG_PATIENCE if args.kernel == DEBUG_KERNEL else 1
    args.timeout = args.timeout or TIMEOUT * args.patience
    if args.pmem and not args.host:
        parser.error("--pmem names this machine's memory, which only --host uses")
    if args.host and (args.shell or args.modules or args.kernel != "debian" or
                      args.backend):
        parser.error("--host runs no guest: leave --shell, --kernel, --modules and --backend out")
    if args.shell and len(args.backend) > 1:
        parser.error("--shell is for one guest: name one --backend")
    if args.destructive and not args.host:
        parser.error("--destructive is for --host: a guest may be crashed anyway")
    return args
