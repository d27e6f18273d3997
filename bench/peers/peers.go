package peers

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"speedlayer/internal/child"
)

// Job says what a peer works on.
type Job struct {
	Brokers []string
	Topic   string
	Dir     string // for the peer's files, which it removes at its end
	Records int64  // in the topic; the job ends after them
	Cores   int
}

// Result is what a run of a peer measured: from its first record, after its start,
// to its last durable commit.
type Result struct {
	Events  int64   // records read
	Unique  int64   // of those, not duplicates
	Seconds float64 // wall time
	CPU     float64 // seconds of processor time of the peer's process
	PeakMiB float64 // highest resident memory of that process; 0 if unknown
}

// Peer is another system.
type Peer struct {
	Name   string
	folder string // its sources
	class  string
	java   []string // options of the Java virtual machine
	args   func(j Job) []string
}

// All returns the peers.
func All() []Peer {
	flink := func(backend string) func(Job) []string {
		return func(j Job) []string {
			return []string{strings.Join(j.Brokers, ","), j.Topic, j.Dir, backend, strconv.Itoa(j.Cores)}
		}
	}
	return []Peer{
		{Name: "Flink 2.2, state on the heap", folder: "flink", class: "FlinkJob", java: heap("6g", opened("util", "lang", "nio", "time")...), args: flink("hashmap")},
		{Name: "Flink 2.2, RocksDB", folder: "flink", class: "FlinkJob", java: heap("2g", opened("util", "lang", "nio", "time")...), args: flink("rocksdb")},
		{Name: "Kafka Streams 4.3", folder: "kstreams", class: "KafkaStreamsJob", java: heap("2g"), args: func(j Job) []string {
			return []string{strings.Join(j.Brokers, ","), j.Topic, j.Dir, strconv.FormatInt(j.Records, 10), strconv.Itoa(j.Cores)}
		}},
		{Name: "Spark Structured Streaming 4.1", folder: "spark", class: "SparkJob", java: heap("6g", sparkOptions()...), args: func(j Job) []string {
			return []string{strings.Join(j.Brokers, ","), j.Topic, j.Dir, strconv.Itoa(j.Cores)}
		}},
	}
}

// heap is a heap of that size from the start, so that no run pays for its growth.
func heap(size string, more ...string) []string {
	return append([]string{"-Xms" + size, "-Xmx" + size, "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"}, more...)
}

func opened(packages ...string) (options []string) {
	for _, p := range packages {
		if !strings.Contains(p, ".") {
			p = "java." + p
		}
		options = append(options, "--add-opens=java.base/"+p+"=ALL-UNNAMED")
	}
	return options
}

// sparkOptions are what Spark's own launcher passes on Java 17.
func sparkOptions() []string {
	return append(opened("lang", "java.lang.invoke", "java.lang.reflect", "io", "net", "nio", "util", "java.util.concurrent",
		"java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar"),
		"--add-modules=jdk.incubator.vector", "-Djdk.reflect.useDirectMethodHandle=false", "-Dio.netty.tryReflectionSetAccessible=true")
}

// Run runs the peer to its end, as a process that start starts (see child.Start).
// When ctx ends, the process is killed.
func (p Peer) Run(ctx context.Context, b *Built, j Job, start func(*exec.Cmd) error) (r Result, err error) {
	classes, jars := b.folders(p.folder)
	args := append(append([]string{}, p.java...), "-Djava.io.tmpdir="+j.Dir, "-cp", classes+":"+jars+"/*", p.class)
	var out strings.Builder
	proc, err := child.Start(p.Name, exec.Command(b.java, append(args, p.args(j)...)...), start, &out)
	if err != nil {
		return r, err
	}
	stop := context.AfterFunc(ctx, func() { _ = proc.Kill() }) // it has ended then, or does now
	defer stop()
	<-proc.Done()
	if ctx.Err() != nil {
		return r, ctx.Err()
	}
	for line := range strings.Lines(out.String()) {
		if rest, ok := strings.CutPrefix(line, "RESULT "); ok {
			return parseResult(rest)
		}
	}
	return r, proc.Ended()
}

// parseResult reads name=value pairs, as Meter.java prints them.
func parseResult(text string) (r Result, err error) {
	_, err = fmt.Sscanf(text, "events=%d unique=%d seconds=%g cpu=%g peak_mib=%g", &r.Events, &r.Unique, &r.Seconds, &r.CPU, &r.PeakMiB)
	if err != nil {
		err = fmt.Errorf("result of a peer: %q: %w", text, err)
	}
	return r, err
}
