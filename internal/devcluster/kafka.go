package devcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafkaPrefix begins the names of brokers.
const kafkaPrefix = "kafka-"

func kafkaName(i int) string          { return fmt.Sprintf("kafka-%d", i) }
func controllerName(i int) string     { return fmt.Sprintf("kafka-%d controller", i) }
func kafkaSASLName(i int) string      { return fmt.Sprintf("kafka-%d sasl", i) }
func kafkaConfig(i int) string        { return filepath.Join("kafka", kafkaName(i)+".properties") }
func (c *Cluster) brokerNumbers() int { return c.state.Brokers }

// kafkaPorts gives every broker its ports: the ones asked for in a row.
func (c *Cluster) kafkaPorts(o Options) error {
	at := func(first, i int) int {
		if first == 0 {
			return 0
		}
		return first + i - 1
	}
	for i := 1; i <= o.Brokers; i++ {
		if err := c.wantPort(kafkaName(i), at(o.KafkaPort, i), "--kafka-port"); err != nil {
			return err
		}
		if err := c.wantPort(controllerName(i), 0, ""); err != nil {
			return err
		}
		if err := c.wantFront(kafkaName(i), true); err != nil {
			return err
		}
		if !o.SASL {
			continue
		}
		if err := c.wantPort(kafkaSASLName(i), at(o.SASLPort, i), "--sasl-port"); err != nil {
			return err
		}
	}
	return nil
}

// kafkaConfigs writes what the brokers read.
func (c *Cluster) kafkaConfigs() error {
	n := c.brokerNumbers()
	controllers := make([]string, n)
	for i := range controllers {
		controllers[i] = c.state.Ports.address(controllerName(i + 1))
	}
	if c.state.SASL {
		if err := c.certificates(); err != nil {
			return err
		}
	}
	for i := 1; i <= n; i++ {
		err := c.writeConfig("server.properties", kafkaConfig(i), map[string]any{
			"Node": i, "Port": c.state.Ports[kafkaName(i)], "ControllerPort": c.state.Ports[controllerName(i)],
			"Controllers": strings.Join(controllers, ","), "Data": c.data(kafkaName(i)),
			"Replicas": n, "MinISR": (n + 1) / 2,
			"SASL": c.state.SASL, "SASLPort": c.state.Ports[kafkaSASLName(i)], "KeyStore": c.conf(keyStore),
			"User": User, "Guest": Guest, "Password": Password,
			"FrontPort": c.state.Ports[frontName(kafkaName(i))], "BehindPort": c.state.Ports[behindName(kafkaName(i))],
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// format makes the data folders of brokers that have none.
func (c *Cluster) format(ctx context.Context) error {
	members := make([]string, c.brokerNumbers())
	for i := range members {
		members[i] = fmt.Sprintf("%d@%s:%s", i+1, c.state.Ports.address(controllerName(i+1)), c.state.Directories[i])
	}
	for i := 1; i <= len(members); i++ {
		if _, err := os.Stat(filepath.Join(c.data(kafkaName(i)), "meta.properties")); err == nil {
			continue
		}
		args := []string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(c.jars["kafka"], "*"),
			"kafka.tools.StorageTool", "format", "-t", c.state.ClusterID, "-c", c.conf(kafkaConfig(i)),
			"--initial-controllers", strings.Join(members, ",")}
		if out, err := exec.CommandContext(ctx, c.java, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: its data folder could not be made: %w: %s", kafkaName(i), err, LastLines(out, 10))
		}
	}
	return nil
}

func (c *Cluster) kafkaProcess(i int) *process {
	java := append(compiler(c.quick), "-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:+ExplicitGCInvokesConcurrent", "-cp", filepath.Join(c.jars["kafka"], "*"), "kafka.Kafka", c.conf(kafkaConfig(i)))
	return c.newProcess(kafkaName(i), java)
}

// checkTopic is what readiness asks the controller to check and not to make.
const checkTopic = "speedlayer-devcluster-check"

// kafkaReady waits until the brokers can be given a topic, replicated on all of
// them. An open port is too early: a broker that the controller has not let in
// yet has one too.
func (c *Cluster) kafkaReady(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RetryTimeout(time.Second), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	return until(ctx, readyPoll, func() error {
		if err := c.allRun(kafkaPrefix); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, readyCall)
		defer cancel()
		return canCreate(ctx, client, len(c.Brokers()))
	})
}

func canCreate(ctx context.Context, client *kgo.Client, replicas int) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.ValidateOnly = true
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = checkTopic, 1, int16(replicas)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("kafka is not ready: %w", err)
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("kafka is not ready: %w", err)
		}
	}
	return nil
}
