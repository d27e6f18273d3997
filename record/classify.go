package record

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Rules are what a topology knows about the values of its events.
type Rules interface {
	// Decode makes value the current event. The owner decides its partition; without
	// one (nil) the event counts where it lies. The nonce is nil when it has none. Both are valid until the next call. An error
	// is the reason why the record is rejected. recordTime is the record's time,
	// which an event without one has, logTime the log time there; in ms since 1970.
	Decode(value []byte, recordTime, logTime int64) (owner, nonce []byte, err error)
	// CheckSettings reports what is wrong with the operator's part of settings
	// (Settings.Operator), and what is allowed.
	CheckSettings(operator string) error
}

// Kind is what a record is, as far as the record and its place tell: whether an
// event is a duplicate, or was rerouted twice, is for its reader to find out.
type Kind uint8

// The kinds.
const (
	KindEvent     Kind = iota // an event of this partition
	KindMarker                // a marker, which may count or not
	KindMisplaced             // an event of another partition: it does not count here
	KindRejected              // it breaks the rules
)

// Class is what a record was found to be.
type Class struct {
	Kind   Kind
	Marker Marker // of KindMarker
	// Rerouted is true for a record that came from another partition, even if it
	// is rejected for another reason. From is where the record lay first: here,
	// unless it was rerouted.
	Rerouted bool
	From     Source
	// Owner and Nonce are valid until the next record is classified. NonceMade is
	// true when the event had no nonce and got that of its first place.
	Owner, Nonce []byte
	NonceMade    bool
	Target       int32 // partition that an event belongs to
	Err          error // of KindRejected
}

// Classifier reports what the records of one partition are. It has no memory: a
// class is a function of the record, of its place, and of the log time there. So
// all who read the log agree on it. One goroutine owns a classifier.
type Classifier struct {
	Here       Source // log epoch and partition; the offset has no meaning
	Partitions int32  // of the topic in this log epoch
	Topic      string // part of a nonce that is made
	Rules      Rules
	Trust      *Trust // which internal records count; nil: all

	class Class
	nonce []byte
}

// Classify returns what a record is. The answer is valid until the next call.
//
// A record is rerouted in a log epoch at most once: if it lies in the wrong
// partition although it was rerouted in this epoch, its two owners disagree on
// the rules, and it would go round for ever. From an earlier epoch, which may
// have had other partitions, it is rerouted again.
func (c *Classifier) Classify(r *kgo.Record, logTime int64) *Class {
	is := &c.class
	is.Kind, is.Rerouted, is.NonceMade, is.Err = KindEvent, false, false, nil
	is.From = Source{Epoch: c.Here.Epoch, Partition: c.Here.Partition, Offset: r.Offset}
	if m, ok, err := c.Trust.ReadMarker(r, is.From, c.Rules.CheckSettings); ok {
		if err != nil {
			return is.reject(err)
		}
		is.Kind, is.Marker = KindMarker, m
		return is
	}
	if from := header(r, ReroutedHeader); from != nil && c.Trust.rerouted(r, is.From, from) {
		src, err := ParseSource(from)
		if err != nil {
			return is.reject(err)
		}
		is.Rerouted, is.From = true, src
	}
	var err error
	if is.Owner, is.Nonce, err = c.Rules.Decode(r.Value, r.Timestamp.UnixMilli(), logTime); err != nil {
		return is.reject(err)
	}
	if is.Nonce == nil {
		c.nonce = is.From.AppendNonce(c.nonce[:0], c.Topic)
		is.Nonce, is.NonceMade = c.nonce, true
	}
	if is.Target = c.Here.Partition; is.Owner != nil {
		is.Target = PartitionOf(is.Owner, c.Partitions)
	}
	if is.Target != c.Here.Partition {
		if is.Rerouted && is.From.Epoch == c.Here.Epoch {
			return is.reject(fmt.Errorf("rerouted here from epoch %d partition %d, but belongs to partition %d",
				is.From.Epoch, is.From.Partition, is.Target))
		}
		is.Kind = KindMisplaced
	}
	return is
}

func (c *Class) reject(err error) *Class {
	c.Kind, c.Err = KindRejected, err
	return c
}
