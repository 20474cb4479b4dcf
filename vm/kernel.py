# SPDX-License-Identifier: GPL-2.0
"""Turn what the user calls a kernel into an image and modules to boot.

A kernel is one of
  host            the kernel that this machine runs
  debian          the newest kernel in Debian's packages
  debian:6.12     the newest of a series; debian:6.12.95 goes further down
  FILE            a bzImage, with modules from a directory if it needs any
  DIRECTORY       a kernel tree that has been built

Of thousands of modules the tests need a handful. These and all that they depend
on are collected, uncompressed and in the order in which to insert them.
"""

import hashlib
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import vmlinux
from .apt import Apt
from .errors import RunError

FLAVOUR = "amd64"       # of Debian's kernels: the generic one, not cloud or rt

# What to insert, in this order where dependencies leave a choice. A module
# that is built in, or that a kernel does not have, is left out: whether the
# kernel can do what it must is to be asked of its configuration.
MODULES = {
    "crc32c_generic": "checksums of ext4 and XFS, in older kernels",
    "nfit": "an emulated NVDIMM",
    "nd_e820": "memory that memmap= takes",
    "virtio_pci": "devices of the hypervisor",
    "virtio_pmem": "persistent memory of the hypervisor",
    "cxl_acpi": "CXL memory: the window of addresses",
    "cxl_port": "CXL memory: the way to the device",
    "cxl_pci": "CXL memory: the device",
    "cxl_mem": "CXL memory: what is on it",
    "cxl_pmem": "CXL memory: as an NVDIMM",
    "nd_pmem": "a block device on persistent memory",
    "ext4": "file system under test",
    "xfs": "file system under test",
    "ublk_drv": "a block device whose requests the tests hold",
    "fuse": "a file whose requests the tests hold",
    "virtio_blk": "a disk that is read from, by DMA",
}

UNPACK = {".ko": ["cat"], ".gz": ["gzip", "-dc"], ".xz": ["xz", "-dc"], ".zst": ["zstd", "-dcq"]}
MADE_FOR = f"# {' '.join(MODULES)}\n"    # heads the list of a cached kernel's modules


@dataclass
class Kernel:
    """A kernel that can be booted."""

    version: str            # what uname -r will say
    image: Path             # bzImage or, where that boots faster, vmlinux
    modules: list[Path]     # uncompressed, in the order to insert them
    config: Path | None     # its .config, when known
    origin: str             # where it comes from, for people


def resolve(spec: str, modules_dir: Path | None, build: Path) -> Kernel:
    """Find or fetch the kernel that spec names; see the top of this file.

    modules_dir holds the modules of a kernel FILE or DIRECTORY: kernel/, or
    lib/modules/VERSION below it.
    """
    if spec == "host" or spec == "debian" or spec.startswith("debian:"):
        if modules_dir:
            raise RunError(f"{spec} has modules of its own: name a bzImage file, "
                           f"or leave {modules_dir} out")
        return _host(build) if spec == "host" else _debian(spec.partition(":")[2], build)
    path = Path(spec)
    if spec and path.is_dir():
        return _local(path / "arch/x86/boot/bzImage", modules_dir or path, build, path)
    if spec and path.exists():
        return _local(path, modules_dir, build, path)
    raise RunError(f"no kernel '{spec}': give host, debian, debian:X.Y, "
                   "a bzImage file or a built kernel tree")


def _host(build: Path) -> Kernel:
    release = platform.release()
    modules = Path("/lib/modules", release)
    for image in (Path(f"/boot/vmlinuz-{release}"), modules / "vmlinuz"):
        if image.exists():
            return _local(image, modules if modules.is_dir() else None, build, image)
    raise RunError(f"no /boot/vmlinuz-{release}: this machine does not have the image of "
                   "the kernel it runs; use debian, or a bzImage file")


