package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"speedlayer/internal/devcluster"
)

// echo sends back what it gets.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() { // ends with the listener
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(conn, conn); _ = conn.Close() }()
		}
	}()
	return l.Addr().String()
}

// ask sends a line and waits for it to come back.
func ask(conn net.Conn) error {
	if _, err := fmt.Fprintln(conn, "hello"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && line != "hello\n" {
		err = fmt.Errorf("got %q", line)
	}
	return err
}

// A link that is slow is so for connections that are there already; a cut ends
// them, lets none come about, and has ended when it returns.
func TestProxies(t *testing.T) {
	port, err := devcluster.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	p := newProxies()
	defer p.close()
	if err := p.add("kafka-1", listen, echo(t)); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := ask(conn); err != nil {
		t.Fatal(err)
	}

	during(t, func(ctx context.Context) error { return p.slow(ctx, time.Hour, "kafka-") }, func() bool {
		began := time.Now()
		if err := ask(conn); err != nil {
			t.Fatal(err)
		}
		return time.Since(began) > 2*(slowLatency-slowJitter)*time.Millisecond
	})
	during(t, func(ctx context.Context) error { return p.cut(ctx, time.Hour, "kafka-") }, func() bool {
		other, err := net.Dial("tcp", listen)
		if err == nil {
			_ = other.Close()
		}
		return err != nil && ask(conn) != nil
	})
	again, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if err := ask(again); err != nil {
		t.Errorf("after the cut: %v", err)
	}
	if n, err := p.passed("kafka-"); err != nil || n == 0 {
		t.Errorf("passed %d bytes, %v", n, err)
	}
	if n, err := p.passed("regionserver-"); err != nil || n != 0 {
		t.Errorf("passed %d bytes of what is not there, %v", n, err)
	}
}

// during lets a fault last until it shows.
func during(t *testing.T, fault func(ctx context.Context) error, shows func() bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- fault(ctx) }() // ends with ctx
	for until := time.Now().Add(20 * time.Second); !shows(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("the fault does not show")
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}
