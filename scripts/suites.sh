# The suites of scripts/test.sh, which reads this file: one function each, run
# in a subshell with -e and its output in a log. shellcheck shell=bash

# tested PACKAGE fails unless the package is there and has tests.
tested() {
	local n
	n=$(go list -f '{{len .TestGoFiles}}+{{len .XTestGoFiles}}' "./$1") || {
		echo "package $1 is missing: its suite cannot run"
		return 1
	}
	if [ $((n)) = 0 ]; then
		echo "package $1 has no tests: its suite cannot run"
		return 1
	fi
}

# gotest runs go test with -v, so that skipped tests show in the log. A pattern
# that matches nothing is a failure, not a pass.
gotest() {
	local out
	out=$(mktemp)
	go test -count=1 -v "$@" 2>&1 | tee "$out"
	if grep -q 'no tests to run' "$out"; then
		echo "a suite ran no test: go test $*"
		rm -f "$out"
		return 1
	fi
	rm -f "$out"
}

# inbrowser lists the packages whose tests drive a browser.
inbrowser() {
	go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... |
		awk '/[[ ]speedlayer\/internal\/browser[] ]/ {print $1}'
}

# light lists all packages but the heavy ones and those in a browser.
light() {
	local leave
	leave=$(printf 'speedlayer/%s\n' "${HEAVY[@]}"; inbrowser)
	go list ./... | grep -Fvx "$leave"
}

suite_format() {
	local bad
	bad=$(find . -name '*.go' -not -path './.*/*' -exec gofmt -l {} +)
	[ -z "$bad" ] || { echo "not formatted by gofmt:"; echo "$bad"; return 1; }
}

suite_vet() { go vet ./...; }

suite_staticcheck() { go run "$STATICCHECK" ./...; }

suite_vulncheck() { scripts/vulncheck.sh; }

suite_unit() {
	local packages
	packages=$(light)
	# shellcheck disable=SC2086
	gotest -timeout 30m -skip '^TestTorture$|^TestCluster' $packages
}

suite_race() {
	local packages
	needbrowser
	needcompiler
	packages="$(light) $(inbrowser)"
	# shellcheck disable=SC2086
	gotest -race -timeout 30m -skip '^(TestTorture|TestEveryStepFails)$|^TestCluster' $packages
}

# racesims is one process after the other, so it fits beside race.
suite_racesims() {
	tested sim/worlds
	tested sim/topologies
	tested sim/crash
	tested sim/days
	needcompiler
	gotest -race -timeout 30m ./batch/archive -run '^TestEveryStepFails$' -worlds 1
	gotest -race -timeout 30m ./sim/worlds -worlds 300
	gotest -race -timeout 30m ./sim/topologies -worlds 300
	gotest -race -timeout 30m ./sim/crash -crashes 60
	gotest -race -timeout 30m ./sim/days -seeds 1 -days 1
	gotest -race -timeout 30m ./cmd/speedlayer -run '^TestTorture$' -torture.kills 3
}

suite_worlds() {
	tested sim/worlds
	gotest -timeout 30m ./sim/worlds -worlds "$WORLDS"
	gotest -timeout 30m ./sim/topologies -worlds "$WORLDS"
}

suite_crash() {
	tested sim/crash
	gotest -timeout 30m ./sim/crash -crashes "$CRASHES"
}

suite_days() {
	tested sim/days
	gotest -timeout 30m ./sim/days -seeds "$DAYS"
}

suite_torture() {
	tested cmd/speedlayer
	gotest -timeout 30m ./cmd/speedlayer -run '^TestTorture$' -torture.kills "$KILLS"
}

# oncluster lists the packages whose tests ask for real Kafka or HBase.
oncluster() {
	go list -f '{{.ImportPath}} {{.TestImports}} {{.XTestImports}}' ./... |
		awk '/[[ ]speedlayer\/internal\/devcluster\/clustertest[] ]/ {print $1}'
}

# cluster runs what is named TestCluster: one package at a time, since each starts
# servers of its own. The quick run takes the store's contract and the faults.
suite_cluster() {
	local packages
	tested sim/faults
	tested internal/devcluster
	tested sim/onspark
	packages=$(oncluster)
	grep -qx speedlayer/sim/faults <<<"$packages" || { echo "sim/faults has no test on a cluster"; return 1; }
	needjava
	if [ "$mode" = quick ]; then
		gotest -timeout 30m -run '^TestClusterConformance$' ./store/hbase
		gotest -timeout 30m -run '^TestClusterFaults$' ./sim/faults -faults "$FAULTS"
		return
	fi
	# shellcheck disable=SC2086
	gotest -p 1 -timeout 40m -run '^TestCluster' $(grep -vx -e speedlayer/sim/faults -e speedlayer/sim/onspark <<<"$packages")
	gotest -timeout 40m -run '^TestCluster' ./sim/faults -faults "$FAULTS" -faults.batch "$RUNKILLS"
	gotest -timeout 40m -run '^TestCluster' ./sim/onspark -spark.faults "$SPARKFAULTS" -spark.kind "$SPARKKINDS"
}

