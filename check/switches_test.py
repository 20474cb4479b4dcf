# SPDX-License-Identifier: GPL-2.0
"""One program that has several changes of a source, and behaves as it is told to."""

import subprocess
import tempfile
import unittest
from pathlib import Path

from vm.kernel import switches
from vm.kernel.switches import Function, NotSwitchable

SOURCE = """\
// SPDX-License-Identifier: GPL-2.0
#include <stdio.h>
#include <stdlib.h>

struct pair {
	int a, b[2];
};

/* A function whose argument is one. */
static inline int
apply(
	struct pair	*pair,
	int		(by)(int),
	const int	more[])
{
	int sum = pair->a;

	for (int i = 0; i < 2; i++) {
		sum += by(pair->b[i]) + more[i];
		if (sum > 1000)
			goto out;
	}
out:
	return sum;
}

static int twice(int x)
{
	return 2 * x;
}

void show(void)
{
	struct pair pair = { 1, { 2, 3 } };
	const int more[] = { 4, 5 };

	printf("%d line %d\\n", apply(&pair, twice, more), __LINE__);
}
static const int last = __LINE__;
"""
MAIN = """
int main(int argc, char **argv)
{
	dax_break_change = atoi(argv[1]);
	show();
	printf("%d\\n", last);
	return argc < 2;
}
"""


def versions(*texts: str) -> dict[int, switches.Parts]:
    return {number: switches.changed(SOURCE, text) for number, text in enumerate(texts, 1)}


class Switches(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def compiled(self, text: str) -> Path:
        file = self.scratch / "a.c"
        file.write_text(text + MAIN + f"unsigned int {switches.VARIABLE};\n", encoding="utf-8")
        subprocess.run(["gcc", "-Wall", "-Werror", "-o", self.scratch / "a", file], check=True)
        return self.scratch / "a"

    def said(self, program: Path, change: int) -> list[str]:
        done = subprocess.run([program, str(change)], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    def test_a_program_that_changes(self):
        lines = len(SOURCE.splitlines())
        printed = SOURCE[:SOURCE.index("printf")].count("\n") + 1
        program = self.compiled(switches.merged("a.c", SOURCE, versions(
            SOURCE.replace("sum += by", "sum -= by"),
            SOURCE.replace("2 * x", "3 * x"),
            SOURCE.replace("2 * x", "x").replace("sum = pair->a", "sum = 100"))))
        for change, sum_ in enumerate((20, -18, 25, 114)):
            with self.subTest(change):
                self.assertEqual(self.said(program, change),
                                 [f"{sum_} line {printed}", str(lines)])

    def test_nothing_of_a_version_is_left_to_be_called(self):
        """So a stack trace of a change names the functions of the source."""
        program = self.compiled(switches.merged("a.c", SOURCE, versions(
            SOURCE.replace("2 * x", "3 * x"))))
        names = subprocess.run(["nm", program], capture_output=True, text=True, check=True)
        self.assertNotRegex(names.stdout, "twice__")
        self.assertRegex(names.stdout, "twice")

    def test_parts_make_the_whole(self):
        parts = list(switches.functions(SOURCE))
        self.assertEqual("".join(part.head + part.body if isinstance(part, Function) else part
                                 for part in parts), SOURCE)
        self.assertEqual([part.name for part in parts if isinstance(part, Function)],
                         ["apply", "twice", "show"])

    def test_what_cannot_be_switched(self):
        for before, after, why in (
                ("struct pair {", "struct pair {\n\tint c;", "more than functions"),
                ("void show(void)", "int show(void)", "the head"),
                ("void show(void)", "void hide(void)\n{\n}\n\nvoid show(void)", "adds or removes"),
        ):
            with self.subTest(why), self.assertRaisesRegex(NotSwitchable, why):
                switches.changed(SOURCE, SOURCE.replace(before, after))

    def test_heads_that_are_not_understood(self):
        for head in ("SYSCALL_DEFINE1(close, unsigned int, fd)", "int f(int a, ...)",
                     "static __printf(1, 2) int f(const char *text)"):
            text = head + "\n{\n\treturn 0;\n}\n"
            with self.subTest(head), self.assertRaises(NotSwitchable):
                switches.changed(text, text.replace("0", "1"))
