package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"speedlayer/query"
)

// A log that is imported every night is not sent again, so that no window of dedupe
// matters; also when the store is lost, and the log is counted again from its start.
func TestNightlyImport(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	var log strings.Builder
	for night, want := range []int64{0, 50, 100, 150} {
		if night == 3 {
			if err := os.RemoveAll(filepath.Join(data, "store")); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 50 {
			fmt.Fprintf(&log, `10.0.%d.%d - - [0%d/Nov/2026:10:00:00 +0000] "GET /p%d HTTP/1.1" 200 5 "-" "x"`+"\n", night, i, night+1, i%3)
		}
		file := writeFile(t, fmt.Sprintf("access.log.%d", night), []byte(log.String()))
		var r importReport
		out := done(t, "import", "--host", "a.example", "--json", "--data", data, file)
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		if r.Duplicates != want || r.Pageviews != want+50 {
			t.Errorf("night %d: %s", night, out)
		}
		var s query.StatusAnswer
		if err := json.Unmarshal([]byte(done(t, "status", "--json", "--data", data)), &s); err != nil {
			t.Fatal(err)
		}
		if s.Counts.Events != want+50 || s.Counts.Duplicates != 0 {
			t.Errorf("night %d: %+v", night, s.Counts)
		}
	}
}
