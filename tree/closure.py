# SPDX-License-Identifier: GPL-2.0
"""What some pieces of the suite need of the others: functions, structures and their members."""

import fnmatch
import os
import re
from collections import defaultdict
from collections.abc import Sequence

from .pieces import Piece

Kept = set[Piece]

# The empty line and the comment before a paragraph.
LEAD = re.compile(r"\n+(?:/\*.*?\*/\n)?", re.S)


class Suite:
    """C files in pieces, and where everything is defined."""

    def __init__(self, files: dict[str, Sequence[Piece]]):
        self.files = files
        self._all: dict[str, list[Piece]] = defaultdict(list)
        self._local: dict[tuple[str, str], list[Piece]] = defaultdict(list)
        self.path: dict[Piece, str] = {}
        self._whole: dict[Piece, Piece] = {}        # of parts
        for path, of_file in files.items():
            for piece in of_file:
                self._enter(path, piece, piece.local or "/" not in path)
                for part in piece.parts:
                    self._whole[part] = piece
                    self._enter(path, part, part.local or piece.local or "/" not in path)

    def _enter(self, path: str, piece: Piece, local: bool) -> None:
        self.path[piece] = path
        for name in piece.defines:
            if local:
                self._local[path, name].append(piece)
            else:
                self._all[name].append(piece)

    def find(self, path: str, name: str) -> list[Piece]:
        """What @name means in the file @path."""
        return self._local.get((path, name)) or self._all.get(name, [])

    def roots(self, pattern: str) -> Kept:
        """The pieces that @pattern names: of files, or a row, as TABLE.ROW."""
        found = {piece for path, of_file in self.files.items() for piece in of_file
                 if fnmatch.fnmatchcase(path, pattern) or
                 (piece.row and fnmatch.fnmatchcase(piece.row, pattern))}
        if not found:
            raise ValueError(f"{pattern}: neither a file of the suite nor a row")
        return found

    def needs(self, roots: Kept) -> Kept:
        """@roots, and all that they need: pieces, and parts of these."""
        kept: Kept = set()
        members: set[str] = set()
        queue = set(roots)
        while queue:
            kept |= queue
            found: Kept = set()
            for piece in queue:
                # A definition also needs its own declaration.
                used = piece.uses() | piece.defines
                members |= {name for name in used if name.startswith(".")}
                found.update(*(self.find(self.path[piece], name) for name in used
                               if not name.startswith(".")))
            found |= {self._whole[piece] for piece in found if piece in self._whole}
            for piece in kept | found:
                found.update(part for part in piece.parts if self._takes(piece, part, members,
                                                                         kept))
            queue = found - kept
        return kept

    def _takes(self, piece: Piece, part: Piece, members: set[str], kept: Kept) -> bool:
        if piece.row:           # what nobody asks a row for it need not say
            return any(part.defines <= member.defines and member in kept
                       for struct in self._all[piece.type] for member in struct.parts)
        return bool(part.defines & members)

    def text(self, path: str, kept: Kept) -> str:
        """The file @path with the pieces that are @kept; "" if there is none of them."""
        if not any(piece in kept and not piece.always for piece in self.files[path]):
            return ""
        found, lead = [], ""
        for piece in self.files[path]:
            if match := LEAD.match(piece.text):
                lead = match[0]         # what the pieces of a paragraph have in common
            if piece.include and self._is_missing(path, piece.include, kept):
                found.append(re.sub(r"#include .*\n", "", piece.text))
            elif piece in kept or piece.always:
                text = piece.text
                for part in piece.parts:
                    if part not in kept:
                        text = text.replace(part.text, "", 1)
                found.append(text if match or piece.always else lead + text)
                lead = ""
        return re.sub(r"\n{3,}", "\n\n", "".join(found)).rstrip("\n") + "\n"

    def _is_missing(self, path: str, header: str, kept: Kept) -> bool:
        """Is @header one of the suite's that a step has not yet?"""
        for where in ("include", "lib", path.rpartition("/")[0]):
            file = os.path.normpath(f"{where}/{header}")
            if file in self.files:
                return not any(piece in kept and not piece.always for piece in self.files[file])
        return False
