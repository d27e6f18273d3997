package archive

import "fmt"

// Kind is the kind of a record of the topic pageviews, as far as the record alone
// tells. The reader must find duplicates, and records that were rerouted here twice.
type Kind uint8

// These are the kinds; the file contains their names.
const (
	// Pageview is an event unless an earlier one has the same (nonce, person).
	Pageview Kind = iota
	// Marker begins a generation and is not an event.
	Marker
	// Misplaced is a record in a partition other than its person's. It is not an event
	// here: the processor rerouted it to where it counts.
	Misplaced
	// Rejected is a record that breaks the rules of pageviews or of markers.
	Rejected
	kinds = 4
)

var kindNames = [kinds]string{"pageview", "marker", "misplaced", "refused"}

func (k Kind) String() string {
	if k >= kinds {
		return fmt.Sprintf("kind %d", uint8(k))
	}
	return kindNames[k]
}

// parseKind is the inverse of String.
func parseKind(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name {
			return Kind(k), true
		}
	}
	return 0, false
}
