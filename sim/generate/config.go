package generate

import (
	"fmt"
	"time"
)

// Config defines what stream to make. The zero value of a field means its default;
// a negative share means none.
type Config struct {
	Events  int64         // pageviews, duplicates among them; edges come on top. No default.
	Seed    uint64        // any number
	URLs    int           // pages; 100,000
	Persons int           // identifiers; 1,000,000
	Domains int           // 200
	Start   time.Time     // when the first event arrives; 2026-01-05T08:00Z
	Span    time.Duration // from the first arrival to the last; an hour

	Duplicates float64       // share of pageviews that are sent again; 0.02
	Late       float64       // share that are a minute to 4.5 hours late; 0.05
	Bots       float64       // share of pageviews by bots; 0.1
	Edges      float64       // equiv edges for each pageview; 0.0005
	Jitter     time.Duration // how far a pageview that is not late may be out of order; 3 s
}

// withDefaults fills in what is not set, and validates.
func (c Config) withDefaults() (Config, error) {
	defaultTo(&c.URLs, 100_000)
	defaultTo(&c.Persons, 1_000_000)
	defaultTo(&c.Domains, min(200, c.URLs))
	defaultTo(&c.Span, time.Hour)
	defaultTo(&c.Jitter, 3*time.Second)
	if c.Start.IsZero() {
		c.Start = time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)
	}
	for _, s := range []struct {
		share *float64
		value float64
	}{{&c.Duplicates, 0.02}, {&c.Late, 0.05}, {&c.Bots, 0.1}, {&c.Edges, 0.0005}} {
		defaultTo(s.share, s.value)
		*s.share = max(0, *s.share)
	}
	return c, c.validate()
}

func defaultTo[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c *Config) validate() error {
	const maxURLs, maxPersons, maxDomains = 10_000_000, 100_000_000, 100_000
	switch {
	case c.Events < 0:
		return fmt.Errorf("generate: %d events: allowed is 0 or more", c.Events)
	case c.URLs < 1 || c.URLs > maxURLs:
		return fmt.Errorf("generate: %d urls: allowed is 1 to %d", c.URLs, maxURLs)
	case c.Persons < 1 || c.Persons > maxPersons:
		return fmt.Errorf("generate: %d persons: allowed is 1 to %d", c.Persons, maxPersons)
	case c.Domains < 1 || c.Domains > min(maxDomains, c.URLs):
		return fmt.Errorf("generate: %d domains: allowed is 1 to %d, and no more than urls", c.Domains, maxDomains)
	case c.Span < time.Millisecond || c.Span > 10*365*24*time.Hour:
		return fmt.Errorf("generate: span %v: allowed is 1 ms to 10 years", c.Span)
	case c.Jitter < 0 || c.Jitter > time.Hour:
		return fmt.Errorf("generate: jitter %v: allowed is 0 to 1 h", c.Jitter)
	case c.Start.Year() < 1971 || c.Start.Year() > 9000:
		return fmt.Errorf("generate: start %v: allowed is the years 1971 to 9000", c.Start)
	}
	for name, share := range map[string]float64{"duplicates": c.Duplicates, "late": c.Late, "bots": c.Bots, "edges": c.Edges} {
		if !(share <= 1) {
			return fmt.Errorf("generate: share of %s is %v: allowed is 0 to 1", name, share)
		}
	}
	return nil
}

// chance is a share as a threshold for 32 random bits.
func chance(share float64) uint64 { return uint64(share * (1 << 32)) }
