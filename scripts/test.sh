#!/usr/bin/env bash
# The test command. It installs what it needs (Go modules from the module proxy; and
# from Debian, if it may, Chromium, Java, Maven and a C compiler), runs the suites,
# and prints how long each took and "N passed, N failed". Exit status 0: all passed.
#
#   scripts/test.sh             the quick suites: 7 to 11 minutes on 2 cores, 20 the first time
#   scripts/test.sh --all       every suite at full size: hours
#   scripts/test.sh --rest      what --all does beyond the quick suites
#   scripts/test.sh SUITE...    some suites at full size
#   scripts/test.sh --list      the suites
#
# DRY_RUN=true prints the names of the suites that would run, and runs none.
# With CI=true, a skipped test fails its suite. The environment sets other sizes:
# WORLDS=200000 scripts/test.sh worlds
set -uo pipefail
cd "$(dirname "$0")/.."
CI=${CI:-false}
export CI

STATICCHECK=honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Packages with a suite of their own, which the suite unit leaves out, as it leaves
# out those whose tests drive a browser.
HEAVY=(sim/worlds sim/topologies sim/crash sim/days sim/bench)

# Suites of the quick run, in two lanes that run beside each other: the second one
# mostly waits for other processes, and has time for staticcheck.
QUICK_LANES=("format vet unit browser worlds crash days" "cluster torture staticcheck")
# Groups of all suites: a group's suites run beside each other, the groups one after
# the other.
ALL_GROUPS=("format vet" "unit" "staticcheck vulncheck" "race racesims" "worlds crash" "days fuzz" "mutants" "torture" "browser" "bench")
# A suite that runs beside all groups: it mostly waits for servers.
BESIDE="cluster"
# Suites that --all runs in the same way as the quick run.
SAME="format vet staticcheck unit browser"

case ${1:-} in
-h | --help)
	sed -n '2,/^set /s/^# \{0,1\}//p' "$0"
	exit 0
	;;
--all | --rest) mode=${1#--} && shift ;;
--list) mode=list && shift ;;
"") mode=quick ;;
*) mode=some ;;
esac
if [ "$mode" = quick ]; then
	WORLDS=${WORLDS:-5000} CRASHES=${CRASHES:-150} DAYS=${DAYS:-1} KILLS=${KILLS:-5} FAULTS=${FAULTS:-12}
else
	WORLDS=${WORLDS:-20000} CRASHES=${CRASHES:-2000} DAYS=${DAYS:-10} KILLS=${KILLS:-30} FAULTS=${FAULTS:-24}
fi
SPARKFAULTS=${SPARKFAULTS:-20}
SPARKKINDS=${SPARKKINDS:-} # of faults on Spark, with commas between them; none are all
RUNKILLS=${RUNKILLS:-10} # batch runs on real servers, in each of which something is killed
FUZZTIME=${FUZZTIME:-2s} # for each fuzz target

# name, what it does
SUITES="
format       gofmt of every file
vet          go vet of every package
staticcheck  $STATICCHECK
vulncheck    known vulnerabilities that the code reaches (needs the module proxy)
unit         go test of every package but the heavy ones, architecture included
race         the same under the race detector
racesims     the heavy ones, made small, under the race detector
worlds       random tiny worlds against their oracles, of web analytics and of random topologies: 5,000 each in the quick run, 20,000 in full
crash        crash points of the store on a file system that forgets: 150, or 2,000
days         seeds of whole days in virtual time: 1, or 10
torture      kill -9 of the real process under load: 5 times, or 30
cluster      real Kafka and HBase (needs Java 17 and Maven): the store's contract and 12 faults, one of each kind; in full every test on them, on Cassandra and on Spark, $FAULTS faults, $SPARKFAULTS on Spark, and $RUNKILLS batch runs in which something is killed
mutants      the known ways to break a law, each of which must be caught
fuzz         every fuzz target for $FUZZTIME
browser      the dashboard and the tracker in Chromium
bench        every benchmark once, small
"

. scripts/suites.sh

names() { awk 'NF {print $1}' <<<"$SUITES"; }
if [ "$mode" = list ]; then
	sed '/^$/d' <<<"$SUITES"
	exit 0
