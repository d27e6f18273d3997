package faults

import (
	"fmt"
	"strings"

	"speedlayer/sim/torture"
)

// Report is what a run found.
type Report struct {
	Seed    uint64
	Faults  []Outcome
	Seconds float64 // that clients posted
	Quiet   float64 // of these, before faults, when nothing was wrong
	torture.Traffic
	QuietAcknowledged int64 // pageviews, in that time
	torture.Comparison
	Shards      int    // that verify compared
	Differences int64  // cells that verify found different from what the log holds
	Verify      string // what it said

	// With a batch layer: comparisons after a run, a rollback and another run,
	// the number of the last run, and the tables of cells that are left.
	Runs      []torture.Comparison
	Completed uint32
	Tables    int

	// What went to the servers through proxies, which so could cut and slow it.
	KafkaBytes int64
	Proxied    []Passed // to the servers of the store
}

// Passed is how many bytes went to servers, and back.
type Passed struct {
	Servers string // the beginning of their names
	Bytes   int64
}

// Outcome is what came of one fault.
type Outcome struct {
	Kind     Kind
	Lasted   float64 // seconds, until everything ran again
	CaughtUp float64 // seconds more, until all that was in the log was queryable
	Retried  int64   // requests that clients sent again meanwhile
}

func (o Outcome) String() string {
	return fmt.Sprintf("%-19s lasted %4.1f s, caught up after %4.1f s more, %d requests sent again", o.Kind, o.Lasted, o.CaughtUp, o.Retried)
}

// Rate is how many pageviews a second were acknowledged, outages included.
func (r *Report) Rate() float64 { return float64(r.Acknowledged) / r.Seconds }

// QuietRate is the rate when nothing is wrong.
func (r *Report) QuietRate() float64 { return float64(r.QuietAcknowledged) / r.Quiet }

// OK reports that the promise was kept, and put to the test.
func (r *Report) OK() bool {
	for i := range r.Runs {
		if r.Runs[i].Differ != 0 {
			return false
		}
	}
	proxied := r.KafkaBytes > 0 && len(r.Proxied) > 0
	for _, p := range r.Proxied {
		proxied = proxied && p.Bytes > 0
	}
	return proxied && r.Differ == 0 && r.Differences == 0 && r.Shards > 0 && r.Posted == r.Acknowledged && r.Acknowledged > 0
}

// String is the report for people.
func (r *Report) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s "+format+"\n", append([]any{name}, args...)...)
	}
	line("seed", "%d", r.Seed)
	line("faults", "%d", len(r.Faults))
	line("pageviews", "%d posted, %d acknowledged, %d sent twice on purpose", r.Posted, r.Acknowledged, r.SentTwice)
	line("a second", "%.0f acknowledged between faults, %.0f over all, outages included", r.QuietRate(), r.Rate())
	line("requests", "%d, %d of them again, without an acknowledgement", r.Requests, r.Retried)
	line("lost", "%d", r.Lost)
	line("doubled", "%d", r.Doubled)
	line("cells", "%d compared with what clients know, %d differ", r.Cells, r.Differ)
	for i, c := range r.Runs {
		line([]string{"run", "rollback", "run again"}[i], "%d cells compared, %d differ: %d lost, %d doubled", c.Cells, c.Differ, c.Lost, c.Doubled)
	}
	if r.Completed > 0 {
		line("last run", "%d; %d tables of cells", r.Completed, r.Tables)
	}
	line("verify", "%d differences in %d shards", r.Differences, r.Shards)
	line("proxies", "%d MB to and from Kafka", r.KafkaBytes>>20)
	for _, p := range r.Proxied {
		line("", "%d kB %s", p.Bytes>>10, strings.TrimSuffix(p.Servers, "-"))
	}
	for _, w := range r.Wrong {
		fmt.Fprintf(&b, "  %s\n", w)
	}
	if r.Differences > 0 {
		b.WriteString(r.Verify)
	}
	return b.String()
}
