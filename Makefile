# SPDX-License-Identifier: GPL-2.0
#
#	make			build the test programs
#	make check		test everything, the runner included
#	make run_tests		run the programs on this machine, as kselftest does
#	make install-tree	put the suite into the kernel tree KDIR=; uninstall-tree
#	make tarball		what kselftest's gen_tar makes of the suite: $(BUILD)/kselftest.tar.xz
#	make patch		write it as a series of patches against KDIR= to $(BUILD)/patch
#	make bench		measure what breaking layouts costs, on two kernels
#	make race		run races for as long as RACE= says, e.g. RACE='--time 3600'
#	make defects		break a kernel in every way of defects/: does the suite see it?
#	make fixes		mend what fixes/ can: does it see that, and nothing else?
#	make shake		the suite with random delays in its own system calls: has any test a
#			race? SHAKE= is what run_tests.sh takes, e.g. SHAKE='--fs xfs waits_test';
#			SHAKE_SEED= repeats the delays of a run that printed it
#	make clean
#
# KDIR=	kernel tree whose kselftest framework is used, and which is broken and
#	mended; without one, Debian's linux-source package provides it, below $(BUILD)
# DEFECTS=, FIXES= just these: names or globs, e.g. DEFECTS='scan-* ext4-*'
# BUILD= where everything that is made goes
# KERNEL= what make race boots, as run_tests.sh --kernel takes it
# KERNELS= what make bench compares, as run_tests.sh --kernel takes them

BUILD ?= build
KDIR ?= $(BUILD)/framework
KERNEL ?= debian
KERNELS ?= debian:6.12 debian

# To make, a space ends a name. So the path of this checkout, which may have one, is spelled
# out nowhere: names are relative. A kernel tree is used through a link if need be.
quoted = '$(subst ','\'',$(1))'
TREE := $(call quoted,$(KDIR))
ifneq ($(words $(BUILD)),1)
$(error BUILD=$(BUILD): make takes no name with a space, choose another)
endif
ifneq ($(words $(KDIR)),1)
override KDIR := $(shell mkdir -p $(BUILD) && tree=$$(realpath -qe $(TREE)) && \
	ln -sfn "$$tree" $(BUILD)/kdir && echo $(BUILD)/kdir)
endif
ifeq ($(KDIR),)
$(error KDIR=$(TREE): there is no such kernel tree)
endif
ifneq ($(and $(filter run_tests,$(MAKECMDGOALS)),$(word 2,$(CURDIR))),)
$(error kselftest runs nothing below a path with a space: ./run_tests.sh --host does)
endif

SELFTEST := tools/testing/selftests/dax_break
SELFTESTS := $(KDIR)/tools/testing/selftests

# The suite's Makefile includes ../lib.mk: -I with a neighbour of a real lib.mk
# lets make find it there while building from here. That one would look for its
# own path, with whatever is in it, unless it is told (selfdir).
kselftest = $(MAKE) -C $(SELFTEST) -I $(call $(1),$(SELFTESTS))/kselftest \
	selfdir=$(call $(1),$(SELFTESTS)) OUTPUT=$(call $(1),$(BUILD)/$(2))
from_suite = $(if $(filter /%,$(1)),$(1),../../../../$(1))

python = PYTHONPYCACHEPREFIX="$$(realpath -m $(BUILD))/pycache" vm/python.sh

all: programs

programs: $(SELFTESTS)/lib.mk $(BUILD)/selftests/init
	@mkdir -p $(BUILD)/selftests
	@+$(call kselftest,from_suite,selftests) all

