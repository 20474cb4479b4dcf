# SPDX-License-Identifier: GPL-2.0
"""make check: tests of the project itself.

    source_test     builds without a warning, is clean by the kernel's own tools
    unit_test       the runner's parsers and tables
    runner_test     the runner against guests that panic, hang, lack memory, ...
    suite_test      the suite on the default kernel, compared with known-bugs
    defects_test    the suite on kernels that are broken on purpose, a sample of them
"""
