package view

import "speedlayer/store"

// The views, as they stand in keys. Pages and domains share the first two: a
// domain's url has no slash. Numbers are on disk: never use one again.
const (
	PageviewsView store.ViewID = store.DomainView // url, hour -> crdt count
	UniquesView   store.ViewID = 2                // url, hour -> crdt visitors
	BouncesView   store.ViewID = 3                // domain, hour -> crdt visit count
)
