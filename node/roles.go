package node

import (
	"errors"
	"fmt"
	"strings"
)

// Roles is which parts of the work a process does.
type Roles uint8

// The roles.
const (
	RoleCollector Roles = 1 << iota // takes pageviews
	RoleProcessor                   // turns the log into views
	RoleQuery                       // answers, with the dashboard
	AllRoles      = RoleCollector | RoleProcessor | RoleQuery
)

func (r Roles) has(role Roles) bool { return r&role != 0 }

var roleNames = []struct {
	role Roles
	name string
}{{RoleCollector, "collector"}, {RoleProcessor, "processor"}, {RoleQuery, "query"}}

// String lists the roles as ParseRoles reads them.
func (r Roles) String() string {
	var names []string
	for _, n := range roleNames {
		if r.has(n.role) {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ",")
}

// ParseRoles reads names as String writes them.
func ParseRoles(names []string) (set Roles, err error) {
	for _, name := range names {
		before := set
		for _, n := range roleNames {
			if n.name == strings.TrimSpace(name) {
				set |= n.role
			}
		}
		if set == before {
			return 0, fmt.Errorf("roles %q: allowed are collector, processor, query, each once", strings.Join(names, ","))
		}
	}
	if set == 0 {
		return 0, errors.New("roles is empty: allowed are collector, processor, query")
	}
	return set, nil
}
