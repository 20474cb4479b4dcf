# SPDX-License-Identifier: GPL-2.0
"""What --kernel means, as a type, and how to get that kernel."""

import hashlib
import platform
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .. import arch
from ..base import RunError
from . import debian, image, kbuild, modules
from .image import Kernel

PATCHES = ("defects", "fixes")      # directories of semantic patches


class Kind(Enum):
    """Where a kernel comes from, and what else a Spec says of it."""

    DEBIAN = "debian"       # the newest that Debian packages; of a series like 6.12
    HOST = "host"           # the one that this machine runs
    BUILT = "built"         # from source; "debug", or patches as DIRECTORY/GLOB
    LOCAL = "local"         # a bzImage, a vmlinuz or a tree that has been built; its path


@dataclass(frozen=True)
class Spec:
    """A kernel. str() gives what --kernel takes."""

    kind: Kind = Kind.DEBIAN
    what: str = ""
    modules: Path | None = None     # of a LOCAL one, if they are elsewhere

    def __str__(self):
        kind = "" if self.kind is Kind.LOCAL else self.kind.value
        return ":".join(filter(None, (kind, self.what)))


def parse(text: str) -> Spec:
    """Reads the argument of --kernel."""
    kind, _, what = text.partition(":")
    if kind not in ("", "debian", "host", "built") and Path(text).exists():
        return Spec(Kind.LOCAL, text)
    patches = rf"({'|'.join(PATCHES)})/.+"
    if not re.fullmatch(rf"debian(:.*)?|host|built(:(debug|{patches})?)?", text):
        raise RunError(f"no kernel '{text}': give host, debian, debian:X.Y, built, "
                       "a bzImage file or a built kernel tree")
    return Spec(Kind(kind), what)


def choose(spec: Spec, build: Path) -> Kernel:
    """The kernel to boot, fetched or built below @build if need be."""
    match spec.kind:
        case Kind.DEBIAN:
            return debian.newest(spec.what, build)
        case Kind.HOST:
            return running(build)
        case Kind.BUILT:
            return kbuild.kernel(spec.what, build)
        case Kind.LOCAL:
            return local(Path(spec.what), spec.modules, build)


def running(build: Path) -> Kernel:
    """The kernel that this machine runs."""
    release = platform.release()
    directory = Path("/lib/modules", release)
    for path in (Path(f"/boot/vmlinuz-{release}"), directory / "vmlinuz"):
        if path.exists():
            return local(path, directory if directory.is_dir() else None, build)
    raise RunError(f"no /boot/vmlinuz-{release}: this machine does not have the image of "
                   "the kernel it runs; use debian, or a bzImage file")


def local(origin: Path, directory: Path | None, build: Path) -> Kernel:
    """The kernel in the image or built tree @origin, with modules from below @directory.

    Its configuration may lie beside the image, or in the kernel tree around it.
    """
    in_tree = arch.here().boot_image
    path = origin / in_tree if origin.is_dir() else origin
    version = image.version(path)
    configs = [path.parent / name for name in (f"config-{version}", "config", ".config")]
    if path.match(in_tree):
        configs.insert(0, Path(str(path).removesuffix(in_tree), ".config"))
    collected: list[Path] = []
    if origin.is_dir():
        directory = directory or origin
    if directory:
        where = next((place for place in (directory, directory / "lib/modules" / version,
                                          directory / "usr/lib/modules" / version)
                      if (place / "kernel").is_dir()), None)
        if not where:
            raise RunError(f"{directory} has neither kernel/ nor lib/modules/{version}/: "
                           "name the directory of this kernel's modules")
        configs.append(where / "config")
        digest = hashlib.sha256(bytes(where.resolve())).hexdigest()[:12]
        collected = modules.collect(where, version, build / "kernels/local" / digest)
    config = next((config for config in configs if config.is_file()), None)
    return Kernel(version, path, collected, config, str(origin))
