package queue

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// certificate is one for 127.0.0.1, and the authority that signed it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return s.TLS.Certificates[0], pool
}

func cluster(t *testing.T, opts ...kfake.Opt) []string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

// With the right certificate and password a client writes, reads and is a member
// of the group; with a wrong one, and without, it is told within 15 seconds what
// is wrong, whichever it is.
func TestSecurity(t *testing.T) {
	cert, authority := certificate(t)
	addrs := cluster(t, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}), kfake.EnableSASL(),
		kfake.Superuser("PLAIN", "ann", "right"), kfake.Superuser("SCRAM-SHA-256", "ann", "right"), kfake.Superuser("SCRAM-SHA-512", "ann", "right"))
	open := cluster(t)
	const closed = "127.0.0.1:1" // tcpmux, of 1988: nobody has it
	trusted := &tls.Config{RootCAs: authority}
	for _, c := range []struct {
		name, mechanism, user, password string
		brokers                         []string
		tls                             *tls.Config
		want                            error
	}{
		{"plain", "plain", "ann", "right", addrs, trusted, nil},
		{"scram 256", "scram-sha-256", "ann", "right", addrs, trusted, nil},
		{"scram 512", "scram-sha-512", "ann", "right", addrs, trusted, nil},
		{"wrong password", "plain", "ann", "wrong", addrs, trusted, ErrCredentials},
		{"wrong password by scram", "scram-sha-512", "ann", "wrong", addrs, trusted, ErrCredentials},
		{"nobody", "scram-sha-256", "bob", "right", addrs, trusted, ErrCredentials},
		{"no password", "", "", "", addrs, trusted, ErrCredentials},
		{"authority not known", "plain", "ann", "right", addrs, &tls.Config{}, ErrTLS},
		{"no TLS where it must be", "plain", "ann", "right", addrs, nil, ErrTLS},
		{"TLS where there is none", "", "", "", open, trusted, ErrTLS},
		{"nobody listens", "", "", "", []string{closed}, nil, ErrAddress},
		{"no such host", "", "", "", []string{"nowhere.invalid:9092"}, nil, ErrAddress},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{Brokers: c.brokers, TLS: c.tls}
			if c.mechanism != "" {
				var err error
				if cfg.SASL, err = NewSASL(c.mechanism, c.user, c.password); err != nil {
					t.Fatal(err)
				}
			}
			begin := time.Now()
			client, err := Dial(t.Context(), cfg)
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("it took %v", took)
			}
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if err == nil {
				defer client.Close()
				secured(t, client)
			}
		})
	}
	if _, err := NewSASL("gssapi", "ann", "right"); err == nil {
		t.Error("a mechanism that we do not have is none")
	}
}

// secured uses every kind of client: each must bring its certificate and password.
func secured(t *testing.T, c *Client) {
	t.Helper()
	before := len(readAll(t, c))
	at, err := c.AppendSync(t.Context(), messages(10))
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c); len(got) != before+10 {
		t.Errorf("%d records more, want 10", len(got)-before)
	}
	if err := c.AppendMarker(t.Context(), at[0].Partition, []byte("{}")); err != nil {
		t.Error(err)
	}
	change := make(chan struct{}, 1)
	h, leave := join(t, c, change)
	await(t, change, "no member of the group", func() bool { return h.count() == 8 })
	leave()
}
