package microbatch

import (
	"speedlayer/event"
	"speedlayer/view"
)

// The topology of web analytics: the one place where the engine meets it.

// PageviewHash hashes persons and nonces.
func PageviewHash() Hash { return Hash{Owner: event.PersonHash, Nonce: event.NonceHash} }

// NewPageviews returns the operator of the three views.
func NewPageviews(s Settings, l view.Limits) Operator {
	return pageviews{view.NewPageviews(viewSettings(s), l)}
}

type pageviews struct{ *view.Pageviews }

func (p pageviews) Begin(generation uint32, start int64, s Settings) {
	p.Pageviews.Begin(generation, start, viewSettings(s))
}

func viewSettings(s Settings) view.Settings {
	return view.Settings{VisitsWindow: s.VisitsWindow, VisitsEntries: s.VisitsEntries}
}
