# SPDX-License-Identifier: GPL-2.0
"""Who uses whom, and whether that goes round in circles, among files and among folders."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

Graph = dict[str, set[str]]     # by name, the names of those that it uses


def objects(root: Path) -> Graph:
    """The object files below @root: one uses another that defines a symbol it does not."""
    home: dict[str, str] = {}
    wanted: Graph = {}
    for file in sorted(root.rglob("*.o")):
        name = str(file.relative_to(root).with_suffix(""))
        if name.startswith("without/"):     # stands in for libraries that are missing
            continue
        wanted[name] = set()
        symbols = subprocess.run(["nm", "-g", file], capture_output=True, text=True, check=True)
        for *_, kind, symbol in map(str.split, symbols.stdout.splitlines()):
            if kind == "U":
                wanted[name].add(symbol)
            else:
                home.setdefault(symbol, name)
    return {name: {home[symbol] for symbol in symbols if symbol in home} - {name}
            for name, symbols in wanted.items()}


def imports(root: Path, package: str) -> Graph:
    """The modules of a Python package below @root, without the __init__ of any."""
    files = {".".join(path.relative_to(root).with_suffix("").parts): path
             for path in (root / package).rglob("*.py") if path.stem != "__init__"}
    graph: Graph = {}
    for name, path in files.items():
        graph[name] = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                base = name.split(".")[:-node.level] if node.level else []
                base += node.module.split(".") if node.module else []
                used = {".".join(base), *(".".join([*base, alias.name]) for alias in node.names)}
                graph[name] |= used & files.keys()
    return graph


def folders(graph: Graph) -> Graph:
    """The same of the folders (packages) that files (modules) are in."""
    def folder(name: str) -> str:
        return name.replace(".", "/").rpartition("/")[0]

    among: Graph = {folder(name): set() for name in graph}
    for name, used in graph.items():
        among[folder(name)] |= {folder(other) for other in used} - {folder(name)}
    return among


def circles(graph: Graph) -> Iterator[list[str]]:
    """The members of each circle, or of circles that have members in common."""
    reached = {name: set(used) for name, used in graph.items()}
    grown = True
    while grown:
        grown = False
        for others in reached.values():
            further = set().union(*(reached[other] for other in others)) - others
            others |= further
            grown |= bool(further)
    for name, others in reached.items():
        members = sorted(other for other in others if name in reached[other])
        if members and members[0] == name:
            yield members


def found(graph: Graph) -> list[str]:
    """A line on each circle of files, and on each circle of folders."""
    return [f"{what}: {' '.join(members)}" for what, level in
            (("files", graph), ("folders", folders(graph))) for members in circles(level)]
