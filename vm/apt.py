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
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from .errors import RunError

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

# What building, running and installing a kselftest takes, and checkpatch.pl
# (with --no-tree). A directory stands for all that is in it; the * of a
# pattern does not match a slash. tools/include is left out on purpose: without
# "make headers" its headers do not fit those of the C library.
SOURCE_MEMBERS = (
    "Makefile",                         # names the version
    "scripts/checkpatch.pl",
    "scripts/const_structs.checkpatch",
    "scripts/spelling.txt",
    "scripts/subarch.include",
    "tools/testing/selftests/Makefile",
    "tools/testing/selftests/lib.mk",
    "tools/testing/selftests/*.h",
    "tools/testing/selftests/*.sh",
    "tools/testing/selftests/kselftest*",
)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command and return what it printed; raise RunError if it fails."""
    try:
        done = subprocess.run(command, cwd=cwd, text=True, capture_output=True,
                              stdin=subprocess.DEVNULL,
                              env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError:
        raise RunError(f"{command[0]} is not installed: run vm/packages.sh") from None
    if done.returncode:
        said = [" ".join(line.split()) for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in said if line.startswith("E: ")] or said
        raise RunError(f"{command[0]}: {errors[0].removeprefix('E: ').rstrip('.')}"
                       if errors else f"{command[0]} failed ({done.returncode})")
    return done.stdout


class Apt:
    """The private apt under build/apt."""

    def __init__(self, build: Path) -> None:
        self.build = build.resolve()
        self.dir = self.build / "apt"
        self.config = self.dir / "apt.conf"
        self.sources = self.dir / "sources.list"
        self.stamp = self.dir / "updated"

    def index_time(self) -> int:
        """When the index was last refreshed, in ns; 0 if it never was."""
        try:
            return self.stamp.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def update(self) -> None:
        """Get the package index unless there is one younger than a day.

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

    def download(self, packages: Iterable[str], dest: Path) -> list[Path]:
        """Download packages into dest and return the new .deb files.

        A package is a name, name=version or name/suite. A bare name means what
        apt would install: not a backport if there is another version.
        """
        dest.mkdir(parents=True, exist_ok=True)
        before = set(dest.glob("*.deb"))
        self._fetch("download", *packages, cwd=dest)
        return sorted(set(dest.glob("*.deb")) - before)

    def unpack(self, deb: Path, dest: Path) -> None:
        """Unpack a package's files into dest."""
        dest.mkdir(parents=True, exist_ok=True)
        run("dpkg-deb", "-x", deb, dest)

    @contextlib.contextmanager
    def scratch(self) -> Iterator[Path]:
        """An empty directory on the file system of build, for one run at a time.

        Something is built here and renamed into its place when it is whole, so
        that an interrupted run leaves nothing half-done. What a killed run left
        here is removed by the next one.
        """
        try:
            self.dir.mkdir(parents=True, exist_ok=True)
            lock = open(self.dir / "lock", "w")
        except OSError as error:
            raise RunError(f"cannot write to {self.dir} ({error.strerror}): "
                           "remove it, or run as its owner") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(f"waiting for another run that uses {self.dir}", file=sys.stderr)
                fcntl.flock(lock, fcntl.LOCK_EX)
            work = self.dir / "scratch"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir()
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)

    def _fresh(self) -> bool:
        """Is the index young enough, and of the mirror and the directory in use?"""
        wanted = os.environ.get("DEBIAN_MIRROR")
        try:
            return (time.time() - self.index_time() / 1e9 < INDEX_LIFETIME
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
        """Write the configuration, and the sources for the mirror in use."""
        if not KEYRING.exists():
            raise RunError(f"no {KEYRING}: run vm/packages.sh")
        for name in ("state", "lists/partial", "cache/archives/partial"):
            (self.dir / name).mkdir(parents=True, exist_ok=True)
        (self.dir / "status").touch()
        architecture = run("dpkg", "--print-architecture").strip()
        self.config.write_text(CONFIG.format(dir=self.dir, architecture=architecture))
        mirror = os.environ.get("DEBIAN_MIRROR") or self._host_mirror()
        sources = "".join(f"deb [signed-by={KEYRING}] {mirror} {suite} {COMPONENT}\n"
                          for suite in SUITES)
        if not self.sources.exists() or self.sources.read_text() != sources:
            self.stamp.unlink(missing_ok=True)      # that was another mirror's index
            self.sources.write_text(sources)

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


def _release(path_or_name: Path | str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", Path(path_or_name).name)]


def _fetch_source(apt: Apt, have: list[Path], dest: Path, prefix: str,
                  members: Iterable[str]) -> Path:
    """Debian's newest linux-source package in @dest/@prefixVERSION, or the newest of what we @have.

    Of the package only @members are kept, as patterns; none means all of it.
    """
    if have:
        return max(have, key=_release)
    apt.update()
    packages = apt.versions(r"linux-source-\d+\.\d+")
    if not packages:
        raise RunError("the Debian mirror offers no linux-source package: "
                       "set DEBIAN_MIRROR=URL or KDIR=TREE")
    package, version = max(packages, key=lambda entry: _release(entry[0]))
    home = dest / (prefix + package.removeprefix("linux-source-"))
    print(f"fetching {package} ({version})", file=sys.stderr)
    with apt.scratch() as work:
        for deb in apt.download([f"{package}={version}"], work):
            apt.unpack(deb, work)
        tree = work / "tree"
        tree.mkdir()
        run("tar", "-x", "-f", work / f"usr/src/{package}.tar.xz", "-I", "xz -T0",
            "-C", tree, "--strip-components=1", "--wildcards", "--no-wildcards-match-slash",
            *(f"{package}/{member}" for member in members))
        dest.mkdir(parents=True, exist_ok=True)
        os.rename(tree, home)
    return home


def source_tree(build: Path) -> Path:
    """A kernel tree to build kselftests in and to run checkpatch.pl from.

    It is the part of Debian's newest linux-source package that these take.
    Once there it stays: remove build/linux-source to get a newer one.
    """
    apt = Apt(build)
    trees = apt.build / "linux-source"
    return _fetch_source(apt, list(trees.glob("[0-9]*")), trees, "", SOURCE_MEMBERS)


def source_package(build: Path, dest: Path) -> Path:
    """The whole of it, as @dest/source-VERSION, to build a kernel from."""
    return _fetch_source(Apt(build), list(dest.glob("source-*")), dest, "source-", ())
