#!/usr/bin/env bash
# Runs govulncheck against a vulnerability database built from the
# golang.org/x/vulndb module: the same reports as the Go team's server has, but
# from the module proxy, so that this needs no host but the registry. The newest
# version is taken, and a fixed one if the proxy will not say which that is.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=${SPEEDLAYER_TOOLS:-$PWD/.tools}
fixed=v0.0.0-20261105234957-e22db6528018
mod=$(cd / && GOFLAGS=-mod=mod go mod download -json golang.org/x/vulndb@latest 2>/dev/null ||
	GOFLAGS=-mod=mod go mod download -json golang.org/x/vulndb@$fixed || true)
if ! grep -q '"Dir"' <<<"$mod"; then
	echo "vulncheck: the module proxy does not serve golang.org/x/vulndb: offline this cannot run" >&2
	exit 1
fi
version=$(sed -n 's/^.*"Version": "\(.*\)".*$/\1/p' <<<"$mod" | head -n 1)
dir=$(sed -n 's/^.*"Dir": "\(.*\)".*$/\1/p' <<<"$mod" | head -n 1)
db=$tools/vulndb-$version
if [ ! -f "$db/index/db.json" ]; then
	rm -rf "$db" && mkdir -p "$db"
	go run "golang.org/x/vulndb/cmd/indexdb@$version" -vulns "$dir/data/osv" -out "$db"
fi
echo "vulnerability database $version"
GOBIN=$tools go install golang.org/x/vuln/cmd/govulncheck@v1.9.0
report=$(mktemp)
trap 'rm -f "$report"' EXIT
status=0
"$tools/govulncheck" -db "file://$db" ./... >"$report" || status=$?
case $status in
0) ;;
3) ;; # found something
*)
	cat "$report"
	exit "$status"
	;;
esac

# What of the report is called by our code: "ID where it is fixed", for each
# module, or std for Go itself.
called=$(awk '/^Vulnerability #/ {id = $3} /^  Module: / {module = $2} /^  Standard library/ {module = "std"}
	/^    Fixed in: / {fixed = $3} /traces found:/ {print module, id, fixed}' "$report")
ours=$(grep -v '^std ' <<<"$called" || true)
std=$(grep '^std ' <<<"$called" || true)
if [ "$status" = 3 ] && [ -z "$called" ] || [ -n "$ours" ]; then
	cat "$report"
	echo "vulnerabilities in modules that our code calls:"
	echo "$ours"
	exit 1
fi
# The Go that this machine has is not the repository's to choose: said aloud,
# and no failure.
if [ -n "$std" ]; then
	echo "WARNING: $(go env GOVERSION) itself has $(wc -l <<<"$std") known vulnerabilities that our code reaches;" \
		"fixed in $(sed 's/.*@//' <<<"$std" | sort -V | tail -n 1): build releases with that"
	awk '{print "WARNING: " $2, $3}' <<<"$std"
fi
echo "no vulnerability in a module that our code calls"
