# SPDX-License-Identifier: GPL-2.0
"""Packages of several Debian releases at once, without touching the machine's own apt.

Kernels, kernel sources and newer tools come from Debian packages, because
those are built, signed and archived for us. They are only unpacked, never
installed, and they come from releases that the machine does not run: so this
is an apt of our own, with its own sources, lists, status and cache, all of it
under build/apt. Its files are verified against the signatures of the Debian
archive, like those of any apt.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from .. import progress
from ..base import RunError
from ..command import child, lock
from ..errors import explain, write_text

SUITES = ("bookworm", "bookworm-backports", "trixie", "trixie-backports")
COMPONENT = "main"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
INDEX_LIFETIME = 24 * 3600      # seconds until the package index is refreshed

# The machine's configuration is read before this one: its proxies and
# credentials are wanted. Its hooks, pins and extra index files are not, and
# it may have moved or disabled the caches.
CONFIG = """\
#clear APT::Update;
#clear APT::Architectures;
#clear Acquire::IndexTargets;
APT::Architecture "{architecture}";
APT::Default-Release "";
APT::Sandbox::User "root";
Acquire::IndexTargets::deb::Packages {{
    MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
    ShortDescription "Packages";
    Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
}};
Acquire::Languages "none";
Acquire::GzipIndexes "true";
Acquire::Retries "1";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::Etc::sourcelist "{dir}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "{dir}/state";
Dir::State::lists "{dir}/lists";
Dir::State::status "{dir}/status";
Dir::Cache "{dir}/cache";
Dir::Cache::archives "archives";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "";
"""


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Runs a command and returns what it prints; RunError if it fails."""
    with child(*command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
               env={**os.environ, "LC_ALL": "C"}) as running:
        out, err = running.communicate()
    if running.returncode:
        said = [" ".join(line.split()) for line in err.splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("E: ")] or said
        raise RunError(f"{command[0]}: {errors[0].removeprefix('E: ').rstrip('.')}"
                       if errors else f"{command[0]} failed ({running.returncode})")
    return out


