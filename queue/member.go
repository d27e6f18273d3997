package queue

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// member is what Run knows of its partitions, between the callbacks of the
// client and its own loop.
type member struct {
	group *Group
	said  string    // last trouble, so that it is not said again and again
	at    time.Time // when

	others map[string]bool // members when partitions were last assigned; used by the client's callbacks only

	mu struct {
		sync.Mutex
		held map[int32]int64 // partition -> position committed to the group; -1: none yet
	}
}

func newMember(g *Group) *member {
	m := &member{group: g}
	m.mu.held = make(map[int32]int64)
	return m
}

// reason is why the group assigns partitions: this process joined, or others came
// or went.
func (m *member) reason(kafka *kgo.Client) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	groups, err := kadm.NewClient(kafka).DescribeGroups(ctx, m.group.cfg.Name)
	now := map[string]bool{}
	if err == nil {
		for _, other := range groups[m.group.cfg.Name].Members {
			now[other.ClientID] = true
		}
	}
	before := m.others
	m.others = now
	if before == nil {
		return "it joined the group"
	}
	var changes []string
	for name := range before {
		if !now[name] {
			changes = append(changes, name+" left or is silent")
		}
	}
	for name := range now {
		if !before[name] {
			changes = append(changes, name+" joined")
		}
	}
	if len(changes) == 0 || err != nil {
		return "the group shares its partitions again"
	}
	slices.Sort(changes)
	return strings.Join(changes, ", ")
}

func (m *member) take(parts []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range parts {
		m.mu.held[p] = -1
	}
}

func (m *member) leave(parts []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range parts {
		delete(m.mu.held, p)
	}
}

// wait returns a while later, and reports what trouble the group had meanwhile:
// the client goes on trying.
func (m *member) wait(ctx context.Context, kafka *kgo.Client) {
	until, cancel := context.WithTimeout(ctx, positionsEvery)
	defer cancel()
	for until.Err() == nil {
		for _, e := range kafka.PollFetches(until).Errors() {
			text := e.Err.Error()
			if until.Err() != nil || text == m.said && time.Since(m.at) < time.Minute {
				continue
			}
			m.said, m.at = text, time.Now()
			m.group.client.cfg.Logger.Warn("group: trouble, trying again", "group", m.group.cfg.Name, "err", e.Err)
		}
	}
}

// commit commits to the group what changed since the last time. A failure is of no
// consequence: nothing is read from there.
func (m *member) commit(ctx context.Context, kafka *kgo.Client) {
	if m.group.cfg.Position == nil {
		return
	}
	changed := map[int32]kgo.EpochOffset{}
	m.mu.Lock()
	for p, last := range m.mu.held {
		if at := m.group.cfg.Position(p); at != last {
			changed[p] = kgo.EpochOffset{Epoch: -1, Offset: at}
			m.mu.held[p] = at
		}
	}
	m.mu.Unlock()
	if len(changed) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, positionsEvery)
	defer cancel()
	kafka.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{m.group.client.cfg.Topic: changed}, nil)
}
