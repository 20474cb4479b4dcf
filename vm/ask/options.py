# SPDX-License-Identifier: GPL-2.0
"""The options of run_tests.sh, and its help."""

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path

from ..base import RunError
from ..command import Parser
from ..kernel import choose
from ..kernel.choose import Kind, Spec
from ..machine import backend
from .request import DEBUG_PATIENCE, RUNS, Request

DEBUG = Spec(Kind.BUILT, "debug")

HELP = """\
NAME
    run_tests.sh - does this kernel wait for pinned pages before it takes the
    blocks of a DAX file away?

SYNOPSIS
    ./run_tests.sh [OPTION]... [TEST]...

DESCRIPTION
    Builds the dax_break selftests, boots a kernel in QEMU with emulated persistent
    memory, and runs the tests there, in as many guests at a time as keep all processors
    busy. On a terminal, a line for each guest says what it does, and failures that
    are new are told as they come; anything else gets KTAP. A summary follows, the
    verdict first. Nothing on this machine is changed except the directory build/
    and, if you are root, packages that are missing: they are installed.

    TEST selects tests: a full name, a glob, part of a name, or a program.

OPTIONS
    --vm              run in guests (the default)
    --host            run on this machine's own persistent memory instead
    --pmem WHAT       with --host, what of it may be used: a DIRECTORY on a mounted DAX
                      filesystem; "carve" for unallocated capacity; or empty namespaces,
                      NAMESPACE=UUID[,...]. Without this, nothing is used
    --kernel SPEC     what to boot (default: debian)
                        debian        the newest kernel that Debian packages
                        debian:6.12   the newest one of that series
                        host          this machine's /boot/vmlinuz
                        built         a small one, built from source
                        FILE          a bzImage or vmlinuz
                        DIRECTORY     a kernel tree that has been built
    --modules DIR     the modules of a kernel FILE, unless everything is built in
    --debug-kernel    --kernel built, with lockdep, KASAN and the like; it needs, and
                      gets, ten times as long
    --defect NAME     --kernel built, broken by defects/NAME.cocci
    --fix NAME        --kernel built, mended by fixes/NAME.cocci; '*' applies all of them
    --backend LIST    run on these kinds of memory, or on "all"; each gets its own guests:
                      {backends}
                      (default: {usual})
    --fs LIST         only these filesystems: {filesystems}
    --list            print the names of the selected tests, run nothing
    --ktap FILE       write the KTAP to FILE as well; "-" prints it, on a terminal too
    --json FILE       write all that is known of the run to FILE (docs/json.md)
    --junit FILE      write it as JUnit's XML, by python3-junitparser
    --html FILE       write it as a page, all in one file
    --baseline FILE   what failed in FILE, the --json of an earlier run, is old, and all other
                      failures are new (default: what known-bugs explains is old)
    --strict          the exit status tells of old failures, too
    --compare A B     tell what changed from A to B, the --json of two runs; run nothing
    --destructive     with --host, also run tests that may crash the machine; in a VM
                      each of them gets a guest of its own
    --quick           only the few tests that show nearly all that can be wrong
    --fail-fast       stop at the first failure that is new
    --bisect          a step of "git bisect run": build the git tree in KDIR, or in the
                      current directory, and tell whether TEST, which must pass on the
                      good commit and fail on the bad one, fails (docs/bisection.md)
    --jobs N          keep N processors busy (default: all that there are)
    --no-snapshot     boot each guest, instead of starting it from the state of one that
                      has booted earlier (build/snapshots)
    --timeout SECONDS how long a guest may take for what it runs at one go (default: 1200)
    --accel HOW       auto (default), kvm or tcg
    --memory SIZE     memory of a guest, beside its persistent memory (default: 1G)
    --shell           start a root shell in the prepared guest, run no tests
    --keep            keep the guests' images and memory in build/run-*
    --verbose         print the guests' consoles while they run
    --no-install      install nothing: print how to install packages that are missing
    --help            print this text

ENVIRONMENT
    KDIR              kernel tree to take the kselftest framework from, and to build;
                      default: Debian's linux-source package
    DAX_BREAK_SEED    start of the random numbers, to repeat a run that printed it
    DAX_BREAK_RUNS    how many runs to keep in build/runs, default: {runs}
    DEBIAN_MIRROR     where to get Debian's packages; default: where apt gets them
    NO_COLOR          if set, a terminal gets no colours; TERM=dumb: nothing but plain lines

FILES
    build/last-run    link to the last run in build/runs, DATE-KERNEL: results.ktap,
                      results.json, its guests' consoles (console.*.log), what virtiofs
                      servers said (server.*.log), build.log, the kernel's config, versions,
                      command. The oldest run goes, unless you rename it
    build/snapshots/  states of guests that have booted; removed when nobody uses them and
                      all of them take more than 8 GiB, the oldest first
    known-bugs        failures that are old news
    vm/quick          the tests of --quick, computed by make defects

EXIT STATUS
    0   no failure is new, and at least one test passed or failed as it is known to;
        with --compare: nothing is worse
    1   a failure is new; with --strict: a test failed; with --compare: something is worse
    2   could not run: bad usage, no kernel, no QEMU, the guest did not boot,
        interrupted
    3   a guest crashed, hung or ran out of time, in a test whose failure is new; 1 if
        that test has a guest of its own, because it may crash the kernel
    4   all tests were skipped
    With --bisect:
    0   the commit is good: all tests passed
    1   it is bad: a test failed, known or not, or crashed its guest
    125 it cannot be judged: it does not build or boot, lacks options, skips a test;
        old commits need a compiler of their time: MAKEFLAGS=CC=gcc-12
    255 no commit can be: interrupted, bad usage, no QEMU; this ends the bisection

EXAMPLES
    ./run_tests.sh
    ./run_tests.sh --quick --fail-fast --kernel ~/linux
    ./run_tests.sh --kernel ~/linux --fs xfs
    ./run_tests.sh --kernel debian:6.12 'mapped.*.by_nobody'
    ./run_tests.sh --json new.json --html new.html --baseline old.json
    cd ~/linux && git bisect start BAD GOOD &&
        git bisect run ~/dax_break/run_tests.sh --bisect TEST
""".format(backends=", ".join(backend.BACKENDS), filesystems=", ".join(backend.FILESYSTEMS),
           runs=RUNS,
           usual=", ".join(f"{backend.usual(fs)} for {fs}" for fs in backend.FILESYSTEMS))


