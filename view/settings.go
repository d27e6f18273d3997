package view

import (
	"encoding/json"
	"fmt"
	"time"

	"speedlayer/record"
)

// Settings are the rules of the views that change results. They take effect at a
// marker only. Their JSON object is the operator's part of record.Settings.
type Settings struct {
	VisitsWindow  int64 `json:"visits_window_ms"` // ms of log time that a visit is remembered after its last view
	VisitsEntries int   `json:"visits_entries"`   // visits remembered at most, at most 64 Mi
	ExactVisitors int   `json:"exact_visitors"`   // visitors in a cell before it is a sketch
	Rules         int   `json:"rules"`            // version of the rules in package event
}

// DefaultSettings remember visits for four hours, and 256 Ki of them.
func DefaultSettings() Settings {
	return Settings{VisitsWindow: 4 * time.Hour.Milliseconds(), VisitsEntries: 256 << 10, ExactVisitors: 2048, Rules: 1}
}

// Defaults are the default settings of a log of pageviews: the engine's and those
// of the views.
func Defaults() record.Settings { return record.DefaultSettings(DefaultSettings().String()) }

// String is the settings as a JSON object.
func (s Settings) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers always marshal
	}
	return string(b)
}

// ParseSettings is the inverse of String. It validates.
func ParseSettings(text string) (Settings, error) {
	var s Settings
	if text != "" {
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return s, fmt.Errorf("settings: %w", err)
		}
	}
	return s, s.Validate()
}

// CheckSettings is the error of ParseSettings alone.
func CheckSettings(text string) error {
	_, err := ParseSettings(text)
	return err
}

// Validate reports what is wrong and what is allowed.
func (s Settings) Validate() error {
	if err := record.CheckWindow("visits window", s.VisitsWindow); err != nil {
		return err
	}
	if err := record.CheckEntries("visits entries", s.VisitsEntries); err != nil {
		return err
	}
	if s.ExactVisitors != 2048 {
		return fmt.Errorf("exact visitors is %d: allowed is 2048", s.ExactVisitors)
	}
	if s.Rules != 1 {
		return fmt.Errorf("rules are version %d: this program knows 1", s.Rules)
	}
	return nil
}
