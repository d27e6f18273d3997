package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"speedlayer/query"
	"speedlayer/store"
)

// accuracyPath is where the accuracy of what the speed layer said is told.
const accuracyPath = "/api/v1/accuracy"

// shownAccuracies is how many runs' are told.
const shownAccuracies = 30

// Accuracies are those of the last runs, the newest first.
type Accuracies struct {
	Runs []query.Accuracy `json:"runs"`
}

// compare is told of a switch: it compares what both pointers say of the hours
// that the run has absorbed, and notes it.
func (b *Batch) compare(ctx context.Context, before, after store.Pointer) error {
	a, err := b.node.engine.Compare(ctx, before, after)
	if err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return b.layer.Note(ctx, a.Run, text)
}

// Accuracy returns what the last runs found out about the speed layer.
func (b *Batch) Accuracy(ctx context.Context) (*Accuracies, error) {
	texts, err := b.layer.Notes(ctx, shownAccuracies)
	if err != nil {
		return nil, err
	}
	all := &Accuracies{Runs: make([]query.Accuracy, len(texts))}
	for i, text := range texts {
		if err := json.Unmarshal(text, &all.Runs[i]); err != nil {
			return nil, fmt.Errorf("%w: accuracy of a run: %w", store.ErrCorrupt, err)
		}
	}
	return all, nil
}

func (b *Batch) getAccuracy(w http.ResponseWriter, r *http.Request) {
	a, err := b.Accuracy(r.Context())
	if err != nil {
		writeBatchError(w, err)
		return
	}
	writeJSON(w, http.StatusOK, a)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client may be gone
}
