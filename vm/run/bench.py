# SPDX-License-Identifier: GPL-2.0
"""Compares kernels: runs dax_break_bench in guests of each, plots what it measured.

    python3 -m vm.run.bench KERNEL...       as --kernel of run_tests.sh takes them

Leaves in build/bench/ a table of all of them, bench.tsv, and a plot, bench.svg. The
guests run one after the other. Leave the machine alone meanwhile: other work falsifies
the times.
"""

import csv
import subprocess
import sys
from pathlib import Path

from .. import command
from ..ask.request import Request
from ..base import BUILD, RunError
from ..errors import about, say
from ..kernel import choose
from ..machine.backend import BACKENDS, DEFAULT
from ..report import watch
from . import guests

PROGRAM = "dax_break_bench"
OUTPUT = BUILD / "bench"
MIB = 704               # of a filesystem: room for the largest file, and for it to be aligned
SECONDS = 900           # for one filesystem
MARK = "bench\t"        # the program's lines begin with it

PLOT = """\
set terminal svg size 1100,720 dynamic background rgb 'white'
set output '{svg}'
set logscale xy
set grid
set key outside right top
set multiplot layout 2,1
set title 'Punching a hole of one page, other pages of the file mapped'
set xlabel 'mapped pages'
set ylabel 'median, us'
plot {breaks}
set title 'Last pin released: until the operation returns'
set xlabel 'percentile'
set ylabel 'us'
unset logscale x
set xrange [-0.5:2.5]
set xtics ('median' 0, '99th' 1, 'maximum' 2)
plot {wakes}
"""


def measure(kernel: choose.Spec, fs: str, view: watch.Watch) -> list[dict[str, str]]:
    """What the program prints, a row a line, about one filesystem on @kernel."""
    view.step(f"measuring {kernel} on {fs}")
    plan = [f"env DAX_BREAK_FS={fs}", f"env DAX_BREAK_MIB={MIB}", f"run {SECONDS} /bin/{PROGRAM}"]
    lines: list[str] = []

    def on_line(line: str) -> None:
        if line.startswith(MARK):
            lines.append(line.removeprefix(MARK))
            view.message(lines[-1])
        else:
            view.message(f"# {line}")

    request = Request(kernel=kernel, timeout=SECONDS)
    status = guests.run_program(request, fs, PROGRAM, plan, OUTPUT, on_line)
    if status:
        raise RunError(f"{PROGRAM} failed on {kernel}, {fs}: {status}; "
                       f"see {OUTPUT}/console.{fs}.log")
    return list(csv.DictReader(lines, delimiter="\t"))


def curves(rows: list[dict[str, str]], *names: str) -> list[tuple[str, list[dict[str, str]]]]:
    """Groups of rows that agree in the columns @names, each after its title."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(" ".join(row[n] for n in names), []).append(row)
    return list(found.items())


def script(rows: list[dict[str, str]], svg: Path) -> str:
    """Orders for gnuplot: two plots, with a curve for each kernel and filesystem."""
    data, breaks, wakes = "", [], []

    def curve(name: str, title: str, points: list[tuple[str, str]]) -> str:
        nonlocal data
        data += f"${name} << EOD\n" + "".join(f"{x} {y}\n" for x, y in points) + "EOD\n"
        return f"${name} with linespoints title '{title}'"

    broken = [r for r in rows if r["measure"] == "break"]
    for i, (title, points) in enumerate(curves(broken, "kernel", "fs", "entries")):
        breaks.append(curve(f"break{i}", title, [(p["pages"], p["median"]) for p in points]))
    woken = [r for r in rows if r["measure"] != "break"]
    for i, (title, points) in enumerate(curves(woken, "kernel", "fs", "measure")):
        wakes.append(curve(f"wake{i}", title, [
            (str(x), points[0][column]) for x, column in enumerate(("median", "p99", "max"))]))
    return data + PLOT.format(svg=svg, breaks=", ".join(breaks), wakes=", ".join(wakes))


def run(argv: list[str]) -> int:
    parser = command.Parser("bench", __doc__)
    parser.add_argument("kernels", nargs="+", type=choose.parse)
    kernels = parser.parse_args(argv).kernels
    command.install("bench")
    command.make("programs", OUTPUT / "build.log")
    with watch.open(sys.stdout) as view:
        rows = [row for kernel in kernels for fs in BACKENDS[DEFAULT].filesystems
                for row in measure(kernel, fs, view)]
    tsv, svg = OUTPUT / "bench.tsv", OUTPUT / "bench.svg"
    with about(tsv), tsv.open("w", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if subprocess.run(["gnuplot"], input=script(rows, svg), text=True, check=False).returncode:
        raise RunError("gnuplot failed, see above")
    say(str(tsv), str(svg))
    return command.Status.PASSED


if __name__ == "__main__":
    sys.exit(command.run("bench", lambda: run(sys.argv[1:])))
