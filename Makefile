# The work is in scripts; this file is for those who type make.
.PHONY: build test list demo
build:
	go build ./cmd/speedlayer
test:
	scripts/test.sh
list:
	scripts/test.sh --list
demo:
	go run ./cmd/speedlayer demo
