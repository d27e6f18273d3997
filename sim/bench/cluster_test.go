package bench

import (
	"testing"
	"time"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// The benchmark on real servers, small: it runs, it holds its own checks, and its
// results have what Run's callers print.
func TestClusterBench(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true, HBase: true})
	o := Options{Names: []string{"cluster"}, Events: 100_000, Time: time.Second, Kills: 1, Progress: t.Logf, Dir: t.TempDir(), Program: buildProgram(t)}
	results, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != 8 { // two numbers of processes by two of generations, three urls, kills
		t.Errorf("%d results", len(results))
	}
	for _, r := range results {
		t.Log(r)
		if r.Value <= 0 || r.Unit == "" || r.What == "" || len(r.Baselines) == 0 {
			t.Errorf("incomplete: %+v", r)
		}
	}
}
