package archive

import "fmt"

// Kind is what a record of the topic pageviews is, as far as the record alone
// says: duplicates, and records that were moved here twice, are for the reader
// to find.
type Kind uint8

// The kinds, in the file by their names.
const (
	// Pageview is an event unless an earlier one has its (nonce, person).
	Pageview Kind = iota
	// Marker begins a generation, and is no event.
	Marker
	// Misplaced lies in another partition than its person's. It is no event
	// here: the processor moved it to where it counts.
	Misplaced
	// Refused is a record that breaks the rules of pageviews or of markers.
	Refused
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
