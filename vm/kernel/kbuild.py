# SPDX-License-Identifier: GPL-2.0
"""A small kernel built from source, without modules, and patched if asked.

The source is KDIR's, or Debian's newest linux-source package. It is never touched:
what is patched and built is a copy of it, which stays, so that a later build only
compiles what has changed. Below build/kbuild:

    source-7.3      what Debian's package holds
    built-KEY/      a copy of a source, in which a configuration is built
    built-KEY/.patched  files of that copy that now differ from the source

Patches are Coccinelle's: they say which code is meant, not on which line it is, and so
apply to more than one version. Those of defects/ break a kernel, those of fixes/ mend it.
"""

import fnmatch
import hashlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from .. import progress
from ..base import ROOT, RunError
from ..command import lock, logged
from ..errors import about, write_text
from . import source, switches
from .image import FRAGMENTS, Kernel

CONFIG = ROOT / "vm/kbuild.config"
# Added to that for a kernel that finds errors, and is slow.
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
    """Reads the comment that a patch begins with, but for the licence in its first line."""
    comment = re.match(r"(?://.*\n)*", path.read_text(encoding="utf-8"))[0].partition("\n")[2]
    what, *parts = re.split(r"^([A-Z][a-z]+): ", re.sub(r"^// *", "", comment, flags=re.M),
                            flags=re.M)
    fields = {key: " ".join(value.split()) for key, value in zip(parts[::2], parts[1::2])}
    for wanted in ("Test", "File"):
        if wanted not in fields:
            raise RunError(f"{path}: no '// {wanted}: ' line in its header")
    return Patch(path, " ".join(what.split("\n\n")[0].split()), fields)


def read_patches(directory: str) -> list[Patch]:
    """All of defects or fixes."""
    return [read_patch(path) for path in sorted((ROOT / directory).glob("*.cocci"))]


def kernel(what: str, build: Path) -> Kernel:
    """Builds the kernel that --kernel built:@what means.

    No other one is built in its place while its lock is open.
    """
    directory, _, names = what.partition("/")
    patches = [p for p in read_patches(directory) if fnmatch.fnmatch(p.name, names)]
    if names and not patches:
        raise RunError(f"no kernel 'built:{what}': there is no {what}.cocci")
    return Tree(build, debug=what == "debug").kernel(*patches)


def check_place(build: Path) -> None:
    """RunError if the kernel's makefiles do not work there."""
    if re.search(r"[\s:]", str(build.resolve())):
        raise RunError(f"no kernel can be built below {build}: its makefiles take no path with a "
                       "space or colon; move this checkout")


