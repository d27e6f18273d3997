package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A kill leaves transactions open whose state the broker had in memory only. The
// broker takes them for aborted, and writes nothing of it: at the next restart
// from the log alone, what the same producer commits afterwards would commit
// them too, and readers would take what it commits for aborted. So before the
// broker starts, each gets the end that it lacks, as a transaction coordinator
// writes it: a control record in each of its partitions. It is a commit where the
// kill came between two partitions of one commit, and an abort otherwise. The
// epoch of the producer is raised, so that one that lived on is told.

// openTransaction is one without an end in a partition.
type openTransaction struct {
	producer int64
	epoch    int16
	first    int64 // offset
	last     int64 // time, ms
}

// abortedState is kfake's persistAbortedTxn.
type abortedState struct {
	ProducerID  int64 `json:"producer_id"`
	FirstOffset int64 `json:"first_offset"`
	LastOffset  int64 `json:"last_offset"`
}

// transactions are those of a partition, as its log has them.
type transactions struct {
	open    map[int64]openTransaction // by producer
	aborted []abortedState
	commits map[int64]openTransaction // the last commit of each producer: epoch, and time in last
}

// leftLog is a partition's log with transactions, and without a state that fits.
type leftLog struct {
	dir      string
	segments []segmentState
	state    partitionState // as far as it is known
	end      int64          // next offset
	epoch    int32          // leader epoch of the last batch
	transactions
}

// settle ends the transactions that are open in these logs, and writes the states
// of all of them.
func settle(dataDir string, left []*leftLog) error {
	open := map[int64]openTransaction{}
	for _, l := range left {
		if err := l.read(); err != nil {
			return err
		}
		maps.Copy(open, l.open)
	}
	// One that was committed in another partition, after its last record here, was
	// being committed.
	commit := func(x openTransaction) bool {
		return slices.ContainsFunc(left, func(l *leftLog) bool {
			end, ok := l.commits[x.producer]
			return ok && end.epoch == x.epoch && end.last >= x.last
		})
	}
	if err := raiseEpochs(dataDir, open, commit); err != nil {
		return fmt.Errorf("producers: %w", err)
	}
	for _, l := range left {
		if err := l.settle(commit); err != nil {
			return fmt.Errorf("log of %s: %w", filepath.Base(l.dir), err)
		}
	}
	return nil
}

// read finds the transactions of a log.
func (l *leftLog) read() error {
	l.transactions = transactions{open: map[int64]openTransaction{}, commits: map[int64]openTransaction{}}
	for _, s := range l.segments {
		src, err := os.ReadFile(segmentPath(l.dir, s.BaseOffset, ".dat"))
		if err != nil {
			return err
		}
		for b := batchAt(src); b != nil; b = batchAt(src) {
			l.follow(b)
			src = src[len(b):]
		}
	}
	return nil
}

// settle ends the transactions that are open in a log, and writes its state.
func (l *leftLog) settle(commit func(openTransaction) bool) error {
	var ends []byte
	for _, producer := range slices.Sorted(maps.Keys(l.open)) {
		x := l.open[producer]
		yes := commit(x)
		ends = append(ends, endOf(x, yes, l.end, max(time.Now().UnixMilli(), x.last), l.epoch)...)
		if !yes {
			l.aborted = append(l.aborted, abortedState{producer, x.first, l.end})
		}
		l.end++
	}
	if err := l.append(ends); err != nil {
		return err
	}
	l.state.AbortedTxns = l.aborted
	return writeState(l.dir, l.segments, l.state, l.end, l.epoch)
}

// append appends batches to the last segment. The index comes first, as in replace.
func (l *leftLog) append(batches []byte) error {
	if len(batches) == 0 {
		return nil
	}
	s := &l.segments[len(l.segments)-1]
	path := segmentPath(l.dir, s.BaseOffset, ".dat")
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b = append(b, batches...)
	if err := replaceFile(segmentPath(l.dir, s.BaseOffset, ".idx"), indexOf(b)); err != nil {
		return err
	}
	s.Size = int64(len(b))
	return replaceFile(path, b)
}

