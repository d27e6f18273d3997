package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"speedlayer/demo"
)

// call runs the program in this process.
func call(t *testing.T, in string, args ...string) (status int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	status = Run(t.Context(), args, strings.NewReader(in), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

// done is call for one that must work.
func done(t *testing.T, args ...string) string {
	t.Helper()
	status, out, errs := call(t, "", args...)
	if status != exitDone {
		t.Fatalf("speedlayer %s: exit %d: %s", strings.Join(args, " "), status, errs)
	}
	return out
}

func writeFile(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A call that is wrong exits with 2 and says in one line what is allowed; it
// touches nothing.
func TestWrongCalls(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ call, want string }{
		{"frobnicate", "allowed are"},
		{"query", "allowed are pageviews, uniques, bounce-rate"},
		{"query visitors", "allowed are"},
		{"query visitors --url foo.com --from now-1h", `"visitors" is not a command of speedlayer query: allowed are`},
		{"archive list --equivs", `"list" is not a command of speedlayer archive`},
		{"frobnicate --hard", `"frobnicate" is not a command of speedlayer`},
		{"query --url foo.com", "unknown flag: --url"},
		{"query pageviews --url foo.com/a --domain foo.com", "--url and --domain exclude each other"},
		{"query bounce-rate --url https://foo.com/about --from now-1h --to now", "the bounce rate is of a whole domain, as in --domain foo.com"},
		{"top --url foo.com/about --from now-1h --to now", "as in --domain foo.com"},
		{"query pageviews --nope", "unknown flag"},
		{"query pageviews extra", "takes no arguments"},
		{"query pageviews --data nowhere --url foo.com --from now-1h --to now", "no data of speedlayer"},
		{"query pageviews --data a --server b", "exclude each other"},
		{"query pageviews --server ftp://x --url foo.com --from now-1h --to now", "allowed is"},
		{"import --format xml -", "allowed are combined, common, vhost"},
		{"import --client-from last -", "allowed are auto, first, forwarded"},
		{"import --fields when=ts -", "allowed meanings are time, client"},
		{"import --time-zone Mars -", "allowed are UTC"},
		{"import --trusted-proxies here -", "allowed are addresses"},
		{"import --format combined", "FILE"},
		{"import --format combined -", "--host"},
		{"import --format jsonl --host foo.com -", "not used with"},
		{"import --format combined --host foo.com/x -", "--host"},
		{"import --format jsonl --bots eat -", "allowed are keep, drop"},
		{"top --domain foo.com --limit 0", "allowed are 1 to 1000"},
		{"export --format xml", "allowed are jsonl, csv"},
		{"equiv", "allowed are add, remove, list"},
		{"equiv add one", "two identifiers"},
		{"archive", "allowed are status, files, check, compact"},
		{"archive status --data nowhere", "there is no archive"},
		{"archive status --archive nowhere", "there is no archive"},
		{"archive status --archive file:///nowhere/at/all", "there is no archive"},
		{"archive check --archive ftp://x", "allowed is a folder"},
		{"serve --archive none --batch-every 6h", "needs one"},
		{"serve extra", "takes no arguments"},
		{"serve --listen nonsense", "HOST:PORT"},
		{"serve --kafka-listen 127.0.0.1:99999", "HOST:PORT"},
		{"serve --pprof 6060", "HOST:PORT"},
		{"serve --data=", "--data"},
		{"serve --partitions 0", "allowed are 1 to 1024"},
		{"serve --dedupe-window -1h", "allowed is"},
		{"serve --dedupe-entries 0", "allowed is"},
		{"serve --snapshot-every 1ms", "allowed is"},
		{"serve --batch-delay 0s", "allowed is"},
		{"serve --max-log-size much", "allowed is"},
		{"serve --trusted-proxies here", "allowed are"},
		{"serve --log-level loud", "allowed are"},
		{"serve --log-format xml", "allowed are"},
		{"serve --config nowhere.yaml", "--config"},
		{"serve --roles processor", "--kafka"},
		{"serve --roles processor --kafka k:9092", "--store"},
		{"serve --roles cook --kafka k:9092 --store hbase://zk", "allowed are collector, processor, query"},
		{"serve --roles=", "allowed are"},
		{"serve --kafka localhost", "--kafka \"localhost\": allowed is HOST:PORT"},
		{"serve --kafka k:9092 --store redis://x", "--store \"redis://x\": allowed is hbase://"},
		{"serve --kafka k:9092 --store hbase://zk?regions=3", "allowed are 1, 2, 4, 8, 16"},
		{"serve --kafka k:9092 --store cassandra://c1/web?consistency=one", "allowed are local_quorum"},
		{"serve --kafka k:9092 --store cassandra://c1", "the keyspace is missing"},
		{"serve --kafka k:9092 --store pebble://", "pebble:///DIR"},
		{"serve --kafka k:9092 --max-log-size 1GB", "retention"},
		{"serve --kafka k:9092 --replication 0", "--replication 0: allowed is"},
		{"serve --kafka k:9092 --replication 2 --min-insync 3", "--min-insync 3: allowed is"},
		{"serve --replication 3", "are for --kafka"},
		{"serve --kafka k:9092 --session-timeout 1ms", "--session-timeout 1ms: allowed is"},
		{"serve --kafka k:9092 --group=", "--group"},
		{"serve --drain-time -1s", "--drain-time"},
		{"serve --tls", "--tls is for --kafka"},
		{"serve --kafka k:9092 --sasl plain", "--sasl-user is missing"},
		{"serve --kafka k:9092 --sasl plain --sasl-user ann", "--sasl-password-file"},
		{"serve --kafka k:9092 --sasl-user ann", "--sasl is missing: allowed are plain, scram-sha-256, scram-sha-512"},
		{"generate --events 1 --tls-ca ca.pem", "--tls-ca is for --kafka"},
		{"generate --events 1 --kafka k", "allowed is HOST:PORT"},
		{"bench nothing", "allowed are"},
		{"demo --bots eat", "allowed are keep, drop"},
		{"serve --bots eat", "allowed are keep, drop"},
	} {
		status, out, errs := call(t, "", strings.Fields(c.call)...)
		if status != exitUsage || !strings.Contains(errs, c.want) || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("speedlayer %s: exit %d, out %q, err %q: want exit 2 and one line with %q", c.call, status, out, errs, c.want)
		}
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("wrong calls left %v behind, %v", left, err)
	}
}

// An error for a reason outside of the call tells what to do.
func TestHints(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ call, want string }{
		{"import missing.log", "missing.log"},
		{"query pageviews --url foo.com --from now-1h --to now --server 127.0.0.1:1", `start one with "speedlayer serve", or name another with --server URL`},
		{"batch status --server http://127.0.0.1:1", `"speedlayer serve"`},
		{"status --server 127.0.0.1:1", `"speedlayer serve"`},
	} {
		status, _, errs := call(t, "", strings.Fields(c.call)...)
		if status != exitFailed || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("speedlayer %s: exit %d, err %q: want exit 1 and one line with %q", c.call, status, errs, c.want)
		}
	}
}

