# make test   fetch and build the parts (once), then check and test everything
# make demo   the operator at work against a real SCIM server; ONCE=1 ends by itself, CONTEXT=NAME uses a cluster
# make try    a first look without a cluster, within seconds: what the operator would do, as kubectl scim plan tells it
# make bench  the operator's speed against a plain loop; BENCH_USERS=1000,10000 for both sizes, BENCH_PAIRS=5 of each
# make bench-report write docs/performance.md anew from benches/results, where each bench saves what it measured
# make bench-start how soon the operator serves, and what it holds with nothing to do
# make bench-failover how soon a standby goes on
# make bench-rosters a roster's speed against a plain loop; BENCH_ROWS=50000 for another size
# make gitops-test Flux's own controllers over a Git repository; they are built from source, which takes long once
# make bench-plan a plan and an import of 10,000 people: time and memory; BENCH_USERS=1000 for another size
# make bench-console the console with 100,000 people, in a real browser; BENCH_USERS=10000 for another size
# make soak   a million random histories, and small worlds searched whole; SOAK_HISTORIES=10000 for fewer, SOAK_SEED=2 for others
# make mutants break the product on purpose, a line at a time, and see whether a test notices: docs/mutants.md
# make chaos  2,000 people, a server that fails in every way, 20 kills, restarts of the API server
# make pictures take the documentation's pictures of the console anew
# make crds   write crds/ anew from the Rust types
# make promises write the tests into docs/promises.md anew
# make troubleshooting write the mistakes that tests make into docs/troubleshooting.md anew
# make reference write docs/api.md anew from crds/, docs/cli.md from the command line
# make deploy write deploy/ anew from the chart
# make static the image's binary
# make audit  advisories about what Cargo.lock names; needs the network
# make msrv   compiles with the oldest Rust that Cargo.toml permits
# make links  pages elsewhere that the documentation points at
# make release what a release holds, into dist/: binaries, chart, CRDs, SBOMs, checksums
# make bundle what the Operator Lifecycle Manager takes, into dist/bundle, validated
# make parts  only the parts that tests and the demo run against

.PHONY: help test check unit parts static demo try bench bench-report bench-start bench-failover bench-rosters bench-plan bench-console gitops-test soak mutants chaos pictures crds promises troubleshooting reference deploy audit msrv links release bundle
# One recipe at a time: they share Cargo's lock, and their output is to be read.
.NOTPARALLEL:

help:
	@sed -n 's/^# //p' Makefile

# The cheap checks first: they fail within seconds.
# Most tests wait for something most of the time: those in a cluster run beside all others, and are shown at the end.
OTHERS = $(filter-out --test=cluster,$(patsubst tests/%.rs,--test=%,$(wildcard tests/*.rs)))
test: check parts static
	cargo test --locked --no-run
	@mkdir -p target/tmp
	RUST_TEST_THREADS=3 cargo test --locked --test cluster >target/tmp/cluster.log 2>&1 & cluster=$$!; \
	RUST_TEST_THREADS=2 cargo test --locked --no-fail-fast --lib --bins $(OTHERS); others=$$?; \
	echo "the tests in a cluster, begun at the same time (target/tmp/cluster.log):"; \
	wait $$cluster; cluster=$$?; cat target/tmp/cluster.log; exit $$((others | cluster))
	@echo "make test: everything passed"

# The parts that it takes, and no others: small ones.
check:
	cargo fmt --check
	tests/parts/install actionlint check-jsonschema zizmor cargo-deny cargo-machete
	.parts/bin/actionlint -shellcheck= -pyflakes=
	.parts/bin/zizmor --offline --quiet --persona=pedantic .github
	cargo fetch --locked --quiet
	.parts/bin/cargo-deny --offline --locked check --hide-inclusion-graph bans licenses sources
	.parts/bin/cargo-machete .
	cargo clippy --locked --all-targets -- -D warnings

parts:
	tests/parts/install

# The Dockerfile does the same in its own image. ring's C code needs nothing of a C library, so that the host's
# compiler serves.
STATIC = $(shell uname -m)-unknown-linux-musl
static:
	rustup target add $(STATIC)
	CC_$(subst -,_,$(STATIC))=cc cargo build --release --locked --bin scim-operator --no-default-features --target $(STATIC)

demo:
	@examples/demo

try:
	cargo build --locked --quiet --bin kubectl-scim --bin scim-sandbox
	@examples/try/run

bench: parts
	cargo bench --locked --bench provision

bench-start: parts
	cargo bench --locked --bench start

bench-report:
	cargo bench --locked --bench report

bench-failover: parts
	cargo bench --locked --bench failover

bench-rosters: parts
	cargo bench --locked --bench rosters

bench-plan:
	cargo bench --locked --bench plan

bench-console: parts
	cargo bench --locked --bench console

# The long form of tests/chaos.rs; the short one is among the tests.
chaos: parts
	SCIM_OPERATOR_CHAOS=2000 cargo test --locked --test chaos -- --nocapture

gitops-test:
	tests/parts/install etcd jackson controlplane flux
	cargo test --locked --test operations flux:: -- --ignored

soak:
	cargo test --locked --profile soak --lib simulation:: -- --ignored --nocapture --test-threads=1

mutants:
	tests/mutants/run --report

# The chart has a copy: a package, and a chart taken out of this tree, hold no link.
# Written beside and then moved, so that a build that fails leaves crds/ alone.
crds:
	mkdir -p crds
	cargo run --locked --quiet -- crds >crds/.new
	mv crds/.new crds/crds.yaml
	cp crds/crds.yaml charts/scim-operator/files/crds.yaml

pictures: parts
	PICTURES=1 cargo test --locked --test cli -- pictured::

audit:
	tests/parts/install cargo-deny
	.parts/bin/cargo-deny --locked check advisories

# Into a directory of its own: another compiler would throw away what this one built.
MSRV = $(shell sed -n 's/^rust-version = "\(.*\)"$$/\1/p' Cargo.toml)
msrv:
	rustup toolchain install $(MSRV) --profile minimal
	CARGO_TARGET_DIR=target/msrv cargo +$(MSRV) check --locked --bins

links:
	.ci/links

promises:
	WRITE_PROMISES=1 cargo test --locked --test promises

troubleshooting:
	WRITE_TROUBLESHOOTING=1 cargo test --locked --test mistakes table::the_page

reference:
	WRITE_REFERENCE=1 cargo test --locked --test reference
	WRITE_REFERENCE=1 cargo test --locked --test cli planning::the_schema

deploy:
	WRITE_DEPLOY=1 cargo test --locked --test manifests kustomize::the_kustomization

bundle:
	tests/parts/install helm olm
	cargo test --locked --test manifests olm:: -- --ignored --nocapture

release:
	.ci/release
