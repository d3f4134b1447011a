# SPDX-License-Identifier: GPL-2.0-or-later
# A thin front: meson builds, scripts/ do the rest.

BUILD := build

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

# Everything from a bare machine: packages, build, emulated node, first guest.
demo:
	scripts/install-deps build node
	$(MAKE) all
	tests/node/demo

test:
	scripts/install-deps
	scripts/run-tests

test-long:
	scripts/install-deps
	scripts/run-tests --long

check:
	scripts/install-deps build check
	scripts/check

# Public unit tests of x86 hypervisors, of a built tree: KVM_UNIT_TESTS=TREE. Without one they are skipped.
test-kvm-unit:
	scripts/install-deps build check node
	$(MAKE) all
	tests/kvm/unit-tests "$(KVM_UNIT_TESTS)" || [ $$? = 77 ]

fuzz:
	scripts/install-deps build check
	scripts/fuzz $(or $(FUZZ_SECONDS),300)

format:
	scripts/list-files . '*.c' '*.h' | xargs -r -d '\n' clang-format -i

# How fast, against peers in the same run; one line per figure (tests/bench/README.md).
bench-plan: all
	scripts/install-deps bench
	tests/bench/plan

bench-devices: all
	scripts/install-deps build node bench
	tests/bench/devices

bench-vmm: all
	scripts/install-deps build node bench
	tests/bench/vmm

stats:
	@scripts/stats

install: all
	meson install -C $(BUILD)

clean:
	rm -rf build build-dev build-fuzz

help:
	@sed -nE 's/^([a-z-]+):.*/  make \1/p' Makefile

.PHONY: all demo test test-long test-kvm-unit check fuzz format bench-plan bench-devices bench-vmm stats install clean help