// Completions are for people too: the command that makes them is in the help, and
// their texts have no quotes of the help's source.
func TestCompletions(t *testing.T) {
	if out := done(t, "--help"); !strings.Contains(out, "completion") {
		t.Errorf("help does not name it:\n%s", out)
	}
	out := done(t, "__complete", "query", "pageviews", "--")
	if !strings.Contains(out, "--url\tpage or domain: URL as in") || strings.Contains(out, "`") {
		t.Errorf("completions of flags:\n%s", out)
	}
}

// Every command has a help with an example.
func TestHelp(t *testing.T) {
	root := newRoot(streams{})
	for _, c := range root.Commands() {
		if c.Name() == "help" || c.Hidden {
			continue
		}
		if out := done(t, c.Name(), "--help"); !strings.Contains(out, "Examples:") {
			t.Errorf("%s --help has no example:\n%s", c.Name(), out)
		}
		for _, sub := range c.Commands() {
			if out := done(t, c.Name(), sub.Name(), "--help"); !strings.Contains(out, "Examples:") {
				t.Errorf("%s %s --help has no example:\n%s", c.Name(), sub.Name(), out)
			}
		}
	}
}

// The command line goes before the environment, which goes before the file.
func TestConfig(t *testing.T) {
	file := writeFile(t, "c.yaml", []byte("listen: file:1\nkafka-listen: file:2\ndata: file\ntrusted-proxies: [10.0.0.0/8, 192.168.0.1]\n"))
	t.Setenv("SPEEDLAYER_KAFKA_LISTEN", "env:2")
	t.Setenv("SPEEDLAYER_DATA", "env")
	root := newRoot(streams{})
	cmd, _, err := root.Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.ParseFlags([]string{"--config", file, "--data", "flag"}); err != nil {
		t.Fatal(err)
	}
	if err := readConfig(cmd); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"listen": "file:1", "kafka-listen": "env:2", "data": "flag", "trusted-proxies": "[10.0.0.0/8,192.168.0.1]", "partitions": "8"} {
		if got := cmd.Flags().Lookup(name).Value.String(); got != want {
			t.Errorf("--%s is %q, want %q", name, got, want)
		}
	}
	bad := writeFile(t, "bad.yaml", []byte("lissten: x\n"))
	if status, _, errs := call(t, "", "status", "--config", bad); status != exitUsage || !strings.Contains(errs, `"lissten" is not a flag`) {
		t.Errorf("a flag that is none: exit %d, %q", status, errs)
	}
	// Where serve has its data, by file or environment, does not keep others from a server.
	if status, _, errs := call(t, "", "status", "--config", file, "--server", "127.0.0.1:1"); status != exitFailed || !strings.Contains(errs, "no answer from the server") {
		t.Errorf("--server beside a data of the file: exit %d, %q", status, errs)
	}
	t.Setenv("SPEEDLAYER_JSON", "perhaps")
	if status, _, errs := call(t, "", "status"); status != exitUsage || !strings.Contains(errs, "SPEEDLAYER_JSON") {
		t.Errorf("a bad variable: exit %d, %q", status, errs)
	}
}

