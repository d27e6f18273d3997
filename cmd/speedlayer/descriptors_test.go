package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"speedlayer/sim/torture"
)

// filesLimit makes the test binary, run as the program, one that may open that many
// files.
const filesLimit = "SPEEDLAYER_TEST_FILES"

func limitFiles() {
	if n, err := strconv.ParseUint(os.Getenv(filesLimit), 10, 64); err == nil {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			panic(err)
		}
	}
}

// Twice as many idle connections as the process may open files: when they are gone,
// it takes pageviews and counts them, as if nothing had been.
func TestFewDescriptors(t *testing.T) {
	p := &torture.Process{Program: os.Args[0], Env: append([]string{filesLimit + "=300"}, programEnv...), Data: t.TempDir(), Output: t.Output()}
	i, err := p.Launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Kill() })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	url, err := i.URL(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !post(ctx, url, "before") {
		t.Fatal("not acknowledged")
	}
	var status struct {
		Info struct{ Kafka string }
	}
	getJSON(ctx, t, url+"/api/v1/status", &status)
	var idle []net.Conn
	for n := range 600 {
		address := strings.TrimPrefix(url, "http://")
		if n%2 == 1 {
			address = status.Info.Kafka
		}
		c, err := net.DialTimeout("tcp", address, 10*time.Second)
		if err != nil {
			t.Fatalf("connection %d: %v", n, err)
		}
		idle = append(idle, c)
	}
	http.DefaultClient.CloseIdleConnections() // the posts that follow need connections of their own
	for _, c := range idle {
		_ = c.Close()
	}
	for n := range 20 {
		if !post(ctx, url, fmt.Sprintf("after-%d", n)) {
			t.Fatalf("pageview %d is not acknowledged", n)
		}
	}
	if status, out, errs := runProgram(t, "verify", "--server", url); status != exitDone || !strings.Contains(out, "differences  0") {
		t.Errorf("verify: status %d: %s%s", status, out, errs)
	}
	resp, err := http.Get(url + "/readyz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("/readyz: %v, %v", resp, err)
	}
}

// getJSON decodes an answer.
func getJSON(ctx context.Context, t *testing.T, url string, v any) {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(v); err != nil {
		t.Fatal(err)
	}
}
