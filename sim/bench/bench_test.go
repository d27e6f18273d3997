package bench

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// optionsOf are small, unless the environment says otherwise: the directory is
// kept, and its log used again, so that repeated runs see the same log.
func optionsOf(b *testing.B) Options {
	o := Options{Events: 500_000, Dir: os.Getenv("SPEEDLAYER_BENCH_DIR")}
	if n, err := strconv.ParseInt(os.Getenv("SPEEDLAYER_BENCH_EVENTS"), 10, 64); err == nil {
		o.Events = n
	}
	o.Keep = o.Dir != ""
	if o.Dir == "" {
		o.Dir = b.TempDir()
	}
	o.Progress = b.Logf
	o, err := o.withDefaults()
	if err != nil {
		b.Fatal(err)
	}
	return o
}

func reportCost(b *testing.B, c cost, events int64) {
	b.ReportMetric(c.rate(events), "events/s")
	b.ReportMetric(c.cpuPer(events), "cpu-ns/event")
}

// BenchmarkViews is one pass over the whole log an iteration: use -benchtime 1x
// and -count.
func BenchmarkViews(b *testing.B) {
	o := optionsOf(b)
	q, info, err := openLog(b.Context(), o, time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	defer q.close()
	b.Run("parse", func(b *testing.B) {
		for b.Loop() {
			c, err := parseOnly(b.Context(), q.client, info)
			if err != nil {
				b.Fatal(err)
			}
			reportCost(b, c, o.Events)
		}
	})
	b.Run("views", func(b *testing.B) {
		for b.Loop() {
			r, err := logToViews(b.Context(), o, q, info)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(r.Value, "events/s")
			for _, d := range r.Details {
				switch d.Name {
				case "cpu":
					b.ReportMetric(d.Value, "cpu-ns/event")
				case "peak resident":
					b.ReportMetric(d.Value, "MiB")
				case "events a commit", "cells written", "cells' bytes written", "allocated", "gc cycles", "store apply, all workers":
					b.Logf("%s %.3f %s", d.Name, d.Value, d.Unit)
				}
			}
		}
	})
}

// buildProgram builds speedlayer.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "speedlayer")
	if out, err := exec.Command("go", "build", "-o", program, "speedlayer/cmd/speedlayer").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// All benchmarks, small: they run, they hold their own checks, and their results
// have what Run's callers print.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("ten seconds of load: not with -short")
	}
	o := Options{Events: 100_000, Rate: 5000, Time: time.Second, Kills: 2, Intervals: []time.Duration{time.Second}, Progress: t.Logf, Dir: t.TempDir(),
		Program: buildProgram(t), Sizes: []int64{20_000, 50_000}}
	results, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Log(r)
		if r.Value <= 0 || r.Unit == "" || r.What == "" || r.Name != "highest rate" && len(r.Baselines) == 0 {
			t.Errorf("incomplete: %+v", r)
		}
	}
}

func TestRunRejectsUnknownNames(t *testing.T) {
	if _, err := Run(t.Context(), Options{Names: []string{"nonsense"}}); !errors.Is(err, ErrUnknown) {
		t.Fatalf("%v", err)
	}
}

func TestPercentiles(t *testing.T) {
	var s samples
	if s.at(0.99) != 0 {
		t.Error("of nothing")
	}
	for i := 100; i > 0; i-- {
		s.add(time.Duration(i))
	}
	for q, want := range map[float64]time.Duration{0: 1, 0.01: 1, 0.5: 50, 0.99: 99, 0.991: 100, 1: 100} {
		if got := s.at(q); got != want {
			t.Errorf("%v: %d, want %d", q, got, want)
		}
	}
}

// BenchmarkBatch is one batch run an iteration.
func BenchmarkBatch(b *testing.B) {
	o := optionsOf(b)
	a, m, err := openArchive(b.Context(), o, batchSpan)
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	b.Run("columns", func(b *testing.B) {
		for b.Loop() {
			c, err := readColumns(b.Context(), a, m)
			if err != nil {
				b.Fatal(err)
			}
			reportCost(b, c, o.Events)
		}
	})
	b.Run("views", func(b *testing.B) {
		for b.Loop() {
			r, err := archiveToViews(b.Context(), o, a, m)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(r.Value, "events/s")
			for _, d := range r.Details {
				if d.Name == "cpu" {
					b.ReportMetric(d.Value, "cpu-ns/event")
				}
			}
		}
	})
}
