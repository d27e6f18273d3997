package compute

import (
	"strconv"
	"sync"
	"time"
)

// counts records what became of the rows of the log. It is a function of the input
// alone.
type counts struct {
	Rows          int64 `json:"rows,omitempty"`
	Events        int64 `json:"events,omitempty"`
	Duplicates    int64 `json:"duplicates,omitempty"`
	Misplaced     int64 `json:"misplaced,omitempty"`
	ReroutedAgain int64 `json:"moved_again,omitempty"`
	Rejected      int64 `json:"refused,omitempty"`
	Markers       int64 `json:"markers,omitempty"`
	Cells         int64 `json:"cells,omitempty"`
}

func (c *counts) add(o counts) {
	c.Rows += o.Rows
	c.Events += o.Events
	c.Duplicates += o.Duplicates
	c.Misplaced += o.Misplaced
	c.ReroutedAgain += o.ReroutedAgain
	c.Rejected += o.Rejected
	c.Markers += o.Markers
	c.Cells += o.Cells
}

// info returns what the run records about itself.
func (c counts) info() map[string]string {
	info := map[string]string{}
	for name, n := range map[string]int64{"rows": c.Rows, "events": c.Events, "duplicates": c.Duplicates, "misplaced": c.Misplaced,
		"moved_again": c.ReroutedAgain, "refused": c.Rejected, "markers": c.Markers, "cells": c.Cells} {
		info[name] = strconv.FormatInt(n, 10)
	}
	return info
}

// progress adds up finished work. Each row of the log is worth three units of
// work, one for each stage.
type progress struct {
	tell  func(Progress)
	total int64 // units of work
	began time.Time

	mu struct {
		sync.Mutex
		done, rows int64
		skipped    int64 // part of done: finished by an earlier process of the run
		told       time.Time
	}
}

const (
	stages    = 3
	tellEvery = 100 * time.Millisecond
)

func (p *progress) add(work, rows int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.done += work
	p.mu.rows += rows
	now := time.Now()
	if now.Sub(p.mu.told) < tellEvery {
		return
	}
	p.mu.told = now
	worth := float64(p.mu.done-p.mu.skipped) / stages
	p.tell(Progress{Share: min(1, float64(p.mu.done)/float64(max(1, p.total))), Rows: p.mu.rows,
		PerSec: worth / max(0.001, now.Sub(p.began).Seconds())})
}

// skip counts work as done that an earlier process of the run did.
func (p *progress) skip(work, rows int64) {
	p.mu.Lock()
	p.mu.skipped += work
	p.mu.Unlock()
	p.add(work, rows)
}

// finish reports that everything is done.
func (p *progress) finish() {
	p.mu.Lock()
	p.mu.skipped += p.total - p.mu.done // the rest is rounding, and rows that were not events
	p.mu.done = p.total
	p.mu.told = time.Time{}
	p.mu.Unlock()
	p.add(0, 0)
}
