# SPDX-License-Identifier: GPL-2.0
"""Runs the dax_break selftests in a guest with emulated persistent memory.

Data flows one way, and each step is a module:

    cli         options, phases, exit status; the only one that knows all others
    backend     what the filesystems of a guest are on
    suite       builds the test programs, knows the tests in them, selects
    kernel      which kernel to boot, from where (apt: Debian packages)
    kbuild      a kernel made from source, patched if asked
    kconfig     what that kernel must be configured with
    initramfs   kernel modules, programs and their libraries -> guest image
    qemu        a QEMU that is new enough (apt: Debian packages, if need be)
    accel       is KVM usable here?
    guest       runs QEMU: boots the image, follows what the guest says, in bounds
    machines    the guests of a run: what they have in common, the one way to boot one
    results     what the guest says -> programs, tests, diagnoses; KTAP
    report      results, known bugs -> what a person reads

init.c is the guest's side of guest.py, packages.sh what must be installed. Runners of
their own are defects, for kernels that kbuild has broken or mended, and, by way of
program, bench and race.
"""