// follow takes the next batch of the log.
func (t *transactions) follow(b batch) {
	if b.attributes()&attributeTransactional == 0 {
		return
	}
	x := openTransaction{producer: b.producer(), epoch: b.producerEpoch(), first: b.first(), last: b.maxTime()}
	before, open := t.open[x.producer]
	if b.attributes()&attributeControl == 0 {
		if open {
			x.first = before.first
		}
		t.open[x.producer] = x
		return
	}
	delete(t.open, x.producer)
	if commits(b[batchHead:]) {
		t.commits[x.producer] = x
	} else if open {
		t.aborted = append(t.aborted, abortedState{x.producer, before.first, x.first})
	}
}

// commits reports whether a control record is a commit. One that cannot be read is
// taken for an abort, as the broker does.
func commits(record []byte) bool {
	var r kmsg.Record
	var key kmsg.ControlRecordKey
	return r.ReadFrom(record) == nil && key.ReadFrom(r.Key) == nil && key.Type == kmsg.ControlRecordKeyTypeCommit
}

// endOf is the batch that ends a transaction, at an offset.
func endOf(x openTransaction, commit bool, offset, now int64, leaderEpoch int32) []byte {
	key := kmsg.ControlRecordKey{Type: kmsg.ControlRecordKeyTypeAbort}
	if commit {
		key.Type = kmsg.ControlRecordKeyTypeCommit
	}
	marker := kmsg.EndTxnMarker{}
	r := kmsg.Record{Key: key.AppendTo(nil), Value: marker.AppendTo(nil)}
	r.Length = int32(len(r.AppendTo(nil)) - 1) // the length itself is one byte
	batch := kmsg.RecordBatch{FirstOffset: offset, PartitionLeaderEpoch: leaderEpoch, Magic: 2, Attributes: attributeTransactional | attributeControl,
		FirstTimestamp: now, MaxTimestamp: now, ProducerID: x.producer, ProducerEpoch: x.epoch, FirstSequence: -1,
		NumRecords: 1, Records: r.AppendTo(nil)}
	b := batch.AppendTo(nil)
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	binary.BigEndian.PutUint32(b[17:], checksum(b[21:]))
	return b
}

// producerState is kfake's pidLogEntry.
type producerState struct {
	Type    string `json:"type"`
	PID     int64  `json:"pid"`
	Epoch   int16  `json:"epoch"`
	TxID    string `json:"txid,omitempty"`
	Timeout int32  `json:"timeout,omitempty"`
	Commit  *bool  `json:"commit,omitempty"`
}

// raiseEpochs enters in the broker's log of producers that these transactions have
// ended: with a commit, or so that their producers must begin again. An entry is
//
//	length u32, from the version on | CRC-32C u32 of the same | version u16 | JSON
//
// little-endian.
func raiseEpochs(dataDir string, ended map[int64]openTransaction, commit func(openTransaction) bool) error {
	path := filepath.Join(dataDir, "pids.log")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || len(ended) == 0 {
		return nil // the broker knows no producers, so it lets none go on
	}
	if err != nil {
		return err
	}
	known := map[int64]producerState{}
	whole := 0
	for len(b)-whole >= 10 {
		length := int64(binary.LittleEndian.Uint32(b[whole:]))
		if length < 2 || length > int64(len(b)-whole-8) {
			break
		}
		entry := b[whole+8 : whole+8+int(length)]
		if checksum(entry) != binary.LittleEndian.Uint32(b[whole+4:]) {
			break
		}
		var p producerState
		if json.Unmarshal(entry[2:], &p) == nil {
			if before := known[p.PID]; p.Type != "init" {
				p.TxID, p.Timeout = before.TxID, before.Timeout
			}
			known[p.PID] = p
		}
		whole += 8 + int(length)
	}
	b = b[:whole]
	for pid, x := range ended {
		p, ok := known[pid]
		if !ok || p.Epoch > x.epoch {
			continue // it has begun again already
		}
		p.Type, p.Commit = "init", nil
		if commit(x) {
			yes := true
			p.Commit = &yes // sent again, the commit is confirmed
		} else {
			p.Epoch++
		}
		text, err := json.Marshal(p)
		if err != nil {
			return err
		}
		entry := append(binary.LittleEndian.AppendUint16(nil, brokerFormat), text...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(entry)))
		b = binary.LittleEndian.AppendUint32(b, checksum(entry))
		b = append(b, entry...)
	}
	return replaceFile(path, b)
}
