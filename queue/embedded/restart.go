package embedded

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
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
// every batch and checks its sum either way, and lowers the end of the log to the
// last batch it found. It takes the size of the last segment from the file, and
// so the place of the next append: hence a torn batch at the end is cut off here.
// Records of transactions that were open at the kill need the broker's own,
// slower way; a partition that has any is left to it.

const (
	partitionsDir  = "partitions" // below the broker's data directory
	brokerSnapshot = "snapshot.json"
	brokerFormat   = 1  // kfake's currentPersistVersion
	indexEntry     = 15 // bytes of an entry of an index file, the last of which are flags
	batchHead      = 61 // bytes of a record batch before its records
)

// partitionState is kfake's persistPartSnapshot, as far as it is needed.
type partitionState struct {
	Version          int            `json:"version"`
	HighWatermark    int64          `json:"high_watermark"`
	LastStableOffset int64          `json:"last_stable_offset"`
	LogStartOffset   int64          `json:"log_start_offset"`
	Epoch            int32          `json:"epoch"`
	CreatedAt        time.Time      `json:"created_at"`
	Segments         []segmentState `json:"segments"`
}

type segmentState struct {
	BaseOffset int64 `json:"base_offset"`
	Size       int64 `json:"size"`
}

// prepareRestart writes the states of all partitions below a broker's data
// directory that have none that fits.
func prepareRestart(dataDir string) error {
	dirs, err := os.ReadDir(filepath.Join(dataDir, partitionsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a fresh broker
	}
	if err != nil {
		return err
	}
	for _, d := range dirs {
		if err := prepareRestartOf(filepath.Join(dataDir, partitionsDir, d.Name())); err != nil {
			return fmt.Errorf("log of %s: %w", d.Name(), err)
		}
	}
	return nil
}

func prepareRestartOf(dir string) error {
	segments, err := segmentsOf(dir)
	if err != nil || len(segments) == 0 {
		return err
	}
	var state partitionState
	if b, err := os.ReadFile(filepath.Join(dir, brokerSnapshot)); err == nil {
		if json.Unmarshal(b, &state) == nil && slices.Equal(state.Segments, segments) {
			return nil // stopped gracefully
		}
	}
	if transactions, err := hasTransactions(dir, segments); transactions || err != nil {
		return err
	}
	last := &segments[len(segments)-1]
	epoch, err := cutTornTail(dir, last)
	if err != nil {
		return err
	}
	// Both ends are lowered to the last batch. The start as it was at the last
	// graceful stop is a better bound than the first segment's.
	state.Version, state.HighWatermark, state.LastStableOffset = brokerFormat, math.MaxInt64, math.MaxInt64
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
	// Not synced: one that is lost or torn fits nothing, and the broker goes the
	// slow way.
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

// cutTornTail cuts off what is no whole batch at the end of a segment, as the
// broker would, and returns the leader epoch of the last one. A batch begins
//
//	first offset i64 | length i32, of what follows | leader epoch i32 | magic i8
//	| CRC-32C u32, of what follows | attributes i16 | ... first timestamp i64 at 27
//
// big-endian.
func cutTornTail(dir string, s *segmentState) (epoch int32, err error) {
	path := segmentPath(dir, s.BaseOffset, ".dat")
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	at := 0
	for len(b)-at >= batchHead {
		length := int64(int32(binary.BigEndian.Uint32(b[at+8:])))
		if length < batchHead-12 || length > int64(len(b)-at-12) {
			break
		}
		batch := b[at : at+12+int(length)]
		if crc32.Checksum(batch[21:], castagnoli) != binary.BigEndian.Uint32(batch[17:]) {
			break
		}
		epoch = int32(binary.BigEndian.Uint32(batch[12:]))
		at += len(batch)
	}
	s.Size = int64(at)
	if at == len(b) {
		return epoch, nil
	}
	return epoch, os.Truncate(path, int64(at))
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