def _size_mib(text: str) -> int:
    match = re.fullmatch(r"(\d+)([MG])", text)
    if not match:
        raise argparse.ArgumentTypeError(f"'{text}' is not a size like 512M or 2G")
    return int(match[1]) * (1024 if match[2] == "G" else 1)


def _seconds(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return int(text)


def _number(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of processors")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def seed(name: str) -> str:
    """A number from the environment, or "" if it has no @name."""
    text = os.environ.get(name, "")
    if text and not text.isdecimal():
        raise RunError(f"{name}={text} is not a number: take one that a run has printed")
    return text


def _kept() -> int:
    text = os.environ.get("DAX_BREAK_RUNS") or str(RUNS)
    if not text.isdecimal() or not int(text):
        raise RunError(f"DAX_BREAK_RUNS={text} is not a number of runs to keep")
    return int(text)


def _parser() -> Parser:
    """Its results are named as the fields of Request, but for the modules of its kernel."""
    parser = Parser("run_tests.sh", HELP)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--vm", dest="host", action="store_false", default=False)
    where.add_argument("--host", action="store_true")
    parser.add_argument("--pmem", default="")
    kernel = parser.add_mutually_exclusive_group()
    kernel.add_argument("--kernel", type=choose.parse, default=Spec())
    for option, kind in (("--defect", "defects"), ("--fix", "fixes")):
        kernel.add_argument(option, dest="kernel",
                            type=lambda name, kind=kind: Spec(Kind.BUILT, f"{kind}/{name}"))
    kernel.add_argument("--debug-kernel", dest="kernel", action="store_const", const=DEBUG)
    parser.add_argument("--modules", type=Path)
    parser.add_argument("--backend", dest="backends", type=backend.parse, default=())
    parser.add_argument("--fs", dest="filesystems", type=_names, default=())
    parser.add_argument("--list", dest="list_only", action="store_true")
    for option in ("--ktap", "--json", "--junit", "--html", "--baseline"):
        parser.add_argument(option, type=Path)
    parser.add_argument("--compare", nargs=2, type=Path, default=())
    parser.add_argument("--timeout", type=_seconds, default=0)
    parser.add_argument("--accel", choices=("auto", "kvm", "tcg"), default="auto")
    parser.add_argument("--memory", dest="memory_mib", type=_size_mib, default=1024)
    parser.add_argument("--jobs", type=_number, default=os.cpu_count() or 1)
    parser.add_argument("--no-snapshot", dest="snapshots", action="store_false")
    for option in ("--destructive", "--shell", "--keep", "--verbose", "--quick", "--fail-fast",
                   "--strict", "--bisect"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--no-install", dest="install", action="store_false")
    parser.add_argument("tests", nargs="*")
    return parser


def _check_bisect(parser: Parser, request: Request) -> None:
    if not request.tests:
        parser.error("--bisect is for tests that tell good from bad: name them")
    if request.kernel not in (Spec(), DEBUG):
        parser.error("--bisect builds the commit that the tree is at: leave --kernel, --defect, "
                     "--fix and --modules out")
    for name in ("host", "shell", "list_only", "quick", "strict", "ktap", "json", "junit", "html",
                 "baseline", "compare"):
        if getattr(request, name):
            parser.error("--bisect only judges a commit: "
                         f"leave --{name.removesuffix('_only')} out")


def parse(argv: list[str]) -> Request:
    parser = _parser()
    args = vars(parser.parse_args(argv))
    timeout, args["tests"] = args.pop("timeout"), tuple(args["tests"])
    if (modules := args.pop("modules")) and args["kernel"].kind is not Kind.LOCAL:
        parser.error(f"{args['kernel']} has modules of its own: leave --modules out")
    args["kernel"] = replace(args["kernel"], modules=modules)
    number = seed("DAX_BREAK_SEED")
    args["compare"], args["runs"] = tuple(args["compare"]), _kept()
    request = Request(**args, environment=(f"DAX_BREAK_SEED={number}",) if number else (),
                      argv=tuple(argv))
    if request.kernel == DEBUG:
        request = request.slower(DEBUG_PATIENCE)
    if timeout:
        request = replace(request, timeout=timeout)
    if request.bisect:
        _check_bisect(parser, request)
    if request.pmem and not request.host:
        parser.error("--pmem names this machine's memory, which only --host uses")
    if request.host and (request.shell or request.kernel != Spec() or request.backends):
        parser.error("--host runs no guest: leave --shell, --kernel, --modules and --backend out")
    if request.shell and len(request.backends) > 1:
        parser.error("--shell is for one guest: name one --backend")
    for name in ("json", "junit", "html"):
        if str(getattr(request, name)) == "-":
            parser.error(f"--{name} writes a file: /dev/stdout is the standard output")
    if request.compare and len(argv) != 3:
        parser.error("--compare A B runs nothing: leave everything else out")
    if request.destructive and not request.host:
        parser.error("--destructive is for --host: a guest may be crashed anyway")
    return request
