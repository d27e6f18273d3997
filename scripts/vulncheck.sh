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
exec go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 -db "file://$db" ./...
