# SPDX-License-Identifier: GPL-2.0
"""make check: tests of the project itself.

    source_test     builds without a warning, is clean by the kernel's own tools, no circles
    unit_test       the runner's types, parsers and tables
    results_test    from what guests say to results
    ktap_test       from these to KTAP
    schedule_test   which tests run together, and how long all of it takes
    pool_test       guests that share the tests of a run; they are made up
    report_test     the summary of a run, and how far it has come; known-bugs
    patches_test    defects, fixes, and the tables that are made of them
    bisect_test     git bisect run, with kernels and guests that are made up
    watch_test      what terminals show of a run while it goes on
    backend_test    what QEMU is told, and which QEMU
    store_test      where snapshots are kept, and how a guest starts from one
    runs_test       what is kept of runs, and that they leave each other's alone
    errors_test     files that cannot be written, closed descriptors, what failed
    ended_test      commands that are ended while they build: nothing stays behind
    labs_test       jobs for LAVA and KernelCI are what these take
    virtiofs_test   the server of virtiofs
    recipes_test    the recipes of the suite's README.rst
    runner_test     the runner against guests that panic, hang, lack memory, ...
    parsers_test    results in the eyes of parsers that are not ours
    dead_test       a filesystem on which everything hangs costs little, and no other results
    snapshot_test   guests that start from a snapshot: the same results, and nothing shared
    suite_test      the suite on the default kernel, compared with known-bugs
    hardware_test   machines with somebody's data on their memory
    series_test     the patches that bring the suite into a kernel tree, one by one
    defects_test    the suite on kernels that are broken on purpose, a sample of them

example, ktap, parsers, running, sample, recorded and bisected are what several of them need;
circles, parsers and shake are commands of their own.
"""
