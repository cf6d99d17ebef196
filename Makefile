# Two targets do everything on a fresh machine; the build itself is CMake's (CMakePresets.json).
.PHONY: demo test build lint

demo: build
	./build/release/bin/bench doctor || true
	./build/release/bin/bench run startup --n 100

test:
	./scripts/install-deps
	cmake --preset dev
	cmake --build --preset dev
	cmake --preset release
	cmake --build --preset release
	./scripts/run-tests

build:
	./scripts/install-deps
	cmake --preset release
	cmake --build --preset release

lint:
	./scripts/lint
