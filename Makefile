# A thin front for CMake, for people who type `make`. CMakePresets.json has the kinds of build.
PREFIX ?= /usr/local
JOBS := $(shell nproc)

.PHONY: all deps demo test sim faults lint bench fuzz install clean

all: deps
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS)

deps:
	@.ci/deps

demo: all
	@build/bin/maillage demo
	@build/bin/maillage demo --week

test:
	@.ci/test

# make sim SEEDS=10000 FROM=1: that many worlds of the simulator
SEEDS ?= 2000
FROM ?= 1
sim: all
	@MAILLAGE_BUILD_DIR=$(CURDIR)/build build/tests/sim/test_sim --seeds $(SEEDS) --from $(FROM)

# make faults FAULTS=sync/crash: one operation, one fault (both ciphers)
faults: all
	@MAILLAGE_FAULTS=all MAILLAGE_BUILD_DIR=$(CURDIR)/build build/tests/faults/test_faults $(if $(FAULTS),--only $(FAULTS))

lint:
	@.ci/deps --dev
	@.ci/lint

# make bench PARTICIPANTS=100000 ROUNDS=1: ten times the data (half an hour)
PARTICIPANTS ?= 10000
ROUNDS ?= 5
bench: deps
	@cmake --preset release >/dev/null
	@cmake --build --preset release -j $(JOBS) --target all bench
	@tests/bench/run.sh build $(PARTICIPANTS) $(ROUNDS)

# FUZZ_SECONDS a target; FUZZ names some of them, such as FUZZ='commit|bundle'.
FUZZ_SECONDS ?= 600
fuzz: deps
	@.ci/deps --fuzz
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz -j $(JOBS)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) ctest --preset fuzz -j $(JOBS) -R '/($(or $(FUZZ),.*))$$'

# As another user than the one who built (sudo make install), it only copies: run make first.
install:
	@test -x build/bin/maillage || { echo 'run "make" first' >&2; exit 1; }
	@cmake --install build --prefix "$(PREFIX)"

clean:
	@rm -rf build
