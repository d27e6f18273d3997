package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"speedlayer/query"
	"speedlayer/queue"
	"speedlayer/record"
	"speedlayer/view"
)

func newStatus(io streams) *cobra.Command {
	var target targetFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status [--json]",
		Short:   "Positions, lag, generations, what dedupe remembers, counts, sizes",
		Example: "  speedlayer status --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(cmd.Context(), io, &target, asJSON, func(ctx context.Context, a query.Answers) (*query.StatusAnswer, error) {
				return a.Status(ctx)
			}, printStatus)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	target.add(cmd.Flags())
	return cmd
}

func printStatus(w writer, s *query.StatusAnswer) {
	c := &s.Counts
	fmt.Fprintf(w, "pageviews counted\t%s\n", groups(c.Events))
	fmt.Fprintf(w, "records\t%s\tof them %s duplicates, %s rejected, %s rerouted to their partition\n",
		groups(c.Records), groups(c.Duplicates), groups(c.Rejected), groups(c.ReroutedOut))
	fmt.Fprintf(w, "lag\t%s\n", lagText(s.Covered.Lag))
	printHeld(w, s.Info)
	fmt.Fprintf(w, "generations\t%v\n", s.Generations)
	printSettings(w, s.Settings)
	fmt.Fprintf(w, "equiv edges\t%s\n", groups(int64(s.EquivEdges)))
	fmt.Fprintf(w, "store\t%s on disk, %s in memory\n", humanize.IBytes(uint64(s.Store.DiskBytes)), humanize.IBytes(uint64(s.Store.MemoryBytes)))
	if bytes, ok := s.Info["queue_bytes"]; ok { // an int64, or JSON's float64 from a server
		fmt.Fprintf(w, "log\t%s on disk\n", humanize.IBytes(asBytes(bytes)))
	}
	if dropped, ok := s.Info["bots_dropped"]; ok {
		fmt.Fprintf(w, "bots dropped\t%s\tsince the process started\n", strings.TrimPrefix(fmt.Sprint(dropped), "map"))
	}
	printMembers(w, s.Info)
	for _, key := range []string{"kafka", "data", "roles", "store_apply_ms", "store_retries", "store_failures", "store_renewals"} {
		if v, ok := s.Info[key]; ok {
			fmt.Fprintf(w, "%s\t%v\n", key, v)
		}
	}
	for _, e := range s.Epochs {
		fmt.Fprintf(w, "log epoch %d\t%d partitions\t%s\n", e.Number, e.Partitions, e.Reason)
	}
	fmt.Fprintf(w, "\nepoch/partition\toffset\tlag\tlog time\tdedupe remembers\tvisits remembered\n")
	for _, p := range s.Partitions {
		fmt.Fprintf(w, "%d/%d\t%s\t%s\t%s\t%s\t%s\n", p.Epoch, p.Partition, groups(p.Offset), lagText(p.Lag), p.LogTime, memoryText(p.Dedupe), memoryText(p.Visits))
	}
}

// printHeld writes what open transactions hold back.
func printHeld(w writer, info map[string]any) {
	var held []queue.Held
	if text, err := json.Marshal(info["held_back"]); err != nil || json.Unmarshal(text, &held) != nil {
		return
	}
	for _, h := range held {
		fmt.Fprintf(w, "held back\t%s offsets of partition %d, from %s on: an open transaction of a Kafka producer must end first\n",
			groups(h.Offsets), h.Partition, groups(h.From))
	}
}

// printMembers writes who works on which partitions, where processes share them.
func printMembers(w writer, info map[string]any) {
	group, ok := info["group"]
	if !ok {
		return
	}
	// From a server it is decoded JSON, from a node of our own the thing itself.
	var members []queue.Member
	text, err := json.Marshal(info["members"])
	if err != nil || json.Unmarshal(text, &members) != nil || members == nil {
		fmt.Fprintf(w, "group %v\tunknown\n", group)
		return
	}
	fmt.Fprintf(w, "group %v\t%d members\n", group, len(members))
	for _, m := range members {
		fmt.Fprintf(w, "  %s\t%s\tpartitions %s\n", m.Name, m.Host, strings.Trim(fmt.Sprint(m.Partitions), "[]"))
	}
}

// printSettings writes what the newest generation remembers, for people.
func printSettings(w writer, raw []byte) {
	set, err := record.ParseSettings(string(raw))
	visits, err2 := view.ParseSettings(set.Operator)
	if err != nil || err2 != nil { // of another version of the program
		fmt.Fprintf(w, "settings\t%s\n", raw)
		return
	}
	window := func(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
	fmt.Fprintf(w, "dedupe\t%v and %s entries a partition at most\n", window(set.DedupeWindow), groups(int64(set.DedupeEntries)))
	fmt.Fprintf(w, "visits\t%v and %s entries a partition at most\n", window(visits.VisitsWindow), groups(int64(visits.VisitsEntries)))
}

func asBytes(v any) uint64 {
	switch n := v.(type) {
	case int64:
		return uint64(max(n, 0))
	case float64:
		return uint64(max(n, 0))
	}
	return 0
}

func lagText(lag *int64) string {
	if lag == nil {
		return "unknown"
	}
	return groups(*lag)
}

func memoryText(m query.Memory) string {
	if m.Entries == 0 {
		return "0"
	}
	return fmt.Sprintf("%s since %s", groups(m.Entries), m.Since)
}
