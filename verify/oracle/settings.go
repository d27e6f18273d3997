package oracle

import (
	"encoding/json"
	"fmt"
	"time"
)

// Settings are the rules that change results, as they stand in epoch rows and
// markers.
type Settings struct {
	DedupeWindow  int64 `json:"dedupe_window_ms"`
	DedupeEntries int   `json:"dedupe_entries"`
	VisitsWindow  int64 `json:"visits_window_ms"`
	VisitsEntries int   `json:"visits_entries"`
	ExactVisitors int   `json:"exact_visitors"`
	Rules         int   `json:"rules"`
}

// DefaultSettings are those of docs/design.md.
func DefaultSettings() Settings {
	return Settings{
		DedupeWindow: time.Hour.Milliseconds(), DedupeEntries: 512 << 10,
		VisitsWindow: 4 * time.Hour.Milliseconds(), VisitsEntries: 256 << 10,
		ExactVisitors: 2048, Rules: 1,
	}
}

// ParseSettings reads them as an epoch row has them.
func ParseSettings(text string) (Settings, error) {
	var s Settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, err
	}
	return s, s.check()
}

// check is what a marker's settings must hold to be understood.
func (s Settings) check() error {
	const maxWindow, maxEntries = 24 * 24 * 3600 * 1000, 64 << 20
	ok := s.DedupeWindow >= 0 && s.DedupeWindow <= maxWindow &&
		s.VisitsWindow >= 0 && s.VisitsWindow <= maxWindow &&
		s.DedupeEntries >= 1 && s.DedupeEntries <= maxEntries &&
		s.VisitsEntries >= 1 && s.VisitsEntries <= maxEntries &&
		s.ExactVisitors == 2048 && s.Rules == 1
	if !ok {
		return fmt.Errorf("settings %+v are out of bounds", s)
	}
	return nil
}

// marker is a record after which a generation starts.
type marker struct {
	Generation uint32    `json:"generation"`
	Run        bool      `json:"run"`
	Settings   *Settings `json:"settings"`
}

func parseMarker(value []byte) (marker, error) {
	var m marker
	if err := json.Unmarshal(value, &m); err != nil {
		return m, err
	}
	if m.Settings != nil {
		return m, m.Settings.check()
	}
	return m, nil
}
