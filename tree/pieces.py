# SPDX-License-Identifier: GPL-2.0
"""A C file in pieces: what stands at its top level, and members, flags and initializers.

This is no parser of C. It relies on the kernel's style, which checkpatch enforces.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'')
TAG = re.compile(r"\b(?:struct|enum|union)\s+(\w+)")
HAS = re.compile(r"(?:->|\.)\s*([A-Za-z_]\w*)")     # x->name, x.name, .name = x
TEST = re.compile(r"\bTEST_F\(\w+, \w+\)")
NAME = re.compile(r"(?<![\w.])[A-Za-z_]\w*")
GUARD = re.compile(r"#ifndef (\w+_H)\n#define \1\n")
ROW = re.compile(r"ROW\((\w+), (struct \w+), (\w+)\)")
INCLUDE = re.compile(r'#include "([^"]+)"')
# A member of a structure that is passed to the kernel.
FIXED = re.compile(r"\s*__[a-z]+\d+\s")
ATTRIBUTES = re.compile(r"__attribute__\(\(.*?\)\)|__printf\([\d, ]+\)")


def blank(text: str) -> str:
    """@text with spaces in place of comments and of what is in quotes."""
    def spaces(match: re.Match) -> str:
        return re.sub(r"[^\n\\]", " ", match[0])
    return STRING.sub(spaces, COMMENT.sub(spaces, text))


def names(code: str) -> set[str]:
    """What @code refers to: "name", "struct name", ".member"."""
    found = {f"struct {tag}" for tag in TAG.findall(code)}
    found |= {f".{member}" for member in HAS.findall(code)}
    code = TAG.sub(" ", TEST.sub(" ", code)).replace("->", ".")
    return found | {match[0] for match in NAME.finditer(code)}


@dataclass(eq=False)
class Piece:
    """Lines that are in a step together, or not at all."""

    text: str
    defines: set[str] = field(default_factory=set)
    local: bool = False         # no other file knows what it defines
    row: str = ""               # "TABLE.ROW", if it is one
    type: str = ""              # the row's: "struct NAME"
    always: bool = False        # part of every form of its file
    include: str = ""           # a header of the suite
    parts: list["Piece"] = field(default_factory=list)      # what can be left out of it

    @functools.cache
    def uses(self) -> set[str]:
        """What it refers to, apart from its parts."""
        text = self.text
        for part in self.parts:
            text = text.replace(part.text, "", 1)
        return names(blank(text)) - self.defines


def _ends(code: str, rest: str) -> bool:
    """Does a line of @code end a piece, outside of all brackets?"""
    if code.startswith("#") or code.endswith((";", "}")):
        return True
    return code.endswith(")") and not rest.lstrip().startswith("{")


def cut(text: str) -> list[str]:
    """The text of the pieces. Comments and blank lines belong to what follows."""
    guard = GUARD.search(text)
    lines, found = text.splitlines(keepends=True), []
    codes = blank(text).splitlines(keepends=True)
    start = depth = conditions = 0
    macro = False
    for i, line in enumerate(codes):
        code = line.rstrip()
        was_macro, macro = macro, (macro or code.startswith("#")) and code.endswith("\\")
        is_guard = guard and (code.endswith(f" {guard[1]}") or i == len(codes) - 1)
        if code.startswith("#if") and not is_guard:
            conditions += 1
        elif code.startswith("#endif") and not is_guard:
            conditions -= 1
        if not was_macro and not code.startswith("#"):
            depth += sum(map(code.count, "({[")) - sum(map(code.count, ")}]"))
        if depth or conditions or macro or not (code.strip() or was_macro):
            continue
        if was_macro or _ends(code, "".join(codes[i + 1:i + 3])):
            found.append("".join(lines[start:i + 1]))
            start = i + 1
    return found + (["".join(lines[start:])] if start < len(lines) else [])


def _defined(code: str) -> set[str]:
    """What a piece defines or declares."""
    if macros := re.findall(r"^#define (\w+)", code, re.M):
        return set(macros)
    head = ATTRIBUTES.sub("", code).split("{")[0]
    if head.strip() == "enum":
        return set()
    if match := re.match(r"\s*(?:struct|enum|union) (\w+)\s*;?\s*$", head):
        return {f"struct {match[1]}"}
    if match := re.match(r"\s*ROWS\((\w+)", head):
        return {f"{match[1]}_rows"}
    if match := re.search(r"(\w+)\(", head.split("=")[0]):
        return set() if match[1].isupper() else {match[1]}
    match = re.search(r"(\w+)\s*(?:\[[^]]*\]\s*)*\s*(?:=|;|,|$)", head)
    return {match[1]} if match else set()


def _declared(member: str) -> set[str]:
    """The names of a structure's @member, which may be several: int a, *b;"""
    if match := re.findall(r"\(\*(\w+)\)", member):
        return {f".{match[0]}"}
    member = re.sub(r"\{.*\}", "", member, flags=re.S)
    return {f".{name}" for name in re.findall(r"(\w+)\s*(?:\[[^]]*\])*\s*(?=[,;])", member)}


