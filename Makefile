# make test   fetch and build the parts (once), then check and test everything
# make demo   the operator at work against a real SCIM server; ONCE=1 ends by itself
# make bench  the operator's speed against a plain loop; BENCH_USERS=1000,10000 for both sizes
# make crds   write crds/ anew from the Rust types
# make parts  only the parts that tests and the demo run against

.PHONY: help test check unit parts demo bench crds
# One recipe at a time: they share Cargo's lock, and their output is to be read.
.NOTPARALLEL:

help:
	@sed -n 's/^# //p' Makefile

# The cheap checks first: they fail within seconds.
test: check parts
	cargo test --locked
	@echo "make test: everything passed"

check:
	cargo fmt --check
	tests/parts/licences
	cargo clippy --locked --all-targets -- -D warnings

parts:
	tests/parts/install

demo:
	@examples/demo

bench: parts
	cargo bench --locked --bench provision

# The chart has a copy: a package, and a chart taken out of this tree, hold no link.
# Written beside and then moved, so that a build that fails leaves crds/ alone.
crds:
	mkdir -p crds
	cargo run --locked --quiet -- crds >crds/.new
	mv crds/.new crds/crds.yaml
	cp crds/crds.yaml charts/scim-operator/files/crds.yaml
