package queue

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// What a user may not do is said at start, by topic and group, and nothing is made.
func TestRights(t *testing.T) {
	allow := func(r kmsg.ACLResourceType, name string, ops ...kmsg.ACLOperation) (all []kfake.ACL) {
		for _, op := range ops {
			all = append(all, kfake.ACL{Resource: r, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true})
		}
		return all
	}
	topics := func(ops ...kmsg.ACLOperation) []kfake.ACL { return allow(kmsg.ACLResourceTypeTopic, "*", ops...) }
	group := func(ops ...kmsg.ACLOperation) []kfake.ACL { return allow(kmsg.ACLResourceTypeGroup, "g", ops...) }
	const (
		read, write, describe   = kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe
		create, describeConfigs = kmsg.ACLOperationCreate, kmsg.ACLOperationDescribeConfigs
	)
	for _, c := range []struct {
		name  string
		made  bool // the topics are there
		acls  [][]kfake.ACL
		cfg   Config
		wants []string // none: all is well
	}{
		{"all that is needed", true, [][]kfake.ACL{topics(read, write, describe, describeConfigs), group(read, describe)}, Config{Group: "g"}, nil},
		{"only what is needed to read", true, [][]kfake.ACL{topics(read, describe)}, Config{ReadOnly: true}, nil},
		{"nothing", true, nil, Config{}, []string{"topic pageviews: DESCRIBE", "topic equivs: DESCRIBE"}},
		{"no writing", true, [][]kfake.ACL{topics(read, describe)}, Config{}, []string{"topic pageviews: WRITE", "topic equivs: WRITE"}},
		{"no reading", true, [][]kfake.ACL{topics(write, describe)}, Config{}, []string{"topic pageviews: READ"}},
		{"no joining", true, [][]kfake.ACL{topics(read, write, describe), group(describe)}, Config{Group: "g"}, []string{"group g: READ"}},
		{"no group", true, [][]kfake.ACL{topics(read, write, describe)}, Config{Group: "g"}, []string{"group g: DESCRIBE"}},
		{"topics can be made", false, [][]kfake.ACL{topics(read, write, describe, create)}, Config{}, nil},
		{"topics cannot be made", false, [][]kfake.ACL{topics(read, write, describe)}, Config{}, []string{"topic pageviews"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var acls []kfake.ACL
			for _, a := range c.acls {
				acls = append(acls, a...)
			}
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(),
				kfake.Superuser("PLAIN", "root", "r"), kfake.User("PLAIN", "u", "p", acls...))
			if err != nil {
				t.Fatal(err)
			}
			defer cluster.Close()
			root := Config{Brokers: cluster.ListenAddrs(), SASL: plain.Auth{User: "root", Pass: "r"}.AsMechanism()}
			if c.made {
				client, err := Dial(t.Context(), root)
				if err != nil {
					t.Fatal(err)
				}
				client.Close()
			}
			c.cfg.Brokers, c.cfg.SASL = root.Brokers, plain.Auth{User: "u", Pass: "p"}.AsMechanism()
			client, err := Connect(t.Context(), c.cfg)
			if err == nil {
				client.Close()
			}
			if (err != nil) != (len(c.wants) > 0) || err != nil && !errors.Is(err, ErrRights) {
				t.Fatal(err)
			}
			for _, want := range c.wants {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v: want %q", err, want)
				}
			}
		})
	}
}
