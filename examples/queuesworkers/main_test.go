package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue/embedded"
)

// build builds the program: a child process is the program itself.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "queuesworkers")
	if out, err := exec.Command("go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// Whatever is killed, no system loses a pageview, and micro-batches count none twice.
// How many the workers count twice is a matter of luck.
func TestCompare(t *testing.T) {
	var errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), build(t), "--events", "40", "--kills", "2")
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	t.Logf("%s%s", errs.String(), out)
	for _, want := range []string{
		`(?m)^queues and workers +\d+ +[\d.]+ ms +[\d.]+ ms +0 +\d+ +\d+$`,
		`(?m)^micro-batches of one +\d+ +[\d.]+ ms +[\d.]+ ms +0 +0 +\d+$`,
		`(?m)^micro-batches +\d+ +[\d.]+ ms +[\d.]+ ms +0 +0 +\d+$`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no row %s in\n%s", want, out)
		}
	}
}

// A worker that dies between its write and its acknowledgement does the write again.
func TestWorkersCountAgain(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	broker, err := embedded.Start(embedded.Config{Dir: filepath.Join(dir, "queue"), Partitions: partitions, Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p := &Pageview{URL: "foo.com/about", Millis: 1}
	for want := range uint64(3) {
		s, err := runWorkers(ctx, []string{broker.Addr()}, dir)
		if err != nil {
			t.Fatal(err)
		}
		if want == 0 { // the only pageview, beside one that is none
			if err := client.ProduceSync(ctx, p.record(), (&Pageview{URL: "about:blank", Millis: 1}).record()).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.settle(ctx); err != nil {
			t.Fatal(err)
		}
		if all, err := s.all(ctx); err != nil || len(all) != 1 || all[p.Key()] != want+1 {
			t.Errorf("%v, %v: want %d", all, err, want+1)
		}
		if err := s.close(); err != nil {
			t.Fatal(err)
		}
		// as if it had died before it acknowledged
		var none kadm.Offsets
		for part := range int32(partitions) {
			none.AddOffset(topicValid, part, 0, -1)
		}
		if err := kadm.NewClient(client).CommitAllOffsets(ctx, "workers-of-"+topicValid, none); err != nil {
			t.Fatal(err)
		}
	}
}

// Lost and doubled are told apart.
func TestOutcome(t *testing.T) {
	lost, doubled := differences(map[string]uint64{"a": 5, "b": 1, "c": 2}, map[string]uint64{"a": 3, "c": 4, "d": 1})
	if lost != 3 || doubled != 3 {
		t.Errorf("%d lost, %d doubled", lost, doubled)
	}
}

func TestMistakes(t *testing.T) {
	bin := build(t)
	for _, args := range [][]string{{"x"}, {"--events", "0"}, {"--kills", "-1"}, {"--no-such-flag"}} {
		out, err := exec.Command(bin, args...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "usage: queuesworkers") {
			t.Errorf("%v: %v, %s", args, err, out)
		}
	}
	if out, err := exec.Command(bin, "--help").CombinedOutput(); err != nil || string(out) != usage {
		t.Errorf("--help: %v, %s", err, out)
	}
}

// The README has the diagram of what runs.
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	topology, _ := define()
	if !strings.Contains(string(text), "```mermaid\n"+topology.Mermaid()+"```\n") {
		t.Errorf("README.md does not have\n%s", topology.Mermaid())
	}
}
