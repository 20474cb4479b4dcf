# SPDX-License-Identifier: GPL-2.0
"""Many changes of one kernel in one image, of which a guest that runs is told to have one.

Building a kernel takes longer than to see what is wrong with it. So each function that a
change concerns is compiled in all its versions, one for each change and the one of the
source, and what is left in its place chooses among them by VARIABLE. The versions are
inlined there, so that a stack trace shows no difference.

Functions are found by what kernel style says: their braces are alone at the start of a
line. A change that is not within functions cannot be made like this, nor can one of a
function whose head a macro makes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

VARIABLE = "dax_break_change"
# Where a guest writes the number of the change that it is to have; 0 is none.
PARAMETER = f"/sys/module/kernel/parameters/{VARIABLE}"
# A file that every kernel has, and what it gets.
HOME = "kernel/panic.c"
DEFINITION = f"\nunsigned int {VARIABLE};\ncore_param({VARIABLE}, {VARIABLE}, uint, 0600);\n"
DECLARATION = f"extern unsigned int {VARIABLE};\n"

# What the inlined versions of a function cannot be.
QUALIFIERS = re.compile(r"\b(?:static|STATIC|extern|inline|__always_inline|noinline\w*|__weak)\b\s*")


class NotSwitchable(Exception):
    """This change takes a kernel of its own. str() says why."""


@dataclass(frozen=True)
class Function:
    """The text of a function, and the line that it begins in."""

    head: str
    body: str
    line: int

    @property
    def _split(self) -> tuple[str, str, str]:
        """What is before its name, the name, and the rest of the head."""
        found = re.match(r"([^(]*?)(\w+)\s*(\(.*)", self.head, re.S)
        if not found or not found[1].strip():
            raise NotSwitchable(f"what kind of a function is {self.head.split('(')[0].strip()}?")
        return found.groups()

    @property
    def name(self) -> str:
        return self._split[1]

    def arguments(self) -> list[str]:
        """The names of its parameters."""
        _, name, rest = self._split
        depth, parts = 0, [""]
        for at, char in enumerate(rest):
            depth += (char == "(") - (char == ")")
            if not depth:
                break
            if char == "," and depth == 1:
                parts.append("")
            else:
                parts[-1] += char
        parts[0] = parts[0].removeprefix("(")
        if [part.strip() for part in parts] == ["void"]:
            return []
        names = [re.search(r"\(\s*\*?\s*(\w+)\s*\)\s*\(|(\w+)\s*(?:\[\w*\]\s*)*$", part.strip())
                 for part in parts]
        if not all(names) or "(" in rest[at:]:
            raise NotSwitchable(f"the parameters of {name} cannot be passed on")
        return [found[1] or found[2] for found in names]

    def version(self, name: str, file: str) -> str:
        """It under another @name, inlined where that is called."""
        before, _, rest = self._split
        return (f'#line {self.line} "{file}"\n'
                f"static __always_inline {QUALIFIERS.sub('', before)}{name}{rest}{self.body}")


Parts = dict[int, Function]     # by their place among the parts of a file


def functions(text: str) -> Iterator[str | Function]:
    """The parts of a source file: functions, and what is between them."""
    lines = text.splitlines(keepends=True)
    begin = at = 0
    while at < len(lines):
        if lines[at].rstrip() != "{":
            at += 1
            continue
        head = at
        while head > begin and not re.match(r"\s*$|[#}/]|.*(;|\*/)\s*$", lines[head - 1]):
            head -= 1
        end = next((n for n in range(at, len(lines)) if lines[n].startswith("}")), len(lines) - 1)
        yield "".join(lines[begin:head])
        yield Function("".join(lines[head:at]), "".join(lines[at:end + 1]), head + 1)
        begin = at = end + 1
    yield "".join(lines[begin:])


def changed(before: str, after: str) -> Parts:
    """Which parts of @before are other functions in @after. NotSwitchable if more is."""
    old, new = list(functions(before)), list(functions(after))
    if len(old) != len(new):
        raise NotSwitchable("it adds or removes functions")
    found: Parts = {}
    for at, (one, other) in enumerate(zip(old, new)):
        if isinstance(one, str) or isinstance(other, str):
            if one != other:
                raise NotSwitchable("it changes more than functions")
        elif one.head != other.head:
            raise NotSwitchable("it changes the head of a function")
        elif one.body != other.body:
            found[at] = other
            other.arguments()
    return found


def merged(file: str, before: str, versions: Mapping[int, Parts]) -> str:
    """The source @file, which was @before, with all @versions: by change, by part."""
    text = [DECLARATION, f'#line 1 "{file}"\n']
    for at, part in enumerate(functions(before)):
        others = {number: parts[at] for number, parts in versions.items() if at in parts}
        if isinstance(part, str) or not others:
            text.append(part if isinstance(part, str) else part.head + part.body)
            continue
        name, passed = part.name, ", ".join(part.arguments())
        text += [part.version(f"{name}__unchanged", file),
                 *(other.version(f"{name}__{number}", file) for number, other in others.items()),
                 f'#line {part.line} "{file}"\n', part.head, "{\n",
                 *(f"\tif ({VARIABLE} == {number})\n\t\treturn {name}__{number}({passed});\n"
                   for number in others),
                 f"\treturn {name}__unchanged({passed});\n}}\n",
                 f'#line {part.line + (part.head + part.body).count(chr(10))} "{file}"\n']
    return "".join(text)
