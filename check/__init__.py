# SPDX-License-Identifier: GPL-2.0
"""make check: tests of the project itself.

    source_test     builds without a warning, is clean by the kernel's own tools, no circles
    unit_test       the runner's types, parsers and tables
    report_test     the summary of a run, and how far it has come
    watch_test      what terminals show of a run while it goes on
    backend_test    what QEMU is told, and which QEMU
    virtiofs_test   the server of virtiofs
    recipes_test    the recipes of the suite's README.rst
    runner_test     the runner against guests that panic, hang, lack memory, ...
    suite_test      the suite on the default kernel, compared with known-bugs
    hardware_test   machines with somebody's data on their memory
    defects_test    the suite on kernels that are broken on purpose, a sample of them

circles and shake are commands of their own.
"""
