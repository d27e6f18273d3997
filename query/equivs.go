package query

import (
	"context"
	"net/http"

	"speedlayer/event"
)

// Equivs implements Answers.
func (e *Engine) Equivs(context.Context) (*EquivsAnswer, error) {
	return &EquivsAnswer{Equivs: e.cfg.Edges.List()}, nil
}

// AddEquiv implements Answers.
func (e *Engine) AddEquiv(ctx context.Context, id1, id2 string) (*EquivAnswer, error) {
	return e.append(ctx, event.Edge{ID1: id1, ID2: id2})
}

// RemoveEquiv implements Answers. Removing an edge that was never added is not an
// error: the edge does not hold, as requested.
func (e *Engine) RemoveEquiv(ctx context.Context, id1, id2 string) (*EquivAnswer, error) {
	return e.append(ctx, event.Edge{ID1: id1, ID2: id2, Retract: true})
}

// append makes the edge durable and waits until it has come back through the log.
// Applying it here at once would ignore the order of the log: an edge and its
// retraction, posted at the same time, could end up in the wrong order.
func (e *Engine) append(ctx context.Context, edge event.Edge) (*EquivAnswer, error) {
	if err := CheckPair(edge.ID1, edge.ID2); err != nil {
		return nil, err
	}
	if e.cfg.Append == nil {
		return nil, &Error{Status: http.StatusServiceUnavailable, Detail: errNoAppend.Error()}
	}
	edge.TS = e.cfg.Now().UnixMilli()
	w := e.cfg.Edges.expect(edge)
	defer e.cfg.Edges.forget(w)
	if err := e.cfg.Append(ctx, edge); err != nil {
		return nil, err
	}
	select {
	case <-w.applied:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a, b := edge.Pair()
	return &EquivAnswer{ID1: a, ID2: b, Time: event.FormatTime(edge.TS), Retract: edge.Retract, Edges: e.cfg.Edges.Len()}, nil
}

// CheckPair returns an *Error if two identifiers cannot be an equiv edge.
func CheckPair(id1, id2 string) error {
	if err := (event.Edge{ID1: id1, ID2: id2}).Check(); err != nil {
		return Rejected("id1", "", err)
	}
	return nil
}
