# A newcomer's commands: `make demo` and `make test`. Both set up a virtual environment first.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: setup demo test coverage extras package check format docs clean

setup: .venv/.ready

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade-strategy only-if-needed --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/rdpose demo

test: setup  # in three runs: late in one long run a process ended by a segmentation fault, not understood yet
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile tests/[a-d]*/
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile tests/[e-m]*/
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile tests/[n-z]*/ tests/test_*.py

coverage: setup  # as long as `test`, and half again
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --cov --cov-report=
	$(BIN)/coverage report | sed -n '1,22p;$$p'  # the twenty least covered files, and the total

extras: setup  # ten minutes on two busy cores, so not a part of `test`
	$(BIN)/python tests/extras.py

package: setup  # minutes: the wheel and the sdist, each tried in an empty environment
	$(BIN)/python tests/package.py

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check
	$(BIN)/vulture
	$(BIN)/codespell
	$(BIN)/pytest tests/test_layers.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python docs/generate.py
	$(BIN)/zensical build --clean --strict

clean:
	rm -rf .venv .cache .coverage output log demo site