class Apt:
    """The private apt under build/apt."""

    def __init__(self, build: Path) -> None:
        self.build = build.resolve()
        self.dir = self.build / "apt"
        self.config = self.dir / "apt.conf"
        self.sources = self.dir / "sources.list"
        self.stamp = self.dir / "updated"

    def update(self) -> None:
        """Gets the package index unless there is one younger than a day.

        An older index is better than none: if the mirror cannot be reached,
        carry on with it and say so.
        """
        if self._fresh():
            return
        with self.scratch():
            if self._fresh():           # another run has just done it
                return
            try:
                self._configure()
                with progress.step(lambda: "refreshing the package index"):
                    self._fetch("update", "--error-on=any")
                self.stamp.touch()
            except RunError as error:
                if not self._has_index():
                    raise
                print(f"package index not refreshed, using the one there is: {error}",
                      file=sys.stderr)

    def versions(self, regex: str) -> list[tuple[str, str]]:
        """(package, version) of all packages whose whole name matches, newest first of each."""
        pattern = re.compile(regex)
        names = sorted(name for name in self._apt_cache("pkgnames").split()
                       if pattern.fullmatch(name))
        if not names:
            return []
        rows = (line.split("|") for line in self._apt_cache("madison", *names).splitlines())
        found = ((row[0].strip(), row[1].strip()) for row in rows if len(row) == 3)
        return list(dict.fromkeys(found))

    def closure(self, package: str, suite: str) -> dict[str, str]:
        """The versions of a package of @suite and of all that it depends on.

        By name, and nothing counts as installed. What @suite does not have comes
        from the others.
        """
        plan = self._apt_get("install", "--simulate", "--no-install-recommends",
                             "--target-release", suite, package)
        return dict(re.findall(r"^Inst (\S+) \((\S+) ", plan, flags=re.M))

    def unpack(self, packages: Iterable[str], dest: Path) -> None:
        """Downloads packages into scratch(), and unpacks their files into @dest.

        A package is a name or name=version. A bare name means what apt would
        install: not a backport if there is another version.
        """
        names = list(packages)
        what = names[0].partition("=")[0] + (f" and {len(names) - 1} more" if names[1:] else "")
        debs = self.dir / "scratch/debs"
        debs.mkdir()
        with progress.step(lambda: f"downloading {what}", _Share(self, names, debs)):
            self._fetch("download", *names, cwd=debs)
        dest.mkdir(parents=True, exist_ok=True)
        with progress.step(lambda: f"unpacking {what}"):
            for deb in sorted(debs.glob("*.deb")):
                run("dpkg-deb", "-x", deb, dest)

    def sizes(self, packages: Iterable[str]) -> list[int]:
        """How many bytes each of these is to download."""
        uris = self._apt_get("download", "--print-uris", *packages)
        return [int(line.split()[2]) for line in uris.splitlines() if line.startswith("'")]

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty directory on the filesystem of build/, for one run at a time.

        Something is built here and renamed into its place when it is whole, so
        that an interrupted run leaves nothing half-done. What a killed run left
        here is removed by the next one.
        """
        try:
            self.dir.mkdir(parents=True, exist_ok=True)
            held = lock(self.dir / "lock", self.dir)
        except OSError as error:
            raise RunError(f"cannot write to {explain(error)}") from error
        with held:
            work = self.dir / "scratch"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def _fresh(self) -> bool:
        """Is the index young enough, and from the mirror and for the directory in use?"""
        wanted = os.environ.get("DEBIAN_MIRROR")
        try:
            return (time.time() - self.stamp.stat().st_mtime < INDEX_LIFETIME
                    and f'"{self.dir}/lists"' in self.config.read_text()
                    and (not wanted or wanted in self.sources.read_text().split()))
        except FileNotFoundError:
            return False

    def _has_index(self) -> bool:
        try:
            return bool(self._apt_get("indextargets"))
        except RunError:
            return False

    def _configure(self) -> None:
        """Writes the configuration, and the sources for the mirror in use."""
        if not KEYRING.exists():
            raise RunError(f"no {KEYRING}: run vm/packages.sh")
        for name in ("state", "lists/partial", "cache/archives/partial"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        (self.dir / "status").touch()
        architecture = run("dpkg", "--print-architecture").strip()
        write_text(self.config, CONFIG.format(dir=self.dir, architecture=architecture))
        mirror = os.environ.get("DEBIAN_MIRROR") or self._host_mirror()
        sources = "".join(f"deb [signed-by={KEYRING}] {mirror} {suite} {COMPONENT}\n"
                          for suite in SUITES)
        if not self.sources.exists() or self.sources.read_text() != sources:
            self.stamp.unlink(missing_ok=True)      # that was another mirror's index
            write_text(self.sources, sources)

    def _host_mirror(self) -> str:
        """The site from which this machine gets the packages of Debian itself.

        apt knows what a site is only once it has its index. Where the
        machine's apt has none, get it, but not into the machine's lists.
        """
        fields = ("indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(SITE)")
        host = ("-o", "Dir::Etc::sourcelist=/etc/apt/sources.list",
                "-o", "Dir::Etc::sourceparts=/etc/apt/sources.list.d",
                "-o", f"Dir::State::lists={self.dir}/scratch/lists")
        targets = run("apt-get", *fields)
        if not targets:
            (self.dir / "scratch/lists/partial").mkdir(parents=True)
            with contextlib.suppress(RunError):
                self._apt_get("update", *host)
            targets = self._apt_get(*fields, *host)
        for target in targets.splitlines():
            origin, label, component, site = target.split("|")
            if (origin, label, component) == ("Debian", "Debian", COMPONENT):
                return site
        raise RunError("this machine's apt knows no Debian mirror: set DEBIAN_MIRROR=URL")

    def _fetch(self, *words: str, cwd: Path | None = None) -> None:
        try:
            self._apt_get(*words, cwd=cwd)
        except RunError as error:
            raise RunError(f"{error}; check the network or set DEBIAN_MIRROR=URL") from error

    def _apt_get(self, *words: str, cwd: Path | None = None) -> str:
        return run("apt-get", "-q", "-c", self.config, *words, cwd=cwd)

    def _apt_cache(self, *words: str) -> str:
        return run("apt-cache", "-q", "-c", self.config, *words)


class _Share:
    """How much of @packages is in the directory @debs already."""

    def __init__(self, apt: Apt, packages: list[str], debs: Path) -> None:
        self._apt, self._packages, self._debs = apt, packages, debs
        self._total = 0

    def __call__(self) -> float | None:
        # A progress that cannot be told must not end what it is about.
        with contextlib.suppress(RunError, OSError, ValueError, IndexError):
            self._total = self._total or sum(self._apt.sizes(self._packages))
            there = sum(path.stat().st_size for path in self._debs.iterdir())
            return min(there / self._total, 1.0) if self._total else None
        return None
