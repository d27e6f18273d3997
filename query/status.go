package query

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"speedlayer/event"
	"speedlayer/store"
	"speedlayer/view"
)

// StatusAnswer is the state of the whole system.
type StatusAnswer struct {
	Now         string          `json:"now"`
	Covered     Covered         `json:"covered"`
	Counts      Counts          `json:"counts"`
	Partitions  []ShardStatus   `json:"partitions"`
	Generations []uint32        `json:"generations"` // what queries read, ascending
	Settings    json.RawMessage `json:"settings,omitempty"`
	BatchRun    *uint32         `json:"batch_run"` // the run that queries build on
	EquivEdges  int             `json:"equiv_edges"`
	Epochs      []EpochStatus   `json:"log_epochs"`
	Store       StoreStatus     `json:"store"`
	Info        map[string]any  `json:"info,omitempty"`
}

// Counts are sums over all partitions and log epochs, as of Covered.
type Counts struct {
	Records        int64 `json:"records"`    // of any kind
	Events         int64 `json:"events"`     // pageviews counted
	Duplicates     int64 `json:"duplicates"` // dropped because (nonce, person) was seen before
	Rejected       int64 `json:"refused"`    // in the dead-letter topic
	ReroutedOut    int64 `json:"moved_out"`  // found in a wrong partition and sent to the right one
	ReroutedIn     int64 `json:"moved_in"`
	ReroutedAgain  int64 `json:"moved_again"` // of those, ignored because they came twice
	Markers        int64 `json:"markers"`
	MarkersIgnored int64 `json:"markers_ignored"`
}

// ShardStatus is one partition of one log epoch.
type ShardStatus struct {
	Position
	Lag        *int64 `json:"lag"` // null: an older log epoch, or not known
	LogTime    string `json:"log_time,omitempty"`
	Generation uint32 `json:"generation"`
	Counts
	Dedupe Memory `json:"dedupe"`
	Visits Memory `json:"visits"`
}

// Memory is what a partition remembers of the past, and since which log time.
type Memory struct {
	Entries int64  `json:"entries"`
	Since   string `json:"since,omitempty"`
}

// EpochStatus is one incarnation of the log.
type EpochStatus struct {
	Number     uint32  `json:"number"`
	TopicID    string  `json:"topic_id"`
	Partitions int32   `json:"partitions"`
	Starts     []int64 `json:"starts"`
	Reason     string  `json:"reason"` // why it began
}

// StoreStatus holds sizes in bytes.
type StoreStatus struct {
	DiskBytes   int64 `json:"disk_bytes"`
	MemoryBytes int64 `json:"memory_bytes"`
}

// Status implements Answers.
func (e *Engine) Status(ctx context.Context) (*StatusAnswer, error) {
	a := &StatusAnswer{Now: event.FormatTime(e.cfg.Now().UnixMilli()), EquivEdges: e.cfg.Edges.Len()}
	err := e.read(ctx, func(r *reading) (err error) {
		if a.Covered, err = e.covered(ctx, r); err != nil {
			return err
		}
		a.Generations = slices.Clone(r.generations)
		slices.Reverse(a.Generations)
		a.BatchRun, a.Settings = nil, nil
		if r.pointer.Current != nil {
			a.BatchRun = &r.pointer.Current.Number
		}
		if json.Valid([]byte(r.pointer.Settings)) {
			a.Settings = json.RawMessage(r.pointer.Settings)
		}
		if err := a.addEpochs(ctx, r); err != nil {
			return err
		}
		return a.addShards(r, e.logEndsNow(ctx))
	})
	if err != nil {
		return nil, err
	}
	stats, err := e.cfg.Store.Stats(ctx)
	if err != nil {
		return nil, fmt.Errorf("sizes of the store: %w", err)
	}
	a.Store = StoreStatus{stats.DiskBytes, stats.MemoryBytes}
	if e.cfg.Info != nil {
		a.Info = e.cfg.Info(ctx)
	}
	return a, nil
}

func (a *StatusAnswer) addEpochs(ctx context.Context, r *reading) error {
	epochs, err := r.Epochs(ctx)
	if err != nil {
		return fmt.Errorf("reading the log epochs: %w", err)
	}
	a.Epochs = make([]EpochStatus, len(epochs))
	for i, e := range epochs {
		a.Epochs[i] = EpochStatus{e.Number, e.TopicID, e.Partitions, e.Starts, e.Reason}
	}
	return nil
}

func (a *StatusAnswer) addShards(r *reading, ends map[store.Shard]int64) error {
	a.Counts = Counts{}
	a.Partitions = make([]ShardStatus, len(r.commits))
	for i := range r.commits {
		sc := &r.commits[i]
		s := &a.Partitions[i]
		s.Position = a.Covered.Position[i]
		if end, ok := ends[sc.Shard]; ok {
			lag := max(0, end-sc.Commit.Offset)
			s.Lag = &lag
		}
		if len(sc.Commit.Record) == 0 {
			continue
		}
		rec, err := store.DecodeCommitRecord(sc.Commit.Record)
		if err != nil {
			return fmt.Errorf("commit of %v: %w", sc.Shard, err)
		}
		s.LogTime, s.Generation = timeText(rec.LogTime), rec.Generation
		s.Counts = Counts{rec.Records, rec.Events, rec.Duplicates, rec.Rejected, rec.ReroutedOut, rec.ReroutedIn, rec.ReroutedAgain, rec.Markers, rec.MarkersIgnored}
		s.Dedupe = Memory{rec.DedupeEntries, timeText(rec.DedupeOldest)}
		counts, err := view.DecodeCounts(rec.Operator)
		if err != nil {
			return fmt.Errorf("commit of %v: %w", sc.Shard, err)
		}
		s.Visits = Memory{counts.VisitEntries, timeText(counts.VisitOldest)}
		a.Counts.add(&s.Counts)
	}
	return nil
}

func (c *Counts) add(o *Counts) {
	c.Records += o.Records
	c.Events += o.Events
	c.Duplicates += o.Duplicates
	c.Rejected += o.Rejected
	c.ReroutedOut += o.ReroutedOut
	c.ReroutedIn += o.ReroutedIn
	c.ReroutedAgain += o.ReroutedAgain
	c.Markers += o.Markers
	c.MarkersIgnored += o.MarkersIgnored
}

// timeText formats a log time; it is "" if there is none.
func timeText(ms int64) string {
	if ms <= 0 {
		return ""
	}
	return event.FormatTime(ms)
}
