# Two commands: `make book` builds the website, `make test` proves everything. Both do all the set-up.
PYTHON ?= python3
# An extra package index for pip, for a torch without the CUDA libraries (see README.md). Empty: none.
TORCH_INDEX ?=
PORT ?= 8000

BIN := .venv/bin
RUN := $(BIN)/python -m
# Experiments outside their bands stop the build here; on a reader's machine they only say so.
export BOOK_STRICT = 1
# Waiting threads sleep: on a busy machine, spinning ones made two processes many times slower.
export OMP_WAIT_POLICY = passive

book: setup
	$(RUN) tools.build

# 1: each chapter alone in an empty folder, and the site made of the results. 2: helpers, structure,
# site and JupyterLab in a browser. 3: every cell from its own folder, without the network.
test: book
	$(RUN) pytest -n 2 --dist loadfile tests
	PYTHONPATH=$(CURDIR)/tools/offline BOOK_WORKERS=2 $(RUN) pytest --nbval-lax --nbval-current-env \
	  --nbval-cell-timeout=900 -n 2 --dist loadfile book

# Build if needed, serve the site and print its address.
serve: book
	$(RUN) tools.serve _build/html --port $(PORT)

# The chapters in JupyterLab.
lab: setup
	BOOK_STRICT=0 $(BIN)/jupyter lab --notebook-dir=book

# Start a chapter from the anatomy: make chapter NAME=06_preprocessing_audio
chapter: setup
	$(RUN) tools.new_chapter $(NAME)

# Execute and build one chapter alone, and show it: make show NAME=03_convolution
show: setup
	$(RUN) tools.build --only $(NAME)
	$(RUN) tools.serve _build/preview/_build/html --port $(PORT) --page book/$(NAME).html

# Re-make those of helpers/records/ whose code has changed (results that are too long for a chapter).
records: setup
	$(RUN) benchmarks

# Print the times that the tests bound (import, first explorable, each update), then train the
# article's network in Keras and in PyTorch: a quarter of an hour, and a table.
# Or re-run one rung of the language model's ladder beside its record: make bench RUNG="squared ReLU"
bench: $(if $(RUNG),setup,book)
	$(if $(RUNG),$(RUN) benchmarks.ladder "$(RUNG)",$(RUN) pytest -q -s -m benchmark && $(RUN) benchmarks.article_program)

# Break the project in some forty places, one at a time: a named test must turn red each time.
mutants: book
	$(RUN) tools.mutants

# Change the repository's address everywhere: make address URL=https://github.com/you/your-book
address: setup
	$(RUN) tools.address $(URL)

clean:
	rm -rf _build .pytest_cache .ruff_cache

setup: .venv/.ready _build/.vendor-ready

.venv/.ready: requirements.txt requirements-test.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "The book needs Python 3.11 or newer, this is " + sys.version + ". Name another one: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) \
	  -r requirements.txt -r requirements-test.txt -c constraints.txt
	@touch $@

_build/.vendor-ready: .venv/.ready site/package-lock.json site/widgets-config.js tools/vendor.py
	$(RUN) tools.vendor

.PHONY: book test serve lab chapter show records bench mutants address clean setup
