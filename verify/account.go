package verify

import (
	"fmt"

	"speedlayer/store"
	"speedlayer/verify/oracle"
)

// The oracle has the rules a second time, so a rule that loses events loses them in
// both. What follows knows no rules. Each record below the commit was counted, or
// was a duplicate, or was rejected or sent on with a reason; and a record that
// counts nowhere because it came a second time has really come before.

// account looks at the rerouted records of one shard, in log order.
type account struct {
	seen    map[oracle.Source]bool
	highest map[[2]int64]int64 // by log epoch and partition
}

func newAccount() *account {
	return &account{seen: map[oracle.Source]bool{}, highest: map[[2]int64]int64{}}
}

// lost reports whether a record from there is ignored although no other from there
// came before it.
func (a *account) lost(from oracle.Source) bool {
	if a.seen[from] {
		return false
	}
	a.seen[from] = true
	partition := [2]int64{int64(from.Epoch), int64(from.Partition)}
	if last, ok := a.highest[partition]; ok && from.Offset <= last {
		return true
	}
	a.highest[partition] = from.Offset
	return false
}

// noteArrival remembers where a rerouted record came from, and reports one that is
// ignored for no reason.
func (r *run) noteArrival(j *job, a *account, o *oracle.Oracle, rec *oracle.Record) {
	from, ok := o.ReroutedFrom(*rec)
	if !ok {
		return
	}
	r.mu.Lock()
	at := arrival{j.shard.Partition, from}
	if _, ok := r.arrived[at]; !ok {
		r.arrived[at] = place{j.shard, rec.Offset}
	}
	r.mu.Unlock()
	if a.lost(from) && rec.Offset < j.cover {
		r.differs(j, Difference{Kind: KindLost, Epoch: j.shard.Epoch, Partition: j.shard.Partition, Version: rec.Offset,
			Expected: fmt.Sprintf("the record is ignored as a second copy of epoch %d partition %d offset %d, and there is no first one", from.Epoch, from.Partition, from.Offset)})
	}
}

// checkArrivals looks for records that came from where none had left.
func (r *run) checkArrivals(report *Report, jobs []*job) {
	covered := map[store.Shard]int64{} // departures of the shard are known below it
	for _, j := range jobs {
		if j.skip == "" {
			covered[j.shard] = j.cover
		}
	}
	left := map[arrival]bool{}
	for _, d := range r.left {
		left[d.arrival] = true
	}
	for at, found := range r.arrived {
		source := store.Shard{Epoch: at.from.Epoch, Partition: at.from.Partition}
		if below, ok := covered[source]; ok && at.from.Offset < below && !left[at] {
			report.note(r.cfg.First, Difference{Kind: KindForged, Epoch: found.shard.Epoch, Partition: found.shard.Partition, Version: found.offset,
				Expected: fmt.Sprintf("the record claims to come from epoch %d partition %d offset %d, and none left from there for here", at.from.Epoch, at.from.Partition, at.from.Offset)})
		}
	}
}

// checkSum adds up what became of a shard's records.
func (r *run) checkSum(j *job, c store.CommitRecord) {
	sum := c.Events + c.Duplicates + c.Rejected + c.ReroutedOut + c.ReroutedAgain + c.Markers + c.MarkersIgnored
	if sum != c.Records {
		r.differs(j, Difference{Kind: KindLost, Epoch: j.shard.Epoch, Partition: j.shard.Partition, Version: j.commit.Offset,
			Expected: fmt.Sprintf("%d records were counted, and %d are events, duplicates, rejected, sent on or internal", c.Records, sum)})
	}
}
