package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/examples/internal/program"
	"speedlayer/queue/embedded"
)

var bin string // the program: its child processes are the program itself

func TestMain(m *testing.M) { os.Exit(program.Main(m, func(built string) { bin = built })) }

// Whatever is killed, no system loses a pageview, and micro-batches count none twice.
// How many the workers count twice is a matter of luck.
func TestCompare(t *testing.T) {
	out, errs, status := program.Run(t, bin, "--events", "40", "--kills", "2")
	if status != 0 {
		t.Fatal(errs)
	}
	t.Logf("%s%s", errs, out)
	for _, want := range []string{
		`(?m)^queues and workers +\d+ +[\d.]+ ms +[\d.]+ ms +0 +\d+ +\d+$`,
		`(?m)^micro-batches of one +\d+ +[\d.]+ ms +[\d.]+ ms +0 +0 +\d+$`,
		`(?m)^micro-batches +\d+ +[\d.]+ ms +[\d.]+ ms +0 +0 +\d+$`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
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

// A worker acknowledges after its work, so work that fails is not lost.
func TestWorkersAcknowledgeLast(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	broker, err := embedded.Start(embedded.Config{Dir: filepath.Join(dir, "queue"), Partitions: 1, Trusted: true})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := &workers{brokers: []string{broker.Addr()}, admin: kadm.NewClient(client)}
	if _, err := w.admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, (&Pageview{URL: "foo.com/about", Millis: 1}).record()).FirstErr(); err != nil {
		t.Fatal(err)
	}
	full := errors.New("the disk is full")
	if err := w.consume(ctx, topic, 0, func(context.Context, *kgo.Client, *kgo.Record) error { return full }); !errors.Is(err, full) {
		t.Errorf("the worker ended with %v", err)
	}
	if at, err := w.acknowledged(ctx, topic); err != nil || len(at) != 0 {
		t.Errorf("acknowledged: %v, %v", at, err)
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
	for says, args := range map[string][]string{
		"there are 1 arguments: allowed is none": {"x"},
		"--events 0: allowed is 1 to 1000000":    {"--events", "0"},
		"--kills -1: allowed is 0 to 1000":       {"--kills", "-1"},
		"unknown flag: --no-such-flag":           {"--no-such-flag"},
	} {
		if out, errs, status := program.Run(t, bin, args...); status != 2 || out != "" || !strings.Contains(errs, says) || !strings.Contains(errs, usage) {
			t.Errorf("%v: status %d, %q, %q", args, status, out, errs)
		}
	}
	if out, errs, status := program.Run(t, bin, "--help"); status != 0 || errs != "" || out != usage {
		t.Errorf("--help: status %d, %q, %q", status, out, errs)
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
