# SPDX-License-Identifier: GPL-2.0
"""A small kernel built from source, without modules, and patched if asked.

The source is KDIR's, or Debian's newest linux-source package. It is never touched:
what is patched and built is a copy of it, which stays, so that a later build only
compiles what has changed. Below build/kbuild:

    source-7.3      what Debian's package holds
    built-KEY/      a copy of a source, in which a configuration is built
    built-KEY/.patched  files of that copy that now differ from the source
    built-KEY.files     what of a git tree has been copied
"""

import contextlib
import fnmatch
import hashlib
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from .. import progress
from ..base import ROOT, KernelError, RunError
from ..command import lock, logged
from ..errors import about, write_text
from . import switches
from .image import FRAGMENTS, Kernel, enabled_in, required
from .patches import Patch, read_patches
from .source import newest

CONFIG = ROOT / "vm/kbuild.config"
# Added to that for a kernel that finds errors, and is slow.
DEBUG_CONFIG = ROOT / "vm/kbuild-debug.config"

PATCHED = ".patched"
COPIED = ".copied"
# A hash of what .config was made from, then the options that it lacks.
CONFIGURED = ".configured"
# Without this QEMU does not start a vmlinux.
BOOT_OPTIONS = ["CONFIG_PVH"]
# A build that fails like this says nothing about the kernel.
MACHINE_FAILED = re.compile(r"No space left on device|Cannot allocate memory|Killed signal|"
                            r"is not installed|compiler '.*' not found")


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


def identity(source: Path) -> str:
    """What tells trees of the same name apart."""
    return hashlib.sha256(bytes(source)).hexdigest()[:8]


@contextlib.contextmanager
def _kernel_is_to_blame() -> Iterator[None]:
    try:
        yield
    except RunError as error:
        if MACHINE_FAILED.search(str(error)):
            raise
        raise KernelError(str(error)) from error


class Tree:
    """The copy of a source in which one configuration is built.

    The source is @source; without one, KDIR's or Debian's.
    """

    def __init__(self, build: Path, debug: bool = False, source: Path | None = None) -> None:
        check_place(build)
        self.build = build.resolve()
        self.home = self.build / "kbuild"
        self.fragments = [*FRAGMENTS, CONFIG, *([DEBUG_CONFIG] if debug else [])]
        given = source or os.environ.get("KDIR")
        self.source = Path(given or newest(self.build, self.home, "source-")).resolve()
        self.dir = self.home / f"built-{identity(self.source)}{'-debug' if debug else ''}"
        self.log = self.dir.with_suffix(".log")
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = lock(self.dir.with_suffix(".lock"), self.dir)
        self._copy(again=bool(given))
        with _kernel_is_to_blame():
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
        self._check_options()
        self._apply(changed)
        # Each build keeps all processors busy by itself.
        with (lock(self.home / "make.lock", self.home), progress.step(self._compiled),
              _kernel_is_to_blame()):
            logged("make", "-C", self.dir, f"-j{os.cpu_count()}", "vmlinux", log=self.log)
        version = (self.dir / "include/config/kernel.release").read_text(encoding="utf-8").strip()
        origin = f"{self.source.name}, built here" + (f", with {names}" if names else "")
        return Kernel(version, self.dir / "vmlinux", [], self.dir / ".config", origin, self._lock)

    def _check_options(self) -> None:
        """KernelError if it cannot run the suite, which is known before it is built."""
        enabled = enabled_in((self.dir / ".config").read_text(encoding="utf-8"))
        if lost := [option for option in required() + BOOT_OPTIONS if option not in enabled]:
            raise KernelError(f"{self.source.name} cannot run the suite: its source does not have "
                              f"{', '.join(lost)}, or not as configured here")

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
        if not stamp.exists():
            print(f"# copying {self.source}", file=sys.stderr)
        self.dir.mkdir(exist_ok=True)
        which = ["--recursive"]
        if git:
            which = ["--from0", f"--files-from={self._tracked()}"]
        # Files that are copied later get the current time, so that they are compiled anew.
        link = [] if stamp.exists() else [f"--link-dest={self.source}"]
        with progress.step(lambda: f"copying {self.source.name}"):
            logged("rsync", "-lp", "--checksum", *link, *which, f"{self.source}/", f"{self.dir}/",
                   log=self.log)
        stamp.touch()

    def _tracked(self) -> Path:
        """A list of the files in git. The copy is rid of those that were there, and are not now."""
        names = self.dir.with_suffix(".files")
        before = names.read_bytes().split(b"\0") if names.exists() else []
        new = names.with_suffix(".new")
        logged("git", "-C", self.source, "ls-files", "-z", log=new)
        for name in set(before) - set(new.read_bytes().split(b"\0")):
            (self.dir / os.fsdecode(name)).unlink(missing_ok=True)
        return new.rename(names)

    def _configure(self) -> None:
        """Configures it: tinyconfig and the fragments. Tells which of their options it lacks.

        Once more if it has become another version, which may have other options.
        """
        texts = [f.read_text(encoding="utf-8").replace("=m\n", "=y\n") for f in self.fragments]
        made_from = hashlib.sha256("".join(texts).encode())
        for path in self._kconfigs():
            made_from.update(path.read_bytes())
        stamp, wanted = self.dir / CONFIGURED, made_from.hexdigest()
        before, *told = stamp.read_text(encoding="utf-8").split("\n") if stamp.is_file() else [""]
        if before == wanted:
            return
        logged("make", "-C", self.dir, "tinyconfig", log=self.log)
        config = self.dir / ".config"
        with about(config), config.open("a", encoding="utf-8") as out:
            out.write("".join(texts))
        logged("make", "-C", self.dir, "olddefconfig", log=self.log)
        have = set(config.read_text(encoding="utf-8").splitlines())
        lost = [option for option in re.findall(r"^CONFIG_\w+=y$", "".join(texts), flags=re.M)
                if option not in have]
        if lost and lost != told:
            print(f"# {self.source.name} does not have {', '.join(lost)}", file=sys.stderr)
        write_text(stamp, "\n".join([wanted, *lost]))

    def _kconfigs(self) -> list[Path]:
        return sorted(Path(directory, name) for directory, _, names in os.walk(self.dir)
                      for name in names if name.startswith("Kconfig"))

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
            path, origin = self.dir / name, self.source / name
            if not origin.exists():     # this version does not have it
                continue
            wanted = changed.get(name) or origin.read_bytes()
            if path.read_bytes() != wanted:
                path.unlink()
                with about(path):
                    path.write_bytes(wanted)
        write_text(note, "\n".join(changed))
