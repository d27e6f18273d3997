package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ErrTopic: a topic exists and is misconfigured.
var ErrTopic = errors.New("queue: a topic is misconfigured")

// topicBytes is the largest batch that a topic must take.
const topicBytes = maxBatchBytes + 1<<16

// topic is the configuration that one of our topics must have.
type topic struct {
	name       string
	partitions int32 // when it is made
	single     bool  // may not have more
	keptEver   bool  // no record may ever go
	ordered    bool  // log time and offsets mean something
}

func (c *Client) topics() []topic {
	all := []topic{
		{name: c.cfg.Topic, partitions: c.cfg.Partitions, ordered: true},
		{name: RejectedTopic(c.cfg.Topic), partitions: 1},
	}
	if c.cfg.Topic == TopicPageviews { // the edges are between its persons
		all = append(all, topic{name: TopicEquivs, partitions: 1, single: true, keptEver: true, ordered: true})
	}
	return all
}

// checkTopics looks at the topics that are there already, and whether those that
// are missing can be made. A misconfigured one is never changed: its
// records may be somebody's.
func (c *Client) checkTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	details, err := c.describe(ctx)
	if err != nil {
		return err
	}
	if err := c.checkRights(ctx, details); err != nil {
		return err
	}
	configs, err := c.configs(ctx, details)
	if err != nil {
		return err
	}
	if c.cfg.Repair {
		if configs, err = c.repairConfigs(ctx, details, configs); err != nil {
			return err
		}
	}
	var bad []string
	for _, t := range c.topics() {
		if d := details[t.name]; d.err == nil && d.partitions > 0 {
			bad = append(bad, t.check(&c.cfg, d, configs[t.name])...)
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("%w: %s", ErrTopic, strings.Join(bad, "; "))
	}
	for _, t := range c.topics() {
		if details[t.name].err == nil || c.cfg.ReadOnly {
			continue
		}
		if err := c.makeTopic(ctx, t, c.admin.ValidateCreateTopics); err != nil {
			return err
		}
	}
	return nil
}

// found is what is there of a topic.
type found struct {
	err        error
	partitions int
	replicas   int   // the fewest of any partition
	allowed    int32 // what the user may do, as checkRights has it
}

// describe asks for our topics, past what the client remembers of them: that one
// is missing must not be remembered when it is made next.
func (c *Client) describe(ctx context.Context) (map[string]found, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, t := range c.topics() {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = kmsg.StringPtr(t.name)
		req.Topics = append(req.Topics, rt)
	}
	resp, err := req.RequestWith(ctx, c.kafka)
	if err != nil {
		return nil, c.cfg.classify(err)
	}
	all := make(map[string]found)
	for _, t := range resp.Topics {
		f := found{err: kerr.ErrorForCode(t.ErrorCode), partitions: len(t.Partitions), allowed: t.AuthorizedOperations}
		for i, p := range t.Partitions {
			if n := len(p.Replicas); i == 0 || n < f.replicas {
				f.replicas = n
			}
		}
		if t.Topic != nil {
			all[*t.Topic] = f
		}
	}
	return all, nil
}

// configs asks for the settings of topics; of one whose settings may not be seen
// there are none.
func (c *Client) configs(ctx context.Context, details map[string]found) (map[string]map[string]string, error) {
	configs := make(map[string]map[string]string)
	var there []string
	for name, d := range details {
		if d.err == nil && d.partitions > 0 {
			there = append(there, name)
		}
	}
	if len(there) == 0 {
		return configs, nil
	}
	described, err := c.admin.DescribeTopicConfigs(ctx, there...)
	if denied := (*kadm.AuthError)(nil); errors.As(err, &denied) {
		c.cfg.Logger.Warn("settings of topics may not be seen, so they are not checked", "err", err)
		return configs, nil
	}
	if err != nil {
		return nil, c.cfg.classify(err)
	}
	for _, r := range described {
		if r.Err != nil {
			c.cfg.Logger.Warn("settings of a topic may not be seen, so they are not checked", "topic", r.Name, "err", r.Err)
			continue
		}
		configs[r.Name] = make(map[string]string)
		for _, entry := range r.Configs {
			configs[r.Name][entry.Key] = entry.MaybeValue()
		}
	}
	return configs, nil
}

