package onspark

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Kind is what is done.
type Kind string

// The kinds of faults. Kill is SIGKILL.
const (
	KillGo           Kind = "kill go worker"     // the process beside an executor
	KillExecutor     Kind = "kill executor"      // which Spark starts again
	KillDriver       Kind = "kill driver"        // started again with its checkpoint
	NewCheckpoint    Kind = "delete checkpoint"  // and with none
	SlowTasks        Kind = "slow tasks"         // a Go worker sleeps until copies of its tasks run elsewhere, and goes on
	KillSparkWorker  Kind = "kill spark worker"  // and all that it started
	AddPartition     Kind = "add partition"      // a log epoch ends
	BatchRun         Kind = "batch run"          // complete, while an executor is killed
	KillRegionServer Kind = "kill region server" // of HBase
	KillBroker       Kind = "kill broker"        // of Kafka
	PauseExecutor    Kind = "pause executor"     // past its time-out; then it goes on, a zombie
)

// Kinds are all of them but AddPartition, which is asked for by its name: an epoch of
// a topic that goes on ends slowly.
var Kinds = []Kind{KillGo, KillExecutor, KillDriver, SlowTasks, NewCheckpoint, BatchRun, KillSparkWorker, PauseExecutor, KillRegionServer, KillBroker}

// Fault is one of a plan.
type Fault struct {
	Kind  Kind
	Which int           // of several: modulo their number
	After time.Duration // of undisturbed work before it
}

func (f Fault) String() string { return fmt.Sprintf("%s %d", f.Kind, f.Which) }

// Plan is n faults: the same for the same seed. None comes a second time before all
// have been there.
func Plan(seed uint64, n int, kinds []Kind) []Fault {
	r := rand.New(rand.NewPCG(seed, 0x737061726b))
	var plan []Fault
	for len(plan) < n {
		for _, i := range r.Perm(len(kinds)) {
			plan = append(plan, Fault{Kind: kinds[i], Which: r.IntN(12), After: time.Duration(r.Int64N(int64(2 * time.Second)))})
		}
	}
	return plan[:n]
}
