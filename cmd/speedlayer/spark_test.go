package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSparkCalls(t *testing.T) {
	t.Setenv("PATH", t.TempDir()) // neither Spark nor Maven
	t.Setenv("SPARK_HOME", "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	const shared = " --kafka 127.0.0.1:1 --store hbase://127.0.0.1:1/hbase"
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"spark sideways", exitUsage, "allowed are jar, submit"},
		{"spark submit" + shared, exitUsage, "--master is missing: allowed are spark://HOST:PORT"},
		{"spark submit --master local[1]", exitUsage, "need a queue and a store that they share"},
		{"spark submit --master local[1] --trigger -1s" + shared, exitUsage, "--trigger -1s: allowed is 0s to 1h"},
		{"spark submit --master local[1] --max-offsets-per-trigger -1" + shared, exitUsage, "--max-offsets-per-trigger -1: allowed is 1 or more"},
		{"spark submit --master local[1] --snapshot-every 0s" + shared, exitUsage, "--snapshot-every 0s: allowed is more than 0"},
		{"spark submit --master local[1] --jar x --dev-cluster x" + shared, exitFailed, "is missing: name one with SPARK_HOME, or start one with"},
		{"spark submit --master local[1]" + shared, exitFailed, "Maven (mvn), which gets the servers' jars, is missing"},
		{"spark-worker", exitUsage, "need a queue and a store that they share"},
		{"spark-worker --kafka x --store hbase://127.0.0.1:1/hbase", exitUsage, "--kafka"},
		{"spark-worker --log-level loud" + shared, exitUsage, "--log-level"},
	} {
		var out, errs bytes.Buffer
		if status := Run(t.Context(), strings.Fields(c.args), strings.NewReader(""), &out, &errs); status != c.status || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: status %d, want %d: %q, want %q", c.args, status, c.status, errs.String(), c.says)
		}
	}
}

// A worker prints where it listens, and ends with its input. It needs neither Kafka
// nor the store for that.
func TestSparkWorkerEnds(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var out, errs bytes.Buffer
	status := Run(t.Context(), []string{"spark-worker", "--kafka", "127.0.0.1:1", "--store", "hbase://127.0.0.1:1/hbase"}, strings.NewReader(""), &out, &errs)
	socket, ok := strings.CutPrefix(strings.TrimSpace(out.String()), "speedlayer-spark-worker 1 ")
	if status != exitDone || !ok {
		t.Fatalf("status %d, it prints %q and %q", status, out.String(), errs.String())
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) != 0 {
		t.Errorf("%s: %v (%v) is left", socket, left, err)
	}
}

// What the caller gives spark-submit comes after our settings, and so overrules them;
// the source's options come last.
func TestSparkArguments(t *testing.T) {
	f := sparkSubmitFlags{master: "yarn", checkpoint: "hdfs:///c", trigger: 1500 * time.Millisecond, perTrigger: 7, jar: "a.jar", binary: "/opt/speedlayer"}
	f.worker.snapshotEvery, f.worker.log.level = 10*time.Second, "info"
	f.worker.cluster.store = "hbase://z/hbase"
	f.worker.cluster.kafka = kafkaFlags{brokers: []string{"a:1", "b:2"}, tls: true, sasl: "plain", user: "u", secret: "/p"}
	args, err := f.arguments([]string{"--conf", "spark.task.maxFailures=2"})
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := slices.Index(args, "spark.task.maxFailures=16"), slices.Index(args, "spark.task.maxFailures=2")
	if ours < 0 || theirs < ours {
		t.Errorf("the caller's setting does not come after ours: %q", args)
	}
	want := []string{"a.jar", "hdfs:///c", "1500", "kafka=a:1,b:2", "store=hbase://z/hbase", "binary=/opt/speedlayer", "snapshotEvery=10s",
		"logLevel=info", "sasl=plain", "saslUser=u", "saslPasswordFile=/p", "tls=true", "maxOffsetsPerTrigger=7"}
	if got := args[theirs+1:]; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if slices.Contains(args, "--files") {
		t.Error("a binary that is on each machine is sent")
	}
	f.availableNow, f.checkpoint = true, "file:///c"
	if args, err = f.arguments(nil); err != nil || !slices.Contains(args, "available-now") ||
		!slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "spark.sql.streaming.checkpointFileManagerClass=") }) {
		t.Errorf("%q, %v", args, err)
	}
}