// check reports what is misconfigured in a topic. Settings that the broker does
// not tell are taken to be right.
func (t *topic) check(cfg *Config, d found, config map[string]string) (bad []string) {
	say := func(format string, args ...any) {
		bad = append(bad, "topic "+t.name+" has "+fmt.Sprintf(format, args...))
	}
	want := func(key, value, why string) {
		if got, ok := config[key]; ok && got != value {
			say("%s=%s: allowed is %s (%s)", key, got, value, why)
		}
	}
	atLeast := func(key string, least int64) {
		if got, err := strconv.ParseInt(config[key], 10, 64); err == nil && got < least {
			say("%s=%d: allowed is %d or more", key, got, least)
		}
	}
	if t.single && d.partitions != 1 {
		say("%d partitions: allowed is 1, for the last edge of a pair decides", d.partitions)
	}
	if t.ordered {
		want("message.timestamp.type", "LogAppendTime", "the log's time is the brokers'")
		want("cleanup.policy", "delete", "compaction would take records out of the log")
	}
	if t.keptEver {
		want("retention.ms", "-1", "it is kept for ever")
		want("retention.bytes", "-1", "it is kept for ever")
	}
	atLeast("max.message.bytes", topicBytes)
	if cfg.MinInsync > 0 {
		atLeast("min.insync.replicas", int64(cfg.MinInsync))
	}
	if cfg.Replication > 0 && d.replicas < int(cfg.Replication) {
		say("%d replicas: wanted are %d", d.replicas, cfg.Replication)
	}
	return bad
}

// createTopics is how the admin client makes topics, and how it only tries.
type createTopics func(ctx context.Context, partitions int32, replicas int16, config map[string]*string, names ...string) (kadm.CreateTopicResponses, error)

// MakeTopics makes the topics that are missing, and returns when the brokers
// serve them: a topic that was made, or deleted, a moment ago is known to one
// broker and not to the next.
func (c *Client) MakeTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for {
		there, err := c.describe(ctx)
		if err != nil {
			return err
		}
		ready := true
		for _, t := range c.topics() {
			if d := there[t.name]; d.err == nil && d.partitions > 0 {
				continue
			}
			ready = false
			if err := c.makeTopic(ctx, t, c.admin.CreateTopics); err != nil {
				return err
			}
		}
		if ready {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%w: topics were made and are not served: %w", ErrUnavailable, ctx.Err())
		}
	}
}

// topicConfig is what a topic is made with.
func topicConfig() map[string]*string {
	return map[string]*string{
		"message.timestamp.type": kadm.StringPtr("LogAppendTime"),
		"cleanup.policy":         kadm.StringPtr("delete"),
		"retention.ms":           kadm.StringPtr("-1"),
		"retention.bytes":        kadm.StringPtr("-1"),
		"max.message.bytes":      kadm.StringPtr(strconv.Itoa(topicBytes)),
	}
}

// makeTopic makes a topic, or finds out whether it could be made.
func (c *Client) makeTopic(ctx context.Context, t topic, do createTopics) error {
	config := topicConfig()
	if c.cfg.MinInsync > 0 {
		config["min.insync.replicas"] = kadm.StringPtr(strconv.Itoa(int(c.cfg.MinInsync)))
	}
	made, err := do(ctx, t.partitions, c.cfg.Replication, config, t.name)
	if err == nil {
		err = made.Error()
	}
	switch {
	case err == nil, errors.Is(err, kerr.TopicAlreadyExists): // the old one, on its way out, or another's
		return nil
	case errors.Is(err, kerr.InvalidReplicationFactor), errors.Is(err, kerr.InvalidConfig), errors.Is(err, kerr.PolicyViolation):
		return fmt.Errorf("%w: %s cannot be made with %d replicas: %w", ErrTopic, t.name, c.cfg.Replication, err)
	}
	return fmt.Errorf("topic %s on %s: %w", t.name, strings.Join(c.cfg.Brokers, ","), c.cfg.classify(err))
}
