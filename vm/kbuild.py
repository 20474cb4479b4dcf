# SPDX-License-Identifier: GPL-2.0
"""A kernel of our own: from source, small, everything built in, and patched if asked.

The source is KDIR's, or Debian's newest linux-source package. It is never
touched: what is patched and built is a copy of it, which stays, so that a later
build only compiles what has changed. Below build/kbuild:

    source-7.3      what Debian's package holds
    built-KEY/      a copy of a source, in which a configuration is built
    built-KEY/.patched  files of that copy that now differ from the source

It is called built; built:debug is one that finds errors, and built:defects/NAME and
built:fixes/NAME are patched by that file, or by those that a glob like fixes/* stands
for, one after the other. Patches are Coccinelle's semantic patches: they say which
code is meant, not on which line it is, and so apply to more than one version.
"""

import fcntl
import fnmatch
import hashlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .apt import source_package
from .errors import RunError
from .kconfig import FRAGMENTS
from .kernel import Kernel
from .suite import ROOT

CONFIG = ROOT / "vm/kbuild.config"
# On top of that: what finds errors, and makes everything slow.
DEBUG_CONFIG = ROOT / "vm/kbuild-debug.config"

PATCHED = ".patched"
COPIED = ".copied"
CONFIGURED = ".configured"      # a hash of the fragments that .config was made from


@dataclass(frozen=True)
class Patch:
    """A semantic patch; its header says what it is about."""

    path: Path
    what: str                   # the first paragraph
    fields: dict[str, str]      # "Key: value" lines, continued ones joined

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def files(self) -> list[str]:
        return self.fields["File"].split()

    @property
    def tests(self) -> list[str]:
        """Patterns of the tests that should show it, as on run_tests.sh's command line."""
        return self.fields["Test"].split()


