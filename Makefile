# make demo    see it work: a throwaway PostgreSQL, backed up, lost, restored, proven
# make test    every test, with real servers that it installs and starts
# make lint    format, clippy, licences
# make bench   against stock pg_dump and pg_restore; BENCH='dump restore' selects sections
# make install the program into ~/.cargo/bin

.PHONY: demo test lint bench install

PROFILE ?= default

demo:
	testbed/demo

test:
	testbed/install
	testbed/test --profile $(PROFILE)

lint:
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	testbed/install --lint
	cargo deny --all-features check bans licenses sources

bench:
	testbed/install
	bench/run $(BENCH)

install:
	cargo install --locked --path crates/pgkeep
