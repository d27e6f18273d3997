package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDevClusterCalls(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty) // neither Java nor Maven
	t.Setenv("JAVA_HOME", "")
	gone := t.TempDir()
	state, err := json.Marshal(map[string]any{"version": 1, "processes": map[string]int{"kafka-1": 1}, "ports": map[string]int{"kafka-1": 9092}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(gone, "state.json"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"up flink", exitUsage, `"flink": allowed are kafka, hbase, cassandra, spark`},
		{"up --brokers 2", exitUsage, "2 brokers: allowed are 1 and 3"},
		{"up hbase --region-servers 0", exitUsage, "--region-servers 0: allowed are 1 or 3, and 1 to 9"},
		{"up hbase --sasl", exitUsage, "SASL is a listener of Kafka"},
		{"up kafka --kafka-port 70000", exitUsage, "port 70000: allowed are"},
		{"up --session 1s", exitUsage, "a session of 1s: allowed are 4s to 40s"},
		{"up", exitFailed, "Java 17 or later is missing: install it"},
		{"status", exitFailed, "no cluster in " + empty},
		{"down", exitFailed, "no cluster in " + empty},
		{"status --dir " + gone, exitFailed, "1 of 1 servers do not run"},
		{"sideways", exitUsage, "allowed are down, status, up"},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"dev-cluster"}, strings.Fields(c.args)...)
		if c.args != "sideways" && !strings.Contains(c.args, "--dir") {
			args = append(args, "--dir", empty)
		}
		if status := Run(t.Context(), args, strings.NewReader(""), &out, &errs); status != c.status || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%s: status %d, want %d: %q, want %q", c.args, status, c.status, errs.String(), c.says)
		}
	}
}
