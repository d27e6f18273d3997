// Package clustertest gives tests a cluster of real servers.
//
// Tests that ask for one are named TestCluster..., by which the test command
// knows them: they run in the suite "cluster" and in no other. Where Java or
// Maven is missing such a test is skipped, loudly; with CI=true it fails.
//
// Starting HBase takes half a minute. Who works on such a test can start a
// cluster once (speedlayer dev-cluster up --dir DIR) and name it in
// SPEEDLAYER_DEV_CLUSTER=DIR: then it is used by every test whose options it
// meets, and left running.
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"speedlayer/internal/devcluster"
)

// Existing is the variable of the environment that names a running cluster.
const Existing = "SPEEDLAYER_DEV_CLUSTER"

// limit is for a start, on a loaded machine, the jars included.
const limit = 5 * time.Minute

// Start starts a cluster that ends with the test. Dir and the ports are its own;
// what else the options say is taken as it is.
func Start(t testing.TB, o devcluster.Options) *devcluster.Cluster {
	t.Helper()
	check(t, o)
	if c := existing(t, o); c != nil {
		return c
	}
	dir := t.TempDir()
	c, err := start(o, dir)
	if err != nil {
		t.Fatalf("cluster: %v", err)
	}
	t.Cleanup(func() {
		if err := c.KillAll(); err != nil {
			t.Errorf("cluster: %v", err)
		}
	})
	return c
}

func start(o devcluster.Options, dir string) (*devcluster.Cluster, error) {
	o.Dir = filepath.Join(dir, "cluster")
	o.KafkaPort, o.SASLPort, o.ZooKeeperPort, o.CassandraPort, o.SparkPort = 0, 0, 0, 0, 0
	o.Quick, o.Detach = true, false
	if o.Log == nil {
		o.Log = os.Stderr
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return devcluster.Start(ctx, o)
}

// Need skips a test loudly, or fails it under CI, where the options cannot be
// had: for tests that start a cluster by themselves.
func Need(t testing.TB, o devcluster.Options) {
	t.Helper()
	check(t, o)
}

// check ends a test that is named wrongly, or that cannot have a cluster here.
func check(t testing.TB, o devcluster.Options) {
	t.Helper()
	if !strings.HasPrefix(t.Name(), "TestCluster") && !strings.HasPrefix(t.Name(), "BenchmarkCluster") {
		t.Fatalf("%s asks for a cluster: such tests are named TestCluster... or BenchmarkCluster..., by which the test command finds them", t.Name())
	}
	o.Dir = "not used"
	err := devcluster.Missing(context.Background(), o)
	var missing *devcluster.MissingError
	switch {
	case err == nil:
	case errors.As(err, &missing) && os.Getenv("CI") != "true":
		fmt.Fprintf(os.Stderr, "\n*** SKIPPED %s: %v ***\n\n", t.Name(), err)
		t.Skip(err)
	default:
		t.Fatalf("cluster: %v", err)
	}
}

// existing is the cluster that the environment names, if it meets the options.
func existing(t testing.TB, o devcluster.Options) *devcluster.Cluster {
	t.Helper()
	dir := os.Getenv(Existing)
	if dir == "" {
		return nil
	}
	c, err := devcluster.Open(dir)
	if err != nil {
		t.Fatalf("%s=%s: %v", Existing, dir, err)
	}
	if !c.Meets(o) {
		return nil
	}
	t.Logf("on the cluster in %s", dir)
	return c
}

// Shared is a cluster for all tests of a package: the first that asks for it
// starts it. A package that has one needs
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
type Shared struct {
	Options devcluster.Options

	once    sync.Once
	cluster *devcluster.Cluster
	err     error
	dir     string
}

// Get returns the cluster.
func (s *Shared) Get(t testing.TB) *devcluster.Cluster {
	t.Helper()
	check(t, s.Options)
	if c := existing(t, s.Options); c != nil {
		return c
	}
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "speedlayer-cluster-"); s.err == nil {
			s.cluster, s.err = start(s.Options, s.dir)
		}
	})
	if s.err != nil {
		t.Fatalf("cluster: %v", s.err)
	}
	return s.cluster
}

// Main runs the package's tests, ends the cluster, and returns the exit status.
func (s *Shared) Main(m *testing.M) int {
	code := m.Run()
	var err error
	if s.cluster != nil {
		err = s.cluster.KillAll()
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		return 1
	}
	return code
}
