package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/event"
	"speedlayer/node"
	"speedlayer/queue"
)

// archived is a node with 100 pageviews, all of them in its archive with a marker
// in each partition.
func archived(t *testing.T, partitions int32) (n *node.Node, data string) {
	t.Helper()
	data = t.TempDir()
	n, err := node.Open(t.Context(), node.Config{Data: data, Partitions: partitions})
	if err != nil {
		t.Fatal(err)
	}
	var all []queue.Message
	for i := range 100 {
		person := fmt.Appendf(nil, "person %d", i)
		all = append(all, queue.Message{Person: person, Value: event.AppendJSON(nil, &event.Pageview{
			Nonce: fmt.Appendf(nil, "%d", i), HasNonce: true, Person: person, URL: []byte("http://foo.com/a"), TS: 1_767_607_200_000})})
	}
	if _, err := n.Queue().AppendSync(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if err := n.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Batch().Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n, data
}

// An archive can be looked at beside the node and without it.
func TestArchiveCommands(t *testing.T) {
	n, data := archived(t, 2)
	out := done(t, "archive", "status", "--data", data)
	for _, want := range []string{"epoch 0 partition 0", "epoch 0 partition 1", "equiv edges, incarnation 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("status does not say %q: %s", want, out)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if out := done(t, "archive", "check", "--data", data); !strings.HasPrefix(out, "102 records in 2 files") {
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

// Losses are accepted by their exact range; the command reports what is wrong.
func TestAcceptLossRejects(t *testing.T) {
	n, data := archived(t, 1)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
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
