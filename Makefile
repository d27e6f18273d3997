# The work is in scripts; this file is for those who type make.
.PHONY: build test test-all list demo torture
build:
	go build ./cmd/speedlayer
test:
	scripts/test.sh
test-all:
	scripts/test.sh --all
list:
	scripts/test.sh --list
demo:
	go run ./cmd/speedlayer demo
# Any number of faults on real Kafka and HBase: make torture FAULTS=40 SEED=7
FAULTS ?= 40
SEED ?= 0
BROKERS ?= 1
HDFS ?= false
torture:
	go test -count=1 -v -timeout 0 ./sim/faults -run '^TestClusterFaults$$' -faults $(FAULTS) -faults.seed $(SEED) -faults.brokers $(BROKERS) -faults.hdfs=$(HDFS)
