package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// GroupConfig defines which group to be a member of, and how.
type GroupConfig struct {
	Name   string // all processors that share a store have the same
	Member string // names this process for people who look at the group

	// SessionTimeout is how long a member may be silent before its partitions
	// go to others; 0 is 6 s, the least that brokers allow by default.
	SessionTimeout time.Duration

	// Position says up to where a partition is committed in the store. It is
	// committed to the group too, for tools that show lag; nothing reads it.
	Position func(partition int32) int64
}

// positionsEvery is how often positions are committed to the group.
const positionsEvery = time.Second

// Group is a membership in a consumer group of the client's topic. It hands
// out partitions and reads nothing: what is read, and from where, is a [Reader]'s
// and the store's affair, so a member that lives on without its partitions does
// no harm. Assignment is cooperative: a partition that stays is not interrupted.
type Group struct {
	client *Client
	cfg    GroupConfig
}

// NewGroup returns a membership; Run joins.
func (c *Client) NewGroup(cfg GroupConfig) *Group {
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = 6 * time.Second
	}
	return &Group{client: c, cfg: cfg}
}

// Run is a member until ctx ends, and then leaves. It calls assign and revoke,
// one at a time, with partitions that come and go; revoke returns when their
// work has ended, and others take them over then. All are revoked at the end.
func (g *Group) Run(ctx context.Context, assign, revoke func(partitions []int32)) error {
	m := newMember(g)
	callback := func(f func(*kgo.Client, []int32)) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, kafka *kgo.Client, parts map[string][]int32) {
			if len(parts[g.client.cfg.Topic]) > 0 {
				f(kafka, parts[g.client.cfg.Topic])
			}
		}
	}
	kafka, err := kgo.NewClient(g.client.cfg.connect(
		kgo.ClientID(g.cfg.Member),
		kgo.ConsumerGroup(g.cfg.Name),
		kgo.ConsumeTopics(g.client.cfg.Topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(g.cfg.SessionTimeout),
		kgo.HeartbeatInterval(min(g.cfg.SessionTimeout/4, time.Second)),
		kgo.MetadataMinAge(250*time.Millisecond),
		kgo.MetadataMaxAge(10*time.Second), // so partitions that are new are met soon
		kgo.OnPartitionsAssigned(callback(func(kafka *kgo.Client, parts []int32) {
			g.client.cfg.Logger.Info("the group assigns partitions to this process", "group", g.cfg.Name, "partitions", parts, "reason", m.reason(kafka))
			m.take(parts)
			assign(parts)
		})),
		kgo.OnPartitionsRevoked(callback(func(kafka *kgo.Client, parts []int32) {
			revoke(parts)
			m.commit(context.Background(), kafka)
			m.leave(parts)
		})),
		kgo.OnPartitionsLost(callback(func(_ *kgo.Client, parts []int32) {
			g.client.cfg.Logger.Warn("no longer a member of the group: partitions may have another owner already", "group", g.cfg.Name, "partitions", parts)
			revoke(parts)
			m.leave(parts)
		})),
	)...)
	if err != nil {
		return fmt.Errorf("queue: group %s: %w", g.cfg.Name, err)
	}
	defer kafka.Close() // leaves, if that was not done
	kafka.PauseFetchTopics(g.client.cfg.Topic)
	for ctx.Err() == nil {
		m.wait(ctx, kafka)
		m.commit(ctx, kafka)
	}
	// With its partitions revoked first, the others need not wait for a session
	// to end. Bounded: a broker that is away must not hold the process.
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	if err := kafka.LeaveGroupContext(leave); err != nil {
		g.client.cfg.Logger.Warn("the group was not left: others take over when the session ends", "group", g.cfg.Name, "err", err)
	}
	return nil
}
