package torture

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is what a run found.
type Report struct {
	Seed  uint64 `json:"seed"`
	Kills int    `json:"kills"`
	Traffic
	Comparison  Comparison `json:"comparison"`
	Verify      string     `json:"verify"`
	Differences int64      `json:"differences"` // found by verify
	Stop        float64    `json:"stop_seconds"`
	FirstAnswer Spread     `json:"first_answer"` // from kill to first answer
	CaughtUp    Spread     `json:"caught_up"`    // from kill until all that was in the log is queryable
}

// OK reports that the promise was kept.
func (r *Report) OK() bool {
	return r.Comparison.Differ == 0 && r.Differences == 0 && r.Posted == r.Acknowledged && r.Acknowledged > 0
}

// Spread describes a number of durations, in seconds.
type Spread struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50_seconds"`
	P99 float64 `json:"p99_seconds"`
	Max float64 `json:"max_seconds"`
}

func spread(all []time.Duration) Spread {
	if len(all) == 0 {
		return Spread{}
	}
	all = slices.Sorted(slices.Values(all))
	// The lowest that at least this share is at or below.
	at := func(share float64) float64 {
		i := int(share*float64(len(all))+0.999999) - 1
		return all[min(max(i, 0), len(all)-1)].Seconds()
	}
	return Spread{len(all), at(0.5), at(0.99), all[len(all)-1].Seconds()}
}

func (s Spread) String() string {
	return fmt.Sprintf("p50 %.0f ms, p99 %.0f ms, max %.0f ms of %d", s.P50*1000, s.P99*1000, s.Max*1000, s.N)
}

// String is the report for people.
func (r *Report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-14s"+format+"\n", append([]any{name}, args...)...)
	}
	line("seed", "%d", r.Seed)
	line("kills", "%d", r.Kills)
	line("pageviews", "%d posted, %d acknowledged, %d sent twice on purpose", r.Posted, r.Acknowledged, r.SentTwice)
	line("requests", "%d, %d of them again, without an acknowledgement", r.Requests, r.Retried)
	line("lost", "%d", r.Comparison.Lost)
	line("doubled", "%d", r.Comparison.Doubled)
	line("cells", "%d compared with what clients know, %d differ", r.Comparison.Cells, r.Comparison.Differ)
	line("verify", "%d differences", r.Differences)
	line("first answer", "%v", r.FirstAnswer)
	line("caught up", "%v", r.CaughtUp)
	line("graceful stop", "%.0f ms", r.Stop*1000)
	for _, w := range r.Comparison.Wrong {
		fmt.Fprintf(&b, "  %s\n", w)
	}
	if r.Differences > 0 {
		b.WriteString(r.Verify)
	}
	return b.String()
}
