package torture

import "context"

// System is what is tortured. One goroutine at a time calls it.
type System interface {
	// Launch starts it over what the last one left behind. It does not wait.
	Launch() (Instance, error)
	// Export calls fn with every cell. No instance is running then.
	Export(ctx context.Context, fn func(Line) error) error
	// Verify compares the cells with the log: how many differ, and a text about
	// it. No instance is running then.
	Verify(ctx context.Context) (differences int64, text string, err error)
}

// Instance is one life of the system.
type Instance interface {
	// URL waits until it listens, and reports where.
	URL(ctx context.Context) (string, error)
	// Kill ends it at once, with no chance to do anything, and returns when it
	// is gone.
	Kill() error
	// Stop asks it to end, and returns when it has. An error means that it ended
	// badly, or not in time.
	Stop(ctx context.Context) error
	// Done is closed when it has ended, for whatever reason; Ended reports which.
	Done() <-chan struct{}
	Ended() error
}

// Line is one cell of an export.
type Line struct {
	View      string `json:"view"`
	URL       string `json:"url"`
	Hour      string `json:"hour"` // RFC 3339
	Pageviews int64  `json:"pageviews"`
	Visitors  int64  `json:"visitors"`
	Exact     bool   `json:"exact"`
}
