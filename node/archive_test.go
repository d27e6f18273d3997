package node

import (
	"strings"
	"testing"

	"speedlayer/store"
)

// The log is kept from where the archive ends, however far the snapshots are.
func TestArchiveOfNode(t *testing.T) {
	data := t.TempDir()
	n, _ := testNode(t, Config{Data: data, Partitions: 2, Batch: BatchConfig{Follow: true}})
	viewPages(t, n, 0, 100)
	vector := []store.VectorEntry{{Partition: 0, Offset: n.progress.Committed()[0]}, {Partition: 1, Offset: n.progress.Committed()[1]}}
	if err := n.batch.layer.Cover(t.Context(), store.Run{Vector: vector}); err != nil {
		t.Fatal(err)
	}
	viewPages(t, n, 100, 200)
	for part := range int32(2) {
		n.keeper.snapshotted(part, n.progress.Committed()[part])
	}
	needed, err := n.keeper.needed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for part := range vector {
		if needed[part] != vector[part].Offset {
			t.Errorf("partition %d is kept from %d on, but the archive ends at %d", part, needed[part], vector[part].Offset)
		}
	}
	n.metrics.watch(n)
	families, err := n.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	lag := -1.0
	for _, f := range families {
		if f.GetName() == "speedlayer_archive_lag_records" {
			lag = f.GetMetric()[0].GetGauge().GetValue() + f.GetMetric()[1].GetGauge().GetValue()
		}
	}
	if lag != 100 {
		t.Errorf("%v records are said not to be archived, want 100", lag)
	}
	closeNode(t, n)
}

// Without an archive the log is kept from the snapshots on, and there is no
// batch run.
func TestNoArchive(t *testing.T) {
	n, _ := testNode(t, Config{Data: t.TempDir(), Partitions: 1, Batch: BatchConfig{Archive: NoArchive}})
	defer closeNode(t, n)
	viewPages(t, n, 0, 10)
	n.keeper.snapshotted(0, 7)
	needed, err := n.keeper.needed(t.Context())
	if err != nil || needed[0] != 7 {
		t.Errorf("kept from %v on: %v", needed, err)
	}
	if err := n.batch.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "--archive none") {
		t.Errorf("a run without an archive: %v", err)
	}
}
