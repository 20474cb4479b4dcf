# SPDX-License-Identifier: GPL-2.0
"""Compares kernels: runs dax_break_bench in guests of each, plots what it measured.

    python3 -m vm.bench KERNEL...       as --kernel of run_tests.sh takes them

Leaves in build/bench/ a table of all of them, bench.tsv, and a plot, bench.svg. The
guests run one after the other; whatever else this machine does falsifies the times.
"""

import csv
import subprocess
import sys
from pathlib import Path

from . import cli, options, program
from .errors import RunError

PROGRAM = "dax_break_bench"
OUTPUT = cli.BUILD / "bench"
FILESYSTEMS = ("ext4", "xfs")
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


def measure(spec: str, fs: str) -> list[dict[str, str]]:
    """What the program prints, a row a line, about one filesystem on kernel @spec."""
    plan = [f"env DAX_BREAK_FS={fs}", f"env DAX_BREAK_MIB={MIB}", f"run {SECONDS} /bin/{PROGRAM}"]
    lines: list[str] = []

    def on_line(line: str) -> None:
        if line.startswith(MARK):
            lines.append(line.removeprefix(MARK))
            print(lines[-1], flush=True)
        else:
            print(f"# {line}", flush=True)

    opts = options.parse(["--kernel", spec, "--timeout", str(SECONDS)])
    status = program.run(opts, PROGRAM, fs, plan, OUTPUT, on_line)
    if status:
        raise RunError(f"{PROGRAM} failed on {spec}, {fs}: {status}; "
                       f"see {OUTPUT}/console.{fs}.log")
    return list(csv.DictReader(lines, delimiter="\t"))


def curves(rows: list[dict[str, str]], *names: str) -> list[tuple[str, list[dict[str, str]]]]:
    """Rows that have the columns @names in common, and what those are."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault(" ".join(row[n] for n in names), []).append(row)
    return list(found.items())


def block(name: str, points: list[tuple[str, str]]) -> str:
    """Data of gnuplot's, to be plotted as $@name."""
    return f"${name} << EOD\n" + "".join(f"{x} {y}\n" for x, y in points) + "EOD\n"


def script(rows: list[dict[str, str]], svg: Path) -> str:
    """What gnuplot has to do: two plots, a curve for each kernel and filesystem."""
    data, breaks, wakes = "", [], []
    broken = [r for r in rows if r["measure"] == "break"]
    for i, (title, points) in enumerate(curves(broken, "kernel", "fs", "entries")):
        data += block(f"break{i}", [(p["pages"], p["median"]) for p in points])
        breaks.append(f"$break{i} with linespoints title '{title}'")
    woken = [r for r in rows if r["measure"] != "break"]
    for i, (title, points) in enumerate(curves(woken, "kernel", "fs", "measure")):
        data += block(f"wake{i}", [(str(x), points[0][column])
                                   for x, column in enumerate(("median", "p99", "max"))])
        wakes.append(f"$wake{i} with linespoints title '{title}'")
    return data + PLOT.format(svg=svg, breaks=", ".join(breaks), wakes=", ".join(wakes))


def run(kernels: list[str]) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    rows = []
    for spec in kernels:
        for fs in FILESYSTEMS:
            rows += measure(spec, fs)
    tsv, svg = OUTPUT / "bench.tsv", OUTPUT / "bench.svg"
    with tsv.open("w", encoding="utf-8") as out:
        writer = csv.DictWriter(out, list(rows[0]), delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    if subprocess.run(["gnuplot"], input=script(rows, svg), text=True, check=False).returncode:
        raise RunError("gnuplot failed, see above")
    print(f"{tsv}\n{svg}")


if __name__ == "__main__":
    try:
        run(sys.argv[1:] or ["debian:6.12", "debian"])
    except (RunError, OSError) as error:
        sys.exit(f"bench: {error}")
