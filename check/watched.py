# SPDX-License-Identifier: GPL-2.0
"""A run with somebody at its terminal, who is shown what watch_test.py orders.

    python3 -m check.watched FIFO

FIFO brings a JSON list a line: the name of a method of Watch, and its arguments; for
told(), the name of a test, why it has failed if it has, and what kind of result that is.
"""

import json
import sys

from vm import command
from vm.ask.suite import Test
from vm.report import watch
from vm.report.results import Case
from vm.report.watch import Kind
from vm.report.words import Finding


def case(name: str, why: str) -> Case:
    result = Case(Test("waits_test", name, "xfs"), seconds=1.0)
    result.end(*(("failed", [Finding(1, why)]) if why else ("passed",)))
    return result


def main(fifo: str) -> int:
    with open(fifo, encoding="utf-8") as orders, watch.open(sys.stdout) as shown:
        for line in orders:
            method, *words = json.loads(line)
            if method == "told":
                name, why, kind = words
                words = [case(name, why), Kind[kind]]
            getattr(shown, method)(*words)
    print("the end", flush=True)
    return command.Status.PASSED


if __name__ == "__main__":
    sys.exit(command.run("watched", lambda: main(sys.argv[1])))
