package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// checkRights looks at what the user may do with the topics that are there and
// with the group, before anything is done. Brokers tell it as bits, by the number
// of an operation (KIP-430).
func (c *Client) checkRights(ctx context.Context, details map[string]found) error {
	look := []kmsg.ACLOperation{kmsg.ACLOperationRead, kmsg.ACLOperationDescribe}
	var bad []string
	say := func(what string, bits int32, want []kmsg.ACLOperation) {
		if m := missing(bits, want); len(m) > 0 {
			bad = append(bad, what+": "+strings.Join(m, ", "))
		}
	}
	for _, t := range c.topics() {
		d := details[t.name]
		switch {
		case errors.Is(d.err, kerr.TopicAuthorizationFailed):
			bad = append(bad, "topic "+t.name+": "+kmsg.ACLOperationDescribe.String())
		case d.err == nil && d.partitions > 0:
			want := look
			if !c.cfg.ReadOnly && (!c.cfg.Feed || t.name == TopicPageviews) {
				want = append(want[:len(want):len(want)], kmsg.ACLOperationWrite)
			}
			say("topic "+t.name, d.allowed, want)
		}
	}
	if c.cfg.Group != "" {
		bits, err := c.groupRights(ctx)
		switch {
		case errors.Is(err, kerr.GroupAuthorizationFailed):
			bad = append(bad, "group "+c.cfg.Group+": "+kmsg.ACLOperationDescribe.String())
		case err == nil:
			say("group "+c.cfg.Group, bits, look)
		} // else the group has no coordinator yet: a member that joins waits, and logs it
	}
	if len(bad) > 0 {
		return fmt.Errorf("%w: %s", ErrRights, strings.Join(bad, "; "))
	}
	return nil
}

func (c *Client) groupRights(ctx context.Context) (int32, error) {
	// On a fresh cluster a coordinator may be long in coming.
	ctx, cancel := context.WithTimeout(ctx, answerTime/3)
	defer cancel()
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups, req.IncludeAuthorizedOperations = []string{c.cfg.Group}, true
	resp, err := req.RequestWith(ctx, c.kafka)
	if err != nil {
		return 0, err
	}
	if len(resp.Groups) != 1 {
		return 0, errors.New("no answer for the group")
	}
	g := resp.Groups[0]
	err = kerr.ErrorForCode(g.ErrorCode)
	if errors.Is(err, kerr.GroupIDNotFound) {
		err = nil // nobody has joined it yet
	}
	return g.AuthorizedOperations, err
}

// missing are the names of wanted operations that are not among the bits. None of
// the bits, or the least number, is what a broker reports that does not tell.
func missing(bits int32, want []kmsg.ACLOperation) (names []string) {
	if bits <= 0 {
		return nil
	}
	for _, op := range want {
		if bits&(1<<op) == 0 {
			names = append(names, op.String())
		}
	}
	return names
}
