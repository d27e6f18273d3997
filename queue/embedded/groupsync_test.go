package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
)

// frame is a request or an answer without a body.
func frame(key, version uint16, id uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, 8)
	b = binary.BigEndian.AppendUint16(b, key)
	b = binary.BigEndian.AppendUint16(b, version)
	return binary.BigEndian.AppendUint32(b, id)
}

func answerTo(id uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 4), id)
}

// syncPipe is a connection in front of a broker, whose syncs the test ends.
func syncPipe() (client net.Conn, broker *syncConn, syncs chan chan error) {
	syncs = make(chan chan error)
	group := newGroupSync(func() error {
		result := make(chan error)
		syncs <- result
		return <-result
	}, func(error) {})
	client, server := net.Pipe()
	broker = &syncConn{Conn: server, group: group}
	broker.sent.L = &broker.mu
	return client, broker, syncs
}

func request(t *testing.T, client net.Conn, broker *syncConn, key uint16, id uint32) {
	t.Helper()
	go func() { _, _ = client.Write(frame(key, 9, id)) }()
	if _, err := io.ReadFull(broker, make([]byte, 12)); err != nil {
		t.Fatal(err)
	}
}

// The broker is not held up by a sync; its answers are, in order, until a sync
// that began after them has ended, and those that came during one share the
// next.
func TestAnswersWaitForSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, broker, syncs := syncPipe()
		got := make(chan uint32, 10)
		go func() {
			b := make([]byte, 8)
			for {
				if _, err := io.ReadFull(client, b); err != nil {
					return
				}
				got <- binary.BigEndian.Uint32(b[4:])
			}
		}()
		expect := func(ids ...uint32) {
			t.Helper()
			synctest.Wait()
			for _, id := range ids {
				select {
				case have := <-got:
					if have != id {
						t.Errorf("answer %d, want %d", have, id)
					}
				default:
					t.Errorf("no answer %d", id)
				}
			}
			select {
			case have := <-got:
				t.Errorf("answer %d before its sync ended", have)
			default:
			}
		}
		write := func(id uint32) {
			t.Helper()
			if _, err := broker.Write(answerTo(id)); err != nil {
				t.Fatal(err)
			}
		}
		const fetchKey = 1
		request(t, client, broker, fetchKey, 1)
		write(1)
		expect(1) // nothing to sync
		request(t, client, broker, produceKey, 2)
		write(2)
		first := <-syncs
		request(t, client, broker, produceKey, 3)
		write(3)
		request(t, client, broker, fetchKey, 4)
		write(4)
		expect()
		first <- nil
		second := <-syncs // for 3, which came while the first ran
		expect(2)
		second <- nil
		expect(3, 4)
		request(t, client, broker, fetchKey, 5)
		write(5)
		expect(5)
		_ = client.Close()
		_ = broker.Close()
	})
}

// A sync that fails ends the connection without the answers.
func TestFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, broker, syncs := syncPipe()
		request(t, client, broker, produceKey, 1)
		if _, err := broker.Write(answerTo(1)); err != nil {
			t.Fatal(err)
		}
		failed := errors.New("disk gone")
		(<-syncs) <- failed
		if n, err := client.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("the client reads %d bytes, %v, want EOF", n, err)
		}
		if _, err := broker.Write(answerTo(2)); !errors.Is(err, failed) {
			t.Errorf("the broker's next answer: %v, want the sync's error", err)
		}
	})
}

// A sync that could not begin holds the answers back, and is tried again; one
// that failed is told to the owner.
func TestSyncNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := []error{
			fmt.Errorf("%w: %w", errNotBegun, syscall.EMFILE), fmt.Errorf("%w: %w", errNotBegun, syscall.EMFILE), nil,
			syscall.EIO,
		}
		var failed []error
		g := newGroupSync(func() error {
			err := results[0]
			results = results[1:]
			return err
		}, func(err error) { failed = append(failed, err) })
		if err := g.wait(); err != nil || len(results) != 1 || failed != nil {
			t.Fatalf("%v with %d results left; failed: %v", err, len(results), failed)
		}
		for range 2 { // the second does not sync again: what was lost stays lost
			if err := g.wait(); !errors.Is(err, syscall.EIO) {
				t.Fatal(err)
			}
		}
		if len(failed) != 1 || !errors.Is(failed[0], syscall.EIO) {
			t.Errorf("failed: %v", failed)
		}
	})
}

// A broker that closes does not wait for a sync that cannot begin.
func TestSyncClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroupSync(func() error { return errNotBegun }, func(err error) { t.Error(err) })
		ended := make(chan error)
		go func() { ended <- g.wait() }()
		synctest.Wait()
		g.close()
		if err := <-ended; !errors.Is(err, errNotBegun) {
			t.Error(err)
		}
	})
}
