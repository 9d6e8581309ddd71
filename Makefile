# medgraft: build, tests, demo. `make help` lists the targets.
# MODE=release (default) | debug | san chooses the build; each has its own folder under build/.

MODE    ?= release
BUILD   := build/$(MODE)
CC      := mpicc
PREFIX  ?= /usr/local

FOLDERS := runtime nn models datasets shard pretrain finetune
SOURCES := $(foreach f,$(FOLDERS),$(wildcard $(f)/*.c))
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
LIB     := $(BUILD)/libmedgraft.a

# Every dependency is named here: Debian package, and pkg-config name where it has one.
DEPS_BUILD := gcc make pkg-config libopenmpi-dev openmpi-bin libhdf5-dev libopenblas-dev libyaml-dev \
              libzstd-dev libturbojpeg0-dev libpng-dev libdeflate-dev libtiff-dev zlib1g-dev libjansson-dev \
              libxxhash-dev libutf8proc-dev libxml2-dev
DEPS_TEST  := libcmocka-dev
DEPS_LINT  := clang-format cppcheck shellcheck valgrind
DEPS_FUZZ  := clang libomp-dev
DEPS_SLURM := slurmctld slurmd slurm-client munge
# Debian names its serial HDF5 hdf5-serial; elsewhere it is hdf5.
HDF5       := $(or $(shell pkg-config --exists hdf5-serial 2>/dev/null && echo hdf5-serial),hdf5)
PKGS       := $(HDF5) openblas yaml-0.1 libzstd libturbojpeg libpng libdeflate libtiff-4 zlib jansson libxxhash \
              libutf8proc libxml-2.0

CFLAGS_MODE_release := -O3
CFLAGS_MODE_debug   := -O1 -g -DMG_DEBUG
CFLAGS_MODE_san     := -O1 -g -DMG_DEBUG -fsanitize=address,undefined -fno-sanitize-recover=undefined \
                       -fno-omit-frame-pointer
LDFLAGS_MODE_san    := -fsanitize=address,undefined

# mpirun refuses to start as root unless both are set, and containers and bare machines run as root.
export OMPI_ALLOW_RUN_AS_ROOT := 1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM := 1

# Fuzzing needs clang, which the vector kernels do not know: only the parsers are built for it.
CFLAGS_MODE_fuzz    := -O1 -g -Wno-pass-failed -fsanitize=address,undefined,fuzzer-no-link \
                       -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS_MODE_fuzz   := -fsanitize=address,undefined
FUZZERS      := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_WEIGHTS := weights pth pth_write pickle pickle_call zip zip_write safetensors safetensors_write ckpt_weights \
                tensor_type vocabulary tokenizer text_clean unicode
FUZZ_OBJECTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard runtime/*.c datasets/*.c) $(FUZZ_WEIGHTS:%=models/%.c))
FUZZ_SECONDS ?= 60

# -Wno-psabi: vectors are handed only to functions that are inlined.
WERROR   ?=
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CFLAGS   += -std=c11 -D_GNU_SOURCE -fopenmp -fno-math-errno -Wall -Wextra -Wshadow -Wvla -Wno-psabi $(WERROR) \
            $(CFLAGS_MODE_$(MODE)) -I. $(PKG_CFLAGS)
LDLIBS   += $(LDFLAGS_MODE_$(MODE)) -fopenmp $(PKG_LIBS) -lm -lpthread

TESTS      := $(patsubst tests/%.c,%,$(wildcard tests/test_*.c))
TEST_PARTS := ref sha256 weight_cases
GOLDEN_SRC := $(wildcard tests/golden*.c)
GOLDEN     ?= tests/golden

.DEFAULT_GOAL := help
.PHONY: help deps deps-lint demo test medgraft check check-san check-valgrind check-long check-slurm fuzz interop bench bench-shard bench-loader docs \
        golden lint format install clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/' | sort | awk -F'\t' '{printf "%-14s %s\n", $$1, $$2}'

medgraft: $(BUILD)/medgraft ## build the program
	@cp -f $(BUILD)/medgraft medgraft

# What the leak checker has to know is linked into every program of that build.
EXTRA_san := $(BUILD)/tests/san.o
EXTRA     := $(EXTRA_$(MODE))

$(BUILD)/medgraft: $(BUILD)/main.o $(EXTRA) $(LIB)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

$(LIB): $(OBJECTS)
	@rm -f $@
	@ar rcs $@ $^

# The paper's values are bytes of this file.
$(BUILD)/finetune/paper_values.o: jobs/paper/tables.csv

# Kernels may fuse multiply and add; everything else rounds exactly as written.
$(BUILD)/nn/%.o: CFLAGS += -ffp-contract=fast

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/test_%: $(BUILD)/tests/test_%.o $(TEST_PARTS:%=$(BUILD)/tests/%.o) $(EXTRA) $(LIB)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

$(BUILD)/tests/bench_%: $(BUILD)/tests/bench_%.o $(EXTRA) $(LIB)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/golden: $(GOLDEN_SRC:%.c=$(BUILD)/%.o) $(TEST_PARTS:%=$(BUILD)/tests/%.o) $(EXTRA) $(LIB)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(FUZZ_OBJECTS)
	@echo "  LINK  $@"
	@$(CC) $(CFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

fuzz: ## fuzz every parser with clang, FUZZ_SECONDS each (60)
	@sh jobs/deps.sh "$(DEPS_FUZZ)" ""
	@OMPI_CC=clang MPICH_CC=clang $(MAKE) --no-print-directory MODE=fuzz -j$$(nproc) \
	    $(FUZZERS:%=build/fuzz/tests/fuzz/%)
	@sh tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS) $(FUZZERS)

# Install what is missing: with apt as root or through sudo; otherwise say what is missing and stop.
deps: ## install the libraries and tools (Debian), or say what is missing
	@sh jobs/deps.sh "$(DEPS_BUILD) $(DEPS_TEST)" "$(PKGS)"

demo: deps ## the paper's story in miniature, on phantoms, in a few minutes
	@$(MAKE) --no-print-directory -j$$(nproc) medgraft
	@sh jobs/demo/run.sh

test: deps ## install, build, unit tests and golden files
	@$(MAKE) --no-print-directory -j$$(nproc) medgraft
	@$(MAKE) --no-print-directory -j$$(nproc) check
	@$(MAKE) --no-print-directory -j$$(nproc) $(BUILD)/tests/golden
	@for n in 1 2; do echo "golden files, threads $$n" && \
	    OMP_NUM_THREADS=$$n $(MAKE) --no-print-directory golden || exit 1; done

check-san: ## the unit tests under address and undefined-behaviour sanitizers
	@$(MAKE) --no-print-directory MODE=san -j$$(nproc) check

check: $(TESTS:%=$(BUILD)/tests/%) $(BUILD)/medgraft ## unit tests, command-line tests, bad input
	@tests/run.sh $(BUILD) $(TESTS)
	@tests/run_cli.sh $(BUILD)
	@tests/check_bad_input.sh $(BUILD)

interop: $(BUILD)/medgraft ## PyTorch, h5py and nibabel on our files; leaves out what Python has no packages for
	@sh tests/interop/run.sh $(BUILD)

bench-shard: $(BUILD)/medgraft ## sharding beside the same work in Python (PIL, h5py, zstandard), where that is there
	@jobs/bench_shard.sh $(BUILD)/medgraft

bench-loader: $(BUILD)/medgraft $(BUILD)/tests/bench_loader ## pictures prepared per second, and waited for
	@jobs/bench_loader.sh $(BUILD)

bench: medgraft ## measure this machine; BENCH_PEERS=DIR: beside PyTorch scripts of the same steps
	@jobs/bench.sh $(BUILD)/medgraft $(BENCH_PEERS)

check-long: $(BUILD)/medgraft ## the same bits on 1 to 8 ranks and after kills; COUNT files (20000); check-slurm
	@tests/check_ranks.sh $(BUILD)
	@tests/check_kill.sh $(BUILD)
	@tests/check_scale.sh $(BUILD) $(COUNT)
	@if [ $$(id -u) = 0 ]; then $(MAKE) --no-print-directory check-slurm; \
	else echo "check-slurm is left out: it needs root"; fi

check-slurm: $(BUILD)/medgraft ## the job scripts on a SLURM of this machine alone (as root)
	@sh jobs/deps.sh "$(DEPS_SLURM)" ""
	@tests/check_slurm.sh $(BUILD)

check-valgrind: ## every stage once, tiny, under valgrind (needs make deps-lint)
	@$(MAKE) --no-print-directory MODE=debug -j$$(nproc) build/debug/medgraft
	@tests/check_pipeline.sh build/debug valgrind

docs: $(BUILD)/medgraft ## write docs/config.md from the option tables
	@mkdir -p docs
	@$(BUILD)/medgraft --config-markdown >docs/config.md.tmp
	@mv docs/config.md.tmp docs/config.md

golden: $(BUILD)/tests/golden ## run the golden files of a folder: make golden GOLDEN=DIR
	@OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BUILD)/tests/golden $(GOLDEN)

deps-lint: ## install what lint and check-valgrind need
	@sh jobs/deps.sh "$(DEPS_LINT)" ""

lint: $(BUILD)/medgraft ## format, folder order, one home per library, cppcheck, shellcheck, docs/config.md
	@tests/lint.sh $(BUILD)

format: ## clang-format everything
	clang-format -i $(wildcard */*.[ch]) $(wildcard *.c)

install: medgraft ## install the program: make install PREFIX=/usr/local DESTDIR=
	install -D -m 755 medgraft $(DESTDIR)$(PREFIX)/bin/medgraft

clean: ## remove the builds
	rm -rf build medgraft

.PRECIOUS: $(BUILD)/%.o
-include $(wildcard $(BUILD)/*/*.d)
