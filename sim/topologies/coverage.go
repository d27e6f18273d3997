package topologies

import (
	"fmt"
	"reflect"
)

// Coverage counts what worlds came into.
type Coverage struct {
	Worlds     int
	Puts       int // of cells
	PutAgain   int // of a version that was put before
	PutLower   int // that arrived after a higher version
	Commits    int
	Reads      int // of cells that were not in a cache
	Kills      int
	TakeOvers  int // from a snapshot
	Duplicates int // events sent again
	Rerouted   int // records sent to the right partition
	Forwarded  int // packets
	SentHalf   int // a sink failed after a part
	SentAgain  int // a sink failed after all
	Rejected   int
	Generations,
	Partitions int // added
	Compared int // cells
}

// Missing lists what never came up.
func (c *Coverage) Missing() (names []string) {
	v := reflect.ValueOf(*c)
	for i := range v.NumField() {
		if v.Field(i).Int() == 0 {
			names = append(names, v.Type().Field(i).Name)
		}
	}
	return names
}

func (c *Coverage) String() string { return fmt.Sprintf("%+v", *c) }
