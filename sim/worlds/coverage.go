package worlds

import (
	"fmt"
	"strings"
)

// A situation is something that worlds must come into, or their passing says
// little.
type situation int

// The situations.
const (
	TakeOverFromStart situation = iota
	TakeOverFromOlderSnapshot
	TakeOverAtCommit
	TakeOverBesideAnother
	SnapshotGoneWhileLoading
	SnapshotAboveCommitRejected
	LogTrimmedBelowProcessor
	TornFlush
	PutOfTheDead
	PutBehindNewerCommit
	PutNeverArrived
	PutLowerThanStored
	PutSameVersionAgain
	CommitLowerThanStored
	BatchOfferedAgain
	CellReadAgain
	ReplayOfDroppedGeneration
	PutIntoDroppedGeneration
	MarkerCounted
	MarkerIgnored
	SettingsChangedTwice
	RecordRerouted
	RecordReroutedAgain
	ReroutedSentAgain
	RecordOfOtherEpoch
	RecordRejected
	Duplicate
	DedupeForgot
	VisitsForgot
	VisitChangedHour
	LateEvent
	LogTimeWentBack
	GapInOffsets
	QuerySettled
	QueryUnsettled
	QueryBeganAnew
	QueryOfTwoGenerations
	DeltaPut
	DeltasOfTwo
	QueryOfThreeGenerations
	QueryOverBatch
	QueryOfBatchAndSpeed
	AnswerClamped
	RunCompleted
	RunFailed
	RunDoneAgain
	RunOvertaken
	RunNumberSpent
	TwoRunsAtOnce
	RunAheadOfCommits
	HoleStopsRun
	RolledBack
	RolledBackToNone
	GenerationDropped
	EdgeBehindRun
	situations
)

var situationNames = [situations]string{
	"take-over from the log's start above a commit", "take-over from a snapshot below the commit", "take-over at the commit",
	"take-over beside another", "snapshot gone while it was loaded", "snapshot above the commit rejected",
	"log trimmed below a processor", "torn flush", "put of a dead processor arrived", "put arrived after a newer commit",
	"put never arrived", "put below the stored version", "same version put twice", "commit at or below the stored one",
	"batch offered again", "cell read again after eviction", "events of a dropped generation replayed",
	"put into a dropped generation", "marker counted", "marker ignored", "settings changed twice", "record rerouted",
	"record rerouted again", "rerouted records sent again after a failure", "rerouted record of another epoch", "record rejected",
	"duplicate", "dedupe forgot", "visits forgot", "visit moved to another hour", "late event", "log time below that of the record before",
	"gap in offsets", "query settled", "query not settled", "query started over", "query of two generations",
	"set put as a delta", "deltas of two processors in one cell",
	"query of three generations", "query over batch views", "query of batch views and generations", "answer clamped",
	"run completed", "run failed", "run done again", "run overtaken", "run failed for good", "two runs at once", "run ahead of the commits",
	"archive with a hole stops the run", "rolled back", "rolled back to no run", "generation dropped", "edge after a run",
}

func (s situation) String() string { return situationNames[s] }

// Coverage counts in how many worlds each situation came up.
type Coverage struct {
	Worlds, Steps, Puts, Commits, Queries int
	seen                                  [situations]int
}

// Missing are the situations that never came up.
func (c *Coverage) Missing() []string {
	var missing []string
	for s, n := range c.seen {
		if n == 0 {
			missing = append(missing, situation(s).String())
		}
	}
	return missing
}

func (c *Coverage) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d worlds, %d steps, %d puts compared, %d commits, %d queries; worlds in which there was a\n",
		c.Worlds, c.Steps, c.Puts, c.Commits, c.Queries)
	for s, n := range c.seen {
		fmt.Fprintf(&b, "  %7d %s\n", n, situation(s))
	}
	return b.String()
}

// seen is what one world came into.
type seen [situations]bool

func (c *Coverage) add(s *seen) {
	c.Worlds++
	for i, yes := range s {
		if yes {
			c.seen[i]++
		}
	}
}