def _items(text: str, end: str) -> list[str]:
    """What is between the outer braces of @text, cut at lines that end with @end there."""
    codes, lines = blank(text).splitlines(), text.splitlines(keepends=True)
    found, current, depth = [], [], 0
    for code, line in zip(codes, lines, strict=True):
        inside = depth == 1
        depth += sum(map(code.count, "({[")) - sum(map(code.count, ")}]"))
        if depth < 1 or (not inside and not current):
            continue
        current.append(line)
        if depth == 1 and code.rstrip().endswith(end):
            found.append("".join(current))
            current = []
    return found


def _parts(path: str, piece: Piece, code: str) -> list[Piece]:
    if piece.row:
        return [Piece(item, {f".{match[1]}"}, local=True) for item in _items(piece.text, ",")
                if (match := re.match(r"\s*\.(\w+)", blank(item)))]
    if re.match(r"\s*struct \w+ \{", code):
        members = _items(piece.text, ";")
        which = any if path.endswith(".c") else all
        if which(FIXED.match(blank(member)) for member in members):
            return []           # the kernel knows how it is laid out
        return [Piece(member, _declared(blank(member))) for member in members]
    if re.match(r"\s*enum \w+ \{", code):
        return [Piece(item, {match[1]}) for item in _items(piece.text, ",")
                if (match := re.match(r"\s*(\w+)\s*= 1 << ", blank(item)))]
    return []


@functools.cache
def pieces(path: str, text: str) -> tuple[Piece, ...]:
    """The file @path in pieces, whose texts together are @text."""
    found = []
    for words in cut(text):
        code = blank(words)
        piece = Piece(words)
        if match := INCLUDE.search(words):
            piece.include = match[1]
        if match := ROW.search(code):
            piece.row, piece.type = f"{match[1]}.{match[3]}", match[2]
        elif re.match(r"\s*#(include|endif)|\s*$", code) or GUARD.match(code.lstrip() + "\n"):
            piece.always = True
        else:
            piece.defines = _defined(code)
            if re.match(r"\s*enum", code):
                piece.defines |= set(re.findall(r"^\s*(\w+)\s*(?:=[^;{]*?)?(?:,|$)", code, re.M))
        piece.always |= bool(re.match(r"\s*#(ifndef|define) \w+_H\s*$", code))
        piece.local = path.endswith(".c") and bool(
            re.match(r"\s*(static|#define|struct \w+ \{|enum \w* ?\{)", code))
        piece.parts = _parts(path, piece, code)
        for part in piece.parts:
            piece.defines -= part.defines
        found.append(piece)
    return tuple(found)


def _head(piece: Piece) -> tuple[str, str]:
    """The comment at the beginning of a file, and what follows."""
    match = re.match(r"(?s)(.*?)(?=^#)", piece.text, flags=re.M)
    return (match[1], piece.text[match.end():]) if match else ("", piece.text)


def merge(path: str, final: Sequence[Piece], early: str) -> Sequence[Piece]:
    """The pieces of a file that has an @early form, of which only what differs is given.

    What has no counterpart in the final form comes before the next piece that has one. A
    test program has an early form as a whole.
    """
    if not final or "/" not in path:
        return pieces(path, early)
    head, _, body = early.partition("#include")
    if not body:
        head, _, body = early.partition("#ifndef")
    whole, new = list(final), list[Piece]()
    if body and head.count("\n") > 1 and early.startswith(head) and whole[0].always:
        whole[0] = Piece(head + _head(whole[0])[1], always=True)
    for piece in pieces(path, early.partition("\n")[2]):
        if piece.always:
            _include(whole, piece.text)
            continue
        at = next((i for i, old in enumerate(whole) if old.defines & piece.defines or
                   (piece.row and old.row == piece.row)), None)
        if at is None:
            new.append(_apart(piece))
        else:
            whole[at:at + 1] = [*new, _apart(piece) if new or whole[at].text[:1] == "\n" else piece]
            new = []
    end = len(whole) - whole[-1].always
    whole[end:end] = new
    return whole


def _include(whole: list[Piece], text: str) -> None:
    """Adds the #include that @text ends with, unless it is there."""
    line = text[text.rindex("\n", 0, -1) + 1:] if text.count("\n") > 1 else text
    if line.startswith("#include") and not any(line in piece.text for piece in whole):
        whole.insert(1, Piece(line, always=True, include=(INCLUDE.findall(line) or [""])[0]))


def _apart(piece: Piece) -> Piece:
    """@piece, with an empty line before it."""
    return piece if piece.text.startswith("\n") else replace(piece, text="\n" + piece.text)
