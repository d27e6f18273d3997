package microbatch

import (
	"encoding/json"
	"fmt"
	"time"
)

// Settings are the rules that change results. They are carried by the epoch row
// and by markers, and never change inside a generation (design, law 2). All are
// per partition, so that they do not depend on who owns which partitions.
type Settings struct {
	DedupeWindow  int64 `json:"dedupe_window_ms"` // ms of log time, at most 24 days
	DedupeEntries int   `json:"dedupe_entries"`   // pairs, at most 64 Mi
	VisitsWindow  int64 `json:"visits_window_ms"` // ms of log time
	VisitsEntries int   `json:"visits_entries"`   // visits, at most 64 Mi
	ExactVisitors int   `json:"exact_visitors"`   // visitors in a cell before it is a sketch
	Rules         int   `json:"rules"`            // version of the rules in package event
}

// DefaultSettings are those of docs/design.md: dedupe an hour and 512 Ki pairs, visits four
// hours and 256 Ki.
func DefaultSettings() Settings {
	return Settings{
		DedupeWindow: time.Hour.Milliseconds(), DedupeEntries: 512 << 10,
		VisitsWindow: 4 * time.Hour.Milliseconds(), VisitsEntries: 256 << 10,
		ExactVisitors: 2048, Rules: 1,
	}
}

// Validate says what is wrong and what is allowed.
func (s Settings) Validate() error {
	const maxWindow = 24 * 24 * time.Hour
	window := func(name string, ms int64) error {
		if ms < 0 || ms > maxWindow.Milliseconds() {
			return fmt.Errorf("%s is %v: allowed is 0 to %v", name, time.Duration(ms)*time.Millisecond, maxWindow)
		}
		return nil
	}
	entries := func(name string, n int) error {
		if n < 1 || n > 64<<20 {
			return fmt.Errorf("%s is %d: allowed is 1 to %d", name, n, 64<<20)
		}
		return nil
	}
	for _, err := range []error{
		window("dedupe window", s.DedupeWindow), window("visits window", s.VisitsWindow),
		entries("dedupe entries", s.DedupeEntries), entries("visits entries", s.VisitsEntries),
	} {
		if err != nil {
			return err
		}
	}
	if s.ExactVisitors != 2048 {
		return fmt.Errorf("exact visitors is %d: allowed is 2048", s.ExactVisitors)
	}
	if s.Rules != 1 {
		return fmt.Errorf("rules are version %d: this program knows 1", s.Rules)
	}
	return nil
}

// String is the settings as they stand in epoch rows and markers: JSON.
func (s Settings) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers always marshal
	}
	return string(b)
}

// ParseSettings is the inverse of String; it validates.
func ParseSettings(text string) (Settings, error) {
	var s Settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("settings: %w", err)
	}
	return s, s.Validate()
}
