// Package active counts current visitors: who viewed a domain in the last five minutes.
//
// It is not a view. Nothing is stored, and a process knows only the events that its own
// processors have counted since it started. [Visitors] holds the counts;
// [Visitors.Watch] puts them between the engine and the operator, so that neither knows
// of them.
package active
