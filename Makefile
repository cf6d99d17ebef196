# Two targets do everything on a fresh machine; the build itself is CMake's (CMakePresets.json).
.PHONY: demo test build lint

demo: build
	-./build/release/bin/bench doctor
	./build/release/bin/bench run startup --n 100

build:
	./scripts/install-deps
	cmake --preset release -DBUILD_TESTING=OFF
	cmake --build --preset release

test:
	./scripts/install-deps --test
	cmake --preset dev
	cmake --build --preset dev
	cmake --preset release -DBUILD_TESTING=ON
	cmake --build --preset release
	./scripts/run-tests

lint:
	./scripts/lint
