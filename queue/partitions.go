package queue

import (
	"context"
	"fmt"
)

// AddPartitions gives the topic pageviews more partitions: n in all. Persons are
// then spread over them anew, so a new log epoch begins.
func (c *Client) AddPartitions(ctx context.Context, n int32) error {
	answers, err := c.admin.UpdatePartitions(ctx, int(n), TopicPageviews)
	if err == nil {
		err = answers.Error()
	}
	if err != nil {
		return fmt.Errorf("queue: %d partitions of topic %s: %w", n, TopicPageviews, err)
	}
	return nil
}
