package main

import (
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/store"
)

// The log is kept from where the archive ends, however far the snapshots are; an
// archive follows the log, and can be looked at beside the node and without it.
func TestArchiveOfNode(t *testing.T) {
	data := t.TempDir()
	n, _ := testNode(t, nodeOptions{Data: data, Partitions: 2, Batch: batchOptions{Follow: true}})
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
	m := newMetrics()
	m.watch(n)
	families, err := m.registry.Gather()
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
	out := done(t, "archive", "status", "--data", data)
	for _, want := range []string{"epoch 0 partition 0", "epoch 0 partition 1", "equiv edges, life 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q: %s", want, out)
		}
	}
	closeNode(t, n)
	if out := done(t, "archive", "check", "--data", data); !strings.HasPrefix(out, "100 records in 2 files") {
		t.Errorf("check: %s", out)
	}
	files := strings.Fields(done(t, "archive", "files", "--archive", "file://"+filepath.ToSlash(filepath.Join(data, "batch", "archive"))))
	if len(files) != 2 || !exists(files[0]) || !exists(files[1]) {
		t.Errorf("files: %v", files)
	}
	if out := done(t, "archive", "compact", "--data", data); out != "2 files are 2\n" {
		t.Errorf("compact: %s", out)
	}
}

// Without an archive the log is kept from the snapshots on, and there is no
// batch run.
func TestNoArchive(t *testing.T) {
	n, _ := testNode(t, nodeOptions{Data: t.TempDir(), Partitions: 1, Batch: batchOptions{Archive: noArchive}})
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

// Losses are accepted by their exact range; the command says what is wrong.
func TestAcceptLossRefuses(t *testing.T) {
	data := t.TempDir()
	n, _ := testNode(t, nodeOptions{Data: data, Partitions: 1, Batch: batchOptions{Follow: true}})
	viewPages(t, n, 0, 10)
	if err := n.batch.layer.Cover(t.Context(), store.Run{Vector: []store.VectorEntry{{Offset: n.progress.Committed()[0]}}}); err != nil {
		t.Fatal(err)
	}
	closeNode(t, n)
	for _, c := range []struct {
		args string
		want string
	}{
		{"--partition 0 --from 0 --to 5", "has lost nothing"},
		{"--partition 3 --from 0 --to 5", "the archive has no"},
		{"--partition 0 --from 0", "--to is missing"},
	} {
		code, _, stderr := call(t, "", append([]string{"archive", "accept-loss", "--data", data}, strings.Fields(c.args)...)...)
		if code != 2 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit status %d, %s", c.args, code, stderr)
		}
	}
}
