package microbatch

import (
	"log/slog"
	"time"

	"speedlayer/queue"
)

// rejectsEvery bounds the log lines about rejected records: one a partition in
// this time.
const rejectsEvery = 10 * time.Second

// rejects logs what is rejected, at a bounded rate: the first record at once, and
// then with the next line how many there were since. One worker owns it.
type rejects struct {
	log   *slog.Logger // knows the partition
	topic string
	now   func() time.Time
	next  time.Time // before it, records are only counted
	since int64
}

func (r *rejects) add(offset int64, reason error) {
	r.since++
	now := r.now()
	if now.Before(r.next) {
		return
	}
	r.log.Warn("a record is rejected: it does not count, and lies in topic "+queue.RejectedTopic(r.topic),
		"topic", r.topic, "offset", offset, "reason", reason, "since_last_line", r.since)
	r.since, r.next = 0, now.Add(rejectsEvery)
}
