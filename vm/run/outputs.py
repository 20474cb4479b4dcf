# SPDX-License-Identifier: GPL-2.0
"""The files that a run writes for others: JSON, JUnit's XML, a page."""

import os
import platform
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from .. import command
from ..ask.request import Request
from ..base import RunError
from ..report import junit, page
from ..report.record import Record


def begun(request: Request) -> Record:
    """The record of a run that begins now."""
    host = {"name": platform.node(), "system": f"{platform.system()} {platform.release()}",
            "machine": platform.machine(), "processors": str(os.cpu_count() or 1)}
    return Record(datetime.now().astimezone().isoformat(timespec="seconds"), request.command(),
                  kernel="", host=host)


def _wanted(request: Request) -> list[tuple[Path, Callable[[Record, Path], None]]]:
    all_of_them = ((request.json, Record.write), (request.junit, junit.write),
                   (request.html, page.write))
    return [(path, write) for path, write in all_of_them if path]


def check(request: Request) -> None:
    """RunError, before a long run, if what it is to write cannot be written."""
    paths = [path.resolve() for path, _ in _wanted(request)]
    if request.ktap and str(request.ktap) != "-":
        paths.append(request.ktap.resolve())
    for path in paths:
        if paths.count(path) > 1 and path.is_file() | (not path.exists()):
            raise RunError(f"{path} cannot be two of the files to be written")
    for path, _ in _wanted(request):
        if path.is_dir():
            raise RunError(f"cannot write {path}: it is a directory")
        if not path.parent.is_dir():
            raise RunError(f"cannot write {path}: there is no directory {path.parent}")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise RunError(f"cannot write {path}: permission denied")
    if request.junit:
        try:
            junit.library()
        except RunError:
            command.install("junit", allowed=request.install)
            junit.library()


def write(run: Record, request: Request, directory: Path) -> None:
    """Writes what is wanted, and for later comparisons the record into @directory."""
    for path, writer in ((directory / "results.json", Record.write), *_wanted(request)):
        try:
            writer(run, path)
        except OSError as error:
            raise RunError(f"cannot write {path}: {error.strerror}") from None