def _local(image: Path, modules_dir: Path | None, build: Path, origin: Path) -> Kernel:
    version = _image_version(image)
    configs = [image.parent / name for name in (f"config-{version}", "config", ".config")]
    if image.match("arch/x86/boot/*"):
        configs.insert(0, image.parents[3] / ".config")
    modules: list[Path] = []
    if modules_dir:
        where = next((place for place in (modules_dir, modules_dir / "lib/modules" / version,
                                          modules_dir / "usr/lib/modules" / version)
                      if (place / "kernel").is_dir()), None)
        if not where:
            raise RunError(f"{modules_dir} has neither kernel/ nor lib/modules/{version}/: "
                           "name the directory of this kernel's modules")
        configs.append(where / "config")
        digest = hashlib.sha256(bytes(where.resolve())).hexdigest()[:12]
        modules = _collect(where, version, build / "kernels/local" / digest)
    config = next((config for config in configs if config.is_file()), None)
    return Kernel(version, image, modules, config, str(origin))


def _image_version(image: Path) -> str:
    """What a bzImage says about itself; see Documentation/arch/x86/boot.rst."""
    try:
        with open(image, "rb") as file:
            head = file.read(0x10400)
    except OSError as error:
        raise RunError(f"cannot read {image} ({error.strerror}): build it, run as root, "
                       "or give another kernel") from error
    if head[0x202:0x206] == b"HdrS":
        offset = struct.unpack_from("<H", head, 0x20e)[0] + 0x200
        version = re.match(rb"\d[!-~]*", head[offset:])
        if version:
            return version[0].decode()
    raise RunError(f"{image} is not an x86 bzImage: give a vmlinuz as distributions "
                   "install it, or arch/x86/boot/bzImage of a kernel tree")


# Modules

def _available(directory: Path) -> dict[str, Path]:
    """By name, the modules in a kernel tree (listed in modules.order) or installed."""
    if (directory / ".config").is_file():
        order = directory / "modules.order"
        lines = order.read_text().split() if order.is_file() else []
        files = [(directory / line.removeprefix("kernel/")).with_suffix(".ko") for line in lines]
    else:
        files = [file for file in directory.rglob("*.ko*") if file.suffix in UNPACK]
    return {file.name.partition(".")[0].replace("-", "_"): file for file in files}


def _collect(directory: Path, version: str, dest: Path) -> list[Path]:
    """Put the modules that are needed into dest, and return them in order."""
    available = _available(directory)
    ordered: list[Path] = []
    seen: set[str] = set()

    def add(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        data = _read_module(available[name])
        try:
            info = _modinfo(data)
        except (struct.error, IndexError):
            raise RunError(f"{available[name]} is not a module of an x86-64 kernel: "
                           "build or fetch it again") from None
        built_for = info.get("vermagic", [version])[0].split()[0]
        if built_for != version:
            raise RunError(f"{available[name]} is for kernel {built_for}, not {version}: "
                           "take image and modules from one build")
        for wanted in re.findall(r"\w+", " ".join(info.get("depends", [])).replace("-", "_")):
            if wanted not in available:
                raise RunError(f"no module {wanted} in {directory}, and {name} depends on it: "
                               "put all modules of the kernel there")
            add(wanted)
        for softdep in info.get("softdep", []):
            for wanted in softdep.partition("post:")[0].replace("-", "_").split():
                if wanted in available:
                    add(wanted)
        # Renamed into place because another run may be reading the old one.
        part = dest / f".{name}.{os.getpid()}"
        part.write_bytes(data)
        ordered.append(part.rename(dest / f"{name}.ko"))

    dest.mkdir(parents=True, exist_ok=True)
    for name in MODULES:
        if name in available:
            add(name)
    return ordered


def _read_module(file: Path) -> bytes:
    """A module's contents, uncompressed."""
    if not file.is_file():
        raise RunError(f"no {file}: build the modules (make modules) first")
    unpack = UNPACK[file.suffix]
    try:
        return subprocess.run([*unpack, file], check=True, capture_output=True).stdout
    except FileNotFoundError:
        raise RunError(f"{file} is compressed: apt-get install {unpack[0]}") from None
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.decode().split())
        raise RunError(f"cannot unpack {said or file}: build or fetch it again") from None


