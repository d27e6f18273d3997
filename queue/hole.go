package queue

import "fmt"

// ErrLogHole: the log has lost the records of a range of offsets, and goes on
// after it. What lies below was read.
type ErrLogHole struct {
	Partition int32
	From, To  int64 // [From, To) is lost
	Reason    string
}

func (e *ErrLogHole) Error() string {
	return fmt.Sprintf("queue: offsets %d to %d of partition %d are lost: %s", e.From, e.To-1, e.Partition, e.Reason)
}
