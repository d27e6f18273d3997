package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Suffixes of what is kept of a damaged log.
const (
	damagedSuffix = ".damaged" // a whole segment as it was
	tornSuffix    = ".torn"    // what was cut off at the end of the last one
)

// repair is what the check of a partition's log found, and did.
type repair struct {
	topic     string
	partition int32
	lost      []offsets        // all that the log does not have, found now or earlier
	kept      map[int64]string // by first lost offset: the file in which the damage is kept
	notes     []note
	left      *leftLog // a log whose transactions must be settled; nil: its state is written
}

// note is a line for the log.
type note struct {
	message string
	args    []any
}

// checkers bounds the segments in memory at a time.
const checkers = 2

// repairAll checks and repairs all partitions below a broker's data directory,
// and writes the states of those that have none that fits.
func repairAll(dataDir string) (all []repair, err error) {
	dirs, err := os.ReadDir(filepath.Join(dataDir, partitionsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a fresh broker
	}
	if err != nil {
		return nil, err
	}
	compacted, err := compactedTopics(dataDir)
	if err != nil {
		return nil, err
	}
	_, err = os.Stat(filepath.Join(dataDir, brokerSession))
	graceful := err == nil
	all = make([]repair, len(dirs))
	var g errgroup.Group
	g.SetLimit(checkers)
	for i, d := range dirs {
		g.Go(func() error {
			all[i].topic, all[i].partition = partitionOf(d.Name())
			if err := all[i].run(filepath.Join(dataDir, partitionsDir, d.Name()), !compacted[all[i].topic], graceful); err != nil {
				return fmt.Errorf("log of %s: %w", d.Name(), err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return all, err
	}
	var left []*leftLog
	for i := range all {
		if l := all[i].left; l != nil {
			left = append(left, l)
		}
	}
	return all, settle(dataDir, left)
}

// partitionOf is what the name of a partition's directory says.
func partitionOf(dir string) (topic string, partition int32) {
	at := strings.LastIndexByte(dir, '-')
	if at < 0 {
		return dir, 0
	}
	n, _ := strconv.ParseInt(dir[at+1:], 10, 32)
	if topic, err := url.PathUnescape(dir[:at]); err == nil {
		return topic, int32(n)
	}
	return dir[:at], int32(n)
}

// compactedTopics are those whose logs may have gaps. Topics of other programs
// may be; ours never are.
func compactedTopics(dataDir string) (map[string]bool, error) {
	path := filepath.Join(dataDir, "topics.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var topics struct {
		Topics []struct {
			Name    string            `json:"name"`
			Configs map[string]string `json:"configs"`
		} `json:"topics"`
	}
	if err := json.Unmarshal(b, &topics); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	compacted := make(map[string]bool)
	for _, t := range topics.Topics {
		compacted[t.Name] = strings.Contains(t.Configs["cleanup.policy"], "compact")
	}
	return compacted, nil
}

// run checks a partition's segments one after the other. graceful: the broker has
// left what it knew of open transactions.
func (r *repair) run(dir string, strict, graceful bool) error {
	segments, err := segmentsOf(dir)
	if err != nil || len(segments) == 0 {
		return err
	}
	state, fits := r.readState(dir, segments)
	end, epoch := segments[0].BaseOffset, int32(0)
	for i := range segments {
		limit := int64(-1)
		switch {
		case i+1 < len(segments):
			limit = segments[i+1].BaseOffset
		case fits && strict:
			limit = state.HighWatermark
		}
		if !strict || end > segments[i].BaseOffset {
			end = segments[i].BaseOffset
		}
		c, err := r.segment(dir, &segments[i], end, limit, strict)
		if err != nil {
			return err
		}
		end = c.end
		if len(c.good) > 0 {
			epoch = c.epoch
		}
	}
	open := state.LastStableOffset < state.HighWatermark && !graceful
	if fits && !open {
		return r.amendState(dir, segments, state, end)
	}
	if transactions, err := hasTransactions(dir, segments); transactions || err != nil {
		r.left = &leftLog{dir: dir, segments: segments, state: state, end: end, epoch: epoch}
		return err
	}
	return writeState(dir, segments, state, end, epoch)
}

// segment checks one, and repairs it.
func (r *repair) segment(dir string, s *segmentState, from, limit int64, strict bool) (checked, error) {
	path := segmentPath(dir, s.BaseOffset, ".dat")
	src, err := os.ReadFile(path)
	if err != nil {
		return checked{}, err
	}
	c := checkSegment(src, from, limit, strict)
	switch {
	case c.remade:
		err = r.replace(dir, s.BaseOffset, &c)
	case len(c.torn) > 0:
		err = r.cut(path, &c)
	}
	s.Size = int64(len(c.good))
	r.lost = append(r.lost, c.lost...)
	return c, err
}

// replace makes a segment hold what it must, and keeps what it held. The index
// comes first: until the segment itself is replaced, this is done again.
func (r *repair) replace(dir string, base int64, c *checked) error {
	path := segmentPath(dir, base, ".dat")
	kept := ""
	if !c.grown {
		var err error
		if kept, err = setAside(path); err != nil {
			return err
		}
		r.note("a segment of the log is damaged: it is kept, and replaced by what is good of it", "file", path, "kept", kept)
	}
	for _, l := range c.lost {
		r.keep(l.from, kept)
	}
	if err := replaceFile(segmentPath(dir, base, ".idx"), indexOf(c.good)); err != nil {
		return err
	}
	return replaceFile(path, c.good)
}

// cut takes off what was being written when the process died. If it has the length
// of a whole batch, it may have been one, and is kept.
func (r *repair) cut(path string, c *checked) error {
	if n := lengthAt(c.torn); n > 0 {
		kept, err := freeName(path + tornSuffix)
		if err != nil {
			return err
		}
		if err := replaceFile(kept, c.torn); err != nil {
			return err
		}
		r.note("the last batch of the log is damaged: it is cut off, and kept. If it was acknowledged, its records are lost",
			"file", path, "offset", c.end, "kept", kept)
	}
	return os.Truncate(path, int64(len(c.good)))
}

func (r *repair) keep(from int64, file string) {
	if r.kept == nil {
		r.kept = make(map[int64]string)
	}
	if _, known := r.kept[from]; !known {
		r.kept[from] = file
	}
}

func (r *repair) note(message string, args ...any) {
	r.notes = append(r.notes, note{message, append([]any{"topic", r.topic, "partition", r.partition}, args...)})
}

// setAside gives a file a second name that tells that it is damaged.
func setAside(path string) (string, error) {
	kept, err := freeName(path + damagedSuffix)
	if err != nil {
		return "", err
	}
	if os.Link(path, kept) == nil {
		return kept, nil
	}
	b, err := os.ReadFile(path) // a file system without links
	if err != nil {
		return "", err
	}
	return kept, replaceFile(kept, b)
}

// freeName is the name, or the name with the first number that is free.
func freeName(name string) (string, error) {
	for n := 1; ; n++ {
		free := name
		if n > 1 {
			free = fmt.Sprintf("%s-%d", name, n)
		}
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			return free, nil
		} else if err != nil {
			return "", err
		}
	}
}

// replaceFile replaces a file at once, durably.
func replaceFile(path string, b []byte) error {
	f, err := os.Create(path + ".tmp") // the broker removes what a crash leaves
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lostOf are the lost ranges in order, without those that were found twice.
func (r *repair) lostOf() []offsets {
	slices.SortFunc(r.lost, func(a, b offsets) int { return int(min(max(a.from-b.from, -1), 1)) })
	return slices.Compact(r.lost)
}
