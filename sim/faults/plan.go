package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is what is done to the cluster.
type Kind string

// The kinds of faults. Kill is SIGKILL; what was killed is started again when
// others have taken over, or at once where nobody can.
const (
	KillProcessor    Kind = "kill processor"
	KillCollector    Kind = "kill collector"
	KillBroker       Kind = "kill broker"
	KillRegionServer Kind = "kill region server"
	KillMaster       Kind = "kill master"
	PauseProcessor   Kind = "pause processor" // past its session; then it goes on, with the state it had
	CutKafka         Kind = "cut kafka"       // our connections end, and none can be opened
	SlowKafka        Kind = "slow kafka"
	CutHBase         Kind = "cut hbase" // those to ZooKeeper and the region servers
	SlowHBase        Kind = "slow hbase"
	TearCommit       Kind = "tear commit"        // kill a processor while HBase is slow: its cells are there, its commit is not
	RestartAll       Kind = "restart everything" // kill all of it at once, then start all
)

// Kinds are all of them.
var Kinds = []Kind{KillProcessor, KillCollector, KillBroker, KillRegionServer, KillMaster, PauseProcessor,
	CutKafka, SlowKafka, CutHBase, SlowHBase, TearCommit, RestartAll}

// PauseRegionServer is SIGSTOP past its session: others open its regions; when it
// goes on, with what it had taken, it must end by itself, and is started again.
const PauseRegionServer Kind = "pause region server"

// HDFSKinds are all of Kinds and those that need HDFS: without its leases a region
// server that wakes may lose what it acknowledged.
var HDFSKinds = append(slices.Clone(Kinds), PauseRegionServer)

// Kinds of faults that hit a batch run, at some moment of it: it begins, and while
// it works, or has just ended, something is killed. Then it must complete.
const (
	KillRun            Kind = "kill batch run"           // the process that does it
	KillProcessorInRun Kind = "kill processor in a run"  // whose commits and archive it waits for
	KillBothInRun      Kind = "kill both in a run"       // and a processor
	RegionServerInRun  Kind = "kill region server in it" // which has tables that it makes, reads or drops
	RollBack           Kind = "roll back"                // kills nothing: a run, a rollback, and the run again
)

// BatchKinds are all of these. They are planned apart from Kinds, for they need
// a batch layer.
var BatchKinds = []Kind{KillRun, KillProcessorInRun, KillBothInRun, KillRun, RegionServerInRun, RollBack}

// Fault is one of a plan.
type Fault struct {
	Kind  Kind
	Which int           // of several processes that could be hit: modulo their number
	After time.Duration // that the cluster works undisturbed before it
	For   time.Duration // that a cut, a slow link, or a dead master lasts
}

func (f Fault) String() string { return fmt.Sprintf("%s %d", f.Kind, f.Which) }

// Plan is n faults: the same for the same seed. Kinds come in random order, and
// none a second time before all have been there.
func Plan(seed uint64, n int, kinds []Kind) []Fault {
	r := rand.New(rand.NewPCG(seed, 0x6661756c))
	between := func(from, to time.Duration) time.Duration { return from + time.Duration(r.Int64N(int64(to-from))) }
	var plan []Fault
	for len(plan) < n {
		for _, i := range r.Perm(len(kinds)) {
			plan = append(plan, Fault{Kind: kinds[i], Which: r.IntN(12), After: between(time.Second, 4*time.Second), For: between(time.Second, 6*time.Second)})
		}
	}
	return plan[:n]
}