def _modinfo(data: bytes) -> dict[str, list[str]]:
    """A module's .modinfo section (of a 64-bit ELF file): the values of each key."""
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3a)
    sections = [struct.unpack_from("<I20xQQ", data, table + i * size) for i in range(count)]
    info: dict[str, list[str]] = {}
    for name, offset, length in sections:
        if data.startswith(b".modinfo\0", sections[names][1] + name):
            for entry in data[offset:offset + length].decode(errors="replace").split("\0"):
                key, _, value = entry.partition("=")
                info.setdefault(key, []).append(value)
    return info


# Debian's packages

def _debian(wanted: str, build: Path) -> Kernel:
    """The newest Debian kernel that fits; one fetched earlier if there is no getting it."""
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
    modules = (home / "modules").read_text().splitlines()[1:]
    image = next(path for path in (home / "vmlinux", home / "vmlinuz") if path.exists())
    return Kernel(version, image, [home / module for module in modules],
                  home / "config", f"Debian linux-image-{version}")


def _offered(apt: Apt) -> list[str]:
    """The kernels in the package index, newest first; noted down because asking is slow.

    The mirror may have kept linux-image and linux-binary of a kernel whose
    linux-modules is gone: that one cannot be had.
    """
    note = apt.dir / "kernels"
    if note.is_file() and 0 < apt.index_time() < note.stat().st_mtime_ns:
        return note.read_text().split()
    packages = dict(apt.versions(rf"linux-(image|binary|modules)-\d[^-]*(-\d+)?-{FLAVOUR}"))
    versions = [name.removeprefix("linux-image-") for name in packages if "-image-" in name]
    versions = [version for version in sorted(versions, key=_numbers, reverse=True)
                if f"linux-binary-{version}" not in packages
                or f"linux-modules-{version}" in packages]
    part = apt.dir / f"kernels.{os.getpid()}"
    part.write_text("\n".join(versions))
    part.rename(note)
    return versions


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version.removesuffix(FLAVOUR))]


def _fits(version: str, wanted: str) -> bool:
    """Is wanted all of the version, or its beginning up to the end of a component?"""
    return not wanted or re.match(re.escape(wanted) + r"(?![^.+-])", version) is not None


def _is_cached(home: Path) -> bool:
    listing = home / "modules"
    return listing.is_file() and listing.read_text().startswith(MADE_FOR)


def _fetch(apt: Apt, version: str, home: Path) -> None:
    """Download a kernel's packages and keep what is needed of them.

    Up to 6.18 the package linux-image-VERSION has everything. Since then it is
    empty, and linux-binary-, linux-modules- and linux-base-VERSION have it.
    """
    with apt.scratch() as work:
        if _is_cached(home):            # another run has just done it
            return
        print(f"fetching linux-image-{version} from the Debian mirror", file=sys.stderr)
        root, kernel = work / "root", work / "kernel"
        packages = dict(apt.versions(rf"linux-(image|binary|modules|base)-{re.escape(version)}"))
        for deb in apt.download(packages, work / "debs"):
            apt.unpack(deb, root)
        installed = next(root.glob(f"**/lib/modules/{version}"), root)
        modules = _collect(installed, version, kernel)
        for name in ("vmlinuz", "config"):
            places = (installed / name, root / f"boot/{name}-{version}")
            found = next((place for place in places if place.is_file()), None)
            if not found:
                raise RunError(f"no {name} in {', '.join(packages)}: use another kernel")
            shutil.copyfile(found, kernel / name)
        if elf := vmlinux.unpack(kernel / "vmlinuz"):
            (kernel / "vmlinux").write_bytes(elf)
        (kernel / "modules").write_text(
            MADE_FOR + "".join(f"{module.name}\n" for module in modules))
        home.parent.mkdir(exist_ok=True)
        shutil.rmtree(home, ignore_errors=True)     # made for other modules
        kernel.rename(home)
