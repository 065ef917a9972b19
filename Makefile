# `make` or `make help` lists the targets.

VENV ?= $(or $(SPECC_VENV),.venv)
BIN = $(VENV)/bin
SPECS = $(wildcard specs/*.yaml)
VARIANTS = specs/ssd512_vgg.yaml:coco specs/efficientnet.yaml:tf_b4 specs/retinanet_resnet50_fpn.yaml:v2 specs/yolov1.yaml:paper specs/efficientdet.yaml:d7x

.DEFAULT_GOAL := help
.PHONY: help demo test full gpu lint format goldens bench wheel

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: ## Compile SSD300; train a light SSD on drawn shapes, and score it
	python3 start.py demo

test: ## Run the tests
	python3 start.py test

full: ## Count again how ops and torch agree, compare all variants, run all tests but a GPU's
	$(BIN)/python benchmarks/ops_against_torch.py --draws 600 --out benchmarks/results/ops_against_torch.json
	$(BIN)/python benchmarks/variants.py --out benchmarks/results/variants.json
	$(BIN)/python -m pytest

gpu: ## Run the tests that need a GPU
	$(BIN)/python -m pytest -m gpu

lint: ## Check style, types, import contracts and the layout of specs
	$(BIN)/ruff check
	$(BIN)/ruff check generated
	$(BIN)/ruff format --check
	$(BIN)/ruff format --check generated
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo
	$(BIN)/specc fmt --check $(SPECS)

format: ## Sort imports and format, in place
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/specc fmt $(SPECS)

goldens: ## Accept what the compiler now writes: generated/, the schema, op pages, test cases
	$(BIN)/specc build $(SPECS) $(VARIANTS)
	$(BIN)/specc schema -o specs/specc.schema.json
	$(BIN)/python docs/make_ops.py
	$(BIN)/python docs/make_errata.py
	$(BIN)/python docs/make_zoo.py
	$(BIN)/python docs/make_results.py
	$(BIN)/python docs/make_speed.py
	$(BIN)/python tests/compiler/diagnostics/test_explain_pages.py --update
	SPECC_ACCEPT=1 $(BIN)/python -m pytest -q tests/cases

bench: ## Measure speed again; with DATA=FOLDER, photographs with boxes, loading and training too
	for name in compile match_loss postprocess zoo; do \
		$(BIN)/python benchmarks/$$name.py --out benchmarks/results/$$name.json || exit 1; \
	done
	for name in $(if $(DATA),loader train_loop); do \
		$(BIN)/python benchmarks/$$name.py --data $(DATA) --out benchmarks/results/$$name.json || exit 1; \
	done

wheel: ## Build the wheel into dist/
	$(BIN)/python -m build --wheel