class Tree:
    """The copy of a source in which one configuration is built."""

    def __init__(self, build: Path, debug: bool = False) -> None:
        check_place(build)
        self.build = build.resolve()
        self.home = self.build / "kbuild"
        self.fragments = [*FRAGMENTS, CONFIG, *([DEBUG_CONFIG] if debug else [])]
        kdir = os.environ.get("KDIR")
        given = Path(kdir) if kdir else source.newest(self.build, self.home, "source-")
        self.source = given.resolve()
        key = hashlib.sha256(bytes(self.source)).hexdigest()[:8]
        self.dir = self.home / f"built-{key}{'-debug' if debug else ''}"
        self.log = self.dir.with_suffix(".log")
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = lock(self.dir.with_suffix(".lock"), self.dir)
        self._copy(again=bool(kdir))
        self._configure()

    def kernel(self, *patches: Patch) -> Kernel:
        """The kernel with @patches, and nothing else, applied."""
        return self._make(self.patched(*patches), " and ".join(patch.name for patch in patches))

    def choices(self, patches: Iterable[Patch]) -> dict[str, Kernel]:
        """One image that has all of @patches, for guests that choose one: see switches.py.

        By the name of a patch, the kernel with it; by "" without any. What is not there cannot
        be chosen like this: it does not apply, or not within functions.
        """
        versions: dict[str, dict[int, switches.Parts]] = {}
        numbers = {"": 0}
        for number, patch in enumerate(patches, 1):
            try:
                parts = {name: switches.changed(self._source(name), after.decode())
                         for name, after in self.patched(patch).items()}
            except (RunError, switches.NotSwitchable):
                continue
            numbers[patch.name] = number
            for name, part in parts.items():
                versions.setdefault(name, {})[number] = part
        texts = {name: switches.merged(name, self._source(name), each)
                 for name, each in versions.items()}
        texts[switches.HOME] = (texts.get(switches.HOME) or self._source(switches.HOME)
                                ) + switches.DEFINITION
        kernel = self._make({name: text.encode() for name, text in texts.items()}, "")
        return {name: replace(kernel, orders=(f"write {switches.PARAMETER} {number}",),
                              origin=f"{kernel.origin}, with {name or 'no patch'}")
                for name, number in numbers.items()}

    def _make(self, changed: dict[str, bytes], names: str) -> Kernel:
        """The kernel whose source differs in the files @changed, by patches called @names."""
        self._apply(changed)
        with progress.step(self._compiled):
            logged("make", "-C", self.dir, f"-j{os.cpu_count()}", "vmlinux", log=self.log)
        version = (self.dir / "include/config/kernel.release").read_text(encoding="utf-8").strip()
        origin = f"{self.source.name}, built here" + (f", with {names}" if names else "")
        return Kernel(version, self.dir / "vmlinux", [], self.dir / ".config", origin, self._lock)

    def _source(self, name: str) -> str:
        return (self.source / name).read_text(encoding="utf-8")

    def _compiled(self) -> str:
        """How far make has come. Nobody knows how much there is to do before it is done."""
        try:
            done = self.log.read_bytes().count(b"\n  CC ")
        except OSError:
            done = 0
        return f"building {self.source.name}: {done} files compiled"

    def close(self) -> None:
        """Lets another run have the copy, as the end of the process does."""
        self._lock.close()

    def _copy(self, again: bool) -> None:
        """Makes the copy. @again: the source may have changed since it was made."""
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
            logged("git", "-C", self.source, "ls-files", "-z", log=names)
            which = ["--from0", f"--files-from={names}"]
        # Files that are copied later get the current time, so that they are compiled anew.
        link = [] if stamp.exists() else [f"--link-dest={self.source}"]
        with progress.step(lambda: f"copying {self.source.name}"):
            logged("rsync", "-lp", "--checksum", *link, *which, f"{self.source}/", f"{self.dir}/",
                   log=self.log)
        stamp.touch()

    def _configure(self) -> None:
        """Configures it: tinyconfig and the fragments. Tells which of their options it lacks."""
        texts = [f.read_text(encoding="utf-8").replace("=m\n", "=y\n") for f in self.fragments]
        stamp, wanted = self.dir / CONFIGURED, hashlib.sha256("".join(texts).encode()).hexdigest()
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return
        logged("make", "-C", self.dir, "tinyconfig", log=self.log)
        config = self.dir / ".config"
        with about(config), config.open("a", encoding="utf-8") as out:
            out.write("".join(texts))
        logged("make", "-C", self.dir, "olddefconfig", log=self.log)
        have = set(config.read_text(encoding="utf-8").splitlines())
        lost = [option for option in re.findall(r"^CONFIG_\w+=y$", "".join(texts), flags=re.M)
                if option not in have]
        if lost:
            print(f"# {self.source.name} does not have {', '.join(lost)}", file=sys.stderr)
        write_text(stamp, wanted)

    def patched(self, *patches: Patch) -> dict[str, bytes]:
        """The files that @patches change. RunError if one does not change all that it names."""
        changed: dict[str, bytes] = {}
        for patch in patches:
            for name in patch.files:
                changed[name] = self._patch(patch, name, changed.get(name))
        return changed

    def _patch(self, patch: Patch, name: str, before: bytes | None) -> bytes:
        """The file @name with @patch, from @before or, if that is None, from the source."""
        source, result = self.source / name, self.dir.with_suffix(".c")
        if not source.is_file():
            raise RunError(f"{patch.name} does not apply: no {name} in {self.source.name}")
        before = before or source.read_bytes()
        with about(result):
            result.write_bytes(before)
        logged("spatch", "--very-quiet", "--no-includes", "--in-place", "--sp-file", patch.path,
            result, log=self.log)
        after = result.read_bytes()
        if after == before:
            raise RunError(f"{patch.name} does not apply: it finds nothing in {name}")
        return after

    def _apply(self, changed: dict[str, bytes]) -> None:
        """Makes the copy differ from the source in just the files @changed.

        Written anew, not linked, so that each has a time after that of its object.
        """
        note = self.dir / PATCHED
        before = note.read_text(encoding="utf-8").split() if note.exists() else []
        # Names all that may differ until this is done, in case it is interrupted.
        write_text(note, "\n".join({*before, *changed}))
        for name in {*before, *changed}:
            path = self.dir / name
            wanted = changed.get(name) or (self.source / name).read_bytes()
            if path.read_bytes() != wanted:
                path.unlink()
                with about(path):
                    path.write_bytes(wanted)
        write_text(note, "\n".join(changed))
