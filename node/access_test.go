package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"speedlayer/internal/tokens"
)

func serving(t *testing.T, o HTTPConfig) (*Node, error) {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	n, err := Open(t.Context(), Config{Data: t.TempDir(), Partitions: 1, HTTP: &o, Batch: BatchConfig{Archive: NoArchive}})
	if err == nil {
		t.Cleanup(func() { closeNode(t, n) })
	}
	return n, err
}

// Each route has a rule, each rule a route, and the documentation the same table.
func TestWhoMayDoWhat(t *testing.T) {
	n, err := serving(t, HTTPConfig{})
	if err != nil {
		t.Fatal(err)
	}
	served := slices.Sorted(slices.Values(n.server.served))
	for _, route := range served {
		if _, ok := rules[route]; !ok {
			t.Errorf("%s has no rule", route)
		}
	}
	for route := range rules {
		if !slices.Contains(served, route) {
			t.Errorf("the rule of %s has no route", route)
		}
	}
	table := "| request | who may |\n|---|---|\n"
	for _, route := range slices.Sorted(maps.Keys(rules)) {
		table += fmt.Sprintf("| `%s` | %s |\n", route, map[tokens.Scope]string{public: "everybody", tokens.Read: "read", tokens.Admin: "admin"}[rules[route]])
	}
	doc, err := os.ReadFile("../docs/security.md")
	if err != nil || !strings.Contains(string(doc), table) {
		t.Errorf("docs/security.md does not have this table:\n%s", table)
	}
}

// call makes a request as a program does, with a token if there is one.
func call(t *testing.T, method, url, host, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(`{"id1":"a","id2":"b"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if host != "" {
		r.Host = host
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// With tokens, each path asks for the scope of its rule; without, the loopback is
// open, under its own names only.
func TestTokens(t *testing.T) {
	n, err := serving(t, HTTPConfig{Hosts: []string{"stats.example"}})
	if err != nil {
		t.Fatal(err)
	}
	status, equivs := n.URL()+"/api/v1/status", n.URL()+"/api/v1/equivs"
	for host, want := range map[string]int{"": 200, "localhost:8080": 200, "[::1]:8080": 200, "stats.example": 200, "evil.example": 421, "127.0.0.1.evil.example": 421, "10.0.0.1": 421} {
		if got := call(t, "GET", status, host, ""); got != want {
			t.Errorf("Host %q: status %d, want %d", host, got, want)
		}
	}
	secrets := map[tokens.Scope]string{"": "", "unknown": "slt_x"}
	for _, scope := range []tokens.Scope{tokens.Read, tokens.Admin} {
		resp, err := http.Post(n.URL()+TokensPath, "application/json", strings.NewReader(`{"scope":"`+string(scope)+`"}`))
		if scope == tokens.Admin { // the first token has closed the door
			resp.Body.Close()
			_, secrets[scope], err = tokens.Create(t.Context(), n.store, scope, "", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			n.server.access.forget()
			continue
		}
		var made TokenAnswer
		if err != nil || json.NewDecoder(resp.Body).Decode(&made) != nil || made.Token == "" {
			t.Fatal(resp, err)
		}
		secrets[scope] = made.Token
	}
	row, err := n.store.Row(t.Context(), "tokens")
	if err != nil || bytes.Contains(row, []byte(secrets[tokens.Read])) || bytes.Contains(row, []byte(secrets[tokens.Admin])) {
		t.Errorf("the store has secrets, or nothing: %s, %v", row, err)
	}
	for _, c := range []struct {
		method, url string
		want        map[tokens.Scope]int
	}{
		{"GET", status, map[tokens.Scope]int{"": 401, "unknown": 401, tokens.Read: 200, tokens.Admin: 200}},
		{"POST", equivs, map[tokens.Scope]int{"": 401, "unknown": 401, tokens.Read: 403, tokens.Admin: 201}},
		{"GET", n.URL() + "/api/v1/cells", map[tokens.Scope]int{"": 401, tokens.Read: 403, tokens.Admin: 200}},
		{"GET", n.URL() + "/healthz", map[tokens.Scope]int{"": 200}},
		{"GET", n.URL() + "/", map[tokens.Scope]int{"": 401, tokens.Read: 200}},
		{"HEAD", status, map[tokens.Scope]int{"": 401, tokens.Read: 200}},
	} {
		for scope, want := range c.want {
			if got := call(t, c.method, c.url, "", secrets[scope]); got != want && (want != 201 || got/100 != 2) {
				t.Errorf("%s %s with %q: status %d, want %d", c.method, c.url, scope, got, want)
			}
		}
	}
	all, err := tokens.List(t.Context(), n.store)
	if err != nil || len(all) != 2 {
		t.Fatal(all, err)
	}
	if got := call(t, "DELETE", n.URL()+TokensPath+"?id="+all[0].ID, "", secrets[tokens.Admin]); got != 200 {
		t.Errorf("revoke: status %d", got)
	}
	if got := call(t, "GET", status, "", secrets[tokens.Read]); got != 401 {
		t.Errorf("with a revoked token: status %d", got)
	}
}

// On an address that others reach, a server without tokens does not start, and
// names what would let it.
func TestOpenAddress(t *testing.T) {
	_, err := serving(t, HTTPConfig{Listen: "0.0.0.0:0"})
	var none *NoTokenError
	if !errors.As(err, &none) {
		t.Fatalf("it starts: %v", err)
	}
	for _, way := range []string{"token create", "--ingest-only", "--insecure"} {
		if !strings.Contains(err.Error(), way) {
			t.Errorf("it does not name %s: %v", way, err)
		}
	}
	if n, err := serving(t, HTTPConfig{Listen: "0.0.0.0:0", Insecure: true}); err != nil || call(t, "GET", n.URL()+"/api/v1/status", "", "") != 200 {
		t.Errorf("--insecure: %v", err)
	}
	n, err := serving(t, HTTPConfig{Listen: "0.0.0.0:0", IngestOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{"/api/v1/status": 403, "/": 403, "/metrics": 403, "/healthz": 200, "/js/script.js": 200} {
		if got := call(t, "GET", n.URL()+path, "", ""); got != want {
			t.Errorf("--ingest-only %s: status %d, want %d", path, got, want)
		}
	}
}

// Data is for the process's user, and links in the directory are not followed.
func TestDataDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, own := range []string{"queue", "store"} {
		if err := os.Mkdir(filepath.Join(dir, own), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := openDataDir(dir); err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"queue", "store"} {
		if info, err := os.Stat(filepath.Join(dir, own)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", own, info.Mode(), err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "queue", "log")); err != nil {
		t.Fatal(err)
	}
	if err := openDataDir(dir); err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("a link in the queue is followed: %v", err)
	}
	made := filepath.Join(t.TempDir(), "new")
	if err := openDataDir(made); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(made); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("a new directory has %v, %v", info.Mode(), err)
	}
}
