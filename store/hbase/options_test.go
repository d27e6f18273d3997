package hbase

import (
	"strings"
	"testing"
	"time"

	"speedlayer/store"
)

func TestParseURL(t *testing.T) {
	o, err := ParseURL("hbase://zk1:2182,zk2,[::1]:2183/hbase-unsecure?prefix=ns:web&user=joe&regions=16&compression=gz&durability=hflush")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(o.Quorum, " "); got != "zk1:2182 zk2:2181 [::1]:2183" {
		t.Errorf("quorum %s", got)
	}
	if o.ZNode != "/hbase-unsecure" || o.Prefix != "ns:web" || o.User != "joe" || o.Regions != 16 || o.Compression != "gz" || o.Durability != "hflush" {
		t.Errorf("%+v", o)
	}
	o, err = ParseURL("hbase://zk")
	if err != nil || o.ZNode != "/hbase" || o.Prefix != "speedlayer" || o.Regions != 4 || o.CallTime != 3*time.Second || o.Durability != "fsync" {
		t.Errorf("defaults are %+v, %v", o, err)
	}
}

// Errors name what is wrong and what is allowed.
func TestParseURLRejects(t *testing.T) {
	for text, want := range map[string]string{
		"zk:2181/hbase":                      "does not begin with hbase://",
		"hbase://":                           "HOST:PORT",
		"hbase://zk:0/hbase":                 "from 1 to 65535",
		"hbase://zk:99999":                   "from 1 to 65535",
		"hbase://zk:2181,/hbase":             "HOST:PORT",
		"hbase://zk//hbase":                  "one slash",
		"hbase://zk/hbase?prefix=a/b":        "allowed are letters",
		"hbase://zk/hbase?prefix=a&prefix=b": "2 times",
		"hbase://zk/hbase?table=a":           "allowed are prefix, user",
		"hbase://zk/hbase?regions=3":         "allowed are 1, 2, 4",
		"hbase://zk/hbase?regions=x":         "no number",
		"hbase://zk/hbase?compression=rar":   "allowed are none, gz",
		"hbase://zk/hbase?durability=async":  "allowed are fsync and hflush",
	} {
		if _, err := ParseURL(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	n := names{"web"}
	if got := n.cells(7); got != "web_cells_0000000007" {
		t.Errorf("table %s", got)
	}
	if g, ok := numberOf(n.cellsPrefix(), n.cells(1<<32-1)); !ok || g != 1<<32-1 {
		t.Errorf("number %d, %v", g, ok)
	}
	for _, bad := range []string{"web_cells_7", "web_cells_99999999999", "web_state_0000000007", "web_cells_00000000x7"} {
		if _, ok := numberOf(n.cellsPrefix(), bad); ok {
			t.Errorf("%s is taken for a table of cells", bad)
		}
	}
	for _, s := range []store.Shard{{}, {Epoch: 1<<32 - 1, Partition: 1<<31 - 1}} {
		if got, err := shardOf(commitPrefix, shardRow(commitPrefix, s)); err != nil || got != s {
			t.Errorf("%v comes back as %v, %v", s, got, err)
		}
	}
	if _, err := shardOf(commitPrefix, "commit/1/2"); err == nil {
		t.Error("a short row is taken")
	}
	if a, b := chunkRow(store.Shard{Partition: 3}, 9, 1), chunkRow(store.Shard{Partition: 3}, 10, 0); a >= b {
		t.Errorf("%s sorts after %s", a, b)
	}
}
