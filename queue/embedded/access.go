package embedded

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The broker checks each request against rules (Kafka's ACLs). The system itself,
// whose connections are pipes in memory, may do everything. Programs at the port
// may append to the topic of events, read the system's topics, use transactions,
// and have consumer groups. They may look at the topics' settings, and change
// nothing: the broker answers with the protocol's error for that.

// localHost is the host of a connection in memory, as the broker sees it: the
// address of a net.Pipe.
const localHost = "pipe"

// anonymous is the broker's name for a client without one. The port asks for
// names itself, before the broker sees a request (users.go).
const anonymous = "ANONYMOUS"

// accessRules are the rules of a broker whose port is open to other programs.
// write and read are topics.
func accessRules(write, read []string) (rules []kfake.ACL) {
	allow := func(host string, resource kmsg.ACLResourceType, name string, operations ...kmsg.ACLOperation) {
		for _, o := range operations {
			rules = append(rules, kfake.ACL{Principal: "User:" + anonymous, Host: host, Resource: resource, Name: name,
				Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: o, Allow: true})
		}
	}
	for _, r := range []kmsg.ACLResourceType{kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup, kmsg.ACLResourceTypeTransactionalId} {
		allow(localHost, r, "*", kmsg.ACLOperationAll)
	}
	const cluster = "kafka-cluster"
	allow(localHost, kmsg.ACLResourceTypeCluster, cluster, kmsg.ACLOperationAll)

	for _, t := range write {
		allow("*", kmsg.ACLResourceTypeTopic, t, kmsg.ACLOperationWrite)
	}
	for _, t := range read {
		allow("*", kmsg.ACLResourceTypeTopic, t, kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLOperationDescribeConfigs)
	}
	allow("*", kmsg.ACLResourceTypeGroup, "*", kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLOperationDelete)
	allow("*", kmsg.ACLResourceTypeTransactionalId, "*", kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe)
	allow("*", kmsg.ACLResourceTypeCluster, cluster, kmsg.ACLOperationDescribe, kmsg.ACLOperationDescribeConfigs, kmsg.ACLOperationIdempotentWrite)
	return rules
}

// savedRules is kfake's persistACLs.
type savedRules struct {
	Version int         `json:"version"`
	ACLs    []savedRule `json:"acls"`
}

// savedRule is kfake's persistACL.
type savedRule struct {
	Principal    string `json:"principal"`
	Host         string `json:"host"`
	ResourceType int8   `json:"resource_type"`
	ResourceName string `json:"resource_name"`
	Pattern      int8   `json:"pattern"`
	Operation    int8   `json:"operation"`
	Permission   int8   `json:"permission"`
}

// restrict has the broker check requests against the rules. A broker that finds a
// data directory takes them from there, and otherwise from its options; so they
// are written to a directory that exists, whatever was in it.
func restrict(dataDir string, rules []kfake.ACL) ([]kfake.Opt, error) {
	for _, stale := range []string{"acls.json", "sasl.json"} {
		if err := os.Remove(filepath.Join(dataDir, stale)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	opts := []kfake.Opt{kfake.EnableACLs(), kfake.User("PLAIN", anonymous, "", rules...)}
	if _, err := os.Stat(dataDir); errors.Is(err, fs.ErrNotExist) {
		return opts, nil
	}
	saved := savedRules{Version: brokerFormat}
	for _, r := range rules {
		saved.ACLs = append(saved.ACLs, savedRule{r.Principal, r.Host, int8(r.Resource), r.Name, int8(r.Pattern), int8(r.Operation),
			int8(kmsg.ACLPermissionTypeAllow)})
	}
	text, err := json.Marshal(saved)
	if err != nil {
		return nil, err
	}
	return opts, replaceFile(filepath.Join(dataDir, "acls.json"), text)
}