# Not part of the suite. Oracles: they show that what it asserts can come out otherwise.
# Hardware: what it leaves alone, and leaves behind, on a machine with data on it.
ORACLES := $(patsubst check/%.c,$(BUILD)/%,$(wildcard check/oracles/*_test.c))
HARDWARE := $(patsubst check/%.c,$(BUILD)/%,$(wildcard check/hardware/*_test.c))

oracles: programs
	@+$(MAKE) --no-print-directory $(ORACLES)

hardware: programs
	@+$(MAKE) --no-print-directory $(HARDWARE)

$(HARDWARE): check/hardware/machine.c

server_test: programs
	@+$(MAKE) --no-print-directory $(BUILD)/virtiofs/server_test

# The test takes the place of main() and of the way to QEMU.
$(BUILD)/virtiofs/server_test: check/virtiofs/guest.c \
	$(filter-out %/vhost_user.c,$(wildcard $(SELFTEST)/virtiofs/*.c))

$(BUILD)/%_test: check/%_test.c $(BUILD)/selftests/rows.o $(BUILD)/selftests/lib/dax_break.a
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -O2 -Wall -Wextra -Wno-unused-parameter -pthread \
		-Wl,--as-needed -DBUILT_WITHOUT='""' -I$(SELFTEST)/include -I$(SELFTEST)/lib -I$(SELFTESTS) -o $@ \
		$(filter %.c,$^) $(filter-out %.c,$^) \
		$(shell pkg-config --cflags --libs liburing libpmem2 libndctl blkid)

run_tests: programs
	@+$(call kselftest,abspath,selftests) run_tests

# The calls that check/shake.c takes the place of.
comma := ,
SHAKEN := $(addprefix -Wl$(comma)--wrap=,$(shell awk -F'[()]' '/^extern/ { print $$2 }' check/shake.h))

# Programs that have another one in them would not be linked anew.
$(BUILD)/shake.o: check/shake.c check/shake.h
	@rm -rf $(BUILD)/shaken
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -O2 -Wall -Wextra -c -o $@ $<

shaken: programs $(BUILD)/shake.o
	@mkdir -p $(BUILD)/shaken
	@+LDFLAGS="$(SHAKEN) $(call from_suite,$(BUILD)/shake.o)" $(call kselftest,from_suite,shaken) all

$(BUILD)/framework/tools/testing/selftests/lib.mk:
	python3 -m vm.kernel.source $(BUILD)

# Static: PID 1 must not depend on what else is in the guest.
$(BUILD)/selftests/init: $(wildcard vm/init/*)
	@mkdir -p $(@D)
	$(CC) -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -static -o $@ $(filter %.c,$^)

install-tree:
	tree/tree.sh install $(TREE)

uninstall-tree:
	tree/tree.sh uninstall $(TREE)

# In a copy of the framework, where the suite is the only test.
tarball: $(SELFTESTS)/lib.mk
	rm -rf $(BUILD)/tarball
	mkdir -p $(BUILD)/tarball/tools/testing/selftests $(BUILD)/tarball/scripts
	cp $(KDIR)/Makefile $(BUILD)/tarball
	cp $(KDIR)/scripts/subarch.include $(BUILD)/tarball/scripts
	cd $(SELFTESTS) && cp -r Makefile lib.mk *.h *.sh kselftest* \
		$(abspath $(BUILD))/tarball/tools/testing/selftests
	touch $(BUILD)/tarball/MAINTAINERS
	tree/tree.sh install $(BUILD)/tarball
	$(MAKE) -C $(BUILD)/tarball/tools/testing/selftests TARGETS=dax_break FORMAT=.xz gen_tar
	cp $(BUILD)/tarball/tools/testing/selftests/kselftest_install/kselftest-packages/kselftest.tar.xz \
		$(BUILD)

patch:
	tree/tree.sh patch $(TREE) $(BUILD)/patch

defects:
	$(python) -m vm.run.defects defects $(patsubst %,'%',$(DEFECTS))

fixes:
	$(python) -m vm.run.defects fixes $(patsubst %,'%',$(FIXES))

shake:
	$(python) -m check.shake $(SHAKE)

# Installs first: on a bare machine nothing else would work.
check:
	vm/packages.sh check kbuild
	$(MAKE) all
	$(python) -m check

bench:
	$(python) -m vm.run.bench $(KERNELS)

race:
	$(python) -m vm.run.race $(KERNEL) $(RACE)

clean:
	rm -rf $(BUILD)/selftests $(BUILD)/shaken $(BUILD)/shake.o

distclean:
	rm -rf $(BUILD)

.PHONY: all programs oracles hardware server_test shaken run_tests install-tree uninstall-tree tarball patch \
	defects fixes shake check bench race clean distclean
