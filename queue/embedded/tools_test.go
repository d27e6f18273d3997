package embedded

import (
	"strings"
	"testing"

	"speedlayer/internal/devcluster"
	"speedlayer/internal/devcluster/clustertest"
)

// Apache's own command-line tools work on the embedded broker.
func TestClusterTools(t *testing.T) {
	clustertest.Need(t, devcluster.Options{Kafka: true})
	b, _ := start(t)
	const record = `{"person":"ann","url":"https://tools.example/"}`
	for _, c := range []struct {
		tool, input string
		args        []string
		want        []string // each is in the output
	}{
		{"tools.TopicCommand", "", []string{"--describe"}, []string{"Topic: pageviews\t", "PartitionCount: 8", "Partition: 7\tLeader: 0", "Topic: equivs\t"}},
		{"tools.TopicCommand", "", []string{"--list"}, []string{"pageviews-rejected"}},
		{"tools.ConsoleProducer", "ann:" + record + "\n", []string{"--topic", "pageviews", "--reader-property", "parse.key=true",
			"--reader-property", "key.separator=:", "--command-property", "acks=all"}, nil},
		{"tools.GetOffsetShell", "", []string{"--topic", "pageviews"}, []string{"pageviews:2:1", "pageviews:3:0"}},
		{"tools.consumer.ConsoleConsumer", "", []string{"--topic", "pageviews", "--from-beginning", "--max-messages", "1", "--group", "outsiders",
			"--timeout-ms", "60000"}, []string{record}},
		{"tools.consumer.group.ConsumerGroupCommand", "", []string{"--list"}, []string{"outsiders"}},
		{"tools.consumer.group.ConsumerGroupCommand", "", []string{"--describe", "--group", "outsiders"}, []string{"has no active members", "LOG-END-OFFSET"}},
		{"kafka.admin.ConfigCommand", "", []string{"--describe", "--entity-type", "topics", "--entity-name", "pageviews"},
			[]string{"message.timestamp.type=LogAppendTime", "cleanup.policy=delete"}},
		{"tools.TransactionsCommand", "", []string{"list"}, []string{"TransactionalId"}},
	} {
		class := "org.apache.kafka." + c.tool
		if strings.HasPrefix(c.tool, "kafka.") {
			class = c.tool
		}
		args := append([]string{"--bootstrap-server", b.Addr()}, c.args...)
		out, err := devcluster.KafkaTool(t.Context(), c.input, class, args...)
		if err != nil {
			t.Errorf("%s %v: %v\n%s", c.tool, c.args, err, out)
		}
		for _, text := range append(c.want, "") {
			if !strings.Contains(out, text) || strings.Contains(out, "Exception") {
				t.Errorf("%s %v: want %q, got\n%s", c.tool, c.args, text, out)
			}
		}
	}
}