# needjava installs Java and Maven, which real servers are run with and got by, and
# the compiler for the jar that runs in Spark.
needjava() {
	if type -P java >/dev/null && type -P javac >/dev/null && type -P mvn >/dev/null; then return 0; fi
	debian "Java 17 or Maven" openjdk-17-jdk-headless maven || {
		[ "$CI" != true ] || return 1
		echo "the tests on real servers are skipped"
	}
}

suite_mutants() {
	go list ./sim/mutants >/dev/null || { echo "package sim/mutants is missing"; return 1; }
	go run ./sim/mutants
}

# fuzz runs each target by itself, as go test can only fuzz one at a time.
suite_fuzz() {
	local targets package name n=0 out
	targets=$(go test -list '^Fuzz' ./... | awk '/^Fuzz/ {f[++n] = $1} /^ok/ {for (i = 1; i <= n; i++) print $2, f[i]; n = 0}')
	out=$(mktemp)
	while read -r package name; do
		[ -n "$name" ] || continue
		n=$((n + 1))
		echo "fuzz $package $name"
		fuzz_one "$package" "$name" "$out" || return 1
	done <<<"$targets"
	rm -f "$out"
	[ $n -gt 0 ] || { echo "no fuzz targets found"; return 1; }
	echo "ok  	$n fuzz targets, $FUZZTIME each"
}

# fuzz_one tries again when the end of the fuzzing time itself was taken for a
# failure (go.dev/issue/48591): no input is at fault then.
fuzz_one() {
	local try
	for try in 1 2 3; do
		if go test -run '^$' -fuzz "^$2\$" -fuzztime "$FUZZTIME" "$1" >"$3" 2>&1; then
			tail -n 2 "$3"
			return 0
		fi
		if ! grep -q 'context deadline exceeded' "$3" || grep -q 'Failing input' "$3"; then break; fi
		echo "the fuzzer ran into its own deadline (try $try)"
	done
	cat "$3"
	return 1
}

# needbrowser installs Chromium from Debian where no browser is there. It asks for
# files: command -v would also find a function of that name.
needbrowser() {
	local b
	for b in chromium chromium-browser google-chrome; do
		if type -P "$b" >/dev/null; then return 0; fi
	done
	debian Chromium chromium
}

# needcompiler installs the C compiler that the race detector is linked with.
needcompiler() {
	if type -P "$(go env CC)" >/dev/null; then return 0; fi
	debian "A C compiler" gcc libc6-dev
}

# debian WHAT PACKAGE... installs packages: one suite at a time, as others run
# beside it.
debian() {
	local what=$1
	shift
	if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
		echo "$what is missing and this is not root on Debian or Ubuntu: install it, then run again"
		return 1
	fi
	(
		flock 9
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
	) 9>"${TMPDIR:-/tmp}/speedlayer-apt.lock"
}

suite_browser() {
	local packages
	tested dashboard
	packages=$(inbrowser)
	grep -qx speedlayer/dashboard <<<"$packages" || { echo "no test of the dashboard drives a browser"; return 1; }
	needbrowser
	# shellcheck disable=SC2086
	gotest -timeout 30m $packages
}

# bench runs every benchmark once, and the whole of sim/bench small: that they
# run, not what they measure.
suite_bench() {
	local packages
	tested sim/bench
	packages=$(light)
	export SPEEDLAYER_BENCH_EVENTS=50000
	# shellcheck disable=SC2086
	go test -run '^$' -bench . -skip '^BenchmarkCluster' -benchtime 1x -timeout 30m $packages ./sim/bench
	gotest -timeout 30m -skip '^TestCluster' ./sim/bench
}

# summary shows what of a suite's log says what ran.
summary() {
	case $1 in
	mutants) cat "$2" ;;
	fuzz) tail -n 1 "$2" ;;
	bench) grep -E '^(Benchmark|ok)' "$2" ;;
	vulncheck) grep -E '^(WARNING|no vulner|vulnerability database)' "$2" ;;
	*) grep -E '^(ok|\?|FAIL|PASS: )' "$2" | grep -v 'no test files' ;;
	esac
	return 0
}

# failure shows the part of a log that says what failed: of the tests that
# passed, nothing.
failure() {
	local rest
	rest=$(mktemp)
	grep -vE '^\s*(=== (RUN|PAUSE|CONT|NAME)|--- PASS)' "$1" >"$rest"
	if [ "$(wc -l <"$rest")" -gt 300 ]; then
		grep -nE -A 5 -B 30 '^\s*--- (FAIL|SKIP)|^FAIL|^panic:|DATA RACE' "$rest" | tail -n 300
		echo "---- end of the log"
		tail -n 20 "$rest"
	else
		cat "$rest"
	fi
	rm -f "$rest"
}
