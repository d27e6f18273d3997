package devcluster_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// Three brokers carry a topic three times and take records while one is gone;
// each mechanism of the second listener lets the user in, and no one else.
func TestClusterThreeBrokers(t *testing.T) {
	c := clustertest.Start(t, devcluster.Options{Kafka: true, Brokers: 3, SASL: true})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for name, m := range map[string]sasl.Mechanism{
		"PLAIN":         plain.Auth{User: devcluster.User, Pass: devcluster.Password}.AsMechanism(),
		"SCRAM-SHA-256": scram.Auth{User: devcluster.User, Pass: devcluster.Password}.AsSha256Mechanism(),
		"SCRAM-SHA-512": scram.Auth{User: devcluster.User, Pass: devcluster.Password}.AsSha512Mechanism(),
	} {
		if err := ping(ctx, t, c, m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	wrong := plain.Auth{User: devcluster.User, Pass: "guess"}.AsMechanism()
	if err := ping(ctx, t, c, wrong); err == nil || !strings.Contains(err.Error(), "SASL_AUTHENTICATION_FAILED") {
		t.Errorf("a wrong password: %v", err)
	}
	if os.Getenv(clustertest.Existing) != "" {
		t.Skip("its brokers are not this test's to kill")
	}
	outlivesBroker(ctx, t, c)
}

// ping asks a broker behind TLS.
func ping(ctx context.Context, t *testing.T, c *devcluster.Cluster, m sasl.Mechanism) error {
	t.Helper()
	ca, err := os.ReadFile(c.Authority())
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("no certificate of the authority")
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.SASLBrokers()...), kgo.DialTLSConfig(&tls.Config{RootCAs: pool}), kgo.SASL(m))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	return client.Ping(ctx)
}

func outlivesBroker(ctx context.Context, t *testing.T, c *devcluster.Cluster) {
	t.Helper()
	// Of three brokers one may not have heard of the new topic for a while.
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.DefaultProduceTopic("t"), kgo.MetadataMinAge(250*time.Millisecond),
		kgo.UnknownTopicRetries(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if resp, err := kadm.NewClient(client).CreateTopic(ctx, 6, 3, nil, "t"); err != nil || resp.Err != nil {
		t.Fatal(err, resp.Err)
	}
	if err := c.Kill(devcluster.Broker(2)); err != nil {
		t.Fatal(err)
	}
	for range 60 { // keys are none, so they go to every partition in turn
		if err := client.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Restart(ctx, devcluster.Broker(2)); err != nil {
		t.Error(err)
	}
}

// HBase on HDFS starts again after all of it was killed.
func TestClusterHDFS(t *testing.T) {
	if os.Getenv(clustertest.Existing) != "" {
		t.Skip("its processes are not this test's to kill")
	}
	c := clustertest.Start(t, devcluster.Options{HBase: true, HDFS: true})
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for _, name := range c.Names() {
		if err := c.Kill(name); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.LaunchAll(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(ctx); err != nil {
		t.Error(err)
	}
}