// The figures of the real log were found with a program that is not part of
// this project.
func TestRealLog(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	log := writeFile(t, "access.log.gz", demo.AccessLog)
	imported := func() (r importReport) {
		t.Helper()
		out := done(t, "import", "--format", "combined", "--host", demo.Host, "--bots", "keep", "--json", "--data", data, log)
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := imported(); r.Lines != 10_000 || r.Pageviews != 3770 || r.Duplicates != 0 || sumCounts(r.NotPageview) != 6230 || len(r.Rejected) != 0 {
		t.Errorf("import says %+v", r)
	}
	if r := imported(); r.Pageviews != 3770 || r.Duplicates != 3770 {
		t.Errorf("importing again says %+v", r)
	}
	const from, to = "2015-05-17T10:00Z", "2015-05-20T22:00Z"
	rangeFlags := []string{"--data", data, "--from", from, "--to", to, "--json"}
	for _, c := range []struct {
		call string
		want map[string]any
	}{
		{"query pageviews --url semicomplete.com", map[string]any{"pageviews": 3770.0, "exact": true}},
		{"query pageviews --url semicomplete.com/", map[string]any{"pageviews": 572.0}},
		{"query pageviews --url http://www.semicomplete.com", map[string]any{"pageviews": 572.0}},
		{"query pageviews --url semicomplete.com/nowhere", map[string]any{"pageviews": 0.0}},
		{"query uniques --url semicomplete.com", map[string]any{"visitors": 1187.0, "exact": true, "relative_error": 0.0}},
		{"query uniques --url semicomplete.com/", map[string]any{"visitors": 213.0}},
		{"query bounce-rate --domain semicomplete.com", map[string]any{"visits": 2108.0, "bounces": 1488.0, "bounce_rate": 1488.0 / 2108}},
		{"query bounce-rate --domain unknown.org", map[string]any{"visits": 0.0, "bounce_rate": nil}},
	} {
		var got map[string]any
		if err := json.Unmarshal([]byte(done(t, append(strings.Fields(c.call), rangeFlags...)...)), &got); err != nil {
			t.Fatal(err)
		}
		for field, want := range c.want {
			if v, ok := got[field]; !ok || v != want {
				t.Errorf("%s: %s is %v, want %v", c.call, field, v, want)
			}
		}
	}
	if lines := strings.Count(done(t, "export", "--data", data), "\n"); lines != 4878 {
		t.Errorf("export has %d lines, want 4878", lines)
	}
	if csv := done(t, "export", "--data", data, "--view", "bounces", "--format", "csv"); strings.Count(csv, "\n") != 4878-2313-84-2313-84+1 {
		t.Errorf("export of bounces has %d lines with its header", strings.Count(csv, "\n"))
	}
	if out := done(t, "verify", "--data", data); !strings.Contains(out, "differences  0") {
		t.Errorf("verify says %s", out)
	}
}

func TestDemo(t *testing.T) {
	out := done(t, "demo", "--once", "--listen", "127.0.0.1:0")
	for _, want := range []string{"10,000 lines, 3,770 pageviews", "pageviews        3,770", "unique visitors  1,187",
		"bounce rate      70.6% (1,488 of 2,108 visits)", "572        213      semicomplete.com/",
		"unique visitors at 1 pm: 2", "unique visitors at 1 pm: 1"} {
		if !strings.Contains(out, want) {
			t.Errorf("demo does not say %q:\n%s", want, out)
		}
	}
}

func TestImportFromStandardInput(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	in := `{"nonce":"1","person":"p","url":"http://foo.com/a","ts":"2026-01-05T10:00:00Z"}
{"nonce":"1","person":"p","url":"http://foo.com/a","ts":"2026-01-05T10:00:00Z"}
broken
{"nonce":"2","person":"","url":"http://foo.com/a","ts":"2026-01-05T10:00:00Z"}
`
	status, out, errs := call(t, in, "import", "--format", "jsonl", "--json", "--data", data, "-")
	var r importReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != exitDone {
		t.Fatalf("exit %d, %s, %v", status, errs, err)
	}
	if r.Lines != 4 || r.Pageviews != 2 || r.Duplicates != 1 || sumCounts(r.Rejected) != 2 || len(r.Rejected) != 2 {
		t.Errorf("import says %+v", r)
	}
	if status, _, errs := call(t, "", "import", "--format", "jsonl", "--data", data, "nowhere.jsonl"); status != exitFailed || !strings.Contains(errs, "nowhere.jsonl") {
		t.Errorf("a file that is not there: exit %d, %s", status, errs)
	}
}

// What cannot be reached is said within 15 seconds, with the flag to change, and
// nothing is written.
func TestNoCluster(t *testing.T) {
	t.Chdir(t.TempDir())
	password := writeFile(t, "password", []byte("secret\n"))
	for _, c := range []struct{ call, want string }{
		{"serve --kafka 127.0.0.1:1", "--kafka: is this where the brokers listen?"},
		{"serve --kafka nowhere.invalid:9092 --store hbase://127.0.0.1:1", "--kafka: is this where the brokers listen?"},
		{"serve --kafka 127.0.0.1:1 --sasl plain --sasl-user ann --sasl-password-file " + password, "--kafka: is this where"},
		{"generate --events 1 --kafka 127.0.0.1:1", "--kafka: is this where"},
	} {
		begin := time.Now()
		status, _, errs := call(t, "", append(strings.Fields(c.call), flagsFor(c.call)...)...)
		if status != exitFailed || !strings.Contains(errs, c.want) || strings.Contains(errs, "secret") {
			t.Errorf("speedlayer %s: exit %d, err %q: want exit 1 and %q", c.call, status, errs, c.want)
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("speedlayer %s: %v", c.call, took)
		}
	}
}

func flagsFor(call string) []string {
	if strings.HasPrefix(call, "serve") {
		return []string{"--listen", "127.0.0.1:0", "--data", "d"}
	}
	return nil
}
