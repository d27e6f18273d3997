package embedded

import (
	"context"
	"net"
	"sync"
)

// Clients in the broker's own process reach it through pipes in memory. They
// take no descriptor and no place among the connections of other programs, so a
// port that is full, or a process that can open no more files, does not cut the
// system off from its own log.

// localListener accepts both: what a port accepts, and pipes. It owns a goroutine
// that accepts from the port and ends with Close.
type localListener struct {
	net.Listener
	accepted chan net.Conn
	failed   chan error
	closed   chan struct{}
	once     sync.Once
	done     sync.WaitGroup
}

func listenLocally(l net.Listener) *localListener {
	m := &localListener{Listener: l, accepted: make(chan net.Conn), failed: make(chan error), closed: make(chan struct{})}
	m.done.Go(m.accept)
	return m
}

func (l *localListener) accept() {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			select {
			case l.failed <- err:
			case <-l.closed:
			}
			return
		}
		select {
		case l.accepted <- c:
		case <-l.closed:
			_ = c.Close()
			return
		}
	}
}

func (l *localListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case err := <-l.failed:
		return nil, err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *localListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	err := l.Listener.Close()
	l.done.Wait()
	return err
}

// dial has the signature of queue.Config.Dialer. There is one broker, so the address
// says nothing.
func (l *localListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.accepted <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Dialer connects clients in this process to the broker, without its port.
func (b *Broker) Dialer() func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		b.mu.Lock()
		local := b.mu.local
		b.mu.Unlock()
		return local.dial(ctx, network, address)
	}
}
