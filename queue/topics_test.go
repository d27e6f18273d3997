package queue

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/queue/embedded"
)

// Misconfigured topics are rejected, each with what
// is wrong and what is allowed; and nothing is made beside them.
func TestTopicsThatAreThere(t *testing.T) {
	right := func() map[string]*string {
		return map[string]*string{"message.timestamp.type": kadm.StringPtr("LogAppendTime"), "retention.ms": kadm.StringPtr("-1"),
			"retention.bytes": kadm.StringPtr("-1"), "max.message.bytes": kadm.StringPtr("10000000")}
	}
	with := func(key, value string) map[string]*string {
		c := right()
		c[key] = kadm.StringPtr(value)
		return c
	}
	for _, c := range []struct {
		name, topic string
		partitions  int32
		config      map[string]*string
		cfg         Config
		says        string // "": it is taken
	}{
		{"correct", TopicPageviews, 3, right(), Config{}, ""},
		{"bounded, by who runs the cluster", TopicPageviews, 3, with("retention.ms", "86400000"), Config{}, ""},
		{"times of clients", TopicPageviews, 3, with("message.timestamp.type", "CreateTime"), Config{}, "message.timestamp.type=CreateTime: allowed is LogAppendTime"},
		{"compacted", TopicPageviews, 3, with("cleanup.policy", "compact"), Config{}, "cleanup.policy=compact: allowed is delete"},
		{"small batches only", TopicPageviews, 3, with("max.message.bytes", "1000"), Config{}, "max.message.bytes=1000: allowed is"},
		{"too few copies", TopicPageviews, 3, right(), Config{Replication: 3}, "1 replicas: wanted are 3"},
		{"too few in sync", TopicPageviews, 3, with("min.insync.replicas", "1"), Config{Replication: 1, MinInsync: 2}, "min.insync.replicas=1: allowed is 2 or more"},
		{"edges in two partitions", TopicEquivs, 2, right(), Config{}, "2 partitions: allowed is 1"},
		{"edges that go", TopicEquivs, 1, with("retention.ms", "86400000"), Config{}, "retention.ms=86400000: allowed is -1"},
		{"dead letters as anybody likes", TopicRejected, 5, with("message.timestamp.type", "CreateTime"), Config{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Brokers = cluster(t)
			kafka, err := kgo.NewClient(kgo.SeedBrokers(c.cfg.Brokers...))
			if err != nil {
				t.Fatal(err)
			}
			defer kafka.Close()
			admin := kadm.NewClient(kafka)
			if _, err := admin.CreateTopic(t.Context(), c.partitions, 1, c.config, c.topic); err != nil {
				t.Fatal(err)
			}
			client, err := Dial(t.Context(), c.cfg)
			if err == nil {
				client.Close()
			}
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrTopic) || !strings.Contains(err.Error(), "topic "+c.topic+" has "+c.says) {
				t.Fatalf("error %v, want %q", err, c.says)
			}
			topics, err := admin.ListTopics(t.Context())
			if err != nil || len(topics) != 1 {
				t.Errorf("topics %v, %v: want the one that was there", topics.Names(), err)
			}
		})
	}
}

// A topic is created with the right settings.
func TestTopicsAreMade(t *testing.T) {
	c, err := Dial(t.Context(), Config{Brokers: cluster(t), Partitions: 5, Replication: 1, MinInsync: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	there, err := c.describe(t.Context())
	if err != nil || there[TopicPageviews].partitions != 5 || there[TopicEquivs].partitions != 1 || there[TopicRejected].partitions != 1 {
		t.Fatalf("topics %+v, %v", there, err)
	}
	configs, err := c.configs(t.Context(), there)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"message.timestamp.type": "LogAppendTime", "retention.ms": "-1", "retention.bytes": "-1", "min.insync.replicas": "1"} {
		if got := configs[TopicPageviews][key]; got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
}

// Settings that somebody gave the topics of the process's own broker are set right
// at its next start, those too that a cluster's operator may choose.
func TestTopicsAreRepaired(t *testing.T) {
	cfg := Config{Brokers: cluster(t), Partitions: 2, Replication: 1}
	c, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var changes []kadm.AlterConfig
	for key, value := range map[string]string{"message.timestamp.type": "CreateTime", "cleanup.policy": "compact", "retention.ms": "1", "max.message.bytes": "10"} {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: &value})
	}
	for _, a := range must(c.admin.AlterTopicConfigs(t.Context(), changes, TopicPageviews, TopicEquivs)) {
		if a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	if _, err := Dial(t.Context(), cfg); !errors.Is(err, ErrTopic) {
		t.Fatalf("who does not own the broker is told %v", err)
	}
	cfg.Repair = true
	again, err := Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	configs := must(again.configs(t.Context(), must(again.describe(t.Context()))))
	for _, topic := range []string{TopicPageviews, TopicEquivs} {
		for key, want := range topicConfig() {
			if got := configs[topic][key]; got != *want {
				t.Errorf("%s has %s=%s, want %s", topic, key, got, *want)
			}
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The embedded broker takes what our topics take.
func TestBatchBoundsAgree(t *testing.T) {
	if topicBytes != embedded.MaxMessageBytes {
		t.Errorf("topics take %d bytes, the embedded broker %d", topicBytes, embedded.MaxMessageBytes)
	}
}
