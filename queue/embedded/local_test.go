package embedded

import (
	"net"
	"testing"

	"speedlayer/queue"
)

// deaf is a port that accepts nobody.
type deaf struct{ net.Listener }

func (d deaf) Accept() (net.Conn, error) {
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			return nil, err
		}
		_ = c.Close()
	}
}

// The process reaches its own log where the port lets nobody in.
func TestLocalClients(t *testing.T) {
	b, err := Start(Config{Dir: t.TempDir(), Partitions: 2, ListenFunc: func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return deaf{l}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := queue.Dial(t.Context(), queue.Config{Brokers: []string{b.Addr()}, Partitions: 2, Dialer: b.Dialer()})
	if err != nil {
		t.Fatal(err)
	}
	for _, person := range []string{"ann", "bob", "cy"} {
		if _, err := c.AppendSync(t.Context(), []queue.Message{{Person: []byte(person), Value: []byte("{}")}}); err != nil {
			t.Fatal(err)
		}
	}
	if recs := readAll(t, c); len(recs) != 3 {
		t.Errorf("%d records, want 3", len(recs))
	}
	c.Close()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.Dialer()(t.Context(), "tcp", b.Addr()); err == nil {
		t.Error("a broker that was closed is reached")
	}
}
