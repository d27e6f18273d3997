package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// AddPartitions gives the topic more partitions: n in all. Persons are
// then distributed again, so a new log epoch begins.
func (c *Client) AddPartitions(ctx context.Context, n int32) error {
	answers, err := c.admin.UpdatePartitions(ctx, int(n), c.cfg.Topic)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		return fmt.Errorf("queue: %d partitions of topic %s: %w", n, c.cfg.Topic, err)
	}
	return nil
}

// DeleteTopics deletes our topics with all that is in them, for tests that need a
// queue of their own.
func (c *Client) DeleteTopics(ctx context.Context) error {
	for _, t := range c.topics() {
		if _, err := c.admin.DeleteTopic(ctx, t.name); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("queue: deleting topic %s: %w", t.name, err)
		}
	}
	return nil
}

// Renew forgets what the client knows of our topics. One that was recreated has
// another id, under which the client would not append by itself: what is waiting
// fails, and is not acknowledged.
func (c *Client) Renew() {
	c.kafka.PurgeTopicsFromProducing(c.cfg.Topic, TopicEquivs, RejectedTopic(c.cfg.Topic))
}

// Refresh asks for the topics' partitions now, and does not wait for the answer.
// Until it is there, records are spread over the partitions that were known before,
// and processors reroute them.
func (c *Client) Refresh() { c.kafka.ForceMetadataRefresh() }
