package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

// repairConfigs gives topics the settings that they are made with, where theirs
// differ. Nobody but the process itself may set them,
// so other settings come from an earlier version, or from damage. It returns the
// settings as they are then.
func (c *Client) repairConfigs(ctx context.Context, details map[string]found, configs map[string]map[string]string) (map[string]map[string]string, error) {
	repaired := false
	for _, t := range c.topics() {
		d := details[t.name]
		if d.err != nil || d.partitions == 0 {
			continue
		}
		var changes []kadm.AlterConfig
		var was []string
		want := topicConfig()
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if have, ok := configs[t.name][key]; ok && have != *want[key] {
				was = append(was, key+"="+have)
				changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: key, Value: want[key]})
			}
		}
		if len(changes) == 0 {
			continue
		}
		answers, err := c.admin.AlterTopicConfigs(ctx, changes, t.name)
		if err != nil {
			return nil, fmt.Errorf("settings of topic %s: %w", t.name, c.cfg.classify(err))
		}
		for _, a := range answers {
			if a.Err != nil {
				return nil, fmt.Errorf("settings of topic %s: %w", t.name, a.Err)
			}
		}
		c.cfg.Logger.Warn("a topic was misconfigured; its settings were repaired", "topic", t.name, "had", was)
		repaired = true
	}
	if !repaired {
		return configs, nil
	}
	return c.configs(ctx, details)
}
