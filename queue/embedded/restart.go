package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// After a graceful stop the embedded broker finds in each partition's directory
// a file snapshot.json that fits its segments, and reads them one by one. After
// a kill it finds none that fits, and holds the whole log of all partitions in
// memory at once while it starts: 10 GB of log would need 10 GB. So what it would
// have written is written before it starts, with what the segments say.
//
// What the broker then trusts and what it does not (kfake, persist.go): it reads
// every batch and checks its sum either way, and cuts a segment off at the first
// that is damaged: hence the repair before (see check.go). It takes the size of
// the last segment from the file, and so the place of the next append: hence a
// torn batch at the end is cut off before, too.
// Transactions that were open at the kill are ended (transactions.go).

const (
	partitionsDir  = "partitions" // below the broker's data directory
	brokerSnapshot = "snapshot.json"
	brokerSession  = "session_state.json" // left by a graceful stop, and removed at the start
	brokerFormat   = 1                    // kfake's currentPersistVersion
	indexEntry     = 15                   // bytes of an entry of an index file, the last of which are flags
)

// partitionState is kfake's persistPartSnapshot, as far as it is needed.
type partitionState struct {
	Version          int            `json:"version"`
	HighWatermark    int64          `json:"high_watermark"`
	LastStableOffset int64          `json:"last_stable_offset"`
	LogStartOffset   int64          `json:"log_start_offset"`
	Epoch            int32          `json:"epoch"`
	CreatedAt        time.Time      `json:"created_at"`
	AbortedTxns      []abortedState `json:"aborted_txns,omitempty"`
	Segments         []segmentState `json:"segments"`
}

type segmentState struct {
	BaseOffset int64 `json:"base_offset"`
	Size       int64 `json:"size"`
}

// readState reads the state that the broker left, and whether it fits the
// segments: then the broker was stopped gracefully, and its state is the log's.
func (r *repair) readState(dir string, segments []segmentState) (state partitionState, fits bool) {
	path := filepath.Join(dir, brokerSnapshot)
	b, err := os.ReadFile(path)
	if err != nil {
		return state, false
	}
	if err := json.Unmarshal(b, &state); err != nil {
		r.note("a control file of the log is damaged: it is made again from the segments", "file", path, "err", err)
		return partitionState{}, false
	}
	return state, slices.Equal(state.Segments, segments)
}

// amendState corrects a state that fitted by what the segments say now, and leaves
// all else in it as it is.
func (r *repair) amendState(dir string, segments []segmentState, was partitionState, end int64) error {
	if slices.Equal(was.Segments, segments) && was.HighWatermark == end {
		return nil
	}
	path := filepath.Join(dir, brokerSnapshot)
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	if was.HighWatermark != end {
		r.note("a control file of the log does not agree with the segments: it is corrected", "file", path, "end", was.HighWatermark, "corrected", end)
	}
	now := make(map[string]any)
	for name, value := range all {
		now[name] = value
	}
	now["segments"], now["high_watermark"] = segments, end
	if was.LastStableOffset == was.HighWatermark || was.LastStableOffset > end {
		now["last_stable_offset"] = end
	}
	if b, err = json.Marshal(now); err != nil {
		return err
	}
	return replaceFile(path, b)
}

// writeState writes the state of a broker that was killed. The start as it was at
// the last graceful stop is a better bound than the first segment's.
func writeState(dir string, segments []segmentState, state partitionState, end int64, epoch int32) error {
	state.Version, state.HighWatermark, state.LastStableOffset = brokerFormat, end, end
	state.LogStartOffset = max(state.LogStartOffset, segments[0].BaseOffset)
	state.Epoch = max(state.Epoch, epoch)
	if state.CreatedAt.IsZero() {
		state.CreatedAt = firstTime(dir, segments[0])
	}
	state.Segments = segments
	b, err := json.Marshal(state)
	if err != nil {
		return err
	}
	// Not synced: one that is lost or torn fits nothing, and is written again.
	path := filepath.Join(dir, brokerSnapshot)
	if err := os.WriteFile(path+".tmp", b, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// segmentsOf lists a partition's files by offset.
func segmentsOf(dir string) (segments []segmentState, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".dat")
		if !ok {
			continue
		}
		base, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			continue
		}
		info, err := f.Info()
		if err != nil {
			return nil, err
		}
		segments = append(segments, segmentState{base, info.Size()})
	}
	slices.SortFunc(segments, func(a, b segmentState) int { return int(min(max(a.BaseOffset-b.BaseOffset, -1), 1)) })
	return segments, nil
}

func segmentPath(dir string, base int64, suffix string) string {
	return filepath.Join(dir, strconv.FormatInt(base, 10)+suffix)
}

// hasTransactions looks at the flags of all batches.
func hasTransactions(dir string, segments []segmentState) (bool, error) {
	for _, s := range segments {
		index, err := os.ReadFile(segmentPath(dir, s.BaseOffset, ".idx"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		for ; len(index) >= indexEntry; index = index[indexEntry:] {
			if index[indexEntry-1]&1 != 0 {
				return true, nil
			}
		}
	}
	return false, nil
}

// firstTime is the time of a segment's first record.
func firstTime(dir string, s segmentState) time.Time {
	f, err := os.Open(segmentPath(dir, s.BaseOffset, ".dat"))
	if err != nil {
		return time.Now()
	}
	defer f.Close()
	var head [batchHead]byte
	if _, err := f.ReadAt(head[:], 0); err != nil {
		return time.Now()
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(head[27:])))
}
