package verify

import (
	"fmt"
	"strings"
	"time"
)

// The kinds of differences.
const (
	KindValue    = "value"   // the bytes are not those of the version
	KindVersion  = "version" // the cell never has this version
	KindBehind   = "behind"  // an event that the commit covers is not in it
	KindMissing  = "missing" // not stored, though the commit covers events of it
	KindExtra    = "extra"   // stored, though no event changes it
	KindCommit   = "commit"  // a counter of a commit row is wrong
	KindLost     = "lost"    // a record that was acknowledged counts nowhere, and nothing tells why
	KindForged   = "forged"  // a record that claims to come from a place from which none came
	KindRerouted = "moved"   // a record left its partition and did not arrive
)

// Difference is one thing that is not as the log says.
type Difference struct {
	Kind       string `json:"kind"`
	Epoch      uint32 `json:"epoch"`
	Partition  int32  `json:"partition"`
	Generation uint32 `json:"generation,omitempty"`
	View       string `json:"view,omitempty"`
	URL        string `json:"url,omitempty"`
	Hour       string `json:"hour,omitempty"`    // RFC 3339
	Version    int64  `json:"version,omitempty"` // of the cell, or offset of the commit
	Field      string `json:"field,omitempty"`   // of a commit row
	Stored     string `json:"stored,omitempty"`
	Expected   string `json:"expected,omitempty"`
}

// String is one line.
func (d Difference) String() string {
	shard := fmt.Sprintf("epoch %d partition %d", d.Epoch, d.Partition)
	var s string
	switch d.Kind {
	case KindCommit:
		return fmt.Sprintf("commit   %s at offset %d: %s is %s, expected %s", shard, d.Version, d.Field, d.Stored, d.Expected)
	case KindRerouted:
		return fmt.Sprintf("rerouted %s: %s", shard, d.Expected)
	case KindLost, KindForged:
		return fmt.Sprintf("%-8s %s at offset %d: %s", d.Kind, shard, d.Version, d.Expected)
	case KindMissing:
		s = "not stored, expected " + d.Expected
	default:
		s = fmt.Sprintf("version %d holds %s, expected %s", d.Version, d.Stored, d.Expected)
	}
	return fmt.Sprintf("%-8s %s %s %s, %s generation %d: %s", d.Kind, d.View, d.URL, d.Hour, shard, d.Generation, s)
}

// Unchecked reports which cells could not be compared, and why.
type Unchecked struct {
	Epoch     uint32 `json:"epoch"`
	Partition int32  `json:"partition"`
	Cells     int64  `json:"cells"`
	Reason    string `json:"reason"`
}

// Report is the result of a run.
type Report struct {
	Shards      int              `json:"shards"` // checked, wholly or in part
	Cells       map[string]int64 `json:"cells"`  // compared, by view
	Records     int64            `json:"records"`
	Pageviews   int64            `json:"pageviews"`
	Duplicates  int64            `json:"duplicates"`
	Rejected    int64            `json:"refused"`
	Rerouted    int64            `json:"moved"`  // records that left their partition
	Behind      int64            `json:"behind"` // records of the log that no commit covers yet
	Differences int64            `json:"differences"`
	ByKind      map[string]int64 `json:"by_kind,omitempty"`
	First       []Difference     `json:"first_differences,omitempty"`
	Unchecked   []Unchecked      `json:"unchecked,omitempty"`
	Notes       []string         `json:"notes,omitempty"`
}

// OK reports that something was checked, or nothing was there to be checked, and
// no difference was found.
func (r *Report) OK() bool {
	return r.Differences == 0 && (r.Shards > 0 || len(r.Unchecked) == 0)
}

// CellCount is how many cells were compared.
func (r *Report) CellCount() (n int64) {
	for _, c := range r.Cells {
		n += c
	}
	return n
}

func (r *Report) note(max int, d Difference) {
	r.Differences++
	if r.ByKind == nil {
		r.ByKind = map[string]int64{}
	}
	r.ByKind[d.Kind]++
	if len(r.First) < max {
		r.First = append(r.First, d)
	}
}

// merge adds what another part of the run found.
func (r *Report) merge(max int, o *Report) {
	r.Shards += o.Shards
	for v, n := range o.Cells {
		r.Cells[v] += n
	}
	r.Records += o.Records
	r.Pageviews += o.Pageviews
	r.Duplicates += o.Duplicates
	r.Rejected += o.Rejected
	r.Rerouted += o.Rerouted
	r.Behind += o.Behind
	r.Differences += o.Differences
	for k, n := range o.ByKind {
		if r.ByKind == nil {
			r.ByKind = map[string]int64{}
		}
		r.ByKind[k] += n
	}
	r.First = append(r.First, o.First[:min(len(o.First), max-len(r.First))]...)
	r.Unchecked = append(r.Unchecked, o.Unchecked...)
	r.Notes = append(r.Notes, o.Notes...)
}

// String is the report for people, several lines.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checked      %d cells of %d shards: %d pageviews, %d uniques, %d bounces\n",
		r.CellCount(), r.Shards, r.Cells["pageviews"], r.Cells["uniques"], r.Cells["bounces"])
	fmt.Fprintf(&b, "log          %d records: %d pageviews, %d duplicates, %d rejected, %d rerouted; %d not yet processed\n",
		r.Records, r.Pageviews, r.Duplicates, r.Rejected, r.Rerouted, r.Behind)
	for _, u := range r.Unchecked {
		fmt.Fprintf(&b, "not checked  %d cells of epoch %d partition %d: %s\n", u.Cells, u.Epoch, u.Partition, u.Reason)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note         %s\n", n)
	}
	fmt.Fprintf(&b, "differences  %d\n", r.Differences)
	for _, d := range r.First {
		fmt.Fprintf(&b, "  %s\n", d)
	}
	if more := r.Differences - int64(len(r.First)); more > 0 {
		fmt.Fprintf(&b, "  and %d more\n", more)
	}
	return b.String()
}

// hourText is an hour as people and our JSON write it.
func hourText(h int32) string {
	return time.Unix(int64(h)*3600, 0).UTC().Format(time.RFC3339)
}
