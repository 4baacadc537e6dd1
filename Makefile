# `make demo` and `make test` do all the set-up themselves: packages in .venv, compiled kernels in the cache of the user.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
REQUIREMENTS := infra/requirements

.PHONY: demo test test-all lint lock clean

demo: $(VENV)/.records
	rm -rf demo
	$(BIN)/hanmill sample --out demo/corpus --documents 20000 --seed 1
	$(BIN)/hanmill count demo/corpus --out demo/counts --by-label
	$(BIN)/hanmill show demo/counts --top 20
	$(BIN)/hanmill vocab demo/counts --unit character --out demo/vocab.txt
	$(BIN)/hanmill records text-classification demo/corpus --vocab demo/vocab.txt --out demo/records \
	    --splits train=0.9,dev=0.05,test=0.05
	$(BIN)/hanmill inspect demo/records --records 1
	@echo "report: $(CURDIR)/demo/counts/report.html"

test: $(VENV)/.development lint
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

test-all: $(VENV)/.development lint
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Pinned with hashes; the package itself comes from this checkout.
$(VENV)/.%: setup.py $(REQUIREMENTS)/%.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(REQUIREMENTS)/$*.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

# One resolution for everything; the smaller files are cut from it.
lock:
	uv pip compile setup.py --extra slurm --extra beam --extra angles --extra train-cpu --extra dev $(UV) -o $(REQUIREMENTS)/development.txt
	uv pip compile setup.py -c $(REQUIREMENTS)/development.txt $(UV) -o $(REQUIREMENTS)/counting.txt
	uv pip compile setup.py --extra records -c $(REQUIREMENTS)/development.txt $(UV) -o $(REQUIREMENTS)/records.txt
	uv pip compile setup.py --extra train -c $(REQUIREMENTS)/development.txt $(UV) -o $(REQUIREMENTS)/train.txt
UV := --generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url --no-annotate

clean:
	rm -rf $(VENV) demo build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
