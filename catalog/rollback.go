package catalog

import (
	"context"
	"errors"

	"speedlayer/store"
)

// ErrNoRollback: there is no run before the current one to go back to.
var ErrNoRollback = errors.New("catalog: there is no batch run before the current one: only one step back is kept")

// Rollback moves the pointer back to the run before, or to none if the first run
// is the current one. All generations from there on are still in the list, so
// answers are as if the later run had never been, with all that has come since. A
// run under way fails. It returns the pointer as it is then.
func Rollback(ctx context.Context, st store.Control) (store.Pointer, error) {
	return Update(ctx, st, func(p *store.Pointer) (bool, error) {
		// Generation 0 begins at the log's start. While it is in the list, the
		// generations hold everything, and no batch views are needed.
		whole := len(p.Generations) > 0 && p.Generations[0] == 0
		if p.Current == nil || p.Previous == nil && !whole {
			return false, ErrNoRollback
		}
		p.Current, p.Previous = p.Previous, nil
		return true, nil
	})
}
