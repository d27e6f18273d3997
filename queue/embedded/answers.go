package embedded

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// listGroupsKey is the request that lists groups, by their types if it wants.
const listGroupsKey = 16

// lowerTypes writes the types of groups as the broker has them: Java's clients ask
// for Classic and Consumer, and a broker of Apache's takes any case.
func lowerTypes(req kmsg.Request) (kmsg.Response, error, bool) {
	if r, ok := req.(*kmsg.ListGroupsRequest); ok {
		for i, t := range r.TypesFilter {
			r.TypesFilter[i] = strings.ToLower(t)
		}
	}
	return nil, nil, false // the broker answers
}

// describeKey is the request that Java's administration client, and so the
// kafka-topics tool, describes topics by.
const describeKey = 75

// answerHead is an answer's bytes before its body: length, correlation id, and
// tags, of which there are none.
const answerHead = 9

// fillReplicas mends an answer to describeKey. The broker leaves two lists of
// replicas null, which the protocol allows and no broker of Apache's does: its
// clients end in a NullPointerException. What cannot be read stays as it is.
func fillReplicas(answer []byte) []byte {
	if len(answer) < answerHead || answer[answerHead-1] != 0 {
		return answer
	}
	resp := kmsg.NewPtrDescribeTopicPartitionsResponse()
	if resp.ReadFrom(answer[answerHead:]) != nil {
		return answer
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			p := &resp.Topics[i].Partitions[j]
			for _, replicas := range []*[]int32{&p.EligibleLeaderReplicas, &p.LastKnownELR} {
				if *replicas == nil {
					*replicas = []int32{}
				}
			}
		}
	}
	b := resp.AppendTo(append([]byte(nil), answer[:answerHead]...))
	length := len(b) - 4
	b[0], b[1], b[2], b[3] = byte(length>>24), byte(length>>16), byte(length>>8), byte(length)
	return b
}
