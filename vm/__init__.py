# SPDX-License-Identifier: GPL-2.0
"""Runs the dax_break selftests in guests with emulated persistent memory.

Data flows one way, from what is asked for to what is said of it. A package imports
only from those above it, a module only from those above it in the same package;
check/source_test.py sees to that.

    base        where things are; RunError: a run cannot go on
    arch        what is special about x86-64
    progress    what a long piece of work is doing, for whoever watches
    command     exit status, errors and interruption of every command; locks; make

    kernel/     which kernel to boot
        apt         Debian's packages, without touching the machine's own apt
        source      kernel sources from these packages; as a command, for make
        image       a kernel that can be booted: its configuration; the format of bzImage
        modules     the few modules that a guest needs
        debian      kernels from Debian's packages
        kbuild      kernels made from source, with semantic patches of defects/ or fixes/
        choose      what --kernel means, as a type; and how to get that kernel

    machine/    guests
        backend     what the filesystems of a guest are on; its disks
        qemu        a QEMU that is new enough; is KVM usable?
        initramfs   modules, programs and their libraries: the guest's image
        guest       runs QEMU: boots an image, follows what the guest says, in bounds
        fleet       what the guests of a run have in common; the one way to boot one

    ask/        what is asked for
        request     a run, frozen
        options     the options of run_tests.sh, and its help: from argv to request
        suite       tests, as the programs list them; those chosen, and their guests

    report/     what came of it
        results     from what guests say to broken promises and results of tests; KTAP
        tally       how far a run has come
        screen      a terminal whose last lines change, by python3-rich
        watch       a run as a person sees it while it goes on
        known       failures that are old news
        text        what a person reads at the end

    run/        the commands
        guests      runs programs in guests, for all of the following
        host        runs programs on this machine instead
        cli         run_tests.sh
        bench       make bench
        race        make race
        defects     make defects, make fixes

init.c is the guest's side of machine/guest.py; packages.sh names what must be installed;
python.sh is the python3 that runs all this;
config and kbuild*.config are fragments of kernel configurations.
"""
