package main

import "strings"

// roleSet is which parts of the work a process does.
type roleSet uint8

const (
	collectorRole roleSet = 1 << iota // takes pageviews
	processorRole                     // turns the log into views
	queryRole                         // answers, with the dashboard
	allRoles      = collectorRole | processorRole | queryRole
)

func (r roleSet) has(role roleSet) bool { return r&role != 0 }

var roleNames = []struct {
	role roleSet
	name string
}{{collectorRole, "collector"}, {processorRole, "processor"}, {queryRole, "query"}}

func (r roleSet) String() string {
	var names []string
	for _, n := range roleNames {
		if r.has(n.role) {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ",")
}

// serves is what a process with these roles has over HTTP, for people.
func (r roleSet) serves() string {
	switch {
	case r == allRoles:
		return "dashboard and API"
	case r == processorRole:
		return "processor, metrics"
	}
	return r.String()
}

// parseRoles reads names as String writes them.
func parseRoles(names []string) (set roleSet, err error) {
	for _, name := range names {
		before := set
		for _, n := range roleNames {
			if n.name == strings.TrimSpace(name) {
				set |= n.role
			}
		}
		if set == before {
			return 0, usagef("--roles %q: allowed are collector, processor, query, each once", strings.Join(names, ","))
		}
	}
	if set == 0 {
		return 0, usagef("--roles is empty: allowed are collector, processor, query")
	}
	return set, nil
}
