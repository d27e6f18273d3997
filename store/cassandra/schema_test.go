package cassandra

import (
	"math"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

func TestDate(t *testing.T) {
	for _, d := range []date{0, 1, 16572, math.MaxInt32 / hoursADay, -1} {
		b, err := d.MarshalCQL(nil)
		var back date
		if err == nil {
			err = back.UnmarshalCQL(nil, b)
		}
		if err != nil || back != d {
			t.Errorf("%d comes back as %d, %v", d, back, err)
		}
	}
	if err := new(date).UnmarshalCQL(nil, nil); err == nil {
		t.Error("no bytes are a date")
	}
}

func TestGenerationOf(t *testing.T) {
	for _, g := range []uint32{0, 7, math.MaxUint32} {
		if got, ok := generationOf(cellsTable(g)); !ok || got != g {
			t.Errorf("%s is generation %d, %v", cellsTable(g), got, ok)
		}
	}
	for _, bad := range []string{"cells_7", "cells_99999999999", "days", "cells_00000000x7", "CELLS_0000000007"} {
		if _, ok := generationOf(bad); ok {
			t.Errorf("%s is taken for a table of cells", bad)
		}
	}
}

// Tables with the same name in different keyspaces, or in one that was dropped and made
// again, have different ids.
func TestIdOf(t *testing.T) {
	seen := map[gocql.UUID]string{}
	for _, of := range [][3]string{{"a", "days", ""}, {"b", "days", ""}, {"a", "control", ""}, {"a", "cells_0", "x"}, {"a", "cells_0", "y"}} {
		id := idOf(of[0], of[1], of[2])
		if other, ok := seen[id]; ok {
			t.Errorf("%v has the id of %s", of, other)
		}
		seen[id] = strings.Join(of[:], " ")
	}
	if a := idOf("a", "days", ""); a != idOf("a", "days", "") || a.Version() != 4 {
		t.Errorf("%v: version %d, want the same id twice", a, a.Version())
	}
}

func TestValidPrefix(t *testing.T) {
	for text, want := range map[string]string{"": "", "a/é": "a/é", "a\xff": "a", "\xc3": "", "é\xc3": "é", "\ufffdx": "\ufffdx"} {
		if got := validPrefix(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Requests hold the rows of a partition in order, none twice, within both bounds.
func TestSplit(t *testing.T) {
	var entries []gocql.BatchEntry
	for i := range 3 * requestRows {
		value := make([]byte, 10)
		if i%100 == 0 {
			value = make([]byte, requestBytes*3/4)
		}
		entries = append(entries, gocql.BatchEntry{Args: []any{0, 0, 0, "a.com/", 0, 0, 0, 0, value, int64(i)}})
	}
	next := int64(0)
	for _, part := range split(entries) {
		size := 0
		for _, e := range part {
			if e.Args[len(e.Args)-1] != next {
				t.Fatalf("put %v, want %d", e.Args[len(e.Args)-1], next)
			}
			next++
			size += len(e.Args[valueArg].([]byte))
		}
		if len(part) == 0 || len(part) > requestRows || size > requestBytes {
			t.Errorf("a request of %d rows, %d bytes", len(part), size)
		}
	}
	if next != int64(len(entries)) {
		t.Errorf("%d of %d rows", next, len(entries))
	}
}

func TestCheckVersion(t *testing.T) {
	for v, ok := range map[string]bool{"5.0.9": true, "4.0.0": true, "4.1-beta1": true, "5.1": true, "3.11.17": false, "3.0.8": false, "6.0": false, "": false, "five": false} {
		err := checkVersion(v)
		if (err == nil) != ok {
			t.Errorf("%q: %v", v, err)
		}
		if err != nil && !strings.Contains(err.Error(), `"`+v+`"`) {
			t.Errorf("%q: %v does not name it", v, err)
		}
	}
}

func TestReplicas(t *testing.T) {
	found := servers{dc: "eu"}
	for _, c := range []struct {
		of           map[string]string
		local, total int
	}{
		{map[string]string{"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "eu": "3", "us": "2"}, 3, 5},
		{map[string]string{"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "us": "2"}, 0, 2},
		{map[string]string{"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"}, 1, 1},
	} {
		if local, total := replicas(c.of, found); local != c.local || total != c.total {
			t.Errorf("%v: %d and %d", c.of, local, total)
		}
	}
}
