package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Member is one process of a consumer group, as the broker sees it.
type Member struct {
	Name       string  `json:"name"` // as GroupConfig says
	Host       string  `json:"host"`
	Partitions []int32 `json:"partitions"` // of the client's topic, ascending
}

// Members lists the members of a group, by name. While it shares its partitions
// anew, they have none.
func (c *Client) Members(ctx context.Context, group string) ([]Member, error) {
	groups, err := c.admin.DescribeGroups(ctx, group)
	if err != nil {
		return nil, fmt.Errorf("%w: group %s: %w", ErrUnavailable, group, err)
	}
	g := groups[group]
	if g.Err != nil {
		return nil, fmt.Errorf("queue: group %s: %w", group, g.Err)
	}
	members := make([]Member, 0, len(g.Members))
	for i := range g.Members {
		m := &g.Members[i]
		out := Member{Name: m.ClientID, Host: strings.TrimPrefix(m.ClientHost, "/"), Partitions: []int32{}}
		if a, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range a.Topics {
				if t.Topic == c.cfg.Topic {
					out.Partitions = append(out.Partitions, t.Partitions...)
				}
			}
		}
		slices.Sort(out.Partitions)
		members = append(members, out)
	}
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return members, nil
}
