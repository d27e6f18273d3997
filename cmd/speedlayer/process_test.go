package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/sim/torture"
)

// asProgram makes the test binary the program itself: so the tests kill and
// stop real processes, with whatever the binary was built with.
const asProgram = "SPEEDLAYER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		limitFiles()
		main()
	}
	os.Exit(m.Run())
}

var programEnv = []string{asProgram + "=1"}

// runProgram runs the program to its end.
func runProgram(t *testing.T, args ...string) (status int, out, errs string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), programEnv...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// startProgram runs serve as a process, until the test ends at the latest.
func startProgram(t *testing.T, dir string) (torture.Instance, string) {
	t.Helper()
	p := &torture.Process{Program: os.Args[0], Env: programEnv, Data: dir, Output: t.Output()}
	i, err := p.Launch()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Kill() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	url, err := i.URL(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return i, url
}

// post posts one pageview of a page of its own; false if it was not
// acknowledged.
func post(ctx context.Context, url, page string) bool {
	body, err := json.Marshal(map[string]any{"nonce": page, "person": "p", "url": "http://stop.example/" + page, "ts": time.Now().UnixMilli()})
	if err != nil {
		panic(err) // strings always marshal
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/api/v1/pageviews", bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusAccepted
}

// SIGTERM while clients post: it ends within 10 seconds, with status 0, and all
// that it acknowledged is there.
func TestGracefulStop(t *testing.T) {
	dir := t.TempDir()
	i, url := startProgram(t, dir)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	some := make(chan struct{}) // closed when there are 500
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for n := 0; ; n++ {
				page := fmt.Sprintf("%d-%d", c, n)
				if !post(t.Context(), url, page) {
					return // it stops
				}
				mu.Lock()
				acknowledged["stop.example/"+page] = true
				if len(acknowledged) == 500 {
					close(some)
				}
				mu.Unlock()
			}
		})
	}
	select {
	case <-some:
	case <-time.After(time.Minute):
		t.Fatal("500 pageviews were not acknowledged in a minute")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	begin := time.Now()
	if err := i.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("stopped in %v", time.Since(begin))
	clients.Wait()

	status, out, errs := runProgram(t, "export", "--data", dir, "--view", "pageviews")
	if status != exitDone {
		t.Fatalf("export: status %d: %s", status, errs)
	}
	counted := map[string]uint64{}
	for dec := json.NewDecoder(strings.NewReader(out)); dec.More(); {
		var c struct {
			URL       string
			Pageviews uint64
		}
		if err := dec.Decode(&c); err != nil {
			t.Fatal(err)
		}
		counted[c.URL] += c.Pageviews
	}
	for page := range acknowledged {
		if counted[page] != 1 {
			t.Errorf("%s is counted %d times", page, counted[page])
		}
	}
	if status, out, errs := runProgram(t, "verify", "--data", dir); status != exitDone {
		t.Errorf("verify: status %d:\n%s%s", status, out, errs)
	}
}

// A port that is taken is named by its flag, and so is nothing else.
func TestBusyPorts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, flag := range []string{"--listen", "--kafka-listen", "--pprof"} {
		status, out, errs := runProgram(t, "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0", flag, l.Addr().String())
		if status != exitFailed || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, " "+flag+" ") || !strings.Contains(errs, "in use") {
			t.Errorf("%s: status %d, output %q, error %q", flag, status, out, errs)
		}
	}
}

// A data directory has one process; others are told what to do.
func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	_, url := startProgram(t, dir)
	for range 20 {
		if !post(t.Context(), url, "x") {
			t.Fatal("not acknowledged")
		}
	}
	for _, args := range [][]string{
		{"serve", "--data", dir, "--listen", "127.0.0.1:0", "--kafka-listen", "127.0.0.1:0"},
		{"export", "--data", dir}, {"verify", "--data", dir}, {"status", "--data", dir},
	} {
		status, out, errs := runProgram(t, args...)
		if status != exitFailed || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "held by another") || !strings.Contains(errs, "--server") {
			t.Errorf("%v: status %d, output %q, error %q", args, status, out, errs)
		}
	}
	// The first one goes on.
	if !post(t.Context(), url, "y") {
		t.Error("the first process no longer answers")
	}
	if status, out, errs := runProgram(t, "verify", "--server", url); status != exitDone || !strings.Contains(out, "differences  0") {
		t.Errorf("verify --server: status %d: %s%s", status, out, errs)
	}
}
