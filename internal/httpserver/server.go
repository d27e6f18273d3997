package httpserver

import (
	"log"
	"net"
	"net/http"
	"time"
)

// ReadGrace and WriteGrace are the time that a client may take without making
// progress. MinRate, in bytes a second, is what it must reach on average besides.
// A client that is slower holds what others need.
const (
	ReadGrace  = 10 * time.Second
	WriteGrace = 30 * time.Second
	MinRate    = 16 << 10
)

// idleTimeout is how long a connection may be open without a request.
const idleTimeout = 2 * time.Minute

// New returns a server of h. It must serve a listener that Listen made.
func New(h http.Handler, errors *log.Logger) *http.Server {
	return &http.Server{
		Handler:        protect(requireRate(h)),
		ReadTimeout:    ReadGrace, // head and body; requireRate extends it
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       errors,
	}
}

// Listen returns a listener whose connections have a minimum rate of writing.
func Listen(l net.Listener) net.Listener { return pacedListener{l} }