def read_patch(path: Path) -> Patch:
    """Reads the comment that a patch begins with."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("//"):
            break
        lines.append(line[2:].strip())
    paragraphs = "\n".join(lines[1:]).strip("\n").split("\n\n")
    fields: dict[str, str] = {}
    key = ""
    for line in "\n".join(paragraphs[1:]).splitlines():
        match = re.match(r"([A-Z][a-z]+): (.*)", line)
        if match:
            key = match[1]
            fields[key] = match[2]
        elif key:
            fields[key] += " " + line
    for wanted in ("Test", "File"):
        if wanted not in fields:
            raise RunError(f"{path}: no '// {wanted}: ' line in its header")
    return Patch(path, " ".join(paragraphs[0].split()), fields)


def read_patches(kind: str) -> list[Patch]:
    """All of defects or fixes."""
    return [read_patch(path) for path in sorted((ROOT / kind).glob("*.cocci"))]


def is_built(spec: str) -> bool:
    return spec.partition(":")[0] == "built"


# Of this process: until it ends nobody else builds another kernel where guests boot this one.
_trees_in_use: list["Tree"] = []


def resolve(spec: str, build: Path) -> Kernel:
    """Builds the kernel that @spec names; see the top of this file."""
    which = spec.partition(":")[2]
    debug, patches = which == "debug", []
    if which and not debug:
        kind, _, names = which.partition("/")
        patches = [p for p in read_patches(kind) if fnmatch.fnmatch(p.name, names)]
        if not patches:
            raise RunError(f"no kernel '{spec}': there is no {which}.cocci")
    tree = Tree(build, debug)
    _trees_in_use.append(tree)
    return tree.kernel(*patches)


def run(*command: str | Path, log: Path) -> None:
    """Runs @command; its output goes to @log, of which the error shows if it fails."""
    with log.open("w", encoding="utf-8") as out:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT, check=False)
        except FileNotFoundError:
            raise RunError(f"{command[0]} is not installed: run vm/packages.sh kbuild") from None
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        cause = next((line for line in lines if "error" in line.lower()), (lines or ["?"])[-1])
        raise RunError(f"{command[0]} failed: {cause.strip()} (all of it: {log})")


class Tree:
    """The copy of a source in which one configuration is built."""

    def __init__(self, build: Path, debug: bool = False) -> None:
        self.build = build.resolve()
        self.home = self.build / "kbuild"
        self.fragments = [*FRAGMENTS, CONFIG, *([DEBUG_CONFIG] if debug else [])]
        kdir = os.environ.get("KDIR")
        self.source = (Path(kdir) if kdir else source_package(self.build, self.home)).resolve()
        key = hashlib.sha256(bytes(self.source)).hexdigest()[:8]
        self.dir = self.home / f"built-{key}{'-debug' if debug else ''}"
        self.log = self.dir.with_suffix(".log")
        self._lock = self._take_lock()
        self._copy(again=bool(kdir))
        self._configure()

    @property
    def version(self) -> str:
        return (self.dir / "include/config/kernel.release").read_text(encoding="utf-8").strip()

    def kernel(self, *patches: Patch) -> Kernel:
        """The kernel with @patches, and nothing else, applied."""
        self._apply(self.patched(*patches))
        run("make", "-C", self.dir, f"-j{os.cpu_count()}", "vmlinux", log=self.log)
        names = " and ".join(patch.name for patch in patches)
        origin = f"{self.source.name}, built here" + (f", with {names}" if names else "")
        return Kernel(self.version, self.dir / "vmlinux", [], self.dir / ".config", origin)

    def close(self) -> None:
        """Lets another run have the copy."""
        self._lock.close()

    def _take_lock(self) -> IO[str]:
        """One run at a time has the copy: until close(), or the end of the process."""
        self.home.mkdir(parents=True, exist_ok=True)
        lock = self.dir.with_suffix(".lock").open("w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another run that uses {self.dir}", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def _copy(self, again: bool) -> None:
        """Makes the copy, and if that may be of use @again, brings it up to date."""
        stamp = self.dir / COPIED
        if stamp.exists() and not again:
            return
        git = (self.source / ".git").exists()
        if (self.source / ".config").exists() and not git:
            raise RunError(f"{self.source} has been built in: make mrproper there first")
        print(f"# copying {self.source}", file=sys.stderr)
        self.dir.mkdir(exist_ok=True)
        which = ["--recursive"]
        if git:
            names = self.dir.with_suffix(".files")
            with names.open("wb") as out:
                subprocess.run(["git", "-C", self.source, "ls-files", "-z"], stdout=out, check=True)
            which = ["--from0", f"--files-from={names}"]
        # What is copied later gets the time of its copying, so that it is compiled anew.
        link = [] if stamp.exists() else [f"--link-dest={self.source}"]
        run("rsync", "-lp", "--checksum", *link, *which, f"{self.source}/", f"{self.dir}/",
            log=self.log)
        stamp.touch()

    def _configure(self) -> None:
        """tinyconfig and the fragments; each option that they want must be there then."""
        texts = [f.read_text(encoding="utf-8").replace("=m\n", "=y\n") for f in self.fragments]
        stamp, wanted = self.dir / CONFIGURED, hashlib.sha256("".join(texts).encode()).hexdigest()
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return
        run("make", "-C", self.dir, "tinyconfig", log=self.log)
        config = self.dir / ".config"
        with config.open("a", encoding="utf-8") as out:
            out.write("".join(texts))
        run("make", "-C", self.dir, "olddefconfig", log=self.log)
        have = set(config.read_text(encoding="utf-8").splitlines())
        lost = [option for option in re.findall(r"^CONFIG_\w+=y$", "".join(texts), flags=re.M)
                if option not in have]
        if lost:
            print(f"# {self.source.name} does not have {', '.join(lost)}", file=sys.stderr)
        stamp.write_text(wanted, encoding="utf-8")

    def patched(self, *patches: Patch) -> dict[str, bytes]:
        """The files that @patches change. That each changes all it names proves it applies."""
        changed: dict[str, bytes] = {}
        for patch in patches:
            for name in patch.files:
                changed[name] = self._patch(patch, name, changed.get(name))
        return changed

    def _patch(self, patch: Patch, name: str, before: bytes | None) -> bytes:
        """File @name, which now is @before (None: as in the source), with @patch."""
        source, result = self.source / name, self.dir.with_suffix(".c")
        if not source.is_file():
            raise RunError(f"{patch.name} does not apply: no {name} in {self.source.name}")
        before = before or source.read_bytes()
        result.write_bytes(before)
        run("spatch", "--very-quiet", "--no-includes", "--in-place", "--sp-file", patch.path,
            result, log=self.log)
        after = result.read_bytes()
        if after == before:
            raise RunError(f"{patch.name} does not apply: it finds nothing in {name}")
        return after

    def _apply(self, changed: dict[str, bytes]) -> None:
        """Makes the copy differ from the source in just this.

        Written anew, not linked, so that each has a time after that of its object.
        """
        note = self.dir / PATCHED
        before = note.read_text(encoding="utf-8").split() if note.exists() else []
        # All that may differ, until the end: who interrupts this loses nothing.
        note.write_text("\n".join({*before, *changed}), encoding="utf-8")
        for name in {*before, *changed}:
            path = self.dir / name
            wanted = changed.get(name) or (self.source / name).read_bytes()
            if path.read_bytes() != wanted:
                path.unlink()
                path.write_bytes(wanted)
        note.write_text("\n".join(changed), encoding="utf-8")

