package record

import "github.com/twmb/franz-go/pkg/kgo"

// Headers of records.
const (
	MarkerHeader    = "speedlayer-marker"     // of a marker; value: 1
	ReroutedHeader  = "speedlayer-moved-from" // of a rerouted record: its Source
	SignatureHeader = "speedlayer-signature"  // of a marker or a rerouted record: see Trust
	ReasonHeader    = "speedlayer-reason"     // of a rejected record: why
	SourceHeader    = "speedlayer-source"     // of a rejected record: topic/epoch/partition/offset
)

// header returns the value of the first header with that name. It is not nil if
// there is one.
func header(r *kgo.Record, name string) []byte {
	for i := range r.Headers {
		if r.Headers[i].Key == name {
			if r.Headers[i].Value == nil {
				return []byte{}
			}
			return r.Headers[i].Value
		}
	}
	return nil
}
