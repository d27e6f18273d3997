package worlds

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"speedlayer/catalog"
	"speedlayer/record"
)

// markerLog appends markers to the world's logs; their answers may be lost.
type markerLog struct{ w *world }

func (l markerLog) AppendMarker(_ context.Context, partition int32, value []byte) error {
	if err := l.w.call("appending a marker"); err != nil {
		return err
	}
	l.w.append(l.w.parts[partition], nil, append([]byte(nil), value...), kgo.RecordHeader{Key: record.MarkerHeader, Value: []byte("1")})
	if l.w.fault(8) {
		return errLost
	}
	return nil
}

// startSettings changes the settings, as processes do that start with others
// than the newest generation's.
func (w *world) startSettings() {
	s := w.settings()
	if w.markersFull() {
		return
	}
	w.spawn("change of settings", func(t *task) {
		g, began, err := catalog.EnsureSettings(context.Background(), w.store, markerLog{w}, w.epoch.Partitions, s)
		if err != nil {
			w.trace("settings not changed: %v", err)
			return
		}
		w.trace("settings are those of generation %d (begun now: %v)", g, began)
	})
}

// markersFull keeps worlds small.
func (w *world) markersFull() bool { return w.store.pointer.Next > 6 }