fi
for s in "$@"; do
	if ! names | grep -qx -- "$s"; then
		echo "test.sh: no suite $s: allowed are --all, --rest, --list, $(names | tr '\n' ' ')" >&2
		exit 2
	fi
done
if ! command -v go >/dev/null; then
	[ -x /usr/local/go/bin/go ] && PATH=$PATH:/usr/local/go/bin
	command -v go >/dev/null || { echo "test.sh: Go is not installed: https://go.dev/dl" >&2; exit 1; }
fi

logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; echo "stopped; the logs are in $logs" >&2; exit 130' INT TERM

# run runs one suite and prints its result as soon as it is known. It leaves the
# result and the time in files, since lanes are processes of their own.
run() {
	local name=$1 log=$logs/$1.log t0=$SECONDS status=0
	# In the background, since bash ignores set -e to the left of ||.
	(set -e; "suite_$name") >"$log" 2>&1 &
	wait $! || status=$?
	local took=$((SECONDS - t0))
	(
		flock 8
		if grep -E '^\s*--- SKIP|^SKIP' "$log" >"$logs/$name.skips"; then
			echo "SKIPPED in $name:"
			sed 's/^/    /' "$logs/$name.skips"
			if [ "$CI" = true ] && [ "$status" = 0 ]; then
				echo "$name: CI=true allows no skipped test" | tee -a "$log"
				status=1
			fi
		fi
		if [ "$status" = 0 ]; then
			summary "$name" "$log"
			echo PASS >"$logs/$name.result"
		else
			echo "---- log of $name"
			failure "$log"
			echo "---- the whole log: $log"
			echo FAIL >"$logs/$name.result"
		fi
		echo "$took" >"$logs/$name.took"
		printf '%s  %-12s %4d s\n' "$(cat "$logs/$name.result")" "$name" "$took"
	) 8>"$logs/print.lock"
}

# lane runs suites one after the other.
lane() { for s in "$@"; do run "$s"; done; }

# chosen prints those of the suites in $1 that this run is for.
chosen() {
	local s
	for s in $1; do
		case $mode in
		rest) [[ " $SAME " == *" $s "* ]] || echo "$s" ;;
		some) [[ " $wanted " == *" $s "* ]] && echo "$s" ;;
		*) echo "$s" ;;
		esac
	done
}

wanted="$*"
if [ "${DRY_RUN:-false}" = true ]; then
	if [ "$mode" = quick ]; then
		printf '%s\n' "${QUICK_LANES[@]}" | tr ' ' '\n'
	else
		for group in "$BESIDE" "${ALL_GROUPS[@]}"; do chosen "$group"; done
	fi
	exit 0
fi
if [ "$mode" = quick ]; then
	for l in "${QUICK_LANES[@]}"; do
		# shellcheck disable=SC2086
		lane $l &
	done
	wait
else
	for s in $(chosen "$BESIDE"); do run "$s" & done
	beside=$(jobs -p)
	for group in "${ALL_GROUPS[@]}"; do
		pids=
		for s in $(chosen "$group"); do
			run "$s" &
			pids+=" $!"
		done
		# shellcheck disable=SC2086
		[ -z "$pids" ] || wait $pids
	done
	# shellcheck disable=SC2086
	[ -z "$beside" ] || wait $beside
fi

echo
echo "suite         time  result"
passed=0 failed=0
for s in $(names); do
	[ -f "$logs/$s.result" ] || continue
	result=$(cat "$logs/$s.result")
	printf '%-12s %4d s  %s\n' "$s" "$(cat "$logs/$s.took")" "$result"
	if [ "$result" = PASS ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
printf '%-12s %4d s\n' "all" "$SECONDS"
for s in $(names); do
	[ -f "$logs/$s.result" ] && [ "$(cat "$logs/$s.result")" = FAIL ] &&
		grep -hE '^\s*--- (FAIL|SKIP)|^FAIL|^panic:|^signal: ' "$logs/$s.log" | sed "s/^/in $s: /" | tail -n 20
done
[ $failed = 0 ] && rm -rf "$logs"
echo
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed -gt 0 ]
