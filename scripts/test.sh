#!/usr/bin/env bash
# The test command: everything that holds the project's promises, in 30 to 40
# minutes on 2 cores. It installs what it needs (Go modules from the registry, and
# from Debian, where it may, Chromium, Java and Maven), runs the suites, and ends with how
# long each took and "N passed, N failed". Exit status 0: all passed.
#
#   scripts/test.sh             all suites
#   scripts/test.sh SUITE...    some
#   scripts/test.sh --list      what there is
#
# With CI=true a skipped test fails its suite. The sizes below can be raised
# from the environment: WORLDS=200000 scripts/test.sh worlds
set -uo pipefail
cd "$(dirname "$0")/.."

WORLDS=${WORLDS:-20000}   # random tiny worlds
CRASHES=${CRASHES:-2000}  # crash points of the store
DAYS=${DAYS:-10}          # seeds of whole days in virtual time
KILLS=${KILLS:-30}        # kill -9 of the real process
FAULTS=${FAULTS:-8}       # of all kinds, on real Kafka and HBase
RUNKILLS=${RUNKILLS:-10}  # batch runs on them, in each of which something is killed
FUZZTIME=${FUZZTIME:-2s}  # per fuzz target
CI=${CI:-false}
export CI

STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages with a suite of their own, which the plain run leaves out; so are
# those whose tests drive a browser.
HEAVY=(sim/worlds sim/crash sim/days sim/bench)

# name, what it does; in the order of running. Suites of one group run beside
# each other: those that measure time, or kill processes, run alone.
SUITES="
format       gofmt of every file
vet          go vet of every package
staticcheck  $STATICCHECK
vulncheck    known vulnerabilities that our code reaches (needs the module proxy)
unit         go test of every package but the heavy ones, architecture included
race         the same under the race detector
racesims     the heavy ones, made small, under the race detector
worlds       $WORLDS random tiny worlds against the oracle
crash        $CRASHES crash points of the store on a file system that forgets
days         $DAYS seeds of whole days in virtual time
torture      kill -9 of the real process under load, $KILLS times
cluster      real Kafka and HBase: the store's contract, the queue, $FAULTS faults, $RUNKILLS batch runs in which something is killed (needs Java 17 and Maven)
mutants      the known ways to break a law, each of which must be caught
fuzz         every fuzz target for $FUZZTIME
browser      the dashboard in Chromium
bench        every benchmark once, small
"
GROUPS_OF_SUITES=("format vet" "unit" "staticcheck vulncheck" "race racesims" "worlds crash" "days fuzz" "mutants" "torture" "cluster" "browser" "bench")

. scripts/suites.sh

names() { awk 'NF {print $1}' <<<"$SUITES"; }

case ${1:-} in
-h | --help)
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	exit 0
	;;
--list)
	sed '/^$/d' <<<"$SUITES"
	exit 0
	;;
esac
for s in "$@"; do
	if ! names | grep -qx -- "$s"; then
		echo "test.sh: no suite $s: allowed are $(names | tr '\n' ' ')" >&2
		exit 2
	fi
done
if ! command -v go >/dev/null; then
	[ -x /usr/local/go/bin/go ] && PATH=$PATH:/usr/local/go/bin
	command -v go >/dev/null || { echo "test.sh: Go is not installed: https://go.dev/dl" >&2; exit 1; }
fi

logs=$(mktemp -d)
declare -A took result
passed=0 failed=0 began=$SECONDS
trap 'kill $(jobs -p) 2>/dev/null; echo "stopped; logs are in $logs" >&2; exit 130' INT TERM

# judge says how a suite that ended with status $2 did, and shows its summary.
judge() {
	local name=$1 status=$2 log=$logs/$1.log
	took[$name]=$(cat "$logs/$name.took")
	if grep -E '^\s*--- SKIP|^SKIP' "$log" >"$logs/skips"; then
		echo "SKIPPED in $name:"
		sed 's/^/    /' "$logs/skips"
		if [ "$CI" = true ] && [ "$status" = 0 ]; then
			echo "$name: CI=true allows no skipped test" | tee -a "$log"
			status=1
		fi
	fi
	if [ "$status" = 0 ]; then
		summary "$name" "$log"
		result[$name]=PASS passed=$((passed + 1))
	else
		echo "---- log of $name"
		failure "$log"
		echo "---- all of it: $log"
		result[$name]=FAIL failed=$((failed + 1))
	fi
	printf '%s  %-12s %4d s\n' "${result[$name]}" "$name" "${took[$name]}"
}

start() {
	local name=$1 t0=$SECONDS
	(
		trap 'echo $((SECONDS - t0)) >"$logs/$name.took"' EXIT
		set -e
		"suite_$name"
	) >"$logs/$name.log" 2>&1 &
}

for group in "${GROUPS_OF_SUITES[@]}"; do
	pids=() running=()
	for s in $group; do
		if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qx -- "$s"; then continue; fi
		echo "run   $s"
		start "$s"
		pids+=($!) running+=("$s")
	done
	for i in "${!pids[@]}"; do
		wait "${pids[$i]}"
		judge "${running[$i]}" $?
	done
done

echo
echo "suite         time  result"
for s in $(names); do
	[ -n "${result[$s]:-}" ] && printf '%-12s %4d s  %s\n' "$s" "${took[$s]}" "${result[$s]}"
done
total=$((SECONDS - began))
printf '%-12s %4d s\n' "all" "$total"
[ $total -gt 2700 ] && echo "this took longer than the 30 to 40 minutes that it is meant to take on 2 cores"
for s in $(names); do
	[ "${result[$s]:-}" = FAIL ] && grep -hE '^\s*--- (FAIL|SKIP)|^FAIL|^panic:|^signal: ' "$logs/$s.log" | sed "s/^/in $s: /" | tail -n 20
done
[ $failed = 0 ] && rm -rf "$logs"
echo
echo "$passed passed, $failed failed"
[ $failed = 0 ]
