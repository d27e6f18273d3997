package devcluster_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// Kafka and HBase start, live through what a test does to them, and are all gone
// afterwards.
func TestCluster(t *testing.T) {
	c := clustertest.Start(t, devcluster.Options{Kafka: true, HBase: true, RegionServers: 2})
	if os.Getenv(clustertest.Existing) != "" {
		t.Skip("its processes are not this test's to kill")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if want := []string{"kafka-1", "master", "regionserver-1", "regionserver-2", "zookeeper"}; !slices.Equal(c.Names(), want) {
		t.Errorf("processes %v, want %v", c.Names(), want)
	}
	for _, name := range []string{devcluster.Broker(1), devcluster.RegionServer(2)} {
		if err := c.Kill(name); err != nil {
			t.Fatal(err)
		}
		if c.Running(name) {
			t.Errorf("%s runs after kill", name)
		}
		if err := c.Restart(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Restart(ctx, "kafka-7"); err == nil || !strings.Contains(err.Error(), "there are kafka-1, master") {
		t.Errorf("an unknown name: %v", err)
	}
	if _, err := devcluster.Start(ctx, devcluster.Options{Dir: c.Dir(), Kafka: true}); err == nil {
		t.Error("a second cluster starts in the folder of the first")
	}
	produce(t, ctx, c)
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	for _, name := range c.Names() {
		if c.Running(name) {
			t.Errorf("%s runs after stop", name)
		}
	}
}

// produce shows that a broker stopped in its steps answers again when it goes on.
func produce(t *testing.T, ctx context.Context, c *devcluster.Cluster) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := c.Pause(devcluster.Broker(1)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	if err := client.Ping(short); err == nil {
		t.Error("a paused broker answers")
	}
	if err := c.Resume(devcluster.Broker(1)); err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(ctx); err != nil {
		t.Error(err)
	}
}

// Of a cluster that is left running HBase is added to Kafka and ends without it;
// what has died is started again, and what runs is not.
func TestClusterByParts(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true, HBase: true})
	dir := t.TempDir()
	kafka := devcluster.Options{Dir: dir, Kafka: true, Detach: true, Quick: true}
	hbase := devcluster.Options{Dir: dir, HBase: true, Detach: true, Quick: true}
	both := devcluster.Options{Dir: dir, Kafka: true, HBase: true}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	t.Cleanup(func() {
		if _, err := devcluster.Down(context.Background(), both); err != nil {
			t.Error(err)
		}
	})
	run := func(want ...string) {
		t.Helper()
		c, err := devcluster.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Names(), want) {
			t.Errorf("%v run, want %v", c.Names(), want)
		}
		for _, name := range c.Names() {
			if !c.Running(name) {
				t.Errorf("%s does not run", name)
			}
		}
	}
	for _, o := range []devcluster.Options{kafka, hbase} {
		if _, err := devcluster.Start(ctx, o); err != nil {
			t.Fatal(err)
		}
	}
	run("kafka-1", "master", "regionserver-1", "zookeeper")
	// What has died is started again; what runs is left alone.
	c, err := devcluster.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	pid := c.PID("kafka-1")
	if err := c.Kill("master"); err != nil {
		t.Fatal(err)
	}
	all := devcluster.Options{Dir: dir, Kafka: true, HBase: true, Detach: true, Quick: true}
	if c, err = devcluster.Start(ctx, all); err != nil || c.PID("kafka-1") != pid || !c.Running("master") {
		t.Fatalf("starting what has died: %v", err)
	}
	run("kafka-1", "master", "regionserver-1", "zookeeper")
	kafka.Brokers = 3
	if _, err := devcluster.Start(ctx, kafka); err == nil || !strings.Contains(err.Error(), "Kafka runs there, with 1 brokers") {
		t.Errorf("Kafka with other brokers than run: %v", err)
	}
	if names, err := devcluster.Down(ctx, hbase); err != nil || len(names) != 3 {
		t.Errorf("%v ended, %v", names, err)
	}
	run("kafka-1")
	if names, err := devcluster.Down(ctx, both); err != nil || !slices.Equal(names, []string{"kafka-1"}) {
		t.Errorf("%v ended, %v", names, err)
	}
	run()
}

// The test helper asks for a name by which the test command finds the test, and
// reports which.
func TestNameIsAskedFor(t *testing.T) {
	f := &fakeTB{TB: t}
	func() {
		defer func() { _ = recover() }()
		clustertest.Start(f, devcluster.Options{Kafka: true})
	}()
	if !strings.Contains(f.said, "named TestCluster") {
		t.Errorf("it said %q", f.said)
	}
}

func TestStateOfNothing(t *testing.T) {
	if _, err := devcluster.Open(t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	if _, err := devcluster.Down(t.Context(), devcluster.Options{Dir: t.TempDir(), Kafka: true, HBase: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("down: %v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(`{"version":9}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := devcluster.Open(dir); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("another version: %v", err)
	}
}
