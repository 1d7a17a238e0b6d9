# Needs Python >= 3.11 and make. Where uv is not installed, it is fetched into the checkout.
UV := $(shell command -v uv || echo .uv/bin/uv)
RUN := $(UV) run --locked --all-extras --all-packages
UV_VERSION := 0.13.9
# The programs are started often, by people and by tests: what they import is compiled once.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup serve demo test check audit sbom release format protos man site forwarder bench profile fuzz properties \
	history-campaign feed-campaign collector-campaign interleavings chaos chaos-night \
	seeded-bugs failover overload soak hostile newcomer alerts restore-trials e2e-cni e2e-cri e2e-kube

setup: $(UV)        ## everything into .venv
	$(UV) sync --locked --all-extras --all-packages --quiet

serve: $(UV)        ## a server with sample pools, until Ctrl-C; keeps its data in .moorage
	$(RUN) scripts/serve.py

demo: $(UV)         ## the CNI plugin at work on a throw-away server
	$(RUN) scripts/demo.py

newcomer: $(UV)     ## how long from a clone, with nothing installed, to a pod's first address
	MOORAGE_NEWCOMER=1 $(RUN) pytest -q tests/packaging/test_serve.py -k newcomer

test: $(UV)         ## the whole suite
	$(RUN) --group forwarder pytest --numprocesses=auto --dist=loadgroup

check: $(UV)        ## lint, types, layers, protos, lock file
	$(RUN) scripts/check.py

audit: $(UV)        ## known vulnerabilities of what a release contains
	$(RUN) --group audit scripts/audit.py

sbom: $(UV)         ## what a release contains, in CycloneDX: dist/sbom.cdx.json
	mkdir -p dist
	$(UV) export --locked --all-extras --all-packages --no-dev --quiet \
		--preview-features sbom-export --format cyclonedx1.5 --output-file dist/sbom.cdx.json

release: $(UV)      ## checked, audited, built: dist, and the API that the next one must not break
	$(MAKE) check
	MOORAGE_AUDIT_UNREACHED=fail $(MAKE) audit
	$(RUN) scripts/release.py

format: $(UV)       ## rewrite what `check` would complain of
	$(RUN) scripts/check.py --fix

protos: $(UV)       ## generate client/moorage/v1 from proto
	$(UV) run --script scripts/generate_protos.py

properties: $(UV)   ## long random histories, each held against a model of what is held
	MOORAGE_PROPERTY_STEPS=$${MOORAGE_PROPERTY_STEPS:-100000} \
		$(RUN) pytest --numprocesses=auto tests/properties

history-campaign: $(UV) ## who held an address, asked 10,000 times while holders come and go
	MOORAGE_HISTORY_QUESTIONS=$${MOORAGE_HISTORY_QUESTIONS:-10000} \
		$(RUN) pytest -q tests/history

feed-campaign: $(UV) ## a million events to consumers that come and go: none lost, none twice
	MOORAGE_FEED_EVENTS=$${MOORAGE_FEED_EVENTS:-1000000} \
		$(RUN) pytest --capture=no tests/campaigns/test_feed.py

interleavings: $(UV) ## every order of the statements of two use cases, for each pair of them
	MOORAGE_INTERLEAVINGS=all $(RUN) pytest -p no:randomly -s tests/interleavings

collector-campaign: $(UV) ## a million steps of nodes and their lists: no live address is ever collected
	MOORAGE_COLLECTOR_STEPS=$${MOORAGE_COLLECTOR_STEPS:-1000000} \
		$(RUN) pytest -q -rP tests/campaigns/test_collector.py

chaos: $(UV)        ## five minutes of faults of every kind under load, all accounted for
	MOORAGE_CHAOS_SECONDS=$${MOORAGE_CHAOS_SECONDS:-300} \
		$(RUN) pytest -q tests/chaos/test_chaos.py

chaos-night: $(UV)  ## the same for a million operations: hours
	MOORAGE_CHAOS_OPERATIONS=$${MOORAGE_CHAOS_OPERATIONS:-1000000} \
		$(RUN) pytest -q tests/chaos/test_chaos.py

seeded-bugs: $(UV)  ## servers that break one rule each: the chaos finds out every one
	MOORAGE_SEEDED_BUGS=all $(RUN) pytest -q tests/chaos/test_seeded_bugs.py

failover: $(UV)     ## fifty failovers among three PostgreSQLs under load, all accounted for
	MOORAGE_FAILOVERS=$${MOORAGE_FAILOVERS:-50} \
		$(RUN) --group failover pytest -q tests/failover

overload: $(UV)     ## five minutes of three times as many pods as can be served; before, other trials
	MOORAGE_OVERLOAD_SECONDS=$${MOORAGE_OVERLOAD_SECONDS:-300} \
		$(RUN) pytest -q tests/load/test_avalanche.py tests/load/test_restarts.py \
		tests/load/test_clock_steps.py tests/load/test_overload.py

soak: $(UV)         ## an hour under a steady load: nothing grows
	MOORAGE_SOAK_SECONDS=$${MOORAGE_SOAK_SECONDS:-3600} \
		$(RUN) pytest -q tests/load/test_soak.py

hostile: $(UV)      ## how much longer calls take beside peers that do not speak as they should
	MOORAGE_HOSTILE_SECONDS=$${MOORAGE_HOSTILE_SECONDS:-6} \
		$(RUN) pytest -q tests/hostile/test_pace.py

alerts: $(UV)       ## ten minutes of what goes wrong, and what a real Prometheus makes of it
	MOORAGE_LIVE_ALERTS=1 $(RUN) pytest -q tests/monitoring/test_bad_nights.py

restore-trials: $(UV) ## fifty older backups restored under running nodes: each noticed in time
	MOORAGE_RESTORE_TRIALS=$${MOORAGE_RESTORE_TRIALS:-50} \
		$(RUN) pytest -q -rP tests/restore

fuzz: $(UV)         ## five million spoiled inputs for every parser, led by coverage: hours
	MOORAGE_FUZZ_RUNS=$${MOORAGE_FUZZ_RUNS:-5000000} \
		$(RUN) --group fuzz pytest -q -rP --numprocesses=2 tests/fuzz

forwarder: $(UV)    ## the plugin for nodes without Python: dist/forwarder
	$(RUN) --group forwarder scripts/build_forwarder.py dist/forwarder

man: $(UV)          ## manual pages of moorctl: dist/man
	$(RUN) moorctl man dist/man

site: $(UV)         ## the documentation: dist/site/index.html
	$(RUN) mkdocs build --quiet

bench: $(UV)        ## throughput and latency beside what bounds them
	$(RUN) python -m bench

profile: $(UV)      ## where the server's CPU of an assign goes
	$(RUN) --group profile python -m bench.profile

e2e-cni: $(UV)      ## real CNI runtime and plugins in network namespaces; as root, podman too
	$(RUN) pytest -m e2e tests/e2e

e2e-cri: $(UV)      ## pod sandboxes of real containerds, with an agent and without; needs root
	$(RUN) pytest -m e2e --capture=no tests/e2e_cri

e2e-kube: $(UV)     ## pods of a real Kubernetes, with agent and controller; needs root, builds it once
	$(RUN) pytest -m e2e tests/e2e_kube

.uv/bin/uv:
	python3 -m venv .uv && .uv/bin/pip install --quiet uv==$(UV_VERSION)
