# SPDX-License-Identifier: GPL-2.0
"""Kernels from Debian's packages, kept below build/kernels."""

import re
import shutil
import sys
from pathlib import Path

from .. import arch
from ..base import RunError
from ..errors import about, write_text
from . import image, modules
from .apt import Apt
from .image import Kernel

MADE_FOR = f"# {' '.join(modules.MODULES)}\n"   # heads the list of a cached kernel's modules


def newest(wanted: str, build: Path) -> Kernel:
    """The newest kernel that fits, or one fetched earlier if the mirror cannot be reached."""
    apt = Apt(build)
    kernels = apt.build / "kernels"
    try:
        apt.update()
        offered = _offered(apt)
        version = next((version for version in offered if _fits(version, wanted)), None)
        if not version:
            series = dict.fromkeys(".".join(name.split(".")[:2]) for name in offered)
            raise RunError(f"the Debian mirror has no kernel {wanted}, only {', '.join(series)}: "
                           "name one of these, or set DEBIAN_MIRROR=URL")
        if not _is_cached(kernels / version):
            _fetch(apt, version, kernels / version)
    except RunError as error:
        cached = [path.name for path in kernels.glob("[0-9]*")
                  if _is_cached(path) and _fits(path.name, wanted)]
        if not cached:
            raise
        version = max(cached, key=_numbers)
        print(f"using kernel {version}, fetched earlier: {error}", file=sys.stderr)
    home = kernels / version
    names = (home / "modules").read_text().splitlines()[1:]
    path = next(path for path in (home / "vmlinux", home / "vmlinuz") if path.exists())
    return Kernel(version, path, [home / name for name in names], home / "config",
                  f"Debian linux-image-{version}")


def _offered(apt: Apt) -> list[str]:
    """The kernels in the package index, newest first.

    Asking apt takes longer than many a test: the answer is kept as long as the index is.
    """
    answer = apt.dir / "kernels"
    if (answer.exists() and apt.stamp.exists()
            and answer.stat().st_mtime >= apt.stamp.stat().st_mtime):
        return answer.read_text(encoding="utf-8").split()
    offered = _ask_for_kernels(apt)
    with apt.scratch() as work:
        write_text(work / answer.name, "\n".join(offered))
        (work / answer.name).rename(answer)
    return offered


def _ask_for_kernels(apt: Apt) -> list[str]:
    """The same, from apt.

    The mirror may have kept linux-image and linux-binary of a kernel whose
    linux-modules is gone: that one cannot be had.
    """
    flavour = arch.here().flavour
    packages = dict(apt.versions(rf"linux-(image|binary|modules)-\d[^-]*(-\d+)?-{flavour}"))
    versions = [name.removeprefix("linux-image-") for name in packages if "-image-" in name]
    return [version for version in sorted(versions, key=_numbers, reverse=True)
            if f"linux-binary-{version}" not in packages or f"linux-modules-{version}" in packages]


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.removesuffix(arch.here().flavour))]


def _fits(version: str, wanted: str) -> bool:
    """Is @wanted the whole @version, or the first few of its components?"""
    return not wanted or re.match(re.escape(wanted) + r"(?![^.+-])", version) is not None


def _is_cached(home: Path) -> bool:
    listing = home / "modules"
    return listing.is_file() and listing.read_text().startswith(MADE_FOR)


def _fetch(apt: Apt, version: str, home: Path) -> None:
    """Downloads a kernel's packages and keeps what is needed of them.

    Up to 6.18 the package linux-image-VERSION has everything. Since then it is
    empty, and linux-binary-, linux-modules- and linux-base-VERSION have it.
    """
    with apt.scratch() as work:
        if _is_cached(home):            # another run has just done it
            return
        print(f"fetching linux-image-{version} from the Debian mirror", file=sys.stderr)
        root, kernel = work / "root", work / "kernel"
        packages = dict(apt.versions(rf"linux-(image|binary|modules|base)-{re.escape(version)}"))
        apt.unpack(packages, root)
        installed = next(root.glob(f"**/lib/modules/{version}"), root)
        collected = modules.collect(installed, version, kernel)
        for name in ("vmlinuz", "config"):
            places = (installed / name, root / f"boot/{name}-{version}")
            found = next((place for place in places if place.is_file()), None)
            if not found:
                raise RunError(f"no {name} in {', '.join(packages)}: use another kernel")
            shutil.copyfile(found, kernel / name)
        if elf := image.unpack(kernel / "vmlinuz"):
            with about(kernel / "vmlinux"):
                (kernel / "vmlinux").write_bytes(elf)
        write_text(kernel / "modules",
                   MADE_FOR + "".join(f"{module.name}\n" for module in collected))
        home.parent.mkdir(exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)     # made for other modules
        kernel.rename(home)
