# Chronovisor. `make run` and `make test` do all set-up that is missing.

BUILD := build
LOCAL_NODE := $(shell bash tools/setup.sh --node-path)
export PATH := $(if $(LOCAL_NODE),$(LOCAL_NODE):)$(PATH)
QUICKJS := $(shell bash tools/setup.sh --quickjs-path)
JOBS := $(shell nproc 2>/dev/null || echo 2)
CHRONOVISOR := tools/chronovisor
BIN := node_modules/.bin

.DEFAULT_GOAL := help
.PHONY: help setup build products run test bench experiment check format console clean

help: ## this list
	@echo "Chronovisor: a hypervisor whose subject is time."
	@sed -n 's/^\([a-z]*\):.*## /  make \1@/p' Makefile | column -t -s @ 2>/dev/null || sed -n 's/^\([a-z]*\):.*## /  make \1  /p' Makefile
	@echo 'Options of the program itself: $(CHRONOVISOR) --help'

setup: ## install what is missing: Debian packages, npm packages, the engine's source
	@bash tools/setup.sh

# A second make, because which files there are to build from is known only after the set-up.
build: setup ## build the runtime and the tools
	@$(MAKE) --no-print-directory -j$(JOBS) products

# ARGS that name a bundle or a system are all that is run.
run: build ## boot the demonstrations in QEMU: clocks and timers, then partitions
	@$(CHRONOVISOR) run $(if $(filter %.ts %.js %.tar,$(ARGS)),,--then partitions/demonstration/system.ts) $(ARGS)

console: build ## a prompt inside the running kernel
	@$(CHRONOVISOR) console $(ARGS)

test: build ## run every test
	@bash tools/setup.sh --tests
	@node tools/test.mjs $(ARGS)

bench: build ## print the figures as RECORD lines
	@bash tools/setup.sh --tests
	@node $(BUILD)/tools/bench.mjs $(ARGS)

experiment: build ## a patch of 2007 to a guest's clock, tried in 72 runs
	@$(CHRONOVISOR) experiment tsc-sync --html $(BUILD)/experiment.html --json $(BUILD)/experiment.json $(ARGS)

check: setup ## types, lint, layer rules, formatting
	@$(BIN)/tsc -b
	@$(BIN)/eslint --config .eslint.config.js .
	@$(BIN)/depcruise --config .dependency-cruiser.cjs kernel partitions tools test boot --output-type err
	@$(BIN)/prettier --check --log-level warn .
	@echo "check: types, lint, layer rules and formatting hold"

format: setup ## format all sources
	@$(BIN)/prettier --write --log-level warn .

clean: ## remove everything that was built (downloads stay in .cache and node_modules)
	@rm -rf $(BUILD)

DSDTS := $(BUILD)/dsdt.aml $(BUILD)/dsdt-without-hpet.aml
products: $(BUILD)/runtime.elf $(BUILD)/precompile $(DSDTS) $(BUILD)/tools/chronovisor.mjs $(BUILD)/tools/bench.mjs
	@:

$(BUILD)/tools/%.mjs: tools/%.ts $(shell find tools kernel -name '*.ts' ! -name '*.test.ts' 2>/dev/null) package-lock.json
	@echo "  TOOL    $@"
	@$(BIN)/esbuild $< --bundle --platform=node --format=esm --target=node20 --packages=external --sourcemap --log-level=warning --outfile=$@

# The same source, with the HPET in it and without. What iasl says is of interest if it fails only.
$(BUILD)/dsdt.aml: ASL_OPTIONS := -D WITH_HPET
$(DSDTS): kernel/vdev/dsdt.asl Makefile
	@echo "  ASL     $@"
	@mkdir -p $(@D)
	@iasl -we $(ASL_OPTIONS) -p $(basename $@)-part $< > $@.log 2>&1 || { cat $@.log; rm $@.log; exit 1; }
	@mv $(basename $@)-part.aml $@ && rm $@.log

include boot/runtime.mk
