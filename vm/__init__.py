# SPDX-License-Identifier: GPL-2.0
"""Runs the dax_break selftests in guests with emulated persistent memory.

Data flows one way, from what is asked for to what is said of it. A package imports
only from those above it, a module only from those above it in the same package;
check/source_test.py sees to that.

    base        where things are; RunError: a run cannot go on
    arch        what is special about x86-64
    progress    what a long piece of work is doing, for whoever watches
    errors      what to say of an error, and what to do about it
    supervisor  runs a program that ends with whoever has started it
    command     exit status and interruption of every command; programs, locks; make

    kernel/     which kernel to boot
        apt         Debian's packages, without touching the machine's own apt
        source      kernel sources from these packages; as a command, for make
        image       a kernel that can be booted: its configuration; the format of bzImage
        modules     the few modules that a guest needs
        debian      kernels from Debian's packages
        patches     semantic patches that break or mend a kernel
        switches    many changes of a source in one image, and a guest that chooses
        kbuild      kernels made from source, with semantic patches of defects/ or fixes/
        choose      what --kernel means, as a type; and how to get that kernel

    machine/    guests
        backend     what the filesystems of a guest are on; its disks
        qemu        a QEMU that is new enough; is KVM usable?
        initramfs   modules, programs and their libraries: the guest's image
        machine     all that QEMU must be told of a machine; the server beside it
        monitor     QEMU's monitor: commands, answers, migration
        guest       a guest that runs: gets orders, is followed, in bounds
        snapshot    guests that have booted, kept in files
        launch      how a guest comes to wait for orders: it boots, or starts from a snapshot
        fleet       what the guests of a run have in common, and how many there can be

    ask/        what is asked for
        request     a run, frozen
        options     the options of run_tests.sh, and its help: from argv to request
        suite       tests, as the programs list them; those that are chosen
        durations   how long each test takes, from earlier runs
        quick       the few tests that show most

    report/     what came of it
        console     what a guest's kernel has printed around a test
        words       broken promises, in the words of tests and kernels
        results     from what guests say to results of tests
        ktap        results as KTAP, in the order of the suite
        tally       how far a run has come
        screen      a terminal whose last lines change, by python3-rich
        watch       a run as a person sees it while it goes on
        record      a run as a file, from which all files for others are made
        known       failures that are old news
        harm        how bad a broken promise is
        text        what a person reads at the end
        account     from results to the record
        junit       the record as JUnit's XML
        picture     all tests of a run as one picture
        page        the record as a page
        compare     what changed between two records

    run/        the commands
        guests      what guests are for: a run's fleet, a single program, a shell
        runs        what is kept of each run of run_tests.sh
        schedule    which tests run in which guest, and when
        pool        runs tests in as many guests as keep the processors busy
        host        runs programs on this machine instead
        bisect      run_tests.sh --bisect: one commit, for git bisect run
        outputs     the files that a run writes for others
        cli         run_tests.sh
        bench       make bench
        race        make race
        hunt        the suite on the unbroken kernel; what it finds on others beside that
        cover       the smallest selection of tests that catches nearly all defects
        defects     make defects, make fixes

init/ is the guest's side of machine/guest.py; packages.sh names what must be installed;
python.sh is the python3 that runs all this;
config and kbuild*.config are fragments of kernel configurations.
"""

import sys

if sys.version_info < (3, 11):      # before a module is read that this python3 does not understand
    print("dax_break: this python3 is %d.%d, and 3.11 is needed: put a newer one first in PATH"
          % sys.version_info[:2], file=sys.stderr)
    # git bisect run takes 2 for the verdict that a commit is bad, and 255 for none.
    sys.exit(255 if "--bisect" in sys.argv else 2)
